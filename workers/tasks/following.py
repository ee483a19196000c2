"""Leads follow what becomes of their sale."""

from domain import stage_following
from workers.jobs import Job, task


@task()
async def follow_sale(job: Job) -> None:
    """Move, value or win the lead that the job's event is about; each event is followed once."""
    async with job.finishing():
        for event_id in job.event_ids:
            await stage_following.follow(job.workspace, event_id, now=job.now)
