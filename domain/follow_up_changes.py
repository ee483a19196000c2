"""What becomes of follow-ups on a locked subject, by people, series or plans, and what is recorded of it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from domain import edits, follow_up_owners, leads, next_steps, subjects, unreminded
from domain.actors import Actor, ActorKind
from domain.errors import DomainError, Faults
from domain.events import Event, changes, record
from domain.follow_up_owners import Ownership
from domain.subjects import Subject, SubjectNoun
from models.follow_ups import FollowUp, FollowUpStatus, Priority
from models.leads import Lead

MOST_OPEN = 200
CREATED = subjects.events("follow_up_created")
UPDATED = subjects.events("follow_up_updated")
COMPLETED = subjects.events("follow_up_completed")
CANCELLED = subjects.events("follow_up_cancelled")
SNOOZED = subjects.events("follow_up_snoozed")
REOPENED = subjects.events("follow_up_reopened")
# What the event of a new one says of it.
TOLD = ("kind", "title", "priority", "owner_id", "due_at", "due_on", "recurrence", "plan_id")
RINGS = ("remind_at", "escalate_at", "snoozed_until")


class TooManyFollowUps(DomainError):
    """A {noun} has at most {limit} open follow-ups."""


async def forbid_more(faults: Faults, subject: Subject) -> None:
    """Refuse one more follow-up where a locked subject has as many as it may."""
    if isinstance(subject, Lead) and subject.next_follow_up_at is None:
        return
    column = subjects.COLUMNS[type(subject)]
    if await FollowUp.filter(**{column: subject.id, "status": FollowUpStatus.OPEN}).count() >= MOST_OPEN:
        faults.add(TooManyFollowUps(noun=type(subject).__name__.lower(), limit=MOST_OPEN))


async def add(
    actor: Actor, subject: Subject, row: FollowUp, *, more: Mapping[str, Any] | None = None, now: datetime
) -> None:
    """Write a new follow-up on a locked subject, and record that."""
    await edits.insert(row)
    stands = await next_steps.follow(subject, one_more=row.due_at) if isinstance(subject, Lead) else {}
    told = {name: [None, value] for name in TOLD if (value := getattr(row, name)) is not None}
    await tell(CREATED, actor, subject, row, changed=told, stands=stands, more=more, now=now)


async def end(
    event: Mapping[SubjectNoun, type[Event]],
    actor: Actor,
    subject: Subject,
    row: FollowUp,
    columns: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    """End an open follow-up on a locked subject, and record that."""
    ended = {"ended_at": now, "ended_by_id": actor.user_id}
    changed = await _write(actor, row, {**columns, **dict.fromkeys(RINGS), **ended}, now=now)
    await unreminded.let_be(row.workspace_id, [row.id], now=now)
    stands = await next_steps.follow(subject) if isinstance(subject, Lead) else {}
    told = {name: change for name, change in changed.items() if name in columns}
    await tell(event, actor, subject, row, changed=told, stands=stands, now=now)


async def open_again(actor: Actor, subject: Subject, row: FollowUp, *, now: datetime) -> None:
    """Open a follow-up on a locked subject that had ended, and record that."""
    whose = await follow_up_owners.ownership(actor.workspace_id, row.owner_id)
    columns: dict[str, Any] = {"status": FollowUpStatus.OPEN}
    columns |= dict.fromkeys(("outcome", "cancel_reason", "ended_at", "ended_by_id"))
    ring(row, whose, by=actor, now=now)
    await _write(actor, row, columns, now=now)
    await edits.write(row, {name: getattr(row, name) for name in RINGS})
    stands = await next_steps.follow(subject, one_more=row.due_at) if isinstance(subject, Lead) else {}
    await tell(REOPENED, actor, subject, row, changed={}, stands=stands, now=now)


async def put_off(
    actor: Actor, subject: Subject, row: FollowUp, due_at: datetime, due_on: date | None, *, now: datetime
) -> None:
    """Let an open follow-up on a locked subject be due at another time, and record that."""
    if (row.due_at, row.due_on) == (due_at, due_on):
        return
    whose = await follow_up_owners.ownership(row.workspace_id, row.owner_id)
    names = ("due_at", "due_on", *RINGS)
    before = {name: getattr(row, name) for name in names}
    row.due_at, row.due_on, row.snoozed_until = due_at, due_on, None
    ring(row, whose, by=actor, now=now)
    after = {name: getattr(row, name) for name in names}
    set_columns(row, before)
    changed = await _write(actor, row, after, now=now)
    stands = await next_steps.follow(subject) if isinstance(subject, Lead) else {}
    told = {name: change for name, change in changed.items() if name not in RINGS}
    await tell(UPDATED, actor, subject, row, changed=told, stands=stands, now=now)


def ring(row: FollowUp, whose: Ownership, *, by: Actor, now: datetime) -> None:
    """Set when the owner of an open follow-up is reminded, and when their manager is.

    What should have been reminded of before is at once, unless its owner has just planned it themselves.
    """
    row.remind_at = next_steps.reminded(
        row.due_at, due_on=row.due_on, time_zone=row.time_zone, minutes=row.remind_minutes_before
    )
    if row.remind_at is not None and row.remind_at <= now:
        knows = row.owner_id is not None and row.owner_id == by.user_id
        row.remind_at = None if row.due_at <= now or knows else now
    row.escalate_at = None
    if whose.escalate_after is not None:
        row.escalate_at = max(row.due_at, now) + whose.escalate_after


async def _write(actor: Actor, row: FollowUp, columns: Mapping[str, Any], *, now: datetime) -> dict[str, Sequence[Any]]:
    """Write those columns that differ and return them; what the system writes by itself raises no version."""
    if actor.kind is not ActorKind.SYSTEM:
        return await edits.apply(row, columns, now=now)
    changed = changes({name: getattr(row, name) for name in columns}, dict(columns))
    if changed:
        await edits.write(row, {name: columns[name] for name in changed})
    return changed


def set_columns(row: FollowUp, columns: Mapping[str, Any]) -> None:
    """Set columns of a follow-up without writing them."""
    for name, value in columns.items():
        setattr(row, name, value)


async def tell(
    event: Mapping[SubjectNoun, type[Event]],
    actor: Actor,
    subject: Subject,
    row: FollowUp,
    *,
    changed: Mapping[str, Any],
    stands: Mapping[str, Any],
    more: Mapping[str, Any] | None = None,
    now: datetime,
) -> None:
    """Record what happened to a follow-up of its subject; of a lead, with what `stands` on it otherwise since."""
    data: dict[str, Any] = {
        "follow_up_id": row.id,
        "follow_up_version": row.version,
        "kind": row.kind.value,
        "title": row.title,
        "owner_id": row.owner_id,
        "due_at": row.due_at,
    }
    data |= ({"follow_up_changes": _named(changed)} if changed else {}) | dict(more or {})
    if isinstance(subject, Lead):
        tag_ids = await leads.tags_of(subject.id)
        live = leads.live_columns(subject, tag_ids)
        data = leads.facts(live, subject, tag_ids, dict(stands)) | data
    await record(event[type(subject)](actor, subject.id, data), now=now)


def _named(changed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what changed with priorities by name, as clients know them."""
    return {
        name: [side.name if isinstance(side, Priority) else side for side in sides] for name, sides in changed.items()
    }
