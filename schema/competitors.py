"""Competitors in the schema: who they are, and where they are in play."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.policy import Action
from engine.pages import Order
from models.competitors import Competitor as CompetitorRow
from models.competitors import Threat
from models.leads import Lead as LeadRow
from models.leads import LeadCompetitor as LeadCompetitorRow
from schema.connections import Connection, connection
from schema.fields import by_id, column, noun, relation
from schema.filters import DateTimeFilter, IDFilter, StringFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.scalars import URL

if TYPE_CHECKING:
    from schema.leads import Lead

BY_NAME = (Order("name"),)
NEWEST = (Order("created_at", descending=True),)


@noun(CompetitorRow, description="Who else sells to the same customers.")
class Competitor(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_COMPETITORS, delete=Action.MANAGE_COMPETITORS)
    name: str = column("What they are called.")
    website: URL | None = column("Their web address.")
    description: str | None = column("More about them.")
    strengths: str | None = column("What they are good at everywhere.")
    weaknesses: str | None = column("What they are bad at everywhere.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When they were added.")
    archived_at: datetime | None = column("When they were archived; null while they are in use.")
    leads: Connection[Annotated["Lead", strawberry.lazy("schema.leads")]] = connection(
        "Lead",
        "schema.leads",
        model=LeadRow,
        through=("lead_competitor", "competitor_id", "lead_id"),
        default=NEWEST,
        description="The leads on which they are in play; filtered by status, those that were won against them.",
    )
    won_leads: Connection[Annotated["Lead", strawberry.lazy("schema.leads")]] = connection(
        "Lead",
        "schema.leads",
        model=LeadRow,
        by="lost_to_id",
        default=NEWEST,
        description="The leads that were lost to them.",
    )


@noun(LeadCompetitorRow, description="A competitor in play on a lead.")
class LeadCompetitor(Node):
    competitor: Competitor | None = relation(CompetitorRow, "The competitor.", by="competitor_id")
    threat: Threat = column("How dangerous they are here.")
    strengths: str | None = column("What they are good at here.")
    weaknesses: str | None = column("What they are bad at here.")
    notes: str | None = column("What else there is to say.")
    created_at: datetime = column("When they were named.")


@strawberry.input(description="Which competitors.")
class CompetitorFilter:
    id: IDFilter | None = on("By id.", "id", noun="Competitor")
    name: StringFilter | None = on("By name.", "name")
    archived_at: DateTimeFilter | None = on("By when they were archived.", "archived_at")
    and_: "list[CompetitorFilter] | None" = junction("and", "All of these pass.")
    or_: "list[CompetitorFilter] | None" = junction("or", "Any of these passes.")
    not_: "CompetitorFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What competitors can be ordered by.")
class CompetitorOrderField(Enum):
    NAME = strawberry.enum_value("name", description="Their name.")
    CREATED_AT = strawberry.enum_value("created_at", description="When they were added.")


@strawberry.input(description="An order of competitors.")
class CompetitorOrder:
    field: CompetitorOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class CompetitorQueries:
    competitors: Connection[Competitor] = connection(
        "Competitor",
        "schema.competitors",
        model=CompetitorRow,
        default=BY_NAME,
        description="The competitors by name, archived ones included.",
    )
    competitor: Competitor | None = by_id(CompetitorRow, "Competitor", "A competitor; null where there is none.")
