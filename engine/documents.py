"""Documents, read once: parsed, held against the limits, validated and costed, and kept by their text."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    ValueNode,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from engine import limits
from engine.costs import Cost, costs
from engine.plans import Plans
from settings import Settings

MOST_KEPT, MOST_TOKENS_KEPT, LONGEST_KEPT = 1_000, 500_000, 64 * 1024
MOST_COMMENTS = 1_000
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a document.

    `roots` are its root fields by name, each with what its argument `input` says of an idempotency key: a value, or
    the variable that is all of the input.
    """

    name: str
    type: OperationType
    cost: Cost
    roots: tuple[tuple[str, ValueNode | None], ...]
    plans: Plans


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that may be executed."""

    document: DocumentNode
    tokens: int
    operations: dict[str, Operation]

    def operation(self, name: str | None) -> Operation:
        """Return the operation asked for; raises GraphQLError where it is not clear which."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is None:
            raise refused("The document has several operations: name one in operationName.")
        if name not in self.operations or not name:
            raise refused(f"The document has no operation {name!r}.")
        return self.operations[name]


class Refused(Exception):
    """A document that may not be executed."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors)
        self.errors = errors


@dataclass
class Documents:
    """The documents of one schema, the least recently used of which are forgotten."""

    schema: GraphQLSchema
    settings: Settings
    kept: OrderedDict[str, Prepared] = field(default_factory=OrderedDict)
    tokens: int = 0

    def prepare(self, text: str, *, max_tokens: int) -> Prepared:
        """Return a document ready to be executed; raises Refused."""
        found = self.kept.get(text)
        if found is None:
            found = self._read(text, max_tokens)
            self._keep(text, found)
        else:
            self.kept.move_to_end(text)
        if found.tokens > max_tokens:
            raise Refused([limits.too_much("tokens", max_tokens)])
        return found

    def _read(self, text: str, max_tokens: int) -> Prepared:
        document = _parsed(text, max_tokens)
        errors = limits.check(document, self.settings) or validate(
            self.schema, document, self._rules(), hide_suggestions=not self.settings.allows_introspection
        )
        if errors:
            raise Refused(errors)
        found = costs(self.schema, document)
        deepest = max((cost.list_depth for cost in found.values()), default=0)
        if deepest > self.settings.max_list_depth:
            raise Refused([limits.too_much("list depth", self.settings.max_list_depth)])
        return Prepared(document, document.token_count or 0, dict(_operations(self.schema, document, found)))

    def _rules(self) -> tuple[Any, ...]:
        return RULES if self.settings.allows_introspection else (*RULES, NoSchemaIntrospectionCustomRule)

    def _keep(self, text: str, prepared: Prepared) -> None:
        if len(text) > LONGEST_KEPT:
            return
        self.kept[text] = prepared
        self.tokens += prepared.tokens
        while len(self.kept) > MOST_KEPT or self.tokens > MOST_TOKENS_KEPT:
            _, forgotten = self.kept.popitem(last=False)
            self.tokens -= forgotten.tokens


def refused(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})


def _parsed(text: str, max_tokens: int) -> DocumentNode:
    try:
        return parse(text, max_lexical_tokens=max_tokens, max_comments=MOST_COMMENTS)
    except GraphQLError as error:
        # The parser has no error of its own for this.
        if f"more than {max_tokens} tokens" in error.message:
            raise Refused([limits.too_much("tokens", max_tokens)]) from error
        raise Refused([error]) from error


def _operations(
    schema: GraphQLSchema, document: DocumentNode, costs: dict[str, Cost]
) -> Iterator[tuple[str, Operation]]:
    fragments = limits.fragments_of(document)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            name = definition.name.value if definition.name else ""
            roots = tuple((node.name.value, _key(node)) for node in _roots(definition, fragments))
            plans = Plans(schema, document, name)
            yield name, Operation(name, definition.operation, costs[name], roots, plans)


def _roots(operation: OperationDefinitionNode, fragments: limits.Fragments) -> Iterator[FieldNode]:
    pending, seen = [operation.selection_set], set()
    while pending:
        for selection in pending.pop(0).selections:
            if isinstance(selection, FieldNode):
                yield selection
            elif (name := getattr(selection, "name", None)) is None:
                pending.append(selection.selection_set)  # type: ignore[attr-defined]
            elif name.value not in seen:
                seen.add(name.value)
                pending.append(fragments[name.value].selection_set)


def _key(field: FieldNode) -> ValueNode | None:
    for argument in field.arguments or ():
        if argument.name.value == "input" and isinstance(argument.value, ObjectValueNode):
            return next((one.value for one in argument.value.fields if one.name.value == "idempotencyKey"), None)
        if argument.name.value == "input":
            return argument.value
    return None
