"""Whom a survey goes to: after a sale by its rule, or by hand; when it goes out, is brought to mind, and ends.

Every change of a dispatch's state is made with its row locked, and what is sent is asked for in the same
transaction, so that two workers, or one that runs twice, send nothing twice.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import deliveries, locks, policy, questionnaires, subjects, surveys
from domain.actors import Actor, system
from domain.deliveries import Message
from domain.errors import DomainError, Faults, NotFound, Required
from domain.events import Event, record
from domain.policy import Action
from domain.subjects import Subject
from models.base import uuid7
from models.contacts import Contact
from models.database import read, transaction
from models.deliveries import Channel
from models.events import Event as EventRow
from models.leads import Lead, LeadStatus
from models.postgres import connected
from models.surveys import DispatchStatus, DispatchTrigger, SkipReason, Survey, SurveyDispatch, SurveyVersion

KIND = "survey"
MOST_BY_HAND = 500
SWEPT_AT_ONCE = 200
ENDED = frozenset({DispatchStatus.ANSWERED, DispatchStatus.EXPIRED, DispatchStatus.SKIPPED, DispatchStatus.CANCELLED})


class SurveyDispatchCreated(Event):
    """The subject is the dispatch, here as below."""

    name = "survey_dispatch.created"


class SurveyDispatchSent(Event):
    name = "survey_dispatch.sent"


class SurveyDispatchReminded(Event):
    name = "survey_dispatch.reminded"


class SurveyDispatchSkipped(Event):
    name = "survey_dispatch.skipped"


class SurveyDispatchExpired(Event):
    name = "survey_dispatch.expired"


class SurveyDispatchCancelled(Event):
    name = "survey_dispatch.cancelled"


class TooManyToAsk(DomainError):
    """A survey goes to at most {limit} at once, not {count}."""


class SurveyOver(DomainError):
    """This survey is over already: it was {status}."""


INSERT = """
INSERT INTO survey_dispatch
       (id, workspace_id, survey_id, lead_id, contact_id, created_by_id, trigger, occasion, won_at, status,
        skip_reason, due_at, ended_at, reminders, created_at)
SELECT id, $1, survey_id, lead_id, contact_id, $2, $3, occasion, won_at, status, skip_reason, due_at,
       CASE WHEN due_at IS NULL THEN $4::timestamptz END, 0, $4::timestamptz
FROM unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::timestamptz[], $11::text[], $12::text[],
            $13::timestamptz[])
     AS new(id, survey_id, lead_id, contact_id, occasion, won_at, status, skip_reason, due_at)
ORDER BY occasion
ON CONFLICT (workspace_id, occasion) WHERE occasion IS NOT NULL DO NOTHING
RETURNING id
"""
WRITE = """
UPDATE survey_dispatch SET survey_version_id = new.survey_version_id, contact_id = new.contact_id,
       status = new.status, skip_reason = new.skip_reason, language = new.language, due_at = new.due_at,
       reminders = new.reminders, sent_at = new.sent_at, expires_at = new.expires_at, ended_at = new.ended_at
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::int[],
            $9::timestamptz[], $10::timestamptz[], $11::timestamptz[])
     AS new(id, survey_version_id, contact_id, status, skip_reason, language, due_at, reminders, sent_at, expires_at,
            ended_at)
WHERE survey_dispatch.id = new.id
"""
WRITTEN = (
    "id",
    "survey_version_id",
    "contact_id",
    "status",
    "skip_reason",
    "language",
    "due_at",
    "reminders",
    "sent_at",
    "expires_at",
    "ended_at",
)
DUE = """
SELECT id FROM survey_dispatch WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
"""
# Nobody reopens these leads until the transaction ends.
WON = """
SELECT id, pipeline_id, closed_at FROM lead
WHERE workspace_id = $1 AND id = ANY($2) AND status = 'WON' AND deleted_at IS NULL ORDER BY id FOR SHARE
"""
FORGET = """
SELECT id FROM survey_dispatch
WHERE workspace_id = $1 AND lead_id = ANY($2) AND status = 'SCHEDULED' AND trigger = 'LEAD_WON'
ORDER BY id FOR NO KEY UPDATE
"""
PRIMARY = """
SELECT lead_id, contact_id FROM lead_contact
JOIN contact ON contact.id = lead_contact.contact_id AND contact.deleted_at IS NULL
WHERE lead_id = ANY($1) AND is_primary
"""
ASKED = """
SELECT contact_id, max(sent_at) AS sent_at FROM survey_dispatch
WHERE contact_id = ANY($1) AND sent_at IS NOT NULL GROUP BY contact_id
"""
SUPPRESSED = """
SELECT email_normalised FROM suppression
WHERE workspace_id = $1 AND email_normalised = ANY($2) AND (kind IS NULL OR kind = $3)
"""


def is_sampled(survey_id: UUID, lead_id: UUID, closed_at: datetime, *, percent: int) -> bool:
    """Say whether a sale is among those that are asked about: always the same, for as many of a hundred."""
    digest = hashlib.sha256(f"{survey_id}:{lead_id}:{closed_at.timestamp()}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < percent


async def by_rule(workspace_id: UUID, event_ids: Sequence[UUID], *, now: datetime) -> list[UUID]:
    """Have customers asked about the sales that these events tell of, by the rules there are; return the dispatches.

    Each survey asks once about each closing of a lead. A lead that was reopened since asks for nothing.
    """
    async with transaction():
        told = await EventRow.filter(id__in=event_ids, workspace_id=workspace_id)
        closings = {event.subject_id: _closed_at(event) for event in told}
        asking = await Survey.filter(
            workspace_id=workspace_id, after_sale=True, archived_at=None, published_number__not_isnull=True
        ).order_by("id")
        if not asking:
            return []
        won = await connected().fetch(WON, [workspace_id, [key for key, at in closings.items() if at]])
        made = [
            _after_sale(survey, row["id"], row["closed_at"])
            for row in won
            if row["closed_at"] == closings[row["id"]]
            for survey in asking
            if survey.pipeline_id in (None, row["pipeline_id"])
        ]
        actor = system(workspace_id, task="dispatch_surveys")
        return await _insert(actor, DispatchTrigger.LEAD_WON, made, now=now)


def _closed_at(event: EventRow) -> datetime | None:
    after = event.data.get("after") or {}
    if after.get("status") != LeadStatus.WON or not after.get("closed_at"):
        return None
    return datetime.fromisoformat(after["closed_at"])


def _after_sale(survey: Survey, lead_id: UUID, closed_at: datetime) -> SurveyDispatch:
    sampled = is_sampled(survey.id, lead_id, closed_at, percent=survey.sample_percent)
    return SurveyDispatch(
        id=uuid7(),
        survey_id=survey.id,
        lead_id=lead_id,
        occasion=f"won:{survey.id}:{lead_id}:{closed_at.timestamp()}",
        won_at=closed_at,
        status=DispatchStatus.SCHEDULED if sampled else DispatchStatus.SKIPPED,
        skip_reason=None if sampled else SkipReason.SAMPLED_OUT,
        due_at=closed_at + timedelta(days=survey.delay_days) if sampled else None,
    )


async def reopened(workspace_id: UUID, lead_ids: Sequence[UUID], *, now: datetime) -> None:
    """Cancel what was to go out about sales that are none any more; what is out already stays."""
    async with transaction():
        won = {row["id"]: row["closed_at"] for row in await connected().fetch(WON, [workspace_id, list(lead_ids)])}
        keys = [row["id"] for row in await connected().fetch(FORGET, [workspace_id, list(lead_ids)])]
        rows = await SurveyDispatch.filter(id__in=keys).order_by("id")
        gone = [row for row in rows if row.lead_id is None or won.get(row.lead_id) != row.won_at]
        for row in gone:
            _end(row, DispatchStatus.CANCELLED, now)
        await _write(gone)
        actor = system(workspace_id, task="cancel_surveys")
        await record(*(SurveyDispatchCancelled(actor, row.id, _facts(row)) for row in gone), now=now)


async def dispatch(
    actor: Actor,
    survey_id: UUID,
    *,
    lead_ids: Sequence[UUID] = (),
    contact_ids: Sequence[UUID] = (),
    at: datetime | None = None,
    now: datetime,
) -> list[SurveyDispatch]:
    """Send a survey by hand: to the primary contacts of leads, and to contacts; at once, or at an instant.

    Whoever cannot be asked now has a dispatch that says why. Raises Forbidden, NotFound with its path, Conflict where
    the survey is archived, SurveyNotPublished, TooManyToAsk.
    """
    count = len(lead_ids) + len(contact_ids)
    if not count:
        raise Required(field="leadIds")
    if count > MOST_BY_HAND:
        raise TooManyToAsk(limit=MOST_BY_HAND, count=count)
    async with transaction():
        survey = await surveys.published(actor, survey_id, field="surveyId")
        faults = Faults()
        leads = await _asked(faults, actor, Lead, lead_ids, "leadIds")
        contacts = await _asked(faults, actor, Contact, contact_ids, "contactIds")
        faults.raise_any()
        due_at = at if at is not None and at > now else now
        made = [SurveyDispatch(id=uuid7(), survey_id=survey.id, lead_id=row.id, due_at=due_at) for row in leads]
        made += [SurveyDispatch(id=uuid7(), survey_id=survey.id, contact_id=row.id, due_at=due_at) for row in contacts]
        keys = await _insert(actor, DispatchTrigger.MANUAL, made, now=now)
        rows = await SurveyDispatch.filter(id__in=keys).order_by("id")
        if due_at <= now:
            await _send(actor, rows, now=now)
        return rows


async def _asked(faults: Faults, actor: Actor, noun: type[Any], keys: Sequence[UUID], field: str) -> list[Any]:
    """Return the rows that somebody wants to ask, each once."""
    found = {row.id: row for row in await policy.visible(actor, noun).filter(id__in=keys, deleted_at=None)}
    for at, key in enumerate(keys):
        if key not in found:
            faults.add(NotFound(noun=noun._meta.db_table, field=f"{field}.{at}"))
    for row in found.values():
        policy.require(actor, Action.DISPATCH_SURVEY, row)
    return [found[key] for key in dict.fromkeys(keys) if key in found]


async def cancel(actor: Actor, dispatch_id: UUID, *, now: datetime) -> SurveyDispatch:
    """Have a survey not go out, or its link hold no more; one that is cancelled stays so.

    Raises NotFound, Forbidden, SurveyOver where it was answered or ended in another way.
    """
    async with transaction():
        known = await policy.get(actor, SurveyDispatch, dispatch_id, field="id")
        subject = await subject_of(actor, known, field="id")
        policy.require(actor, Action.DISPATCH_SURVEY, subject)
        row = await policy.locked(actor, SurveyDispatch, dispatch_id)
        if row.status is DispatchStatus.CANCELLED:
            return row
        if row.status in ENDED:
            raise SurveyOver(status=row.status.value.lower(), field="id")
        _end(row, DispatchStatus.CANCELLED, now)
        await _write([row])
        await deliveries.cancel(actor.workspace_id, about_ids=[row.id], reason="CANCELLED", now=now)
        await record(SurveyDispatchCancelled(actor, row.id, _facts(row)), now=now)
    return row


async def subject_of(actor: Actor, row: SurveyDispatch, *, field: str | None = None) -> Subject:
    """Return what a dispatch is about, locked: its lead, or else its contact. Raises NotFound."""
    key = row.lead_id or row.contact_id
    if key is None:
        raise NotFound(noun="lead", field=field)
    noun: Any = Lead if row.lead_id else Contact
    return await subjects.locked(actor, subjects.SubjectKey(noun, key), field=field or "id")


async def sweep(now: datetime) -> int:
    """Do what is due with some dispatches that nobody else has in hand: send, remind, end; return how many."""
    async with transaction():
        keys = [row["id"] for row in await connected().fetch(DUE, [now, SWEPT_AT_ONCE])]
        rows = await SurveyDispatch.filter(id__in=keys).order_by("workspace_id", "due_at", "id")
        by_workspace: dict[UUID, list[SurveyDispatch]] = defaultdict(list)
        for row in rows:
            by_workspace[row.workspace_id].append(row)
        for workspace_id, mine in by_workspace.items():
            actor = system(workspace_id, task="survey_sweep")
            out = [row for row in mine if row.status is DispatchStatus.SENT]
            await _send(actor, [row for row in mine if row.status is DispatchStatus.SCHEDULED], now=now)
            await _follow(actor, out, now=now)
    return len(keys)


@dataclass(slots=True)
class Around:
    """What it takes to say who is asked, read once for many."""

    surveys: dict[UUID, Survey] = field(default_factory=dict)
    versions: dict[UUID, SurveyVersion] = field(default_factory=dict)
    leads: dict[UUID, Lead] = field(default_factory=dict)
    primary: dict[UUID, UUID] = field(default_factory=dict)
    contacts: dict[UUID, Contact] = field(default_factory=dict)
    asked: dict[UUID, datetime] = field(default_factory=dict)
    suppressed: frozenset[str] = frozenset()
    locale: str = "en"


async def _around(workspace_id: UUID, rows: Sequence[SurveyDispatch]) -> Around:
    around = Around()
    around.surveys = {row.id: row for row in await Survey.filter(id__in={row.survey_id for row in rows})}
    for version in await SurveyVersion.filter(survey_id__in=around.surveys):
        if version.number == around.surveys[version.survey_id].published_number:
            around.versions[version.survey_id] = version
    around.leads = {row.id: row for row in await Lead.filter(id__in={row.lead_id for row in rows if row.lead_id})}
    around.primary = {row["lead_id"]: row["contact_id"] for row in await read(PRIMARY, list(around.leads))}
    people = {key for row in rows if (key := _person(row, around))}
    # Whoever asks the same person at the same time waits, and then sees that they were asked.
    await locks.hold(workspace_id, *(f"survey:{key}" for key in people))
    around.contacts = {row.id: row for row in await Contact.filter(id__in=people, deleted_at=None)}
    around.asked = {row["contact_id"]: row["sent_at"] for row in await read(ASKED, list(people))}
    emails = [row.email_normalised for row in around.contacts.values() if row.email_normalised]
    around.suppressed = frozenset(row["email_normalised"] for row in await read(SUPPRESSED, workspace_id, emails, KIND))
    [home] = await read("SELECT locale FROM workspace WHERE id = $1", workspace_id)
    around.locale = home["locale"]
    return around


def _person(row: SurveyDispatch, around: Around) -> UUID | None:
    return row.contact_id or (around.primary.get(row.lead_id) if row.lead_id else None)


async def _send(actor: Actor, rows: Sequence[SurveyDispatch], *, now: datetime) -> None:
    """Send locked dispatches that are due, or say why not."""
    if not rows:
        return
    around = await _around(actor.workspace_id, rows)
    events: list[Event] = []
    sent: list[SurveyDispatch] = []
    for row in rows:
        row.contact_id = _person(row, around)
        if _is_obsolete(row, around):
            _end(row, DispatchStatus.CANCELLED, now)
            events.append(SurveyDispatchCancelled(actor, row.id, _facts(row)))
        elif reason := _why_not(row, around, now):
            _end(row, DispatchStatus.SKIPPED, now)
            row.skip_reason = reason
            events.append(SurveyDispatchSkipped(actor, row.id, _facts(row)))
        else:
            _go(row, around, now)
            sent.append(row)
            events.append(SurveyDispatchSent(actor, row.id, _facts(row)))
    await _write(rows)
    messages = [_message(row, around.contacts, now) for row in sent]
    await deliveries.enqueue(actor.workspace_id, messages, now=now)
    await record(*events, now=now)


def _is_obsolete(row: SurveyDispatch, around: Around) -> bool:
    """Say whether the lead is gone, or the sale that asked for it is none any more."""
    if row.lead_id is None:
        return False
    lead = around.leads.get(row.lead_id)
    if lead is None or lead.deleted_at is not None:
        return True
    return row.trigger is DispatchTrigger.LEAD_WON and (
        lead.status is not LeadStatus.WON or lead.closed_at != row.won_at
    )


def _why_not(row: SurveyDispatch, around: Around, now: datetime) -> SkipReason | None:
    survey = around.surveys[row.survey_id]
    contact = around.contacts.get(row.contact_id) if row.contact_id else None
    if survey.archived_at is not None:
        return SkipReason.SURVEY_ARCHIVED
    if contact is None:
        return SkipReason.NO_CONTACT
    if not contact.email_normalised:
        return SkipReason.NO_ADDRESS
    if contact.email_normalised in around.suppressed:
        return SkipReason.UNSUBSCRIBED
    last = around.asked.get(contact.id)
    if last is not None and last > now - timedelta(days=survey.pause_days):
        return SkipReason.ASKED_LATELY
    return None


def _go(row: SurveyDispatch, around: Around, now: datetime) -> None:
    survey, version = around.surveys[row.survey_id], around.versions[row.survey_id]
    assert row.contact_id is not None
    contact = around.contacts[row.contact_id]
    languages = questionnaires.load(version.content).languages
    row.survey_version_id = version.id
    row.language = questionnaires.best(languages, contact.language, around.locale) or around.locale
    row.status, row.sent_at = DispatchStatus.SENT, now
    row.expires_at = now + timedelta(days=survey.expires_days)
    row.due_at = _next(row, survey, now)
    around.asked[contact.id] = now


def _next(row: SurveyDispatch, survey: Survey, now: datetime) -> datetime:
    """Return when a dispatch that is out is looked at next: to remind, or to end."""
    assert row.expires_at is not None
    if row.reminders >= survey.most_reminders or survey.archived_at is not None:
        return row.expires_at
    return min(now + timedelta(days=survey.reminder_days), row.expires_at)


async def _follow(actor: Actor, rows: Sequence[SurveyDispatch], *, now: datetime) -> None:
    """Remind of locked dispatches that are out, or end them."""
    if not rows:
        return
    asking = {row.id: row for row in await Survey.filter(id__in={row.survey_id for row in rows})}
    people = {row.id: row for row in await Contact.filter(id__in={row.contact_id for row in rows}, deleted_at=None)}
    events: list[Event] = []
    reminded: list[SurveyDispatch] = []
    for row in rows:
        survey = asking[row.survey_id]
        if row.expires_at is None or row.expires_at <= now:
            _end(row, DispatchStatus.EXPIRED, now)
            events.append(SurveyDispatchExpired(actor, row.id, _facts(row)))
            continue
        if row.contact_id in people and row.reminders < survey.most_reminders and survey.archived_at is None:
            row.reminders += 1
            reminded.append(row)
            events.append(SurveyDispatchReminded(actor, row.id, _facts(row)))
        row.due_at = _next(row, survey, now)
    await _write(rows)
    await deliveries.enqueue(actor.workspace_id, [_message(row, people, now) for row in reminded], now=now)
    await record(*events, now=now)


def _message(row: SurveyDispatch, people: Mapping[UUID, Contact], now: datetime) -> Message:
    assert row.contact_id is not None
    return Message(
        Channel.MAIL,
        KIND,
        f"{KIND}:{row.id}:{row.reminders}",
        now,
        contact_id=row.contact_id,
        address=people[row.contact_id].email,
        about_id=row.id,
        data={"reminder": row.reminders},
    )


def _end(row: SurveyDispatch, status: DispatchStatus, now: datetime) -> None:
    row.status, row.due_at, row.ended_at = status, None, now


async def _insert(
    actor: Actor, trigger: DispatchTrigger, rows: Sequence[SurveyDispatch], *, now: datetime
) -> list[UUID]:
    """Write new dispatches, but those of an occasion that is known, and record them; return which were written."""
    if not rows:
        return []
    names = ["id", "survey_id", "lead_id", "contact_id", "occasion", "won_at", "status", "skip_reason", "due_at"]
    values = [[_plain(getattr(row, name)) for row in rows] for name in names]
    found = await connected().fetch(INSERT, [actor.workspace_id, actor.user_id, trigger.value, now, *values])
    fresh = {row["id"] for row in found}
    made = [row for row in rows if row.id in fresh]
    await record(*(SurveyDispatchCreated(actor, row.id, _facts(row)) for row in made), now=now)
    return [row.id for row in made]


async def _write(rows: Iterable[SurveyDispatch]) -> None:
    """Write what may change of locked dispatches, in one statement."""
    if ordered := sorted(rows, key=lambda row: row.id):
        values = [[_plain(getattr(row, name)) for row in ordered] for name in WRITTEN]
        await connected().fetch(WRITE, values)


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, DispatchStatus | SkipReason) else value


def _facts(row: SurveyDispatch) -> dict[str, Any]:
    return {
        "survey_id": row.survey_id,
        "lead_id": row.lead_id,
        "contact_id": row.contact_id,
        "status": row.status.value,
        "skip_reason": row.skip_reason.value if row.skip_reason else None,
    }
