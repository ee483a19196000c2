"""Hand-overs in the schema."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from engine.pages import Order
from models.hand_overs import HandOver as HandOverRow
from models.hand_overs import HandOverStatus
from models.leads import Lead as LeadRow
from models.users import User as UserRow
from schema.connections import Connection, connection
from schema.enums import described
from schema.fields import by_id, column, computed, noun, relation
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction

if TYPE_CHECKING:
    from schema.leads import Lead
    from schema.users import User

LONGEST = 2**31 - 1

described(
    HandOverStatus,
    "How a hand-over stands.",
    PENDING="The receiver has not answered yet.",
    ACCEPTED="The receiver took the lead.",
    RETURNED="The lead went back, for a reason.",
    OBSOLETE="The lead was closed, deleted or given to somebody else meanwhile.",
)


def seconds(created_at: datetime, decided_at: datetime | None) -> int | None:
    """Return how long a hand-over took."""
    return None if decided_at is None else min(max(0, int((decided_at - created_at).total_seconds())), LONGEST)


@noun(HandOverRow, description="A lead on its way from those who qualify it to who sells it.")
class HandOver(Node):
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(LeadRow, "The lead.", by="lead_id")
    status: HandOverStatus = column("How it stands.")
    from_user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who handed it over.", by="from_user_id"
    )
    to_user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who received it, and owns it from then on.", by="to_user_id"
    )
    former_owner: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who owned it before, and owns it again where it is returned.", by="former_owner_id"
    )
    note: str | None = column("What was written when it was handed over.")
    reason: str | None = column("Why it was returned.")
    decided_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who accepted or returned it: the receiver, or a manager.", by="decided_by_id"
    )
    created_at: datetime = column("When it was handed over.")
    decided_at: datetime | None = column("When it was accepted or returned, or needed no answer any more.")
    seconds: int | None = computed(
        seconds, "How many seconds lie between; null while nobody has answered.", needs=("created_at", "decided_at")
    )


@strawberry.input(description="Which hand-overs. What waits for somebody is PENDING and to them.")
class HandOverFilter:
    id: IDFilter | None = on("By id.", "id", noun="HandOver")
    status: EnumFilter[HandOverStatus] | None = on("By how it stands.", "status")
    lead: IDFilter | None = on("By lead.", "lead_id", noun="Lead")
    from_user: IDFilter | None = on("By who handed it over.", "from_user_id", noun="User")
    to_user: IDFilter | None = on("By who received it.", "to_user_id", noun="User")
    created_at: DateTimeFilter | None = on("By when it was handed over.", "created_at")
    decided_at: DateTimeFilter | None = on("By when it was answered.", "decided_at")
    and_: "list[HandOverFilter] | None" = junction("and", "All of these pass.")
    or_: "list[HandOverFilter] | None" = junction("or", "Any of these passes.")
    not_: "HandOverFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What hand-overs can be ordered by.")
class HandOverOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was handed over.")


@strawberry.input(description="An order of hand-overs.")
class HandOverOrder:
    field: HandOverOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class HandOverQueries:
    hand_overs: Connection[HandOver] = connection(
        "HandOver",
        "schema.hand_overs",
        model=HandOverRow,
        default=(Order("created_at", descending=True),),
        description="Hand-overs of leads that the viewer may see, the newest first.",
    )
    hand_over: HandOver | None = by_id(HandOverRow, "HandOver", "A hand-over.")
