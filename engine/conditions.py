"""Filters as data: what the schema's typed filters and the policy's scope become before they are SQL."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

from models.custom_fields import CustomFieldType


class Op(StrEnum):
    EQ = "="
    NE = "<>"
    GT = ">"
    GTE = ">="
    LT = "<"
    LTE = "<="
    IN = "in"
    NOT_IN = "not in"
    CONTAINS = "contains"
    STARTS_WITH = "starts with"
    IS_NULL = "is null"
    PAST = "is past"


# What these are given decides how the test is written; it is no value that the test is made against.
DECIDING = frozenset({Op.IS_NULL, Op.PAST})


@dataclass(frozen=True, slots=True)
class Compare:
    """A column against a value; nulls fail every comparison but IS_NULL, NE and NOT_IN."""

    column: str
    op: Op
    value: Any


@dataclass(frozen=True, slots=True)
class All:
    of: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    of: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    of: "Condition"


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a row of another noun, linked by `link` (a name of engine.nouns.Link), that meets a condition."""

    link: str
    where: "Condition"


@dataclass(frozen=True, slots=True)
class Search:
    """Full text: every word must occur, the last one at least as a beginning."""

    words: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A custom field, as a client names it by key or id, against a value in JSON; looked up before it is SQL."""

    field: str | UUID
    op: Op
    value: str


@dataclass(frozen=True, slots=True)
class CustomKey:
    """A custom field's values, or the currency of its amounts; to order by a choice, its options in their order."""

    id: UUID
    type: CustomFieldType
    is_currency: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomTest:
    """A custom field's value against one of its type; nulls fail as in Compare."""

    key: CustomKey
    op: Op
    value: Any


Condition: TypeAlias = Compare | All | AnyOf | Not | Exists | Search | Asked | CustomTest
EVERYTHING = All(())


def both(*conditions: "Condition | None") -> "Condition":
    """Return the conjunction of those that are given."""
    given = tuple(condition for condition in conditions if condition not in (None, EVERYTHING))
    return given[0] if len(given) == 1 else All(given)
