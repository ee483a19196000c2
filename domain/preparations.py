"""What the seller prepares a negotiation with, and nobody else sees: an aim, concessions, and guard rails."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from domain import edits, inputs, offer_terms
from domain.errors import DomainError, Faults, Malformed
from domain.unset import UNSET, Unset

MOST_PREPARED = 50
LONGEST_PREPARED = 500
# From the lowest to the highest.
AMOUNTS = ("walk_away", "floor_price", "target")


class RailsCrossed(DomainError):
    """The walk-away must not be above the floor price, nor either of them above the target."""


class TooMuchPrepared(DomainError):
    """A negotiation has at most {limit} must-haves and as many concessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concession:
    """What the seller could give, and what that is worth to them."""

    key: str
    text: str
    value: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What only the seller sees; what is UNSET is left as it is, None clears it.

    Prices are net, in the proposal's currency; margin and discount in percent.
    """

    target: Decimal | Unset | None = UNSET
    must_haves: Sequence[str] | Unset | None = UNSET
    concessions: Sequence[Concession] | Unset | None = UNSET
    floor_price: Decimal | Unset | None = UNSET
    floor_margin: Decimal | Unset | None = UNSET
    most_discount: Decimal | Unset | None = UNSET
    walk_away: Decimal | Unset | None = UNSET


def check(faults: Faults, preparation: Preparation) -> dict[str, Any]:
    """Check what is given of a preparation and return it as columns."""
    columns: dict[str, Any] = {}
    for name in AMOUNTS:
        if (amount := getattr(preparation, name)) is not UNSET:
            columns[name] = inputs.money(faults, amount, field=edits.camel(name))
    if not isinstance(preparation.floor_margin, Unset):
        columns["floor_margin"] = offer_terms.percent(faults, preparation.floor_margin, field="floorMargin", least=-100)
    if not isinstance(preparation.most_discount, Unset):
        columns["most_discount"] = offer_terms.percent(faults, preparation.most_discount, field="mostDiscount")
    if not isinstance(preparation.must_haves, Unset):
        columns["must_haves"] = _must_haves(faults, preparation.must_haves or ())
    if not isinstance(preparation.concessions, Unset):
        columns["concessions"] = _concessions(faults, preparation.concessions or ())
    return columns


def _must_haves(faults: Faults, texts: Sequence[str]) -> list[str]:
    if len(texts) > MOST_PREPARED:
        faults.add(TooMuchPrepared(limit=MOST_PREPARED, field="mustHaves"))
        return []
    checked = [
        inputs.text(faults, text, field=f"mustHaves.{place}", limit=LONGEST_PREPARED)
        for place, text in enumerate(texts)
    ]
    return [text for text in checked if text]


def _concessions(faults: Faults, given: Sequence[Concession]) -> list[dict[str, Any]]:
    if len(given) > MOST_PREPARED:
        faults.add(TooMuchPrepared(limit=MOST_PREPARED, field="concessions"))
        return []
    found: dict[str, dict[str, Any]] = {}
    for place, one in enumerate(given):
        path = f"concessions.{place}"
        key = inputs.name(faults, one.key, field=f"{path}.key", limit=64)
        if key in found:
            faults.add(Malformed(field=f"{path}.key", what="a key that no other concession has"))
        value = inputs.money(faults, one.value, field=f"{path}.value")
        found[key] = {
            "key": key,
            "text": inputs.name(faults, one.text, field=f"{path}.text", limit=LONGEST_PREPARED),
            "value": None if value is None else format(value.normalize(), "f"),
        }
    return list(found.values())


def check_order(faults: Faults, columns: dict[str, Any]) -> None:
    """Check that nobody would leave above the floor, nor aim below it."""
    known = [name for name in AMOUNTS if columns.get(name) is not None]
    if any(columns[lower] > columns[higher] for lower, higher in pairwise(known)):
        faults.add(RailsCrossed(field=edits.camel(known[0])))
