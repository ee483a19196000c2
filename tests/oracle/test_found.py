"""Documents that once went wrong, under both executors."""

import orjson
import pytest
from graphql import is_required_argument

from domain.actors import Actor
from models.imports import ImportFault
from models.leads import Lead
from schema import ids
from tests.oracle.changes import done_and_taken_back
from tests.oracle.compare import Answer, Case, differences
from tests.oracle.documents import SCHEMA
from tests.oracle.world import HOME, World

Actors = dict[str, Actor | None]


async def same(actors: Actors, case: Case) -> Answer:
    """Return what both executors answer."""
    found, engine, _ = await differences(case, actors[case.actor])
    assert found == []
    return engine


async def test_who_sees_no_stages_is_shown_no_moves(actors: Actors) -> None:
    document = "{ leads { nodes { moves { allowed stage { name } } } } }"
    shown = await same(actors, Case(document))
    hidden = await same(actors, Case(document, actor="reading partner"))
    assert any(lead["moves"] for lead in shown.tree["leads"]["nodes"])
    assert {len(lead["moves"]) for lead in hidden.tree["leads"]["nodes"]} == {0}


async def test_a_neighbour_that_fails_spoils_no_snapshot_and_no_connection(actors: Actors) -> None:
    failing = Case('{ pipelines { nodes { cursor } } products(after: "x") { totalCount } leads { nodes { id } } }')
    for _ in range(20):
        told = await same(actors, failing)
        assert [(error.code, error.path) for error in told.errors] == [("BAD_USER_INPUT", ("products",))]
        assert (await same(actors, Case("{ cursor leads { nodes { id title } } }"))).errors == ()


async def test_a_page_of_nothing_leads_nowhere(actors: Actors, world: World) -> None:
    connections = [name for name, each in SCHEMA.query_type.fields.items() if "after" in each.args]  # type: ignore[union-attr]
    info = "totalCount nodes { __typename } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
    nowhere = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}
    assert len(connections) > 10
    for name in connections:
        if any(is_required_argument(each) for each in SCHEMA.query_type.fields[name].args.values()):  # type: ignore[union-attr]
            continue
        first = (await same(actors, Case(f"{{ {name}(first: 1) {{ pageInfo {{ endCursor }} }} }}"))).tree
        after = orjson.dumps(first[name]["pageInfo"]["endCursor"]).decode()
        document = f"{{ a: {name}(first: 0) {{ {info} }} b: {name}(last: 0) {{ {info} }} "
        document += f"c: {name}(first: 0, after: {after}) {{ {info} }} }}"
        told = await same(actors, Case(document))
        for page in told.tree.values():
            assert (page["nodes"], page["pageInfo"]) == ([], nowhere), name
    key = str(ids.encode("Lead", world.of(HOME, Lead)[0]["id"]))
    nested = (
        f"query ($id: ID!) {{ lead(id: $id) {{ timeline(first: 0) {{ {info} }} history(first: 0) {{ {info} }} }} }}"
    )
    for page in (await same(actors, Case(nested, {"id": key}))).tree["lead"].values():
        assert page["pageInfo"] == nowhere


async def test_a_wrong_cursor_of_a_list_takes_with_it_what_it_hangs_on_and_nothing_else(
    actors: Actors, world: World
) -> None:
    key = str(ids.encode("Lead", world.of(HOME, Lead)[0]["id"]))
    document = """query ($id: ID!) {
      broken: lead(id: $id) { title timeline(after: "x") { nodes { id } } } whole: lead(id: $id) { title }
      leads(first: 1) { nodes { id } }
    }"""
    told = await same(actors, Case(document, {"id": key}))
    assert [(error.code, error.path) for error in told.errors] == [("BAD_USER_INPUT", ("broken", "timeline"))]
    assert told.tree["broken"] is None
    assert told.tree["whole"]["title"] and len(told.tree["leads"]["nodes"]) == 1


async def test_a_page_goes_on_after_a_number_beyond_32_bits(actors: Actors, world: World) -> None:
    far = next(row for row in world.of(HOME, ImportFault) if row["line"] > 2**32)
    document = "query ($id: ID!, $at: String) { import(id: $id) { faults(last: 1, before: $at) { edges { cursor } } } }"
    variables = {"id": str(ids.encode("Import", far["of_import_id"])), "at": None}
    [edge] = (await same(actors, Case(document, variables))).tree["import"]["faults"]["edges"]
    assert (await same(actors, Case(document, variables | {"at": edge["cursor"]}))).errors == ()


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
async def test_an_instant_that_the_driver_takes_for_infinity_is_refused(actors: Actors, instant: str) -> None:
    document = "query ($at: DateTime) { leads(filter: { createdAt: { gt: $at } }) { totalCount } }"
    told = await same(actors, Case(document, {"at": instant}))
    assert told.codes == {"BAD_USER_INPUT"}


async def test_a_reference_that_postgresql_cannot_hold_is_refused_before_it_is_locked(
    actors: Actors, world: World
) -> None:
    refs = [{"system": "\x00", "externalId": "1"}]
    document = "mutation ($input: UpdateCompanyInput!) { updateCompany(input: $input) { userErrors { code field } } }"
    case = Case(document, {"input": {"id": world.gids(HOME, "Company")[0], "externalRefs": refs}})
    found, told, _ = await differences(case, actors["admin"], ask=done_and_taken_back)
    assert found == []
    assert told.tree["updateCompany"]["userErrors"] == [{"code": "MALFORMED", "field": ["externalRefs", "0", "system"]}]
