"""What hangs on levels and has rows of its own: those that keys name, short lists, and pages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import Any, TypeAlias
from uuid import UUID

from tortoise.models import Model

from engine.arguments import Arguments
from engine.costs import TOTAL_COUNT
from engine.cursors import cursor_of
from engine.levels import Get, Level, Trouble
from engine.pages import Page, PageRequest, paged, shown
from engine.reads import ConnectionOf, Some
from engine.records import counts, key_records, page_records
from engine.runs import Run
from engine.select import Select

CURSORS = frozenset({"startCursor", "endCursor"})


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
class Named:
    """The rows that a root field's arguments name: one, or those of a list."""

    read: Some
    arguments: Arguments
    kinds: Mapping[type[Model], tuple[Select, Level]]
    is_list: bool

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        wanted = self.read.keys(**self.arguments.converted(run.variables))
        found: dict[type[Model], dict[UUID, Any]] = {}
        for model in dict.fromkeys(model for model, _ in wanted):
            keys = [key for other, key in wanted if other is model]
            found[model] = await _by_keys(*self.kinds[model], keys, run)
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
        found = await page_records(self.request, run.actor, self.select, parents)
        return _spread(await _shaped(self.level, found, run), parents, keys)


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes cursors of records: of columns that they have anyway, or that a statement `adds` to what is selected."""

    signature: str
    places: Sequence[int]
    adds: bool

    def __call__(self, row: Any) -> str:
        *values, key = [row[place] for place in self.places]
        return cursor_of(self.signature, values, UUID(bytes=key) if isinstance(key, bytes) else key)


@dataclass(frozen=True, slots=True)
class Read:
    """The pages that a connection has read, each with the rows that are shown of it."""

    request: PageRequest
    records: list[list[Any]]
    rows: list[list[Any]]
    totals: list[int]
    cursor: Cursors | None


@dataclass(frozen=True, slots=True)
class Entries:
    """A connection's rows: its nodes, or its edges, which may show cursors."""

    level: Level
    shows_cursors: bool = False

    async def column(self, of: Read, run: Run) -> list[Any]:
        return await _shaped(self.level, of.rows, run, of.cursor if self.shows_cursors else None)


@dataclass(frozen=True, slots=True)
class PageInfos:
    """Where a connection's pages stand: what of that is shown, by response keys."""

    parts: Sequence[tuple[str, str]]

    @property
    def shows_cursors(self) -> bool:
        return any(name in CURSORS for _, name in self.parts)

    async def column(self, of: Read, run: Run) -> list[Any]:
        pages = [paged(of.request, records) for records in of.records]
        return [{key: _part(page, name, of.cursor) for key, name in self.parts} for page in pages]


@dataclass(frozen=True, slots=True)
class Totals:
    """How long a connection's lists are."""

    shows_cursors = False

    async def column(self, of: Read, run: Run) -> list[Any]:
        return of.totals


@dataclass(frozen=True, slots=True)
class TypeName:
    """The name of a connection's type."""

    name: str
    shows_cursors = False

    async def column(self, of: Read, run: Run) -> list[Any]:
        return [self.name] * len(of.rows)


Part: TypeAlias = Entries | PageInfos | Totals | TypeName


@dataclass(frozen=True, slots=True)
class Pages:
    """A page of a list a row, or the page of a root list: what it shows, by response keys."""

    get: Get | None
    read: ConnectionOf
    arguments: Arguments
    select: Select
    parts: Mapping[str, Part]

    async def load(self, rows: Sequence[Any], run: Run) -> list[Any]:
        asked = self.read.request(run.context.now, **self.arguments.converted(run.variables))
        request = await self.read.ready(asked, run.actor)
        if self.get is None:
            return await self._answers(request, None, len(rows), run) * len(rows)
        keys = self.get(rows)
        parents = list(dict.fromkeys(keys))
        return _spread(await self._answers(request, parents, len(rows), run), parents, keys)

    async def _answers(
        self, request: PageRequest, parents: list[UUID] | None, shown_in: int, run: Run
    ) -> list[dict[str, Any]]:
        cursor, totals = self._cursors(request), list[int]()
        adds = cursor is not None and cursor.adds
        records = await page_records(request, run.actor, self.select, parents, cursors=adds)
        if any(isinstance(part, Totals) for part in self.parts.values()):
            run.cost += shown_in * TOTAL_COUNT
            totals = await counts(request, run.actor, parents)
        read = Read(request, records, shown(request, records), totals, cursor)
        columns = [await part.column(read, run) for part in self.parts.values()]
        if len(columns) == 1:
            [key] = self.parts
            return [{key: value} for value in columns[0]]
        return [dict(zip(self.parts, values, strict=True)) for values in zip(*columns, strict=True)]

    def _cursors(self, request: PageRequest) -> Cursors | None:
        if not any(part.shows_cursors for part in self.parts.values()):
            return None
        found = [None if order.link else self.select.place(order.column) for order in request.orders]
        places = [place for place in (*found, self.select.place_of_key()) if place is not None]
        if len(places) > len(found):
            return Cursors(request.signature, places, adds=False)
        begin = self.select.width
        return Cursors(request.signature, range(begin, begin + len(found) + 1), adds=True)


def _spread(answers: list[Any], parents: list[Any], keys: Sequence[Any]) -> list[Any]:
    """Return the answer of each key's parent; the same parent may have several."""
    if len(parents) == len(keys):
        return answers
    known = dict(zip(parents, answers, strict=True))
    return [known[key] for key in keys]


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
