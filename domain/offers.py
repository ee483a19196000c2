"""Offers: each side's terms in their turn, and who lets those pass that go beyond the guard rails.

An offer may be made by the side whose turn it is; the seller may besides better, or take back, what they have offered
while the buyer has not answered. What a buyer says elsewhere than on their page a member may note as theirs.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from domain import edits, guard_rails, inputs, offer_terms, policy
from domain.actors import Actor
from domain.errors import DomainError, Faults
from domain.events import Event
from domain.leads import tell
from domain.negotiating import (
    OTHER,
    SIDES,
    Buyer,
    Speaker,
    Table,
    customer,
    member,
    noting,
    sit_down,
    sit_down_as_buyer,
)
from domain.negotiations import check_respond_by, new_offer
from domain.offer_terms import Basis, Terms, TermsChange
from domain.policy import Action
from models.database import transaction
from models.negotiations import Negotiation, Offer, OfferState
from models.proposal_links import Party
from models.users import Role

MOST_ROUNDS = 200
LONGEST_NOTE = 5_000


class NegotiationOfferMade(Event):
    name = "negotiation.offer_made"
    subject_type = "lead"


class NegotiationOfferHeld(Event):
    name = "negotiation.offer_held"
    subject_type = "lead"


class NegotiationOfferApproved(Event):
    name = "negotiation.offer_approved"
    subject_type = "lead"


class NegotiationOfferRejected(Event):
    name = "negotiation.offer_rejected"
    subject_type = "lead"


class NotYourTurn(DomainError):
    """It is the {side}'s turn: round {round} waits for their answer."""


class OfferOvertaken(DomainError):
    """The {side} ({name}) has made another offer since, round {round}: look at that first."""


class UnknownRound(DomainError):
    """This negotiation has no round {round}: the last is {last}."""


class SameAsOffered(DomainError):
    """These are the terms that are offered to you, round {round}: agree to them instead."""


class OfferNotHeld(DomainError):
    """This offer waits for nobody's approval."""


class OwnOffer(DomainError):
    """You made this offer yourself: another manager or an admin has to approve it."""


class NotForYou(DomainError):
    """This goes beyond {rails}: {approvers} has to approve it."""


class TooManyRounds(DomainError):
    """A negotiation has at most {limit} rounds: agree or break off."""


async def make(
    actor: Actor,
    negotiation_id: UUID,
    change: TermsChange,
    *,
    party: Party = Party.SELLER,
    name: str | None = None,
    note: str | None = None,
    respond_by: datetime | None = None,
    round: int | None = None,
    now: datetime,
) -> Offer:
    """Offer terms as a member: for the seller, or noting what the buyer, by this name, has said elsewhere.

    `round` is the one that it answers; the other side is asked to answer until `respond_by`. An offer of the seller's
    beyond the guard rails is HELD. One that only repeats the side's standing offer is that. Raises NotFound, Forbidden,
    NegotiationOver, NotNegotiable, NotYourTurn, OfferOvertaken, SameAsOffered, BelowWalkAway, and faults of the input.
    """
    async with transaction():
        table = await sit_down(actor, negotiation_id)
        speaker = await (member(actor) if party is Party.SELLER else noting(actor, table, name))
        return await _make(table, speaker, change, note=note, respond_by=respond_by, round=round, now=now)


async def counter(
    buyer: Buyer,
    change: TermsChange,
    *,
    note: str | None = None,
    respond_by: datetime | None = None,
    round: int | None = None,
    negotiation_id: UUID | None = None,
    now: datetime,
) -> Offer:
    """Offer terms as the buyer. Raises as `make` does, and EndedLink."""
    async with transaction():
        table = await sit_down_as_buyer(buyer.link, negotiation_id=negotiation_id, now=now)
        return await _make(table, customer(buyer), change, note=note, respond_by=respond_by, round=round, now=now)


async def _make(
    table: Table,
    speaker: Speaker,
    change: TermsChange,
    *,
    note: str | None,
    respond_by: datetime | None,
    round: int | None,
    now: datetime,
) -> Offer:
    standing, faults = await table.standing(), Faults()
    answered = await _answered(standing, round)
    basis = await offer_terms.basis_of(table.negotiation.proposal_version_id)
    terms = offer_terms.changed(faults, basis, offer_terms.load(answered.terms), change)
    kept = inputs.text(faults, note, field="note", limit=LONGEST_NOTE)
    check_respond_by(faults, respond_by, now=now)
    if _is_repeated(speaker, standing, answered, terms, faults):
        return standing
    check_round(standing, round)
    faults.raise_any()
    _check_turn(table.negotiation, standing, speaker.party)
    if terms.sha256 == standing.sha256:
        raise SameAsOffered(round=standing.round, field="terms")
    offer = new_offer(table, speaker, basis, terms, note=kept, now=now)
    offer.respond_by = respond_by
    offer.beyond = await _beyond(table, speaker, basis, terms, now=now)
    is_held = bool(offer.beyond) and speaker.party is Party.SELLER
    waiting = await Offer.filter(negotiation_id=table.negotiation.id, state=OfferState.HELD)
    for one in waiting:
        if is_held and (one.sha256, one.user_id, one.beyond) == (offer.sha256, offer.user_id, offer.beyond):
            return one
        # Nobody approves what was held before another offer came.
        await edits.write(one, {"state": OfferState.LAPSED})
    if is_held:
        await edits.insert(offer)
        await _tell(NegotiationOfferHeld, table, speaker.actor, offer, now=now)
    else:
        await _open(table, speaker.actor, standing, offer, now=now)
    return offer


async def _answered(standing: Offer, round: int | None) -> Offer:
    """Return the offer that is answered, on top of which another says what changes. Raises UnknownRound."""
    if round is None or round == standing.round:
        return standing
    found = await Offer.get_or_none(negotiation_id=standing.negotiation_id, round=round)
    if found is None:
        raise UnknownRound(round=round, last=standing.round, field="round")
    return found


def _is_repeated(speaker: Speaker, standing: Offer, answered: Offer, terms: Terms, faults: Faults) -> bool:
    """Say whether a side has made this very offer, in answer to the same round."""
    if standing.party is not speaker.party or any(faults) or terms.sha256 != standing.sha256:
        return False
    return answered.round in (standing.round, _number(standing) - 1)


def check_round(standing: Offer, round: int | None) -> None:
    """Raise OfferOvertaken where another offer came since a round, and UnknownRound where there never was that."""
    last = _number(standing)
    if round is not None and not 0 <= round <= last:
        raise UnknownRound(round=round, last=last, field="round")
    if round is not None and round != last:
        raise OfferOvertaken(side=SIDES[standing.party], name=standing.name, round=last, field="round")


def _number(offer: Offer) -> int:
    """Return the round of an offer that was made."""
    assert offer.round is not None
    return offer.round


def _check_turn(negotiation: Negotiation, standing: Offer, party: Party) -> None:
    if party is not negotiation.turn and party is not Party.SELLER:
        raise NotYourTurn(side=SIDES[negotiation.turn], round=standing.round)


async def _open(table: Table, actor: Actor, standing: Offer, offer: Offer, *, now: datetime) -> None:
    """Lay an offer on the table, where it answers or replaces the one that stands."""
    negotiation = table.negotiation
    if negotiation.rounds >= MOST_ROUNDS:
        raise TooManyRounds(limit=MOST_ROUNDS)
    replaced = OfferState.REVISED if standing.party is offer.party else OfferState.COUNTERED
    await edits.write(standing, {"state": replaced})
    offer.round, offer.state = negotiation.rounds + 1, OfferState.OPEN
    if offer._saved_in_db:
        await edits.write(offer, {"round": offer.round, "state": offer.state})
    else:
        await edits.insert(offer)
    columns = {"rounds": offer.round, "turn": OTHER[offer.party]}
    until = {"respond_by": offer.respond_by, "due_at": offer.respond_by}
    await edits.write(negotiation, columns | until)
    await _tell(NegotiationOfferMade, table, actor, offer, now=now)


async def approve(actor: Actor, offer_id: UUID, *, note: str | None = None, now: datetime) -> Offer:
    """Let an offer pass that goes beyond the guard rails: a held one is made, a buyer's may be agreed to.

    Raises NotFound, Forbidden, OfferNotHeld, OwnOffer, NegotiationOver, NotNegotiable, BelowWalkAway, TooLong (note).
    """
    async with transaction():
        table, offer, kept = await _to_decide(actor, offer_id, note)
        standing = await table.standing()
        if offer.state is not OfferState.HELD and not (offer.id == standing.id and offer.party is Party.BUYER):
            raise OfferNotHeld(field="offerId")
        basis = await offer_terms.basis_of(table.negotiation.proposal_version_id)
        guard_rails.check_walk_away(table.negotiation, basis.totals(offer_terms.load(offer.terms)))
        found = guard_rails.load(offer.beyond)
        if offer.party is Party.BUYER:
            terms = offer_terms.load(offer.terms)
            whose = [actor.role]
            found = await guard_rails.beyond(table.held, table.negotiation, basis, terms, discounts_of=whose, now=now)
        if not guard_rails.may_pass(actor, found, table.lead):
            rails, approvers = guard_rails.told(found, basis.currency), guard_rails.approvers(found)
            raise NotForYou(rails=rails, approvers=approvers, field="offerId")
        await edits.write(offer, {"decided_by_id": actor.user_id, "decided_at": now, "decision": kept})
        await _tell(NegotiationOfferApproved, table, actor, offer, now=now)
        if offer.state is OfferState.HELD:
            await _open(table, actor, standing, offer, now=now)
    return offer


async def reject(actor: Actor, offer_id: UUID, *, note: str | None = None, now: datetime) -> Offer:
    """Refuse a held offer, which is never made. Raises NotFound, Forbidden, OfferNotHeld, TooLong (note)."""
    async with transaction():
        table, offer, kept = await _to_decide(actor, offer_id, note)
        if offer.state is not OfferState.HELD:
            raise OfferNotHeld(field="offerId")
        decided = {"decided_by_id": actor.user_id, "decided_at": now, "decision": kept}
        await edits.write(offer, {"state": OfferState.REFUSED, **decided})
        await _tell(NegotiationOfferRejected, table, actor, offer, now=now)
    return offer


async def _to_decide(actor: Actor, offer_id: UUID, note: str | None) -> tuple[Table, Offer, str | None]:
    known = await policy.get(actor, Offer, offer_id, field="offerId")
    table = await sit_down(actor, known.negotiation_id)
    policy.require(actor, Action.APPROVE_OFFER, table.lead)
    offer = await policy.locked(actor, Offer, offer_id, field="offerId")
    if offer.party is Party.SELLER and offer.user_id == actor.user_id and actor.role is not Role.ADMIN:
        raise OwnOffer(field="offerId")
    faults = Faults()
    kept = inputs.text(faults, note, field="note", limit=LONGEST_NOTE)
    faults.raise_any()
    return table, offer, kept


async def _beyond(
    table: Table, speaker: Speaker, basis: Basis, terms: Terms, *, now: datetime
) -> list[dict[str, object]]:
    """Return what an offer goes beyond, a buyer's for whoever would agree. Raises BelowWalkAway for a seller's."""
    roles: Collection[Role | None] = [speaker.actor.role]
    if speaker.party is Party.BUYER:
        roles = [role for role in Role if role.value in table.held.settings.most_discount]
    else:
        guard_rails.check_walk_away(table.negotiation, basis.totals(terms))
    negotiation, held = table.negotiation, table.held
    return guard_rails.dump(await guard_rails.beyond(held, negotiation, basis, terms, discounts_of=roles, now=now))


async def _tell(event: type[Event], table: Table, actor: Actor, offer: Offer, *, now: datetime) -> None:
    told = table.facts(
        offer_id=offer.id,
        party=offer.party.value,
        round=offer.round,
        total=offer.total,
        net=offer.net,
        currency_code=table.proposal.currency,
        respond_by=offer.respond_by,
    )
    await tell(event, actor, table.lead, told, now=now)
