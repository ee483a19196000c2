"""Follow-ups: what is to be done next for a lead, a company or a contact, by whom and until when.

Who may see one of these sees its follow-ups. They are changed by their owner, by who planned them, and by who may
change what they are on. What recurs is laid out one at a time: the next one when this one is done or cancelled.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from domain import (
    activities,
    edits,
    follow_up_changes,
    follow_up_details,
    follow_up_series,
    inputs,
    next_steps,
    policy,
    subjects,
)
from domain.activities import ActivityDetails, NewActivity
from domain.actors import Actor
from domain.errors import DomainError, Faults, NotFound, OutOfRange, Required
from domain.follow_up_changes import CANCELLED, COMPLETED, RINGS, SNOOZED, UPDATED, set_columns, tell
from domain.follow_up_details import FollowUpDetails, usual_notice
from domain.follow_up_owners import default_owner, owned_by, ownership
from domain.policy import Action
from domain.subjects import Subject, SubjectKey
from domain.unset import UNSET, Unset
from models.activities import ActivityDirection, ActivityKind
from models.database import transaction
from models.follow_ups import FollowUp, FollowUpKind, FollowUpStatus
from models.leads import Lead

LONGEST_SNOOZE = timedelta(days=5 * 366)
UNIQUE = {"follow_up_pkey": "id"}
LOGGED: Mapping[FollowUpKind, tuple[ActivityKind, ActivityDirection | None]] = {
    FollowUpKind.CALL: (ActivityKind.CALL, ActivityDirection.OUTBOUND),
    FollowUpKind.EMAIL: (ActivityKind.EMAIL, ActivityDirection.OUTBOUND),
    FollowUpKind.MEETING: (ActivityKind.MEETING, None),
    FollowUpKind.TODO: (ActivityKind.NOTE, None),
}
WHEN = ("due_at", "due_on", "remind_minutes_before")


class FollowUpEnded(DomainError):
    """The follow-up is {status} already: reopen it first."""


class SnoozedBackwards(DomainError):
    """A follow-up is snoozed until an instant to come."""


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
            columns = follow_up_details.check(faults, titled) | follow_up_details.check(faults, details)
            if "kind" not in columns:
                faults.add(Required(field="kind"))
            wanted = default_owner(actor, subject) if isinstance(details.owner_id, Unset) else details.owner_id
            whose = await owned_by(faults, actor, subject, wanted)
            columns |= follow_up_details.due(faults, details, whose.time_zone)
            await follow_up_changes.forbid_more(faults, subject)
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
            follow_up_series.begin(faults, row)
            faults.raise_any()
            follow_up_changes.ring(row, whose, by=actor, now=now)
            await follow_up_changes.add(actor, subject, row, now=now)
    return row


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
        faults.raise_any()
        if row.status is FollowUpStatus.DONE and row.outcome == kept:
            row.next = await follow_up_series.laid_next(row)
            return row
        _require_open(row)
        if log_activity:
            await _log(actor, row, kept, now=now)
        columns = {"status": FollowUpStatus.DONE, "outcome": kept}
        await follow_up_changes.end(COMPLETED, actor, subject, row, columns, now=now)
        row.next = await follow_up_series.lay_next(actor, subject, row, now=now)
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
        faults.raise_any()
        if row.status is FollowUpStatus.CANCELLED and row.cancel_reason == kept:
            row.next = await follow_up_series.laid_next(row)
            return row
        _require_open(row)
        columns = {"status": FollowUpStatus.CANCELLED, "cancel_reason": kept}
        await follow_up_changes.end(CANCELLED, actor, subject, row, columns, now=now)
        if not end_series:
            row.next = await follow_up_series.lay_next(actor, subject, row, now=now)
    return row


async def reopen(actor: Actor, follow_up_id: UUID, *, expected_version: int | None = None, now: datetime) -> FollowUp:
    """Open a follow-up again that was done or cancelled; one that is open stays as it is.

    What was laid out after it in its series stays, and is not laid out twice. Raises NotFound, Stale, Forbidden,
    TooManyFollowUps.
    """
    async with transaction():
        subject, row = await _locked(actor, follow_up_id, expected_version=expected_version)
        if row.status is not FollowUpStatus.OPEN:
            faults = Faults()
            await follow_up_changes.forbid_more(faults, subject)
            faults.raise_any()
            await follow_up_changes.open_again(actor, subject, row, now=now)
    return row


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
    columns = follow_up_details.check(faults, details)
    async with transaction():
        subject, row = await _locked(actor, follow_up_id, expected_version=expected_version)
        _require_open(row)
        wanted = row.owner_id if isinstance(details.owner_id, Unset) else details.owner_id
        given_on = wanted != row.owner_id
        whose = await (owned_by(faults, actor, subject, wanted) if given_on else ownership(actor.workspace_id, wanted))
        zone = whose.time_zone if given_on else row.time_zone
        columns |= {"owner_id": wanted, "time_zone": zone} if given_on else {}
        columns |= follow_up_details.due(faults, details, zone, current=row)
        faults.raise_any()
        before = {name: getattr(row, name) for name in (*columns, *RINGS, *follow_up_series.RECURS)}
        set_columns(row, columns)
        follow_up_series.follow(faults, row, columns, before, following=following)
        faults.raise_any()
        if any(name in before and getattr(row, name) != before[name] for name in WHEN):
            row.snoozed_until = None
            follow_up_changes.ring(row, whose, by=actor, now=now)
        after = {name: getattr(row, name) for name in before}
        set_columns(row, before)
        if changed := await edits.apply(row, after, now=now):
            stands = await next_steps.follow(subject) if isinstance(subject, Lead) and "due_at" in changed else {}
            told = {name: change for name, change in changed.items() if name in columns or name == "recurrence"}
            await tell(UPDATED, actor, subject, row, changed=told, stands=stands, now=now)
    return row


async def _locked(actor: Actor, follow_up_id: UUID, *, expected_version: int | None = None) -> tuple[Subject, FollowUp]:
    """Return a follow-up that the actor may edit with what it is on, which is locked before it."""
    known = await policy.visible(actor, FollowUp).filter(id=follow_up_id).first()
    if known is None:
        raise NotFound(noun="follow-up", field="id")
    subject = await subjects.locked(actor, subjects.key_of(known), field="id")
    row = await policy.locked(actor, FollowUp, follow_up_id, expected_version=expected_version, field="id")
    row.lead_owner_id = subject.owner_id if isinstance(subject, Lead) else None
    policy.require(actor, Action.UPDATE_FOLLOW_UP, row)
    return subject, row


def _require_open(row: FollowUp) -> None:
    if row.status is not FollowUpStatus.OPEN:
        raise FollowUpEnded(status=row.status.value.lower())


async def _log(actor: Actor, row: FollowUp, outcome: str | None, *, now: datetime) -> None:
    """Log what was done as an activity of the same kind."""
    kind, direction = LOGGED[row.kind]
    told = {"text": outcome} if kind is ActivityKind.NOTE else {"outcome": (outcome or "")[: activities.LINE_LIMIT]}
    details = ActivityDetails(kind=kind, subject=row.title, direction=direction, **told)
    new = NewActivity(details=details, lead_id=row.lead_id, company_id=row.company_id, contact_id=row.contact_id)
    await activities.log(actor, new, now=now)
