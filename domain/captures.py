"""Captures: how leads come in, from forms, partners and people, with the company and the person behind them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from domain import (
    absences,
    answers,
    companies,
    contacts,
    custom_values,
    edits,
    external_refs,
    inputs,
    leads,
    locks,
    policy,
    ranks,
    relationships,
    stages,
)
from domain.actors import Actor, ActorKind
from domain.answers import Answer
from domain.edits import referred
from domain.errors import DomainError, Faults
from domain.events import record
from domain.external_refs import Ref
from domain.leads import LeadCaptured, LeadDetails, NoOpenStage, StageClosesLeads, StageElsewhere
from domain.policy import READ_SCOPES, Action
from domain.stages import StageArchived
from domain.unset import UNSET
from models.companies import Company
from models.contacts import Contact
from models.custom_fields import CustomFieldOwner
from models.database import read, transaction
from models.leads import ContactRole, Lead
from models.pipelines import Pipeline
from models.stages import Stage, StageKind, StageTransition
from models.users import Role


class NothingToCapture(DomainError):
    """A lead needs a title, a company or a contact."""


class UpsertNeedsRead(DomainError):
    """{system} named a lead {external_id} before; to bring it up to date, the key needs the scope lead:read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCompany:
    """A company as a form or partner names it; found by its domain or name, else created."""

    name: str | None = None
    domain: str | None = None
    website: str | None = None
    phone: str | None = None
    industry: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewContact:
    """A person as a form or partner names them; found by email or phone, else created."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    job_title: str | None = None
    role: ContactRole = ContactRole.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A lead to be captured. Without a stage it comes into the pipeline's first, without a pipeline the default."""

    details: LeadDetails = field(default_factory=LeadDetails)
    id: UUID | None = None
    pipeline_id: UUID | None = None
    stage_id: UUID | None = None
    owner_id: UUID | None = None
    company: NewCompany | None = None
    contact: NewContact | None = None
    external_refs: Sequence[Ref] = ()
    answers: Sequence[Answer] = ()


async def capture(actor: Actor, new: Capture, *, now: datetime) -> Lead:
    """Capture a lead; find or create its company and contact.

    A lead that bears one of the references already is brought up to date with the details instead, and keeps its
    stage, owner, company and people. A rep, and whoever does not see every lead, owns what they capture unless
    somebody else is named; what goes to somebody who is away is owned by whoever stands in for them. Raises
    Forbidden, NotFound, AlreadyExists (id), NoOpenStage, StageElsewhere, StageClosesLeads, Archived,
    NothingToCapture, ExternalRefTaken, and faults of the input.
    """
    policy.require(actor, Action.CAPTURE_LEAD)
    faults = Faults()
    key = edits.new_id(faults, new.id)
    # A lead that is known already may bear what was archived since; a new one may not.
    archived = Faults() if new.external_refs else faults
    columns = await leads.check(faults, actor, await _titled(faults, actor, new), archived=archived)
    refs = external_refs.check(faults, new.external_refs)
    if new.owner_id is not None and new.owner_id != actor.user_id:
        policy.require(actor, Action.ASSIGN_LEAD)
    standing = await absences.owner(faults, actor, new.owner_id, field="ownerId", now=now)
    owner_id = standing or (actor.user_id if _owns(actor) else None)
    tag_ids = await leads.checked_tags(faults, actor, new.details.tag_ids, archived=archived)
    stage = await _entry(faults, actor, new)
    await custom_values.check(faults, actor, CustomFieldOwner.LEAD, new.details.custom)
    await answers.check(faults, actor, new.answers)
    faults.raise_any()
    assert stage is not None
    with edits.collisions("lead", {"lead_pkey": "id"}):
        async with transaction():
            known = await _known(actor, refs)
            if known is not None:
                known = await leads.update(actor, known.id, new.details, external_refs=refs, now=now)
                if new.answers:
                    policy.require(actor, Action.QUALIFY_LEAD, known)
                    await answers.write(actor, known, await answers.hold(actor, new.answers), now=now)
                return known
            archived.raise_any()
            custom = await custom_values.settled(actor, CustomFieldOwner.LEAD, new.details.custom)
            columns |= custom.columns(Faults(), {})
            stage = await stages.hold(stage, field="stageId" if new.stage_id else "pipelineId")
            await external_refs.hold(actor, Lead, refs)
            company, contact = await _find_or_create(actor, new, owner_id, now)
            if company is not None:
                columns["company_id"] = company.id
            if "currency" not in columns:
                columns["currency"] = await _base_currency(actor.workspace_id)
            if not stage.is_intake:
                columns.setdefault("engaged_at", now)
            lead = Lead(
                id=key,
                workspace_id=actor.workspace_id,
                pipeline_id=stage.pipeline_id,
                stage_id=stage.id,
                rank=ranks.top(now),
                probability=stage.probability,
                owner_id=owner_id,
                stage_entered_at=now,
                created_at=now,
                updated_at=now,
                **columns,
            )
            await external_refs.attach(actor, lead, refs)
            await edits.insert(lead)
            await _arrive(actor, lead, contact, new.contact, now)
            await leads.set_tags(lead, [], tag_ids)
            told = leads.facts(None, lead, tag_ids) | absences.instead_of(new.owner_id, owner_id)
            await record(LeadCaptured(actor, lead.id, told), now=now)
            if stage.kind is not StageKind.PROSPECT:
                # A lead in a first phase makes nobody more than they were.
                people = [contact.id] if contact else []
                await relationships.refresh(actor, company_ids=[lead.company_id], contact_ids=people, now=now)
            if new.answers:
                await answers.write(actor, lead, await answers.hold(actor, new.answers), now=now)
    return lead


def _owns(actor: Actor) -> bool:
    """Say whether the actor owns what they capture: else it would be lost to those who see some owners' leads only."""
    return actor.role is not None and (actor.role is Role.REP or actor.rows.owners is not None)


async def _known(actor: Actor, refs: Sequence[Ref]) -> Lead | None:
    """Return the lead that bears one of these references, which others cannot attach meanwhile."""
    await external_refs.hold(actor, Lead, refs)
    for ref in refs:
        known = await external_refs.find(actor, Lead, ref)
        if known is not None:
            return known
        blind = actor.scopes is not None and READ_SCOPES[Lead] not in actor.scopes
        if blind and await external_refs.is_taken(actor, Lead, ref):
            raise UpsertNeedsRead(system=ref.system, external_id=ref.external_id, field="externalRefs")
    return None


async def _titled(faults: Faults, actor: Actor, new: Capture) -> LeadDetails:
    """Return the details with a title: the one given, else the company's or the contact's name."""
    details = new.details
    if details.title is not UNSET and details.title:
        return details
    company, contact = new.company or NewCompany(), new.contact or NewContact()
    names = [company.name, contact.name, company.domain, contact.email, contact.phone]
    if isinstance(details.company_id, UUID):
        known = await policy.visible(actor, Company).get_or_none(id=details.company_id)
        names.insert(0, known.name if known else "-")
    title = next((name for name in names if name), None)
    if title is None:
        faults.add(NothingToCapture(field="title"))
    return replace(details, title=(title or "-")[: inputs.NAME_LIMIT])


async def _entry(faults: Faults, actor: Actor, new: Capture) -> Stage | None:
    """Return the stage that a new lead comes into."""
    if new.stage_id is not None:
        stage = await referred(faults, actor, Stage, new.stage_id, field="stageId")
        if stage is None:
            return None
        if new.pipeline_id is not None and stage.pipeline_id != new.pipeline_id:
            faults.add(StageElsewhere(field="stageId"))
        elif stage.kind is StageKind.FOLLOW_UP:
            faults.add(StageClosesLeads(stage=stage.name, field="stageId"))
        elif stage.archived_at is not None:
            faults.add(StageArchived(stage=stage.name, field="stageId"))
        return stage
    pipeline_id = new.pipeline_id
    if pipeline_id is not None and await referred(faults, actor, Pipeline, pipeline_id, field="pipelineId") is None:
        return None
    stage = await leads.first_stage(actor, pipeline_id)
    if stage is None:
        faults.add(NoOpenStage(field="pipelineId"))
    return stage


async def _find_or_create(
    actor: Actor, new: Capture, owner_id: UUID | None, now: datetime
) -> tuple[Company | None, Contact | None]:
    company = contact = None
    await _hold(actor, new)
    if new.company is not None:
        company = await companies.find_or_create(
            actor,
            name=new.company.name,
            domain=new.company.domain,
            website=new.company.website,
            phone=new.company.phone,
            industry=new.company.industry,
            country=new.company.country,
            owner_id=owner_id,
            within="company",
            now=now,
        )
    if new.contact is not None:
        contact = await contacts.find_or_create(
            actor,
            name=new.contact.name,
            email=new.contact.email,
            phone=new.contact.phone,
            job_title=new.contact.job_title,
            company_id=company.id if company else None,
            owner_id=owner_id,
            within="contact",
            now=now,
        )
        named = isinstance(new.details.company_id, UUID)
        if company is None and not named and contact.company_id is not None:
            company = await Company.get_or_none(id=contact.company_id, deleted_at=None)
    return company, contact


async def _hold(actor: Actor, new: Capture) -> None:
    """Take all that a capture holds in the order in which all take it: identities, then the company's row."""
    names: list[str] = []
    if new.company is not None:
        names += companies.identities(name=new.company.name, domain=new.company.domain)
    if new.contact is not None:
        names += contacts.identities(email=new.contact.email, phone=new.contact.phone)
    await locks.hold(actor.workspace_id, *names)
    if new.contact is not None and isinstance(new.details.company_id, UUID):
        await Company.filter(id=new.details.company_id).select_for_update(no_key=True).first()


async def _arrive(
    actor: Actor,
    lead: Lead,
    contact: Contact | None,
    new: NewContact | None,
    now: datetime,
) -> None:
    """Write what a new lead brings along: its first transition and its contact."""
    await edits.insert(
        StageTransition(
            workspace_id=lead.workspace_id,
            lead_id=lead.id,
            to_stage_id=lead.stage_id,
            user_id=actor.user_id if actor.kind is not ActorKind.SYSTEM else None,
            moved_at=now,
        )
    )
    if contact is not None:
        await leads.place(lead, contact.id, new.role if new else ContactRole.OTHER, True, now)


async def _base_currency(workspace_id: UUID) -> str:
    [row] = await read("SELECT base_currency FROM workspace WHERE id = $1", workspace_id)
    currency: str = row["base_currency"]
    return currency
