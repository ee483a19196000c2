"""Proposals: what is offered to a lead, made and edited as a draft, sent as a version that never changes again.

Every operation locks the lead first and then the proposal, so that two at once come one after the other.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain import (
    approval_needs,
    edits,
    inputs,
    leads,
    local_times,
    negotiation_ends,
    number_series,
    policy,
    proposal_details,
    proposal_drafts,
    proposal_lines,
    proposal_links,
    proposal_states,
    proposal_versions,
)
from domain.actors import Actor
from domain.errors import DomainError, Faults
from domain.events import Event
from domain.policy import Action
from domain.proposal_details import ProposalDetails, ValidityPassed
from domain.proposal_lines import LineDetails
from domain.proposal_locks import Held, locked
from domain.proposal_states import DRAFT, Move
from domain.unset import UNSET
from models.base import uuid7
from models.database import transaction
from models.leads import Lead
from models.negotiations import NegotiationEnding
from models.proposal_links import Party
from models.proposals import Proposal, ProposalLine
from models.selling import NumberedKind

MOST_PROPOSALS = 200
LONGEST_MESSAGE = 5_000
# Its first version comes with it, and may be the first to find that there is one already.
UNIQUE = {f"proposal_{name}": "id" for name in ("pkey", "version_number_idx", "version_draft_idx")}


class ProposalCreated(Event):
    """The subject is the lead, here as below; the facts name the proposal."""

    name = "proposal.created"
    subject_type = "lead"


class ProposalUpdated(Event):
    name = "proposal.updated"
    subject_type = "lead"


class ProposalSent(Event):
    name = "proposal.sent"
    subject_type = "lead"


class ProposalWithdrawn(Event):
    name = "proposal.withdrawn"
    subject_type = "lead"


class ProposalDeleted(Event):
    name = "proposal.deleted"
    subject_type = "lead"


class TooManyProposals(DomainError):
    """A lead has at most {limit} proposals."""


class ProposalEmpty(DomainError):
    """The proposal has no lines: set some first."""


class ApprovalNeeded(DomainError):
    """The proposal needs approval first: {reasons}."""


class ProposalWasSent(DomainError):
    """A proposal that was sent is kept: withdraw it instead."""


async def create(
    actor: Actor,
    lead_id: UUID,
    details: ProposalDetails,
    *,
    currency: str | None = None,
    lines: Sequence[LineDetails] = (),
    id: UUID | None = None,
    now: datetime,
) -> Proposal:
    """Make a draft of a proposal to a lead, which says what the workspace usually does where nothing is said.

    Raises NotFound, Forbidden, AlreadyExists (id), TooManyProposals, and faults of the input.
    """
    faults = Faults()
    key = edits.new_id(faults, id)
    with edits.collisions("proposal", UNIQUE):
        async with transaction():
            lead = await policy.locked(actor, Lead, lead_id, field="leadId")
            policy.require(actor, Action.CREATE_PROPOSAL, lead)
            await _forbid_more(faults, lead)
            code = inputs.currency(faults, currency, field="currencyCode", default=lead.currency)
            held = await proposal_drafts.begun(lead, key, code, now=now)
            proposal, version = held.proposal, held.version
            columns = await proposal_details.check(faults, actor, details, held, now=now)
            made = await proposal_lines.check(faults, actor, lines, currency=code, tax_rate=held.settings.tax_rate)
            faults.raise_any()
            proposal_drafts.apply(held, columns)
            proposal_versions.check_amounts(faults, version, made, discount_given=True)
            faults.raise_any()
            version.update_from_dict(proposal_versions.reckoned(version, made))
            proposal.created_by_id = actor.user_id
            proposal_drafts.mirror(held)
            today = local_times.day_of(now, held.home.time_zone)
            proposal.number = await number_series.next(held.home.id, NumberedKind.PROPOSAL, today)
            await edits.insert(proposal)
            await edits.insert(version)
            await proposal_lines.write(version, made, anew=True)
            await leads.tell(ProposalCreated, actor, lead, held.facts(), now=now)
    return proposal


async def update(
    actor: Actor,
    proposal_id: UUID,
    details: ProposalDetails,
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Proposal:
    """Change what is given of a proposal; of one that was sent, in a draft of the next version.

    Approval that it had or waits for has to be asked for again. Raises NotFound, Stale, Forbidden,
    ProposalStateRefused, TooManyVersions, and faults of the input.
    """
    faults = Faults()
    async with transaction():
        held = await locked(actor, proposal_id, Action.UPDATE_PROPOSAL, expected_version=expected_version)
        proposal_states.check(actor, held.version.state, proposal_states.change(held.version.state))
        columns = await proposal_details.check(faults, actor, details, held, now=now)
        faults.raise_any()
        changed = proposal_drafts.differences(held, columns)
        if not changed:
            return held.proposal
        lines = await proposal_lines.of(held.version.id)
        await proposal_drafts.begin_next(held, lines, now=now)
        proposal_drafts.apply(held, columns)
        if details.discount is not UNSET:
            proposal_versions.check_amounts(faults, held.version, lines, discount_given=True)
            faults.raise_any()
        await proposal_drafts.write(actor, held, lines, columns, now=now)
        await leads.tell(ProposalUpdated, actor, held.lead, held.facts(changes=changed), now=now)
    return held.proposal


async def set_lines(
    actor: Actor,
    proposal_id: UUID,
    lines: Sequence[LineDetails],
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Proposal:
    """Set all lines of a proposal; of one that was sent, in a draft of the next version.

    A line with the key of a known one keeps what is not said of it; known lines that are not among these go. Raises
    NotFound, Stale, Forbidden, ProposalStateRefused, TooManyVersions, and faults of the input.
    """
    faults = Faults()
    async with transaction():
        held = await locked(actor, proposal_id, Action.UPDATE_PROPOSAL, expected_version=expected_version)
        version = held.version
        proposal_states.check(actor, version.state, proposal_states.change(version.state))
        known = await proposal_lines.of(version.id)
        made = await proposal_lines.check(
            faults, actor, lines, currency=version.currency, tax_rate=held.settings.tax_rate, known=known
        )
        faults.raise_any()
        proposal_versions.check_amounts(faults, version, made, discount_given=False)
        faults.raise_any()
        if [(line.key, *proposal_lines.said(line)) for line in known] == [
            (line.key, *proposal_lines.said(line)) for line in made
        ]:
            return held.proposal
        await _replace_lines(actor, held, known, made, now=now)
    return held.proposal


async def _replace_lines(
    actor: Actor, held: Held, known: Sequence[ProposalLine], made: Sequence[ProposalLine], *, now: datetime
) -> None:
    """Write checked lines in place of those that a held proposal has, and record it."""
    before = held.version
    await proposal_drafts.begin_next(held, (), now=now)
    if held.version is not before:
        for line in made:
            line.id = uuid7()
    total = before.total
    await proposal_drafts.write(actor, held, made, (), now=now)
    await proposal_lines.write(held.version, made, anew=False)
    kept = {line.key for line in made}
    told = {"lines": [len(known), len(made)], "total": [total, held.version.total]}
    removed = [str(line.key) for line in known if line.key not in kept]
    await leads.tell(ProposalUpdated, actor, held.lead, held.facts(changes=told, removed_lines=removed[:100]), now=now)


async def send(
    actor: Actor,
    proposal_id: UUID,
    *,
    message: str | None = None,
    expected_version: int | None = None,
    now: datetime,
) -> Proposal:
    """Send a proposal: its draft becomes a version for good, which customers see from now on.

    A worker mails it to them, with the sender's `message`. Raises NotFound, Stale, Forbidden, ProposalStateRefused,
    ProposalEmpty, ValidityPassed, ApprovalNeeded, and faults of the input.
    """
    faults = Faults()
    said = inputs.text(faults, message, field="message", limit=LONGEST_MESSAGE)
    async with transaction():
        held = await locked(actor, proposal_id, Action.SEND_PROPOSAL, expected_version=expected_version)
        faults.raise_any()
        proposal, version = held.proposal, held.version
        proposal_states.check(actor, version.state, Move.SEND)
        lines = await proposal_lines.of(version.id)
        if not lines:
            raise ProposalEmpty
        today = local_times.day_of(now, held.home.time_zone)
        if version.valid_until is not None and version.valid_until < today:
            raise ValidityPassed(day=version.valid_until.isoformat())
        if version.state is DRAFT and (needs := await approval_needs.of(version, lines, held.home, on=today)):
            raise ApprovalNeeded(reasons="; ".join(need.words for need in needs))
        await proposal_versions.freeze(proposal, version, lines, held.lead, now=now)
        due_at = version.valid_until and local_times.end_of(version.valid_until, held.home.time_zone)
        await proposal_states.move(actor, proposal, version, Move.SEND, now=now, also={"due_at": due_at})
        await proposal_links.link_for(actor, proposal, proposal.contact_id, lead=held.lead, now=now)
        await leads.tell(ProposalSent, actor, held.lead, held.facts(sha256=version.sha256, message=said), now=now)
        ending = NegotiationEnding.PROPOSAL_SENT_ANEW
        await negotiation_ends.end_with(actor, held.lead, proposal, ending, by=Party.SELLER, now=now)
    return proposal


async def withdraw(
    actor: Actor, proposal_id: UUID, *, reason: str | None = None, expected_version: int | None = None, now: datetime
) -> Proposal:
    """Take back the version that the customer sees; a draft of the next one stays.

    Raises NotFound, Stale, Forbidden, ProposalStateRefused, and faults of the input.
    """
    faults = Faults()
    why = inputs.text(faults, reason, field="reason")
    async with transaction():
        held = await locked(actor, proposal_id, Action.SEND_PROPOSAL, expected_version=expected_version)
        faults.raise_any()
        version = await proposal_versions.sent(held.proposal)
        if version is None:
            proposal_states.check(actor, held.version.state, Move.WITHDRAW)
        assert version
        await proposal_states.move(actor, held.proposal, version, Move.WITHDRAW, now=now)
        held.version = version
        await leads.tell(ProposalWithdrawn, actor, held.lead, held.facts(reason=why), now=now)
        ending = NegotiationEnding.PROPOSAL_WITHDRAWN
        await negotiation_ends.end_with(actor, held.lead, held.proposal, ending, by=Party.SELLER, now=now)
    return held.proposal


async def delete(actor: Actor, proposal_id: UUID, *, expected_version: int | None = None, now: datetime) -> Proposal:
    """Delete a proposal that was never sent. Raises NotFound, Stale, Forbidden, ProposalWasSent."""
    async with transaction():
        held = await locked(actor, proposal_id, Action.DELETE_PROPOSAL, expected_version=expected_version)
        if held.proposal.sent_id is not None:
            raise ProposalWasSent
        await proposal_drafts.end_approvals(held.version, now=now)
        await edits.apply(held.proposal, {"deleted_at": now}, now=now)
        await leads.tell(ProposalDeleted, actor, held.lead, held.facts(), now=now)
    return held.proposal


async def _forbid_more(faults: Faults, lead: Lead) -> None:
    if await Proposal.filter(lead_id=lead.id, deleted_at=None).count() >= MOST_PROPOSALS:
        faults.add(TooManyProposals(limit=MOST_PROPOSALS))
