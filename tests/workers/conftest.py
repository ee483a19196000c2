"""Relays and workers as processes, which the tests kill; and a way to wait for what they do."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
import redis as sync_redis

from tests.workers import house
from tests.workers.house import SCHEMA

DEADLINE = 20.0
# Processes are forked from one that has imported everything, which is a second sooner than starting Python.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.workers.house"])

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

    def __init__(self, url: str, connection: Any) -> None:
        self.url = url
        self._connection = connection

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        return list(await self._connection.fetch(sql, *values))

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
        log.touch()
        self._process = FORKS.Process(target=house.live, args=(role, str(log), env), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def lives(self) -> bool:
        return self._process.is_alive()

    async def says(self, words: str, *, seconds: float = DEADLINE) -> None:
        """Wait until the log holds these words."""

        async def look() -> bool:
            assert self.lives(), self.log.read_text()
            return words in self.log.read_text()

        await until(look, seconds=seconds)

    async def ready(self) -> "House":
        await self.says(f"{self.role} ready")
        return self

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    async def ended(self) -> None:
        """Wait until the process has ended by itself."""

        async def look() -> bool:
            return not self.lives()

        await until(look)

    async def interrupt(self) -> float:
        """Ask the process to end and return how many seconds it took."""
        began = time.monotonic()
        os.kill(self.pid, signal.SIGINT)
        await self.ended()
        return time.monotonic() - began


Start = Callable[..., House]


@pytest.fixture
async def database(clean_db: str) -> AsyncIterator[Database]:
    """An empty database with the tables of the tests' tasks."""
    connection = await asyncpg.connect(clean_db)
    await connection.execute(SCHEMA)
    yield Database(clean_db, connection)
    await connection.close()


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
    known = {
        "DATABASE_URL": database.url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(tmp_path / "data"),
        "LOG_FORMAT": "json",
    }

    def begin(role: str, **env: str) -> House:
        houses.append(House(role, tmp_path / f"{role}-{len(houses)}.log", known | env))
        return houses[-1]

    yield begin
    for each in houses:
        each.kill()


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
