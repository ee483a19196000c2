"""Payments that providers tell of: each is taken once, and one that cannot be waits for people to settle.

Who tells is answered the same as often as they repeat it; once what stood against it is mended, the next time takes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tortoise.exceptions import IntegrityError

from domain import edits, events, invoices, payments, policy
from domain.actors import Actor, system
from domain.errors import DomainError, Invalid
from domain.events import Event, record
from domain.money import Money
from domain.payments import Origin, PaymentDetails
from domain.policy import Action
from domain.shares import written
from models import rows
from models.base import uuid7
from models.database import joined, transaction
from models.invoices import Invoice, InvoiceKind, NoticeState, Payment, PaymentNotice, PaymentProvider
from models.leads import Lead

KEEP = """
INSERT INTO payment_notice
       (id, workspace_id, provider_id, provider_key, state, problem, invoice_number, amount, currency, body, attempts,
        created_at, last_at)
VALUES ($1, $2, $3, $4, 'OPEN', $5, $6, $7, $8, $9::jsonb, 1, $10, $10)
ON CONFLICT (provider_id, provider_key) DO UPDATE
SET attempts = payment_notice.attempts + 1, last_at = excluded.last_at,
    problem = CASE WHEN payment_notice.state = 'OPEN' THEN excluded.problem ELSE payment_notice.problem END
RETURNING id, attempts
"""
SETTLED = """
UPDATE payment_notice SET state = 'SETTLED', payment_id = $3, settled_at = $4
WHERE provider_id = $1 AND provider_key = $2 AND state <> 'SETTLED'
"""


class PaymentNoticeOpened(Event):
    name = "payment_notice.opened"


class PaymentNoticeSettled(Event):
    name = "payment_notice.settled"


class PaymentNoticeDismissed(Event):
    name = "payment_notice.dismissed"


class UnknownInvoice(DomainError):
    """There is no invoice {number}."""


class PaymentDiffers(DomainError):
    """The payment {key} was told of before, as {amount} {currency}."""


class NoticeOver(DomainError):
    """This payment was settled already, or dismissed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A payment as a provider tells of it; `key` is its name of it, a negative amount a refund."""

    key: str
    invoice_number: str
    amount: Decimal
    currency: str
    received_on: date | None = None
    method: str | None = None
    reference: str | None = None
    body: Mapping[str, Any]


async def take(provider: PaymentProvider, told: Told, *, now: datetime) -> Payment:
    """Record a payment that a provider tells of, once however often and at how many doors it is told.

    Raises what stands against it, after it was kept for people: UnknownInvoice, PaymentDiffers, and what
    `payments.record` raises.
    """
    try:
        try:
            return await _taken(provider, told, now=now)
        except IntegrityError:
            # It was told of another invoice at the same moment, which came first.
            return await _taken(provider, told, now=now)
    except DomainError as error:
        await _keep(provider, told, error, now=now)
        raise


async def _taken(provider: PaymentProvider, told: Told, *, now: datetime) -> Payment:
    async with transaction():
        found = await Invoice.filter(
            workspace_id=provider.workspace_id, number=told.invoice_number, kind=InvoiceKind.INVOICE
        ).first()
        lead = await rows.to_edit(Lead, found.lead_id, workspace_id=provider.workspace_id) if found else None
        known = await Payment.get_or_none(provider_id=provider.id, provider_key=told.key)
        if known is not None:
            if (known.amount, known.currency) != (told.amount, told.currency):
                raise PaymentDiffers(key=told.key, amount=written(known.amount), currency=known.currency)
            return known
        row = await rows.to_edit(Invoice, found.id, workspace_id=provider.workspace_id) if found else None
        if row is None or lead is None:
            raise UnknownInvoice(number=told.invoice_number)
        actor = system(provider.workspace_id, task="payments")
        return await _settle(actor, lead, row, provider, told, now=now)


async def _settle(
    actor: Actor, lead: Lead, row: Invoice, provider: PaymentProvider, told: Told, *, now: datetime
) -> Payment:
    details = PaymentDetails(
        amount=Money(told.amount, told.currency),
        received_on=told.received_on,
        method=told.method,
        reference=told.reference,
        note=provider.name if told.amount < 0 else None,
    )
    payment = await payments.settle(actor, lead, row, details, origin=Origin(provider.id, told.key), now=now)
    async with joined() as running:
        await running.fetch(SETTLED, [provider.id, told.key, payment.id, now])
    return payment


async def _keep(provider: PaymentProvider, told: Told, error: DomainError, *, now: datetime) -> None:
    """Keep what could not be taken, and how often it was told."""
    problem = error.faults[0].code if isinstance(error, Invalid) else error.code
    values = [provider.id, told.key, problem, told.invoice_number, told.amount, told.currency]
    async with transaction() as running:
        body = events.dump(dict(told.body))
        [kept] = await running.fetch(KEEP, [uuid7(), provider.workspace_id, *values, body, now])
        if kept["attempts"] == 1:
            actor = system(provider.workspace_id, task="payments")
            facts = {"provider_id": provider.id, "problem": problem, "number": told.invoice_number}
            await record(PaymentNoticeOpened(actor, kept["id"], facts), now=now)


async def assign(actor: Actor, notice_id: UUID, invoice_id: UUID, *, now: datetime) -> tuple[PaymentNotice, Payment]:
    """Record a payment that could not be taken as one of this invoice.

    Raises NotFound, Forbidden, NoticeOver, and what `payments.record` raises.
    """
    policy.require(actor, Action.MANAGE_PROVIDERS)
    async with transaction():
        lead, row = await invoices.locked(actor, invoice_id, Action.RECORD_PAYMENT, field="invoiceId")
        notice = await policy.locked(actor, PaymentNotice, notice_id)
        provider = await PaymentProvider.get(id=notice.provider_id)
        if notice.state is not NoticeState.OPEN:
            raise NoticeOver(field="id")
        if await Payment.filter(provider_id=provider.id, provider_key=notice.provider_key).exists():
            raise NoticeOver(field="id")
        told = Told(
            key=notice.provider_key,
            invoice_number=row.number or "",
            amount=notice.amount,
            currency=notice.currency,
            body=notice.body,
        )
        payment = await _settle(actor, lead, row, provider, told, now=now)
        columns = {"state": NoticeState.SETTLED, "payment_id": payment.id, "settled_at": now}
        await edits.write(notice, columns | {"settled_by_id": actor.user_id})
        facts = {"payment_id": payment.id, "invoice_id": row.id}
        await record(PaymentNoticeSettled(actor, notice.id, facts), now=now)
    return notice, payment


async def dismiss(actor: Actor, notice_id: UUID, *, now: datetime) -> PaymentNotice:
    """Say that a payment that could not be taken is none of ours. Raises NotFound, Forbidden, NoticeOver."""
    policy.require(actor, Action.MANAGE_PROVIDERS)
    async with transaction():
        notice = await policy.locked(actor, PaymentNotice, notice_id)
        if notice.state is NoticeState.SETTLED:
            raise NoticeOver(field="id")
        if notice.state is NoticeState.OPEN:
            columns = {"state": NoticeState.DISMISSED, "settled_at": now, "settled_by_id": actor.user_id}
            await edits.write(notice, columns)
            await record(PaymentNoticeDismissed(actor, notice.id, {}), now=now)
    return notice
