"""Valkey starts whatever the last run left behind, with one process to its files."""

from pathlib import Path

import psutil
import pytest
import redis.asyncio as redis

from embedded import processes
from embedded.homes import Home, home_for
from embedded.programs import Programs
from embedded.valkey import STOP, Valkey


@pytest.fixture
def server(home: Home, programs: Programs) -> Valkey:
    return Valkey(home, programs)


async def test_keeps_its_data_over_a_stop_and_a_kill(server: Valkey, said: list[str]) -> None:
    child = await server.start(say=said.append)
    async with redis.Redis.from_url(server.url) as client:
        await client.set("key", "value")
    await processes.end_child(child, steps=STOP)
    assert child.returncode == 0
    child = await server.start(say=said.append)
    child.kill()
    child.wait()
    child = await server.start(say=said.append)
    async with redis.Redis.from_url(server.url) as client:
        assert await client.get("key") == b"value"
    await processes.end_child(child, steps=STOP)


async def test_an_orphan_is_ended_before_another_writes_the_same_file(server: Valkey, said: list[str]) -> None:
    orphan = await server.start(say=said.append)
    async with redis.Redis.from_url(server.url) as client:
        await client.set("key", "value")
    child = await server.start(say=said.append)
    assert orphan.wait(20) == 0
    async with redis.Redis.from_url(server.url) as client:
        assert await client.get("key") == b"value"
        assert (await client.info("server"))["process_id"] == child.pid
    assert said == ["Ending an earlier Valkey."]
    await processes.end_child(child, steps=STOP)


async def test_a_file_in_its_sockets_place_stops_nothing(server: Valkey, said: list[str]) -> None:
    server.socket.write_text("stale")
    child = await server.start(say=said.append)
    assert psutil.Process(child.pid).uids().effective != 0
    await processes.end_child(child, steps=STOP)


async def test_damaged_files_are_put_aside(server: Valkey, said: list[str]) -> None:
    child = await server.start(say=said.append)
    await processes.end_child(child, steps=STOP)
    for path in (server.folder / "appendonlydir").glob("*.incr.aof"):
        path.write_bytes(b"this is no command\r\n" * 100)
    child = await server.start(say=said.append)
    async with redis.Redis.from_url(server.url) as client:
        assert await client.dbsize() == 0
    assert len(list(server.home.folder.glob("valkey.damaged-*"))) == 1
    assert "it starts empty" in said[-1]
    await processes.end_child(child, steps=STOP)


async def test_an_odd_path(folder: Path, programs: Programs, said: list[str]) -> None:
    odd = folder / 'it\'s a, "folder"'
    odd.mkdir(mode=0o711)
    server = Valkey(home_for(odd), programs)
    child = await server.start(say=said.append)
    async with redis.Redis.from_url(server.url) as client:
        await client.set("key", "value")
    await processes.end_child(child, steps=STOP)
    assert list(odd.glob("valkey/appendonlydir/*.aof"))
    server.home.sockets().rmdir()
