"""The process that runs jobs: Arq's worker, woken by pub/sub, over rows that nobody can lose."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import Any, cast
from uuid import UUID

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix
from arq.worker import Worker, func
from orjson import loads
from tortoise.connection import get_connection

from adapters import log, mail
from adapters import redis as redis_adapter
from domain import lead_reminders
from domain.jobs import JobLost, Queue
from models.database import close_database, open_database
from settings import settings
from workers import deliveries, jobs, nightly, pushes, queue, sweeps
from workers.jobs import GiveUp, Job, Task, Unfinished
from workers.subscriptions import TASKS
from workers.supervision import SHORTEST_PAUSE, every, keep
from workers.sweeps import SWEEPS
from workers.tasks import documents

# How many jobs of a queue one process runs at a time follows from its pool, of which leases and sweeps need a part.
BULK_AT_ONCE = 3
SPARE_CONNECTIONS = 2
IN_PROGRESS_SECONDS = 5.0
RENEW_SECONDS = 1.5
SWEEP_SECONDS = 1.0
POLL_SECONDS = 0.5
HOUSEKEEPING_SECONDS = 60.0
GRACE_SECONDS = 5.0
# Attempts and timeouts are the rows' and the tasks', not Arq's.
NEVER_TRIES, NEVER_SECONDS = 1_000_000_000, 366 * 24 * 3600

logger = structlog.get_logger(__name__)


class Runner:
    """Runs jobs by id and knows which are running."""

    def __init__(self) -> None:
        self.running: dict[UUID, Job] = {}

    async def run(self, _context: dict[Any, Any], job_id: str) -> None:
        """Claim a job and run its task; what comes of it stands in the row."""
        job = await jobs.claim(UUID(job_id))
        if job is None:
            return
        self.running[job.id] = job
        try:
            await self._run(job)
        finally:
            del self.running[job.id]

    async def _run(self, job: Job) -> None:
        try:
            task = _task(job)
            async with asyncio.timeout(task.timeout_seconds):
                await task.run(job)
            if not job.finished:
                raise Unfinished(f"{job.task} returned without finishing its job")
        except asyncio.CancelledError:
            await asyncio.shield(jobs.release(job))
            raise
        except JobLost as lost:
            logger.warning("another worker has taken a job", task=job.task, job=str(job.id), error=str(lost))
        except GiveUp as reason:
            logger.error("a job ends on record", task=job.task, job=str(job.id), error=str(reason))
            await jobs.fail(job, error=str(reason))
        except Exception as error:
            await self._failed(job, error)

    async def _failed(self, job: Job, error: Exception) -> None:
        last = job.task not in TASKS or job.attempt >= TASKS[job.task].max_attempts
        logger.warning(
            "a job failed" + (" and ends on record" if last else ""),
            task=job.task,
            job=str(job.id),
            attempt=job.attempt,
            exc_info=error,
        )
        told = "".join(traceback.format_exception(error))
        await (jobs.fail(job, error=told) if last else jobs.retry(job, error=told))

    async def renew(self) -> None:
        """Keep the leases of the running jobs."""
        if self.running:
            await jobs.renew(list(self.running.values()))


def _task(job: Job) -> Task:
    task = TASKS.get(job.task)
    if task is None:
        raise GiveUp(f"There is no task named {job.task}.")
    if job.attempt > task.max_attempts:
        raise GiveUp(f"Its worker ended in the middle of it, {task.max_attempts} times.")
    return task


class WakingWorker(Worker):
    """Arq's worker for one queue, which starts a job within milliseconds and survives a lost Redis."""

    def __init__(self, served: Queue, runner: Runner, *, at_once: int) -> None:
        redis = ArqRedis(redis_adapter.connection_pool(), job_serializer=queue.serialize, job_deserializer=loads)
        super().__init__(
            [func(cast(Any, runner.run), name=queue.FUNCTION, keep_result=0)],
            queue_name=queue.key(served),
            redis_pool=redis,
            handle_signals=False,
            max_jobs=at_once,
            max_tries=NEVER_TRIES,
            job_timeout=NEVER_SECONDS,
            keep_result=0,
            poll_delay=POLL_SECONDS,
            log_results=False,
            job_serializer=queue.serialize,
            job_deserializer=loads,
        )
        self.in_progress_timeout_s = IN_PROGRESS_SECONDS
        self.served = served
        self._woken = asyncio.Event()

    async def main(self) -> None:
        """Start jobs as soon as there are some and there is room, until cancelled."""
        while True:
            self._woken.clear()
            await self._poll_iteration()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.poll_delay_s):
                    await self._woken.wait()

    async def listen(self) -> None:
        """Wake the worker when something comes into its queue."""
        async with self.pool.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(queue.wake_channel(self.served))
            while True:
                if await subscription.get_message(timeout=60):
                    self._woken.set()

    async def renew(self) -> None:
        """Keep saying in Redis that the running jobs are in progress."""
        if not self.tasks:
            return
        async with self.pool.pipeline(transaction=False) as pipe:
            for job_id in self.tasks:
                pipe.pexpire(f"{in_progress_key_prefix}{job_id}", int(IN_PROGRESS_SECONDS * 1000))
            await pipe.execute()

    async def start_jobs(self, job_ids: list[bytes]) -> None:
        try:
            await super().start_jobs(job_ids)
        except redis_adapter.UNREACHABLE:
            # Arq counts a job before it asks Redis for it, and would forever think that it runs.
            self._release_sem_dec_counter_on_complete()
            raise

    def _release_sem_dec_counter_on_complete(self) -> None:
        super()._release_sem_dec_counter_on_complete()
        self._woken.set()

    async def drain(self, seconds: float) -> None:
        """Let running jobs end, and cancel those that do not: their rows are given back."""
        self.allow_pick_jobs = False
        if not self.tasks:
            return
        _, late = await asyncio.wait(self.tasks.values(), timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def run() -> None:
    """Run jobs until cancelled, then end those that are running or give them back."""
    log.set_up("worker")
    # It takes half a second, for which the first lead that is scored need not wait.
    import_module("domain.scoring.rescoring")
    runner = Runner()
    await _open_database()
    redis = redis_adapter.connect()
    shares = shares_of(settings().database_pool_size)
    workers = [WakingWorker(served, runner, at_once=number) for served, number in shares.items()]
    leases = asyncio.create_task(_together(_leases(runner, workers)))
    try:
        await _together(_loops(redis, workers))
    finally:
        await asyncio.gather(deliveries.close(), *(worker.drain(GRACE_SECONDS) for worker in workers))
        await mail.close()
        await pushes.close()
        await documents.typesetter().close()
        leases.cancel()
        with suppress(asyncio.CancelledError):
            await leases
        for client in (redis, *(worker.pool for worker in workers)):
            await client.aclose(close_connection_pool=True)
        await close_database()
        logger.info("worker ended")


def shares_of(connections: int) -> dict[Queue, int]:
    """Return how many jobs of each queue run at a time with so many connections."""
    free = connections - SPARE_CONNECTIONS
    bulk = max(min(BULK_AT_ONCE, free // 2), 1)
    return {Queue.DEFAULT: max(free - bulk, 1), Queue.BULK: bulk}


async def _open_database() -> None:
    """Open the pool, however long PostgreSQL takes to answer."""
    pause = SHORTEST_PAUSE
    while True:
        try:
            await open_database(settings().database_url, pool_size=settings().database_pool_size)
            await get_connection("default").execute_query("SELECT 1 FROM job LIMIT 1")
            return
        except Exception as error:
            logger.warning("the worker waits for PostgreSQL", error=f"{type(error).__name__}: {error}")
            await close_database()
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)


Loop = Awaitable[None]


def _loops(redis: redis_adapter.Client, workers: list[WakingWorker]) -> list[Loop]:
    async def sweep() -> None:
        for served in Queue:
            if not await queue.is_full(redis, served):
                await queue.enqueue(redis, {served: await jobs.due(served)})

    loops: list[Loop] = [
        every(SWEEP_SECONDS, "The sweep", sweep),
        every(HOUSEKEEPING_SECONDS, "Housekeeping", _keep_house),
    ]
    loops += [every(sweeps.SECONDS, f"The sweep of {sweep.name}", partial(sweeps.drain, sweep)) for sweep in SWEEPS]
    for worker in workers:
        loops += [
            keep(f"The {worker.served} queue", worker.main),
            keep(f"The {worker.served} queue's alarm", worker.listen),
        ]
    logger.info("worker ready")
    return loops


def _leases(runner: Runner, workers: list[WakingWorker]) -> list[Loop]:
    renewals: list[tuple[str, Callable[[], Awaitable[None]]]] = [("The leases", runner.renew)]
    renewals += [(f"The {worker.served} queue's marks", worker.renew) for worker in workers]
    return [every(RENEW_SECONDS, what, renew) for what, renew in renewals]


async def _keep_house() -> None:
    await nightly.schedule_next()
    await lead_reminders.watch_new(datetime.now(UTC))
    while await jobs.delete_old() == jobs.DELETED_AT_ONCE:
        pass


async def _together(loops: list[Loop]) -> None:
    await asyncio.gather(*loops)
