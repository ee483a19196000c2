"""What an operation selects of a type: fields merged by their response keys, fragments and directives applied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
)


class Unplannable(Exception):
    """The operation holds something that the compiler does not understand."""


@dataclass(slots=True)
class Selected:
    """A field as it is selected: by one node or several, whose arguments validation found to be the same."""

    key: str
    definition: GraphQLField | None
    nodes: list[FieldNode] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.nodes[0].name.value

    @property
    def below(self) -> list[SelectionSetNode]:
        return [node.selection_set for node in self.nodes if node.selection_set]


class Selections:
    """The selections of one operation, given the values of the variables that its directives look at.

    Fragments may fan out beyond any limit on the document's length, so what is read in all is bounded.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: Mapping[str, FragmentDefinitionNode],
        flags: Mapping[str, Any],
        *,
        most: int = 5_000,
    ) -> None:
        self.schema = schema
        self._fragments = fragments
        self._flags = flags
        self._left = most

    def of(self, parent: GraphQLObjectType, selections: Iterable[SelectionSetNode]) -> list[Selected]:
        """Return what is selected of an object of this type, in the order of the answer; raises Unplannable."""
        found: dict[str, Selected] = {}
        seen: set[str] = set()
        for selection in selections:
            self._collect(parent, selection, found, seen)
        return list(found.values())

    def _collect(
        self, parent: GraphQLObjectType, selections: SelectionSetNode, found: dict[str, Selected], seen: set[str]
    ) -> None:
        for node in selections.selections:
            if not self._included(node):
                continue
            if isinstance(node, FieldNode):
                self._add(parent, node, found)
                continue
            fragment: Any = node
            if isinstance(node, FragmentSpreadNode):
                if node.name.value in seen:
                    continue
                seen.add(node.name.value)
                fragment = self._fragments[node.name.value]
            if self._applies(parent, fragment.type_condition):
                self._collect(parent, fragment.selection_set, found, seen)

    def _add(self, parent: GraphQLObjectType, node: FieldNode, found: dict[str, Selected]) -> None:
        self._left -= 1
        if self._left < 0:
            raise Unplannable("too many fields")
        name = node.name.value
        if name.startswith("__") and name != "__typename":
            raise Unplannable("introspection")
        key = (node.alias or node.name).value
        if key not in found:
            found[key] = Selected(key, parent.fields.get(name))
        found[key].nodes.append(node)

    def _applies(self, parent: GraphQLObjectType, condition: Any) -> bool:
        if condition is None or condition.name.value == parent.name:
            return True
        named = self.schema.get_type(condition.name.value)
        return is_abstract_type(named) and self.schema.is_sub_type(named, parent)

    def _included(self, node: Any) -> bool:
        for directive in node.directives or ():
            name = directive.name.value
            if name not in ("skip", "include"):
                raise Unplannable(f"directive {name}")
            value = directive.arguments[0].value
            told = self._flags[value.name.value] if isinstance(value, VariableNode) else value.value
            if told is None:
                raise Unplannable("a directive without a value")
            if told is (name == "skip"):
                return False
        return True
