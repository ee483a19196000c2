"""Invoices: issued whole or in instalments from what was agreed or from free lines, numbered only when issued.

Whoever changes one locks its lead first, then what is invoiced, then the invoice; a number is taken last. What an
invoice says never changes again: what was wrong is credited (domain/credit_notes.py), what is paid stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from domain import (
    agreed,
    canonical,
    edits,
    inputs,
    leads,
    local_times,
    money,
    number_series,
    policy,
    pricing,
    selling_settings,
    shares,
)
from domain.actors import Actor, system
from domain.agreed import Agreed
from domain.errors import DomainError, Faults, NotFound, OutOfRange, Required
from domain.events import Event, record
from domain.money import Money
from domain.policy import Action
from domain.pricing import Discount, Line, Totals
from domain.proposal_lines import DiscountTooHigh
from domain.shares import RateSum, Share, written
from models import rows
from models.base import uuid7
from models.contacts import Contact
from models.contracts import Contract, ContractState
from models.database import transaction
from models.invoices import Invoice, InvoiceKind, InvoiceState
from models.leads import Lead, LeadContact
from models.postgres import connected
from models.proposals import Proposal, ProposalVersion
from models.selling import NumberedKind, Rounding, SellingSettings
from models.workspaces import Workspace

UNIQUE = {"invoice_pkey": "id"}
MOST_LINES = 1_000
MOST_INSTALMENTS = 120
MOST_PLANNED_DAYS = 3_660
SWEPT_AT_ONCE = 50
MOST_QUANTITY = Decimal("99999999999.9999")
HUNDRED = Decimal(100)
# What is invoiced and was not cancelled or wholly credited since.
STANDING = frozenset({InvoiceState.PLANNED, InvoiceState.ISSUED, InvoiceState.PARTIALLY_PAID, InvoiceState.PAID})
OPEN = frozenset({InvoiceState.ISSUED, InvoiceState.PARTIALLY_PAID})
# The lead of what is due, which nobody else works on; those of deleted leads wait until they are restored.
DUE = """
SELECT lead.id, lead.workspace_id FROM invoice JOIN lead ON lead.id = invoice.lead_id
WHERE invoice.due_at <= $1 AND lead.deleted_at IS NULL
ORDER BY invoice.due_at LIMIT 1 FOR NO KEY UPDATE OF lead SKIP LOCKED
"""
DUE_OF_LEAD = """
SELECT {columns} FROM invoice WHERE workspace_id = $1 AND lead_id = $2 AND due_at <= $3
ORDER BY due_at, instalment, id FOR NO KEY UPDATE
"""


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


class InvoiceOverdue(Event):
    name = "invoice.overdue"
    subject_type = "lead"


class InvoiceCancelled(Event):
    name = "invoice.cancelled"
    subject_type = "lead"


class OneSource(DomainError):
    """Name what is invoiced: a contract, a proposal, or a lead with lines."""


class AgreedAlready(DomainError):
    """{field} was agreed on: only an invoice for a lead says it."""


class DueByInstalment(DomainError):
    """Every instalment says when it is due."""


class ContractNotSigned(DomainError):
    """The contract {number} is not signed by both sides: it is {state}."""


class InvoicedAlready(DomainError):
    """All of it was invoiced already, {total} {currency}: credit an invoice to issue another."""


class NothingToInvoice(DomainError):
    """An invoice must ask for something, and this comes to {total}."""


class TooManyInvoiceLines(DomainError):
    """An invoice has 1 to {limit} lines, not {count}."""


class TooManyInstalments(DomainError):
    """A plan has 2 to {limit} instalments, not {count}."""


class InstalmentsFall(DomainError):
    """{field} is before {day}, that of the instalment before: give them in their order."""


class OneShare(DomainError):
    """An instalment is a percentage or an amount, not both."""


class OneDiscountOfLine(DomainError):
    """A discount is a percentage or an amount, not both."""


class OtherCurrency(DomainError):
    """This is in {given}, and the invoice in {currency}."""


class InvoiceStateRefused(DomainError):
    """The invoice {number} cannot be {done}: it is {state}."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Owed:
    """What is to be invoiced: all of it, and what is left at each rate."""

    currency: str
    rounding: Rounding
    tax_inclusive: bool
    title: str
    language: str
    terms: str | None
    totals: Totals
    lines: Sequence[dict[str, Any]]
    left: Sequence[RateSum]
    contact_id: UUID | None
    columns: dict[str, UUID]

    @property
    def is_whole(self) -> bool:
        """Say whether nothing was invoiced yet."""
        return shares.total_of(self.left) == self.totals.total


@dataclass(frozen=True, slots=True)
class _Part:
    """One invoice of a plan: what it asks at each rate, when it is issued and due."""

    rates: Sequence[RateSum]
    issue_on: date
    due_on: date


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
            lead, found, contract = await _source(faults, actor, source)
            policy.require(actor, Action.ISSUE_INVOICE, lead)
            home = await Workspace.get(id=actor.workspace_id)
            selling = await selling_settings.of(actor.workspace_id)
            today = local_times.day_of(now, home.time_zone)
            named = await edits.referred(faults, actor, Contact, details.contact_id, field="contactId")
            if found is not None:
                _forbid_lines(faults, details)
                owed = await _owed(faults, found, contract, details)
            else:
                owed = _free(faults, lead, named or await _primary(lead), details, home=home, selling=selling)
            plan = _plan(faults, owed, details, today=today, payment_days=selling.payment_days)
            faults.raise_any()
            # Until here nothing is locked but the lead and what is invoiced.
            made = [_row(actor, lead, owed, part, place, plan, home=home, now=now) for place, part in enumerate(plan)]
            for row in made:
                row.contact_id = details.contact_id
            made[0].id = key
            parties = await agreed.parties(lead, owed.contact_id)
            await _write(actor, lead, made, parties=parties, today=today, home=home, now=now)
    return made


# What is invoiced


async def _source(faults: Faults, actor: Actor, source: Source) -> tuple[Lead, Agreed | None, Contract | None]:
    """Return the lead, locked, and what was agreed, with the contract if it is one that is named."""
    given = [source.contract_id, source.proposal_id, source.lead_id]
    if sum(key is not None for key in given) != 1:
        raise OneSource(field="contractId")
    if source.lead_id is not None:
        return await policy.locked(actor, Lead, source.lead_id, field="leadId"), None, None
    contract: Contract | None = None
    if source.contract_id is not None:
        contract = await policy.visible(actor, Contract).filter(id=source.contract_id).first()
        if contract is None:
            raise NotFound(noun="contract", field="contractId")
        lead = await policy.locked(actor, Lead, contract.lead_id, field="contractId")
        contract = await policy.locked(actor, Contract, contract.id, field="contractId")
        if contract.state is not ContractState.SIGNED:
            faults.add(ContractNotSigned(number=contract.number, state=contract.state.value, field="contractId"))
        proposal = await Proposal.get(id=contract.proposal_id)
        version = await ProposalVersion.get(id=contract.proposal_version_id)
        return lead, await agreed.of_version(proposal, version), contract
    assert source.proposal_id is not None
    known = await policy.visible(actor, Proposal).filter(id=source.proposal_id, deleted_at=None).first()
    if known is None:
        raise NotFound(noun="proposal", field="proposalId")
    lead = await policy.locked(actor, Lead, known.lead_id, field="proposalId")
    proposal = await policy.locked(actor, Proposal, known.id, field="proposalId")
    return lead, await agreed.of_proposal(proposal, field="proposalId"), None


def _forbid_lines(faults: Faults, details: InvoiceDetails) -> None:
    """Check that nothing is said beside what was agreed that the agreement says."""
    if details.lines:
        faults.add(AgreedAlready(field="lines"))
    for name in ("currency", "tax_inclusive"):
        if getattr(details, name) is not None:
            faults.add(AgreedAlready(field=edits.camel(name)))


async def _owed(faults: Faults, found: Agreed, contract: Contract | None, details: InvoiceDetails) -> _Owed:
    version = found.version
    rates = tuple(RateSum(one.rate, one.net, one.tax) for one in found.totals.rates)
    before = await Invoice.filter(
        proposal_version_id=version.id, kind=InvoiceKind.INVOICE, state__in=[state.value for state in STANDING]
    )
    left = shares.less(rates, (rate for row in before for rate in shares.rates_of(row.taxes)))
    if before and shares.total_of(left) <= 0:
        raise InvoicedAlready(total=written(found.totals.total), currency=version.currency)
    columns = {"proposal_id": found.proposal.id, "proposal_version_id": version.id}
    if contract is not None:
        columns["contract_id"] = contract.id
    said = contract or version
    return _Owed(
        currency=version.currency,
        rounding=version.rounding,
        tax_inclusive=version.tax_inclusive,
        title=_title(faults, details) or said.title,
        language=inputs.language(faults, details.language, field="language") or said.language,
        terms=inputs.text(faults, details.terms, field="terms"),
        totals=found.totals,
        lines=[_agreed_line(line, told.net) for line, told in zip(found.lines, found.totals.lines, strict=True)],
        left=left,
        contact_id=details.contact_id or found.proposal.contact_id,
        columns=columns,
    )


def _title(faults: Faults, details: InvoiceDetails) -> str | None:
    return None if details.title is None else inputs.name(faults, details.title, field="title")


def _agreed_line(line: Any, net: Decimal) -> dict[str, Any]:
    return line_of(
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


def line_of(**facts: Any) -> dict[str, Any]:
    """Return a line as invoices keep it: every amount as text."""
    return {
        name: written(value) if isinstance(value, Decimal) else None if value is None else str(value)
        for name, value in facts.items()
    }


async def _primary(lead: Lead) -> Contact | None:
    found = await LeadContact.filter(lead_id=lead.id, is_primary=True).first()
    return await Contact.get_or_none(id=found.contact_id, deleted_at=None) if found else None


def _free(
    faults: Faults,
    lead: Lead,
    contact: Contact | None,
    details: InvoiceDetails,
    *,
    home: Workspace,
    selling: SellingSettings,
) -> _Owed:
    """Return what free lines come to."""
    currency = inputs.currency(faults, details.currency, field="currency", default=home.base_currency)
    inclusive = selling.tax_inclusive if details.tax_inclusive is None else details.tax_inclusive
    if not 1 <= len(details.lines) <= MOST_LINES:
        faults.add(TooManyInvoiceLines(limit=MOST_LINES, count=len(details.lines), field="lines"))
    names = [_checked_line(faults, line, f"lines.{place}", currency) for place, line in enumerate(details.lines)]
    title = _title(faults, details)
    language = inputs.language(faults, details.language, field="language")
    language = language or (contact and contact.language) or home.locale
    terms = inputs.text(faults, details.terms, field="terms")
    faults.raise_any()
    priced = [
        Line(
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount=Discount(percent=line.discount_percent or Decimal(0), amount=line.discount_amount or Decimal(0)),
            tax_rate=selling.tax_rate if line.tax_rate is None else line.tax_rate,
        )
        for line in details.lines
    ]
    totals = pricing.total(priced, currency=currency, tax_inclusive=inclusive, rounding=selling.rounding)
    lines = [
        line_of(
            key=uuid7(),
            name=name,
            description=description,
            unit=unit,
            quantity=line.quantity,
            unit_price=line.unit_price,
            discount_percent=line.discount_percent,
            discount_amount=line.discount_amount,
            tax_rate=of.tax_rate,
            amount=told.amount,
            net=told.net,
        )
        for line, of, told, (name, description, unit) in zip(details.lines, priced, totals.lines, names, strict=True)
    ]
    return _Owed(
        currency=currency,
        rounding=selling.rounding,
        tax_inclusive=inclusive,
        title=title or lead.title,
        language=language,
        terms=terms,
        totals=totals,
        lines=lines,
        left=tuple(RateSum(one.rate, one.net, one.tax) for one in totals.rates),
        contact_id=details.contact_id,
        columns={},
    )


def _checked_line(faults: Faults, line: FreeLine, field: str, currency: str) -> tuple[str, str | None, str | None]:
    """Check a line and return its words."""
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


def check_amount(faults: Faults, value: Decimal | None, *, field: str, most: Decimal) -> Decimal | None:
    """Check a number that is not negative, of four decimals at most."""
    checked = inputs.money(faults, value, field=field)
    if checked is not None and checked > most:
        faults.add(OutOfRange(field=field, least=0, most=most))
        return None
    return checked


# Its parts


def _plan(faults: Faults, owed: _Owed, details: InvoiceDetails, *, today: date, payment_days: int) -> list[_Part]:
    """Return the invoices that are to be made: one, or as many as there are instalments."""
    total = shares.total_of(owed.left)
    if total <= 0:
        raise NothingToInvoice(total=written(total))
    if total > inputs.MOST_MONEY:
        raise OutOfRange(field="lines", least=0, most=inputs.MOST_MONEY)
    _check_day(faults, details.due_on, today, field="dueOn")
    if not details.instalments:
        return [_Part(owed.left, today, details.due_on or today + timedelta(days=payment_days))]
    if not 2 <= len(details.instalments) <= MOST_INSTALMENTS:
        raise TooManyInstalments(limit=MOST_INSTALMENTS, count=len(details.instalments), field="instalments")
    if details.due_on is not None:
        faults.add(DueByInstalment(field="dueOn"))
    dated = [
        _dates(faults, one, f"instalments.{place}", today=today, payment_days=payment_days)
        for place, one in enumerate(details.instalments)
    ]
    given = [
        _share(faults, one, f"instalments.{place}", owed.currency) for place, one in enumerate(details.instalments)
    ]
    faults.raise_any()
    _check_order(faults, dated)
    faults.raise_any()
    left, parts = owed.left, []
    amounts = shares.amounts(total, given, currency=owed.currency, rounding=owed.rounding)
    for amount, (issue_on, due_on) in zip(amounts, dated, strict=True):
        rates = shares.part(left, amount, currency=owed.currency)
        left = shares.less(left, rates)
        parts.append(_Part(rates, issue_on, due_on))
    return parts


def _check_order(faults: Faults, dated: Sequence[tuple[date, date]]) -> None:
    """Check that instalments are issued and due one after the other, or on the same day."""
    for place, ((issued, due), (issue_on, due_on)) in enumerate(pairwise(dated), 1):
        if due_on < due:
            faults.add(InstalmentsFall(day=due.isoformat(), field=f"instalments.{place}.dueOn"))
        elif issue_on < issued:
            faults.add(InstalmentsFall(day=issued.isoformat(), field=f"instalments.{place}.issueOn"))


def _check_day(faults: Faults, day: date | None, today: date, *, field: str) -> None:
    last = today + timedelta(days=MOST_PLANNED_DAYS)
    if day is not None and not today <= day <= last:
        faults.add(OutOfRange(field=field, least=today.isoformat(), most=last.isoformat()))


def _dates(faults: Faults, one: Instalment, field: str, *, today: date, payment_days: int) -> tuple[date, date]:
    """Return when an instalment is issued and due."""
    _check_day(faults, one.due_on, today, field=f"{field}.dueOn")
    _check_day(faults, one.issue_on, today, field=f"{field}.issueOn")
    due_on = one.due_on
    if due_on is None:
        faults.add(Required(field=f"{field}.dueOn"))
        return today, today
    issue_on = one.issue_on or max(today, due_on - timedelta(days=payment_days))
    if issue_on > due_on >= today:
        faults.add(OutOfRange(field=f"{field}.issueOn", least=today.isoformat(), most=due_on.isoformat()))
    return issue_on, due_on


def _share(faults: Faults, one: Instalment, field: str, currency: str) -> Share:
    if one.percent is not None and one.amount is not None:
        faults.add(OneShare(field=f"{field}.amount"))
    check_amount(faults, one.percent, field=f"{field}.percent", most=HUNDRED)
    amount = None if one.amount is None else paid_in(faults, one.amount, currency, field=f"{field}.amount")
    return Share(one.percent, amount)


def paid_in(faults: Faults, given: Money, currency: str, *, field: str) -> Decimal | None:
    """Check an amount of a currency that can be paid in it, and return it; None where it is at fault."""
    found = Faults()
    checked = money.check(found, given, field=field)
    if checked is not None and checked.currency in inputs.currencies() and checked.currency != currency:
        found.add(OtherCurrency(given=checked.currency, currency=currency, field=f"{field}.currencyCode"))
    elif checked is not None:
        money.whole_units(found, checked.amount, currency, field=f"{field}.amount")
    for fault in found:
        faults.add(fault)
    return None if checked is None or any(found) else checked.amount


# Its rows


def _row(
    actor: Actor,
    lead: Lead,
    owed: _Owed,
    part: _Part,
    place: int,
    plan: Sequence[_Part],
    *,
    home: Workspace,
    now: datetime,
) -> Invoice:
    """Return an invoice that is not issued yet."""
    whole = len(plan) == 1 and owed.is_whole
    net = sum((one.net for one in part.rates), Decimal(0))
    tax = sum((one.tax for one in part.rates), Decimal(0))
    lines = list(owed.lines) if whole else rate_lines(owed.title, part.rates, inclusive=owed.tax_inclusive)
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
        due_at=local_times.instant_of(datetime.combine(part.issue_on, time()), home.time_zone),
        created_by_id=actor.user_id,
        created_at=now,
        updated_at=now,
        **owed.columns,
    )


def rate_lines(title: str, rates: Sequence[RateSum], *, inclusive: bool) -> list[dict[str, Any]]:
    """Return one line for what is asked at each rate, of a part that has no lines of its own."""
    return [
        line_of(
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
    tag_ids = await leads.tags_of(lead.id)
    told = leads.facts(leads.live_columns(lead, tag_ids), lead, tag_ids)
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


async def _issued(
    row: Invoice, parties: dict[str, Any], *, today: date, home: Workspace, now: datetime
) -> dict[str, Any]:
    """Take a number for an invoice and return what it is from now on."""
    due_on = row.due_on or today
    columns: dict[str, Any] = {
        "number": await number_series.next(row.workspace_id, NumberedKind.INVOICE, today),
        "parties": parties,
        "state": InvoiceState.ISSUED,
        "balance": row.total,
        "issued_on": today,
        "issued_at": now,
        "due_on": due_on,
        "due_at": overdue_from(due_on, home.time_zone),
    }
    return columns | {"sha256": canonical.sha256(said(row) | {name: columns[name] for name in ISSUED})}


SAID = (
    *("kind", "title", "language", "currency", "lines", "taxes", "terms", "tax_inclusive", "subtotal", "discount"),
    *("net", "tax", "total", "instalment", "instalments", "reason"),
)
ISSUED = ("number", "parties", "issued_on", "due_on")


def said(row: Invoice) -> dict[str, Any]:
    """Return what an invoice says, but for what it gets when it is issued."""
    return {name: getattr(row, name) for name in SAID}


def is_genuine(row: Invoice) -> bool:
    """Say whether an issued invoice is what was hashed."""
    return row.sha256 == canonical.sha256(said(row) | {name: getattr(row, name) for name in ISSUED})


def overdue_from(due_on: date, time_zone: str) -> datetime:
    """Return the instant from which an invoice is overdue."""
    return local_times.end_of(due_on, time_zone) + local_times.SECOND


def standing(row: Invoice, *, paid: Decimal, credited: Decimal, time_zone: str, now: datetime) -> dict[str, Any]:
    """Return what an issued invoice is with so much paid and credited, as columns."""
    balance = row.total - paid - credited
    if credited == row.total:
        state = InvoiceState.CREDITED
    elif balance <= 0:
        state = InvoiceState.PAID
    else:
        state = InvoiceState.PARTIALLY_PAID if paid > 0 else InvoiceState.ISSUED
    waits = state in OPEN and row.overdue_at is None and row.due_on is not None
    return {
        "paid": paid,
        "credited": credited,
        "balance": balance,
        "state": state,
        "paid_at": (row.paid_at or now) if state is InvoiceState.PAID else None,
        "due_at": overdue_from(row.due_on, time_zone) if waits and row.due_on else None,
    }


# What is planned


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


async def issue_planned(
    actor: Actor, invoice_id: UUID, *, expected_version: int | None = None, now: datetime
) -> Invoice:
    """Issue a planned invoice before its day. Raises NotFound, Stale, Forbidden, InvoiceStateRefused."""
    async with transaction():
        lead, row = await locked(actor, invoice_id, Action.ISSUE_INVOICE, expected_version=expected_version)
        if row.state is not InvoiceState.PLANNED:
            raise InvoiceStateRefused(number=row.number, done="issued", state=row.state.value, field="id")
        home = await Workspace.get(id=actor.workspace_id)
        await _issue_planned(actor, lead, row, home=home, now=now, by_person=True)
    return row


async def _issue_planned(
    actor: Actor, lead: Lead, row: Invoice, *, home: Workspace, now: datetime, by_person: bool
) -> None:
    """Issue a locked invoice that was planned."""
    parties = await agreed.parties(lead, await contact_of(row))
    tag_ids = await leads.tags_of(lead.id)
    told = leads.facts(leads.live_columns(lead, tag_ids), lead, tag_ids)
    today = local_times.day_of(now, home.time_zone)
    columns = await _issued(row, parties, today=today, home=home, now=now)
    if by_person:
        await edits.apply(row, columns, now=now)
    else:
        await edits.write(row, columns)
    await record(InvoiceIssued(actor, lead.id, told | facts(row)), now=now)


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


# What is due


async def sweep(now: datetime) -> int:
    """Issue what is planned for by now, and find what is overdue, lead by lead; return how many invoices it were."""
    done = 0
    for _ in range(SWEPT_AT_ONCE):
        if not (taken := await _sweep_lead(now)):
            break
        done += taken
    return done


async def _sweep_lead(now: datetime) -> int:
    async with transaction():
        found = await connected().fetch(DUE, [now])
        if not found:
            return 0
        lead_id, workspace_id = found[0]["id"], found[0]["workspace_id"]
        lead = await rows.to_edit(Lead, lead_id, workspace_id=workspace_id)
        assert lead
        actor = system(workspace_id, task="invoices")
        home = await Workspace.get(id=workspace_id)
        due = await rows.select(Invoice, DUE_OF_LEAD, workspace_id, lead_id, now)
        for row in due:
            if row.state is InvoiceState.PLANNED:
                await _issue_planned(actor, lead, row, home=home, now=now, by_person=False)
            else:
                await _overdue(actor, lead, row, now=now)
    return len(due)


async def _overdue(actor: Actor, lead: Lead, row: Invoice, *, now: datetime) -> None:
    columns: dict[str, Any] = {"due_at": None}
    if row.state in OPEN and row.overdue_at is None:
        columns["overdue_at"] = now
    await edits.write(row, columns)
    if "overdue_at" in columns:
        await leads.tell(InvoiceOverdue, actor, lead, facts(row), now=now)
