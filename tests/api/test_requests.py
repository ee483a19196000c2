"""What every request has in common, by whichever way it comes to its door, and how requests end that go wrong."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Message, Scope
from structlog.testing import capture_logs

from adapters.log import request_id
from api.app import Common, create_app
from domain.errors import Unauthenticated
from settings import Settings
from tests import factories
from tests.api.door import door as schema
from tests.api.serving import GRAPHQL_RESPONSE, Client, client_of, codes, serving

HELLO = "{hello}"
JSON = {"Content-Type": "application/json"}
WAYS = [
    ("POST", "/graphql", 415),
    ("GET", "/graphql", 200),
    ("DELETE", "/graphql", 405),
    ("OPTIONS", "/graphql", 405),
    ("HEAD", "/graphql", 405),
    ("POST", "/graphql/", 307),
    ("GET", "/healthz", 200),
    ("POST", "/healthz", 405),
    ("GET", "/nowhere", 404),
    ("GET", "/accept-invitation", 404),
    ("PUT", "/uploads/none", 404),
]


def scope_of(path: str = "/graphql", *, method: str = "POST", **headers: str) -> Scope:
    sent = JSON | {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
    }


async def ended() -> Message:
    return {"type": "http.disconnect"}


async def unread(_: Message) -> None: ...


@pytest.fixture
async def page(server_settings: Settings) -> AsyncIterator[Client]:
    """A client of an application that pages of another origin may ask, too."""
    app = create_app(server_settings.model_copy(update={"cors_origins": "https://app.example.com"}), schema)
    async with serving(app) as address, client_of(address) as client:
        yield client
    await app.state.redis.aclose()


@pytest.mark.parametrize(("method", "path", "status"), WAYS)
async def test_every_answer_bears_its_id_and_the_headers_that_browsers_heed(
    db: str, door: Client, method: str, path: str, status: int
) -> None:
    headers = {"X-Request-Id": "seven"}
    answer = await door.http.request(method, path, headers=headers)

    assert answer.status_code == status
    assert answer.headers.get_list("x-request-id") == ["seven"]
    for name in ("x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy"):
        assert len(answer.headers.get_list(name)) == 1, name


@pytest.mark.parametrize(("method", "path", "status"), WAYS)
async def test_every_request_has_a_line_in_the_log(db: str, door: Client, method: str, path: str, status: int) -> None:
    with capture_logs() as lines:
        await door.http.request(method, path)

    [line] = [line for line in lines if line["event"] == "request"]
    assert (line["method"], line["status"]) == (method, status)
    assert line["path"] == ("/uploads/…" if path.startswith("/uploads") else "/graphql/…" if path[-1] == "/" else path)
    assert line["ms"] >= 0


@pytest.mark.parametrize(("method", "path", "allowed"), [("PUT", "/graphql", "GET, POST"), ("POST", "/healthz", "GET")])
async def test_what_is_not_allowed_is_told_in_json(db: str, door: Client, method: str, path: str, allowed: str) -> None:
    answer = await door.http.request(method, path)

    assert (answer.status_code, codes(answer.json())) == (405, ["BAD_USER_INPUT"])
    assert set(allowed.split(", ")) <= set(answer.headers["allow"].split(", "))
    assert answer.headers["cache-control"] == "no-store"


async def test_a_slash_too_many_is_taken_away(db: str, door: Client) -> None:
    answer = await door.http.post("/graphql/", json={"query": HELLO}, follow_redirects=True)

    assert answer.json()["data"] == {"hello": "hello world"}


@pytest.mark.parametrize("path", ["/crm/graphql", "/graphql"])
async def test_it_may_stand_below_another_path(db: str, server_settings: Settings, path: str) -> None:
    app = create_app(server_settings, schema)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, root_path="/crm"), base_url="http://127.0.0.1"
    ) as http:
        answer = await http.post(path, json={"query": HELLO})

    assert answer.json()["data"] == {"hello": "hello world"}
    await app.state.redis.aclose()


async def test_it_may_be_mounted(db: str, server_settings: Settings) -> None:
    app = create_app(server_settings, schema)
    whole = Starlette(routes=[Mount("/crm", app)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(whole), base_url="http://127.0.0.1") as http:
        answer = await http.post("/crm/graphql", json={"query": HELLO})
        assert (await http.post("/graphql", json={"query": HELLO})).status_code == 404

    assert answer.json()["data"] == {"hello": "hello world"}
    await app.state.redis.aclose()


async def test_what_varies_is_told_to_caches(db: str, door: Client, page: Client) -> None:
    for headers in ({}, {"Origin": "https://app.example.com"}):
        answer = await page.send(HELLO, headers=headers)
        assert set(re.split(", *", answer.headers["vary"])) == {"Accept", "Authorization", "Origin"}
    assert (await door.send(HELLO)).headers["vary"] == "Accept, Authorization"
    assert (await door.send(HELLO, accept="nonsense")).headers["vary"] == "Accept, Authorization"


async def test_pages_of_other_origins_see_refusals_and_failures_too(
    db: str, page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: Any, **__: Any) -> None:
        raise ConnectionError("no")

    headers = {"Origin": "https://app.example.com"}
    refused = await page.http.post("/graphql", content=b"{", headers=headers | JSON)
    monkeypatch.setattr("domain.users.load_actor", lost)
    failed = await page.send(HELLO, token="anything", headers=headers)

    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (400, headers["Origin"])
    # A failure is masked outside of what knows of origins.
    assert (failed.status_code, codes(failed.json())) == (500, ["INTERNAL"])
    assert failed.headers["x-content-type-options"] == "nosniff"


async def test_headers_that_come_twice_count_as_one_list(db: str, door: Client) -> None:
    async def sent(*headers: tuple[str, str]) -> httpx.Response:
        return await door.http.post("/graphql", json={"query": "{me}"}, headers=list(headers))

    token = await factories.bearer(await factories.member())
    accepting = await sent(("Accept", "text/html"), ("Accept", GRAPHQL_RESPONSE), ("Authorization", token))
    doubted = await sent(("Authorization", token), ("Authorization", "Bearer another"))
    named = await sent(("X-Request-Id", "one"), ("X-Request-Id", "two"))

    assert accepting.headers["content-type"].startswith(GRAPHQL_RESPONSE) and not codes(accepting.json())
    assert codes(doubted.json()) == ["UNAUTHENTICATED"]
    assert re.fullmatch("[0-9a-f]{32}", named.headers["x-request-id"])


async def test_what_is_logged_meanwhile_bears_the_id(db: str, door: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    async def load_actor(*_: Any, **__: Any) -> None:
        seen.append(request_id.get())
        raise Unauthenticated

    monkeypatch.setattr("domain.users.load_actor", load_actor)
    await asyncio.gather(
        *(door.send(HELLO, token="x", headers={"X-Request-Id": name}) for name in ("one", "two", "three"))
    )

    assert sorted(seen) == ["one", "three", "two"] and request_id.get() == ""


async def test_a_client_that_goes_before_it_has_asked_is_noted_and_no_failure(
    db: str, server_settings: Settings
) -> None:
    app = create_app(server_settings, schema)
    messages: list[Message] = [
        {"type": "http.request", "body": b'{"query"', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    with capture_logs() as lines:
        await app(scope_of(), receive, unread)

    assert [(line["event"], line["status"]) for line in lines] == [("request", 499)]
    await app.state.redis.aclose()


async def test_a_body_may_come_in_pieces(db: str, door: Client) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"que', b"", b'ry": "{he', b'llo}"}'):
            yield piece

    answer = await door.http.post("/graphql", content=pieces(), headers=JSON)

    assert answer.json()["data"] == {"hello": "hello world"}


async def test_what_fails_when_its_answer_has_begun_is_told_to_the_server_which_ends_the_connection() -> None:
    async def failing(scope: Scope, _: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("halfway")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with capture_logs() as lines, pytest.raises(ValueError, match="halfway"):
        await Common(failing, secure=False)(scope_of(), ended, send)

    assert [message["type"] for message in sent] == ["http.response.start"]
    assert [(line["event"], line["log_level"]) for line in lines] == [("request failed", "error"), ("request", "info")]
