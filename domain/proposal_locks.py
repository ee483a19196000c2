"""Proposals held while they are changed: locked after their lead, so that two at once come one after the other."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain import policy, proposal_versions, selling_settings
from domain.actors import Actor
from domain.policy import Action
from models import rows
from models.leads import Lead
from models.proposals import Proposal, ProposalVersion
from models.selling import SellingSettings
from models.workspaces import Workspace


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


async def locked(actor: Actor, proposal_id: UUID, action: Action, *, expected_version: int | None = None) -> Held:
    """Return a proposal that the actor may do this to, locked after its lead. Raises NotFound, Stale, Forbidden."""
    known = await policy.get(actor, Proposal, proposal_id, field="id")
    lead = await policy.locked(actor, Lead, known.lead_id, field="id")
    policy.require(actor, action, lead)
    proposal = await policy.locked(actor, Proposal, proposal_id, expected_version=expected_version)
    return await _held(lead, proposal)


async def with_lead(actor: Actor, proposal_id: UUID, *, field: str = "id") -> tuple[Lead, Proposal]:
    """Return a proposal with its lead, both locked until the transaction ends: the lead first. Raises NotFound."""
    known = await policy.get(actor, Proposal, proposal_id, field=field)
    lead = await policy.locked(actor, Lead, known.lead_id, field=field)
    return lead, await policy.locked(actor, Proposal, proposal_id, field=field)


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
