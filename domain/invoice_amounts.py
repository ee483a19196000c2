"""Amounts that are asked, paid and credited by invoices."""

from decimal import Decimal

from domain import inputs, money
from domain.errors import DomainError, Faults, OutOfRange
from domain.money import Money


class OtherCurrency(DomainError):
    """This is in {given}, and the invoice in {currency}."""


def check_amount(faults: Faults, value: Decimal | None, *, field: str, most: Decimal) -> Decimal | None:
    """Check a number that is not negative, of four decimals at most."""
    checked = inputs.money(faults, value, field=field)
    if checked is not None and checked > most:
        faults.add(OutOfRange(field=field, least=0, most=most))
        return None
    return checked


def paid_in(faults: Faults, given: Money, currency: str, *, field: str) -> Decimal | None:
    """Check an amount of a currency that can be paid in it, and return it; None where it is at fault."""
    found = Faults()
    checked = money.check(found, given, field=field)
    if checked is not None and checked.currency in inputs.currencies() and checked.currency != currency:
        found.add(OtherCurrency(given=checked.currency, currency=currency, field=f"{field}.currencyCode"))
    elif checked is not None:
        money.whole_units(found, checked.amount, currency, field=f"{field}.amount")
    faults.extend(found)
    return None if checked is None or any(found) else checked.amount
