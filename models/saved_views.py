"""Lists as people keep them: a filter, an order and columns under a name."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow
from models.teams import Team
from models.users import User


class ViewNoun(StrEnum):
    LEAD = "LEAD"
    COMPANY = "COMPANY"
    CONTACT = "CONTACT"


class Sharing(StrEnum):
    OWN = "OWN"
    TEAM = "TEAM"
    ALL = "ALL"


class JSONAsGiven(fields.JSONField[Any]):
    """JSON that is kept as it was written, its keys in their order: no condition looks into it."""

    class _db_postgres:
        SQL_TYPE = "JSON"


class SavedView(EditableRow):
    """A list of a noun. `passing` and `order_by` are what the list's filter and orderBy take, as they were given.

    It exists for its owner, with TEAM besides for `team` and the teams within it, with ALL for every member.
    """

    owner_id: UUID
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name=False)
    team_id: UUID | None
    team: fields.ForeignKeyNullableRelation[Team] = fields.ForeignKeyField(
        "models.Team", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    name = fields.TextField()
    noun = fields.CharEnumField(ViewNoun, max_length=16)
    visibility = fields.CharEnumField(Sharing, max_length=16, default=Sharing.OWN)
    passing: Any = JSONAsGiven(null=True)
    order_by: Any = JSONAsGiven(null=True)
    search: str | None = fields.TextField(null=True)
    columns: Any = fields.JSONField(default=list)
    position = fields.IntField(default=0)
    deleted_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "saved_view"
