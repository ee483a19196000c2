"""What the seller prepares a negotiation with, and nobody else sees: an aim, concessions, and guard rails."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

from domain import concessions, edits, inputs, offer_terms
from domain.concessions import PRICED, Concession
from domain.errors import DomainError, Faults, Malformed
from domain.offer_terms import TermKind
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
        found[key] = concessions.dump(
            replace(
                one,
                key=key,
                text=inputs.name(faults, one.text, field=f"{path}.text", limit=LONGEST_PREPARED),
                value=inputs.money(faults, one.value, field=f"{path}.value"),
                payment_days=inputs.whole(
                    faults, one.payment_days, field=f"{path}.paymentDays", least=0, most=offer_terms.MOST_PAYMENT_DAYS
                ),
                delivery_on=inputs.day(faults, one.delivery_on, field=f"{path}.deliveryOn"),
            )
        )
        _check_term(faults, one, path)
    return list(found.values())


def _check_term(faults: Faults, one: Concession, path: str) -> None:
    if one.term not in PRICED:
        faults.add(Malformed(field=f"{path}.term", what="FREE, PAYMENT or DELIVERY: the rest has prices"))
    if one.payment_days is not None and one.term is not TermKind.PAYMENT:
        faults.add(Malformed(field=f"{path}.paymentDays", what="what a concession has whose term is not PAYMENT"))
    if one.delivery_on is not None and one.term is not TermKind.DELIVERY:
        faults.add(Malformed(field=f"{path}.deliveryOn", what="what a concession has whose term is not DELIVERY"))


def check_order(faults: Faults, columns: dict[str, Any]) -> None:
    """Check that nobody would leave above the floor, nor aim below it."""
    known = [name for name in AMOUNTS if columns.get(name) is not None]
    if any(columns[lower] > columns[higher] for lower, higher in pairwise(known)):
        faults.add(RailsCrossed(field=edits.camel(known[0])))
