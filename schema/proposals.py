"""Proposals in the schema: what is offered to a lead, in versions, and what the viewer may do with it."""

from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import strawberry

from domain import policy, proposal_states
from domain.actors import Actor
from domain.policy import Action
from domain.proposal_states import Move
from engine.pages import Order
from models.contacts import Contact as ContactRow
from models.contracts import Contract as ContractRow
from models.database import read
from models.documents import DocumentKind
from models.leads import Lead as LeadRow
from models.proposals import Proposal as ProposalRow
from models.proposals import ProposalState
from models.proposals import ProposalVersion as ProposalVersionRow
from models.users import Role
from models.users import User as UserRow
from schema import proposal_links as customers
from schema.amounts import money_of
from schema.connections import Connection, connection
from schema.context import Info
from schema.documents import pdf_url
from schema.fields import batch, by_id, column, noun, relation
from schema.filters import (
    DateFilter,
    DateTimeFilter,
    DecimalFilter,
    EnumFilter,
    IDFilter,
    StringFilter,
    junction,
    on,
    through,
)
from schema.negotiations import latest_negotiations, negotiations_by
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.proposal_diffs import ProposalDiff, diffs
from schema.proposal_links import Evidence, ProposalLink, ProposalQuestion, ProposalView
from schema.proposal_versions import ProposalVersion
from schema.scalars import URL, CurrencyCode, LanguageTag, Money

if TYPE_CHECKING:
    from schema.companies import CompanyFilter
    from schema.contacts import Contact, ContactFilter
    from schema.contracts import Contract
    from schema.leads import Lead, LeadFilter
    from schema.negotiations import Negotiation
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
# Whose the leads of proposals are, how the version that was sent stands, and who is asked to approve the newest.
STANDING = """
SELECT p.id, l.owner_id, s.state AS sent_state,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('roles', a.roles, 'by', a.requested_by_id)), '[]')
        FROM approval a WHERE a.version_id = p.current_id AND a.state = 'PENDING') AS asked
FROM proposal p JOIN lead l ON l.id = p.lead_id LEFT JOIN proposal_version s ON s.id = p.sent_id
WHERE p.workspace_id = $1 AND p.id = ANY($2::uuid[])
"""


@strawberry.type(description="What the viewer may do with a proposal as it stands.")
class ProposalPermissions:
    update: bool = strawberry.field(description="Change it, and set its lines.")
    request_approval: bool = strawberry.field(description="Ask for its approval.")
    approve: bool = strawberry.field(description="Approve or reject it.")
    send: bool = strawberry.field(description="Send it, where nothing holds it.")
    withdraw: bool = strawberry.field(description="Take back what was sent.")
    delete: bool = strawberry.field(description="Delete it.")


class _Standing:
    """How a proposal stands, for the rules that say who may do what."""

    def __init__(self, row: Any, found: Any) -> None:
        self.state, self.sent_id = row.state, row.sent_id
        self.owner_id = found["owner_id"] if found else None
        self.sent_state = ProposalState(found["sent_state"]) if found and found["sent_state"] else None
        self.asked = orjson.loads(found["asked"]) if found else []

    def permissions(self, actor: Actor) -> ProposalPermissions:
        updates, sends = (policy.may(actor, action, self) for action in (Action.UPDATE_PROPOSAL, Action.SEND_PROPOSAL))
        return ProposalPermissions(
            update=updates and proposal_states.may(actor, self.state, proposal_states.change(self.state)),
            request_approval=updates and proposal_states.may(actor, self.state, Move.REQUEST_APPROVAL),
            approve=self._approves(actor),
            send=sends and proposal_states.may(actor, self.state, Move.SEND),
            withdraw=sends
            and self.sent_state is not None
            and proposal_states.may(actor, self.sent_state, Move.WITHDRAW),
            delete=self.sent_id is None and policy.may(actor, Action.DELETE_PROPOSAL, self),
        )

    def _approves(self, actor: Actor) -> bool:
        if not policy.may(actor, Action.APPROVE_PROPOSAL, self):
            return False
        if not proposal_states.may(actor, self.state, Move.APPROVE):
            return False
        if actor.role is Role.ADMIN:
            return True
        own = [one for one in self.asked if actor.role in one["roles"]]
        return bool(own) and all(one["by"] != str(actor.user_id) for one in own)


async def _permissions(rows: list[Any], info: Info) -> list[ProposalPermissions]:
    actor = info.context.actor
    assert actor
    found = {row["id"]: row for row in await read(STANDING, actor.workspace_id, [row.id for row in rows])}
    return [_Standing(row, found.get(row.id)).permissions(actor) for row in rows]


@noun(ProposalRow, description="An offer to a lead, in versions.")
class Proposal(Node):
    viewer_can: ProposalPermissions = batch(_permissions, "What the viewer may do with it.", needs=("state", "sent_id"))
    number: str = column("What people call it by, such as P-2026-0001.")
    title: str = column("What stands above its newest version: plain text, in which markup means nothing.")
    language: LanguageTag = column("In which language its documents are.")
    currency_code: CurrencyCode = column("The currency of all its amounts.", of="currency")
    state: ProposalState = column("How its newest version stands.")
    net: Money = money_of("net", "What its newest version comes to without tax.")
    total: Money = money_of("total", "What its newest version comes to with tax.")
    valid_until: date | None = column("The last day on which its newest version can be accepted; null: no end.")
    sent_at: datetime | None = column("When a version was last sent.")
    viewed_at: datetime | None = column("When the customer first looked at what was sent last.")
    ended_at: datetime | None = column("When it was accepted, declined or withdrawn, or expired.")
    version: int = column("Rises with every edit by a person; it is no version of what is offered.")
    created_at: datetime = column("When it was made.")
    updated_at: datetime = column("When a person last changed it.")
    current: ProposalVersion | None = relation(ProposalVersionRow, "Its newest version.", by="current_id")
    sent: ProposalVersion | None = relation(
        ProposalVersionRow, "The version that customers see: the newest that was sent.", by="sent_id"
    )
    versions: Connection[ProposalVersion] = connection(
        "ProposalVersion",
        "schema.proposal_versions",
        model=ProposalVersionRow,
        by="proposal_id",
        default=(Order("number", descending=True),),
        plain=True,
        description="All its versions, the newest first.",
    )
    pdf_url: URL | None = pdf_url(
        DocumentKind.PROPOSAL, "Where its newest version can be fetched as PDF", by="current_id"
    )
    contracts: Connection[Annotated["Contract", strawberry.lazy("schema.contracts")]] = connection(
        "Contract",
        "schema.contracts",
        model=ContractRow,
        by="proposal_id",
        default=NEWEST,
        description="The contract on it, and those that were cancelled, the newest first.",
    )
    diff: ProposalDiff | None = batch(
        diffs, "How two of its versions differ, line by line; null where it has not both.", needs=()
    )
    negotiation: Annotated["Negotiation", strawberry.lazy("schema.negotiations")] | None = batch(
        latest_negotiations, "Its latest negotiation, which may have ended; null where there was none."
    )
    negotiations: Connection[Annotated["Negotiation", strawberry.lazy("schema.negotiations")]] = negotiations_by(
        "proposal_id", "All its negotiations, the latest first."
    )
    public_url: URL | None = customers.public_url()
    preview_url: URL = customers.preview_url()
    links: Connection[ProposalLink] = customers.links()
    views: Connection[ProposalView] = customers.views()
    views_count: int = customers.views_count()
    last_viewed_at: datetime | None = customers.last_viewed_at()
    questions: Connection[ProposalQuestion] = customers.questions()
    evidence: Connection[Evidence] = customers.evidence()
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "To whom it is made.", by="lead_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "Who receives it.", by="contact_id"
    )
    created_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who made it.", by="created_by_id"
    )


@strawberry.input(description="Which proposals.")
class ProposalFilter:
    id: IDFilter | None = on("By id.", "id", noun="Proposal")
    state: EnumFilter[ProposalState] | None = on("By how their newest version stands.", "state")
    number: StringFilter | None = on("By number.", "number")
    title: StringFilter | None = on("By title.", "title")
    total: DecimalFilter | None = on("By what they come to with tax, whatever the currency.", "total")
    net: DecimalFilter | None = on("By what they come to without tax, whatever the currency.", "net")
    currency: StringFilter | None = on("By the code of their currency.", "currency")
    valid_until: DateFilter | None = on("By their last valid day.", "valid_until")
    sent_at: DateTimeFilter | None = on("By when they were last sent.", "sent_at")
    viewed_at: DateTimeFilter | None = on("By when the customer first looked at them.", "viewed_at")
    ended_at: DateTimeFilter | None = on("By when they were accepted, declined or withdrawn, or expired.", "ended_at")
    created_at: DateTimeFilter | None = on("By when they were made.", "created_at")
    created_by: IDFilter | None = on("By who made them.", "created_by_id", noun="User")
    lead_id: IDFilter | None = on("By lead.", "lead_id", noun="Lead")
    contact_id: IDFilter | None = on("By who receives them.", "contact_id", noun="Contact")
    lead: Annotated["LeadFilter", strawberry.lazy("schema.leads")] | None = through("By their lead.", "lead")
    company: Annotated["CompanyFilter", strawberry.lazy("schema.companies")] | None = through(
        "By their lead's company.", "company"
    )
    contact: Annotated["ContactFilter", strawberry.lazy("schema.contacts")] | None = through(
        "By who receives them.", "contact"
    )
    and_: "list[ProposalFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ProposalFilter] | None" = junction("or", "Any of these passes.")
    not_: "ProposalFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What proposals can be ordered by.")
class ProposalOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was made.")
    NUMBER = strawberry.enum_value("number", description="Its number.")
    TOTAL = strawberry.enum_value("total", description="What it comes to with tax, whatever the currency.")
    VALID_UNTIL = strawberry.enum_value("valid_until", description="Its last valid day.")
    SENT_AT = strawberry.enum_value("sent_at", description="When it was last sent.")


@strawberry.input(description="An order of proposals.")
class ProposalOrder:
    field: ProposalOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


def proposals_by(column: str, description: str) -> Any:
    """Declare the proposals of something whose key stands in this column of theirs."""
    return connection(
        "Proposal", "schema.proposals", model=ProposalRow, by=column, default=NEWEST, description=description
    )


@strawberry.type
class ProposalQueries:
    proposals: Connection[Proposal] = connection(
        "Proposal",
        "schema.proposals",
        model=ProposalRow,
        default=NEWEST,
        description="The proposals to leads that the viewer may see, the newest first.",
    )

    proposal: Proposal | None = by_id(
        ProposalRow, "Proposal", "A proposal; null where its lead is deleted or may not be seen."
    )
