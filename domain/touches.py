"""What stands on a lead of its activities: the first, the last, how many were touches, how soon the first answer came.

The system keeps it, so that no version of the lead rises by it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from domain import edits
from domain.events import changes
from models.activities import Activity, ActivityDirection, ActivityKind
from models.database import read
from models.leads import Lead

TOUCHES = frozenset({ActivityKind.CALL, ActivityKind.EMAIL, ActivityKind.MEETING})

ALL = """
SELECT min(occurred_at) AS first, max(occurred_at) AS last, count(*) FILTER (WHERE is_touch) AS touches,
       min(occurred_at) FILTER (WHERE is_touch AND direction = 'OUTBOUND' AND occurred_at >= $3) AS answer
FROM activity WHERE workspace_id = $1 AND lead_id = $2 AND deleted_at IS NULL
"""


async def add(lead: Lead, activity: Activity) -> dict[str, Sequence[Any]]:
    """Let a locked lead follow one activity more; return what changed."""
    at, answered = activity.occurred_at, lead.first_response_seconds
    if activity.is_touch and activity.direction is ActivityDirection.OUTBOUND and at >= lead.created_at:
        seconds = _seconds(lead, at)
        answered = seconds if answered is None else min(answered, seconds)
    return await _write(
        lead,
        {
            "first_activity_at": min(lead.first_activity_at or at, at),
            "last_activity_at": max(lead.last_activity_at or at, at),
            "first_response_seconds": answered,
            "touches": lead.touches + activity.is_touch,
        },
    )


async def recount(lead: Lead) -> dict[str, Sequence[Any]]:
    """Let a locked lead follow all its activities, of which some were changed or deleted; return what changed."""
    [found] = await read(ALL, lead.workspace_id, lead.id, lead.created_at)
    return await _write(
        lead,
        {
            "first_activity_at": found["first"],
            "last_activity_at": found["last"],
            "first_response_seconds": None if found["answer"] is None else _seconds(lead, found["answer"]),
            "touches": found["touches"],
        },
    )


def _seconds(lead: Lead, at: datetime) -> int:
    return int((at - lead.created_at).total_seconds())


async def _write(lead: Lead, columns: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    changed = changes({name: getattr(lead, name) for name in columns}, dict(columns))
    if changed:
        await edits.write(lead, {name: columns[name] for name in changed})
    return changed
