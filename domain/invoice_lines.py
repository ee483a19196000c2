"""Lines of invoices: what people write is checked, and every line is kept with its amounts as text."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from domain import edits, inputs, money
from domain.errors import DomainError, Faults
from domain.invoice_amounts import HUNDRED, check_amount
from domain.invoice_details import FreeLine
from domain.proposal_lines import DiscountTooHigh
from domain.shares import RateSum, written
from models.base import uuid7
from models.proposals import ProposalLine

MOST_LINES = 1_000
MOST_QUANTITY = Decimal("99999999999.9999")


class TooManyInvoiceLines(DomainError):
    """An invoice has 1 to {limit} lines, not {count}."""


class OneDiscountOfLine(DomainError):
    """A discount is a percentage or an amount, not both."""


def check(faults: Faults, lines: Sequence[FreeLine], currency: str) -> list[tuple[str, str | None, str | None]]:
    """Check lines that somebody writes, and return the words of each: its name, description and unit."""
    if not 1 <= len(lines) <= MOST_LINES:
        faults.add(TooManyInvoiceLines(limit=MOST_LINES, count=len(lines), field="lines"))
    return [_checked(faults, line, f"lines.{place}", currency) for place, line in enumerate(lines)]


def _checked(faults: Faults, line: FreeLine, field: str, currency: str) -> tuple[str, str | None, str | None]:
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
    return (
        inputs.name(faults, line.name, field=f"{field}.name"),
        inputs.text(faults, line.description, field=f"{field}.description"),
        inputs.text(faults, line.unit, field=f"{field}.unit", limit=50),
    )


def kept(**facts: Any) -> dict[str, Any]:
    """Return a line as invoices keep it: every amount as text."""
    return {
        name: written(value) if isinstance(value, Decimal) else None if value is None else str(value)
        for name, value in facts.items()
    }


def of_agreed(line: ProposalLine, net: Decimal) -> dict[str, Any]:
    """Return a line that was agreed as invoices keep it."""
    return kept(
        key=line.key,
        name=line.name,
        description=line.description,
        unit=line.unit,
        quantity=line.quantity,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        discount_amount=line.discount_amount,
        tax_rate=line.tax_rate,
        amount=line.amount,
        net=net,
    )


def of_rates(title: str, rates: Sequence[RateSum], *, inclusive: bool) -> list[dict[str, Any]]:
    """Return one line for what is asked at each rate, of a part that has no lines of its own."""
    return [
        kept(
            key=uuid7(),
            name=title,
            description=None,
            unit=None,
            quantity=Decimal(1),
            unit_price=one.total if inclusive else one.net,
            discount_percent=None,
            discount_amount=None,
            tax_rate=one.rate,
            amount=one.total if inclusive else one.net,
            net=one.net,
        )
        for one in rates
        if one.total
    ]
