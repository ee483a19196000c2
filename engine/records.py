"""Statements of rows, sent: by keys, in pages, counted. The texts of most are kept by the shape of what is asked."""

from functools import cache
from typing import Any
from uuid import UUID

from tortoise.models import Model

from domain.actors import Actor
from engine import keyset
from engine.conditions import EVERYTHING
from engine.cursors import cursor_of, unpacked
from engine.kept import Various, opened, slot, statement
from engine.nouns import NOUNS, columns
from engine.pages import Bound, Page, PageRequest, paged
from engine.select import Select, fetch
from engine.sql import Params, Slot, visible


async def page_records(
    request: PageRequest, actor: Actor, select: Select, parents: list[UUID] | None = None, *, cursors: bool = False
) -> list[list[Any]]:
    """Read what is selected of a page of each parent's list, or of the one list that has no parent.

    Each has one row more where there is more. With `cursors`, what rows are ordered by and their ids follow.
    """
    records = await fetch(*_paged(request, actor, [] if parents is None else [parents], select, cursors))
    if parents is None:
        return [records]
    pages: list[list[Any]] = [[] for _ in parents]
    for record in records:
        pages[record[-1] - 1].append(record)
    return pages


async def key_records(model: type[Model], keys: list[UUID], actor: Actor, select: Select) -> list[Any]:
    """Read what is selected of the rows with these keys, in any order."""
    # One key is looked up faster than a list of one.
    alone = len(keys) == 1
    return await fetch(*statement(_keyed, actor, [keys[0] if alone else keys], model, select, alone))


async def counts(request: PageRequest, actor: Actor, parents: list[UUID] | None = None) -> list[int]:
    """Count each parent's list, or the one list that has no parent."""
    params = Params()
    source, tests = keyset.source(request), keyset.tests(request, actor, params)
    if parents is None:
        [row] = await fetch(f"SELECT count(*) FROM {source} WHERE {tests}", params)
        return [row[0]]
    parent = keyset.parent_column(request)
    tests += f" AND {parent} = ANY({params.add(parents, 'uuid[]')})"
    found = dict(await fetch(f"SELECT {parent}, count(*) FROM {source} WHERE {tests} GROUP BY 1", params))
    return [found.get(key, 0) for key in parents]


def keys_statement(request: PageRequest, actor: Actor) -> tuple[str, list[Any]]:
    """Return the statement of all keys of a list without a parent, which have no order, and its values."""
    params = Params()
    return f"SELECT r.id FROM {keyset.source(request)} WHERE {keyset.tests(request, actor, params)}", params.values


async def rows(model: type[Model], keys: list[UUID], actor: Actor) -> dict[UUID, Any]:
    """Read rows of the model by their keys; those that do not exist for the actor are absent."""
    found = [_row(model, record) for record in await key_records(model, keys, actor, whole(model))]
    return {row.id: row for row in found}


async def pages(request: PageRequest, actor: Actor, parents: list[UUID] | None = None) -> list[Page]:
    """Read a page of rows of the model of each parent's list, or of the one list that has no parent."""
    return [
        _made(request, records)
        for records in await page_records(request, actor, whole(request.model), parents, cursors=True)
    ]


def _made(request: PageRequest, records: list[Any]) -> Page:
    page, width, orders = paged(request, records), len(columns(request.model)), len(request.orders)
    page.cursors = [
        cursor_of(request.signature, record[width : width + orders], record[width + orders]) for record in page.rows
    ]
    page.rows = [_row(request.model, record) for record in page.rows]
    return page


def _row(model: type[Model], record: Any) -> Any:
    return model._init_from_db(**dict(zip(columns(model), record, strict=False)))


@cache
def whole(model: type[Model]) -> Select:
    """Return the selection of all columns, in the order of the model's own."""
    select = Select(model)
    for column in columns(model):
        select.column("r", column)
    return select


def _keyed(params: Params, actor: Actor, model: type[Model], select: Select, alone: bool) -> str:
    wanted = f"= {params.add(Slot(0), 'uuid')}" if alone else f"= ANY({params.add(Slot(0), 'uuid[]')})"
    columns, joins = select.rendered(actor, params)
    tests = f"r.id {wanted} AND {visible(model, actor, params, 'r')}"
    return f"SELECT {columns} FROM {NOUNS[model].table} r {joins} WHERE {tests}"


def _paged(request: PageRequest, actor: Actor, given: list[Any], select: Select, cursors: bool) -> tuple[str, Params]:
    """Return the statement of a page, kept by its shape, and its values; what is rarely asked alike is written anew."""
    nested = bool(given)
    try:
        return statement(keyset.page, actor, values := [*given], _shape(request, values), select, cursors, nested)
    except Various:
        params = Params(given)
        return keyset.page(params, actor, request, select, cursors, nested), params


def _shape(request: PageRequest, values: list[Any]) -> PageRequest:
    """Return what is asked with slots for its values, which are added to those given; raises Various."""
    if any(order.custom for order in request.orders):
        raise Various
    slots: dict[str, Any] = {}
    for side, cursor in (("after", request.after), ("before", request.before)):
        if cursor:
            bound = unpacked(request, cursor)
            # A null makes another statement.
            known = tuple(None if value is None else slot(value, values) for value in bound.values)
            slots[side] = Bound(known, slot(bound.key, values))
    if request.condition is not EVERYTHING:
        slots["condition"] = opened(request.condition, values)
    if request.board_at is not None:
        slots["board_at"] = slot(request.board_at, values)
    return request._replace(**slots) if slots else request
