"""What a screen has to know of a field, taken from where it is declared: filters, orders and inputs of this schema."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLSchema, get_named_type

from domain import fields
from domain.edits import camel
from domain.fields import Field, FieldOwner, FieldType
from domain.requirements import CUSTOM
from engine.nouns import NOUNS
from models.custom_fields import CustomField as CustomFieldRow
from models.custom_fields import CustomFieldOwner, CustomFieldType
from models.stages import Stage as StageRow
from queries.custom_fields import OPERATORS, is_sortable
from schema import ids
from schema.context import Info
from schema.custom_fields import CustomField, fields_of
from schema.enums import described
from schema.fields import relation, shown
from schema.filters import OPS

if TYPE_CHECKING:
    from schema.stages import Stage

described(
    FieldOwner,
    "What has fields.",
    LEAD="A lead.",
    COMPANY="A company.",
    CONTACT="A contact.",
    PRODUCT="A product.",
)
described(
    FieldType,
    "What a field holds.",
    TEXT="A text.",
    NUMBER="A number.",
    MONEY="An amount with its currency.",
    DATE="A day.",
    INSTANT="An instant.",
    CHOICE="One of the options.",
    MULTI_CHOICE="Any of the options.",
    BOOLEAN="Yes or no.",
    REFERENCE="Another object, or several.",
    EMAIL="An email address.",
    PHONE="A phone number.",
    URL="A web address.",
    ADDRESS="A postal address.",
)


# What custom fields hold that is called otherwise in fields that everybody has.
KINDS = {CustomFieldType.YES_NO: FieldType.BOOLEAN, CustomFieldType.USER: FieldType.REFERENCE}


@strawberry.type(description="One of the choices of a field.")
class FieldOption:
    value: str = strawberry.field(description="What filters and inputs take: an enum's name, a key, or an id.")
    label: str = strawberry.field(description="What a person reads.")


@strawberry.type(description="A field, and what can be done with it.")
class FieldDefinition:
    of: strawberry.Private[Field | CustomFieldRow]
    owner: strawberry.Private[FieldOwner]

    name: str = strawberry.field(description="Its name in this API; of a custom field, custom: and its key.")
    label: str = strawberry.field(description="What a person calls it, in English.")
    type: FieldType = strawberry.field(description="What it holds.")
    noun: str | None = strawberry.field(description="The type of the objects that it refers to; null where to none.")
    filter_name: str | None = strawberry.field(description="Its name in the filter; null where it has none there.")
    filter_operators: list[str] = strawberry.field(description="The operators that the filter has for it.")
    order_name: str | None = strawberry.field(description="Its name in orderBy; null where it has none there.")
    sortable: bool = strawberry.field(description="Whether lists can be ordered by it.")
    searchable: bool = strawberry.field(description="Whether search looks into it.")
    writable: bool = strawberry.field(description="Whether the update mutation of its owner takes it.")
    custom_key: strawberry.Private[UUID | None] = None

    custom_field: CustomField | None = relation(
        CustomFieldRow, "The custom field that it is; null for one that everybody has.", by="custom_key"
    )

    @strawberry.field(description="What there is to choose from; empty for what is no choice.")
    async def options(self, info: Info) -> list[FieldOption]:
        if isinstance(self.of, CustomFieldRow):
            return [FieldOption(value=one["key"], label=one["label"]) for one in self.of.options if not one["archived"]]
        noun = self.noun or ""
        return [
            FieldOption(value=option.value if not noun else ids.encode(noun, option.value), label=option.label)
            for option in await fields.options(info.context.actor, self.of)
        ]

    @strawberry.field(description="The stages that a lead enters only with this filled; empty for other owners.")
    async def required_at_stages(self, info: Info) -> list[Annotated["Stage", strawberry.lazy("schema.stages")]]:
        if self.owner is not FieldOwner.LEAD:
            return []

        async def load(names: list[str]) -> list[list[StageRow]]:
            stages = await fields.required_at(info.context.actor)
            return [stages.get(name, []) for name in names]

        name = f"{CUSTOM}{self.of.id.hex}" if isinstance(self.of, CustomFieldRow) else self.name
        return shown(await info.context.loader("required_at", load).load(name))  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Uses:
    """What a schema does with the columns and links of a noun: names by column, operators by filter's name."""

    filters: dict[str, tuple[str, tuple[str, ...]]]
    orders: dict[str, str]
    inputs: frozenset[str]


def uses(schema: GraphQLSchema, noun: str) -> Uses:
    """Return what filters, orders and the update input of a noun say of its columns and links."""
    order, update = schema.get_type(f"{noun}OrderField"), schema.get_type(f"Update{noun}Input")
    return Uses(
        filters=dict(_filters(schema, noun)),
        orders={_ordered_by(value.value): name for name, value in order.values.items()}
        if isinstance(order, GraphQLEnumType)
        else {},
        inputs=frozenset(update.fields) if isinstance(update, GraphQLInputObjectType) else frozenset(),
    )


def _ordered_by(order: str) -> str:
    """Return the column that an order is of; the order of linked rows is of the column that points to them."""
    link, _, column = order.rpartition(".")
    return f"{link}_id" if link else column


def _filters(schema: GraphQLSchema, noun: str) -> Iterator[tuple[str, tuple[str, tuple[str, ...]]]]:
    passing = schema.get_type(f"{noun}Filter")
    assert isinstance(passing, GraphQLInputObjectType)
    for name, field in passing.fields.items():
        metadata = field.extensions["strawberry-definition"].metadata
        tests: Any = get_named_type(field.type)
        if "column" in metadata:
            yield metadata["column"], (name, tuple(tests.fields))
        elif "link" in metadata:
            yield f"link {metadata['link']}", (name, tuple(tests.fields))


def define(field: Field, owner: FieldOwner, known: Uses) -> FieldDefinition:
    """Return a field's definition."""
    column = (*field.columns, f"link {field.link}")
    filter_name, operators = next((known.filters[one] for one in column if one in known.filters), (None, ()))
    order_name = next((known.orders[one] for one in field.columns if one in known.orders), None)
    return FieldDefinition(
        of=field,
        owner=owner,
        name=field.name,
        label=field.label,
        type=field.kind,
        noun=field.refers.__name__ if field.refers else None,
        filter_name=filter_name,
        filter_operators=list(operators),
        order_name=order_name,
        sortable=order_name is not None,
        searchable=not set(NOUNS[owner.model].searched).isdisjoint(field.columns),
        writable=not known.inputs.isdisjoint(input_names(field.name)),
    )


def define_custom(field: CustomFieldRow, owner: FieldOwner) -> FieldDefinition:
    """Return a custom field's definition: filters, orders and inputs have all of them under one name."""
    sortable = is_sortable(field)
    return FieldDefinition(
        of=field,
        owner=owner,
        name=f"{CUSTOM}{field.key}",
        label=field.label,
        type=KINDS.get(field.type) or FieldType(field.type.value),
        noun="User" if field.type is CustomFieldType.USER else None,
        filter_name="custom",
        filter_operators=[camel(name.removesuffix("_")) for name, op in OPS.items() if op in OPERATORS[field.type]],
        order_name="custom" if sortable else None,
        sortable=sortable,
        searchable=False,
        writable=True,
        custom_key=field.id,
    )


def input_names(name: str) -> tuple[str, ...]:
    """Return the names that an input may have for a field: its own, or that of an id or of ids."""
    return name, f"{name}Id", f"{name.removesuffix('s')}Ids"


@strawberry.type
class FieldDefinitionQueries:
    @strawberry.field(description="The fields of a noun, in the order in which a screen may show them.")
    async def field_definitions(
        self, info: Info, type: Annotated[FieldOwner, strawberry.argument(description="Whose fields.")]
    ) -> list[FieldDefinition]:
        assert info.context.actor
        known = uses(info._raw_info.schema, type.model.__name__)
        own = [define(field, type, known) for field in fields.FIELDS[type]]
        if type.name not in CustomFieldOwner.__members__:
            return own
        custom = await fields_of(CustomFieldOwner[type.name], info)
        return own + [define_custom(field, type) for field in custom]
