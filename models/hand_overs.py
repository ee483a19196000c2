"""Leads on their way from those who qualify them to those who sell."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import WorkspaceRow
from models.leads import Lead
from models.users import User


class HandOverStatus(StrEnum):
    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    RETURNED = "RETURNED"
    OBSOLETE = "OBSOLETE"


class HandOver(WorkspaceRow):
    """A lead given to a receiver, who owns it from then on; `former_owner` has it again where it is returned."""

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="hand_overs")
    status = fields.CharEnumField(HandOverStatus, max_length=16, default=HandOverStatus.PENDING)
    from_user_id: UUID | None
    from_user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    to_user_id: UUID
    to_user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, on_delete=fields.RESTRICT
    )
    former_owner_id: UUID | None
    former_owner: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    note: str | None = fields.TextField(null=True)
    reason: str | None = fields.TextField(null=True)
    decided_by_id: UUID | None
    decided_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_at = fields.DatetimeField()
    decided_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "hand_over"
