"""Payments: what came, by hand or told by a provider, and what it leaves open of an invoice.

A payment never changes: what was wrong is reversed by another. The lead is locked first, then the invoice, so that of
two payments at once each finds what the other has left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import edits, inputs, invoice_amounts, invoice_states, invoices, leads, local_times, policy
from domain.actors import Actor
from domain.errors import AlreadyExists, DomainError, Faults, NotFound, OutOfRange, Required
from domain.events import Event
from domain.invoice_states import InvoiceStateRefused
from domain.money import Money
from domain.policy import Action
from domain.shares import written
from models.base import uuid7
from models.database import transaction
from models.invoices import Invoice, InvoiceKind, InvoiceState, Payment
from models.leads import Lead
from models.workspaces import Workspace

UNIQUE = {"payment_pkey": "id"}
LONGEST_NOTE = 2_000


class PaymentRecorded(Event):
    """Money came, or went back where the amount is negative."""

    name = "payment.recorded"
    subject_type = "lead"


class PaymentReversed(Event):
    name = "payment.reversed"
    subject_type = "lead"


class NothingPaid(DomainError):
    """A payment is more than nothing; a refund is less."""


class RefundTooHigh(DomainError):
    """Only {paid} {currency} were paid, so {amount} cannot go back."""


class ReversedAlready(DomainError):
    """This payment was reversed already, or reverses another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDetails:
    """What is said of a payment; a negative amount is a refund, whose `note` says why."""

    amount: Money
    received_on: date | None = None
    method: str | None = None
    reference: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Which provider told of a payment, and what it calls it."""

    provider_id: UUID | None = None
    key: str | None = None


BY_HAND = Origin()


async def record(
    actor: Actor, invoice_id: UUID, details: PaymentDetails, *, id: UUID | None = None, now: datetime
) -> tuple[Invoice, Payment]:
    """Record a payment of an invoice; the same one with the same id is recorded once.

    Raises NotFound, Forbidden, InvoiceStateRefused, OtherCurrency, NothingPaid, RefundTooHigh, AlreadyExists (id),
    and faults.
    """
    faults = Faults()
    key = edits.new_id(faults, id)
    with edits.collisions("payment", UNIQUE):
        async with transaction():
            lead, row = await invoices.locked(actor, invoice_id, Action.RECORD_PAYMENT, field="invoiceId")
            faults.raise_any()
            if id is not None and (known := await Payment.get_or_none(id=key)) is not None:
                return row, _same(known, row, details)
            return row, await settle(actor, lead, row, details, key=key, now=now)


def _same(known: Payment, row: Invoice, details: PaymentDetails) -> Payment:
    """Return a payment that was recorded before; raises AlreadyExists for another one with its id."""
    same = (known.invoice_id, known.amount, known.currency) == (row.id, details.amount.amount, details.amount.currency)
    if not same:
        raise AlreadyExists(noun="payment", what="id", field="id")
    return known


async def settle(
    actor: Actor,
    lead: Lead,
    row: Invoice,
    details: PaymentDetails,
    *,
    key: UUID | None = None,
    origin: Origin = BY_HAND,
    now: datetime,
) -> Payment:
    """Record a payment of a locked invoice of a locked lead. Raises what `record` does."""
    home = await Workspace.get(id=row.workspace_id)
    today = local_times.day_of(now, home.time_zone)
    columns = _checked(row, details, today=today)
    payment = Payment(
        id=key or uuid7(),
        workspace_id=row.workspace_id,
        invoice_id=row.id,
        lead_id=row.lead_id,
        currency=row.currency,
        provider_id=origin.provider_id,
        provider_key=origin.key,
        recorded_by_id=actor.user_id,
        created_at=now,
        **columns,
    )
    await _keep(PaymentRecorded, actor, lead, row, payment, home=home, now=now)
    return payment


def _checked(row: Invoice, details: PaymentDetails, *, today: date) -> dict[str, Any]:
    faults = Faults()
    amount = _amount(faults, row, details.amount)
    received_on = inputs.day(faults, details.received_on, field="receivedOn") or today
    if received_on > today:
        faults.add(OutOfRange(field="receivedOn", least=inputs.EARLIEST_YEAR, most=today.isoformat()))
    note = inputs.text(faults, details.note, field="note", limit=LONGEST_NOTE)
    if amount < 0 and note is None:
        faults.add(Required(field="note"))
    columns = {
        "amount": amount,
        "received_on": received_on,
        "method": inputs.text(faults, details.method, field="method", limit=inputs.NAME_LIMIT),
        "reference": inputs.text(faults, details.reference, field="reference", limit=inputs.NAME_LIMIT),
        "note": note,
    }
    refuse_unpayable(row)
    faults.raise_any()
    if row.paid + amount < 0 and amount < 0:
        paid = written(max(row.paid, Decimal(0)))
        raise RefundTooHigh(paid=paid, amount=written(-amount), currency=row.currency, field="amount")
    return columns


def refuse_unpayable(row: Invoice) -> None:
    """Raise InvoiceStateRefused for what nobody pays: a credit note, or what is not issued."""
    if row.kind is not InvoiceKind.INVOICE or row.number is None:
        raise InvoiceStateRefused(number=row.number, done="paid", state=row.state.value, field="invoiceId")


def _amount(faults: Faults, row: Invoice, given: Money) -> Decimal:
    """Check an amount, which may be negative."""
    sign = given.amount.is_finite() and given.amount < 0
    amount = invoice_amounts.paid_in(
        faults, Money(-given.amount if sign else given.amount, given.currency), row.currency, field="amount"
    )
    if amount is None:
        return Decimal(1)
    if amount == 0:
        faults.add(NothingPaid(field="amount"))
    return -amount if sign else amount


async def reverse(actor: Actor, payment_id: UUID, *, reason: str | None, now: datetime) -> tuple[Invoice, Payment]:
    """Take back a payment that did not come, or was recorded wrongly, by another one; once.

    Raises NotFound, Forbidden, ReversedAlready, and faults.
    """
    faults = Faults()
    why = inputs.text(faults, reason, field="reason", limit=LONGEST_NOTE)
    if why is None:
        faults.add(Required(field="reason"))
    async with transaction():
        known = await policy.visible(actor, Payment).filter(id=payment_id).first()
        if known is None:
            raise NotFound(noun="payment", field="id")
        lead, row = await invoices.locked(actor, known.invoice_id, Action.RECORD_PAYMENT)
        faults.raise_any()
        if known.reverses_id is not None or await Payment.filter(reverses_id=known.id).exists():
            raise ReversedAlready(field="id")
        home = await Workspace.get(id=row.workspace_id)
        payment = Payment(
            id=uuid7(),
            workspace_id=row.workspace_id,
            invoice_id=row.id,
            lead_id=row.lead_id,
            amount=-known.amount,
            currency=row.currency,
            received_on=local_times.day_of(now, home.time_zone),
            method=known.method,
            reference=known.reference,
            note=why,
            reverses_id=known.id,
            recorded_by_id=actor.user_id,
            created_at=now,
        )
        await _keep(PaymentReversed, actor, lead, row, payment, home=home, now=now)
    return row, payment


async def _keep(
    event: type[Event], actor: Actor, lead: Lead, row: Invoice, payment: Payment, *, home: Workspace, now: datetime
) -> None:
    """Write a payment and what it leaves open of its invoice."""
    was = row.state
    columns = invoice_states.standing(
        row, paid=row.paid + payment.amount, credited=row.credited, time_zone=home.time_zone, now=now
    )
    await edits.insert(payment)
    await edits.write(row, columns)
    await leads.tell(event, actor, lead, facts(row, payment), now=now)
    if row.state is InvoiceState.PAID and was is not InvoiceState.PAID:
        await leads.tell(invoices.InvoicePaid, actor, lead, invoices.facts(row), now=now)


def facts(row: Invoice, payment: Payment) -> Mapping[str, Any]:
    return invoices.facts(row) | {
        "payment_id": payment.id,
        "amount": payment.amount,
        "received_on": payment.received_on,
        "paid": row.paid,
        "provider_id": payment.provider_id,
        "reverses_id": payment.reverses_id,
    }
