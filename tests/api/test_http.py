"""GraphQL over HTTP: every media type with every outcome, and well-formed errors for everything malformed."""

import json
import re
from typing import Any

import httpx
import pytest
from graphql import parse, validate

from schema.schema import graphql_schema
from tests import factories
from tests.api.door import gate
from tests.api.serving import GRAPHQL_RESPONSE, Client, codes

JSON = "application/json"
HELLO = "{hello}"


def kind(answer: httpx.Response) -> str:
    return answer.headers["content-type"]


async def raw(door: Client, body: bytes, **headers: str) -> httpx.Response:
    sent = {"Content-Type": JSON} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await door.http.post("/graphql", content=body, headers=sent)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        ("application/json; charset=utf-8", JSON),
        (GRAPHQL_RESPONSE, GRAPHQL_RESPONSE),
        (f"{GRAPHQL_RESPONSE}, {JSON}", GRAPHQL_RESPONSE),
        (f"{JSON}, {GRAPHQL_RESPONSE}", JSON),
        (f"{GRAPHQL_RESPONSE};q=0.5, {JSON}", JSON),
        (f"{GRAPHQL_RESPONSE}, {JSON};q=0.9, */*;q=0.1", GRAPHQL_RESPONSE),
        (f"text/html, {JSON};q=0, */*", GRAPHQL_RESPONSE),
        ("APPLICATION/JSON", JSON),
        ("text/html, */*;q=0.1", JSON),
    ],
)
async def test_the_answer_is_of_the_type_that_the_client_likes_best(
    db: str, door: Client, accept: str | None, chosen: str
) -> None:
    answer = await door.send(HELLO, accept=accept)

    assert (answer.status_code, kind(answer)) == (200, f"{chosen}; charset=utf-8")
    assert answer.json()["data"] == {"hello": "hello world"}


@pytest.mark.parametrize("accept", ["text/html", "image/png", f"{JSON};q=0", "nonsense", "application/jsonx"])
async def test_what_is_not_spoken_is_not_acceptable(db: str, door: Client, accept: str) -> None:
    answer = await door.send(HELLO, accept=accept)

    assert (answer.status_code, kind(answer)) == (406, "application/json; charset=utf-8")
    assert codes(answer.json()) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    ("document", "more", "as_json", "as_response", "code"),
    [
        ("{", {}, 200, 400, "BAD_USER_INPUT"),
        ("{nothing}", {}, 200, 400, "BAD_USER_INPUT"),
        ("query A {hello} query B {hello}", {}, 200, 400, "BAD_USER_INPUT"),
        ("query A {hello}", {"operationName": "B"}, 200, 400, "BAD_USER_INPUT"),
        ("query A {hello}", {"operationName": ""}, 200, 400, "BAD_USER_INPUT"),
        ("fragment A on Query {hello}", {}, 200, 400, "BAD_USER_INPUT"),
        ("query($n: String!) {hello(name: $n)}", {}, 200, 400, "BAD_USER_INPUT"),
        ("query($n: String!) {hello(name: $n)}", {"variables": {"n": 1}}, 200, 400, "BAD_USER_INPUT"),
        ("subscription {ticks(count: 1)}", {}, 200, 400, "BAD_USER_INPUT"),
        ("", {}, 200, 400, "BAD_USER_INPUT"),
        (None, {}, 200, 400, "BAD_USER_INPUT"),
        (None, {"documentId": "sha256:none"}, 200, 400, "TRUSTED_DOCUMENT_NOT_FOUND"),
        ("{limited}", {}, 200, 200, "RATE_LIMITED"),
        ("{me}", {}, 200, 200, "UNAUTHENTICATED"),
        ("{fails}", {}, 200, 200, "INTERNAL"),
    ],
)
async def test_the_status_follows_the_outcome_and_the_type(
    db: str, door: Client, document: str | None, more: dict[str, Any], as_json: int, as_response: int, code: str
) -> None:
    for accept, status in ((JSON, as_json), (GRAPHQL_RESPONSE, as_response)):
        answer = await door.send(document, accept=accept, **more)

        assert (answer.status_code, codes(answer.json())) == (status, [code]), answer.text
        assert ("data" in answer.json()) is (code in ("RATE_LIMITED", "UNAUTHENTICATED", "INTERNAL"))


@pytest.mark.parametrize(
    "given",
    [
        {"query": 7},
        {"query": ["{hello}"]},
        {"query": HELLO, "variables": "{}"},
        {"query": HELLO, "variables": []},
        {"query": HELLO, "operationName": 7},
        {"query": HELLO, "extensions": []},
        {"query": HELLO, "documentId": 7},
        {"query": HELLO, "extensions": {"persistedQuery": "x"}},
        {"query": HELLO, "extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}},
        "text",
        7,
        None,
    ],
)
async def test_members_of_a_wrong_type_are_refused(db: str, door: Client, given: Any) -> None:
    answer = await raw(door, json.dumps(given).encode(), Accept=GRAPHQL_RESPONSE)

    assert (answer.status_code, codes(answer.json())) == (400, ["BAD_USER_INPUT"])


async def test_null_members_are_as_good_as_none(db: str, door: Client) -> None:
    body = {"query": HELLO, "variables": None, "operationName": None, "extensions": None, "documentId": None}

    assert (await raw(door, json.dumps(body).encode())).json()["data"] == {"hello": "hello world"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{'query': 1}", b"\xff\xfe", b'{"query": "\xc3\x28"}', b'{"query": NaN}', b"[" * 5000, b"null junk"],
)
async def test_a_body_that_is_no_json_is_a_bad_request(db: str, door: Client, body: bytes) -> None:
    answer = await raw(door, body)

    assert (answer.status_code, kind(answer)) == (400, "application/json; charset=utf-8")
    assert codes(answer.json()) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=latin1",
        "application/jsonp",
        "nonsense",
    ],
)
async def test_only_json_is_read_so_that_no_form_of_another_site_is(db: str, door: Client, content_type: str) -> None:
    answer = await raw(door, b'{"query": "{hello}"}', Content_Type=content_type)

    assert (answer.status_code, codes(answer.json())) == (415, ["BAD_USER_INPUT"])


async def test_json_may_say_that_it_is_utf8(db: str, door: Client) -> None:
    body = json.dumps({"query": HELLO}).encode()

    assert (await raw(door, body, Content_Type="Application/JSON; Charset=UTF-8")).status_code == 200
    assert (await raw(door, body, Content_Encoding="gzip")).status_code == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_other_methods_are_told_which_are_allowed(db: str, door: Client, method: str) -> None:
    answer = await door.http.request(method, "/graphql")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_a_body_may_be_so_large_and_no_byte_larger(db: str, door: Client) -> None:
    body = b'{"query": "{hello}"}'
    full = body + b" " * (1_048_576 - len(body))

    async def streamed() -> Any:
        yield full
        yield b" "

    assert (await raw(door, full)).status_code == 200
    assert (await raw(door, full + b" ")).status_code == 413
    answer = await door.http.post("/graphql", content=streamed(), headers={"Content-Type": JSON})
    assert (answer.status_code, codes(answer.json())) == (413, ["BAD_USER_INPUT"])


async def test_queries_come_by_get_too(db: str, door: Client) -> None:
    asked = {
        "query": "query A($n: String!) {hello(name: $n)} query B {cursor}",
        "operationName": "A",
        "variables": '{"n": "Ada"}',
    }

    answer = await door.http.get("/graphql", params=asked, headers={"Accept": GRAPHQL_RESPONSE})

    assert (answer.status_code, kind(answer)) == (200, f"{GRAPHQL_RESPONSE}; charset=utf-8")
    assert answer.json()["data"] == {"hello": "hello Ada"}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({}, 200),
        ({"query": HELLO, "variables": "{"}, 400),
        ({"query": HELLO, "variables": "[]"}, 200),
        ({"query": HELLO, "extensions": "x"}, 400),
        ({"query": HELLO, "variables": ""}, 200),
    ],
)
async def test_parameters_of_get_are_checked(db: str, door: Client, asked: dict[str, str], status: int) -> None:
    answer = await door.http.get("/graphql", params=asked, headers={"Accept": JSON})

    assert answer.status_code == status
    assert ("errors" in answer.json()) is (asked.get("variables") != "")


async def test_get_never_changes_anything(db: str, door: Client) -> None:
    token = await factories.bearer(await factories.member())
    headers = {"Authorization": token, "Accept": JSON}
    document = 'mutation {addTag(input: {name: "by get"}) {count}}'

    answer = await door.http.get("/graphql", params={"query": document}, headers=headers)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (await door.graphql("{tags}", token=token))["data"] == {"tags": []}


async def test_what_went_wrong_inside_stays_inside(db: str, door: Client) -> None:
    answer = await door.send("{fails}", headers={"X-Request-Id": "my-request-7"})

    assert "hunter2" not in answer.text
    assert answer.headers["x-request-id"] == "my-request-7"
    assert answer.json()["errors"][0]["extensions"] == {"code": "INTERNAL", "requestId": "my-request-7"}


@pytest.mark.parametrize("odd", ["", "a b", "x" * 129, "a;b", "<script>"])
async def test_an_odd_request_id_is_replaced(db: str, door: Client, odd: str) -> None:
    answer = await door.send("{keyOf}", headers={"X-Request-Id": odd})

    made = answer.headers["x-request-id"]
    assert made != odd and len(made) == 32
    assert answer.json()["data"] == {"keyOf": made}


async def test_numbers_beyond_64_bits_are_answered(db: str, door: Client) -> None:
    assert (await door.graphql("{huge}"))["data"] == {"huge": {"n": 2**70}}


async def test_a_credential_that_is_not_accepted_matters_where_an_actor_is_needed(db: str, door: Client) -> None:
    for token in ("nonsense", "Basic dTpw", "sck_nonsense", "Bearer x y", "x" * 9000):
        assert (await door.graphql(HELLO, token=token))["data"] == {"hello": "hello world"}
        assert codes(await door.graphql("{me}", token=token)) == ["UNAUTHENTICATED"]


async def test_a_member_is_known_by_their_token(db: str, door: Client) -> None:
    actor = await factories.member()

    answer = await door.graphql("{me}", token=await factories.bearer(actor))

    assert answer["data"] == {"me": str(actor.user_id)}


async def test_a_batch_is_answered_in_its_order(db: str, door: Client) -> None:
    body = [{"query": HELLO}, {"query": "{nothing}"}, {"query": "{cursor}"}, {"query": 7}, 7]

    answer = await raw(door, json.dumps(body).encode())

    assert answer.status_code == 200
    shapes = [one.get("data") or codes(one) for one in answer.json()]
    bad = ["BAD_USER_INPUT"]
    assert shapes == [{"hello": "hello world"}, bad, {"cursor": "0"}, bad, bad]


async def test_a_batch_has_ten_operations_at_most_and_one_at_least(db: str, door: Client) -> None:
    for size, status in ((0, 400), (1, 200), (10, 200), (11, 400)):
        assert (await raw(door, json.dumps([{"query": HELLO}] * size).encode())).status_code == status


async def test_the_costs_of_a_batch_are_summed_before_any_of_it_is_done(db: str, door: Client) -> None:
    token = await factories.bearer(await factories.member())
    dear = "{things(first: 99) {nodes {things(first: 25) {nodes {name}}}}}"
    adds = {"query": 'mutation {addTag(input: {name: "x"}) {count}}'}

    fits = await raw(door, json.dumps([adds, {"query": dear}]).encode(), Authorization=token)
    exceeds = await raw(door, json.dumps([adds, {"query": dear}, {"query": dear}]).encode(), Authorization=token)

    assert fits.json()[0]["data"]["addTag"] == {"count": 1}
    assert [codes(one) for one in exceeds.json()] == [["COST_EXCEEDED"]] * 3
    assert (await door.graphql("{tags}", token=token))["data"] == {"tags": ["x"]}


async def test_a_query_that_takes_too_long_is_ended(db: str, door: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from schema import execution
    from settings import settings
    from tests.api.door import ended

    short = settings().model_copy(update={"query_timeout": 0.05})
    monkeypatch.setattr(execution, "settings", lambda: short)
    gate("too-long")

    answer = await door.send('{a: waits(at: "too-long") hello}', accept=GRAPHQL_RESPONSE)

    assert (answer.status_code, codes(answer.json())) == (504, ["TIMEOUT"])
    assert "too-long" in ended


async def test_a_page_for_browsers_comes_from_here_alone(db: str, door: Client) -> None:
    for path in ("/graphql", "/graphiql"):
        page = await door.http.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

        assert (page.status_code, kind(page)) == (200, "text/html; charset=utf-8")
        assert "http://" not in page.text and "https://" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_graphiql_is_made_of_parts_that_come_from_here_and_of_nothing_else_that_lies_here(
    db: str, door: Client
) -> None:
    page = await door.http.get("/graphiql")
    parts = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(parts) == 5
    for part in parts:
        assert (await door.http.get(part)).status_code == 200
    for name in ("index.html", "LICENSES.txt", "..%2Fpages.py", "nothing.js"):
        assert (await door.http.get(f"/graphiql/{name}")).status_code == 404


async def test_graphiql_begins_with_a_query_that_works_and_can_be_read(db: str, door: Client) -> None:
    found = re.search(r"defaultQuery: `([^`]+)`", (await door.http.get("/graphiql")).text)
    assert found
    assert validate(graphql_schema._schema, parse(found[1])) == []
    assert max(map(len, found[1].splitlines())) <= 50, "half of a screen of 1,400 pixels, with what stands beside it"


async def test_whoever_watches_over_us_is_answered(db: str, door: Client) -> None:
    assert (await door.http.get("/healthz")).json() == {"status": "ok"}
    assert (await door.http.get("/readyz")).json() == {"database": "ok", "redis": "ok", "relay": "down"}


async def test_what_is_not_there_is_said_in_json(db: str, door: Client) -> None:
    answer = await door.http.get("/nowhere")

    assert (answer.status_code, codes(answer.json())) == (404, ["NOT_FOUND"])
    assert answer.headers["x-content-type-options"] == "nosniff"
