"""What is extracted of a lead's past is what was true then, whatever happened to it since."""

import math
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain import activities, answers, campaigns, closings, companies, criteria, leads, needs
from domain.activities import ActivityDetails, NewActivity
from domain.actors import Actor
from domain.answers import Answer
from domain.campaigns import CampaignDetails
from domain.companies import CompanyDetails
from domain.criteria import Draft
from domain.custom_values import CustomValue
from domain.leads import LeadDetails
from domain.learning.kinds import ColumnKind
from domain.money import Money
from domain.scoring import extraction
from domain.scoring.extraction import Known
from models.activities import ActivityDirection, ActivityKind
from models.campaigns import CampaignKind
from models.catalog import Tag
from models.custom_fields import CustomFieldType
from models.leads import Lead, LeadStatus
from models.products import Product
from models.qualification import CriterionType
from tests.factories import NOW, custom_field, lead, seller

pytestmark = pytest.mark.usefixtures("db")

HOUR = timedelta(hours=1)


def told(known: Known, lead_id: UUID) -> dict[str, Any]:
    """Return what is known of one lead by field, unknown numbers as None."""
    at = known.ids.index(lead_id)
    found = {}
    for key, column in known.columns.items():
        value = column.values[at]
        is_number = column.kind is ColumnKind.NUMBER
        found[key] = None if is_number and math.isnan(value) else float(value) if is_number else value
    return found


async def now_of(actor: Actor, lead_id: UUID, now: Any) -> dict[str, Any]:
    return told(await extraction.as_now(actor.workspace_id, [lead_id], now=now), lead_id)


async def past_of(actor: Actor, lead_id: UUID, age: timedelta) -> dict[str, Any]:
    later = NOW + timedelta(days=400)
    return told(await extraction.as_they_stood(actor.workspace_id, [lead_id], age=age, now=later), lead_id)


async def test_the_past_is_what_was_extracted_then() -> None:
    admin = await seller()
    await custom_field(admin, "size")
    await custom_field(admin, "paid_on", CustomFieldType.DATE)
    [asked] = await criteria.set_all(admin, [Draft(label="Budget", type=CriterionType.YES_NO)], now=NOW)
    product = await Product.create(
        workspace_id=admin.workspace_id, name="Roof", name_normalised="roof", created_at=NOW, updated_at=NOW
    )
    fair, mails = [
        await campaigns.create(admin, CampaignDetails(name=kind.value.title(), kind=kind), now=NOW)
        for kind in (CampaignKind.EVENT, CampaignKind.EMAIL)
    ]
    tag = await Tag.create(workspace_id=admin.workspace_id, name="hot", created_at=NOW, updated_at=NOW)
    group = await companies.create(admin, CompanyDetails(name="Acme Group"), now=NOW)
    company = await companies.create(admin, CompanyDetails(name="Acme", employees=10, parent_id=group.id), now=NOW)
    row = await lead(admin, title="Solar roof", company_id=company.id, campaign_id=fair.id)

    def log(kind: ActivityKind) -> Any:
        details = ActivityDetails(kind=kind, direction=ActivityDirection.INBOUND)
        return lambda at: activities.log(admin, NewActivity(details=details, lead_id=row.id), now=at)

    def edit(**details: Any) -> Any:
        return lambda at: leads.update(admin, row.id, LeadDetails(**details), now=at)

    steps: list[Any] = [
        edit(title="Solar roof with battery", value=Money(Decimal(5000), "EUR")),
        log(ActivityKind.CALL),
        edit(custom=[CustomValue("size", "large")], expected_close_date=date(2030, 1, 1)),
        lambda at: answers.answer(admin, row.id, [Answer(asked.id, True)], now=at),
        edit(product_id=product.id, tag_ids=[tag.id]),
        lambda at: companies.update(admin, company.id, CompanyDetails(employees=500, country="DE"), now=at),
        log(ActivityKind.EMAIL),
        lambda at: answers.answer(admin, row.id, [Answer(asked.id, False)], now=at),
        edit(custom=[CustomValue("size", "small")], value=Money(Decimal(7000), "EUR"), tag_ids=[]),
        edit(description="They have seen the neighbours'"),
        edit(product_id=None, campaign_id=mails.id),
        lambda at: leads.assign(admin, row.id, None, now=at),
    ]
    snapshots = [(timedelta(0), await now_of(admin, row.id, NOW))]
    for number, step in enumerate(steps, start=1):
        at = NOW + number * HOUR
        await step(at)
        snapshots.append((number * HOUR, await now_of(admin, row.id, at)))
    await closings.close(admin, row.id, LeadStatus.WON, value=Money(Decimal(9000), "EUR"), now=NOW + timedelta(days=30))
    await leads.update(
        admin, row.id, LeadDetails(custom=[CustomValue("paid_on", "2026-05-01")]), now=NOW + timedelta(days=31)
    )
    for age, was in snapshots:
        assert await past_of(admin, row.id, age) == was, age
    seen = [(was["campaign"], was["campaign_kind"]) for _, was in snapshots]
    assert seen == [("Event", "EVENT")] * 11 + [("Email", "EMAIL")] * 2
    assert {was["company.parent"] for _, was in snapshots} == {"Acme Group"}


async def test_what_is_filled_with_the_outcome_or_after_it_is_unknown() -> None:
    admin = await seller()
    paid = await custom_field(admin, "paid", CustomFieldType.YES_NO)
    row = await lead(admin)
    end = NOW + timedelta(days=3)
    await leads.update(admin, row.id, LeadDetails(custom=[CustomValue("paid", True)]), now=end)
    await closings.close(admin, row.id, LeadStatus.WON, now=end)
    was = await past_of(admin, row.id, timedelta(days=90))
    assert was[f"custom:{paid.id.hex}"] is None
    assert (await now_of(admin, row.id, end))[f"custom:{paid.id.hex}"] == "yes"


async def test_days_say_nothing_of_when_a_lead_ended() -> None:
    admin = await seller()
    due = (NOW + timedelta(days=20)).date()
    ended_young, ended_late = [await lead(admin, expected_close_date=due) for _ in range(2)]
    for row in (ended_young, ended_late):
        details = ActivityDetails(kind=ActivityKind.CALL)
        await activities.log(admin, NewActivity(details=details, lead_id=row.id), now=NOW + timedelta(days=1))
    await closings.close(admin, ended_young.id, LeadStatus.DISQUALIFIED, now=NOW + timedelta(days=3))
    await closings.close(admin, ended_late.id, LeadStatus.WON, now=NOW + timedelta(days=40))
    age = timedelta(days=14)
    young, late = [await past_of(admin, row.id, age) for row in (ended_young, ended_late)]
    assert young == late
    assert (young["days_silent"], young["close_date_days"]) == (13, 6)
    ids, later = [ended_young.id, ended_late.id], NOW + timedelta(days=400)
    known = await extraction.as_they_stood(admin.workspace_id, ids, age=age, now=later)
    assert known.activities.days.tolist() == [13, 13]


async def test_days_of_an_open_lead_are_counted_until_the_age_that_was_learned_from() -> None:
    admin = await seller()
    row = await lead(admin)
    for age, days in ((timedelta(days=14), 14), (timedelta(days=2), 2), (None, 5)):
        known = await extraction.as_now(admin.workspace_id, [row.id], within=age, now=NOW + timedelta(days=5))
        assert told(known, row.id)["days_silent"] == days


async def test_needs_and_earlier_wins_count_by_their_own_instants() -> None:
    admin = await seller()
    company = await companies.create(admin, CompanyDetails(name="Acme"), now=NOW)
    before = await lead(admin, company_id=company.id)
    await closings.close(admin, before.id, LeadStatus.WON, now=NOW + timedelta(days=2))
    row = await lead(admin, company_id=company.id, now=NOW + timedelta(days=1))
    await needs.create(admin, row.id, needs.NeedDetails(title="Power", importance=5), now=NOW + timedelta(days=3))
    early, late = await past_of(admin, row.id, timedelta(hours=1)), await past_of(admin, row.id, timedelta(days=5))
    assert (early["company.won_before"], late["company.won_before"]) == (0, 1)
    assert (early["needs"], late["needs"], late["need_importance"]) == (0, 1, 5)


async def test_leads_of_one_company_see_it_as_it_was_for_each() -> None:
    admin = await seller()
    company = await companies.create(admin, CompanyDetails(name="Acme", employees=10), now=NOW)
    rows = [await lead(admin, company_id=company.id, now=NOW + timedelta(days=at)) for at in (0, 10)]
    await companies.update(admin, company.id, CompanyDetails(employees=99), now=NOW + timedelta(days=5))
    known = await extraction.as_they_stood(
        admin.workspace_id, [row.id for row in rows], age=HOUR, now=NOW + timedelta(days=30)
    )
    assert [told(known, row.id)["company.employees"] for row in rows] == [10, 99]


async def test_nothing_is_known_of_leads_of_others() -> None:
    admin, other = await seller(), await seller()
    row = await lead(other)
    assert not len(await extraction.as_now(admin.workspace_id, [row.id], now=NOW))


async def test_only_what_is_wanted_is_read() -> None:
    admin = await seller()
    row = await lead(admin)
    known = await extraction.as_now(admin.workspace_id, [row.id], wanted=["source", "gone"], now=NOW)
    assert list(known.columns) == ["source"]


async def test_a_company_made_here_after_its_lead_was_engaged_is_known_of_it() -> None:
    admin = await seller()
    company = await companies.create(admin, CompanyDetails(name="Acme", employees=10), now=NOW)
    row = await lead(admin, company_id=company.id)
    long_ago = NOW - timedelta(days=900)
    await Lead.filter(id=row.id).update(engaged_at=long_ago, stage_entered_at=long_ago)
    await companies.update(admin, company.id, CompanyDetails(employees=99), now=NOW + timedelta(days=5))
    was = await past_of(admin, row.id, timedelta(days=14))
    assert (was["company"], was["company.employees"]) == ("Acme", 10)
