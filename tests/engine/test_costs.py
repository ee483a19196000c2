"""What an answer came to, told beside what was asked for: the same whichever executor answers."""

from typing import Any

import pytest

from domain.actors import Actor
from models.stages import StageKind
from schema.context import Context
from schema.execution import documents
from schema.schema import graphql_schema
from tests.factories import lead_in, seller, stage

LEADS = 3
COUNT = 50


@pytest.fixture
async def admin(db: str) -> Actor:
    actor = await seller()
    board = await stage(actor, StageKind.PROSPECT)
    for _ in range(LEADS):
        await lead_in(board)
    return actor


async def cost(actor: Actor, document: str, *, engine: bool, **variables: Any) -> dict[str, int]:
    context = Context(identity=actor, engine=engine)
    result = await graphql_schema.execute(document, variables, context_value=context)
    assert result.errors is None
    assert result.extensions is not None
    assert bool(context.compiled) is engine
    told: dict[str, int] = result.extensions["cost"]
    return told


@pytest.mark.parametrize("engine", [True, False])
@pytest.mark.parametrize(
    ("document", "actual"),
    [
        ("{ leads { nodes { id } } }", LEADS),
        ("{ leads(first: 2) { nodes { id } } }", 2),
        ("{ leads { totalCount } }", COUNT),
        ("{ leads { edges { node { stage { name } pipeline { name } } } pageInfo { hasNextPage } } }", 3 * LEADS),
        ("{ leads { nodes { tags { name } needs { nodes { title } } } } }", LEADS),
        ("{ viewer { user { name } workspace { name } } }", 3),
        ('{ lead(id: "Lead_018cc251000070008000000000000000") { id stage { name } } }', 0),
    ],
)
async def test_the_actual_cost_is_of_what_was_found(admin: Actor, document: str, actual: int, engine: bool) -> None:
    told = await cost(admin, document, engine=engine)
    assert told["actual"] == actual
    assert told["actual"] <= told["requested"]


async def test_a_mutation_costs_what_it_returns(admin: Actor) -> None:
    document = """
    mutation ($name: String!) { createTag(input: {name: $name}) { tag { id name } userErrors { message } } }
    """
    told = [await cost(admin, document, engine=engine, name=f"Tag {engine}") for engine in (True, False)]
    assert [one["actual"] for one in told] == [2, 2]


MANY = "mutation ($input: TagLeadsInput!) { tagLeads(input: $input) { results { lead { id stage { name } } } } }"
IN_FRAGMENT = """
fragment All on LeadsPayload { results { lead { id stage { name } } } }
mutation ($input: TagLeadsInput!) { tagLeads(input: $input) { ...All } }
"""


@pytest.mark.parametrize(
    ("document", "named", "requested"),
    [
        (MANY, {"ids": ["a"] * 7, "tagIds": ["b"]}, 1 + 7 * 3),
        (MANY, {"filter": {}, "expectedCount": 40, "tagIds": ["b"]}, 1 + 40 * 3),
        (MANY, {"filter": {}, "expectedCount": 9_000, "tagIds": ["b"]}, 1 + 500 * 3),
        (MANY, {"filter": {}}, 1 + 3),
        (MANY.replace("$input)", "{ids: $ids, tagIds: []})").replace("$input: TagLeadsInput", "$ids: [ID!]"), None, 10),
        (IN_FRAGMENT, {"ids": ["a"] * 7, "tagIds": ["b"]}, 1 + 500 * 3),
    ],
)
def test_what_is_done_with_many_costs_as_much_as_there_are(document: str, named: Any, requested: int) -> None:
    prepared = documents(graphql_schema._schema).prepare(document, max_tokens=5_000)
    given = {"ids": ["a"] * 3} if named is None else {"input": named}
    assert prepared.operation(None).cost.of(given) == requested
