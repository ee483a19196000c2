"""The smallest part of a document that still shows a difference."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from graphql import (
    REMOVE,
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from tests.oracle.compare import Case

MOST_TRIES = 400
REMOVABLE = (
    OperationDefinitionNode,
    FieldNode,
    InlineFragmentNode,
    FragmentSpreadNode,
    ArgumentNode,
    DirectiveNode,
    ObjectFieldNode,
)

StillDiffers = Callable[[Case], Awaitable[bool]]


async def minimised(case: Case, differs: StillDiffers) -> Case:
    """Return the case with all removed from its document that the difference does not need."""
    try:
        document = parse(case.document)
    except GraphQLError:
        return case
    tries, shrunk = 0, True
    while shrunk and tries < MOST_TRIES:
        shrunk, at = False, 0
        while tries < MOST_TRIES and (smaller := _without(document, at)) is not None:
            tries += 1
            candidate = replace(case, document=print_ast(smaller))
            if smaller.definitions and candidate.document != case.document and await differs(candidate):
                case, document, shrunk = candidate, smaller, True
            else:
                at += 1
    used = _variables(document)
    slim = replace(case, variables={name: value for name, value in case.variables.items() if name in used})
    return slim if await differs(slim) else case


def _without(document: DocumentNode, at: int) -> DocumentNode | None:
    """Return the document without its nth part, and without what only that part used; None where it has fewer."""
    removing = _Removing(at)
    smaller = visit(document, removing)
    return _pruned(smaller) if removing.done else None


class _Removing(Visitor):
    """Removes the nth part of a document."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.left, self.done = at, False

    def enter(self, node: Node, *_: Any) -> Any:
        if self.done or not isinstance(node, REMOVABLE):
            return None
        if self.left == 0:
            self.done = True
            return REMOVE
        self.left -= 1
        return None


def _pruned(document: DocumentNode) -> DocumentNode:
    """Drop fragments that nobody spreads, variables that nobody uses, and what has nothing left to select."""
    while True:
        spread: set[str] = set()
        visit(document, _Noting(FragmentSpreadNode, spread))
        used = _variables(document)
        pruning = _Pruning(spread, used)
        document = visit(document, pruning)
        if not pruning.changed:
            return document


def _variables(document: DocumentNode) -> set[str]:
    used: set[str] = set()
    visit(document, _Noting(VariableNode, used))
    return used


class _Noting(Visitor):
    """Notes the names of the nodes of a kind; a variable's declaration is no use of it."""

    def __init__(self, kind: type[Node], names: set[str]) -> None:
        super().__init__()
        self.kind, self.names = kind, names

    def enter(self, node: Node, _key: Any, parent: Any, *_: Any) -> None:
        if isinstance(node, self.kind) and not isinstance(parent, VariableDefinitionNode):
            self.names.add(node.name.value)  # type: ignore[attr-defined]


class _Pruning(Visitor):
    def __init__(self, spread: set[str], used: set[str]) -> None:
        super().__init__()
        self.spread, self.used, self.changed = spread, used, False

    def leave(self, node: Node, *_: Any) -> Any:
        if self._is_useless(node):
            self.changed = True
            return REMOVE
        return None

    def _is_useless(self, node: Node) -> bool:
        match node:
            case VariableDefinitionNode():
                return node.variable.name.value not in self.used
            case FragmentDefinitionNode():
                return node.name.value not in self.spread or not node.selection_set.selections
            case FieldNode() | InlineFragmentNode() if node.selection_set is not None:
                return not node.selection_set.selections
            case _:
                return False
