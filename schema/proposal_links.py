"""How customers reach proposals, in the schema: links, who looked, what was asked, and what was answered."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from domain import policy, proposal_links
from domain.policy import Action
from engine.pages import Order
from models.contacts import Contact as ContactRow
from models.database import read
from models.proposal_links import Evidence as EvidenceRow
from models.proposal_links import EvidenceKind, Party
from models.proposal_links import ProposalLink as ProposalLinkRow
from models.proposal_links import ProposalQuestion as ProposalQuestionRow
from models.proposal_links import ProposalView as ProposalViewRow
from models.proposals import Proposal as ProposalRow
from models.proposals import ProposalVersion as ProposalVersionRow
from models.users import User as UserRow
from schema.connections import connection
from schema.context import Info
from schema.enums import described
from schema.fields import batch, column, computed, noun, relation
from schema.nodes import Node
from schema.scalars import URL, CurrencyCode, Money

if TYPE_CHECKING:
    from schema.contacts import Contact
    from schema.proposal_versions import ProposalVersion
    from schema.proposals import Proposal
    from schema.users import User

VIEWS = """
SELECT proposal_id, count(*) AS number, max(viewed_at) AS last FROM proposal_view
WHERE workspace_id = $1 AND proposal_id = ANY($2::uuid[]) GROUP BY proposal_id
"""
CURRENCIES = "SELECT id, currency FROM proposal_version WHERE workspace_id = $1 AND id = ANY($2::uuid[])"

described(
    EvidenceKind,
    "What somebody said to a version of a proposal.",
    ACCEPTED="They accepted it.",
    DECLINED="They declined it.",
    AGREED="They agreed on it in a negotiation.",
    SIGNED="They signed the contract of it.",
)


async def _urls(rows: list[Any], info: Info) -> list[str | None]:
    """Return where links lead that open their proposal, to who may share it."""
    actor = info.context.actor
    if not policy.may_own(actor, Action.SHARE_PROPOSAL):
        return [None] * len(rows)
    found = await proposal_links.opening_of(actor.workspace_id, [row.id for row in rows], now=info.context.now)
    return [proposal_links.url_of(row.id) if row.id in found else None for row in rows]


@noun(ProposalLinkRow, description="A customer's link to a proposal: whoever has it can read and answer that.")
class ProposalLink(Node):
    url: URL | None = batch(
        _urls,
        "Where it leads; null where it opens nothing any more, and for those who may not share proposals.",
    )
    created_at: datetime = column("When it was made.")
    expires_at: datetime | None = column("When it ends.")
    revoked_at: datetime | None = column("When it was revoked.")
    proposal: Annotated["Proposal", strawberry.lazy("schema.proposals")] | None = relation(
        ProposalRow, "What it leads to.", by="proposal_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "Whose it is; null: nobody's in particular.", by="contact_id"
    )
    created_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who made it, by sending the proposal or by itself.", by="created_by_id"
    )


@noun(ProposalViewRow, description="One time that a customer looked at a proposal; robots and members do not count.")
class ProposalView(Node):
    viewed_at: datetime = column("When.")
    address: str = column("From which network address.")
    user_agent: str | None = column("With which browser: plain text.")
    link: ProposalLink | None = relation(ProposalLinkRow, "By which link.", by="link_id")
    proposal_version: Annotated["ProposalVersion", strawberry.lazy("schema.proposal_versions")] | None = relation(
        ProposalVersionRow, "Which version.", by="version_id"
    )


@noun(ProposalQuestionRow, description="What a customer asks about a proposal; texts are plain.")
class ProposalQuestion(Node):
    name: str = column("What whoever asks is called, as they typed it.")
    text: str = column("What they ask: plain text, in which markup means nothing.")
    asked_at: datetime = column("When.")
    answer: str | None = column("What is answered: plain text.")
    answered_at: datetime | None = column("When it was answered.")
    answered_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who answered.", by="answered_by_id"
    )
    link: ProposalLink | None = relation(ProposalLinkRow, "By which link it was asked.", by="link_id")
    proposal: Annotated["Proposal", strawberry.lazy("schema.proposals")] | None = relation(
        ProposalRow, "What it is about.", by="proposal_id"
    )
    proposal_version: Annotated["ProposalVersion", strawberry.lazy("schema.proposal_versions")] | None = relation(
        ProposalVersionRow, "The version that they saw.", by="version_id"
    )


def _reason(facts: Mapping[str, Any]) -> str | None:
    return facts.get("reason")


def _consent(facts: Mapping[str, Any]) -> str | None:
    return facts.get("consent")


def _options(facts: Mapping[str, Any]) -> list[str]:
    return list(facts.get("options") or ())


async def _totals(rows: list[Any], info: Info) -> list[Money]:
    found = await read(CURRENCIES, info.context.actor.workspace_id, list({row.version_id for row in rows}))
    currencies = {row["id"]: row["currency"] for row in found}
    return [Money(amount=row.total, currency_code=CurrencyCode(currencies[row.version_id])) for row in rows]


@noun(EvidenceRow, description="Who said what to which version: written once, and never changed.")
class Evidence(Node):
    kind: EvidenceKind = column("What they said.")
    party: Party = column("For which side.")
    name: str = column("The name that they typed, as their signature; empty where a reason was enough.")
    created_at: datetime = column("When.")
    address: str | None = column("From which network address.")
    user_agent: str | None = column("With which browser: plain text.")
    sha256: str = column("The SHA-256 of the version that they saw.")
    total: Money = batch(_totals, "What it came to with the options that they took.", needs=("total", "version_id"))
    options: list[str] = computed(_options, "The keys of the optional lines that they took.", needs=("facts",))
    consent: str | None = computed(_consent, "What they read above the button.", needs=("facts",))
    reason: str | None = computed(_reason, "Why they declined: plain text.", needs=("facts",))
    link: ProposalLink | None = relation(ProposalLinkRow, "By which link.", by="link_id")
    recorded_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "The member who recorded it, where it did not come by a link.", by="user_id"
    )
    proposal: Annotated["Proposal", strawberry.lazy("schema.proposals")] | None = relation(
        ProposalRow, "Of which proposal.", by="proposal_id"
    )
    proposal_version: Annotated["ProposalVersion", strawberry.lazy("schema.proposal_versions")] | None = relation(
        ProposalVersionRow, "To which version.", by="version_id"
    )


# What a proposal tells of it


async def public_urls(rows: list[Any], info: Info) -> list[str | None]:
    """Return where customers reach proposals, for those who may share them."""
    actor = info.context.actor
    if not policy.may_own(actor, Action.SHARE_PROPOSAL):
        return [None] * len(rows)
    found = await proposal_links.live_of(actor.workspace_id, [row.id for row in rows], now=info.context.now)
    return [proposal_links.url_of(found[row.id]) if row.id in found else None for row in rows]


async def preview_urls(rows: list[Any], info: Info) -> list[str]:
    return [proposal_links.preview_url(row.id, now=info.context.now) for row in rows]


async def _views(rows: list[Any], info: Info) -> dict[UUID, Any]:
    found = await read(VIEWS, info.context.actor.workspace_id, [row.id for row in rows])
    return {row["proposal_id"]: row for row in found}


async def views_counts(rows: list[Any], info: Info) -> list[int]:
    found = await _views(rows, info)
    return [found[row.id]["number"] if row.id in found else 0 for row in rows]


async def last_views(rows: list[Any], info: Info) -> list[datetime | None]:
    found = await _views(rows, info)
    return [found[row.id]["last"] if row.id in found else None for row in rows]


def _of_proposal(noun: str, model: Any, order: str, description: str) -> Any:
    """Declare what hangs on a proposal, the newest first."""
    return connection(
        noun,
        "schema.proposal_links",
        model=model,
        by="proposal_id",
        default=(Order(order, descending=True),),
        plain=True,
        description=description,
    )


def links() -> Any:
    return _of_proposal("ProposalLink", ProposalLinkRow, "created_at", "Customers' links to it, revoked ones included.")


def views() -> Any:
    return _of_proposal("ProposalView", ProposalViewRow, "viewed_at", "When customers looked at it.")


def questions() -> Any:
    return _of_proposal("ProposalQuestion", ProposalQuestionRow, "asked_at", "What customers ask about it.")


def evidence() -> Any:
    return _of_proposal("Evidence", EvidenceRow, "created_at", "Who accepted, declined, agreed and signed.")


def public_url() -> Any:
    return batch(
        public_urls,
        "Where the customer reaches it, to be passed on to them; null until it is sent, once it is withdrawn, where no "
        "link lives, and for those who may not share it. Look at it yourself by previewUrl, which counts no view.",
    )


def preview_url() -> Any:
    return batch(
        preview_urls,
        "Where it is seen as the customer will see it, as it stands: for 15 minutes, by whoever has the link, "
        "without forms and without being counted.",
    )


def views_count() -> Any:
    return batch(views_counts, "How often customers looked at it.")


def last_viewed_at() -> Any:
    return batch(last_views, "When a customer last looked at it.")
