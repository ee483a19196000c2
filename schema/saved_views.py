"""Saved views in the schema, and whether they still fit the lists that they are of."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias
from uuid import UUID

import orjson
import strawberry
from graphql import (
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    coerce_input_value,
    get_named_type,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
)
from graphql.pyutils import inspect
from graphql.utilities import validate_input_value
from strawberry.types.arguments import convert_argument
from strawberry.types.field import StrawberryField

from domain.custom_values import short
from domain.errors import BadUserInput, DomainError
from domain.fields import FIELDS, FieldOwner
from domain.policy import Action
from domain.requirements import CUSTOM
from domain.saved_views import Content, DoesNotFit, Judge
from engine.pages import Order, PageRequest
from engine.reads import ConnectionOf
from models.saved_views import SavedView as SavedViewRow
from models.saved_views import Sharing, ViewNoun
from models.teams import Team as TeamRow
from models.users import User as UserRow
from queries.custom_fields import OWNERS, Fields, UnknownField, Users, keys, known_fields, known_users, named, told
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
# A filter of more tests than these is not looked at test by test.
MOST_PARTS = 300
CONTENT = ("noun", "passing", "order_by", "search", "columns")

Path: TypeAlias = tuple[str, ...]

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
    actor, names = info.context.actor, list(dict.fromkeys(name for fit in found for name in fit.names))
    known = await known_fields(actor, names) if names else {}
    asked = [asked.condition for fit in found for _, asked in fit.asked]
    users = await known_users(actor, asked, known) if known else {}
    return [[*fit.errors, *fit.against(known, users)] for fit in found]


class _Fit:
    """What is wrong with a view, as its list would say of each argument by itself, and the custom fields it names.

    What is refused as a whole is looked at again part by part, so that every fault is told where it stands.
    """

    def __init__(self, schema: GraphQLSchema, content: Content, now: datetime) -> None:
        assert schema.query_type
        self._field = schema.query_type.fields[LISTS[content.noun]]
        self._schema, self._now = schema, now
        self._declared: StrawberryField = self._field.extensions["strawberry-definition"]
        self._read: ConnectionOf = self._declared.metadata["read"]
        self._given = {"filter": content.passing, "orderBy": content.order_by, "search": content.search}
        self.errors: list[DomainError] = []
        self.asked: list[tuple[Path, PageRequest]] = []
        for name in self._given:
            self._look(name)
        known = {field.name for field in FIELDS[FieldOwner(content.noun)]}
        shown = enumerate(content.columns)
        self._columns = {at: (name, _custom_name(name)) for at, name in shown if name not in known}

    @property
    def names(self) -> list[str | UUID]:
        """Return what the custom fields are called."""
        asked = [name for _, one in self.asked for name in (*named(one.condition), *_orders(one))]
        return [*asked, *(name for _, name in self._columns.values() if name)]

    def against(self, known: Fields, users: Users) -> Iterator[DomainError]:
        """Give what is wrong with custom fields and members, given those that there are."""
        for path, asked in self.asked:
            if (error := self._refused(asked, known, users)) is None:
                continue
            parts = self._parts(path[0]) if len(path) == 1 else []
            wrong = [fault for at, one in parts if (fault := self._misfit(at, self._refused(one, known, users)))]
            yield from wrong or [fault for fault in [self._misfit(path, error)] if fault]
        model = self._read.model
        for at, (shown, name) in self._columns.items():
            if name is None or (OWNERS[model], name) not in known:
                yield DoesNotFit(field=("columns", str(at)), reason=f"there is no field {short(shown)}.")

    def _refused(self, asked: PageRequest, known: Fields, users: Users) -> BadUserInput | None:
        try:
            told(self._read.model, asked.condition, known, users)
            keys(self._read.model, _orders(asked), known)
        except BadUserInput as error:
            return error
        return None

    @staticmethod
    def _misfit(path: Path, error: BadUserInput | None) -> DoesNotFit | None:
        """Return the fault of a part; a custom field that is unknown stands beside the test of it."""
        if error is None:
            return None
        if isinstance(error, UnknownField) and path[0] == "filter" and len(path) > 1:
            path = (*path[:-1], "field")
        return DoesNotFit(field=path, reason=error.facts["reason"])

    def _look(self, name: str) -> None:
        """Keep what the list makes of an argument, or of those parts of it that it takes, and note what is wrong."""
        if self._given[name] is None:
            return
        wrong = _against_type(self._given[name], self._field.args[name].type)
        self.errors += [DoesNotFit(field=(name, *path), reason=reason) for path, reason in wrong]
        asked = None if wrong else self._request(name, self._given[name])
        if isinstance(asked, PageRequest):
            self.asked.append(((name,), asked))
            return
        faults = [] if asked is None else [DoesNotFit(field=(name,), reason=asked)]
        found = list[DomainError]()
        for path, part in _parts(self._given[name], (name,)):
            if _against_type(part, self._field.args[name].type):
                continue
            made = self._request(name, part)
            if isinstance(made, PageRequest):
                self.asked.append((path, made))
            else:
                found += self._singly(name, path, part) or [DoesNotFit(field=path, reason=made)]
        self.errors += found or faults

    def _singly(self, name: str, path: Path, part: Any) -> list[DomainError]:
        """Return what is wrong with single values of a list of them."""
        values = _at(part, path[1:])
        if not isinstance(values, list):
            return []
        each = [self._request(name, _nested(path[1:], [value])) for value in values[:MOST_PARTS]]
        return [
            DoesNotFit(field=(*path, str(at)), reason=made) for at, made in enumerate(each) if isinstance(made, str)
        ]

    def _parts(self, name: str) -> list[tuple[Path, PageRequest]]:
        """Return what the list makes of each part of an argument that it takes as a whole."""
        made = [(path, self._request(name, part)) for path, part in _parts(self._given[name], (name,))]
        return [(path, one) for path, one in made if isinstance(one, PageRequest)]

    def _request(self, name: str, value: Any) -> PageRequest | str:
        """Return what the list makes of an argument, or why it refuses it."""
        try:
            coerced = coerce_input_value(value, self._field.args[name].type)
            return self._read.request(self._now, **self._converted(name, coerced))
        except BadUserInput as error:
            return str(error.facts["reason"])
        except GraphQLError as error:
            return error.message

    def _converted(self, name: str, coerced: Any) -> dict[str, Any]:
        """Return an argument as the list's own function takes it."""
        extensions = self._schema.extensions["strawberry-definition"]
        config, scalars = extensions.config, extensions.schema_converter.scalar_registry
        argument = next(one for one in self._declared.arguments if config.name_converter.from_argument(one) == name)
        value = convert_argument(coerced, argument.type, scalars, config, path=(name,))
        return {argument.python_name: value}


def _orders(asked: PageRequest) -> list[str | UUID]:
    return [one.custom for one in asked.orders if isinstance(one.custom, str | UUID)]


def _parts(value: Any, path: Path) -> list[tuple[Path, Any]]:
    """Return the single tests of a filter, or the single orders, each with its place and alone in a value like it."""
    found = list(islice(_leaves(value, path), MOST_PARTS + 1))
    # Of what is beyond every screen the whole is told.
    return [] if len(found) > MOST_PARTS else [(path, _nested(inner[1:], leaf)) for path, inner, leaf in found]


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Path, Any]]:
    """Give what stands innermost: where it is told, where it stands in a value of its own, and itself."""
    inner = tuple("0" if part.isdigit() else part for part in path)
    if isinstance(value, dict) and path[0] == "orderBy":
        yield (*path, "custom" if value.get("custom") else "field"), inner, value
    elif isinstance(value, dict) and "field" in value and "custom" in path[-2:]:
        tests = {name: test for name, test in value.items() if name != "field"}
        for name, test in tests.items():
            yield (*path, name), inner, {"field": value["field"], name: test}
        if not tests:
            yield (*path, "field"), inner, value
    elif isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _leaves(one, (*path, name))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for at, one in enumerate(value):
            yield from _leaves(one, (*path, str(at)))
    else:
        yield path, inner, value


def _nested(path: Path, leaf: Any) -> Any:
    """Return a value that has nothing but a leaf, at its place; every list has one entry."""
    for part in reversed(path):
        leaf = [leaf] if part.isdigit() else {part: leaf}
    return leaf


def _at(value: Any, path: Path) -> Any:
    """Return what stands at a place; None where there is none."""
    for part in path:
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return None
    return value


def _against_type(value: Any, type_: GraphQLInputType) -> list[tuple[Path, str]]:
    """Return what is wrong with the form of a value, each with its place."""
    found = list[tuple[Path, str]]()
    known = _known(value, type_, (), found)

    def note(error: GraphQLError, path: list[str | int]) -> None:
        place = tuple(str(part) for part in path)
        found.append((place, _in_json(error.message, _at(known, place))))

    validate_input_value(known, type_, note, hide_suggestions=True)
    return found


def _known(value: Any, type_: Any, path: Path, found: list[tuple[Path, str]]) -> Any:
    """Return a value without what its type does not know, which is noted: GraphQL's own message tells no place."""
    type_ = get_nullable_type(type_)
    if isinstance(value, list) and is_list_type(type_):
        return [_known(one, type_.of_type, (*path, str(at)), found) for at, one in enumerate(value)]
    named = get_named_type(type_)
    if not isinstance(value, dict) or not is_input_object_type(named):
        return value
    found += [((*path, name), f"there is no {short(name)} here.") for name in value if name not in named.fields]
    fields = {name: one for name, one in value.items() if name in named.fields}
    return {name: _known(one, named.fields[name].type, (*path, name), found) for name, one in fields.items()}


def _in_json(message: str, value: Any) -> str:
    """Return a message of GraphQL's with the value in it as the client wrote it."""
    written = short(orjson.dumps(value).decode())
    return message.replace(inspect(value), written).replace("not to be None", "not to be null")


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
