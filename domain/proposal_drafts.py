"""Drafts of proposals: the first version, and the next ones, until they are sent or set aside."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from domain import edits, local_times, proposal_lines, proposal_states, proposal_versions
from domain.actors import Actor
from domain.events import changes
from domain.proposal_locks import Held
from domain.proposal_states import DRAFT, EDITABLE, Move
from models.base import uuid7
from models.database import connected, read
from models.leads import Lead
from models.proposals import Proposal, ProposalLine, ProposalVersion
from models.selling import SellingSettings
from models.workspaces import Workspace

PRIMARY = """
SELECT contact.id, contact.language FROM lead_contact JOIN contact ON contact.id = lead_contact.contact_id
WHERE lead_id = $1 AND is_primary AND contact.deleted_at IS NULL
"""
OBSOLETE = "UPDATE approval SET state = 'OBSOLETE', decided_at = $2 WHERE version_id = $1 AND state = 'PENDING'"


async def begun(
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


def check_editable(actor: Actor, held: Held) -> None:
    state = held.version.state
    proposal_states.check(actor, state, Move.EDIT if state in EDITABLE else Move.REVISE)


def differences(proposal: Proposal, version: ProposalVersion, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return those columns that differ, from and to; of sections only that they do."""
    before = {name: getattr(proposal if name == "contact_id" else version, name) for name in columns}
    found: dict[str, Any] = dict(changes(before, dict(columns)))
    if "sections" in found:
        found["sections"] = [len(part) for part in found["sections"]]
    return found


def apply(proposal: Proposal, version: ProposalVersion, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(proposal if name == "contact_id" else version, name, value)


def mirror(proposal: Proposal, version: ProposalVersion) -> dict[str, Any]:
    """Let a proposal say what its newest version does, and return that as columns."""
    columns = {name: getattr(version, name) for name in proposal_states.MIRRORED}
    columns |= {"current_id": version.id}
    for name, value in columns.items():
        setattr(proposal, name, value)
    return columns


async def to_edit(
    actor: Actor, held: Held, lines: Sequence[ProposalLine], *, now: datetime, without_lines: bool = False
) -> ProposalVersion:
    """Return the draft of a held proposal that can be edited: its newest version, or the next one, with its lines."""
    version = held.version
    if version.frozen_at is None:
        return version
    proposal_states.check(actor, version.state, Move.REVISE)
    draft = following(held, now=now)
    await edits.insert(draft)
    if not without_lines:
        await proposal_lines.write(draft, proposal_lines.copied(lines), anew=True)
    held.version = draft
    return draft


def following(held: Held, *, now: datetime) -> ProposalVersion:
    today = local_times.day_of(now, held.home.time_zone)
    days = held.settings.validity_days
    return proposal_versions.following(held.proposal, held.version, today=today, validity_days=days, now=now)


async def write(
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
    columns = mirror(held.proposal, draft) | {"contact_id": held.proposal.contact_id}
    if draft.state is not DRAFT:
        await end_approvals(draft, now=now)
    # An edit of what waits for approval, or has it, makes it a draft again.
    await proposal_states.move(actor, held.proposal, draft, Move.EDIT, now=now, also=columns)


async def end_approvals(version: ProposalVersion, *, now: datetime) -> None:
    await connected().fetch(OBSOLETE, [version.id, now])


async def set_aside(actor: Actor, lead: Lead, proposal: Proposal, *, now: datetime) -> None:
    """Keep the draft of the next version for good, where there is one, as a version that nobody was sent.

    Lead and proposal are locked. Whoever accepts or agrees on another version does this first.
    """
    draft = await proposal_versions.current(proposal)
    if draft.frozen_at is not None:
        return
    await end_approvals(draft, now=now)
    lines = await proposal_lines.of(draft.id)
    await proposal_versions.freeze(proposal, draft, lines, lead, now=now)
    await proposal_states.move(actor, proposal, draft, Move.SET_ASIDE, now=now)
