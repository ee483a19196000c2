"""Stages of a pipeline, what they require, and the history of moves between them."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, LogRow, WorkspaceRow
from models.pipelines import Pipeline
from models.users import User

if TYPE_CHECKING:
    from models.leads import Lead


class StageKind(StrEnum):
    """The six phases of the sales cycle, in order."""

    PROSPECT = "PROSPECT"
    QUALIFY = "QUALIFY"
    PROPOSAL = "PROPOSAL"
    NEGOTIATION = "NEGOTIATION"
    CLOSING = "CLOSING"
    FOLLOW_UP = "FOLLOW_UP"


class Stage(EditableRow):
    """A column of a board; `requirements` is a `domain.stages.Requirements` as JSON."""

    pipeline_id: UUID
    pipeline: fields.ForeignKeyRelation[Pipeline] = fields.ForeignKeyField("models.Pipeline", related_name="stages")
    name = fields.TextField()
    kind = fields.CharEnumField(StageKind, max_length=16)
    position = fields.IntField()
    probability: Decimal = fields.DecimalField(max_digits=5, decimal_places=4)
    rot_days: int | None = fields.IntField(null=True)
    is_intake = fields.BooleanField(default=False)
    requirements: dict[str, Any] = fields.JSONField(default=dict)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "stage"


class StageTransition(LogRow):
    """One move of a lead; `stayed_seconds` is how long it had been in the stage that it left."""

    lead_id: UUID
    lead: "fields.ForeignKeyRelation[Lead]" = fields.ForeignKeyField("models.Lead", related_name="transitions")
    from_stage_id: UUID | None
    from_stage: fields.ForeignKeyNullableRelation[Stage] = fields.ForeignKeyField(
        "models.Stage", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    to_stage_id: UUID
    to_stage: fields.ForeignKeyRelation[Stage] = fields.ForeignKeyField(
        "models.Stage", related_name=False, on_delete=fields.RESTRICT
    )
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    moved_at = fields.DatetimeField()
    stayed_seconds: int | None = fields.BigIntField(null=True)

    class Meta:
        table = "stage_transition"


class MoveRequestStatus(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    OBSOLETE = "OBSOLETE"


class MoveRequest(WorkspaceRow):
    """A wish to move a lead into a stage that asks for a manager's approval."""

    lead_id: UUID
    lead: "fields.ForeignKeyRelation[Lead]" = fields.ForeignKeyField("models.Lead", related_name="move_requests")
    from_stage_id: UUID
    from_stage: fields.ForeignKeyRelation[Stage] = fields.ForeignKeyField(
        "models.Stage", related_name=False, on_delete=fields.RESTRICT
    )
    to_stage_id: UUID
    to_stage: fields.ForeignKeyRelation[Stage] = fields.ForeignKeyField(
        "models.Stage", related_name=False, on_delete=fields.RESTRICT
    )
    status = fields.CharEnumField(MoveRequestStatus, max_length=16, default=MoveRequestStatus.PENDING)
    note: str | None = fields.TextField(null=True)
    decision_note: str | None = fields.TextField(null=True)
    requested_by_id: UUID | None
    requested_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    decided_by_id: UUID | None
    decided_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_at = fields.DatetimeField()
    decided_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "move_request"
