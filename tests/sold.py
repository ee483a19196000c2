"""What a sale has come to as bare rows, for tests of what looks at it; the ways to get there are tried elsewhere."""

from decimal import Decimal
from itertools import count
from typing import Any

from models.base import uuid7
from models.contracts import Contract, ContractState
from models.invoices import Invoice, InvoiceKind, InvoiceState
from models.leads import Lead
from models.negotiations import Negotiation, NegotiationState
from models.proposal_links import Party
from models.proposals import Proposal, ProposalState, ProposalVersion
from models.selling import Rounding
from tests.factories import NOW

_number = count(1)
STAMPS: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}


async def proposed(lead: Lead, state: ProposalState = ProposalState.SENT, **columns: Any) -> Proposal:
    """Put a proposal of one version in this state on a lead: 100.00 net, 119.00 in all; drafts were not sent."""
    number, key, version = next(_number), uuid7(), uuid7()
    on: dict[str, Any] = {"workspace_id": lead.workspace_id, "lead_id": lead.id}
    said: dict[str, Any] = {
        "title": "Solar roof",
        "language": "en",
        "currency": "EUR",
        "net": Decimal(100),
        "total": Decimal(119),
        **columns,
    }
    out = state not in (ProposalState.DRAFT, ProposalState.IN_APPROVAL, ProposalState.APPROVED)
    row = await Proposal.create(
        id=key,
        number=f"P-{number}",
        state=state,
        sent_at=NOW if out else None,
        **on,
        **said,
        **STAMPS,
    )
    await ProposalVersion.create(
        id=version,
        proposal_id=key,
        number=1,
        state=state,
        rounding=Rounding.HALF_UP,
        tax_inclusive=False,
        created_at=NOW,
        frozen_at=NOW if out else None,
        **on,
        **{name: value for name, value in said.items() if name in ProposalVersion._meta.fields_map},
    )
    row.current_id, row.sent_id = version, version if out else None
    await row.save(update_fields=["current_id", "sent_id"])
    return row


async def negotiated(proposal: Proposal, state: NegotiationState) -> Negotiation:
    """Put a negotiation in this state on a proposal."""
    return await Negotiation.create(
        workspace_id=proposal.workspace_id,
        lead_id=proposal.lead_id,
        proposal_id=proposal.id,
        proposal_version_id=proposal.current_id,
        state=state,
        currency=proposal.currency,
        turn=Party.BUYER,
        **STAMPS,
    )


async def contracted(proposal: Proposal, state: ContractState) -> Contract:
    """Put a contract in this state on a proposal."""
    return await Contract.create(
        workspace_id=proposal.workspace_id,
        lead_id=proposal.lead_id,
        proposal_id=proposal.id,
        proposal_version_id=proposal.current_id,
        number=f"C-{next(_number)}",
        title=proposal.title,
        language=proposal.language,
        state=state,
        currency=proposal.currency,
        net=proposal.net,
        total=proposal.total,
        sha256="0" * 64,
        **STAMPS,
    )


async def invoiced(lead: Lead, state: InvoiceState, kind: InvoiceKind = InvoiceKind.INVOICE) -> Invoice:
    """Put an invoice in this state on a lead: 119.00."""
    return await Invoice.create(
        workspace_id=lead.workspace_id,
        lead_id=lead.id,
        kind=kind,
        state=state,
        number=f"I-{next(_number)}",
        title="Solar roof",
        language="en",
        currency="EUR",
        lines=[],
        taxes=[],
        subtotal=Decimal(100),
        net=Decimal(100),
        tax=Decimal(19),
        total=Decimal(119),
        balance=Decimal(119 if kind is InvoiceKind.INVOICE else 0),
        **STAMPS,
    )
