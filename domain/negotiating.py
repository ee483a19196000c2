"""Who sits at the table of a negotiation: the two sides, who speaks for each, and what they have before them.

Whoever acts locks the lead, then the proposal, then the negotiation: of two answers at once one is first, and the
other is told what happened.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import inputs, policy, proposal_links, proposal_locks, proposal_versions
from domain.actors import Actor
from domain.errors import DomainError, Faults, NotFound
from domain.policy import Action
from domain.proposal_locks import Held
from domain.proposal_states import OPEN
from domain.tokens import EndedLink, InvalidLink
from models.contacts import Contact
from models.leads import Lead
from models.negotiations import Negotiation, NegotiationEnding, NegotiationState, Offer, OfferState
from models.proposal_links import Party, ProposalLink
from models.proposals import Proposal, ProposalVersion
from models.users import User

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
    """Where both sides sit: a proposal with its lead, and the negotiation, locked until the transaction ends."""

    held: Held
    negotiation: Negotiation

    @property
    def lead(self) -> Lead:
        return self.held.lead

    @property
    def proposal(self) -> Proposal:
        return self.held.proposal

    def facts(self, **more: Any) -> dict[str, Any]:
        """Return what events say of the negotiation."""
        known = {"proposal_id": self.proposal.id, "proposal_number": self.proposal.number}
        return {"negotiation_id": self.negotiation.id, **known, **more}

    async def standing(self) -> Offer:
        """Return the offer that the side whose turn it is has to answer; raises NegotiationOver and NotNegotiable."""
        if self.negotiation.state is not NegotiationState.OPEN:
            raise NegotiationOver(self.negotiation)
        sent = await negotiable(self.proposal)
        if sent.id != self.negotiation.proposal_version_id:
            raise NotNegotiable(state="another version now")
        return await Offer.get(negotiation_id=self.negotiation.id, state=OfferState.OPEN)


def how_it_ended(negotiation: Negotiation) -> str:
    """Return in words how a negotiation ended."""
    by = SIDES[negotiation.ended_by] if negotiation.ended_by else ""
    match negotiation.ending:
        case NegotiationEnding.AGREED:
            return f"the {by} agreed to round {negotiation.rounds}"
        case NegotiationEnding.BROKEN_OFF:
            return f"the {by} broke it off"
        case NegotiationEnding.PROPOSAL_SENT_ANEW:
            return "the seller sent another version of the proposal"
        case NegotiationEnding.PROPOSAL_WITHDRAWN:
            return "the seller withdrew the proposal"
        case NegotiationEnding.PROPOSAL_ACCEPTED:
            return "the buyer accepted the proposal as it was sent"
        case NegotiationEnding.PROPOSAL_DECLINED:
            return "the buyer declined the proposal"
    return "the proposal expired"


async def negotiable(proposal: Proposal) -> ProposalVersion:
    """Return the version that the customer sees and has not answered yet; raises NotNegotiable."""
    sent = await proposal_versions.sent(proposal)
    if sent is None or sent.state not in OPEN:
        raise NotNegotiable(state=(sent.state if sent else proposal.state).value.lower().replace("_", " "))
    return sent


async def hold(actor: Actor, proposal_id: UUID, *, field: str) -> Held:
    """Return a proposal that a member may negotiate, locked after its lead. Raises NotFound, Forbidden."""
    try:
        return await proposal_locks.locked(actor, proposal_id, Action.NEGOTIATE)
    except NotFound as error:
        raise NotFound(noun="proposal", field=field) from error


async def sit_down(actor: Actor, negotiation_id: UUID, *, expected_version: int | None = None) -> Table:
    """Return a negotiation that a member may carry on, locked. Raises NotFound, Forbidden, Stale."""
    known = await policy.get(actor, Negotiation, negotiation_id, field="negotiationId")
    held = await hold(actor, known.proposal_id, field="negotiationId")
    return Table(
        held=held,
        negotiation=await policy.locked(
            actor, Negotiation, negotiation_id, expected_version=expected_version, field="negotiationId"
        ),
    )


async def sit_down_as_buyer(link: ProposalLink, *, negotiation_id: UUID | None = None, now: datetime) -> Table:
    """Return the negotiation that a customer's link leads to, locked: the one named, else the proposal's latest.

    Raises NotFound where it does not lead to the one named, and EndedLink where it leads to none.
    """
    known = await of_link(link, negotiation_id=negotiation_id)
    held = await proposal_locks.hold(link.workspace_id, link.proposal_id) if known else None
    if known is None and negotiation_id is not None:
        raise NotFound(noun="negotiation", field="negotiationId")
    if known is None or held is None:
        raise EndedLink
    try:
        # Whoever revokes a link locks the lead as well, and is seen here.
        await proposal_links.opening(link.id, now=now)
    except InvalidLink as error:
        raise EndedLink from error
    by = proposal_links.page(link.workspace_id)
    return Table(held=held, negotiation=await policy.locked(by, Negotiation, known.id, field="negotiationId"))


async def of_link(link: ProposalLink, *, negotiation_id: UUID | None = None) -> Negotiation | None:
    """Return the negotiation that a customer's link leads to: the one named, else the proposal's latest."""
    mine = Negotiation.filter(proposal_id=link.proposal_id, lead__deleted_at=None, proposal__deleted_at=None)
    if negotiation_id is not None:
        mine = mine.filter(id=negotiation_id)
    return await mine.order_by("-created_at", "-id").first()


async def member(actor: Actor) -> Speaker:
    """Return a member who speaks for the seller."""
    user = await User.get(id=actor.user_id) if actor.user_id else None
    return Speaker(actor=actor, party=Party.SELLER, name=user.name if user else "Salescycle")


async def noting(actor: Actor, table: Table, name: str | None) -> Speaker:
    """Return a member who notes what the buyer has said elsewhere: whoever is named, else the proposal's contact.

    Raises TooLong and Malformed (name).
    """
    faults = Faults()
    key = table.proposal.contact_id
    contact = await Contact.get_or_none(id=key) if key and name is None else None
    told = inputs.name(faults, name or (contact.name if contact else None) or table.lead.title, field="name")
    faults.raise_any()
    return Speaker(actor=actor, party=Party.BUYER, name=told)


def customer(buyer: Buyer) -> Speaker:
    """Return whoever speaks for the buyer. Raises Required, TooLong, Malformed (name)."""
    faults = Faults()
    name = inputs.name(faults, buyer.name, field="name")
    faults.raise_any()
    return Speaker(
        actor=proposal_links.customer(buyer.link),
        party=Party.BUYER,
        name=name,
        link_id=buyer.link.id,
        address=buyer.address,
        user_agent=buyer.user_agent,
    )
