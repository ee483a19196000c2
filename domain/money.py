"""Amounts of money: rounded to their currency's minor unit, and never added across currencies as they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel.numbers import get_currency_precision

from domain import inputs
from domain.errors import Faults


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class BaseSum:
    """A sum in the base currency, without the currencies that had no rate on the day."""

    amount: Decimal
    missing: frozenset[str]


def check(faults: Faults, value: Money | None, *, field: str) -> Money | None:
    """Check an amount with its currency."""
    if value is None:
        return None
    amount = inputs.money(faults, value.amount, field=f"{field}.amount")
    currency = inputs.currency(faults, value.currency, field=f"{field}.currencyCode")
    return None if amount is None else Money(amount, currency)


@lru_cache
def minor_unit(currency: str) -> Decimal:
    """Return the smallest amount of a currency: 0.01 of EUR, 1 of JPY, 0.001 of KWD."""
    return Decimal(1).scaleb(-get_currency_precision(currency))


def quantize(amount: Decimal, currency: str) -> Decimal:
    """Round to the currency's minor unit, halves away from zero, as invoices do."""
    return amount.quantize(minor_unit(currency), rounding=ROUND_HALF_UP)


def totals(amounts: Iterable[Money]) -> dict[str, Decimal]:
    """Return the sum per currency, in the order of the codes."""
    sums: dict[str, Decimal] = {}
    for money in amounts:
        sums[money.currency] = sums.get(money.currency, Decimal(0)) + money.amount
    return dict(sorted(sums.items()))


def to_base(sums: Mapping[str, Decimal], rates: Mapping[str, Decimal], *, base: str) -> BaseSum:
    """Return sums per currency as one in the base currency, rounded once, at the end."""
    known = [amount * rates[currency] for currency, amount in sums.items() if currency in rates]
    missing = frozenset(currency for currency in sums if currency not in rates)
    return BaseSum(quantize(sum(known, Decimal(0)), base), missing)
