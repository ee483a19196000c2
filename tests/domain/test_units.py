"""Writes in few statements: what waits, what goes together, and what happens where others come between."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from asyncpg.transaction import Transaction
from tortoise.connection import get_connection
from tortoise.exceptions import IntegrityError, OperationalError, TransactionManagementError
from tortoise.transactions import in_transaction

from domain import companies, edits, leads, moves, policy, stages
from domain.companies import CompanyDetails
from domain.errors import AlreadyExists, NotFound, Stale
from domain.events import record
from domain.leads import LeadDetails, LeadUpdated
from domain.money import Money
from domain.stages import Requirements
from models import rows
from models.base import uuid7
from models.catalog import Tag
from models.companies import Company
from models.database import joined, transaction, unit
from models.leads import Lead
from models.stages import MoveRequest, StageKind
from models.users import Role
from tests.factories import NOW, events, lead, member, seller, stage
from tests.statements import recorded

pytestmark = pytest.mark.usefixtures("db")
LATER = NOW + timedelta(minutes=1)


async def elsewhere(work: Callable[[], Awaitable[Any]]) -> Any:
    """Do something as another request does: outside the transaction that runs here."""

    async def alone() -> Any:
        return await work()

    return await asyncio.get_running_loop().create_task(alone(), context=Context())


def between(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Awaitable[Any]]) -> None:
    """Let something happen once, after the next row was read to be edited and before it is written."""
    read, waiting = rows.to_edit, [work]

    async def read_then(*args: Any, **kwargs: Any) -> Any:
        row = await read(*args, **kwargs)
        if waiting:
            await elsewhere(waiting.pop())
        return row

    monkeypatch.setattr(rows, "to_edit", read_then)


def company(admin: Any, **columns: Any) -> Company:
    given = {"name": "Acme", "name_normalised": "acme", "created_at": NOW, "updated_at": NOW}
    return Company(id=uuid7(), workspace_id=admin.workspace_id, **(given | columns))


async def test_an_edit_and_its_event_are_one_statement_without_a_transaction_around_it() -> None:
    admin = await seller()
    row = await lead(admin)
    with recorded() as sent:
        await leads.update(admin, row.id, LeadDetails(title="Roof"), now=LATER)
    assert [statement.split()[0] for statement in sent] == ["SELECT", "WITH"]
    assert (await Lead.get(id=row.id)).title == "Roof"
    assert [event.name for event in await events(row.id)] == ["lead.captured", "lead.updated"]


async def test_an_edit_that_changes_nothing_only_reads() -> None:
    admin = await seller()
    row = await lead(admin)
    with recorded() as sent:
        same = await leads.update(admin, row.id, LeadDetails(title=row.title), now=LATER)
    assert [statement.split()[0] for statement in sent] == ["SELECT"]
    assert (same.version, same.updated_at) == (1, NOW)


async def test_what_waits_is_seen_by_what_is_sent_next() -> None:
    admin = await member()
    async with transaction():
        row = company(admin)
        await edits.insert(row)
        await edits.write(row, {"industry": "Solar"})
        assert (await Company.get(id=row.id)).industry == "Solar"
        await edits.write(row, {"industry": "Wind"})
        assert await Company.filter(id=row.id, industry="Wind").exists()


async def test_a_transaction_that_fails_leaves_nothing_of_what_waited() -> None:
    admin = await member()
    row = company(admin)
    with pytest.raises(ZeroDivisionError):
        async with transaction():
            await edits.insert(row)
            raise ZeroDivisionError
    assert not await Company.exists(id=row.id)


async def test_a_part_that_fails_alone_takes_back_only_itself() -> None:
    admin = await member()
    kept, lost = company(admin, domain="acme.com"), company(admin, domain="acme.com")
    async with transaction():
        await edits.insert(kept)
        with pytest.raises(IntegrityError):
            async with transaction():
                await edits.insert(lost)
        assert [row.id for row in await Company.filter(workspace_id=admin.workspace_id)] == [kept.id]
    assert [row.id for row in await Company.filter(workspace_id=admin.workspace_id)] == [kept.id]


async def test_a_part_of_tortoises_own_takes_back_only_itself() -> None:
    admin = await member()
    kept, lost = company(admin), company(admin)
    async with transaction():
        await edits.insert(kept)
        with pytest.raises(ZeroDivisionError):
            async with in_transaction():
                await lost.save(force_create=True)
                raise ZeroDivisionError
    assert [row.id for row in await Company.filter(workspace_id=admin.workspace_id)] == [kept.id]


async def test_what_is_joined_fails_with_the_whole() -> None:
    admin = await member()
    row = company(admin)
    with recorded() as sent, pytest.raises(ZeroDivisionError):
        async with transaction():
            async with joined() as inner:
                assert inner is unit()
                await Company.exists(id=row.id)
                await edits.insert(row)
            await Company.exists(id=row.id)
            raise ZeroDivisionError
    assert not [statement for statement in sent if "SAVEPOINT" in statement]
    assert not await Company.exists(id=row.id)


async def test_rows_of_one_table_that_make_room_for_each_other_are_written_in_their_order() -> None:
    admin = await member()
    first, second = company(admin, domain="acme.com"), company(admin)
    await first.save(force_create=True)
    await second.save(force_create=True)
    async with transaction():
        await edits.write(first, {"domain": None})
        await edits.write(second, {"domain": "acme.com"})
    assert (await Company.get(id=second.id)).domain == "acme.com"


async def test_a_collision_is_told_by_name_wherever_it_comes_to_light() -> None:
    admin = await seller()
    first, second = company(admin, domain="acme.com"), company(admin)
    await first.save(force_create=True)
    await second.save(force_create=True)
    with pytest.raises(AlreadyExists):
        await companies.update(admin, second.id, CompanyDetails(domain="acme.com"), now=LATER)
    assert (await Company.get(id=second.id)).version == 1


async def test_of_two_edits_at_once_neither_undoes_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    row = await lead(admin)
    between(monkeypatch, lambda: leads.update(admin, row.id, LeadDetails(description="South side"), now=LATER))
    edited = await leads.update(admin, row.id, LeadDetails(title="Roof"), now=LATER)
    assert (edited.title, edited.description, edited.version) == ("Roof", "South side", 3)
    known = await Lead.get(id=row.id)
    assert (known.title, known.description, known.version) == ("Roof", "South side", 3)
    assert [event.data["version"] for event in await events(row.id)] == [1, 2, 3]


async def test_an_edit_of_a_version_that_somebody_else_has_just_changed_is_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = await seller()
    row = await lead(admin)
    between(monkeypatch, lambda: leads.update(admin, row.id, LeadDetails(description="South side"), now=LATER))
    with pytest.raises(Stale) as refused:
        await leads.update(admin, row.id, LeadDetails(title="Roof"), expected_version=1, now=LATER)
    assert refused.value.current.description == "South side"
    assert (await Lead.get(id=row.id)).title == row.title


async def test_what_the_system_writes_meanwhile_is_in_the_events_before(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    row = await lead(admin)
    between(monkeypatch, lambda: Lead.filter(id=row.id).update(score=70))
    await leads.update(admin, row.id, LeadDetails(title="Roof"), expected_version=1, now=LATER)
    event = (await events(row.id))[-1]
    assert (event.data["before"]["score"], event.data["after"]["score"]) == (70, 70)


async def test_tags_that_somebody_else_gives_meanwhile_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    row = await lead(admin)
    tag = await Tag.create(workspace_id=admin.workspace_id, name="Hot", created_at=NOW, updated_at=NOW)
    between(monkeypatch, lambda: leads.update(admin, row.id, LeadDetails(tag_ids=[tag.id]), now=LATER))
    await leads.update(admin, row.id, LeadDetails(title="Roof"), now=LATER)
    event = (await events(row.id))[-1]
    assert event.data["before"]["tag_ids"] == event.data["after"]["tag_ids"] == [str(tag.id)]


async def test_an_edit_of_more_than_one_row_is_refused_where_somebody_came_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = await seller()
    row = await lead(admin)
    tag = await Tag.create(workspace_id=admin.workspace_id, name="Hot", created_at=NOW, updated_at=NOW)
    between(monkeypatch, lambda: leads.update(admin, row.id, LeadDetails(value=Money(Decimal(10), "EUR")), now=LATER))
    edited = await leads.update(admin, row.id, LeadDetails(tag_ids=[tag.id]), now=LATER)
    assert (edited.value, edited.version) == (Decimal(10), 3)
    assert (await events(row.id))[-1].data["before"]["value"] == "10"


async def test_a_lead_that_is_taken_away_meanwhile_is_not_there_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    rep, other = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
    row = await lead(rep)
    between(monkeypatch, lambda: leads.assign(admin, row.id, other.user_id, now=LATER))
    with pytest.raises(NotFound):
        await leads.update(rep, row.id, LeadDetails(title="Mine"), now=LATER)
    assert (await Lead.get(id=row.id)).title == row.title


async def test_an_event_never_occurs_before_one_of_somebody_who_changed_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    row, target = await lead(rep), await stage(admin, StageKind.QUALIFY)
    await stages.set_requirements(admin, target.id, Requirements(needs_approval=True), now=NOW)
    after = LATER + timedelta(minutes=1)
    between(monkeypatch, lambda: moves.request(rep, row.id, stage_id=target.id, now=after))
    await leads.update(rep, row.id, LeadDetails(title="Roof"), now=LATER)
    assert await MoveRequest.exists(lead_id=row.id)
    told = [(event.name, event.occurred_at) for event in await events(row.id)]
    assert told[1:] == [("lead.move_requested", after), ("lead.updated", after)]


async def test_an_event_of_a_row_that_others_have_read_without_a_lock_makes_them_read_it_again() -> None:
    admin = await seller()
    row = await lead(admin)
    written = "SELECT xmin::text FROM lead WHERE id = $1"
    before = await get_connection("default").execute_query_dict(written, [row.id])
    async with transaction():
        held = await policy.locked(admin, Lead, row.id)
        await record(LeadUpdated(admin, held.id, {}), now=LATER)
    assert await get_connection("default").execute_query_dict(written, [row.id]) != before
    assert (await Lead.get(id=row.id)).version == 1


async def test_many_edits_of_one_lead_at_once_follow_one_another() -> None:
    admin = await seller()
    row = await lead(admin)
    titles = [f"Roof {number}" for number in range(16)]
    await asyncio.gather(
        *(
            leads.update(admin, row.id, LeadDetails(title=title), now=NOW + timedelta(seconds=at))
            for at, title in enumerate(titles)
        )
    )
    told = await events(row.id)
    assert [event.data["version"] for event in told] == list(range(1, 18))
    changes = [event.data["changes"]["title"] for event in told[1:]]
    assert [change[0] for change in changes] == [row.title, *(change[1] for change in changes[:-1])]
    assert sorted(change[1] for change in changes) == sorted(titles)
    occurred = [event.occurred_at for event in told]
    assert occurred == sorted(occurred)


async def test_a_transaction_ends_after_what_is_still_being_sent_in_it() -> None:
    begun = asyncio.Event()

    async def slowly() -> Any:
        begun.set()
        return await get_connection("default").execute_query_dict("SELECT pg_sleep(0.05), pg_backend_pid() AS pid")

    with pytest.raises(RuntimeError):
        async with transaction():
            await get_connection("default").execute_query("SELECT 1")
            neighbour = asyncio.create_task(slowly())
            await begun.wait()
            await asyncio.sleep(0)
            raise RuntimeError("while a neighbour is sending")
    [row] = await neighbour
    left = "SELECT state FROM pg_stat_activity WHERE pid = $1 AND state LIKE 'idle in%'"
    assert await get_connection("default").execute_query_dict(left, [row["pid"]]) == []


async def test_nothing_is_sent_in_a_transaction_that_is_over() -> None:
    over = asyncio.Event()

    async def late() -> Any:
        await over.wait()
        return await get_connection("default").execute_query("SELECT 1")

    with pytest.raises(RuntimeError):
        async with transaction():
            neighbour = asyncio.create_task(late())
            await asyncio.sleep(0)
            raise RuntimeError("before anything was sent")
    over.set()
    with pytest.raises(TransactionManagementError):
        await neighbour


async def test_a_value_that_does_not_fit_leaves_nothing_open_for_the_next_snapshot() -> None:
    for number in range(3):
        with pytest.raises(OperationalError):
            await get_connection("default").execute_query(f"SELECT $1::int AS n{number}", [2**40])
        async with transaction(snapshot=True):
            await get_connection("default").execute_query("SELECT 1")


async def test_a_beginning_that_nobody_waits_for_keeps_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    client: Any = get_connection("default")
    pool = await client.opened()
    begin, begun = Transaction.start, asyncio.Event()

    async def begin_and_stay(self: Transaction) -> None:
        await begin(self)
        begun.set()
        await asyncio.Event().wait()

    async with transaction():
        with monkeypatch.context() as patch:
            patch.setattr(Transaction, "start", begin_and_stay)
            beginning = asyncio.create_task(get_connection("default").execute_query("SELECT 1"))
            await begun.wait()
            beginning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await beginning
        assert (await get_connection("default").execute_query_dict("SELECT 1 AS one"))[0]["one"] == 1
        assert pool.get_size() - pool.get_idle_size() == 1
    assert pool.get_size() == pool.get_idle_size()
