"""A job's life as a row: claimed with a lease, renewed while it runs, tried again after a pause, ended on record.

Leases are told by the database's clock, so that workers on several machines agree.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from tortoise.connection import get_connection

from domain import jobs
from domain.jobs import Queue
from models.database import transaction

LEASE_SECONDS = 5.0
MAX_ATTEMPTS = 8
TIMEOUT_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 1800
ERROR_CHARACTERS = 4000
SWEPT_AT_ONCE = 500
DELETED_AT_ONCE = 5000
KEPT_DAYS = 7

TaskFunction = Callable[["Job"], Awaitable[None]]


class GiveUp(Exception):
    """Trying again would not help: the job ends on record at once, with this message."""


class Unfinished(Exception):
    """The task returned without marking its job done."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to do later. A `batch` task takes many events of one kind of subject in one job.

    One that `gathers` begins so many seconds after what it is about, unless that is bulk work, and does at once what
    has happened to its subjects until then.
    """

    name: str
    run: TaskFunction
    batch: bool = False
    max_attempts: int = MAX_ATTEMPTS
    timeout_seconds: float | None = TIMEOUT_SECONDS
    gathers: float = 0.0


def task(
    *,
    batch: bool = False,
    max_attempts: int = MAX_ATTEMPTS,
    timeout_seconds: float | None = TIMEOUT_SECONDS,
    gathers: float = 0.0,
) -> Callable[[TaskFunction], Task]:
    """Make a task of a function, named as the function is; without a timeout it may run for hours."""

    def make(function: TaskFunction) -> Task:
        return Task(function.__name__, function, batch, max_attempts, timeout_seconds, gathers)

    return make


@dataclass(slots=True)
class Job:
    """One run of a job. The task ends it by `finishing`, in the transaction of its own changes."""

    id: UUID
    task: str
    queue: Queue
    workspace_id: UUID | None
    arguments: dict[str, Any]
    attempt: int
    now: datetime
    finished: bool = field(default=False)

    @property
    def workspace(self) -> UUID:
        """The workspace of a job that has one."""
        if self.workspace_id is None:
            raise GiveUp(f"A job of {self.task} needs a workspace.")
        return self.workspace_id

    @property
    def subject_type(self) -> str:
        """What kind of thing the job's events are about."""
        return str(self.arguments["subject_type"])

    @property
    def subject_ids(self) -> list[UUID]:
        """What the job's events are about, each once."""
        return [UUID(key) for key in self.arguments["subject_ids"]]

    @property
    def event_ids(self) -> list[UUID]:
        """The events that asked for this job, in order."""
        return [UUID(key) for key in self.arguments["event_ids"]]

    @asynccontextmanager
    async def finishing(self) -> AsyncIterator[None]:
        """Run the block in a transaction that also marks the job done.

        Raises JobLost, and thereby undoes the block, where another worker has taken the job since.
        """
        async with transaction():
            yield
            await jobs.finish(self.id, attempt=self.attempt, now=self.now)
        self.finished = True


CLAIM = """
WITH free AS (
    SELECT id FROM job
    WHERE id = $1 AND done_at IS NULL AND failed_at IS NULL AND due_at <= clock_timestamp()
      AND (lease_until IS NULL OR lease_until < clock_timestamp())
    FOR UPDATE SKIP LOCKED
)
UPDATE job SET attempts = attempts + 1, lease_until = clock_timestamp() + make_interval(secs => $2)
FROM free WHERE job.id = free.id
RETURNING job.id, job.task, job.queue, job.workspace_id, job.arguments, job.attempts
"""

# A row that its task's own transaction has locked is about to be done, and must not hold up the others.
RENEW = """
UPDATE job SET lease_until = clock_timestamp() + make_interval(secs => $3)
FROM unnest($1::uuid[], $2::int[]) AS mine(id, attempt)
WHERE job.id = mine.id AND job.attempts = mine.attempt AND job.id IN (
    SELECT id FROM job WHERE id = ANY($1) AND done_at IS NULL AND failed_at IS NULL FOR UPDATE SKIP LOCKED
)
"""

RETRY = """
UPDATE job SET lease_until = NULL, last_error = $3, due_at = clock_timestamp() + make_interval(secs => $4)
WHERE id = $1 AND attempts = $2 AND done_at IS NULL
"""

FAIL = """
UPDATE job SET lease_until = NULL, last_error = $3, failed_at = clock_timestamp()
WHERE id = $1 AND attempts = $2 AND done_at IS NULL
"""

RELEASE = """
UPDATE job SET lease_until = NULL, attempts = attempts - 1
WHERE id = $1 AND attempts = $2 AND done_at IS NULL
"""

DUE = """
SELECT id FROM job
WHERE queue = $1 AND done_at IS NULL AND failed_at IS NULL AND due_at <= clock_timestamp()
  AND (lease_until IS NULL OR lease_until < clock_timestamp())
ORDER BY due_at LIMIT $2
"""

DELETE_OLD = """
DELETE FROM job WHERE id IN (
    SELECT id FROM job WHERE done_at < clock_timestamp() - make_interval(days => $1)
    ORDER BY done_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
"""


async def claim(job_id: UUID) -> Job | None:
    """Take a due job that nobody runs, for LEASE_SECONDS; None where there is none."""
    _, rows = await get_connection("default").execute_query(CLAIM, [job_id, LEASE_SECONDS])
    if not rows:
        return None
    row = rows[0]
    return Job(
        id=UUID(str(row["id"])),
        task=row["task"],
        queue=Queue(row["queue"]),
        workspace_id=row["workspace_id"],
        arguments=orjson.loads(row["arguments"]),
        attempt=row["attempts"],
        now=datetime.now(UTC),
    )


async def renew(running: Sequence[Job]) -> None:
    """Keep the leases of jobs that this process runs."""
    ids, attempts = [job.id for job in running], [job.attempt for job in running]
    await get_connection("default").execute_query(RENEW, [ids, attempts, LEASE_SECONDS])


async def retry(job: Job, *, error: str) -> None:
    """Have a job that failed run again after a pause that doubles with every attempt."""
    values = [job.id, job.attempt, error[-ERROR_CHARACTERS:], pause_before(job.attempt + 1)]
    await get_connection("default").execute_query(RETRY, values)


async def fail(job: Job, *, error: str) -> None:
    """End a job on record: it is not tried again."""
    await get_connection("default").execute_query(FAIL, [job.id, job.attempt, error[-ERROR_CHARACTERS:]])


async def release(job: Job) -> None:
    """Give back a job that was interrupted, as if this attempt had not been."""
    await get_connection("default").execute_query(RELEASE, [job.id, job.attempt])


async def due(queue: Queue) -> list[UUID]:
    """Return jobs that are due and that nobody runs, the longest due first."""
    _, rows = await get_connection("default").execute_query(DUE, [queue.value, SWEPT_AT_ONCE])
    return [row["id"] for row in rows]


async def delete_old() -> int:
    """Delete some jobs that were done KEPT_DAYS ago; return how many."""
    deleted, _ = await get_connection("default").execute_query(DELETE_OLD, [KEPT_DAYS, DELETED_AT_ONCE])
    return int(deleted)


def pause_before(attempt: int) -> float:
    """Return the seconds to wait before an attempt: 1 before the second, then twice as long every time."""
    return float(min(2 ** max(attempt - 2, 0), LONGEST_PAUSE_SECONDS))
