"""How leads are scored: models by rules and learned ones, their versions, what trains them and how they age."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, WorkspaceRow
from models.users import User


class ScoreModelKind(StrEnum):
    RULES = "RULES"
    LEARNED = "LEARNED"


class ScoreModel(EditableRow):
    """What scores leads; `content` is what is worked on: rules, or how to learn, as `domain.scoring` writes them.

    One model of each kind is `active` in a workspace: it has the version that scores.
    """

    name = fields.TextField()
    kind = fields.CharEnumField(ScoreModelKind, max_length=7)
    content: dict[str, Any] = fields.JSONField(default=dict)
    active = fields.BooleanField(default=False)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "score_model"


class ScoreVersionState(StrEnum):
    CANDIDATE = "CANDIDATE"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"
    REJECTED = "REJECTED"


class ScoreModelVersion(WorkspaceRow):
    """A model as it was published or trained, which never changes again but for its state.

    `content` is rules, or a `domain.learning.additive.Model` as JSON; `signature` is the server's on it.
    `report` has what it was judged by: quality, what was dropped and why, and the distributions it learned from. A
    learned one was made of leads from `window_from` to `window_to`, and knew of each what stood at its set age.
    """

    model_id: UUID
    model: fields.ForeignKeyRelation[ScoreModel] = fields.ForeignKeyField("models.ScoreModel", related_name="versions")
    number = fields.IntField()
    state = fields.CharEnumField(ScoreVersionState, max_length=9)
    content: dict[str, Any] = fields.JSONField()
    signature = fields.TextField()
    report: dict[str, Any] = fields.JSONField(default=dict)
    leads: int | None = fields.IntField(null=True)
    won: int | None = fields.IntField(null=True)
    window_from: datetime | None = fields.DatetimeField(null=True)
    window_to: datetime | None = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    created_by_id: UUID | None
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    activated_at: datetime | None = fields.DatetimeField(null=True)
    retired_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "score_model_version"
        unique_together = (("model_id", "number"),)


class TrainingState(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class ScoreTraining(WorkspaceRow):
    """One run of learning; `progress` is from 0 to 1, `failure` a code with its facts."""

    model_id: UUID
    model: fields.ForeignKeyRelation[ScoreModel] = fields.ForeignKeyField("models.ScoreModel", related_name="trainings")
    state = fields.CharEnumField(TrainingState, max_length=9, default=TrainingState.QUEUED)
    progress: Decimal = fields.DecimalField(max_digits=5, decimal_places=4, default=Decimal(0))
    step: str | None = fields.TextField(null=True)
    failure: dict[str, Any] | None = fields.JSONField(null=True)
    model_version_id: UUID | None
    model_version: fields.ForeignKeyNullableRelation[ScoreModelVersion] = fields.ForeignKeyField(
        "models.ScoreModelVersion", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    requested_by_id: UUID | None
    requested_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_at = fields.DatetimeField()
    started_at: datetime | None = fields.DatetimeField(null=True)
    ended_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "score_training"


class ScoreDrift(WorkspaceRow):
    """How far the leads of late differ from those that a version learned from, and how well it foretold them."""

    model_version_id: UUID
    model_version: fields.ForeignKeyRelation[ScoreModelVersion] = fields.ForeignKeyField(
        "models.ScoreModelVersion", related_name="drift"
    )
    measured_at = fields.DatetimeField()
    leads = fields.IntField()
    stability: Decimal = fields.DecimalField(max_digits=9, decimal_places=4)
    columns: list[dict[str, Any]] = fields.JSONField(default=list)
    auc: Decimal | None = fields.DecimalField(max_digits=6, decimal_places=4, null=True)
    is_drifting = fields.BooleanField(default=False)

    class Meta:
        table = "score_drift"
