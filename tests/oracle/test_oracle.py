"""The engine answers as graphql-core does, byte for byte, whatever is asked and whoever asks."""

from functools import cache
from random import Random
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
)

from tests.oracle.documents import MISTAKES, SCHEMA, Drawing, Drawn, Room, draw
from tests.oracle.running import HAS_ENGINE, Run
from tests.oracle.world import World

# graphql-core leaves what a failed neighbour cancelled before it began, and Python remarks on it much later.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine .* was never awaited:RuntimeWarning"
)
SEEDS, DOCUMENTS = range(12), 200
MOST_TRIES = 2_000
LEAST_COMPILED, SHOWN = 0.95, 5


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_executors_answer_the_same(run: Run, seed: int) -> None:
    for number in range(DOCUMENTS):
        await run.number(seed, number)
    assert not run.tally.unintended, "\n\n".join(run.tally.unintended)
    assert not run.tally.differences, "\n\n".join(run.tally.differences[:SHOWN])
    assert run.tally.documents >= DOCUMENTS
    assert run.tally.valid >= 0.8 * run.tally.documents
    assert run.tally.clean >= 0.6 * run.tally.documents
    if HAS_ENGINE:
        assert run.tally.share_compiled >= LEAST_COMPILED, "\n".join(run.tally.lines())


WORLD = World()


@cache
def drawn(seed: int) -> tuple[Drawn, ...]:
    """Return the documents of a seed; drawing is cheap."""
    return tuple(draw(WORLD, seed, number) for number in range(DOCUMENTS))


def test_every_field_and_argument_of_the_schema_is_drawn() -> None:
    """Whatever the seeds that are asked have not is looked for below the roots that lead to it soonest."""
    wanted = outputs().difference(*(one.covered for seed in SEEDS for one in drawn(seed)))
    ways = ways_from_roots()
    for number in range(MOST_TRIES):
        for type_name in sorted({one.partition(".")[0] for one in wanted}):
            wanted -= below(ways[type_name], f"{type_name} {number}")
        if not wanted:
            break
    assert sorted(wanted) == []


def below(roots: list[str], seed: str) -> set[str]:
    """Return what is drawn in a large document of one of the roots."""
    assert SCHEMA.query_type
    drawing = Drawing(WORLD, "admin", Random(seed), "")
    drawing.fields_left = 40
    drawing._field(SCHEMA.query_type, drawing.chance.choice(roots), Room(), (), drawing._shapes_at("", ""))
    return drawing.covered


def test_every_mistake_is_made() -> None:
    assert set(MISTAKES) - {one.case.wrong for seed in SEEDS for one in drawn(seed)} == set()


def test_every_input_field_and_enum_value_is_drawn() -> None:
    """Arguments are drawn as in documents, which all of them are part of."""
    within = {
        (name, argument): (each, inputs(one))
        for type_ in reachable()
        for name, each in type_.fields.items()
        for argument, one in each.args.items()
    }
    wanted = set[str]().union(*(values for _, values in within.values()))
    for number in range(MOST_TRIES):
        for (name, argument), (each, values) in within.items():
            if not wanted.isdisjoint(values):
                drawing = Drawing(WORLD, "admin", Random(f"{name} {argument} {number}"), "")
                drawing._argument(name, argument, each.args[argument], each)
                wanted -= drawing.values.drawn
        if not wanted:
            break
    assert sorted(wanted) == []


def test_a_seed_draws_the_same_again(world: World) -> None:
    other = World()
    assert [draw(other, 3, number) for number in range(20)] == [draw(world, 3, number) for number in range(20)]


def outputs() -> set[str]:
    """Return every output field that a query can reach, and every argument of them."""
    return {
        told
        for type_ in reachable()
        for field, each in type_.fields.items()
        for told in (f"{type_.name}.{field}", *(f"{type_.name}.{field}({argument})" for argument in each.args))
    }


def inputs(argument: GraphQLArgument) -> set[str]:
    """Return every input field, and every value of an enum, that an argument can hold."""
    found: set[str] = set()
    pending = [get_named_type(argument.type)]
    seen = set()
    while pending:
        type_ = pending.pop()
        if type_.name in seen:
            continue
        seen.add(type_.name)
        if isinstance(type_, GraphQLInputObjectType):
            found |= {f"{type_.name}.{field}" for field in type_.fields}
            pending += [get_named_type(each.type) for each in type_.fields.values()]
        elif isinstance(type_, GraphQLEnumType):
            found |= {f"{type_.name}.{value}" for value in type_.values}
    return found


def ways_from_roots() -> dict[str, list[str]]:
    """Return of every type the fields of a query that lead to it in the fewest steps."""
    assert SCHEMA.query_type
    at = {name: {get_named_type(each.type).name} for name, each in SCHEMA.query_type.fields.items()}
    known: dict[str, list[str]] = {SCHEMA.query_type.name: list(at)}
    while any(at.values()):
        new = set().union(*at.values()) - known.keys()
        known |= {type_name: [root for root in at if type_name in at[root]] for type_name in new}
        at = {root: {below for one in there & new for below in types_below(one)} for root, there in at.items()}
    return known


def types_below(type_name: str) -> list[str]:
    type_: Any = SCHEMA.type_map[type_name]
    fields = [get_named_type(each.type).name for each in getattr(type_, "fields", {}).values()]
    return fields + ([one.name for one in SCHEMA.get_possible_types(type_)] if is_abstract_type(type_) else [])


def reachable() -> list[GraphQLObjectType | GraphQLInterfaceType]:
    """Return the types with fields that a query can reach."""
    assert SCHEMA.query_type
    found: dict[str, GraphQLObjectType | GraphQLInterfaceType] = {}
    pending: list[Any] = [SCHEMA.query_type]
    while pending:
        type_ = pending.pop()
        if is_abstract_type(type_):
            pending += [possible for possible in SCHEMA.get_possible_types(type_) if possible.name not in found]
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and type_.name not in found:
            found[type_.name] = type_
            pending += [get_named_type(each.type) for each in type_.fields.values()]
    return list(found.values())
