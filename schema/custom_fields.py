"""Custom fields in the schema: what they are, the values of a row, and how lists are filtered and ordered by them."""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import strawberry

from domain import custom_values
from domain.custom_values import CustomValue as Value
from domain.policy import Action
from domain.unset import UNSET, Unset
from engine.pages import Order
from models import rows
from models.custom_fields import CustomField as CustomFieldRow
from models.custom_fields import CustomFieldOwner, CustomFieldType, IndexState
from models.users import User as UserRow
from queries.custom_fields import is_sortable
from schema import ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.enums import described
from schema.fields import batch, by_id, column, computed, noun, relation
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, StringFilter, field_name, junction, on, op
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.scalars import JSON

described(
    CustomFieldOwner,
    "What can have custom fields.",
    LEAD="A lead.",
    COMPANY="A company.",
    CONTACT="A contact.",
)
described(
    CustomFieldType,
    "What a custom field holds, and what its value is in JSON.",
    TEXT="A text of at most 5,000 characters.",
    NUMBER="A number of at most 18 digits and 8 decimals: a text such as 12.50, or a number in JSON.",
    MONEY='An amount with its currency, such as {"amount": "12.50", "currencyCode": "EUR"}.',
    DATE="A day, such as 2026-03-01.",
    CHOICE="One of the options, by its key.",
    MULTI_CHOICE="Any of the options: a list of their keys.",
    YES_NO="true or false.",
    USER="A member of the workspace: a user's id.",
    URL="A web address.",
    EMAIL="An email address; kept in lower case.",
    PHONE="A phone number with its country code; kept as E.164.",
)
described(
    IndexState,
    "How the index on a field's values stands, which makes filters fast and orders possible.",
    NONE="None is asked for.",
    BUILDING="It is being made.",
    READY="It serves.",
    FAILED="It could not be made; it is tried again.",
)
BY_POSITION = (Order("position"),)
FIELDS = """
SELECT {columns} FROM custom_field
WHERE workspace_id = $1 AND owner = $2 AND archived_at IS NULL AND deleted_at IS NULL ORDER BY position, id
"""


@strawberry.type(description="One of the choices of a custom field.")
class CustomFieldOption:
    key: str = strawberry.field(description="What values, filters and inputs name it by.")
    label: str = strawberry.field(description="What a person reads.")
    archived: bool = strawberry.field(description="Whether it is offered no more; values that have it keep it.")


def options(kept: list[dict[str, Any]]) -> list[CustomFieldOption]:
    return [CustomFieldOption(key=one["key"], label=one["label"], archived=one["archived"]) for one in kept]


@noun(CustomFieldRow, description="A field that a workspace adds to its leads, companies or contacts.")
class CustomField(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.MANAGE_CUSTOM_FIELDS, delete=Action.MANAGE_CUSTOM_FIELDS)
    owner: CustomFieldOwner = column("What has it.")
    key: str = column("What values, filters, orders and imports name it by; no two of an owner in use share one.")
    label: str = column("What a person calls it.")
    description: str | None = column("More about it.")
    type: CustomFieldType = column("What it holds.")
    options: list[CustomFieldOption] = computed(
        options, "What there is to choose from, in order; empty for what is no choice.", needs=("options",)
    )
    position: int = column("Its place among the fields of its owner, from 0.")
    is_indexed: bool = column("Whether an index on its values is wanted.")
    index_state: IndexState = column("How that index stands.")
    sortable: bool = computed(
        lambda kind, state: is_sortable(CustomFieldRow(type=CustomFieldType(kind), index_state=IndexState(state))),
        "Whether lists can be ordered by it now: where its index serves, and its values have an order.",
        needs=("type", "index_state"),
    )
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was made.")
    archived_at: datetime | None = column("When it was archived; null while it is in use.")


@strawberry.type(description="The value of a custom field.")
class CustomValue:
    field_key: strawberry.Private[UUID]
    key: str = strawberry.field(description="The field's key.")
    label: str = strawberry.field(description="What a person calls the field.")
    value: JSON = strawberry.field(description="The value, in the form of the field's type.")
    text: str = strawberry.field(description="The value as a person reads it: an option's label, a user's name.")

    field: CustomField | None = relation(CustomFieldRow, "The field.", by="field_key")


Keys = Annotated[
    list[str] | None,
    strawberry.argument(description="Only fields with these keys; all if left out. Keys that are none are left out."),
]


async def fields_of(owner: CustomFieldOwner, info: Info) -> list[CustomFieldRow]:
    """Load the custom fields in use of an owner, once an operation."""

    async def load(owners: list[CustomFieldOwner]) -> list[list[CustomFieldRow]]:
        workspace_id = info.context.actor.workspace_id
        return [await rows.select(CustomFieldRow, FIELDS, workspace_id, one.value) for one in owners]

    found: list[CustomFieldRow] = await info.context.loader("custom_fields", load).load(owner)
    return found


def custom_values_of(owner: CustomFieldOwner) -> Any:
    """Declare the values of a row's custom fields."""

    async def load(owners: list[Any], info: Info, keys: Keys = None) -> list[list[CustomValue]]:
        if not any(one.custom for one in owners):
            return [[] for _ in owners]
        fields = [field for field in await fields_of(owner, info) if keys is None or field.key in keys]
        names = await _names(owners, fields, info)
        return [[_shown(one.custom, field, names) for field in fields if field.id.hex in one.custom] for one in owners]

    return batch(load, "Its custom fields that have a value, in the order of the fields.", needs=("custom",))


async def _names(owners: Sequence[Any], fields: Sequence[CustomFieldRow], info: Info) -> dict[str, str]:
    """Return the names of the users that stand in values, by their ids."""
    keys = [field.id.hex for field in fields if field.type is CustomFieldType.USER]
    wanted = {one.custom[key] for one in owners for key in keys if key in one.custom}
    found = await info.context.rows(UserRow, [UUID(key) for key in sorted(wanted)])
    return {str(user.id): user.name for user in found if user is not None}


def _shown(custom: dict[str, Any], field: CustomFieldRow, names: dict[str, str]) -> CustomValue:
    kept = custom[field.id.hex]
    value = ids.encode("User", UUID(kept)) if field.type is CustomFieldType.USER else kept
    text = custom_values.text_of(field, kept, names=names)
    return CustomValue(field_key=field.id, key=field.key, label=field.label, value=JSON(value), text=text)


@strawberry.input(description="A value for a custom field.")
class CustomValueInput:
    field: str = strawberry.field(description="The field's key, or its id.")
    value: JSON | None = strawberry.field(default=None, description="The value, as the type says; null clears.")


@strawberry.input(
    description="Tests of a custom field, of the operators that its type has; missing values pass ne and notIn only."
)
class CustomValueFilter:
    field: str = strawberry.field(description="The field's key, or its id.")
    eq: JSON | None = op("Equal to. An amount alone is of any currency.")
    ne: JSON | None = op("Not equal to; missing passes.")
    in_: list[JSON] | None = op("One of; of several options, any of these.", "in")
    not_in: list[JSON] | None = op("None of; missing passes.")
    gt: JSON | None = op("Greater than, after.")
    gte: JSON | None = op("Greater than or equal to, on or after.")
    lt: JSON | None = op("Less than, before.")
    lte: JSON | None = op("Less than or equal to, on or before.")
    contains: str | None = op("Contains, in any case; of several options, this one is among them.")
    starts_with: str | None = op("Begins with, in any case.")
    is_null: bool | None = op("Is missing, or is not.")


def values_of(given: Any) -> Sequence[Value] | Unset:
    """Return values as the domain takes them; left out, and null, change nothing."""
    if given is None or given is strawberry.UNSET:
        return UNSET
    return [Value(field_name(one.field), one.value) for one in given]


@strawberry.input(description="Which custom fields.")
class CustomFieldFilter:
    id: IDFilter | None = on("By id.", "id", noun="CustomField")
    owner: EnumFilter[CustomFieldOwner] | None = on("By what has them.", "owner")
    key: StringFilter | None = on("By their key.", "key")
    label: StringFilter | None = on("By what people call them.", "label")
    type: EnumFilter[CustomFieldType] | None = on("By what they hold.", "type")
    archived_at: DateTimeFilter | None = on("By when they were archived; isNull for those in use.", "archived_at")
    and_: "list[CustomFieldFilter] | None" = junction("and", "All of these pass.")
    or_: "list[CustomFieldFilter] | None" = junction("or", "Any of these passes.")
    not_: "CustomFieldFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What custom fields can be ordered by.")
class CustomFieldOrderField(Enum):
    POSITION = strawberry.enum_value("position", description="Their place among the fields of their owner.")
    LABEL = strawberry.enum_value("label", description="What people call them.")
    CREATED_AT = strawberry.enum_value("created_at", description="When they were made.")


@strawberry.input(description="An order of custom fields.")
class CustomFieldOrder:
    field: CustomFieldOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class CustomFieldQueries:
    custom_fields: Connection[CustomField] = connection(
        "CustomField",
        "schema.custom_fields",
        model=CustomFieldRow,
        default=BY_POSITION,
        description="The custom fields of all owners by position, archived ones included.",
    )
    custom_field: CustomField | None = by_id(CustomFieldRow, "CustomField", "A custom field.")
