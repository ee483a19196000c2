"""How far leads are qualified follows their scores, and the workspace's rules and checklist."""

from domain import lifecycle
from domain.jobs import Queue
from workers.jobs import Job, task


@task(batch=True)
async def qualify_leads(job: Job) -> None:
    """Raise the leads of the job's events as far as the rules say; a second run finds them raised."""
    async with job.finishing():
        await lifecycle.raise_all(job.workspace, job.subject_ids, now=job.now, bulk=job.queue is Queue.BULK)


@task(batch=True, timeout_seconds=600)
async def qualify_all_leads(job: Job) -> None:
    """Have all leads looked at by new rules or a new checklist; a second run finds those that are left."""
    async with job.finishing():
        await lifecycle.schedule_all(job.workspace, now=job.now)
