"""What tests of contracts, invoices and payments begin with: a proposal that was accepted."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import contracts, invoices, proposal_lines, proposal_states, proposals
from domain.actors import Actor
from domain.contracts import ContractDetails, Signing
from domain.invoice_details import FreeLine, InvoiceDetails, Source
from domain.money import Money
from domain.payments import PaymentDetails
from domain.proposal_details import ProposalDetails
from domain.proposal_lines import LineDetails
from domain.proposal_states import Move
from models.contracts import Contract
from models.database import transaction
from models.invoices import Invoice
from models.leads import Lead
from models.proposal_links import Evidence, EvidenceKind, Party, ProposalLink
from models.proposals import Proposal, ProposalVersion
from tests.factories import NOW, lead


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def line(name: str = "Panel", price: str = "100", rate: str = "19", **more: Any) -> LineDetails:
    return LineDetails(name=name, unit_price=eur(price), tax_rate=Decimal(rate), **more)


async def sent(
    actor: Actor, *lines: LineDetails, of: Lead | None = None, now: datetime = NOW, **details: Any
) -> Proposal:
    """Make a proposal with a line of 100 EUR at 19 %, unless lines are given, and send it."""
    made = await proposals.create(
        actor,
        (of or await lead(actor)).id,
        ProposalDetails(title="Solar roof", **details),
        currency="EUR",
        lines=lines or (line(),),
        now=now,
    )
    return await proposals.send(actor, made.id, now=now)


async def accepted(
    actor: Actor,
    *lines: LineDetails,
    of: Lead | None = None,
    options: list[UUID] | None = None,
    now: datetime = NOW,
    **details: Any,
) -> Proposal:
    """Have a proposal accepted, with these optional lines."""
    made = await sent(actor, *lines, of=of, now=now, **details)
    version = await ProposalVersion.get(id=made.sent_id)
    known = [row.key for row in await proposal_lines.of(version.id) if row.optional and row.chosen]
    taken = known if options is None else options
    async with transaction():
        await Evidence.create(
            kind=EvidenceKind.ACCEPTED,
            party=Party.BUYER,
            workspace_id=made.workspace_id,
            proposal_id=made.id,
            version_id=version.id,
            lead_id=made.lead_id,
            name="Berta Buyer",
            sha256=version.sha256,
            total=version.total,
            facts={"options": [str(key) for key in taken]},
            created_at=now,
        )
        await proposal_states.move(actor, made, version, Move.ACCEPT, now=now)
    return await Proposal.get(id=made.id)


async def contract(actor: Actor, of: Proposal | None = None, **details: Any) -> Contract:
    """Make a contract on an accepted proposal."""
    proposal = of or await accepted(actor)
    return await contracts.create(actor, proposal.id, ContractDetails(**details), now=NOW)


async def link_to(made: Proposal | Contract) -> ProposalLink:
    """Return the customer's link that came with sending a proposal, or that of a contract's."""
    return await ProposalLink.get(
        proposal_id=made.id if isinstance(made, Proposal) else made.proposal_id, revoked_at=None
    )


async def signed(actor: Actor, of: Proposal | None = None, **details: Any) -> Contract:
    """Have a contract signed by both sides."""
    made = await contract(actor, of, **details)
    link = await link_to(made)
    await contracts.sign(actor, made.id, Signing(name="Sam Seller", sha256=made.sha256), now=NOW)
    return await contracts.sign_by_link(link, made.id, Signing(name="Berta Buyer", sha256=made.sha256), now=NOW)


async def invoice(
    actor: Actor, amount: str = "100", rate: str = "19", *, of: Lead | None = None, **more: Any
) -> Invoice:
    """Issue an invoice for a line of so much without tax."""
    lines = more.pop("lines", (FreeLine(name="Work", unit_price=Decimal(amount), tax_rate=Decimal(rate)),))
    wanting = of or await lead(actor)
    [made] = await invoices.issue(actor, Source(lead_id=wanting.id), InvoiceDetails(lines=lines, **more), now=NOW)
    return made


def paying(amount: str, currency: str = "EUR", **more: Any) -> PaymentDetails:
    return PaymentDetails(amount=Money(Decimal(amount), currency), **more)
