"""What people say to each other, who watches what, and what each is told."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.conversations import NotificationKind

# name -> (table and columns, condition)
INDEXES = {
    "comment_lead": ("comment (lead_id, created_at, id)", "deleted_at IS NULL AND lead_id IS NOT NULL"),
    "comment_company": ("comment (company_id, created_at, id)", "deleted_at IS NULL AND company_id IS NOT NULL"),
    "comment_contact": ("comment (contact_id, created_at, id)", "deleted_at IS NULL AND contact_id IS NOT NULL"),
    "comment_created": ("comment (workspace_id, created_at DESC, id DESC)", "deleted_at IS NULL"),
    "comment_user": ("comment (workspace_id, user_id, created_at DESC, id DESC)", "deleted_at IS NULL"),
    "comment_search": ("comment USING gin (to_tsvector('simple', text))", ""),
    "comment_mention_user": ("comment_mention (workspace_id, user_id)", ""),
    "lead_watcher_user": ("lead_watcher (workspace_id, user_id)", ""),
    "notification_user": ("notification (workspace_id, user_id, created_at DESC, id DESC)", ""),
    "notification_unread": (
        "notification (workspace_id, user_id, created_at DESC, id DESC) INCLUDE (lead_id)",
        "read_at IS NULL",
    ),
    "notification_created": ("notification (created_at)", ""),
}
ONE_SUBJECT = "num_nonnulls(lead_id, company_id, contact_id) = 1"


def create(name: str, on: str, condition: str) -> str:
    return f"CREATE INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0012_custom_fields")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Comment",
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
                    "lead",
                    fields.ForeignKeyField(
                        "models.Lead",
                        source_field="lead_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="comments",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "company",
                    fields.ForeignKeyField(
                        "models.Company",
                        source_field="company_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="comments",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "contact",
                    fields.ForeignKeyField(
                        "models.Contact",
                        source_field="contact_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="comments",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("text", fields.TextField(unique=False)),
                ("deleted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "deleted_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="deleted_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
            ],
            options={
                "table": "comment",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What somebody wrote about a lead, a company or a contact: exactly one of them.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="CommentMention",
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
                    "comment",
                    fields.ForeignKeyField(
                        "models.Comment",
                        source_field="comment_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="mentions",
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
            ],
            options={
                "table": "comment_mention",
                "app": "models",
                "unique_together": (("comment_id", "user_id"),),
                "pk_attr": "id",
                "table_description": "Somebody whom a comment names, so that they are told of it.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="LeadWatcher",
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
                    "lead",
                    fields.ForeignKeyField(
                        "models.Lead",
                        source_field="lead_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="watchers",
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
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "lead_watcher",
                "app": "models",
                "unique_together": (("lead_id", "user_id"),),
                "pk_attr": "id",
                "table_description": "Somebody who is told of what happens to a lead, whoever owns it.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="Notification",
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
                    "kind",
                    fields.CharEnumField(description="A NotificationKind.", enum_type=NotificationKind, max_length=24),
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
                (
                    "comment",
                    fields.ForeignKeyField(
                        "models.Comment",
                        source_field="comment_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                (
                    "actor",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="actor_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("event_id", fields.UUIDField()),
                ("data", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("read_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "notification",
                "app": "models",
                "unique_together": (("event_id", "user_id", "kind"),),
                "pk_attr": "id",
                "table_description": "What one person is told of an event, once for each kind; `actor_id` is who caused it.",
            },
            bases=["LogRow"],
        ),
        ops.RunSQL(
            [f"ALTER TABLE comment ADD CONSTRAINT comment_subject_check CHECK ({ONE_SUBJECT})"]
            + [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX IF EXISTS {name}_idx" for name in INDEXES]
            + ["ALTER TABLE comment DROP CONSTRAINT IF EXISTS comment_subject_check"],
        ),
    ]
