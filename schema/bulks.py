"""Work on many leads in the schema: how far a worker is with it, and which leads it could not be done with."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from engine.conditions import Compare, Op
from engine.pages import Order
from models import bulks as tables
from models.bulks import BulkKind, BulkStatus
from models.leads import Lead as LeadRow
from models.users import User as UserRow
from schema import ids
from schema.connections import Connection, connection
from schema.errors import UserError, user_errors
from schema.fields import by_id, column, computed, noun, relation
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction

if TYPE_CHECKING:
    from schema.leads import Lead
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)


@noun(tables.BulkRow, description="One of the leads of work on many, and why it could not be done with it.")
class BulkRow(Node):
    number: int = column("Its place among all leads of the work, from 1.")
    lead_id: strawberry.ID = computed(ids.encoder("Lead"), "The lead's id.", needs=("lead_id",))
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(
        LeadRow, "The lead; null where it is deleted or may not be seen.", by="lead_id"
    )
    errors: list[UserError] = computed(
        user_errors,
        "Why it could not be done, as the mutation for one lead would say; empty where it could, or was not tried yet.",
        needs=("errors",),
    )


@noun(tables.Bulk, description="Work on more leads than fit into one request, done by a worker.")
class Bulk(Node):
    kind: BulkKind = column("What is done with each lead.")
    status: BulkStatus = column("How it stands.")
    total: int = column("How many leads it is about; which ones is fixed from the start.")
    done: int = column("With how many it was done or tried.")
    failed: int = column("With how many of these it could not be done.")
    errors: list[UserError] = computed(
        user_errors, "Why it could not go on at all; empty where it could.", needs=("errors",)
    )
    created_at: datetime = column("When it was asked for.")
    started_at: datetime | None = column("When the first lead was taken.")
    completed_at: datetime | None = column("When it ended.")
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who asked for it.", by="user_id"
    )
    faults: Connection[BulkRow] = connection(
        "BulkRow",
        "schema.bulks",
        model=tables.BulkRow,
        by="bulk_id",
        default=(Order("number"),),
        plain=True,
        where=Compare("errors", Op.IS_NULL, False),
        description="The leads with which it could not be done, each with why.",
    )


@strawberry.input(description="Which work on many leads.")
class BulkFilter:
    id: IDFilter | None = on("By id.", "id", noun="Bulk")
    kind: EnumFilter[BulkKind] | None = on("By what is done.", "kind")
    status: EnumFilter[BulkStatus] | None = on("By how it stands.", "status")
    user: IDFilter | None = on("By who asked for it.", "user_id", noun="User")
    created_at: DateTimeFilter | None = on("By when it was asked for.", "created_at")
    and_: "list[BulkFilter] | None" = junction("and", "All of these pass.")
    or_: "list[BulkFilter] | None" = junction("or", "Any of these passes.")
    not_: "BulkFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What work on many leads can be ordered by.")
class BulkOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was asked for.")


@strawberry.input(description="An order of work on many leads.")
class BulkOrder:
    field: BulkOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class BulkQueries:
    bulks: Connection[Bulk] = connection(
        "Bulk",
        "schema.bulks",
        model=tables.Bulk,
        default=NEWEST,
        description="Work on many leads: the viewer's own, and that of others whose leads the viewer sees.",
    )

    bulk: Bulk | None = by_id(tables.Bulk, "Bulk", "Work on many leads.")
