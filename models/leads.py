"""The one record that walks the pipeline, from first interest to after the sale."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, WorkspaceRow
from models.campaigns import Campaign
from models.catalog import LostReason, Source, Tag
from models.companies import Company
from models.competitors import Competitor, Threat
from models.contacts import Contact
from models.pipelines import Pipeline
from models.products import Product
from models.stages import Stage
from models.users import User


class LeadStatus(StrEnum):
    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"
    DISQUALIFIED = "DISQUALIFIED"


class Lifecycle(StrEnum):
    RAW = "RAW"
    MQL = "MQL"
    SQL = "SQL"


class Grade(StrEnum):
    A = "A"
    B = "B"
    C = "C"
    D = "D"


class ContactRole(StrEnum):
    DECISION_MAKER = "DECISION_MAKER"
    INFLUENCER = "INFLUENCER"
    CHAMPION = "CHAMPION"
    USER = "USER"
    PAYER = "PAYER"
    BLOCKER = "BLOCKER"
    OTHER = "OTHER"


class Lead(EditableRow):
    """`rank` orders the leads of a stage (bytewise); `closing_rate` is value's rate to the base at closing."""

    title = fields.TextField()
    description: str | None = fields.TextField(null=True)
    pipeline_id: UUID
    pipeline: fields.ForeignKeyRelation[Pipeline] = fields.ForeignKeyField(
        "models.Pipeline", related_name="leads", on_delete=fields.RESTRICT
    )
    stage_id: UUID
    stage: fields.ForeignKeyRelation[Stage] = fields.ForeignKeyField(
        "models.Stage", related_name="leads", on_delete=fields.RESTRICT
    )
    rank = fields.TextField()
    status = fields.CharEnumField(LeadStatus, max_length=16, default=LeadStatus.OPEN)
    lifecycle = fields.CharEnumField(Lifecycle, max_length=8, default=Lifecycle.RAW)
    lifecycle_chosen_at: datetime | None = fields.DatetimeField(null=True)
    value: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = fields.CharField(max_length=3)
    closing_rate: Decimal | None = fields.DecimalField(max_digits=24, decimal_places=12, null=True)
    probability: Decimal = fields.DecimalField(max_digits=5, decimal_places=4, default=Decimal(0))
    score: int | None = fields.SmallIntField(null=True)
    grade = fields.CharEnumField(Grade, max_length=1, null=True)
    score_factors: list[dict[str, Any]] = fields.JSONField(default=list)
    # How engaged it is, 1 (most) to 4, beside the grade of how well it fits.
    engagement: int | None = fields.SmallIntField(null=True)
    win_probability: Decimal | None = fields.DecimalField(max_digits=5, decimal_places=4, null=True)
    scored_at: datetime | None = fields.DatetimeField(null=True)
    owner_id: UUID | None
    owner: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    company_id: UUID | None
    company: fields.ForeignKeyNullableRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name="leads", null=True, on_delete=fields.SET_NULL
    )
    product_id: UUID | None
    product: fields.ForeignKeyNullableRelation[Product] = fields.ForeignKeyField(
        "models.Product", related_name="leads", null=True, on_delete=fields.SET_NULL
    )
    source_id: UUID | None
    source: fields.ForeignKeyNullableRelation[Source] = fields.ForeignKeyField(
        "models.Source", related_name="leads", null=True, on_delete=fields.SET_NULL
    )
    campaign_id: UUID | None
    campaign: fields.ForeignKeyNullableRelation[Campaign] = fields.ForeignKeyField(
        "models.Campaign", related_name="leads", null=True, on_delete=fields.SET_NULL
    )
    lost_reason_id: UUID | None
    lost_reason: fields.ForeignKeyNullableRelation[LostReason] = fields.ForeignKeyField(
        "models.LostReason", related_name="leads", null=True, on_delete=fields.SET_NULL
    )
    lost_to_id: UUID | None
    lost_to: fields.ForeignKeyNullableRelation[Competitor] = fields.ForeignKeyField(
        "models.Competitor", related_name="lost_leads", null=True, on_delete=fields.SET_NULL
    )
    close_note: str | None = fields.TextField(null=True)
    referrer_id: UUID | None
    referrer: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name="referred_leads", null=True, on_delete=fields.SET_NULL
    )
    expected_close_date: date | None = fields.DateField(null=True)
    term_ends_on: date | None = fields.DateField(null=True)
    next_follow_up_at: datetime | None = fields.DatetimeField(null=True)
    engaged_at: datetime | None = fields.DatetimeField(null=True)
    stage_entered_at = fields.DatetimeField()
    first_activity_at: datetime | None = fields.DatetimeField(null=True)
    last_activity_at: datetime | None = fields.DatetimeField(null=True)
    first_response_seconds: int | None = fields.BigIntField(null=True)
    touches = fields.IntField(default=0, db_default=0)
    closed_at: datetime | None = fields.DatetimeField(null=True)
    custom: dict[str, Any] = fields.JSONField(default=dict)
    deleted_at: datetime | None = fields.DatetimeField(null=True)
    # Where an operation has just taken it from; no column.
    came_from: UUID | None = None
    # What edits of a lead look at besides, read in the same statement where nobody can have changed it since.
    BESIDE: ClassVar = {
        "tag_ids": "ARRAY(SELECT tag_id FROM lead_tag WHERE lead_id = lead.id)",
        "hand_over_ids": "ARRAY(SELECT id FROM hand_over WHERE lead_id = lead.id AND status = 'PENDING')",
    }

    class Meta:
        table = "lead"


class LeadContact(WorkspaceRow):
    """A person in a role on a lead; one of a lead's is primary."""

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="lead_contacts")
    contact_id: UUID
    contact: fields.ForeignKeyRelation[Contact] = fields.ForeignKeyField("models.Contact", related_name="lead_contacts")
    role = fields.CharEnumField(ContactRole, max_length=20, default=ContactRole.OTHER)
    is_primary = fields.BooleanField(default=False)
    created_at = fields.DatetimeField()

    class Meta:
        table = "lead_contact"
        unique_together = (("lead_id", "contact_id"),)


class LeadTag(WorkspaceRow):
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="lead_tags")
    tag_id: UUID
    tag: fields.ForeignKeyRelation[Tag] = fields.ForeignKeyField("models.Tag", related_name="lead_tags")

    class Meta:
        table = "lead_tag"
        unique_together = (("lead_id", "tag_id"),)


class LeadCompetitor(WorkspaceRow):
    """A competitor in play on a lead: what they are good and bad at there."""

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="lead_competitors")
    competitor_id: UUID
    competitor: fields.ForeignKeyRelation[Competitor] = fields.ForeignKeyField(
        "models.Competitor", related_name="lead_competitors"
    )
    threat = fields.CharEnumField(Threat, max_length=8, default=Threat.MEDIUM)
    strengths: str | None = fields.TextField(null=True)
    weaknesses: str | None = fields.TextField(null=True)
    notes: str | None = fields.TextField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "lead_competitor"
        unique_together = (("lead_id", "competitor_id"),)
