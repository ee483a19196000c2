"""What can be done with invoices and payments, in the schema: translate in, translate out."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

import strawberry

from domain import credit_notes, invoices, payments
from domain.credit_notes import CreditLine
from domain.invoice_details import FreeLine, Instalment, InvoiceDetails, Source
from domain.payments import PaymentDetails
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import shown
from schema.inputs import about, amount_of, expected_version, own_id
from schema.invoices import Invoice, Payment
from schema.scalars import CurrencyCode, LanguageTag, MoneyInput


@strawberry.input(description="A line of an invoice.")
class InvoiceLineInput:
    name: str = strawberry.field(description="What it is for, at most 200 characters.")
    description: str | None = strawberry.field(default=None, description="More about it, at most 20,000 characters.")
    unit: str | None = strawberry.field(default=None, description="What is counted, at most 50 characters.")
    quantity: Decimal = strawberry.field(
        default=Decimal(1), description="How many, with at most four decimals; 1 unless given."
    )
    unit_price: Decimal = strawberry.field(description="What one costs, in the invoice's currency.")
    discount_percent: Decimal | None = strawberry.field(default=None, description="What goes off all, in percent.")
    discount_amount: Decimal | None = strawberry.field(default=None, description="What goes off all, as an amount.")
    tax_rate: Decimal | None = strawberry.field(
        default=None, description="The rate of tax in percent; null: the workspace's usual one."
    )


@strawberry.input(description="A part of what is invoiced, due on a day; the last one may leave open how much it is.")
class InstalmentInput:
    percent: Decimal | None = strawberry.field(default=None, description="How much, in percent of the whole.")
    amount: MoneyInput | None = strawberry.field(default=None, description="How much, with tax.")
    due_on: date = strawberry.field(description="The last day on which it is to be paid.")
    issue_on: date | None = strawberry.field(
        default=None,
        description="The day on which it is issued; null: as many days before it is due as there are to pay.",
    )


@strawberry.input(
    description="What to invoice: a contract that both sides have signed, a proposal that was accepted, or a lead."
)
class IssueInvoiceInput(MutationInput):
    id: strawberry.ID | None = own_id()
    contract_id: strawberry.ID | None = strawberry.field(default=None, description="The contract.")
    proposal_id: strawberry.ID | None = strawberry.field(default=None, description="The proposal.")
    lead_id: strawberry.ID | None = strawberry.field(default=None, description="The lead, with lines.")
    lines: list[InvoiceLineInput] | None = strawberry.field(default=None, description="Lines of a lead's invoice.")
    currency: CurrencyCode | None = strawberry.field(
        default=None, description="The currency of lines; null: the workspace's."
    )
    tax_inclusive: bool | None = strawberry.field(
        default=None, description="Whether prices of lines bear their tax; null: as the workspace sells."
    )
    contact_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="Who gets it; null: for whom the proposal is, else the lead's primary contact.",
    )
    instalments: list[InstalmentInput] | None = strawberry.field(
        default=None, description="The parts that it is paid in, 2 to 120; null: whole."
    )
    title: str | None = strawberry.field(default=None, description="What stands above it, at most 200 characters.")
    language: LanguageTag | None = strawberry.field(default=None, description="In which language it is.")
    terms: str | None = strawberry.field(default=None, description="What it says beside, at most 20,000 characters.")
    due_on: date | None = strawberry.field(
        default=None, description="The last day on which it is to be paid; null: as the workspace gives to pay."
    )


@strawberry.input(description="An invoice that is planned.")
class PlannedInvoiceInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The invoice.")
    expected_version: int | None = expected_version()


@strawberry.input(description="What is credited in words.")
class CreditLineInput:
    name: str = strawberry.field(description="What it is for, at most 200 characters.")
    tax_rate: Decimal = strawberry.field(description="At which of the invoice's rates of tax, in percent.")
    amount: MoneyInput = strawberry.field(description="How much, with tax.")


@strawberry.input(description="What to credit of an invoice: an amount, lines, or else all that is left.")
class CreditInvoiceInput(MutationInput):
    id: strawberry.ID | None = own_id()
    invoice_id: strawberry.ID = strawberry.field(description="The invoice.")
    reason: str = strawberry.field(description="Why, at most 2,000 characters.")
    amount: MoneyInput | None = strawberry.field(
        default=None, description="How much, with tax; it is divided over the invoice's rates of tax."
    )
    lines: list[CreditLineInput] | None = strawberry.field(default=None, description="What is credited, line by line.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A payment to record.")
class RecordPaymentInput(MutationInput):
    id: strawberry.ID | None = own_id()
    invoice_id: strawberry.ID = strawberry.field(description="The invoice.")
    amount: MoneyInput = strawberry.field(description="How much came; less than nothing where it went back.")
    received_on: date | None = strawberry.field(default=None, description="On which day; null: today.")
    method: str | None = strawberry.field(default=None, description="How it was paid, at most 200 characters.")
    reference: str | None = strawberry.field(default=None, description="Under what, at most 200 characters.")
    note: str | None = strawberry.field(
        default=None, description="What is to be said of it, at most 2,000 characters; why, where it went back."
    )


@strawberry.input(description="A payment to take back.")
class ReversePaymentInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The payment.")
    reason: str = strawberry.field(description="Why, at most 2,000 characters.")


@strawberry.type(description="An invoice after a mutation.")
class InvoicePayload(Payload):
    stale_field: ClassVar[str] = "invoice"
    invoice: Invoice | None = strawberry.field(
        default=None, description="The invoice; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="What was invoiced.")
class IssueInvoicePayload(Payload):
    invoice: Invoice | None = strawberry.field(default=None, description="The invoice, or the first instalment.")
    invoices: list[Invoice] = strawberry.field(
        default_factory=list, description="All instalments, issued and planned, or the one invoice."
    )


@strawberry.type(description="An invoice and its credit note.")
class CreditInvoicePayload(InvoicePayload):
    credit_note: Invoice | None = strawberry.field(default=None, description="The credit note.")


@strawberry.type(description="A payment and what it leaves open.")
class PaymentPayload(Payload):
    payment: Payment | None = strawberry.field(default=None, description="The payment.")
    invoice: Invoice | None = strawberry.field(default=None, description="What it is for.")


def _key(value: strawberry.ID | None, noun: str, field: str) -> UUID | None:
    return None if value is None else ids.decode(value, noun, field=field)


def _details(input: IssueInvoiceInput) -> InvoiceDetails:
    return InvoiceDetails(
        title=input.title,
        language=input.language,
        terms=input.terms,
        currency=input.currency,
        tax_inclusive=input.tax_inclusive,
        due_on=input.due_on,
        contact_id=_key(input.contact_id, "Contact", "contactId"),
        lines=[_line(line) for line in input.lines or ()],
        instalments=[
            Instalment(percent=one.percent, amount=amount_of(one.amount), due_on=one.due_on, issue_on=one.issue_on)
            for one in input.instalments or ()
        ],
    )


def _line(line: InvoiceLineInput) -> FreeLine:
    return FreeLine(
        name=line.name,
        description=line.description,
        unit=line.unit,
        quantity=line.quantity,
        unit_price=line.unit_price,
        discount_percent=line.discount_percent,
        discount_amount=line.discount_amount,
        tax_rate=line.tax_rate,
    )


def amount(value: MoneyInput) -> Any:
    """Return a required amount as the domain takes it."""
    return amount_of(value)


@strawberry.type
class InvoiceMutations:
    @strawberry.mutation(description="Issue an invoice, whole or in instalments, of which later ones are planned.")
    @reports_user_errors
    async def issue_invoice(
        self, info: Info, input: Annotated[IssueInvoiceInput, about("What to invoice.")]
    ) -> IssueInvoicePayload:
        rows = await invoices.issue(
            info.context.actor,
            Source(
                contract_id=_key(input.contract_id, "Contract", "contractId"),
                proposal_id=_key(input.proposal_id, "Proposal", "proposalId"),
                lead_id=_key(input.lead_id, "Lead", "leadId"),
            ),
            _details(input),
            id=ids.decode_new(input.id, "Invoice"),
            now=info.context.now,
        )
        return IssueInvoicePayload(invoice=shown(rows[0]), invoices=[shown(row) for row in rows])

    @strawberry.mutation(description="Issue a planned invoice before its day.")
    @reports_user_errors
    async def issue_planned_invoice(
        self, info: Info, input: Annotated[PlannedInvoiceInput, about("The invoice.")]
    ) -> InvoicePayload:
        row = await invoices.issue_planned(
            info.context.actor,
            ids.decode(input.id, "Invoice"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return InvoicePayload(invoice=shown(row))

    @strawberry.mutation(description="Cancel a planned invoice.")
    @reports_user_errors
    async def cancel_invoice(
        self, info: Info, input: Annotated[PlannedInvoiceInput, about("The invoice.")]
    ) -> InvoicePayload:
        row = await invoices.cancel(
            info.context.actor,
            ids.decode(input.id, "Invoice"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return InvoicePayload(invoice=shown(row))

    @strawberry.mutation(description="Credit an invoice, whole or in part, by a credit note.")
    @reports_user_errors
    async def credit_invoice(
        self, info: Info, input: Annotated[CreditInvoiceInput, about("What to credit.")]
    ) -> CreditInvoicePayload:
        row, note = await credit_notes.credit(
            info.context.actor,
            ids.decode(input.invoice_id, "Invoice", field="invoiceId"),
            reason=input.reason,
            amount=amount_of(input.amount),
            lines=[
                CreditLine(name=line.name, tax_rate=line.tax_rate, amount=amount(line.amount))
                for line in input.lines or ()
            ],
            id=ids.decode_new(input.id, "Invoice"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return CreditInvoicePayload(invoice=shown(row), credit_note=shown(note))

    @strawberry.mutation(description="Record a payment of an invoice, or what went back.")
    @reports_user_errors
    async def record_payment(
        self, info: Info, input: Annotated[RecordPaymentInput, about("The payment.")]
    ) -> PaymentPayload:
        row, payment = await payments.record(
            info.context.actor,
            ids.decode(input.invoice_id, "Invoice", field="invoiceId"),
            PaymentDetails(
                amount=amount(input.amount),
                received_on=input.received_on,
                method=input.method,
                reference=input.reference,
                note=input.note,
            ),
            id=ids.decode_new(input.id, "Payment"),
            now=info.context.now,
        )
        return PaymentPayload(payment=shown(payment), invoice=shown(row))

    @strawberry.mutation(description="Take back a payment that did not come, or was recorded wrongly.")
    @reports_user_errors
    async def reverse_payment(
        self, info: Info, input: Annotated[ReversePaymentInput, about("The payment.")]
    ) -> PaymentPayload:
        row, payment = await payments.reverse(
            info.context.actor, ids.decode(input.id, "Payment"), reason=input.reason, now=info.context.now
        )
        return PaymentPayload(payment=shown(payment), invoice=shown(row))
