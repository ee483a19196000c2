"""Whether DATABASE_URL and REDIS_URL name servers that Salescycle can work with, said in one sentence."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import asyncpg

from embedded.errors import StartFailed

OLDEST_POSTGRES = 15
OLDEST_REDIS = 7
SECONDS = 10.0


async def check_database(url: str) -> None:
    """Raise StartFailed unless the address answers a query and is new enough."""
    if urlsplit(url).scheme not in ("postgresql", "postgres"):
        raise StartFailed(
            "DATABASE_URL must begin with postgresql://, as in postgresql://user:password@host:5432/name."
        )
    try:
        connection = await asyncpg.connect(url, timeout=SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        raise StartFailed(f"DATABASE_URL: PostgreSQL at {place(url)} cannot be used: {reason(error)}.") from error
    try:
        major = connection.get_server_version().major
        await connection.fetchval("SELECT 1")
    finally:
        await connection.close(timeout=SECONDS)
    if major < OLDEST_POSTGRES:
        raise StartFailed(
            f"DATABASE_URL: PostgreSQL at {place(url)} is version {major}; Salescycle needs {OLDEST_POSTGRES} or newer."
        )


async def check_redis(url: str) -> None:
    """Raise StartFailed unless the address answers and is new enough."""
    import redis.asyncio as redis
    from redis.exceptions import RedisError

    if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise StartFailed("REDIS_URL must begin with redis://, rediss:// or unix://, as in redis://host:6379/0.")
    try:
        async with asyncio.timeout(SECONDS), redis.Redis.from_url(url) as client:
            version = str((await client.info("server"))["redis_version"])
    except (RedisError, OSError, TimeoutError, ValueError) as error:
        raise StartFailed(f"REDIS_URL: Redis at {place(url)} cannot be used: {reason(error)}.") from error
    if int(version.partition(".")[0]) < OLDEST_REDIS:
        raise StartFailed(
            f"REDIS_URL: Redis at {place(url)} is version {version}; Salescycle needs Redis {OLDEST_REDIS} or Valkey."
        )


def place(url: str) -> str:
    """Return where an address points, without user and password."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    host = parts.hostname or parse_qs(parts.query).get("host", [""])[0] or parts.path
    return f"{host}:{port}" if port else host


def reason(error: BaseException) -> str:
    """Return an error's first line without its full stop, or its name where it says nothing."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
