"""Competitors: who else sells to the same customers, where they are in play, and what they are good and bad at."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import edits, inputs, leads, policy, removals
from domain.actors import Actor
from domain.errors import Conflict, DomainError, Faults
from domain.events import Event, record
from domain.leads import LeadUpdated
from domain.policy import Action
from domain.unset import UNSET, Unset
from models.competitors import Competitor, Threat
from models.database import in_one_go, transaction
from models.leads import Lead, LeadCompetitor

MOST_ON_LEAD = 20
UNIQUE = {"competitor_pkey": "id", "competitor_name_idx": "name"}


class CompetitorCreated(Event):
    name = "competitor.created"


class CompetitorUpdated(Event):
    name = "competitor.updated"


class CompetitorArchived(Event):
    name = "competitor.archived"


class CompetitorRestored(Event):
    name = "competitor.restored"


class TooManyCompetitors(DomainError):
    """A lead names at most {limit} competitors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompetitorDetails:
    """What people say of a competitor; what is UNSET is left as it is, None clears it."""

    name: str | Unset | None = UNSET
    website: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    strengths: str | Unset | None = UNSET
    weaknesses: str | Unset | None = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class InPlay:
    """What people say of a competitor on a lead; what is UNSET is left as it is, None clears it."""

    threat: Threat | Unset = UNSET
    strengths: str | Unset | None = UNSET
    weaknesses: str | Unset | None = UNSET
    notes: str | Unset | None = UNSET


def check(faults: Faults, details: CompetitorDetails) -> dict[str, Any]:
    """Check what is given and return it as columns."""
    columns = _texts(faults, details, "description", "strengths", "weaknesses")
    if details.name is not UNSET:
        columns["name"] = inputs.name(faults, details.name, field="name")
    if details.website is not UNSET:
        columns["website"] = inputs.url(faults, details.website, field="website")
    return columns


async def create(actor: Actor, details: CompetitorDetails, *, id: UUID | None = None, now: datetime) -> Competitor:
    """Add a competitor. Raises Forbidden, AlreadyExists (id, name), and faults of the input."""
    policy.require(actor, Action.MANAGE_COMPETITORS)
    faults = Faults()
    key = edits.new_id(faults, id)
    columns = check(faults, replace(details, name=None) if details.name is UNSET else details)
    faults.raise_any()
    with edits.collisions("competitor", UNIQUE):
        async with transaction():
            row = Competitor(id=key, workspace_id=actor.workspace_id, created_at=now, updated_at=now, **columns)
            await edits.insert(row)
            await record(CompetitorCreated(actor, row.id, edits.facts(row, columns)), now=now)
    return row


@in_one_go
async def update(
    actor: Actor,
    competitor_id: UUID,
    details: CompetitorDetails,
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Competitor:
    """Change what is given of a competitor.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived, AlreadyExists (name), and faults.
    """
    with edits.collisions("competitor", UNIQUE):
        async with transaction():
            row = await policy.locked(actor, Competitor, competitor_id, expected_version=expected_version)
            policy.require(actor, Action.MANAGE_COMPETITORS, row)
            if row.archived_at is not None:
                raise Conflict(reason=f"{row.name} is archived: restore it first.")
            faults = Faults()
            columns = check(faults, details)
            faults.raise_any()
            if changed := await edits.apply(row, columns, now=now):
                facts = {"changes": changed, "version": row.version}
                await record(CompetitorUpdated(actor, row.id, facts), now=now)
    return row


async def archive(
    actor: Actor, competitor_id: UUID, *, expected_version: int | None = None, now: datetime
) -> Competitor:
    """Offer a competitor no more; leads keep it. Raises NotFound, Stale, Forbidden."""
    return await removals.remove(
        CompetitorArchived,
        actor,
        Action.MANAGE_COMPETITORS,
        Competitor,
        competitor_id,
        column="archived_at",
        expected_version=expected_version,
        now=now,
    )


async def restore(actor: Actor, competitor_id: UUID, *, now: datetime) -> Competitor:
    """Offer a competitor again. Raises NotFound, Forbidden, AlreadyExists where its name is taken by now."""
    return await removals.restore(
        CompetitorRestored,
        actor,
        Action.MANAGE_COMPETITORS,
        Competitor,
        competitor_id,
        column="archived_at",
        unique=UNIQUE,
        now=now,
    )


async def set_on_lead(actor: Actor, lead_id: UUID, competitor_id: UUID, in_play: InPlay, *, now: datetime) -> Lead:
    """Name a competitor on a lead, or change what is said of them there: an edit of the lead.

    Raises NotFound, Forbidden, Archived for one who is new there, TooManyCompetitors, and faults of the input.
    """
    faults = Faults()
    columns = _texts(faults, in_play, "strengths", "weaknesses", "notes")
    if in_play.threat is not UNSET:
        columns["threat"] = in_play.threat
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id, field="leadId")
        policy.require(actor, Action.UPDATE_LEAD, lead)
        competitor = await policy.get(actor, Competitor, competitor_id, field="competitorId")
        placed = await LeadCompetitor.get_or_none(lead_id=lead.id, competitor_id=competitor.id)
        if placed is None:
            leads.refuse_archived(faults, competitor, field="competitorId")
            if await LeadCompetitor.filter(lead_id=lead.id).count() >= MOST_ON_LEAD:
                faults.add(TooManyCompetitors(limit=MOST_ON_LEAD, field="competitorId"))
        faults.raise_any()
        was = _facts(placed)
        if placed is None:
            placed = LeadCompetitor(
                workspace_id=lead.workspace_id,
                lead_id=lead.id,
                competitor_id=competitor.id,
                created_at=now,
                **columns,
            )
            await edits.insert(placed)
        elif any(getattr(placed, name) != value for name, value in columns.items()):
            await edits.write(placed, columns)
        else:
            return lead
        await _changed(actor, lead, competitor.id, was, _facts(placed), now=now)
    return lead


async def remove_from_lead(actor: Actor, lead_id: UUID, competitor_id: UUID, *, now: datetime) -> Lead:
    """Take a competitor off a lead; one who is not on it stays off. Raises NotFound, Forbidden."""
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id, field="leadId")
        policy.require(actor, Action.UPDATE_LEAD, lead)
        await policy.get(actor, Competitor, competitor_id, field="competitorId")
        placed = await LeadCompetitor.get_or_none(lead_id=lead.id, competitor_id=competitor_id)
        if placed is not None:
            await placed.delete()
            await _changed(actor, lead, competitor_id, _facts(placed), None, now=now)
    return lead


def _texts(faults: Faults, details: CompetitorDetails | InPlay, *names: str) -> dict[str, Any]:
    given = {name: getattr(details, name) for name in names}
    return {
        name: inputs.text(faults, value, field=name) for name, value in given.items() if not isinstance(value, Unset)
    }


def _facts(placed: LeadCompetitor | None) -> dict[str, Any] | None:
    if placed is None:
        return None
    return {name: getattr(placed, name) for name in ("threat", "strengths", "weaknesses", "notes")}


async def _changed(
    actor: Actor,
    lead: Lead,
    competitor_id: UUID,
    was: dict[str, Any] | None,
    becomes: dict[str, Any] | None,
    *,
    now: datetime,
) -> None:
    tag_ids = await leads.tags_of(lead.id)
    before = leads.live_columns(lead, tag_ids)
    await edits.raise_version(lead, now=now)
    changed = {"competitors": [{str(competitor_id): was}, {str(competitor_id): becomes}]}
    await record(LeadUpdated(actor, lead.id, leads.facts(before, lead, tag_ids, changed)), now=now)
