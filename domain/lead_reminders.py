"""Leads that need somebody: those that have been in their stage for too long, and those that nobody answered in time.

A workspace is looked through once a minute, from where it was looked through last: what lies before that is history,
so that nobody is told of imported leads or of a limit that was set since. A lead becomes rotten, or late, once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from domain.reminded_people import About, Asked
from domain.reminders import COMPOSED, Occasion, remind
from models.database import transaction
from models.leads import Lead
from models.postgres import connected
from models.reminders import ReminderKind

AGAIN = timedelta(minutes=1)
WORKSPACES_AT_ONCE = 20
# So many of a workspace are looked at by one statement.
ROTTEN_AT_ONCE, CAPTURED_AT_ONCE = 200, 1000
SETTING = "firstResponseHours"
MOST_HOURS = 24 * 365

BEGIN = """
INSERT INTO reminder_watch (id, rotten_to, rotten_id, missed_to, missed_id, due_at)
SELECT id, $1, id, $1, id, $1 FROM workspace w WHERE NOT EXISTS (SELECT FROM reminder_watch r WHERE r.id = w.id)
ON CONFLICT (id) DO NOTHING
"""
CLAIM = """
SELECT id, rotten_to, rotten_id, missed_to, missed_id FROM reminder_watch WHERE due_at <= $1
ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
"""
# Of each stage by its index, from where the last lead was found; days are of 24 hours.
ROTTEN = """
SELECT w.id AS workspace_id, f.id AS lead_id, f.owner_id, f.entered_at, f.at
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) AS w(id, since, since_id)
CROSS JOIN LATERAL (
    SELECT l.id, l.owner_id, l.stage_entered_at AS entered_at, l.stage_entered_at + r.rots_in AS at
    FROM stage s
    CROSS JOIN LATERAL (SELECT s.rot_days * interval '24 hours' AS rots_in) r
    CROSS JOIN LATERAL (
        SELECT id, owner_id, stage_entered_at FROM lead
        WHERE stage_id = s.id AND status = 'OPEN' AND deleted_at IS NULL
          AND (stage_entered_at, id) > (w.since - r.rots_in, w.since_id)
          AND stage_entered_at <= $4::timestamptz - r.rots_in
        ORDER BY stage_entered_at, id LIMIT $5
    ) l
    WHERE s.workspace_id = w.id AND s.rot_days IS NOT NULL AND NOT s.is_intake AND s.archived_at IS NULL
    ORDER BY at, l.id LIMIT $5
) f
ORDER BY w.id, f.at, f.id
"""
# What a file brought was captured long ago, of which people are not told one by one.
CAPTURED = """
SELECT w.id AS workspace_id, f.id AS lead_id, f.owner_id, f.at,
    f.status = 'OPEN' AND f.first_response_seconds IS NULL AND NOT EXISTS (
        SELECT FROM event e WHERE e.workspace_id = w.id AND e.subject_type = 'lead' AND e.subject_id = f.id
          AND e.name = 'lead.captured' AND e.data -> 'tasks_done' ? 'notify'
    ) AS missed
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[]) AS w(id, since, since_id)
JOIN workspace h ON h.id = w.id
CROSS JOIN LATERAL (SELECT (h.settings ->> 'firstResponseHours')::int * interval '1 hour' AS late_in) r
CROSS JOIN LATERAL (
    SELECT id, owner_id, status, first_response_seconds, created_at + r.late_in AS at FROM lead
    WHERE workspace_id = w.id AND deleted_at IS NULL
      AND (created_at, id) > (w.since - r.late_in, w.since_id) AND created_at <= $4::timestamptz - r.late_in
    ORDER BY created_at, id LIMIT $5
) f
WHERE r.late_in IS NOT NULL
ORDER BY w.id, f.at, f.id
"""
LOOKED = """
UPDATE reminder_watch r SET rotten_to = n.rotten_to, rotten_id = n.rotten_id, missed_to = n.missed_to,
    missed_id = n.missed_id, due_at = n.due_at
FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::timestamptz[], $5::uuid[], $6::timestamptz[])
     AS n(id, rotten_to, rotten_id, missed_to, missed_id, due_at)
WHERE r.id = n.id
"""


async def watch_new(now: datetime) -> None:
    """Begin to look through workspaces that began since."""
    await connected().fetch(BEGIN, [now])


async def remind_of_leads(now: datetime) -> int:
    """Look through a few workspaces and remind of what they have found; return how many workspaces there were."""
    async with transaction():
        watches = [dict(row) for row in await connected().fetch(CLAIM, [now, WORKSPACES_AT_ONCE])]
        if not watches:
            return 0
        rotten = await _found(ROTTEN, watches, "rotten", now, ROTTEN_AT_ONCE)
        captured = await _found(CAPTURED, watches, "missed", now, CAPTURED_AT_ONCE)
        for watch in watches:
            watch["due_at"] = now + AGAIN
            _look_on(watch, "rotten", rotten, ROTTEN_AT_ONCE, now)
            _look_on(watch, "missed", captured, CAPTURED_AT_ONCE, now)
        names = ("id", "rotten_to", "rotten_id", "missed_to", "missed_id", "due_at")
        await connected().fetch(LOOKED, [[watch[name] for watch in watches] for name in names])
        occasions = [_occasion(row, ReminderKind.LEAD_ROTTING, f"{row['entered_at'].isoformat()}") for row in rotten]
        occasions += [_occasion(row, ReminderKind.FIRST_RESPONSE_MISSED, "") for row in captured if row["missed"]]
        await remind(occasions, now=now)
    return len(watches)


async def _found(sql: str, watches: list[dict[str, Any]], what: str, now: datetime, limit: int) -> list[Any]:
    columns = [[watch[name] for watch in watches] for name in ("id", f"{what}_to", f"{what}_id")]
    return list(await connected().fetch(sql, [*columns, now, limit]))


def _look_on(watch: dict[str, Any], what: str, found: list[Any], limit: int, now: datetime) -> None:
    """Move a mark to now or, where there was more than one statement looks at, to the last that it has seen."""
    mine = [row for row in found if row["workspace_id"] == watch["id"]]
    if len(mine) < limit:
        # A clock that was set back leaves it where it is.
        if now > watch[f"{what}_to"]:
            watch[f"{what}_to"], watch[f"{what}_id"] = now, watch["id"]
        return
    watch[f"{what}_to"], watch[f"{what}_id"] = mine[-1]["at"], mine[-1]["lead_id"]
    watch["due_at"] = now


def _occasion(row: Mapping[str, Any], kind: ReminderKind, more: str) -> Occasion:
    owner = row["owner_id"]
    asked = Asked(row["workspace_id"], owner, About(Lead, owner), managers=owner is None)
    name = ":".join(filter(None, (COMPOSED[kind], str(row["lead_id"]), more)))
    return Occasion(asked, kind, name, row["at"], lead_id=row["lead_id"])
