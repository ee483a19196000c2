"""The engine answers as graphql-core does, byte for byte, whatever is asked and whoever asks."""

from functools import cache
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
)

from tests.oracle.documents import MISTAKES, SCHEMA, Drawn, draw
from tests.oracle.running import HAS_ENGINE, Run
from tests.oracle.world import World

# graphql-core leaves what a failed neighbour cancelled before it began, and Python remarks on it much later.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine .* was never awaited:RuntimeWarning"
)
SEEDS, DOCUMENTS = range(12), 200
MOST_SEEDS = 1_000
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


def left(wanted: set[str]) -> list[str]:
    """Return what no document of very many seeds has; what is rare is found in later ones than are asked."""
    for seed in range(MOST_SEEDS):
        wanted = wanted.difference(*(one.covered for one in drawn(seed)))
        if not wanted:
            break
    return sorted(wanted)


def test_every_field_and_argument_of_the_schema_is_drawn() -> None:
    assert left(outputs()) == []


def test_every_mistake_is_made() -> None:
    assert set(MISTAKES) - {one.case.wrong for seed in SEEDS for one in drawn(seed)} == set()


def test_every_input_field_and_enum_value_is_drawn() -> None:
    assert left(inputs()) == []


def test_a_seed_draws_the_same_again(world: World) -> None:
    assert [draw(World(), 3, number) for number in range(20)] == [draw(world, 3, number) for number in range(20)]


def outputs() -> set[str]:
    """Return every output field that a query can reach, and every argument of them."""
    return {
        told
        for type_ in reachable()
        for field, each in type_.fields.items()
        for told in (f"{type_.name}.{field}", *(f"{type_.name}.{field}({argument})" for argument in each.args))
    }


def inputs() -> set[str]:
    """Return every input field, and every value of an enum, that an argument of a query can hold."""
    found: set[str] = set()
    pending = [
        get_named_type(argument.type)
        for type_ in reachable()
        for each in type_.fields.values()
        for argument in each.args.values()
    ]
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
