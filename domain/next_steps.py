"""What stands on a lead of its follow-ups: when the next is due, and whose they are when it goes to somebody else.

The system keeps it, so that no version rises by it. A lead without an open follow-up has no `next_follow_up_at`; then
nothing is read of its follow-ups, so that work on many leads costs no more where nobody plans anything.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import edits, jobs, local_times
from domain.jobs import Queue
from models.database import connected, read
from models.leads import Lead

SETTING = "followUps"
# Lays out plans for leads, and lets what they laid out follow where a lead stands.
TASK = "lay_out_plans"
ESCALATE_AFTER_HOURS = 24
NEXT = "SELECT min(due_at) AS due_at FROM follow_up WHERE lead_id = $1 AND status = 'OPEN'"
# Those of the former owner, of which days are counted anew where the new one lives elsewhere.
HAND_ON = """
UPDATE follow_up SET owner_id = $3 WHERE lead_id = $1 AND status = 'OPEN' AND owner_id = $2
RETURNING id, due_on, time_zone, remind_minutes_before, remind_at, escalate_at, due_at, snoozed_until
"""
# Those of a member that do not go with a lead of theirs, on what the new owner sees; $3 is null where they see all.
HELD = """
SELECT f.id, f.lead_id FROM follow_up f LEFT JOIN lead l ON l.id = f.lead_id
WHERE f.workspace_id = $1 AND f.owner_id = $2 AND f.status = 'OPEN'
  AND (l.id IS NULL OR l.owner_id IS DISTINCT FROM $2 OR l.status <> 'OPEN')
  AND (l.id IS NULL OR $3::uuid[] IS NULL OR l.owner_id = ANY($3))
"""
HOLD = "SELECT 1 FROM lead WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE"
GIVE = """
UPDATE follow_up SET owner_id = $3 WHERE id = ANY($1::uuid[]) AND owner_id = $2 AND status = 'OPEN'
RETURNING id, due_on, time_zone, remind_minutes_before, remind_at, escalate_at, due_at, snoozed_until
"""
FOLLOW = """
UPDATE lead SET next_follow_up_at = (
    SELECT min(due_at) FROM follow_up f WHERE f.lead_id = lead.id AND f.status = 'OPEN'
) WHERE id = ANY($1::uuid[])
"""
ZONE = """
SELECT coalesce((SELECT u.time_zone FROM user_account u WHERE u.id = $2), w.time_zone) AS zone
FROM workspace w WHERE w.id = $1
"""
REZONE = """
UPDATE follow_up SET time_zone = $1, due_at = new.due_at, remind_at = new.remind_at, escalate_at = new.escalate_at
FROM unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[])
    AS new(id, due_at, remind_at, escalate_at)
WHERE follow_up.id = new.id
"""


def reminded(due_at: datetime, *, due_on: Any, time_zone: str, minutes: int | None) -> datetime | None:
    """Return when to remind of something: so many minutes before it is due or, for a day, before nine in the morning.

    Without minutes nobody is reminded.
    """
    if minutes is None:
        return None
    begins = due_at if due_on is None else local_times.morning_of(due_on, time_zone)
    return begins - timedelta(minutes=minutes)


async def follow(lead: Lead, *, one_more: datetime | None = None) -> dict[str, Sequence[Any]]:
    """Let a locked lead follow its open follow-ups, or one more of them; return what changed."""
    if one_more is None:
        [found] = await read(NEXT, lead.id)
        due_at = found["due_at"]
    else:
        due_at = min(lead.next_follow_up_at or one_more, one_more)
    if due_at == lead.next_follow_up_at:
        return {}
    changed: dict[str, Sequence[Any]] = {"next_follow_up_at": [lead.next_follow_up_at, due_at]}
    await edits.write(lead, {"next_follow_up_at": due_at})
    return changed


async def hand_on(lead: Lead, former: UUID | None) -> list[UUID]:
    """Give the open follow-ups that a lead's former owner has on it to its owner; return their ids.

    A day ends when it does where the new owner lives.
    """
    if lead.next_follow_up_at is None or former is None or former == lead.owner_id:
        return []
    rows = await connected().fetch(HAND_ON, [lead.id, former, lead.owner_id])
    if await _rezone(lead.workspace_id, lead.owner_id, rows):
        await follow(lead)
    return [UUID(int=row["id"].int) for row in rows]


async def give(workspace_id: UUID, former: UUID, owner_id: UUID, *, seen: Collection[UUID] | None) -> int:
    """Give the open follow-ups of a member to another one who sees leads of these owners, or all; return how many.

    Those on the member's own open leads go with these. Within the running transaction.
    """
    held = await read(HELD, workspace_id, former, None if seen is None else list(seen))
    return await give_these(workspace_id, former, held, owner_id)


async def give_these(workspace_id: UUID, former: UUID, held: Sequence[Any], owner_id: UUID | None) -> int:
    """Give follow-ups, of which `id` and `lead_id` are known, to somebody or nobody, where they are still open and
    the former owner's; return how many. Within the running transaction."""
    lead_ids = [row["lead_id"] for row in held if row["lead_id"] is not None]
    await connected().fetch(HOLD, [lead_ids])
    rows = await connected().fetch(GIVE, [[row["id"] for row in held], former, owner_id])
    if await _rezone(workspace_id, owner_id, rows) and lead_ids:
        await connected().fetch(FOLLOW, [lead_ids])
    return len(rows)


async def _rezone(workspace_id: UUID, owner_id: UUID | None, rows: Sequence[Any]) -> bool:
    """Let the days of follow-ups end when they do where their new owner lives; say whether any ends otherwise."""
    days = [row for row in rows if row["due_on"] is not None]
    if not days:
        return False
    [there] = await read(ZONE, workspace_id, owner_id)
    days = [row for row in days if row["time_zone"] != there["zone"]]
    if not days:
        return False
    moved = [_moved(row, there["zone"]) for row in days]
    columns = [list(column) for column in zip(*moved, strict=True)]
    await connected().fetch(REZONE, [there["zone"], [row["id"] for row in days], *columns])
    return True


async def term_moves(leads: Sequence[Lead], *, now: datetime) -> None:
    """Have plans look at leads whose term ends at another time, once the running transaction has committed."""
    arguments = {"subject_type": "lead", "subject_ids": [lead.id for lead in leads], "event_ids": [], "term": True}
    workspace_id = leads[0].workspace_id
    await jobs.schedule(TASK, arguments=arguments, due_at=now, now=now, workspace_id=workspace_id, queue=Queue.BULK)


def _moved(row: Any, zone: str) -> tuple[datetime, datetime | None, datetime | None]:
    """Return the instants of a day in another time zone; what was snoozed or reminded of stays as it is."""
    due_at = local_times.end_of(row["due_on"], zone)
    minutes, remind_at, escalate_at = row["remind_minutes_before"], row["remind_at"], row["escalate_at"]
    if remind_at is not None and row["snoozed_until"] is None:
        remind_at = reminded(due_at, due_on=row["due_on"], time_zone=zone, minutes=minutes)
    if escalate_at is not None:
        escalate_at += due_at - row["due_at"]
    return due_at, remind_at, escalate_at
