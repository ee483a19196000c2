"""A lead follows its sale: the one table that says which event moves it to which kind of stage, and which wins it.

What moves by itself goes forward only, to the first stage of that kind in the lead's pipeline. What a stage asks of
leads binds it as it binds people: fields, needs, answers, milestones, no skipping, a manager's approval. Roles bind
people only. A lead that is refused stays, and an event says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import closings, leads, moves, policy, selling_settings
from domain.actors import Actor, system
from domain.errors import DomainError, Invalid, NotFound
from domain.events import Event
from domain.moves import ApprovalRequired, Board, LeadMoved
from domain.stages import Requirements
from models.database import read, transaction
from models.events import Event as EventRow
from models.leads import Lead, LeadStatus
from models.selling import SellingSettings, WonAt
from models.stages import Stage, StageKind

KINDS = tuple(StageKind)


class LeadMoveHeld(Event):
    """A lead did not follow its sale; `unmet` says what its stage asks for."""

    name = "lead.move_held"


@dataclass(frozen=True, slots=True)
class Follow:
    """Which kind of stage an event leads to, where `switch` of the settings is on, while `stands` finds a row.

    `stands` is given what the event names as `key`: what was withdrawn or cancelled since moves nothing.
    """

    key: str
    stands: str
    kind: StageKind | None = None
    switch: str = ""


# What was accepted, with the options that were chosen, stands in the evidence.
SENT = """
SELECT coalesce((e.facts ->> 'net')::numeric, v.net) AS net, v.currency
FROM proposal p JOIN proposal_version v ON v.id = p.sent_id
LEFT JOIN evidence e ON e.version_id = v.id AND e.kind = 'ACCEPTED'
WHERE p.id = $1 AND p.deleted_at IS NULL AND v.state {state}
"""
OUT, ACCEPTED = SENT.format(state="IN ('SENT', 'VIEWED', 'ACCEPTED')"), SENT.format(state="= 'ACCEPTED'")
AGREED = """
SELECT v.net, v.currency FROM negotiation n JOIN proposal p ON p.id = n.proposal_id
JOIN proposal_version v ON v.id = coalesce(n.agreed_version_id, p.current_id)
WHERE n.id = $1 AND n.state = 'AGREED' AND p.deleted_at IS NULL
"""
FOLLOWS: Mapping[str, Follow] = {
    "proposal.sent": Follow("proposal_id", OUT, StageKind.PROPOSAL, "follows_proposal"),
    "proposal.accepted": Follow("proposal_id", ACCEPTED, StageKind.CLOSING, "follows_agreement"),
    "negotiation.opened": Follow(
        "negotiation_id",
        "SELECT FROM negotiation WHERE id = $1 AND state <> 'BROKEN_OFF'",
        StageKind.NEGOTIATION,
        "follows_negotiation",
    ),
    "negotiation.agreed": Follow("negotiation_id", AGREED, StageKind.CLOSING, "follows_agreement"),
    "contract.completed": Follow("contract_id", "SELECT FROM contract WHERE id = $1 AND state = 'SIGNED'"),
    "payment.recorded": Follow("payment_id", "SELECT FROM payment WHERE id = $1 AND amount > 0"),
}
WINS: Mapping[WonAt, frozenset[str]] = {
    WonAt.ACCEPTANCE: frozenset({"proposal.accepted", "negotiation.agreed"}),
    WonAt.SIGNATURE: frozenset({"contract.completed"}),
    WonAt.FIRST_PAYMENT: frozenset({"payment.recorded"}),
    WonAt.BY_HAND: frozenset(),
}
# Whose terms become the lead's value, or only where none is known.
VALUES, FIRST_VALUES = frozenset({"proposal.accepted", "negotiation.agreed"}), frozenset({"proposal.sent"})
FOLLOWED = """
SELECT FROM event
WHERE workspace_id = $1 AND subject_type = 'lead' AND subject_id = $2 AND data -> 'follows' ->> 'event_id' = $3 LIMIT 1
"""


async def follow(workspace_id: UUID, event_id: UUID, *, now: datetime) -> None:
    """Have a lead follow an event of its sale, once; one that is closed or deleted is left alone."""
    event = await EventRow.get_or_none(id=event_id, workspace_id=workspace_id)
    how = FOLLOWS.get(event.name) if event else None
    if event is None or how is None or not event.data.get(how.key):
        return
    actor = system(workspace_id, task="follow_sales")
    async with transaction():
        try:
            lead = await policy.locked(actor, Lead, event.subject_id)
        except NotFound:
            return
        terms = await read(how.stands, UUID(event.data[how.key]))
        known = await read(FOLLOWED, workspace_id, lead.id, str(event_id))
        if lead.status is LeadStatus.OPEN and terms and not known:
            settings = await selling_settings.of(workspace_id)
            following = _Following(actor, lead, event, settings, now)
            await following.take_value(dict(terms[0]))
            if not await following.win() and how.kind and getattr(settings, how.switch):
                await following.move(how.kind)


@dataclass(slots=True)
class _Following:
    """A locked open lead, and the event that it follows."""

    actor: Actor
    lead: Lead
    event: EventRow
    settings: SellingSettings
    now: datetime

    @property
    def facts(self) -> dict[str, Any]:
        """What the lead's own events say of what it follows; whoever caused that needs not be told."""
        user = self.event.actor.get("user")
        return {"follows": {"event_id": self.event.id, "name": self.event.name}, "caused_by_id": user}

    async def take_value(self, terms: Mapping[str, Any]) -> None:
        """Let the lead be worth what was agreed, or what is offered where that was not known, in its currency."""
        wanted = VALUES if self.lead.value is not None else VALUES | FIRST_VALUES
        if self.settings.value_follows and self.event.name in wanted:
            columns = {"value": terms["net"], "currency": terms["currency"]}
            await leads.change(leads.LeadUpdated, self.actor, self.lead, columns, now=self.now, more=self.facts)

    async def win(self) -> bool:
        """Close the lead as won where this event wins it; say whether it is."""
        if self.event.name not in WINS[self.settings.won_at]:
            return False
        try:
            await closings.close(self.actor, self.lead.id, LeadStatus.WON, more=self.facts, now=self.now)
        except DomainError as error:
            await self._hold(StageKind.FOLLOW_UP, error.faults if isinstance(error, Invalid) else [error])
            return False
        return True

    async def move(self, kind: StageKind) -> None:
        """Move the lead forward to the first stage of a kind, or say why not."""
        on = await moves.board(self.actor.workspace_id, [self.lead.id])
        target = self._ahead(kind, on)
        if target is None:
            return
        against = moves.unmet(self.actor, self.lead, target, on)
        if Requirements.of(target).needs_approval:
            against.append(ApprovalRequired(stage=target.name))
        if against:
            await self._hold(kind, against, target)
        else:
            await moves.enter(LeadMoved, self.actor, self.lead, target, {}, on, now=self.now, more=self.facts)

    def _ahead(self, kind: StageKind, on: Board) -> Stage | None:
        """Return the first stage of a kind, unless the lead has come as far, by its stage or by the kind of that."""
        current = on.stages[self.lead.stage_id]
        first = next((stage for stage in on.pipeline(self.lead.pipeline_id) if stage.kind is kind), None)
        if first is None or KINDS.index(current.kind) >= KINDS.index(kind) or current.position >= first.position:
            return None
        return first

    async def _hold(self, kind: StageKind, against: list[DomainError], target: Stage | None = None) -> None:
        unmet = [{"code": fault.code, "message": fault.message, "field": fault.field} for fault in against]
        held = {"kind": kind, "to_stage_id": target and target.id, "unmet": unmet}
        await leads.tell(LeadMoveHeld, self.actor, self.lead, self.facts | held, now=self.now)
