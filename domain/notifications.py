"""Who is told of what: the one table that says so, and what each person was told.

To tell people of an event, put it into RECIPIENTS, subscribe it to `notify` in workers/subscriptions.py, and record
with it whom it is for, where that is neither the owner nor a watcher. Whoever caused an event is not told of it, nor
is anybody who may not see the lead at the moment at which they would be told.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from tortoise.connection import get_connection
from tortoise.expressions import Q

from domain import (
    agreements,
    approvals,
    bulks,
    closings,
    comments,
    contracts,
    due_invoices,
    hand_overs,
    invoices,
    leads,
    moves,
    negotiation_ends,
    offers,
    policy,
    proposal_answers,
    proposal_expiry,
    proposal_views,
    sale_mails,
    sale_reminders,
    score_drift,
    score_trainings,
    stage_following,
    subjects,
    survey_answers,
    users,
)
from domain.actors import NONE, Actor, system
from domain.errors import DomainError, Forbidden
from domain.events import EVENTS, Event, dump, record
from domain.imports import runs as imports
from domain.policy import Action
from domain.reminded_people import About, Asked, People, people
from domain.sale_mails import not_negotiated
from domain.subjects import COLUMNS, Subject
from models.base import uuid7
from models.conversations import Comment, LeadWatcher, Notification, NotificationKind
from models.database import transaction
from models.events import Event as EventRow
from models.leads import Lead
from models.negotiations import NegotiationEnding
from models.postgres import connected
from models.proposal_links import Party
from models.surveys import Verdict
from models.users import Role

KEPT = timedelta(days=90)
FORGOTTEN_AT_ONCE = 5_000
MOST_MARKED = 100


class NotificationCreated(Event):
    """The subject is the notification."""

    name = "notification.created"


class NotificationsRead(Event):
    """The subject is whoever read them."""

    name = "notification.read"


class TooManyNotifications(DomainError):
    """At most {limit} notifications are marked by their ids at once, not {count}: name the last one as upToId."""


class NotOneWay(DomainError):
    """Say in one way which notifications were read: by ids, by upToId, or all."""


@dataclass(slots=True)
class Around:
    """What it takes to say who is told of some events, read once for all of them."""

    rows: dict[UUID, Subject] = field(default_factory=dict)
    watching: dict[UUID, list[LeadWatcher]] = field(default_factory=dict)
    members: Mapping[UUID, Actor] = field(default_factory=dict)
    above: People = field(default_factory=People)


Who: TypeAlias = Callable[[EventRow, Around], Iterable[Any]]


def named(*keys: str) -> Who:
    """Those whom the event's facts name under these keys, each a user's id or a list of such."""

    def who(event: EventRow, around: Around) -> Iterable[Any]:
        for value in map(event.data.get, keys):
            yield from value if isinstance(value, list) else [value]

    return who


def owner(event: EventRow, around: Around) -> Iterable[Any]:
    """Who owns the subject now."""
    row = around.rows.get(event.subject_id)
    return [row.owner_id] if row else []


def given_to(event: EventRow, around: Around) -> Iterable[Any]:
    """Who owns the lead after the event; nobody where it is one of many that came in at once."""
    return [] if event.data.get("bulk") and event.name == leads.LeadCaptured.name else [event.data["after"]["owner_id"]]


def watchers(event: EventRow, around: Around) -> Iterable[Any]:
    """Who watched the lead when it happened."""
    known = around.watching.get(event.subject_id, ())
    return [row.user_id for row in known if row.created_at <= event.occurred_at]


def approvers(event: EventRow, around: Around) -> Iterable[Any]:
    """Who may approve a move of the lead."""
    row = around.rows.get(event.subject_id)
    return [key for key, member in around.members.items() if policy.may(member, Action.APPROVE_MOVE, row)]


def offer_approvers(event: EventRow, around: Around) -> Iterable[Any]:
    """Who may let an offer pass that goes beyond the guard rails."""
    row = around.rows.get(event.subject_id)
    return [key for key, member in around.members.items() if policy.may(member, Action.APPROVE_OFFER, row)]


def scorers(event: EventRow, around: Around) -> Iterable[Any]:
    """Who answers for the models that score leads."""
    return [key for key, member in around.members.items() if policy.may(member, Action.MANAGE_SCORING)]


def named_roles(event: EventRow, around: Around) -> Iterable[Any]:
    """Who has one of the roles that the event names; the admins where nobody who sees the lead has."""
    row, roles = around.rows.get(event.subject_id), event.data["roles"]
    seeing = {key: one for key, one in around.members.items() if row is not None and subjects.is_seen_by(one, row)}
    return [key for key, one in seeing.items() if one.role in roles] or [
        key for key, one in seeing.items() if one.role is Role.ADMIN
    ]


def nobody(event: EventRow, around: Around) -> Iterable[Any]:
    return ()


def managers(event: EventRow, around: Around) -> Iterable[Any]:
    """Those above whoever owns the subject, as for reminders."""
    subject = around.rows.get(event.subject_id)
    return around.above.of(_above(subject)) if subject else []


def _above(subject: Subject) -> Asked:
    about = About(type(subject), subject.owner_id if isinstance(subject, Lead) else None)
    return Asked(subject.workspace_id, subject.owner_id, about, managers=True)


def by_buyer(event: EventRow) -> bool:
    return bool(event.data.get("party") == Party.BUYER)


def breaks_off(event: EventRow) -> bool:
    """Say whether a side broke off: where the proposal ended, that is told of itself."""
    return bool(event.data.get("ending") == NegotiationEnding.BROKEN_OFF)


def is_first(event: EventRow) -> bool:
    return bool(event.data.get("first"))


def always(event: EventRow) -> bool:
    return True


def changed_stage(event: EventRow) -> bool:
    """Say whether a lead went to another stage, and not only to another place in its own."""
    return "stage_id" in event.data.get("changes", {})


def is_detractor(event: EventRow) -> bool:
    return bool(event.data.get("verdict") == Verdict.DETRACTOR)


@dataclass(frozen=True, slots=True)
class Telling:
    """Whom an event is told, and as what, `but` for those who are told of it by another event.

    `themselves`: also to whoever caused it, since they wait for it.
    """

    kind: NotificationKind
    to: tuple[Who, ...]
    but: Who = nobody
    when: Callable[[EventRow], bool] = always
    themselves: bool = False


KIND = NotificationKind
# Those that look through all members.
EVERYBODY = frozenset({approvers, offer_approvers, named_roles, scorers})
# Of several that an event is told as, each person is told the first.
RECIPIENTS: Mapping[type[Event], tuple[Telling, ...]] = {
    **{
        event: (Telling(KIND.MENTION, (named("mention_ids"),)), Telling(KIND.COMMENT, (owner, watchers)))
        for event in comments.COMMENTED.values()
    },
    **{event: (Telling(KIND.MENTION, (named("mention_ids"),)),) for event in comments.UPDATED.values()},
    leads.LeadCaptured: (Telling(KIND.ASSIGNED, (given_to,)),),
    leads.LeadAssigned: (Telling(KIND.ASSIGNED, (given_to,)),),
    moves.LeadMoved: (
        Telling(KIND.LEAD_MOVED, (owner, watchers), but=named("requested_by_id", "caused_by_id"), when=changed_stage),
    ),
    moves.LeadMoveRequested: (Telling(KIND.MOVE_REQUESTED, (approvers,)),),
    moves.LeadMoveApproved: (Telling(KIND.MOVE_APPROVED, (named("requested_by_id"),)),),
    moves.LeadMoveRejected: (Telling(KIND.MOVE_REJECTED, (named("requested_by_id"),)),),
    closings.LeadClosed: (Telling(KIND.LEAD_CLOSED, (owner, watchers), but=named("caused_by_id")),),
    stage_following.LeadMoveHeld: (Telling(KIND.MOVE_HELD, (owner,)),),
    closings.LeadReopened: (Telling(KIND.LEAD_REOPENED, (owner, watchers)),),
    approvals.ProposalApprovalRequested: (Telling(KIND.APPROVAL_REQUESTED, (named_roles,)),),
    approvals.ProposalApproved: (Telling(KIND.PROPOSAL_APPROVED, (named("requested_by_id"), owner)),),
    approvals.ProposalRejected: (Telling(KIND.PROPOSAL_REJECTED, (named("requested_by_id"), owner)),),
    proposal_views.ProposalViewed: (Telling(KIND.PROPOSAL_VIEWED, (owner,), when=is_first),),
    proposal_answers.ProposalQuestionAsked: (Telling(KIND.PROPOSAL_QUESTION, (owner,)),),
    proposal_answers.ProposalAccepted: (Telling(KIND.PROPOSAL_ACCEPTED, (owner,), when=not_negotiated),),
    proposal_answers.ProposalDeclined: (Telling(KIND.PROPOSAL_DECLINED, (owner,)),),
    contracts.ContractSigned: (Telling(KIND.CONTRACT_SIGNED, (owner,)),),
    invoices.InvoicePaid: (Telling(KIND.INVOICE_PAID, (owner,)),),
    due_invoices.InvoiceOverdue: (Telling(KIND.INVOICE_OVERDUE, (owner,)),),
    sale_mails.CustomerNotMailed: (Telling(KIND.CUSTOMER_NOT_MAILED, (named("by_id"), owner)),),
    proposal_expiry.ProposalExpired: (Telling(KIND.PROPOSAL_EXPIRED, (owner,)),),
    sale_reminders.ProposalEnding: (Telling(KIND.PROPOSAL_ENDING, (owner,)),),
    sale_reminders.NegotiationOverdue: (Telling(KIND.NEGOTIATION_OVERDUE, (owner,)),),
    agreements.NegotiationAgreed: (Telling(KIND.NEGOTIATION_AGREED, (owner,)),),
    negotiation_ends.NegotiationBrokenOff: (Telling(KIND.NEGOTIATION_BROKEN_OFF, (owner,), when=breaks_off),),
    offers.NegotiationOfferMade: (Telling(KIND.OFFER_RECEIVED, (owner,), when=by_buyer),),
    offers.NegotiationOfferHeld: (Telling(KIND.APPROVAL_REQUESTED, (offer_approvers,)),),
    offers.NegotiationOfferApproved: (Telling(KIND.OFFER_APPROVED, (owner,)),),
    offers.NegotiationOfferRejected: (Telling(KIND.OFFER_REJECTED, (owner,)),),
    bulks.BulkCompleted: (Telling(KIND.BULK_DONE, (named("user_id"),), themselves=True),),
    bulks.BulkFailed: (Telling(KIND.BULK_DONE, (named("user_id"),), themselves=True),),
    score_trainings.ScoreTrainingEnded: (Telling(KIND.TRAINING_ENDED, (named("requested_by_id"),), themselves=True),),
    score_drift.ScoreModelDrifted: (Telling(KIND.SCORE_DRIFTED, (scorers,)),),
    hand_overs.LeadHandedOver: (Telling(KIND.HAND_OVER, (named("to_user_id"),)),),
    hand_overs.LeadAccepted: (Telling(KIND.HAND_OVER_ACCEPTED, (named("from_user_id"),)),),
    hand_overs.LeadReturned: (Telling(KIND.HAND_OVER_RETURNED, (named("from_user_id"), owner)),),
    imports.ImportCompleted: (Telling(KIND.IMPORT_DONE, (named("user_id"),), themselves=True),),
    imports.ImportFailed: (Telling(KIND.IMPORT_DONE, (named("user_id"),), themselves=True),),
    **{
        event: (
            Telling(KIND.SURVEY_DETRACTOR, (owner, managers), when=is_detractor),
            Telling(KIND.SURVEY_ANSWERED, (owner,)),
        )
        for event in survey_answers.ANSWERED.values()
    },
}

INSERT = """
INSERT INTO notification
       (id, workspace_id, user_id, kind, lead_id, comment_id, actor_id, event_id, data, created_at)
SELECT id, $1, user_id, kind, lead_id, comment_id, actor_id, event_id, data, $2
FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[], $10::jsonb[])
     AS new(id, user_id, kind, lead_id, comment_id, actor_id, event_id, data)
ON CONFLICT (event_id, user_id, kind) DO {again}
RETURNING id
"""
ONCE = INSERT.format(again="NOTHING")
# What tells of many events goes on counting; its job is done in the same transaction, so that none counts twice.
COUNTING = INSERT.format(
    again="""UPDATE SET data = jsonb_build_object(
    'events', (notification.data ->> 'events')::int + (excluded.data ->> 'events')::int)"""
)


REMIND = """
INSERT INTO notification (id, workspace_id, user_id, kind, lead_id, event_id, reminder_id, data, created_at)
SELECT id, workspace_id, user_id, kind, lead_id, reminder_id, reminder_id, '{}', $1
FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::uuid[], $7::uuid[])
     AS new(id, workspace_id, user_id, kind, lead_id, reminder_id)
"""
SUBJECTS = frozenset(noun._meta.db_table for noun in COLUMNS)


async def notify(workspace_id: UUID, event_ids: Sequence[UUID], *, together: bool = False, now: datetime) -> None:
    """Tell everybody concerned of events, each once, whoever else does so at the same time.

    `together` tells a person once of many events of one kind, as where somebody moves a thousand leads at once.
    Those of one work on many leads count on, job by job: a job that calls this is done in the same transaction.
    """
    async with transaction():
        found = await EventRow.filter(id__in=event_ids, workspace_id=workspace_id).order_by("position", "id")
        events = await _to_tell([event for event in found if EVENTS.get(event.name) in RECIPIENTS])
        if not events:
            return
        around = await _around(workspace_id, events, now=now)
        made = [one for event in events for one in _tellings(workspace_id, event, around)]
        if not together:
            await _write(workspace_id, made, around, now=now)
            return
        works = {event.id: UUID(event.data["bulk_id"]) for event in events if "bulk_id" in event.data}
        ended = [one for one in made if one.event_id not in works]
        await _write(workspace_id, _together(ended), around, now=now)
        await _write(workspace_id, _of_works(made, works), around, sql=COUNTING, now=now)


async def _to_tell(events: Sequence[EventRow]) -> list[EventRow]:
    """Return the events without those of comments that were deleted meanwhile."""
    keys = {key for event in events if (key := _comment_of(event))}
    deleted = {row.id for row in await Comment.filter(id__in=keys, deleted_at__not_isnull=True)} if keys else set()
    return [event for event in events if _comment_of(event) not in deleted]


async def _around(workspace_id: UUID, events: Sequence[EventRow], *, now: datetime) -> Around:
    around, keys = Around(), {event.subject_id for event in events}
    types = {event.subject_type for event in events}
    for noun in COLUMNS:
        if noun._meta.db_table in types:
            around.rows |= {row.id: row for row in await noun.filter(id__in=keys, workspace_id=workspace_id)}
    if Lead._meta.db_table in types:
        for row in await LeadWatcher.filter(lead_id__in=keys):
            around.watching.setdefault(row.lead_id, []).append(row)
    told = [(telling, event) for event in events for telling in _how(event)]
    led = {event.subject_id for telling, event in told if managers in telling.to} & around.rows.keys()
    if led:
        around.above = await people([_above(around.rows[key]) for key in led], now=now)
    anybody = any(EVERYBODY & set(telling.to) for telling, _ in told)
    wanted = {key for telling, event in told for key in _to(telling, event, around)}
    around.members = await users.members(workspace_id, None if anybody else wanted)
    return around


def _how(event: EventRow) -> list[Telling]:
    return [telling for telling in RECIPIENTS[EVENTS[event.name]] if telling.when(event)]


def _to(telling: Telling, event: EventRow, around: Around) -> list[UUID]:
    others = {str(key) for key in telling.but(event, around)}
    keys = (key for who in telling.to for key in who(event, around) if key is not None)
    return [UUID(str(key)) for key in keys if str(key) not in others]


def _tellings(workspace_id: UUID, event: EventRow, around: Around) -> Iterable[Notification]:
    """Return what an event is told as, to each person at most once."""
    subject, by = around.rows.get(event.subject_id), event.actor.get("user")
    known: set[UUID] = set()
    for telling in _how(event):
        for key in _to(telling, event, around):
            if key in known or (str(key) == by and not telling.themselves) or not _may_see(key, event, around):
                continue
            known.add(key)
            yield Notification(
                workspace_id=workspace_id,
                user_id=key,
                kind=telling.kind,
                lead_id=event.subject_id if isinstance(subject, Lead) else None,
                comment_id=_comment_of(event),
                actor_id=UUID(by) if by else None,
                event_id=event.id,
            )


def _may_see(user_id: UUID, event: EventRow, around: Around) -> bool:
    """Say whether somebody is an active member, for whom what the event is about exists as it is now."""
    member, subject = around.members.get(user_id), around.rows.get(event.subject_id)
    if member is None or event.subject_type not in SUBJECTS:
        return member is not None
    return subject is not None and subjects.is_seen_by(member, subject)


def _comment_of(event: EventRow) -> UUID | None:
    key = event.data.get("comment_id")
    return UUID(key) if key else None


def _together(made: Iterable[Notification]) -> list[Notification]:
    """Return one notification for each person, kind and cause, which says how many events it tells of."""
    groups: dict[Any, list[Notification]] = {}
    for one in made:
        groups.setdefault((one.user_id, one.kind, one.actor_id), []).append(one)
    for first, *others in groups.values():
        if others:
            first.lead_id = first.comment_id = None
            first.data = {"events": len(others) + 1}
    return [first for first, *_ in groups.values()]


def _of_works(made: Iterable[Notification], works: Mapping[UUID, UUID]) -> list[Notification]:
    """Return one notification for each person, kind and work on many, with how many events there are of it here."""
    groups: dict[Any, Notification] = {}
    for one in made:
        if (work := works.get(one.event_id)) is None:
            continue
        first = groups.setdefault((one.user_id, one.kind, work), one)
        first.event_id, first.lead_id, first.comment_id = work, None, None
        first.data = {"events": first.data.get("events", 0) + 1}
    return list(groups.values())


async def _write(
    workspace_id: UUID, made: Iterable[Notification], around: Around, *, sql: str = ONCE, now: datetime
) -> None:
    # Everybody writes them in one order, so that two who tell of the same events wait for each other and no more.
    ordered = sorted(made, key=lambda one: (one.event_id, one.user_id, one.kind))
    if not ordered:
        return
    names = ("id", "user_id", "kind", "lead_id", "comment_id", "actor_id", "event_id")
    values = [[getattr(one, name) for one in ordered] for name in names]
    written = await connected().fetch(sql, [workspace_id, now, *values, [dump(one.data) for one in ordered]])
    keys, by = {row["id"] for row in written}, system(workspace_id, task="notify")
    fresh = [one for one in ordered if one.id in keys]
    await record(*(NotificationCreated(by, one.id, _facts(one, around)) for one in fresh), now=now)


def _facts(one: Notification, around: Around) -> dict[str, Any]:
    """Return what live readers test: whom it is for, and whose the lead is."""
    lead = around.rows.get(one.lead_id) if one.lead_id else None
    seen = {"owner_id": lead.owner_id, "deleted": False} if lead else None
    return {"user_id": one.user_id, "kind": one.kind, "lead": seen}


@dataclass(frozen=True, slots=True)
class Reminded:
    """Somebody who is told of a reminder, perhaps of a lead of `lead_owner_id`."""

    workspace_id: UUID
    user_id: UUID
    kind: NotificationKind
    reminder_id: UUID
    lead_id: UUID | None
    lead_owner_id: UUID | None


async def remind(told: Sequence[Reminded], *, now: datetime) -> None:
    """Tell people of new reminders, within the running transaction."""
    if not told:
        return
    keys = [uuid7() for _ in told]
    names = ("workspace_id", "user_id", "kind", "lead_id", "reminder_id")
    await connected().fetch(REMIND, [now, keys, *([getattr(one, name) for one in told] for name in names)])
    created = []
    for key, one in zip(keys, told, strict=True):
        seen = {"owner_id": one.lead_owner_id, "deleted": False} if one.lead_id else None
        facts = {"user_id": one.user_id, "kind": one.kind, "lead": seen}
        created.append(NotificationCreated(system(one.workspace_id, task="remind"), key, facts))
    await record(*created, now=now)


async def mark_read(
    actor: Actor,
    *,
    ids: Sequence[UUID] | None = None,
    up_to_id: UUID | None = None,
    everything: bool = False,
    now: datetime,
) -> list[Notification]:
    """Mark the actor's notifications as read: these, or one and all before it, or all; return those of `ids`.

    Those that are read stay as they are, and what is not theirs or is gone is left out. Raises Forbidden, and NotFound
    for `up_to_id`.
    """
    user_id = reader(actor)
    policy.require(actor, Action.READ_NOTIFICATIONS)
    if sum((ids is not None, up_to_id is not None, everything)) != 1:
        raise NotOneWay
    wanted = list(dict.fromkeys(ids or ()))
    if len(wanted) > MOST_MARKED:
        raise TooManyNotifications(limit=MOST_MARKED, count=len(wanted), field="ids")
    async with transaction():
        rows = {row.id: row for row in await policy.visible(actor, Notification).filter(id__in=wanted)}
        unread = Notification.filter(workspace_id=actor.workspace_id, user_id=user_id, read_at=None)
        if ids is not None:
            unread = unread.filter(id__in=list(rows))
        if up_to_id is not None:
            last = await policy.get(actor, Notification, up_to_id, field="upToId")
            unread = unread.filter(Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, id__lte=last.id))
        if marked := await unread.update(read_at=now):
            await record(NotificationsRead(actor, user_id, {"user_id": user_id, "count": marked}), now=now)
    for row in rows.values():
        row.read_at = row.read_at or now
    return [rows[key] for key in wanted if key in rows]


def reader(actor: Actor) -> UUID:
    """Return whose notifications an actor reads: a person's own, or those of a key's service user. Raises Forbidden."""
    if actor.user_id is None:
        raise Forbidden(action="only members have notifications")
    if policy.scope(actor, Notification) == NONE:
        raise Forbidden(action="read notifications, since the API key lacks a scope that this takes")
    return actor.user_id


FORGET = f"""
DELETE FROM notification WHERE id IN (
    SELECT id FROM notification WHERE created_at < $1 ORDER BY created_at
    LIMIT {FORGOTTEN_AT_ONCE} FOR UPDATE SKIP LOCKED
)
"""


async def forget(*, now: datetime) -> None:
    """Delete notifications that are older than KEPT, a few at a time."""
    deleted = FORGOTTEN_AT_ONCE
    while deleted == FORGOTTEN_AT_ONCE:
        deleted, _ = await get_connection("default").execute_query(FORGET, [now - KEPT])
