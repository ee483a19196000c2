"""When leads are scored anew: whom an event concerns, and jobs for many at once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain import jobs, locks
from domain.events import Event
from domain.jobs import Queue
from domain.scoring import in_use
from models.database import read

TASK = "score_leads"
LEADS_AT_ONCE = 200
PAGE = 5000

SCORED = "status = 'OPEN' AND deleted_at IS NULL"
CONCERNED = {
    "lead": "SELECT unnest($2::uuid[]) AS id WHERE $1::uuid IS NOT NULL",
    "need": "SELECT DISTINCT lead_id AS id FROM need WHERE workspace_id = $1 AND id = ANY($2)",
    "contact": "SELECT DISTINCT lead_id AS id FROM lead_contact WHERE workspace_id = $1 AND contact_id = ANY($2)",
    "company": f"SELECT id FROM lead WHERE workspace_id = $1 AND company_id = ANY($2) AND {SCORED}",
    "source": f"SELECT id FROM lead WHERE workspace_id = $1 AND source_id = ANY($2) AND {SCORED}",
    "campaign": f"SELECT id FROM lead WHERE workspace_id = $1 AND campaign_id = ANY($2) AND {SCORED}",
    "exchange_rate": f"""
    SELECT id FROM lead WHERE workspace_id = $1 AND {SCORED}
    AND currency IN (SELECT currency FROM exchange_rate WHERE id = ANY($2))
    """,
}
ALL_LEADS_TASK = "score_all_leads"
ALL_OPEN = f"SELECT id FROM lead WHERE workspace_id = $1 AND {SCORED} AND id > $2 ORDER BY id LIMIT $3"
# Models of a workspace's own may look at money besides a lead's value.
ALL_AT_ANY_RATE = f"SELECT id FROM lead WHERE workspace_id = $1 AND {SCORED} AND $2::uuid[] IS NOT NULL"

# What an import looks at when it scores the leads of a chunk, which others see only when the chunk is committed.
SEEN_BY_IMPORTS = {"company", "source", "exchange_rate"}


class LeadScored(Event):
    name = "lead.scored"


async def leads_concerned(workspace_id: UUID, subject_type: str, subject_ids: Sequence[UUID]) -> list[UUID]:
    """Return the leads whose score may follow from leads, needs, contacts, companies, sources, campaigns or rates.

    Belongs into the transaction that scores them. It waits for the chunk that an import is taking, whose leads it
    would miss and which may not have seen the change; later chunks see it.
    """
    if subject_type in SEEN_BY_IMPORTS:
        await locks.hold(workspace_id, locks.IMPORTS)
    sql = CONCERNED[subject_type]
    if subject_type == "exchange_rate" and (await in_use.models(workspace_id)).are_own:
        sql = ALL_AT_ANY_RATE
    return [row["id"] for row in await read(sql, workspace_id, list(subject_ids))]


async def schedule(workspace_id: UUID, lead_ids: Sequence[UUID], *, now: datetime) -> None:
    """Have many leads scored anew, in jobs of LEADS_AT_ONCE that stand before nobody's click."""
    for at in range(0, len(lead_ids), LEADS_AT_ONCE):
        subjects = lead_ids[at : at + LEADS_AT_ONCE]
        await jobs.schedule(
            TASK,
            arguments={"subject_type": "lead", "subject_ids": subjects, "event_ids": []},
            due_at=now,
            now=now,
            workspace_id=workspace_id,
            queue=Queue.BULK,
        )


async def schedule_workspace(workspace_id: UUID, *, now: datetime) -> None:
    """Have all open leads of a workspace found and scored anew once the running transaction has committed."""
    await jobs.schedule(ALL_LEADS_TASK, arguments={}, due_at=now, now=now, workspace_id=workspace_id, queue=Queue.BULK)


async def schedule_all(workspace_id: UUID, *, now: datetime) -> int:
    """Have all open leads of a workspace scored anew; return how many."""
    last, found = UUID(int=0), 0
    while rows := await read(ALL_OPEN, workspace_id, last, PAGE):
        await schedule(workspace_id, [row["id"] for row in rows], now=now)
        found, last = found + len(rows), rows[-1]["id"]
    return found
