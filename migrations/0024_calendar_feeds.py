"""Addresses at which calendar apps read what somebody has to do."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.base import uuid7

USER_INDEX = "calendar_feed_user_idx"


class Migration(migrations.Migration):
    dependencies = [("models", "0023_surveys")]

    initial = False

    operations = [
        ops.CreateModel(
            name="CalendarFeed",
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
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("name", fields.TextField(unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("read_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("revoked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "calendar_feed",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A private address for one app of one person; a revoked one says nothing more.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.RunSQL(
            f"CREATE INDEX {USER_INDEX} ON calendar_feed (workspace_id, user_id, created_at DESC, id DESC)"
            " WHERE revoked_at IS NULL",
            f"DROP INDEX {USER_INDEX}",
        ),
    ]
