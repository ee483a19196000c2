"""Negotiations: rounds of offers by seller and buyer on a proposal that was sent, until they agree or break off."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, WorkspaceRow
from models.leads import Lead
from models.proposal_links import Party, ProposalLink
from models.proposals import Proposal, ProposalVersion
from models.users import User


class NegotiationState(StrEnum):
    OPEN = "OPEN"
    AGREED = "AGREED"
    BROKEN_OFF = "BROKEN_OFF"


class NegotiationEnding(StrEnum):
    """What a negotiation ended by: either side, or what became of its proposal."""

    AGREED = "AGREED"
    BROKEN_OFF = "BROKEN_OFF"
    PROPOSAL_SENT_ANEW = "PROPOSAL_SENT_ANEW"
    PROPOSAL_WITHDRAWN = "PROPOSAL_WITHDRAWN"
    PROPOSAL_ACCEPTED = "PROPOSAL_ACCEPTED"
    PROPOSAL_DECLINED = "PROPOSAL_DECLINED"
    PROPOSAL_EXPIRED = "PROPOSAL_EXPIRED"


class Negotiation(EditableRow):
    """Whose `turn` it is, and until when; `due_at` is when a sweep has to look at it.

    Only the seller sees the preparation and the guard rails: `target`, `must_haves` (texts), `concessions` (key, text
    and value of what could be given), `floor_price` (net), `floor_margin` and `most_discount` (percent) and
    `walk_away` (net). Amounts are in the proposal's currency. `proposal_version` is what it began with, which is
    round 0, and `agreed_version` what came of it.
    """

    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name="negotiations")
    proposal_id: UUID
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField(
        "models.Proposal", related_name="negotiations"
    )
    proposal_version_id: UUID
    proposal_version: fields.ForeignKeyRelation[ProposalVersion] = fields.ForeignKeyField(
        "models.ProposalVersion", related_name=False
    )
    agreed_version_id: UUID | None
    agreed_version: fields.ForeignKeyNullableRelation[ProposalVersion] = fields.ForeignKeyField(
        "models.ProposalVersion", related_name=False, null=True
    )
    state = fields.CharEnumField(NegotiationState, max_length=10, default=NegotiationState.OPEN)
    currency = fields.CharField(max_length=3)
    turn = fields.CharEnumField(Party, max_length=6)
    rounds = fields.IntField(default=0)
    respond_by: datetime | None = fields.DatetimeField(null=True)
    due_at: datetime | None = fields.DatetimeField(null=True)
    target: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    must_haves: list[str] = fields.JSONField(default=list)
    concessions: list[dict[str, Any]] = fields.JSONField(default=list)
    floor_price: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    floor_margin: Decimal | None = fields.DecimalField(max_digits=6, decimal_places=3, null=True)
    most_discount: Decimal | None = fields.DecimalField(max_digits=6, decimal_places=3, null=True)
    walk_away: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    reason: str | None = fields.TextField(null=True)
    ending = fields.CharEnumField(NegotiationEnding, max_length=20, null=True)
    ended_by = fields.CharEnumField(Party, max_length=6, null=True)
    ended_at: datetime | None = fields.DatetimeField(null=True)
    opened_by_id: UUID | None
    opened_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )

    class Meta:
        table = "negotiation"


class OfferState(StrEnum):
    HELD = "HELD"
    REFUSED = "REFUSED"
    OPEN = "OPEN"
    REVISED = "REVISED"
    COUNTERED = "COUNTERED"
    AGREED = "AGREED"
    LAPSED = "LAPSED"


class Offer(WorkspaceRow):
    """One side's terms in a round: prices, discounts and quantities by line, delivery, payment and free terms.

    HELD offers go beyond the guard rails and wait for approval: they have no round yet, and nobody but the seller sees
    them. `beyond` is what lies beyond which guard rail, and `decided_by` who let that pass, or refused it, with what
    `decision`. `name` is who spoke, with the `address` and program of a customer; `sha256` is of the terms.
    """

    negotiation_id: UUID
    negotiation: fields.ForeignKeyRelation[Negotiation] = fields.ForeignKeyField(
        "models.Negotiation", related_name="offers"
    )
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    round: int | None = fields.IntField(null=True)
    party = fields.CharEnumField(Party, max_length=6)
    state = fields.CharEnumField(OfferState, max_length=9)
    terms: dict[str, Any] = fields.JSONField()
    currency = fields.CharField(max_length=3)
    net: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    tax: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    total: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    cost: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    sha256 = fields.TextField()
    note: str | None = fields.TextField(null=True)
    name = fields.TextField()
    address: str | None = fields.TextField(null=True)
    user_agent: str | None = fields.TextField(null=True)
    beyond: list[dict[str, Any]] = fields.JSONField(default=list)
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    link_id: UUID | None
    link: fields.ForeignKeyNullableRelation[ProposalLink] = fields.ForeignKeyField(
        "models.ProposalLink", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    decided_by_id: UUID | None
    decided_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_at = fields.DatetimeField()
    respond_by: datetime | None = fields.DatetimeField(null=True)
    decision: str | None = fields.TextField(null=True)
    decided_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "offer"


class NegotiationComment(WorkspaceRow):
    """What one side says to the other between offers."""

    negotiation_id: UUID
    negotiation: fields.ForeignKeyRelation[Negotiation] = fields.ForeignKeyField(
        "models.Negotiation", related_name="comments"
    )
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    party = fields.CharEnumField(Party, max_length=6)
    name = fields.TextField()
    text = fields.TextField()
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    link_id: UUID | None
    link: fields.ForeignKeyNullableRelation[ProposalLink] = fields.ForeignKeyField(
        "models.ProposalLink", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_at = fields.DatetimeField()

    class Meta:
        table = "negotiation_comment"
