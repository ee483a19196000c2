"""Everything that happened to a lead as one view, whose branches are each read by an index in the same order."""

from typing import Any

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.timeline import TimelineKind

KINDS = "\n".join(f"{kind}: {kind}" for kind in TimelineKind)
KEYS = ("activity_id", "transition_id", "comment_id", "attachment_id", "event_id")
SCORED = "name = 'lead.scored'"
# Events that another branch tells of; a place within a stage is nothing to tell of.
TOLD = (
    "lead.scored",
    "lead.captured",
    "lead.moved",
    "lead.activity_logged",
    "lead.activity_updated",
    "lead.commented",
    "lead.comment_updated",
    "lead.file_attached",
)
NAMES = ", ".join(f"'{name}'" for name in TOLD)
# What hangs on a lead, such as a need, bears the lead's key in the facts of its events.
LEAD = "(CASE WHEN subject_type = 'lead' THEN subject_id ELSE (data ->> 'lead_id')::uuid END)"
LIVE_EVENT = f"name <> ALL (ARRAY[{NAMES}]) AND {LEAD} IS NOT NULL"
LIVE = "deleted_at IS NULL AND lead_id IS NOT NULL"
# An event is in one of them, or in none.
INDEXES = {
    "event_timeline": f"event (workspace_id, {LEAD}, occurred_at DESC, id DESC) WHERE {LIVE_EVENT}",
    "event_score": f"event (workspace_id, subject_id, occurred_at DESC, id DESC) WHERE {SCORED}",
}


def branch(table: str, key: str, *, at: str, kind: str, live: str, lead: str = "lead_id", user: str = "user_id") -> str:
    """Return one branch; it tests nothing itself, as PostgreSQL would then not merge the branches' indexes."""
    keys = ", ".join(f"{'id' if name == key else 'NULL::uuid'} AS {name}" for name in KEYS)
    return (
        f"SELECT id, workspace_id, {lead} AS lead_id, {kind} AS kind, {at} AS occurred_at, ({live}) AS is_live,"
        f" {user} AS user_id, {keys} FROM {table}"
    )


VIEW = "CREATE VIEW timeline_entry AS\n" + "\nUNION ALL\n".join(
    (
        branch("activity", "activity_id", at="occurred_at", kind="'ACTIVITY'::text", live=LIVE),
        branch("stage_transition", "transition_id", at="moved_at", kind="'MOVE'::text", live="TRUE"),
        branch("comment", "comment_id", at="created_at", kind="'COMMENT'::text", live=LIVE),
        branch("attachment", "attachment_id", at="created_at", kind="'ATTACHMENT'::text", live=LIVE),
        branch(
            "event",
            "event_id",
            at="occurred_at",
            kind="'EVENT'::text",
            live=LIVE_EVENT,
            lead=LEAD,
            user="(actor ->> 'user')::uuid",
        ),
        branch(
            "event",
            "event_id",
            at="occurred_at",
            kind="'SCORE'::text",
            live=SCORED,
            lead="subject_id",
            user="(actor ->> 'user')::uuid",
        ),
    )
)


class KnowView(ops.CreateModel):
    """Tells Tortoise of a model whose table is a view."""

    async def database_forward(self, *_: Any, **__: Any) -> None:
        return None

    async def database_backward(self, *_: Any, **__: Any) -> None:
        return None


OF_A_VIEW: dict[str, Any] = {"db_constraint": False, "on_delete": OnDelete.NO_ACTION, "related_name": False}


def key(model: str, column: str, *, null: bool = True) -> Any:
    options = OF_A_VIEW | {"null": null}
    return fields.ForeignKeyField(f"models.{model}", source_field=column, to_field="id", **options)


class Migration(migrations.Migration):
    dependencies = [("models", "0016_saved_views_and_search")]

    operations = [
        KnowView(
            name="TimelineEntry",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("workspace", key("Workspace", "workspace_id", null=False)),
                ("lead", key("Lead", "lead_id", null=False)),
                ("kind", fields.CharEnumField(description=KINDS, enum_type=TimelineKind, max_length=10)),
                ("occurred_at", fields.DatetimeField()),
                ("is_live", fields.BooleanField()),
                ("user", key("User", "user_id")),
                ("activity", key("Activity", "activity_id")),
                ("transition", key("StageTransition", "transition_id")),
                ("comment", key("Comment", "comment_id")),
                ("attachment", key("Attachment", "attachment_id")),
                ("event", key("Event", "event_id")),
            ],
            options={
                "table": "timeline_entry",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A row of the view `timeline_entry`: one of the keys at its end says what it "
                "tells of.",
            },
            bases=["LogRow"],
        ),
        ops.RunSQL(
            [*(f"CREATE INDEX {name}_idx ON {on}" for name, on in INDEXES.items()), VIEW],
            ["DROP VIEW timeline_entry", *(f"DROP INDEX {name}_idx" for name in INDEXES)],
        ),
    ]
