"""What leaves the house, on record, and to whom nothing goes."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.deliveries import Channel, DeliveryStatus, SuppressionReason

# name -> (unique, table and columns, condition)
INDEXES = {
    "delivery_occasion": (True, "delivery (workspace_id, occasion)", ""),
    "delivery_due": (False, "delivery (due_at)", "status = 'PENDING'"),
    "delivery_account_mails": (
        False,
        "delivery (due_at)",
        "status = 'PENDING' AND kind IN ('invitation', 'password_reset')",
    ),
    "delivery_about": (False, "delivery (about_id)", "about_id IS NOT NULL"),
    "delivery_carried": (False, "delivery (carried_by_id)", "carried_by_id IS NOT NULL"),
    "delivery_user": (False, "delivery (workspace_id, user_id, created_at DESC, id DESC)", "user_id IS NOT NULL"),
    "delivery_created": (False, "delivery (workspace_id, created_at DESC, id DESC)", ""),
    "suppression_email": (True, "suppression (workspace_id, email_normalised, coalesce(kind, ''))", ""),
    "mail_template_kind": (True, "mail_template (workspace_id, kind, language)", ""),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0020_follow_ups")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Delivery",
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
                (
                    "channel",
                    fields.CharEnumField(
                        description="IN_APP: IN_APP\nMAIL: MAIL\nPUSH: PUSH", enum_type=Channel, max_length=8
                    ),
                ),
                ("kind", fields.TextField(unique=False)),
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
                    "contact",
                    fields.ForeignKeyField(
                        "models.Contact",
                        source_field="contact_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("address", fields.TextField(null=True, unique=False)),
                ("about_id", fields.UUIDField(null=True)),
                ("device_id", fields.UUIDField(null=True)),
                ("carried_by_id", fields.UUIDField(null=True)),
                ("data", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                (
                    "status",
                    fields.CharEnumField(
                        default=DeliveryStatus.PENDING,
                        description="PENDING: PENDING\nSENT: SENT\nFAILED: FAILED\nSKIPPED: SKIPPED",
                        enum_type=DeliveryStatus,
                        max_length=8,
                    ),
                ),
                ("due_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("lease_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("sending_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("attempts", fields.IntField(default=0)),
                ("claim_id", fields.UUIDField(null=True)),
                ("at_risk", fields.BooleanField(default=False)),
                ("reason", fields.TextField(null=True, unique=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "delivery",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One message, due at an instant and claimed by a sweep for a lease.",
            },
            bases=["LogRow"],
        ),
        ops.CreateModel(
            name="Suppression",
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
                ("email_normalised", fields.TextField(unique=False)),
                ("kind", fields.TextField(null=True, unique=False)),
                (
                    "reason",
                    fields.CharEnumField(
                        description="UNSUBSCRIBED: UNSUBSCRIBED\nBOUNCED: BOUNCED\nCOMPLAINED: COMPLAINED\nMANUAL: MANUAL",
                        enum_type=SuppressionReason,
                        max_length=16,
                    ),
                ),
                ("note", fields.TextField(null=True, unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "suppression",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An address to which a workspace sends no more mail of a kind; without a kind, none at all but account mails.",
            },
            bases=["LogRow"],
        ),
        ops.CreateModel(
            name="MailTemplate",
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
                ("kind", fields.TextField(unique=False)),
                ("language", fields.TextField(unique=False)),
                ("subject", fields.TextField(unique=False)),
                ("text", fields.TextField(unique=False)),
                ("html", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "mail_template",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A workspace's own words of a kind of mail in one language, in place of those that ship with us.",
            },
            bases=["EditableRow"],
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX {name}_idx" for name in INDEXES],
        ),
    ]
