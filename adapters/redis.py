"""The one place that makes Redis clients, so that address and timeouts are the same for all."""

import asyncio
from collections.abc import Iterable
from typing import TypeAlias

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from settings import settings

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 5.0
UNREACHABLE = (RedisError, OSError)

Client: TypeAlias = Redis
Subscription: TypeAlias = PubSub


def connection_pool(url: str | None = None) -> ConnectionPool:
    """Return a pool for `redis://`, `rediss://` or `unix://` (`?db=1` names a database); default REDIS_URL.

    A server that does not answer raises one of UNREACHABLE within seconds, and so does a subscription that
    waits longer than ANSWER_SECONDS without a timeout of its own: `get_message(timeout=…)` has one, `listen`
    has none. A lost connection is replaced at the next command.
    """
    pool = ConnectionPool.from_url(
        url or settings().redis_url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS
    )
    pool.connection_class = _cancellable(pool.connection_class)
    return pool


def connect(url: str | None = None) -> Client:
    """Return a client with a pool of its own; nothing is sent yet. Its owner calls `aclose`."""
    return Redis.from_pool(connection_pool(url))


def _cancellable(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """Return a kind of connection whose sender can be cancelled at any time.

    redis-py sends under `asyncio.wait_for`, which before Python 3.12 forgets a cancellation that comes in the moment in
    which the command has gone: whoever listens for ever would never end.
    """

    class Cancellable(kind):  # type: ignore[misc,valid-type]
        async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
            task = asyncio.current_task()
            cancellations = task.cancelling() if task else 0
            await super().send_packed_command(command, check_health)
            if task and task.cancelling() > cancellations:
                await self.disconnect(nowait=True)
                raise asyncio.CancelledError

    return Cancellable
