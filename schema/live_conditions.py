"""Filters of live boards, tested in memory on what an event says of its lead."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from operator import ge, gt, le, lt
from typing import Any, TypeAlias
from uuid import UUID

from engine.conditions import All, AnyOf, Compare, Condition, Exists, Not, Op

TEAM, TAGS = "membership", "tags"

LiveLead: TypeAlias = Mapping[str, Any]
Teams: TypeAlias = Mapping[str, str | None]
Test: TypeAlias = Callable[[LiveLead, Teams], bool]


@lru_cache(maxsize=4096)
def looked_at(condition: Condition) -> frozenset[str]:
    """Return the columns and links that a condition looks at."""
    match condition:
        case Compare(name) | Exists(name):
            return frozenset({name})
        case All(of) | AnyOf(of):
            return frozenset().union(*map(looked_at, of))
        case Not(of):
            return looked_at(of)
        case _:
            raise TypeError(f"live events cannot be tested for {condition}")


@lru_cache(maxsize=4096)
def passing(condition: Condition) -> Test:
    """Return a condition as a function of a lead and its owner's team; it answers as the engine's SQL does."""
    match condition:
        case Compare(column):
            read, meets = _reader(column), _operator(condition.op, condition.value)
            return lambda lead, teams: meets(read(lead))
        case Exists(link, where):
            return _exists(link, passing(where))
        case All(of):
            every = [passing(part) for part in of]
            return lambda lead, teams: all(part(lead, teams) for part in every)
        case AnyOf(of):
            some = [passing(part) for part in of]
            return lambda lead, teams: any(part(lead, teams) for part in some)
        case Not(of):
            inner = passing(of)
            return lambda lead, teams: not inner(lead, teams)
        case _:
            raise TypeError(f"live events cannot be tested for {condition}")


def _exists(link: str, inner: Test) -> Test:
    if link == TAGS:
        return lambda lead, teams: any(inner({"id": tag_id}, teams) for tag_id in lead["tag_ids"])
    if link == TEAM:
        return lambda lead, teams: lead["owner_id"] in teams and inner({"team_id": teams[lead["owner_id"]]}, teams)
    raise TypeError(f"live events cannot be tested for {link}")


def _reader(column: str) -> Callable[[LiveLead], Any]:
    if column == "value":
        return lambda lead: None if lead["value"] is None else Decimal(lead["value"])
    return lambda lead: lead[column]


ORDERS = {Op.GT: gt, Op.GTE: ge, Op.LT: lt, Op.LTE: le}


def _operator(op: Op, wanted: Any) -> Callable[[Any], bool]:
    if op in ORDERS:
        compare = ORDERS[op]
        return lambda value: value is not None and compare(value, wanted)
    if op in (Op.IN, Op.NOT_IN):
        values, inside = frozenset(map(_plain, wanted)), op is Op.IN
        return lambda value: (value in values) is inside
    if op is Op.IS_NULL:
        return lambda value: (value is None) is wanted
    if op not in (Op.EQ, Op.NE):
        raise TypeError(f"live events cannot be tested by {op}")
    one, equal = _plain(wanted), op is Op.EQ
    return lambda value: (value == one) is equal


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
