"""Workers are killed while they lay out plans: each lead has its follow-ups once, and no longer than it lives.

Ten times in `make test`, a hundred times by `make torture`.
"""

import os
from collections import Counter
from datetime import UTC, datetime
from random import Random

from domain import follow_up_plans, leads
from domain.follow_up_plans import NewStep, PlanDetails
from models.follow_ups import FollowUpKind, PlanTrigger
from models.leads import Lead
from tests.factories import lead, seller
from tests.workers.conftest import Database, Start, until

KILLS = int(os.environ.get("KILLS", "10"))
EACH = 30
STEPS = tuple(NewStep(kind=FollowUpKind.CALL, title=f"Call {days}", days=days) for days in (1, 2, 3))
LAID = "SELECT count(*) FROM follow_up"
LEFT = """
SELECT (SELECT count(*) FROM event WHERE position IS NULL)
     + (SELECT count(*) FROM job WHERE task = 'lay_out_plans' AND done_at IS NULL)
"""
FOUND = """
SELECT l.id, l.deleted_at IS NOT NULL AS deleted, l.next_follow_up_at,
       array_agg(f.title ORDER BY f.title) FILTER (WHERE f.status = 'OPEN') AS open,
       array_agg(f.title ORDER BY f.title) FILTER (WHERE f.status = 'CANCELLED') AS cancelled,
       min(f.due_at) FILTER (WHERE f.status = 'OPEN') AS first
FROM lead l LEFT JOIN follow_up f ON f.lead_id = l.id GROUP BY l.id
"""
TOLD = "SELECT data ->> 'follow_up_id' AS key FROM event WHERE name = $1"


async def test_killed_workers_lay_out_each_plan_once(database: Database, start: Start) -> None:
    chance = Random(int(os.environ.get("SEED", "3")))
    actor = await seller()
    began = datetime.now(UTC)
    first = await lead(actor, now=began)
    entered = PlanDetails(name="New", trigger=PlanTrigger.STAGE_ENTERED, stage_id=first.stage_id, steps=STEPS)
    await follow_up_plans.create(actor, entered, now=began)
    start("relay")
    workers = [await start("worker").ready() for _ in range(2)]
    living: list[Lead] = []
    for _ in range(KILLS):
        before, wanted = int(await database.value(LAID)), chance.randrange(1, EACH * len(STEPS) // 2)
        gone, living = living[: EACH // 2], living[EACH // 2 :]
        for row in gone:
            await leads.delete(actor, row.id, now=datetime.now(UTC))
        living += [await lead(actor, now=datetime.now(UTC)) for _ in range(EACH)]

        async def halfway(least: int = before + wanted) -> bool:
            return int(await database.value(LAID)) >= least

        await until(halfway)
        workers.pop(chance.randrange(2)).kill()
        workers.append(start("worker"))

    async def settled() -> bool:
        return not await database.value(LEFT)

    await until(settled, seconds=60)
    titles = [step.title for step in STEPS]
    found = [row for row in await database.rows(FOUND) if row["id"] != first.id]
    assert len(found) == KILLS * EACH
    for row in found:
        if row["deleted"]:
            assert row["open"] is None and row["cancelled"] in (None, titles)
        else:
            assert (row["open"], row["cancelled"]) == (titles, None)
            assert row["next_follow_up_at"] == row["first"]
    laid = {str(row["id"]) for row in await database.rows("SELECT id FROM follow_up")}
    told = Counter(row["key"] for row in await database.rows(TOLD, "lead.follow_up_created"))
    assert told == dict.fromkeys(laid, 1), "each is told of once"
    over = {str(row["id"]) for row in await database.rows("SELECT id FROM follow_up WHERE status = 'CANCELLED'")}
    assert Counter(row["key"] for row in await database.rows(TOLD, "lead.follow_up_cancelled")) == dict.fromkeys(
        over, 1
    )
    assert not await database.value("SELECT count(*) FROM job WHERE failed_at IS NOT NULL")
