"""What has ended is deleted every night: it counts for nothing any more, and only takes space."""

from datetime import datetime

import structlog

from adapters import files as store
from domain import bulks, deliveries, documents, files, idempotency, notifications, sessions, sign_in_attempts
from workers.jobs import Job, task

FILES_AT_ONCE = 500

log = structlog.get_logger(__name__)


@task(timeout_seconds=600)
async def forget_what_ended(job: Job) -> None:
    """Delete ended sessions, attempts, answers, notifications, rows of work on many, deliveries and files.

    A second run finds those that are left.
    """
    for noun in (sessions, sign_in_attempts, idempotency, notifications, bulks, deliveries):
        await noun.forget(now=job.now)
    await forget_files(now=job.now)
    await documents.forget(now=job.now)
    async with job.finishing():
        pass


async def forget_files(*, now: datetime) -> None:
    """Delete files whose time is over, their bytes first; a store that does not serve is left for another night."""
    serves = True
    while ended := await files.hide_ended(now=now, most=FILES_AT_ONCE, objects=serves):
        for file in ended:
            if serves or file.object_key is None:
                try:
                    await store.delete(file)
                except store.StoreUnavailable as error:
                    log.warning("ended files stay in their store, which does not serve", error=str(error))
                    serves = False
                else:
                    await files.discard(file)
