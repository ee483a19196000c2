"""What a document may look like, measured before it is validated and in time linear in its length."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from settings import Settings

# Steps of a path that lead through a list or a type rather than to something new.
FREE = frozenset({"edges", "nodes", "node", "ofType"})
# The rule that merges fields compares them pairwise, so these bound what their number may cost it.
MOST_FRAGMENTS = 100
MOST_REPEATS = 25

Fragments = Mapping[str, FragmentDefinitionNode]


@dataclass(slots=True)
class Measures:
    """The measures of an operation with its fragments, each of which counts once but for depth."""

    depth: int = 0
    root_fields: int = 0
    aliases: int = 0
    directives: int = 0
    repeats: int = 0


@dataclass(slots=True)
class _Part(Measures):
    """An operation or a fragment by itself, and which fragments it spreads at which depth."""

    spreads: dict[str, int] = field(default_factory=dict)
    at_root: list[str] = field(default_factory=list)


def check(document: DocumentNode, settings: Settings) -> list[GraphQLError]:
    """Return what of a document is too much."""
    fragments = fragments_of(document)
    if len(fragments) > MOST_FRAGMENTS:
        return [too_much("fragments", MOST_FRAGMENTS)]
    parts = {name: _part(fragment) for name, fragment in fragments.items()}
    order = in_order(fragments)
    depths: dict[str, int] = {}
    for name in order:
        depths[name] = _depth(parts[name], depths)
    errors = []
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            errors += _faults(_measures(_part(definition), parts, depths), settings)
    return errors


def too_much(what: str, maximum: int) -> GraphQLError:
    """Return the error that says which limit an operation is beyond."""
    return GraphQLError(
        f"The operation has too many {what}: at most {maximum} are allowed."
        if what not in ("depth", "list depth")
        else f"The operation is too deep: its {what} may be at most {maximum}.",
        extensions={"code": "BAD_USER_INPUT", "limit": what, "maximum": maximum},
    )


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }


def in_order(fragments: Fragments) -> list[str]:
    """Return the fragments so that each comes after those that it spreads; a circle is cut somewhere."""
    uses = {name: list(spreads(fragment.selection_set)) for name, fragment in fragments.items()}
    found: dict[str, None] = {}
    seen: set[str] = set()
    for start in fragments:
        pending = [(start, False)]
        while pending:
            name, done = pending.pop()
            if done:
                found[name] = None
            elif name not in seen:
                seen.add(name)
                pending.append((name, True))
                pending += [(used, False) for used in uses[name] if used in fragments]
    return list(found)


def spreads(selections: SelectionSetNode) -> Iterator[str]:
    """Give the names of the fragments that a selection spreads, at whatever depth."""
    pending = [selections]
    while pending:
        for selection in pending.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                yield selection.name.value
            elif isinstance(selection, FieldNode | InlineFragmentNode) and selection.selection_set:
                pending.append(selection.selection_set)


def _part(definition: OperationDefinitionNode | FragmentDefinitionNode) -> _Part:
    part = _Part(directives=len(definition.directives or ()))
    names: dict[str, int] = {}
    pending = [(definition.selection_set, 0, True, names)]
    while pending:
        selections, depth, at_root, names = pending.pop()
        for selection in selections.selections:
            part.directives += len(selection.directives or ())
            if isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                part.spreads[name] = max(depth, part.spreads.get(name, 0))
                if at_root:
                    part.at_root.append(name)
            elif isinstance(selection, InlineFragmentNode):
                pending.append((selection.selection_set, depth, at_root, names))
            elif isinstance(selection, FieldNode):
                answered = (selection.alias or selection.name).value
                names[answered] = names.get(answered, 0) + 1
                part.repeats = max(part.repeats, names[answered])
                part.aliases += selection.alias is not None
                part.root_fields += at_root
                below = depth + (selection.name.value not in FREE)
                part.depth = max(part.depth, below)
                if selection.selection_set:
                    pending.append((selection.selection_set, below, False, {}))
    return part


def _depth(part: _Part, depths: Mapping[str, int]) -> int:
    return max(part.depth, *(at + depths.get(name, 0) for name, at in part.spreads.items()), 0)


def _measures(operation: _Part, parts: Mapping[str, _Part], depths: Mapping[str, int]) -> Measures:
    used = [operation, *_reached(operation, parts, lambda part: part.spreads)]
    roots = [operation, *_reached(operation, parts, lambda part: part.at_root)]
    return Measures(
        depth=_depth(operation, depths),
        root_fields=sum(part.root_fields for part in roots),
        aliases=sum(part.aliases for part in used),
        directives=sum(part.directives for part in used),
        repeats=max(part.repeats for part in used),
    )


def _reached(start: _Part, parts: Mapping[str, _Part], links: Callable[[_Part], Iterable[str]]) -> list[_Part]:
    found: dict[str, _Part] = {}
    pending = [start]
    while pending:
        for name in links(pending.pop()):
            if name in parts and name not in found:
                found[name] = parts[name]
                pending.append(parts[name])
    return list(found.values())


def _faults(measured: Measures, settings: Settings) -> list[GraphQLError]:
    limits = {
        "depth": (measured.depth, settings.max_depth),
        "root fields": (measured.root_fields, settings.max_root_fields),
        "aliases": (measured.aliases, settings.max_aliases),
        "directives": (measured.directives, settings.max_directives),
        "repetitions of a field": (measured.repeats, MOST_REPEATS),
    }
    return [too_much(what, most) for what, (found, most) in limits.items() if found > most]
