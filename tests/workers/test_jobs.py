"""A job's row: who has it, for how long, and how it ends."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.jobs import JobLost, Queue, schedule
from models.events import Job as JobRow
from tests.workers.conftest import Database, add_job
from workers import jobs, nightly
from workers.subscriptions import NIGHTLY


@pytest.fixture
async def job(database: Database) -> AsyncIterator[jobs.Job]:
    claimed = await jobs.claim(await add_job(database, "note"))
    assert claimed
    yield claimed


async def lease_ends(database: Database, job_id: UUID) -> None:
    await database.rows("UPDATE job SET lease_until = now() - interval '1 second' WHERE id = $1", job_id)


async def test_a_job_is_claimed_by_one_worker_at_a_time(job: jobs.Job) -> None:
    assert await jobs.claim(job.id) is None
    row = await JobRow.get(id=job.id)
    assert row.attempts == 1
    assert row.lease_until is not None


async def test_a_job_is_not_claimed_before_it_is_due(database: Database) -> None:
    key = await add_job(database, "note", due="now() + interval '1 hour'")
    assert await jobs.claim(key) is None
    assert await jobs.due(Queue.DEFAULT) == []


async def test_a_job_whose_lease_ran_out_is_claimed_again(database: Database, job: jobs.Job) -> None:
    assert await jobs.due(Queue.DEFAULT) == []
    await lease_ends(database, job.id)
    assert await jobs.due(Queue.DEFAULT) == [job.id]
    again = await jobs.claim(job.id)
    assert again
    assert again.attempt == 2


async def test_a_renewed_lease_keeps_others_away(database: Database, job: jobs.Job) -> None:
    await lease_ends(database, job.id)
    await jobs.renew([job])
    assert await jobs.claim(job.id) is None


async def test_who_lost_a_job_does_not_renew_it_for_its_next_owner(database: Database, job: jobs.Job) -> None:
    await lease_ends(database, job.id)
    await jobs.claim(job.id)
    await lease_ends(database, job.id)
    await jobs.renew([job])
    assert await jobs.due(Queue.DEFAULT) == [job.id]


async def test_renewing_does_not_wait_for_a_task_that_is_about_to_commit(database: Database, job: jobs.Job) -> None:
    other = await jobs.claim(await add_job(database, "note"))
    assert other
    await lease_ends(database, other.id)
    holder = await asyncpg.connect(database.url)
    async with holder.transaction():
        await holder.execute("UPDATE job SET done_at = now() WHERE id = $1", job.id)
        await jobs.renew([job, other])
    await holder.close()
    assert await jobs.claim(other.id) is None


async def test_a_task_that_lost_its_job_leaves_nothing_behind(database: Database, job: jobs.Job) -> None:
    await lease_ends(database, job.id)
    again = await jobs.claim(job.id)
    assert again
    with pytest.raises(JobLost):
        async with job.finishing():
            await JobRow.filter(id=job.id).update(last_error="written by who lost it")
    row = await JobRow.get(id=job.id)
    assert (row.last_error, row.done_at) == (None, None)
    async with again.finishing():
        pass
    assert (await JobRow.get(id=job.id)).done_at == again.now


async def test_a_failed_job_waits_twice_as_long_every_time(database: Database, job: jobs.Job) -> None:
    waits = []
    for attempt in range(1, 4):
        await jobs.retry(job, error="ValueError: no")
        row = await JobRow.get(id=job.id)
        assert (row.last_error, row.lease_until, row.attempts) == ("ValueError: no", None, attempt)
        waits.append(await database.value("SELECT due_at - now() FROM job WHERE id = $1", job.id))
        await database.rows("UPDATE job SET due_at = now() WHERE id = $1", job.id)
        again = await jobs.claim(job.id)
        assert again
        job = again
    for wait, expected in zip(waits, (1, 2, 4), strict=True):
        assert timedelta(seconds=expected - 0.5) < wait <= timedelta(seconds=expected)
    assert jobs.pause_before(40) == jobs.LONGEST_PAUSE_SECONDS


async def test_a_job_that_failed_for_good_stays_on_record(job: jobs.Job) -> None:
    await jobs.fail(job, error="ValueError: never")
    row = await JobRow.get(id=job.id)
    assert row.failed_at is not None
    assert row.last_error == "ValueError: never"
    assert await jobs.claim(job.id) is None
    assert await jobs.due(Queue.DEFAULT) == []


async def test_a_failure_told_too_late_does_not_undo_what_another_worker_did(database: Database, job: jobs.Job) -> None:
    await lease_ends(database, job.id)
    again = await jobs.claim(job.id)
    assert again
    await jobs.retry(job, error="late")
    await jobs.fail(job, error="late")
    await jobs.release(job)
    row = await JobRow.get(id=job.id)
    assert (row.last_error, row.failed_at, row.attempts) == (None, None, 2)
    assert row.lease_until is not None


async def test_a_job_given_back_has_lost_no_attempt(job: jobs.Job) -> None:
    await jobs.release(job)
    row = await JobRow.get(id=job.id)
    assert (row.attempts, row.lease_until) == (0, None)


async def test_due_jobs_come_queue_by_queue_and_the_oldest_first(database: Database) -> None:
    bulk = await add_job(database, "note", queue="bulk")
    younger = await add_job(database, "note")
    older = await add_job(database, "note", due="now() - interval '1 hour'")
    assert await jobs.due(Queue.DEFAULT) == [older, younger]
    assert await jobs.due(Queue.BULK) == [bulk]


async def test_old_jobs_are_deleted_once_they_are_done(database: Database) -> None:
    keys = [await add_job(database, "note") for _ in range(4)]
    long_ago = "now() - interval '8 days'"
    await database.rows(f"UPDATE job SET done_at = {long_ago} WHERE id = $1", keys[0])
    await database.rows("UPDATE job SET done_at = now() WHERE id = $1", keys[1])
    await database.rows(f"UPDATE job SET failed_at = {long_ago}, due_at = {long_ago} WHERE id = $1", keys[2])
    assert await jobs.delete_old() == 1
    assert {row.id for row in await JobRow.all()} == set(keys[1:])


async def test_a_job_with_a_key_is_scheduled_once(database: Database) -> None:
    now, key = datetime.now(UTC), uuid4()
    facts: dict[str, Any] = {"arguments": {"lead": key}, "due_at": now, "now": now, "key": key}
    assert [await schedule("note", **facts), await schedule("other", **facts)] == [key, key]
    row = await JobRow.get(id=key)
    assert (row.task, row.queue, row.arguments) == ("note", "default", {"lead": str(key)})


async def test_every_night_has_one_row_a_task(database: Database) -> None:
    await nightly.schedule_next()
    await nightly.schedule_next()
    rows = await JobRow.all()
    assert [row.task for row in rows] == [task.name for task in NIGHTLY]
    assert all(row.queue == "bulk" and row.due_at > datetime.now(UTC) for row in rows)


def test_the_next_night_is_never_now() -> None:
    night = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
    assert nightly.next_night(night - timedelta(seconds=1)) == night
    assert nightly.next_night(night) == night + timedelta(days=1)
