"""Saved views in the schema, and whether they still fit the lists that they are of."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from graphql import GraphQLError, GraphQLInputType, GraphQLSchema, coerce_input_value
from graphql.utilities import validate_input_value
from strawberry.types.arguments import convert_argument
from strawberry.types.field import StrawberryField

from domain.errors import DomainError
from domain.fields import FIELDS, FieldOwner
from domain.policy import Action
from domain.saved_views import Content, DoesNotFit, Judge
from engine.pages import Order
from engine.reads import ConnectionOf
from models.saved_views import SavedView as SavedViewRow
from models.saved_views import Sharing, ViewNoun
from models.teams import Team as TeamRow
from models.users import User as UserRow
from schema.connections import Connection, connection
from schema.context import Info
from schema.enums import described
from schema.errors import UserError, user_error
from schema.fields import batch, by_id, column, noun, relation
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, StringFilter, junction, on
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.teams import Team
    from schema.users import User

# The list that a view is of.
LISTS = {ViewNoun.LEAD: "leads", ViewNoun.COMPANY: "companies", ViewNoun.CONTACT: "contacts"}
CONTENT = ("noun", "passing", "order_by", "search", "columns")

described(
    ViewNoun,
    "What a saved view lists.",
    LEAD="Leads, as the query leads does.",
    COMPANY="Companies, as the query companies does.",
    CONTACT="Contacts, as the query contacts does.",
)
described(
    Sharing,
    "For whom a saved view exists.",
    OWN="Its owner.",
    TEAM="Its owner, and the members of its team and of the teams within it.",
    ALL="Every member of the workspace.",
)


def judge(info: Info) -> Judge:
    """Return what tells whether a view fits its list, as the schema has it now."""

    async def judged(content: Content) -> Sequence[DomainError]:
        return await misfits(info, content)

    return judged


async def misfits(info: Info, content: Content) -> list[DomainError]:
    """Return what a view asks for that its list does not have."""
    schema: GraphQLSchema = info._raw_info.schema
    known = {field.name for field in FIELDS[FieldOwner(content.noun)]}
    unknown = [name for name in content.columns if name not in known]
    found = [*_misfits(schema, content, info.context.now)]
    return found + [DoesNotFit(field="columns", reason=f"there is no field {name}.") for name in unknown]


def _misfits(schema: GraphQLSchema, content: Content, now: datetime) -> Iterator[DomainError]:
    """Give what is wrong with the arguments of a list, each by itself, as the list would say."""
    assert schema.query_type
    field = schema.query_type.fields[LISTS[content.noun]]
    declared: StrawberryField = field.extensions["strawberry-definition"]
    read = declared.metadata["read"]
    assert isinstance(read, ConnectionOf)
    given = {"filter": content.passing, "orderBy": content.order_by, "search": content.search}
    for name, value in given.items():
        if value is None:
            continue
        wrong = list(_against_type(value, field.args[name].type, name))
        yield from wrong
        if wrong:
            continue
        try:
            read.request(now, **_converted(schema, declared, name, coerce_input_value(value, field.args[name].type)))
        except GraphQLError as error:
            yield DoesNotFit(field=name, reason=error.message)


def _against_type(value: Any, type_: GraphQLInputType, name: str) -> Iterator[DomainError]:
    found: list[tuple[GraphQLError, list[str | int]]] = []
    validate_input_value(value, type_, lambda error, path: found.append((error, path)), hide_suggestions=True)
    for error, path in found:
        yield DoesNotFit(field=(name, *map(str, path)), reason=error.message)


def _converted(schema: GraphQLSchema, declared: StrawberryField, name: str, coerced: Any) -> dict[str, Any]:
    """Return an argument as the list's own function takes it."""
    extensions = schema.extensions["strawberry-definition"]
    config, scalars = extensions.config, extensions.schema_converter.scalar_registry
    argument = next(one for one in declared.arguments if config.name_converter.from_argument(one) == name)
    value = convert_argument(value=coerced, type_=argument.type, config=config, scalar_registry=scalars, path=(name,))
    return {argument.python_name: value}


async def _problems(views: list[Any], info: Info) -> list[list[UserError]]:
    return [[user_error(fault) for fault in await misfits(info, Content.of(view))] for view in views]


@noun(SavedViewRow, description="A list as somebody keeps it: its filter, order, search and columns under a name.")
class SavedView(Node):
    viewer_can: ObjectPermissions = viewer_can(
        update=Action.UPDATE_VIEW, delete=Action.UPDATE_VIEW, needs=("owner_id",)
    )
    name: str = column("What it is called.")
    noun: ViewNoun = column("What it lists.")
    filter: JSON | None = column("The list's argument filter, as it was given; null for none.", of="passing")
    order_by: JSON | None = column("The list's argument orderBy, as it was given; null for the usual order.")
    search: str | None = column("The list's argument search; null for none.")
    columns: list[str] = column("The fields that are shown, by their names in fieldDefinitions, in order.")
    visibility: Sharing = column("For whom it exists.")
    owner: Annotated["User", strawberry.lazy("schema.users")] | None = relation(UserRow, "Who keeps it.", by="owner_id")
    team: Annotated["Team", strawberry.lazy("schema.teams")] | None = relation(
        TeamRow, "The team that it is shared with: its owner's, when they shared it.", by="team_id"
    )
    position: int = column("Its place among the views; the smallest comes first.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was saved.")
    updated_at: datetime = column("When a person last changed it.")
    problems: list[UserError] = batch(
        _problems,
        "What it asks for that its list no longer has, such as a field that is gone; empty for what still works.",
        needs=CONTENT,
    )


@strawberry.input(description="Which saved views.")
class SavedViewFilter:
    id: IDFilter | None = on("By id.", "id", noun="SavedView")
    name: StringFilter | None = on("By name.", "name")
    noun: EnumFilter[ViewNoun] | None = on("By what they list.", "noun")
    visibility: EnumFilter[Sharing] | None = on("By for whom they exist.", "visibility")
    owner: IDFilter | None = on("By who keeps them.", "owner_id", noun="User")
    created_at: DateTimeFilter | None = on("By when they were saved.", "created_at")
    and_: "list[SavedViewFilter] | None" = junction("and", "All of these pass.")
    or_: "list[SavedViewFilter] | None" = junction("or", "Any of these passes.")
    not_: "SavedViewFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What saved views can be ordered by.")
class SavedViewOrderField(Enum):
    POSITION = strawberry.enum_value("position", description="Their place.")
    NAME = strawberry.enum_value("name", description="Their name.")


@strawberry.input(description="An order of saved views.")
class SavedViewOrder:
    field: SavedViewOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class SavedViewQueries:
    saved_views: Connection[SavedView] = connection(
        "SavedView",
        "schema.saved_views",
        model=SavedViewRow,
        default=(Order("position"),),
        description="The views that the viewer keeps, and those that others share with them.",
    )

    saved_view: SavedView | None = by_id(
        SavedViewRow, "SavedView", "A saved view; null where it is missing, deleted or not shared with the viewer."
    )
