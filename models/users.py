"""People and services that sign in, and their place in a workspace."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields

from models.base import Row, WorkspaceRow

if TYPE_CHECKING:
    from models.files import File
    from models.teams import Team


class Role(StrEnum):
    ADMIN = "ADMIN"
    MANAGER = "MANAGER"
    REP = "REP"
    QUALIFIER = "QUALIFIER"
    MARKETER = "MARKETER"
    VIEWER = "VIEWER"


class Visibility(StrEnum):
    ALL = "ALL"
    TEAM = "TEAM"
    OWN = "OWN"


class User(Row):
    """A person or service; the same one may be a member of many workspaces."""

    email = fields.TextField(null=True)
    email_normalised = fields.TextField(null=True)
    password_hash = fields.TextField(null=True)
    name = fields.TextField()
    time_zone = fields.TextField(null=True)
    locale = fields.TextField(null=True)
    avatar_id: UUID | None
    avatar: "fields.ForeignKeyNullableRelation[File]" = fields.ForeignKeyField(
        "models.File", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    is_service = fields.BooleanField(default=False)
    version = fields.IntField(default=1)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    # What of theirs an operation has just handed over, as domain.bulks says it; no column.
    handed: Any = None

    class Meta:
        table = "user_account"


class Membership(WorkspaceRow):
    """A user's role and team in a workspace; inactive ones own leads but cannot sign in.

    From `away_from` until `away_until` what is handed to them goes to their substitute.
    """

    user_id: UUID
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name="memberships")
    role = fields.CharEnumField(Role, max_length=16)
    team_id: UUID | None
    team: "fields.ForeignKeyNullableRelation[Team]" = fields.ForeignKeyField(
        "models.Team", related_name="memberships", null=True, on_delete=fields.SET_NULL
    )
    active = fields.BooleanField(default=True)
    away_from: datetime | None = fields.DatetimeField(null=True)
    away_until: datetime | None = fields.DatetimeField(null=True)
    substitute_id: UUID | None
    substitute: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_at = fields.DatetimeField()

    class Meta:
        table = "membership"
        unique_together = (("workspace_id", "user_id"),)
