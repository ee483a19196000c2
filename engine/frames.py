"""Where a row's values come from, as expressions about `r`: places of a record, or attributes of an object."""

from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLOutputType,
    Undefined,
    get_named_type,
)
from tortoise import fields
from tortoise.models import Model

from engine.levels import Child, Level, Trouble
from engine.nouns import NOUNS, columns
from engine.select import SENT, Select
from engine.shapes import Names

TEXTS = frozenset(
    {"String", "ID", "Email", "PhoneNumber", "URL", "CurrencyCode", "CountryCode", "LanguageTag", "TimeZone"}
)
# What PostgreSQL's driver gives and orjson writes just as the scalar would.
AS_IT_IS: dict[str, tuple[type[fields.Field[Any]], ...]] = {
    "Int": (fields.SmallIntField, fields.IntField),
    "Boolean": (fields.BooleanField,),
    "DateTime": (fields.DatetimeField,),
    "Date": (fields.DateField,),
}


class LevelBuilder:
    """A level as it is compiled: what hangs on its rows, and the values that its code names."""

    def __init__(self) -> None:
        self.level = Level()
        self.names = Names()
        self.columns: list[str] = []

    def hang(self, child: Child) -> str:
        """Hang something on the rows; return the name of its answer beside a row."""
        self.level.children.append(child)
        self.columns.append(f"x{len(self.columns)}")
        return self.columns[-1]


class ObjectFrame:
    """An object that a resolver returned: a row of a model, or an instance of a type."""

    missing = ""

    def __init__(self, builder: LevelBuilder) -> None:
        self.builder = builder

    def value(self, column: str) -> str:
        return f"r.{column}"

    def digits(self) -> str:
        """Return the key in hexadecimal digits."""
        return "r.id.hex"

    def leaf(self, column: str, type_: GraphQLOutputType) -> str:
        return f"{self.builder.names.of(completer(type_))}({self.value(column)})"

    def lacks(self, column: str, type_: GraphQLOutputType) -> str:
        return f"{self.value(column)} is None"

    def row(self, needs: tuple[str, ...] | None) -> str:
        return "r"


class RecordFrame:
    """A record of a statement: its own row `r`, or one that is joined to it."""

    def __init__(self, builder: LevelBuilder, select: Select, model: type[Model], alias: str = "r") -> None:
        self.builder = builder
        self.select = select
        self.model = model
        self.alias = alias

    @property
    def missing(self) -> str:
        """Return what is true where there is no row; the statement's own rows are always there."""
        return "" if self.alias == "r" else f"{self._raw('id', SENT)} is None"

    def join(self, model: type[Model], by: str) -> "RecordFrame":
        return RecordFrame(self.builder, self.select, model, self.select.join(model, self.alias, by))

    def value(self, column: str) -> str:
        """Return a column as the model's attribute has it."""
        read = reader(self.model, column)
        return f"{self.builder.names.of(read)}({self._raw(column)})" if read else self._raw(column)

    def digits(self) -> str:
        """Return the key in hexadecimal digits."""
        return f"{self._raw('id', SENT)}.hex()"

    def leaf(self, column: str, type_: GraphQLOutputType) -> str:
        """Return a column as the answer has it."""
        found = self._as_it_is(column, type_)
        if found is None:
            return f"{self.builder.names.of(completer(type_))}({self.value(column)})"
        return f"{self.builder.names.of(required)}({found})" if self._may_lack(column, type_) else found

    def lacks(self, column: str, type_: GraphQLOutputType) -> str:
        """Return whether a column is null, looking at it as the answer has it if it has."""
        return f"{self._as_it_is(column, type_) or self._raw(column)} is None"

    def row(self, needs: tuple[str, ...] | None) -> str:
        """Return an object with these columns as attributes, and the id; or the model's own with all."""
        if needs is None:
            values = ", ".join(self._raw(column) for column in columns(self.model))
            made = f"{self.builder.names.of(whole(self.model))}(({values},))"
        else:
            names = tuple(dict.fromkeys(("id", *needs)))
            values = ", ".join(self.value(column) for column in names)
            made = f"{self.builder.names.of(partial(names))}({values})"
        return made

    def _raw(self, column: str, template: str = "{}") -> str:
        return f"r[{self.select.column(self.alias, column, template)}]"

    def _as_it_is(self, column: str, type_: GraphQLOutputType) -> str | None:
        """Return the column without anything done to it, where the answer has it so."""
        field = model_field(self.model, column)
        bare = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if field is None or isinstance(bare, GraphQLList):
            return None
        named = get_named_type(bare)
        if isinstance(named, GraphQLEnumType):
            return self._choice(column, field, named)
        if named.name == "Decimal" and isinstance(field, fields.DecimalField):
            return self._raw(column, "trim_scale({})::text")
        if named.name in TEXTS and columns(self.model)[column] == "text" and not hasattr(field, "enum_type"):
            return self._raw(column)
        return self._raw(column) if isinstance(field, AS_IT_IS.get(named.name, ())) else None

    def _choice(self, column: str, field: Any, type_: GraphQLEnumType) -> str | None:
        enum = getattr(field, "enum_type", None)
        if enum is None or columns(self.model)[column] != "text":
            return None
        if all(type_.coerce_output_value(member) == member.value for member in enum):
            return self._raw(column)
        return None

    def _may_lack(self, column: str, type_: GraphQLOutputType) -> bool:
        field = model_field(self.model, column)
        return isinstance(type_, GraphQLNonNull) and (field is None or bool(field.null))


Frame = ObjectFrame | RecordFrame


def model_field(model: type[Model], column: str) -> Any:
    """Return the model's field of a column; None for what is read beside the columns."""
    if column in NOUNS[model].derived:
        return None
    meta = model._meta
    return meta.fields_map[meta.fields_db_projection_reverse[column]]


@cache
def reader(model: type[Model], column: str) -> Callable[[Any], Any] | None:
    """Return what makes the model's attribute of a column's value; None where they are the same."""
    field = model_field(model, column)
    native = {name for name, _, _ in model._meta.db_native_fields}
    if field is None or column in native or isinstance(field, fields.DatetimeField | fields.UUIDField):
        return None
    if any(name == column for name, _, _ in model._meta.db_default_fields):
        made: Callable[[Any], Any] = field.field_type
        return lambda value: None if value is None else made(value)
    converted: Callable[[Any], Any] = field.to_python_value
    return converted


@cache
def whole(model: type[Model]) -> Callable[[Sequence[Any]], Any]:
    """Return what makes a model's instance of all its columns."""
    names = tuple(columns(model))
    return lambda values: model._init_from_db(**dict(zip(names, values, strict=True)))


@cache
def partial(names: tuple[str, ...]) -> Callable[..., Any]:
    """Return a class of rows with these attributes."""
    return namedtuple("Row", names)


@cache
def completer(type_: GraphQLOutputType) -> Callable[[Any], Any]:
    """Return what makes the answer of a value of a scalar or enum, or of lists of them; it raises Trouble."""
    if isinstance(type_, GraphQLNonNull):
        inner = completer(type_.of_type)
        return lambda value: required(inner(value))
    if isinstance(type_, GraphQLList):
        of = completer(type_.of_type)
        return lambda values: None if values is None else [of(value) for value in values]
    coerce: Callable[[Any], Any] = type_.coerce_output_value  # type: ignore[union-attr]

    def complete(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Exception):
            raise Trouble from value
        done = coerce(value)
        if done is None or done is Undefined:
            raise Trouble("a value that its type does not know")
        return done

    return complete


def required(value: Any) -> Any:
    if value is None:
        raise Trouble("null where none may be")
    return value
