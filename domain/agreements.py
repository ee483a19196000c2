"""Agreements: one side takes the other's standing offer, and the next version of the proposal is what they agreed on.

That counts as the buyer's acceptance of it: they have said so by their link, or a member has noted that they did, as
the evidence tells.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import edits, guard_rails, offer_terms, proposal_drafts, proposal_lines, proposal_states, proposal_versions
from domain.actors import Actor
from domain.errors import DomainError
from domain.events import Event
from domain.leads import tell
from domain.negotiating import OTHER, SIDES, Buyer, Speaker, Table, customer, member, sit_down, sit_down_as_buyer
from domain.negotiation_ends import end
from domain.offer_diffs import Telling
from domain.offer_terms import Basis, Terms
from domain.offers import NotYourTurn, check_round
from domain.proposal_answers import ProposalAccepted
from domain.proposal_locks import Held
from domain.proposal_states import Move
from domain.words import best_language, words
from models.base import uuid7
from models.database import transaction
from models.negotiations import Negotiation, NegotiationEnding, NegotiationState, Offer, OfferState
from models.proposal_links import Evidence, EvidenceKind, Party
from models.proposals import ProposalLine, ProposalVersion


class NegotiationAgreed(Event):
    name = "negotiation.agreed"
    subject_type = "lead"


class OfferNeedsApproval(DomainError):
    """Round {round} goes beyond {rails}: {approvers} has to approve it before you agree to it."""


async def agree(actor: Actor, negotiation_id: UUID, *, round: int, now: datetime) -> Negotiation:
    """Agree to the buyer's offer of a round, as a member; the same agreed to twice is agreed once.

    Whoever may approve offers beyond the guard rails approves one by agreeing to it. Raises NotFound, Forbidden,
    NegotiationOver, NotNegotiable, OfferOvertaken, NotYourTurn, OfferNeedsApproval, BelowWalkAway.
    """
    async with transaction():
        return await _agree(await sit_down(actor, negotiation_id), await member(actor), round, now=now)


async def accept(buyer: Buyer, *, round: int, negotiation_id: UUID | None = None, now: datetime) -> Negotiation:
    """Agree to the seller's offer of a round, as the buyer; the same agreed to twice is agreed once.

    Raises EndedLink, NegotiationOver, NotNegotiable, OfferOvertaken, NotYourTurn, and faults of the name.
    """
    async with transaction():
        table = await sit_down_as_buyer(buyer.link, negotiation_id=negotiation_id, now=now)
        return await _agree(table, customer(buyer), round, now=now)


async def _agree(table: Table, speaker: Speaker, round: int, *, now: datetime) -> Negotiation:
    negotiation, party = table.negotiation, speaker.party
    if await _has_agreed(negotiation, party, round):
        return negotiation
    standing = await table.standing()
    check_round(standing, round)
    if standing.party is party:
        raise NotYourTurn(side=SIDES[OTHER[party]], round=round)
    basis = await offer_terms.basis_of(negotiation.proposal_version_id)
    terms = offer_terms.load(standing.terms)
    if party is Party.SELLER:
        await _check_rails(table, speaker.actor, basis, standing, terms, now=now)
    await edits.write(standing, {"state": OfferState.AGREED})
    first = await Offer.get(negotiation_id=negotiation.id, round=0)
    columns, lines = basis.drawn_up(terms)
    columns["terms"] = written(basis, offer_terms.load(first.terms), terms)
    version = await make_version(speaker.actor, table.held, columns, lines, now=now)
    await end(negotiation, NegotiationEnding.AGREED, by=party, agreed_version_id=version.id, now=now)
    accepted = await _keep_evidence(table, speaker, standing, version, lines, now=now)
    told = table.held.facts(negotiation_id=negotiation.id, offer_id=standing.id, party=party.value, round=round)
    await tell(NegotiationAgreed, speaker.actor, table.lead, told, now=now)
    told = table.held.facts(negotiation_id=negotiation.id, evidence_id=accepted.id, **_of_options(accepted))
    await tell(ProposalAccepted, speaker.actor, table.lead, told, now=now)
    return negotiation


async def _has_agreed(negotiation: Negotiation, party: Party, round: int) -> bool:
    """Say whether this side has agreed to this round already."""
    if negotiation.state is not NegotiationState.AGREED or negotiation.ended_by is not party:
        return False
    return await Offer.exists(negotiation_id=negotiation.id, round=round, state=OfferState.AGREED)


async def _check_rails(
    table: Table, actor: Actor, basis: Basis, standing: Offer, terms: Terms, *, now: datetime
) -> None:
    """Check that the seller may agree to a buyer's offer, and note who let it pass that goes too far."""
    guard_rails.check_walk_away(table.negotiation, basis.totals(terms))
    role = actor.role
    found = await guard_rails.beyond(table.held, table.negotiation, basis, terms, discounts_of=[role], now=now)
    if not found or standing.decided_by_id is not None:
        return
    if not guard_rails.may_pass(actor, found, table.lead):
        rails, approvers = guard_rails.told(found, basis.currency), guard_rails.approvers(found)
        raise OfferNeedsApproval(round=standing.round, rails=rails, approvers=approvers, field="round")
    await edits.write(standing, {"decided_by_id": actor.user_id, "decided_at": now})


async def make_version(
    actor: Actor, held: Held, columns: Mapping[str, Any], lines: Sequence[ProposalLine], *, now: datetime
) -> ProposalVersion:
    """Make what was agreed on the next version of a held proposal, accepted and for good, and return it.

    `columns` are what of the version that was sent is otherwise now, such as `discount_percent` or `terms`; `lines`
    are all it has, those of the version that was sent by their keys. A draft that somebody worked on is kept before it,
    as a version that was never sent. Whoever negotiates records it. Raises ProposalStateRefused, TooManyVersions.
    """
    proposal, draft = held.proposal, held.version
    sent = await proposal_versions.sent(proposal)
    proposal_states.check(actor, sent.state if sent else held.version.state, Move.REVISE)
    assert sent
    await proposal_drafts.set_aside(actor, held.lead, proposal, now=now)
    held.version = sent
    version = proposal_drafts.following(held, now=now)
    version.number = draft.number + 1
    version.update_from_dict(dict(columns))
    own = proposal_lines.copied(lines)
    version.update_from_dict(proposal_versions.reckoned(version, own))
    await edits.insert(version)
    await proposal_lines.write(version, own, anew=True)
    await proposal_versions.freeze(proposal, version, own, held.lead, now=now)
    held.version = version
    await proposal_states.move(actor, proposal, version, Move.AGREE, now=now, also=proposal_drafts.mirror(held))
    return version


def written(basis: Basis, first: Terms, terms: Terms) -> str | None:
    """Return the terms of an agreed version: the proposal's own, then what was agreed on beside its prices."""
    told = Telling(basis, words(best_language(basis.version.language)))
    said, parts = told.said, [basis.version.terms] if basis.version.terms else []
    beside = []
    if terms.delivery_on or terms.delivery:
        beside.append(f"{said('Delivery')}: {told.delivery(terms)}")
    if (terms.payment_days, terms.payment) != (first.payment_days, first.payment):
        beside.append(f"{said('Payment')}: {told.payment(terms)}")
    beside += [f"{term.label}: {term.text}" for term in terms.free]
    return "\n\n".join([*parts, "\n".join(beside)] if beside else parts) or None


async def _keep_evidence(
    table: Table,
    speaker: Speaker,
    offer: Offer,
    version: ProposalVersion,
    lines: Sequence[ProposalLine],
    *,
    now: datetime,
) -> Evidence:
    """Keep what each side has said: one by offering these terms, the other by agreeing to them.

    AGREED is to the terms, by their hash; the buyer's is also their acceptance of the version that is made of them,
    which is returned.
    """
    names = ("party", "name", "user_id", "link_id", "address", "user_agent")
    offered = {name: getattr(offer, name) for name in names}
    told: dict[str, Any] = {
        "negotiation_id": str(table.negotiation.id),
        "offer_id": str(offer.id),
        "round": offer.round,
    }
    accepted: Evidence | None = None
    for who, said_at in ((offered, offer.created_at), (speaker.evidence, now)):
        facts = told | {"said_at": said_at.isoformat(), "version_sha256": version.sha256}
        await _keep(table, EvidenceKind.AGREED, who, version, offer.sha256, facts, now=now)
        if who["party"] is Party.BUYER:
            assert version.sha256
            options = [str(line.key) for line in lines if line.optional and line.chosen]
            facts = told | {"options": options, "net": str(version.net), "tax": str(version.tax)}
            accepted = await _keep(table, EvidenceKind.ACCEPTED, who, version, version.sha256, facts, now=now)
    assert accepted
    return accepted


def _of_options(accepted: Evidence) -> dict[str, Any]:
    """Return what an acceptance says of what was chosen."""
    return {name: accepted.facts[name] for name in ("options", "tax")}


async def _keep(
    table: Table,
    kind: EvidenceKind,
    who: dict[str, Any],
    version: ProposalVersion,
    sha256: str,
    facts: dict[str, Any],
    *,
    now: datetime,
) -> Evidence:
    evidence = Evidence(
        id=uuid7(),
        workspace_id=table.lead.workspace_id,
        kind=kind,
        proposal_id=table.proposal.id,
        version_id=version.id,
        lead_id=table.lead.id,
        sha256=sha256,
        total=version.total,
        facts=facts,
        created_at=now,
        **who,
    )
    await edits.insert(evidence)
    return evidence
