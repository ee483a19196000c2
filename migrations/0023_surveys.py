"""Surveys, whom they went to, and what was answered."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.surveys import DispatchStatus, DispatchTrigger, SkipReason, SurveyKind, Verdict

NEWEST = "DESC NULLS LAST, id DESC"
# name -> (unique, table and columns, condition)
INDEXES = {
    "survey_name": (True, "survey (workspace_id, lower(name))", "archived_at IS NULL"),
    "survey_list": (False, "survey (workspace_id, name, id)", ""),
    "survey_version_published": (False, f"survey_version (workspace_id, published_at {NEWEST})", ""),
    "survey_pipeline": (False, "survey (pipeline_id)", "pipeline_id IS NOT NULL"),
    "survey_dispatch_occasion": (True, "survey_dispatch (workspace_id, occasion)", "occasion IS NOT NULL"),
    "survey_dispatch_due": (False, "survey_dispatch (due_at)", "due_at IS NOT NULL"),
    "survey_dispatch_created": (False, f"survey_dispatch (workspace_id, created_at {NEWEST})", ""),
    "survey_dispatch_survey": (False, f"survey_dispatch (survey_id, created_at {NEWEST})", ""),
    "survey_dispatch_sent": (
        False,
        "survey_dispatch (survey_id, sent_at) INCLUDE (status, lead_id)",
        "sent_at IS NOT NULL",
    ),
    "survey_dispatch_lead": (False, f"survey_dispatch (lead_id, created_at {NEWEST})", "lead_id IS NOT NULL"),
    "survey_dispatch_contact": (False, f"survey_dispatch (contact_id, created_at {NEWEST})", "contact_id IS NOT NULL"),
    "survey_dispatch_asked": (False, "survey_dispatch (contact_id, sent_at)", "sent_at IS NOT NULL"),
    "survey_response_submitted": (
        False,
        f"survey_response (survey_id, submitted_at {NEWEST}) INCLUDE (score, verdict, lead_id)",
        "submitted_at IS NOT NULL",
    ),
    "survey_response_verbatim": (
        False,
        f"survey_response (survey_id, submitted_at {NEWEST})",
        "submitted_at IS NOT NULL AND verbatim IS NOT NULL",
    ),
    "survey_response_newest": (False, f"survey_response (workspace_id, submitted_at {NEWEST})", ""),
    "survey_response_started": (False, f"survey_response (workspace_id, started_at {NEWEST})", ""),
    "survey_response_lead": (False, "survey_response (lead_id)", "lead_id IS NOT NULL"),
    "survey_response_contact": (False, "survey_response (contact_id)", "contact_id IS NOT NULL"),
    "referral_created": (False, f"referral (workspace_id, created_at {NEWEST})", ""),
    "referral_lead": (True, "referral (lead_id)", ""),
    "referral_referrer": (False, "referral (referrer_id)", "referrer_id IS NOT NULL"),
    "referral_referrer_lead": (False, "referral (referrer_lead_id)", "referrer_lead_id IS NOT NULL"),
    "lead_referrer": (False, "lead (referrer_id)", "referrer_id IS NOT NULL"),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0022_reminders")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Survey",
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
                        description="NPS: NPS\nCSAT: CSAT\nCES: CES\nCUSTOM: CUSTOM", enum_type=SurveyKind, max_length=8
                    ),
                ),
                ("content", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("draft_number", fields.IntField(default=1)),
                ("published_number", fields.IntField(null=True)),
                ("published_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("after_sale", fields.BooleanField(default=False)),
                (
                    "pipeline",
                    fields.ForeignKeyField(
                        "models.Pipeline",
                        source_field="pipeline_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("delay_days", fields.IntField(default=30)),
                ("sample_percent", fields.IntField(default=100)),
                ("pause_days", fields.IntField(default=90)),
                ("most_reminders", fields.IntField(default=1)),
                ("reminder_days", fields.IntField(default=7)),
                ("expires_days", fields.IntField(default=30)),
                ("detractor_most", fields.IntField(null=True)),
                ("promoter_least", fields.IntField(null=True)),
                ("detractor_follow_up", fields.BooleanField(default=True)),
                ("asks_referral", fields.BooleanField(default=True)),
                ("archived_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "survey",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A questionnaire and the rule by which it goes out.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="SurveyVersion",
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
                    "survey",
                    fields.ForeignKeyField(
                        "models.Survey",
                        source_field="survey_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="versions",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("number", fields.IntField()),
                ("content", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("published_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "published_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="published_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
            ],
            options={
                "table": "survey_version",
                "app": "models",
                "unique_together": (("survey_id", "number"),),
                "pk_attr": "id",
                "table_description": "A survey as it was published, which never changes again.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="SurveyDispatch",
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
                    "survey",
                    fields.ForeignKeyField(
                        "models.Survey",
                        source_field="survey_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="dispatches",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "survey_version",
                    fields.ForeignKeyField(
                        "models.SurveyVersion",
                        source_field="survey_version_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="dispatches",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "lead",
                    fields.ForeignKeyField(
                        "models.Lead",
                        source_field="lead_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="survey_dispatches",
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
                        related_name="survey_dispatches",
                        on_delete=OnDelete.CASCADE,
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
                    "trigger",
                    fields.CharEnumField(
                        description="LEAD_WON: LEAD_WON\nMANUAL: MANUAL", enum_type=DispatchTrigger, max_length=10
                    ),
                ),
                ("occasion", fields.TextField(null=True, unique=False)),
                ("won_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "status",
                    fields.CharEnumField(
                        default=DispatchStatus.SCHEDULED,
                        description="SCHEDULED: SCHEDULED\nSENT: SENT\nANSWERED: ANSWERED\nEXPIRED: EXPIRED\nSKIPPED: SKIPPED\nCANCELLED: CANCELLED",
                        enum_type=DispatchStatus,
                        max_length=10,
                    ),
                ),
                (
                    "skip_reason",
                    fields.CharEnumField(
                        null=True,
                        description="SAMPLED_OUT: SAMPLED_OUT\nNO_CONTACT: NO_CONTACT\nNO_ADDRESS: NO_ADDRESS\nUNSUBSCRIBED: UNSUBSCRIBED\nASKED_LATELY: ASKED_LATELY\nSURVEY_ARCHIVED: SURVEY_ARCHIVED",
                        enum_type=SkipReason,
                        max_length=16,
                    ),
                ),
                ("language", fields.TextField(null=True, unique=False)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("reminders", fields.IntField(default=0)),
                ("sent_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "survey_dispatch",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A survey for one person; its link's token is made of its id.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="Referral",
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
                    "dispatch",
                    fields.ForeignKeyField(
                        "models.SurveyDispatch",
                        source_field="dispatch_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="referrals",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "referrer",
                    fields.ForeignKeyField(
                        "models.Contact",
                        source_field="referrer_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="referrals",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                (
                    "referrer_lead",
                    fields.ForeignKeyField(
                        "models.Lead",
                        source_field="referrer_lead_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="referrals_given",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                (
                    "lead",
                    fields.ForeignKeyField(
                        "models.Lead",
                        source_field="lead_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="referrals",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("identity", fields.TextField(unique=False)),
                ("note", fields.TextField(null=True, unique=False)),
                ("consent", fields.TextField(unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "referral",
                "app": "models",
                "unique_together": (("dispatch_id", "identity"),),
                "pk_attr": "id",
                "table_description": "Somebody whom a customer recommended us to, and the lead that was made of it.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="SurveyResponse",
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
                    "dispatch",
                    fields.OneToOneField(
                        "models.SurveyDispatch",
                        source_field="dispatch_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="response",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "survey",
                    fields.ForeignKeyField(
                        "models.Survey",
                        source_field="survey_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="responses",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "survey_version",
                    fields.ForeignKeyField(
                        "models.SurveyVersion",
                        source_field="survey_version_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="responses",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "lead",
                    fields.ForeignKeyField(
                        "models.Lead",
                        source_field="lead_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="survey_responses",
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
                        related_name="survey_responses",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("answers", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("score", fields.SmallIntField(null=True)),
                (
                    "verdict",
                    fields.CharEnumField(
                        null=True,
                        description="DETRACTOR: DETRACTOR\nPASSIVE: PASSIVE\nPROMOTER: PROMOTER",
                        enum_type=Verdict,
                        max_length=10,
                    ),
                ),
                ("verbatim", fields.TextField(null=True, unique=False)),
                ("language", fields.TextField(unique=False)),
                ("started_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("submitted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "survey_response",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What one person answered: by question, as far as they got; `submitted_at` is null while they may change it.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.AddField(
            model_name="Lead",
            name="referrer",
            field=fields.ForeignKeyField(
                "models.Contact",
                source_field="referrer_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="referred_leads",
                on_delete=OnDelete.SET_NULL,
            ),
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX {name}_idx" for name in INDEXES],
        ),
    ]
