"""Relays and workers as processes, which the tests kill; and a way to wait for what they do."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
import redis as sync_redis

from tests.workers.house import SCHEMA

ROOT = Path(__file__).parent.parent.parent
DEADLINE = 15.0

Found = TypeVar("Found")


async def until(check: Callable[[], Awaitable[Found]], *, seconds: float = DEADLINE) -> Found:
    """Return what `check` finds as soon as that is true; fail when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := await check()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.02)
    return found


class Database:
    """The database as a bystander sees it."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()

    async def value(self, sql: str, *values: Any) -> Any:
        rows = await self.rows(sql, *values)
        return rows[0][0] if rows else None

    async def positions(self) -> dict[Any, list[int | None]]:
        """Return the positions of every workspace's events in the order of `seq`."""
        found: dict[Any, list[int | None]] = {}
        for row in await self.rows("SELECT workspace_id, position FROM event ORDER BY seq"):
            found.setdefault(row["workspace_id"], []).append(row["position"])
        return found

    async def pending(self) -> int:
        return int(await self.value("SELECT count(*) FROM event WHERE position IS NULL"))


class House:
    """A process of Salescycle and its log."""

    def __init__(self, role: str, log: Path, env: dict[str, str]) -> None:
        self.role, self.log = role, log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.workers.house", role], cwd=ROOT, env=env, stdout=out, stderr=out
            )

    async def says(self, words: str, *, seconds: float = DEADLINE) -> None:
        """Wait until the log holds these words."""

        async def look() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return words in self.log.read_text()

        await until(look, seconds=seconds)

    async def ready(self) -> "House":
        await self.says(f"{self.role} ready")
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    async def interrupt(self, *, seconds: float = DEADLINE) -> float:
        """Ask the process to end and return how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)

        async def ended() -> bool:
            return self.process.poll() is not None

        await until(ended, seconds=seconds)
        return time.monotonic() - began


Start = Callable[..., House]


@pytest.fixture
async def database(clean_db: str) -> Database:
    """An empty database with the tables of the tests' tasks."""
    here = Database(clean_db)
    connection = await asyncpg.connect(clean_db)
    await connection.execute(SCHEMA)
    await connection.close()
    return here


@pytest.fixture
def redis(redis_url: str) -> Iterator["sync_redis.Redis"]:
    """An empty Redis."""
    with sync_redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client


@pytest.fixture
async def start(database: Database, redis: Any, redis_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts a relay or worker on the test's servers; whatever lives at the end is killed."""
    houses: list[House] = []

    def begin(role: str, **env: str) -> House:
        values = os.environ | {
            "DATABASE_URL": database.url,
            "REDIS_URL": redis_url,
            "DATA_DIR": str(tmp_path / "data"),
            "LOG_FORMAT": "json",
        }
        houses.append(House(role, tmp_path / f"{role}-{len(houses)}.log", values | env))
        return houses[-1]

    yield begin
    for house in houses:
        house.kill()


async def record(database: Database, workspaces: Sequence[Any], *, events: int, name: str = "bell.rang") -> None:
    """Write events as domain.events.record does, in one transaction, in turn for the workspaces."""
    await database.rows(
        """
        INSERT INTO event (id, workspace_id, name, subject_type, subject_id, actor, data, occurred_at)
        SELECT gen_random_uuid(), ($1::uuid[])[1 + number % cardinality($1::uuid[])], $3, split_part($3, '.', 1),
               lpad(to_hex(number), 32, '0')::uuid, '{"kind": "SYSTEM"}', '{}', now()
        FROM generate_series(1, $2::int) AS number
        """,
        list(workspaces),
        events,
        name,
    )
    await database.rows("NOTIFY salescycle_events")


async def add_job(database: Database, task: str, *, queue: str = "default", due: str = "now()") -> Any:
    """Write a job row that is due, and return its id."""
    return await database.value(
        f"""
        INSERT INTO job (id, workspace_id, task, queue, arguments, due_at, attempts, created_at)
        VALUES (gen_random_uuid(), gen_random_uuid(), $1, $2, '{{}}', {due}, 0, now()) RETURNING id
        """,
        task,
        queue,
    )
