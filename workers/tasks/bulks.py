"""Work on many leads, batch by batch; a worker that is killed leaves whole batches, and another goes on."""

from datetime import UTC, datetime
from uuid import UUID

from domain import bulks
from domain.errors import Internal
from models.bulks import Bulk
from workers.jobs import MAX_ATTEMPTS, Job, task


@task(timeout_seconds=None)
async def run_bulk(job: Job) -> None:
    """Do what a Bulk asks for; run again, it goes on at the first lead that no committed batch has taken."""
    key = UUID(job.arguments["bulk_id"])
    try:
        await bulks.run(job.workspace, key, clock=lambda: datetime.now(UTC))
    except Exception as error:
        row = await Bulk.get_or_none(id=key, workspace_id=job.workspace)
        if row is not None and job.attempt >= MAX_ATTEMPTS:
            what = f"{type(error).__name__}, {MAX_ATTEMPTS} times"
            await bulks.fail(row, Internal(what=what), now=datetime.now(UTC))
        raise
    async with job.finishing():
        pass
