"""How leads are scored: models, their versions, what trains them and how they age."""

from decimal import Decimal

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.scoring import ScoreModelKind, ScoreVersionState, TrainingState

# name -> (unique, table and columns, condition)
INDEXES = {
    "score_model_active": (True, "score_model (workspace_id, kind)", "active"),
    "score_model_name": (True, "score_model (workspace_id, lower(name))", "archived_at IS NULL"),
    "score_model_version_active": (True, "score_model_version (model_id)", "state = 'ACTIVE'"),
    "score_training_running": (True, "score_training (model_id)", "state IN ('QUEUED', 'RUNNING')"),
    "score_training_model": (False, "score_training (model_id, created_at DESC, id DESC)", ""),
    "score_drift_version": (False, "score_drift (model_version_id, measured_at DESC, id DESC)", ""),
    "lead_win_probability": (
        False,
        "lead (workspace_id, win_probability DESC NULLS LAST, id DESC)",
        "deleted_at IS NULL",
    ),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0030_follow_up_words")]

    initial = False

    operations = [
        ops.CreateModel(
            name="ScoreModel",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "workspace",
                    fields.ForeignKeyField(
                        "models.Workspace",
                        source_field="workspace_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("version", fields.IntField(default=1)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("name", fields.TextField(unique=False)),
                (
                    "kind",
                    fields.CharEnumField(
                        description="RULES: RULES\nLEARNED: LEARNED", enum_type=ScoreModelKind, max_length=7
                    ),
                ),
                ("content", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("active", fields.BooleanField(default=False)),
                ("archived_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "score_model",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What scores leads; `content` is what is worked on: rules, or how to learn, as `domain.scoring` writes them.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="ScoreModelVersion",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "workspace",
                    fields.ForeignKeyField(
                        "models.Workspace",
                        source_field="workspace_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "model",
                    fields.ForeignKeyField(
                        "models.ScoreModel",
                        source_field="model_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="versions",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("number", fields.IntField()),
                (
                    "state",
                    fields.CharEnumField(
                        description="CANDIDATE: CANDIDATE\nACTIVE: ACTIVE\nRETIRED: RETIRED\nREJECTED: REJECTED",
                        enum_type=ScoreVersionState,
                        max_length=9,
                    ),
                ),
                ("content", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("signature", fields.TextField(unique=False)),
                ("report", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("leads", fields.IntField(null=True)),
                ("won", fields.IntField(null=True)),
                ("window_from", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("window_to", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "created_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="created_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("activated_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("retired_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "score_model_version",
                "app": "models",
                "unique_together": (("model_id", "number"),),
                "pk_attr": "id",
                "table_description": "A model as it was published or trained, which never changes again but for its state.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="ScoreDrift",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "workspace",
                    fields.ForeignKeyField(
                        "models.Workspace",
                        source_field="workspace_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "model_version",
                    fields.ForeignKeyField(
                        "models.ScoreModelVersion",
                        source_field="model_version_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="drift",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("measured_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("leads", fields.IntField()),
                ("stability", fields.DecimalField(max_digits=9, decimal_places=4)),
                ("columns", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("auc", fields.DecimalField(null=True, max_digits=6, decimal_places=4)),
                ("is_drifting", fields.BooleanField(default=False)),
            ],
            options={
                "table": "score_drift",
                "app": "models",
                "pk_attr": "id",
                "table_description": "How far the leads of late differ from those that a version learned from, and how well it foretold them.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="ScoreTraining",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "workspace",
                    fields.ForeignKeyField(
                        "models.Workspace",
                        source_field="workspace_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "model",
                    fields.ForeignKeyField(
                        "models.ScoreModel",
                        source_field="model_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="trainings",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        default=TrainingState.QUEUED,
                        description="QUEUED: QUEUED\nRUNNING: RUNNING\nDONE: DONE\nFAILED: FAILED\nCANCELLED: CANCELLED",
                        enum_type=TrainingState,
                        max_length=9,
                    ),
                ),
                ("progress", fields.DecimalField(default=Decimal("0"), max_digits=5, decimal_places=4)),
                ("step", fields.TextField(null=True, unique=False)),
                ("failure", fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                (
                    "model_version",
                    fields.ForeignKeyField(
                        "models.ScoreModelVersion",
                        source_field="model_version_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                (
                    "requested_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="requested_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("started_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "score_training",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One run of learning; `progress` is from 0 to 1, `failure` a code with its facts.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.AddField(
            model_name="Lead",
            name="engagement",
            field=fields.SmallIntField(null=True),
        ),
        ops.AddField(
            model_name="Lead",
            name="win_probability",
            field=fields.DecimalField(null=True, max_digits=5, decimal_places=4),
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX {name}_idx" for name in INDEXES],
        ),
    ]
