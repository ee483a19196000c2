"""Activities: what was done with a customer, logged by whoever may see them, one by one or many at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import edits, external_refs, inputs, leads, policy, touches
from domain.activity_events import DELETED, LOGGED, RESTORED, UPDATED, Told
from domain.actors import Actor
from domain.edits import referred
from domain.errors import DomainError, Faults, Invalid, NotFound, Required
from domain.events import record
from domain.external_refs import Ref
from domain.participants import Participant, check_participants, participants_of, set_participants
from domain.policy import READ_SCOPES, Action
from domain.unset import UNSET, Unset, given
from models.activities import Activity, ActivityDirection, ActivityKind, ActivityType
from models.companies import Company
from models.contacts import Contact
from models.database import read, transaction
from models.leads import Lead

MOST_AT_ONCE = 500
LINE_LIMIT = 500
LONGEST_SECONDS = 31 * 24 * 3600
# How far clocks may be apart.
AHEAD = timedelta(minutes=5)
UNIQUE = {"activity_pkey": "id"}
IS_MEMBER = "SELECT 1 FROM membership WHERE workspace_id = $1 AND user_id = $2"


class AboutNothing(DomainError):
    """An activity is about a lead, a company or a contact: name at least one of them."""


class NotYetHappened(DomainError):
    """An activity is logged once it has happened: {field} is in the future."""


class TypeOfOtherKind(DomainError):
    """Only an activity of kind CUSTOM has a type, not a {kind}."""


class ActivityElsewhere(DomainError):
    """{system} calls an activity of another lead, company or contact {external_id}: it stays where it was logged."""


class ActivityUnreadable(DomainError):
    """{system} named an activity {external_id} before; to bring it up to date, the key needs the scope {scope}."""


class TooManyActivities(DomainError):
    """At most {limit} activities are logged at once, not {count}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityDetails:
    """What people say of an activity; what is UNSET is left as it is, None clears it.

    Of a new one, `user_id` is the actor and `occurred_at` is now where they are not given.
    """

    kind: ActivityKind | Unset = UNSET
    type_id: UUID | Unset | None = UNSET
    direction: ActivityDirection | Unset | None = UNSET
    outcome: str | Unset | None = UNSET
    subject: str | Unset | None = UNSET
    text: str | Unset | None = UNSET
    duration_seconds: int | Unset | None = UNSET
    occurred_at: datetime | Unset = UNSET
    user_id: UUID | Unset = UNSET
    participants: Sequence[Participant] | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class NewActivity:
    """An activity to be logged on a lead, a company or a contact, or on several of them."""

    details: ActivityDetails = field(default_factory=ActivityDetails)
    id: UUID | None = None
    lead_id: UUID | None = None
    company_id: UUID | None = None
    contact_id: UUID | None = None
    external_refs: Sequence[Ref] = ()

    @property
    def about(self) -> dict[str, UUID | None]:
        return {"lead_id": self.lead_id, "company_id": self.company_id, "contact_id": self.contact_id}


async def log(actor: Actor, new: NewActivity, *, bulk: bool = False, now: datetime) -> Activity:
    """Log an activity.

    One that bears one of the references already is brought up to date with the details instead. Raises Forbidden,
    NotFound, AlreadyExists (id), AboutNothing, ActivityElsewhere, ActivityUnreadable, ExternalRefTaken, Archived, and
    faults of the input.
    """
    policy.require(actor, Action.LOG_ACTIVITY)
    faults = Faults()
    key = edits.new_id(faults, new.id)
    refs = external_refs.check(faults, new.external_refs)
    with edits.collisions("activity", UNIQUE):
        async with transaction():
            known = await _known(actor, refs)
            if known is not None:
                return await _repeated(faults, actor, known, new, refs, bulk=bulk, now=now)
            lead = await _about(faults, actor, new)
            columns = await _check(faults, actor, new.details, current=None, now=now)
            participants = await check_participants(faults, actor, new.details.participants)
            faults.raise_any()
            activity = Activity(
                id=key,
                workspace_id=actor.workspace_id,
                logged_by_id=actor.user_id,
                created_at=now,
                updated_at=now,
                **new.about,
                **{"user_id": actor.user_id, "occurred_at": now, **columns},
            )
            await external_refs.attach(actor, activity, refs)
            await edits.insert(activity)
            await set_participants(activity, participants)
            await _tell(LOGGED, actor, activity, lead, await _added(lead, activity), bulk=bulk, now=now)
    return activity


async def log_many(
    actor: Actor, news: Sequence[NewActivity], *, now: datetime
) -> list[Activity | Sequence[DomainError]]:
    """Log activities one by one; return for each the activity, or what was refused of it.

    Each stands for itself, so that those before one that fails stay logged. Raises Forbidden and TooManyActivities.
    """
    policy.require(actor, Action.LOG_ACTIVITY)
    if len(news) > MOST_AT_ONCE:
        raise TooManyActivities(limit=MOST_AT_ONCE, count=len(news), field="activities")
    outcomes: list[Activity | Sequence[DomainError]] = []
    for at, new in enumerate(news):
        try:
            outcomes.append(await log(actor, new, bulk=True, now=now))
        except DomainError as error:
            refused = error.faults if isinstance(error, Invalid) else [error]
            for fault in refused:
                fault.field = ("activities", str(at), *(fault.field or ()))
            outcomes.append(refused)
    return outcomes


async def update(
    actor: Actor,
    activity_id: UUID,
    details: ActivityDetails,
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Activity:
    """Change what is given of an activity. Raises NotFound, Stale, Forbidden, Archived, and faults of the input."""
    faults = Faults()
    async with transaction():
        activity, lead = await _locked(actor, activity_id, expected_version=expected_version)
        policy.require(actor, Action.UPDATE_ACTIVITY, activity)
        await _edit(faults, actor, activity, lead, details, now=now)
    return activity


async def delete(actor: Actor, activity_id: UUID, *, expected_version: int | None = None, now: datetime) -> Activity:
    """Delete an activity; the lead counts without it. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        activity, lead = await _locked(actor, activity_id, expected_version=expected_version)
        policy.require(actor, Action.UPDATE_ACTIVITY, activity)
        await edits.apply(activity, {"deleted_at": now}, now=now)
        await _tell(DELETED, actor, activity, lead, await _recounted(lead), now=now)
    return activity


async def restore(actor: Actor, activity_id: UUID, *, now: datetime) -> Activity:
    """Bring a deleted activity back; one that is not deleted stays as it is. Raises NotFound, Forbidden."""
    async with transaction():
        activity, lead = await _locked(actor, activity_id, deleted=True)
        policy.require(actor, Action.UPDATE_ACTIVITY, activity)
        if await edits.apply(activity, {"deleted_at": None}, now=now):
            await _tell(RESTORED, actor, activity, lead, await _added(lead, activity), now=now)
    return activity


async def _about(faults: Faults, actor: Actor, new: NewActivity) -> Lead | None:
    """Check what a new activity is about; return its lead, locked."""
    if not any(new.about.values()):
        faults.add(AboutNothing(field="leadId"))
    await referred(faults, actor, Company, new.company_id, field="companyId")
    await referred(faults, actor, Contact, new.contact_id, field="contactId")
    if new.lead_id is not None:
        try:
            return await policy.locked(actor, Lead, new.lead_id, field="leadId")
        except NotFound as fault:
            faults.add(fault)
    return None


async def _known(actor: Actor, refs: Sequence[Ref]) -> Activity | None:
    """Return the activity that bears one of these references, which others cannot attach meanwhile."""
    if refs:
        await external_refs.hold(actor, Activity, refs)
    for ref in refs:
        if (known := await external_refs.find(actor, Activity, ref)) is not None:
            return known
        blind = actor.scopes is not None and READ_SCOPES[Activity] not in actor.scopes
        if blind and await external_refs.is_taken(actor, Activity, ref):
            scope = READ_SCOPES[Activity]
            raise ActivityUnreadable(system=ref.system, external_id=ref.external_id, scope=scope, field="externalRefs")
    return None


async def _repeated(
    faults: Faults,
    actor: Actor,
    known: Activity,
    new: NewActivity,
    refs: Sequence[Ref],
    *,
    bulk: bool,
    now: datetime,
) -> Activity:
    """Bring an activity up to date that another system has sent before."""
    if any(getattr(known, name) != key for name, key in new.about.items()):
        raise ActivityElsewhere(system=refs[0].system, external_id=refs[0].external_id, field="externalRefs")
    activity, lead = await _locked(actor, known.id)
    await _edit(faults, actor, activity, lead, new.details, bulk=bulk, now=now)
    await external_refs.attach(actor, activity, refs)
    return activity


async def _edit(
    faults: Faults,
    actor: Actor,
    activity: Activity,
    lead: Lead | None,
    details: ActivityDetails,
    *,
    bulk: bool = False,
    now: datetime,
) -> None:
    """Write what is given as one edit of a locked activity; only what changes anything needs the right to."""
    columns = await _check(faults, actor, details, current=activity, now=now)
    had = await participants_of(activity.id) if details.participants is not UNSET else []
    wanted = await check_participants(faults, actor, details.participants, had=had)
    faults.raise_any()
    differ = details.participants is not UNSET and set(had) != set(wanted)
    if not differ and all(getattr(activity, name) == value for name, value in columns.items()):
        return
    policy.require(actor, Action.UPDATE_ACTIVITY, activity)
    changed: dict[str, Any] = dict(await edits.apply(activity, columns, now=now))
    if differ:
        if not changed:
            await edits.raise_version(activity, now=now)
        await set_participants(activity, wanted, had=had)
        changed["participants"] = [[one.facts() for one in had], [one.facts() for one in wanted]]
    counts = changed.keys() & {"is_touch", "direction", "occurred_at"}
    recounted = await _recounted(lead) if counts else {}
    await _tell(UPDATED, actor, activity, lead, recounted, changed=changed, bulk=bulk, now=now)


async def _locked(
    actor: Actor, activity_id: UUID, *, expected_version: int | None = None, deleted: bool = False
) -> tuple[Activity, Lead | None]:
    """Return an activity to be edited with its lead, both locked, the lead before it."""
    known = await policy.visible(actor, Activity).filter(id=activity_id).first()
    lead = None
    if known is not None and known.lead_id is not None:
        lead = await policy.locked(actor, Lead, known.lead_id, field="id")
    activity = await policy.locked(
        actor, Activity, activity_id, expected_version=expected_version, deleted=deleted, field="id"
    )
    return activity, lead


async def _check(
    faults: Faults, actor: Actor, details: ActivityDetails, *, current: Activity | None, now: datetime
) -> dict[str, Any]:
    """Check what is given, but for participants, and return it as columns."""
    columns = await _kind(faults, actor, details, current)
    columns |= given(direction=details.direction)
    for name, limit in (("outcome", LINE_LIMIT), ("subject", LINE_LIMIT), ("text", inputs.TEXT_LIMIT)):
        if (value := getattr(details, name)) is not UNSET:
            columns[name] = inputs.text(faults, value, field=name, limit=limit)
    _require_words(faults, columns, current)
    if details.duration_seconds is not UNSET:
        columns["duration_seconds"] = inputs.whole(
            faults, details.duration_seconds, field="durationSeconds", least=0, most=LONGEST_SECONDS
        )
    if details.occurred_at is not UNSET:
        columns["occurred_at"] = _happened(faults, details.occurred_at, now)
    if details.user_id is not UNSET:
        columns["user_id"] = await _doer(faults, actor, details.user_id, current)
    return columns


def _require_words(faults: Faults, columns: dict[str, Any], current: Activity | None) -> None:
    """Check that a note says something; one that was empty before may be edited elsewhere."""
    is_said = {"kind", "subject", "text"} & columns.keys()
    kind, subject, text = (columns.get(name, getattr(current, name, None)) for name in ("kind", "subject", "text"))
    if is_said and kind is ActivityKind.NOTE and not (subject or text):
        faults.add(Required(field="text"))


async def _kind(faults: Faults, actor: Actor, details: ActivityDetails, current: Activity | None) -> dict[str, Any]:
    """Return the kind, its type, and whether they count as a touch, where they are given."""
    if details.kind is UNSET and details.type_id is UNSET and current is not None:
        return {}
    kind = details.kind
    if kind is UNSET and current is not None:
        kind = current.kind
    if kind is UNSET:
        faults.add(Required(field="kind"))
        return {}
    if kind is not ActivityKind.CUSTOM:
        if details.type_id is not UNSET and details.type_id is not None:
            faults.add(TypeOfOtherKind(kind=kind.value, field="typeId"))
        return {"kind": kind, "type_id": None, "is_touch": kind in touches.TOUCHES}
    type_id = details.type_id
    if type_id is UNSET and current is not None:
        type_id = current.type_id
    if type_id is UNSET or type_id is None:
        faults.add(Required(field="typeId"))
        return {}
    if current is not None and type_id == current.type_id:
        return {}
    type_ = await referred(faults, actor, ActivityType, type_id, field="typeId")
    leads.refuse_archived(faults, type_, field="typeId")
    return {"kind": kind, "type_id": type_id, "is_touch": type_ is not None and type_.is_touch}


def _happened(faults: Faults, value: datetime, now: datetime) -> datetime:
    if value.tzinfo is not None and value > now + AHEAD:
        faults.add(NotYetHappened(field="occurredAt"))
    else:
        inputs.instant(faults, value, field="occurredAt")
    return value


async def _doer(faults: Faults, actor: Actor, user_id: UUID, current: Activity | None) -> UUID:
    """Check who did it: the actor, or for those who may say so any member, of now or then."""
    if user_id != actor.user_id and (current is None or user_id != current.user_id):
        policy.require(actor, Action.LOG_FOR_OTHERS)
        if not await read(IS_MEMBER, actor.workspace_id, user_id):
            faults.add(NotFound(noun="user", field="userId"))
    return user_id


async def _added(lead: Lead | None, activity: Activity) -> dict[str, Sequence[Any]]:
    return await touches.add(lead, activity) if lead else {}


async def _recounted(lead: Lead | None) -> dict[str, Sequence[Any]]:
    return await touches.recount(lead) if lead else {}


async def _tell(
    told: Told,
    actor: Actor,
    activity: Activity,
    lead: Lead | None,
    counted: dict[str, Sequence[Any]],
    *,
    changed: dict[str, Any] | None = None,
    bulk: bool = False,
    now: datetime,
) -> None:
    """Record what happened of everything that the activity is about; of the lead, with what changed on it."""
    data: dict[str, Any] = {"activity_id": activity.id, "kind": activity.kind.value}
    data |= {"activity_version": activity.version} | ({"activity_changes": changed} if changed else {})
    data |= {"bulk": True} if bulk else {}
    happened: list[Any] = []
    if lead is not None:
        tag_ids = await leads.tags_of(lead.id)
        facts = leads.facts(leads.live_columns(lead, tag_ids), lead, tag_ids, dict(counted))
        happened.append(told.lead(actor, lead.id, facts | data))
    if activity.company_id is not None:
        happened.append(told.company(actor, activity.company_id, data))
    if activity.contact_id is not None:
        happened.append(told.contact(actor, activity.contact_id, data))
    await record(*happened, now=now)
