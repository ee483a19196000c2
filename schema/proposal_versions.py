"""Versions of proposals in the schema: what each says and comes to, with its lines and approvals."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from engine.pages import Order
from models.documents import DocumentKind
from models.needs import Need as NeedRow
from models.proposals import Approval as ApprovalRow
from models.proposals import Proposal as ProposalRow
from models.proposals import ProposalLine as ProposalLineRow
from models.proposals import ProposalState
from models.proposals import ProposalVersion as ProposalVersionRow
from models.selling import Rounding
from schema.amounts import (
    ProposalDiscount,
    ProposalTax,
    discount,
    margin,
    margin_percent,
    money,
    money_maybe,
    money_of,
    taxes,
)
from schema.approvals import FIRST, Approval
from schema.connections import Connection, connection
from schema.documents import Document, documents_of, pdf_url
from schema.enums import described
from schema.fields import column, computed, noun, relation
from schema.needs import Need
from schema.nodes import Node
from schema.parties import ProposalParty, buyer, seller
from schema.proposal_lines import ProposalLine
from schema.scalars import URL, CurrencyCode, LanguageTag, Money

if TYPE_CHECKING:
    from schema.proposals import Proposal

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
        margin,
        "What is left of the net after costs; null where those are not known.",
        needs=("net", "cost", "currency"),
    )
    margin_percent: Decimal | None = computed(margin_percent, "The same in percent of the net.", needs=("net", "cost"))
    seller: ProposalParty | None = computed(seller, "Who sells; null of a draft.", needs=("parties",))
    buyer: ProposalParty | None = computed(buyer, "Who buys; null of a draft.", needs=("parties",))
    sha256: str | None = column("The SHA-256 of all that a customer sees of it; null of a draft.")
    created_at: datetime = column("When it was begun.")
    frozen_at: datetime | None = column("When it was sent, and became what it is for good.")
    lines: Connection[ProposalLine] = connection(
        "ProposalLine",
        "schema.proposal_lines",
        model=ProposalLineRow,
        by="version_id",
        default=(Order("position"),),
        plain=True,
        description="Its lines in their order.",
    )
    approvals: Connection[Approval] = connection(
        "Approval",
        "schema.approvals",
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
