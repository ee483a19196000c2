"""Deliveries in the schema: what left the house, to whom, and why it did not arrive."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import deliveries
from engine.pages import Order
from models.contacts import Contact as ContactRow
from models.deliveries import Channel, DeliveryStatus
from models.deliveries import Delivery as DeliveryRow
from models.users import User as UserRow
from schema import ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.enums import described
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import by_id, column, noun, relation, shown
from schema.filters import BooleanFilter, DateTimeFilter, EnumFilter, IDFilter, StringFilter, junction, on
from schema.inputs import about
from schema.nodes import Node
from schema.orders import Direction, direction

if TYPE_CHECKING:
    from schema.contacts import Contact
    from schema.users import User

described(
    Channel,
    "By which way a message goes.",
    IN_APP="It stands among somebody's notifications.",
    MAIL="By mail.",
    PUSH="To a phone or browser.",
)
described(
    DeliveryStatus,
    "What became of a message.",
    PENDING="It is not sent yet; where it was tried already, the reason says why that failed.",
    SENT="The next one on its way has taken it: a mail server, a push service, or the inbox in the app.",
    FAILED="It was not taken, and is not tried again; the reason says why.",
    SKIPPED="It was not to be sent; the reason says why.",
)


@noun(DeliveryRow, description="One message to one person by one channel, and what became of it.")
class Delivery(Node):
    channel: Channel = column("By which way.")
    kind: str = column("What kind of message: invitation, password_reset, and so on.")
    status: DeliveryStatus = column("What became of it.")
    reason: str | None = column("Why it failed, was skipped, or waits.")
    address: str | None = column("The address it goes to, if it goes to one.")
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "The member whom it is for.", by="user_id"
    )
    contact: Annotated["Contact", strawberry.lazy("schema.contacts")] | None = relation(
        ContactRow, "The contact whom it is for.", by="contact_id"
    )
    due_at: datetime = column("When it was or is to be sent; the next time, where it is tried again.")
    attempts: int = column("How often it was tried.")
    at_risk: bool = column(
        "Whether it may have arrived twice: a worker or connection broke off after it was handed over and before that "
        "was known. Mail programs show it once, since its Message-ID is the same."
    )
    created_at: datetime = column("When it was asked for.")
    ended_at: datetime | None = column("When it was sent, failed or was skipped; null until then.")


@strawberry.input(description="Which deliveries.")
class DeliveryFilter:
    id: IDFilter | None = on("By id.", "id", noun="Delivery")
    status: EnumFilter[DeliveryStatus] | None = on("By what became of them.", "status")
    channel: EnumFilter[Channel] | None = on("By their way.", "channel")
    kind: StringFilter | None = on("By kind.", "kind")
    reason: StringFilter | None = on("By why they failed, were skipped, or wait.", "reason")
    address: StringFilter | None = on("By address.", "address")
    at_risk: BooleanFilter | None = on("By whether they may have arrived twice.", "at_risk")
    user: IDFilter | None = on("By the member whom they are for.", "user_id", noun="User")
    contact: IDFilter | None = on("By the contact whom they are for.", "contact_id", noun="Contact")
    due_at: DateTimeFilter | None = on("By when they are due.", "due_at")
    created_at: DateTimeFilter | None = on("By when they were asked for.", "created_at")
    ended_at: DateTimeFilter | None = on("By when they ended.", "ended_at")
    and_: "list[DeliveryFilter] | None" = junction("and", "All of these pass.")
    or_: "list[DeliveryFilter] | None" = junction("or", "Any of these passes.")
    not_: "DeliveryFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What deliveries can be ordered by.")
class DeliveryOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When they were asked for.")


@strawberry.input(description="An order of deliveries.")
class DeliveryOrder:
    field: DeliveryOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class DeliveryQueries:
    deliveries: Connection[Delivery] = connection(
        "Delivery",
        "schema.deliveries",
        model=DeliveryRow,
        default=(Order("created_at", descending=True),),
        description="What left the house in the last 400 days or is to leave it, the newest first: of the whole "
        "workspace for admins and managers, of others what is for themselves.",
    )
    delivery: Delivery | None = by_id(DeliveryRow, "Delivery", "A delivery; null where there is none.")


@strawberry.input(description="A delivery that failed.")
class RetryDeliveryInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The delivery.")


@strawberry.type(description="A delivery after a mutation.")
class DeliveryPayload(Payload):
    delivery: Delivery | None = strawberry.field(default=None, description="The delivery; null on errors.")


@strawberry.type
class DeliveryMutations:
    @strawberry.mutation(description="Have a delivery that failed tried again, as often as a new one.")
    @reports_user_errors
    async def retry_delivery(
        self, info: Info, input: Annotated[RetryDeliveryInput, about("Which.")]
    ) -> DeliveryPayload:
        row = await deliveries.retry(info.context.actor, ids.decode(input.id, "Delivery"), now=info.context.now)
        return DeliveryPayload(delivery=shown(row))
