"""Customers' links to a proposal: one that lives for each person, whoever made it, and what it opens.

A link is its row's id and an HMAC, so that it can be shown and sent again and cannot be forged; the row says whether
it still opens anything. It always leads to the version that was sent last.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain import edits, inputs, leads, policy, proposal_locks, tokens
from domain.actors import Actor, ActorKind, system
from domain.errors import DomainError, Faults, NotFound, OutOfRange
from domain.events import Event
from domain.policy import Action
from domain.tokens import EndedLink, InvalidLink, Kind, LinkExpired, LinkRevoked
from models.base import uuid7
from models.contacts import Contact
from models.database import read, transaction
from models.leads import Lead
from models.proposal_links import ProposalLink
from models.proposals import Proposal, ProposalState, ProposalVersion
from settings import settings

LINK_LASTS = timedelta(days=365)
LONGEST = timedelta(days=3 * 365)
MOST_LINKS = 100
PREVIEW_LASTS = timedelta(minutes=15)
ID_BYTES, UNTIL_BYTES = 16, 6
# The link to show of each proposal: that of whom it is for, else the newest.
LIVE = """
SELECT DISTINCT ON (l.proposal_id) l.proposal_id, l.id FROM proposal_link l
JOIN proposal p ON p.id = l.proposal_id
JOIN proposal_version v ON v.id = p.sent_id AND v.state <> 'WITHDRAWN'
WHERE l.proposal_id = ANY($1::uuid[]) AND l.workspace_id = $2
    AND l.revoked_at IS NULL AND (l.expires_at IS NULL OR l.expires_at > $3)
ORDER BY l.proposal_id, l.contact_id IS NOT DISTINCT FROM p.contact_id DESC, l.created_at DESC, l.id DESC
"""
OPENING = """
SELECT l.id FROM proposal_link l
JOIN proposal p ON p.id = l.proposal_id
JOIN proposal_version v ON v.id = p.sent_id AND v.state <> 'WITHDRAWN'
WHERE l.id = ANY($1::uuid[]) AND l.workspace_id = $2 AND l.revoked_at IS NULL
    AND (l.expires_at IS NULL OR l.expires_at > $3)
"""


class ProposalLinkCreated(Event):
    name = "proposal.link_created"
    subject_type = "lead"


class ProposalLinkRevoked(Event):
    name = "proposal.link_revoked"
    subject_type = "lead"


class ProposalNotSent(DomainError):
    """This proposal was not sent yet, so there is nothing for customers to see."""


class ProposalWithdrawn(DomainError):
    """This proposal was withdrawn by whoever made it."""


class TooManyLinks(DomainError):
    """A proposal has at most {limit} links: revoke those that nobody needs."""


async def create(
    actor: Actor,
    proposal_id: UUID,
    *,
    contact_id: UUID | None = None,
    expires_at: datetime | None = None,
    now: datetime,
) -> ProposalLink:
    """Make a contact's link to a proposal that was sent, or give the one there is; without a contact, anybody's.

    It holds for a year unless `expires_at` says otherwise. Raises NotFound, Forbidden, ProposalNotSent,
    ProposalWithdrawn, TooManyLinks, and faults.
    """
    faults = Faults()
    until = inputs.instant(faults, expires_at, field="expiresAt")
    if until is not None and until.tzinfo and not now < until <= now + LONGEST:
        faults.add(OutOfRange(field="expiresAt", least=now.isoformat(), most=(now + LONGEST).isoformat()))
    async with transaction():
        lead, proposal = await proposal_locks.with_lead(actor, proposal_id, field="proposalId")
        policy.require(actor, Action.SHARE_PROPOSAL, lead)
        if contact_id is not None:
            await edits.referred(faults, actor, Contact, contact_id, field="contactId")
        faults.raise_any()
        if proposal.sent_id is None:
            raise ProposalNotSent(field="proposalId")
        if await ProposalVersion.exists(id=proposal.sent_id, state=ProposalState.WITHDRAWN):
            raise ProposalWithdrawn(field="proposalId")
        if await ProposalLink.filter(proposal_id=proposal.id).count() >= MOST_LINKS:
            raise TooManyLinks(limit=MOST_LINKS, field="proposalId")
        return await link_for(actor, proposal, contact_id, expires_at=until, lead=lead, now=now)


async def link_for(
    actor: Actor,
    proposal: Proposal,
    contact_id: UUID | None,
    *,
    lead: Lead,
    expires_at: datetime | None = None,
    now: datetime,
) -> ProposalLink:
    """Return the link of a contact to a locked proposal of a locked lead: the one that lives, or a new one.

    One that has expired holds again: whoever is sent it has the same address as before. One that holds keeps the end
    that somebody gave it, and without one it holds for a year from now.
    """
    until = expires_at or now + LINK_LASTS
    living = await ProposalLink.get_or_none(proposal_id=proposal.id, contact_id=contact_id, revoked_at=None)
    if living is not None:
        if expires_at is not None or _is_renewed(living, now=now):
            await edits.write(living, {"expires_at": until})
        return living
    link = ProposalLink(
        id=uuid7(),
        workspace_id=proposal.workspace_id,
        proposal_id=proposal.id,
        lead_id=proposal.lead_id,
        contact_id=contact_id,
        created_by_id=actor.user_id,
        created_at=now,
        expires_at=until,
    )
    await edits.insert(link)
    await leads.tell(ProposalLinkCreated, actor, lead, _facts(link), now=now)
    return link


def _is_renewed(link: ProposalLink, *, now: datetime) -> bool:
    """Say whether a link holds longer when it is sent again: it has ended, or nobody gave it an end within a year."""
    ends = link.expires_at
    return ends is not None and (ends <= now or link.created_at + LINK_LASTS <= ends < now + LINK_LASTS)


async def revoke(actor: Actor, link_id: UUID, *, now: datetime) -> ProposalLink:
    """Let a link open nothing any more; one that is revoked stays so. Raises NotFound, Forbidden."""
    async with transaction():
        known = await policy.visible(actor, ProposalLink).filter(id=link_id).first()
        if known is None:
            raise NotFound(noun="proposal link", field="id")
        lead, _ = await proposal_locks.with_lead(actor, known.proposal_id)
        policy.require(actor, Action.SHARE_PROPOSAL, lead)
        link = await policy.locked(actor, ProposalLink, link_id)
        if link.revoked_at is None:
            await edits.write(link, {"revoked_at": now})
            await leads.tell(ProposalLinkRevoked, actor, lead, _facts(link), now=now)
    return link


def _facts(link: ProposalLink) -> dict[str, object]:
    return {"proposal_id": link.proposal_id, "link_id": link.id, "contact_id": link.contact_id}


# What links open


def token_of(link_id: UUID) -> str:
    return tokens.sign(Kind.PROPOSAL, link_id)


def path_of(link_id: UUID) -> str:
    """Return the path of the page of a link."""
    return f"/p/{token_of(link_id)}"


def url_of(link_id: UUID) -> str:
    """Return where a customer reaches a proposal by a link."""
    return f"{settings().public_url.rstrip('/')}{path_of(link_id)}"


async def live_of(workspace_id: UUID, proposal_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, UUID]:
    """Return the link to show of each proposal that has one that opens it."""
    return {row["proposal_id"]: row["id"] for row in await read(LIVE, list(proposal_ids), workspace_id, now)}


async def opening_of(workspace_id: UUID, link_ids: Sequence[UUID], *, now: datetime) -> set[UUID]:
    """Return those of some links that open their proposal."""
    return {row["id"] for row in await read(OPENING, list(link_ids), workspace_id, now)}


async def verified(token: str, *, now: datetime) -> ProposalLink:
    """Return the link of a token. Raises InvalidLink for one that nobody made, EndedLink for what has ended."""
    return await opening(tokens.verify(Kind.PROPOSAL, token), now=now)


async def opening(link_id: UUID, *, now: datetime) -> ProposalLink:
    """Return a link that opens its proposal. Raises InvalidLink, and as EndedLink LinkRevoked and LinkExpired."""
    link = await ProposalLink.get_or_none(id=link_id)
    if link is None:
        raise InvalidLink
    if link.revoked_at is not None:
        raise LinkRevoked
    if link.expires_at is not None and link.expires_at <= now:
        raise LinkExpired(day=link.expires_at.date().isoformat())
    return link


def is_live(link: ProposalLink, *, now: datetime) -> bool:
    """Say whether a link opens its proposal."""
    return link.revoked_at is None and (link.expires_at is None or link.expires_at > now)


async def load_actor(token: str, *, now: datetime) -> Actor:
    """Return who acts with a proposal's link: for whom nothing exists but what it is for.

    Raises InvalidLink, EndedLink.
    """
    return customer(await verified(token, now=now))


def customer(link: ProposalLink) -> Actor:
    return Actor(ActorKind.LINK, link.workspace_id, link_id=link.id)


def page(workspace_id: UUID) -> Actor:
    """Return who loads and locks what a customer's page is about."""
    return system(workspace_id, task="proposal_page")


# What members look at before they send it


def preview_url(proposal_id: UUID, *, now: datetime) -> str:
    """Return where whoever has the address sees a proposal as it stands, for 15 minutes, without a trace."""
    said = proposal_id.bytes + int((now + PREVIEW_LASTS).timestamp()).to_bytes(UNTIL_BYTES, "big")
    token = urlsafe_b64encode(said + tokens.mac("proposal-preview", said)).decode().rstrip("=")
    return f"{settings().public_url.rstrip('/')}/p/preview/{token}"


def previewed(token: str, *, now: datetime) -> UUID:
    """Return the id of the proposal that a preview's token names. Raises InvalidLink, EndedLink."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError as error:
        raise InvalidLink from error
    said, mac = raw[: ID_BYTES + UNTIL_BYTES], raw[ID_BYTES + UNTIL_BYTES :]
    if not tokens.is_genuine(mac, "proposal-preview", said):
        raise InvalidLink
    if datetime.fromtimestamp(int.from_bytes(said[ID_BYTES:], "big"), UTC) <= now:
        raise EndedLink
    return UUID(bytes=said[:ID_BYTES])
