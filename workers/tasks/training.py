"""Models are trained in a process of their own, which is ended when nobody wants its result any more."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from domain import score_drift, score_trainings
from domain.score_trainings import LEAST_OF_EACH, Result, TooFewOutcomes
from workers.jobs import MAX_ATTEMPTS, GiveUp, Job, task

# Where python finds the modules of the process, wherever the worker was started.
ROOT = Path(__file__).resolve().parents[2]
# One that has learned may have thousands of categories.
LONGEST_LINE = 64 * 1024 * 1024
LOOKS_SECONDS = 1.0
# Numpy makes its threads as soon as it is brought in.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class TrainingFailed(Exception):
    """The process that learns has ended without a result."""


@task(timeout_seconds=None)
async def train_score_model(job: Job) -> None:
    """Train a model; one whose worker died begins anew, one that was cancelled leaves nothing."""
    for training_id in job.subject_ids:
        try:
            await learn(job.workspace, training_id)
        except TrainingFailed as error:
            if job.attempt < MAX_ATTEMPTS:
                raise
            await score_trainings.fail(
                job.workspace, training_id, score_trainings.TrainingCrashed(), now=datetime.now(UTC)
            )
            raise GiveUp(str(error)) from error
    async with job.finishing():
        pass


@task(timeout_seconds=600)
async def train_due_models(job: Job) -> None:
    """Have models trained anew whose time has come; a second run finds them under way."""
    await score_trainings.request_due(now=job.now)
    async with job.finishing():
        pass


@task(timeout_seconds=600)
async def measure_score_drift(job: Job) -> None:
    """Measure how far leads have moved from those that learned models know; a second run finds it measured."""
    for workspace_id in await score_drift.workspaces():
        await score_drift.measure(workspace_id, now=job.now)
    async with job.finishing():
        pass


async def learn(workspace_id: UUID, training_id: UUID) -> None:
    """Run a training to its end, unless it has ended; raises TrainingFailed."""
    if await score_trainings.start(workspace_id, training_id, now=datetime.now(UTC)) is not None:
        await _keep(workspace_id, training_id, await _learned(workspace_id, training_id))


async def _keep(workspace_id: UUID, training_id: UUID, said: dict[str, Any] | None) -> None:
    now = datetime.now(UTC)
    if said is None:
        return
    if (few := said.get("too_few")) is not None:
        fault = TooFewOutcomes(won=few["won"], lost=few["lost"], needed=LEAST_OF_EACH)
        await score_trainings.fail(workspace_id, training_id, fault, now=now)
        return
    found = said["result"]
    window = {name: datetime.fromisoformat(found[name]) for name in ("window_from", "window_to")}
    await score_trainings.finish(workspace_id, training_id, Result(**(found | window)), now=now)


async def _learned(workspace_id: UUID, training_id: UUID) -> dict[str, Any] | None:
    """Return what the process has said at last; None where the training was cancelled meanwhile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "workers.training",
        str(workspace_id),
        str(training_id),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        limit=LONGEST_LINE,
        env=os.environ | ONE_THREAD,
        cwd=ROOT,
    )
    errors = asyncio.create_task(_all_of(process))
    try:
        return await _followed(process, errors, workspace_id, training_id)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        errors.cancel()


async def _followed(
    process: Process, errors: "asyncio.Task[str]", workspace_id: UUID, training_id: UUID
) -> dict[str, Any] | None:
    assert process.stdout
    done, step = 0.0, "starting"
    reading: asyncio.Task[bytes] | None = None
    while True:
        reading = reading or asyncio.create_task(process.stdout.readline())
        await asyncio.wait({reading}, timeout=LOOKS_SECONDS)
        if not await score_trainings.tell(workspace_id, training_id, done, step):
            reading.cancel()
            return None
        if not reading.done():
            continue
        line, reading = reading.result(), None
        if not line:
            code = await process.wait()
            raise TrainingFailed(f"the process that learns ended with {code}: {(await errors)[-2000:]}")
        said: dict[str, Any] = orjson.loads(line)
        if "progress" not in said:
            return said
        done, step = said["progress"], said["step"]


async def _all_of(process: Process) -> str:
    assert process.stderr
    return (await process.stderr.read()).decode(errors="replace")
