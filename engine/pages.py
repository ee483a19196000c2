"""Pages of rows by keyset: one statement for a page, or for a page of each of many parents."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from hashlib import blake2s
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from tortoise.models import Model

from domain.actors import Actor
from domain.errors import DomainError
from engine.conditions import EVERYTHING, Condition, CustomKey
from engine.custom import asks, looked_up, looked_up_keys
from engine.kept import Various, opened, slot, statement
from engine.nouns import NOUNS, Noun, columns
from engine.select import Select, fetch
from engine.sql import Params, Slot, few_owners, on_board, visible, where
from models import custom_values
from models.custom_fields import CustomFieldType


class BadCursor(DomainError):
    """The cursor is not one of this list: it belongs to another order, filter or parent."""

    code = "BAD_USER_INPUT"


# No row has one of these.
FIRST_KEY, LAST_KEY = UUID(int=0), UUID(int=2**128 - 1)


class Order(NamedTuple):
    """A column to order by; nulls always come last.

    With `link` it is one of the row that this one points to: no index serves that order, so the list is sorted whole.
    With `custom` it is the value of a custom field, which a client has named by key or id until it is looked up.
    """

    column: str
    descending: bool = False
    link: str = ""
    custom: CustomKey | str | UUID | None = None

    @property
    def within(self) -> str:
        """Return it as SQL where a page's rows are read."""
        if isinstance(self.custom, CustomKey):
            value = custom_values.ordered(self.custom.id, self.custom.type, "r")
            return f"array_position({self.options}.keys, {value})" if self.is_choice else value
        return f'o_{self.link}."{self.column}"' if self.link else f'r."{self.column}"'

    @property
    def is_choice(self) -> bool:
        """Say whether it is by the places that values have among the options of a custom field."""
        return isinstance(self.custom, CustomKey) and self.custom.type is CustomFieldType.CHOICE

    @property
    def options(self) -> str:
        """Return what the options are called where a page's rows are read."""
        return f'"options {self.column}"'

    @property
    def outside(self) -> str:
        """Return it as SQL where a page's rows have been read."""
        return f'r."{self.name}"'

    @property
    def name(self) -> str:
        """Return what it is called beside a page's rows."""
        return f"{self.link}.{self.column}" if self.link else self.column

    @property
    def is_beside(self) -> bool:
        """Say whether it is no column of the rows themselves."""
        return bool(self.link) or self.custom is not None

    def looked_up(self, key: CustomKey) -> "Order":
        """Return it with the custom field that it names."""
        return self._replace(column=f"custom.{key.id.hex}", custom=key)


class Bound(NamedTuple):
    """What a cursor says of a row: the values that it is ordered by, and its key."""

    values: tuple[Any, ...]
    key: Any


class PageRequest(NamedTuple):
    """What a client asks of a list. `limit` rows after or before a cursor; `backward` reads from the end.

    `by` is the column that holds the parent's key, where the list hangs on a parent; `through` names a table in
    between as (table, its column to the parent, its column to the row). With `board_at`, leads are those on the
    board at that instant.
    """

    model: type[Model]
    orders: tuple[Order, ...]
    limit: int = 20
    condition: Condition = EVERYTHING
    after: str | Bound | None = None
    before: str | Bound | None = None
    backward: bool = False
    by: str | None = None
    through: tuple[str, str, str] | None = None
    live: bool = True
    board_at: datetime | Slot | None = None

    @property
    def signature(self) -> str:
        """Return what a cursor must match: the noun, the order, the filter."""
        return _signature(self.model, self.orders, self.condition, self.by, self.board_at is None)


async def resolved(request: PageRequest, actor: Actor) -> PageRequest:
    """Return what is asked of a list with the custom fields that it names; raises BadUserInput."""
    names = [order.custom for order in request.orders if isinstance(order.custom, str | UUID)]
    if not names and not asks(request.condition):
        return request
    keys = await looked_up_keys(request.model, names, actor) if names else {}
    orders: dict[str, Order] = {}
    for order in request.orders:
        known = order.looked_up(keys[order.custom]) if isinstance(order.custom, str | UUID) else order
        orders.setdefault(known.name, known)
    condition = await looked_up(request.model, request.condition, actor)
    return request._replace(orders=tuple(orders.values()), condition=condition)


@lru_cache(maxsize=1024)
def _signature(model: type[Model], orders: tuple[Order, ...], condition: Condition, *more: Any) -> str:
    shape = repr((model.__name__, orders, condition, *more))
    return blake2s(shape.encode(), digest_size=6).hexdigest()


@dataclass(slots=True)
class Page:
    """Rows in the order asked for, and whether there are more on either side."""

    request: PageRequest
    rows: list[Any] = field(default_factory=list)
    has_next: bool = False
    has_previous: bool = False
    places: dict[UUID, Sequence[Any]] = field(default_factory=dict)

    def cursor(self, row: Any) -> str:
        """Return the cursor of a row of this page."""
        values = self.places.get(row.id) or [getattr(row, order.column) for order in self.request.orders]
        return cursor_of(self.request.signature, values, row.id)


def cursor_of(signature: str, values: Iterable[Any], key: UUID) -> str:
    """Return the cursor of a row, given what it is ordered by."""
    # The first instant there is comes from the driver without a zone.
    packed = orjson.dumps([signature, [_plain(value) for value in values], key.hex], option=orjson.OPT_NAIVE_UTC)
    return urlsafe_b64encode(packed).decode().rstrip("=")


async def page(request: PageRequest, actor: Actor) -> Page:
    """Read one page of a list without a parent."""
    request = await resolved(request, actor)
    return _made(request, await page_records(request, actor, cursors=True))


async def pages(request: PageRequest, parents: list[UUID], actor: Actor) -> dict[UUID, Page]:
    """Read a page of each parent's list in one statement."""
    request = await resolved(request, actor)
    found: dict[UUID, list[Any]] = {parent: [] for parent in parents}
    for record in await pages_records(request, parents, actor, cursors=True):
        found[parents[record[-1] - 1]].append(record)
    return {parent: _made(request, records) for parent, records in found.items()}


async def by_keys(model: type[Model], keys: list[UUID], actor: Actor) -> dict[UUID, Any]:
    """Read rows by their keys; those that do not exist for the actor are absent."""
    rows = [_row(model, record) for record in await key_records(model, keys, actor)]
    return {row.id: row for row in rows}


async def page_records(
    request: PageRequest, actor: Actor, select: Select | None = None, *, cursors: bool = False
) -> list[Any]:
    """Read what is selected of one page of a list without a parent, with one row more where there is more.

    With `cursors`, what rows are ordered by and their ids follow.
    """
    return await fetch(*_statement(_page, request, actor, [], select, cursors))


async def pages_records(
    request: PageRequest, parents: list[UUID], actor: Actor, select: Select | None = None, *, cursors: bool = False
) -> list[Any]:
    """Read what is selected of a page of each parent's list, by a lateral join.

    The parent's place, from 1, comes last; each parent has one row more where there is more. With `cursors`, what
    rows are ordered by and their ids follow what is selected.
    """
    return await fetch(*_statement(_pages, request, actor, [parents], select, cursors))


async def key_records(
    model: type[Model], keys: list[UUID], actor: Actor, select: Select | None = None, *, live: bool = True
) -> list[Any]:
    """Read what is selected of the rows with these keys, in any order."""
    # One key is looked up faster than a list of one.
    given: list[Any] = [keys[0] if len(keys) == 1 else keys]
    return await fetch(*statement(_keyed, actor, given, model, select or whole(model), live, len(keys) == 1))


async def count(request: PageRequest, actor: Actor) -> int:
    """Count a list without a parent."""
    request = await resolved(request, actor)
    params = Params()
    noun = NOUNS[request.model]
    tests = _tests(request, noun, actor, params, bounded=False)
    [row] = await fetch(f"SELECT count(*) FROM {noun.table} r WHERE {tests}", params)
    return int(row[0])


def keys_statement(request: PageRequest, actor: Actor) -> tuple[str, list[Any]]:
    """Return the statement of all keys of a list without a parent, which have no order, and its values."""
    params = Params()
    noun = NOUNS[request.model]
    tests = _tests(request, noun, actor, params, bounded=False)
    return f"SELECT r.id FROM {noun.table} r WHERE {tests}", params.values


async def counts(request: PageRequest, parents: list[UUID], actor: Actor) -> dict[UUID, int]:
    """Count each parent's list in one statement."""
    request = await resolved(request, actor)
    params = Params()
    noun = NOUNS[request.model]
    keys = params.add(parents, "uuid[]")
    column = f't."{request.through[1]}"' if request.through else f'r."{request.by}"'
    sql = (
        f"SELECT {column}, count(*) FROM {_source(request, noun)}"
        f" WHERE {column} = ANY({keys}) AND {_tests(request, noun, actor, params, bounded=False)} GROUP BY 1"
    )
    return dict.fromkeys(parents, 0) | dict(await fetch(sql, params))


def _statement(
    write: Callable[..., str],
    request: PageRequest,
    actor: Actor,
    given: list[Any],
    select: Select | None,
    cursors: bool,
) -> tuple[str, Params]:
    """Return the statement of a page, kept by its shape, and its values; what is rarely asked alike is written anew."""
    select = select or whole(request.model)
    try:
        return statement(write, actor, values := [*given], _shape(request, values), select, cursors)
    except Various:
        params = Params(given)
        return write(params, actor, request, select, cursors), params


def _shape(request: PageRequest, values: list[Any]) -> PageRequest:
    """Return what is asked with slots for its values, which are added to those given; raises Various."""
    if any(order.custom for order in request.orders):
        raise Various
    slots: dict[str, Any] = {}
    for side, cursor in (("after", request.after), ("before", request.before)):
        if cursor:
            bound = _unpack(request, NOUNS[request.model], cursor)
            slots[side] = Bound(
                # A null makes another statement.
                tuple(None if value is None else slot(value, values) for value in bound.values),
                slot(bound.key, values),
            )
    if request.condition is not EVERYTHING:
        slots["condition"] = opened(request.condition, values)
    if request.board_at is not None:
        slots["board_at"] = slot(request.board_at, values)
    return request._replace(**slots) if slots else request


def _page(params: Params, actor: Actor, request: PageRequest, select: Select, cursors: bool) -> str:
    columns, joins = select.rendered(actor, params)
    columns += _cursor_columns(request) if cursors else ""
    return f"SELECT {columns} FROM ({_limited(request, actor, params)}) r {joins} {_order(request, within=False)}"


def _pages(params: Params, actor: Actor, request: PageRequest, select: Select, cursors: bool) -> str:
    keys = params.add(Slot(0), "uuid[]")
    columns, joins = select.rendered(actor, params)
    columns += _cursor_columns(request) if cursors else ""
    page = _limited(request, actor, params, link=f"{_link(request)} AND ")
    source = f"unnest({keys}) WITH ORDINALITY AS parent(id, place), LATERAL ({page}) r {joins}"
    return f"SELECT {columns}, parent.place FROM {source} {_order(request, 'parent.place', within=False)}"


def _keyed(params: Params, actor: Actor, model: type[Model], select: Select, live: bool, alone: bool) -> str:
    wanted = f"= {params.add(Slot(0), 'uuid')}" if alone else f"= ANY({params.add(Slot(0), 'uuid[]')})"
    columns, joins = select.rendered(actor, params)
    tests = f"r.id {wanted} AND {visible(model, actor, params, 'r', live=live)}"
    return f"SELECT {columns} FROM {NOUNS[model].table} r {joins} WHERE {tests}"


@cache
def whole(model: type[Model]) -> Select:
    """Return the selection of all columns, in the order of the model's own."""
    select = Select(model)
    for column in columns(model):
        select.column("r", column)
    return select


def _made(request: PageRequest, records: list[Any]) -> Page:
    """Return a page of rows of the model, given records of all its columns and of what they are ordered by."""
    width, orders = len(columns(request.model)), len(request.orders)
    page = paged(request, [_row(request.model, record) for record in records])
    page.places = {record[width + orders]: record[width : width + orders] for record in records}
    return page


def _row(model: type[Model], record: Any) -> Any:
    return model._init_from_db(**dict(zip(columns(model), record, strict=False)))


def _limited(request: PageRequest, actor: Actor, params: Params, *, link: str = "") -> str:
    """Return the rows of one page as SQL.

    What a few people own is read person by person and merged: an index gives each one's rows in order. Where there is
    none for the order, a person's rows are found first and sorted then, since PostgreSQL might otherwise walk the
    index of the order through everybody's rows.
    """
    noun = NOUNS[request.model]
    beside = "".join(f', {order.within} AS "{order.name}"' for order in request.orders if order.is_beside)
    links = dict.fromkeys(order.link for order in request.orders if order.link)
    joins = "".join(_joined(noun, name, actor, params) for name in links)
    joins += "".join(_options(order, params) for order in request.orders if order.is_choice)
    rows = f"SELECT r.*{beside} FROM {_source(request, noun)}{joins} WHERE {link}"
    owners = few_owners(request.model, actor, params)
    if owners is None and not link and isinstance(key := _sole_custom(request), CustomKey):
        return _in_parts(request, noun, actor, params, rows, key)
    if owners is None:
        return f"{rows}{_tests(request, noun, actor, params)} {_tail(request)}"
    owned = f"{rows}{_tests(request, noun, actor, params, owner='owner.id')}"
    owned = f"{owned} {_tail(request)}" if _indexed_by_owner(request) else f"{owned} OFFSET 0"
    outside = _order(request, within=False)
    return f"SELECT r.* FROM unnest({owners}) AS owner(id), LATERAL ({owned}) r {outside} LIMIT {_limit(request)}"


def _options(order: Order, params: Params) -> str:
    """Return the join of the options of a custom field, one row for all."""
    return f" CROSS JOIN (SELECT {_keys(order, params)} AS keys) {order.options}"


def _keys(order: Order, params: Params) -> str:
    assert isinstance(order.custom, CustomKey)
    return params.once(order.options, list(order.custom.options), "text[]")


def _sole_custom(request: PageRequest) -> CustomKey | None:
    """Return the custom field that a list is ordered by, where it is by nothing else."""
    [first, *others] = request.orders or [_tie(request)]
    return first.custom if isinstance(first.custom, CustomKey) and not others else None


def _in_parts(request: PageRequest, noun: Noun, actor: Actor, params: Params, rows: str, key: CustomKey) -> str:
    """Return a page by a custom field as SQL: of rows with a value, which its index has in order, then of the others.

    The second part is read only as far as the first leaves room.
    """
    [order] = request.orders
    tests = _tests(request, noun, actor, params, bounded=False)
    there = custom_values.has(key.id, "r")
    way = "DESC" if order.descending != request.backward else "ASC"
    tie = f"r.id {way}"
    if order.is_choice:
        valued = _option_by_option(request, noun, params, f"{rows}{there} AND {tests}", way)
    else:
        beyond = _beyond_valued(request, noun, params)
        valued = f"{rows}{there} AND {tests}{beyond} ORDER BY {order.within} {way}, {tie}"
    empty = f"{rows}NOT {there} AND {tests}{_beyond_empty(request, noun, params)} ORDER BY {tie}"
    head, rest = (empty, valued) if request.backward else (valued, empty)
    left = f"greatest(0, {_limit(request)} - (SELECT count(*) FROM head))"
    return (
        f"WITH head AS MATERIALIZED ({head} LIMIT {_limit(request)}), rest AS ({rest} LIMIT {left})"
        f" SELECT r.* FROM (SELECT * FROM head UNION ALL SELECT * FROM rest) r {_order(request, within=False)}"
    )


def _option_by_option(request: PageRequest, noun: Noun, params: Params, rows: str, way: str) -> str:
    """Return the rows with a choice in the order of the options: the index has those of one by their ids."""
    [order] = request.orders
    assert isinstance(order.custom, CustomKey)
    value = custom_values.value(order.custom.id, order.custom.type, "r")
    places, beyond = "TRUE", ""
    for (place, key), forward in _bounds(request, noun):
        if place is None:
            places += " AND FALSE" if forward else ""
            continue
        at, sign = params.add(place, "bigint"), ">" if forward != order.descending else "<"
        places += f" AND o.at {sign}= {at}"
        outermost = FIRST_KEY if sign == ">" else LAST_KEY
        beyond += f" AND r.id {sign} CASE o.at WHEN {at} THEN {params.add(key, 'uuid')} ELSE '{outermost}'::uuid END"
    each = f"{rows} AND {value} = o.key{beyond} ORDER BY r.id {way} LIMIT {_limit(request)}"
    options = f"unnest({_keys(order, params)}) WITH ORDINALITY AS o(key, at)"
    return f"SELECT c.* FROM {options}, LATERAL ({each}) c WHERE {places} ORDER BY o.at {way}, c.id {way}"


def _beyond_valued(request: PageRequest, noun: Noun, params: Params) -> str:
    """Return the rows with a value after and before the cursors, as the index has them: by value and id at once."""
    [order] = request.orders
    tests = ""
    for (value, key), forward in _bounds(request, noun):
        if value is None:
            tests += " AND FALSE" if forward else ""
            continue
        bound = f"({params.add(value, _cast(noun, order))}, {params.add(key, 'uuid')})"
        tests += f" AND ({order.within}, r.id) {'>' if forward != order.descending else '<'} {bound}"
    return tests


def _beyond_empty(request: PageRequest, noun: Noun, params: Params) -> str:
    """Return the rows without a value after and before the cursors; they come last, by their ids."""
    [order] = request.orders
    tests = ""
    for (value, key), forward in _bounds(request, noun):
        if value is None:
            tests += f" AND r.id {'>' if forward != order.descending else '<'} {params.add(key, 'uuid')}"
        else:
            tests += "" if forward else " AND FALSE"
    return tests


def _bounds(request: PageRequest, noun: Noun) -> Iterator[tuple[tuple[Any, UUID], bool]]:
    """Return the value and key of each cursor of a list by one order, and whether the page is after it."""
    for cursor, forward in ((request.after, True), (request.before, False)):
        if cursor:
            [value], key = _unpack(request, noun, cursor)
            yield (value, key), forward


def _joined(noun: Noun, name: str, actor: Actor, params: Params) -> str:
    """Return the join of the row that a link leads to, where it exists for the actor."""
    link, alias = noun.links[name], f"o_{name}"
    on = f'{alias}."{link.theirs}" = r."{link.ours}" AND {visible(link.to, actor, params, alias)}'
    return f" LEFT JOIN {NOUNS[link.to].table} {alias} ON {on}"


def _indexed_by_owner(request: PageRequest) -> bool:
    """Say whether an index gives the leads of an owner in the order asked for."""
    [first, *others] = request.orders or [_tie(request)]
    if others or first.is_beside:
        return False
    on_board = request.by == "stage_id" and request.board_at is not None
    return first.column == ("rank" if on_board else "created_at") or (
        first.column == "score" and first.descending and not on_board
    )


def _cursor_columns(request: PageRequest) -> str:
    return "".join(f", {order.outside}" for order in (*request.orders, _tie(request)))


def _source(request: PageRequest, noun: Noun) -> str:
    if request.through is None:
        return f"{noun.table} r"
    table, _, theirs = request.through
    return f'"{table}" t JOIN {noun.table} r ON r.id = t."{theirs}"'


def _link(request: PageRequest) -> str:
    return f't."{request.through[1]}" = parent.id' if request.through else f'r."{request.by}" = parent.id'


def _tests(
    request: PageRequest,
    noun: Noun,
    actor: Actor,
    params: Params,
    *,
    bounded: bool = True,
    owner: str | None = None,
) -> str:
    tests = [
        visible(request.model, actor, params, "r", live=request.live, owner=owner),
        where(noun, request.condition, actor, params, "r"),
    ]
    if request.board_at:
        tests.append(on_board(params, actor, request.board_at))
    if bounded and request.after:
        tests.append(_beyond(request, noun, request.after, params, forward=True))
    if bounded and request.before:
        tests.append(_beyond(request, noun, request.before, params, forward=False))
    return " AND ".join(f"({test})" for test in tests)


def _tail(request: PageRequest) -> str:
    """Return ORDER BY and LIMIT; one row more than asked for tells whether there are more.

    The limit is no parameter: PostgreSQL would plan every execution anew, which takes it longer than the rest.
    """
    return f"{_order(request, within=True)} LIMIT {_limit(request)}"


def _limit(request: PageRequest) -> int:
    return int(request.limit) + 1


def _nullable(request: PageRequest, order: Order) -> bool:
    return order.is_beside or NOUNS[request.model].nullable(order.column)


def _order(request: PageRequest, *first: str, within: bool) -> str:
    terms = [*first]
    for order in (*request.orders, _tie(request)):
        down = order.descending != request.backward
        # An index without a NULLS clause serves only an ORDER BY without one, even on a column without nulls.
        nulls = f" NULLS {'FIRST' if request.backward else 'LAST'}" if _nullable(request, order) else ""
        terms.append(f"{order.within if within else order.outside} {'DESC' if down else 'ASC'}{nulls}")
    return f"ORDER BY {', '.join(terms)}"


def _tie(request: PageRequest) -> Order:
    return Order("id", request.orders[0].descending if request.orders else False)


def _beyond(request: PageRequest, noun: Noun, cursor: str | Bound, params: Params, *, forward: bool) -> str:
    """Return the rows strictly after (or before) a cursor in the list's order, nulls last."""
    values, key = _unpack(request, noun, cursor)
    columns = [*zip(request.orders, values, strict=True), (_tie(request), key)]
    branches: list[str] = []
    equal = bounds = ""
    for order, value in columns:
        column, cast = order.within, _cast(noun, order)
        if value is None:
            beyond = "FALSE" if forward else f"{column} IS NOT NULL"
            same = f"{column} IS NULL"
        else:
            bound = params.add(value, cast)
            sign = ">" if forward != order.descending else "<"
            beyond = f"{column} {sign} {bound}"
            if forward and _nullable(request, order):
                beyond += f" OR {column} IS NULL"
            same = f"{column} = {bound}"
            if not branches and len(columns) > 1 and not _nullable(request, order):
                # An index begins with this one; those below cannot tell it where.
                bounds = f"{column} {sign}= {bound} AND "
        branches.append(f"{equal}({beyond})")
        equal += f"{same} AND "
    beyond = " OR ".join(f"({branch})" for branch in branches)
    return f"{bounds}({beyond})" if bounds else beyond


def _cast(noun: Noun, order: Order) -> str:
    """Return the SQL type of what an order is by."""
    if isinstance(order.custom, CustomKey):
        return "int" if order.is_choice else custom_values.cast(order.custom.type)
    return (NOUNS[noun.links[order.link].to] if order.link else noun).cast(order.column)


def _unpack(request: PageRequest, noun: Noun, cursor: str | Bound) -> Bound:
    if isinstance(cursor, Bound):
        return cursor
    try:
        signature, values, key = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if signature != request.signature or len(values) != len(request.orders):
            raise ValueError(cursor)
        orders = zip(request.orders, values, strict=True)
        return Bound(tuple(_typed(_cast(noun, order), value) for order, value in orders), UUID(hex=key))
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise BadCursor(field="after" if cursor == request.after else "before") from error


def _typed(cast: str, value: Any) -> Any:
    return None if value is None else READERS[cast](value)


def _instant(text: str) -> datetime:
    given = datetime.fromisoformat(text)
    return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)


def _number(value: Any) -> Decimal:
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS:
        raise ValueError(value)
    return number


def _whole(bits: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = int(value)
        if number.bit_length() >= bits:
            raise ValueError(value)
        return number

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError(value)
    return value


# How a cursor's value is read for a column, with whatever PostgreSQL could not take refused.
MOST_DIGITS = 1000
READERS: dict[str, Callable[[Any], Any]] = {
    "timestamptz": _instant,
    "date": date.fromisoformat,
    "numeric": _number,
    "uuid": UUID,
    "int": _whole(32),
    "bigint": _whole(64),
    "text": _text,
    "boolean": bool,
}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def kept(request: PageRequest, pages: Sequence[list[Any]]) -> list[list[Any]]:
    """Return what is shown of the rows that were read for each page, in the order asked for."""
    limit = request.limit
    shown = [rows[:limit] if len(rows) > limit else rows for rows in pages]
    return [rows[::-1] for rows in shown] if request.backward else shown


def paged(request: PageRequest, rows: list[Any]) -> Page:
    """Return a page of the rows that were read for it, of which one too many says that there are more.

    A page of nothing has no cursor to go on from, so that it says of neither side that there is more: a client that
    went on from null would begin anew, for ever.
    """
    if not request.limit:
        return Page(request)
    more, [shown] = len(rows) > request.limit, kept(request, [rows])
    if request.backward:
        return Page(request, shown, has_next=request.before is not None, has_previous=more)
    return Page(request, shown, has_next=more, has_previous=request.after is not None)
