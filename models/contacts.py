"""People whom we sell to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow
from models.companies import Company, Relationship
from models.users import User


class Contact(EditableRow):
    """Email and phone are kept as given and as normalised, for matching."""

    name = fields.TextField()
    company_id: UUID | None
    company: fields.ForeignKeyNullableRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name="contacts", null=True, on_delete=fields.SET_NULL
    )
    job_title: str | None = fields.TextField(null=True)
    email: str | None = fields.TextField(null=True)
    email_normalised: str | None = fields.TextField(null=True)
    phone: str | None = fields.TextField(null=True)
    phone_normalised: str | None = fields.TextField(null=True)
    language: str | None = fields.TextField(null=True)
    relationship = fields.CharEnumField(Relationship, max_length=16, default=Relationship.LEAD)
    owner_id: UUID | None
    owner: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    custom: dict[str, Any] = fields.JSONField(default=dict)
    deleted_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "contact"
