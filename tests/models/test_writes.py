"""New rows that give way to known ones, names that are held once, and what goes together into one statement."""

from typing import Any
from uuid import UUID

import pytest

from domain import edits, leads, locks, policy
from domain.actors import Actor
from domain.companies import CompanyCreated
from domain.events import record
from models import rows
from models.base import uuid7
from models.catalog import Tag
from models.companies import Company
from models.database import in_one_go, transaction
from models.leads import Lead
from models.writes import Writes
from tests.factories import NOW, events, lead, member, seller
from tests.statements import recorded

pytestmark = pytest.mark.usefixtures("db")


def company(of: Actor, **columns: Any) -> Company:
    given = {"name": "Acme", "name_normalised": "acme", "created_at": NOW, "updated_at": NOW}
    return Company(id=uuid7(), workspace_id=of.workspace_id, **(given | columns))


async def test_a_new_row_is_written_with_its_event_unless_another_has_what_must_be_unique() -> None:
    admin = await member()
    first, second = company(admin, domain="acme.com"), company(admin, domain="acme.com")
    written = [
        await edits.insert_unless_known(row, CompanyCreated(admin, row.id, {}), now=NOW) for row in (first, second)
    ]
    assert written == [True, False]
    assert [row.id for row in await Company.filter(workspace_id=admin.workspace_id)] == [first.id]
    assert [len(await events(row.id)) for row in (first, second)] == [1, 0]


async def test_a_transaction_goes_on_after_a_row_that_gave_way() -> None:
    admin = await member()
    first, second = company(admin, domain="acme.com"), company(admin, domain="acme.com")
    await first.save(force_create=True)
    async with transaction():
        assert not await edits.insert_unless_known(second, CompanyCreated(admin, second.id, {}), now=NOW)
        await edits.write(first, {"industry": "Solar"})
    assert (await Company.get(id=first.id)).industry == "Solar"


async def test_what_a_transaction_holds_is_not_asked_for_again() -> None:
    admin = await member()
    async with transaction():
        with recorded() as sent:
            await locks.hold(admin.workspace_id, "a", "b")
            await locks.hold(admin.workspace_id, "b")
            async with transaction():
                await locks.hold(admin.workspace_id, "a")
        assert len([statement for statement in sent if "advisory" in statement]) == 1


async def test_what_a_part_held_is_not_asked_for_again_by_the_whole() -> None:
    admin = await member()
    async with transaction():
        async with transaction():
            await locks.hold(admin.workspace_id, "a")
        with recorded() as sent:
            await locks.hold(admin.workspace_id, "a")
        assert sent == []


async def test_what_a_part_that_failed_held_is_asked_for_again() -> None:
    admin = await member()
    async with transaction():
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                await locks.hold(admin.workspace_id, "a")
                raise ZeroDivisionError
        with recorded() as sent:
            await locks.hold(admin.workspace_id, "a")
        assert len(sent) == 1


async def test_new_rows_and_all_their_events_are_one_statement_in_their_order() -> None:
    admin = await member()
    made = [company(admin, name=f"Acme {number}") for number in range(3)]
    with recorded() as sent:
        async with transaction():
            for row in made:
                await edits.insert(row)
                await record(CompanyCreated(admin, row.id, {"name": row.name}), now=NOW)
    assert len(sent) == 1
    found = await rows.select(
        Company, "SELECT {columns} FROM company WHERE workspace_id = $1 ORDER BY name", admin.workspace_id
    )
    assert [row.name for row in found] == [row.name for row in made]
    for row in made:
        assert [event.data["name"] for event in await events(row.id)] == [row.name]


async def test_a_row_that_is_changed_before_it_is_written_is_written_once_as_it_became() -> None:
    admin = await member()
    row = company(admin)
    with recorded() as sent:
        async with transaction():
            await edits.insert(row)
            await edits.write(row, {"industry": "Solar"})
            await edits.write(row, {"industry": "Wind", "location": "Here"})
    assert len(sent) == 1
    known = await Company.get(id=row.id)
    assert (known.industry, known.location) == ("Wind", "Here")


async def test_a_row_that_waits_to_be_written_is_read_again_as_it_will_be() -> None:
    admin = await member()
    row = company(admin)
    await row.save(force_create=True)

    @in_one_go
    async def edit_twice() -> Company:
        async with transaction():
            first = await policy.locked(admin, Company, row.id)
            await edits.apply(first, {"industry": "Solar"}, now=NOW)
            second = await policy.locked(admin, Company, row.id)
            await edits.apply(second, {"location": "Here"}, now=NOW)
            return second

    edited = await edit_twice()
    known = await Company.get(id=row.id)
    for one in (edited, known):
        assert (one.industry, one.location, one.version) == ("Solar", "Here", 3)


async def test_what_was_read_beside_a_row_is_read_again_once_it_may_have_changed() -> None:
    admin = await seller()
    row = await lead(admin)
    tag = await Tag.create(workspace_id=admin.workspace_id, name="Hot", created_at=NOW, updated_at=NOW)

    @in_one_go
    async def tag_it() -> list[list[UUID]]:
        async with transaction():
            await policy.locked(admin, Lead, row.id)
            before = await leads.tags_of(row.id)
            await leads.set_tags(row, before, [tag.id])
            return [before, await leads.tags_of(row.id)]

    assert await tag_it() == [[], [tag.id]]


async def test_nothing_that_anybody_says_is_part_of_a_statement() -> None:
    admin = await member()
    hostile = "'; DROP TABLE company; --"
    writes = Writes()
    writes.insert(company(admin, name=hostile, industry="$1"))
    sql, values = writes.statement()
    assert hostile not in sql
    assert hostile in values
