"""What companies and contacts are to us, as their leads go."""

import asyncio
from datetime import timedelta

import pytest

from domain import closings, companies, contacts, leads, moves, relationships
from domain.actors import Actor
from domain.catalog import create_lost_reason
from domain.companies import CompanyDetails
from domain.contacts import ContactDetails
from models.companies import Company, Relationship
from models.contacts import Contact
from models.events import Event
from models.leads import ContactRole, Lead, LeadContact, LeadStatus
from models.stages import Stage, StageKind
from tests.factories import NOW, lead, lead_in, seller, stage

LATER = NOW + timedelta(hours=1)
LEAD, PROSPECT, CUSTOMER, FORMER = Relationship

pytestmark = pytest.mark.usefixtures("db")


async def buyer(actor: Actor) -> tuple[Company, Contact]:
    company = await companies.create(actor, CompanyDetails(name="Buyer"), now=NOW)
    return company, await contacts.create(actor, ContactDetails(name="Ada"), now=NOW)


async def of_buyer(actor: Actor, company: Company, contact: Contact) -> Lead:
    row = await lead(actor, company_id=company.id)
    await leads.set_contact(actor, row.id, contact.id, role=ContactRole.PAYER, is_primary=True, now=NOW)
    return row


async def what_they_are(company: Company, contact: Contact) -> Relationship:
    one, other = await Company.get(id=company.id), await Contact.get(id=contact.id)
    assert one.relationship is other.relationship
    assert (one.version, other.version) == (1, 1)
    return one.relationship


async def test_a_buyer_is_what_the_walk_of_their_lead_makes_them() -> None:
    actor = await seller()
    who = await buyer(actor)
    reason = await create_lost_reason(actor, name="Price", now=NOW)
    assert await what_they_are(*who) is LEAD

    row = await of_buyer(actor, *who)
    assert await what_they_are(*who) is LEAD

    qualify = await stage(actor, StageKind.QUALIFY)
    await moves.move(actor, row.id, stage_id=qualify.id, now=LATER)
    assert await what_they_are(*who) is PROSPECT

    await closings.close(actor, row.id, LeadStatus.WON, now=LATER)
    assert await what_they_are(*who) is CUSTOMER

    await closings.reopen(actor, row.id, stage_id=qualify.id, now=LATER)
    assert await what_they_are(*who) is PROSPECT

    await closings.close(actor, row.id, LeadStatus.LOST, lost_reason_id=reason.id, now=LATER)
    assert await what_they_are(*who) is FORMER

    await leads.delete(actor, row.id, now=LATER)
    assert await what_they_are(*who) is LEAD

    names = [
        event.data["changes"]["relationship"][1]
        for event in await Event.filter(subject_id=who[0].id, name="company.relationship_changed").order_by("id")
    ]
    assert names == ["PROSPECT", "CUSTOMER", "PROSPECT", "FORMER", "LEAD"]


async def test_the_best_of_many_leads_decides() -> None:
    actor = await seller()
    company, contact = await buyer(actor)
    new, qualify = await stage(actor, StageKind.PROSPECT), await stage(actor, StageKind.QUALIFY)
    won = await stage(actor, StageKind.FOLLOW_UP)

    steps: list[tuple[Stage, LeadStatus, Relationship]] = [
        (qualify, LeadStatus.LOST, LEAD),
        (qualify, LeadStatus.DISQUALIFIED, LEAD),
        (new, LeadStatus.OPEN, LEAD),
        (qualify, LeadStatus.OPEN, PROSPECT),
        (won, LeadStatus.WON, CUSTOMER),
        (qualify, LeadStatus.OPEN, CUSTOMER),
    ]
    for where, status, expected in steps:
        row = await lead_in(where, status=status, company_id=company.id)
        await LeadContact.create(workspace_id=actor.workspace_id, lead_id=row.id, contact_id=contact.id, created_at=NOW)
        await relationships.refresh(actor, company_ids=[company.id, None], contact_ids=[contact.id], now=NOW)
        assert await what_they_are(company, contact) is expected


async def test_deleted_leads_count_for_nothing() -> None:
    actor = await seller()
    company, _ = await buyer(actor)
    await lead_in(await stage(actor, StageKind.FOLLOW_UP), status=LeadStatus.WON, company_id=company.id, deleted=True)

    await relationships.refresh(actor, company_ids=[company.id], now=NOW)

    assert (await Company.get(id=company.id)).relationship is LEAD


async def test_what_stays_is_no_event() -> None:
    actor = await seller()
    company, contact = await buyer(actor)

    await relationships.refresh(actor, company_ids=[company.id], contact_ids=[contact.id], now=NOW)

    assert not await Event.filter(name__endswith="relationship_changed", workspace_id=actor.workspace_id).exists()


async def test_two_who_close_the_last_leads_of_a_company_at_once_agree_on_what_it_is() -> None:
    actor = await seller()
    who = await buyer(actor)
    reason = await create_lost_reason(actor, name="Price", now=NOW)
    qualify = await stage(actor, StageKind.QUALIFY)
    rows = [await of_buyer(actor, *who) for _ in range(4)]
    for row in rows:
        await moves.move(actor, row.id, stage_id=qualify.id, now=LATER)
    assert await what_they_are(*who) is PROSPECT

    await asyncio.gather(
        *(closings.close(actor, row.id, LeadStatus.LOST, lost_reason_id=reason.id, now=LATER) for row in rows)
    )

    assert await what_they_are(*who) is LEAD


async def test_another_workspaces_rows_are_left_alone() -> None:
    actor, stranger = await seller(), await seller()
    company, _ = await buyer(stranger)
    await Company.filter(id=company.id).update(relationship=CUSTOMER)

    await relationships.refresh(actor, company_ids=[company.id], now=NOW)

    assert (await Company.get(id=company.id)).relationship is CUSTOMER
