"""Who is reminded of what, how, and on which devices."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.reminders import DeviceEnd, DevicePlatform, ReminderKind, ReminderMail

# name -> (unique, table and columns, condition)
INDEXES = {
    "reminder_occasion": (True, "reminder (workspace_id, occasion, user_id) NULLS NOT DISTINCT", ""),
    "reminder_user": (False, "reminder (workspace_id, user_id, created_at DESC, id DESC)", ""),
    "reminder_follow_up": (False, "reminder (follow_up_id)", "follow_up_id IS NOT NULL"),
    "reminder_lead": (False, "reminder (lead_id)", "lead_id IS NOT NULL"),
    "reminder_settings_user": (False, "reminder_settings (user_id)", ""),
    "reminder_watch_due": (False, "reminder_watch (due_at)", ""),
    "device_address": (True, "device (md5(address), platform, workspace_id)", "ended_at IS NULL"),
    "device_user": (False, "device (workspace_id, user_id, created_at, id)", ""),
    "device_user_id": (False, "device (user_id)", ""),
    "device_session": (False, "device (session_id)", "session_id IS NOT NULL"),
    "push_key_one": (True, "push_key ((TRUE))", ""),
    "lead_rotting": (False, "lead (stage_id, stage_entered_at, id)", "status = 'OPEN' AND deleted_at IS NULL"),
}
# What is past by now is history, of which nobody is reminded.
WATCH = """
INSERT INTO reminder_watch (id, rotten_to, rotten_id, missed_to, missed_id, due_at)
SELECT id, now(), id, now(), id, now() FROM workspace
"""


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0021_deliveries")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Device",
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
                (
                    "session",
                    fields.ForeignKeyField(
                        "models.Session",
                        source_field="session_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                (
                    "platform",
                    fields.CharEnumField(
                        description="WEB: WEB\nFCM: FCM\nAPNS: APNS", enum_type=DevicePlatform, max_length=8
                    ),
                ),
                ("address", fields.TextField(unique=False)),
                ("p256dh", fields.TextField(null=True, unique=False)),
                ("auth", fields.TextField(null=True, unique=False)),
                ("name", fields.TextField(null=True, unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "end_reason",
                    fields.CharEnumField(
                        null=True,
                        description="UNREGISTERED: UNREGISTERED\nSIGNED_OUT: SIGNED_OUT\nMOVED: MOVED\nREPLACED: REPLACED\nGONE: GONE",
                        enum_type=DeviceEnd,
                        max_length=16,
                    ),
                ),
            ],
            options={
                "table": "device",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A browser or phone that shows what somebody is reminded of.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="PushKey",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("public", fields.TextField(unique=False)),
                ("secret", fields.TextField(unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "push_key",
                "app": "models",
                "pk_attr": "id",
                "table_description": "The key by which push services know this server, made once; `secret` is sealed under SECRET_KEY.",
            },
            bases=["Row"],
        ),
        ops.CreateModel(
            name="Reminder",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "workspace",
                    fields.ForeignKeyField(
                        "models.Workspace",
                        source_field="workspace_id",
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("kind", fields.CharEnumField(description="A ReminderKind.", enum_type=ReminderKind, max_length=24)),
                ("occasion", fields.TextField(unique=False)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                (
                    "follow_up",
                    fields.ForeignKeyField(
                        "models.FollowUp",
                        source_field="follow_up_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                (
                    "lead",
                    fields.ForeignKeyField(
                        "models.Lead",
                        source_field="lead_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("due_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "reminder",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What somebody is reminded of; its deliveries, by channel, are those about it.",
            },
            bases=["LogRow"],
        ),
        ops.CreateModel(
            name="ReminderSettings",
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
                (
                    "mail",
                    fields.CharEnumField(
                        default=ReminderMail.SINGLE,
                        description="SINGLE: SINGLE\nDIGEST: DIGEST\nOFF: OFF",
                        enum_type=ReminderMail,
                        max_length=8,
                    ),
                ),
                ("digest_at", fields.TextField(default="08:00", unique=False)),
                ("push", fields.BooleanField(default=True)),
                ("quiet_from", fields.TextField(null=True, unique=False)),
                ("quiet_until", fields.TextField(null=True, unique=False)),
                ("quiet_days", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={
                "table": "reminder_settings",
                "app": "models",
                "unique_together": (("workspace_id", "user_id"),),
                "pk_attr": "id",
                "table_description": "How a member is reminded; who has no row is reminded as its defaults say. Times of day are HH:MM, local.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="ReminderWatch",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ("rotten_to", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("rotten_id", fields.UUIDField()),
                ("missed_to", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("missed_id", fields.UUIDField()),
                ("due_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "reminder_watch",
                "app": "models",
                "pk_attr": "id",
                "table_description": "How far a workspace's leads were looked through, by the workspace's key: each is looked at once.",
            },
            bases=["Row"],
        ),
        ops.AddField(
            model_name="Notification",
            name="reminder_id",
            field=fields.UUIDField(null=True),
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()] + [WATCH],
            [f"DROP INDEX IF EXISTS {name}_idx" for name in INDEXES],
        ),
    ]
