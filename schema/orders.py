"""Orders of lists: a whitelist per noun, of its own columns, which are indexed, and of those of linked rows."""

from enum import Enum
from typing import Any

import strawberry

from engine.pages import Order


@strawberry.enum(description="Which end comes first.")
class Direction(Enum):
    ASC = strawberry.enum_value("ASC", description="Smallest, oldest, first in the alphabet first; missing last.")
    DESC = strawberry.enum_value("DESC", description="Largest, newest first; missing last.")


def direction() -> Any:
    """Declare the direction of an order input."""
    return strawberry.field(default=Direction.ASC, description="Which end comes first.")


def ordered(given: list[Any] | None, *, default: tuple[Order, ...]) -> tuple[Order, ...]:
    """Return a client's order as data; a field named twice counts once, none at all means the default."""
    found: dict[str, Order] = {}
    for order in given or ():
        link, _, column = order.field.value.rpartition(".")
        found.setdefault(order.field.value, Order(column, order.direction is Direction.DESC, link))
    return tuple(found.values()) or default
