"""What is done to win customers, and whom it reached: campaigns and their members."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, WorkspaceRow
from models.contacts import Contact


class CampaignKind(StrEnum):
    EMAIL = "EMAIL"
    EVENT = "EVENT"
    TRADE_SHOW = "TRADE_SHOW"
    WEBINAR = "WEBINAR"
    ADVERTISING = "ADVERTISING"
    SEARCH = "SEARCH"
    SOCIAL = "SOCIAL"
    CONTENT = "CONTENT"
    DIRECT_MAIL = "DIRECT_MAIL"
    TELEMARKETING = "TELEMARKETING"
    REFERRAL = "REFERRAL"
    PARTNER = "PARTNER"
    OTHER = "OTHER"


class CampaignMemberStatus(StrEnum):
    INVITED = "INVITED"
    RESPONDED = "RESPONDED"


class Campaign(EditableRow):
    name = fields.TextField()
    kind = fields.CharEnumField(CampaignKind, max_length=16, default=CampaignKind.OTHER)
    description: str | None = fields.TextField(null=True)
    starts_on: date | None = fields.DateField(null=True)
    ends_on: date | None = fields.DateField(null=True)
    cost: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    cost_currency = fields.CharField(max_length=3, null=True)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "campaign"


class CampaignMember(WorkspaceRow):
    """A person whom a campaign was meant for, and when they first answered it."""

    campaign_id: UUID
    campaign: fields.ForeignKeyRelation[Campaign] = fields.ForeignKeyField("models.Campaign", related_name="members")
    contact_id: UUID
    contact: fields.ForeignKeyRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name="campaign_members"
    )
    status = fields.CharEnumField(CampaignMemberStatus, max_length=16, default=CampaignMemberStatus.INVITED)
    responded_at: datetime | None = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "campaign_member"
        unique_together = (("campaign_id", "contact_id"),)
