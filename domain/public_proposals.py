"""A proposal as whoever has a link to it finds it: the version that was sent last, and how it stands.

Nothing but the link's token is needed. It tells no costs, no margin and no guard rails. What a token that was guessed
or has ended is told says nothing of proposals, customers or workspaces.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain import local_times, pricing, proposal_lines, proposal_links, selling_settings
from domain.pricing import Totals
from domain.proposal_links import ProposalWithdrawn as ProposalWithdrawn
from domain.tokens import EndedLink
from models.contacts import Contact
from models.database import read
from models.proposal_links import Evidence, EvidenceKind, Party, ProposalLink, ProposalQuestion
from models.proposals import Proposal, ProposalLine, ProposalState, ProposalVersion
from models.selling import SellingSettings
from models.workspaces import Workspace

MOST_QUESTIONS_SHOWN = 50
# What a link leads to besides: each a page below the proposal's.
BESIDE = """
SELECT EXISTS (SELECT FROM negotiation WHERE proposal_id = $1) AS negotiation,
       EXISTS (SELECT FROM contract WHERE proposal_version_id = $2 AND state <> 'CANCELLED') AS contract
"""
YES = (EvidenceKind.ACCEPTED, EvidenceKind.AGREED)


class PublicState(StrEnum):
    """What can be done with a proposal by a link."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Opened:
    """What somebody with a link finds; a preview has no link, and shows what is worked on."""

    link: ProposalLink | None
    proposal: Proposal
    version: ProposalVersion
    lines: Sequence[ProposalLine]
    contact: Contact | None
    home: Workspace
    selling: SellingSettings
    evidence: Evidence | None
    questions: Sequence[ProposalQuestion]
    state: PublicState
    has_negotiation: bool = False
    has_contract: bool = False

    @property
    def language(self) -> str:
        return self.version.language or self.home.locale

    @property
    def seller(self) -> dict[str, Any]:
        """Return the seller as it was when the version was frozen; of a draft, as it is."""
        named: dict[str, Any] = self.version.parties.get("seller") or self.selling.seller
        return {"name": self.home.name, **{key: value for key, value in named.items() if value}}

    @property
    def buyer(self) -> list[str]:
        """Return for whom it is, person before company; of a draft, whom it would go to."""
        named = self.version.parties.get("buyer") or {}
        person = self.contact.name if self.contact else named.get("name")
        return list(dict.fromkeys(str(name) for name in (person, named.get("company")) if name))

    @property
    def chosen(self) -> frozenset[UUID]:
        """Return the optional lines that count: those accepted, else those that the seller chose beforehand."""
        return options_of(self.evidence, self.lines)


async def opened(token: str, *, now: datetime) -> Opened:
    """Return what a link leads to, without a trace. Raises InvalidLink, EndedLink, ProposalWithdrawn."""
    return await of_link(await proposal_links.verified(token, now=now), now=now)


async def by_id(link_id: UUID, *, now: datetime) -> Opened:
    """Return what a link leads to, by its id. Raises InvalidLink, EndedLink, ProposalWithdrawn."""
    return await of_link(await proposal_links.opening(link_id, now=now), now=now)


async def of_link(link: ProposalLink, *, now: datetime) -> Opened:
    """Return what a link that opens its proposal leads to. Raises EndedLink, ProposalWithdrawn."""
    found = await _proposal(link.proposal_id)
    if found is None or found.sent_id is None:
        raise EndedLink
    version = await ProposalVersion.get(id=found.sent_id)
    if version.state is ProposalState.WITHDRAWN:
        raise ProposalWithdrawn
    return await _loaded(found, version, link, now=now)


async def previewed(token: str, *, now: datetime) -> Opened:
    """Return a proposal as it stands, before it goes out. Raises InvalidLink, EndedLink."""
    found = await _proposal(proposal_links.previewed(token, now=now))
    if found is None or found.current_id is None:
        raise EndedLink
    return await _loaded(found, await ProposalVersion.get(id=found.current_id), None, now=now)


async def _proposal(proposal_id: UUID) -> Proposal | None:
    return await Proposal.get_or_none(id=proposal_id, deleted_at=None, lead__deleted_at=None)


async def _loaded(proposal: Proposal, version: ProposalVersion, link: ProposalLink | None, *, now: datetime) -> Opened:
    home = await Workspace.get(id=proposal.workspace_id)
    contact_id = (link.contact_id if link else None) or proposal.contact_id
    [beside] = await read(BESIDE, proposal.id, version.id) if link else [{"negotiation": False, "contract": False}]
    return Opened(
        link=link,
        proposal=proposal,
        version=version,
        lines=await proposal_lines.of(version.id),
        contact=await Contact.get_or_none(id=contact_id, deleted_at=None) if contact_id else None,
        home=home,
        selling=await selling_settings.of(home.id),
        evidence=await _evidence(version),
        questions=await questions_of(proposal.id) if link else (),
        state=state_of(version, home, now=now),
        has_negotiation=beside["negotiation"],
        has_contract=beside["contract"],
    )


async def _evidence(version: ProposalVersion) -> Evidence | None:
    """Return what the customer answered, where that is how the version stands."""
    if version.state is ProposalState.ACCEPTED:
        return await acceptance(version.id)
    if version.state is ProposalState.DECLINED:
        said = Evidence.filter(version_id=version.id, kind=EvidenceKind.DECLINED)
        return await said.order_by("-created_at", "-id").first()
    return None


async def questions_of(proposal_id: UUID) -> list[ProposalQuestion]:
    """Return the newest questions about a proposal, oldest first."""
    newest = (
        await ProposalQuestion.filter(proposal_id=proposal_id).order_by("-asked_at", "-id").limit(MOST_QUESTIONS_SHOWN)
    )
    return newest[::-1]


def state_of(version: ProposalVersion, home: Workspace, *, now: datetime) -> PublicState:
    match version.state:
        case ProposalState.ACCEPTED:
            return PublicState.ACCEPTED
        case ProposalState.DECLINED:
            return PublicState.DECLINED
        case ProposalState.EXPIRED:
            return PublicState.EXPIRED
    # Whoever sweeps what has expired may be late.
    over = version.valid_until is not None and now > local_times.end_of(version.valid_until, home.time_zone)
    return PublicState.EXPIRED if over else PublicState.OPEN


# Options


def usual(lines: Sequence[ProposalLine]) -> frozenset[UUID]:
    """Return the optional lines that the seller chose beforehand."""
    return frozenset(line.key for line in lines if line.optional and line.chosen)


def totals(version: ProposalVersion, lines: Sequence[ProposalLine], chosen: Collection[UUID]) -> Totals:
    """Return what a version comes to with these optional lines."""
    priced = (proposal_lines.priced(line) for line in lines)
    return pricing.total(
        [replace(one, chosen=line.key in chosen) for one, line in zip(priced, lines, strict=True)],
        discount=proposal_lines.discount_of(version.discount_percent, version.discount_amount),
        currency=version.currency,
        tax_inclusive=version.tax_inclusive,
        rounding=version.rounding,
    )


async def accepted(version: ProposalVersion) -> Totals | None:
    """Return what was accepted of a version, line by line in their order; None where nothing was."""
    if version.state is not ProposalState.ACCEPTED:
        return None
    lines = await proposal_lines.of(version.id)
    return totals(version, lines, options_of(await acceptance(version.id), lines))


async def acceptance(version_id: UUID) -> Evidence | None:
    """Return the evidence that a customer accepted a version, or agreed on it in a negotiation."""
    said = Evidence.filter(version_id=version_id, party=Party.BUYER, kind__in=YES)
    return await said.order_by("-created_at", "-id").first()


def options_of(evidence: Evidence | None, lines: Sequence[ProposalLine]) -> frozenset[UUID]:
    """Return the optional lines that were taken, by the evidence; without any, those chosen beforehand."""
    taken = evidence.facts.get("options") if evidence is not None and evidence.kind in YES else None
    return usual(lines) if taken is None else frozenset(UUID(key) for key in taken)
