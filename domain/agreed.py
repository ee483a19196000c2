"""What was agreed: the version that a customer accepted, with the options that they took, and who sells to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain import proposal_lines, proposal_versions, selling_settings
from domain.errors import DomainError
from domain.pricing import Totals
from models.companies import Company
from models.contacts import Contact
from models.database import read
from models.leads import Lead
from models.proposal_links import Evidence, EvidenceKind
from models.proposals import Proposal, ProposalLine, ProposalState, ProposalVersion
from models.workspaces import Workspace

PRIMARY = "SELECT contact_id FROM lead_contact WHERE lead_id = $1 AND is_primary"


class ProposalNotAccepted(DomainError):
    """The proposal {number} was not accepted: it is {state}."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """A version that was accepted; `lines` are those that count."""

    proposal: Proposal
    version: ProposalVersion
    lines: Sequence[ProposalLine]
    totals: Totals


async def of_proposal(proposal: Proposal, *, field: str) -> Agreed:
    """Return what was agreed of a proposal. Raises ProposalNotAccepted."""
    version = await ProposalVersion.get_or_none(id=proposal.sent_id) if proposal.sent_id else None
    if version is None or version.state is not ProposalState.ACCEPTED:
        raise ProposalNotAccepted(number=proposal.number, state=proposal.state.value, field=field)
    return await of_version(proposal, version)


async def of_version(proposal: Proposal, version: ProposalVersion) -> Agreed:
    """Return what a version comes to with the options that were accepted, or as the seller chose them."""
    lines = await proposal_lines.of(version.id)
    accepted = await Evidence.filter(version_id=version.id, kind=EvidenceKind.ACCEPTED).order_by("-created_at").first()
    if accepted is not None and (options := accepted.facts.get("options")) is not None:
        taken = {UUID(key) for key in options}
        for line in lines:
            line.chosen = not line.optional or line.key in taken
    counting = [line for line in lines if line.chosen or not line.optional]
    return Agreed(proposal, version, counting, proposal_versions.totals(version, counting))


async def parties(lead: Lead, contact_id: UUID | None) -> dict[str, Any]:
    """Return seller and buyer as they are now; the buyer's person is this contact, or else the lead's primary one."""
    home = await Workspace.get(id=lead.workspace_id)
    selling = await selling_settings.of(lead.workspace_id)
    company = await Company.get_or_none(id=lead.company_id, deleted_at=None) if lead.company_id else None
    if contact_id is None:
        found = await read(PRIMARY, lead.id)
        contact_id = found[0]["contact_id"] if found else None
    contact = await Contact.get_or_none(id=contact_id, deleted_at=None) if contact_id else None
    buyer = {
        "company": company and company.name,
        "tax_number": company and company.tax_number,
        "address": company and company.billing_address,
        "name": contact and contact.name,
        "job_title": contact and contact.job_title,
        "email": contact and contact.email,
        "phone": contact and contact.phone,
    }
    return {
        "seller": {"name": home.name, **{name: value for name, value in selling.seller.items() if value}},
        "buyer": {name: value for name, value in buyer.items() if value},
    }
