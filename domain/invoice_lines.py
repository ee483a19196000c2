"""Lines of invoices: what people write is checked, and every line is kept with its amounts as text."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import edits, inputs, money
from domain.errors import DomainError, Faults
from domain.invoice_amounts import check_amount
from domain.invoice_details import FreeLine
from domain.pricing import ZERO, Discount, Line
from domain.proposal_lines import MOST_QUANTITY, DiscountTooHigh
from domain.shares import HUNDRED, RateSum, written
from models.base import uuid7
from models.proposals import ProposalLine

MOST_LINES = 1_000
SAID = ("name", "description", "unit", "quantity", "unit_price", "discount_percent", "discount_amount", "tax_rate")


class TooManyInvoiceLines(DomainError):
    """An invoice has 1 to {limit} lines, not {count}."""


class OneDiscountOfLine(DomainError):
    """A discount is a percentage or an amount, not both."""


def check(faults: Faults, lines: Sequence[FreeLine], currency: str, *, tax_rate: Decimal) -> list[FreeLine]:
    """Check lines that somebody writes, and return them as they are kept, with this tax rate where they name none."""
    if not 1 <= len(lines) <= MOST_LINES:
        faults.add(TooManyInvoiceLines(limit=MOST_LINES, count=len(lines), field="lines"))
    return [_checked(faults, line, f"lines.{place}", currency, tax_rate) for place, line in enumerate(lines)]


def _checked(faults: Faults, line: FreeLine, field: str, currency: str, tax_rate: Decimal) -> FreeLine:
    ranges = (
        ("quantity", line.quantity, MOST_QUANTITY),
        ("unit_price", line.unit_price, inputs.MOST_MONEY),
        ("discount_percent", line.discount_percent, HUNDRED),
        ("discount_amount", line.discount_amount, inputs.MOST_MONEY),
        ("tax_rate", line.tax_rate, HUNDRED),
    )
    checked = {
        name: check_amount(faults, value, field=f"{field}.{edits.camel(name)}", most=most)
        for name, value, most in ranges
    }
    off, quantity, price = (checked[name] for name in ("discount_amount", "quantity", "unit_price"))
    if line.discount_percent is not None and line.discount_amount is not None:
        faults.add(OneDiscountOfLine(field=f"{field}.discountAmount"))
    elif off is not None:
        money.whole_units(faults, off, currency, field=f"{field}.discountAmount")
        if quantity is not None and price is not None and off > quantity * price:
            whole = written(quantity * price)
            faults.add(DiscountTooHigh(amount=whole, currency=currency, field=f"{field}.discountAmount"))
    return replace(
        line,
        name=inputs.name(faults, line.name, field=f"{field}.name"),
        description=inputs.text(faults, line.description, field=f"{field}.description"),
        unit=inputs.text(faults, line.unit, field=f"{field}.unit", limit=50),
        tax_rate=tax_rate if line.tax_rate is None else line.tax_rate,
    )


def priced(line: FreeLine) -> Line:
    """Return a checked line as it is reckoned with."""
    discount = Discount(percent=line.discount_percent or ZERO, amount=line.discount_amount or ZERO)
    rate = line.tax_rate or ZERO
    return Line(quantity=line.quantity, unit_price=line.unit_price, discount=discount, tax_rate=rate)


def kept(line: FreeLine | ProposalLine, *, key: UUID, amount: Decimal, net: Decimal) -> dict[str, Any]:
    """Return a line as invoices keep it: every amount as text."""
    facts = {"key": str(key)} | {name: getattr(line, name) for name in SAID} | {"amount": amount, "net": net}
    return {name: written(value) if isinstance(value, Decimal) else value for name, value in facts.items()}


def of_rates(title: str, rates: Sequence[RateSum], *, inclusive: bool) -> list[dict[str, Any]]:
    """Return one line for what is asked at each rate, of a part that has no lines of its own."""
    lines = []
    for one in rates:
        if one.total:
            amount = one.total if inclusive else one.net
            line = FreeLine(name=title, unit_price=amount, tax_rate=one.rate)
            lines.append(kept(line, key=uuid7(), amount=amount, net=one.net))
    return lines
