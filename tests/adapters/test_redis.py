"""Clients of one making: an address in, an answer or a known error out, within seconds."""

import asyncio
import time
from pathlib import Path

import pytest

from adapters import redis
from adapters.redis import UNREACHABLE


async def test_a_client_uses_the_database_that_the_address_names(redis_url: str) -> None:
    client, neighbour = redis.connect(redis_url), redis.connect(redis_url.partition("?")[0] + "?db=0")
    try:
        await client.set("of this test", b"1")
        assert await client.get("of this test") == b"1"
        assert await neighbour.get("of this test") is None
    finally:
        await client.aclose()
        await neighbour.aclose()


@pytest.mark.parametrize("address", ["redis://127.0.0.1:1", "unix:///nowhere/redis.sock"])
async def test_a_server_that_is_not_there_raises_what_callers_expect(address: str) -> None:
    client = redis.connect(address)
    with pytest.raises(UNREACHABLE):
        await client.get("anything")
    await client.aclose()


async def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def say_nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    over = asyncio.Event()
    server = await asyncio.start_unix_server(say_nothing, path=tmp_path / "mute.sock")
    monkeypatch.setattr(redis, "ANSWER_SECONDS", 0.1)
    client = redis.connect(f"unix://{tmp_path}/mute.sock")
    began = time.monotonic()
    with pytest.raises(UNREACHABLE):
        await client.get("anything")
    assert time.monotonic() - began < 2
    over.set()
    await client.aclose()
    server.close()


async def test_a_pool_outlives_its_connections(redis_url: str) -> None:
    client, other = redis.connect(redis_url), redis.connect(redis_url)
    number = await client.client_id()
    await other.client_kill_filter(_id=str(number))
    assert await client.ping()
    assert await client.client_id() != number
    await client.aclose()
    await other.aclose()


@pytest.mark.parametrize("steps", range(1, 9))
async def test_a_cancellation_is_kept_whenever_it_comes(redis_url: str, steps: int) -> None:
    async def ask_for_ever() -> None:
        while True:
            await channels.ping()
            await channels.get_message(timeout=5)

    client = redis.connect(redis_url)
    async with client.pubsub() as channels:
        await channels.subscribe("of this test")
        asking = asyncio.create_task(ask_for_ever())
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        _, unheard = await asyncio.wait([asking], timeout=1)
        while not asking.done():
            asking.cancel()
            await asyncio.wait([asking], timeout=0.01)
    await client.aclose()
    assert not unheard
