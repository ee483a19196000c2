"""What was done with a customer: calls, mails, meetings, notes, visits of a page, forms, and what a workspace adds."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields, models

from models.base import EditableRow, LogRow
from models.companies import Company
from models.contacts import Contact
from models.leads import Lead
from models.users import User


class ActivityKind(StrEnum):
    CALL = "CALL"
    EMAIL = "EMAIL"
    MEETING = "MEETING"
    NOTE = "NOTE"
    PAGE_VISIT = "PAGE_VISIT"
    FORM_SUBMISSION = "FORM_SUBMISSION"
    CUSTOM = "CUSTOM"


class ActivityDirection(StrEnum):
    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"


class ActivityType(EditableRow):
    """A kind of activity that a workspace adds; `is_touch` says whether it counts like a call."""

    name = fields.TextField()
    is_touch = fields.BooleanField(default=False)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "activity_type"


class Activity(EditableRow):
    """Something done with a customer, on a lead, a company or a contact, or on several of them.

    `user_id` did it, `logged_by_id` said so. `is_touch` is kept as it was when the activity was given its kind.
    """

    # As of a LogRow: no foreign key checks the workspace of a table that grows with everything that happens.
    workspace: fields.ForeignKeyRelation["models.Model"] = fields.ForeignKeyField(
        "models.Workspace", related_name=False, db_constraint=False, on_delete=fields.NO_ACTION
    )
    kind = fields.CharEnumField(ActivityKind, max_length=20)
    type_id: UUID | None
    type: fields.ForeignKeyNullableRelation[ActivityType] = fields.ForeignKeyField(
        "models.ActivityType", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    is_touch = fields.BooleanField(default=False)
    lead_id: UUID | None
    lead: fields.ForeignKeyNullableRelation[Lead] = fields.ForeignKeyField(
        "models.Lead", related_name="activities", null=True
    )
    company_id: UUID | None
    company: fields.ForeignKeyNullableRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name="activities", null=True
    )
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name="activities", null=True
    )
    direction = fields.CharEnumField(ActivityDirection, max_length=10, null=True)
    outcome: str | None = fields.TextField(null=True)
    subject: str | None = fields.TextField(null=True)
    text: str | None = fields.TextField(null=True)
    duration_seconds: int | None = fields.IntField(null=True)
    occurred_at = fields.DatetimeField()
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    logged_by_id: UUID | None
    logged_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    deleted_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "activity"


class ActivityParticipant(LogRow):
    """Who took part: a user, a contact, or somebody by name and address. Ids rise in the order they were named."""

    activity_id: UUID
    activity: fields.ForeignKeyRelation[Activity] = fields.ForeignKeyField(
        "models.Activity", related_name="participants"
    )
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField("models.User", related_name=False, null=True)
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name=False, null=True
    )
    name: str | None = fields.TextField(null=True)
    email: str | None = fields.TextField(null=True)

    class Meta:
        table = "activity_participant"
