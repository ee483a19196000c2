"""What an operation costs: an object 1, a scalar 0, a connection its page size, a `totalCount` 50.

What a mutation of many at once answers for each counts as often as its input names one.

A document is read once, each fragment of it once, into sums; only page sizes that are variables are left open. What
this yields beside the cost, since it comes by the same way: how deep lists nest, and whether the operation reads a
cursor of the event log, which needs a snapshot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    value_from_ast_untyped,
)

from engine.limits import fragments_of, in_order

OBJECT, TOTAL_COUNT = 1, 50
DEFAULT_PAGE, LARGEST_PAGE = 20, 100
# What a list without pages is taken for: stages of a pipeline, memberships of a person.
LIST = 10
# What mutations of many at once answer, one entry for each; so many where the input does not say.
RESULTS, MOST_RESULTS = "results", 500
NAMED = ("ids", "activities", "expectedCount")
MOST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """How long a list is: the first that is given of these arguments, or of its own accord."""

    given: tuple[ValueNode, ...] = ()
    otherwise: int = DEFAULT_PAGE

    @property
    def open(self) -> bool:
        return any(map(_has_variable, self.given))

    def of(self, variables: Mapping[str, Any]) -> int:
        """Return the size; raises GraphQLError for a page that is none."""
        for node in self.given:
            value = value_from_ast_untyped(node, dict(variables))
            if isinstance(value, list):
                return len(value)
            if isinstance(value, dict):
                return _named(value)
            if isinstance(value, float) and value.is_integer():
                value = int(value)
            if isinstance(value, int) and not isinstance(value, bool):
                if not 0 <= value <= LARGEST_PAGE:
                    message = f"A page has 0 to {LARGEST_PAGE} entries, not {value}."
                    raise GraphQLError(message, node, extensions={"code": "BAD_USER_INPUT"})
                return value
        return self.otherwise


@dataclass(slots=True)
class Sum:
    """What costs the same whatever comes, and sums before this one that count as often as a list is long."""

    fixed: int = 0
    terms: list[tuple[Size | None, int]] = field(default_factory=list)


@dataclass(slots=True)
class Reading:
    """A selection that was read. `rows` is what each entry costs, where it is a selection of a connection."""

    outer: Sum = field(default_factory=Sum)
    rows: Sum = field(default_factory=Sum)
    list_depth: int = 0
    snapshot: bool = False


@dataclass(slots=True)
class Cost:
    """The cost of an operation for any variables."""

    sums: list[Sum]
    list_depth: int
    snapshot: bool
    defaults: dict[str, Any]
    known: int | None = None

    def of(self, variables: Mapping[str, Any] | None) -> int:
        """Return the cost, a thousand million at most; raises GraphQLError for a page size that is none."""
        return self._added({**self.defaults, **(variables or {})}) if self.known is None else self.known

    def settle(self) -> None:
        """Add up once where no variable has a say."""
        if not any(size.open for total in self.sums for size, _ in total.terms if size):
            self.known = self._added({})

    def _added(self, variables: Mapping[str, Any]) -> int:
        values: list[int] = []
        for total in self.sums:
            value = total.fixed
            for size, index in total.terms:
                value += values[index] * (size.of(variables) if size else 1)
            values.append(min(value, MOST))
        return values[-1]


def costs(schema: GraphQLSchema, document: DocumentNode) -> dict[str, Cost]:
    """Return the cost of each operation of a valid document, by name."""
    fragments = fragments_of(document)
    reader = _Reader(schema)
    for name in in_order(fragments):
        reader.read_fragment(fragments[name])
    return {
        definition.name.value if definition.name else "": reader.read_operation(definition)
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    }


class _Reader:
    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self.sums: list[Sum] = []
        self.fragments: dict[str, tuple[Reading, int, int]] = {}
        # What the mutation that is being read was given.
        self.input: tuple[ValueNode, ...] = ()

    def read_fragment(self, fragment: FragmentDefinitionNode) -> None:
        reading = Reading()
        self._read(fragment.selection_set, self._type(fragment.type_condition.name.value), reading, 0)
        self.fragments[fragment.name.value] = reading, self._keep(reading.outer), self._keep(reading.rows)

    def read_operation(self, operation: OperationDefinitionNode) -> Cost:
        reading, kept = Reading(), len(self.sums)
        self._read(operation.selection_set, self.schema.get_root_type(operation.operation), reading, 0)
        self._keep(reading.outer)
        sums = self.sums[:]
        # Sums of one operation are nothing to the next; those of fragments are.
        del self.sums[kept:]
        defaults = {
            definition.variable.name.value: value_from_ast_untyped(definition.default_value)
            for definition in operation.variable_definitions or ()
            if definition.default_value
        }
        cost = Cost(sums, reading.list_depth, reading.snapshot, defaults)
        cost.settle()
        return cost

    def _read(self, selections: SelectionSetNode, parent: GraphQLNamedType | None, reading: Reading, at: int) -> None:
        for selection in selections.selections:
            if isinstance(selection, FragmentSpreadNode):
                self._read_spread(selection.name.value, reading, at)
            elif isinstance(selection, InlineFragmentNode):
                condition = selection.type_condition
                inner = self._type(condition.name.value) if condition else parent
                self._read(selection.selection_set, inner, reading, at)
            elif isinstance(selection, FieldNode):
                self._read_field(selection, parent, reading, at)

    def _read_spread(self, name: str, reading: Reading, at: int) -> None:
        if name in self.fragments:
            inner, outer, rows = self.fragments[name]
            reading.outer.terms.append((None, outer))
            reading.rows.terms.append((None, rows))
            reading.list_depth = max(reading.list_depth, at + inner.list_depth)
            reading.snapshot |= inner.snapshot

    def _read_field(self, node: FieldNode, parent: GraphQLNamedType | None, reading: Reading, at: int) -> None:
        name = node.name.value
        if name.startswith("__") or not isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            return
        declared = parent.fields[name].type
        named = get_named_type(declared)
        if is_leaf_type(named) or node.selection_set is None:
            reading.outer.fixed += TOTAL_COUNT * (name == "totalCount")
            reading.snapshot |= name == "cursor" and not _is_edge(parent)
            return
        if parent is self.schema.mutation_type:
            self.input = tuple(argument.value for argument in node.arguments or () if argument.name.value == "input")
        below = at + _is_list(declared)
        reading.list_depth = max(reading.list_depth, below)
        if _is_connection(parent):
            # A page's objects are counted by the connection, its PageInfo not at all.
            if name in ("nodes", "edges"):
                self._read_into(node.selection_set, named, reading, reading.rows, below)
        elif _is_connection(named):
            page = Reading(outer=reading.outer, rows=Sum(OBJECT))
            self._read(node.selection_set, named, page, below)
            self._carry(reading, page)
            reading.outer.terms.append((_size(node, "first", "last"), self._keep(page.rows)))
        elif _is_list(declared):
            each = Sum(OBJECT)
            self._read_into(node.selection_set, named, reading, each, below)
            reading.outer.terms.append((self._length(node, named), self._keep(each)))
        else:
            reading.outer.fixed += OBJECT * (not (_is_edge(parent) and name == "node"))
            self._read_into(node.selection_set, named, reading, reading.outer, below)

    def _read_into(
        self, selections: SelectionSetNode, of: GraphQLNamedType, reading: Reading, into: Sum, at: int
    ) -> None:
        inner = Reading(outer=into)
        self._read(selections, of, inner, at)
        self._carry(reading, inner)

    def _carry(self, reading: Reading, inner: Reading) -> None:
        reading.list_depth = max(reading.list_depth, inner.list_depth)
        reading.snapshot |= inner.snapshot

    def _length(self, node: FieldNode, named: GraphQLNamedType) -> Size:
        """Return how long a list without pages is taken for."""
        if named.name == "UserError":
            # Where there are any, there is little else.
            return Size(otherwise=OBJECT)
        if node.name.value == RESULTS:
            return Size(self.input, otherwise=MOST_RESULTS)
        return _size(node, "ids", "first", otherwise=LIST)

    def _keep(self, total: Sum) -> int:
        self.sums.append(total)
        return len(self.sums) - 1

    def _type(self, name: str) -> GraphQLNamedType | None:
        return self.schema.get_type(name)


def cost_of_one(of: GraphQLNamedType) -> int:
    """Return what an object of a type costs: what only holds a page together is free."""
    is_free = _is_connection(of) or _is_edge(of) or of.name == "PageInfo" or of.name.startswith("__")
    return 0 if is_free else OBJECT


def cost_of(value_type: Any, info: GraphQLResolveInfo[Any]) -> int:
    """Return what a value that graphql-core has completed costs, beside what is within it."""
    if isinstance(value_type, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType):
        return cost_of_one(value_type)
    return TOTAL_COUNT * (value_type is GraphQLInt and info.field_name == "totalCount")


def _size(node: FieldNode, *names: str, otherwise: int = DEFAULT_PAGE) -> Size:
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    return Size(tuple(given[name] for name in names if name in given), otherwise)


def _named(input: Mapping[str, Any]) -> int:
    """Return how many a mutation's input is about, as far as it may be about so many."""
    for name in NAMED:
        value = input.get(name)
        count = len(value) if isinstance(value, list) else value
        if isinstance(count, int):
            return min(max(count, 0), MOST_RESULTS)
    # What names nothing is refused.
    return OBJECT


def _has_variable(value: ValueNode) -> bool:
    if isinstance(value, ListValueNode):
        return any(map(_has_variable, value.values))
    if isinstance(value, ObjectValueNode):
        return any(_has_variable(field.value) for field in value.fields)
    return isinstance(value, VariableNode)


def _is_list(declared: Any) -> bool:
    return isinstance(declared.of_type if isinstance(declared, GraphQLNonNull) else declared, GraphQLList)


def _is_connection(of: GraphQLNamedType) -> bool:
    return isinstance(of, GraphQLObjectType) and of.name.endswith("Connection") and "pageInfo" in of.fields


def _is_edge(of: GraphQLNamedType) -> bool:
    return isinstance(of, GraphQLObjectType) and of.name.endswith("Edge") and "node" in of.fields
