"""What leaves the house, on record: one row for each message to one person by one channel, and how it ended."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, LogRow
from models.contacts import Contact
from models.users import User


class Channel(StrEnum):
    IN_APP = "IN_APP"
    MAIL = "MAIL"
    PUSH = "PUSH"


class DeliveryStatus(StrEnum):
    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class Delivery(LogRow):
    """One message, due at an instant and claimed by a sweep for a lease.

    `occasion` is unique per workspace, so that a message asked for twice is one. `kind` names what composes it (for a
    mail, its template), `data` what that needs besides. `sending_at` is set before a message is handed over and
    cleared by what is recorded of it: a claim that finds it set was left by a worker that died between, and sets
    `at_risk`, since the receiver may have the message twice. `reason` says why it failed or was skipped.
    """

    channel = fields.CharEnumField(Channel, max_length=8)
    kind = fields.TextField()
    occasion = fields.TextField()
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    address: str | None = fields.TextField(null=True)
    # What it is about, by the key of its kind's own table: a reminder, a survey's dispatch, an invitation.
    about_id: UUID | None = fields.UUIDField(null=True)
    device_id: UUID | None = fields.UUIDField(null=True)
    # The delivery that carries this one along, as a digest does.
    carried_by_id: UUID | None = fields.UUIDField(null=True)
    data: dict[str, Any] = fields.JSONField(default=dict)
    status = fields.CharEnumField(DeliveryStatus, max_length=8, default=DeliveryStatus.PENDING)
    due_at = fields.DatetimeField()
    lease_until: datetime | None = fields.DatetimeField(null=True)
    sending_at: datetime | None = fields.DatetimeField(null=True)
    attempts = fields.IntField(default=0)
    # Who has it now: what another worker tells of it since counts for nothing.
    claim_id: UUID | None = fields.UUIDField(null=True)
    at_risk = fields.BooleanField(default=False)
    reason: str | None = fields.TextField(null=True)
    ended_at: datetime | None = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "delivery"


class SuppressionReason(StrEnum):
    UNSUBSCRIBED = "UNSUBSCRIBED"
    BOUNCED = "BOUNCED"
    COMPLAINED = "COMPLAINED"
    MANUAL = "MANUAL"


class Suppression(LogRow):
    """An address to which a workspace sends no more mail of a kind; without a kind, none at all but account mails."""

    email_normalised = fields.TextField()
    kind: str | None = fields.TextField(null=True)
    reason = fields.CharEnumField(SuppressionReason, max_length=16)
    note: str | None = fields.TextField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "suppression"


class MailTemplate(EditableRow):
    """A workspace's own words of a kind of mail in one language, in place of those that ship with us."""

    kind = fields.TextField()
    language = fields.TextField()
    subject = fields.TextField()
    text = fields.TextField()
    html: str | None = fields.TextField(null=True)

    class Meta:
        table = "mail_template"
