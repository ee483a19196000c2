"""Companies: what people may say of one, and how captures find or make one."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import companies
from domain.actors import Actor
from domain.companies import CompanyDetails, FreeMailDomain, ParentCycle
from domain.edits import OwnerInactive
from domain.errors import (
    AlreadyExists,
    DomainError,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    OutOfRange,
    Required,
    Stale,
    TooLong,
)
from domain.external_refs import ExternalRefTaken, Ref
from domain.money import Money
from models.base import uuid7
from models.companies import Company, Relationship
from models.events import Event
from models.users import Role
from tests.factories import NOW, member

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


async def company(actor: Actor, name: str = "Acme", **details: Any) -> Company:
    return await companies.create(actor, CompanyDetails(name=name, **details), now=NOW)


async def events_of(key: UUID) -> list[Event]:
    return await Event.filter(subject_id=key).order_by("id")


async def test_a_company_keeps_what_is_said_of_it_and_its_event_says_the_same() -> None:
    actor = await member()

    row = await companies.create(
        actor,
        CompanyDetails(
            name="  Müller   GmbH ",
            domain="https://www.Mueller.example/about",
            website="https://mueller.example",
            phone="030 1234567",
            country="de",
            industry="Machines",
            employees=120,
            revenue=Money(Decimal("1500000.50"), "eur"),
            founded_year=1921,
            tax_number="DE 123",
            billing_address={"street": "Ring 1", "city": "Berlin", "country": "de", "planet": "Earth"},
            owner_id=actor.user_id,
        ),
        now=NOW,
    )

    kept = await Company.get(id=row.id)
    assert (kept.name, kept.name_normalised) == ("Müller   GmbH", "müller gmbh")
    assert (kept.domain, kept.website) == ("mueller.example", "https://mueller.example")
    assert (kept.phone, kept.phone_normalised) == ("030 1234567", "+49301234567")
    assert (kept.revenue, kept.revenue_currency) == (Decimal("1500000.5"), "EUR")
    assert kept.billing_address == {"street": "Ring 1", "city": "Berlin", "country": "DE"}
    assert (kept.relationship, kept.version, kept.owner_id) == (Relationship.LEAD, 1, actor.user_id)
    [event] = await events_of(row.id)
    assert event.name == "company.created"
    assert event.data["changes"]["domain"] == [None, "mueller.example"]


async def test_every_fault_of_an_input_is_reported_at_once() -> None:
    actor = await member()

    with pytest.raises(Invalid) as caught:
        await companies.create(
            actor,
            CompanyDetails(
                name=" ",
                domain="not a domain",
                website="ftp://x",
                phone="abc",
                country="XX",
                location="x" * 201,
                employees=-1,
                revenue=Money(Decimal("NaN"), "ABC"),
                founded_year=2999,
                shipping_address={"street": "x" * 201},
                parent_id=uuid7(),
                owner_id=uuid7(),
            ),
            id=uuid4(),
            external_refs=[Ref("", "1")],
            now=NOW,
        )

    faults = {".".join(fault.field or ()): type(fault) for fault in caught.value.faults}
    assert faults == {
        "id": Malformed,
        "name": Required,
        "domain": Malformed,
        "website": Malformed,
        "phone": Malformed,
        "country": Malformed,
        "location": TooLong,
        "employees": OutOfRange,
        "revenue.amount": Malformed,
        "revenue.currencyCode": Malformed,
        "foundedYear": OutOfRange,
        "shippingAddress.street": TooLong,
        "parentId": NotFound,
        "ownerId": NotFound,
        "externalRefs.0.system": Required,
    }
    assert await Company.filter(workspace_id=actor.workspace_id).count() == 0


@pytest.mark.parametrize("country", ["ZZ", "EU", "XA", "UK", "DEU", "276", "D", "12"])
async def test_what_is_no_country_is_refused(country: str) -> None:
    with pytest.raises(Malformed):
        await company(await member(), country=country)


@pytest.mark.parametrize("domain", ["gmail.com", "yahoo.co.uk", "HOTMAIL.fr", "www.gmx.de"])
async def test_a_mail_providers_domain_is_no_companys(domain: str) -> None:
    with pytest.raises(FreeMailDomain):
        await company(await member(), domain=domain)


@pytest.mark.parametrize("domain", ["gmailer.com", "liveagent.com", "yahoo-consulting.com", "outlook.example.com"])
async def test_a_domain_that_only_resembles_a_mail_providers_is_a_companys(domain: str) -> None:
    assert (await company(await member(), domain=domain)).domain == domain


@pytest.mark.parametrize(
    "name", ["a" * 201, "nul\x00", "x" * 100_000], ids=["too long", "a control character", "enormous"]
)
async def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises((TooLong, Malformed)):
        await company(await member(), name)


async def test_an_edit_changes_what_is_given_and_nothing_else() -> None:
    actor = await member()
    row = await company(actor, industry="Machines", country="DE", phone="030 1234567")

    edited = await companies.update(
        actor, row.id, CompanyDetails(name="Acme AG", country=None), expected_version=1, now=LATER
    )

    assert (edited.name, edited.country, edited.industry, edited.version) == ("Acme AG", None, "Machines", 2)
    assert (await Company.get(id=row.id)).updated_at == LATER
    event = (await events_of(row.id))[-1]
    assert event.name == "company.updated"
    assert event.data == {
        "changes": {"name": ["Acme", "Acme AG"], "name_normalised": ["acme", "acme ag"], "country": ["DE", None]},
        "version": 2,
    }


async def test_an_edit_that_changes_nothing_is_none() -> None:
    actor = await member()
    row = await company(actor, domain="acme.example")

    same = await companies.update(actor, row.id, CompanyDetails(name="Acme", domain="acme.example"), now=LATER)

    assert (same.version, same.updated_at) == (1, NOW)
    assert len(await events_of(row.id)) == 1


async def test_an_edit_of_an_old_version_is_refused_with_the_current_row() -> None:
    actor = await member()
    row = await company(actor)
    await companies.update(actor, row.id, CompanyDetails(name="Beta"), now=NOW)

    with pytest.raises(Stale) as caught:
        await companies.update(actor, row.id, CompanyDetails(name="Gamma"), expected_version=1, now=NOW)

    assert caught.value.current.name == "Beta"


async def test_an_owner_who_left_may_stay_but_not_come() -> None:
    actor = await member()
    left = await member(Role.REP, of=actor, active=False)
    row = await company(actor)
    await Company.filter(id=row.id).update(owner_id=left.user_id)

    kept = await companies.update(actor, row.id, CompanyDetails(name="Beta", owner_id=left.user_id), now=NOW)
    assert kept.owner_id == left.user_id
    with pytest.raises(OwnerInactive):
        await company(actor, "Gamma", owner_id=left.user_id)


async def test_another_workspaces_company_does_not_exist() -> None:
    stranger, actor = await member(), await member()
    foreign = await company(stranger)

    for attempt in (
        companies.update(actor, foreign.id, CompanyDetails(name="Mine"), now=NOW),
        companies.delete(actor, foreign.id, now=NOW),
        companies.restore(actor, foreign.id, now=NOW),
        company(actor, parent_id=foreign.id),
        company(actor, owner_id=stranger.user_id),
    ):
        with pytest.raises(NotFound):
            await attempt


@pytest.mark.parametrize("role", [Role.VIEWER])
async def test_who_only_reads_changes_nothing(role: Role) -> None:
    admin = await member()
    viewer, row = await member(role, of=admin), await company(admin)

    for attempt in (
        company(viewer),
        companies.update(viewer, row.id, CompanyDetails(name="Beta"), now=NOW),
        companies.delete(viewer, row.id, now=NOW),
        companies.restore(viewer, row.id, now=NOW),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_two_companies_share_no_domain() -> None:
    actor = await member()
    await company(actor, domain="acme.example")
    beta = await company(actor, "Beta")

    with pytest.raises(AlreadyExists) as created:
        await company(actor, "Gamma", domain="ACME.example")
    with pytest.raises(AlreadyExists) as edited:
        await companies.update(actor, beta.id, CompanyDetails(domain="acme.example"), now=NOW)

    assert created.value.field == edited.value.field == ("domain",)
    assert (await company(await member(), domain="acme.example")).domain == "acme.example"


async def test_the_same_id_makes_one_company() -> None:
    actor, key = await member(), uuid7()
    await companies.create(actor, CompanyDetails(name="Acme"), id=key, now=NOW)

    with pytest.raises(AlreadyExists) as caught:
        await companies.create(actor, CompanyDetails(name="Acme"), id=key, now=NOW)

    assert caught.value.field == ("id",)


async def test_a_deleted_company_is_gone_until_it_is_restored() -> None:
    actor = await member()
    row = await company(actor)

    assert (await companies.delete(actor, row.id, expected_version=1, now=LATER)).deleted_at == LATER
    with pytest.raises(NotFound):
        await companies.update(actor, row.id, CompanyDetails(name="Beta"), now=LATER)
    with pytest.raises(NotFound):
        await companies.delete(actor, row.id, now=LATER)
    assert (await companies.restore(actor, row.id, now=LATER)).deleted_at is None
    assert (await companies.restore(actor, row.id, now=LATER)).version == 3

    names = [event.name for event in await events_of(row.id)]
    assert names == ["company.created", "company.deleted", "company.restored"]


async def test_a_deleted_company_holds_its_domain_from_nobody_and_comes_back_only_if_it_is_free() -> None:
    actor = await member()
    row = await company(actor, domain="acme.example")
    await companies.delete(actor, row.id, now=NOW)
    heir = await company(actor, "Heir", domain="acme.example")

    with pytest.raises(AlreadyExists):
        await companies.restore(actor, row.id, now=NOW)

    await companies.delete(actor, heir.id, now=NOW)
    assert (await companies.restore(actor, row.id, now=NOW)).domain == "acme.example"


async def test_no_company_is_above_itself() -> None:
    actor = await member()
    top = await company(actor, "Top")
    middle = await company(actor, "Middle", parent_id=top.id)
    bottom = await company(actor, "Bottom", parent_id=middle.id)

    for parent in (top, middle, bottom):
        with pytest.raises(ParentCycle):
            await companies.update(actor, top.id, CompanyDetails(parent_id=parent.id), now=NOW)
    assert (await companies.update(actor, bottom.id, CompanyDetails(parent_id=top.id), now=NOW)).parent_id == top.id


async def test_two_companies_that_become_each_others_parent_at_once_make_no_circle() -> None:
    actor = await member()
    one, other = await company(actor, "One"), await company(actor, "Other")

    outcomes = await asyncio.gather(
        companies.update(actor, one.id, CompanyDetails(parent_id=other.id), now=NOW),
        companies.update(actor, other.id, CompanyDetails(parent_id=one.id), now=NOW),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Company", "ParentCycle"]


async def test_an_external_reference_belongs_to_one_company() -> None:
    actor, ref = await member(), Ref("erp", "4711")
    row = await companies.create(actor, CompanyDetails(name="Acme"), external_refs=[ref, ref], now=NOW)
    other = await company(actor, "Beta")

    with pytest.raises(ExternalRefTaken):
        await companies.update(actor, other.id, CompanyDetails(name="New"), external_refs=[ref], now=NOW)
    assert (await Company.get(id=other.id)).name == "Beta"
    again = await companies.update(actor, row.id, CompanyDetails(), external_refs=[ref], now=NOW)
    assert again.version == 1


class TestFindOrCreate:
    async def test_the_domain_decides(self) -> None:
        actor = await member()
        row = await company(actor, "Acme Inc.", domain="acme.example")

        found = await companies.find_or_create(actor, name="ACME", domain="www.acme.example", now=NOW)

        assert found.id == row.id
        assert found.name == "Acme Inc."

    async def test_without_a_domain_the_exact_name_decides(self) -> None:
        actor = await member()
        row = await company(actor, "Acme  Inc.", domain="acme.example")

        assert (await companies.find_or_create(actor, name="acme inc.", now=NOW)).id == row.id
        assert (await companies.find_or_create(actor, name="acme", now=NOW)).id != row.id

    async def test_a_company_of_that_name_with_another_domain_is_another(self) -> None:
        actor = await member()
        row = await company(actor, "Acme", domain="acme.example")

        other = await companies.find_or_create(actor, name="Acme", domain="acme.test", now=NOW)

        assert other.id != row.id

    async def test_what_is_found_by_name_gains_the_domain_and_loses_nothing(self) -> None:
        actor = await member()
        row = await company(actor, "Acme", industry="Machines")

        found = await companies.find_or_create(
            actor, name="acme", domain="acme.example", industry="Toys", location="Hull", now=LATER
        )

        assert (found.id, found.domain, found.industry, found.location) == (
            row.id,
            "acme.example",
            "Machines",
            "Hull",
        )
        assert (await events_of(row.id))[-1].data["changes"] == {
            "domain": [None, "acme.example"],
            "location": [None, "Hull"],
        }
        again = await companies.find_or_create(actor, name="Acme", domain="acme.example", now=LATER)
        assert again.version == found.version == 2

    async def test_a_mail_provider_tells_nothing(self) -> None:
        actor = await member()

        one = await companies.find_or_create(actor, name="One", domain="gmail.com", now=NOW)
        other = await companies.find_or_create(actor, name="Other", domain="gmail.com", now=NOW)

        assert one.id != other.id
        assert one.domain is other.domain is None

    async def test_without_a_name_the_domain_is_the_name(self) -> None:
        found = await companies.find_or_create(await member(), domain="acme.example", now=NOW)

        assert found.name == "acme.example"

    @pytest.mark.parametrize("domain", [None, " ", "gmail.com"])
    async def test_without_a_name_and_a_domain_there_is_nothing_to_find(self, domain: str | None) -> None:
        with pytest.raises(Required) as caught:
            await companies.find_or_create(await member(), domain=domain, within="company", now=NOW)
        assert caught.value.field == ("company", "name")

    async def test_a_deleted_company_is_not_found(self) -> None:
        actor = await member()
        row = await company(actor, domain="acme.example")
        await companies.delete(actor, row.id, now=NOW)

        assert (await companies.find_or_create(actor, name="Acme", domain="acme.example", now=NOW)).id != row.id

    async def test_another_workspaces_company_is_not_found(self) -> None:
        foreign = await company(await member(), domain="acme.example")

        found = await companies.find_or_create(await member(), name="Acme", domain="acme.example", now=NOW)

        assert found.id != foreign.id

    @pytest.mark.parametrize(
        "said",
        [
            [{"domain": "acme.example", "name": "Acme"}, {"domain": "acme.example", "name": "Acme Inc."}],
            [{"name": "Acme"}, {"name": " ACME "}],
            [{"name": "Acme", "domain": "acme.example"}, {"name": "acme"}],
        ],
        ids=["by domain", "by name", "by both"],
    )
    async def test_many_captures_at_once_make_one_company(self, said: list[dict[str, Any]]) -> None:
        actor = await member()

        found = await asyncio.gather(
            *(companies.find_or_create(actor, **said[number % 2], now=NOW) for number in range(8))
        )

        assert len({row.id for row in found}) == 1
        assert await Company.filter(workspace_id=actor.workspace_id).count() == 1

    async def test_a_capture_and_a_person_at_once_make_one_company(self) -> None:
        actor = await member()

        async def by_hand() -> Company | None:
            try:
                return await company(actor, "By hand", domain="acme.example")
            except AlreadyExists:
                return None

        captures = (companies.find_or_create(actor, name="Captured", domain="acme.example", now=NOW) for _ in range(4))
        found = await asyncio.gather(by_hand(), *captures)

        assert len({row.id for row in found if row}) == 1

    async def test_what_is_no_company_is_refused(self) -> None:
        with pytest.raises(DomainError) as caught:
            await companies.find_or_create(
                await member(), name="x" * 201, website="x", country="ZZZ", within="company", now=NOW
            )
        assert isinstance(caught.value, Invalid)
        assert {fault.field for fault in caught.value.faults} == {
            ("company", "name"),
            ("company", "website"),
            ("company", "country"),
        }
