"""How negotiations end: by agreement, because a side breaks off, or with the proposal that they are about.

It knows no proposals, so that whatever ends one can end what is negotiated about it in the same transaction.
"""

from datetime import datetime
from typing import Any

from domain import edits
from domain.actors import Actor
from domain.events import Event
from domain.leads import tell
from models.leads import Lead
from models.negotiations import Negotiation, NegotiationEnding, NegotiationState, Offer, OfferState
from models.proposal_links import Party
from models.proposals import Proposal

STATES = {NegotiationEnding.AGREED: NegotiationState.AGREED}


class NegotiationBrokenOff(Event):
    name = "negotiation.broken_off"
    subject_type = "lead"


async def end(
    negotiation: Negotiation,
    ending: NegotiationEnding,
    *,
    by: Party | None,
    reason: str | None = None,
    now: datetime,
    **columns: Any,
) -> None:
    """Write that a locked negotiation has ended; offers that nobody decided lapse."""
    undecided = await Offer.filter(negotiation_id=negotiation.id, state__in=[OfferState.OPEN, OfferState.HELD])
    for offer in undecided:
        await edits.write(offer, {"state": OfferState.LAPSED})
    state = STATES.get(ending, NegotiationState.BROKEN_OFF)
    ended = {"state": state, "ending": ending, "ended_by": by, "ended_at": now, "reason": reason, "due_at": None}
    await edits.apply(negotiation, ended | columns, now=now)


async def end_with(
    actor: Actor, lead: Lead, proposal: Proposal, ending: NegotiationEnding, *, by: Party | None, now: datetime
) -> None:
    """End what is negotiated about a proposal that is locked with its lead, where something is."""
    open_one = Negotiation.filter(proposal_id=proposal.id, state=NegotiationState.OPEN)
    negotiation = await open_one.select_for_update(no_key=True).first()
    if negotiation is None:
        return
    await end(negotiation, ending, by=by, now=now)
    facts = {
        "negotiation_id": negotiation.id,
        "proposal_id": proposal.id,
        "proposal_number": proposal.number,
        "party": by and by.value,
        "ending": ending.value,
    }
    await tell(NegotiationBrokenOff, actor, lead, facts, now=now)
