"""Scores follow what happens, within a second, and the passing of time, every night."""

import asyncio
from contextlib import nullcontext

from domain import locks, scoring
from domain.jobs import Queue
from workers.jobs import Job, task

# A burst of what happens to a lead is one look at it, well within the second in which people want its score.
GATHERS_SECONDS = 0.4
BULK = asyncio.Semaphore(1)


@task(batch=True, gathers=GATHERS_SECONDS)
async def score_leads(job: Job) -> None:
    """Score anew the leads that the job's events concern; scoring twice gives the same."""
    # What computes with many leads at once is brought in by the worker that does so: others list this task, too.
    from domain.scoring import rescoring

    is_bulk = job.queue is Queue.BULK
    # One at a time: several would hold their leads longer than one after the other, and be done no sooner.
    async with BULK if is_bulk else nullcontext(), job.finishing():
        lead_ids = await scoring.leads_concerned(job.workspace, job.subject_type, job.subject_ids)
        if len(lead_ids) > scoring.LEADS_AT_ONCE:
            await scoring.schedule_concerned(job.workspace, job.subject_type, job.subject_ids, now=job.now)
        else:
            await rescoring.rescore(job.workspace, lead_ids, now=job.now, bulk=is_bulk)


@task(timeout_seconds=600)
async def score_all_leads(job: Job) -> None:
    """Have all open leads of a workspace scored anew, by other models than before; a second run scores alike."""
    async with job.finishing():
        # It waits for the chunk that an import is taking, which may not have seen the models that are in use now.
        await locks.hold(job.workspace, locks.IMPORTS)
        await scoring.schedule_all(job.workspace, now=job.now)


@task(timeout_seconds=600)
async def score_faded_leads(job: Job) -> None:
    """Have leads scored anew about which nothing was heard; a second run finds those that are left."""
    async with job.finishing():
        await scoring.schedule_faded(now=job.now)
