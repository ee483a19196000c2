"""What is sealed or signed for long follows a change of SECRET_KEY, so that the key before can be given up."""

from domain import payment_providers, tokens
from domain.scoring import in_use
from workers.jobs import Job, task


@task(timeout_seconds=600)
async def follow_key_change(job: Job) -> None:
    """Seal and sign anew what a key of PREVIOUS_SECRET_KEYS has; a second run finds what is left."""
    if tokens.has_previous():
        await payment_providers.seal_anew()
        await in_use.sign_anew()
    async with job.finishing():
        pass
