"""Contracts: what was agreed, for both sides to sign."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import EditableRow
from models.leads import Lead
from models.proposal_links import Evidence
from models.proposals import Proposal, ProposalVersion
from models.users import User


class ContractState(StrEnum):
    OPEN = "OPEN"
    SIGNED = "SIGNED"
    CANCELLED = "CANCELLED"


class Contract(EditableRow):
    """A contract on one version of a proposal, as it was agreed; it never changes, but for its signatures.

    `sha256` is of its canonical form, which names the version's: what both sides sign.
    """

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="contracts")
    proposal_id: UUID
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField("models.Proposal", related_name="contracts")
    proposal_version_id: UUID
    proposal_version: fields.ForeignKeyRelation[ProposalVersion] = fields.ForeignKeyField(
        "models.ProposalVersion", related_name="contracts"
    )
    number = fields.TextField()
    title = fields.TextField()
    language = fields.TextField()
    state = fields.CharEnumField(ContractState, max_length=9, default=ContractState.OPEN)
    terms: str | None = fields.TextField(null=True)
    starts_on: date | None = fields.DateField(null=True)
    ends_on: date | None = fields.DateField(null=True)
    currency = fields.CharField(max_length=3)
    net: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    total: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    sha256 = fields.TextField()
    seller_signature_id: UUID | None
    seller_signature: fields.ForeignKeyNullableRelation[Evidence] = fields.ForeignKeyField(
        "models.Evidence", related_name=False, null=True, on_delete=fields.NO_ACTION
    )
    buyer_signature_id: UUID | None
    buyer_signature: fields.ForeignKeyNullableRelation[Evidence] = fields.ForeignKeyField(
        "models.Evidence", related_name=False, null=True, on_delete=fields.NO_ACTION
    )
    seller_signed_at: datetime | None = fields.DatetimeField(null=True)
    buyer_signed_at: datetime | None = fields.DatetimeField(null=True)
    signed_at: datetime | None = fields.DatetimeField(null=True)
    cancelled_at: datetime | None = fields.DatetimeField(null=True)
    cancel_reason: str | None = fields.TextField(null=True)
    created_by_id: UUID | None
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )

    class Meta:
        table = "contract"
