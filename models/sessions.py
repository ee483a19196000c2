"""Signed-in sessions and the one-time tokens that lead to them."""

from datetime import datetime
from uuid import UUID

from tortoise import fields

from models.base import Row, WorkspaceRow
from models.teams import Team
from models.users import Role, User
from models.workspaces import Workspace


class Session(Row):
    """A chain of rotating refresh tokens, kept as SHA-256 hashes.

    The token before the current one is honoured for 30 s; any older one ends the session.
    """

    user_id: UUID
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name="sessions")
    workspace_id: UUID
    workspace: fields.ForeignKeyRelation[Workspace] = fields.ForeignKeyField(
        "models.Workspace", related_name="sessions"
    )
    token_hash = fields.TextField()
    previous_hash = fields.TextField(null=True)
    rotated_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)
    user_agent = fields.TextField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "session"


class Invitation(WorkspaceRow):
    email = fields.TextField()
    email_normalised = fields.TextField()
    role = fields.CharEnumField(Role, max_length=16)
    team_id: UUID | None
    team: fields.ForeignKeyNullableRelation[Team] = fields.ForeignKeyField(
        "models.Team", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    invited_by_id: UUID | None
    invited_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    expires_at = fields.DatetimeField()
    accepted_at: datetime | None = fields.DatetimeField(null=True)
    revoked_at: datetime | None = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "invitation"


class PasswordReset(Row):
    user_id: UUID
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name=False)
    expires_at = fields.DatetimeField()
    used_at: datetime | None = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "password_reset"
