"""Leads: captured, described, handed out, deleted and restored."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import captures, leads, policy
from domain.actors import Actor
from domain.captures import Capture, NewCompany, NewContact, UpsertNeedsRead
from domain.edits import OwnerInactive
from domain.errors import Forbidden, Invalid, Malformed, NotFound, OutOfRange, Stale
from domain.external_refs import Ref
from domain.leads import LeadDetails
from domain.money import Money
from models.catalog import Source, SourceKind, Tag
from models.companies import Company
from models.contacts import Contact
from models.events import Event
from models.leads import ContactRole, Lead, LeadContact
from models.products import Product
from models.stages import StageKind, StageTransition
from models.users import Role
from tests.factories import NOW, lead, member, partner, seller, stage

pytestmark = pytest.mark.usefixtures("db")


async def events_of(lead: Lead) -> list[Event]:
    return await Event.filter(subject_id=lead.id).order_by("occurred_at", "id")


def captured(**details: object) -> Capture:
    return Capture(details=LeadDetails(**({"title": "Solar roof"} | details)))  # type: ignore[arg-type]


async def test_a_captured_lead_stands_in_the_first_stage_of_the_default_pipeline() -> None:
    admin = await seller()
    lead = await captures.capture(admin, captured(value=Money(Decimal("1200.50"), "USD")), now=NOW)
    stage = await lead.stage
    assert (stage.position, lead.probability, lead.value, lead.currency) == (
        0,
        stage.probability,
        Decimal("1200.50"),
        "USD",
    )
    assert [(row.from_stage_id, row.to_stage_id) for row in await StageTransition.filter(lead_id=lead.id)] == [
        (None, stage.id)
    ]
    [event] = await events_of(lead)
    assert (event.name, event.data["before"], event.data["after"]["value"]) == ("lead.captured", None, "1200.5")


async def test_a_capture_finds_the_company_and_the_contact_that_are_known() -> None:
    admin = await seller()
    new = Capture(
        company=NewCompany(name="Acme", domain="www.acme.com"),
        contact=NewContact(name="Ann", email="Ann@Acme.com"),
    )
    first, second = [await captures.capture(admin, new, now=NOW) for _ in range(2)]
    assert first.title == "Acme"
    assert first.company_id == second.company_id is not None
    assert await Contact.filter(workspace_id=admin.workspace_id).count() == 1
    assert await LeadContact.filter(lead_id=second.id, is_primary=True).count() == 1


async def test_captures_at_once_make_one_company_and_one_contact() -> None:
    admin = await seller()
    new = Capture(
        company=NewCompany(name="Acme", domain="acme.com"), contact=NewContact(name="Ann", email="ann@acme.com")
    )
    await asyncio.gather(*(captures.capture(admin, new, now=NOW) for _ in range(8)))
    assert await Lead.filter(workspace_id=admin.workspace_id).count() == 8
    assert await Company.filter(workspace_id=admin.workspace_id).count() == 1
    assert await Contact.filter(workspace_id=admin.workspace_id).count() == 1


async def test_a_rep_owns_what_they_capture_and_may_not_hand_it_out() -> None:
    admin = await seller()
    rep, other = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
    lead = await captures.capture(rep, captured(), now=NOW)
    assert lead.owner_id == rep.user_id
    with pytest.raises(Forbidden):
        await leads.assign(rep, lead.id, other.user_id, now=NOW)


async def test_who_sees_some_leads_only_owns_what_they_capture_and_so_sees_it() -> None:
    admin = await seller()
    manager, qualifier = await member(Role.MANAGER, of=admin), await member(Role.QUALIFIER, of=admin)
    lead = await captures.capture(manager, captured(), now=NOW)
    assert lead.owner_id == manager.user_id
    assert await policy.visible(manager, Lead).filter(id=lead.id).exists()
    assert (await captures.capture(qualifier, captured(), now=NOW)).owner_id is None


async def test_a_key_that_only_writes_leads_captures_them() -> None:
    admin = await seller()
    lead = await captures.capture(await partner("lead:write", of=admin), captured(), now=NOW)
    assert lead.stage_id == (await stage(admin, StageKind.PROSPECT)).id
    assert lead.owner_id is None


async def test_all_faults_of_a_capture_are_told_together_and_nothing_is_written() -> None:
    admin = await seller()
    new = captured(title="x" * 201, value=Money(Decimal(-1), "EUR"), tag_ids=[admin.workspace_id])
    with pytest.raises(Invalid) as refused:
        await captures.capture(admin, new, now=NOW)
    assert {fault.field for fault in refused.value.faults} == {("title",), ("value", "amount"), ("tagIds",)}
    assert not await Lead.exists(workspace_id=admin.workspace_id)


async def test_nan_is_no_value() -> None:
    admin = await seller()
    with pytest.raises(Exception, match="finite"):
        await captures.capture(admin, captured(value=Money(Decimal("NaN"), "EUR")), now=NOW)
    with pytest.raises(OutOfRange):
        await captures.capture(admin, captured(value=Money(Decimal("1e30"), "EUR")), now=NOW)


async def test_an_edit_raises_the_version_once_and_tells_what_changed() -> None:
    admin = await seller()
    lead = await captures.capture(admin, captured(), now=NOW)
    tag = await Tag.create(workspace_id=admin.workspace_id, name="hot", created_at=NOW, updated_at=NOW)
    edited = await leads.update(admin, lead.id, LeadDetails(title="Roof", tag_ids=[tag.id]), now=NOW)
    assert edited.version == 2
    event = (await events_of(lead))[-1]
    assert event.data["changes"]["title"] == ["Solar roof", "Roof"]
    assert event.data["before"]["tag_ids"] == []
    assert event.data["after"]["tag_ids"] == [str(tag.id)]


async def test_an_amount_is_told_in_one_way_before_and_after() -> None:
    admin = await seller()
    lead = await captures.capture(admin, captured(value=Money(Decimal("5000"), "EUR")), now=NOW)
    await leads.update(admin, lead.id, LeadDetails(value=Money(Decimal("12.50"), "EUR")), now=NOW)
    assert (await events_of(lead))[-1].data["changes"] == {"value": ["5000", "12.5"]}


async def choices(admin: Actor) -> tuple[Product, Source, Tag]:
    """Make a product, a source and a tag that a lead can be given."""
    known: Any = {"workspace_id": admin.workspace_id, "created_at": NOW, "updated_at": NOW}
    return (
        await Product.create(name="Panel", name_normalised="panel", **known),
        await Source.create(name="Fair", kind=SourceKind.TRADE_SHOW, **known),
        await Tag.create(name="hot", **known),
    )


async def archive(*rows: Product | Source | Tag) -> None:
    for row in rows:
        await type(row).filter(id=row.id).update(archived_at=NOW)


async def test_what_is_archived_is_given_to_no_lead_anew() -> None:
    admin = await seller()
    product, source, tag = await choices(admin)
    await archive(product, source, tag)
    chosen = {"product_id": product.id, "source_id": source.id, "tag_ids": [tag.id]}
    plain = await captures.capture(admin, captured(), now=NOW)

    with pytest.raises(Invalid) as of_capture:
        await captures.capture(admin, captured(**chosen), now=NOW)
    with pytest.raises(Invalid) as of_edit:
        await leads.update(admin, plain.id, LeadDetails(**chosen), now=NOW)  # type: ignore[arg-type]

    for refused in (of_capture, of_edit):
        assert {(fault.code, fault.field, fault.message) for fault in refused.value.faults} == {
            ("ARCHIVED", ("sourceId",), "Fair is archived: choose another source, or restore it first."),
            ("ARCHIVED", ("productId",), "Panel is archived: choose another product, or restore it first."),
            ("ARCHIVED", ("tagIds",), "hot is archived: choose another tag, or restore it first."),
        }
    assert [lead.id for lead in await Lead.filter(workspace_id=admin.workspace_id)] == [plain.id]


async def test_a_lead_keeps_what_was_archived_since() -> None:
    admin = await seller()
    product, source, tag = await choices(admin)
    chosen = {"product_id": product.id, "source_id": source.id, "tag_ids": [tag.id]}
    ref = Ref("web", "1")
    lead = await captures.capture(admin, replace(captured(**chosen), external_refs=[ref]), now=NOW)
    await archive(product, source, tag)

    edited = await leads.update(admin, lead.id, LeadDetails(title="Roof", **chosen), now=NOW)  # type: ignore[arg-type]
    again = await captures.capture(admin, replace(captured(**chosen), external_refs=[ref]), now=NOW)

    assert (edited.title, again.id, again.product_id) == ("Roof", lead.id, product.id)
    with pytest.raises(Invalid):
        await captures.capture(admin, replace(captured(**chosen), external_refs=[Ref("web", "2")]), now=NOW)


async def test_an_edit_that_changes_nothing_records_nothing() -> None:
    admin = await seller()
    lead = await captures.capture(admin, captured(), now=NOW)
    same = await leads.update(admin, lead.id, LeadDetails(title="Solar roof"), now=NOW)
    assert same.version == 1
    assert len(await events_of(lead)) == 1


async def test_of_two_edits_of_one_version_one_is_stale_and_learns_the_current_lead() -> None:
    admin = await seller()
    lead = await captures.capture(admin, captured(), now=NOW)
    edits = [
        leads.update(admin, lead.id, LeadDetails(title=title), expected_version=1, now=NOW) for title in ("A", "B")
    ]
    outcomes = await asyncio.gather(*edits, return_exceptions=True)
    [won] = [row for row in outcomes if isinstance(row, Lead)]
    [stale] = [error for error in outcomes if isinstance(error, Stale)]
    assert stale.current.title == won.title


async def test_what_an_actor_may_not_see_does_not_exist() -> None:
    admin = await seller()
    rep, other = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
    stranger = await member()
    lead = await captures.capture(rep, captured(), now=NOW)
    for actor in (other, stranger):
        with pytest.raises(NotFound):
            await leads.update(actor, lead.id, LeadDetails(title="Mine"), now=NOW)


async def test_a_deleted_lead_comes_back_where_it_stood() -> None:
    admin = await seller()
    lead = await captures.capture(admin, captured(), now=NOW)
    await leads.delete(admin, lead.id, now=NOW)
    with pytest.raises(NotFound):
        await leads.update(admin, lead.id, LeadDetails(title="Roof"), now=NOW)
    back = await leads.restore(admin, lead.id, now=NOW)
    assert (back.deleted_at, back.stage_id) == (None, lead.stage_id)
    assert [event.name for event in await events_of(lead)] == ["lead.captured", "lead.deleted", "lead.restored"]


async def test_an_event_never_occurs_before_the_last_one_of_its_lead() -> None:
    admin = await seller()
    lead = await captures.capture(admin, captured(), now=NOW)
    await leads.update(admin, lead.id, LeadDetails(title="Roof"), now=NOW - timedelta(hours=1))
    first, second = await events_of(lead)
    assert first.occurred_at == second.occurred_at == NOW


async def test_one_contact_of_a_lead_is_primary() -> None:
    admin = await seller()
    new = Capture(contact=NewContact(name="Ann", email="ann@example.com"))
    lead = await captures.capture(admin, new, now=NOW)
    other = await Contact.create(workspace_id=admin.workspace_id, name="Bob", created_at=NOW, updated_at=NOW)
    await leads.set_contact(admin, lead.id, other.id, role=ContactRole.PAYER, is_primary=True, now=NOW)
    rows = await LeadContact.filter(lead_id=lead.id, is_primary=True)
    assert [(row.contact_id, row.role) for row in rows] == [(other.id, ContactRole.PAYER)]
    await leads.remove_contact(admin, lead.id, other.id, now=NOW)
    assert await LeadContact.filter(lead_id=lead.id).count() == 1


async def test_a_partner_who_sends_a_lead_twice_brings_one_up_to_date() -> None:
    admin = await seller()
    refs = [Ref("shop", "A-1")]
    first = Capture(details=LeadDetails(title="Roof"), external_refs=refs)
    rows = await asyncio.gather(*(captures.capture(admin, first, now=NOW) for _ in range(4)))
    assert len({row.id for row in rows}) == 1
    again = Capture(details=LeadDetails(description="Flat"), company=NewCompany(name="Acme"), external_refs=refs)
    known = await captures.capture(admin, again, now=NOW)
    assert (known.id, known.title, known.description, known.version) == (rows[0].id, "Roof", "Flat", 2)
    assert await Lead.filter(workspace_id=admin.workspace_id).count() == 1


async def test_a_lead_of_a_known_person_is_a_lead_of_their_company() -> None:
    admin = await seller()
    new = Capture(company=NewCompany(name="Acme"), contact=NewContact(name="Ann", email="ann@acme.com"))
    first = await captures.capture(admin, new, now=NOW)
    second = await captures.capture(admin, Capture(contact=NewContact(email="ann@acme.com")), now=NOW)
    assert second.company_id == first.company_id is not None


async def test_a_title_is_one_line() -> None:
    admin = await seller()
    with pytest.raises(Malformed, match="single line"):
        await lead(admin, title="Roof\nBcc: everybody")


async def test_a_key_that_only_writes_is_told_what_it_needs_to_bring_a_lead_up_to_date() -> None:
    admin = await seller()
    form = await partner("lead:write", of=admin)
    new = Capture(details=LeadDetails(title="Roof"), external_refs=[Ref("form", "1")])
    await captures.capture(form, new, now=NOW)
    with pytest.raises(UpsertNeedsRead):
        await captures.capture(form, new, now=NOW)


async def test_a_lead_goes_to_active_members_only() -> None:
    admin = await seller()
    left = await member(Role.REP, of=admin, active=False)
    with pytest.raises(OwnerInactive):
        await leads.assign(admin, (await lead(admin)).id, left.user_id, now=NOW)
