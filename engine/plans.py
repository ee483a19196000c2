"""The plans of one operation, compiled when they are first asked for and kept with its document."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLBoolean,
    GraphQLError,
    GraphQLID,
    GraphQLInputType,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    get_variable_values,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource

from engine.compiler import Compiler
from engine.levels import Finish, Level
from engine.selections import Selections, Unplannable

log = structlog.get_logger()
# Directives with many variables could ask for a plan a combination; who uses that many gets what was compiled last.
MOST_VARIANTS = 16
MOST_ERRORS = 50

# How many operations went which way in this process, and why not as planned.
went: Counter[str] = Counter()


@dataclass(slots=True)
class Plan:
    """How an operation is answered: all of a query or a mutation, or what each root field of a subscription tells."""

    root: Level | None = None
    fields: dict[str, Finish] = field(default_factory=dict)
    why_not: str = ""


class Plans:
    """The plans of one operation, one for each combination of what its directives look at."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, name: str) -> None:
        self.schema = schema
        self.fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self.operation = next(
            definition
            for definition in document.definitions
            if isinstance(definition, OperationDefinitionNode)
            and (definition.name.value if definition.name else "") == name
        )
        self.details = {name: FragmentDetails(fragment) for name, fragment in self.fragments.items()}
        self._flags = tuple(sorted(set(_flags(document))))
        self._signatures = [get_variable_signature(schema, node) for node in self.operation.variable_definitions or ()]
        self._kept: dict[tuple[Any, ...], Plan] = {}

    def variables(self, given: Mapping[str, Any]) -> VariableValues | list[GraphQLError]:
        """Return the operation's variables, coerced, or what is wrong with them; simple ones without ado."""
        sources, coerced = {}, {}
        for signature in self._signatures:
            if isinstance(signature, GraphQLError):
                break
            value = given.get(signature.name)
            if not _is_simple(value, signature.type):
                break
            sources[signature.name] = VariableValueSource(signature, value)
            coerced[signature.name] = value
        else:
            return VariableValues(sources, coerced)
        nodes = self.operation.variable_definitions or ()
        return get_variable_values(self.schema, nodes, dict(given), max_errors=MOST_ERRORS)

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
        compiler = Compiler(self.schema, self.fragments, flags)
        root = self.schema.get_root_type(self.operation.operation)
        assert root is not None
        try:
            if self.operation.operation is not OperationType.SUBSCRIPTION:
                return Plan(root=compiler.root(root, self.operation.selection_set))
            fields = Selections(self.schema, self.fragments, flags).of(root, [self.operation.selection_set])
            return Plan(
                fields={
                    selected.key: compiler.value(selected.definition.type, selected.below)
                    for selected in fields
                    if selected.definition is not None
                }
            )
        except Unplannable as reason:
            return Plan(why_not=str(reason))
        except Exception as fault:
            # A wrong declaration is a fault of ours, which tests look for; graphql-core answers meanwhile.
            log.exception("an operation could not be compiled")
            return Plan(why_not=type(fault).__name__)


def _is_simple(value: Any, type_: GraphQLInputType) -> bool:
    """Say whether coercing a value would only return it."""
    named = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
    if named is GraphQLInt:
        return type(value) is int and GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT
    if named is GraphQLString or named is GraphQLID:
        return type(value) is str
    return named is GraphQLBoolean and type(value) is bool


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
