"""Series of follow-ups: what recurs is laid out one at a time, and an edit may change those that follow."""

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from domain import follow_up_changes, follow_up_owners, local_times, recurrence, subjects
from domain.actors import Actor
from domain.errors import Faults
from domain.recurrence import Series
from domain.subjects import Subject
from models.base import uuid7
from models.follow_ups import FollowUp, FollowUpKind, Priority

# What the next one of a series says alike.
ALIKE = ("kind", "title", "note", "priority", "remind_minutes_before")
RECURS = ("recurrence", "series_id", "series", "occurrence")


def begin(faults: Faults, row: FollowUp) -> None:
    """Let a follow-up that recurs be the first of its series."""
    row.series_id, row.series, row.occurrence = None, None, 1
    if row.recurrence is None:
        return
    if row.due_on is None:
        start = local_times.local_of(row.due_at, row.time_zone)
    else:
        start = datetime.combine(row.due_on, time())
    if not Series(row.recurrence, start, row.time_zone, row.due_on is not None).begins_as_due():
        faults.add(recurrence.RecurrenceElsewhere(first=start.date(), field="recurrence"))
    alike = {name: getattr(row, name) for name in ALIKE}
    row.series_id, row.series = row.id, {"start": start.isoformat(), "alike": alike}


def follow(
    faults: Faults, row: FollowUp, columns: Mapping[str, Any], before: Mapping[str, Any], *, following: bool
) -> None:
    """Let the series follow an edit of one of its follow-ups, whose columns are set already."""
    anew = "recurrence" in columns and columns["recurrence"] != before["recurrence"]
    if row.series is None and not anew:
        return
    moved = any(name in columns and columns[name] != before[name] for name in ("due_at", "due_on", "time_zone"))
    if anew or (following and moved):
        was = row.series_id
        if not anew and row.recurrence is not None:
            row.recurrence = recurrence.shortened(row.recurrence, row.occurrence)
        begin(faults, row)
        row.series_id = (was or row.series_id) if row.recurrence is not None else was
    elif following and row.series is not None:
        row.series = row.series | {"alike": row.series["alike"] | {n: columns[n] for n in ALIKE if n in columns}}


async def lay_next(actor: Actor, subject: Subject, row: FollowUp, *, now: datetime) -> FollowUp | None:
    """Lay out the next follow-up of a series after one that has ended, once; None where the series ends."""
    if row.recurrence is None or row.series is None:
        return None
    if known := await laid_next(row):
        return known
    start = datetime.fromisoformat(row.series["start"])
    series = Series(row.recurrence, start, row.time_zone, row.due_on is not None)
    slot = series.after(row.occurrence, now=now)
    if slot is None:
        return None
    whose = await follow_up_owners.ownership(row.workspace_id, row.owner_id)
    alike = row.series["alike"]
    new = FollowUp(
        id=uuid7(),
        workspace_id=row.workspace_id,
        owner_id=row.owner_id,
        created_by_id=row.created_by_id,
        **{column: getattr(row, column) for column in subjects.COLUMNS.values()},
        **(alike | {"kind": FollowUpKind(alike["kind"]), "priority": Priority(alike["priority"])}),
        due_at=series.due(slot.local),
        due_on=slot.local.date() if series.on_day else None,
        time_zone=row.time_zone,
        recurrence=row.recurrence,
        series_id=row.series_id,
        series=row.series,
        occurrence=slot.number,
        occasion=_after(row),
        created_at=now,
        updated_at=now,
    )
    follow_up_changes.ring(new, whose, by=actor, now=now)
    await follow_up_changes.add(actor, subject, new, more={"follows_id": row.id}, now=now)
    return new


def _after(row: FollowUp) -> str:
    return f"next:{row.id}"


async def laid_next(row: FollowUp) -> FollowUp | None:
    """Return what was laid out after a follow-up in its series."""
    return await FollowUp.get_or_none(workspace_id=row.workspace_id, occasion=_after(row)) if row.series else None
