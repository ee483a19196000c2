"""Plans: kept with their documents, one for each answer of its directives, and out of the way where they cannot be."""

import asyncio
from collections.abc import Iterator
from itertools import product
from typing import Any

import orjson
import pytest
from graphql import parse
from strawberry.dataloader import DataLoader

from api.answers import Answers
from api.live.subscriptions import Message, Occurrence
from domain import users
from domain.actors import ALL, Actor
from engine import documents as kept_documents
from engine.documents import Documents
from engine.levels import Resolved
from engine.plans import MOST_VARIANTS, Plans, went
from engine.selections import Selections
from models.base import uuid7
from models.companies import Company
from models.events import LiveEvent
from models.leads import Lead
from models.needs import Need
from models.stages import StageKind
from models.users import Role
from schema.context import Context
from schema.execution import ask as asked_of
from schema.live_watches import Step
from schema.schema import graphql_schema
from settings import settings
from tests.engine.running import planned, ran
from tests.factories import NOW, events, lead_in, member, seller, stage
from tests.schema.asking import ask, gid

pytestmark = pytest.mark.usefixtures("db")

SCHEMA = graphql_schema._schema
MAX_TOKENS, ENDLESS = 100_000, 20_000


@pytest.fixture
def documents() -> Documents:
    return Documents(SCHEMA, settings())


def plans_of(documents: Documents, text: str, name: str | None = None) -> Plans:
    return documents.prepare(text, max_tokens=MAX_TOKENS).operation(name).plans


def variables(plans: Plans, **given: Any) -> Any:
    found = plans.variables(given)
    assert not isinstance(found, list), found
    return found


# Kept


def test_a_document_is_compiled_once_for_its_text(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = _counted(monkeypatch, Plans, "_compiled")
    text = "query ($id: ID!) { lead(id: $id) { title } }"
    plans = plans_of(documents, text)
    first = plans.of(variables(plans, id="a"))
    again = plans_of(documents, text)
    assert again is plans
    assert again.of(variables(plans, id="b")) is first
    assert len(compiled) == 1
    assert plans_of(documents, text + " ") is not plans


def test_every_operation_of_a_document_has_plans_of_its_own(documents: Documents) -> None:
    text = """query A { leads { totalCount } } query B { companies { totalCount } }
      mutation C { signOut(input: {}) { clientMutationId } }"""
    plans = {name: plans_of(documents, text, name) for name in "ABC"}
    assert len(set(map(id, plans.values()))) == 3
    assert plans_of(documents, text, "A") is plans["A"]
    assert plans["A"].of(variables(plans["A"])).root is not None
    made = plans["C"].of(variables(plans["C"])).root
    assert made is not None and [child.key for child in made.children if isinstance(child, Resolved)] == ["signOut"]


def test_documents_least_lately_used_are_forgotten(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_documents, "MOST_KEPT", 3)
    texts = [f"{{ a{number}: cursor }}" for number in range(4)]
    plans = [plans_of(documents, text) for text in texts[:3]]
    assert plans_of(documents, texts[0]) is plans[0]
    plans_of(documents, texts[3])
    assert list(documents.kept) == [texts[2], texts[0], texts[3]]
    assert plans_of(documents, texts[1]) is not plans[1]


def test_what_is_kept_is_bounded_by_its_tokens(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_documents, "MOST_TOKENS_KEPT", 60)
    for number in range(40):
        plans_of(documents, f"{{ a{number}: cursor b: cursor }}")
        assert documents.tokens == sum(prepared.tokens for prepared in documents.kept.values()) <= 60
    assert documents.kept


def test_a_very_long_document_is_answered_and_not_kept(documents: Documents) -> None:
    text = "{ cursor }" + " " * (64 * 1024)
    plans = plans_of(documents, text)
    assert plans.of(variables(plans)).root is not None
    assert not documents.kept
    assert documents.tokens == 0


def _counted(monkeypatch: pytest.MonkeyPatch, of: type, name: str) -> list[Any]:
    """Return a list that grows with each call of a method."""
    calls: list[Any] = []
    method = getattr(of, name)

    def counting(self: Any, *args: Any) -> Any:
        calls.append(args)
        assert len(calls) < ENDLESS
        return method(self, *args)

    monkeypatch.setattr(of, name, counting)
    return calls


# Variants

FLAGS = ("a", "b", "c", "d", "e")
VARIED = """query ($a: Boolean!, $b: Boolean!, $c: Boolean!, $d: Boolean!, $e: Boolean!, $n: Int) {
  leads(first: $n) @include(if: $a) { nodes {
    title @skip(if: $b) ...Owned @include(if: $c) ... @skip(if: $d) { rank } } }
  again: leads(first: $n) { nodes { id @include(if: $a) @skip(if: $e) version } }
}
fragment Owned on Lead { owner { name @include(if: $b) email } }"""


async def test_every_combination_of_flags_is_answered_as_without_plans(admin: Actor) -> None:
    for chosen in product((True, False), repeat=len(FLAGS)):
        flags = dict(zip(FLAGS, chosen, strict=True))
        found = await planned(admin, VARIED, **flags, n=2)
        assert found.data == (await ran(admin, VARIED, engine=False, **flags, n=2)).data, flags


async def test_variants_are_kept_and_bounded(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = _counted(monkeypatch, Plans, "_compiled")
    plans = plans_of(documents, VARIED)
    for chosen in product((True, False), repeat=len(FLAGS)):
        flags = dict(zip(FLAGS, chosen, strict=True))
        first = plans.of(variables(plans, **flags, n=1))
        assert plans.of(variables(plans, **flags, n=9)) is first
        assert len(plans._kept) <= MOST_VARIANTS
    assert len(compiled) == 2 ** len(FLAGS)


def test_variables_that_no_directive_looks_at_make_no_variants(documents: Documents) -> None:
    plans = plans_of(documents, "query ($n: Int, $f: LeadFilter) { leads(first: $n, filter: $f) { totalCount } }")
    kept = {
        id(plans.of(variables(plans, n=number, f=passing)))
        for number in range(5)
        for passing in ({}, {"title": {"eq": "a"}}, None)
    }
    assert len(kept) == 1


@pytest.mark.parametrize("directive", ["skip", "include"])
async def test_a_directive_that_is_given_null_is_told_as_by_graphql_core(admin: Actor, directive: str) -> None:
    document = f"query ($x: Boolean = true) {{ cursor leads @{directive}(if: $x) {{ totalCount }} }}"
    found, oracle = await ran(admin, document, x=None), await ran(admin, document, engine=False, x=None)
    assert found.errors == oracle.errors
    assert len(found.errors) == 1
    assert found.data == oracle.data
    assert (await planned(admin, document)).data == (await ran(admin, document, engine=False)).data


# Out of the way


def fanned_out(levels: int, leaves: str) -> str:
    """Return a document whose fragments double at every level."""
    parts = [f"fragment F{level} on Company {{ a: parent {{ ...F{level + 1} }} b: parent {{ ...F{level + 1} }} }}"
             for level in range(levels)]  # fmt: skip
    return "\n".join(
        ["{ companies(first: 1) { nodes { ...F0 } } }", *parts, f"fragment F{levels} on Company {{ {leaves} }}"]
    )


def test_fragments_that_fan_out_are_given_up_after_a_bounded_while(monkeypatch: pytest.MonkeyPatch) -> None:
    read = _counted(monkeypatch, Selections, "_add")
    plans = Plans(SCHEMA, parse(fanned_out(60, "id")), "")
    assert plans.of(variables(plans)).why_not == "too many fields"
    assert len(read) <= 5_001


def test_fragments_that_fan_out_by_inline_fragments_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = _counted(monkeypatch, Selections, "_collect")
    parts = [f"fragment F{level} on Lead {{ ...F{level + 1} ... {{ ...F{level + 1} }} ...F{level + 1} }}"
             for level in range(80)]  # fmt: skip
    text = "\n".join(["{ leads { nodes { ...F0 } } }", *parts, "fragment F80 on Lead { id }"])
    plans = Plans(SCHEMA, parse(text), "")
    assert plans.of(variables(plans)).root is not None
    assert len(read) < 500


async def test_what_fans_out_too_far_is_answered_by_graphql_core(admin: Actor) -> None:
    document = fanned_out(9, " ".join(f"x{number}: name" for number in range(10)))
    found = await ran(admin, document)
    assert (found.compiled, found.why_not) == (False, "too many fields")
    assert not found.errors
    assert found.data == (await ran(admin, document, engine=False)).data
    smaller = fanned_out(7, " ".join(f"x{number}: name" for number in range(10)))
    assert (await planned(admin, smaller)).data == (await ran(admin, smaller, engine=False)).data


@pytest.mark.parametrize("asked", ["__schema { queryType { name } }", '__type(name: "Lead") { name }'])
async def test_introspection_is_answered_by_graphql_core(admin: Actor, asked: str) -> None:
    found = await ran(admin, f"{{ leads(first: 1) {{ totalCount }} {asked} }}")
    assert (found.compiled, found.why_not) == (False, "introspection")
    assert not found.errors
    assert found.data["leads"] == {"totalCount": 60}


async def test_names_of_types_need_no_introspection(admin: Actor) -> None:
    found = await planned(
        admin, "{ __typename leads(first: 1) { __typename edges { __typename node { __typename } } } }"
    )
    edge = {"__typename": "LeadEdge", "node": {"__typename": "Lead"}}
    assert found.data == {"__typename": "Query", "leads": {"__typename": "LeadConnection", "edges": [edge]}}


async def test_a_resolver_that_raises_is_told_as_by_graphql_core(admin: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(users, "locality", broken)
    document = "{ viewer { timeZone } leads(first: 1) { nodes { title } } }"
    found, oracle = await ran(admin, document), await ran(admin, document, engine=False)
    assert found.compiled is False
    assert "broken" in found.why_not
    assert [(error.code, error.path) for error in found.errors] == [("INTERNAL", ("viewer", "timeZone"))]
    assert found.errors == oracle.errors
    assert found.data == oracle.data == {"viewer": None, "leads": {"nodes": [{"title": "Lead 0"}]}}


async def test_what_a_list_refuses_is_told_at_its_path(admin: Actor) -> None:
    document = '{ a: companies(first: 2) { nodes { b: leads(after: "x") { totalCount } } } c: cursor }'
    found, oracle = await ran(admin, document), await ran(admin, document, engine=False)
    assert [(error.code, error.path) for error in found.errors] == [("BAD_USER_INPUT", ("a", "nodes", 0, "b"))]
    assert found.errors == oracle.errors
    assert found.data is oracle.data is None


@pytest.mark.parametrize(
    "asked",
    ["owner { name }", "owner { role }", "contacts { totalCount nodes { name } }", "externalRefs { system }"],
)
async def test_a_list_that_is_refused_spoils_nothing_elsewhere(admin: Actor, asked: str) -> None:
    company = await Company.filter(workspace_id=admin.workspace_id).first()
    assert company
    key, fine = gid("Company", company.id), f"b: company(id: $id) {{ {asked} }}"
    document = f"""query ($id: ID!) {{ a: company(id: $id) {{ {asked} leads(after: "x") {{ totalCount }} }} {fine} }}"""
    alone = await planned(admin, f"query ($id: ID!) {{ {fine} }}", id=key)
    for engine in (True, False):
        found = await ran(admin, document, engine=engine, id=key)
        assert [error.path for error in found.errors] == [("a", "leads")]
        assert found.data == {"a": None, **alone.data}


@pytest.fixture
def engine_off(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Iterator[None]:
    """Set ENGINE to off, as who runs the server may."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("ENGINE", "off")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


BOARD = """{ pipelines(first: 2) { nodes { name stages { name leadCount leadValue { amount }
  leads(first: 2) { totalCount edges { cursor node { title company { name } owner { name role } viewerCan { move } } } }
} } } leads(first: 2) { nodes { tags { name } contacts { nodes { role contact { name } } } } } }"""


async def test_the_setting_turns_plans_off_and_answers_the_same(admin: Actor, engine_off: None) -> None:
    told = await ask(admin, BOARD)
    context = Context(identity=admin)
    result = await graphql_schema.execute(BOARD, context_value=context)
    assert (context.engine, context.compiled, context.why_not) == (False, False, "the engine is off")
    assert result.data == told == (await planned(admin, BOARD)).data


# What mutations return

UPDATE = """mutation ($input: UpdateLeadInput!) { updateLead(input: $input) {
  lead { id title version stage { name pipeline { name } } company { name contacts { totalCount nodes { name } } }
         needs(first: 2) { nodes { title lead { title } } pageInfo { hasNextPage endCursor } } tags { name }
         history(first: 1) { nodes { name changes { field after } } } owner { role } viewerCan { update } }
  userErrors { code } query { again: leads(first: 1, filter: { id: { eq: $id } }) { nodes { title } } } } }"""


async def lead_with_needs() -> tuple[Actor, Lead]:
    actor = await seller()
    row = await lead_in(await stage(actor, StageKind.QUALIFY), owner_id=actor.user_id, title="Old")
    for number in range(3):
        await Need.create(
            workspace_id=actor.workspace_id,
            lead_id=row.id,
            title=f"Need {number}",
            importance=number + 1,
            created_at=NOW,
            updated_at=NOW,
        )
    return actor, row


async def test_what_a_mutation_returns_is_shaped_by_plan(db: str) -> None:
    actor, row = await lead_with_needs()
    document = UPDATE.replace("$input: UpdateLeadInput!", "$input: UpdateLeadInput!, $id: ID!")
    found = await planned(actor, document, input={"id": gid("Lead", row.id), "title": "New"}, id=gid("Lead", row.id))
    told = found.data["updateLead"]
    assert told["userErrors"] == []
    assert (told["lead"]["title"], told["lead"]["version"]) == ("New", 2)
    assert told["query"] == {"again": {"nodes": [{"title": "New"}]}}
    assert [need["lead"] for need in told["lead"]["needs"]["nodes"]] == [{"title": "New"}] * 2
    assert told["lead"]["history"]["nodes"] == [
        {"name": "lead.updated", "changes": [{"field": "title", "after": "New"}]}
    ]
    selection = document.partition("lead {")[2].partition("userErrors")[0].strip().removesuffix("}")
    read = await planned(actor, f"query ($id: ID!) {{ lead(id: $id) {{ {selection} }} }}", id=gid("Lead", row.id))
    assert read.data["lead"] == told["lead"]


async def test_trouble_with_what_is_returned_does_not_run_a_mutation_twice(db: str) -> None:
    actor, row = await lead_with_needs()
    document = """mutation ($input: UpdateLeadInput!) { updateLead(input: $input) {
      lead { title needs(after: "nonsense") { totalCount } } } }"""
    found = await ran(actor, document, input={"id": gid("Lead", row.id), "title": "New"})
    assert found.compiled is False
    assert [(error.code, error.path) for error in found.errors] == [("BAD_USER_INPUT", ("updateLead", "lead", "needs"))]
    assert found.data == {"updateLead": {"lead": None}}
    assert (await Lead.get(id=row.id)).version == 2
    assert [event.name for event in await events(row.id)] == ["lead.updated"]


async def test_root_fields_of_a_mutation_run_one_after_another(db: str) -> None:
    actor, row = await lead_with_needs()
    one = "updateLead(input: { id: $id, title: %s }) { lead { title version } query { leads { nodes { title } } } }"
    fields = " ".join(f"{name}: {one % orjson.dumps(name.upper()).decode()}" for name in ("a", "b", "c"))
    found = await planned(actor, f"mutation ($id: ID!) {{ {fields} }}", id=gid("Lead", row.id))
    assert found.data == {
        name: {
            "lead": {"title": name.upper(), "version": version},
            "query": {"leads": {"nodes": [{"title": name.upper()}]}},
        }
        for version, name in enumerate(("a", "b", "c"), start=2)
    }
    assert len(await events(row.id)) == 3


async def test_trouble_with_one_root_field_leaves_the_others(db: str) -> None:
    actor, row = await lead_with_needs()
    one = 'updateLead(input: { id: $id, title: "%s" }) { lead { title version needs%s { totalCount } } }'
    fields = " ".join(f"{name}: {one % (name, more)}" for name, more in (("a", ""), ("b", '(after: "x")'), ("c", "")))
    found = await ran(actor, f"mutation ($id: ID!) {{ {fields} }}", id=gid("Lead", row.id))
    assert [error.path for error in found.errors] == [("b", "lead", "needs")]
    total = {"needs": {"totalCount": 3}}
    assert found.data == {
        "a": {"lead": {"title": "a", "version": 2, **total}},
        "b": {"lead": None},
        "c": {"lead": {"title": "c", "version": 4, **total}},
    }
    assert len(await events(row.id)) == 3


async def test_a_mutation_that_fails_is_told_and_the_next_one_runs(db: str) -> None:
    actor, row = await lead_with_needs()
    document = """mutation ($id: ID!, $wrong: String!) {
      a: updateLead(input: { id: $id, title: "A", clientMutationId: $wrong }) { lead { title } }
      b: updateLead(input: { id: $id, title: "B", expectedVersion: 9 }) { lead { title } userErrors { code } } }"""
    key = gid("Lead", row.id)
    found = await ran(actor, document, id=key, wrong="\n")
    oracle = await ran(actor, document, engine=False, id=key, wrong="\n")
    assert found.errors == oracle.errors
    assert [error.path for error in found.errors] == [("a",)]
    assert found.data == oracle.data


async def test_a_mutation_with_introspection_runs_once(db: str) -> None:
    actor, row = await lead_with_needs()
    document = """mutation ($id: ID!) { updateLead(input: { id: $id, title: "New" }) {
      lead { title } query { __schema { queryType { name } } } } }"""
    found = await ran(actor, document, id=gid("Lead", row.id))
    assert (found.compiled, found.why_not) == (False, "introspection")
    assert found.data["updateLead"] == {
        "lead": {"title": "New"},
        "query": {"__schema": {"queryType": {"name": "Query"}}},
    }
    assert len(await events(row.id)) == 1


# What subscriptions tell

TELL = """subscription ($p: ID!) { pipelineEvents(pipelineId: $p) { __typename
  ... on LeadEvent { cursor eventId occurredAt actor { kind user { name } } }
  ... on SeenLeadEvent { changes { field after } lead { id title stage { name pipeline { name } } owner { name role }
    needs(first: 2) { totalCount nodes { title } } tags { name } viewerCan { move } } } } }"""


async def message(actor: Actor, row: Lead, step: Step) -> Message:
    event = LiveEvent(
        id=uuid7(),
        workspace_id=actor.workspace_id,
        position=7,
        name="lead.updated",
        subject_id=row.id,
        actor={"kind": "USER", "user": str(actor.user_id)},
        client_mutation_id=None,
        data={"changes": {"title": ["Old", "New"]}},
        occurred_at=NOW,
    )

    async def load(keys: list[Any]) -> list[Any]:
        return [await Lead.get(id=key) for key in keys]

    return Message(step, Occurrence(event, DataLoader(load)), ALL)


async def told(
    actor: Actor, row: Lead, document: str, step: Step = Step.CHANGED
) -> tuple[dict[str, Any], dict[str, int]]:
    """Return what a subscription tells of an event, and how many answers went which way."""
    before = _ways()
    context = Context(identity=actor, request_id="0")
    asked = asked_of(graphql_schema, document, None, {"p": gid("Pipeline", row.pipeline_id)}, context)
    payload = orjson.loads(await Answers(asked, context).to(await message(actor, row, step)))
    return payload, {way: count - before[way] for way, count in _ways().items()}


def _ways() -> dict[str, int]:
    return {way: sum(count for told, count in went.items() if told.startswith(way)) for way in ("plan", "graphql-core")}


@pytest.mark.parametrize("step", Step)
async def test_what_is_told_of_an_event_is_shaped_by_plan(db: str, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    actor, row = await lead_with_needs()
    payload, ways = await told(actor, row, TELL, step)
    assert ways["plan"] >= 1
    assert payload["data"]["pipelineEvents"]["__typename"] == f"Lead{step.value.capitalize()}"
    if step is not Step.LEFT:
        lead = payload["data"]["pipelineEvents"]["lead"]
        assert lead["needs"] == {"totalCount": 3, "nodes": [{"title": "Need 2"}, {"title": "Need 1"}]}
        assert lead["viewerCan"] == {"move": True}
    monkeypatch.setenv("ENGINE", "off")
    settings.cache_clear()
    without, ways = await told(actor, row, TELL, step)
    monkeypatch.undo()
    settings.cache_clear()
    assert ways["plan"] == 0
    for both in (payload, without):
        del both["data"]["pipelineEvents"]["eventId"]
    assert payload == without


async def test_trouble_with_an_event_is_told_as_by_graphql_core(db: str) -> None:
    actor, row = await lead_with_needs()
    document = TELL.replace("needs(first: 2)", 'needs(after: "nonsense")')
    payload, ways = await told(actor, row, document)
    [error] = payload["errors"]
    assert error["path"] == ["pipelineEvents", "lead", "needs"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert payload["data"]["pipelineEvents"]["lead"] is None
    assert payload["data"]["pipelineEvents"]["__typename"] == "LeadChanged"
    assert ways["graphql-core"] >= 1


async def test_a_plan_serves_many_at_once(admin: Actor) -> None:
    rep = await member(Role.REP, of=admin)
    document = "query ($n: Int) { leads(first: $n) { totalCount nodes { title owner { name } } } }"
    numbers = [1, 2, 3, 4] * 3

    async def leads(actor: Actor, number: int) -> Any:
        context = Context(identity=actor)
        result = await graphql_schema.execute(document, {"n": number}, context_value=context)
        assert context.compiled
        return result.data["leads"]

    found = await asyncio.gather(*(leads(actor, number) for number in numbers for actor in (admin, rep)))
    for place, number in enumerate(numbers):
        of_admin, of_rep = found[2 * place], found[2 * place + 1]
        assert [lead["title"] for lead in of_admin["nodes"]] == [f"Lead {at}" for at in range(number)]
        assert of_rep == {"totalCount": 0, "nodes": []}
