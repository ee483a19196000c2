"""Proposals: what is offered to a lead, made and edited as a draft, sent as a version that never changes again.

Every operation locks the lead first and then the proposal, so that two at once come one after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
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
    proposal_lines,
    proposal_links,
    proposal_states,
    proposal_versions,
    selling_settings,
)
from domain.actors import Actor, system
from domain.errors import DomainError, Faults, NotFound
from domain.events import Event, changes
from domain.policy import Action
from domain.proposal_lines import Discount, LineDetails
from domain.proposal_states import DRAFT, EDITABLE, OPEN, Move
from domain.unset import UNSET, Unset
from models import rows
from models.base import uuid7
from models.contacts import Contact
from models.database import connected, read, transaction
from models.leads import Lead
from models.needs import Need
from models.negotiations import NegotiationEnding
from models.proposal_links import Party
from models.proposals import Proposal, ProposalLine, ProposalVersion
from models.selling import NumberedKind, SellingSettings
from models.workspaces import Workspace

MOST_SECTIONS = 50
MOST_PROPOSALS = 200
LONGEST_MESSAGE = 5_000
SWEPT_AT_ONCE = 200
# Its first version comes with it, and may be the first to find that there is one already.
UNIQUE = {f"proposal_{name}": "id" for name in ("pkey", "version_number_idx", "version_draft_idx")}
PRIMARY = """
SELECT contact.id, contact.language FROM lead_contact JOIN contact ON contact.id = lead_contact.contact_id
WHERE lead_id = $1 AND is_primary AND contact.deleted_at IS NULL
"""
DUE = """
SELECT p.id, p.workspace_id FROM proposal p JOIN lead ON lead.id = p.lead_id
WHERE p.due_at <= $1 AND p.deleted_at IS NULL AND lead.deleted_at IS NULL ORDER BY p.due_at LIMIT $2
"""
OBSOLETE = "UPDATE approval SET state = 'OBSOLETE', decided_at = $2 WHERE version_id = $1 AND state = 'PENDING'"


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


class ProposalExpired(Event):
    name = "proposal.expired"
    subject_type = "lead"


class ProposalDeleted(Event):
    name = "proposal.deleted"
    subject_type = "lead"


class TooManyProposals(DomainError):
    """A lead has at most {limit} proposals."""


class TooManySections(DomainError):
    """A proposal has at most {limit} sections, not {count}."""


class ProposalEmpty(DomainError):
    """The proposal has no lines: set some first."""


class ValidityPassed(DomainError):
    """The proposal is valid until {day}, which is past: give it another day."""


class ApprovalNeeded(DomainError):
    """The proposal needs approval first: {reasons}."""


class ProposalWasSent(DomainError):
    """A proposal that was sent is kept: withdraw it instead."""


class NeedOfAnotherLead(DomainError):
    """The need is none of this lead's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a proposal in words; it may name a need that it answers, and what sets us apart in that."""

    heading: str | None = None
    text: str | None = None
    need_id: UUID | None = None
    difference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalDetails:
    """What people say of a proposal; what is UNSET is left as it is, None clears it or makes it as at first."""

    title: str | Unset | None = UNSET
    contact_id: UUID | Unset | None = UNSET
    language: str | Unset | None = UNSET
    valid_until: date | Unset | None = UNSET
    terms: str | Unset | None = UNSET
    discount: Discount | Unset | None = UNSET
    sections: Sequence[Section] | Unset | None = UNSET


@dataclass(slots=True)
class Held:
    """A proposal that nobody else changes until the transaction ends, with its lead and its newest version."""

    lead: Lead
    proposal: Proposal
    version: ProposalVersion
    home: Workspace
    settings: SellingSettings

    def facts(self, **more: Any) -> dict[str, Any]:
        """Return what events say of the proposal."""
        return {
            "proposal_id": self.proposal.id,
            "proposal_version_id": self.version.id,
            "proposal_number": self.proposal.number,
            "proposal_state": self.proposal.state.value,
            "number": self.version.number,
            "total": self.version.total,
            "net": self.version.net,
            "currency_code": self.version.currency,
            **more,
        }


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
            home = await Workspace.get(id=actor.workspace_id)
            settings = await selling_settings.of(actor.workspace_id)
            await _forbid_more(faults, lead)
            code = inputs.currency(faults, currency, field="currencyCode", default=lead.currency)
            proposal, version = await _begun(lead, home, settings, key, code, now=now)
            columns = await _checked(faults, actor, details, proposal, version, home, settings, now=now)
            made = await proposal_lines.check(faults, actor, lines, currency=code, tax_rate=settings.tax_rate)
            faults.raise_any()
            _apply(proposal, version, columns)
            proposal_versions.check_amounts(faults, version, made, discount_given=True)
            faults.raise_any()
            version.update_from_dict(proposal_versions.reckoned(version, made))
            proposal.created_by_id = actor.user_id
            _mirror(proposal, version)
            proposal.number = await number_series.next(
                home.id, NumberedKind.PROPOSAL, local_times.day_of(now, home.time_zone)
            )
            await edits.insert(proposal)
            await edits.insert(version)
            await proposal_lines.write(version, made, anew=True)
            held = Held(lead, proposal, version, home, settings)
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
        _check_editable(actor, held)
        proposal, version = held.proposal, held.version
        columns = await _checked(faults, actor, details, proposal, version, held.home, held.settings, now=now)
        faults.raise_any()
        changed = _changes(proposal, version, columns)
        if not changed:
            return proposal
        lines = await proposal_lines.of(version.id)
        draft = await _draft(actor, held, lines, now=now)
        _apply(proposal, draft, columns)
        if details.discount is not UNSET:
            proposal_versions.check_amounts(faults, draft, lines, discount_given=True)
            faults.raise_any()
        await _write(actor, held, draft, lines, list(columns), now=now)
        await leads.tell(ProposalUpdated, actor, held.lead, held.facts(changes=changed), now=now)
    return proposal


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
        _check_editable(actor, held)
        version = held.version
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
        await replace_lines(actor, held, known, made, now=now)
    return held.proposal


async def replace_lines(
    actor: Actor, held: Held, known: Sequence[ProposalLine], made: Sequence[ProposalLine], *, now: datetime
) -> None:
    """Write checked lines in place of those that a held proposal has, and record it."""
    before = held.version.total
    draft = await _draft(actor, held, known, now=now, without_lines=True)
    if draft.id not in {line.version_id for line in known}:
        for line in made:
            line.id = uuid7()
    await _write(actor, held, draft, made, (), now=now)
    await proposal_lines.write(draft, made, anew=False)
    kept = {line.key for line in made}
    told = {"lines": [len(known), len(made)], "total": [before, draft.total]}
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
        await _end_approvals(held.version, now=now)
        await edits.apply(held.proposal, {"deleted_at": now}, now=now)
        await leads.tell(ProposalDeleted, actor, held.lead, held.facts(), now=now)
    return held.proposal


async def expire_due(now: datetime, *, limit: int = SWEPT_AT_ONCE) -> int:
    """Let proposals expire whose last valid day is past, and return how many were looked at; for a sweep.

    Several may run at once: each proposal is looked at again once it is locked.
    """
    due = await read(DUE, now, limit)
    for row in due:
        async with transaction():
            held = await hold(row["workspace_id"], row["id"])
            if held is None or held.proposal.due_at is None or held.proposal.due_at > now:
                continue
            await _expire(held, now=now)
    return len(due)


async def _expire(held: Held, *, now: datetime) -> None:
    version = await proposal_versions.sent(held.proposal)
    if version is None or version.state not in OPEN:
        await edits.write(held.proposal, {"due_at": None})
        return
    actor = system(held.proposal.workspace_id, task="expire_proposals")
    await proposal_states.move(actor, held.proposal, version, Move.EXPIRE, now=now)
    held.version = version
    await leads.tell(ProposalExpired, actor, held.lead, held.facts(), now=now)
    ending = NegotiationEnding.PROPOSAL_EXPIRED
    await negotiation_ends.end_with(actor, held.lead, held.proposal, ending, by=None, now=now)


async def agree(
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
    await set_aside(actor, held.lead, proposal, now=now)
    held.version = sent
    version = _following(held, now=now)
    version.number = draft.number + 1
    version.update_from_dict(dict(columns))
    own = proposal_lines.copied(lines)
    version.update_from_dict(proposal_versions.reckoned(version, own))
    await edits.insert(version)
    await proposal_lines.write(version, own, anew=True)
    await proposal_versions.freeze(proposal, version, own, held.lead, now=now)
    await proposal_states.move(actor, proposal, version, Move.AGREE, now=now, also=_mirror(proposal, version))
    held.version = version
    return version


async def set_aside(actor: Actor, lead: Lead, proposal: Proposal, *, now: datetime) -> None:
    """Keep the draft of the next version for good, where there is one, as a version that nobody was sent.

    Lead and proposal are locked. Whoever accepts or agrees on another version does this first.
    """
    draft = await proposal_versions.current(proposal)
    if draft.frozen_at is not None:
        return
    await _end_approvals(draft, now=now)
    lines = await proposal_lines.of(draft.id)
    await proposal_versions.freeze(proposal, draft, lines, lead, now=now)
    await proposal_states.move(actor, proposal, draft, Move.SET_ASIDE, now=now)


async def locked(actor: Actor, proposal_id: UUID, action: Action, *, expected_version: int | None = None) -> Held:
    """Return a proposal that the actor may do this to, locked after its lead. Raises NotFound, Stale, Forbidden."""
    known = await policy.get(actor, Proposal, proposal_id, field="id")
    lead = await policy.locked(actor, Lead, known.lead_id, field="id")
    policy.require(actor, action, lead)
    proposal = await policy.locked(actor, Proposal, proposal_id, expected_version=expected_version)
    return await _held(lead, proposal)


async def hold(workspace_id: UUID, proposal_id: UUID) -> Held | None:
    """Return a proposal locked after its lead, for whom no policy knows: a customer's link, or a sweep.

    None where it or its lead is deleted.
    """
    known = await rows.read(Proposal, proposal_id, workspace_id=workspace_id)
    lead = known and await rows.to_edit(Lead, known.lead_id, workspace_id=workspace_id)
    proposal = lead and await rows.to_edit(Proposal, proposal_id, workspace_id=workspace_id)
    if not lead or not proposal or lead.deleted_at is not None or proposal.deleted_at is not None:
        return None
    return await _held(lead, proposal)


async def _held(lead: Lead, proposal: Proposal) -> Held:
    version = await proposal_versions.current(proposal)
    home = await Workspace.get(id=proposal.workspace_id)
    return Held(lead, proposal, version, home, await selling_settings.of(home.id))


def _check_editable(actor: Actor, held: Held) -> None:
    state = held.version.state
    proposal_states.check(actor, state, Move.EDIT if state in EDITABLE else Move.REVISE)


async def _begun(
    lead: Lead, home: Workspace, settings: SellingSettings, key: UUID, currency: str, *, now: datetime
) -> tuple[Proposal, ProposalVersion]:
    """Return a proposal and its first version as they are before anything is said of them."""
    found = await read(PRIMARY, lead.id)
    contact = found[0] if found else None
    usual = {
        "title": lead.title,
        "language": (contact and contact["language"]) or home.locale,
        "currency": currency,
        "valid_until": _valid_until(home, settings, now=now),
    }
    shared = {"workspace_id": home.id, "lead_id": lead.id, "created_at": now}
    proposal = Proposal(
        id=key, contact_id=contact and contact["id"], number="", updated_at=now, sent_id=None, **shared, **usual
    )
    version = ProposalVersion(
        id=uuid7(),
        proposal_id=key,
        number=1,
        rounding=settings.rounding,
        tax_inclusive=settings.tax_inclusive,
        terms=settings.terms,
        **shared,
        **usual,
    )
    proposal.current_id = version.id
    return proposal, version


def _valid_until(home: Workspace, settings: SellingSettings, *, now: datetime) -> date:
    return local_times.day_of(now, home.time_zone) + timedelta(days=settings.validity_days)


async def _checked(
    faults: Faults,
    actor: Actor,
    details: ProposalDetails,
    proposal: Proposal,
    version: ProposalVersion,
    home: Workspace,
    settings: SellingSettings,
    *,
    now: datetime,
) -> dict[str, Any]:
    """Check what is given of a proposal and return it as columns of its version, and `contact_id` of its own."""
    columns: dict[str, Any] = {}
    if details.title is not UNSET:
        columns["title"] = inputs.name(faults, details.title, field="title")
    if not isinstance(details.contact_id, Unset):
        columns["contact_id"] = details.contact_id
        if details.contact_id != proposal.contact_id:
            await edits.referred(faults, actor, Contact, details.contact_id, field="contactId")
    if not isinstance(details.language, Unset):
        columns["language"] = inputs.language(faults, details.language, field="language") or home.locale
    if not isinstance(details.valid_until, Unset):
        columns["valid_until"] = inputs.day(faults, details.valid_until, field="validUntil")
        today = local_times.day_of(now, home.time_zone)
        if columns["valid_until"] not in (None, version.valid_until) and columns["valid_until"] < today:
            faults.add(ValidityPassed(day=columns["valid_until"].isoformat(), field="validUntil"))
    if details.terms is not UNSET:
        columns["terms"] = inputs.text(faults, details.terms, field="terms")
    if not isinstance(details.discount, Unset):
        columns["discount_percent"], columns["discount_amount"] = proposal_lines.check_discount(
            faults, details.discount, currency=version.currency, field="discount"
        )
    if not isinstance(details.sections, Unset):
        columns["sections"] = await _sections(faults, actor, proposal.lead_id, details.sections or ())
    return columns


async def _sections(faults: Faults, actor: Actor, lead_id: UUID, given: Sequence[Section]) -> list[dict[str, Any]]:
    if len(given) > MOST_SECTIONS:
        faults.add(TooManySections(limit=MOST_SECTIONS, count=len(given), field="sections"))
        return []
    wanted = {section.need_id for section in given if section.need_id}
    needs = {row.id: row for row in await policy.visible(actor, Need).filter(id__in=list(wanted))} if wanted else {}
    found = []
    for at, section in enumerate(given):
        within = f"sections.{at}"
        need = needs.get(section.need_id) if section.need_id else None
        if section.need_id and (need is None or need.deleted_at is not None):
            faults.add(NotFound(noun="need", field=f"{within}.needId"))
        elif need is not None and need.lead_id != lead_id:
            faults.add(NeedOfAnotherLead(field=f"{within}.needId"))
        found.append(
            {
                "heading": inputs.name(faults, section.heading, field=f"{within}.heading"),
                "text": inputs.text(faults, section.text, field=f"{within}.text"),
                "need_id": str(need.id) if need else None,
                "need": need.title if need else None,
                "difference": inputs.text(faults, section.difference, field=f"{within}.difference"),
            }
        )
    return found


def _changes(proposal: Proposal, version: ProposalVersion, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return those columns that differ, from and to; of sections only that they do."""
    before = {name: getattr(proposal if name == "contact_id" else version, name) for name in columns}
    found: dict[str, Any] = dict(changes(before, dict(columns)))
    if "sections" in found:
        found["sections"] = [len(part) for part in found["sections"]]
    return found


def _apply(proposal: Proposal, version: ProposalVersion, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(proposal if name == "contact_id" else version, name, value)


def _mirror(proposal: Proposal, version: ProposalVersion) -> dict[str, Any]:
    """Let a proposal say what its newest version does, and return that as columns."""
    columns = {name: getattr(version, name) for name in proposal_states.MIRRORED}
    columns |= {"current_id": version.id}
    for name, value in columns.items():
        setattr(proposal, name, value)
    return columns


async def _draft(
    actor: Actor, held: Held, lines: Sequence[ProposalLine], *, now: datetime, without_lines: bool = False
) -> ProposalVersion:
    """Return the draft of a held proposal that can be edited: its newest version, or the next one, with its lines."""
    version = held.version
    if version.frozen_at is None:
        return version
    proposal_states.check(actor, version.state, Move.REVISE)
    draft = _following(held, now=now)
    await edits.insert(draft)
    if not without_lines:
        await proposal_lines.write(draft, proposal_lines.copied(lines), anew=True)
    held.version = draft
    return draft


def _following(held: Held, *, now: datetime) -> ProposalVersion:
    today = local_times.day_of(now, held.home.time_zone)
    days = held.settings.validity_days
    return proposal_versions.following(held.proposal, held.version, today=today, validity_days=days, now=now)


async def _write(
    actor: Actor,
    held: Held,
    draft: ProposalVersion,
    lines: Sequence[ProposalLine],
    names: Sequence[str],
    *,
    now: datetime,
) -> None:
    """Write an edited draft with what it comes to, and the proposal with it, as one edit."""
    amounts = proposal_versions.reckoned(draft, lines)
    draft.update_from_dict(amounts)
    written = [name for name in names if name != "contact_id"] + list(amounts)
    await edits.write(draft, {name: getattr(draft, name) for name in written})
    columns = _mirror(held.proposal, draft) | {"contact_id": held.proposal.contact_id}
    if draft.state is not DRAFT:
        await _end_approvals(draft, now=now)
    # An edit of what waits for approval, or has it, makes it a draft again.
    await proposal_states.move(actor, held.proposal, draft, Move.EDIT, now=now, also=columns)


async def _end_approvals(version: ProposalVersion, *, now: datetime) -> None:
    await connected().fetch(OBSOLETE, [version.id, now])


async def _forbid_more(faults: Faults, lead: Lead) -> None:
    if await Proposal.filter(lead_id=lead.id, deleted_at=None).count() >= MOST_PROPOSALS:
        faults.add(TooManyProposals(limit=MOST_PROPOSALS))
