"""The harness itself: a wrong answer does not pass, and a right one does."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from graphql import parse, print_ast

from domain.actors import Actor
from tests.oracle import compare, running
from tests.oracle.compare import Answer, Case, Told, answer, compared, nulled, possible_errors
from tests.oracle.documents import Drawn
from tests.oracle.minimise import minimised
from tests.oracle.running import Run
from tests.oracle.world import HOME, World

TREE: dict[str, Any] = {"leads": {"nodes": [{"id": "1", "title": "a"}, {"id": "2", "title": None}], "totalCount": 2}}
WRONG_ID = Told(("lead",), "BAD_USER_INPUT", "id is not an id of type Lead.")


def said(tree: Any, *errors: Told) -> Answer:
    return Answer(orjson.dumps(tree), errors)


RIGHT = said(TREE, WRONG_ID)


def test_the_same_answer_is_the_same() -> None:
    assert compared(RIGHT, said(orjson.loads(orjson.dumps(TREE)), WRONG_ID)) == []
    assert compared(said(TREE), said(TREE)) == []


def changed(change: Callable[[Any], object]) -> Answer:
    tree = orjson.loads(orjson.dumps(TREE))
    change(tree)
    return said(tree, WRONG_ID)


def swapped(tree: Any) -> None:
    entry = tree["leads"]["nodes"][0]
    entry["id"] = entry.pop("id")


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["leads"]["nodes"][0].update(title="b"),
        lambda tree: tree["leads"].update(totalCount=2.0),
        lambda tree: tree["leads"].update(totalCount="2"),
        lambda tree: tree["leads"]["nodes"].reverse(),
        lambda tree: tree["leads"]["nodes"].pop(),
        lambda tree: tree["leads"]["nodes"][1].pop("title"),
        lambda tree: tree["leads"]["nodes"][1].update(more=None),
        lambda tree: tree["leads"].update(nodes=None),
        swapped,
    ],
    ids=["value", "float", "text", "order", "entry", "missing key", "key too many", "null", "order of keys"],
)
def test_other_data_is_a_difference(change: Callable[[Any], object]) -> None:
    assert compared(changed(change), RIGHT)
    assert compared(RIGHT, changed(change))


@pytest.mark.parametrize(
    "errors",
    [
        (),
        (replace(WRONG_ID, message="something else"),),
        (replace(WRONG_ID, code="NOT_FOUND"),),
        (replace(WRONG_ID, path=("lead2",)),),
        (replace(WRONG_ID, path=None),),
        (replace(WRONG_ID, more='{"retryAfter":1}'),),
        (WRONG_ID, replace(WRONG_ID, path=("other",))),
        (WRONG_ID, WRONG_ID),
    ],
    ids=["none", "message", "code", "path", "no path", "extension", "one too many", "twice"],
)
def test_other_errors_are_a_difference(errors: tuple[Told, ...]) -> None:
    told = said(TREE, *errors)
    for possible in (None, {WRONG_ID}):
        assert compared(told, RIGHT, possible=possible)
        assert compared(RIGHT, told, possible=possible)


def test_what_went_wrong_inside_is_a_difference_even_where_both_say_so() -> None:
    masked = said(TREE, Told(("leads",), "INTERNAL", "Something went wrong on our side."))
    assert compared(masked, masked)
    assert compared(said(None, Told(None, "", "no code")), said(None, Told(None, "", "no code")))


# Two entries fail below a list that cannot hold null, so that the company is null for one of two reasons.
NULLED = {"company": None, "cursor": "x"}
FIRST = Told(("company", "nodes", 0, "leads"), "BAD_USER_INPUT", "bad cursor")
SECOND = Told(("company", "nodes", 1, "leads"), "BAD_USER_INPUT", "bad cursor")
ELSEWHERE = Told(("cursor",), "BAD_USER_INPUT", "bad cursor")


def test_below_a_nulled_parent_any_possible_error_will_do() -> None:
    possible = {FIRST, SECOND}
    assert compared(said(NULLED, FIRST), said(NULLED, SECOND))
    assert compared(said(NULLED, FIRST), said(NULLED, SECOND), possible=possible) == []
    assert compared(said(NULLED, FIRST, SECOND), said(NULLED, SECOND), possible=possible) == []
    assert compared(said(NULLED, FIRST), said(NULLED, FIRST, SECOND), possible=possible) == []


def test_below_a_nulled_parent_an_impossible_error_will_not_do() -> None:
    invented = replace(FIRST, message="invented")
    assert compared(said(NULLED, invented), said(NULLED, SECOND), possible={FIRST, SECOND})
    assert compared(said(NULLED, FIRST, invented), said(NULLED, SECOND), possible={FIRST, SECOND})
    assert compared(said(NULLED, FIRST, FIRST), said(NULLED, SECOND), possible={FIRST, SECOND})


def test_a_null_needs_its_reason() -> None:
    assert compared(said(NULLED), said(NULLED, SECOND), possible={FIRST, SECOND})
    assert compared(said(NULLED, FIRST), said(NULLED), possible={FIRST, SECOND})


def test_outside_the_nulled_parent_errors_are_the_same() -> None:
    assert compared(said(NULLED, FIRST, ELSEWHERE), said(NULLED, FIRST), possible={FIRST, SECOND, ELSEWHERE})
    assert compared(said(NULLED, FIRST), said(NULLED, FIRST, ELSEWHERE), possible={FIRST, SECOND, ELSEWHERE})


@pytest.mark.parametrize(
    ("tree", "path", "place"),
    [
        (None, ("a", "b"), ()),
        ({"a": None}, ("a", 0, "b"), ("a",)),
        ({"a": [{"b": None}]}, ("a", 0, "b"), ("a", 0, "b")),
        ({"a": [{"b": 1}]}, ("a", 0, "b"), None),
        ({"a": []}, ("a", 3), None),
        ({}, ("a",), None),
        ({"a": 1}, None, None),
    ],
)
def test_the_null_that_an_error_caused_is_found(tree: Any, path: Any, place: Any) -> None:
    assert nulled(tree, path) == place


@pytest.mark.parametrize("ids", [["x"], ["x", "y"]])
async def test_graphql_core_tells_every_error_that_it_could_have_told(
    actors: dict[str, Actor | None], ids: list[str]
) -> None:
    # Both lists are bad in every company, and none of them can be null.
    fields = " ".join(f'{one}: leads(after: "{one}") {{ totalCount }}' for one in ids)
    case = Case(f"{{ companies(first: 2) {{ nodes {{ {fields} }} }} }}")
    told = await answer(case, actors["admin"], engine=False)
    possible = await possible_errors(case, actors["admin"])
    assert told.data == b"null"
    assert len(told.errors) == 1
    assert set(told.errors) <= possible
    assert {error.path for error in possible} == {("companies", "nodes", at, one) for at in (0, 1) for one in ids}
    # It is told once; the next answer is as ever.
    assert await answer(case, actors["admin"], engine=False) == told


# A run notices each of these, whatever executor made them.
async def wrong_value(case: Case, actor: Actor | None, *, engine: bool, now: Any = None) -> Answer:
    told = await answer(case, actor, engine=False)
    return replace(told, data=told.data.replace(b"Oracle", b"Oracel")) if engine else told


async def wrong_order(case: Case, actor: Actor | None, *, engine: bool, now: Any = None) -> Answer:
    told = await answer(case, actor, engine=False)
    workspace = told.tree and told.tree.get("workspace")
    if not engine or not workspace:
        return told
    return replace(told, data=orjson.dumps({"workspace": dict(reversed(workspace.items()))}))


async def silent(case: Case, actor: Actor | None, *, engine: bool, now: Any = None) -> Answer:
    told = await answer(case, actor, engine=False)
    return replace(told, errors=()) if engine and told.tree else told


@pytest.mark.parametrize(
    ("executor", "document", "smallest"),
    [
        (
            wrong_value,
            "query Q($on: Boolean!) { workspace { ...W } viewer { locale } } "
            "fragment W on Workspace { id a: name @include(if: $on) version }",
            "query Q { workspace { ...W } } fragment W on Workspace { a: name }",
        ),
        (wrong_order, "{ workspace { id name version } }", "{ workspace { name version } }"),
        (silent, '{ cursor lead(id: "x") { id title } }', '{ lead(id: "x") { title } }'),
    ],
    ids=["value", "order of keys", "missing error"],
)
async def test_a_run_finds_a_wrong_answer_and_makes_it_small(
    run: Run, monkeypatch: pytest.MonkeyPatch, executor: Any, document: str, smallest: str
) -> None:
    monkeypatch.setattr(compare, "answer", executor)
    await run.case(Case(document, {"on": True}), "seed 1, document 2")
    [difference] = run.tally.differences
    assert difference.startswith("seed 1, document 2\n")
    for part in ("actor: admin", "variables: {}", "engine: ", "oracle: "):
        assert part in difference
    shown = " ".join(difference.partition("compiled: ")[2].partition("engine: ")[0].split("\n", 1)[1].split())
    assert print_ast(parse(shown)) == print_ast(parse(smallest))


async def test_a_difference_that_cannot_be_made_smaller_stays_as_it_is() -> None:
    case = Case("{ a { b } }", {"x": 1})

    async def differs(one: Case) -> bool:
        return one.document == case.document and bool(one.variables)

    assert await minimised(case, differs) == case
    assert await minimised(replace(case, document="{ a {"), differs) == replace(case, document="{ a {")


async def test_the_next_pages_follow_from_cursors_that_were_told(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = "query ($c: String) { leads(first: 2, after: $c) { nodes { id } edges { cursor } } }"
    drawn = Drawn(Case(document, {"c": None}), (("c", ("leads",)),))
    monkeypatch.setattr(running, "draw", lambda *_: drawn)
    tried: list[Case] = []
    told = run.case

    async def noted(case: Case, name: str) -> Answer:
        tried.append(case)
        return await told(case, name)

    monkeypatch.setattr(run, "case", noted)
    await run.number(1, 1)
    assert len(tried) == 1 + running.MOST_PAGES
    pages = [(await answer(case, run.actors["admin"], engine=False)).tree["leads"]["nodes"] for case in tried[:2]]
    assert len(pages[0]) == 2
    assert pages[0] != pages[1]


def test_the_world_is_the_same_from_the_same_seed(world: World) -> None:
    assert World().rows == world.rows
    assert World(world.seed + 1).rows != world.rows


async def test_who_asks_sees_different_parts_of_the_world(run: Run) -> None:
    seen = {}
    for name in ("admin", "manager", "rep", "lonely rep", "admin abroad", "reading partner", "blind partner"):
        told = await answer(Case("{ leads(first: 100) { totalCount } }"), run.actors[name], engine=False)
        seen[name] = told.tree["leads"]["totalCount"]
    leads = run.world.rows[HOME]
    assert seen["admin"] == sum(row["deleted_at"] is None for model in leads for row in leads[model] if "rank" in row)
    assert seen["admin"] > seen["manager"] > seen["rep"] > seen["lonely rep"] == seen["blind partner"] == 0
    assert seen["admin"] == seen["reading partner"] != seen["admin abroad"] > 0
