"""What people are reminded of, how they want to be, and the devices that show it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, LogRow, Row, WorkspaceRow
from models.follow_ups import FollowUp
from models.leads import Lead
from models.sessions import Session
from models.users import User


class ReminderKind(StrEnum):
    FOLLOW_UP_DUE = "FOLLOW_UP_DUE"
    FOLLOW_UP_OVERDUE = "FOLLOW_UP_OVERDUE"
    LEAD_ROTTING = "LEAD_ROTTING"
    FIRST_RESPONSE_MISSED = "FIRST_RESPONSE_MISSED"


class Reminder(LogRow):
    """What somebody is reminded of; its deliveries, by channel, are those about it.

    `occasion` says what led to it, so that each person is reminded of it once. `user_id` is null where there was
    nobody to remind.
    """

    # With words of its own, the column does not change with the kinds.
    kind = fields.CharEnumField(ReminderKind, description="A ReminderKind.", max_length=24)
    occasion = fields.TextField()
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    follow_up_id: UUID | None
    follow_up: fields.ForeignKeyNullableRelation[FollowUp] = fields.ForeignKeyField(
        "models.FollowUp", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    lead_id: UUID | None
    lead: fields.ForeignKeyNullableRelation[Lead] = fields.ForeignKeyField(
        "models.Lead", related_name=False, null=True, db_constraint=False, on_delete=fields.NO_ACTION
    )
    due_at = fields.DatetimeField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "reminder"


class ReminderMail(StrEnum):
    SINGLE = "SINGLE"
    DIGEST = "DIGEST"
    OFF = "OFF"


class Weekday(StrEnum):
    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class ReminderSettings(EditableRow):
    """How a member is reminded; who has no row is reminded as its defaults say. Times of day are HH:MM, local."""

    user_id: UUID
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name=False)
    mail = fields.CharEnumField(ReminderMail, max_length=8, default=ReminderMail.SINGLE)
    digest_at = fields.TextField(default="08:00")
    push = fields.BooleanField(default=True)
    quiet_from: str | None = fields.TextField(null=True)
    quiet_until: str | None = fields.TextField(null=True)
    quiet_days: list[str] = fields.JSONField(default=list)

    class Meta:
        table = "reminder_settings"
        unique_together = (("workspace_id", "user_id"),)


class ReminderWatch(Row):
    """How far a workspace's leads were looked through, by the workspace's key: each is looked at once.

    `rotten_to` and `rotten_id` are when the last lead that was found rotten became so, and which it was;
    `missed_to` and `missed_id` say that of first responses. It is looked at again at `due_at`.
    """

    rotten_to = fields.DatetimeField()
    rotten_id = fields.UUIDField()
    missed_to = fields.DatetimeField()
    missed_id = fields.UUIDField()
    due_at = fields.DatetimeField()

    class Meta:
        table = "reminder_watch"


class DevicePlatform(StrEnum):
    WEB = "WEB"
    FCM = "FCM"
    APNS = "APNS"


class DeviceEnd(StrEnum):
    UNREGISTERED = "UNREGISTERED"
    SIGNED_OUT = "SIGNED_OUT"
    MOVED = "MOVED"
    REPLACED = "REPLACED"
    GONE = "GONE"


class Device(WorkspaceRow):
    """A browser or phone that shows what somebody is reminded of.

    `address` is the endpoint of a browser's subscription, or the token of a phone's app; `p256dh` and `auth` are that
    subscription's keys. One that has ended gets nothing more, and `end_reason` says why.
    """

    user_id: UUID
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField("models.User", related_name=False)
    session_id: UUID | None
    session: fields.ForeignKeyNullableRelation[Session] = fields.ForeignKeyField(
        "models.Session", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    platform = fields.CharEnumField(DevicePlatform, max_length=8)
    address = fields.TextField()
    p256dh: str | None = fields.TextField(null=True)
    auth: str | None = fields.TextField(null=True)
    name: str | None = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    ended_at: datetime | None = fields.DatetimeField(null=True)
    end_reason = fields.CharEnumField(DeviceEnd, max_length=16, null=True)

    class Meta:
        table = "device"


class PushKey(Row):
    """The key by which push services know this server, made once; `secret` is sealed under SECRET_KEY."""

    public = fields.TextField()
    secret = fields.TextField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "push_key"
