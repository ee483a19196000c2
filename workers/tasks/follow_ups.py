"""Plans of follow-ups follow what happens to leads."""

from domain import laying_out
from domain.jobs import Queue
from workers.jobs import Job, task


@task(batch=True, timeout_seconds=600)
async def lay_out_plans(job: Job) -> None:
    """Lay out plans for the leads that the job's events concern, or cancel them; a second run finds it done."""
    bulk, term = job.queue is Queue.BULK, bool(job.arguments.get("term"))
    await laying_out.settle(job.workspace, job.subject_ids, term=term, bulk=bulk, now=job.now)
    async with job.finishing():
        pass
