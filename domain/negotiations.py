"""Negotiations: opened on a proposal that was sent, prepared by the seller, ended by agreement or by breaking off.

Round 0 is the proposal as it was sent, which is the seller's first offer: so it is the buyer's turn at first.
"""

from datetime import datetime
from uuid import UUID

from domain import edits, guard_rails, inputs, offer_terms, policy, preparations
from domain.actors import Actor
from domain.errors import DomainError, Faults, Required
from domain.events import Event
from domain.leads import tell
from domain.negotiating import (
    Buyer,
    NegotiationOver,
    Speaker,
    Table,
    customer,
    hold,
    member,
    negotiable,
    sit_down,
    sit_down_as_buyer,
)
from domain.negotiation_ends import NegotiationBrokenOff, end
from domain.offer_terms import Basis, Terms
from domain.policy import Action
from domain.preparations import Preparation
from domain.unset import UNSET, Unset
from models.base import uuid7
from models.database import transaction
from models.negotiations import Negotiation, NegotiationEnding, NegotiationState, Offer, OfferState
from models.proposal_links import Party

UNIQUE = {"negotiation_pkey": "id"}


class NegotiationOpened(Event):
    name = "negotiation.opened"
    subject_type = "lead"


class NegotiationUpdated(Event):
    name = "negotiation.updated"
    subject_type = "lead"


class NegotiationOpen(DomainError):
    """This proposal is being negotiated already."""


class RespondByPast(DomainError):
    """{field} has passed already."""


async def open(  # noqa: A001
    actor: Actor,
    proposal_id: UUID,
    preparation: Preparation,
    *,
    respond_by: datetime | None = None,
    id: UUID | None = None,
    now: datetime,
) -> Negotiation:
    """Open the negotiation of a proposal that was sent; the buyer answers it until `respond_by`.

    Raises NotFound, Forbidden, NotNegotiable, NegotiationOpen, AlreadyExists (id), and faults of the input.
    """
    faults = Faults()
    key = edits.new_id(faults, id)
    async with transaction():
        held = await hold(actor, proposal_id, field="proposalId")
        proposal = held.proposal
        columns = preparations.check(faults, preparation)
        preparations.check_order(faults, columns)
        check_respond_by(faults, respond_by, now=now)
        faults.raise_any()
        sent = await negotiable(proposal)
        if await Negotiation.exists(proposal_id=proposal.id, state=NegotiationState.OPEN):
            raise NegotiationOpen(field="proposalId")
        basis = await offer_terms.basis_of(sent.id)
        negotiation = Negotiation(
            id=key,
            workspace_id=actor.workspace_id,
            lead_id=proposal.lead_id,
            proposal_id=proposal.id,
            proposal_version_id=sent.id,
            currency=proposal.currency,
            turn=Party.BUYER,
            respond_by=respond_by,
            due_at=respond_by,
            opened_by_id=actor.user_id,
            created_at=now,
            updated_at=now,
            **columns,
        )
        with edits.collisions("negotiation", UNIQUE):
            await edits.insert(negotiation)
            table = Table(held=held, negotiation=negotiation)
            terms = offer_terms.first_terms(basis, payment_days=held.settings.payment_days)
            first = new_offer(table, await member(actor), basis, terms, now=now)
            first.round, first.state = 0, OfferState.OPEN
            first.beyond = guard_rails.dump(guard_rails.beyond_own(negotiation, basis.totals(terms)))
            await edits.insert(first)
            await tell(NegotiationOpened, actor, held.lead, table.facts(respond_by=respond_by), now=now)
    return negotiation


def new_offer(
    table: Table, speaker: Speaker, basis: Basis, terms: Terms, *, note: str | None = None, now: datetime
) -> Offer:
    """Return an offer that has neither a round nor been written yet."""
    totals = offer_terms.check_whole(basis, terms)
    return Offer(
        id=uuid7(),
        workspace_id=table.lead.workspace_id,
        negotiation_id=table.negotiation.id,
        lead_id=table.lead.id,
        state=OfferState.HELD,
        terms=offer_terms.dump(terms),
        currency=basis.currency,
        sha256=terms.sha256,
        net=totals.net,
        tax=totals.tax,
        total=totals.total,
        cost=totals.cost,
        note=note,
        created_at=now,
        **speaker.evidence,
    )


async def update(
    actor: Actor,
    negotiation_id: UUID,
    preparation: Preparation,
    *,
    respond_by: datetime | Unset | None = UNSET,
    expected_version: int | None = None,
    now: datetime,
) -> Negotiation:
    """Change what is given of an open negotiation; to loosen a guard rail takes who may approve offers beyond it.

    Raises NotFound, Stale, Forbidden, NegotiationOver, and faults of the input.
    """
    faults = Faults()
    async with transaction():
        table = await sit_down(actor, negotiation_id, expected_version=expected_version)
        negotiation = table.negotiation
        columns = preparations.check(faults, preparation)
        preparations.check_order(faults, {name: getattr(negotiation, name) for name in preparations.AMOUNTS} | columns)
        if not isinstance(respond_by, Unset) and respond_by != negotiation.respond_by:
            check_respond_by(faults, respond_by, now=now)
            columns |= {"respond_by": respond_by, "due_at": respond_by}
        faults.raise_any()
        if negotiation.state is not NegotiationState.OPEN:
            raise NegotiationOver(negotiation)
        if guard_rails.is_looser(negotiation, columns):
            policy.require(actor, Action.APPROVE_OFFER, table.lead)
        if changed := await edits.apply(negotiation, columns, now=now):
            if not changed.keys().isdisjoint(guard_rails.RAILS):
                await _look_again(negotiation)
            told = table.facts(changed=sorted(changed.keys() - {"due_at"}), respond_by=negotiation.respond_by)
            await tell(NegotiationUpdated, actor, table.lead, told, now=now)
    return negotiation


async def _look_again(negotiation: Negotiation) -> None:
    """Write anew what undecided offers go beyond."""
    basis = await offer_terms.basis_of(negotiation.proposal_version_id)
    undecided = [OfferState.OPEN, OfferState.HELD]
    for offer in await Offer.filter(negotiation_id=negotiation.id, state__in=undecided):
        totals = basis.totals(offer_terms.load(offer.terms))
        found = guard_rails.looked_at_again(negotiation, totals, guard_rails.load(offer.beyond))
        await edits.write(offer, {"beyond": guard_rails.dump(found)})


async def break_off(actor: Actor, negotiation_id: UUID, reason: str | None, *, now: datetime) -> Negotiation:
    """End a negotiation without agreement, for a reason that both sides read; one that was broken off stays so.

    Raises NotFound, Forbidden, NegotiationOver, Required and TooLong (reason).
    """
    async with transaction():
        return await _break_off(await sit_down(actor, negotiation_id), await member(actor), reason, now=now)


async def leave(buyer: Buyer, reason: str | None, *, negotiation_id: UUID | None = None, now: datetime) -> Negotiation:
    """End a negotiation without agreement, as the buyer. Raises EndedLink, NegotiationOver, and faults of the input."""
    async with transaction():
        table = await sit_down_as_buyer(buyer.link, negotiation_id=negotiation_id, now=now)
        return await _break_off(table, customer(buyer), reason, now=now)


async def _break_off(table: Table, speaker: Speaker, reason: str | None, *, now: datetime) -> Negotiation:
    faults = Faults()
    kept = inputs.text(faults, reason, field="reason", limit=offer_terms.LONGEST_WORDS)
    if kept is None:
        faults.add(Required(field="reason"))
    faults.raise_any()
    negotiation = table.negotiation
    if negotiation.state is not NegotiationState.OPEN:
        if negotiation.ending is NegotiationEnding.BROKEN_OFF and negotiation.ended_by is speaker.party:
            return negotiation
        raise NegotiationOver(negotiation)
    await end(negotiation, NegotiationEnding.BROKEN_OFF, by=speaker.party, reason=kept, now=now)
    told = table.facts(party=speaker.party.value, ending=negotiation.ending.value, reason=kept)
    await tell(NegotiationBrokenOff, speaker.actor, table.lead, told, now=now)
    return negotiation


def check_respond_by(faults: Faults, respond_by: datetime | None, *, now: datetime) -> None:
    """Check until when the other side is asked to answer."""
    instant = inputs.instant(faults, respond_by, field="respondBy")
    if instant is not None and instant.tzinfo is not None and instant <= now:
        faults.add(RespondByPast(field="respondBy"))
