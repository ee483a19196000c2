"""What people say of an invoice: of what it is, its lines where nothing was agreed, and its instalments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is invoiced: one of the three."""

    contract_id: UUID | None = None
    proposal_id: UUID | None = None
    lead_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeLine:
    """A line that somebody writes; the discount is on all of it."""

    name: str | None
    description: str | None = None
    unit: str | None = None
    quantity: Decimal = Decimal(1)
    unit_price: Decimal
    discount_percent: Decimal | None = None
    discount_amount: Decimal | None = None
    tax_rate: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instalment:
    """A part by percent or amount, what is left where neither is given, due on a day.

    It is issued on `issue_on`, or as many days before it is due as the workspace gives to pay.
    """

    percent: Decimal | None = None
    amount: Money | None = None
    due_on: date | None = None
    issue_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDetails:
    """What is said of an invoice; None is as what is invoiced has it, or as the workspace sells."""

    title: str | None = None
    language: str | None = None
    terms: str | None = None
    currency: str | None = None
    tax_inclusive: bool | None = None
    due_on: date | None = None
    contact_id: UUID | None = None
    lines: Sequence[FreeLine] = ()
    instalments: Sequence[Instalment] = ()
