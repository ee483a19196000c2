"""Proposals in the schema: what is offered to a lead, in versions, and what it takes to be approved."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import orjson
import strawberry

from domain import approval_needs, events, policy, proposal_states, proposal_versions
from domain.actors import Actor
from domain.policy import Action
from domain.proposal_states import EDITABLE, Move
from domain.proposal_versions import Difference
from engine.pages import Order
from models import rows as rows_of
from models.contacts import Contact as ContactRow
from models.contracts import Contract as ContractRow
from models.database import read
from models.documents import DocumentKind
from models.leads import Lead as LeadRow
from models.needs import Need as NeedRow
from models.products import Product as ProductRow
from models.proposals import Approval as ApprovalRow
from models.proposals import ApprovalKind, ApprovalState, ProposalState
from models.proposals import ApprovalRule as ApprovalRuleRow
from models.proposals import Proposal as ProposalRow
from models.proposals import ProposalLine as ProposalLineRow
from models.proposals import ProposalVersion as ProposalVersionRow
from models.selling import Rounding
from models.users import Role
from models.users import User as UserRow
from schema import proposal_links as customers
from schema.companies import Address, address
from schema.connections import Connection, connection
from schema.context import Info
from schema.documents import Document, documents_of, pdf_url
from schema.enums import described
from schema.events import Change, event_changes
from schema.fields import batch, by_id, column, computed, noun, relation
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
from schema.needs import Need
from schema.negotiations import latest_negotiations, negotiations_by
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.proposal_links import Evidence, ProposalLink, ProposalQuestion, ProposalView
from schema.scalars import URL, CurrencyCode, LanguageTag, Money

if TYPE_CHECKING:
    from schema.companies import CompanyFilter
    from schema.contacts import Contact, ContactFilter
    from schema.contracts import Contract
    from schema.leads import Lead, LeadFilter
    from schema.negotiations import Negotiation
    from schema.products import Product
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
FIRST = (Order("created_at"),)
# Whose the leads of proposals are, how the version that was sent stands, and who is asked to approve the newest.
STANDING = """
SELECT p.id, l.owner_id, s.state AS sent_state,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('roles', a.roles, 'by', a.requested_by_id)), '[]')
        FROM approval a WHERE a.version_id = p.current_id AND a.state = 'PENDING') AS asked
FROM proposal p JOIN lead l ON l.id = p.lead_id LEFT JOIN proposal_version s ON s.id = p.sent_id
WHERE p.workspace_id = $1 AND p.id = ANY($2::uuid[])
"""
VERSIONS = """
SELECT {columns} FROM proposal_version v
WHERE v.workspace_id = $1 AND v.proposal_id = ANY($2::uuid[])
"""
LINES = """
SELECT {columns} FROM proposal_line WHERE workspace_id = $1 AND version_id = ANY($2::uuid[]) ORDER BY position, id
"""

described(
    ProposalState,
    "How a proposal, or a version of it, stands.",
    DRAFT="It is being worked on.",
    IN_APPROVAL="It waits for somebody's approval.",
    APPROVED="It may be sent.",
    SENT="It is with the customer.",
    VIEWED="The customer has looked at it.",
    ACCEPTED="The customer has accepted it.",
    DECLINED="The customer has declined it.",
    EXPIRED="Its last valid day is past.",
    WITHDRAWN="It was taken back.",
    SUPERSEDED="A later version took its place.",
)
described(
    ApprovalKind,
    "What a rule looks at.",
    DISCOUNT_OVER="How far it all is below list prices, in percent.",
    VALUE_OVER="What it comes to without tax, in the workspace's base currency.",
    MARGIN_UNDER="What is left of it after costs, in percent.",
)
described(
    ApprovalState,
    "How it stands with an approval that is asked for.",
    PENDING="It is waited for.",
    APPROVED="It was given.",
    REJECTED="It was refused.",
    OBSOLETE="The proposal was changed before.",
)
strawberry.enum(Difference, description="What became of a line from one version to another.")
for _value, _words in zip(
    Difference.__strawberry_definition__.values,  # type: ignore[attr-defined]
    ("It is new.", "It is gone.", "It says something else."),
    strict=True,
):
    _value.description = _words


def money(amount: Decimal, currency: str) -> Money:
    """Return an amount of a proposal."""
    return Money(amount=amount, currency_code=CurrencyCode(currency))


def money_maybe(amount: Decimal | None, currency: str) -> Money | None:
    return None if amount is None else money(amount, currency)


def money_of(name: str, description: str) -> Any:
    """Declare an amount that stands in a column, in the proposal's currency."""
    return computed(money, description, needs=(name, "currency"))


@strawberry.type(description="What goes off, in percent or as an amount.")
class ProposalDiscount:
    percent: Decimal | None = strawberry.field(description="In percent.")
    amount: Money | None = strawberry.field(description="As an amount.")


def discount(percent: Decimal | None, amount: Decimal | None, currency: str) -> ProposalDiscount | None:
    """Return a discount; null where there is none."""
    if percent is None and amount is None:
        return None
    return ProposalDiscount(percent=percent, amount=money_maybe(amount, currency))


@strawberry.type(description="What a proposal comes to at one rate of tax.")
class ProposalTax:
    rate: Decimal = strawberry.field(description="The rate in percent.")
    net: Money = strawberry.field(description="What it comes to without tax, less its share of the discount.")
    tax: Money = strawberry.field(description="The tax on that.")


def taxes(said: Sequence[Mapping[str, str]], currency: str) -> list[ProposalTax]:
    """Return taxes from their JSON."""
    return [
        ProposalTax(
            rate=Decimal(one["rate"]),
            net=money(Decimal(one["net"]), currency),
            tax=money(Decimal(one["tax"]), currency),
        )
        for one in said
    ]


@strawberry.type(description="A part of a proposal in words: plain text, in which markup means nothing.")
class ProposalSection:
    heading: str = strawberry.field(description="What stands above it.")
    text: str | None = strawberry.field(description="What it says.")
    need_title: str | None = strawberry.field(
        description="The need that it answers, as it was called when the version was sent."
    )
    difference: str | None = strawberry.field(description="What sets us apart in that.")
    need_key: strawberry.Private[UUID | None]

    need: Need | None = relation(NeedRow, "The need that it answers; null where that is gone.", by="need_key")


def sections(said: Sequence[Mapping[str, Any]]) -> list[ProposalSection]:
    """Return sections from their JSON."""
    return [
        ProposalSection(
            heading=one["heading"],
            text=one.get("text"),
            need_title=one.get("need"),
            difference=one.get("difference"),
            need_key=UUID(one["need_id"]) if one.get("need_id") else None,
        )
        for one in said
    ]


@strawberry.type(description="A side of a proposal, as it was when a version was sent; texts are plain.")
class ProposalParty:
    company: str | None = strawberry.field(description="The company's name.")
    name: str | None = strawberry.field(description="The person's name, or else the seller's.")
    job_title: str | None = strawberry.field(description="What the person does.")
    address: Address | None = strawberry.field(description="Where they are.")
    tax_number: str | None = strawberry.field(description="Their tax number.")
    email: str | None = strawberry.field(description="Their address for mail.")
    phone: str | None = strawberry.field(description="Their telephone.")
    website: str | None = strawberry.field(description="Their site on the web.")
    bank: str | None = strawberry.field(description="To which account they are paid.")


def party(said: Mapping[str, Any] | None) -> ProposalParty | None:
    """Return a side from its JSON."""
    if said is None:
        return None
    names = ("company", "name", "job_title", "tax_number", "email", "phone", "website", "bank")
    return ProposalParty(address=address(said.get("address")), **{name: said.get(name) for name in names})


def _seller(parties: Mapping[str, Any]) -> ProposalParty | None:
    return party(parties.get("seller"))


def _buyer(parties: Mapping[str, Any]) -> ProposalParty | None:
    return party(parties.get("buyer"))


def _margin(net: Decimal, cost: Decimal | None, currency: str) -> Money | None:
    return None if cost is None else money(net - cost, currency)


def _margin_percent(net: Decimal, cost: Decimal | None) -> Decimal | None:
    return None if cost is None or not net else ((net - cost) * 100 / net).quantize(Decimal("0.01"))


@noun(ProposalLineRow, description="A product, or something in words, of a version of a proposal.")
class ProposalLine(Node):
    key: str = computed(
        str, "What it is known by in all versions of its proposal, so that versions can be compared.", needs=("key",)
    )
    position: int = column("Its place, from 0.")
    name: str = column("What it is: plain text, in which markup means nothing.")
    description: str | None = column("More about it: plain text.")
    unit: str | None = column("What is counted, such as piece or hour.")
    quantity: Decimal = column("How many.")
    unit_price: Money = money_of("unit_price", "What one costs; with its tax where the version is tax inclusive.")
    list_price: Money | None = computed(
        money_maybe,
        "What its product cost when it was put into the line; null of what is in words.",
        needs=("list_price", "currency"),
    )
    discount: ProposalDiscount | None = computed(
        discount, "What goes off.", needs=("discount_percent", "discount_amount", "currency")
    )
    tax_rate: Decimal = column("The rate of tax in percent.")
    unit_cost: Money | None = computed(
        money_maybe, "What one costs the seller, which no customer sees.", needs=("unit_cost", "currency")
    )
    optional: bool = column("Whether the customer may choose it.")
    chosen: bool = column("Whether it counts; what is not optional always does.")
    amount: Money = money_of("amount", "What it comes to, less its discount.")
    product: Annotated["Product", strawberry.lazy("schema.products")] | None = relation(
        ProductRow, "The product; null of what is in words.", by="product_id"
    )


@noun(ApprovalRuleRow, description="What holds a proposal until somebody of a role approves.")
class ApprovalRule(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_SELLING, delete=Action.MANAGE_SELLING)
    kind: ApprovalKind = column("What it looks at.")
    threshold: Decimal = column("Over or under what: percent, or an amount in the workspace's base currency.")
    roles: list[Role] = computed(
        lambda roles: [Role(role) for role in roles], "Members of which roles may approve.", needs=("roles",)
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@noun(ApprovalRow, description="What a rule asks of a version of a proposal, and who decided.")
class Approval(Node):
    kind: ApprovalKind = column("What the rule looked at.")
    reason: str = computed(approval_needs.words, "What went beyond what.", needs=("reason",))
    roles: list[Role] = computed(
        lambda roles: [Role(role) for role in roles], "Members of which roles may decide.", needs=("roles",)
    )
    state: ApprovalState = column("How it stands.")
    note: str | None = column("What whoever decided said.")
    requested_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who asked.", by="requested_by_id"
    )
    decided_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who decided; null while nobody has.", by="decided_by_id"
    )
    rule: ApprovalRule | None = relation(ApprovalRuleRow, "The rule that asks.", by="rule_id")
    proposal_version: Annotated["ProposalVersion", strawberry.lazy("schema.proposals")] | None = relation(
        ProposalVersionRow, "What it is asked for.", by="version_id"
    )
    created_at: datetime = column("When it was asked for.")
    decided_at: datetime | None = column("When it was decided.")


@noun(ProposalVersionRow, description="What a proposal says: a draft, or what was sent, which never changes again.")
class ProposalVersion(Node):
    number: int = column("Counts from 1.")
    state: ProposalState = column("How it stands.")
    title: str = column("What stands above it.")
    language: LanguageTag = column("In which language documents of it are.")
    currency_code: CurrencyCode = column("The currency of all its amounts.", of="currency")
    rounding: Rounding = column("How its amounts are rounded.")
    tax_inclusive: bool = column("Whether its prices bear their tax.")
    valid_until: date | None = column("The last day on which it can be accepted; null: it does not expire.")
    sections: list[ProposalSection] = computed(sections, "What it says in words.", needs=("sections",))
    terms: str | None = column("On which terms: plain text.")
    discount: ProposalDiscount | None = computed(
        discount, "What goes off the whole.", needs=("discount_percent", "discount_amount", "currency")
    )
    subtotal: Money = money_of("subtotal", "What its lines come to; with their tax where it is tax inclusive.")
    discount_total: Money = computed(money, "What goes off that.", needs=("discount", "currency"))
    net: Money = money_of("net", "What it comes to without tax.")
    taxes: list[ProposalTax] = computed(
        taxes, "The same by rate of tax, the highest first.", needs=("taxes", "currency")
    )
    tax: Money = money_of("tax", "All tax.")
    total: Money = money_of("total", "What it comes to with tax.")
    cost: Money | None = computed(
        money_maybe,
        "What it costs the seller; null where a line's cost is not known. No customer sees it.",
        needs=("cost", "currency"),
    )
    margin: Money | None = computed(
        _margin,
        "What is left of the net after costs; null where those are not known.",
        needs=("net", "cost", "currency"),
    )
    margin_percent: Decimal | None = computed(_margin_percent, "The same in percent of the net.", needs=("net", "cost"))
    seller: ProposalParty | None = computed(_seller, "Who sells; null of a draft.", needs=("parties",))
    buyer: ProposalParty | None = computed(_buyer, "Who buys; null of a draft.", needs=("parties",))
    sha256: str | None = column("The SHA-256 of all that a customer sees of it; null of a draft.")
    created_at: datetime = column("When it was begun.")
    frozen_at: datetime | None = column("When it was sent, and became what it is for good.")
    lines: Connection[ProposalLine] = connection(
        "ProposalLine",
        "schema.proposals",
        model=ProposalLineRow,
        by="version_id",
        default=(Order("position"),),
        plain=True,
        description="Its lines in their order.",
    )
    approvals: Connection[Approval] = connection(
        "Approval",
        "schema.proposals",
        model=ApprovalRow,
        by="version_id",
        default=FIRST,
        description="What was asked for before it may be sent, the first first.",
    )
    proposal: Annotated["Proposal", strawberry.lazy("schema.proposals")] | None = relation(
        ProposalRow, "The proposal.", by="proposal_id"
    )
    pdf_url: URL | None = pdf_url(DocumentKind.PROPOSAL, "Where it can be fetched as PDF, a draft marked as one")
    documents: Connection[Document] = documents_of("version_id")


@strawberry.type(description="What became of a line.")
class ProposalLineDifference:
    kind: Difference = strawberry.field(description="Whether it is new, gone or changed.")
    key: str = strawberry.field(description="What the line is known by in both versions.")
    name: str = strawberry.field(description="What it is now, or was.")
    changes: list[Change] = strawberry.field(description="What of it differs.")
    amount_difference: Money = strawberry.field(description="How much more it adds to the subtotal.")


@strawberry.type(description="How a version of a proposal differs from another.")
class ProposalDiff:
    from_number: int = strawberry.field(description="The number of the one.")
    to_number: int = strawberry.field(description="The number of the other.")
    changes: list[Change] = strawberry.field(description="What differs beside the lines.")
    lines: list[ProposalLineDifference] = strawberry.field(
        description="The lines that differ: those of the later version in its order, then those that are gone."
    )
    reordered: bool = strawberry.field(description="Whether the lines of both stand in another order.")
    net_difference: Money = strawberry.field(description="How much more it comes to without tax.")
    tax_difference: Money = strawberry.field(description="How much more tax there is.")
    total_difference: Money = strawberry.field(description="How much more it comes to with tax.")


def _public(changed: Mapping[str, Any]) -> list[Change]:
    """Return what differs as the API shows changes of records: keys as global ids, amounts as strings."""
    told = dict(changed)
    if "sections" in told:
        shown = ("heading", "text", "need", "difference")
        told["sections"] = [[{name: one.get(name) for name in shown} for one in side] for side in told["sections"]]
    return event_changes({"changes": orjson.loads(events.dump(told))})


def _diff(found: proposal_versions.Diff) -> ProposalDiff:
    currency = found.after.currency
    return ProposalDiff(
        from_number=found.before.number,
        to_number=found.after.number,
        changes=_public(found.changes),
        lines=[
            ProposalLineDifference(
                kind=one.kind,
                key=str(one.key),
                name=one.name,
                changes=_public(one.changes),
                amount_difference=money(one.amount, currency),
            )
            for one in found.lines
        ],
        reordered=found.reordered,
        **{f"{name}_difference": money(found.more(name), currency) for name in ("net", "tax", "total")},
    )


From = Annotated[
    int | None,
    strawberry.argument(name="from", description="The number of the one version; null: that before the other."),
]
To = Annotated[int | None, strawberry.argument(description="The number of the other version; null: the newest.")]


async def _diffs(rows: list[Any], info: Info, from_: From = None, to: To = None) -> Sequence[ProposalDiff | None]:
    actor = info.context.actor
    assert actor
    found: dict[UUID, dict[int, ProposalVersionRow]] = {}
    versions = await rows_of.select(ProposalVersionRow, VERSIONS, actor.workspace_id, [row.id for row in rows])
    for version in versions:
        found.setdefault(version.proposal_id, {})[version.number] = version
    pairs = [_pair(found.get(row.id, {}), from_, to) for row in rows]
    wanted = list({version.id for pair in pairs if pair for version in pair})
    lines: dict[UUID, list[ProposalLineRow]] = {}
    for line in await rows_of.select(ProposalLineRow, LINES, actor.workspace_id, wanted) if wanted else ():
        lines.setdefault(line.version_id, []).append(line)
    return [
        pair
        and _diff(
            proposal_versions.diff(*pair, lines_before=lines.get(pair[0].id, []), lines_after=lines.get(pair[1].id, []))
        )
        for pair in pairs
    ]


def _pair(
    known: Mapping[int, ProposalVersionRow], from_: int | None, to: int | None
) -> tuple[ProposalVersionRow, ProposalVersionRow] | None:
    after = max(known, default=0) if to is None else to
    before = after - 1 if from_ is None else from_
    return (known[before], known[after]) if before in known and after in known else None


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
        edit = Move.EDIT if self.state in EDITABLE else Move.REVISE
        return ProposalPermissions(
            update=updates and proposal_states.may(actor, self.state, edit),
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
        "schema.proposals",
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
        _diffs, "How two of its versions differ, line by line; null where it has not both.", needs=()
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


@strawberry.input(description="Which approvals.")
class ApprovalFilter:
    id: IDFilter | None = on("By id.", "id", noun="Approval")
    state: EnumFilter[ApprovalState] | None = on("By how they stand.", "state")
    kind: EnumFilter[ApprovalKind] | None = on("By what the rule looked at.", "kind")
    requested_by: IDFilter | None = on("By who asked.", "requested_by_id", noun="User")
    decided_by: IDFilter | None = on("By who decided.", "decided_by_id", noun="User")
    created_at: DateTimeFilter | None = on("By when they were asked for.", "created_at")
    and_: "list[ApprovalFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ApprovalFilter] | None" = junction("or", "Any of these passes.")
    not_: "ApprovalFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What approvals can be ordered by.")
class ApprovalOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was asked for.")


@strawberry.input(description="An order of approvals.")
class ApprovalOrder:
    field: ApprovalOrderField = strawberry.field(description="By what.")
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

    approvals: Connection[Approval] = connection(
        "Approval",
        "schema.proposals",
        model=ApprovalRow,
        default=FIRST,
        description="What is and was asked for before proposals may be sent, the first first.",
    )

    approval_rules: Connection[ApprovalRule] = connection(
        "ApprovalRule",
        "schema.proposals",
        model=ApprovalRuleRow,
        default=FIRST,
        plain=True,
        description="What holds proposals until somebody approves, archived rules included.",
    )
