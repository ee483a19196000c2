"""Campaigns: what they are, the leads that they bring, and whom they were meant for."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import campaigns, captures, contacts, leads
from domain.actors import Actor
from domain.campaigns import CampaignDetails, CampaignEndsBefore, TooManyMembers
from domain.captures import Capture
from domain.contacts import ContactDetails
from domain.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Required, Stale
from domain.leads import Archived, LeadDetails
from domain.money import Money
from models.base import uuid7
from models.campaigns import Campaign, CampaignKind, CampaignMember, CampaignMemberStatus
from models.contacts import Contact
from models.leads import Lead
from models.users import Role
from tests.factories import NOW, events, member, seller

INVITED, RESPONDED = CampaignMemberStatus.INVITED, CampaignMemberStatus.RESPONDED
LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


async def campaign(actor: Actor, name: str = "Spring fair", **details: Any) -> Campaign:
    return await campaigns.create(actor, CampaignDetails(name=name, **details), now=NOW)


async def people(actor: Actor, count: int) -> list[Contact]:
    return [await contacts.create(actor, ContactDetails(name=f"Ann {n}"), now=NOW) for n in range(count)]


async def taking_part(row: Campaign) -> dict[Any, tuple[str, Any]]:
    return {one.contact_id: (one.status, one.responded_at) for one in await CampaignMember.filter(campaign_id=row.id)}


async def test_a_campaign_is_added_edited_archived_and_restored() -> None:
    actor, key = await member(Role.MARKETER), uuid7()
    details = CampaignDetails(
        name=" Spring fair ",
        kind=CampaignKind.TRADE_SHOW,
        starts_on=date(2026, 4, 1),
        ends_on=date(2026, 4, 1),
        cost=Money(Decimal("1200.50"), "usd"),
    )

    made = await campaigns.create(actor, details, id=key, now=NOW)
    edited = await campaigns.update(
        actor, key, CampaignDetails(ends_on=date(2026, 4, 4), cost=None), expected_version=1, now=LATER
    )
    same = await campaigns.update(actor, key, CampaignDetails(name="Spring fair"), now=LATER)
    archived = await campaigns.archive(actor, key, expected_version=2, now=LATER)
    with pytest.raises(Conflict):
        await campaigns.update(actor, key, CampaignDetails(name="Autumn fair"), now=LATER)
    back = await campaigns.restore(actor, key, now=LATER)

    assert (made.name, made.kind, made.cost, made.cost_currency) == (
        "Spring fair",
        CampaignKind.TRADE_SHOW,
        Decimal("1200.50"),
        "USD",
    )
    assert (edited.ends_on, edited.cost, edited.cost_currency, same.version) == (date(2026, 4, 4), None, None, 2)
    assert (archived.archived_at, back.archived_at, back.version) == (LATER, None, 4)
    assert [event.name for event in await events(key)] == [
        f"campaign.{verb}" for verb in ("created", "updated", "archived", "restored")
    ]


async def test_no_two_in_use_share_a_name() -> None:
    actor = await seller()
    made = await campaign(actor)

    told = await asyncio.gather(campaign(actor, "SPRING FAIR"), campaign(actor, "Mails"), return_exceptions=True)
    assert [type(one) for one in told] == [AlreadyExists, Campaign]
    await campaigns.archive(actor, made.id, now=NOW)
    other = await campaign(actor, "spring fair")
    with pytest.raises(AlreadyExists):
        await campaigns.restore(actor, made.id, now=NOW)
    with pytest.raises(AlreadyExists):
        await campaigns.create(actor, CampaignDetails(name="Webinar"), id=other.id, now=NOW)


async def test_a_campaign_does_not_end_before_it_begins() -> None:
    actor = await seller()
    spring, summer = date(2026, 4, 1), date(2026, 7, 1)

    with pytest.raises(CampaignEndsBefore) as caught:
        await campaign(actor, starts_on=summer, ends_on=spring)
    assert caught.value.field == ("endsOn",)
    row = await campaign(actor, starts_on=spring, ends_on=spring)
    with pytest.raises(CampaignEndsBefore) as caught:
        await campaigns.update(actor, row.id, CampaignDetails(starts_on=summer), now=NOW)
    assert caught.value.field == ("startsOn",)
    moved = await campaigns.update(actor, row.id, CampaignDetails(starts_on=summer, ends_on=None), now=NOW)
    assert (moved.starts_on, moved.ends_on) == (summer, None)


async def test_faults_are_told_together_and_rights_asked() -> None:
    actor = await seller()
    rep = await member(Role.REP, of=actor)

    with pytest.raises(Invalid) as caught:
        await campaign(actor, "x" * 201, cost=Money(Decimal(5), "QQQ"))
    assert {(fault.code, fault.field) for fault in caught.value.faults} == {
        ("TOO_LONG", ("name",)),
        ("MALFORMED", ("cost", "currencyCode")),
    }
    with pytest.raises(Required):
        await campaigns.create(actor, CampaignDetails(), now=NOW)
    with pytest.raises(Forbidden):
        await campaign(rep)
    row = await campaign(actor)
    with pytest.raises(Forbidden):
        await campaigns.add_members(rep, row.id, [], status=INVITED, now=NOW)
    with pytest.raises(Stale):
        await campaigns.archive(actor, row.id, expected_version=7, now=NOW)


async def test_a_lead_has_the_campaign_that_brought_it() -> None:
    actor, stranger = await seller(), await seller()
    fair, mails = await campaign(actor), await campaign(actor, "Mails")
    foreign = await campaign(stranger)

    captured = await captures.capture(actor, Capture(details=LeadDetails(title="Roof", campaign_id=fair.id)), now=NOW)
    changed = await leads.update(actor, captured.id, LeadDetails(campaign_id=mails.id), now=LATER)
    await campaigns.archive(actor, mails.id, now=LATER)
    kept = await leads.update(actor, captured.id, LeadDetails(campaign_id=mails.id, title="Roofs"), now=LATER)
    with pytest.raises(Archived) as caught:
        await captures.capture(actor, Capture(details=LeadDetails(title="x", campaign_id=mails.id)), now=NOW)
    with pytest.raises(NotFound):
        await leads.update(actor, captured.id, LeadDetails(campaign_id=foreign.id), now=LATER)
    cleared = await leads.update(actor, captured.id, LeadDetails(campaign_id=None), now=LATER)

    assert str(caught.value) == "Mails is archived: choose another campaign, or restore it first."
    assert [row.campaign_id for row in (changed, kept, cleared)] == [mails.id, mails.id, None]
    assert captured.campaign_id == fair.id
    told = [event.data["changes"].get("campaign_id") for event in await events(captured.id)]
    assert [one for one in told if one] == [[str(fair.id), str(mails.id)], [str(mails.id), None]]
    assert not await Lead.filter(campaign_id__isnull=False, workspace_id=actor.workspace_id).exists()


async def test_people_are_invited_and_answer_once() -> None:
    actor = await seller()
    row, (ann, ben, eve) = await campaign(actor), await people(actor, 3)

    def add(status: CampaignMemberStatus, *who: Contact, now: Any = NOW) -> Any:
        return campaigns.add_members(actor, row.id, [one.id for one in who], status=status, now=now)

    await add(INVITED, ann, ann, ben)
    await add(INVITED, ben)
    await asyncio.gather(*(add(RESPONDED, ben, eve, now=LATER) for _ in range(4)))
    await add(RESPONDED, ben, now=LATER + timedelta(days=1))
    await add(INVITED, eve)

    invited, answered = (INVITED, None), (RESPONDED, LATER)
    assert await taking_part(row) == {ann.id: invited, ben.id: answered, eve.id: answered}
    assert (await Campaign.get(id=row.id)).version == 1
    told = [(event.data["status"], len(event.data["contact_ids"])) for event in (await events(row.id))[1:]]
    assert told == [("INVITED", 2), ("RESPONDED", 2)]

    await campaigns.remove_members(actor, row.id, [ann.id, eve.id], now=LATER)
    await campaigns.remove_members(actor, row.id, [eve.id], now=LATER)
    assert await taking_part(row) == {ben.id: answered}
    assert [event.name for event in await events(row.id)][-1] == "campaign.members_removed"
    assert len(await events(row.id)) == 4


async def test_nobody_is_added_with_somebody_who_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "MOST_AT_ONCE", 3)
    actor, stranger = await seller(), await seller()
    row, (ann, ben) = await campaign(actor), await people(actor, 2)
    [foreign] = await people(stranger, 1)
    await contacts.delete(actor, ben.id, now=NOW)

    with pytest.raises(Invalid) as caught:
        await campaigns.add_members(actor, row.id, [ann.id, foreign.id, ben.id], status=INVITED, now=NOW)
    assert [(fault.code, fault.field) for fault in caught.value.faults] == [
        ("NOT_FOUND", ("contactIds", "1")),
        ("NOT_FOUND", ("contactIds", "2")),
    ]
    with pytest.raises(NotFound):
        await campaigns.remove_members(actor, row.id, [ben.id, foreign.id], now=NOW)
    with pytest.raises(TooManyMembers):
        await campaigns.add_members(actor, row.id, [ann.id] * 4, status=INVITED, now=NOW)
    await campaigns.archive(actor, row.id, now=NOW)
    with pytest.raises(Conflict):
        await campaigns.add_members(actor, row.id, [ann.id], status=INVITED, now=NOW)
    assert await taking_part(row) == {}
