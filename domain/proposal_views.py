"""Who opened a proposal and when: customers who looked at it, and not programs that open links of mails and chats."""

import re
from datetime import datetime, timedelta
from uuid import UUID

from domain import edits, leads, policy, proposal_links, proposal_locks, proposal_states
from domain.errors import NotFound
from domain.events import Event
from domain.proposal_states import Move
from domain.tokens import EndedLink, InvalidLink
from models.base import uuid7
from models.database import transaction
from models.proposal_links import ProposalLink, ProposalView
from models.proposals import Proposal, ProposalState, ProposalVersion

# Somebody who comes back within this time has not left.
PAUSE = timedelta(minutes=30)
LONGEST_AGENT = 500
# What previews of links, scanners of mails and scripts that pass for browsers call themselves; one maker of phones is
# called Cubot.
ROBOTS = re.compile(
    r"(?<!cu)bot\b|bot[/;_-]|crawl|spider|slurp|preview|scan|fetch|externalhit|facebookcatalog|whatsapp|telegram"
    r"|discord|embedly|linkexpand|urlresolver|imageproxy|headless|phantom|selenium|lighthouse|pagespeed|monitor"
    r"|barracuda|proofpoint|mimecast|safelinks|symantec|microsoft office|ms-office|outlook|apache-httpclient",
    re.IGNORECASE,
)


class ProposalViewed(Event):
    name = "proposal.viewed"
    subject_type = "lead"


def is_robot(user_agent: str | None) -> bool:
    """Say whether what opened a page is no browser in somebody's hands, by what it calls itself."""
    return not user_agent or ROBOTS.search(user_agent) is not None or "Mozilla/" not in user_agent


async def count(link_id: UUID, *, address: str, user_agent: str | None, now: datetime) -> bool:
    """Count that somebody opened a proposal by a link; say whether it was counted.

    The first view of a version that was sent makes it viewed. Of the same link and version, one view counts within
    half an hour, however many come at once. A link that opens nothing counts nothing.
    """
    if is_robot(user_agent):
        return False
    try:
        async with transaction():
            return await _count(link_id, address=address, user_agent=user_agent, now=now)
    except (InvalidLink, EndedLink, NotFound):
        return False


async def _count(link_id: UUID, *, address: str, user_agent: str | None, now: datetime) -> bool:
    link = await proposal_links.opening(link_id, now=now)
    known = await Proposal.get(id=link.proposal_id)
    if known.sent_id is None or await _is_seen(link, known.sent_id, now=now):
        return False
    page = proposal_links.page(link.workspace_id)
    lead, proposal = await proposal_locks.with_lead(page, link.proposal_id)
    # Whoever had it before may have counted meanwhile.
    link = await policy.locked(page, ProposalLink, link_id)
    if link.revoked_at is not None or proposal.sent_id is None or await _is_seen(link, proposal.sent_id, now=now):
        return False
    version = await policy.locked(page, ProposalVersion, proposal.sent_id)
    if version.state is ProposalState.WITHDRAWN:
        return False
    view = ProposalView(
        id=uuid7(),
        workspace_id=link.workspace_id,
        proposal_id=proposal.id,
        version_id=version.id,
        lead_id=lead.id,
        link_id=link.id,
        viewed_at=now,
        address=address,
        user_agent=(user_agent or "")[:LONGEST_AGENT],
    )
    await edits.insert(view)
    customer, first = proposal_links.customer(link), version.state is ProposalState.SENT
    if first:
        await proposal_states.move(customer, proposal, version, Move.VIEW, now=now)
    facts = {
        "proposal_id": proposal.id,
        "proposal_version_id": version.id,
        "proposal_number": proposal.number,
        "proposal_state": proposal.state.value,
        "link_id": link.id,
        "view_id": view.id,
        "first": first,
    }
    await leads.tell(ProposalViewed, customer, lead, facts, now=now)
    return True


async def _is_seen(link: ProposalLink, version_id: UUID | None, *, now: datetime) -> bool:
    """Say whether a version was looked at by a link a short time ago."""
    return await ProposalView.filter(link_id=link.id, version_id=version_id, viewed_at__gt=now - PAUSE).exists()
