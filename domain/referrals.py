"""Referrals: whom a happy customer recommends us to, who becomes a lead that keeps its referrer."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import captures, catalog, edits, inputs, locks, policy, subjects, survey_answers, survey_dispatches
from domain.actors import Actor, system
from domain.captures import Capture, NewContact
from domain.errors import DomainError, Faults, NotFound, Required
from domain.leads import LeadDetails
from domain.subjects import Subject
from models.base import uuid7
from models.catalog import Source, SourceKind
from models.database import read, transaction
from models.surveys import Referral, SurveyDispatch

REFERRED = subjects.events("referral_given")

MOST_REFERRALS = 5
NOTE_LIMIT = 1_000


class NoReferral(DomainError):
    """Nobody is asked for a recommendation here."""


class OwnReferral(DomainError):
    """This is your own address: name somebody else."""


class TooManyReferrals(DomainError):
    """You recommended {limit} already: thank you."""


class ConsentMissing(DomainError):
    """Say that they agree to be contacted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """Somebody as a customer names them; `consent` is the sentence that the customer agreed to."""

    name: str | None
    email: str | None = None
    phone: str | None = None
    note: str | None = None
    consent: str | None = None


async def refer(dispatch_id: UUID, given: Recommended, *, now: datetime) -> Referral:
    """Make a lead of somebody whom a promoter recommends; the same one again is the same referral.

    It belongs to the owner of the lead that was asked about, if they are active. Raises InvalidLink, NoReferral,
    OwnReferral, TooManyReferrals, ConsentMissing, and faults of the input.
    """
    faults = Faults()
    name = inputs.name(faults, given.name, field="name")
    _, email = inputs.email(faults, given.email, field="email")
    _, phone = inputs.phone(faults, given.phone, field="phone")
    note = inputs.text(faults, given.note, field="note", limit=NOTE_LIMIT)
    if not (given.email or "").strip() and not (given.phone or "").strip():
        faults.add(Required(field="email"))
    if not given.consent:
        faults.add(ConsentMissing(field="consent"))
    async with transaction():
        form = await survey_answers.by_id(dispatch_id, now=now)
        if not form.asks_referral:
            raise NoReferral
        if email and form.contact and form.contact.email_normalised == email:
            faults.add(OwnReferral(field="email"))
        faults.raise_any()
        actor = system(form.dispatch.workspace_id, task="referral")
        subject = await _subject(actor, form.dispatch)
        await policy.locked(actor, SurveyDispatch, dispatch_id)
        known = await Referral.filter(dispatch_id=dispatch_id)
        identity = email or phone or ""
        for one in known:
            if one.identity == identity:
                return one
        if len(known) >= MOST_REFERRALS:
            raise TooManyReferrals(limit=MOST_REFERRALS)
        lead = await captures.capture(
            actor,
            Capture(
                details=LeadDetails(title=name, description=note, source_id=await _source(actor, now=now)),
                owner_id=await _owner(form.dispatch),
                contact=NewContact(name=name, email=given.email, phone=given.phone),
            ),
            now=now,
        )
        await edits.write(lead, {"referrer_id": form.dispatch.contact_id})
        referral = Referral(
            id=uuid7(),
            workspace_id=actor.workspace_id,
            dispatch_id=dispatch_id,
            referrer_id=form.dispatch.contact_id,
            referrer_lead_id=form.dispatch.lead_id,
            lead_id=lead.id,
            identity=identity,
            note=note,
            consent=given.consent or "",
            created_at=now,
        )
        await edits.insert(referral)
        if subject is not None:
            customer = survey_answers.customer(form.dispatch)
            facts = {"dispatch_id": dispatch_id, "referral_id": referral.id, "referred_lead_id": lead.id}
            await subjects.tell(REFERRED, customer, subject, facts, now=now)
    return referral


async def _subject(actor: Actor, dispatch: SurveyDispatch) -> Subject | None:
    """Return what was asked about, locked; None where it is gone."""
    try:
        return await survey_dispatches.subject_of(actor, dispatch)
    except NotFound:
        return None


async def _source(actor: Actor, *, now: datetime) -> UUID:
    """Return the workspace's source of the kind REFERRAL, made where there is none."""
    await locks.hold(actor.workspace_id, "referral source", Source._meta.db_table)
    found = Source.filter(workspace_id=actor.workspace_id, kind=SourceKind.REFERRAL, archived_at=None)
    known = await found.order_by("created_at", "id").first()
    if known is not None:
        return known.id
    named = Source.filter(workspace_id=actor.workspace_id, archived_at=None, name__iexact="Referral")
    name = "Customer referral" if await named.exists() else "Referral"
    return (await catalog.create_source(actor, name=name, kind=SourceKind.REFERRAL, now=now)).id


ACTIVE_OWNER = """
SELECT lead.owner_id FROM lead
JOIN membership ON membership.workspace_id = lead.workspace_id AND membership.user_id = lead.owner_id
WHERE lead.id = $1 AND membership.active AND membership.role <> 'VIEWER'
"""


async def _owner(dispatch: SurveyDispatch) -> UUID | None:
    found = await read(ACTIVE_OWNER, dispatch.lead_id) if dispatch.lead_id else []
    owner_id: UUID | None = found[0]["owner_id"] if found else None
    return owner_id
