"""What a document is made of: its facts from the rows that it is about, its template, its logo and its day.

A document is final once what it is about cannot change any more, and is then known by its hash; else it is a draft,
which is known by all that it shows.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from uuid import UUID

import orjson

from domain import (
    agreed,
    document_facts,
    document_templates,
    local_times,
    proposal_lines,
    proposal_versions,
    selling_settings,
)
from domain.document_facts import Facts, Item, Look, Parties, Rate, Signature, Sums
from models.contracts import Contract
from models.documents import DocumentKind
from models.invoices import Invoice, InvoiceKind
from models.leads import Lead
from models.proposal_links import Evidence
from models.proposals import Proposal, ProposalVersion
from models.selling import SellingSettings
from models.workspaces import Workspace

SUBJECTS: Mapping[DocumentKind, type[ProposalVersion] | type[Contract] | type[Invoice]] = {
    DocumentKind.PROPOSAL: ProposalVersion,
    DocumentKind.CONTRACT: Contract,
    DocumentKind.INVOICE: Invoice,
}
Subject = ProposalVersion | Contract | Invoice


@dataclass(frozen=True, slots=True)
class Paper:
    """What a document is made of; `own` is whether its template is the workspace's, `day` what it is dated."""

    facts: Facts
    template: str
    own: bool
    logo_id: UUID | None
    day: datetime

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"{self.facts['name']} {self.facts['number']}".strip().replace("/", "-") + ".pdf"


async def subject(kind: DocumentKind, key: UUID) -> Subject | None:
    """Return what a document is about: a version of a proposal, a contract or an invoice."""
    return await SUBJECTS[kind].get_or_none(id=key)


def final_key(about: Subject) -> str | None:
    """Return what a final document is known by; None is a draft."""
    match about:
        case ProposalVersion():
            return f"proposal:{about.id}:{about.sha256}" if about.frozen_at else None
        case Contract():
            signatures = (about.seller_signature_id or "-", about.buyer_signature_id or "-")
            return ":".join(("contract", str(about.id), about.sha256, *map(str, signatures)))
        case Invoice():
            return f"invoice:{about.id}:{about.sha256 or about.number}" if about.number else None


def draft_key(paper: Paper) -> str:
    """Return what a draft is known by: all that it shows, and how."""
    made_of = [paper.facts, paper.template, paper.logo_id, paper.day]
    return f"draft:{hashlib.sha256(orjson.dumps(made_of, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()}"


async def paper(about: Subject, *, now: datetime) -> Paper:
    """Return what the document about something is made of."""
    home = await Workspace.get(id=about.workspace_id)
    settings = await selling_settings.of(about.workspace_id)
    match about:
        case ProposalVersion():
            facts, at = await _proposal(about, home, settings, now=now)
            kind = DocumentKind.PROPOSAL
        case Contract():
            facts, at = await _contract(about, home, settings)
            kind = DocumentKind.CONTRACT
        case Invoice():
            facts, at = await _invoice(about, home, settings, now=now)
            kind = DocumentKind.INVOICE
    template = await document_templates.chosen(about.workspace_id, kind, about.language)
    return Paper(facts, template.source, template.own, settings.logo_id, at)


async def _proposal(
    version: ProposalVersion, home: Workspace, settings: SellingSettings, *, now: datetime
) -> tuple[Facts, datetime]:
    proposal = await Proposal.get(id=version.proposal_id)
    lines = await proposal_lines.of(version.id)
    # A draft says whose it is as that is now, and is dated today.
    parties = version.parties or await proposal_versions.parties(proposal, await Lead.get(id=version.lead_id))
    at = version.frozen_at or _morning(now)
    facts = document_facts.proposal(
        language=version.language,
        number=proposal.number,
        title=version.title,
        version=version.number,
        on=local_times.day_of(version.frozen_at or now, home.time_zone),
        valid_until=version.valid_until,
        parties=Parties.of(parties),
        sections=version.sections,
        items=[Item.of(line) for line in lines],
        sums=_sums(version),
        terms=version.terms,
        sha256=version.sha256,
        look=Look(color=settings.color, draft=version.frozen_at is None),
    )
    return facts, at


async def _contract(contract: Contract, home: Workspace, settings: SellingSettings) -> tuple[Facts, datetime]:
    version = await ProposalVersion.get(id=contract.proposal_version_id)
    proposal = await Proposal.get(id=contract.proposal_id)
    found = await agreed.of_version(proposal, version)
    signed = {
        "seller": await _signature(contract.seller_signature_id),
        "buyer": await _signature(contract.buyer_signature_id),
    }
    facts = document_facts.contract(
        language=contract.language,
        number=contract.number,
        title=contract.title,
        on=local_times.day_of(contract.created_at, home.time_zone),
        starts_on=contract.starts_on,
        ends_on=contract.ends_on,
        proposal_number=proposal.number,
        parties=Parties.of(version.parties),
        sections=version.sections,
        items=[Item.of(line) for line in found.lines],
        sums=Sums.of(found.totals, percent=version.discount_percent),
        terms=contract.terms,
        sha256=contract.sha256,
        signatures={side: signature for side, signature in signed.items() if signature},
        time_zone=home.time_zone,
        look=Look(color=settings.color),
    )
    return facts, max([contract.created_at, *(each.at for each in signed.values() if each)])


async def _signature(key: UUID | None) -> Signature | None:
    evidence = await Evidence.get_or_none(id=key) if key else None
    if evidence is None:
        return None
    return Signature(name=evidence.name, at=evidence.created_at, sha256=evidence.sha256, address=evidence.address)


async def _invoice(
    invoice: Invoice, home: Workspace, settings: SellingSettings, *, now: datetime
) -> tuple[Facts, datetime]:
    credited = await Invoice.get_or_none(id=invoice.credits_id) if invoice.credits_id else None
    part = (invoice.instalment, invoice.instalments)
    at = invoice.issued_at or _morning(now)
    facts = document_facts.invoice(
        language=invoice.language,
        number=invoice.number,
        title=invoice.title,
        on=invoice.issued_on or local_times.day_of(at, home.time_zone),
        due_on=invoice.due_on,
        instalment=(part[0], part[1]) if part[0] and part[1] else None,
        credited=credited.number if credited else "" if invoice.kind is InvoiceKind.CREDIT_NOTE else None,
        reason=invoice.reason,
        parties=Parties.of(invoice.parties),
        items=[Item.of(line) for line in invoice.lines],
        sums=_sums(invoice),
        terms=invoice.terms,
        sha256=invoice.sha256,
        look=Look(color=settings.color, draft=invoice.number is None),
    )
    return facts, at


def _sums(row: ProposalVersion | Invoice) -> Sums:
    rates = [Rate(rate=Decimal(each["rate"]), net=Decimal(each["net"]), tax=Decimal(each["tax"])) for each in row.taxes]
    return Sums(
        currency=row.currency,
        tax_inclusive=row.tax_inclusive,
        subtotal=row.subtotal,
        discount=row.discount,
        net=row.net,
        tax=row.tax,
        total=row.total,
        rates=rates,
        discount_percent=getattr(row, "discount_percent", None),
    )


def _morning(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), time(), UTC)
