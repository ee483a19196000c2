"""Credit notes: what takes from an invoice, whole or in part, never more than is left of it at any tax rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import (
    agreed,
    edits,
    inputs,
    invoice_amounts,
    invoice_lines,
    invoice_states,
    invoices,
    leads,
    local_times,
    number_series,
    shares,
)
from domain.actors import Actor
from domain.errors import DomainError, Faults, OutOfRange, Required
from domain.events import Event, record
from domain.invoice_states import InvoiceStateRefused
from domain.money import Money
from domain.policy import Action
from domain.shares import RateSum, written
from models.database import transaction
from models.invoices import Invoice, InvoiceKind, InvoiceState
from models.leads import Lead
from models.selling import NumberedKind
from models.workspaces import Workspace

LONGEST_REASON = 2_000
MOST_PARTS = 100


class InvoiceCredited(Event):
    name = "invoice.credited"
    subject_type = "lead"


class CreditTooHigh(DomainError):
    """Only {left} {currency} can still be credited{rate}, not {amount}."""


class NothingToCredit(DomainError):
    """A credit note takes an amount above zero."""


class OneCredit(DomainError):
    """Name an amount of the whole, or lines, not both; neither is all that is left."""


class NoSuchRate(DomainError):
    """Nothing of this invoice is taxed at {rate} %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditLine:
    """What is credited in words: an amount with tax, at a rate of the invoice."""

    name: str | None
    tax_rate: Decimal
    amount: Money


async def credit(
    actor: Actor,
    invoice_id: UUID,
    *,
    reason: str | None,
    amount: Money | None = None,
    lines: Sequence[CreditLine] = (),
    id: UUID | None = None,
    expected_version: int | None = None,
    now: datetime,
) -> tuple[Invoice, Invoice]:
    """Credit all that is left of an invoice, an amount of it, divided over its rates, or lines; return the note, too.

    Raises NotFound, Stale, Forbidden, InvoiceStateRefused, CreditTooHigh, NothingToCredit, AlreadyExists (id), and
    faults.
    """
    faults = Faults()
    key = edits.new_id(faults, id)
    why = inputs.text(faults, reason, field="reason", limit=LONGEST_REASON)
    if why is None:
        faults.add(Required(field="reason"))
    if amount is not None and lines:
        faults.add(OneCredit(field="lines"))
    with edits.collisions("invoice", invoices.UNIQUE):
        async with transaction():
            lead, row = await invoices.locked(
                actor, invoice_id, Action.CREDIT_INVOICE, expected_version=expected_version, field="invoiceId"
            )
            if row.kind is not InvoiceKind.INVOICE or row.number is None or row.state is InvoiceState.CREDITED:
                raise InvoiceStateRefused(number=row.number, done="credited", state=row.state.value, field="invoiceId")
            notes = await Invoice.filter(credits_id=row.id)
            left = shares.less(
                shares.rates_of(row.taxes), (one for note in notes for one in shares.rates_of(note.taxes))
            )
            rates, kept = _taken(faults, row, left, amount, lines, is_first=not notes)
            faults.raise_any()
            home = await Workspace.get(id=actor.workspace_id)
            note = _note(actor, row, key, rates, kept, reason=why or "", is_whole=not notes and rates == left, now=now)
            note.parties = await agreed.parties(lead, await invoices.contact_of(row))
            credited = row.credited + note.total
            columns = invoice_states.standing(row, paid=row.paid, credited=credited, time_zone=home.time_zone, now=now)
            await _write(actor, lead, row, note, columns, home=home, now=now)
    return row, note


def _taken(
    faults: Faults,
    row: Invoice,
    left: Sequence[RateSum],
    amount: Money | None,
    lines: Sequence[CreditLine],
    *,
    is_first: bool,
) -> tuple[Sequence[RateSum], list[dict[str, Any]]]:
    """Return what is credited at each rate, and the lines that say so."""
    if amount is not None:
        wanted = _check(faults, amount, shares.total_of(left), row.currency, field="amount")
        faults.raise_any()
        assert wanted is not None
        rates = shares.part(left, wanted, currency=row.currency)
    elif lines:
        return _by_lines(faults, row, left, lines)
    else:
        rates = tuple(left)
        if is_first:
            return rates, list(row.lines)
    return rates, invoice_lines.of_rates(row.title, rates, inclusive=row.tax_inclusive)


def _by_lines(
    faults: Faults, row: Invoice, left: Sequence[RateSum], lines: Sequence[CreditLine]
) -> tuple[Sequence[RateSum], list[dict[str, Any]]]:
    if len(lines) > MOST_PARTS:
        raise OutOfRange(field="lines", least=1, most=MOST_PARTS)
    rest, kept = {one.rate: one for one in left}, list[dict[str, Any]]()
    for place, line in enumerate(lines):
        field = f"lines.{place}"
        name = inputs.name(faults, line.name, field=f"{field}.name")
        known = rest.get(line.tax_rate)
        if known is None:
            faults.add(NoSuchRate(rate=written(line.tax_rate), field=f"{field}.taxRate"))
            continue
        wanted = _check(faults, line.amount, known.total, row.currency, field=f"{field}.amount", rate=line.tax_rate)
        if wanted is None:
            continue
        part = shares.part([known], wanted, currency=row.currency)
        [rest[line.tax_rate]] = shares.less([known], part)
        kept += invoice_lines.of_rates(name, part, inclusive=row.tax_inclusive)
    return shares.less(left, rest.values()), kept


def _check(
    faults: Faults, given: Money, left: Decimal, currency: str, *, field: str, rate: Decimal | None = None
) -> Decimal | None:
    """Check what is to be credited of what is left, and return it; None where it is at fault."""
    wanted = invoice_amounts.paid_in(faults, given, currency, field=field)
    if wanted is None:
        return None
    if wanted == 0:
        faults.add(NothingToCredit(field=field))
        return None
    if wanted > left:
        at = "" if rate is None else f" at {written(rate)} %"
        faults.add(CreditTooHigh(left=written(left), amount=written(wanted), currency=currency, rate=at, field=field))
        return None
    return wanted


def _note(
    actor: Actor,
    row: Invoice,
    key: UUID,
    rates: Sequence[RateSum],
    lines: list[dict[str, Any]],
    *,
    reason: str,
    is_whole: bool,
    now: datetime,
) -> Invoice:
    net = sum((one.net for one in rates), Decimal(0))
    tax = sum((one.tax for one in rates), Decimal(0))
    whole = is_whole and lines == row.lines
    return Invoice(
        id=key,
        workspace_id=row.workspace_id,
        lead_id=row.lead_id,
        proposal_id=row.proposal_id,
        proposal_version_id=row.proposal_version_id,
        contract_id=row.contract_id,
        contact_id=row.contact_id,
        credits_id=row.id,
        kind=InvoiceKind.CREDIT_NOTE,
        state=InvoiceState.ISSUED,
        title=row.title,
        language=row.language,
        currency=row.currency,
        lines=lines,
        taxes=[one.facts() for one in rates if one.total],
        tax_inclusive=row.tax_inclusive,
        subtotal=row.subtotal if whole else net + tax if row.tax_inclusive else net,
        discount=row.discount if whole else Decimal(0),
        net=net,
        tax=tax,
        total=net + tax,
        balance=Decimal(0),
        reason=reason,
        created_by_id=actor.user_id,
        created_at=now,
        updated_at=now,
    )


async def _write(
    actor: Actor, lead: Lead, row: Invoice, note: Invoice, columns: dict[str, Any], *, home: Workspace, now: datetime
) -> None:
    """Number and write a credit note, with what becomes of its invoice."""
    told = await leads.as_is(lead)
    was_paid = row.state is InvoiceState.PAID
    await edits.apply(row, columns, now=now)
    note.issued_on, note.issued_at = local_times.day_of(now, home.time_zone), now
    # Whoever credits another invoice of the workspace waits from here on.
    note.number = await number_series.next(note.workspace_id, NumberedKind.CREDIT_NOTE, note.issued_on)
    note.sha256 = invoices.sha256(note)
    await edits.insert(note)
    of_note = {"credit_note_id": note.id, "credit_note": note.number, "credited": note.total, "reason": note.reason}
    events: list[Event] = [InvoiceCredited(actor, lead.id, told | invoices.facts(row) | of_note)]
    if row.state is InvoiceState.PAID and not was_paid:
        events.append(invoices.InvoicePaid(actor, lead.id, told | invoices.facts(row)))
    await record(*events, now=now)
