"""What has ended is deleted every night: it counts for nothing any more, and only takes space."""

from domain import files, idempotency, sessions, sign_in_attempts
from workers.jobs import Job, task


@task(timeout_seconds=600)
async def forget_what_ended(job: Job) -> None:
    """Delete ended sessions, attempts, answers and files; a second run finds those that are left."""
    for noun in (sessions, sign_in_attempts, idempotency, files):
        await noun.forget(now=job.now)
    async with job.finishing():
        pass
