"""The seller's guard rails: how far a negotiation may go before somebody has to approve, and where it ends.

Beyond a floor or a highest discount an offer waits for approval. Below the walk-away nobody offers or agrees: who
means it changes the walk-away first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domain.errors import DomainError
from domain.pricing import Totals
from models.negotiations import Negotiation
from models.selling import SellingSettings
from models.users import Role

# Below these one must not go, and above that.
FLOORS = ("floor_price", "floor_margin", "walk_away")
CEILINGS = ("most_discount",)
RAILS = (*FLOORS, *CEILINGS)


class Rail(StrEnum):
    """What an offer can go beyond."""

    FLOOR_PRICE = "FLOOR_PRICE"
    FLOOR_MARGIN = "FLOOR_MARGIN"
    MOST_DISCOUNT = "MOST_DISCOUNT"
    ROLE_DISCOUNT = "ROLE_DISCOUNT"


class BelowWalkAway(DomainError):
    """This comes to {net}, which is below the walk-away of {walk_away}: change that first, or break off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """A guard rail that an offer goes beyond: its limit, and what the offer has; None where a cost is not known."""

    rail: Rail
    limit: Decimal
    actual: Decimal | None


def check_walk_away(negotiation: Negotiation, totals: Totals) -> None:
    """Raise BelowWalkAway where an offer comes to less than the seller would rather leave for."""
    if negotiation.walk_away is not None and totals.net < negotiation.walk_away:
        walk_away = format(negotiation.walk_away.quantize(totals.net), "f")
        raise BelowWalkAway(net=totals.net, walk_away=walk_away, field="terms")


def beyond(negotiation: Negotiation, totals: Totals, *, role_discount: Decimal | None = None) -> list[Beyond]:
    """Return which guard rails an offer goes beyond; `role_discount` is the highest that whoever makes it may give."""
    found = []
    if negotiation.floor_price is not None and totals.net < negotiation.floor_price:
        found.append(Beyond(rail=Rail.FLOOR_PRICE, limit=negotiation.floor_price, actual=totals.net))
    if negotiation.floor_margin is not None and (
        totals.margin_percent is None or totals.margin_percent < negotiation.floor_margin
    ):
        found.append(Beyond(rail=Rail.FLOOR_MARGIN, limit=negotiation.floor_margin, actual=totals.margin_percent))
    highest = ((Rail.MOST_DISCOUNT, negotiation.most_discount), (Rail.ROLE_DISCOUNT, role_discount))
    for rail, limit in highest:
        if limit is not None and totals.reduction_percent > limit:
            found.append(Beyond(rail=rail, limit=limit, actual=totals.reduction_percent))
    return found


def role_discount(settings: SellingSettings | None, role: Role | None) -> Decimal | None:
    """Return the highest discount of an offer that a role may make, in percent; None where there is none."""
    limit = settings.most_discount.get(role.value) if settings and role else None
    return None if limit is None else Decimal(limit)


def is_looser(before: Negotiation, columns: Mapping[str, Any]) -> bool:
    """Say whether columns would let offers pass that the guard rails hold."""

    def lower(name: str) -> bool:
        was, becomes = getattr(before, name), columns.get(name)
        if was is None:
            return False
        return becomes is None or (becomes < was if name in FLOORS else becomes > was)

    return any(lower(name) for name in RAILS if name in columns)


def dump(found: list[Beyond]) -> list[dict[str, Any]]:
    """Return what is beyond as an offer keeps it."""
    return [
        {"rail": one.rail.value, "limit": str(one.limit), "actual": None if one.actual is None else str(one.actual)}
        for one in found
    ]


def load(told: list[dict[str, Any]]) -> list[Beyond]:
    """Return what is beyond as it was kept."""
    return [
        Beyond(
            rail=Rail(one["rail"]),
            limit=Decimal(one["limit"]),
            actual=None if one["actual"] is None else Decimal(one["actual"]),
        )
        for one in told
    ]
