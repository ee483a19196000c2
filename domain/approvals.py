"""Approval of proposals: who is asked before one is sent, and what the members of the named roles say."""

from datetime import datetime
from typing import Any
from uuid import UUID

from domain import (
    approval_needs,
    edits,
    inputs,
    leads,
    local_times,
    proposal_lines,
    proposal_states,
)
from domain.actors import Actor
from domain.errors import DomainError, Faults, Required
from domain.events import Event
from domain.policy import Action
from domain.proposal_locks import Held, locked
from domain.proposal_states import Move
from domain.proposals import ProposalEmpty
from models import rows
from models.base import uuid7
from models.database import transaction
from models.proposals import Approval, ApprovalState, Proposal
from models.users import Role

OF_VERSION = "SELECT {columns} FROM approval WHERE version_id = $1 AND state = 'PENDING' ORDER BY created_at, id"


class ProposalApprovalRequested(Event):
    """The subject is the lead, here as below; the facts name the proposal, and the roles that are asked."""

    name = "proposal.approval_requested"
    subject_type = "lead"


class ProposalApprovalGiven(Event):
    """One of several that are asked has approved."""

    name = "proposal.approval_given"
    subject_type = "lead"


class ProposalApproved(Event):
    name = "proposal.approved"
    subject_type = "lead"


class ProposalRejected(Event):
    name = "proposal.rejected"
    subject_type = "lead"


class NoApprovalNeeded(DomainError):
    """No rule holds this proposal: it can be sent as it is."""


class NotAnApprover(DomainError):
    """Others decide on this proposal: {roles}."""


class OwnRequest(DomainError):
    """Somebody else has to decide on what you have asked for."""


async def request(actor: Actor, proposal_id: UUID, *, expected_version: int | None = None, now: datetime) -> Proposal:
    """Ask the roles that rules name to approve a draft, which nobody sends until they have.

    Raises NotFound, Stale, Forbidden, ProposalStateRefused, ProposalEmpty, NoApprovalNeeded.
    """
    async with transaction():
        held = await locked(actor, proposal_id, Action.UPDATE_PROPOSAL, expected_version=expected_version)
        proposal_states.check(actor, held.version.state, Move.REQUEST_APPROVAL)
        lines = await proposal_lines.of(held.version.id)
        if not lines:
            raise ProposalEmpty
        today = local_times.day_of(now, held.home.time_zone)
        needs = await approval_needs.of(held.version, lines, held.home, on=today)
        if not needs:
            raise NoApprovalNeeded
        for need in needs:
            asked = Approval(
                id=uuid7(),
                workspace_id=actor.workspace_id,
                version_id=held.version.id,
                lead_id=held.lead.id,
                rule_id=need.rule.id,
                kind=need.rule.kind,
                reason=need.reason,
                roles=need.rule.roles,
                requested_by_id=actor.user_id,
                created_at=now,
            )
            await edits.insert(asked)
        await proposal_states.move(actor, held.proposal, held.version, Move.REQUEST_APPROVAL, now=now)
        roles = sorted({role for need in needs for role in need.rule.roles})
        facts = held.facts(roles=roles, reasons=[need.reason for need in needs], requested_by_id=actor.user_id)
        await leads.tell(ProposalApprovalRequested, actor, held.lead, facts, now=now)
    return held.proposal


async def approve(
    actor: Actor, proposal_id: UUID, *, note: str | None = None, expected_version: int | None = None, now: datetime
) -> Proposal:
    """Approve what the actor's role is asked for; when all have approved, the proposal can be sent.

    An admin approves for everybody. Raises NotFound, Stale, Forbidden, ProposalStateRefused, NotAnApprover,
    OwnRequest, and faults of the input.
    """
    faults = Faults()
    said = inputs.text(faults, note, field="note")
    async with transaction():
        held, asked = await _asked(actor, proposal_id, Move.APPROVE, expected_version=expected_version)
        faults.raise_any()
        own = await _decide(actor, asked, ApprovalState.APPROVED, said, now=now)
        waiting = sorted({role for one in asked if one not in own for role in one.roles})
        if waiting:
            await edits.raise_version(held.proposal, now=now)
        else:
            await proposal_states.move(actor, held.proposal, held.version, Move.APPROVE, now=now)
        facts = held.facts(note=said, waiting_for=waiting, requested_by_id=asked[0].requested_by_id)
        event = ProposalApprovalGiven if waiting else ProposalApproved
        await leads.tell(event, actor, held.lead, facts, now=now)
    return held.proposal


async def reject(
    actor: Actor, proposal_id: UUID, *, note: str | None, expected_version: int | None = None, now: datetime
) -> Proposal:
    """Reject a proposal, which is a draft again, and say why.

    Raises NotFound, Stale, Forbidden, ProposalStateRefused, NotAnApprover, OwnRequest, and faults of the input.
    """
    faults = Faults()
    said = inputs.text(faults, note, field="note")
    if said is None:
        faults.add(Required(field="note"))
    async with transaction():
        held, asked = await _asked(actor, proposal_id, Move.REJECT, expected_version=expected_version)
        faults.raise_any()
        own = await _decide(actor, asked, ApprovalState.REJECTED, said, now=now)
        for one in asked:
            if one not in own:
                await edits.write(one, {"state": ApprovalState.OBSOLETE, "decided_at": now})
        await proposal_states.move(actor, held.proposal, held.version, Move.REJECT, now=now)
        facts = held.facts(note=said, requested_by_id=asked[0].requested_by_id)
        await leads.tell(ProposalRejected, actor, held.lead, facts, now=now)
    return held.proposal


async def _asked(
    actor: Actor, proposal_id: UUID, move: Move, *, expected_version: int | None
) -> tuple[Held, list[Approval]]:
    """Return a held proposal and the approvals that it waits for."""
    held = await locked(actor, proposal_id, Action.APPROVE_PROPOSAL, expected_version=expected_version)
    proposal_states.check(actor, held.version.state, move)
    return held, await rows.select(Approval, OF_VERSION, held.version.id)


async def _decide(
    actor: Actor, asked: list[Approval], state: ApprovalState, note: str | None, *, now: datetime
) -> list[Approval]:
    """Write what the actor says where their role is asked, and return those. Raises NotAnApprover, OwnRequest."""
    is_admin = actor.role is Role.ADMIN
    own = [one for one in asked if is_admin or actor.role in one.roles]
    if not own:
        raise NotAnApprover(roles=", ".join(sorted({role for one in asked for role in one.roles})))
    if not is_admin and any(one.requested_by_id == actor.user_id for one in own):
        raise OwnRequest
    for one in own:
        columns: dict[str, Any] = {"state": state, "decided_by_id": actor.user_id, "note": note, "decided_at": now}
        await edits.write(one, columns)
    return own
