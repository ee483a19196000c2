"""PostgreSQL starts whatever the last run left behind, and loses nothing."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from embedded import processes
from embedded.errors import StartFailed
from embedded.homes import Home, home_for
from embedded.postgres import STOP, Postgres
from embedded.programs import Programs

SECONDS = 20.0


@pytest.fixture
def server(home: Home, programs: Programs) -> Postgres:
    return Postgres(home, programs, durable=False)


@pytest.fixture
async def stranger() -> AsyncIterator[subprocess.Popen[bytes]]:
    """A process that is none of ours and must outlive every test."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    assert process.poll() is None, "a stranger's process was ended"
    process.kill()
    process.wait()


async def test_keeps_its_data_over_a_stop(server: Postgres, said: list[str]) -> None:
    child = await server.start(say=said.append)
    await execute(server, "CREATE TABLE kept AS SELECT 1 AS one")
    await processes.end_child(child, steps=STOP)
    assert child.returncode == 0
    child = await server.start(say=said.append)
    assert await value(server, "SELECT one FROM kept") == 1
    await processes.end_child(child, steps=STOP)


async def test_keeps_what_was_committed_when_killed_with_backends_attached(
    home: Home, programs: Programs, said: list[str]
) -> None:
    server = Postgres(home, programs)
    child = await server.start(say=said.append)
    await execute(server, "CREATE TABLE kept AS SELECT 1 AS one")
    busy = await asyncpg.connect(server.url)
    sleeping = asyncio.create_task(busy.execute("SELECT pg_sleep(3600)"))
    await until_running(server, "pg_sleep")
    child.kill()
    child.wait()
    child = await server.start(say=said.append)
    assert await value(server, "SELECT one FROM kept") == 1
    with pytest.raises((asyncpg.PostgresError, ConnectionError)):
        await sleeping
    busy.terminate()
    await processes.end_child(child, steps=STOP)


async def test_an_orphan_is_ended_before_another_starts(server: Postgres, said: list[str]) -> None:
    orphan = await server.start(say=said.append)
    await execute(server, "CREATE TABLE kept AS SELECT 1 AS one")
    child = await server.start(say=said.append)
    assert orphan.wait(SECONDS) == 0
    assert await value(server, "SELECT one FROM kept") == 1
    assert "Ending what is left of an earlier PostgreSQL." in said
    await processes.end_child(child, steps=STOP)


async def test_pid_files_of_the_dead_that_name_a_living_stranger_stop_nothing(
    server: Postgres, stranger: "subprocess.Popen[bytes]", said: list[str]
) -> None:
    child = await server.start(say=said.append)
    child.kill()
    child.wait()
    for path in (server.cluster / "postmaster.pid", server.home.sockets() / ".s.PGSQL.5432.lock"):
        lines = path.read_text().splitlines()
        path.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
        server.home.give(path)
    child = await server.start(say=said.append)
    assert await value(server, "SELECT 1") == 1
    await processes.end_child(child, steps=STOP)


async def test_half_a_cluster_is_made_anew(server: Postgres, said: list[str]) -> None:
    half = server.home.subfolder("postgres.unfinished")
    (half / "PG_VERSION").write_text("18\n")
    child = await server.start(say=said.append)
    assert await value(server, "SELECT 1") == 1
    assert not half.exists()
    await processes.end_child(child, steps=STOP)


async def test_a_cluster_of_another_version_is_refused_in_one_sentence(server: Postgres, said: list[str]) -> None:
    server.cluster.mkdir()
    (server.cluster / "PG_VERSION").write_text("16\n")
    with pytest.raises(StartFailed, match="was made by PostgreSQL 16"):
        await server.start(say=said.append)


async def test_a_damaged_cluster_is_refused_with_the_servers_own_words(server: Postgres, said: list[str]) -> None:
    child = await server.start(say=said.append)
    await processes.end_child(child, steps=STOP)
    (server.cluster / "global" / "pg_control").unlink()
    with pytest.raises(StartFailed, match=r"PostgreSQL ended at its start: .*pg_control"):
        await server.start(say=said.append)


@pytest.mark.parametrize("name", ["d" * 120, 'it\'s a, "folder"'])
async def test_a_long_or_odd_path_has_its_socket_elsewhere(
    folder: Path, programs: Programs, said: list[str], name: str
) -> None:
    odd = folder / name
    odd.mkdir(mode=0o711)
    server = Postgres(home_for(odd), programs, durable=False)
    child = await server.start(say=said.append)
    assert await value(server, "SELECT 1") == 1
    assert server.home.sockets().stat().st_mode & 0o777 == 0o700
    assert not server.home.sockets().is_relative_to(folder)
    await processes.end_child(child, steps=STOP)
    server.home.sockets().rmdir()


async def test_a_long_recovery_is_waited_for_and_said(
    home: Home, programs: Programs, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedded.postgres.PATIENCE_SECONDS", 0.0)
    server = Postgres(home, programs)
    child = await server.start(say=said.append)
    said.clear()
    await execute(server, "CREATE TABLE many AS SELECT n, md5(n::text) AS text FROM generate_series(1, 400000) n")
    child.kill()
    child.wait()
    child = await server.start(say=said.append)
    assert "PostgreSQL recovers" in said[-1]
    assert await value(server, "SELECT count(*) FROM many") == 400_000
    await processes.end_child(child, steps=STOP)


async def test_ends_with_whoever_started_it(server: Postgres, folder: Path) -> None:
    """A parent killed with -9 takes the server with it, in order."""
    program = f"""
import asyncio
from pathlib import Path
from embedded.homes import home_for
from embedded.postgres import Postgres
from embedded.programs import programs_for
home = home_for(Path({str(folder)!r}))
async def main():
    child = await Postgres(home, programs_for(home.account), durable=False).start(say=lambda message: None)
    print(child.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path.cwd())
    assert parent.stdout
    postmaster = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert not await survivors(postmaster)
    assert not (server.cluster / "postmaster.pid").exists(), "it was killed, not ended"


async def test_never_runs_as_root(server: Postgres, said: list[str]) -> None:
    child = await server.start(say=said.append)
    process = psutil.Process(child.pid)
    assert process.uids().effective != 0
    assert process.uids().effective == (server.home.account.uid if server.home.account else os.geteuid())
    assert server.cluster.stat().st_mode & 0o077 == 0
    await processes.end_child(child, steps=STOP)


async def survivors(process: psutil.Process) -> list[psutil.Process]:
    return (await asyncio.to_thread(psutil.wait_procs, [process], SECONDS))[1]


async def execute(server: Postgres, sql: str) -> None:
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def value(server: Postgres, sql: str) -> object:
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def until_running(server: Postgres, text: str) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE $1 AND pid <> pg_backend_pid()"
    connection = await asyncpg.connect(server.url)
    try:
        async with asyncio.timeout(SECONDS):
            while not await connection.fetchval(query, f"%{text}%"):
                await asyncio.sleep(0.01)
    finally:
        await connection.close()
