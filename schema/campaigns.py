"""Campaigns in the schema: what they are, whom they reached, and the leads that came of them."""

from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.policy import Action
from engine.conditions import EVERYTHING, Exists
from engine.pages import Order
from models.campaigns import Campaign as CampaignRow
from models.campaigns import CampaignKind, CampaignMemberStatus
from models.campaigns import CampaignMember as CampaignMemberRow
from models.contacts import Contact as ContactRow
from models.leads import Lead as LeadRow
from schema.connections import Connection, connection
from schema.fields import by_id, column, group, noun, relation
from schema.filters import DateFilter, DateTimeFilter, DecimalFilter, EnumFilter, IDFilter, StringFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.scalars import Money

if TYPE_CHECKING:
    from schema.contacts import Contact
    from schema.leads import Lead

BY_NAME = (Order("name"),)
NEWEST = (Order("created_at", descending=True),)


@noun(CampaignMemberRow, description="A person whom a campaign was meant for.")
class CampaignMember(Node):
    campaign: Annotated["Campaign", strawberry.lazy("schema.campaigns")] | None = relation(
        CampaignRow, "The campaign.", by="campaign_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "The person.", by="contact_id"
    )
    status: CampaignMemberStatus = column("How they took part.")
    responded_at: datetime | None = column("When they were first known to have answered.")
    created_at: datetime = column("When they were put into it.")


@noun(CampaignRow, description="What is done to win customers in a time, at a cost.")
class Campaign(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_CAMPAIGNS, delete=Action.MANAGE_CAMPAIGNS)
    name: str = column("What it is called.")
    kind: CampaignKind = column("What kind of campaign it is.")
    description: str | None = column("More about it.")
    starts_on: date | None = column("Its first day.")
    ends_on: date | None = column("Its last day; null where it goes on, or nobody knows.")
    cost: Money | None = group(
        Money, "What it costs in all; null where nobody knows.", amount="cost", currency_code="cost_currency"
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was added.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")
    leads: Connection[Annotated["Lead", strawberry.lazy("schema.leads")]] = connection(
        "Lead",
        "schema.leads",
        model=LeadRow,
        by="campaign_id",
        default=NEWEST,
        description="The leads that it brought, of those that the viewer may see; leadSummary counts and sums them.",
    )
    members: Connection[CampaignMember] = connection(
        "CampaignMember",
        "schema.campaigns",
        model=CampaignMemberRow,
        by="campaign_id",
        default=NEWEST,
        where=Exists("contact", EVERYTHING),
        description="The people whom it was meant for, the last added first.",
    )


@strawberry.input(description="Which members of campaigns.")
class CampaignMemberFilter:
    contact: IDFilter | None = on("By person.", "contact_id", noun="Contact")
    campaign: IDFilter | None = on("By campaign.", "campaign_id", noun="Campaign")
    status: EnumFilter[CampaignMemberStatus] | None = on("By how they took part.", "status")
    responded_at: DateTimeFilter | None = on("By when they were first known to have answered.", "responded_at")
    created_at: DateTimeFilter | None = on("By when they were put into it.", "created_at")
    and_: "list[CampaignMemberFilter] | None" = junction("and", "All of these pass.")
    or_: "list[CampaignMemberFilter] | None" = junction("or", "Any of these passes.")
    not_: "CampaignMemberFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What members of campaigns can be ordered by.")
class CampaignMemberOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When they were put into it.")
    RESPONDED_AT = strawberry.enum_value("responded_at", description="When they were first known to have answered.")


@strawberry.input(description="An order of members of campaigns.")
class CampaignMemberOrder:
    field: CampaignMemberOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.input(description="Which campaigns.")
class CampaignFilter:
    id: IDFilter | None = on("By id.", "id", noun="Campaign")
    name: StringFilter | None = on("By name.", "name")
    kind: EnumFilter[CampaignKind] | None = on("By kind.", "kind")
    starts_on: DateFilter | None = on("By its first day.", "starts_on")
    ends_on: DateFilter | None = on("By its last day.", "ends_on")
    cost: DecimalFilter | None = on("By the amount of the cost, whatever its currency.", "cost")
    archived_at: DateTimeFilter | None = on("By when it was archived.", "archived_at")
    and_: "list[CampaignFilter] | None" = junction("and", "All of these pass.")
    or_: "list[CampaignFilter] | None" = junction("or", "Any of these passes.")
    not_: "CampaignFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What campaigns can be ordered by.")
class CampaignOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Its name.")
    STARTS_ON = strawberry.enum_value("starts_on", description="Its first day.")
    CREATED_AT = strawberry.enum_value("created_at", description="When it was added.")


@strawberry.input(description="An order of campaigns.")
class CampaignOrder:
    field: CampaignOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class CampaignQueries:
    campaigns: Connection[Campaign] = connection(
        "Campaign",
        "schema.campaigns",
        model=CampaignRow,
        default=BY_NAME,
        description="The campaigns by name, archived ones included.",
    )
    campaign: Campaign | None = by_id(CampaignRow, "Campaign", "A campaign; null where there is none.")
