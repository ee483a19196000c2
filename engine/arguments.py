"""Arguments of a field: coerced by graphql-core, converted by Strawberry, once where no variable has a say.

A literal that variables stand in is coerced once for all values of theirs, since graphql-core puts these in as they
are: what it then looks like depends only on which of them are missing or null.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
)
from graphql.execution.values import VariableValues, coerce_argument
from strawberry.scalars import ID
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import InputContext, convert_argument
from strawberry.types.base import StrawberryOptional
from strawberry.types.field import StrawberryField

NO_VARIABLES = VariableValues({}, {})
# Which variables are missing and which are null: who varies that more gets everything coerced anew.
MOST_SHAPES = 16


class Place:
    """Stands for the value of a variable in what a literal was coerced to."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class Arguments:
    """The arguments of one selection, as the functions behind resolvers take them."""

    def __init__(
        self,
        definition: GraphQLField,
        declared: StrawberryField,
        node: FieldNode,
        config: StrawberryConfig,
        scalars: Any,
    ) -> None:
        self._definition = definition
        self._node = node
        self._given = {argument.name.value: argument for argument in node.arguments or ()}
        named = {config.name_converter.from_argument(one): one for one in declared.arguments}
        self._makers = {name: (one.python_name, _maker(name, one.type, config, scalars)) for name, one in named.items()}
        asked = {name: list(_places(one.value, definition.args[name].type)) for name, one in self._given.items()}
        self._open = [name for name in definition.args if asked.get(name)]
        self._variables = tuple(dict.fromkeys(one for name in self._open for one in asked[name]))
        self._fixed: dict[str, Any] | None = None
        self._shapes: dict[tuple[Any, ...], dict[str, Any]] = {}

    def converted(self, variables: VariableValues) -> dict[str, Any]:
        """Return the arguments; raises what graphql-core and Strawberry would."""
        if self._fixed is None:
            others = [name for name in self._definition.args if name not in self._open]
            self._fixed = self._made(self._read(others, NO_VARIABLES))
        return self._fixed | self._made(self._coerced(variables)) if self._open else self._fixed

    def _coerced(self, variables: VariableValues) -> dict[str, Any]:
        values = variables.coerced
        shape = tuple(name in values and (values[name] is None or Place) for name in self._variables)
        found = self._shapes.get(shape)
        if found is None:
            if None in self._variables or len(self._shapes) >= MOST_SHAPES:
                return self._read(self._open, variables)
            places = {name: None if value is None else Place(name) for name, value in values.items()}
            found = self._shapes[shape] = self._read(self._open, VariableValues(variables.sources, places))
        return {name: _filled(value, values) for name, value in found.items()}

    def _read(self, names: list[str], variables: VariableValues) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in names:
            coerce_argument(
                found, self._node, name, self._definition.args[name], self._given.get(name), variables, None, False
            )
        return found

    def _made(self, coerced: dict[str, Any]) -> dict[str, Any]:
        made = {}
        for name, value in coerced.items():
            python_name, maker = self._makers[name]
            made[python_name] = value if maker is None else maker(value)
        return made


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """Return what a literal was coerced to with the values of variables in their places."""
    if isinstance(value, Place):
        return values[value.name]
    if isinstance(value, dict):
        return {name: _filled(inner, values) for name, inner in value.items()}
    return [_filled(inner, values) for inner in value] if isinstance(value, list) else value


def _places(value: ValueNode, type_: Any) -> Iterator[str | None]:
    """Yield the variables that stand in a literal; None for those within a scalar's own, which reads them itself."""
    type_ = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if isinstance(value, VariableNode):
        yield None if type_ is None else value.name.value
    elif isinstance(value, ListValueNode):
        of = type_.of_type if isinstance(type_, GraphQLList) else None
        for inner in value.values:
            yield from _places(inner, of)
    elif isinstance(value, ObjectValueNode):
        while isinstance(type_, GraphQLList | GraphQLNonNull):
            type_ = type_.of_type
        fields = type_.fields if isinstance(type_, GraphQLInputObjectType) else {}
        for field in value.fields:
            known = fields.get(field.name.value)
            yield from _places(field.value, known and known.type)


def _maker(name: str, type_: Any, config: StrawberryConfig, scalars: Any) -> Callable[[Any], Any] | None:
    """Return what makes Strawberry's value of graphql-core's; None where they are the same."""
    inner = type_.of_type if type(type_) is StrawberryOptional else type_
    if inner in (int, str, bool, ID):
        return None
    built = getattr(getattr(inner, "__strawberry_definition__", None), "from_input", None)
    if built is None:
        return lambda value: convert_argument(value, type_, scalars, config, path=(name,))
    context = InputContext(None, config, scalars, (name,))
    return lambda value: None if value is None else built(inner, value, context)
