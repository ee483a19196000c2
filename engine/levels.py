"""Plans as they run: levels of rows, each shaped at once, with the levels below them loaded for all rows together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Protocol, TypeAlias

from graphql import GraphQLList, GraphQLNonNull, GraphQLOutputType

from engine.arguments import Arguments
from engine.reads import Batch
from engine.runs import Run

Shape: TypeAlias = Callable[..., list[Any]]
Get: TypeAlias = Callable[[Sequence[Any]], list[Any]]


class Trouble(Exception):
    """Something went wrong that graphql-core knows how to tell."""


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
class Levels:
    """Rows of several types: each is shaped by the level of its own."""

    of: Mapping[str, Level]
    name_of: Callable[[Any], str]

    async def answers(self, rows: Sequence[Any], run: Run) -> list[Any]:
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            places.setdefault(self.name_of(row), []).append(place)
        shaped: list[Any] = [None] * len(rows)
        for name, these in places.items():
            answers = await self.of[name].answers([rows[place] for place in these], run)
            for place, answer in zip(these, answers, strict=True):
                shaped[place] = answer
        return shaped


@dataclass(frozen=True, slots=True)
class Leaves:
    """Values of scalars and enums, or lists of them."""

    complete: Callable[[Any], Any]

    async def answers(self, values: Sequence[Any], run: Run) -> list[Any]:
        return [self.complete(value) for value in values]


@dataclass(frozen=True, slots=True)
class Objects:
    """Values that are objects, or lists of them at any depth; all are shaped at once."""

    type: GraphQLOutputType
    level: Level | Levels

    async def answers(self, values: Sequence[Any], run: Run) -> list[Any]:
        flat: list[Any] = []
        places = [_flatten(self.type, value, flat) for value in values]
        shaped = await self.level.answers(flat, run)
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
        info = run.info(*self.facts)
        values = await self.read.fn(self.get(rows), info, **self.arguments.converted(run.variables))
        return await self.finish.answers(values, run)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a resolver of one row makes of each, all at once."""

    get: Get
    call: Callable[[Any, Any, dict[str, Any]], Any]
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
        info, arguments = run.info(*self.facts), self.arguments.converted(run.variables)
        values = [self.call(row, info, arguments) for row in self.get(rows)]
        waiting: list[Awaitable[Any]] = [value for value in values if isawaitable(value)]
        if len(waiting) == 1 == len(values):
            values = [await waiting[0]]
        elif waiting:
            arrived = iter(await asyncio.gather(*waiting))
            values = [next(arrived) if isawaitable(value) else value for value in values]
        return values
