"""What is invoiced, a signed contract, an accepted proposal or lines of a lead, and what is left of it to invoice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain import agreed, edits, inputs, invoice_lines, policy, pricing, shares
from domain.actors import Actor
from domain.agreed import Agreed
from domain.errors import DomainError, Faults, NotFound
from domain.invoice_details import InvoiceDetails, Source
from domain.invoice_states import STANDING
from domain.pricing import Totals
from domain.shares import RateSum, written
from models.base import uuid7
from models.contacts import Contact
from models.contracts import Contract, ContractState
from models.invoices import Invoice, InvoiceKind
from models.leads import Lead, LeadContact
from models.proposals import Proposal, ProposalVersion
from models.selling import Rounding, SellingSettings
from models.workspaces import Workspace


class OneSource(DomainError):
    """Name what is invoiced: a contract, a proposal, or a lead with lines."""


class AgreedAlready(DomainError):
    """{field} was agreed on: only an invoice for a lead says it."""


class ContractNotSigned(DomainError):
    """The contract {number} is not signed by both sides: it is {state}."""


class InvoicedAlready(DomainError):
    """All of it was invoiced already, {total} {currency}: credit an invoice to issue another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What is to be invoiced: all of it, and what is left at each rate.

    `contact_id` is for whom it is; `columns` are what its invoices refer to.
    """

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
    columns: dict[str, UUID | None]

    @property
    def is_whole(self) -> bool:
        """Say whether nothing was invoiced yet."""
        return shares.total_of(self.left) == self.totals.total


async def locked(faults: Faults, actor: Actor, source: Source) -> tuple[Lead, Agreed | None, Contract | None]:
    """Return the lead, locked, and what was agreed, with the contract if it is one that is named."""
    given = [source.contract_id, source.proposal_id, source.lead_id]
    if sum(key is not None for key in given) != 1:
        raise OneSource(field="contractId")
    if source.lead_id is not None:
        return await policy.locked(actor, Lead, source.lead_id, field="leadId"), None, None
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


async def of_agreed(faults: Faults, found: Agreed, contract: Contract | None, details: InvoiceDetails) -> Owed:
    """Return what was agreed, and what is left of it to invoice. Raises InvoicedAlready."""
    _forbid_lines(faults, details)
    version = found.version
    rates = tuple(RateSum(one.rate, one.net, one.tax) for one in found.totals.rates)
    before = await Invoice.filter(
        proposal_version_id=version.id, kind=InvoiceKind.INVOICE, state__in=[state.value for state in STANDING]
    )
    left = shares.less(rates, (rate for row in before for rate in shares.rates_of(row.taxes)))
    if before and shares.total_of(left) <= 0:
        raise InvoicedAlready(total=written(found.totals.total), currency=version.currency)
    said = contract or version
    return Owed(
        currency=version.currency,
        rounding=version.rounding,
        tax_inclusive=version.tax_inclusive,
        title=_title(faults, details) or said.title,
        language=inputs.language(faults, details.language, field="language") or said.language,
        terms=inputs.text(faults, details.terms, field="terms"),
        totals=found.totals,
        lines=[
            invoice_lines.kept(line, key=line.key, amount=line.amount, net=told.net)
            for line, told in zip(found.lines, found.totals.lines, strict=True)
        ],
        left=left,
        contact_id=details.contact_id or found.proposal.contact_id,
        columns={
            "contact_id": details.contact_id,
            "contract_id": contract.id if contract else None,
            "proposal_id": found.proposal.id,
            "proposal_version_id": version.id,
        },
    )


def _forbid_lines(faults: Faults, details: InvoiceDetails) -> None:
    """Check that nothing is said beside what was agreed that the agreement says."""
    if details.lines:
        faults.add(AgreedAlready(field="lines"))
    for name in ("currency", "tax_inclusive"):
        if getattr(details, name) is not None:
            faults.add(AgreedAlready(field=edits.camel(name)))


async def of_lines(
    faults: Faults,
    lead: Lead,
    named: Contact | None,
    details: InvoiceDetails,
    *,
    home: Workspace,
    selling: SellingSettings,
) -> Owed:
    """Return what free lines come to."""
    contact = named or await _primary(lead)
    currency = inputs.currency(faults, details.currency, field="currency", default=home.base_currency)
    inclusive = selling.tax_inclusive if details.tax_inclusive is None else details.tax_inclusive
    lines = invoice_lines.check(faults, details.lines, currency, tax_rate=selling.tax_rate)
    title = _title(faults, details)
    language = inputs.language(faults, details.language, field="language")
    language = language or (contact and contact.language) or home.locale
    terms = inputs.text(faults, details.terms, field="terms")
    faults.raise_any()
    priced = [invoice_lines.priced(line) for line in lines]
    totals = pricing.total(priced, currency=currency, tax_inclusive=inclusive, rounding=selling.rounding)
    return Owed(
        currency=currency,
        rounding=selling.rounding,
        tax_inclusive=inclusive,
        title=title or lead.title,
        language=language,
        terms=terms,
        totals=totals,
        lines=[
            invoice_lines.kept(line, key=uuid7(), amount=told.amount, net=told.net)
            for line, told in zip(lines, totals.lines, strict=True)
        ],
        left=tuple(RateSum(one.rate, one.net, one.tax) for one in totals.rates),
        contact_id=details.contact_id,
        columns={"contact_id": details.contact_id},
    )


def _title(faults: Faults, details: InvoiceDetails) -> str | None:
    return None if details.title is None else inputs.name(faults, details.title, field="title")


async def _primary(lead: Lead) -> Contact | None:
    found = await LeadContact.filter(lead_id=lead.id, is_primary=True).first()
    return await Contact.get_or_none(id=found.contact_id, deleted_at=None) if found else None
