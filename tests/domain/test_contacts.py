"""Contacts: what people may say of one, and how captures find or make one."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import companies, contacts
from domain.actors import Actor
from domain.companies import CompanyDetails
from domain.contacts import ContactDetails
from domain.errors import (
    AlreadyExists,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    Required,
    Stale,
    TooLong,
)
from domain.external_refs import ExternalRefTaken, Ref
from models.base import uuid7
from models.companies import Company
from models.contacts import Contact
from models.events import Event
from models.users import Role
from tests.factories import NOW, member

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


async def contact(actor: Actor, name: str = "Ada", **details: Any) -> Contact:
    return await contacts.create(actor, ContactDetails(name=name, **details), now=NOW)


async def company(actor: Actor, **details: Any) -> Company:
    return await companies.create(actor, CompanyDetails(name="Acme", **details), now=NOW)


async def events_of(key: UUID) -> list[Event]:
    return await Event.filter(subject_id=key).order_by("id")


async def test_a_contact_keeps_email_and_phone_as_given_and_as_matched() -> None:
    actor = await member()
    employer = await company(actor, country="DE")

    row = await contact(
        actor,
        " Ada ",
        email="Ada.Lovelace@BÜCHER.example",
        phone="030 1234567",
        language="de-DE",
        company_id=employer.id,
        owner_id=actor.user_id,
    )

    kept = await Contact.get(id=row.id)
    assert (kept.name, kept.language, kept.company_id) == ("Ada", "de-DE", employer.id)
    assert kept.email == "Ada.Lovelace@BÜCHER.example"
    assert kept.email_normalised == "ada.lovelace@xn--bcher-kva.example"
    assert (kept.phone, kept.phone_normalised) == ("030 1234567", "+49301234567")
    [event] = await events_of(row.id)
    assert (event.name, event.data["version"]) == ("contact.created", 1)


@pytest.mark.parametrize("email", ["ada", "ada@", "@example.com", "a b@example.com", "ada@exa mple.com", "a@b..c"])
async def test_what_is_no_email_is_refused(email: str) -> None:
    with pytest.raises(Malformed):
        await contact(await member(), email=email)


@pytest.mark.parametrize("phone", ["030 1234567", "+49", "call me", "+999 123456789", "+" + "1" * 30])
async def test_what_is_no_phone_is_refused(phone: str) -> None:
    with pytest.raises(Malformed):
        await contact(await member(), phone=phone)


async def test_every_fault_is_reported_at_once() -> None:
    actor = await member()

    with pytest.raises(Invalid) as caught:
        await contacts.create(
            actor,
            ContactDetails(
                email="x" * 321,
                job_title="x" * 201,
                phone="?",
                language="klingon-!",
                company_id=uuid7(),
                owner_id=uuid7(),
            ),
            id=uuid4(),
            external_refs=[Ref("erp", "x" * 501)],
            now=NOW,
        )

    assert {fault.field for fault in caught.value.faults} == {
        ("id",),
        ("name",),
        ("email",),
        ("jobTitle",),
        ("phone",),
        ("language",),
        ("companyId",),
        ("ownerId",),
        ("externalRefs", "0", "externalId"),
    }


async def test_an_edit_changes_what_is_given_and_one_that_changes_nothing_is_none() -> None:
    actor = await member()
    row = await contact(actor, email="ada@example.com", phone="+49 30 1234567")

    edited = await contacts.update(
        actor, row.id, ContactDetails(email=None, job_title="CTO"), expected_version=1, now=LATER
    )
    same = await contacts.update(actor, row.id, ContactDetails(job_title="CTO"), now=LATER)

    assert (edited.email, edited.email_normalised, edited.phone, edited.version) == (
        None,
        None,
        "+49 30 1234567",
        2,
    )
    assert same.version == 2
    assert [event.name for event in await events_of(row.id)] == ["contact.created", "contact.updated"]
    with pytest.raises(Stale):
        await contacts.update(actor, row.id, ContactDetails(name="Eve"), expected_version=1, now=LATER)


async def test_two_contacts_share_no_email_however_it_is_written() -> None:
    actor = await member()
    await contact(actor, email="ada@example.com")
    eve = await contact(actor, "Eve")

    with pytest.raises(AlreadyExists) as caught:
        await contact(actor, email="ADA@Example.com")
    with pytest.raises(AlreadyExists):
        await contacts.update(actor, eve.id, ContactDetails(email="ada@example.com"), now=NOW)

    assert caught.value.field == ("email",)
    assert (await contact(await member(), email="ada@example.com")).email == "ada@example.com"


async def test_two_contacts_may_share_a_phone() -> None:
    actor = await member()
    await contact(actor, phone="+49 30 1234567")

    assert (await contact(actor, "Eve", phone="+49301234567")).phone_normalised == "+49301234567"


async def test_a_deleted_contact_is_gone_holds_its_email_from_nobody_and_comes_back_if_it_is_free() -> None:
    actor = await member()
    row = await contact(actor, email="ada@example.com")

    await contacts.delete(actor, row.id, expected_version=1, now=LATER)
    with pytest.raises(NotFound):
        await contacts.delete(actor, row.id, now=LATER)
    with pytest.raises(NotFound):
        await contacts.update(actor, row.id, ContactDetails(name="Eve"), now=LATER)
    heir = await contact(actor, "Heir", email="ada@example.com")
    with pytest.raises(AlreadyExists):
        await contacts.restore(actor, row.id, now=LATER)
    await contacts.delete(actor, heir.id, now=LATER)

    assert (await contacts.restore(actor, row.id, now=LATER)).version == 3
    assert (await contacts.restore(actor, row.id, now=LATER)).version == 3
    names = [event.name for event in await events_of(row.id)]
    assert names == ["contact.created", "contact.deleted", "contact.restored"]


async def test_an_external_reference_belongs_to_one_contact() -> None:
    actor, ref = await member(), Ref("crm", "7")
    await contacts.create(actor, ContactDetails(name="Ada"), external_refs=[ref], now=NOW)

    with pytest.raises(ExternalRefTaken):
        await contacts.create(actor, ContactDetails(name="Eve"), external_refs=[ref], now=NOW)
    assert await Contact.filter(workspace_id=actor.workspace_id).count() == 1


async def test_another_workspaces_contact_does_not_exist_and_who_only_reads_changes_nothing() -> None:
    stranger, admin = await member(), await member()
    viewer = await member(Role.VIEWER, of=admin)
    foreign, own = await contact(stranger), await contact(admin)
    employer = await company(stranger)

    for actor, key, error in ((admin, foreign.id, NotFound), (viewer, own.id, Forbidden)):
        for attempt in (
            contacts.update(actor, key, ContactDetails(name="Eve"), now=NOW),
            contacts.delete(actor, key, now=NOW),
            contacts.restore(actor, key, now=NOW),
        ):
            with pytest.raises(error):
                await attempt
    with pytest.raises(Forbidden):
        await contact(viewer)
    with pytest.raises(NotFound):
        await contact(admin, company_id=employer.id)


class TestFindOrCreate:
    async def test_the_email_decides(self) -> None:
        actor = await member()
        row = await contact(actor, "Ada", email="ada@example.com", phone="+4930111111")

        found = await contacts.find_or_create(
            actor, name="A. Lovelace", email="ADA@example.com", phone="+4930222222", now=NOW
        )

        assert (found.id, found.name, found.phone, found.version) == (row.id, "Ada", "+4930111111", 1)

    async def test_without_an_email_the_phone_decides(self) -> None:
        actor = await member()
        row = await contact(actor, "Ada", phone="+49 30 1234567")

        found = await contacts.find_or_create(actor, name="Somebody", phone="030/1234567", country="DE", now=NOW)

        assert found.id == row.id

    async def test_a_colleague_at_the_same_phone_with_another_email_is_another(self) -> None:
        actor = await member()
        row = await contact(actor, "Ada", email="ada@example.com", phone="+4930123456")

        other = await contacts.find_or_create(actor, name="Eve", email="eve@example.com", phone="+4930123456", now=NOW)

        assert other.id != row.id

    async def test_names_decide_nothing(self) -> None:
        actor = await member()
        row = await contact(actor, "Ada")

        assert (await contacts.find_or_create(actor, name="Ada", now=NOW)).id != row.id

    async def test_gaps_are_filled_and_nothing_is_overwritten(self) -> None:
        actor = await member()
        employer = await company(actor)
        row = await contact(actor, "Ada", phone="+4930123456", job_title="CTO")

        found = await contacts.find_or_create(
            actor,
            name="A.",
            email="ada@example.com",
            phone="+4930123456",
            job_title="CEO",
            company_id=employer.id,
            now=LATER,
        )

        assert (found.id, found.email, found.job_title, found.company_id) == (
            row.id,
            "ada@example.com",
            "CTO",
            employer.id,
        )
        assert sorted((await events_of(row.id))[-1].data["changes"]) == ["company_id", "email", "email_normalised"]

    async def test_without_a_name_the_email_or_the_phone_is_the_name(self) -> None:
        actor = await member()

        assert (await contacts.find_or_create(actor, email="a@example.com", now=NOW)).name == "a@example.com"
        assert (await contacts.find_or_create(actor, phone="+4930123456", now=NOW)).name == "+4930123456"
        with pytest.raises(Required) as caught:
            await contacts.find_or_create(actor, name=" ", within="contact", now=NOW)
        assert caught.value.field == ("contact", "name")

    async def test_what_is_deleted_or_another_workspaces_is_not_found(self) -> None:
        actor = await member()
        foreign = await contact(await member(), email="ada@example.com")
        deleted = await contact(actor, email="ada@example.com")
        await contacts.delete(actor, deleted.id, now=NOW)

        found = await contacts.find_or_create(actor, email="ada@example.com", now=NOW)

        assert found.id not in (foreign.id, deleted.id)

    @pytest.mark.parametrize(
        "said",
        [
            [{"email": "ada@example.com"}, {"email": "ADA@example.com", "name": "Ada"}],
            [{"phone": "+49 30 123456"}, {"phone": "+4930123456", "name": "Ada"}],
            [{"phone": "+4930123456", "email": "ada@example.com"}, {"email": "ada@example.com"}],
        ],
        ids=["by email", "by phone", "by both"],
    )
    async def test_many_captures_at_once_make_one_contact(self, said: list[dict[str, Any]]) -> None:
        actor = await member()

        found = await asyncio.gather(
            *(contacts.find_or_create(actor, **said[number % 2], now=NOW) for number in range(8))
        )

        assert len({row.id for row in found}) == 1

    async def test_a_capture_and_a_person_at_once_make_one_contact(self) -> None:
        actor = await member()

        async def by_hand() -> Contact | None:
            try:
                return await contact(actor, "By hand", email="ada@example.com")
            except AlreadyExists:
                return None

        captures = (contacts.find_or_create(actor, email="ada@example.com", now=NOW) for _ in range(4))
        found = await asyncio.gather(by_hand(), *captures)

        assert len({row.id for row in found if row}) == 1

    async def test_what_is_none_is_refused(self) -> None:
        with pytest.raises(Invalid) as caught:
            await contacts.find_or_create(
                await member(), name="x" * 201, email="nobody", phone="0", within="contact", now=NOW
            )
        faults = {fault.field: type(fault) for fault in caught.value.faults}
        assert faults == {
            ("contact", "name"): TooLong,
            ("contact", "email"): Malformed,
            ("contact", "phone"): Malformed,
        }
