"""Subscriptions over plain HTTP, for clients without WebSockets."""

import asyncio
import json
from typing import Any

import pytest

from tests import factories
from tests.api.door import begun, ended, gate
from tests.api.serving import Client, codes

SSE = "text/event-stream"
APOLLO = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json'
TICKS = "subscription {ticks(count: 3)}"


def events(text: str) -> list[tuple[str, Any]]:
    """Read an event stream, comments left out."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(":", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if lines:
            data = lines["data"].strip()
            found.append((lines["event"].strip(), json.loads(data) if data else None))
    return found


def parts(text: str) -> list[Any]:
    """Read Apollo's multipart stream, whose last boundary is closed."""
    assert text.endswith("\r\n--graphql--\r\n")
    bodies = text.removesuffix("\r\n--graphql--\r\n").split("\r\n--graphql\r\nContent-Type: application/json\r\n\r\n")
    assert bodies[0] == ""
    return [json.loads(body) for body in bodies[1:]]


async def test_a_subscription_is_a_stream_of_events_that_says_when_it_is_complete(db: str, door: Client) -> None:
    answer = await door.send(TICKS, accept=SSE)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    ticks = [("next", {"data": {"ticks": tick}}) for tick in range(3)]
    assert events(answer.text) == [*ticks, ("complete", None)]


async def test_a_browser_may_subscribe_by_get(db: str, door: Client) -> None:
    answer = await door.http.get("/graphql", params={"query": TICKS}, headers={"Accept": SSE})

    assert len(events(answer.text)) == 4


async def test_queries_and_mutations_come_as_one_event(db: str, door: Client) -> None:
    answer = await door.send("{hello}", accept=SSE)

    ((name, told), last) = events(answer.text)
    assert (name, told["data"], last) == ("next", {"hello": "hello world"}, ("complete", None))


async def test_get_changes_nothing_as_a_stream_either(db: str, door: Client) -> None:
    asked = {"query": 'mutation {addTag(input: {name: "x"}) {count}}'}

    assert (await door.http.get("/graphql", params=asked, headers={"Accept": SSE})).status_code == 405


@pytest.mark.parametrize("document", ["subscription {nothing}", "{", "", "subscription {ticks}"])
async def test_what_cannot_be_streamed_is_refused_in_json(db: str, door: Client, document: str) -> None:
    answer = await door.send(document, accept=SSE)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json; charset=utf-8")
    assert codes(answer.json()) == ["BAD_USER_INPUT"]


async def test_apollo_gets_its_parts(db: str, door: Client) -> None:
    answer = await door.send(TICKS, accept=APOLLO)

    assert answer.headers["content-type"] == 'multipart/mixed; boundary="graphql"; subscriptionSpec=1.0'
    assert parts(answer.text) == [{"payload": {"data": {"ticks": tick}}} for tick in range(3)]


async def test_apollo_gets_its_queries_as_json(db: str, door: Client) -> None:
    answer = await door.send("{hello}", accept=APOLLO)

    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.json()["data"] == {"hello": "hello world"}


async def test_silence_is_broken_by_a_heartbeat_and_a_client_that_leaves_ends_its_subscription(
    db: str, door: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from api import streams

    monkeypatch.setitem(streams.FORMS, SSE, replace(streams.FORMS[SSE], seconds=0.05))
    gate("left")
    body = {"query": 'subscription {waits(at: "left")}'}

    async with door.http.stream("POST", "/graphql", json=body, headers={"Accept": SSE}) as answer:
        await begun["left"].wait()
        heard = b""
        async for chunk in answer.aiter_bytes():
            heard += chunk
            if heard.count(b":\n\n") >= 3:
                break

    assert heard.replace(b":\n\n", b"") == b""
    async with asyncio.timeout(5):
        while "left" not in ended:
            await asyncio.sleep(0.01)


async def test_the_api_streams_what_happens_to_leads(db: str, client: Client) -> None:
    token = await factories.bearer(await factories.member())
    document = 'subscription {leadEvents(leadId: "nonsense") {__typename}}'

    answer = await client.send(document, token=token, accept=SSE)

    ((name, told), last) = events(answer.text)
    assert (name, codes(told), last) == ("next", ["BAD_USER_INPUT"], ("complete", None))
