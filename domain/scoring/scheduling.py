"""When leads are scored anew: whom an event concerns, and jobs for many at once."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain import jobs, locks
from domain.events import Event
from domain.jobs import Queue
from domain.scoring import in_use
from models.database import connected, read

TASK = "score_leads"
# So many are locked, scored and written together, which takes a tenth of a second.
LEADS_AT_ONCE = 300
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
# Models of a workspace's own may look at money besides a lead's value.
ALL_OPEN = f"SELECT id FROM lead WHERE workspace_id = $1 AND {SCORED} AND $2::uuid[] IS NOT NULL"
# However many leads they are, they stay in the database.
SCHEDULE = f"""
WITH made AS (
    INSERT INTO job (id, workspace_id, task, queue, arguments, due_at, attempts, created_at)
    SELECT gen_random_uuid(), $1, '{TASK}', '{Queue.BULK.value}',
           jsonb_build_object(
               'subject_type', 'lead', 'subject_ids', jsonb_agg(id ORDER BY id), 'event_ids', jsonb_build_array()
           ), $3, 0, $3
    FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / $4 AS part FROM ({{leads}}) AS chosen) AS numbered
    GROUP BY part RETURNING jsonb_array_length(arguments -> 'subject_ids') AS leads
) SELECT coalesce(sum(leads), 0) AS leads FROM made
"""

OWN_FIELDS = {"custom_field", "qualification_criterion"}
NO_LEADS = f"{ALL_OPEN} AND false"

# What an import looks at when it scores the leads of a chunk, which others see only when the chunk is committed.
SEEN_BY_IMPORTS = {"company", "source", "exchange_rate"}


class LeadScored(Event):
    name = "lead.scored"


async def leads_concerned(workspace_id: UUID, subject_type: str, subject_ids: Sequence[UUID]) -> list[UUID]:
    """Return the leads whose score may follow from a change of what is listed in CONCERNED or OWN_FIELDS.

    They are one more than LEADS_AT_ONCE at most; who finds so many has them scheduled. Belongs into the transaction
    that scores them. It waits for the chunk that an import is taking, whose leads it would miss and which may not have
    seen the change; later chunks see it.
    """
    if subject_type in SEEN_BY_IMPORTS:
        await locks.hold(workspace_id, locks.IMPORTS)
    sql = f"{await _concerned(workspace_id, subject_type, subject_ids)} LIMIT {LEADS_AT_ONCE + 1}"
    return [row["id"] for row in await read(sql, workspace_id, list(subject_ids))]


async def _concerned(workspace_id: UUID, subject_type: str, subject_ids: Sequence[UUID]) -> str:
    if subject_type == "exchange_rate" and (await in_use.models(workspace_id)).are_own:
        return ALL_OPEN
    if subject_type in OWN_FIELDS:
        models = await in_use.models(workspace_id)
        wanted = models.rules.wanted | (models.learned.wanted if models.learned else frozenset())
        # Keys of a workspace's own fields end with their ids.
        looked_at = {key.rpartition(":")[2] for key in wanted}
        return NO_LEADS if looked_at.isdisjoint(one.hex for one in subject_ids) else ALL_OPEN
    return CONCERNED[subject_type]


async def schedule_concerned(
    workspace_id: UUID, subject_type: str, subject_ids: Sequence[UUID], *, now: datetime
) -> int:
    """Have the leads that something concerns scored anew; return how many."""
    leads = await _concerned(workspace_id, subject_type, subject_ids)
    return await _schedule(workspace_id, leads, subject_ids, now=now)


async def schedule(workspace_id: UUID, lead_ids: Sequence[UUID], *, now: datetime) -> int:
    """Have many leads scored anew, in jobs of LEADS_AT_ONCE that stand before nobody's click; return how many."""
    return await _schedule(workspace_id, CONCERNED["lead"], lead_ids, now=now)


async def schedule_workspace(workspace_id: UUID, *, now: datetime) -> None:
    """Have all open leads of a workspace found and scored anew once the running transaction has committed."""
    await jobs.schedule(ALL_LEADS_TASK, arguments={}, due_at=now, now=now, workspace_id=workspace_id, queue=Queue.BULK)


async def schedule_all(workspace_id: UUID, *, now: datetime) -> int:
    """Have all open leads of a workspace scored anew; return how many."""
    return await _schedule(workspace_id, ALL_OPEN, (), now=now)


async def _schedule(workspace_id: UUID, leads: str, subject_ids: Sequence[UUID], *, now: datetime) -> int:
    sql = SCHEDULE.format(leads=leads)
    [made] = await connected().fetch(sql, [workspace_id, list(subject_ids), now, LEADS_AT_ONCE])
    return int(made["leads"])
