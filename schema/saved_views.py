"""Saved views in the schema, and whether they still fit the lists that they are of."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry
from graphql import GraphQLError, GraphQLInputType, GraphQLSchema, coerce_input_value
from graphql.utilities import validate_input_value
from strawberry.types.arguments import convert_argument
from strawberry.types.field import StrawberryField

from domain.errors import BadUserInput, DomainError
from domain.fields import FIELDS, FieldOwner
from domain.policy import Action
from domain.requirements import CUSTOM
from domain.saved_views import Content, DoesNotFit, Judge
from engine.conditions import EVERYTHING
from engine.custom import OWNERS, Fields, keys, known_fields, named, told
from engine.pages import Order, PageRequest
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
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, StringFilter, field_name, junction, on
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
        [found] = await misfits(info, [content])
        return found

    return judged


async def misfits(info: Info, contents: Sequence[Content]) -> list[list[DomainError]]:
    """Return for each view what it asks for that its list does not have; custom fields are looked up together."""
    schema: GraphQLSchema = info._raw_info.schema
    found = [_Fit(schema, content, info.context.now) for content in contents]
    names = list(dict.fromkeys(name for fit in found for name in fit.names))
    known = await known_fields(info.context.actor, names) if names else {}
    return [[*fit.errors, *fit.against(known)] for fit in found]


class _Fit:
    """What is wrong with a view, as its list would say of each argument by itself, and the custom fields it names."""

    def __init__(self, schema: GraphQLSchema, content: Content, now: datetime) -> None:
        assert schema.query_type
        self._field = schema.query_type.fields[LISTS[content.noun]]
        self._schema, self._now = schema, now
        self._declared: StrawberryField = self._field.extensions["strawberry-definition"]
        self._read: ConnectionOf = self._declared.metadata["read"]
        self.errors: list[DomainError] = []
        passing = self._asked("filter", content.passing)
        orders = self._asked("orderBy", content.order_by)
        self._asked("search", content.search)
        self._condition = passing.condition if passing else EVERYTHING
        self._orders = [one.custom for one in (orders.orders if orders else ()) if isinstance(one.custom, str | UUID)]
        known = {field.name for field in FIELDS[FieldOwner(content.noun)]}
        self._columns = {name: _custom_name(name) for name in content.columns if name not in known}

    @property
    def names(self) -> list[str | UUID]:
        """Return what the custom fields are called."""
        return [*named(self._condition), *self._orders, *(name for name in self._columns.values() if name)]

    def against(self, known: Fields) -> Iterator[DomainError]:
        """Give what is wrong with custom fields, given those in use."""
        model = self._read.model
        for argument, ask in (
            ("filter", lambda: told(model, self._condition, known)),
            ("orderBy", lambda: keys(model, self._orders, known)),
        ):
            try:
                ask()
            except BadUserInput as error:
                yield DoesNotFit(field=argument, reason=error.facts["reason"])
        for shown, name in self._columns.items():
            if name is None or (OWNERS[model], name) not in known:
                yield DoesNotFit(field="columns", reason=f"there is no field {shown}.")

    def _asked(self, name: str, value: Any) -> PageRequest | None:
        """Return what the list makes of an argument, or note what is wrong with it."""
        if value is None:
            return None
        type_ = self._field.args[name].type
        wrong = [DoesNotFit(field=(name, *path), reason=reason) for path, reason in _against_type(value, type_)]
        self.errors += wrong
        if wrong:
            return None
        try:
            return self._read.request(self._now, **self._converted(name, coerce_input_value(value, type_)))
        except (GraphQLError, BadUserInput) as error:
            self.errors.append(DoesNotFit(field=name, reason=error.message))
            return None

    def _converted(self, name: str, coerced: Any) -> dict[str, Any]:
        """Return an argument as the list's own function takes it."""
        extensions = self._schema.extensions["strawberry-definition"]
        config, scalars = extensions.config, extensions.schema_converter.scalar_registry
        argument = next(one for one in self._declared.arguments if config.name_converter.from_argument(one) == name)
        value = convert_argument(coerced, argument.type, scalars, config, path=(name,))
        return {argument.python_name: value}


def _against_type(value: Any, type_: GraphQLInputType) -> list[tuple[list[str], str]]:
    found: list[tuple[list[str], str]] = []

    def note(error: GraphQLError, path: list[str | int]) -> None:
        found.append(([str(part) for part in path], error.message))

    validate_input_value(value, type_, note, hide_suggestions=True)
    return found


def _custom_name(column: str) -> str | UUID | None:
    """Return what a column calls a custom field: its key or global id after `custom:`; None for another column."""
    return field_name(column.removeprefix(CUSTOM)) if column.startswith(CUSTOM) else None


async def _problems(views: list[Any], info: Info) -> list[list[UserError]]:
    found = await misfits(info, [Content.of(view) for view in views])
    return [[user_error(fault) for fault in faults] for faults in found]


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
    columns: list[str] = column(
        "The fields that are shown, in order: names of fieldDefinitions, and custom fields as custom:key."
    )
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
