"""Invoices, credit notes, and the payments that settle them."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, WorkspaceRow
from models.contacts import Contact
from models.contracts import Contract
from models.leads import Lead
from models.proposals import Proposal, ProposalVersion
from models.users import User


class InvoiceKind(StrEnum):
    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"


class InvoiceState(StrEnum):
    PLANNED = "PLANNED"
    ISSUED = "ISSUED"
    PARTIALLY_PAID = "PARTIALLY_PAID"
    PAID = "PAID"
    CREDITED = "CREDITED"
    CANCELLED = "CANCELLED"


class Invoice(EditableRow):
    """What is asked for, whole or as one of several instalments; a PLANNED one has no number yet.

    What it says never changes once it has a number: a trigger sees to that. `lines` and `taxes` are as a proposal's
    version has them (`subtotal` less `discount` is `net`, or `total` where `tax_inclusive`), `parties` as they were
    when it was issued. `balance` is what is still open, less than nothing where too much was paid, and nothing of one
    that has no number. `contact` is whom it goes to, where somebody was named. A credit note takes from the invoice
    that it `credits`, for a `reason`. `due_at` is when a sweep has to look at it: to issue a planned one, to find one
    overdue.
    """

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="invoices")
    proposal_id: UUID | None
    proposal: fields.ForeignKeyNullableRelation[Proposal] = fields.ForeignKeyField(
        "models.Proposal", related_name="invoices", null=True, on_delete=fields.RESTRICT
    )
    proposal_version_id: UUID | None
    proposal_version: fields.ForeignKeyNullableRelation[ProposalVersion] = fields.ForeignKeyField(
        "models.ProposalVersion",
        related_name=False,
        null=True,
        on_delete=fields.RESTRICT,
    )
    contract_id: UUID | None
    contract: fields.ForeignKeyNullableRelation[Contract] = fields.ForeignKeyField(
        "models.Contract", related_name="invoices", null=True, on_delete=fields.RESTRICT
    )
    credits_id: UUID | None
    credits: "fields.ForeignKeyNullableRelation[Invoice]" = fields.ForeignKeyField(
        "models.Invoice", related_name="credit_notes", null=True, on_delete=fields.RESTRICT
    )
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    kind = fields.CharEnumField(InvoiceKind, max_length=11, default=InvoiceKind.INVOICE)
    state = fields.CharEnumField(InvoiceState, max_length=14)
    number: str | None = fields.TextField(null=True)
    instalment: int | None = fields.IntField(null=True)
    instalments: int | None = fields.IntField(null=True)
    title = fields.TextField()
    language = fields.TextField()
    currency = fields.CharField(max_length=3)
    lines: list[dict[str, Any]] = fields.JSONField()
    taxes: list[dict[str, Any]] = fields.JSONField()
    parties: dict[str, Any] = fields.JSONField(default=dict)
    terms: str | None = fields.TextField(null=True)
    tax_inclusive = fields.BooleanField(default=False)
    subtotal: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    discount: Decimal = fields.DecimalField(max_digits=19, decimal_places=4, default=Decimal(0))
    net: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    tax: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    total: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    paid: Decimal = fields.DecimalField(max_digits=19, decimal_places=4, default=Decimal(0))
    credited: Decimal = fields.DecimalField(max_digits=19, decimal_places=4, default=Decimal(0))
    balance: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    reason: str | None = fields.TextField(null=True)
    issue_on: date | None = fields.DateField(null=True)
    issued_on: date | None = fields.DateField(null=True)
    due_on: date | None = fields.DateField(null=True)
    due_at: datetime | None = fields.DatetimeField(null=True)
    issued_at: datetime | None = fields.DatetimeField(null=True)
    overdue_at: datetime | None = fields.DatetimeField(null=True)
    paid_at: datetime | None = fields.DatetimeField(null=True)
    cancelled_at: datetime | None = fields.DatetimeField(null=True)
    sha256: str | None = fields.TextField(null=True)
    created_by_id: UUID | None
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )

    class Meta:
        table = "invoice"


class PaymentProvider(EditableRow):
    """Who tells us of payments by web hooks that are signed with `secret`, or with the one before it for a while."""

    name = fields.TextField()
    secret = fields.TextField()
    previous_secret: str | None = fields.TextField(null=True)
    previous_until: datetime | None = fields.DatetimeField(null=True)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "payment_provider"


class Payment(WorkspaceRow):
    """Money that came (or, where negative, went back), by hand or told by a provider, which tells each once.

    It never changes: what was wrong is taken back by another one that `reverses` it. `received_on` is the day of
    either, `note` the reason of what went back.
    """

    invoice_id: UUID
    invoice: fields.ForeignKeyRelation[Invoice] = fields.ForeignKeyField(
        "models.Invoice", related_name="payments", on_delete=fields.RESTRICT
    )
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    amount: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    currency = fields.CharField(max_length=3)
    received_on = fields.DateField()
    method: str | None = fields.TextField(null=True)
    reference: str | None = fields.TextField(null=True)
    note: str | None = fields.TextField(null=True)
    provider_id: UUID | None
    provider: fields.ForeignKeyNullableRelation[PaymentProvider] = fields.ForeignKeyField(
        "models.PaymentProvider", related_name="payments", null=True, on_delete=fields.RESTRICT
    )
    reverses_id: UUID | None
    reverses: "fields.ForeignKeyNullableRelation[Payment]" = fields.ForeignKeyField(
        "models.Payment", related_name="reversals", null=True, on_delete=fields.RESTRICT
    )
    # The provider's own name of the payment.
    provider_key: str | None = fields.TextField(null=True)
    recorded_by_id: UUID | None
    recorded_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_at = fields.DatetimeField()

    class Meta:
        table = "payment"


class NoticeState(StrEnum):
    OPEN = "OPEN"
    SETTLED = "SETTLED"
    DISMISSED = "DISMISSED"


class PaymentNotice(WorkspaceRow):
    """A payment that a provider told of and that could not be taken, with `problem` as its code, for people to settle.

    `attempts` counts how often the provider told of it; SETTLED, `payment` is what became of it.
    """

    provider_id: UUID
    provider: fields.ForeignKeyRelation[PaymentProvider] = fields.ForeignKeyField(
        "models.PaymentProvider", related_name="notices"
    )
    provider_key = fields.TextField()
    state = fields.CharEnumField(NoticeState, max_length=9, default=NoticeState.OPEN)
    problem = fields.TextField()
    invoice_number = fields.TextField()
    amount: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    currency = fields.CharField(max_length=3)
    body: dict[str, Any] = fields.JSONField()
    attempts = fields.IntField(default=1)
    payment_id: UUID | None
    payment: fields.ForeignKeyNullableRelation[Payment] = fields.ForeignKeyField(
        "models.Payment", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_at = fields.DatetimeField()
    last_at = fields.DatetimeField()
    settled_by_id: UUID | None
    settled_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    settled_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "payment_notice"
        unique_together = (("provider_id", "provider_key"),)
