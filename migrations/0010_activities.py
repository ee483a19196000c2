"""Activities: what was done with a customer, and what of it stands on the lead."""

from typing import Any

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.activities import ActivityDirection, ActivityKind
from models.base import uuid7

KINDS = "\n".join(f"{kind}: {kind}" for kind in ActivityKind)
DIRECTIONS = "\n".join(f"{direction}: {direction}" for direction in ActivityDirection)
# name -> (unique, table and columns, condition)
INDEXES = {
    "activity_type_name": (True, "activity_type (workspace_id, lower(name))", "archived_at IS NULL"),
    "activity_occurred": (False, "activity (workspace_id, occurred_at DESC, id DESC)", "deleted_at IS NULL"),
    "activity_lead": (
        False,
        "activity (workspace_id, lead_id, occurred_at DESC, id DESC)",
        "deleted_at IS NULL AND lead_id IS NOT NULL",
    ),
    "activity_company": (
        False,
        "activity (workspace_id, company_id, occurred_at DESC, id DESC)",
        "deleted_at IS NULL AND company_id IS NOT NULL",
    ),
    "activity_contact": (
        False,
        "activity (workspace_id, contact_id, occurred_at DESC, id DESC)",
        "deleted_at IS NULL AND contact_id IS NOT NULL",
    ),
    "activity_search": (
        False,
        "activity USING gin (to_tsvector('simple', coalesce(subject, '') || ' ' || coalesce(text, '')))",
        "",
    ),
    "activity_participant_activity": (False, "activity_participant (activity_id, id)", ""),
    "lead_last_activity": (
        False,
        "lead (workspace_id, last_activity_at DESC NULLS LAST, id DESC)",
        "deleted_at IS NULL",
    ),
}
CHECKS = {
    "activity_about": "num_nonnulls(lead_id, company_id, contact_id) > 0",
    "activity_type": "(kind = 'CUSTOM') = (type_id IS NOT NULL)",
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


def key(model: str, column: str, **options: Any) -> Any:
    options = {"related_name": False, "db_constraint": True} | options
    return fields.ForeignKeyField(f"models.{model}", source_field=column, to_field="id", **options)


def log_workspace() -> Any:
    return key("Workspace", "workspace_id", db_constraint=False, on_delete=OnDelete.NO_ACTION)


class Migration(migrations.Migration):
    dependencies = [("models", "0009_owner_orders")]

    operations = [
        ops.CreateModel(
            name="ActivityType",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("workspace", key("Workspace", "workspace_id", on_delete=OnDelete.CASCADE)),
                ("version", fields.IntField(default=1)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
                ("name", fields.TextField(unique=False)),
                ("is_touch", fields.BooleanField(default=False)),
                ("archived_at", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "activity_type",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A kind of activity that a workspace adds; "
                "`is_touch` says whether it counts like a call.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="Activity",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("workspace", log_workspace()),
                ("version", fields.IntField(default=1)),
                ("created_at", fields.DatetimeField()),
                ("updated_at", fields.DatetimeField()),
                ("kind", fields.CharEnumField(description=KINDS, enum_type=ActivityKind, max_length=20)),
                ("type", key("ActivityType", "type_id", null=True, on_delete=OnDelete.RESTRICT)),
                ("is_touch", fields.BooleanField(default=False)),
                ("lead", key("Lead", "lead_id", null=True, related_name="activities", on_delete=OnDelete.CASCADE)),
                ("company", key("Company", "company_id", null=True, related_name="activities", on_delete=OnDelete.CASCADE)),
                ("contact", key("Contact", "contact_id", null=True, related_name="activities", on_delete=OnDelete.CASCADE)),
                (
                    "direction",
                    fields.CharEnumField(
                        null=True, description=DIRECTIONS, enum_type=ActivityDirection, max_length=10
                    ),
                ),
                ("outcome", fields.TextField(null=True, unique=False)),
                ("subject", fields.TextField(null=True, unique=False)),
                ("text", fields.TextField(null=True, unique=False)),
                ("duration_seconds", fields.IntField(null=True)),
                ("occurred_at", fields.DatetimeField()),
                ("user", key("User", "user_id", null=True, on_delete=OnDelete.SET_NULL)),
                ("logged_by", key("User", "logged_by_id", null=True, on_delete=OnDelete.SET_NULL)),
                ("deleted_at", fields.DatetimeField(null=True)),
            ],
            options={
                "table": "activity",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Something done with a customer, on a lead, a company or a contact, "
                "or on several of them.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="ActivityParticipant",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("workspace", log_workspace()),
                ("activity", key("Activity", "activity_id", related_name="participants", on_delete=OnDelete.CASCADE)),
                ("user", key("User", "user_id", null=True, on_delete=OnDelete.CASCADE)),
                ("contact", key("Contact", "contact_id", null=True, on_delete=OnDelete.CASCADE)),
                ("name", fields.TextField(null=True, unique=False)),
                ("email", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "activity_participant",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Who took part: a user, a contact, or somebody by name and address. "
                "Ids rise in the order they were named.",
            },
            bases=["LogRow"],
        ),
        ops.AddField(model_name="Lead", name="first_activity_at", field=fields.DatetimeField(null=True)),
        ops.AddField(model_name="Lead", name="first_response_seconds", field=fields.BigIntField(null=True)),
        ops.AddField(model_name="Lead", name="touches", field=fields.IntField(default=0, db_default=0)),
        ops.RunSQL(
            [
                f"ALTER TABLE activity ADD CONSTRAINT {name}_check CHECK ({condition})"
                for name, condition in CHECKS.items()
            ],
            ["SELECT 1"],
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX IF EXISTS {name}_idx" for name in INDEXES],
        ),
    ]
