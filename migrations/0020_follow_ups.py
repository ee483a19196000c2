"""What is to be done next for whom, the plans that lay it out, and days off."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.follow_ups import FollowUpKind, FollowUpStatus, PlanAnchor, PlanTrigger, Priority

# name -> (unique, table and columns, condition)
INDEXES = {
    "follow_up_lead": (False, "follow_up (lead_id, status, due_at, id)", "lead_id IS NOT NULL"),
    "follow_up_company": (False, "follow_up (company_id, due_at, id)", "company_id IS NOT NULL"),
    "follow_up_contact": (False, "follow_up (contact_id, due_at, id)", "contact_id IS NOT NULL"),
    "follow_up_owner": (False, "follow_up (workspace_id, owner_id, due_at, id)", "status = 'OPEN'"),
    "follow_up_due": (False, "follow_up (workspace_id, due_at, id)", ""),
    "follow_up_remind": (False, "follow_up (remind_at)", "remind_at IS NOT NULL"),
    "follow_up_escalate": (False, "follow_up (escalate_at)", "escalate_at IS NOT NULL"),
    "follow_up_occasion": (True, "follow_up (workspace_id, occasion)", "occasion IS NOT NULL"),
    "follow_up_series": (False, "follow_up (series_id)", "series_id IS NOT NULL"),
    "follow_up_plan_step_id": (False, "follow_up (plan_step_id)", "plan_step_id IS NOT NULL"),
    "follow_up_plan_id": (False, "follow_up (plan_id)", "plan_id IS NOT NULL"),
    "follow_up_plan_trigger": (False, "follow_up_plan (workspace_id, trigger, stage_id)", "archived_at IS NULL"),
    "follow_up_plan_name": (True, "follow_up_plan (workspace_id, lower(name))", "archived_at IS NULL"),
    "follow_up_plan_step_plan": (False, "follow_up_plan_step (plan_id, number)", "removed_at IS NULL"),
    "holiday_day": (True, "holiday (workspace_id, day)", ""),
    "lead_next_follow_up": (
        False,
        "lead (workspace_id, next_follow_up_at, id)",
        "deleted_at IS NULL AND next_follow_up_at IS NOT NULL",
    ),
    "lead_no_next_step": (
        False,
        "lead (workspace_id, owner_id, created_at DESC, id DESC)",
        "deleted_at IS NULL AND status = 'OPEN' AND next_follow_up_at IS NULL",
    ),
}
ONE_SUBJECT = "num_nonnulls(lead_id, company_id, contact_id) = 1"


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0019_daily_use")]

    initial = False

    operations = [
        ops.CreateModel(
            name="FollowUpPlan",
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
                    "trigger",
                    fields.CharEnumField(
                        description="STAGE_ENTERED: STAGE_ENTERED\nLEAD_WON: LEAD_WON",
                        enum_type=PlanTrigger,
                        max_length=16,
                    ),
                ),
                (
                    "pipeline",
                    fields.ForeignKeyField(
                        "models.Pipeline",
                        source_field="pipeline_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "stage",
                    fields.ForeignKeyField(
                        "models.Stage",
                        source_field="stage_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("since", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("archived_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "follow_up_plan",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A template of follow-ups that is laid out when a lead enters `stage`, or is won.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="FollowUpPlanStep",
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
                    "plan",
                    fields.ForeignKeyField(
                        "models.FollowUpPlan",
                        source_field="plan_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="steps",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("number", fields.IntField()),
                (
                    "kind",
                    fields.CharEnumField(
                        description="CALL: CALL\nEMAIL: EMAIL\nMEETING: MEETING\nTODO: TODO",
                        enum_type=FollowUpKind,
                        max_length=10,
                    ),
                ),
                ("title", fields.TextField(unique=False)),
                ("note", fields.TextField(null=True, unique=False)),
                (
                    "priority",
                    fields.IntEnumField(
                        default=Priority.NORMAL, description="LOW: 1\nNORMAL: 2\nHIGH: 3", enum_type=Priority, generated=False
                    ),
                ),
                (
                    "anchor",
                    fields.CharEnumField(
                        default=PlanAnchor.TRIGGER,
                        description="TRIGGER: TRIGGER\nTERM_END: TERM_END",
                        enum_type=PlanAnchor,
                        max_length=10,
                    ),
                ),
                ("days", fields.IntField()),
                ("at", fields.TextField(null=True, unique=False)),
                ("removed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "follow_up_plan_step",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One follow-up of a plan, `days` after (or, negative, before) its anchor at `at` in its owner's time zone.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="FollowUp",
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
                        related_name="follow_ups",
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
                        related_name="follow_ups",
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
                        related_name="follow_ups",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "owner",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="owner_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
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
                (
                    "kind",
                    fields.CharEnumField(
                        description="CALL: CALL\nEMAIL: EMAIL\nMEETING: MEETING\nTODO: TODO",
                        enum_type=FollowUpKind,
                        max_length=10,
                    ),
                ),
                ("title", fields.TextField(unique=False)),
                ("note", fields.TextField(null=True, unique=False)),
                (
                    "priority",
                    fields.IntEnumField(
                        default=Priority.NORMAL, description="LOW: 1\nNORMAL: 2\nHIGH: 3", enum_type=Priority, generated=False
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(
                        default=FollowUpStatus.OPEN,
                        description="OPEN: OPEN\nDONE: DONE\nCANCELLED: CANCELLED",
                        enum_type=FollowUpStatus,
                        max_length=10,
                    ),
                ),
                ("due_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("due_on", fields.DateField(null=True)),
                ("time_zone", fields.TextField(unique=False)),
                ("remind_minutes_before", fields.IntField(null=True)),
                ("remind_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("escalate_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("snoozed_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("recurrence", fields.TextField(null=True, description="An RFC 5545 RRULE.", unique=False)),
                ("series_id", fields.UUIDField(null=True)),
                ("series", fields.JSONField(null=True)),
                ("occurrence", fields.IntField(default=1)),
                (
                    "plan",
                    fields.ForeignKeyField(
                        "models.FollowUpPlan",
                        source_field="plan_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="follow_ups",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                (
                    "plan_step",
                    fields.ForeignKeyField(
                        "models.FollowUpPlanStep",
                        source_field="plan_step_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("plan_key", fields.TextField(null=True, unique=False)),
                ("occasion", fields.TextField(null=True, unique=False)),
                ("outcome", fields.TextField(null=True, unique=False)),
                ("cancel_reason", fields.TextField(null=True, unique=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "ended_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="ended_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
            ],
            options={
                "table": "follow_up",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Something to do for a lead, a company or a contact: exactly one of them.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="Holiday",
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
                ("day", fields.DateField()),
                ("name", fields.TextField(unique=False)),
            ],
            options={
                "table": "holiday",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A day on which a workspace does not work.",
            },
            bases=["EditableRow"],
        ),
        ops.AddField(
            model_name="Lead",
            name="next_follow_up_at",
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name="Lead",
            name="term_ends_on",
            field=fields.DateField(null=True),
        ),
        ops.RunSQL(
            f"ALTER TABLE follow_up ADD CONSTRAINT follow_up_one_subject CHECK ({ONE_SUBJECT})",
            "ALTER TABLE follow_up DROP CONSTRAINT follow_up_one_subject",
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX {name}_idx" for name in INDEXES],
        ),
    ]
