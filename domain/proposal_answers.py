"""What customers answer to a proposal by their link, and what members record of what they said.

Whoever answers, the lead is locked first, then the proposal, then its version; acceptance, its evidence and its event
are one transaction. Of two who answer at once one is taken, and the other is told how it stands.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import (
    edits,
    inputs,
    leads,
    negotiation_ends,
    policy,
    proposal_drafts,
    proposal_lines,
    proposal_links,
    proposal_locks,
    proposal_states,
    public_proposals,
)
from domain.actors import Actor
from domain.errors import DomainError, Faults, Malformed, NotFound, RateLimited, Required
from domain.events import Event
from domain.policy import Action
from domain.pricing import Totals
from domain.proposal_links import ProposalNotSent
from domain.proposal_states import Move
from domain.public_proposals import ProposalWithdrawn, PublicState
from domain.tokens import EndedLink, LinkRevoked
from models.base import uuid7
from models.database import transaction
from models.leads import Lead
from models.negotiations import NegotiationEnding
from models.proposal_links import Evidence, EvidenceKind, Party, ProposalLink, ProposalQuestion
from models.proposals import Proposal, ProposalLine, ProposalState, ProposalVersion
from models.workspaces import Workspace

LONGEST_NAME, LONGEST_REASON, LONGEST_QUESTION, LONGEST_ANSWER = 200, 2_000, 2_000, 5_000
LONGEST_AGENT = 500
SHA256 = re.compile(r"[0-9a-f]{64}")
# Questions by one link within an hour, and about one proposal at all.
HOURLY_QUESTIONS, MOST_QUESTIONS = 10, 200
HOUR = timedelta(hours=1)


class ProposalAccepted(Event):
    name = "proposal.accepted"
    subject_type = "lead"


class ProposalDeclined(Event):
    name = "proposal.declined"
    subject_type = "lead"


class ProposalQuestionAsked(Event):
    name = "proposal.question_asked"
    subject_type = "lead"


class ProposalQuestionAnswered(Event):
    name = "proposal.question_answered"
    subject_type = "lead"


class ProposalChanged(DomainError):
    """This version was superseded: look at the one that is sent now, whose sha256 is {sha256}."""


class NoSuchVersion(DomainError):
    """No version of this proposal has this sha256: give that of the version that was seen."""


class ProposalAlreadyAccepted(DomainError):
    """This proposal was accepted already, by {name} on {at}."""


class ProposalAlreadyDeclined(DomainError):
    """This proposal was declined already, on {at}: ask for a new one."""


class ProposalExpired(DomainError):
    """This proposal was valid until {day}: ask for a new one."""


class NoSuchOption(DomainError):
    """This proposal has no optional line {key}."""


class TooManyQuestions(DomainError):
    """At most {limit} questions can be asked about a proposal."""


class QuestionAnswered(DomainError):
    """This question was answered already: pass `replace` to answer it otherwise."""


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody says to a version.

    `sha256` is that of the version that they saw; `options` are the keys of the optional lines that they take, None
    being those that the seller chose beforehand. `consent` is what they read above the button.
    """

    name: str | None = None
    sha256: str | None = None
    options: Collection[UUID] | None = None
    reason: str | None = None
    consent: str | None = None
    address: str | None = None
    user_agent: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Held:
    """A proposal that is answered, locked with its lead and the version that was sent last."""

    lead: Lead
    proposal: Proposal
    version: ProposalVersion
    actor: Actor
    link: ProposalLink | None = None

    @property
    def facts(self) -> dict[str, Any]:
        link = {"link_id": self.link.id} if self.link else {}
        return {
            "proposal_id": self.proposal.id,
            "proposal_version_id": self.version.id,
            "proposal_number": self.proposal.number,
            "proposal_state": self.proposal.state.value,
            **link,
        }


# Accepting


async def accept(link_id: UUID, given: Given, *, now: datetime) -> Evidence:
    """Accept the version that somebody with a link saw; the same once more is accepted once.

    Raises InvalidLink, EndedLink, ProposalWithdrawn, ProposalChanged, NoSuchVersion, ProposalAlreadyAccepted,
    ProposalAlreadyDeclined, ProposalExpired, and faults of the input.
    """
    async with transaction():
        held = await _by_link(link_id, now=now)
        await _must_have_seen(held.version, given)
        return await _accept(held, given, now=now)


async def accept_for(actor: Actor, proposal_id: UUID, given: Given, *, now: datetime) -> Evidence:
    """Record that a customer accepted the version that was sent last; the evidence names the member.

    Raises NotFound, Forbidden, ProposalNotSent and what `accept` raises, but for links.
    """
    async with transaction():
        return await _accept(await _by_member(actor, proposal_id, given), given, now=now)


async def _accept(held: _Held, given: Given, *, now: datetime) -> Evidence:
    version = held.version
    faults = Faults()
    name = inputs.name(faults, given.name, field="name", limit=LONGEST_NAME)
    lines = await proposal_lines.of(version.id)
    chosen = _chosen(faults, lines, given.options)
    if version.state is ProposalState.ACCEPTED:
        return await _accepted_already(held, name, chosen)
    await _refuse_ended(held, now=now)
    faults.raise_any()
    totals = public_proposals.totals(version, lines, chosen)
    said = {"options": [str(line.key) for line in lines if line.key in chosen], "net": totals.net, "tax": totals.tax}
    read = {"consent": given.consent} if given.consent else {}
    evidence = await _keep(held, EvidenceKind.ACCEPTED, name, given, totals, said | read, now=now)
    await proposal_drafts.set_aside(held.actor, held.lead, held.proposal, now=now)
    await proposal_states.move(held.actor, held.proposal, version, Move.ACCEPT, now=now)
    await edits.write(held.proposal, {"net": totals.net, "total": totals.total})
    facts = held.facts | said | {"evidence_id": evidence.id, "total": totals.total, "currency_code": version.currency}
    await leads.tell(ProposalAccepted, held.actor, held.lead, facts, now=now)
    await _end_negotiation(held, NegotiationEnding.PROPOSAL_ACCEPTED, now=now)
    return evidence


async def _accepted_already(held: _Held, name: str, chosen: Collection[UUID]) -> Evidence:
    """Return the evidence where the same was accepted by the same; raises ProposalAlreadyAccepted."""
    known = await _acceptance(held.version)
    by = (held.link.id if held.link else None, held.actor.user_id)
    same = (known.link_id, known.user_id) == by and known.name == name
    if same and known.kind is EvidenceKind.ACCEPTED and {UUID(key) for key in known.facts["options"]} == set(chosen):
        return known
    raise ProposalAlreadyAccepted(name=known.name, at=known.created_at.isoformat())


def _chosen(faults: Faults, lines: Collection[ProposalLine], options: Collection[UUID] | None) -> Collection[UUID]:
    if options is None:
        return public_proposals.usual(list(lines))
    known = {line.key for line in lines if line.optional}
    for place, key in enumerate(options):
        if key not in known:
            faults.add(NoSuchOption(key=key, field=f"options.{place}"))
    return frozenset(options)


# Declining


async def decline(link_id: UUID, given: Given, *, now: datetime) -> Evidence:
    """Decline the version that somebody with a link saw; the same once more is declined once.

    Raises what `accept` raises.
    """
    async with transaction():
        held = await _by_link(link_id, now=now)
        await _must_have_seen(held.version, given)
        return await _decline(held, given, now=now)


async def decline_for(actor: Actor, proposal_id: UUID, given: Given, *, now: datetime) -> Evidence:
    """Record that a customer declined the version that was sent last; the evidence names the member.

    Raises what `accept_for` raises.
    """
    async with transaction():
        return await _decline(await _by_member(actor, proposal_id, given), given, now=now)


async def _decline(held: _Held, given: Given, *, now: datetime) -> Evidence:
    version = held.version
    faults = Faults()
    name = inputs.name(faults, given.name, field="name", limit=LONGEST_NAME) if (given.name or "").strip() else ""
    reason = inputs.text(faults, given.reason, field="reason", limit=LONGEST_REASON)
    if not (given.reason or "").strip():
        faults.add(Required(field="reason"))
    if version.state is ProposalState.DECLINED:
        known = await Evidence.filter(version_id=version.id, kind=EvidenceKind.DECLINED).order_by("-created_at").first()
        same = known is not None and known.link_id == (held.link.id if held.link else None)
        if known is not None and same and known.user_id == held.actor.user_id:
            return known
    await _refuse_ended(held, now=now)
    faults.raise_any()
    lines = await proposal_lines.of(version.id)
    totals = public_proposals.totals(version, lines, public_proposals.usual(lines))
    evidence = await _keep(held, EvidenceKind.DECLINED, name, given, totals, {"reason": reason}, now=now)
    await proposal_states.move(held.actor, held.proposal, version, Move.DECLINE, now=now)
    # What was written stands in the evidence only, so that what is deleted is gone.
    facts = held.facts | {"evidence_id": evidence.id}
    await leads.tell(ProposalDeclined, held.actor, held.lead, facts, now=now)
    await _end_negotiation(held, NegotiationEnding.PROPOSAL_DECLINED, now=now)
    return evidence


# What both have in common


async def _by_link(link_id: UUID, *, now: datetime) -> _Held:
    known = await proposal_links.opening(link_id, now=now)
    page = proposal_links.page(known.workspace_id)
    try:
        lead, proposal = await proposal_locks.with_lead(page, known.proposal_id)
    except NotFound as gone:
        raise EndedLink from gone
    # Somebody may have revoked it meanwhile.
    link = await policy.locked(page, ProposalLink, link_id)
    if link.revoked_at is not None:
        raise LinkRevoked
    if proposal.sent_id is None:
        raise EndedLink
    version = await policy.locked(page, ProposalVersion, proposal.sent_id)
    if version.state is ProposalState.WITHDRAWN:
        raise ProposalWithdrawn
    return _Held(lead, proposal, version, proposal_links.customer(link), link)


async def _by_member(actor: Actor, proposal_id: UUID, given: Given) -> _Held:
    lead, proposal = await proposal_locks.with_lead(actor, proposal_id, field="proposalId")
    policy.require(actor, Action.RECORD_ANSWER, lead)
    if proposal.sent_id is None:
        raise ProposalNotSent(field="proposalId")
    version = await policy.locked(actor, ProposalVersion, proposal.sent_id, field="proposalId")
    if given.sha256 is not None:
        await _must_have_seen(version, given)
    if version.state is ProposalState.WITHDRAWN:
        raise ProposalWithdrawn(field="proposalId")
    return _Held(lead, proposal, version, actor)


async def _must_have_seen(version: ProposalVersion, given: Given) -> None:
    """Refuse an answer to another version than that which is sent now."""
    if not given.sha256:
        raise Required(field="sha256")
    if not SHA256.fullmatch(given.sha256):
        raise Malformed(field="sha256", what="the sha256 of a version")
    if given.sha256 != version.sha256:
        if not await ProposalVersion.exists(proposal_id=version.proposal_id, sha256=given.sha256):
            raise NoSuchVersion(field="sha256")
        raise ProposalChanged(field="sha256", sha256=version.sha256)


async def _refuse_ended(held: _Held, *, now: datetime) -> None:
    """Refuse an answer to what was answered before, or is not valid any more."""
    version = held.version
    home = await Workspace.get(id=version.workspace_id)
    match public_proposals.state_of(version, home, now=now):
        case PublicState.ACCEPTED:
            known = await _acceptance(version)
            raise ProposalAlreadyAccepted(name=known.name, at=known.created_at.isoformat())
        case PublicState.DECLINED:
            at = held.proposal.ended_at or now
            raise ProposalAlreadyDeclined(at=at.isoformat())
        case PublicState.EXPIRED:
            raise ProposalExpired(day=version.valid_until)


async def _end_negotiation(held: _Held, ending: NegotiationEnding, *, now: datetime) -> None:
    await negotiation_ends.end_with(held.actor, held.lead, held.proposal, ending, by=Party.BUYER, now=now)


async def _acceptance(version: ProposalVersion) -> Evidence:
    known = await public_proposals.acceptance(version.id)
    assert known, "what was accepted has evidence"
    return known


async def _keep(
    held: _Held, kind: EvidenceKind, name: str, given: Given, totals: Totals, said: dict[str, Any], *, now: datetime
) -> Evidence:
    evidence = Evidence(
        id=uuid7(),
        workspace_id=held.version.workspace_id,
        kind=kind,
        party=Party.BUYER,
        proposal_id=held.proposal.id,
        version_id=held.version.id,
        lead_id=held.lead.id,
        link_id=held.link.id if held.link else None,
        user_id=held.actor.user_id,
        name=name,
        address=given.address,
        user_agent=(given.user_agent or "")[:LONGEST_AGENT] or None,
        sha256=held.version.sha256 or "",
        total=totals.total,
        facts={key: str(value) if not isinstance(value, list) else value for key, value in said.items()},
        created_at=now,
    )
    await edits.insert(evidence)
    return evidence


# Questions


async def ask(link_id: UUID, *, name: str | None, text: str | None, now: datetime) -> ProposalQuestion:
    """Ask a question about a proposal by a link; the same once more is asked once.

    Raises InvalidLink, EndedLink, ProposalWithdrawn, RateLimited, TooManyQuestions, and faults of the input.
    """
    faults = Faults()
    called = inputs.name(faults, name, field="name", limit=LONGEST_NAME)
    asked = inputs.text(faults, text, field="text", limit=LONGEST_QUESTION)
    if asked is None:
        faults.add(Required(field="text"))
    faults.raise_any()
    async with transaction():
        held = await _by_link(link_id, now=now)
        mine = ProposalQuestion.filter(link_id=link_id)
        if (last := await mine.order_by("-asked_at", "-id").first()) and (last.name, last.text) == (called, asked):
            return last
        lately = await mine.filter(asked_at__gt=now - HOUR).order_by("asked_at")
        if len(lately) >= HOURLY_QUESTIONS:
            raise RateLimited(seconds=max(1, round((lately[-HOURLY_QUESTIONS].asked_at + HOUR - now).total_seconds())))
        if await ProposalQuestion.filter(proposal_id=held.proposal.id).count() >= MOST_QUESTIONS:
            raise TooManyQuestions(limit=MOST_QUESTIONS)
        question = ProposalQuestion(
            id=uuid7(),
            workspace_id=held.version.workspace_id,
            proposal_id=held.proposal.id,
            version_id=held.version.id,
            lead_id=held.lead.id,
            link_id=link_id,
            name=called,
            text=asked,
            asked_at=now,
        )
        await edits.insert(question)
        facts = held.facts | {"question_id": question.id}
        await leads.tell(ProposalQuestionAsked, held.actor, held.lead, facts, now=now)
    return question


async def answer_question(
    actor: Actor, question_id: UUID, *, answer: str | None, replace: bool = False, now: datetime
) -> ProposalQuestion:
    """Answer a customer's question, on the page of all who have a link; with `replace`, otherwise than before.

    Raises NotFound, Forbidden, QuestionAnswered, and faults of the input.
    """
    faults = Faults()
    told = inputs.text(faults, answer, field="answer", limit=LONGEST_ANSWER)
    if told is None:
        faults.add(Required(field="answer"))
    async with transaction():
        known = await policy.visible(actor, ProposalQuestion).filter(id=question_id).first()
        if known is None:
            raise NotFound(noun="proposal question", field="id")
        lead, proposal = await proposal_locks.with_lead(actor, known.proposal_id)
        policy.require(actor, Action.ANSWER_QUESTION, lead)
        question = await policy.locked(actor, ProposalQuestion, question_id)
        faults.raise_any()
        if question.answer == told:
            return question
        if question.answer is not None and not replace:
            raise QuestionAnswered(field="answer")
        await edits.write(question, {"answer": told, "answered_by_id": actor.user_id, "answered_at": now})
        facts = {
            "proposal_id": proposal.id,
            "proposal_version_id": question.version_id,
            "proposal_number": proposal.number,
            "question_id": question.id,
        }
        await leads.tell(ProposalQuestionAnswered, actor, lead, facts, now=now)
    return question
