"""`salescycle up`: any of its processes, or all, killed and started again; nothing lost, nobody left."""

import itertools
import os
import select
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from embedded.homes import home_for
from embedded.up import SIGN_UP
from tests.cli.running import SECONDS, Up, mine, refused, salescycle, until

CHILDREN = ("serve", "worker", "relay", "valkey-server", "postgres")


async def test_starts_answers_and_ends_in_order(start: Callable[..., Up], folder: Path) -> None:
    running = start().ready()
    assert running.answers()
    running.says("Nobody has signed up yet")
    answer = running.graphql(SIGN_UP)
    assert "errors" not in answer, answer
    assert answer["data"]["signUp"]["accessToken"], answer
    children = {name: running.child(name) for name in CHILDREN}
    assert "in use by another Salescycle" in refused("up", "--port", "0", "--data-dir", str(folder))
    command = salescycle("migrate", "--check", "--data-dir", str(folder))
    assert command.communicate(timeout=SECONDS)[0] == "", "a command does not find the running servers"
    assert command.returncode == 0
    running.process.send_signal(signal.SIGTERM)
    for earlier, later in itertools.pairwise(ends(children)):
        assert max(map(CHILDREN.index, earlier)) < min(map(CHILDREN.index, later)), (earlier, later)
    assert running.end() == 0
    running = start().ready()
    running.process.send_signal(signal.SIGINT)
    assert running.end(signal.SIGINT) == 0, "Ctrl-C pressed twice cuts its end short"
    assert "Nobody has signed up yet" not in running.output
    assert not mine(folder)
    assert running.lines[-1] == "Salescycle has ended."
    assert not (home_for(folder).folder / "postgres" / "postmaster.pid").exists()
    assert stat.S_IMODE((folder / "secret-key").stat().st_mode) == 0o600


@pytest.mark.usefixtures("filled")
async def test_a_killed_child_is_started_again_and_nothing_is_lost(start: Callable[..., Up]) -> None:
    running = start().ready()
    await running.fetch("CREATE TABLE kept AS SELECT 42 AS answer")
    for name in CHILDREN:
        old = running.kill(name)
        new = running.replaced(old, name)
        until(running.answers, running)
        assert new.pid != old.pid
    assert await running.fetch("SELECT answer FROM kept") == 42
    assert running.end() == 0


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("victims", ["up alone", "everything"])
async def test_killed_and_started_again(start: Callable[..., Up], folder: Path, victims: str) -> None:
    running = start().ready()
    await running.fetch("CREATE TABLE kept AS SELECT 42 AS answer")
    secret = (folder / "secret-key").read_text()
    orphans = mine(folder)
    running.process.kill()
    if victims == "everything":
        for process in orphans:
            with_no_mercy(process)
    running.process.wait(SECONDS)
    running = start().ready()
    assert running.answers()
    assert await running.fetch("SELECT answer FROM kept") == 42
    assert (folder / "secret-key").read_text() == secret
    assert not set(orphans) & set(mine(folder)), "an orphan lives on beside the new processes"
    assert running.end() == 0


@pytest.mark.usefixtures("filled")
async def test_orphans_that_nothing_told_to_end_are_found(start: Callable[..., Up], folder: Path) -> None:
    """Children that were stopped when `up` was killed have not seen its death; they hold files and the port."""
    running = start().ready()
    port = running.address.rpartition(":")[2]
    orphans = mine(folder)
    for process in orphans:
        process.suspend()
    running.process.kill()
    running.process.wait(SECONDS)
    running = start("--port", port).ready()
    assert running.answers()
    assert not set(orphans) & set(mine(folder))
    assert running.end() == 0


async def test_with_servers_of_its_own_it_starts_none(
    start: Callable[..., Up], folder: Path, empty_database_url: str, empty_redis_url: str
) -> None:
    running = start(env={"DATABASE_URL": empty_database_url, "REDIS_URL": empty_redis_url}).ready()
    assert running.answers()
    kinds = [name for process in mine(folder) for name in process.cmdline()]
    assert not [name for name in kinds if "postgres" in name or "valkey" in name]
    assert not (folder / "postgres").exists()
    assert running.end() == 0


async def test_a_command_without_up_starts_servers_for_itself(prepared: Path, filled: Path) -> None:
    assert (home_for(prepared).folder / "postgres").exists(), "the first such command prepared no database"
    command = salescycle("migrate", "--check", "--data-dir", str(filled))
    output, _ = command.communicate(timeout=SECONDS)
    assert (command.returncode, output) == (0, "")
    assert not mine(filled)


@pytest.mark.parametrize(
    ("command", "processes"), [(["up", "--workers", "2"], 2), (["serve", "--workers", "2"], 2), (["serve"], 0)]
)
async def test_api_processes_share_one_port(
    database_url: str, redis_url: str, folder: Path, command: list[str], processes: int
) -> None:
    env = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "s" * 32,
        "DATA_DIR": str(folder),
    }
    running = Up(folder, salescycle(*command, "--port", "0", env=env)).ready()
    until(running.answers, running)
    children = [child for child in psutil.Process(running.process.pid).children() if "serve" in child.cmdline()]
    assert len(children) == processes
    if children:
        children[0].kill()
        until(running.answers, running)
    assert running.end() == 0


async def test_a_closed_terminal_ends_it_in_order(folder: Path, empty_database_url: str, empty_redis_url: str) -> None:
    env = {"DATABASE_URL": empty_database_url, "REDIS_URL": empty_redis_url}
    process = salescycle("up", "--port", "0", "--data-dir", str(folder), env=env)
    assert process.stdout
    line = process.stdout.readline()
    while "GraphQL at" not in line:
        assert line, "it ended before it was ready"
        line = process.stdout.readline()
    process.stdout.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(SECONDS) == 0
    assert not mine(folder)


def ends(processes: dict[str, psutil.Process]) -> Iterator[set[str]]:
    """Give the names of the processes as they end; those seen to end at once come together."""
    waiting = {os.pidfd_open(process.pid): name for name, process in processes.items()}
    while waiting:
        ended, _, _ = select.select(list(waiting), [], [], SECONDS)
        assert ended, f"still alive: {list(waiting.values())}"
        yield {waiting.pop(descriptor) for descriptor in ended}
        for descriptor in ended:
            os.close(descriptor)


def with_no_mercy(process: psutil.Process) -> None:
    """Kill a process that may have ended already."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
