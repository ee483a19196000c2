"""Drafts of proposals: the first version, and the next ones, until they are sent or set aside."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import edits, local_times, proposal_lines, proposal_states, proposal_versions, selling_settings
from domain.actors import Actor
from domain.events import changes
from domain.proposal_locks import Held
from domain.proposal_states import DRAFT, Move
from models.base import uuid7
from models.database import connected, read
from models.leads import Lead
from models.proposals import Proposal, ProposalLine, ProposalVersion
from models.workspaces import Workspace

PRIMARY = """
SELECT contact.id, contact.language FROM lead_contact JOIN contact ON contact.id = lead_contact.contact_id
WHERE lead_id = $1 AND is_primary AND contact.deleted_at IS NULL
"""
OBSOLETE = "UPDATE approval SET state = 'OBSOLETE', decided_at = $2 WHERE version_id = $1 AND state = 'PENDING'"


async def begun(lead: Lead, key: UUID, currency: str, *, now: datetime) -> Held:
    """Return a proposal and its first version, not written yet, as they are before anything is said of them."""
    home = await Workspace.get(id=lead.workspace_id)
    settings = await selling_settings.of(home.id)
    found = await read(PRIMARY, lead.id)
    contact = found[0] if found else None
    usual = {
        "title": lead.title,
        "language": (contact and contact["language"]) or home.locale,
        "currency": currency,
        "valid_until": local_times.day_of(now, home.time_zone) + timedelta(days=settings.validity_days),
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
    return Held(lead, proposal, version, home, settings)


def differences(held: Held, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return those columns that differ, from and to; of sections only that they do."""
    before = {name: getattr(_bearer(held, name), name) for name in columns}
    found: dict[str, Any] = dict(changes(before, dict(columns)))
    if "sections" in found:
        found["sections"] = [len(part) for part in found["sections"]]
    return found


def apply(held: Held, columns: Mapping[str, Any]) -> None:
    """Let a held proposal and its draft say this, without writing it."""
    for name, value in columns.items():
        setattr(_bearer(held, name), name, value)


def _bearer(held: Held, name: str) -> Proposal | ProposalVersion:
    return held.proposal if name == "contact_id" else held.version


def mirror(held: Held) -> dict[str, Any]:
    """Let a held proposal say what its newest version does, and return that as columns."""
    columns = {name: getattr(held.version, name) for name in proposal_states.MIRRORED}
    columns |= {"current_id": held.version.id}
    held.proposal.update_from_dict(columns)
    return columns


async def begin_next(held: Held, lines: Sequence[ProposalLine], *, now: datetime) -> None:
    """Let a held proposal have a draft: after a frozen version the next, with these lines. Raises TooManyVersions."""
    if held.version.frozen_at is None:
        return
    held.version = following(held, now=now)
    await edits.insert(held.version)
    await proposal_lines.write(held.version, proposal_lines.copied(lines), anew=True)


def following(held: Held, *, now: datetime) -> ProposalVersion:
    """Return the version after that which is held, not written yet. Raises TooManyVersions."""
    today = local_times.day_of(now, held.home.time_zone)
    days = held.settings.validity_days
    return proposal_versions.following(held.proposal, held.version, today=today, validity_days=days, now=now)


async def write(
    actor: Actor, held: Held, lines: Sequence[ProposalLine], names: Iterable[str], *, now: datetime
) -> None:
    """Write these columns of an edited draft with what it comes to, and the proposal with it, as one edit."""
    draft = held.version
    amounts = proposal_versions.reckoned(draft, lines)
    draft.update_from_dict(amounts)
    written = [*(name for name in names if name != "contact_id"), *amounts]
    await edits.write(draft, {name: getattr(draft, name) for name in written})
    columns = mirror(held) | {"contact_id": held.proposal.contact_id}
    if draft.state is not DRAFT:
        await end_approvals(draft, now=now)
    # An edit of what waits for approval, or has it, makes it a draft again.
    await proposal_states.move(actor, held.proposal, draft, Move.EDIT, now=now, also=columns)


async def end_approvals(version: ProposalVersion, *, now: datetime) -> None:
    """Ask nobody any more to approve this version."""
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
