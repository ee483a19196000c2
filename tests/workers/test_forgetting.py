"""A night deletes what has ended and nothing that still counts."""

from datetime import UTC, datetime, timedelta

from domain import files, sign_in_attempts
from domain.jobs import Queue
from domain.sign_in_attempts import Limit
from models.base import uuid7
from models.bulks import Bulk, BulkKind, BulkRow
from models.conversations import Notification, NotificationKind
from models.files import File, FileChunk
from models.idempotency import IdempotencyKey
from models.sessions import Session
from models.sign_in_attempts import SignInAttempt
from tests import factories
from tests.workers.conftest import Database, add_job
from workers import jobs
from workers.tasks.forgetting import forget_what_ended


async def test_what_ended_is_deleted_and_what_counts_is_kept(database: Database) -> None:
    now = datetime.now(UTC)
    admin = await factories.member()
    for at in (now, now - timedelta(days=2)):
        await factories.session(admin, now=at - timedelta(days=70) if at < now else at)
        await IdempotencyKey.create(actor="a", key=f"{at}", request_hash="h", created_at=at)
        await sign_in_attempts.count(Limit.SIGN_IN_ACCOUNT, f"{at}", now=at)
        file = await files.create_upload(admin, name="a.csv", size=1, now=at)
        await FileChunk.create(file_id=file.id, number=0, data=b"x")
        await Notification.create(
            workspace_id=admin.workspace_id,
            user_id=admin.user_id,
            kind=NotificationKind.MENTION,
            event_id=uuid7(),
            created_at=now - (now - at) * 46,
        )
        bulk = await Bulk.create(
            workspace_id=admin.workspace_id,
            kind=BulkKind.TAG,
            total=2,
            done=2,
            created_at=at,
            completed_at=now - (now - at) * 46,
        )
        for number in (1, 2):
            await BulkRow.create(workspace_id=admin.workspace_id, bulk_id=bulk.id, number=number, lead_id=uuid7())
    await add_job(database, "forget_what_ended", queue="bulk")

    for _ in range(2):
        for key in await jobs.due(Queue.BULK):
            job = await jobs.claim(key)
            assert job
            await forget_what_ended.run(job)
            assert job.finished

    for rows in (Session, IdempotencyKey, SignInAttempt, File, FileChunk, Notification):
        assert await rows.all().count() == 1, rows
    assert await Bulk.all().count() == 2
    assert sorted(row.number for row in await BulkRow.all()) == [1, 2]
