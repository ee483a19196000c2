"""Arguments of a field: coerced by graphql-core, converted by Strawberry, once where no variable has a say."""

from typing import Any

from graphql import FieldNode, GraphQLField, ValueNode, VariableNode
from graphql.execution.values import VariableValues, coerce_argument
from strawberry.scalars import ID
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import convert_argument
from strawberry.types.base import StrawberryOptional
from strawberry.types.field import StrawberryField

NO_VARIABLES = VariableValues({}, {})


class Arguments:
    """The arguments of one selection. Both ways to read them raise what graphql-core would."""

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
        self._config = config
        self._scalars = scalars
        self._given = {argument.name.value: argument for argument in node.arguments or ()}
        self._declared = {config.name_converter.from_argument(one): one for one in declared.arguments}
        self._open = [name for name in definition.args if name in self._given and _asks(self._given[name].value)]
        self._fixed = [name for name in definition.args if name not in self._open]
        self._plain = {name for name, argument in self._declared.items() if _is_plain(argument.type)}
        self._coerced: dict[str, Any] | None = None
        self._converted: dict[str, Any] | None = None

    def coerced(self, variables: VariableValues) -> dict[str, Any]:
        """Return the arguments as the schema's resolvers take them."""
        if self._coerced is None:
            self._coerced = self._read(self._fixed, NO_VARIABLES)
        return self._coerced | self._read(self._open, variables) if self._open else self._coerced

    def converted(self, variables: VariableValues) -> dict[str, Any]:
        """Return the arguments as the functions behind the resolvers take them."""
        if self._converted is None:
            self._converted = self._made(self._read(self._fixed, NO_VARIABLES))
        return self._converted | self._made(self._read(self._open, variables)) if self._open else self._converted

    def _read(self, names: list[str], variables: VariableValues) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in names:
            coerce_argument(
                found, self._node, name, self._definition.args[name], self._given.get(name), variables, None, False
            )
        return found

    def _made(self, coerced: dict[str, Any]) -> dict[str, Any]:
        return {self._declared[name].python_name: self._convert(name, value) for name, value in coerced.items()}

    def _convert(self, name: str, value: Any) -> Any:
        if name in self._plain:
            return value
        type_ = self._declared[name].type
        return convert_argument(
            value=value, type_=type_, config=self._config, scalar_registry=self._scalars, path=(name,)
        )


def _is_plain(type_: Any) -> bool:
    """Say whether values of a type are the same for Strawberry as for graphql-core."""
    return (type_.of_type if isinstance(type_, StrawberryOptional) else type_) in (int, str, bool, ID)


def _asks(value: ValueNode) -> bool:
    """Say whether a variable occurs in a value."""
    pending: list[Any] = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, VariableNode):
            return True
        pending += getattr(node, "values", None) or ()
        pending += [field.value for field in getattr(node, "fields", None) or ()]
    return False
