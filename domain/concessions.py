"""What the seller's concessions are worth: what the preparation prices, as far as an offer concedes it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from domain.offer_terms import TermKind, Terms

# What prices say of themselves needs no price here.
PRICED = (TermKind.FREE, TermKind.PAYMENT, TermKind.DELIVERY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concession:
    """What the seller could give, and what that is worth to them, net.

    An offer concedes a FREE one by a free term of its key; one of PAYMENT by at least so many days to pay, and one of
    DELIVERY by that day or an earlier one: without days or day, by saying anything of it in words.
    """

    key: str
    text: str
    value: Decimal | None = None
    term: TermKind = TermKind.FREE
    payment_days: int | None = None
    delivery_on: date | None = None

    def is_about(self, kind: TermKind, key: str) -> bool:
        """Say whether it is about a term, by the kind and key of its difference."""
        return kind is self.term and (kind is not TermKind.FREE or key == f"{kind.value}:{self.key}")

    def is_met_by(self, terms: Terms) -> bool:
        match self.term:
            case TermKind.PAYMENT if self.payment_days is not None:
                return terms.payment_days is not None and terms.payment_days >= self.payment_days
            case TermKind.PAYMENT:
                return terms.payment is not None
            case TermKind.DELIVERY if self.delivery_on is not None:
                return terms.delivery_on is not None and terms.delivery_on <= self.delivery_on
            case TermKind.DELIVERY:
                return terms.delivery is not None
        return any(term.key == self.key for term in terms.free)


def conceded(prepared: Sequence[Concession], terms: Terms) -> list[Concession]:
    """Return what terms concede; of several about days to pay or a day of delivery, the furthest that they meet."""
    met = [one for one in prepared if one.is_met_by(terms)]
    days = max((one.payment_days for one in met if one.payment_days is not None), default=None)
    day = min((one.delivery_on for one in met if one.delivery_on is not None), default=None)
    return [one for one in met if one.payment_days in (None, days) and one.delivery_on in (None, day)]


def since(prepared: Sequence[Concession], first: Terms, terms: Terms) -> list[Concession]:
    """Return what terms concede that the first did not."""
    before = conceded(prepared, first)
    return [one for one in conceded(prepared, terms) if one not in before]


def worth(found: Iterable[Concession]) -> Decimal:
    """Return what concessions are worth together, of those that have a price."""
    return sum((one.value for one in found if one.value is not None), Decimal(0))


def moved(prepared: Sequence[Concession], kind: TermKind, key: str, before: Terms, after: Terms) -> Decimal | None:
    """Return how much less is conceded by one term of `after` than by that of `before`; None where nobody priced it."""
    lists = [[one for one in conceded(prepared, terms) if one.is_about(kind, key)] for terms in (before, after)]
    if all(one.value is None for found in lists for one in found):
        return None
    return worth(lists[0]) - worth(lists[1])


def dump(one: Concession) -> dict[str, Any]:
    """Return a concession as a negotiation keeps it."""
    return {
        "key": one.key,
        "text": one.text,
        "value": None if one.value is None else format(one.value.normalize(), "f"),
        "term": one.term.value,
        "payment_days": one.payment_days,
        "delivery_on": one.delivery_on and one.delivery_on.isoformat(),
    }


def load(told: Iterable[Mapping[str, Any]]) -> list[Concession]:
    """Return concessions as they were kept."""
    return [
        Concession(
            key=one["key"],
            text=one["text"],
            value=None if one["value"] is None else Decimal(one["value"]),
            term=TermKind(one.get("term", TermKind.FREE)),
            payment_days=one.get("payment_days"),
            delivery_on=date.fromisoformat(one["delivery_on"]) if one.get("delivery_on") else None,
        )
        for one in told
    ]
