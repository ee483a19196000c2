"""Proposals: what is offered to a lead, in versions that never change once they were sent."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, WorkspaceRow
from models.contacts import Contact
from models.leads import Lead
from models.products import Product
from models.selling import Rounding
from models.users import User


class ProposalState(StrEnum):
    DRAFT = "DRAFT"
    IN_APPROVAL = "IN_APPROVAL"
    APPROVED = "APPROVED"
    SENT = "SENT"
    VIEWED = "VIEWED"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"
    WITHDRAWN = "WITHDRAWN"
    SUPERSEDED = "SUPERSEDED"


class Proposal(EditableRow):
    """An offer to a lead; `state` and the amounts are those of its newest version, `current`.

    `sent` is the version that the customer sees: the newest that was sent. `due_at` is when a sweep has to look at
    it: the end of its last valid day, where the workspace is; null once it cannot expire.
    """

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="proposals")
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name="proposals", null=True, on_delete=fields.SET_NULL
    )
    number = fields.TextField()
    title = fields.TextField()
    language = fields.TextField()
    currency = fields.CharField(max_length=3)
    state = fields.CharEnumField(ProposalState, max_length=11, default=ProposalState.DRAFT)
    net: Decimal = fields.DecimalField(max_digits=19, decimal_places=4, default=Decimal(0))
    total: Decimal = fields.DecimalField(max_digits=19, decimal_places=4, default=Decimal(0))
    valid_until: date | None = fields.DateField(null=True)
    due_at: datetime | None = fields.DatetimeField(null=True)
    sent_at: datetime | None = fields.DatetimeField(null=True)
    viewed_at: datetime | None = fields.DatetimeField(null=True)
    ended_at: datetime | None = fields.DatetimeField(null=True)
    # Tables refer to each other here: these two are checked by what writes them.
    current_id: UUID | None
    current: "fields.ForeignKeyNullableRelation[ProposalVersion]" = fields.ForeignKeyField(
        "models.ProposalVersion", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    sent_id: UUID | None
    sent: "fields.ForeignKeyNullableRelation[ProposalVersion]" = fields.ForeignKeyField(
        "models.ProposalVersion", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    created_by_id: UUID | None
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    deleted_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "proposal"


class ProposalVersion(WorkspaceRow):
    """What a proposal says: a draft until `frozen_at`, and never changed again but for its state.

    `sections` is a list of heading, text, need_id, need (its title) and difference (what sets us apart). `subtotal`
    is the sum of the lines' amounts, which are gross where `tax_inclusive`; `taxes` has rate, subtotal, discount, net
    and tax of each rate. `cost` is null where a line's is not known. `parties` are seller and buyer as they were when
    it was frozen; `sha256` is of its canonical form.
    """

    proposal_id: UUID
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField("models.Proposal", related_name="versions")
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    number = fields.IntField()
    state = fields.CharEnumField(ProposalState, max_length=11, default=ProposalState.DRAFT)
    title = fields.TextField()
    language = fields.TextField()
    currency = fields.CharField(max_length=3)
    rounding = fields.CharEnumField(Rounding, max_length=9)
    tax_inclusive = fields.BooleanField()
    valid_until: date | None = fields.DateField(null=True)
    sections: list[dict[str, Any]] = fields.JSONField(default=list)
    terms: str | None = fields.TextField(null=True)
    discount_percent: Decimal | None = fields.DecimalField(max_digits=6, decimal_places=3, null=True)
    discount_amount: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    subtotal: Decimal = fields.DecimalField(max_digits=19, decimal_places=4, default=Decimal(0))
    discount: Decimal = fields.DecimalField(max_digits=19, decimal_places=4, default=Decimal(0))
    net: Decimal = fields.DecimalField(max_digits=19, decimal_places=4, default=Decimal(0))
    taxes: list[dict[str, Any]] = fields.JSONField(default=list)
    tax: Decimal = fields.DecimalField(max_digits=19, decimal_places=4, default=Decimal(0))
    total: Decimal = fields.DecimalField(max_digits=19, decimal_places=4, default=Decimal(0))
    cost: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    parties: dict[str, Any] = fields.JSONField(default=dict)
    sha256: str | None = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    frozen_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "proposal_version"


class ProposalLine(WorkspaceRow):
    """A product or something in words; `key` is the same through all versions of a proposal.

    `amount` is what the line comes to, less its discount, rounded; gross where its version is tax inclusive. An
    optional line counts in totals where it is `chosen`. `unit_cost` is what it costs the seller, `list_price` what
    its product cost when it was put into the line.
    """

    version_id: UUID
    version: fields.ForeignKeyRelation[ProposalVersion] = fields.ForeignKeyField(
        "models.ProposalVersion", related_name="lines"
    )
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    key = fields.UUIDField()
    position = fields.IntField()
    currency = fields.CharField(max_length=3)
    product_id: UUID | None
    product: fields.ForeignKeyNullableRelation[Product] = fields.ForeignKeyField(
        "models.Product", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    name = fields.TextField()
    description: str | None = fields.TextField(null=True)
    unit: str | None = fields.TextField(null=True)
    quantity: Decimal = fields.DecimalField(max_digits=15, decimal_places=4)
    unit_price: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    discount_percent: Decimal | None = fields.DecimalField(max_digits=6, decimal_places=3, null=True)
    discount_amount: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    tax_rate: Decimal = fields.DecimalField(max_digits=6, decimal_places=3)
    unit_cost: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    list_price: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    optional = fields.BooleanField(default=False)
    chosen = fields.BooleanField(default=True)
    amount: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)

    class Meta:
        table = "proposal_line"


class ApprovalKind(StrEnum):
    DISCOUNT_OVER = "DISCOUNT_OVER"
    VALUE_OVER = "VALUE_OVER"
    MARGIN_UNDER = "MARGIN_UNDER"


class ApprovalRule(EditableRow):
    """What holds a proposal until a member of one of `roles` approves.

    `threshold` is percent of discount or margin, or an amount in the workspace's base currency.
    """

    kind = fields.CharEnumField(ApprovalKind, max_length=13)
    threshold: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    roles: list[str] = fields.JSONField()
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "approval_rule"


class ApprovalState(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    OBSOLETE = "OBSOLETE"


class Approval(WorkspaceRow):
    """What one rule asks of one version, and who decided it; `reason` says in facts what went beyond what."""

    version_id: UUID
    version: fields.ForeignKeyRelation[ProposalVersion] = fields.ForeignKeyField(
        "models.ProposalVersion", related_name="approvals"
    )
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    rule_id: UUID | None
    rule: fields.ForeignKeyNullableRelation[ApprovalRule] = fields.ForeignKeyField(
        "models.ApprovalRule", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    kind = fields.CharEnumField(ApprovalKind, max_length=13)
    reason: dict[str, Any] = fields.JSONField(default=dict)
    roles: list[str] = fields.JSONField()
    state = fields.CharEnumField(ApprovalState, max_length=8, default=ApprovalState.PENDING)
    requested_by_id: UUID | None
    requested_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    decided_by_id: UUID | None
    decided_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    note: str | None = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    decided_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "approval"
