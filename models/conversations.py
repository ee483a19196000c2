"""What people say to each other about leads, companies and contacts, and what each of them is told."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, LogRow, WorkspaceRow
from models.companies import Company
from models.contacts import Contact
from models.leads import Lead
from models.users import User


class Comment(EditableRow):
    """What somebody wrote about a lead, a company or a contact: exactly one of them."""

    lead_id: UUID | None
    lead: fields.ForeignKeyNullableRelation[Lead] = fields.ForeignKeyField(
        "models.Lead", related_name="comments", null=True
    )
    company_id: UUID | None
    company: fields.ForeignKeyNullableRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name="comments", null=True
    )
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name="comments", null=True
    )
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    text = fields.TextField()
    deleted_at: datetime | None = fields.DatetimeField(null=True)
    deleted_by_id: UUID | None
    deleted_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )

    class Meta:
        table = "comment"


class CommentMention(WorkspaceRow):
    """Somebody whom a comment names, so that they are told of it."""

    comment_id: UUID
    comment: fields.ForeignKeyRelation[Comment] = fields.ForeignKeyField("models.Comment", related_name="mentions")
    user_id: UUID
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name=False)

    class Meta:
        table = "comment_mention"
        unique_together = (("comment_id", "user_id"),)


class LeadWatcher(WorkspaceRow):
    """Somebody who is told of what happens to a lead, whoever owns it."""

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="watchers")
    user_id: UUID
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name=False)
    created_at = fields.DatetimeField()

    class Meta:
        table = "lead_watcher"
        unique_together = (("lead_id", "user_id"),)


class NotificationKind(StrEnum):
    MENTION = "MENTION"
    COMMENT = "COMMENT"
    ASSIGNED = "ASSIGNED"
    LEAD_MOVED = "LEAD_MOVED"
    LEAD_CLOSED = "LEAD_CLOSED"
    LEAD_REOPENED = "LEAD_REOPENED"
    MOVE_REQUESTED = "MOVE_REQUESTED"
    MOVE_APPROVED = "MOVE_APPROVED"
    MOVE_REJECTED = "MOVE_REJECTED"
    HAND_OVER = "HAND_OVER"
    HAND_OVER_ACCEPTED = "HAND_OVER_ACCEPTED"
    HAND_OVER_RETURNED = "HAND_OVER_RETURNED"
    BULK_DONE = "BULK_DONE"
    IMPORT_DONE = "IMPORT_DONE"
    SURVEY_ANSWERED = "SURVEY_ANSWERED"
    SURVEY_DETRACTOR = "SURVEY_DETRACTOR"
    MOVE_HELD = "MOVE_HELD"
    APPROVAL_REQUESTED = "APPROVAL_REQUESTED"
    PROPOSAL_APPROVED = "PROPOSAL_APPROVED"
    PROPOSAL_REJECTED = "PROPOSAL_REJECTED"
    PROPOSAL_VIEWED = "PROPOSAL_VIEWED"
    PROPOSAL_QUESTION = "PROPOSAL_QUESTION"
    PROPOSAL_ACCEPTED = "PROPOSAL_ACCEPTED"
    PROPOSAL_DECLINED = "PROPOSAL_DECLINED"
    PROPOSAL_ENDING = "PROPOSAL_ENDING"
    PROPOSAL_EXPIRED = "PROPOSAL_EXPIRED"
    OFFER_RECEIVED = "OFFER_RECEIVED"
    OFFER_APPROVED = "OFFER_APPROVED"
    OFFER_REJECTED = "OFFER_REJECTED"
    NEGOTIATION_AGREED = "NEGOTIATION_AGREED"
    NEGOTIATION_BROKEN_OFF = "NEGOTIATION_BROKEN_OFF"
    NEGOTIATION_OVERDUE = "NEGOTIATION_OVERDUE"
    CONTRACT_SIGNED = "CONTRACT_SIGNED"
    INVOICE_PAID = "INVOICE_PAID"
    INVOICE_OVERDUE = "INVOICE_OVERDUE"
    CUSTOMER_NOT_MAILED = "CUSTOMER_NOT_MAILED"
    TRAINING_ENDED = "TRAINING_ENDED"
    SCORE_DRIFTED = "SCORE_DRIFTED"
    REMINDER = "REMINDER"
    ESCALATION = "ESCALATION"
    LEAD_ROTTING = "LEAD_ROTTING"
    FIRST_RESPONSE_MISSED = "FIRST_RESPONSE_MISSED"


class Notification(LogRow):
    """What one person is told of an event, once for each kind; `actor_id` is who caused it.

    `event_id` is the first of the events where many of one go led to it, or the work on many that they are of; `data`
    says how many, as `events`.
    """

    user_id: UUID
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name=False)
    # With words of its own, the column does not change with the kinds.
    kind = fields.CharEnumField(NotificationKind, description="A NotificationKind.", max_length=24)
    lead_id: UUID | None
    lead: fields.ForeignKeyNullableRelation[Lead] = fields.ForeignKeyField(
        "models.Lead", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    comment_id: UUID | None
    comment: fields.ForeignKeyNullableRelation[Comment] = fields.ForeignKeyField(
        "models.Comment", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    actor_id: UUID | None
    actor: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    event_id = fields.UUIDField()
    # Of what it reminds, by the key of the reminder, which is then the event's as well: models/reminders.py.
    reminder_id: UUID | None = fields.UUIDField(null=True)
    data: dict[str, Any] = fields.JSONField(default=dict)
    created_at = fields.DatetimeField()
    read_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "notification"
        unique_together = (("event_id", "user_id", "kind"),)
