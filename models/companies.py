"""Companies that buy, and what they are to us."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow
from models.users import User


class Relationship(StrEnum):
    """What a company or contact is to the workspace; it follows from their leads."""

    LEAD = "LEAD"
    PROSPECT = "PROSPECT"
    CUSTOMER = "CUSTOMER"
    FORMER = "FORMER"


class Company(EditableRow):
    """`domain` is normalised (lower case, no www.); revenue is a year's, in `revenue_currency`."""

    name = fields.TextField()
    name_normalised = fields.TextField()
    domain: str | None = fields.TextField(null=True)
    website: str | None = fields.TextField(null=True)
    phone: str | None = fields.TextField(null=True)
    phone_normalised: str | None = fields.TextField(null=True)
    industry: str | None = fields.TextField(null=True)
    country = fields.CharField(max_length=2, null=True)
    location: str | None = fields.TextField(null=True)
    employees: int | None = fields.IntField(null=True)
    revenue: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    revenue_currency = fields.CharField(max_length=3, null=True)
    founded_year: int | None = fields.IntField(null=True)
    tax_number: str | None = fields.TextField(null=True)
    billing_address: dict[str, Any] | None = fields.JSONField(null=True)
    shipping_address: dict[str, Any] | None = fields.JSONField(null=True)
    relationship = fields.CharEnumField(Relationship, max_length=16, default=Relationship.LEAD)
    parent_id: UUID | None
    parent: "fields.ForeignKeyNullableRelation[Company]" = fields.ForeignKeyField(
        "models.Company", related_name="subsidiaries", null=True, on_delete=fields.SET_NULL
    )
    owner_id: UUID | None
    owner: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    custom: dict[str, Any] = fields.JSONField(default=dict)
    deleted_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "company"
