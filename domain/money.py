"""Amounts of money, rounded to their currency's minor unit."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel.numbers import get_currency_precision

from domain import inputs
from domain.errors import Faults, Malformed


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str


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


def whole_units(faults: Faults, amount: Decimal, currency: str, *, field: str) -> Decimal:
    """Check that an amount can be paid: it has no part of a currency's minor unit. Prices of one may be finer."""
    if currency in inputs.currencies() and amount.is_finite() and amount != amount.quantize(minor_unit(currency)):
        faults.add(Malformed(field=field, what=f"an amount that can be paid in {currency}"))
    return amount
