"""Activities in the schema: what was done with a customer, and how lists of it are filtered."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain.participants import MOST_PARTICIPANTS
from domain.policy import Action
from engine.pages import Order
from models.activities import Activity as ActivityRow
from models.activities import ActivityDirection, ActivityKind
from models.activities import ActivityParticipant as ActivityParticipantRow
from models.activities import ActivityType as ActivityTypeRow
from models.companies import Company as CompanyRow
from models.contacts import Contact as ContactRow
from models.leads import Lead as LeadRow
from models.users import User as UserRow
from schema.connections import Connection, connection, few
from schema.external_refs import ExternalRef, external_refs_of
from schema.fields import column, noun, relation
from schema.filters import (
    DateTimeFilter,
    EnumFilter,
    IDFilter,
    IntFilter,
    ListFilter,
    StringFilter,
    junction,
    on,
    through,
)
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can

if TYPE_CHECKING:
    from schema.catalog import ActivityType
    from schema.companies import Company
    from schema.contacts import Contact
    from schema.leads import Lead
    from schema.users import User

LATEST = (Order("occurred_at", descending=True),)


@noun(ActivityParticipantRow, description="Who took part in an activity: a user, a contact, or somebody else.")
class ActivityParticipant:
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "The user; null where it is none.", by="user_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "The contact; null where it is none, or may not be seen.", by="contact_id"
    )
    name: str | None = column("The name of somebody else.")
    email: str | None = column("The email address of somebody else.")


@noun(ActivityRow, description="Something done with a customer: a call, a mail, a meeting, a note and so on.")
class Activity(Node):
    viewer_can: ObjectPermissions = viewer_can(
        update=Action.UPDATE_ACTIVITY, delete=Action.UPDATE_ACTIVITY, needs=("user_id", "logged_by_id")
    )
    kind: ActivityKind = column("What kind of activity it is.")
    type: Annotated["ActivityType", strawberry.lazy("schema.catalog")] | None = relation(
        ActivityTypeRow, "Which of the workspace's own kinds, where it is CUSTOM.", by="type_id"
    )
    is_touch: bool = column("Whether it counts as a touch.")
    direction: ActivityDirection | None = column("Who turned to whom; null where that says nothing.")
    subject: str | None = column("What it was about, in a line.")
    text: str | None = column("What was said or written: plain text; of a note this or the subject.")
    outcome: str | None = column("What came of it.")
    duration_seconds: int | None = column("How long it took.")
    occurred_at: datetime = column("When it happened.")
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(UserRow, "Who did it.", by="user_id")
    logged_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who logged it.", by="logged_by_id"
    )
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead that it is about.", by="lead_id"
    )
    company: Annotated["Company", strawberry.lazy("schema.companies")] | None = relation(
        CompanyRow, "The company that it is about.", by="company_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "The contact that it is about.", by="contact_id"
    )
    participants: list[ActivityParticipant] = few(
        ActivityParticipantRow,
        by="activity_id",
        default=(Order("id"),),
        most=MOST_PARTICIPANTS,
        description="Who took part, in the order in which they were named.",
    )
    external_refs: list[ExternalRef] = external_refs_of("activity")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was logged.")
    updated_at: datetime = column("When a person last changed it.")


@strawberry.input(description="Which participants.")
class ActivityParticipantFilter:
    user: IDFilter | None = on("By user.", "user_id", noun="User")
    contact: IDFilter | None = on("By contact.", "contact_id", noun="Contact")
    name: StringFilter | None = on("By the name of somebody else.", "name")
    email: StringFilter | None = on("By the email address of somebody else.", "email")


@strawberry.input(description="Which activities.")
class ActivityFilter:
    id: IDFilter | None = on("By id.", "id", noun="Activity")
    kind: EnumFilter[ActivityKind] | None = on("By kind.", "kind")
    type: IDFilter | None = on("By the workspace's own kind.", "type_id", noun="ActivityType")
    direction: EnumFilter[ActivityDirection] | None = on("By who turned to whom.", "direction")
    outcome: StringFilter | None = on("By what came of it.", "outcome")
    duration_seconds: IntFilter | None = on("By how long it took.", "duration_seconds")
    occurred_at: DateTimeFilter | None = on("By when it happened.", "occurred_at")
    created_at: DateTimeFilter | None = on("By when it was logged.", "created_at")
    user: IDFilter | None = on("By who did it.", "user_id", noun="User")
    lead: IDFilter | None = on("By lead.", "lead_id", noun="Lead")
    company: IDFilter | None = on("By company.", "company_id", noun="Company")
    contact: IDFilter | None = on("By the contact that it is about.", "contact_id", noun="Contact")
    participants: ListFilter[ActivityParticipantFilter] | None = through("By who took part.", "participants")
    and_: "list[ActivityFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ActivityFilter] | None" = junction("or", "Any of these passes.")
    not_: "ActivityFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What activities can be ordered by.")
class ActivityOrderField(Enum):
    OCCURRED_AT = strawberry.enum_value("occurred_at", description="When it happened.")


@strawberry.input(description="An order of activities.")
class ActivityOrder:
    field: ActivityOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class ActivityQueries:
    activities: Connection[Activity] = connection(
        "Activity",
        "schema.activities",
        model=ActivityRow,
        default=LATEST,
        description="What was done with customers, the latest first.",
    )
