"""Who is concerned by what happened is told of it: in their list, and at once where they listen."""

from domain import notifications
from domain.jobs import Queue
from workers.jobs import Job, task


@task(batch=True)
async def notify(job: Job) -> None:
    """Tell people of the job's events; each is told of an event once, however often this runs."""
    async with job.finishing():
        await notifications.notify(job.workspace, job.event_ids, together=job.queue is Queue.BULK, now=job.now)
