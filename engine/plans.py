"""The plans of one operation, compiled when they are first asked for and kept with its document."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
)
from graphql.execution.values import VariableValues

from engine.compiler import Compiler
from engine.levels import Finish, Level
from engine.selections import Selections, Unplannable

# Directives with many variables could ask for a plan a combination; who uses that many gets what was compiled last.
MOST_VARIANTS = 16

# How many operations went which way in this process, and why not as planned.
went: Counter[str] = Counter()


@dataclass(slots=True)
class Plan:
    """How an operation is answered: all of a query, or what each root field of another operation returns."""

    root: Level | None = None
    fields: dict[str, Finish] = field(default_factory=dict)
    why_not: str = ""


class Plans:
    """The plans of one operation, one for each combination of what its directives look at."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, name: str) -> None:
        self._schema = schema
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._operation = next(
            definition
            for definition in document.definitions
            if isinstance(definition, OperationDefinitionNode)
            and (definition.name.value if definition.name else "") == name
        )
        self._flags = tuple(sorted(set(_flags(document))))
        self._kept: dict[tuple[Any, ...], Plan] = {}

    def of(self, variables: VariableValues) -> Plan:
        """Return the plan for these variables; one that says why not, where there can be none."""
        flags = tuple(variables.coerced.get(name) for name in self._flags)
        plan = self._kept.get(flags)
        if plan is None:
            if len(self._kept) >= MOST_VARIANTS:
                self._kept.pop(next(iter(self._kept)))
            plan = self._kept[flags] = self._compiled(dict(zip(self._flags, flags, strict=True)))
        return plan

    def _compiled(self, flags: dict[str, Any]) -> Plan:
        compiler = Compiler(self._schema, self._fragments, flags)
        root = self._schema.get_root_type(self._operation.operation)
        assert root is not None
        try:
            if self._operation.operation is OperationType.QUERY:
                return Plan(root=compiler.root(root, self._operation.selection_set))
            fields = Selections(self._schema, self._fragments, flags).of(root, [self._operation.selection_set])
            return Plan(
                fields={
                    selected.key: compiler.value(selected.definition.type, selected.below)
                    for selected in fields
                    if selected.definition is not None
                }
            )
        except Unplannable as reason:
            return Plan(why_not=str(reason))


def _flags(document: DocumentNode) -> Iterator[str]:
    """Yield the variables that directives look at."""
    pending: list[Any] = [definition.selection_set for definition in document.definitions]  # type: ignore[attr-defined]
    while pending:
        for node in pending.pop().selections:
            for directive in node.directives or ():
                for argument in directive.arguments or ():
                    if isinstance(argument.value, VariableNode):
                        yield argument.value.name.value
            if getattr(node, "selection_set", None):
                pending.append(node.selection_set)
