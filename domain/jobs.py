"""Work that is due later: a row written in the caller's transaction, and the mark that ends it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection

from domain.events import dump
from models.base import uuid7


class Queue(StrEnum):
    """What a person waits for, and what may take its time."""

    DEFAULT = "default"
    BULK = "bulk"


class JobLost(Exception):
    """Somebody else has taken this job since, so this run of it must leave nothing behind."""


SCHEDULE = """
INSERT INTO job (id, workspace_id, task, queue, arguments, due_at, attempts, created_at)
VALUES ($1, $2, $3, $4, $5::jsonb, $6, 0, $7)
ON CONFLICT (id) DO NOTHING
"""

FINISH = """
UPDATE job SET done_at = $3, lease_until = NULL, last_error = NULL
WHERE id = $1 AND attempts = $2 AND done_at IS NULL
"""


async def schedule(
    task: str,
    *,
    arguments: Mapping[str, Any],
    due_at: datetime,
    now: datetime,
    workspace_id: UUID | None = None,
    queue: Queue = Queue.DEFAULT,
    key: UUID | None = None,
) -> UUID:
    """Have a task run once the running transaction has committed and `due_at` has come; return the job's id.

    A job that should exist once is given its `key`: where a job with it is known, nothing happens.
    """
    job_id = key or uuid7()
    values = [job_id, workspace_id, task, queue.value, dump(arguments), due_at, now]
    await get_connection("default").execute_query(SCHEDULE, values)
    return job_id


async def finish(job_id: UUID, *, attempt: int, now: datetime) -> None:
    """Mark a job done within the running transaction; raises JobLost if another run has begun since."""
    finished, _ = await get_connection("default").execute_query(FINISH, [job_id, attempt, now])
    if not finished:
        raise JobLost(f"job {job_id} is no longer at attempt {attempt}")
