"""Mutations that are sent again: done once, answered as before."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain import idempotency
from models.idempotency import IdempotencyKey
from schema import execution
from schema import idempotency as keyed
from settings import settings
from tests import factories
from tests.api.door import begun, gate
from tests.api.serving import GRAPHQL_RESPONSE, Client, codes

ADD = "mutation($input: AddTagInput!) {addTag(input: $input) {count id}}"


def key(value: str) -> dict[str, str]:
    return {"Idempotency-Key": value}


async def tags(door: Client, token: str) -> list[str]:
    found: list[str] = (await door.data("{tags}", token=token))["tags"]
    return found


@pytest.fixture
async def token(db: str) -> str:
    return await factories.bearer(await factories.member())


async def test_the_first_answer_is_given_again_byte_for_byte(door: Client, token: str) -> None:
    first = await door.send(ADD, {"input": {"name": "once"}}, token=token, headers=key("a"))
    again = await door.send(ADD, {"input": {"name": "once"}}, token=token, headers=key("a"))
    anew = await door.send(ADD, {"input": {"name": "twice"}}, token=token, headers=key("b"))

    assert first.json()["data"]["addTag"]["count"] == 1
    assert again.content == first.content
    assert anew.json()["data"]["addTag"]["count"] == 2
    assert await tags(door, token) == ["once", "twice"]


async def test_the_key_may_stand_in_the_input_as_a_variable_or_written_out(door: Client, token: str) -> None:
    by_variable = {"input": {"name": "v", "idempotencyKey": "k1"}}
    nested = 'mutation($key: String) {addTag(input: {name: "n", idempotencyKey: $key}) {id}}'
    literal = 'mutation {...M} fragment M on Mutation {addTag(input: {name: "l", idempotencyKey: "k3"}) {id}}'

    for document, variables in ((ADD, by_variable), (nested, {"key": "k2"}), (literal, None)):
        first = await door.send(document, variables, token=token)
        again = await door.send(document, variables, token=token)
        assert "errors" not in first.json()
        assert again.content == first.content

    assert await tags(door, token) == ["l", "n", "v"]


async def test_another_request_under_the_same_key_is_refused(door: Client, token: str) -> None:
    await door.send(ADD, {"input": {"name": "one"}}, token=token, headers=key("m"))

    for document, variables in ((ADD, {"input": {"name": "two"}}), (ADD + " ", {"input": {"name": "one"}})):
        other = await door.send(document, variables, token=token, headers=key("m"), accept=GRAPHQL_RESPONSE)
        assert (other.status_code, codes(other.json())) == (422, ["IDEMPOTENCY_MISMATCH"])

    assert await tags(door, token) == ["one"]


async def test_a_twin_that_comes_meanwhile_conflicts_and_then_sees_the_answer(door: Client, token: str) -> None:
    opened = gate("twin")
    variables = {"input": {"name": "twin", "waitAt": "twin"}}
    first = asyncio.create_task(door.send(ADD, variables, token=token, headers=key("t")))
    await begun["twin"].wait()

    meanwhile = await door.send(ADD, variables, token=token, headers=key("t"), accept=GRAPHQL_RESPONSE)
    assert (meanwhile.status_code, codes(meanwhile.json())) == (409, ["CONFLICT"])
    assert await tags(door, token) == []

    opened.set()
    answer = await first
    assert answer.json()["data"]["addTag"]["count"] == 1
    assert (await door.send(ADD, variables, token=token, headers=key("t"))).content == answer.content
    assert await tags(door, token) == ["twin"]


async def test_many_twins_at_once_do_it_once(door: Client, token: str) -> None:
    variables = {"input": {"name": "many"}}

    answers = await asyncio.gather(*(door.send(ADD, variables, token=token, headers=key("many")) for _ in range(20)))

    done = {answer.content for answer in answers if "errors" not in answer.json()}
    assert len(done) == 1
    assert {code for answer in answers for code in codes(answer.json())} <= {"CONFLICT"}
    assert await tags(door, token) == ["many"]


async def test_a_mutation_that_failed_left_nothing_and_may_be_tried_again(door: Client, token: str) -> None:
    failing = {"input": {"name": "again", "fail": True}}
    answer = await door.graphql(ADD, failing, token=token, headers=key("f"))
    assert codes(answer) == ["INTERNAL"]
    assert await tags(door, token) == []

    retried = await door.graphql(ADD, {"input": {"name": "again"}}, token=token, headers=key("f"))

    assert retried["data"]["addTag"]["count"] == 1


async def test_an_answer_with_a_failed_field_beside_a_done_one_is_kept_with_its_errors(
    door: Client, token: str
) -> None:
    document = """mutation {
      a: addTag(input: {name: "done", idempotencyKey: "half"}) {count}
      b: addTag(input: {name: "failed", fail: true, idempotencyKey: "half"}) {count}
    }"""

    first = await door.send(document, token=token)
    again = await door.send(document, token=token)

    assert (first.json()["data"], codes(first.json())) == ({"a": {"count": 1}, "b": None}, ["INTERNAL"])
    assert again.content == first.content


async def test_a_crashed_first_attempt_frees_its_key_after_the_time_that_a_mutation_may_take(
    door: Client, token: str
) -> None:
    variables = {"input": {"name": "crash"}}
    answer = await door.send(ADD, variables, token=token, headers=key("crash"))
    # A process that died between claim and commit leaves a claim without an answer, and nothing else.
    crashed = IdempotencyKey.filter(key="crash")
    just_within = datetime.now(UTC) - timedelta(seconds=settings().mutation_timeout - 5)
    await crashed.update(answer=None, created_at=just_within)
    assert codes(await door.graphql(ADD, variables, token=token, headers=key("crash"))) == ["CONFLICT"]

    await crashed.update(created_at=just_within - timedelta(seconds=6))
    variables = {"input": {"name": "after the crash"}}
    retried = await door.send(ADD, variables, token=token, headers=key("crash"))

    assert retried.json()["data"]["addTag"]["count"] == 2
    assert retried.content != answer.content


async def test_a_first_attempt_that_was_overtaken_is_undone(door: Client, token: str) -> None:
    opened = gate("slow")
    first = asyncio.create_task(
        door.send(ADD, {"input": {"name": "slow", "waitAt": "slow"}}, token=token, headers=key("o"))
    )
    await begun["slow"].wait()
    await IdempotencyKey.filter(key="o").update(created_at=datetime.now(UTC) - timedelta(minutes=2))
    second = await door.graphql(ADD, {"input": {"name": "second"}}, token=token, headers=key("o"))
    opened.set()

    assert codes((await first).json()) == ["CONFLICT"]
    assert second["data"]["addTag"]["count"] == 1
    assert await tags(door, token) == ["second"]


async def test_a_mutation_that_takes_too_long_is_undone_and_its_key_free(
    door: Client, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = settings().model_copy(update={"mutation_timeout": 0.2})
    monkeypatch.setattr(execution, "settings", lambda: short)
    gate("hangs")

    answer = await door.graphql(ADD, {"input": {"name": "late", "waitAt": "hangs"}}, token=token, headers=key("late"))

    assert codes(answer) == ["TIMEOUT"]
    assert await tags(door, token) == []
    retried = await door.graphql(ADD, {"input": {"name": "late"}}, token=token, headers=key("late"))
    assert retried["data"]["addTag"]["count"] == 1


async def test_keys_are_an_actors_own_and_last_a_day(door: Client, token: str) -> None:
    other = await factories.bearer(await factories.member())
    for mine in (token, other):
        answer = await door.graphql(ADD, {"input": {"name": "mine"}}, token=mine, headers=key("shared"))
        assert answer["data"]["addTag"]["count"] == 1

    old = datetime.now(UTC) - timedelta(hours=24, seconds=1)
    await IdempotencyKey.filter(key="shared").update(created_at=old)
    anew = await door.graphql(ADD, {"input": {"name": "next day"}}, token=token, headers=key("shared"))
    assert anew["data"]["addTag"]["count"] == 2

    assert await idempotency.forget(now=datetime.now(UTC)) >= 1
    assert await IdempotencyKey.filter(key="shared").count() == 1


async def test_queries_strangers_and_answers_with_secrets_have_no_keys(door: Client, token: str) -> None:
    signing_in = ADD.replace("addTag", "signIn")

    await door.send("{tags}", token=token, headers=key("q"))
    await door.send(ADD, {"input": {"name": "x"}}, headers=key("q"))
    for name in ("a", "b"):
        await door.send(signing_in, {"input": {"name": name}}, token=token, headers=key("q"))

    assert await tags(door, token) == ["a", "b"]
    assert not await IdempotencyKey.filter(key="q").exists()


@pytest.mark.parametrize("odd", ["x" * 256, "a\u0000b", "a\nb", ""])
async def test_odd_keys_are_refused(door: Client, token: str, odd: str) -> None:
    answer = await door.graphql(ADD, {"input": {"name": "odd", "idempotencyKey": odd}}, token=token)

    assert codes(answer) == ["BAD_USER_INPUT"]
    assert await tags(door, token) == []


async def test_an_operation_has_one_key_and_a_batch_none(door: Client, token: str) -> None:
    variables: dict[str, Any] = {"input": {"name": "two", "idempotencyKey": "one"}}
    both = await door.graphql(ADD, variables, token=token, headers=key("other"))
    body = [{"query": ADD, "variables": {"input": {"name": name}}} for name in ("a", "b")]
    batch = await door.http.post("/graphql", json=body, headers=key("other") | {"Authorization": token})

    assert codes(both) == ["BAD_USER_INPUT"]
    assert (batch.status_code, codes(batch.json())) == (400, ["BAD_USER_INPUT"])
    assert await tags(door, token) == []


def test_every_mutation_that_answers_a_secret_is_known() -> None:
    from schema.schema import graphql_schema

    mutations = graphql_schema._schema.mutation_type
    assert mutations
    secret = {
        name
        for name, field in mutations.fields.items()
        if {"accessToken", "refreshToken", "secret"} & set(getattr(field.type, "of_type", field.type).fields)
    }
    assert secret <= keyed.SECRET_ANSWERS
