"""Many leads at once by several people at once: nobody waits for ever, and each lead has one story."""

import asyncio
import itertools
import random
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from domain import bulks, captures, closings, leads, moves
from domain.actors import Actor
from domain.bulks import Chosen, Work
from domain.captures import Capture, NewCompany, NewContact
from domain.errors import DomainError
from domain.leads import LeadDetails
from models.bulks import Bulk, BulkKind, BulkRow
from models.companies import Company
from models.database import transaction
from models.leads import Lead, LeadStatus
from models.stages import StageKind
from models.users import Role
from tests.factories import NOW, events, lead, member, seller, stage

pytestmark = pytest.mark.usefixtures("db")
LATER = NOW + timedelta(hours=1)
CLOSE = Work(BulkKind.CLOSE, {"status": LeadStatus.DISQUALIFIED})


async def of_companies(actor: Actor, number: int) -> list[Lead]:
    """Capture leads of a few companies and people, in an order that is neither theirs nor that of the leads."""
    rows = []
    for at in range(number):
        buyer = {
            "company": NewCompany(name=f"Company {at % 3}"),
            "contact": NewContact(email=f"p{at % 4}@a{actor.user_id}.example"),
        }
        new = Capture(details=LeadDetails(title=f"Roof {at}"), **buyer)  # type: ignore[arg-type]
        rows.append(await captures.capture(actor, new, now=NOW))
    random.Random(number).shuffle(rows)
    return rows


async def in_one_transaction(doing: Awaitable[Any]) -> Any:
    """Do it as under an idempotency key: all in one transaction."""
    async with transaction():
        return await doing


@pytest.mark.parametrize("keyed", [False, True])
async def test_two_over_the_same_rows_end_and_each_lead_is_closed_once(keyed: bool) -> None:
    admin = await seller()
    rows = await of_companies(admin, 24)
    keys = [row.id for row in rows]

    def doing(asked: list[Any]) -> Awaitable[Any]:
        done = bulks.named(admin, CLOSE, asked, now=LATER)
        return in_one_transaction(done) if keyed else done

    async with asyncio.timeout(30):
        told = await asyncio.gather(doing(keys), doing(keys[::-1]), doing(sorted(keys)))
    closed = [outcome.lead_id for outcomes in told for outcome in outcomes if not outcome.faults]
    assert sorted(closed) == sorted(keys)
    refused = {fault.code for outcomes in told for outcome in outcomes for fault in outcome.faults}
    assert refused == {"LEAD_ALREADY_CLOSED"}
    for key in keys:
        assert [event.name for event in await events(key)].count("lead.closed") == 1


@pytest.mark.parametrize("keyed", [False, True])
async def test_beside_people_who_work_on_single_leads(keyed: bool) -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    rows = await of_companies(admin, 20)
    keys = [row.id for row in rows]
    company = await Company.filter(workspace_id=admin.workspace_id).order_by("-id").first()
    target = await stage(admin, StageKind.QUALIFY)
    assert company
    works = [
        Work(BulkKind.MOVE, {"stage_id": target.id}),
        Work(BulkKind.UPDATE, {"details": LeadDetails(company_id=company.id)}),
        CLOSE,
        Work(BulkKind.DELETE, {}),
    ]

    async def many(work: Work) -> Any:
        done = bulks.named(admin, work, keys, now=LATER)
        return await (in_one_transaction(done) if keyed else done)

    async def one(changing: Awaitable[Any]) -> None:
        try:
            await changing
        except DomainError as error:
            assert error.code in {"NOT_FOUND", "LEAD_ALREADY_CLOSED", "LEAD_NOT_OPEN"}, error

    single: list[Awaitable[Any]] = []
    for key in keys:
        single += [
            one(closings.close(admin, key, LeadStatus.DISQUALIFIED, now=LATER)),
            one(moves.move(admin, key, stage_id=target.id, now=LATER)),
            one(leads.assign(admin, key, rep.user_id, now=LATER)),
        ]
    async with asyncio.timeout(60):
        await asyncio.gather(*(many(work) for work in works), *single)
    for key in keys:
        told = await events(key)
        for before, after in itertools.pairwise(told):
            assert after.data["before"] == before.data["after"]
            assert after.data["version"] == before.data["version"] + 1
        row = await Lead.get(id=key)
        assert told[-1].data["version"] == row.version
        assert row.deleted_at is not None


async def test_two_workers_of_one_bulk_do_each_row_once() -> None:
    admin = await seller()
    rows = [await lead(admin) for _ in range(12)]
    chosen = Chosen("SELECT id FROM lead WHERE workspace_id = $1", [admin.workspace_id])
    row = await bulks.begin(admin, CLOSE, chosen, now=NOW)
    async with asyncio.timeout(30):
        await asyncio.gather(*(bulks.run(row.workspace_id, row.id, clock=lambda: LATER, batch=2) for _ in range(3)))
    ended = await Bulk.get(id=row.id)
    assert (ended.done, ended.failed, ended.status) == (12, 0, "COMPLETED")
    assert not await BulkRow.filter(bulk_id=row.id, errors__isnull=False).exists()
    assert [event.name for event in await events(row.id)] == ["bulk.started", "bulk.completed"]
    for each in rows:
        assert [event.name for event in await events(each.id)] == ["lead.captured", "lead.closed"]
