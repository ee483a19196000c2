"""Customers are asked after a sale, and what they answer is followed up."""

from domain import survey_dispatches, survey_outcomes
from workers.jobs import Job, task


@task(batch=True)
async def dispatch_surveys(job: Job) -> None:
    """Have surveys go out about the sales of the job's events; each closing of a lead asks once."""
    async with job.finishing():
        await survey_dispatches.by_rule(job.workspace, job.event_ids, now=job.now)


@task(batch=True)
async def cancel_surveys(job: Job) -> None:
    """Have surveys not go out about sales that are none any more; a second run finds them cancelled."""
    async with job.finishing():
        await survey_dispatches.reopened(job.workspace, job.subject_ids, now=job.now)


@task(batch=True)
async def follow_detractors(job: Job) -> None:
    """Open follow-ups for those who are not satisfied; each answer opens one, known by its occasion."""
    async with job.finishing():
        await survey_outcomes.open_follow_ups(job.workspace, job.event_ids, now=job.now)
