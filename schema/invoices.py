"""Invoices, credit notes and payments in the schema."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain import invoice_states, policy
from domain.policy import Action
from engine.conditions import All, Compare, Op
from engine.pages import Order
from models.contacts import Contact as ContactRow
from models.contracts import Contract as ContractRow
from models.documents import DocumentKind
from models.invoices import Invoice as InvoiceRow
from models.invoices import InvoiceKind, InvoiceState
from models.invoices import Payment as PaymentRow
from models.invoices import PaymentProvider as PaymentProviderRow
from models.leads import Lead as LeadRow
from models.proposals import Proposal as ProposalRow
from models.users import User as UserRow
from schema.amounts import ProposalDiscount, ProposalTax, discount, money, money_of, taxes
from schema.connections import Connection, connection
from schema.context import Info
from schema.contracts import Contract, Owned, owners_of
from schema.documents import Document, documents_of, pdf_url
from schema.enums import described
from schema.fields import batch, by_id, column, computed, noun, relation
from schema.filters import (
    DateFilter,
    DateTimeFilter,
    DecimalFilter,
    EnumFilter,
    IDFilter,
    StringFilter,
    flag,
    junction,
    on,
    through,
)
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.parties import ProposalParty, buyer, seller
from schema.scalars import URL, CurrencyCode, LanguageTag, Money

if TYPE_CHECKING:
    from schema.contacts import Contact
    from schema.leads import Lead, LeadFilter
    from schema.payment_providers import PaymentProvider
    from schema.proposals import Proposal
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
FIRST = (Order("created_at"),)
OPEN = tuple(state.value for state in invoice_states.OPEN)
OVERDUE = All((Compare("state", Op.IN, OPEN), Compare("overdue_at", Op.IS_NULL, value=False)))

described(
    InvoiceKind,
    "What asks for money, and what takes that back.",
    INVOICE="It asks for money.",
    CREDIT_NOTE="It takes from an invoice.",
)
described(
    InvoiceState,
    "How an invoice stands.",
    PLANNED="It is issued on its day, and numbered then.",
    ISSUED="It is issued, and nothing is paid; a credit note stays so.",
    PARTIALLY_PAID="Some of it is paid.",
    PAID="Nothing of it is open; perhaps too much was paid.",
    CREDITED="All of it was credited; what was paid is to go back.",
    CANCELLED="It was cancelled while it was planned.",
)


@strawberry.type(description="A line of an invoice.")
class InvoiceLine:
    name: str = strawberry.field(description="What it is for: plain text.")
    description: str | None = strawberry.field(description="More about it: plain text.")
    unit: str | None = strawberry.field(description="What is counted.")
    quantity: Decimal = strawberry.field(description="How many.")
    unit_price: Money = strawberry.field(description="What one costs; with its tax where the invoice is tax inclusive.")
    discount: ProposalDiscount | None = strawberry.field(description="What goes off.")
    tax_rate: Decimal = strawberry.field(description="The rate of tax in percent.")
    amount: Money = strawberry.field(
        description="What it comes to, less its discount; with its tax where the invoice is tax inclusive."
    )
    net: Money = strawberry.field(description="What it comes to without tax.")


def _lines(said: Sequence[Mapping[str, Any]], currency: str) -> list[InvoiceLine]:
    return [
        InvoiceLine(
            name=one["name"],
            description=one.get("description"),
            unit=one.get("unit"),
            quantity=Decimal(one["quantity"]),
            unit_price=money(Decimal(one["unit_price"]), currency),
            discount=discount(_maybe(one, "discount_percent"), _maybe(one, "discount_amount"), currency),
            tax_rate=Decimal(one["tax_rate"]),
            amount=money(Decimal(one["amount"]), currency),
            net=money(Decimal(one["net"]), currency),
        )
        for one in said
    ]


def _maybe(said: Mapping[str, Any], name: str) -> Decimal | None:
    return None if said.get(name) is None else Decimal(said[name])


@noun(PaymentRow, description="Money that came, or went back where it is negative; it never changes.")
class Payment(Node):
    amount: Money = money_of("amount", "How much; less than nothing where it went back.")
    received_on: date = column("The day on which it came or went back.")
    method: str | None = column("How it was paid.")
    reference: str | None = column("What it was paid under.")
    note: str | None = column("What is said of it; of what went back, why.")
    reverses: Annotated["Payment", strawberry.lazy("schema.invoices")] | None = relation(
        PaymentRow, "The payment that it takes back, if it does.", by="reverses_id"
    )
    provider: Annotated["PaymentProvider", strawberry.lazy("schema.payment_providers")] | None = relation(
        PaymentProviderRow,
        "The provider that told of it; null of one by hand, and for who may not see it.",
        by="provider_id",
    )
    provider_key: str | None = column("What the provider calls it.")
    recorded_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who recorded it; null where a provider told of it.", by="recorded_by_id"
    )
    created_at: datetime = column("When it was recorded.")
    invoice: Annotated["Invoice", strawberry.lazy("schema.invoices")] | None = relation(
        InvoiceRow, "What it is for.", by="invoice_id"
    )


@strawberry.type(description="What the viewer may do with an invoice as it stands.")
class InvoicePermissions:
    cancel: bool = strawberry.field(description="Cancel it while it is planned.")
    issue: bool = strawberry.field(description="Issue it before its day.")
    credit: bool = strawberry.field(description="Credit it.")
    record_payment: bool = strawberry.field(description="Record and reverse its payments.")


async def _permissions(rows: list[Any], info: Info) -> list[InvoicePermissions]:
    actor, leads = info.context.actor, await owners_of(rows, info)
    made = []
    for row in rows:
        lead = leads.get(row.lead_id, Owned())
        is_asked = row.kind is InvoiceKind.INVOICE and row.state not in (InvoiceState.PLANNED, InvoiceState.CANCELLED)
        plans = row.state is InvoiceState.PLANNED and policy.may(actor, Action.ISSUE_INVOICE, lead)
        made.append(
            InvoicePermissions(
                cancel=plans,
                issue=plans,
                credit=is_asked
                and row.state is not InvoiceState.CREDITED
                and policy.may(actor, Action.CREDIT_INVOICE, lead),
                record_payment=is_asked and policy.may(actor, Action.RECORD_PAYMENT, lead),
            )
        )
    return made


@noun(InvoiceRow, description="What is asked for, whole or in instalments, or a credit note; once issued, for good.")
class Invoice(Node):
    viewer_can: InvoicePermissions = batch(
        _permissions, "What the viewer may do with it.", needs=("lead_id", "kind", "state")
    )
    kind: InvoiceKind = column("Whether it asks for money or takes that back.")
    state: InvoiceState = column("How it stands.")
    number: str | None = column("Its number, such as INV-2026-0001 or CN-2026-0001; null until it is issued.")
    title: str = column("What stands above it: plain text.")
    language: LanguageTag = column("In which language it is.")
    currency_code: CurrencyCode = column("The currency of its amounts.", of="currency")
    instalment: int | None = column("Which instalment it is, from 1; null where it is no instalment.")
    instalments: int | None = column("Of how many.")
    lines: list[InvoiceLine] = computed(_lines, "What it is for.", needs=("lines", "currency"))
    tax_inclusive: bool = column("Whether its lines and its discount bear their tax.")
    subtotal: Money = money_of("subtotal", "What its lines come to; with their tax where it is tax inclusive.")
    discount_total: Money = computed(money, "What goes off that.", needs=("discount", "currency"))
    net: Money = money_of("net", "What it comes to without tax.")
    taxes: list[ProposalTax] = computed(taxes, "The same by rate of tax.", needs=("taxes", "currency"))
    tax: Money = money_of("tax", "All tax.")
    total: Money = money_of("total", "What it comes to with tax; of a credit note, what it takes back.")
    paid: Money = money_of("paid", "What was paid, less what went back.")
    credited: Money = money_of("credited", "What was credited.")
    balance: Money = money_of("balance", "What is open; less than nothing where too much was paid.")
    terms: str | None = column("What it says beside: plain text.")
    reason: str | None = column("Why a credit note was made.")
    seller: ProposalParty | None = computed(seller, "Who asks; null until it is issued.", needs=("parties",))
    buyer: ProposalParty | None = computed(buyer, "Who is asked; null until it is issued.", needs=("parties",))
    issue_on: date | None = column("The day on which it is, or was to be, issued.")
    issued_on: date | None = column("The day on which it was issued.")
    due_on: date | None = column("The last day on which it is to be paid.")
    issued_at: datetime | None = column("When it was issued.")
    overdue_at: datetime | None = column("When it was first found overdue.")
    paid_at: datetime | None = column("When the last of it was paid.")
    cancelled_at: datetime | None = column("When it was cancelled.")
    sha256: str | None = column("The SHA-256 of all that it says; null until it is issued.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    pdf_url: URL | None = pdf_url(DocumentKind.INVOICE, "Where it can be fetched as PDF, a planned one as a draft")
    documents: Connection[Document] = documents_of("invoice_id")
    updated_at: datetime = column("When a person last changed it.")
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(LeadRow, "Who is asked.", by="lead_id")
    proposal: Annotated["Proposal", strawberry.lazy("schema.proposals")] | None = relation(
        ProposalRow, "The proposal that it is for, if it is for one.", by="proposal_id"
    )
    contract: Contract | None = relation(ContractRow, "The contract that it is for, if any.", by="contract_id")
    credits: Annotated["Invoice", strawberry.lazy("schema.invoices")] | None = relation(
        InvoiceRow, "The invoice that a credit note takes from.", by="credits_id"
    )
    credit_notes: Connection[Annotated["Invoice", strawberry.lazy("schema.invoices")]] = connection(
        "Invoice",
        "schema.invoices",
        model=InvoiceRow,
        by="credits_id",
        default=FIRST,
        plain=True,
        description="What was credited of it, the first first.",
    )
    payments: Connection[Payment] = connection(
        "Payment",
        "schema.invoices",
        model=PaymentRow,
        by="invoice_id",
        default=FIRST,
        plain=True,
        description="What was paid and went back, the first first.",
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow,
        "Who gets it, where somebody was named; else it is for whom its proposal is, or the lead's primary contact.",
        by="contact_id",
    )
    created_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who made it.", by="created_by_id"
    )


@strawberry.input(description="Which invoices.")
class InvoiceFilter:
    id: IDFilter | None = on("By id.", "id", noun="Invoice")
    kind: EnumFilter[InvoiceKind] | None = on("By whether they ask or take back.", "kind")
    state: EnumFilter[InvoiceState] | None = on("By how they stand.", "state")
    overdue: bool | None = flag("Whether they were found overdue and are open still.", OVERDUE)
    number: StringFilter | None = on("By number.", "number")
    title: StringFilter | None = on("By title; `search` finds words faster.", "title")
    total: DecimalFilter | None = on("By what they come to with tax, whatever the currency.", "total")
    balance: DecimalFilter | None = on("By what is open, whatever the currency.", "balance")
    currency: StringFilter | None = on("By the code of their currency.", "currency")
    issue_on: DateFilter | None = on("By the day on which they are to be issued.", "issue_on")
    issued_on: DateFilter | None = on("By the day on which they were issued.", "issued_on")
    due_on: DateFilter | None = on("By the day on which they are due.", "due_on")
    overdue_at: DateTimeFilter | None = on("By when they were found overdue.", "overdue_at")
    paid_at: DateTimeFilter | None = on("By when they were paid.", "paid_at")
    created_at: DateTimeFilter | None = on("By when they were made.", "created_at")
    lead_id: IDFilter | None = on("By lead.", "lead_id", noun="Lead")
    proposal_id: IDFilter | None = on("By proposal.", "proposal_id", noun="Proposal")
    contract_id: IDFilter | None = on("By contract.", "contract_id", noun="Contract")
    credits: IDFilter | None = on("By the invoice that they take from.", "credits_id", noun="Invoice")
    lead: Annotated["LeadFilter", strawberry.lazy("schema.leads")] | None = through("By their lead.", "lead")
    and_: "list[InvoiceFilter] | None" = junction("and", "All of these pass.")
    or_: "list[InvoiceFilter] | None" = junction("or", "Any of these passes.")
    not_: "InvoiceFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What invoices can be ordered by.")
class InvoiceOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was made.")
    DUE_ON = strawberry.enum_value("due_on", description="The day on which it is due.")


@strawberry.input(description="An order of invoices.")
class InvoiceOrder:
    field: InvoiceOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


def invoices_by(column: str, description: str) -> Any:
    """Declare the invoices of something whose key stands in this column of theirs."""
    return connection(
        "Invoice", "schema.invoices", model=InvoiceRow, by=column, default=NEWEST, description=description
    )


@strawberry.type
class InvoiceQueries:
    invoices: Connection[Invoice] = connection(
        "Invoice",
        "schema.invoices",
        model=InvoiceRow,
        default=NEWEST,
        description="The invoices and credit notes of leads that the viewer may see, the newest first.",
    )

    invoice: Invoice | None = by_id(
        InvoiceRow, "Invoice", "An invoice or credit note; null where its lead is deleted or may not be seen."
    )
