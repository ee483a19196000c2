"""The states of a proposal, and who may move it from which to which: one table, and nothing else moves one.

Each version has a state. A proposal's own is that of its newest version; customers see the newest that was sent,
which is another one while the next version is a draft.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain import edits
from domain.actors import Actor, ActorKind
from domain.errors import DomainError
from models import rows
from models.proposals import Proposal, ProposalState, ProposalVersion

DRAFT, IN_APPROVAL, APPROVED = ProposalState.DRAFT, ProposalState.IN_APPROVAL, ProposalState.APPROVED
SENT, VIEWED = ProposalState.SENT, ProposalState.VIEWED
ACCEPTED, DECLINED = ProposalState.ACCEPTED, ProposalState.DECLINED
EXPIRED, WITHDRAWN, SUPERSEDED = ProposalState.EXPIRED, ProposalState.WITHDRAWN, ProposalState.SUPERSEDED

# What can be edited, what the customer can answer, and what has come to its end.
EDITABLE = frozenset({DRAFT, IN_APPROVAL, APPROVED})
OPEN = frozenset({SENT, VIEWED})
ENDED = frozenset({ACCEPTED, DECLINED, EXPIRED, WITHDRAWN})
# What a proposal says of its newest version.
MIRRORED = ("title", "language", "currency", "net", "total", "valid_until")


class ProposalStateRefused(DomainError):
    """This proposal cannot be {done}: it is {state}."""


class Who(StrEnum):
    """Who moves a proposal: its seller, whoever approves, the customer by a link, or the system."""

    SELLER = "SELLER"
    APPROVER = "APPROVER"
    CUSTOMER = "CUSTOMER"
    SYSTEM = "SYSTEM"


WHO = {
    ActorKind.USER: frozenset({Who.SELLER, Who.APPROVER}),
    ActorKind.API_KEY: frozenset({Who.SELLER, Who.APPROVER}),
    ActorKind.LINK: frozenset({Who.CUSTOMER}),
    ActorKind.SYSTEM: frozenset({Who.SYSTEM}),
}


class Move(StrEnum):
    REQUEST_APPROVAL = "REQUEST_APPROVAL"
    APPROVE = "APPROVE"
    REJECT = "REJECT"
    EDIT = "EDIT"
    SEND = "SEND"
    VIEW = "VIEW"
    ACCEPT = "ACCEPT"
    DECLINE = "DECLINE"
    EXPIRE = "EXPIRE"
    WITHDRAW = "WITHDRAW"
    REVISE = "REVISE"
    AGREE = "AGREE"
    SUPERSEDE = "SUPERSEDE"
    SET_ASIDE = "SET_ASIDE"


@dataclass(frozen=True, slots=True)
class Rule:
    """From which states to which, by whom; `done` is what was done, in words. What the system sees is no edit."""

    done: str
    before: frozenset[ProposalState]
    after: ProposalState
    who: frozenset[Who]
    is_edit: bool = True


def _rule(
    done: str, before: frozenset[ProposalState] | ProposalState, after: ProposalState, *who: Who, is_edit: bool = True
) -> Rule:
    states = before if isinstance(before, frozenset) else frozenset({before})
    return Rule(done, states, after, frozenset(who), is_edit)


# REVISE makes the next version, as a draft; AGREE is what a negotiation ends in. SUPERSEDE is what becomes of a version
# when the next one is sent or agreed on, and SET_ASIDE of a draft when another version is agreed on or accepted.
RULES: Mapping[Move, Rule] = {
    Move.REQUEST_APPROVAL: _rule("put up for approval", DRAFT, IN_APPROVAL, Who.SELLER),
    Move.APPROVE: _rule("approved", IN_APPROVAL, APPROVED, Who.APPROVER),
    Move.REJECT: _rule("rejected", IN_APPROVAL, DRAFT, Who.APPROVER),
    Move.EDIT: _rule("changed", EDITABLE, DRAFT, Who.SELLER),
    Move.SEND: _rule("sent", frozenset({DRAFT, APPROVED}), SENT, Who.SELLER),
    Move.VIEW: _rule("viewed", SENT, VIEWED, Who.CUSTOMER, is_edit=False),
    Move.ACCEPT: _rule("accepted", OPEN, ACCEPTED, Who.CUSTOMER, Who.SELLER),
    Move.DECLINE: _rule("declined", OPEN, DECLINED, Who.CUSTOMER, Who.SELLER),
    Move.EXPIRE: _rule("expired", OPEN, EXPIRED, Who.SYSTEM, is_edit=False),
    Move.WITHDRAW: _rule("withdrawn", OPEN, WITHDRAWN, Who.SELLER),
    Move.REVISE: _rule("changed", OPEN | {DECLINED, EXPIRED, WITHDRAWN}, DRAFT, Who.SELLER, Who.CUSTOMER),
    Move.AGREE: _rule("agreed on", DRAFT, ACCEPTED, Who.SELLER, Who.CUSTOMER),
    Move.SET_ASIDE: _rule("set aside", EDITABLE, SUPERSEDED, Who.SELLER, Who.CUSTOMER, is_edit=False),
    Move.SUPERSEDE: _rule("superseded", OPEN, SUPERSEDED, Who.SELLER, Who.CUSTOMER, is_edit=False),
}


def may(actor: Actor, state: ProposalState, move: Move) -> bool:
    """Say whether this actor may make a move from a state, whatever else forbids it."""
    return state in RULES[move].before and bool(RULES[move].who & WHO[actor.kind])


def check(actor: Actor, state: ProposalState, move: Move) -> Rule:
    """Return the rule of a move that this actor may make from a state; raises ProposalStateRefused."""
    rule = RULES[move]
    if not may(actor, state, move):
        raise ProposalStateRefused(done=rule.done, state=state.value)
    return rule


def change(state: ProposalState) -> Move:
    """Return the move that a change of what is in a state is."""
    return Move.EDIT if state in EDITABLE else Move.REVISE


async def move(
    actor: Actor,
    proposal: Proposal,
    version: ProposalVersion,
    move: Move,
    *,
    now: datetime,
    also: Mapping[str, Any] | None = None,
) -> None:
    """Move a version of a locked proposal, and the proposal with it; `also` are more columns of the proposal.

    A version that is sent or agreed on supersedes the one that was; one that is accepted is what the proposal is from
    then on, after a draft of the next was set aside. Nothing is recorded: that is the caller's. Raises
    ProposalStateRefused.
    """
    rule = check(actor, version.state, move)
    columns: dict[str, Any] = dict(also or {})
    if move in (Move.SEND, Move.AGREE):
        await _supersede(actor, proposal, version, now=now)
        columns |= {"sent_id": version.id, "sent_at": now, "viewed_at": None, "ended_at": None}
    if move is Move.VIEW:
        columns["viewed_at"] = now
    if rule.after in ENDED:
        columns |= {"ended_at": now, "due_at": None}
    if rule.after is ACCEPTED and proposal.current_id != version.id:
        columns |= {"current_id": version.id, **{name: getattr(version, name) for name in MIRRORED}}
    if columns.get("current_id", proposal.current_id) == version.id:
        columns["state"] = rule.after
    await edits.write(version, {"state": rule.after})
    if rule.is_edit:
        columns |= {"version": proposal.version + 1, "updated_at": now}
    if columns:
        await edits.write(proposal, columns)


async def _supersede(actor: Actor, proposal: Proposal, by: ProposalVersion, *, now: datetime) -> None:
    """Let the version that customers saw until now be past, where they could still answer it."""
    if proposal.sent_id is None or proposal.sent_id == by.id:
        return
    former = await rows.read(ProposalVersion, proposal.sent_id, workspace_id=proposal.workspace_id)
    if former is not None and former.state in OPEN:
        rule = check(actor, former.state, Move.SUPERSEDE)
        await edits.write(former, {"state": rule.after})
