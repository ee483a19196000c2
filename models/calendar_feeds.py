"""Addresses at which a calendar app reads what somebody has to do."""

from datetime import datetime
from uuid import UUID

from tortoise import fields

from models.base import WorkspaceRow
from models.users import User


class CalendarFeed(WorkspaceRow):
    """A private address for one app of one person; a revoked one says nothing more."""

    user_id: UUID
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name=False)
    name = fields.TextField()
    created_at = fields.DatetimeField()
    read_at: datetime | None = fields.DatetimeField(null=True)
    revoked_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "calendar_feed"
