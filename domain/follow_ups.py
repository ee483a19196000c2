"""Follow-ups: what is to be done next for a lead, a company or a contact, by whom and until when.

Who may see one of these sees its follow-ups. They are changed by their owner, by who planned them, and by who may
change what they are on. What recurs is laid out one at a time: the next one when this one is done or cancelled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from domain import (
    activities,
    edits,
    inputs,
    leads,
    local_times,
    next_steps,
    policy,
    recurrence,
    subjects,
    unreminded,
    users,
)
from domain.activities import ActivityDetails, NewActivity
from domain.actors import Actor, ActorKind
from domain.errors import DomainError, Faults, NotFound, OutOfRange, Required
from domain.events import Event, changes, record
from domain.policy import Action
from domain.recurrence import Series
from domain.subjects import Subject, SubjectKey, SubjectNoun
from domain.unset import UNSET, Unset, given
from models.activities import ActivityDirection, ActivityKind
from models.base import uuid7
from models.companies import Company
from models.database import read, transaction
from models.follow_ups import FollowUp, FollowUpKind, FollowUpStatus, Priority
from models.leads import Lead

MOST_OPEN = 200
# A year.
LONGEST_NOTICE = 366 * 24 * 60
LONGEST_SNOOZE = timedelta(days=5 * 366)
# How long before an instant people are reminded of it where nobody says.
NOTICE = {FollowUpKind.MEETING: 15}
UNIQUE = {"follow_up_pkey": "id"}

CREATED = subjects.events("follow_up_created")
UPDATED = subjects.events("follow_up_updated")
COMPLETED = subjects.events("follow_up_completed")
CANCELLED = subjects.events("follow_up_cancelled")
SNOOZED = subjects.events("follow_up_snoozed")
REOPENED = subjects.events("follow_up_reopened")

LOGGED: Mapping[FollowUpKind, tuple[ActivityKind, ActivityDirection | None]] = {
    FollowUpKind.CALL: (ActivityKind.CALL, ActivityDirection.OUTBOUND),
    FollowUpKind.EMAIL: (ActivityKind.EMAIL, ActivityDirection.OUTBOUND),
    FollowUpKind.MEETING: (ActivityKind.MEETING, None),
    FollowUpKind.TODO: (ActivityKind.NOTE, None),
}

OWNED = """
SELECT w.time_zone AS home, u.time_zone, m.active, w.settings -> 'followUps' ->> 'escalateAfterHours' AS hours,
       coalesce(w.settings -> 'followUps', '{}') ? 'escalateAfterHours' AS is_set
FROM workspace w
LEFT JOIN membership m ON m.workspace_id = w.id AND m.user_id = $2
LEFT JOIN user_account u ON u.id = m.user_id
WHERE w.id = $1
"""


class DueMissing(DomainError):
    """Say when it is due: by dueAt at an instant, or by dueOn on a day."""


class DueTwice(DomainError):
    """It is due at an instant or on a day: give dueAt or dueOn, not both."""


class TooManyFollowUps(DomainError):
    """A {noun} has at most {limit} open follow-ups."""


class OwnerUnseeing(DomainError):
    """This user may not see the {noun}, and so cannot follow up on it."""


class FollowUpEnded(DomainError):
    """The follow-up is {status} already: reopen it first."""


class SnoozedBackwards(DomainError):
    """A follow-up is snoozed until an instant to come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpDetails:
    """What people say of a follow-up; what is UNSET is left as it is, None clears it.

    Of a new one, `owner_id` is the actor and `remind_minutes_before` the usual where they are not given; None is
    nobody, and no reminder. One of `due_at` and `due_on` replaces the other.
    """

    kind: FollowUpKind | Unset = UNSET
    title: str | Unset | None = UNSET
    note: str | Unset | None = UNSET
    priority: Priority | Unset = UNSET
    due_at: datetime | Unset = UNSET
    due_on: date | Unset = UNSET
    remind_minutes_before: int | Unset | None = UNSET
    owner_id: UUID | Unset | None = UNSET
    recurrence: str | Unset | None = UNSET


# What the next one of a series says alike.
ALIKE = ("kind", "title", "note", "priority", "remind_minutes_before")


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose a follow-up is, where they live, and after how many hours overdue their manager is told."""

    owner_id: UUID | None
    time_zone: str
    escalate_after: timedelta | None


async def create(
    actor: Actor,
    key: SubjectKey,
    details: FollowUpDetails,
    *,
    id: UUID | None = None,
    occasion: str | None = None,
    now: datetime,
) -> FollowUp:
    """Plan what is to be done next for a lead, a company or a contact.

    Where nobody is named it is the actor's; what the system or an API key plans on a lead is its owner's. With an
    `occasion` there is one for it, which is returned where it is known. Raises NotFound, Forbidden, AlreadyExists
    (id), TooManyFollowUps, OwnerInactive, OwnerUnseeing, and faults of the input.
    """
    faults = Faults()
    new = edits.new_id(faults, id)
    with edits.collisions("follow-up", UNIQUE):
        async with transaction():
            subject = await subjects.locked(actor, key)
            policy.require(actor, Action.CREATE_FOLLOW_UP, subject)
            if occasion and (known := await FollowUp.get_or_none(workspace_id=actor.workspace_id, occasion=occasion)):
                return known
            titled = FollowUpDetails(title=None) if details.title is UNSET else FollowUpDetails()
            columns = check(faults, titled) | check(faults, details)
            if "kind" not in columns:
                faults.add(Required(field="kind"))
            wanted = default_owner(actor, subject) if isinstance(details.owner_id, Unset) else details.owner_id
            whose = await owned_by(faults, actor, subject, wanted)
            columns |= _due(faults, details, whose.time_zone)
            await forbid_more(faults, subject)
            faults.raise_any()
            columns.setdefault("remind_minutes_before", usual_notice(columns["kind"], columns["due_on"]))
            row = FollowUp(
                id=new,
                workspace_id=actor.workspace_id,
                owner_id=whose.owner_id,
                time_zone=whose.time_zone,
                created_by_id=actor.user_id,
                occasion=occasion,
                created_at=now,
                updated_at=now,
                **subjects.columns(key),
                **columns,
            )
            _begin_series(faults, row)
            faults.raise_any()
            ring(row, whose, by=actor, now=now)
            await add(actor, subject, row, now=now)
    return row


async def add(
    actor: Actor, subject: Subject, row: FollowUp, *, more: Mapping[str, Any] | None = None, now: datetime
) -> None:
    """Write a new follow-up on a locked subject, and record that."""
    await edits.insert(row)
    stands = await next_steps.follow(subject, one_more=row.due_at) if isinstance(subject, Lead) else {}
    told = {name: [None, value] for name in TOLD if (value := getattr(row, name)) is not None}
    await tell(CREATED, actor, subject, row, changed=told, stands=stands, more=more, now=now)


# What the event of a new one says of it.
TOLD = ("kind", "title", "priority", "owner_id", "due_at", "due_on", "recurrence", "plan_id")


async def complete(
    actor: Actor,
    follow_up_id: UUID,
    *,
    outcome: str | None = None,
    log_activity: bool = False,
    expected_version: int | None = None,
    now: datetime,
) -> FollowUp:
    """Note that a follow-up is done, and how it went; what recurs is then laid out once more, as `next`.

    With `log_activity` the call, mail or meeting is logged as well, and a to-do as a note. One that is done already
    with this outcome stays as it is. Raises NotFound, Stale, Forbidden, FollowUpEnded, and faults of the input.
    """
    faults = Faults()
    kept = inputs.text(faults, outcome, field="outcome")
    async with transaction():
        subject, row = await _locked(actor, follow_up_id, expected_version=expected_version)
        policy.require(actor, Action.UPDATE_FOLLOW_UP, row)
        faults.raise_any()
        if row.status is FollowUpStatus.DONE and row.outcome == kept:
            row.next = await _laid_next(row)
            return row
        _require_open(row)
        if log_activity:
            await _log(actor, row, kept, now=now)
        columns = {"status": FollowUpStatus.DONE, "outcome": kept}
        await _end(COMPLETED, actor, subject, row, columns, goes_on=True, now=now)
    return row


async def cancel(
    actor: Actor,
    follow_up_id: UUID,
    *,
    reason: str | None = None,
    end_series: bool = False,
    expected_version: int | None = None,
    now: datetime,
) -> FollowUp:
    """Let a follow-up be; what recurs goes on with the next one, as `next`, unless its series ends.

    One that is cancelled already for this reason stays as it is. Raises NotFound, Stale, Forbidden, FollowUpEnded,
    and faults of the input.
    """
    faults = Faults()
    kept = inputs.text(faults, reason, field="reason")
    async with transaction():
        subject, row = await _locked(actor, follow_up_id, expected_version=expected_version)
        policy.require(actor, Action.UPDATE_FOLLOW_UP, row)
        faults.raise_any()
        if row.status is FollowUpStatus.CANCELLED and row.cancel_reason == kept:
            row.next = await _laid_next(row)
            return row
        _require_open(row)
        columns = {"status": FollowUpStatus.CANCELLED, "cancel_reason": kept}
        await _end(CANCELLED, actor, subject, row, columns, goes_on=not end_series, now=now)
    return row


async def _end(
    event: Mapping[SubjectNoun, type[Event]],
    actor: Actor,
    subject: Subject,
    row: FollowUp,
    columns: dict[str, Any],
    *,
    goes_on: bool,
    now: datetime,
) -> None:
    """End an open follow-up, and lay out the next one of its series where that goes on."""
    await end(event, actor, subject, row, columns, now=now)
    if goes_on:
        row.next = await _lay_next(actor, subject, row, now=now)


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
    quiet = {"remind_at": None, "escalate_at": None, "snoozed_until": None}
    ended = {"ended_at": now, "ended_by_id": actor.user_id}
    changed = await _write(actor, row, {**columns, **quiet, **ended}, now=now)
    await unreminded.let_be(row.workspace_id, [row.id], now=now)
    stands = await next_steps.follow(subject) if isinstance(subject, Lead) else {}
    told = {name: change for name, change in changed.items() if name in columns}
    await tell(event, actor, subject, row, changed=told, stands=stands, now=now)


async def reopen(actor: Actor, follow_up_id: UUID, *, expected_version: int | None = None, now: datetime) -> FollowUp:
    """Open a follow-up again that was done or cancelled; one that is open stays as it is.

    What was laid out after it in its series stays, and is not laid out twice. Raises NotFound, Stale, Forbidden,
    TooManyFollowUps.
    """
    async with transaction():
        subject, row = await _locked(actor, follow_up_id, expected_version=expected_version)
        policy.require(actor, Action.UPDATE_FOLLOW_UP, row)
        if row.status is not FollowUpStatus.OPEN:
            faults = Faults()
            await forbid_more(faults, subject)
            faults.raise_any()
            await open_again(actor, subject, row, now=now)
    return row


async def open_again(actor: Actor, subject: Subject, row: FollowUp, *, now: datetime) -> None:
    """Open a follow-up on a locked subject that had ended, and record that."""
    whose = await ownership(actor.workspace_id, row.owner_id)
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
    whose = await ownership(row.workspace_id, row.owner_id)
    names = ("due_at", "due_on", *RINGS)
    before = {name: getattr(row, name) for name in names}
    row.due_at, row.due_on, row.snoozed_until = due_at, due_on, None
    ring(row, whose, by=actor, now=now)
    after = {name: getattr(row, name) for name in names}
    _set(row, before)
    changed = await _write(actor, row, after, now=now)
    stands = await next_steps.follow(subject) if isinstance(subject, Lead) else {}
    told = {name: change for name, change in changed.items() if name not in RINGS}
    await tell(UPDATED, actor, subject, row, changed=told, stands=stands, now=now)


async def snooze(
    actor: Actor, follow_up_id: UUID, until: datetime, *, expected_version: int | None = None, now: datetime
) -> FollowUp:
    """Be reminded of a follow-up at another time; when it is due stays as it is.

    Raises NotFound, Stale, Forbidden, FollowUpEnded, SnoozedBackwards, and faults of the input.
    """
    faults = Faults()
    inputs.instant(faults, until, field="until")
    faults.raise_any()
    if until <= now:
        raise SnoozedBackwards(field="until")
    if until > now + LONGEST_SNOOZE:
        raise OutOfRange(field="until", least=now.date(), most=(now + LONGEST_SNOOZE).date())
    async with transaction():
        subject, row = await _locked(actor, follow_up_id, expected_version=expected_version)
        policy.require(actor, Action.UPDATE_FOLLOW_UP, row)
        _require_open(row)
        if changed := await edits.apply(row, {"snoozed_until": until, "remind_at": until}, now=now):
            told = {"snoozed_until": changed["snoozed_until"]} if "snoozed_until" in changed else {}
            await tell(SNOOZED, actor, subject, row, changed=told, stands={}, now=now)
    return row


async def update(
    actor: Actor,
    follow_up_id: UUID,
    details: FollowUpDetails,
    *,
    following: bool = False,
    expected_version: int | None = None,
    now: datetime,
) -> FollowUp:
    """Change what is given of an open follow-up; of a series this one, or with `following` those after it as well.

    Another recurrence counts from this one on, and None ends the series with it. Raises NotFound, Stale, Forbidden,
    FollowUpEnded, OwnerInactive, OwnerUnseeing, and faults of the input.
    """
    faults = Faults()
    columns = check(faults, details)
    async with transaction():
        subject, row = await _locked(actor, follow_up_id, expected_version=expected_version)
        policy.require(actor, Action.UPDATE_FOLLOW_UP, row)
        _require_open(row)
        wanted = row.owner_id if isinstance(details.owner_id, Unset) else details.owner_id
        given_on = wanted != row.owner_id
        whose = await (owned_by(faults, actor, subject, wanted) if given_on else ownership(actor.workspace_id, wanted))
        zone = whose.time_zone if given_on else row.time_zone
        columns |= {"owner_id": wanted, "time_zone": zone} if given_on else {}
        columns |= _due(faults, details, zone, current=row)
        faults.raise_any()
        before = {name: getattr(row, name) for name in (*columns, *RINGS, *RECURS)}
        _set(row, columns)
        _follow_series(faults, row, columns, before, following=following)
        faults.raise_any()
        if any(name in before and getattr(row, name) != before[name] for name in WHEN):
            row.snoozed_until = None
            ring(row, whose, by=actor, now=now)
        after = {name: getattr(row, name) for name in before}
        _set(row, before)
        if changed := await edits.apply(row, after, now=now):
            stands = await next_steps.follow(subject) if isinstance(subject, Lead) and "due_at" in changed else {}
            told = {name: change for name, change in changed.items() if name in columns or name == "recurrence"}
            await tell(UPDATED, actor, subject, row, changed=told, stands=stands, now=now)
    return row


WHEN = ("due_at", "due_on", "remind_minutes_before")
RINGS = ("remind_at", "escalate_at", "snoozed_until")
RECURS = ("recurrence", "series_id", "series", "occurrence")


def check(faults: Faults, details: FollowUpDetails) -> dict[str, Any]:
    """Check what is given and return it as columns; whose it is and when it is due are looked at beside it."""
    columns: dict[str, Any] = given(kind=details.kind, priority=details.priority)
    if details.title is not UNSET:
        columns["title"] = inputs.name(faults, details.title, field="title")
    if details.note is not UNSET:
        columns["note"] = inputs.text(faults, details.note, field="note")
    if details.remind_minutes_before is not UNSET:
        columns["remind_minutes_before"] = inputs.whole(
            faults, details.remind_minutes_before, field="remindMinutesBefore", least=0, most=LONGEST_NOTICE
        )
    if details.recurrence is not UNSET:
        columns["recurrence"] = recurrence.check(faults, details.recurrence, field="recurrence")
    return columns


def usual_notice(kind: FollowUpKind, due_on: date | None) -> int:
    """Return how many minutes before it is due people are reminded where nobody says."""
    return NOTICE.get(kind, 0) if due_on is None else 0


def _due(faults: Faults, details: FollowUpDetails, zone: str, *, current: FollowUp | None = None) -> dict[str, Any]:
    """Return when a follow-up is due, where that is given or its day is another one in another time zone."""
    if not isinstance(details.due_at, Unset) and not isinstance(details.due_on, Unset):
        faults.add(DueTwice(field="dueOn"))
        return {}
    if not isinstance(details.due_at, Unset):
        inputs.instant(faults, details.due_at, field="dueAt")
        return {"due_at": details.due_at, "due_on": None}
    day = current.due_on if current is not None and isinstance(details.due_on, Unset) else details.due_on
    if isinstance(day, Unset):
        faults.add(DueMissing(field="dueAt"))
    if not isinstance(day, date):
        return {}
    found = Faults()
    inputs.day(found, day, field="dueOn")
    for fault in found:
        faults.add(fault)
    return {} if any(found) else {"due_at": local_times.end_of(day, zone), "due_on": day}


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


def _begin_series(faults: Faults, row: FollowUp) -> None:
    """Let a follow-up that recurs be the first of its series."""
    row.series_id, row.series, row.occurrence = None, None, 1
    if row.recurrence is None:
        return
    on_day = row.due_on is not None
    start = local_times.local_of(row.due_at, row.time_zone)
    if on_day:
        start = datetime.combine(row.due_on or start.date(), datetime.min.time())
    series = Series(row.recurrence, start, row.time_zone, on_day)
    if not series.begins_as_due():
        faults.add(recurrence.RecurrenceElsewhere(first=start.date(), field="recurrence"))
    row.series_id, row.series = row.id, {"start": start.isoformat(), "alike": _alike(row)}


def _alike(row: FollowUp) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ALIKE}


def _follow_series(
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
        _begin_series(faults, row)
        row.series_id = (was or row.series_id) if row.recurrence is not None else was
    elif following and row.series is not None:
        row.series = row.series | {"alike": row.series["alike"] | {n: columns[n] for n in ALIKE if n in columns}}


async def _lay_next(actor: Actor, subject: Subject, row: FollowUp, *, now: datetime) -> FollowUp | None:
    """Lay out the next follow-up of a series after one that has ended, once; None where the series ends."""
    if row.recurrence is None or row.series is None:
        return None
    if known := await _laid_next(row):
        return known
    start = datetime.fromisoformat(row.series["start"])
    series = Series(row.recurrence, start, row.time_zone, row.due_on is not None)
    slot = series.after(row.occurrence, now=now)
    if slot is None:
        return None
    whose = await ownership(row.workspace_id, row.owner_id)
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
    ring(new, whose, by=actor, now=now)
    await add(actor, subject, new, more={"follows_id": row.id}, now=now)
    return new


def _after(row: FollowUp) -> str:
    return f"next:{row.id}"


async def _laid_next(row: FollowUp) -> FollowUp | None:
    """Return what was laid out after a follow-up in its series."""
    return await FollowUp.get_or_none(workspace_id=row.workspace_id, occasion=_after(row)) if row.series else None


def default_owner(actor: Actor, subject: Subject) -> UUID | None:
    """Return whose a follow-up is where nobody is named."""
    if actor.kind is ActorKind.USER:
        return actor.user_id
    return subject.owner_id if isinstance(subject, Lead | Company) else None


async def ownership(workspace_id: UUID, owner_id: UUID | None) -> Ownership:
    """Return whose a follow-up is, as it stands."""
    [found] = await read(OWNED, workspace_id, owner_id)
    hours = found["hours"] if found["is_set"] else next_steps.ESCALATE_AFTER_HOURS
    escalate = None if hours is None else timedelta(hours=float(hours))
    return Ownership(owner_id, found["time_zone"] or found["home"], escalate)


async def owned_by(faults: Faults, actor: Actor, subject: Subject, owner_id: UUID | None) -> Ownership:
    """Check that an owner is an active member who may see the subject, and return whose it is then."""
    if owner_id is not None and owner_id != actor.user_id:
        await _check_owner(faults, actor, subject, owner_id)
    return await ownership(actor.workspace_id, owner_id)


async def _check_owner(faults: Faults, actor: Actor, subject: Subject, owner_id: UUID) -> None:
    found = Faults()
    await edits.owner(found, actor, owner_id, field="ownerId")
    for fault in found:
        faults.add(fault)
    if any(found):
        return
    people = await users.members(subject.workspace_id, [owner_id])
    if not subjects.is_seen_by(people[owner_id], subject):
        faults.add(OwnerUnseeing(noun=type(subject).__name__.lower(), field="ownerId"))


async def forbid_more(faults: Faults, subject: Subject) -> None:
    """Refuse one more follow-up where a locked subject has as many as it may."""
    if isinstance(subject, Lead) and subject.next_follow_up_at is None:
        return
    column = subjects.COLUMNS[type(subject)]
    if await FollowUp.filter(**{column: subject.id, "status": FollowUpStatus.OPEN}).count() >= MOST_OPEN:
        faults.add(TooManyFollowUps(noun=type(subject).__name__.lower(), limit=MOST_OPEN))


async def _locked(actor: Actor, follow_up_id: UUID, *, expected_version: int | None = None) -> tuple[Subject, FollowUp]:
    """Return a follow-up to be edited with what it is on, which is locked before it."""
    known = await policy.visible(actor, FollowUp).filter(id=follow_up_id).first()
    if known is None:
        raise NotFound(noun="follow-up", field="id")
    subject = await subjects.locked(actor, subjects.key_of(known), field="id")
    row = await policy.locked(actor, FollowUp, follow_up_id, expected_version=expected_version, field="id")
    row.lead_owner_id = subject.owner_id if isinstance(subject, Lead) else None
    return subject, row


async def _write(actor: Actor, row: FollowUp, columns: Mapping[str, Any], *, now: datetime) -> dict[str, Sequence[Any]]:
    """Write those columns that differ and return them; what the system writes by itself raises no version."""
    if actor.kind is not ActorKind.SYSTEM:
        return await edits.apply(row, columns, now=now)
    changed = changes({name: getattr(row, name) for name in columns}, dict(columns))
    if changed:
        await edits.write(row, {name: columns[name] for name in changed})
    return changed


def _require_open(row: FollowUp) -> None:
    if row.status is not FollowUpStatus.OPEN:
        raise FollowUpEnded(status=row.status.value.lower())


def _set(row: FollowUp, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, value)


async def _log(actor: Actor, row: FollowUp, outcome: str | None, *, now: datetime) -> None:
    """Log what was done as an activity of the same kind."""
    kind, direction = LOGGED[row.kind]
    told = {"text": outcome} if kind is ActivityKind.NOTE else {"outcome": (outcome or "")[: activities.LINE_LIMIT]}
    details = ActivityDetails(kind=kind, subject=row.title, direction=direction, **told)
    new = NewActivity(details=details, lead_id=row.lead_id, company_id=row.company_id, contact_id=row.contact_id)
    await activities.log(actor, new, now=now)


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
