"""Typed filters: input types whose fields say which column or link they test."""

import json
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, Generic, TypeVar
from uuid import UUID

import strawberry
from graphql import GraphQLError

from engine.conditions import EVERYTHING, All, AnyOf, Asked, Compare, Condition, Exists, Not, Op, both
from schema import ids

T = TypeVar("T")
MOST_VALUES, DEEPEST, WIDEST = 500, 5, 50
OPS = {
    "eq": Op.EQ,
    "ne": Op.NE,
    "in_": Op.IN,
    "not_in": Op.NOT_IN,
    "gt": Op.GT,
    "gte": Op.GTE,
    "lt": Op.LT,
    "lte": Op.LTE,
    "contains": Op.CONTAINS,
    "starts_with": Op.STARTS_WITH,
    "is_null": Op.IS_NULL,
}


def refuse(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})


def op(description: str, name: str | None = None) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description, name=name)


@strawberry.input(description="Tests of a text; upper and lower case are told apart by eq and in only.")
class StringFilter:
    eq: str | None = op("Equal to.")
    ne: str | None = op("Not equal to; missing passes.")
    in_: list[str] | None = op("One of.", "in")
    not_in: list[str] | None = op("None of; missing passes.")
    contains: str | None = op("Contains, in any case.")
    starts_with: str | None = op("Begins with, in any case.")
    is_null: bool | None = op("Is missing, or is not.")


@strawberry.input(description="Tests of a whole number.")
class IntFilter:
    eq: int | None = op("Equal to.")
    ne: int | None = op("Not equal to; missing passes.")
    in_: list[int] | None = op("One of.", "in")
    gt: int | None = op("Greater than.")
    gte: int | None = op("Greater than or equal to.")
    lt: int | None = op("Less than.")
    lte: int | None = op("Less than or equal to.")
    is_null: bool | None = op("Is missing, or is not.")


@strawberry.input(description="Tests of an exact number.")
class DecimalFilter:
    eq: Decimal | None = op("Equal to.")
    gt: Decimal | None = op("Greater than.")
    gte: Decimal | None = op("Greater than or equal to.")
    lt: Decimal | None = op("Less than.")
    lte: Decimal | None = op("Less than or equal to.")
    is_null: bool | None = op("Is missing, or is not.")


@strawberry.input(description="Tests of a number.")
class FloatFilter:
    eq: float | None = op("Equal to.")
    gt: float | None = op("Greater than.")
    gte: float | None = op("Greater than or equal to.")
    lt: float | None = op("Less than.")
    lte: float | None = op("Less than or equal to.")
    is_null: bool | None = op("Is missing, or is not.")


@strawberry.input(description="Tests of an instant.")
class DateTimeFilter:
    gt: datetime | None = op("After.")
    gte: datetime | None = op("At or after.")
    lt: datetime | None = op("Before.")
    lte: datetime | None = op("At or before.")
    is_null: bool | None = op("Is missing, or is not.")


@strawberry.input(description="Tests of a day.")
class DateFilter:
    eq: date | None = op("On.")
    gt: date | None = op("After.")
    gte: date | None = op("On or after.")
    lt: date | None = op("Before.")
    lte: date | None = op("On or before.")
    is_null: bool | None = op("Is missing, or is not.")


@strawberry.input(description="Tests of yes or no.")
class BooleanFilter:
    eq: bool | None = op("Equal to.")


@strawberry.input(description="Tests of a reference.")
class IDFilter:
    eq: strawberry.ID | None = op("This one.")
    ne: strawberry.ID | None = op("Not this one; missing passes.")
    in_: list[strawberry.ID] | None = op("One of these.", "in")
    not_in: list[strawberry.ID] | None = op("None of these; missing passes.")
    is_null: bool | None = op("Is missing, or is not.")


@strawberry.input(description="Tests of a choice.")
class EnumFilter(Generic[T]):
    eq: T | None = op("Equal to.")
    ne: T | None = op("Not equal to; missing passes.")
    in_: list[T] | None = op("One of.", "in")
    not_in: list[T] | None = op("None of; missing passes.")
    is_null: bool | None = op("Is missing, or is not.")


@strawberry.input(description="Tests of a list of other objects.")
class ListFilter(Generic[T]):
    some: T | None = op("At least one passes.")
    none: T | None = op("None passes.")


def on(description: str, column: str, *, noun: str | None = None, as_kept: Callable[[str], str] = str) -> Any:
    """Declare a filter's field that tests a column.

    `noun` is what its ids are of; `as_kept` writes a text as the column has it, whole or a part of one.
    """
    metadata = {"column": column, "noun": noun, "as_kept": as_kept}
    return strawberry.field(default=strawberry.UNSET, description=description, metadata=metadata)


def through(description: str, link: str) -> Any:
    """Declare a filter's field that tests linked objects by their own filter."""
    return strawberry.field(default=strawberry.UNSET, description=description, metadata={"link": link})


def flag(description: str, when: Condition) -> Any:
    """Declare a filter's field that is true or false: whether a condition is met, or is not."""
    return strawberry.field(default=strawberry.UNSET, description=description, metadata={"flag": when})


def by_custom_fields(description: str) -> Any:
    """Declare a filter's field that tests custom fields, each named with its test."""
    return strawberry.field(default=strawberry.UNSET, description=description, metadata={"custom": True})


def junction(name: str, description: str) -> Any:
    """Declare `and`, `or` or `not`, whose Python names end with an underscore."""
    return strawberry.field(default=strawberry.UNSET, name=name, description=description)


def condition(filter: Any, *, depth: int = 0) -> Condition:
    """Return a filter as data; what is not given tests nothing, and null tests nothing."""
    if filter is None or filter is strawberry.UNSET:
        return EVERYTHING
    if depth > DEEPEST:
        raise refuse(f"Filters nest at most {DEEPEST} deep.")
    parts: list[Condition] = []
    for name, metadata in _facts(type(filter)):  # type: ignore[arg-type]
        value = getattr(filter, name)
        if value is None or value is strawberry.UNSET:
            continue
        if name in ("and_", "or_"):
            if len(value) > WIDEST:
                raise refuse(f"and and or take at most {WIDEST} filters.")
            inner = tuple(condition(part, depth=depth + 1) for part in value)
            parts.append(All(inner) if name == "and_" else AnyOf(inner))
        elif name == "not_":
            parts.append(Not(condition(value, depth=depth + 1)))
        elif "custom" in metadata:
            parts.append(_custom(value))
        elif "flag" in metadata:
            parts.append(metadata["flag"] if value else Not(metadata["flag"]))
        elif "link" in metadata:
            parts.append(_linked(metadata["link"], value, depth + 1))
        else:
            parts.append(_tests(name, metadata, value))
    return both(*parts)


def forbid_nulls(filter: Any) -> None:
    """Refuse a null within a filter, which a list takes for no test at all: what changes leads may not."""
    if isinstance(filter, list):
        for one in filter:
            forbid_nulls(one)
    elif is_dataclass(filter):
        for field in fields(filter):
            value = getattr(filter, field.name)
            if value is None:
                raise refuse(f"{field.name} is null in the filter, which tests nothing: leave it out, or use isNull.")
            forbid_nulls(value)


@cache
def _facts(filter: Hashable) -> tuple[tuple[str, dict[str, Any]], ...]:
    definition = filter.__strawberry_definition__  # type: ignore[attr-defined]
    return tuple((field.python_name, dict(field.metadata)) for field in definition.fields)


def _custom(tests: list[Any]) -> Condition:
    """Return tests of custom fields as data, to be looked up and checked when the list is read."""
    if len(tests) > WIDEST:
        raise refuse(f"custom takes at most {WIDEST} tests.")
    parts: list[Condition] = []
    for test in tests:
        name = field_name(test.field)
        for field in fields(test):
            given = getattr(test, field.name)
            if field.name == "field" or given is None or given is strawberry.UNSET:
                continue
            if isinstance(given, list) and len(given) > MOST_VALUES:
                raise refuse(f"custom takes at most {MOST_VALUES} values.")
            parts.append(Asked(name, OPS[field.name], _json(given)))
    return both(*parts)


def field_name(given: str) -> str | UUID:
    """Return what a client calls a custom field: its key, or the key of its global id."""
    try:
        noun, key = ids.parse(given)
    except ValueError:
        return given
    return key if noun == "CustomField" else given


def _json(given: Any) -> str:
    """Return a value of a client's as JSON, since what a list is asked for is kept by what it is."""
    try:
        return json.dumps(given, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise refuse("A test of a custom field has a value that is no JSON.") from error


def _linked(link: str, value: Any, depth: int) -> Condition:
    if not hasattr(value, "some"):
        return Exists(link, condition(value, depth=depth))
    parts: list[Condition] = []
    if value.some:
        parts.append(Exists(link, condition(value.some, depth=depth)))
    if value.none:
        parts.append(Not(Exists(link, condition(value.none, depth=depth))))
    return both(*parts)


def _tests(name: str, metadata: dict[str, Any], value: Any) -> Condition:
    column, noun = metadata["column"], metadata["noun"]
    parts: list[Condition] = []
    for field in fields(value):
        given = getattr(value, field.name)
        if given is None or given is strawberry.UNSET:
            continue
        if isinstance(given, list) and len(given) > MOST_VALUES:
            raise refuse(f"{name} takes at most {MOST_VALUES} values.")
        parts.append(Compare(column, OPS[field.name], _value(given, noun, name, metadata["as_kept"])))
    return both(*parts)


def _value(given: Any, noun: str | None, name: str, as_kept: Callable[[str], str]) -> Any:
    if isinstance(given, list):
        return tuple(_value(one, noun, name, as_kept) for one in given)
    if noun is not None and not isinstance(given, bool):
        return ids.decode(given, noun, field=name)
    if isinstance(given, StrEnum):
        return given.value
    if isinstance(given, str) and "\x00" in given:
        raise refuse(f"{name} has a character that no text may have.")
    if isinstance(given, float):
        # The column has decimals, among which a float's nearest is the one that the client wrote.
        return Decimal(str(given))
    return as_kept(given) if isinstance(given, str) else given
