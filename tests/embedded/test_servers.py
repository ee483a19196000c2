"""The servers of the tests themselves answer."""

import asyncpg
import redis.asyncio


async def test_database_is_migrated(db: str) -> None:
    connection = await asyncpg.connect(db)
    try:
        assert await connection.fetchval("SELECT count(*) FROM tortoise_migrations") > 0
        assert (await connection.fetchval("SHOW server_version")).startswith("18")
    finally:
        await connection.close()


async def test_redis_answers(redis_url: str) -> None:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        assert await client.set("key", "value")
