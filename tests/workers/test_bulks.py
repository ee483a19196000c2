"""Work on many leads goes on where it stood, whoever is killed: nothing is left out and nothing is done twice."""

from datetime import UTC, datetime
from uuid import UUID

from domain import bulks, jobs, pipelines
from domain.bulks import Chosen, Work
from models.bulks import Bulk, BulkKind
from models.leads import Lead
from models.stages import StageKind
from models.users import Role
from tests.factories import member, stage
from tests.workers.conftest import Database, Start, until

LEADS = 2000
WHOLE = """
SELECT bulk.done, (SELECT count(*) FROM lead WHERE owner_id = $2) AS assigned,
       (SELECT count(*) FROM event WHERE name = 'lead.assigned') AS told,
       (SELECT count(DISTINCT subject_id) FROM event WHERE name = 'lead.assigned') AS leads
FROM bulk WHERE id = $1
"""


async def test_a_killed_worker_leaves_whole_batches_and_another_goes_on(database: Database, start: Start) -> None:
    now = datetime.now(UTC)
    admin = await member()
    rep = await member(Role.REP, of=admin)
    await pipelines.create_default(admin, now=now)
    at = await stage(admin, StageKind.PROSPECT)
    columns = {"workspace_id": admin.workspace_id, "pipeline_id": at.pipeline_id, "stage_id": at.id, "currency": "EUR"}
    stamps = {"stage_entered_at": now, "created_at": now, "updated_at": now}
    await Lead.bulk_create(
        [Lead(**columns, **stamps, title=f"Roof {number}", rank=f"{number:08x}8") for number in range(LEADS)]
    )
    chosen = Chosen("SELECT id FROM lead WHERE workspace_id = $1", [admin.workspace_id])
    row = await bulks.begin(admin, Work(BulkKind.ASSIGN, {"owner_id": rep.user_id}), chosen, now=now)
    assert rep.user_id

    async def stands() -> Bulk:
        return await Bulk.get(id=row.id)

    async def has_begun() -> bool:
        return (await stands()).done >= 3 * bulks.BATCH

    await start("relay").ready()
    first = await start("worker").ready()
    await until(has_begun)
    first.kill()

    async def is_undone() -> bool:
        others = "SELECT count(*) FROM pg_locks WHERE relation = 'bulk'::regclass AND pid <> pg_backend_pid()"
        return not await database.value(others)

    await until(is_undone)
    assert await whole(database, row.id, rep.user_id) < LEADS

    await start("worker").ready()

    async def has_ended() -> bool:
        return (await stands()).completed_at is not None

    await until(has_ended, seconds=60)
    assert await whole(database, row.id, rep.user_id) == LEADS
    ended = await stands()
    assert (ended.status, ended.failed) == ("COMPLETED", 0)

    async def is_done() -> bool:
        return bool(await database.value("SELECT done_at FROM job WHERE id = $1", row.id))

    await until(is_done)
    # What follows of the leads' events is done in batches, on the queue of what may take its time.
    queues = await database.rows("SELECT DISTINCT queue FROM job WHERE task = 'score_leads'")
    assert [each["queue"] for each in queues] in ([], [jobs.Queue.BULK.value])


async def whole(database: Database, key: UUID, owner: UUID) -> int:
    """Check that the work stands where its leads and their events stand, and return how many that are."""
    [row] = await database.rows(WHOLE, key, owner)
    assert row["done"] == row["assigned"] == row["told"] == row["leads"]
    return int(row["done"])
