"""Keys by which partner systems act as a service user."""

from datetime import datetime
from uuid import UUID

from tortoise import fields

from models.base import WorkspaceRow
from models.users import User


class ApiKey(WorkspaceRow):
    """A key `sck_…`; only its SHA-256 hash and first characters are kept."""

    user_id: UUID
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name="api_keys")
    created_by_id: UUID | None
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    name = fields.TextField()
    prefix = fields.TextField()
    key_hash = fields.TextField()
    scopes: list[str] = fields.JSONField(default=list)
    expires_at: datetime | None = fields.DatetimeField(null=True)
    last_used_at: datetime | None = fields.DatetimeField(null=True)
    revoked_at: datetime | None = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "api_key"
