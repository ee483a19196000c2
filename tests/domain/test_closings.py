"""Ends of leads, and their return: status and stage go together."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import closings, moves
from domain.closings import LeadAlreadyClosed, LeadAlreadyOpen, NoFollowUpStage, NotAClosing
from domain.errors import Required
from domain.leads import Archived
from domain.money import Money
from domain.moves import FieldMissing, LeadNotOpen
from models.catalog import LostReason
from models.companies import Company, Relationship
from models.events import Event
from models.exchange_rates import ExchangeRate
from models.leads import Lead, LeadStatus
from models.stages import Stage, StageKind, StageTransition
from tests.factories import NOW, lead, seller, stage

pytestmark = pytest.mark.usefixtures("db")
WON, LOST, DISQUALIFIED = LeadStatus.WON, LeadStatus.LOST, LeadStatus.DISQUALIFIED
LATER = NOW + timedelta(days=3)


async def test_a_won_lead_stands_in_follow_up_and_keeps_the_days_rate() -> None:
    admin = await seller()
    await ExchangeRate.create(
        workspace_id=admin.workspace_id, currency="USD", rate=Decimal("0.9"), valid_on=NOW.date(), created_at=NOW
    )
    row = await lead(admin, value=Money(Decimal(100), "USD"))
    won = await closings.close(admin, row.id, WON, now=LATER)
    assert won.stage_id == (await stage(admin, StageKind.FOLLOW_UP)).id
    assert (won.status, won.probability, won.closed_at, won.closing_rate) == (WON, Decimal(1), LATER, Decimal("0.9"))
    last = await StageTransition.filter(lead_id=row.id).order_by("-moved_at").first()
    assert last is not None
    assert last.stayed_seconds == 3 * 86_400


async def test_a_lost_lead_needs_a_reason_and_keeps_its_stage() -> None:
    admin = await seller()
    row = await lead(admin)
    with pytest.raises(Required):
        await closings.close(admin, row.id, LOST, now=NOW)
    reason = await LostReason.create(workspace_id=admin.workspace_id, name="Price", created_at=NOW, updated_at=NOW)
    lost = await closings.close(admin, row.id, LOST, lost_reason_id=reason.id, note="Too dear", now=NOW)
    assert (lost.status, lost.stage_id, lost.probability) == (LOST, row.stage_id, Decimal(0))
    assert (lost.lost_reason_id, lost.close_note) == (reason.id, "Too dear")
    with pytest.raises(LeadNotOpen):
        await moves.move(admin, row.id, stage_id=(await stage(admin, StageKind.QUALIFY)).id, now=NOW)


async def test_an_archived_reason_is_none() -> None:
    admin = await seller()
    row = await lead(admin)
    known: Any = {"workspace_id": admin.workspace_id, "created_at": NOW, "updated_at": NOW}
    reason = await LostReason.create(name="Price", archived_at=NOW, **known)
    with pytest.raises(Archived, match="choose another lost reason"):
        await closings.close(admin, row.id, LOST, lost_reason_id=reason.id, now=NOW)
    assert (await Lead.get(id=row.id)).status is LeadStatus.OPEN


async def test_a_lead_is_closed_once() -> None:
    admin = await seller()
    row = await lead(admin)
    ends = [closings.close(admin, row.id, status, now=NOW) for status in (WON, DISQUALIFIED)]
    outcomes = await asyncio.gather(*ends, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Lead", "LeadAlreadyClosed"]
    with pytest.raises(LeadAlreadyClosed):
        await closings.close(admin, row.id, WON, now=NOW)
    with pytest.raises(NotAClosing):
        await closings.close(admin, row.id, LeadStatus.OPEN, now=NOW)


async def test_a_follow_up_stage_may_ask_for_fields_which_the_closing_can_bring() -> None:
    admin = await seller()
    row, target = await lead(admin), await stage(admin, StageKind.FOLLOW_UP)
    await Stage.filter(id=target.id).update(requirements={"fields": ["value"]})
    with pytest.raises(FieldMissing):
        await closings.close(admin, row.id, WON, now=NOW)
    won = await closings.close(admin, row.id, WON, value=Money(Decimal(5), "EUR"), now=NOW)
    assert (await Lead.get(id=won.id)).value == 5


async def test_a_won_lead_goes_to_no_other_kind_of_stage() -> None:
    admin = await seller()
    row = await lead(admin)
    with pytest.raises(NoFollowUpStage):
        await closings.close(admin, row.id, WON, stage_id=(await stage(admin, StageKind.CLOSING)).id, now=NOW)


async def test_a_reopened_lead_returns_to_the_stage_that_it_was_closed_from() -> None:
    admin = await seller()
    row, qualify = await lead(admin), await stage(admin, StageKind.QUALIFY)
    await moves.move(admin, row.id, stage_id=qualify.id, now=NOW)
    await closings.close(admin, row.id, WON, now=NOW)
    opened = await closings.reopen(admin, row.id, now=LATER)
    assert (opened.status, opened.stage_id, opened.probability) == (LeadStatus.OPEN, qualify.id, qualify.probability)
    assert (opened.closed_at, opened.closing_rate) == (None, None)
    with pytest.raises(LeadAlreadyOpen):
        await closings.reopen(admin, row.id, now=LATER)
    names = [event.name for event in await Event.filter(subject_id=row.id).order_by("id")]
    assert names == ["lead.captured", "lead.moved", "lead.closed", "lead.reopened"]


async def test_a_company_becomes_a_customer_by_a_win_and_a_former_one_when_it_is_undone() -> None:
    admin = await seller()
    company = await Company.create(
        workspace_id=admin.workspace_id, name="Acme", name_normalised="acme", created_at=NOW, updated_at=NOW
    )
    row = await lead(admin, company_id=company.id)
    await closings.close(admin, row.id, WON, now=NOW)
    assert (await Company.get(id=company.id)).relationship is Relationship.CUSTOMER
    first = await stage(admin, StageKind.PROSPECT)
    await closings.reopen(admin, row.id, stage_id=first.id, now=NOW)
    assert (await Company.get(id=company.id)).relationship is Relationship.FORMER
