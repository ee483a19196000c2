"""Negotiations: opened on a proposal that was sent, prepared by the seller, ended by agreement or by breaking off.

Round 0 is the proposal as it was sent, which is the seller's first offer: so it is the buyer's turn at first.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import edits, guard_rails, inputs, offer_terms, policy, preparations, proposal_versions, proposals
from domain.actors import Actor, system
from domain.errors import DomainError, Faults, Required
from domain.events import Event
from domain.leads import tell
from domain.negotiating import (
    Buyer,
    NegotiationOver,
    NotNegotiable,
    Speaker,
    Table,
    customer,
    hold,
    member,
    negotiable,
    sit_down,
    sit_down_as_buyer,
)
from domain.offer_terms import Basis, Terms
from domain.policy import Action
from domain.preparations import Preparation
from domain.unset import UNSET, Unset
from models.base import uuid7
from models.database import read, transaction
from models.negotiations import Negotiation, NegotiationState, Offer, OfferState
from models.proposal_links import Party

UNIQUE = {"negotiation_pkey": "id"}
SWEPT_AT_ONCE = 200
DUE = "SELECT id, workspace_id, proposal_id FROM negotiation WHERE due_at <= $1 ORDER BY due_at LIMIT $2"


class NegotiationOpened(Event):
    name = "negotiation.opened"
    subject_type = "lead"


class NegotiationUpdated(Event):
    name = "negotiation.updated"
    subject_type = "lead"


class NegotiationBrokenOff(Event):
    name = "negotiation.broken_off"
    subject_type = "lead"


class NegotiationOpen(DomainError):
    """This proposal is being negotiated already."""


class NegotiationOverdue(Event):
    name = "negotiation.overdue"
    subject_type = "lead"


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
            told = table.facts(changed=sorted(changed.keys() - {"due_at"}), respond_by=negotiation.respond_by)
            await tell(NegotiationUpdated, actor, table.lead, told, now=now)
    return negotiation


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
        if negotiation.state is NegotiationState.BROKEN_OFF and negotiation.ended_by is speaker.party:
            return negotiation
        raise NegotiationOver(negotiation)
    await end(table, NegotiationState.BROKEN_OFF, by=speaker.party, reason=kept, now=now)
    told = table.facts(party=speaker.party.value, reason=kept)
    await tell(NegotiationBrokenOff, speaker.actor, table.lead, told, now=now)
    return negotiation


async def end(
    table: Table,
    state: NegotiationState,
    *,
    by: Party | None,
    reason: str | None = None,
    now: datetime,
    **columns: Any,
) -> None:
    """Write that a negotiation has ended; offers that nobody decided lapse."""
    undecided = await Offer.filter(negotiation_id=table.negotiation.id, state__in=[OfferState.OPEN, OfferState.HELD])
    for offer in undecided:
        await edits.write(offer, {"state": OfferState.LAPSED})
    ended = {"state": state, "ended_by": by, "ended_at": now, "reason": reason, "due_at": None}
    await edits.apply(table.negotiation, ended | columns, now=now)


def check_respond_by(faults: Faults, respond_by: datetime | None, *, now: datetime) -> None:
    """Check until when the other side is asked to answer."""
    instant = inputs.instant(faults, respond_by, field="respondBy")
    if instant is not None and instant.tzinfo is not None and instant <= now:
        faults.add(RespondByPast(field="respondBy"))


async def tell_overdue(now: datetime, *, limit: int = SWEPT_AT_ONCE) -> int:
    """Tell of negotiations that were not answered in time, once each, and return how many were looked at; for a sweep.

    Several may run at once: each negotiation is looked at again once it is locked.
    """
    due = await read(DUE, now, limit)
    for row in due:
        async with transaction():
            table = await _held(row["workspace_id"], row["proposal_id"], row["id"])
            if table is None or table.negotiation.due_at is None or table.negotiation.due_at > now:
                continue
            await edits.write(table.negotiation, {"due_at": None})
            told = table.facts(turn=table.negotiation.turn.value, respond_by=table.negotiation.respond_by)
            actor = system(table.lead.workspace_id, task="negotiation_sweep")
            await tell(NegotiationOverdue, actor, table.lead, told, now=now)
    return len(due)


async def follow_proposals(workspace_id: UUID, lead_ids: Sequence[UUID], *, now: datetime) -> None:
    """End negotiations of these leads whose proposal was answered, withdrawn, sent anew or has expired.

    One that is over stays as it is, so that a second run changes nothing.
    """
    wanted = Negotiation.filter(workspace_id=workspace_id, lead_id__in=list(lead_ids), state=NegotiationState.OPEN)
    for known in await wanted.order_by("id"):
        async with transaction():
            table = await _held(workspace_id, known.proposal_id, known.id)
            if table is not None and table.negotiation.state is NegotiationState.OPEN:
                await _follow(table, now=now)


async def _follow(table: Table, *, now: datetime) -> None:
    try:
        await table.standing()
    except NotNegotiable:
        actor = system(table.lead.workspace_id, task="follow_proposals")
        sent = await proposal_versions.sent(table.proposal)
        state = sent.state.value if sent else None
        await end(table, NegotiationState.BROKEN_OFF, by=None, now=now)
        await tell(NegotiationBrokenOff, actor, table.lead, table.facts(proposal_state=state), now=now)


async def _held(workspace_id: UUID, proposal_id: UUID, negotiation_id: UUID) -> Table | None:
    """Return a negotiation locked after its lead and proposal; where these are deleted it is due no more."""
    held = await proposals.hold(workspace_id, proposal_id)
    if held is None:
        await Negotiation.filter(id=negotiation_id).update(due_at=None)
        return None
    by = system(workspace_id, task="negotiation_sweep")
    return Table(held=held, negotiation=await policy.locked(by, Negotiation, negotiation_id))
