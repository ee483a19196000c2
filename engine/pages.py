"""Pages of rows by keyset: one statement for a page, or for a page of each of many parents."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2s
from typing import Any
from uuid import UUID

import orjson
from tortoise.connection import get_connection
from tortoise.models import Model

from domain.actors import Actor
from domain.errors import DomainError
from engine.boards import on_board
from engine.conditions import EVERYTHING, Condition
from engine.nouns import NOUNS, Noun
from engine.sql import Params, visible, where


class BadCursor(DomainError):
    """The cursor is not one of this list: it belongs to another order, filter or parent."""

    code = "BAD_USER_INPUT"


@dataclass(frozen=True, slots=True)
class Order:
    """A column to order by; nulls always come last."""

    column: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a client asks of a list. `limit` rows after or before a cursor; `backward` reads from the end.

    `by` is the column that holds the parent's key, where the list hangs on a parent; `through` names a table in
    between as (table, its column to the parent, its column to the row). With `board_at`, leads are those on the
    board at that instant.
    """

    model: type[Model]
    orders: tuple[Order, ...]
    limit: int = 20
    condition: Condition = EVERYTHING
    after: str | None = None
    before: str | None = None
    backward: bool = False
    by: str | None = None
    through: tuple[str, str, str] | None = None
    live: bool = True
    board_at: datetime | None = None

    @property
    def signature(self) -> str:
        """Return what a cursor must match: the noun, the order, the filter."""
        shape = repr((self.model.__name__, self.orders, self.condition, self.by, self.board_at is None))
        return blake2s(shape.encode(), digest_size=6).hexdigest()


@dataclass(slots=True)
class Page:
    """Rows in the order asked for, and whether there are more on either side."""

    request: PageRequest
    rows: list[Any] = field(default_factory=list)
    has_next: bool = False
    has_previous: bool = False

    def cursor(self, row: Any) -> str:
        """Return the cursor of a row of this page."""
        values = [_plain(getattr(row, order.column)) for order in self.request.orders]
        packed = orjson.dumps([self.request.signature, values, row.id.hex])
        return urlsafe_b64encode(packed).decode().rstrip("=")


async def page(request: PageRequest, actor: Actor) -> Page:
    """Read one page of a list without a parent."""
    params = Params()
    noun = NOUNS[request.model]
    sql = f"SELECT r.* FROM {noun.table} r WHERE {_tests(request, noun, actor, params)} {_tail(request, params)}"
    return _page(request, await _rows(request.model, sql, params))


async def pages(request: PageRequest, parents: list[UUID], actor: Actor) -> dict[UUID, Page]:
    """Read a page of each parent's list in one statement, by a lateral join."""
    params = Params()
    noun = NOUNS[request.model]
    keys = params.add(parents, "uuid[]")
    inner = (
        f"SELECT r.* FROM {_source(request, noun)} WHERE {_link(request)} AND"
        f" {_tests(request, noun, actor, params)} {_tail(request, params)}"
    )
    sql = f"SELECT parent.id AS parent_key, page.* FROM unnest({keys}) AS parent(id), LATERAL ({inner}) page"
    found: dict[UUID, list[Any]] = {parent: [] for parent in parents}
    for row in await get_connection("default").execute_query_dict(sql, params.values):
        found[row.pop("parent_key")].append(request.model._init_from_db(**row))
    return {parent: _page(request, rows) for parent, rows in found.items()}


async def count(request: PageRequest, actor: Actor) -> int:
    """Count a list without a parent."""
    params = Params()
    noun = NOUNS[request.model]
    tests = _tests(request, noun, actor, params, bounded=False)
    rows = await get_connection("default").execute_query_dict(
        f"SELECT count(*) AS n FROM {noun.table} r WHERE {tests}", params.values
    )
    return int(rows[0]["n"])


async def counts(request: PageRequest, parents: list[UUID], actor: Actor) -> dict[UUID, int]:
    """Count each parent's list in one statement."""
    params = Params()
    noun = NOUNS[request.model]
    keys = params.add(parents, "uuid[]")
    column = f't."{request.through[1]}"' if request.through else f'r."{request.by}"'
    sql = (
        f"SELECT {column} AS parent_key, count(*) AS n FROM {_source(request, noun)}"
        f" WHERE {column} = ANY({keys}) AND {_tests(request, noun, actor, params, bounded=False)} GROUP BY 1"
    )
    rows = await get_connection("default").execute_query_dict(sql, params.values)
    return dict.fromkeys(parents, 0) | {row["parent_key"]: row["n"] for row in rows}


async def by_keys(model: type[Model], keys: list[UUID], actor: Actor, *, live: bool = False) -> dict[UUID, Any]:
    """Read rows by their keys; those that do not exist for the actor are absent."""
    params = Params()
    noun = NOUNS[model]
    bound = params.add(keys, "uuid[]")
    sql = (
        f"SELECT r.* FROM {noun.table} r WHERE r.id = ANY({bound}) AND {visible(model, actor, params, 'r', live=live)}"
    )
    return {row.id: row for row in await _rows(model, sql, params)}


async def _rows(model: type[Model], sql: str, params: Params) -> list[Any]:
    rows = await get_connection("default").execute_query_dict(sql, params.values)
    return [model._init_from_db(**row) for row in rows]


def _source(request: PageRequest, noun: Noun) -> str:
    if request.through is None:
        return f"{noun.table} r"
    table, _, theirs = request.through
    return f'"{table}" t JOIN {noun.table} r ON r.id = t."{theirs}"'


def _link(request: PageRequest) -> str:
    return f't."{request.through[1]}" = parent.id' if request.through else f'r."{request.by}" = parent.id'


def _tests(request: PageRequest, noun: Noun, actor: Actor, params: Params, *, bounded: bool = True) -> str:
    tests = [
        visible(request.model, actor, params, "r", live=request.live),
        where(noun, request.condition, actor, params, "r"),
    ]
    if request.board_at:
        tests.append(on_board(params, actor.workspace_id, request.board_at))
    if bounded and request.after:
        tests.append(_beyond(request, noun, request.after, params, forward=True))
    if bounded and request.before:
        tests.append(_beyond(request, noun, request.before, params, forward=False))
    return " AND ".join(f"({test})" for test in tests)


def _tail(request: PageRequest, params: Params) -> str:
    """Return ORDER BY and LIMIT; one row more than asked for tells whether there are more."""
    nullable = NOUNS[request.model].nullable
    terms = []
    for order in (*request.orders, _tie(request)):
        down = order.descending != request.backward
        # An index without a NULLS clause serves only an ORDER BY without one, even on a column without nulls.
        nulls = f" NULLS {'FIRST' if request.backward else 'LAST'}" if nullable(order.column) else ""
        terms.append(f'r."{order.column}" {"DESC" if down else "ASC"}{nulls}')
    return f"ORDER BY {', '.join(terms)} LIMIT {params.add(request.limit + 1, 'int')}"


def _tie(request: PageRequest) -> Order:
    return Order("id", request.orders[0].descending if request.orders else False)


def _beyond(request: PageRequest, noun: Noun, cursor: str, params: Params, *, forward: bool) -> str:
    """Return the rows strictly after (or before) a cursor in the list's order, nulls last."""
    values, key = _unpack(request, noun, cursor)
    columns = [*zip(request.orders, values, strict=True), (_tie(request), key)]
    branches, equal = [], ""
    for order, value in columns:
        column, cast = f'r."{order.column}"', noun.cast(order.column)
        if value is None:
            beyond = "FALSE" if forward else f"{column} IS NOT NULL"
            same = f"{column} IS NULL"
        else:
            bound = params.add(value, cast)
            sign = ">" if forward != order.descending else "<"
            beyond = f"{column} {sign} {bound}"
            if forward and noun.nullable(order.column):
                beyond += f" OR {column} IS NULL"
            same = f"{column} = {bound}"
        branches.append(f"{equal}({beyond})")
        equal += f"{same} AND "
    return " OR ".join(f"({branch})" for branch in branches)


def _unpack(request: PageRequest, noun: Noun, cursor: str) -> tuple[list[Any], UUID]:
    try:
        signature, values, key = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if signature != request.signature or len(values) != len(request.orders):
            raise ValueError(cursor)
        typed = [_typed(noun.cast(order.column), value) for order, value in zip(request.orders, values, strict=True)]
        return typed, UUID(hex=key)
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise BadCursor(field="after" if cursor == request.after else "before") from error


def _typed(cast: str, value: Any) -> Any:
    if value is None:
        return None
    readers: dict[str, Any] = {
        "timestamptz": datetime.fromisoformat,
        "date": date.fromisoformat,
        "numeric": Decimal,
        "uuid": UUID,
        "int": int,
        "bigint": int,
        "text": str,
        "boolean": bool,
    }
    return readers[cast](value)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def _page(request: PageRequest, rows: list[Any]) -> Page:
    more = len(rows) > request.limit
    kept = rows[: request.limit]
    if request.backward:
        return Page(request, kept[::-1], has_next=request.before is not None, has_previous=more)
    return Page(request, kept, has_next=more, has_previous=request.after is not None)
