"""GraphQL over WebSocket: what the two subprotocols promise, and what faulty clients get."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.exceptions import InvalidStatus

from api.app import create_app
from api.websocket import GraphQLSocket, Patience
from domain import api_keys, sessions
from models.pipelines import Pipeline
from schema import ids
from schema.schema import graphql_schema
from settings import Settings
from tests.api.serving import serving
from tests.factories import bearer, member, seller, session
from tests.live.client import EVENTS, LEGACY, TRANSPORT, Socket, socket_to

pytestmark = pytest.mark.usefixtures("db")
ME = "{ viewer { user { name } } }"
INIT = {"type": "connection_init"}


@pytest.fixture
async def socket(server: str) -> AsyncIterator[Socket]:
    """A connection on which nothing was said yet."""
    async with socket_to(server) as opened:
        yield opened


@asynccontextmanager
async def impatient(server_settings: Settings, **seconds: float) -> AsyncIterator[str]:
    """Serve the socket with other patience, and give its address."""
    whole = create_app(server_settings)
    patience = Patience(**seconds)
    socket = GraphQLSocket(graphql_schema, whole.state.documents, server_settings, patience)
    app = Starlette(routes=[WebSocketRoute("/graphql", socket)])
    app.state.live = whole.state.live
    async with serving(app) as address:
        listening = asyncio.create_task(whole.state.live.run())
        yield address
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    await whole.state.redis.aclose()


def watching(pipeline: Pipeline) -> dict[str, Any]:
    return {"pipeline": ids.encode("Pipeline", pipeline.id)}


async def test_queries_and_mutations_are_answered_once_and_complete(socket: Socket) -> None:
    admin = await seller()
    await socket.initialise(await bearer(admin))
    await socket.begin("a", ME)
    assert (await socket.data("a"))["viewer"]["user"]["name"]
    await socket.complete("a")
    await socket.begin("b", 'mutation { captureLead(input: {title: "Over the wire"}) { lead { title } } }')
    assert (await socket.data("b"))["captureLead"]["lead"] == {"title": "Over the wire"}
    await socket.complete("b")


async def test_a_credential_may_come_in_the_header(server: str) -> None:
    async with socket_to(server, headers={"Authorization": await bearer(await member())}) as socket:
        await socket.initialise()
        await socket.begin("1", ME)
        assert (await socket.data())["viewer"]["user"]["name"]


async def test_a_credential_may_come_as_a_token(socket: Socket) -> None:
    token = (await bearer(await member())).removeprefix("Bearer ")
    await socket.initialise(token=token)
    await socket.begin("1", ME)
    assert (await socket.data())["viewer"]["user"]["name"]


async def test_an_api_key_may_sign_in(socket: Socket) -> None:
    admin = await member()
    key = await api_keys.create(admin, name="ERP", scopes=["lead:read", "user:read"], now=datetime.now(UTC))
    await socket.initialise(key.secret)
    await socket.begin("1", "{ leads { totalCount } }")
    assert await socket.data() == {"leads": {"totalCount": 0}}


async def test_nobody_in_particular_may_connect_but_is_told_to_sign_in(socket: Socket) -> None:
    await socket.initialise()
    await socket.begin("1", "{ leads { totalCount } }")
    message = await socket.receive()
    assert message["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("token", ["nonsense", "Basic abc", "Bearer ", "sck_unknown"])
async def test_a_refused_sign_in_closes_with_4403(socket: Socket, token: str) -> None:
    await socket.send(INIT | {"payload": {"authorization": token}})
    assert await socket.closed() == (4403, "Forbidden")


async def test_an_expired_token_closes_with_4403_and_says_so(socket: Socket) -> None:
    signed_in = await session(await member(), now=datetime.now(UTC) - timedelta(hours=1))
    await socket.send(INIT | {"payload": {"authorization": f"Bearer {signed_in.access_token}"}})
    assert await socket.closed() == (4403, "token-expired")


async def test_a_token_that_ends_meanwhile_closes_with_4403(server_settings: Settings) -> None:
    almost = datetime.now(UTC) - sessions.ACCESS_LASTS + timedelta(seconds=2)
    signed_in = await session(await member(), now=almost)
    async with impatient(server_settings, ping=0.1) as address, socket_to(address) as socket:
        await socket.initialise(signed_in.access_token)
        assert await socket.closed() == (4403, "token-expired")


async def test_an_operation_after_sign_out_closes_with_4403(socket: Socket) -> None:
    admin = await member()
    signed_in = await session(admin, now=datetime.now(UTC))
    await socket.initialise(signed_in.access_token)
    await sessions.sign_out(sessions.actor_of(signed_in.session), now=datetime.now(UTC))
    await socket.begin("1", ME)
    assert await socket.closed() == (4403, "Forbidden")


async def test_the_server_pings(server_settings: Settings) -> None:
    async with impatient(server_settings, ping=0.05) as address, socket_to(address) as socket:
        await socket.initialise()
        assert await socket.receive() == {"type": "ping"}
        await socket.send({"type": "pong"})
        assert await socket.receive() == {"type": "ping"}


async def test_a_ping_is_answered_with_its_payload(socket: Socket) -> None:
    await socket.send({"type": "ping", "payload": {"at": 1}})
    assert await socket.receive() == {"type": "pong", "payload": {"at": 1}}
    await socket.send({"type": "ping"})
    assert await socket.receive() == {"type": "pong"}


async def test_who_does_not_initialise_in_time_is_closed_with_4408(server_settings: Settings) -> None:
    async with impatient(server_settings, initialisation=0.1) as address, socket_to(address) as socket:
        assert await socket.closed() == (4408, "Connection initialisation timeout")


async def test_a_second_initialisation_closes_with_4429(socket: Socket) -> None:
    await socket.initialise()
    await socket.send(INIT)
    assert await socket.closed() == (4429, "Too many initialisation requests")


async def test_an_operation_before_the_acknowledgement_closes_with_4401(socket: Socket) -> None:
    await socket.begin("1", ME)
    assert await socket.closed() == (4401, "Unauthorized")


async def test_a_running_operations_id_taken_again_closes_with_4409(socket: Socket) -> None:
    admin = await seller()
    pipeline = await Pipeline.get(workspace_id=admin.workspace_id)
    await socket.initialise(await bearer(admin))
    await socket.begin("same", EVENTS, **watching(pipeline))
    await socket.begin("same", EVENTS, **watching(pipeline))
    assert await socket.closed() == (4409, "Subscriber for same already exists")


async def test_an_id_may_be_used_again_when_its_operation_is_over(socket: Socket) -> None:
    admin = await seller()
    pipeline = await Pipeline.get(workspace_id=admin.workspace_id)
    await socket.initialise(await bearer(admin))
    await socket.begin("1", EVENTS, **watching(pipeline))
    await socket.send({"id": "1", "type": "complete"})
    await socket.begin("1", "{ __typename }")
    assert await socket.data() == {"__typename": "Query"}


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "no JSON",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"type": 1}',
        '{"type": "unheard of"}',
        '{"type": "connection_init", "payload": 1}',
        '{"type": "connection_init", "payload": {"resumeAfter": "nonsense"}}',
        '{"type": "connection_init", "payload": {"resumeAfter": 5}}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{a}", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{a}", "operationName": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{a}", "extensions": "x"}}',
        '{"type": "complete"}',
        "[" * 5000,
        b"{}",
    ],
)
async def test_a_faulty_frame_closes_with_4400_and_raises_nothing(
    socket: Socket, frame: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await socket.send(frame)
    code, reason = await socket.closed()
    assert code == 4400
    assert reason.startswith("Invalid message")
    assert not [record for record in caplog.records if record.exc_info]


async def test_too_large_a_frame_closes_with_1009(socket: Socket, server_settings: Settings) -> None:
    await socket.send(" " * (server_settings.max_body_bytes + 1))
    assert (await socket.closed())[0] == 1009


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{", "BAD_USER_INPUT"),
        ("", "BAD_USER_INPUT"),
        ("{ nothing }", "BAD_USER_INPUT"),
        ("query A { __typename } query B { __typename }", "BAD_USER_INPUT"),
        ("subscription { pipelineEvents { __typename } }", "BAD_USER_INPUT"),
        ('subscription { pipelineEvents(pipelineId: "x") { __typename } }', "BAD_USER_INPUT"),
        ('subscription { leadEvents(leadId: "TGVhZDo", after: "x") { __typename } }', "BAD_USER_INPUT"),
        ("{ " + "a: __typename " * 25_000 + "}", "BAD_USER_INPUT"),
    ],
)
async def test_a_faulty_operation_ends_alone(socket: Socket, document: str, code: str) -> None:
    await socket.initialise(await bearer(await member()))
    await socket.begin("1", document)
    assert {error["extensions"]["code"] for error in await socket.errors()} == {code}
    await socket.begin("2", "{ __typename }")
    assert await socket.data("2") == {"__typename": "Query"}


async def test_a_pipeline_of_another_workspace_is_not_found(socket: Socket) -> None:
    other = await Pipeline.get(workspace_id=(await seller()).workspace_id)
    await socket.initialise(await bearer(await seller()))
    await socket.begin("1", EVENTS, **watching(other))
    assert [error["extensions"]["code"] for error in await socket.errors()] == ["NOT_FOUND"]


async def test_a_connection_has_a_limit_of_operations(socket: Socket) -> None:
    admin = await seller()
    pipeline = await Pipeline.get(workspace_id=admin.workspace_id)
    await socket.initialise(await bearer(admin))
    for number in range(100):
        await socket.begin(str(number), EVENTS, **watching(pipeline))
    await socket.begin("one more", ME)
    assert (await socket.errors("one more"))[0]["extensions"]["code"] == "RATE_LIMITED"


async def test_subscriptions_are_paid_for_as_queries_are(server_settings: Settings) -> None:
    admin = await seller()
    pipeline = await Pipeline.get(workspace_id=admin.workspace_id)
    app = create_app(server_settings.model_copy(update={"budget": 5, "budget_per_second": 1}))
    async with serving(app) as address, socket_to(address) as socket:
        await socket.initialise(await bearer(admin))
        refused: set[str] = set()
        for number in range(6):
            await socket.begin(str(number), EVENTS, **watching(pipeline))
        while not refused:
            message = await socket.receive()
            assert message["type"] == "error", message
            refused = {error["extensions"]["code"] for error in message["payload"]}
        assert refused == {"RATE_LIMITED"}
    await app.state.redis.aclose()


async def test_without_a_known_subprotocol_it_closes_with_4406(server: str) -> None:
    async with socket_to(server, "soap") as socket:
        assert (await socket.closed())[0] == 4406


@pytest.mark.parametrize(
    ("origin", "cors_origins", "allowed"),
    [
        ("http://{host}", "", True),
        ("https://app.example.com", "https://other.example, https://app.example.com/", True),
        ("https://app.example.com", "*", True),
        ("https://evil.example", "https://app.example.com", False),
        ("null", "", False),
    ],
)
async def test_pages_of_other_origins_are_kept_out(
    server_settings: Settings, origin: str, cors_origins: str, allowed: bool
) -> None:
    app = create_app(server_settings.model_copy(update={"cors_origins": cors_origins}))
    async with serving(app) as address:
        headers = {"Origin": origin.format(host=address.removeprefix("http://"))}
        if allowed:
            async with socket_to(address, headers=headers) as socket:
                await socket.initialise()
        else:
            with pytest.raises(InvalidStatus, match="403"):
                async with socket_to(address, headers=headers):
                    pass
    await app.state.redis.aclose()


async def test_graphql_transport_ws_is_preferred_as_the_client_prefers(server: str) -> None:
    async with socket_to(server, TRANSPORT, LEGACY) as socket:
        assert socket.connection.subprotocol == TRANSPORT
    async with socket_to(server, LEGACY, TRANSPORT) as socket:
        assert socket.connection.subprotocol == LEGACY


async def test_the_legacy_subprotocol(server: str) -> None:
    async with socket_to(server, LEGACY) as socket:
        await socket.initialise(await bearer(await seller()))
        await socket.begin("1", "{ __typename }", kind="start")
        answer = await socket.receive()
        assert (answer["id"], answer["type"]) == ("1", "data")
        assert answer["payload"]["data"] == {"__typename": "Query"}
        await socket.complete()
        await socket.begin("2", "{ nothing }", kind="start")
        refused = await socket.receive()
        assert (refused["id"], refused["type"]) == ("2", "error")
        assert "nothing" in refused["payload"]["message"]
        await socket.send({"type": "connection_terminate"})
        assert (await socket.closed())[0] == 1000


async def test_a_refused_sign_in_in_the_legacy_subprotocol(server: str) -> None:
    async with socket_to(server, LEGACY) as socket:
        await socket.send(INIT | {"payload": {"authorization": "Bearer no"}})
        assert (await socket.receive())["type"] == "connection_error"
        assert await socket.closed() == (4403, "Forbidden")


async def test_a_draining_server_closes_with_1012(server_settings: Settings) -> None:
    app = create_app(server_settings)
    opened = asyncio.Event()
    told: list[tuple[int | None, str]] = []

    async def listen(address: str) -> None:
        async with socket_to(address) as socket:
            await socket.initialise()
            opened.set()
            told.append(await socket.closed())

    async with serving(app) as address:
        listening = asyncio.create_task(listen(address))
        await opened.wait()
    await listening
    await app.state.redis.aclose()
    assert told[0][0] == 1012
