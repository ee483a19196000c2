"""The one reader that gives events their place: positions, then jobs, then the word to everybody else."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import asyncpg
import orjson
import structlog

from adapters import live, log
from adapters import redis as redis_adapter
from adapters.live import EventRow
from domain.events import EVENTS
from domain.jobs import Queue
from models.base import uuid7
from models.database import RELAY_CHANNEL, RELAY_LOCK
from settings import settings
from workers import queue
from workers.jobs import Task
from workers.subscriptions import SUBSCRIPTIONS
from workers.supervision import LOST, keep

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

BATCH = 1000
SUBJECTS_AT_ONCE = {Queue.DEFAULT: 100, Queue.BULK: 300}
POLL_SECONDS = 0.1
STANDBY_SECONDS = 0.25
CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 60.0
PUBLISH_SECONDS = 1.0
SILENT_SECONDS = 1.0

# A relay that is killed while it waits for a lock, or whose machine is cut off, gives up its own lock soon.
# Plans must not depend on statistics: a batch is found by the index of pending events and by keys, always.
SESSION = {
    "application_name": "salescycle relay",
    "client_connection_check_interval": "1000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

# Too many events to publish are told of without their facts, which are then not worth the way here.
POSITION = f"""
WITH batch AS (
    SELECT id, workspace_id, seq FROM event WHERE position IS NULL AND seq > $1 ORDER BY seq LIMIT {BATCH}
), counted AS (
    SELECT workspace_id, count(*) AS events FROM batch GROUP BY workspace_id
), head AS (
    INSERT INTO event_head (workspace_id, position) SELECT workspace_id, events FROM counted
    ON CONFLICT (workspace_id) DO UPDATE SET position = event_head.position + excluded.position
    RETURNING workspace_id, position
), placed AS (
    SELECT batch.id, counted.events <= {live.MOST_EVENTS} AS is_told, head.position - counted.events
           + row_number() OVER (PARTITION BY batch.workspace_id ORDER BY batch.seq) AS position
    FROM batch JOIN counted USING (workspace_id) JOIN head USING (workspace_id)
)
UPDATE event SET position = placed.position FROM placed WHERE event.id = placed.id
RETURNING event.id, event.workspace_id, event.position, event.name, event.subject_type, event.subject_id,
          event.client_mutation_id, event.occurred_at,
          CASE WHEN is_told THEN event.actor END AS actor, CASE WHEN is_told THEN event.data END AS data,
          (event.data -> 'bulk') = 'true' AS bulk,
          CASE WHEN jsonb_typeof(event.data -> 'tasks_done') = 'array' THEN event.data -> 'tasks_done' END AS tasks_done
"""

ADD_JOBS = """
INSERT INTO job (id, workspace_id, task, queue, arguments, due_at, attempts, created_at)
SELECT id, workspace_id, task, queue, arguments, now() + make_interval(secs => gathers), 0, now()
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::float8[])
     AS new(id, workspace_id, task, queue, arguments, gathers)
"""

ADD_FAILED_JOB = """
INSERT INTO job (id, workspace_id, task, queue, arguments, due_at, attempts, created_at, failed_at, last_error)
VALUES ($1, $2, $3, $4, $5::jsonb, now(), 0, now(), now(), $6)
"""

# What is wrong with what is written, and not with the database, which may be well again in a moment.
WRONG_IN_ITSELF = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.RaiseError,
)

logger = structlog.get_logger(__name__)


async def run() -> None:
    """Relay events until cancelled, or stand by while another relay does."""
    log.set_up("relay")
    redis = redis_adapter.connect()
    try:
        await keep("The relay", lambda: relay(redis))
    finally:
        await redis.aclose()


async def relay(redis: redis_adapter.Client) -> None:
    """Relay events over one connection, which holds the lock and listens, until that connection is lost."""
    connection = await asyncpg.connect(
        settings().direct_url, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS, server_settings=SESSION
    )
    try:
        woken = asyncio.Event()
        connection.add_termination_listener(lambda _: woken.set())
        await connection.add_listener(RELAY_CHANNEL, lambda *_: woken.set())
        await _take_lock(connection)
        logger.info("relay ready")
        await _relay(connection, Announcer(redis), woken)
    finally:
        with suppress(Exception):
            await connection.close(timeout=CONNECT_SECONDS)


async def _take_lock(connection: "Connection") -> None:
    # Waiting inside pg_advisory_lock would hold a snapshot, and keep VACUUM from its work, for days.
    waits = False
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", RELAY_LOCK):
        if not waits:
            logger.info("relay stands by: another one works")
            waits = True
        await asyncio.sleep(STANDBY_SECONDS)


async def _relay(connection: "Connection", announcer: "Announcer", woken: asyncio.Event) -> None:
    floor, waiting = Floor(), Waiting()
    while True:
        woken.clear()
        batch = await relay_batch(connection, waiting, after=floor.next_start())
        if batch.rows:
            await announcer.announce(batch)
        await floor.rise(connection)
        if len(batch.rows) < BATCH:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await woken.wait()


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that have just got their positions, by workspace and position, and the jobs that they ask for."""

    rows: Sequence[EventRow]
    jobs: Sequence["NewJob"]


class Waiting:
    """Jobs that gather and have not begun, by what they are about: whatever happens to that needs no other job.

    It is what this relay remembers; what one before it has written is done for itself.
    """

    MOST = 10_000
    WAIT = "SELECT id FROM job WHERE id = ANY($1::uuid[]) AND attempts = 0"

    def __init__(self) -> None:
        self._jobs: dict[tuple[Task, UUID, str, str], UUID] = {}

    async def look(self, connection: "Connection") -> None:
        """Forget the jobs that have begun; one that begins later sees what is committed by now."""
        if self._jobs:
            wait = {row["id"] for row in await connection.fetch(self.WAIT, list(set(self._jobs.values())))}
            self._jobs = {key: job_id for key, job_id in self._jobs.items() if job_id in wait}

    def add(self, jobs: Sequence["NewJob"]) -> None:
        """Remember jobs that are committed."""
        for job in jobs:
            if job.gathers and len(self._jobs) < self.MOST:
                about = job.arguments["subject_type"]
                for subject in job.arguments["subject_ids"]:
                    self._jobs[job.task, job.workspace_id, about, subject] = job.id

    def covers(self, task: Task, row: EventRow) -> bool:
        """Say whether a job that has not begun does what an event asks for."""
        return (task, row["workspace_id"], row["subject_type"], str(row["subject_id"])) in self._jobs


async def relay_batch(connection: "Connection", waiting: Waiting | None = None, *, after: int = 0) -> Batch:
    """Give the next events beyond a `seq` their positions and write their jobs, in one transaction."""
    waiting = Waiting() if waiting is None else waiting
    async with connection.transaction():
        rows = sorted(await connection.fetch(POSITION, after), key=lambda row: (row["workspace_id"], row["position"]))
        if rows:
            await waiting.look(connection)
        jobs = await _add_jobs(connection, rows, waiting)
    waiting.add(jobs)
    return Batch(rows, jobs)


async def _add_jobs(connection: "Connection", rows: Sequence[EventRow], waiting: Waiting) -> Sequence["NewJob"]:
    """Write the jobs of events and return them; an event whose jobs cannot be written is set aside, alone."""
    if not rows:
        return []
    try:
        async with connection.transaction():
            if jobs := jobs_for(rows, waiting):
                await connection.execute(ADD_JOBS, *zip(*(job.values() for job in jobs), strict=True))
            return jobs
    except Exception as error:
        if not _is_wrong_in_itself(error):
            raise
        if len(rows) == 1:
            await _set_aside(connection, rows[0], error)
            return []
    middle = len(rows) // 2
    parts = (rows[:middle], rows[middle:])
    return [job for part in parts for job in await _add_jobs(connection, part, waiting)]


def _is_wrong_in_itself(error: Exception) -> bool:
    if isinstance(error, asyncpg.PostgresError):
        return isinstance(error, WRONG_IN_ITSELF)
    return not isinstance(error, LOST)


async def _set_aside(connection: "Connection", row: EventRow, error: Exception) -> None:
    """Keep on record that an event's jobs could not be written, as failed jobs as far as even those can be."""
    reason = f"{type(error).__name__}: {error}"
    logger.error("an event is set aside", event_id=str(row["id"]), event_name=row["name"], error=reason)
    for task in _tasks(row["name"]):
        job = _job(task, Queue.BULK if row["bulk"] else Queue.DEFAULT, [row])
        try:
            async with connection.transaction():
                await connection.execute(ADD_FAILED_JOB, *job.values()[:-1], reason)
        except WRONG_IN_ITSELF as again:
            logger.error("a failed job is not on record", event_id=str(row["id"]), task=task.name, error=str(again))


@dataclass(frozen=True, slots=True)
class NewJob:
    id: UUID
    workspace_id: UUID
    task: Task
    queue: Queue
    arguments: Mapping[str, Any]

    @property
    def gathers(self) -> float:
        """Return after how many seconds it is due."""
        return self.task.gathers if self.queue is Queue.DEFAULT else 0.0

    def values(self) -> tuple[UUID, UUID, str, str, str, float]:
        told = orjson.dumps(self.arguments).decode()
        return self.id, self.workspace_id, self.task.name, self.queue.value, told, self.gathers


def jobs_for(rows: Sequence[EventRow], waiting: Waiting) -> list[NewJob]:
    """Return the jobs that SUBSCRIPTIONS asks for: one an event, or one for many where the task takes batches.

    What an event's operation has done itself, as its facts say under `tasks_done`, is not asked for, nor what a job
    that is waiting will do.
    """
    jobs: list[NewJob] = []
    batches: dict[tuple[Task, Queue, UUID, str], list[EventRow]] = defaultdict(list)
    for row in rows:
        bulk = Queue.BULK if row["bulk"] else Queue.DEFAULT
        done = orjson.loads(row["tasks_done"]) if row["tasks_done"] else ()
        for task in _tasks(row["name"]):
            if task.name in done or (bulk is Queue.DEFAULT and waiting.covers(task, row)):
                continue
            if task.batch:
                batches[task, bulk, row["workspace_id"], row["subject_type"]].append(row)
            else:
                jobs.append(_job(task, bulk, [row]))
    for (task, bulk, _, _), events in batches.items():
        size = SUBJECTS_AT_ONCE[bulk]
        jobs += [_job(task, bulk, events[at : at + size]) for at in range(0, len(events), size)]
    return jobs


def _tasks(name: str) -> Sequence[Task]:
    event = EVENTS.get(name)
    if event is None:
        logger.warning("an event of a newer Salescycle has no tasks here", event_name=name)
        return ()
    return SUBSCRIPTIONS.get(event, ())


def _job(task: Task, bulk: Queue, events: Sequence[EventRow]) -> NewJob:
    subjects = dict.fromkeys(str(event["subject_id"]) for event in events)
    arguments = {
        "subject_type": events[0]["subject_type"],
        "subject_ids": list(subjects),
        "event_ids": [str(event["id"]) for event in events],
    }
    return NewJob(uuid7(), events[0]["workspace_id"], task, bulk, arguments)


class Announcer:
    """Tells API processes and workers; best effort, since both look for themselves as well.

    While Redis does not answer it is silent for a second at a time, so that positions do not wait for it.
    """

    def __init__(self, redis: redis_adapter.Client) -> None:
        self._redis = redis
        self._silent_until = 0.0
        self._waking: set[asyncio.Task[None]] = set()

    async def announce(self, batch: Batch) -> None:
        due: dict[float, dict[Queue, list[UUID]]] = defaultdict(lambda: defaultdict(list))
        for job in batch.jobs:
            due[job.gathers][job.queue].append(job.id)
        await self._tell(batch.rows, due.pop(0.0, {}))
        for seconds, jobs in due.items():
            asyncio.get_running_loop().call_later(seconds, self._wake, jobs)

    def _wake(self, jobs: Mapping[Queue, Sequence[UUID]]) -> None:
        waking = asyncio.create_task(self._tell((), jobs))
        self._waking.add(waking)
        waking.add_done_callback(self._waking.discard)

    async def _tell(self, rows: Sequence[EventRow], jobs: Mapping[Queue, Sequence[UUID]]) -> None:
        if time.monotonic() < self._silent_until:
            return
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._publish(rows)
                await queue.enqueue(self._redis, jobs)
        except (*redis_adapter.UNREACHABLE, TimeoutError) as error:
            self._silent_until = time.monotonic() + SILENT_SECONDS
            logger.warning("Redis does not answer; the log goes on", error=f"{type(error).__name__}: {error}")

    async def _publish(self, rows: Sequence[EventRow]) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            for workspace_id, events in groupby(rows, key=itemgetter("workspace_id")):
                await live.publish(pipe, workspace_id, list(events))
            await pipe.execute()


class Floor:
    """The `seq` up to which every event has its position, so that a poll need not look there again.

    Without it each poll would walk over the index entries of all events positioned since the last VACUUM,
    and while a backup runs VACUUM removes none. A transaction may commit a lower `seq` after a higher one, so
    the floor is what had been drawn a while before some moment, once every transaction that wrote at that
    moment has ended. Now and then a look from the very beginning makes an error here a delay, not a loss.
    """

    FROM_ZERO_EVERY_SECONDS = 30.0

    LOOK = """
    SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('event', 'seq')::regclass), 0) AS drawn,
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest,
           pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next
    """
    LOWEST_PENDING = "SELECT min(seq) FROM event WHERE position IS NULL AND seq > $1"

    def __init__(self, *, every_seconds: float = 1.0) -> None:
        self.seq = 0
        self._every_seconds = every_seconds
        self._drawn: int | None = None
        self._candidate = 0
        self._barrier: int | None = None
        self._next_look = 0.0
        self._from_zero_at = time.monotonic() + self.FROM_ZERO_EVERY_SECONDS

    def next_start(self) -> int:
        """Return the `seq` after which the next batch begins."""
        if time.monotonic() < self._from_zero_at:
            return self.seq
        self._from_zero_at = time.monotonic() + self.FROM_ZERO_EVERY_SECONDS
        return 0

    async def rise(self, connection: "Connection") -> None:
        """Raise the floor if it is time to look and the transactions of an earlier look have ended."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + self._every_seconds
        look = await connection.fetchrow(self.LOOK)
        assert look
        if self._barrier is not None and look["oldest"] >= self._barrier:
            pending = await connection.fetchval(self.LOWEST_PENDING, self.seq)
            self.seq = self._candidate if pending is None else min(self._candidate, pending - 1)
            self._barrier = None
        if self._barrier is None:
            if self._drawn is not None:
                self._candidate, self._barrier = self._drawn, look["next"]
            self._drawn = look["drawn"]
