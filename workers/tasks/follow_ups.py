"""Plans of follow-ups follow what happens to leads, and what members had to do goes to others when they leave."""

from domain import laying_out, left_behind
from domain.jobs import Queue
from workers.jobs import Job, task


@task(batch=True, timeout_seconds=600)
async def lay_out_plans(job: Job) -> None:
    """Lay out plans for the leads that the job's events concern, or cancel them; a second run finds it done."""
    bulk, term = job.queue is Queue.BULK, bool(job.arguments.get("term"))
    await laying_out.settle(job.workspace, job.subject_ids, term=term, bulk=bulk, now=job.now)
    async with job.finishing():
        pass


@task(batch=True)
async def give_follow_ups(job: Job) -> None:
    """Give what members had to do who have left to others; a second run finds nothing left."""
    async with job.finishing():
        await left_behind.give(job.workspace, job.subject_ids, now=job.now)
