"""How a workspace sells: how it rounds and taxes, how its documents look, what moves its leads, and its numbers."""

from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, WorkspaceRow
from models.files import File


class Rounding(StrEnum):
    HALF_UP = "HALF_UP"
    HALF_EVEN = "HALF_EVEN"


class WonAt(StrEnum):
    """What wins a lead by itself."""

    ACCEPTANCE = "ACCEPTANCE"
    SIGNATURE = "SIGNATURE"
    FIRST_PAYMENT = "FIRST_PAYMENT"
    BY_HAND = "BY_HAND"


class SellingSettings(EditableRow):
    """What holds for every new proposal and document of a workspace; one row, made when it is first changed.

    `seller` has name, address (as companies have it), tax_number, email, phone, website and bank, as documents show
    them. `most_discount` has the highest discount of an offer by role, in percent. The `follows_` columns say which
    stage a lead moves to by itself. A customer is reminded `validity_reminder_days` before a proposal expires (0:
    never), and of an overdue invoice every `payment_reminder_days`, at most `most_payment_reminders` times.
    """

    rounding = fields.CharEnumField(Rounding, max_length=9, default=Rounding.HALF_UP)
    tax_inclusive = fields.BooleanField(default=False)
    tax_rate: Decimal = fields.DecimalField(max_digits=6, decimal_places=3, default=Decimal(0))
    validity_days = fields.IntField(default=30)
    payment_days = fields.IntField(default=14)
    terms: str | None = fields.TextField(null=True)
    color: str | None = fields.TextField(null=True)
    logo_id: UUID | None
    logo: fields.ForeignKeyNullableRelation[File] = fields.ForeignKeyField(
        "models.File", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    seller: dict[str, Any] = fields.JSONField(default=dict)
    most_discount: dict[str, str] = fields.JSONField(default=dict)
    won_at = fields.CharEnumField(WonAt, max_length=13, default=WonAt.SIGNATURE)
    follows_proposal = fields.BooleanField(default=True)
    follows_negotiation = fields.BooleanField(default=True)
    follows_agreement = fields.BooleanField(default=True)
    value_follows = fields.BooleanField(default=True)
    validity_reminder_days = fields.IntField(default=3)
    payment_reminder_days = fields.IntField(default=7)
    most_payment_reminders = fields.IntField(default=3)

    class Meta:
        table = "selling_settings"


class NumberedKind(StrEnum):
    PROPOSAL = "PROPOSAL"
    CONTRACT = "CONTRACT"
    INVOICE = "INVOICE"
    CREDIT_NOTE = "CREDIT_NOTE"


class NumberSeries(WorkspaceRow):
    """The last number given to a kind of document in a year."""

    kind = fields.CharEnumField(NumberedKind, max_length=11)
    year = fields.IntField()
    newest = fields.IntField()

    class Meta:
        table = "number_series"
        unique_together = (("workspace_id", "kind", "year"),)
