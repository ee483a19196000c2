"""Where a field comes from, as data: what the schema's declarations say and the compiler reads.

Columns are named as the models name them. Functions are given rows that have at least the columns they need as
attributes; they decide nothing about who may see what, since rows that the actor may not see never reach them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from tortoise.models import Model

from domain.actors import Actor
from engine.pages import PageRequest


@dataclass(frozen=True, slots=True)
class Key:
    """The row's global id: what `prefix` returns for a type of that name, and the key's 32 hexadecimal digits."""

    prefix: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Column:
    """The value of a column."""

    name: str


@dataclass(frozen=True, slots=True)
class Group:
    """An object made of columns, by the Python names of its fields; null where one of them is."""

    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Computed:
    """A pure function of columns of the row, given in the order of `needs`."""

    needs: tuple[str, ...]
    fn: Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """A function of many rows at once: `await fn(rows, info, **arguments)` gives a value a row, in their order.

    `needs` names the columns it looks at; None is all of them, and the rows are then instances of the model.
    """

    needs: tuple[str, ...] | None
    fn: Callable[..., Awaitable[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class Relation:
    """The row of another noun whose key stands in column `by`; null where it does not exist for the actor."""

    model: type[Model]
    by: str


@dataclass(frozen=True, slots=True)
class ConnectionOf:
    """A list in pages.

    `request` makes of the arguments what is asked of it, and raises what is wrong with them; `ready` looks up what
    else that names.
    """

    model: type[Model]
    request: Callable[..., PageRequest]
    ready: Callable[[PageRequest, Actor], Awaitable[PageRequest]]


@dataclass(frozen=True, slots=True)
class FewOf:
    """A short list of another noun, whole."""

    model: type[Model]
    request: PageRequest


@dataclass(frozen=True, slots=True)
class One:
    """The row with the key that `key` reads from the arguments, raising where they have none."""

    model: type[Model]
    key: Callable[..., UUID]

    @property
    def some(self) -> "Some":
        """Return it as one of several that might be named."""
        return Some(lambda **arguments: [(self.model, self.key(**arguments))])


@dataclass(frozen=True, slots=True)
class Some:
    """Rows of several nouns by their keys, in the order asked for; `keys` reads nouns and keys from the arguments.

    Where the field is no list, there is one.
    """

    keys: Callable[..., Sequence[tuple[type[Model], UUID]]]


# The model behind each GraphQL type with a global id; the schema's declarations fill it.
MODELS: dict[str, type[Model]] = {}

Read: TypeAlias = Key | Column | Group | Computed | Batch | Relation | ConnectionOf | FewOf | One | Some
