"""Invoices: issued whole or in instalments from what was agreed or from free lines, numbered only when issued.

Whoever changes one locks its lead first, then what is invoiced, then the invoice; a number is taken last. What an
invoice says never changes again: what was wrong is credited (domain/credit_notes.py), what is paid stands beside it.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import (
    agreed,
    canonical,
    edits,
    instalments,
    invoice_lines,
    invoice_sources,
    leads,
    local_times,
    number_series,
    policy,
    selling_settings,
)
from domain.actors import Actor
from domain.errors import Faults, NotFound
from domain.events import Event, record
from domain.instalments import Part
from domain.invoice_details import InvoiceDetails, Source
from domain.invoice_sources import Owed
from domain.invoice_states import InvoiceStateRefused, overdue_from
from domain.policy import Action
from models.base import uuid7
from models.contacts import Contact
from models.database import transaction
from models.invoices import Invoice, InvoiceKind, InvoiceState
from models.leads import Lead
from models.proposals import Proposal
from models.selling import NumberedKind
from models.workspaces import Workspace

UNIQUE = {"invoice_pkey": "id"}
# What an invoice says; the last four it gets when it is issued.
SAID = (
    *("kind", "title", "language", "currency", "lines", "taxes", "terms", "tax_inclusive", "subtotal", "discount"),
    *("net", "tax", "total", "instalment", "instalments", "reason", "number", "parties", "issued_on", "due_on"),
)


class InvoicePlanned(Event):
    name = "invoice.planned"
    subject_type = "lead"


class InvoiceIssued(Event):
    name = "invoice.issued"
    subject_type = "lead"


class InvoicePaid(Event):
    """Nothing is open of an invoice any more."""

    name = "invoice.paid"
    subject_type = "lead"


class InvoiceCancelled(Event):
    name = "invoice.cancelled"
    subject_type = "lead"


async def issue(
    actor: Actor, source: Source, details: InvoiceDetails, *, id: UUID | None = None, now: datetime
) -> list[Invoice]:
    """Invoice what was agreed, what is left of it, or free lines: whole, or in instalments of which some are planned.

    Raises NotFound, Forbidden, ProposalNotAccepted, ContractNotSigned, InvoicedAlready, NothingToInvoice,
    InstalmentsDiffer, InstalmentTooSmall, AlreadyExists (id), and faults.
    """
    faults = Faults()
    key = edits.new_id(faults, id)
    with edits.collisions("invoice", UNIQUE):
        async with transaction():
            lead, found, contract = await invoice_sources.locked(faults, actor, source)
            policy.require(actor, Action.ISSUE_INVOICE, lead)
            home = await Workspace.get(id=actor.workspace_id)
            selling = await selling_settings.of(actor.workspace_id)
            today = local_times.day_of(now, home.time_zone)
            named = await edits.referred(faults, actor, Contact, details.contact_id, field="contactId")
            if found is None:
                owed = await invoice_sources.of_lines(faults, lead, named, details, home=home, selling=selling)
            else:
                owed = await invoice_sources.of_agreed(faults, found, contract, details)
            plan = instalments.plan(faults, owed, details, today=today, payment_days=selling.payment_days)
            faults.raise_any()
            # Until here nothing is locked but the lead and what is invoiced.
            made = [_row(actor, lead, owed, part, place, plan, home=home, now=now) for place, part in enumerate(plan)]
            made[0].id = key
            parties = await agreed.parties(lead, owed.contact_id)
            await _write(actor, lead, made, parties=parties, today=today, home=home, now=now)
    return made


def _row(
    actor: Actor,
    lead: Lead,
    owed: Owed,
    part: Part,
    place: int,
    plan: Sequence[Part],
    *,
    home: Workspace,
    now: datetime,
) -> Invoice:
    """Return an invoice that is not issued yet."""
    whole = len(plan) == 1 and owed.is_whole
    net = sum((one.net for one in part.rates), Decimal(0))
    tax = sum((one.tax for one in part.rates), Decimal(0))
    lines = list(owed.lines) if whole else invoice_lines.of_rates(owed.title, part.rates, inclusive=owed.tax_inclusive)
    return Invoice(
        id=uuid7(),
        workspace_id=actor.workspace_id,
        lead_id=lead.id,
        kind=InvoiceKind.INVOICE,
        state=InvoiceState.PLANNED,
        instalment=place + 1 if len(plan) > 1 else None,
        instalments=len(plan) if len(plan) > 1 else None,
        title=owed.title,
        language=owed.language,
        currency=owed.currency,
        lines=lines,
        taxes=[one.facts() for one in part.rates if one.total],
        parties={},
        terms=owed.terms,
        tax_inclusive=owed.tax_inclusive,
        subtotal=owed.totals.subtotal if whole else net + tax if owed.tax_inclusive else net,
        discount=owed.totals.discount if whole else Decimal(0),
        net=net,
        tax=tax,
        total=net + tax,
        balance=Decimal(0),
        issue_on=part.issue_on,
        due_on=part.due_on,
        due_at=local_times.start_of(part.issue_on, home.time_zone),
        created_by_id=actor.user_id,
        created_at=now,
        updated_at=now,
        **owed.columns,
    )


async def _write(
    actor: Actor,
    lead: Lead,
    made: Sequence[Invoice],
    *,
    parties: dict[str, Any],
    today: date,
    home: Workspace,
    now: datetime,
) -> None:
    """Write new invoices, of which those for today are issued."""
    told = await leads.as_is(lead)
    later = [row for row in made if row.issue_on is not None and row.issue_on > today]
    for row in later:
        await edits.insert(row)
        await record(InvoicePlanned(actor, lead.id, told | facts(row)), now=now)
    for row in made:
        if row not in later:
            # Whoever issues another invoice of the workspace waits from here on.
            columns = await _issued(row, parties, today=today, home=home, now=now)
            row.update_from_dict(columns)
            await edits.insert(row)
            await record(InvoiceIssued(actor, lead.id, told | facts(row)), now=now)


async def issue_planned(
    actor: Actor, invoice_id: UUID, *, expected_version: int | None = None, now: datetime
) -> Invoice:
    """Issue a planned invoice before its day. Raises NotFound, Stale, Forbidden, InvoiceStateRefused."""
    async with transaction():
        lead, row = await locked(actor, invoice_id, Action.ISSUE_INVOICE, expected_version=expected_version)
        if row.state is not InvoiceState.PLANNED:
            raise InvoiceStateRefused(number=row.number, done="issued", state=row.state.value, field="id")
        home = await Workspace.get(id=actor.workspace_id)
        await issue_locked(actor, lead, row, home=home, now=now, by_person=True)
    return row


async def issue_locked(
    actor: Actor, lead: Lead, row: Invoice, *, home: Workspace, now: datetime, by_person: bool
) -> None:
    """Issue a planned invoice that is locked with its lead; only what a person does is an edit of it."""
    parties = await agreed.parties(lead, await contact_of(row))
    told = await leads.as_is(lead)
    today = local_times.day_of(now, home.time_zone)
    columns = await _issued(row, parties, today=today, home=home, now=now)
    if by_person:
        await edits.apply(row, columns, now=now)
    else:
        await edits.write(row, columns)
    await record(InvoiceIssued(actor, lead.id, told | facts(row)), now=now)


async def cancel(actor: Actor, invoice_id: UUID, *, expected_version: int | None = None, now: datetime) -> Invoice:
    """Cancel an invoice that is planned; one that is cancelled stays so.

    Raises NotFound, Stale, Forbidden, InvoiceStateRefused.
    """
    async with transaction():
        lead, row = await locked(actor, invoice_id, Action.ISSUE_INVOICE, expected_version=expected_version)
        if row.state not in (InvoiceState.PLANNED, InvoiceState.CANCELLED):
            raise InvoiceStateRefused(number=row.number, done="cancelled", state=row.state.value, field="id")
        if row.state is InvoiceState.PLANNED:
            columns = {"state": InvoiceState.CANCELLED, "cancelled_at": now, "due_at": None}
            await edits.apply(row, columns, now=now)
            await leads.tell(InvoiceCancelled, actor, lead, facts(row), now=now)
    return row


async def _issued(
    row: Invoice, parties: dict[str, Any], *, today: date, home: Workspace, now: datetime
) -> dict[str, Any]:
    """Take a number for an invoice and return what it is from now on."""
    due_on = row.due_on or today
    number = await number_series.next(row.workspace_id, NumberedKind.INVOICE, today)
    said = {"number": number, "parties": parties, "issued_on": today, "due_on": due_on}
    return said | {
        "state": InvoiceState.ISSUED,
        "balance": row.total,
        "issued_at": now,
        "due_at": overdue_from(due_on, home.time_zone),
        "sha256": sha256(row, **said),
    }


def sha256(row: Invoice, **issued: Any) -> str:
    """Return the hash of what an invoice says, with what it gets when it is issued where the row has not got it yet."""
    return canonical.sha256({name: getattr(row, name) for name in SAID} | issued)


def is_genuine(row: Invoice) -> bool:
    """Say whether an issued invoice is what was hashed."""
    return row.sha256 == sha256(row)


async def contact_of(row: Invoice) -> UUID | None:
    """Return whom an invoice names, else for whom its proposal is."""
    if row.contact_id is not None or row.proposal_id is None:
        return row.contact_id
    return (await Proposal.get(id=row.proposal_id)).contact_id


async def locked(
    actor: Actor, invoice_id: UUID, action: Action, *, expected_version: int | None = None, field: str = "id"
) -> tuple[Lead, Invoice]:
    """Return an invoice that the actor may do this with, and its lead, both locked."""
    known = await policy.visible(actor, Invoice).filter(id=invoice_id).first()
    if known is None:
        raise NotFound(noun="invoice", field=field)
    lead = await policy.locked(actor, Lead, known.lead_id, field=field)
    policy.require(actor, action, lead)
    return lead, await policy.locked(actor, Invoice, invoice_id, expected_version=expected_version, field=field)


def facts(row: Invoice) -> dict[str, Any]:
    """Return what events tell of an invoice."""
    return {
        "invoice_id": row.id,
        "contract_id": row.contract_id,
        "proposal_id": row.proposal_id,
        "number": row.number,
        "total": row.total,
        "balance": row.balance,
        "currency": row.currency,
        "due_on": row.due_on,
        "instalment": row.instalment,
    }
