"""A relay or worker as a real process that also knows a few tasks of the tests.

The tests' tasks write what they do into the table `note`, and wait for a row of the table `gate` to open.
"""

import asyncio
import ctypes
import os
import signal
from collections.abc import Mapping
from typing import cast

from tortoise.connection import get_connection

from domain.events import Event
from domain.scoring import rescoring as rescoring
from settings import settings
from workers import deliveries, jobs, relay, subscriptions, worker
from workers.jobs import GiveUp, Job, Task, task

PR_SET_PDEATHSIG = 1
SCHEMA = """
DROP TABLE IF EXISTS note, gate;
CREATE TABLE note (job uuid, attempt int, pid int, what text, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE gate (name text PRIMARY KEY);
"""


class BellRang(Event):
    name = "bell.rang"


class CrowdRang(Event):
    name = "crowd.rang"


async def write(job: Job, what: str) -> None:
    await get_connection("default").execute_query(
        "INSERT INTO note (job, attempt, pid, what) VALUES ($1, $2, $3, $4)", [job.id, job.attempt, os.getpid(), what]
    )


async def is_open(gate: str) -> bool:
    return bool(await get_connection("default").execute_query_dict("SELECT 1 FROM gate WHERE name = $1", [gate]))


@task()
async def note(job: Job) -> None:
    async with job.finishing():
        await write(job, "done")


@task(batch=True)
async def note_all(job: Job) -> None:
    async with job.finishing():
        for subject_id in job.subject_ids:
            await write(job, str(subject_id))


@task(timeout_seconds=None)
async def wait_at_gate(job: Job) -> None:
    await write(job, "started")
    while not await is_open("work"):
        await asyncio.sleep(0.05)
    async with job.finishing():
        await write(job, "done")


@task(max_attempts=2)
async def poison(job: Job) -> None:
    await write(job, "started")
    raise ValueError("this never works")


@task()
async def hopeless(job: Job) -> None:
    raise GiveUp("nobody can help")


@task(max_attempts=2)
async def die(job: Job) -> None:
    await write(job, "started")
    os._exit(9)


@task(max_attempts=1)
async def forget(job: Job) -> None:
    await write(job, "started")


@task(max_attempts=1)
async def break_at_the_end(job: Job) -> None:
    async with job.finishing():
        await write(job, "done")
        raise ValueError("broken inside the task's transaction")


HERE = (note, note_all, wait_at_gate, poison, hopeless, die, forget, break_at_the_end)


def add_tasks() -> None:
    """Make the tests' events and tasks known to this process."""
    cast(dict[str, Task], subscriptions.TASKS).update({task.name: task for task in HERE})
    known = cast(dict[type[Event], tuple[Task, ...]], subscriptions.SUBSCRIPTIONS)
    known.update({BellRang: (note,), CrowdRang: (note_all,)})


def live(role: str, log: str, env: Mapping[str, str]) -> None:
    """Be a relay or a worker in this process until told to end, or until whoever started it has ended."""
    # Whoever runs the tests in the background may have them ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.update(env)
    settings.cache_clear()
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    add_tasks()
    deliveries.LEASE_SECONDS = float(env.get("LEASE_SECONDS", deliveries.LEASE_SECONDS))
    if "JOB_LEASE_SECONDS" in env:
        jobs.LEASE_SECONDS = worker.IN_PROGRESS_SECONDS = float(env["JOB_LEASE_SECONDS"])
        worker.RENEW_SECONDS = worker.SWEEP_SECONDS = jobs.LEASE_SECONDS / 3
    worker.GRACE_SECONDS = float(env.get("GRACE_SECONDS", worker.GRACE_SECONDS))
    asyncio.run({"relay": relay.run, "worker": worker.run}[role]())
