"""Suppressions in the schema: to whom nothing more is sent."""

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from domain import suppressions
from engine.pages import Order
from models.deliveries import Suppression as SuppressionRow
from models.deliveries import SuppressionReason
from schema import ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.enums import described
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import column, noun, shown
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, StringFilter, junction, on
from schema.inputs import about
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.scalars import Email

described(
    SuppressionReason,
    "Why nothing more is sent to an address.",
    UNSUBSCRIBED="Whoever it belongs to wants no more.",
    BOUNCED="A mail server said that there is nobody at it.",
    COMPLAINED="Whoever it belongs to called a mail spam.",
    MANUAL="Somebody suppressed it.",
)


@noun(SuppressionRow, description="An address to which no more mails are sent, account mails excepted.")
class Suppression(Node):
    email: Email = column("The address, in lower case.", of="email_normalised")
    kind: str | None = column("The kind of mail that is not sent; null: none at all.")
    reason: SuppressionReason = column("Why.")
    note: str | None = column("More about it: for one that bounced, what the mail server said.")
    created_at: datetime = column("Since when.")


@strawberry.input(description="Which suppressions.")
class SuppressionFilter:
    id: IDFilter | None = on("By id.", "id", noun="Suppression")
    email: StringFilter | None = on("By address, in lower case.", "email_normalised")
    kind: StringFilter | None = on("By kind of mail.", "kind")
    reason: EnumFilter[SuppressionReason] | None = on("By why.", "reason")
    created_at: DateTimeFilter | None = on("By since when.", "created_at")
    and_: "list[SuppressionFilter] | None" = junction("and", "All of these pass.")
    or_: "list[SuppressionFilter] | None" = junction("or", "Any of these passes.")
    not_: "SuppressionFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What suppressions can be ordered by.")
class SuppressionOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="Since when.")
    EMAIL = strawberry.enum_value("email_normalised", description="The address.")


@strawberry.input(description="An order of suppressions.")
class SuppressionOrder:
    field: SuppressionOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class SuppressionQueries:
    suppressions: Connection[Suppression] = connection(
        "Suppression",
        "schema.suppressions",
        model=SuppressionRow,
        default=(Order("created_at", descending=True),),
        description="The addresses to which no more mails are sent, the newest first; for admins and managers.",
    )


@strawberry.input(description="An address to send nothing more to.")
class SuppressAddressInput(MutationInput):
    email: Email = strawberry.field(description="The address.")
    kind: str | None = strawberry.field(
        default=None, description="The kind of mail that is not to be sent; without it, none at all."
    )
    note: str | None = strawberry.field(default=None, description="Why, at most 1,000 characters.")


@strawberry.input(description="An address to send to again.")
class RemoveSuppressionInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The suppression.")


@strawberry.type(description="A suppressed address.")
class SuppressAddressPayload(Payload):
    suppression: Suppression | None = strawberry.field(default=None, description="The suppression; null on errors.")


@strawberry.type(description="An address that is suppressed no more.")
class RemoveSuppressionPayload(Payload):
    deleted_suppression_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of what is gone; null on errors."
    )


@strawberry.type
class SuppressionMutations:
    @strawberry.mutation(
        description="Send nothing more to an address, account mails excepted; one that is suppressed stays as it is."
    )
    @reports_user_errors
    async def suppress_address(
        self, info: Info, input: Annotated[SuppressAddressInput, about("The address.")]
    ) -> SuppressAddressPayload:
        row = await suppressions.suppress(
            info.context.actor, email=input.email, kind=input.kind, note=input.note, now=info.context.now
        )
        return SuppressAddressPayload(suppression=shown(row))

    @strawberry.mutation(description="Send to an address again, whatever it was suppressed for.")
    @reports_user_errors
    async def remove_suppression(
        self, info: Info, input: Annotated[RemoveSuppressionInput, about("Which.")]
    ) -> RemoveSuppressionPayload:
        key = await suppressions.remove(info.context.actor, ids.decode(input.id, "Suppression"), now=info.context.now)
        return RemoveSuppressionPayload(deleted_suppression_id=ids.encode("Suppression", key))
