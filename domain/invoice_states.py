"""States of invoices: what is open, and what is paid or credited of one that was issued."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain import local_times
from domain.errors import DomainError
from models.invoices import Invoice, InvoiceState

# What is invoiced and was not cancelled or wholly credited since.
STANDING = frozenset({InvoiceState.PLANNED, InvoiceState.ISSUED, InvoiceState.PARTIALLY_PAID, InvoiceState.PAID})
OPEN = frozenset({InvoiceState.ISSUED, InvoiceState.PARTIALLY_PAID})


class InvoiceStateRefused(DomainError):
    """The invoice {number} cannot be {done}: it is {state}."""


def standing(row: Invoice, *, paid: Decimal, credited: Decimal, time_zone: str, now: datetime) -> dict[str, Any]:
    """Return what an issued invoice is with so much paid and credited, as columns."""
    balance = row.total - paid - credited
    if credited == row.total:
        state = InvoiceState.CREDITED
    elif balance <= 0:
        state = InvoiceState.PAID
    else:
        state = InvoiceState.PARTIALLY_PAID if paid > 0 else InvoiceState.ISSUED
    waiting = row.due_on if state in OPEN and row.overdue_at is None else None
    return {
        "paid": paid,
        "credited": credited,
        "balance": balance,
        "state": state,
        "paid_at": (row.paid_at or now) if state is InvoiceState.PAID else None,
        "due_at": overdue_from(waiting, time_zone) if waiting else None,
    }


def overdue_from(due_on: date, time_zone: str) -> datetime:
    """Return the instant from which an invoice is overdue."""
    return local_times.start_of(due_on + timedelta(days=1), time_zone)
