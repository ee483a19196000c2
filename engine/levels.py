"""Plans as they run: levels of rows, each shaped at once, with the levels below them loaded for all rows together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from inspect import isawaitable
from itertools import accumulate, chain, pairwise
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from graphql import GraphQLAbstractType, GraphQLList, GraphQLNonNull, GraphQLOutputType
from graphql.execution.values import VariableValues
from tortoise.models import Model

from domain.actors import Actor
from engine.arguments import Arguments
from engine.costs import TOTAL_COUNT
from engine.pages import (
    Page,
    PageRequest,
    count,
    counts,
    cursor_of,
    kept,
    key_records,
    page_records,
    paged,
    pages_records,
    resolved,
)
from engine.reads import Batch, ConnectionOf, Some
from engine.select import Select

Shape: TypeAlias = Callable[..., list[Any]]
Get: TypeAlias = Callable[[Sequence[Any]], list[Any]]


class Trouble(Exception):
    """Something went wrong that graphql-core knows how to tell."""


class Context(Protocol):
    """What an operation runs in, as the engine sees it."""

    cost: int

    @property
    def actor(self) -> Actor: ...

    @property
    def now(self) -> datetime: ...


class Run:
    """One run of a plan."""

    __slots__ = ("context", "cost", "variables")

    def __init__(self, context: Context, variables: VariableValues) -> None:
        self.context = context
        self.variables = variables
        self.cost = 0

    @property
    def actor(self) -> Actor:
        return self.context.actor

    def info(self, parent: Any, definition: Any, nodes: Any, key: str, *, raw: bool) -> Any:
        """Return what a field's resolver is given: graphql-core's own with `raw`, or else Strawberry's."""
        raise NotImplementedError


class Child(Protocol):
    """What hangs on the rows of a level."""

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        """Return an answer a row."""
        ...


class Finish(Protocol):
    """What makes answers of values."""

    async def answers(self, values: Sequence[Any], run: Run) -> list[Any]: ...


@dataclass(slots=True)
class Level:
    """Rows of one type: what hangs on them is loaded first, then all are shaped at once.

    `cost` is what the objects that each row makes cost.
    """

    children: list[Child] = field(default_factory=list)
    shape: Shape = list
    cost: int = 0

    async def answers(self, rows: Sequence[Any], run: Run, *beside: Sequence[Any]) -> list[Any]:
        if not rows:
            return []
        run.cost += len(rows) * self.cost
        loaded = [await child.load(rows, run) for child in self.children]
        return self.shape(rows, *beside, *loaded)


@dataclass(frozen=True, slots=True)
class Leaves:
    """Values of scalars and enums, or lists of them."""

    complete: Callable[[Any], Any]

    async def answers(self, values: Sequence[Any], run: Run) -> list[Any]:
        return [self.complete(value) for value in values]


@dataclass(frozen=True, slots=True)
class Objects:
    """Values that are objects of one type, or lists of them at any depth; all are shaped as one level."""

    type: GraphQLOutputType
    level: Level

    async def answers(self, values: Sequence[Any], run: Run) -> list[Any]:
        flat: list[Any] = []
        places = [_flatten(self.type, value, flat) for value in values]
        shaped = await self.level.answers(flat, run)
        return [_filled(place, shaped) for place in places]


@dataclass(frozen=True, slots=True)
class AbstractObjects:
    """Values of an interface or union: each is shaped by the level of its own type."""

    type: GraphQLOutputType
    of: GraphQLAbstractType
    levels: Mapping[str, Level]
    name_of: Callable[[Any, Run, GraphQLAbstractType], str]

    async def answers(self, values: Sequence[Any], run: Run) -> list[Any]:
        flat: list[Any] = []
        places = [_flatten(self.type, value, flat) for value in values]
        sorted_out: dict[str, list[int]] = {}
        for index, value in enumerate(flat):
            sorted_out.setdefault(self.name_of(value, run, self.of), []).append(index)
        shaped: list[Any] = [None] * len(flat)
        for name, indexes in sorted_out.items():
            answers = await self.levels[name].answers([flat[index] for index in indexes], run)
            for index, answer in zip(indexes, answers, strict=True):
                shaped[index] = answer
        return [_filled(place, shaped) for place in places]


def _flatten(type_: GraphQLOutputType, value: Any, flat: list[Any]) -> Any:
    """Put the objects of a value into one list; return the value with their places in their stead."""
    if isinstance(type_, GraphQLNonNull):
        place = _flatten(type_.of_type, value, flat)
        if place is None:
            raise Trouble("null where none may be")
        return place
    if value is None:
        return None
    if isinstance(value, Exception):
        raise Trouble from value
    if isinstance(type_, GraphQLList):
        return [_flatten(type_.of_type, item, flat) for item in value]
    flat.append(value)
    return len(flat) - 1


def _filled(place: Any, shaped: list[Any]) -> Any:
    if isinstance(place, list):
        return [_filled(item, shaped) for item in place]
    return None if place is None else shaped[place]


@dataclass(frozen=True, slots=True)
class Joined:
    """What hangs on joined rows, which not every row has."""

    has: Get
    child: Child

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        has = self.has(rows)
        joined = [row for row, there in zip(rows, has, strict=True) if there]
        answers = iter(await self.child.load(joined, run) if joined else ())
        return [next(answers) if there else None for there in has]


@dataclass(frozen=True, slots=True)
class Values:
    """What a pure function makes of each row."""

    get: Get
    finish: Finish

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        return await self.finish.answers(self.get(rows), run)


@dataclass(frozen=True, slots=True)
class Batched:
    """What a batch resolver makes of all rows."""

    get: Get
    read: Batch
    arguments: Arguments
    facts: tuple[Any, ...]
    finish: Finish

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        info = run.info(*self.facts, raw=False)
        values = await self.read.fn(self.get(rows), info, **self.arguments.converted(run.variables))
        return await self.finish.answers(values, run)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a resolver of one row makes of each, all at once."""

    get: Get
    resolve: Callable[..., Any]
    arguments: Arguments
    facts: tuple[Any, ...]
    finish: Finish

    @property
    def key(self) -> str:
        """Return the field's response key."""
        return self.facts[-1]  # type: ignore[no-any-return]

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        return await self.finish.answers(await self.values(rows, run), run)

    async def values(self, rows: Sequence[Any], run: Run) -> list[Any]:
        """Return what the resolver returns for each row."""
        info, arguments = run.info(*self.facts, raw=True), self.arguments.coerced(run.variables)
        values = [self.resolve(row, info, **arguments) for row in self.get(rows)]
        waiting: list[Awaitable[Any]] = [value for value in values if isawaitable(value)]
        if len(waiting) == 1 == len(values):
            values = [await waiting[0]]
        elif waiting:
            arrived = iter(await asyncio.gather(*waiting))
            values = [next(arrived) if isawaitable(value) else value for value in values]
        return values


@dataclass(frozen=True, slots=True)
class Keyed:
    """Rows of another noun by keys; `select` has the id first."""

    get: Get
    select: Select
    level: Level
    required: bool

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        keys = self.get(rows)
        found = await _by_keys(self.select, self.level, keys, run)
        answers = [found.get(key) for key in keys]
        if self.required and None in answers:
            raise Trouble("null where none may be")
        return answers


@dataclass(frozen=True, slots=True)
class Single:
    """The row that a root field's arguments name."""

    key: Callable[..., UUID]
    arguments: Arguments
    select: Select
    level: Level

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        key = self.key(**self.arguments.converted(run.variables))
        found = await _by_keys(self.select, self.level, [key], run)
        return [found.get(key)] * len(rows)


@dataclass(frozen=True, slots=True)
class Several:
    """The rows of several nouns that a root field's arguments name."""

    read: Some
    arguments: Arguments
    kinds: Mapping[type[Model], tuple[Select, Level]]
    is_list: bool

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        wanted = self.read.keys(**self.arguments.converted(run.variables))
        found: dict[type[Model], dict[UUID, Any]] = {}
        for model in dict.fromkeys(model for model, _ in wanted):
            select, level = self.kinds[model]
            found[model] = await _by_keys(select, level, [key for other, key in wanted if other is model], run)
        answers = [found[model].get(key) for model, key in wanted]
        return [answers if self.is_list else answers[0]] * len(rows)


async def _by_keys(select: Select, level: Level, keys: Sequence[UUID | None], run: Run) -> dict[UUID, Any]:
    wanted = list(dict.fromkeys(key for key in keys if key is not None))
    if not wanted:
        return {}
    records = await key_records(select.model, wanted, run.actor, select)
    return dict(zip([record[0] for record in records], await level.answers(records, run), strict=True))


@dataclass(frozen=True, slots=True)
class Few:
    """A short list a row."""

    get: Get
    request: PageRequest
    select: Select
    level: Level

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        keys = self.get(rows)
        parents = list(dict.fromkeys(keys))
        found = await _of_parents(self.request, parents, self.select, run)
        return _spread(await _shaped(self.level, found, run), parents, keys)


@dataclass(slots=True)
class Listing:
    """What a connection shows: each entry by its response key, edges with whether they show cursors."""

    nodes: dict[str, Level] = field(default_factory=dict)
    edges: dict[str, tuple[Level, bool]] = field(default_factory=dict)
    page_infos: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    totals: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    shows_cursors: bool = False


@dataclass(frozen=True, slots=True)
class Pages:
    """A page of a list a row, or the page of a root list."""

    get: Get | None
    read: ConnectionOf
    arguments: Arguments
    select: Select
    listing: Listing

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        asked = self.read.request(run.context.now, **self.arguments.converted(run.variables))
        request = await resolved(asked, run.actor)
        cursor, counts_all = self._cursors(request), bool(self.listing.totals)
        adds = cursor is not None and cursor.adds
        if counts_all:
            run.cost += len(rows) * TOTAL_COUNT
        if self.get is None:
            records = await page_records(request, run.actor, self.select, cursors=adds)
            totals = [await count(request, run.actor)] if counts_all else []
            return await self._answers(request, [records], totals, cursor, run) * len(rows)
        keys = self.get(rows)
        parents = list(dict.fromkeys(keys))
        found = await _of_parents(request, parents, self.select, run, cursors=adds)
        counted = await counts(request, parents, run.actor) if counts_all else {}
        totals = [counted[parent] for parent in parents] if counts_all else []
        return _spread(await self._answers(request, found, totals, cursor, run), parents, keys)

    async def _answers(
        self, request: PageRequest, found: list[list[Any]], totals: list[int], cursor: "Cursors | None", run: Run
    ) -> list[dict[str, Any]]:
        listing, columns = self.listing, dict[str, Sequence[Any]]()
        if listing.page_infos:
            pages = [paged(request, records) for records in found]
            for key, parts in listing.page_infos.items():
                columns[key] = [_page_info(page, parts, cursor) for page in pages]
        shown = kept(request, found)
        for key, level in listing.nodes.items():
            columns[key] = await _shaped(level, shown, run)
        for key, (level, bears_cursors) in listing.edges.items():
            columns[key] = await _shaped(level, shown, run, cursor if bears_cursors else None)
        for key in listing.totals:
            columns[key] = totals
        for key, name in listing.names.items():
            columns[key] = [name] * len(found)
        if len(listing.order) == 1:
            [key] = listing.order
            return [{key: value} for value in columns[key]]
        if not listing.order:
            return [{} for _ in found]
        return [
            dict(zip(listing.order, values, strict=True))
            for values in zip(*(columns[key] for key in listing.order), strict=True)
        ]

    def _cursors(self, request: PageRequest) -> "Cursors | None":
        if not self.listing.shows_cursors:
            return None
        found = [None if order.link else self.select.place(order.column) for order in request.orders]
        places = [place for place in (*found, self.select.place_of_key()) if place is not None]
        if len(places) > len(found):
            return Cursors(request.signature, places, adds=False)
        begin = self.select.width
        return Cursors(request.signature, range(begin, begin + len(found) + 1), adds=True)


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes cursors of records: of columns that they have anyway, or that a statement `adds` to what is selected."""

    signature: str
    places: Sequence[int]
    adds: bool

    def __call__(self, row: Any) -> str:
        *values, key = [row[place] for place in self.places]
        return cursor_of(self.signature, values, UUID(bytes=key) if isinstance(key, bytes) else key)


def _spread(answers: list[Any], parents: list[Any], keys: Sequence[Any]) -> list[Any]:
    """Return the answer of each key's parent; the same parent may have several."""
    if len(parents) == len(keys):
        return answers
    known = dict(zip(parents, answers, strict=True))
    return [known[key] for key in keys]


async def _of_parents(
    request: PageRequest, parents: list[UUID], select: Select, run: Run, *, cursors: bool = False
) -> list[list[Any]]:
    """Return the records of each parent's page, with one more where there is more."""
    by_parent: list[list[Any]] = [[] for _ in parents]
    for record in await pages_records(request, parents, run.actor, select, cursors=cursors):
        by_parent[record[-1] - 1].append(record)
    return by_parent


async def _shaped(
    level: Level, pages: list[list[Any]], run: Run, cursor: Callable[[Any], str] | None = None
) -> list[list[Any]]:
    """Shape the rows of all pages as one level; return them page by page."""
    rows = pages[0] if len(pages) == 1 else list(chain.from_iterable(pages))
    beside = [[cursor(row) for row in rows]] if cursor else []
    answers = await level.answers(rows, run, *beside)
    if len(pages) == 1:
        return [answers]
    ends = accumulate(map(len, pages), initial=0)
    return [answers[begin:end] for begin, end in pairwise(ends)]


def _page_info(page: Page, parts: list[tuple[str, str]], cursor: Callable[[Any], str] | None) -> dict[str, Any]:
    return {key: _part(page, what, cursor) for key, what in parts}


def _part(page: Page, what: str, cursor: Callable[[Any], str] | None) -> Any:
    match what:
        case "hasNextPage":
            return page.has_next
        case "hasPreviousPage":
            return page.has_previous
        case "startCursor":
            return cursor(page.rows[0]) if page.rows and cursor else None
        case "endCursor":
            return cursor(page.rows[-1]) if page.rows and cursor else None
        case _:
            return "PageInfo"
