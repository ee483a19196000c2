"""Contracts in the schema: what both sides sign."""

from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain import policy
from domain.policy import Action
from engine.pages import Order
from models.contracts import Contract as ContractRow
from models.contracts import ContractState
from models.database import read
from models.documents import DocumentKind
from models.invoices import Invoice as InvoiceRow
from models.leads import Lead as LeadRow
from models.proposal_links import Party
from models.proposals import Proposal as ProposalRow
from models.proposals import ProposalVersion as ProposalVersionRow
from models.users import User as UserRow
from schema.amounts import money_of
from schema.connections import Connection, connection
from schema.context import Info
from schema.documents import Document, documents_of, pdf_url
from schema.enums import described
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
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.scalars import URL, CurrencyCode, LanguageTag, Money

if TYPE_CHECKING:
    from schema.invoices import Invoice
    from schema.leads import Lead, LeadFilter
    from schema.proposal_versions import ProposalVersion
    from schema.proposals import Proposal
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
OWNERS = "SELECT id, owner_id FROM lead WHERE workspace_id = $1 AND id = ANY($2::uuid[])"
SIGNATURES = """
SELECT id, party, name, address, sha256, created_at FROM evidence WHERE workspace_id = $1 AND id = ANY($2::uuid[])
"""

described(
    ContractState,
    "How a contract stands.",
    OPEN="It waits for a signature.",
    SIGNED="Both sides have signed it.",
    CANCELLED="It was cancelled before both had signed.",
)


@strawberry.type(description="What one side has signed.")
class ContractSignature:
    party: Party = strawberry.field(description="Which side.")
    name: str = strawberry.field(description="The name that they typed.")
    signed_at: datetime = strawberry.field(description="When they signed.")
    address: str | None = strawberry.field(description="The network address that they signed from.")
    sha256: str = strawberry.field(description="The SHA-256 of what they saw.")


async def _signatures(rows: list[Any], info: Info) -> list[list[ContractSignature]]:
    keys = [key for row in rows for key in (row.seller_signature_id, row.buyer_signature_id) if key]
    actor = info.context.actor
    found = {row["id"]: row for row in await read(SIGNATURES, actor.workspace_id, keys)} if keys else {}
    return [
        [
            ContractSignature(
                party=Party(one["party"]),
                name=one["name"],
                signed_at=one["created_at"],
                address=one["address"],
                sha256=one["sha256"],
            )
            for key in (row.seller_signature_id, row.buyer_signature_id)
            if (one := found.get(key)) is not None
        ]
        for row in rows
    ]


@strawberry.type(description="What the viewer may do with a contract as it stands.")
class ContractPermissions:
    sign: bool = strawberry.field(description="Sign it for the seller.")
    cancel: bool = strawberry.field(description="Cancel it.")
    invoice: bool = strawberry.field(description="Invoice it.")


async def owners_of(rows: list[Any], info: Info) -> dict[Any, Any]:
    """Return the leads of rows by their keys, with the column that rules look at."""
    found = await read(OWNERS, info.context.actor.workspace_id, [row.lead_id for row in rows])
    return {row["id"]: Owned(row["owner_id"]) for row in found}


class Owned:
    """What the rules of what hangs on a lead look at."""

    def __init__(self, owner_id: Any = None) -> None:
        self.owner_id = owner_id


async def _permissions(rows: list[Any], info: Info) -> list[ContractPermissions]:
    actor, leads = info.context.actor, await owners_of(rows, info)
    made = []
    for row in rows:
        lead, is_open = leads.get(row.lead_id, Owned()), row.state is ContractState.OPEN
        signs = policy.may(actor, Action.SIGN_CONTRACT, lead) and actor.scopes is None
        made.append(
            ContractPermissions(
                sign=is_open and row.seller_signature_id is None and signs,
                cancel=is_open and policy.may(actor, Action.CREATE_CONTRACT, lead),
                invoice=row.state is ContractState.SIGNED and policy.may(actor, Action.ISSUE_INVOICE, lead),
            )
        )
    return made


@noun(ContractRow, description="A contract on what was agreed; it never changes, but for its signatures.")
class Contract(Node):
    viewer_can: ContractPermissions = batch(
        _permissions, "What the viewer may do with it.", needs=("lead_id", "state", "seller_signature_id")
    )
    number: str = column("What people call it by, such as C-2026-0001.")
    title: str = column("What stands above it: plain text.")
    language: LanguageTag = column("In which language it is.")
    state: ContractState = column("How it stands.")
    terms: str | None = column("On which terms: plain text.")
    starts_on: date | None = column("The day on which it begins.")
    ends_on: date | None = column("The day on which it ends; once it is signed, the lead's term does.")
    currency_code: CurrencyCode = column("The currency of its amounts.", of="currency")
    net: Money = money_of("net", "What it comes to without tax, with the options that were taken.")
    total: Money = money_of("total", "What it comes to with tax, with the options that were taken.")
    sha256: str = column("The SHA-256 of all that is signed.")
    signatures: list[ContractSignature] = batch(
        _signatures,
        "Who has signed it, the seller first.",
        needs=("seller_signature_id", "buyer_signature_id"),
    )
    seller_signed_at: datetime | None = column("When the seller signed it.")
    buyer_signed_at: datetime | None = column("When the buyer signed it.")
    signed_at: datetime | None = column("When both had signed it.")
    cancelled_at: datetime | None = column("When it was cancelled.")
    cancel_reason: str | None = column("Why it was cancelled.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    pdf_url: URL | None = pdf_url(DocumentKind.CONTRACT, "Where it can be fetched as PDF, with the signatures so far")
    documents: Connection[Document] = documents_of("contract_id")
    updated_at: datetime = column("When a person last changed it.")
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(LeadRow, "Whose it is.", by="lead_id")
    proposal: Annotated["Proposal", strawberry.lazy("schema.proposals")] | None = relation(
        ProposalRow, "The proposal that was accepted.", by="proposal_id"
    )
    proposal_version: Annotated["ProposalVersion", strawberry.lazy("schema.proposal_versions")] | None = relation(
        ProposalVersionRow, "The version that was agreed on, with its lines and sides.", by="proposal_version_id"
    )
    created_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who made it.", by="created_by_id"
    )
    invoices: Connection[Annotated["Invoice", strawberry.lazy("schema.invoices")]] = connection(
        "Invoice",
        "schema.invoices",
        model=InvoiceRow,
        by="contract_id",
        default=(Order("due_on"),),
        description="What was invoiced of it, and is planned, the first due first.",
    )


@strawberry.input(description="Which contracts.")
class ContractFilter:
    id: IDFilter | None = on("By id.", "id", noun="Contract")
    state: EnumFilter[ContractState] | None = on("By how they stand.", "state")
    number: StringFilter | None = on("By number.", "number")
    title: StringFilter | None = on("By title.", "title")
    total: DecimalFilter | None = on("By what they come to with tax, whatever the currency.", "total")
    starts_on: DateFilter | None = on("By the day on which they begin.", "starts_on")
    ends_on: DateFilter | None = on("By the day on which they end.", "ends_on")
    seller_signed_at: DateTimeFilter | None = on("By when the seller signed.", "seller_signed_at")
    buyer_signed_at: DateTimeFilter | None = on("By when the buyer signed.", "buyer_signed_at")
    signed_at: DateTimeFilter | None = on("By when both had signed.", "signed_at")
    created_at: DateTimeFilter | None = on("By when they were made.", "created_at")
    lead_id: IDFilter | None = on("By lead.", "lead_id", noun="Lead")
    proposal_id: IDFilter | None = on("By proposal.", "proposal_id", noun="Proposal")
    lead: Annotated["LeadFilter", strawberry.lazy("schema.leads")] | None = through("By their lead.", "lead")
    and_: "list[ContractFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ContractFilter] | None" = junction("or", "Any of these passes.")
    not_: "ContractFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What contracts can be ordered by.")
class ContractOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was made.")
    ENDS_ON = strawberry.enum_value("ends_on", description="The day on which it ends.")


@strawberry.input(description="An order of contracts.")
class ContractOrder:
    field: ContractOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


def contracts_by(column: str, description: str) -> Any:
    """Declare the contracts of something whose key stands in this column of theirs."""
    return connection(
        "Contract", "schema.contracts", model=ContractRow, by=column, default=NEWEST, description=description
    )


@strawberry.type
class ContractQueries:
    contracts: Connection[Contract] = connection(
        "Contract",
        "schema.contracts",
        model=ContractRow,
        default=NEWEST,
        description="The contracts of leads that the viewer may see, the newest first.",
    )

    contract: Contract | None = by_id(
        ContractRow, "Contract", "A contract; null where its lead is deleted or may not be seen."
    )
