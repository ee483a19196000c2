"""How long a job takes from the moment it is enqueued to the first line of its task, and what an idle worker costs."""

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from adapters import redis
from bench.house import ROOT, environment, told
from bench.peers import cores, probe
from bench.peers.ground import CACHE, Ground
from domain import jobs
from domain.jobs import Queue
from models import database
from workers import queue

WARM_UP, JOBS = 20, 200
IDLE_SECONDS = 5.0
LONGEST_SECONDS = 30.0


async def measure(ground: Ground) -> None:
    """Print the median from enqueueing to the start, and the idle worker's share of a core."""
    await database.open_database(ground.database_url, pool_size=2)
    client = redis.connect(ground.redis_url)
    try:
        async with _worker(ground) as process:
            assert process.stdout
            for _ in range(WARM_UP):
                await _started(client, process.stdout)
            took = [await _started(client, process.stdout) for _ in range(JOBS)]
            before = cores.snapshot([process.pid])
            await asyncio.sleep(IDLE_SECONDS)
            idle = cores.used_since(before, [process.pid]) / IDLE_SECONDS
    finally:
        await client.aclose()
        await database.close_database()
    told("job_start_ms", statistics.median(took) * 1000, "ms")
    told("job_start_p99_ms", sorted(took)[int(JOBS * 0.99)] * 1000, "ms")
    told("job_idle_cpu", idle * 100, "% of a core")


async def _started(client: redis.Client, said: asyncio.StreamReader) -> float:
    """Enqueue a job and return after how many seconds it was started."""
    # A worker that has just run a job looks for the next one at once; let it go back to sleep.
    await asyncio.sleep(random.uniform(0.02, 0.06))
    now = datetime.now(UTC)
    async with database.transaction():
        job_id = await jobs.schedule(probe.NAME, arguments={}, due_at=now, now=now)
    began = time.time_ns()
    await queue.enqueue(client, {Queue.DEFAULT: [job_id]})
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            told_id, at = (await said.readline()).split()
            if UUID(told_id.decode()) == job_id:
                return (int(at) - began) / 1e9


@asynccontextmanager
async def _worker(ground: Ground) -> AsyncIterator[asyncio.subprocess.Process]:
    given = {
        "DATABASE_URL": ground.database_url,
        "REDIS_URL": ground.redis_url,
        "DATA_DIR": str(ground.data_dir),
        "SECRET_KEY": ground.secret_key,
    }
    with (CACHE / "worker.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.peers.probe"),
            cwd=ROOT,
            env=environment() | given,
            stdout=subprocess.PIPE,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, {cores.SERVER}),
        )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()
