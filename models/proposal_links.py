"""How customers reach a proposal, what they saw and asked, and what they answered, as evidence."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise import fields

from models.base import WorkspaceRow
from models.contacts import Contact
from models.leads import Lead
from models.proposals import Proposal, ProposalVersion
from models.users import User


class ProposalLink(WorkspaceRow):
    """A customer's link to a proposal, made of its id; one that is revoked or past `expires_at` opens nothing."""

    proposal_id: UUID
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField("models.Proposal", related_name="links")
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_by_id: UUID | None
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_at = fields.DatetimeField()
    expires_at: datetime | None = fields.DatetimeField(null=True)
    revoked_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "proposal_link"


class ProposalView(WorkspaceRow):
    """One time that a customer opened a version."""

    proposal_id: UUID
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField("models.Proposal", related_name="views")
    version_id: UUID
    version: fields.ForeignKeyRelation[ProposalVersion] = fields.ForeignKeyField(
        "models.ProposalVersion", related_name=False
    )
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    link_id: UUID | None
    link: fields.ForeignKeyNullableRelation[ProposalLink] = fields.ForeignKeyField(
        "models.ProposalLink", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    viewed_at = fields.DatetimeField()
    address = fields.TextField()
    user_agent: str | None = fields.TextField(null=True)

    class Meta:
        table = "proposal_view"


class ProposalQuestion(WorkspaceRow):
    """What a customer asks about a proposal, and what is answered."""

    proposal_id: UUID
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField("models.Proposal", related_name="questions")
    version_id: UUID
    version: fields.ForeignKeyRelation[ProposalVersion] = fields.ForeignKeyField(
        "models.ProposalVersion", related_name=False
    )
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    link_id: UUID | None
    link: fields.ForeignKeyNullableRelation[ProposalLink] = fields.ForeignKeyField(
        "models.ProposalLink", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    name = fields.TextField()
    text = fields.TextField()
    asked_at = fields.DatetimeField()
    answer: str | None = fields.TextField(null=True)
    answered_by_id: UUID | None
    answered_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    answered_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "proposal_question"


class Party(StrEnum):
    SELLER = "SELLER"
    BUYER = "BUYER"


class EvidenceKind(StrEnum):
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    AGREED = "AGREED"
    SIGNED = "SIGNED"


class Evidence(WorkspaceRow):
    """Who said what to which version, by name, time, address and hash: it is written once and never changed.

    `sha256` is that of the version that they saw. `facts` has what was said beside it: `options`, the keys of the
    optional lines that they chose, with the `net` and `tax` that the total comes of; a `reason`. `user` is the member
    who recorded it for them.
    """

    kind = fields.CharEnumField(EvidenceKind, max_length=8)
    party = fields.CharEnumField(Party, max_length=6)
    proposal_id: UUID
    proposal: fields.ForeignKeyRelation[Proposal] = fields.ForeignKeyField("models.Proposal", related_name="evidence")
    version_id: UUID
    version: fields.ForeignKeyRelation[ProposalVersion] = fields.ForeignKeyField(
        "models.ProposalVersion", related_name="evidence"
    )
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    link_id: UUID | None
    link: fields.ForeignKeyNullableRelation[ProposalLink] = fields.ForeignKeyField(
        "models.ProposalLink", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    name = fields.TextField()
    address: str | None = fields.TextField(null=True)
    user_agent: str | None = fields.TextField(null=True)
    sha256 = fields.TextField()
    total: Decimal = fields.DecimalField(max_digits=19, decimal_places=4)
    facts: dict[str, Any] = fields.JSONField(default=dict)
    created_at = fields.DatetimeField()

    class Meta:
        table = "evidence"
