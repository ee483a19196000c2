"""What customers are asked, whom it went to, what they answered, and whom they recommended us to."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, WorkspaceRow
from models.contacts import Contact
from models.leads import Lead
from models.pipelines import Pipeline
from models.users import User


class SurveyKind(StrEnum):
    NPS = "NPS"
    CSAT = "CSAT"
    CES = "CES"
    CUSTOM = "CUSTOM"


class DispatchTrigger(StrEnum):
    LEAD_WON = "LEAD_WON"
    MANUAL = "MANUAL"


class DispatchStatus(StrEnum):
    SCHEDULED = "SCHEDULED"
    SENT = "SENT"
    ANSWERED = "ANSWERED"
    EXPIRED = "EXPIRED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"


class SkipReason(StrEnum):
    SAMPLED_OUT = "SAMPLED_OUT"
    NO_CONTACT = "NO_CONTACT"
    NO_ADDRESS = "NO_ADDRESS"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    ASKED_LATELY = "ASKED_LATELY"
    SURVEY_ARCHIVED = "SURVEY_ARCHIVED"


class Verdict(StrEnum):
    """What a score makes of whoever gave it."""

    DETRACTOR = "DETRACTOR"
    PASSIVE = "PASSIVE"
    PROMOTER = "PROMOTER"


class Survey(EditableRow):
    """A questionnaire and the rule by which it goes out.

    `content` is what is worked on, as `domain.questionnaires` writes it, and will be version `draft_number`: the one
    published last until somebody edits it, then the next.
    """

    name = fields.TextField()
    kind = fields.CharEnumField(SurveyKind, max_length=8)
    content: dict[str, Any] = fields.JSONField(default=dict)
    draft_number = fields.IntField(default=1)
    published_number: int | None = fields.IntField(null=True)
    published_at: datetime | None = fields.DatetimeField(null=True)
    after_sale = fields.BooleanField(default=False)
    pipeline_id: UUID | None
    pipeline: fields.ForeignKeyNullableRelation[Pipeline] = fields.ForeignKeyField(
        "models.Pipeline", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    delay_days = fields.IntField(default=30)
    sample_percent = fields.IntField(default=100)
    pause_days = fields.IntField(default=90)
    most_reminders = fields.IntField(default=1)
    reminder_days = fields.IntField(default=7)
    expires_days = fields.IntField(default=30)
    detractor_most: int | None = fields.IntField(null=True)
    promoter_least: int | None = fields.IntField(null=True)
    detractor_follow_up = fields.BooleanField(default=True)
    asks_referral = fields.BooleanField(default=True)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "survey"


class SurveyVersion(WorkspaceRow):
    """A survey as it was published, which never changes again."""

    survey_id: UUID
    survey: fields.ForeignKeyRelation[Survey] = fields.ForeignKeyField("models.Survey", related_name="versions")
    number = fields.IntField()
    content: dict[str, Any] = fields.JSONField()
    published_at = fields.DatetimeField()
    published_by_id: UUID | None
    published_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )

    class Meta:
        table = "survey_version"
        unique_together = (("survey_id", "number"),)


class SurveyDispatch(WorkspaceRow):
    """A survey for one person; its link's token is made of its id.

    `due_at` is when a sweep has to look at it next: to send it, to remind, to let it expire; null once it has ended.
    `occasion` is unique per workspace: which closing of which lead asked for it. It goes out in the version and
    language of that moment, and keeps them.
    """

    survey_id: UUID
    survey: fields.ForeignKeyRelation[Survey] = fields.ForeignKeyField("models.Survey", related_name="dispatches")
    survey_version_id: UUID | None
    survey_version: fields.ForeignKeyNullableRelation[SurveyVersion] = fields.ForeignKeyField(
        "models.SurveyVersion", related_name="dispatches", null=True, on_delete=fields.RESTRICT
    )
    lead_id: UUID | None
    lead: fields.ForeignKeyNullableRelation[Lead] = fields.ForeignKeyField(
        "models.Lead", related_name="survey_dispatches", null=True
    )
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name="survey_dispatches", null=True
    )
    created_by_id: UUID | None
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    trigger = fields.CharEnumField(DispatchTrigger, max_length=10)
    occasion: str | None = fields.TextField(null=True)
    # When the lead was won whose sale asks for it.
    won_at: datetime | None = fields.DatetimeField(null=True)
    status = fields.CharEnumField(DispatchStatus, max_length=10, default=DispatchStatus.SCHEDULED)
    skip_reason = fields.CharEnumField(SkipReason, max_length=16, null=True)
    language: str | None = fields.TextField(null=True)
    due_at: datetime | None = fields.DatetimeField(null=True)
    reminders = fields.IntField(default=0)
    sent_at: datetime | None = fields.DatetimeField(null=True)
    expires_at: datetime | None = fields.DatetimeField(null=True)
    ended_at: datetime | None = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "survey_dispatch"


class SurveyResponse(WorkspaceRow):
    """What one person answered: by question, as far as they got; `submitted_at` is null while they may change it.

    `score` is the answer to the question that the survey's kind is about, `verbatim` what they wrote in their own
    words.
    """

    dispatch_id: UUID
    dispatch: fields.OneToOneRelation[SurveyDispatch] = fields.OneToOneField(
        "models.SurveyDispatch", related_name="response"
    )
    survey_id: UUID
    survey: fields.ForeignKeyRelation[Survey] = fields.ForeignKeyField("models.Survey", related_name="responses")
    survey_version_id: UUID
    survey_version: fields.ForeignKeyRelation[SurveyVersion] = fields.ForeignKeyField(
        "models.SurveyVersion", related_name="responses", on_delete=fields.RESTRICT
    )
    lead_id: UUID | None
    lead: fields.ForeignKeyNullableRelation[Lead] = fields.ForeignKeyField(
        "models.Lead", related_name="survey_responses", null=True
    )
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name="survey_responses", null=True
    )
    answers: dict[str, Any] = fields.JSONField(default=dict)
    score: int | None = fields.SmallIntField(null=True)
    verdict = fields.CharEnumField(Verdict, max_length=10, null=True)
    verbatim: str | None = fields.TextField(null=True)
    language = fields.TextField()
    started_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    submitted_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "survey_response"


class Referral(WorkspaceRow):
    """Somebody whom a customer recommended us to, and the lead that was made of it.

    `identity` is their normalised address or number, unique per dispatch, so that a form sent twice is one referral.
    """

    dispatch_id: UUID
    dispatch: fields.ForeignKeyRelation[SurveyDispatch] = fields.ForeignKeyField(
        "models.SurveyDispatch", related_name="referrals"
    )
    referrer_id: UUID | None
    referrer: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name="referrals", null=True, on_delete=fields.SET_NULL
    )
    referrer_lead_id: UUID | None
    referrer_lead: fields.ForeignKeyNullableRelation[Lead] = fields.ForeignKeyField(
        "models.Lead", related_name="referrals_given", null=True, on_delete=fields.SET_NULL
    )
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="referrals")
    identity = fields.TextField()
    note: str | None = fields.TextField(null=True)
    consent = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "referral"
        unique_together = (("dispatch_id", "identity"),)
