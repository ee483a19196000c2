"""Indexes on custom fields are made and dropped by workers, whatever ends them; values of deleted fields go."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from domain import custom_fields, leads
from domain.actors import Actor
from domain.custom_fields import CustomFieldDetails
from domain.custom_values import CustomValue
from domain.leads import LeadDetails
from engine import keyset, records
from engine.conditions import Asked, Condition, Op
from engine.nouns import NOUNS
from engine.pages import Order, PageRequest
from engine.select import fetch
from engine.sql import Params, where
from models import custom_indexes
from models.base import uuid7
from models.custom_fields import CustomField, CustomFieldType, IndexState
from models.leads import Lead
from queries.custom_fields import looked_up, resolved
from tests.factories import NOW, custom_field, lead, seller
from tests.workers.conftest import Database, Start, until
from workers.subscriptions import NIGHTLY
from workers.tasks.custom_fields import settle_custom_indexes

INDEXES = "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
OF_FIELD = f"{INDEXES} WHERE starts_with(c.relname, $1)"
BUILDERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'salescycle custom indexes'"


async def noted(actor: Actor, **values: Any) -> Lead:
    given = [CustomValue(key, value) for key, value in values.items()]
    return await leads.update(actor, (await lead(actor)).id, LeadDetails(custom=given), now=NOW)


async def indexes(database: Database, field: CustomField) -> dict[str, bool]:
    return {row[0]: row[1] for row in await database.rows(OF_FIELD, f"custom_{field.id.hex}_")}


async def statistics(database: Database, field: CustomField) -> list[str]:
    sql = "SELECT stxname FROM pg_statistic_ext WHERE starts_with(stxname, $1)"
    return [row[0] for row in await database.rows(sql, f"custom_{field.id.hex}_")]


async def state(key: UUID) -> IndexState:
    return (await CustomField.get(id=key)).index_state


def options(kind: CustomFieldType) -> list[custom_fields.Option]:
    return [custom_fields.Option("a", "A")] if kind in custom_fields.CHOICES else []


def name(field: CustomField, kind: str = "number") -> str:
    return f"custom_{field.id.hex}_{kind}_idx"


async def test_an_index_comes_goes_and_follows_its_field(database: Database, start: Start) -> None:
    actor, now = await seller(), datetime.now(UTC)
    field = await custom_field(actor, "size", is_indexed=True)
    row = await noted(actor, size="12")
    for role in ("relay", "worker"):
        await start(role).ready()

    async def stands(*wanted: str) -> bool:
        return await indexes(database, field) == dict.fromkeys(wanted, True)

    async def serves() -> bool:
        return await state(field.id) is IndexState.READY

    async def gone() -> bool:
        return not await CustomField.exists(id=field.id)

    await until(serves)
    assert await stands(name(field, "text"))
    assert await statistics(database, field) == [f"custom_{field.id.hex}_text_stats"]
    edited = await custom_fields.update(actor, field.id, CustomFieldDetails(type=CustomFieldType.NUMBER), now=now)
    assert edited.index_state is IndexState.BUILDING
    await until(lambda: stands(name(field)))
    await until(serves)
    await custom_fields.update(actor, field.id, CustomFieldDetails(is_indexed=False), now=now)
    await until(lambda: stands())
    assert await state(field.id) is IndexState.NONE
    await custom_fields.update(actor, field.id, CustomFieldDetails(is_indexed=True), now=now)
    await until(serves)
    await custom_fields.archive(actor, field.id, now=now)
    await until(lambda: stands())
    await custom_fields.restore(actor, field.id, now=now)
    await until(serves)
    await custom_fields.archive(actor, field.id, now=now)
    await custom_fields.delete(actor, field.id, now=now)
    await until(gone)
    await until(lambda: stands())

    async def unlooked() -> bool:
        return await statistics(database, field) == []

    await until(unlooked)
    assert (await Lead.get(id=row.id)).custom == {}


@pytest.mark.parametrize("kind", CustomFieldType)
async def test_every_type_has_an_index_that_takes_long_and_odd_values(
    database: Database, kind: CustomFieldType
) -> None:
    actor = await seller()
    field = await custom_field(actor, "thing", kind, is_indexed=True, options=options(kind))
    row = await lead(actor)
    for odd in ("🏗" * 5_000, "İ" * 400, {"amount": "1" * 18, "currencyCode": "EUR"}, ["a"], True, "no number"):
        await Lead.filter(id=row.id).update(custom={field.id.hex: odd})
        await custom_indexes.settle(field.id, url=database.url)
        row = await lead(actor)
    assert await indexes(database, field) == {name(field, kind.value.lower()): True}
    assert await state(field.id) is IndexState.READY


async def test_what_a_killed_worker_leaves_is_dropped_and_made_again(database: Database) -> None:
    actor = await seller()
    field = await custom_field(actor, "size", CustomFieldType.NUMBER, is_indexed=True)
    row = await noted(actor, size=1)
    writer = await asyncpg.connect(database.url)
    async with writer.transaction():
        await writer.execute("UPDATE lead SET title = 'held' WHERE id = $1", row.id)
        building = asyncio.create_task(custom_indexes.settle(field.id, url=database.url))

        async def begun() -> bool:
            return await indexes(database, field) == {name(field): False}

        await until(begun)
        for builder in await database.rows(BUILDERS):
            await database.rows("SELECT pg_terminate_backend($1)", builder[0])
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await building
    await writer.close()
    assert await indexes(database, field) == {name(field): False}
    assert await state(field.id) is IndexState.FAILED
    assert (field.id, actor.workspace_id) in await custom_indexes.unsettled()

    await asyncio.gather(*(custom_indexes.settle(field.id, url=database.url) for _ in range(3)))

    assert await indexes(database, field) == {name(field): True}
    assert await statistics(database, field) == [f"custom_{field.id.hex}_number_stats"]
    assert await state(field.id) is IndexState.READY
    assert await custom_indexes.unsettled() == []


async def test_two_fields_at_once_do_not_wait_for_each_other_for_ever(database: Database) -> None:
    actor = await seller()
    fields = [await custom_field(actor, key, is_indexed=True) for key in "abcd"]
    await noted(actor, a="1", b="2")
    async with asyncio.timeout(20):
        await asyncio.gather(*(custom_indexes.settle(field.id, url=database.url) for field in fields))
    assert [await state(field.id) for field in fields] == [IndexState.READY] * 4


async def test_a_field_that_wants_another_index_meanwhile_is_not_called_ready(database: Database) -> None:
    actor = await seller()
    field = await custom_field(actor, "size", is_indexed=True)
    await custom_indexes.settle(field.id, url=database.url)
    await CustomField.filter(id=field.id).update(type=CustomFieldType.NUMBER, index_state=IndexState.BUILDING)
    await custom_indexes._mark(field.id, CustomFieldType.TEXT, IndexState.READY)
    assert await state(field.id) is IndexState.BUILDING
    await custom_indexes.settle(field.id, url=database.url)
    assert await indexes(database, field) == {name(field): True}


def test_what_failed_is_tried_again_every_night() -> None:
    assert settle_custom_indexes in NIGHTLY


FILTERS: list[tuple[CustomFieldType, Any, Op, str]] = [
    (CustomFieldType.NUMBER, "7", Op.GT, "7"),
    (CustomFieldType.NUMBER, "7", Op.IN, "[7, 8]"),
    (CustomFieldType.TEXT, "alpha", Op.EQ, '"alpha"'),
    (CustomFieldType.DATE, "2026-01-01", Op.LTE, '"2026-01-01"'),
    (CustomFieldType.CHOICE, "a", Op.EQ, '"a"'),
    (CustomFieldType.YES_NO, True, Op.EQ, "true"),
    (CustomFieldType.MONEY, {"amount": "7", "currencyCode": "EUR"}, Op.GTE, "7"),
]


async def plan(database: Database, monkeypatch: pytest.MonkeyPatch, request: PageRequest, actor: Actor) -> str:
    """Return how PostgreSQL reads a page where it has an index to use."""
    sent: list[tuple[str, list[Any]]] = []

    async def noting(sql: str, params: Any) -> list[Any]:
        sent.append((sql, params.values))
        return await fetch(sql, params)

    monkeypatch.setattr(records, "fetch", noting)
    await records.pages(await resolved(request, actor), actor)
    [(sql, values)] = sent
    connection = await asyncpg.connect(database.url)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
            return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {sql}", *values))
    finally:
        await connection.close()


@pytest.mark.parametrize(("kind", "value", "op", "given"), FILTERS)
async def test_filters_use_the_index(
    database: Database, monkeypatch: pytest.MonkeyPatch, kind: CustomFieldType, value: Any, op: Op, given: str
) -> None:
    actor = await seller()
    field = await custom_field(actor, "thing", kind, is_indexed=True, options=options(kind))
    await noted(actor, thing=value)
    await custom_indexes.settle(field.id, url=database.url)
    asked: Condition = Asked("thing", op, given)
    condition = await looked_up(Lead, asked, actor)
    monkeypatch.setattr(keyset, "_order", lambda *_, **__: "")
    told = await plan(database, monkeypatch, PageRequest(Lead, (), condition=condition), actor)
    assert name(field, kind.value.lower()) in told


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("backward", [False, True])
async def test_orders_use_the_index_both_ways(
    database: Database, monkeypatch: pytest.MonkeyPatch, descending: bool, backward: bool
) -> None:
    actor = await seller()
    field = await custom_field(actor, "size", CustomFieldType.NUMBER, is_indexed=True)
    for number in range(3):
        await noted(actor, size=number)
    await custom_indexes.settle(field.id, url=database.url)
    request = PageRequest(Lead, (Order("", descending, custom="size"),), limit=1, backward=backward)
    [first] = await records.pages(await resolved(request, actor), actor)
    [cursor] = first.cursors
    request = PageRequest(
        Lead,
        request.orders,
        limit=1,
        backward=backward,
        after=None if backward else cursor,
        before=cursor if backward else None,
    )
    told = await plan(database, monkeypatch, request, actor)
    assert f"{'Scan Backward' if descending != backward else 'Scan'} using {name(field)}" in told
    assert "ROW(" in told and "Index Cond" in told


@pytest.mark.parametrize(("op", "given"), [(Op.CONTAINS, '"a"'), (Op.IN, '["a"]')])
async def test_filters_of_several_options_use_theirs(database: Database, op: Op, given: str) -> None:
    actor, kind = await seller(), CustomFieldType.MULTI_CHOICE
    field = await custom_field(actor, "uses", kind, is_indexed=True, options=options(kind))
    row = await noted(actor, uses=["a"])
    columns = {name: getattr(row, name) for name in Lead._meta.fields_db_projection}
    await Lead.bulk_create([Lead(**columns | {"id": uuid7(), "custom": {}}) for _ in range(2000)])
    await database.rows("ANALYZE lead")
    await custom_indexes.settle(field.id, url=database.url)
    params = Params()
    tests = where(NOUNS[Lead], await looked_up(Lead, Asked("uses", op, given), actor), actor, params, "r")
    sql = f"EXPLAIN SELECT id FROM lead r WHERE deleted_at IS NULL AND {tests}"
    connection = await asyncpg.connect(database.url)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
            told = "\n".join(row[0] for row in await connection.fetch(sql, *params.values))
    finally:
        await connection.close()
    assert name(field, "multi_choice") in told
