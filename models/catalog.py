"""The short lists of a workspace: where leads come from, why they are lost, how they are tagged."""

from datetime import datetime
from enum import StrEnum

from tortoise import fields

from models.base import EditableRow


class SourceKind(StrEnum):
    WEB_FORM = "WEB_FORM"
    TRADE_SHOW = "TRADE_SHOW"
    REFERRAL = "REFERRAL"
    SOCIAL = "SOCIAL"
    CHANNEL_PARTNER = "CHANNEL_PARTNER"
    CAMPAIGN = "CAMPAIGN"
    COLD_OUTREACH = "COLD_OUTREACH"
    IMPORT = "IMPORT"
    OTHER = "OTHER"


class Source(EditableRow):
    name = fields.TextField()
    kind = fields.CharEnumField(SourceKind, max_length=20, default=SourceKind.OTHER)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "source"


class LostReason(EditableRow):
    name = fields.TextField()
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "lost_reason"


class Tag(EditableRow):
    name = fields.TextField()
    color: str | None = fields.TextField(null=True)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "tag"
