"""The one place that makes Redis clients, so that address and timeouts are the same for all."""

from typing import TypeAlias

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import PubSub
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
    return ConnectionPool.from_url(
        url or settings().redis_url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS
    )


def connect(url: str | None = None) -> Client:
    """Return a client with a pool of its own; nothing is sent yet. Its owner calls `aclose`."""
    return Redis.from_pool(connection_pool(url))
