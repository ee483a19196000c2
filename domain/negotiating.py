"""Who sits at the table of a negotiation: the two sides, who speaks for each, and what they have before them.

Whoever acts locks the lead, then the proposal, then the negotiation: of two answers at once one is first, and the
other is told what happened.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import inputs, policy
from domain.actors import Actor, ActorKind, system
from domain.errors import DomainError, Faults
from domain.policy import Action
from domain.tokens import EndedLink
from models.leads import Lead
from models.negotiations import Negotiation, NegotiationState, Offer, OfferState
from models.proposal_links import Party, ProposalLink
from models.proposals import Proposal, ProposalState
from models.users import User

NEGOTIABLE = (ProposalState.SENT, ProposalState.VIEWED)
OTHER = {Party.SELLER: Party.BUYER, Party.BUYER: Party.SELLER}
SIDES = {Party.SELLER: "seller", Party.BUYER: "buyer"}


class NotNegotiable(DomainError):
    """Only a proposal that was sent, and is neither answered nor changed since, is negotiated: this one is {state}."""


class NegotiationOver(DomainError):
    """This negotiation has ended: {how}."""

    def __init__(self, negotiation: Negotiation, **facts: Any) -> None:
        self.negotiation = negotiation
        super().__init__(how=how_it_ended(negotiation), **facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Whoever acts with a customer's link, by the name that they give."""

    link: ProposalLink
    name: str | None
    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Who acts for a side, and how that is kept as evidence; `role` is a member's."""

    actor: Actor
    party: Party
    name: str
    link_id: UUID | None = None
    address: str | None = None
    user_agent: str | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """Return what a row says of them."""
        return {"party": self.party, "name": self.name, "user_id": self.actor.user_id, "link_id": self.link_id}

    @property
    def evidence(self) -> dict[str, Any]:
        return self.columns | {"address": self.address, "user_agent": self.user_agent}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Where both sides sit: a lead, its proposal and the negotiation, locked until the transaction ends."""

    lead: Lead
    proposal: Proposal
    negotiation: Negotiation

    def facts(self, **more: Any) -> dict[str, Any]:
        return {"negotiation_id": self.negotiation.id, "proposal_id": self.proposal.id, **more}

    async def standing(self) -> Offer:
        """Return the offer that the side whose turn it is has to answer; raises NegotiationOver and NotNegotiable."""
        if self.negotiation.state is not NegotiationState.OPEN:
            raise NegotiationOver(self.negotiation)
        refuse_unless_negotiable(self.proposal)
        if self.proposal.sent_id != self.negotiation.proposal_version_id:
            raise NotNegotiable(state="another version now")
        return await Offer.get(negotiation_id=self.negotiation.id, state=OfferState.OPEN)


def how_it_ended(negotiation: Negotiation) -> str:
    """Return in words how a negotiation ended."""
    by = SIDES.get(negotiation.ended_by, "") if negotiation.ended_by else ""
    if negotiation.state is NegotiationState.AGREED:
        return f"the {by} agreed to round {negotiation.rounds}" if by else "it was agreed"
    return f"the {by} broke it off" if by else "the proposal is no longer open"


def refuse_unless_negotiable(proposal: Proposal) -> None:
    """Raise NotNegotiable unless a proposal is sent and waits for an answer."""
    if proposal.state not in NEGOTIABLE:
        raise NotNegotiable(state=proposal.state.value.lower().replace("_", " "))


async def sit_down(actor: Actor, negotiation_id: UUID, *, expected_version: int | None = None) -> Table:
    """Return a negotiation that a member may carry on, locked. Raises NotFound, Forbidden, Stale."""
    known = await policy.get(actor, Negotiation, negotiation_id, field="negotiationId")
    lead = await policy.locked(actor, Lead, known.lead_id, field="negotiationId")
    policy.require(actor, Action.NEGOTIATE, lead)
    return await _table(actor, lead, negotiation_id, known.proposal_id, expected_version=expected_version)


async def sit_down_as_buyer(link: ProposalLink, *, negotiation_id: UUID | None = None, now: datetime) -> Table:
    """Return the negotiation that a customer's link leads to, locked; raises EndedLink where it leads to none.

    That is the one named, else the proposal's latest.
    """
    by = system(link.workspace_id, task="negotiation_page")
    known = await of_link(link, negotiation_id=negotiation_id)
    if known is None:
        raise EndedLink
    lead = await Lead.filter(id=link.lead_id, deleted_at=None).select_for_update().first()
    # Whoever revokes a link is not waited for, but what they did is seen.
    held = await ProposalLink.get_or_none(id=link.id)
    if lead is None or held is None or not is_valid(held, now=now):
        raise EndedLink
    return await _table(by, lead, known.id, known.proposal_id)


async def of_link(link: ProposalLink, *, negotiation_id: UUID | None = None) -> Negotiation | None:
    """Return the negotiation that a customer's link leads to: the one named, else the proposal's latest."""
    mine = Negotiation.filter(proposal_id=link.proposal_id)
    if negotiation_id is not None:
        mine = mine.filter(id=negotiation_id)
    return await mine.order_by("-created_at", "-id").first()


def is_valid(link: ProposalLink, *, now: datetime) -> bool:
    """Say whether a customer's link opens anything."""
    return link.revoked_at is None and (link.expires_at is None or now < link.expires_at)


async def _table(
    actor: Actor, lead: Lead, negotiation_id: UUID, proposal_id: UUID, *, expected_version: int | None = None
) -> Table:
    proposal = await policy.locked(actor, Proposal, proposal_id, field="negotiationId")
    negotiation = await policy.locked(
        actor, Negotiation, negotiation_id, expected_version=expected_version, field="negotiationId"
    )
    return Table(lead=lead, proposal=proposal, negotiation=negotiation)


async def member(actor: Actor, *, party: Party = Party.SELLER) -> Speaker:
    """Return a member who speaks for the seller, or tells what the buyer has said."""
    user = await User.get(id=actor.user_id) if actor.user_id else None
    return Speaker(actor=actor, party=party, name=user.name if user else "Salescycle")


def customer(buyer: Buyer) -> Speaker:
    """Return whoever speaks for the buyer. Raises Required, TooLong, Malformed (name)."""
    faults = Faults()
    name = inputs.name(faults, buyer.name, field="name")
    faults.raise_any()
    link = buyer.link
    actor = Actor(ActorKind.LINK, link.workspace_id, link_id=link.id)
    return Speaker(
        actor=actor,
        party=Party.BUYER,
        name=name,
        link_id=link.id,
        address=buyer.address,
        user_agent=buyer.user_agent,
    )
