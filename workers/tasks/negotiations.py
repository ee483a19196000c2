"""Negotiations end with the proposal that they are about."""

from domain import negotiations
from workers.jobs import Job, task


@task(batch=True)
async def follow_proposals(job: Job) -> None:
    """End what is negotiated about proposals that can be negotiated no more; a second run finds it ended."""
    async with job.finishing():
        await negotiations.follow_proposals(job.workspace, job.subject_ids, now=job.now)
