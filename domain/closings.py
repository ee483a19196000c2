"""Ends of leads: won, lost or disqualified, and their return."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import exchange_rates, inputs, leads, moves, policy, ranks, stages
from domain.actors import Actor
from domain.errors import DomainError, Faults, Required, raise_all
from domain.events import Event
from domain.leads import NoOpenStage, StageArchived, StageClosesLeads, StageElsewhere
from domain.money import Money
from domain.money import check as check_money
from domain.moves import Board
from domain.policy import Action
from models.catalog import LostReason
from models.competitors import Competitor
from models.database import transaction
from models.leads import Lead, LeadStatus
from models.stages import Stage, StageKind, StageTransition


class LeadClosed(Event):
    name = "lead.closed"


class LeadReopened(Event):
    name = "lead.reopened"


class LeadAlreadyClosed(DomainError):
    """The lead is {status} already."""


class LeadAlreadyOpen(DomainError):
    """The lead is open."""


class NotAClosing(DomainError):
    """A lead is closed as WON, LOST or DISQUALIFIED."""


class NotLostToAnyone(DomainError):
    """Only a lost lead went to a competitor: close it as LOST, or leave the competitor out."""


class WhyMissing(DomainError):
    """Say why the lead is disqualified: by a reason, a note, or both."""


class NoFollowUpStage(DomainError):
    """The stage {stage} is none for won leads."""


async def close(
    actor: Actor,
    lead_id: UUID,
    status: LeadStatus,
    *,
    lost_reason_id: UUID | None = None,
    lost_to_id: UUID | None = None,
    note: str | None = None,
    value: Money | None = None,
    stage_id: UUID | None = None,
    expected_version: int | None = None,
    more: dict[str, Any] | None = None,
    now: datetime,
) -> Lead:
    """Close a lead.

    A won one goes to `stage_id`, or to the first FOLLOW_UP stage of its pipeline, which may ask for fields as any
    stage; a lost one needs a reason, and may name the competitor that won; a disqualified one may have a reason; both
    keep their stage and leave the board. The lead keeps the day's exchange rate. `more` is added to the event's facts.
    Raises NotFound, Stale, Forbidden, LeadAlreadyClosed, and faults of the input.
    """
    columns = await check(
        actor,
        status,
        lost_reason_id=lost_reason_id,
        lost_to_id=lost_to_id,
        note=note,
        value=value,
        stage_id=stage_id,
    )
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id, expected_version=expected_version)
        policy.require(actor, Action.CLOSE_LEAD, lead)
        if lead.status is not LeadStatus.OPEN:
            raise LeadAlreadyClosed(status=lead.status.value)
        rates = await exchange_rates.rates_on(actor.workspace_id, now.date())
        columns |= {
            "status": status,
            "closed_at": now,
            "closing_rate": rates.get(columns.get("currency", lead.currency)),
            "probability": Decimal(1 if status is LeadStatus.WON else 0),
        }
        on = await moves.board(actor.workspace_id, [lead.id])
        stage = on.stages[lead.stage_id]
        if status is LeadStatus.WON:
            stage = _follow_up(actor, lead, stage_id, on)
            as_closed = lead.clone(lead.id)
            as_closed.value = columns.get("value", lead.value)
            raise_all(moves.unfilled(as_closed, stage, on))
        await moves.enter(LeadClosed, actor, lead, stage, columns, on, now=now, more=more)
        if status is not LeadStatus.WON and on.hanging[lead.id].is_requested:
            await moves.forget_request(lead, now=now)
        await leads.refresh(actor, lead, now=now, people=on.hanging[lead.id].contact_ids)
    return lead


async def check(
    actor: Actor,
    status: LeadStatus,
    *,
    lost_reason_id: UUID | None = None,
    lost_to_id: UUID | None = None,
    note: str | None = None,
    value: Money | None = None,
    stage_id: UUID | None = None,
) -> dict[str, Any]:
    """Check what is said of an end, whichever lead it is of, and return it as columns. Raises NotFound, and faults."""
    faults = Faults()
    columns: dict[str, Any] = {"close_note": inputs.text(faults, note, field="note")}
    if status is LeadStatus.OPEN:
        faults.add(NotAClosing(field="status"))
    if status is LeadStatus.LOST and lost_reason_id is None:
        faults.add(Required(field="lostReasonId"))
    if lost_reason_id is not None:
        reason = await policy.get(actor, LostReason, lost_reason_id, field="lostReasonId")
        leads.refuse_archived(faults, reason, field="lostReasonId")
        columns |= {"lost_reason_id": reason.id} if status is not LeadStatus.WON else {}
    if lost_to_id is not None:
        competitor = await policy.get(actor, Competitor, lost_to_id, field="lostToId")
        leads.refuse_archived(faults, competitor, field="lostToId")
        if status is not LeadStatus.LOST:
            faults.add(NotLostToAnyone(field="lostToId"))
        columns["lost_to_id"] = competitor.id
    if stage_id is not None:
        await policy.get(actor, Stage, stage_id, field="stageId")
    amount = check_money(faults, value, field="value")
    if amount is not None:
        columns |= {"value": amount.amount, "currency": amount.currency}
    faults.raise_any()
    return columns


async def disqualify(
    actor: Actor,
    lead_id: UUID,
    *,
    lost_reason_id: UUID | None = None,
    note: str | None = None,
    expected_version: int | None = None,
    now: datetime,
) -> Lead:
    """Close a lead that never was one, saying why: by a reason, by a note, or by both.

    Raises NotFound, Stale, Forbidden, LeadAlreadyClosed, and faults of the input.
    """
    if lost_reason_id is None and not (note or "").strip():
        raise WhyMissing(field="lostReasonId")
    return await close(
        actor,
        lead_id,
        LeadStatus.DISQUALIFIED,
        lost_reason_id=lost_reason_id,
        note=note,
        expected_version=expected_version,
        now=now,
    )


async def reopen(
    actor: Actor, lead_id: UUID, *, stage_id: UUID | None = None, expected_version: int | None = None, now: datetime
) -> Lead:
    """Open a closed lead again, on top of a stage.

    Without `stage_id` it is the stage that the lead was closed from, or the pipeline's first where that one is
    archived. Raises NotFound, Stale, Forbidden, LeadAlreadyOpen, StageClosesLeads, StageArchived, NoOpenStage.
    """
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id, expected_version=expected_version)
        policy.require(actor, Action.REOPEN_LEAD, lead)
        if lead.status is LeadStatus.OPEN:
            raise LeadAlreadyOpen()
        on = await moves.board(actor.workspace_id, [lead.id])
        stage = await stages.hold(await _return(actor, lead, stage_id, on), field="stageId")
        columns: dict[str, object] = {
            "status": LeadStatus.OPEN,
            "closed_at": None,
            "closing_rate": None,
            "lost_reason_id": None,
            "lost_to_id": None,
            "close_note": None,
            "probability": stage.probability,
            "rank": ranks.top(now),
        }
        await moves.enter(LeadReopened, actor, lead, stage, columns, on, now=now)
        await leads.refresh(actor, lead, now=now, people=on.hanging[lead.id].contact_ids)
    return lead


def _follow_up(actor: Actor, lead: Lead, stage_id: UUID | None, on: Board) -> Stage:
    """Return the stage that a won lead goes to."""
    if stage_id is None:
        ends = (stage for stage in on.pipeline(lead.pipeline_id) if stage.kind is StageKind.FOLLOW_UP)
        first = next(ends, None)
        if first is None:
            raise NoOpenStage(field="stageId")
        return first
    stage = policy.seen(actor, Stage, on.stages.get(stage_id), field="stageId")
    if stage.pipeline_id != lead.pipeline_id:
        raise StageElsewhere(field="stageId")
    if stage.kind is not StageKind.FOLLOW_UP:
        raise NoFollowUpStage(stage=stage.name, field="stageId")
    if stage.archived_at is not None:
        raise StageArchived(stage=stage.name, field="stageId")
    return stage


async def _return(actor: Actor, lead: Lead, stage_id: UUID | None, on: Board) -> Stage:
    """Return the stage that a reopened lead goes to."""
    if stage_id is not None:
        stage = policy.seen(actor, Stage, on.stages.get(stage_id), field="stageId")
        if stage.kind is StageKind.FOLLOW_UP:
            raise StageClosesLeads(stage=stage.name, field="stageId")
        if stage.archived_at is not None:
            raise StageArchived(stage=stage.name, field="stageId")
        return stage
    passed = (
        await StageTransition.filter(lead_id=lead.id)
        .order_by("-moved_at", "-id")
        .values_list("from_stage_id", flat=True)
    )
    for key in (lead.stage_id, *passed):
        known = on.stages.get(key) if isinstance(key, UUID) else None
        if known is not None and known.archived_at is None and known.kind is not StageKind.FOLLOW_UP:
            return known
    first = await leads.first_stage(actor, lead.pipeline_id)
    if first is None:
        raise NoOpenStage(field="stageId")
    return first
