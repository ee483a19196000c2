"""Orders of lists: a whitelist per noun, of its own columns, which are indexed, and of those of linked rows."""

from enum import Enum
from typing import Any

import strawberry

from engine.pages import Order
from schema.filters import field_name, refuse


@strawberry.enum(description="Which end comes first.")
class Direction(Enum):
    ASC = strawberry.enum_value("ASC", description="Smallest, oldest, first in the alphabet first; missing last.")
    DESC = strawberry.enum_value("DESC", description="Largest, newest first; missing last.")


def direction() -> Any:
    """Declare the direction of an order input."""
    return strawberry.field(default=Direction.ASC, description="Which end comes first.")


def by_what() -> Any:
    """Declare the field of an order input of a noun that has custom fields, too."""
    return strawberry.field(default=strawberry.UNSET, description="By what; either this or custom.")


def by_custom_field() -> Any:
    """Declare the custom field of an order input."""
    return strawberry.field(
        default=strawberry.UNSET,
        description="By a custom field: its key, or its id; one that is sortable. Choices are ordered by the places of "
        "their options, texts by their first 300 characters in lower case, amounts whatever their currency.",
    )


def ordered(given: list[Any] | None, *, default: tuple[Order, ...]) -> tuple[Order, ...]:
    """Return a client's order as data; a field named twice counts once, none at all means the default."""
    found: dict[str, Order] = {}
    for order in given or ():
        down, custom = order.direction is Direction.DESC, getattr(order, "custom", None) or None
        if ((order.field or None) is None and custom is None) or (order.field and custom):
            raise refuse("An order names either a field or a custom field.")
        if custom is not None:
            found.setdefault(f"custom {custom}", Order("", down, custom=field_name(custom)))
            continue
        link, _, column = order.field.value.rpartition(".")
        found.setdefault(order.field.value, Order(column, down, link))
    return tuple(found.values()) or default
