"""A hub in this process, and a relay that works when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import groupby

import asyncpg
import pytest

from adapters import live as channel
from adapters import redis
from api.live import Hub, Message, Watching
from schema.live_watches import Resync
from tests.api.conftest import server as server
from tests.api.conftest import server_settings as server_settings
from workers.relay import relay_batch

SECONDS = 20.0


@dataclass
class Relay:
    """The relay's work, done when a test says so."""

    connection: "asyncpg.Connection[asyncpg.Record]"
    redis: redis.Client

    async def __call__(self, *, publish: bool = True) -> None:
        """Give what is committed its positions, and publish it unless the relay is to have died in between."""
        while rows := (await relay_batch(self.connection)).rows:
            for workspace_id, events in groupby(rows, key=lambda row: row["workspace_id"]):
                if publish:
                    await channel.publish(self.redis, workspace_id, list(events))


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[redis.Client]:
    made = redis.connect(redis_url)
    yield made
    await made.aclose()


@pytest.fixture
async def relay(db: str, client: redis.Client) -> AsyncIterator[Relay]:
    connection = await asyncpg.connect(db)
    yield Relay(connection, client)
    await connection.close()


@pytest.fixture
async def hub(db: str, client: redis.Client) -> AsyncIterator[Hub]:
    made = Hub(client)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


class Watcher:
    """Somebody who watches; every message is waited for."""

    def __init__(self, watching: Watching) -> None:
        self._stream = aiter(watching)
        self._next = asyncio.ensure_future(anext(self._stream))

    @classmethod
    async def of(cls, watching: Watching) -> "Watcher":
        """Begin to watch, and return once nothing can be missed."""
        hub, workspace_id = watching._hub, watching.actor.workspace_id
        before = hub.watchers(workspace_id)
        made = cls(watching)
        async with asyncio.timeout(SECONDS):
            while not made._next.done() and hub.watchers(workspace_id) <= before:
                await asyncio.sleep(0)
        return made

    async def message(self) -> Message | Resync:
        """Return the next message."""
        async with asyncio.timeout(SECONDS):
            found = await self._next
        self._next = asyncio.ensure_future(anext(self._stream))
        return found

    async def told(self) -> tuple[str, str]:
        """Return what the next message says: the step and the event's name, or why to resync."""
        message = await self.message()
        if isinstance(message, Resync):
            return "RESYNC", message.reason.value
        return message.step.value, message.event.name

    async def ended(self) -> bool:
        """Say whether the stream ends now."""
        try:
            await self.message()
        except StopAsyncIteration:
            return True
        return False

    def silent(self) -> bool:
        """Say whether nothing has come so far."""
        return not self._next.done()

    async def leave(self) -> None:
        self._next.cancel()
        await asyncio.gather(self._next, return_exceptions=True)
        await self._stream.aclose()  # type: ignore[attr-defined]
