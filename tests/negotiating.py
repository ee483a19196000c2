"""Negotiations for tests: a proposal that was sent, and both sides at its table."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import negotiations, offers
from domain.actors import Actor
from domain.negotiating import Buyer
from domain.offer_terms import LineChange, TermsChange
from domain.preparations import Preparation
from models.base import uuid7
from models.leads import Lead
from models.negotiations import Negotiation, Offer
from models.proposal_links import ProposalLink
from models.proposals import Proposal, ProposalLine, ProposalState, ProposalVersion
from models.selling import Rounding
from tests.factories import NOW, lead, seller

BROWSER = "Mozilla/5.0 (test)"


@dataclass(frozen=True)
class Sitting:
    """A negotiation with everybody at its table."""

    actor: Actor
    lead: Lead
    proposal: Proposal
    link: ProposalLink
    negotiation: Negotiation

    @property
    def buyer(self) -> Buyer:
        return Buyer(link=self.link, name="Berta Buyer", address="192.0.2.7", user_agent=BROWSER)

    async def line(self, name: str) -> UUID:
        found = await ProposalLine.get(version_id=self.negotiation.proposal_version_id, name=name)
        key: UUID = found.key
        return key

    async def now(self) -> Negotiation:
        return await Negotiation.get(id=self.negotiation.id)

    async def offers(self) -> list[Offer]:
        return await Offer.filter(negotiation_id=self.negotiation.id).order_by("created_at", "id")

    async def offer(self, change: TermsChange, *, now: datetime = NOW, **more: Any) -> Offer:
        return await offers.make(self.actor, self.negotiation.id, change, now=now, **more)

    async def counter(self, change: TermsChange, *, now: datetime = NOW, **more: Any) -> Offer:
        return await offers.counter(self.buyer, change, now=now, **more)


def off(percent: str) -> TermsChange:
    """Return an offer of this discount on everything."""
    return TermsChange(discount_percent=Decimal(percent))


async def price(sitting: Sitting, name: str, amount: str) -> TermsChange:
    """Return an offer of this unit price."""
    return TermsChange(lines=[LineChange(key=await sitting.line(name), unit_price=Decimal(amount))])


async def sit_down(
    actor: Actor | None = None, *, respond_by: datetime | None = None, knows_cost: bool = True, **prepared: Any
) -> Sitting:
    """Open a negotiation on a proposal that comes to 1,000 net and 1,190 in total."""
    prepared = {name: Decimal(value) if isinstance(value, int | str) else value for name, value in prepared.items()}
    actor = actor or await seller()
    where = await lead(actor, title="Solar roof")
    proposal, link = await sent_proposal(where, actor, knows_cost=knows_cost)
    negotiation = await negotiations.open(actor, proposal.id, Preparation(**prepared), respond_by=respond_by, now=NOW)
    return Sitting(actor, where, proposal, link, negotiation)


async def sent_proposal(
    where: Lead,
    actor: Actor,
    *,
    state: ProposalState = ProposalState.SENT,
    currency: str = "EUR",
    knows_cost: bool = True,
    **columns: Any,
) -> tuple[Proposal, ProposalLink]:
    """Make a proposal that was sent: ten panels of 80, their mounting for 200, and a battery as an option."""
    key, version_key = uuid7(), uuid7()
    home: dict[str, Any] = {"workspace_id": where.workspace_id, "lead_id": where.id}
    amounts: dict[str, Any] = {"net": Decimal(1000), "total": Decimal(1190)}
    proposal = await Proposal.create(
        id=key,
        **home,
        number=f"P-2026-{str(key)[-4:]}",
        title="Solar roof",
        language="de",
        currency=currency,
        state=state,
        sent_at=NOW,
        created_at=NOW,
        updated_at=NOW,
        created_by_id=actor.user_id,
        **amounts,
    )
    said: dict[str, Any] = {"rounding": Rounding.HALF_UP, "tax_inclusive": False, "terms": "Ours."} | columns
    version = await ProposalVersion.create(
        id=version_key,
        **home,
        proposal_id=key,
        number=1,
        state=state,
        title="Solar roof",
        language="de",
        currency=currency,
        subtotal=Decimal(1000),
        tax=Decimal(190),
        taxes=[{"rate": "19", "subtotal": "1000.00", "discount": "0.00", "net": "1000.00", "tax": "190.00"}],
        cost=Decimal(600),
        created_at=NOW,
        **amounts,
        **said,
    )
    lines = (
        ("Solar panel", "10", "80", "48", False, True),
        ("Mounting", "1", "200", "120", False, True),
        ("Battery", "1", "500", "300", True, False),
    )
    for place, (name, quantity, price, cost, optional, chosen) in enumerate(lines):
        await ProposalLine.create(
            **home,
            version_id=version.id,
            key=uuid7(),
            currency=currency,
            position=place,
            name=name,
            unit="pcs" if place == 0 else None,
            quantity=Decimal(quantity),
            unit_price=Decimal(price),
            tax_rate=Decimal(19),
            unit_cost=Decimal(cost) if knows_cost else None,
            optional=optional,
            chosen=chosen,
            amount=Decimal(quantity) * Decimal(price),
        )
    proposal.current_id = proposal.sent_id = version.id
    await proposal.save(update_fields=["current_id", "sent_id"])
    await ProposalVersion.filter(id=version.id).update(frozen_at=NOW, sha256="0" * 64)
    link = await ProposalLink.create(**home, proposal_id=key, created_at=NOW)
    return proposal, link


async def negotiated(where: Lead, actor: Actor) -> tuple[Proposal, Negotiation, Offer]:
    """Open a negotiation about a proposal to a lead, with an offer that waits for approval."""
    proposal, _ = await sent_proposal(where, actor)
    prepared = Preparation(floor_price=Decimal(900))
    negotiation = await negotiations.open(actor, proposal.id, prepared, now=NOW)
    held = await offers.make(actor, negotiation.id, off("50"), now=NOW)
    return proposal, negotiation, held
