"""Hand-overs: a lead goes from those who qualify it to who sells it, who accepts it or returns it with a reason.

The receiver owns the lead from the hand-over on, so that they see it. It is accepted by them or by a manager;
returned, it goes back to who owned it before. A lead that is closed, deleted or given to somebody else meanwhile
needs no answer any more: `leads.change` sees to that.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from domain import absences, edits, inputs, leads, policy
from domain.actors import Actor
from domain.errors import DomainError, Faults, Required
from domain.events import Event
from domain.moves import LeadNotOpen
from domain.policy import Action
from models.base import uuid7
from models.database import read, transaction
from models.hand_overs import HandOver, HandOverStatus
from models.leads import Lead, LeadStatus

FORMER = """
SELECT user_id FROM membership
WHERE workspace_id = $1 AND user_id = ANY($2::uuid[]) AND active AND role <> 'VIEWER'
"""


class LeadHandedOver(Event):
    name = "lead.handed_over"


class LeadAccepted(Event):
    name = "lead.accepted"


class LeadReturned(Event):
    name = "lead.returned"


class AlreadyHandedOver(DomainError):
    """The lead is handed over already, and waits to be accepted or returned."""


class NotHandedOver(DomainError):
    """Nobody waits for this lead to be accepted or returned: {what}."""


class ReceiverOwnsIt(DomainError):
    """The lead is theirs already: hand it over to somebody else."""


async def hand_over(
    actor: Actor,
    lead_id: UUID,
    to_user_id: UUID,
    *,
    note: str | None = None,
    expected_version: int | None = None,
    now: datetime,
) -> HandOver:
    """Hand an open lead over to an active member, who owns it from now on, or to whoever stands in for them.

    Raises NotFound, Stale, Forbidden, LeadNotOpen, AlreadyHandedOver, and faults of the input.
    """
    faults = Faults()
    kept = inputs.text(faults, note, field="note")
    async with transaction():
        lead = await policy.locked(actor, Lead, lead_id, expected_version=expected_version, field="leadId")
        policy.require(actor, Action.HAND_OVER_LEAD, lead)
        receiver = await _receiver(faults, actor, lead, to_user_id, now)
        faults.raise_any()
        if lead.status is not LeadStatus.OPEN:
            raise LeadNotOpen(status=lead.status.value)
        if await leads.handed_over(lead):
            raise AlreadyHandedOver()
        row = HandOver(
            id=uuid7(),
            workspace_id=lead.workspace_id,
            lead_id=lead.id,
            from_user_id=actor.user_id,
            to_user_id=receiver,
            former_owner_id=lead.owner_id,
            note=kept,
            created_at=now,
        )
        columns = {"owner_id": receiver}
        more, said = _told(row) | absences.instead_of(to_user_id, receiver), {"note": kept}
        await leads.change(LeadHandedOver, actor, lead, columns, now=now, more=more, said=said, hand_over_ids=())
        await edits.insert(row)
    return row


async def accept(actor: Actor, lead_id: UUID, *, now: datetime) -> HandOver:
    """Accept a lead that is handed over. Raises NotFound, Forbidden, NotHandedOver."""
    async with transaction():
        row, lead = await _pending(actor, lead_id)
        await _decide(row, HandOverStatus.ACCEPTED, actor, now)
        await leads.tell(LeadAccepted, actor, lead, _told(row), now=now)
    return row


async def give_back(actor: Actor, lead_id: UUID, *, reason: str | None, now: datetime) -> HandOver:
    """Return a lead that is handed over, for a reason.

    It goes back to its former owner, or else to who handed it over, whichever is an active member still.
    Raises NotFound, Forbidden, NotHandedOver, and faults of the input.
    """
    faults = Faults()
    kept = inputs.text(faults, reason, field="reason")
    if kept is None:
        faults.add(Required(field="reason"))
    async with transaction():
        row, lead = await _pending(actor, lead_id)
        faults.raise_any()
        row.reason = kept
        await _decide(row, HandOverStatus.RETURNED, actor, now)
        owner_id = await _goes_back_to(row)
        columns = {"owner_id": owner_id}
        more, said = _told(row), {"reason": kept}
        await leads.change(LeadReturned, actor, lead, columns, now=now, more=more, said=said, hand_over_ids=())
    return row


async def _pending(actor: Actor, lead_id: UUID) -> tuple[HandOver, Lead]:
    """Return the hand-over of a lead that waits for an answer, with its lead locked before it."""
    lead = await policy.locked(actor, Lead, lead_id, field="leadId")
    policy.require(actor, Action.DECIDE_HAND_OVER, lead)
    row = await HandOver.filter(lead_id=lead.id).order_by("-created_at", "-id").first()
    if row is None:
        raise NotHandedOver(what="it was never handed over", field="leadId")
    if row.status is not HandOverStatus.PENDING:
        raise NotHandedOver(what=WHAT[row.status], field="leadId")
    return row, lead


WHAT = {
    HandOverStatus.ACCEPTED: "it is accepted already",
    HandOverStatus.RETURNED: "it is returned already",
    HandOverStatus.OBSOLETE: "it was closed, deleted or given to somebody else meanwhile",
}


async def _receiver(faults: Faults, actor: Actor, lead: Lead, to_user_id: UUID, now: datetime) -> UUID:
    """Return who receives a lead: who is named, or whoever stands in for them now."""
    receiver = await absences.owner(faults, actor, to_user_id, field="toUserId", now=now) or to_user_id
    if lead.owner_id == receiver:
        faults.add(ReceiverOwnsIt(field="toUserId"))
    return receiver


async def _goes_back_to(row: HandOver) -> UUID | None:
    """Return who owns a lead that is returned."""
    candidates = [key for key in (row.former_owner_id, row.from_user_id) if key is not None]
    active = {found["user_id"] for found in await read(FORMER, row.workspace_id, candidates)}
    return next((key for key in candidates if key in active), None)


async def _decide(row: HandOver, status: HandOverStatus, actor: Actor, now: datetime) -> None:
    row.status, row.decided_by_id, row.decided_at = status, actor.user_id, now
    written = ("status", "decided_by_id", "decided_at", "reason")
    await edits.write(row, {name: getattr(row, name) for name in written})


def _told(row: HandOver) -> dict[str, Any]:
    """Return what events say of a hand-over."""
    keys = {"hand_over_id": row.id, "from_user_id": row.from_user_id, "to_user_id": row.to_user_id}
    return {name: str(key) if key else None for name, key in keys.items()}
