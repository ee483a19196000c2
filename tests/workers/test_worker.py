"""Jobs run, whoever is killed, flushed or restarted meanwhile."""

import asyncio
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters import redis as redis_adapter
from domain.jobs import Queue
from embedded.accounts import account_for
from embedded.homes import Home
from embedded.programs import programs_for
from embedded.valkey import Valkey
from tests.workers.conftest import Database, House, Start, add_job, until
from workers.worker import BULK_AT_ONCE, Runner, WakingWorker, shares_of


async def notes(database: Database, what: str) -> list[Any]:
    return await database.rows("SELECT * FROM note WHERE what = $1 ORDER BY at", what)


async def wait_for(database: Database, what: str, *, number: int = 1, seconds: float = 15) -> list[Any]:
    """Wait until so many notes of a kind are written, and return them."""

    async def look() -> list[Any]:
        found = await notes(database, what)
        return found if len(found) >= number else []

    return await until(look, seconds=seconds)


async def open_gate(database: Database) -> None:
    await database.rows("INSERT INTO gate VALUES ('work')")


async def job(database: Database, key: UUID) -> Any:
    return (await database.rows("SELECT * FROM job WHERE id = $1", key))[0]


async def wait_for_end(database: Database, key: UUID, *, how: str = "done_at", seconds: float = 15) -> Any:
    async def look() -> Any:
        row = await job(database, key)
        return row if row[how] else None

    return await until(look, seconds=seconds)


async def test_a_due_job_runs_without_anybody_waking_the_worker(database: Database, start: Start) -> None:
    key = await add_job(database, "note")
    await start("worker").ready()
    row = await wait_for_end(database, key)
    assert (row["attempts"], row["lease_until"], row["last_error"]) == (1, None, None)
    assert len(await notes(database, "done")) == 1


async def test_two_workers_run_every_job_once(database: Database, start: Start) -> None:
    for house in [start("worker"), start("worker")]:
        await house.ready()
    await database.rows(
        "INSERT INTO job (id, task, queue, arguments, due_at, attempts, created_at) "
        "SELECT gen_random_uuid(), 'wait_at_gate', (ARRAY['default', 'bulk'])[1 + n % 2], '{}', now(), 0, now() "
        "FROM generate_series(1, 300) AS n"
    )

    async def both_have_begun() -> bool:
        return len({row["pid"] for row in await notes(database, "started")}) == 2

    await until(both_have_begun)
    await open_gate(database)
    done = await wait_for(database, "done", number=300)
    assert len({row["job"] for row in done}) == len(done) == 300


async def test_a_job_of_a_worker_killed_in_the_middle_runs_again_within_ten_seconds(
    database: Database, start: Start
) -> None:
    key = await add_job(database, "wait_at_gate")
    first = await start("worker").ready()
    began = await wait_for(database, "started")
    assert began[0]["pid"] == first.pid
    second = await start("worker").ready()
    await open_gate_after_kill(database, first)
    killed = time.monotonic()
    row = await wait_for_end(database, key, seconds=10)
    assert time.monotonic() - killed < 10
    assert row["attempts"] == 2
    assert [note["pid"] for note in await notes(database, "done")] == [second.pid]


async def open_gate_after_kill(database: Database, house: House) -> None:
    house.kill()
    await open_gate(database)


async def test_a_long_job_keeps_its_lease(database: Database, start: Start) -> None:
    key = await add_job(database, "wait_at_gate")
    for house in [start("worker"), start("worker")]:
        await house.ready()
    await wait_for(database, "started")
    first_lease = (await job(database, key))["lease_until"]

    async def renewed_twice() -> bool:
        return bool((await job(database, key))["lease_until"] > first_lease + timedelta(seconds=2))

    await until(renewed_twice)
    await open_gate(database)
    assert (await wait_for_end(database, key))["attempts"] == 1
    assert len(await notes(database, "started")) == 1


async def test_a_flushed_redis_loses_no_job(database: Database, start: Start, redis: Any) -> None:
    running = await add_job(database, "wait_at_gate")
    await start("worker").ready()
    await wait_for(database, "started")
    waiting = [await add_job(database, "note", due="now() + interval '300 milliseconds'") for _ in range(20)]
    redis.flushdb()
    await wait_for(database, "done", number=20)
    redis.flushdb()
    await open_gate(database)
    await wait_for_end(database, running)
    assert {note["job"] for note in await notes(database, "done")} == {running, *waiting}
    assert len(await notes(database, "done")) == 21


async def test_a_poison_job_ends_on_record(database: Database, start: Start) -> None:
    key = await add_job(database, "poison")
    await start("worker").ready()
    row = await wait_for_end(database, key, how="failed_at")
    assert (row["attempts"], row["done_at"]) == (2, None)
    assert "ValueError: this never works" in row["last_error"]
    first, second = await notes(database, "started")
    assert (second["at"] - first["at"]).total_seconds() >= 1


async def test_a_job_that_kills_its_worker_ends_on_record(database: Database, start: Start, redis: Any) -> None:
    key = await add_job(database, "die")
    for _ in range(2):
        await start("worker").ended()
        # What is left is as if the leases in both places had run out.
        redis.flushdb()
        await database.rows("UPDATE job SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL")
    await start("worker").ready()
    row = await wait_for_end(database, key, how="failed_at")
    assert "Its worker ended in the middle of it, 2 times." in row["last_error"]
    assert len(await notes(database, "started")) == 2


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("hopeless", "nobody can help"),
        ("forget", "forget returned without finishing its job"),
        ("nobody_knows", "There is no task named nobody_knows."),
        ("break_at_the_end", "broken inside the task's transaction"),
    ],
)
async def test_a_job_that_cannot_be_done_says_why(database: Database, start: Start, task: str, told: str) -> None:
    key = await add_job(database, task)
    await start("worker").ready()
    row = await wait_for_end(database, key, how="failed_at")
    assert told in row["last_error"]
    assert (row["attempts"], row["done_at"]) == (1, None)
    assert await notes(database, "done") == []


async def test_bulk_work_never_stands_before_a_persons_click(database: Database, start: Start) -> None:
    for _ in range(20):
        await add_job(database, "wait_at_gate", queue="bulk")
    await start("worker").ready()
    await wait_for(database, "started", number=BULK_AT_ONCE)
    key = await add_job(database, "note")
    await wait_for_end(database, key, seconds=5)
    assert len(await notes(database, "started")) == BULK_AT_ONCE
    await open_gate(database)
    await wait_for(database, "done", number=21)


async def test_a_worker_that_is_asked_to_end_gives_back_what_it_cannot_finish(database: Database, start: Start) -> None:
    key = await add_job(database, "wait_at_gate")
    first = await start("worker", GRACE_SECONDS="0.2").ready()
    await wait_for(database, "started")
    assert await first.interrupt() < 5
    row = await job(database, key)
    assert (row["attempts"], row["lease_until"], row["done_at"]) == (0, None, None)
    await open_gate(database)
    await start("worker").ready()
    assert (await wait_for_end(database, key, seconds=5))["attempts"] == 1


async def test_a_worker_that_is_asked_to_end_finishes_what_is_about_to_end(database: Database, start: Start) -> None:
    key = await add_job(database, "wait_at_gate")
    house = await start("worker").ready()
    await wait_for(database, "started")
    await open_gate(database)
    await house.interrupt()
    row = await job(database, key)
    assert row["done_at"] is not None
    assert row["attempts"] == 1


async def test_a_worker_that_loses_postgresql_comes_back(database: Database, start: Start) -> None:
    await start("worker").ready()
    await wait_for_end(database, await add_job(database, "note"))
    await database.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await wait_for_end(database, await add_job(database, "note"))


async def test_a_worker_outlives_a_redis_that_is_killed_and_started_again(
    database: Database, start: Start, server_home: Home
) -> None:
    valkey = Valkey(server_home, programs_for(account_for(Path("/"))), durable=False)
    server = await valkey.start(say=lambda _: None)
    try:
        house = await start("worker", REDIS_URL=valkey.url).ready()
        await wait_for_end(database, await add_job(database, "note"))
        running = await add_job(database, "wait_at_gate")
        await wait_for(database, "started")
        end(server)
        await house.says("The default queue lost a connection")
        orphaned = await add_job(database, "note")
        server = await valkey.start(say=lambda _: None)
        await wait_for_end(database, orphaned)
        await open_gate(database)
        assert (await wait_for_end(database, running))["attempts"] == 1
        # More jobs than the worker runs at a time: it has not forgotten how many that is.
        for _ in range(30):
            await add_job(database, "note")
        await wait_for(database, "done", number=33)
    finally:
        end(server)


def end(server: "subprocess.Popen[bytes]") -> None:
    server.kill()
    server.wait()


async def test_a_worker_does_not_count_jobs_that_redis_never_let_it_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nobody = redis_adapter.connection_pool(f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr(redis_adapter, "connection_pool", lambda: nobody)
    waking = WakingWorker(Queue.DEFAULT, Runner(), at_once=2)
    for _ in range(5):
        with pytest.raises(redis_adapter.UNREACHABLE):
            await asyncio.wait_for(waking.start_jobs([b"a job"]), 5)
    assert waking.job_counter == 0


@pytest.mark.parametrize(("connections", "default", "bulk"), [(10, 5, 3), (20, 15, 3), (5, 2, 1), (4, 1, 1), (1, 1, 1)])
def test_jobs_leave_connections_for_their_leases(connections: int, default: int, bulk: int) -> None:
    assert shares_of(connections) == {Queue.DEFAULT: default, Queue.BULK: bulk}
