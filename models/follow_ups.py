"""What is to be done next: tasks on leads, companies and contacts, the plans that lay them out, and days off."""

from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow
from models.companies import Company
from models.contacts import Contact
from models.leads import Lead
from models.pipelines import Pipeline
from models.stages import Stage
from models.users import User


class FollowUpKind(StrEnum):
    CALL = "CALL"
    EMAIL = "EMAIL"
    MEETING = "MEETING"
    TODO = "TODO"


class FollowUpStatus(StrEnum):
    OPEN = "OPEN"
    DONE = "DONE"
    CANCELLED = "CANCELLED"


class Priority(IntEnum):
    """How much it matters; kept as numbers, so that lists are ordered by it."""

    LOW = 1
    NORMAL = 2
    HIGH = 3


class PlanTrigger(StrEnum):
    STAGE_ENTERED = "STAGE_ENTERED"
    LEAD_WON = "LEAD_WON"


class PlanAnchor(StrEnum):
    TRIGGER = "TRIGGER"
    TERM_END = "TERM_END"


class FollowUpPlan(EditableRow):
    """A template of follow-ups that is laid out when a lead enters `stage`, or is won."""

    name = fields.TextField()
    trigger = fields.CharEnumField(PlanTrigger, max_length=16)
    pipeline_id: UUID | None
    pipeline: fields.ForeignKeyNullableRelation[Pipeline] = fields.ForeignKeyField(
        "models.Pipeline", related_name=False, null=True
    )
    stage_id: UUID | None
    stage: fields.ForeignKeyNullableRelation[Stage] = fields.ForeignKeyField(
        "models.Stage", related_name=False, null=True
    )
    # Leads that have entered the stage, or were won, before then are not laid out for.
    since = fields.DatetimeField()
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "follow_up_plan"


class FollowUpPlanStep(EditableRow):
    """One follow-up of a plan, `days` after (or, negative, before) its anchor at `at` in its owner's time zone.

    A removed step is kept for those it laid out.
    """

    plan_id: UUID
    plan: fields.ForeignKeyRelation[FollowUpPlan] = fields.ForeignKeyField("models.FollowUpPlan", related_name="steps")
    number = fields.IntField()
    kind = fields.CharEnumField(FollowUpKind, max_length=10)
    title = fields.TextField()
    note: str | None = fields.TextField(null=True)
    priority = fields.IntEnumField(Priority, default=Priority.NORMAL)
    anchor = fields.CharEnumField(PlanAnchor, max_length=10, default=PlanAnchor.TRIGGER)
    days = fields.IntField()
    # HH:MM; null: due on the day.
    at: str | None = fields.TextField(null=True)
    removed_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "follow_up_plan_step"


class FollowUp(EditableRow):
    """Something to do for a lead, a company or a contact: exactly one of them.

    `due_at` is when it is overdue: the instant it is due, or the end of `due_on` in `time_zone`. `remind_at` is when
    its owner is to be reminded next, `escalate_at` when their manager is; the sweep that does it clears it, and both
    are null once it is no longer open. `occasion` is unique per workspace: what laid it out (a plan's step on a
    lead, the one before it in its series), so that it is laid out once.

    What recurs bears in `series` the local time from which its rule counts and what its next one says; `occurrence`
    is its number in the rule. What a plan has laid out bears in `plan_key` what it was laid out for.
    """

    lead_id: UUID | None
    lead: fields.ForeignKeyNullableRelation[Lead] = fields.ForeignKeyField(
        "models.Lead", related_name="follow_ups", null=True
    )
    company_id: UUID | None
    company: fields.ForeignKeyNullableRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name="follow_ups", null=True
    )
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name="follow_ups", null=True
    )
    owner_id: UUID | None
    owner: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_by_id: UUID | None
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    kind = fields.CharEnumField(FollowUpKind, max_length=10)
    title = fields.TextField()
    note: str | None = fields.TextField(null=True)
    priority = fields.IntEnumField(Priority, default=Priority.NORMAL)
    status = fields.CharEnumField(FollowUpStatus, max_length=10, default=FollowUpStatus.OPEN)
    due_at = fields.DatetimeField()
    due_on: date | None = fields.DateField(null=True)
    time_zone = fields.TextField()
    remind_minutes_before: int | None = fields.IntField(null=True)
    remind_at: datetime | None = fields.DatetimeField(null=True)
    escalate_at: datetime | None = fields.DatetimeField(null=True)
    snoozed_until: datetime | None = fields.DatetimeField(null=True)
    recurrence: str | None = fields.TextField(null=True, description="An RFC 5545 RRULE.")
    series_id: UUID | None = fields.UUIDField(null=True)
    series: dict[str, Any] | None = fields.JSONField(null=True)
    occurrence = fields.IntField(default=1)
    plan_id: UUID | None
    plan: fields.ForeignKeyNullableRelation[FollowUpPlan] = fields.ForeignKeyField(
        "models.FollowUpPlan", related_name="follow_ups", null=True, on_delete=fields.SET_NULL
    )
    plan_step_id: UUID | None
    plan_step: fields.ForeignKeyNullableRelation[FollowUpPlanStep] = fields.ForeignKeyField(
        "models.FollowUpPlanStep", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    plan_key: str | None = fields.TextField(null=True)
    occasion: str | None = fields.TextField(null=True)
    outcome: str | None = fields.TextField(null=True)
    cancel_reason: str | None = fields.TextField(null=True)
    ended_at: datetime | None = fields.DatetimeField(null=True)
    ended_by_id: UUID | None
    ended_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )

    # Whose lead it is on, where an operation has looked; no column.
    lead_owner_id: UUID | None = None
    # What the operation that ended it has laid out after it in its series; no column.
    next: "FollowUp | None" = None

    class Meta:
        table = "follow_up"


class Holiday(EditableRow):
    """A day on which a workspace does not work."""

    day: date = fields.DateField()
    name = fields.TextField()

    class Meta:
        table = "holiday"
