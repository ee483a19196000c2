"""What follows from changes of custom fields: their indexes, and the end of the values of deleted ones."""

from domain import custom_fields, jobs
from domain.jobs import Queue
from models import custom_indexes
from models.custom_fields import CustomField
from settings import settings
from workers.jobs import Job, task


@task(timeout_seconds=None)
async def settle_custom_index(job: Job) -> None:
    """Make or drop the index on a field's values; a second run finds it made."""
    for key in job.subject_ids:
        await custom_indexes.settle(key, url=settings().direct_url)
    async with job.finishing():
        pass


@task(timeout_seconds=None)
async def remove_custom_values(job: Job) -> None:
    """Remove the values of a deleted field, then the field; a second run goes on with what is left."""
    fields = await CustomField.filter(id__in=job.subject_ids, workspace_id=job.workspace, deleted_at__isnull=False)
    for field in fields:
        await custom_fields.remove_values(field)
    async with job.finishing():
        for field in fields:
            await field.delete()


@task()
async def settle_custom_indexes(job: Job) -> None:
    """Have the indexes made that could not be made so far; those that are being made are found made."""
    async with job.finishing():
        for key, workspace_id in await custom_indexes.unsettled():
            await jobs.schedule(
                settle_custom_index.name,
                arguments={"subject_type": "custom_field", "subject_ids": [key], "event_ids": []},
                workspace_id=workspace_id,
                queue=Queue.BULK,
                due_at=job.now,
                now=job.now,
            )
