"""Arguments of a field: coerced by graphql-core, converted by Strawberry, once where no variable has a say."""

from typing import Any

from graphql import FieldNode, GraphQLField, ValueNode, VariableNode, get_argument_values
from graphql.execution.values import VariableValues
from strawberry.schema.config import StrawberryConfig
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField


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
        self._declared = declared
        self._node = node
        self._config = config
        self._scalars = scalars
        self.constant = not any(_asks(argument.value) for argument in node.arguments or ())
        self._coerced: dict[str, Any] | None = None
        self._converted: dict[str, Any] | None = None

    def coerced(self, variables: VariableValues) -> dict[str, Any]:
        """Return the arguments as the schema's resolvers take them."""
        if self._coerced is not None:
            return self._coerced
        found = get_argument_values(self._definition, self._node, variables) if self._definition.args else {}
        if self.constant:
            self._coerced = found
        return found

    def converted(self, variables: VariableValues) -> dict[str, Any]:
        """Return the arguments as the functions behind the resolvers take them."""
        if self._converted is not None:
            return self._converted
        coerced = self.coerced(variables)
        found = convert_arguments(coerced, self._declared.arguments, scalar_registry=self._scalars, config=self._config)
        if self.constant:
            self._converted = found
        return found


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
