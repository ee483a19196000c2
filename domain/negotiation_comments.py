"""What both sides say to each other between offers."""

from datetime import datetime
from uuid import UUID

from domain import edits, inputs
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
    member,
    sit_down,
    sit_down_as_buyer,
)
from models.base import uuid7
from models.database import transaction
from models.negotiations import NegotiationComment, NegotiationState

MOST_COMMENTS = 500
LONGEST_COMMENT = 5_000


class NegotiationCommented(Event):
    name = "negotiation.commented"
    subject_type = "lead"


class TooManyRemarks(DomainError):
    """A negotiation has at most {limit} comments: make an offer, agree or break off."""


async def comment(actor: Actor, negotiation_id: UUID, text: str | None, *, now: datetime) -> NegotiationComment:
    """Say something to the buyer; the same said twice in a row is said once.

    Raises NotFound, Forbidden, NegotiationOver, TooManyRemarks, and faults of the input.
    """
    async with transaction():
        return await _comment(await sit_down(actor, negotiation_id), await member(actor), text, now=now)


async def remark(
    buyer: Buyer, text: str | None, *, negotiation_id: UUID | None = None, now: datetime
) -> NegotiationComment:
    """Say something to the seller. Raises EndedLink, NegotiationOver, TooManyRemarks, and faults of the input."""
    async with transaction():
        table = await sit_down_as_buyer(buyer.link, negotiation_id=negotiation_id, now=now)
        return await _comment(table, customer(buyer), text, now=now)


async def _comment(table: Table, speaker: Speaker, text: str | None, *, now: datetime) -> NegotiationComment:
    faults = Faults()
    kept = inputs.text(faults, text, field="text", limit=LONGEST_COMMENT)
    if kept is None:
        faults.add(Required(field="text"))
    faults.raise_any()
    negotiation = table.negotiation
    if negotiation.state is not NegotiationState.OPEN:
        raise NegotiationOver(negotiation)
    said = NegotiationComment.filter(negotiation_id=negotiation.id)
    last = await said.order_by("-created_at", "-id").first()
    if last is not None and (last.party, last.name, last.text) == (speaker.party, speaker.name, kept):
        return last
    if await said.count() >= MOST_COMMENTS:
        raise TooManyRemarks(limit=MOST_COMMENTS)
    row = NegotiationComment(
        id=uuid7(),
        workspace_id=table.lead.workspace_id,
        negotiation_id=negotiation.id,
        lead_id=table.lead.id,
        text=kept,
        created_at=now,
        **speaker.columns,
    )
    await edits.insert(row)
    told = table.facts(negotiation_comment_id=row.id, party=speaker.party.value)
    await tell(NegotiationCommented, speaker.actor, table.lead, told, now=now)
    return row
