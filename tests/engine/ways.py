"""The schema as a map: by which lists and relations each type is reached from the root of queries."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from graphql import GraphQLField, GraphQLList, GraphQLNonNull, GraphQLObjectType, get_named_type, is_leaf_type

from engine.reads import Column, ConnectionOf, FewOf, Read, Relation
from schema.schema import graphql_schema

SCHEMA = graphql_schema._schema


@dataclass(frozen=True, slots=True)
class Step:
    """A field of an object type that leads to other objects."""

    type: str
    field: str
    read: Any
    to: str

    @property
    def is_list(self) -> bool:
        return isinstance(self.read, ConnectionOf | FewOf)

    def around(self, selection: str, *, total: bool = False) -> str:
        """Return the field with what is selected of what it leads to."""
        if isinstance(self.read, ConnectionOf):
            return f"{self.field}(first: $n) {{ nodes {{ {selection} }} {'totalCount ' if total else ''}}}"
        return f"{self.field} {{ {selection} }}"

    def __str__(self) -> str:
        return f"{self.type}.{self.field}"


@dataclass(frozen=True, slots=True)
class Way:
    """Steps from the root of queries."""

    steps: tuple[Step, ...] = ()

    @property
    def levels(self) -> int:
        return sum(step.is_list for step in self.steps)

    def then(self, step: Step) -> "Way":
        return Way((*self.steps, step))

    def document(self, selection: str, *, total: bool = False) -> str:
        """Return a query for pages of `$n`, with the number of all at the last step where `total` asks for it."""
        for place, step in enumerate(reversed(self.steps)):
            selection = step.around(selection, total=total and place == 0)
        paged = any(isinstance(step.read, ConnectionOf) for step in self.steps)
        return f"query{' ($n: Int)' if paged else ''} {{ {selection} }}"

    def lists(self, data: Any) -> list[list[Any]]:
        """Return the lists that the last list of the way gave, a list a parent."""
        found, last = [[data]], max((place for place, step in enumerate(self.steps) if step.is_list), default=-1)
        for step in self.steps[: last + 1]:
            parents = [parent for some in found for parent in some]
            values = [parent[step.field] for parent in parents if parent[step.field] is not None]
            if isinstance(step.read, ConnectionOf):
                found = [value["nodes"] for value in values]
            else:
                found = values if step.is_list else [[value] for value in values]
        return found


def object_type(name: str) -> GraphQLObjectType:
    found = SCHEMA.type_map[name]
    assert isinstance(found, GraphQLObjectType)
    return found


def read_of(field: GraphQLField) -> Read | None:
    """Return where a field is declared to come from."""
    declared = field.extensions.get("strawberry-definition")
    found: Read | None = declared.metadata.get("read") if declared else None
    return found


def steps_of(name: str) -> list[Step]:
    """Return the lists and relations of a type."""
    found = []
    for field, definition in object_type(name).fields.items():
        read, to = read_of(definition), get_named_type(definition.type)
        if isinstance(read, ConnectionOf):
            assert isinstance(to, GraphQLObjectType)
            to = get_named_type(to.fields["nodes"].type)
        if isinstance(read, ConnectionOf | FewOf | Relation):
            found.append(Step(name, field, read, to.name))
    return found


@cache
def ways() -> dict[str, Way]:
    """Return the shortest way of lists to each type of rows that can be reached, relations where there is no other."""
    found = {"Query": Way()}
    pending = ["Query"]
    while pending:
        name = pending.pop(0)
        for step in steps_of(name):
            if step.is_list and step.to not in found:
                found[step.to] = found[name].then(step)
                pending.append(step.to)
    return found


def row_types() -> list[str]:
    return [name for name in ways() if name != "Query"]


def list_steps() -> list[Step]:
    return [step for name in ways() for step in steps_of(name) if step.is_list]


def relation_steps() -> list[Step]:
    return [step for name in ways() for step in steps_of(name) if isinstance(step.read, Relation)]


def identity(name: str) -> str:
    """Return what tells one object of a type from another: its id, or a column where it has none."""
    fields = object_type(name).fields
    if "id" in fields:
        return "id"
    found: str = next(field for field, definition in fields.items() if isinstance(read_of(definition), Column))
    return found


def with_relation(name: str) -> str:
    """Return an object's identity and, where it has one, a relation of it."""
    relation = next((step for step in steps_of(name) if isinstance(step.read, Relation)), None)
    return f"{identity(name)} {relation.around(identity(relation.to)) if relation else ''}".strip()


def whole(name: str, *, depth: int = 2) -> str:
    """Return a selection of all of a type's leaves, and of the objects that are made of its own columns."""
    parts = ["__typename"]
    for field, definition in object_type(name).fields.items():
        named = get_named_type(definition.type)
        if any(isinstance(argument.type, GraphQLNonNull) for argument in definition.args.values()):
            continue
        if is_leaf_type(named):
            parts.append(field)
        elif isinstance(named, GraphQLObjectType) and depth and not _leads_away(definition):
            parts.append(f"{field} {{ {whole(named.name, depth=depth - 1)} }}")
    return " ".join(parts)


def _leads_away(field: GraphQLField) -> bool:
    return isinstance(read_of(field), ConnectionOf | FewOf | Relation)


def is_list_of_objects(field: GraphQLField) -> bool:
    inner = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
    return isinstance(inner, GraphQLList) and not is_leaf_type(get_named_type(inner))


def fields_reached() -> Iterator[tuple[str, str, GraphQLField]]:
    """Give every field of every object type that a query can reach, by whatever fields."""
    seen, pending = {"Query"}, ["Query"]
    while pending:
        name = pending.pop()
        for field, definition in object_type(name).fields.items():
            yield name, field, definition
            named: Any = get_named_type(definition.type)
            possible = [named] if isinstance(named, GraphQLObjectType) else []
            if not possible and not is_leaf_type(named):
                possible = SCHEMA.get_possible_types(named)
            for each in possible:
                if each.name not in seen:
                    seen.add(each.name)
                    pending.append(each.name)
