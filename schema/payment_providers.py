"""Payment providers in the schema: who tells of payments, and what could not be taken."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from domain.policy import Action
from engine.pages import Order
from models.invoices import NoticeState
from models.invoices import Payment as PaymentRow
from models.invoices import PaymentNotice as PaymentNoticeRow
from models.invoices import PaymentProvider as PaymentProviderRow
from models.users import User as UserRow
from schema.amounts import money_of
from schema.connections import Connection, connection
from schema.enums import described
from schema.fields import column, computed, noun, relation
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, StringFilter, junction, on
from schema.invoices import Payment
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.scalars import URL, Money
from settings import settings

if TYPE_CHECKING:
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
described(
    NoticeState,
    "How it stands with a payment that could not be taken.",
    OPEN="It waits for somebody, or for the provider to tell it again.",
    SETTLED="It was recorded.",
    DISMISSED="Somebody said that it is none of ours.",
)


def _address(key: UUID) -> URL:
    return URL(f"{settings().public_url.rstrip('/')}/payments/{key}")


@noun(PaymentProviderRow, description="Who tells of payments by signed web hooks; admins see them.")
class PaymentProvider(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_PROVIDERS, delete=Action.MANAGE_PROVIDERS)
    name: str = column("What it is called.")
    url: URL = computed(_address, "Where it sends its messages.", needs=("id",))
    previous_until: datetime | None = column("Until when the secret before the newest is accepted.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")


@noun(PaymentNoticeRow, description="A payment that a provider told of and that could not be taken; admins see them.")
class PaymentNotice(Node):
    state: NoticeState = column("How it stands.")
    problem: str = column("Why it could not be taken: the code of an error.")
    provider_key: str = column("What the provider calls the payment.")
    invoice_number: str = column("The number of the invoice that it is for, as the provider has it.")
    amount: Money = money_of("amount", "How much; less than nothing of a refund.")
    attempts: int = column("How often it was told.")
    last_at: datetime = column("When it was told last.")
    settled_at: datetime | None = column("When it was recorded or dismissed.")
    settled_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who recorded or dismissed it; null where the provider told it again.", by="settled_by_id"
    )
    payment: Payment | None = relation(PaymentRow, "What became of it.", by="payment_id")
    provider: PaymentProvider | None = relation(PaymentProviderRow, "Who told.", by="provider_id")
    created_at: datetime = column("When it was first told.")


@strawberry.input(description="Which payment providers.")
class PaymentProviderFilter:
    id: IDFilter | None = on("By id.", "id", noun="PaymentProvider")
    name: StringFilter | None = on("By name.", "name")
    archived_at: DateTimeFilter | None = on("By when they were archived.", "archived_at")
    and_: "list[PaymentProviderFilter] | None" = junction("and", "All of these pass.")
    or_: "list[PaymentProviderFilter] | None" = junction("or", "Any of these passes.")
    not_: "PaymentProviderFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What payment providers can be ordered by.")
class PaymentProviderOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was made.")


@strawberry.input(description="An order of payment providers.")
class PaymentProviderOrder:
    field: PaymentProviderOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.input(description="Which payments that could not be taken.")
class PaymentNoticeFilter:
    id: IDFilter | None = on("By id.", "id", noun="PaymentNotice")
    state: EnumFilter[NoticeState] | None = on("By how they stand.", "state")
    problem: StringFilter | None = on("By why they could not be taken.", "problem")
    invoice_number: StringFilter | None = on("By the number of the invoice.", "invoice_number")
    created_at: DateTimeFilter | None = on("By when they were first told.", "created_at")
    and_: "list[PaymentNoticeFilter] | None" = junction("and", "All of these pass.")
    or_: "list[PaymentNoticeFilter] | None" = junction("or", "Any of these passes.")
    not_: "PaymentNoticeFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What payments that could not be taken can be ordered by.")
class PaymentNoticeOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was first told.")


@strawberry.input(description="An order of payments that could not be taken.")
class PaymentNoticeOrder:
    field: PaymentNoticeOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class PaymentProviderQueries:
    payment_providers: Connection[PaymentProvider] = connection(
        "PaymentProvider",
        "schema.payment_providers",
        model=PaymentProviderRow,
        default=NEWEST,
        description="Who tells of payments, the newest first; for admins.",
    )

    payment_notices: Connection[PaymentNotice] = connection(
        "PaymentNotice",
        "schema.payment_providers",
        model=PaymentNoticeRow,
        default=NEWEST,
        description="Payments that were told of and could not be taken, the newest first; for admins.",
    )
