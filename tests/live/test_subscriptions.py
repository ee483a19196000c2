"""Subscriptions over a socket: what they say, who shares an answer, and what ends them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.types import Message

from api import answers, live
from api.app import create_app
from api.live import subscriptions
from api.websocket import GraphQLSocket, Patience
from domain import companies, events, leads, policy, sessions, users, workspaces
from domain.actors import Actor
from domain.captures import Capture, capture
from domain.companies import CompanyDetails
from domain.leads import LeadDetails
from models.base import uuid7
from models.database import PooledConnection
from models.imports import Import, ImportFault, ImportKind, ImportStatus
from models.leads import Lead
from models.pipelines import Pipeline
from models.users import Role, User, Visibility
from schema import ids
from schema.live_cursors import cursor
from schema.schema import graphql_schema
from settings import Settings, settings
from tests.factories import again, bearer, lead, member, seller, session, team
from tests.live.client import EVENTS, Socket, socket_to
from tests.live.conftest import Relay

pytestmark = pytest.mark.usefixtures("db")

BELL = "subscription ($p: ID!) { pipelineEvents(pipelineId: $p) { __typename ... on LeadEvent { leadId } } }"
PERSONAL = """
subscription ($p: ID!) { pipelineEvents(pipelineId: $p) {
  __typename ... on SeenLeadEvent { lead { id viewerCan { move } } }
} }
"""
CURSORS = """
subscription ($p: ID!) { pipelineEvents(pipelineId: $p) {
  __typename ... on LeadEvent { cursor } ... on SeenLeadEvent { lead { id } }
} }
"""
SIBLINGS = """
subscription ($p: ID!) { pipelineEvents(pipelineId: $p) {
  ... on SeenLeadEvent { lead { title company { leads { totalCount } } } }
} }
"""
PARTLY = """
subscription ($p: ID!, $wanted: Boolean!) { pipelineEvents(pipelineId: $p) {
  __typename ... on LeadEvent { leadId @include(if: $wanted) }
} }
"""

Connect = Callable[..., Awaitable[Socket]]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def connect(server: str) -> AsyncIterator[Connect]:
    """Open a socket and sign somebody in."""
    async with AsyncExitStack() as stack:

        async def open_one(actor: Actor, **params: Any) -> Socket:
            socket = await stack.enter_async_context(socket_to(server))
            await socket.initialise(await bearer(actor), **params)
            return socket

        yield open_one


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The messages that were executed, each as often as it was."""
    executed: list[Any] = []
    real = answers.Answers._execute

    async def count(self: Any, message: Any, context: Any) -> str:
        executed.append(message)
        return await real(self, message, context)

    monkeypatch.setattr(answers.Answers, "_execute", count)
    return executed


async def pipeline_of(actor: Actor) -> str:
    return ids.encode("Pipeline", (await Pipeline.get(workspace_id=actor.workspace_id)).id)


async def cursor_of(actor: Actor) -> str:
    return cursor(actor.workspace_id, await events.head(actor.workspace_id), policy.scope(actor, Lead))


async def test_what_a_message_says(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    socket = await connect(admin)
    await socket.begin(
        "1",
        """subscription ($p: ID!) { pipelineEvents(pipelineId: $p) { __typename
          ... on LeadEvent { cursor eventId occurredAt clientMutationId leadId actor { kind user { id } } }
          ... on SeenLeadEvent { lead { id title } changes { field before after } } } }""",
        p=await pipeline_of(admin),
    )
    await begun(admin, 1)
    at = now()
    row = await lead(admin, title="Solar roof", now=at)
    await relay()
    entered = await socket.event()
    assert entered["__typename"] == "LeadEntered"
    assert entered["leadId"] == entered["lead"]["id"] == ids.encode("Lead", row.id)
    assert entered["occurredAt"] == at.isoformat().replace("+00:00", "Z")
    assert entered["actor"] == {"kind": "USER", "user": {"id": ids.encode("User", admin.user_id)}}  # type: ignore[arg-type]
    assert entered["cursor"] == await cursor_of(admin)
    await leads.update(admin, row.id, LeadDetails(title="Wind wheel"), now=now())
    await relay()
    changed = await socket.event()
    assert changed["__typename"] == "LeadChanged"
    assert changed["changes"] == [{"field": "title", "before": "Solar roof", "after": "Wind wheel"}]
    assert changed["eventId"] != entered["eventId"]
    await leads.delete(admin, row.id, now=now())
    await relay()
    left = await socket.event()
    assert (left["__typename"], left["leadId"], "lead" in left) == ("LeadLeft", entered["leadId"], False)


async def begun(actor: Actor, count: int) -> None:
    """Wait until a workspace has so many subscriptions."""
    async with asyncio.timeout(20):
        while sum_of_watchers(actor) < count:
            await asyncio.sleep(0.005)


def sum_of_watchers(actor: Actor) -> int:
    return sum(hub.watchers(actor.workspace_id) for hub in HUBS)


HUBS: list[live.Hub] = []


@pytest.fixture(autouse=True)
def hubs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know every hub that a feed is opened in, the server's among them."""
    HUBS.clear()
    real = live.Hub.feed

    async def feed(self: live.Hub, workspace_id: Any) -> live.Feed:
        if self not in HUBS:
            HUBS.append(self)
        return await real(self, workspace_id)

    monkeypatch.setattr(live.Hub, "feed", feed)


async def test_a_mutations_id_comes_back_with_its_events(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    socket = await connect(admin)
    await socket.begin("1", EVENTS, pipeline=await pipeline_of(admin))
    await begun(admin, 1)
    await socket.begin("2", 'mutation { captureLead(input: {title: "A", clientMutationId: "mine"}) { lead { id } } }')
    await socket.data("2")
    await socket.complete("2")
    await relay()
    assert (await socket.event())["clientMutationId"] == "mine"


async def test_a_board_and_its_events_leave_no_gap(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    await lead(admin, title="On the board", now=now())
    await relay()
    socket, pipeline = await connect(admin), await pipeline_of(admin)
    await socket.begin("1", "query ($id: ID!) { cursor pipeline(id: $id) { cursor } }", id=pipeline)
    read = await socket.data()
    assert read["cursor"] == read["pipeline"]["cursor"] == await cursor_of(admin)
    await socket.complete()
    await lead(admin, title="In between", now=now())
    await relay()
    await socket.begin("1", EVENTS, pipeline=pipeline, after=read["cursor"])
    assert (await socket.event())["lead"]["title"] == "In between"


async def test_the_later_of_after_and_resume_after_wins(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    pipeline = await pipeline_of(admin)
    cursors = []
    for title in ("First", "Second", "Third"):
        cursors.append(await cursor_of(admin))
        await lead(admin, title=title, now=now())
        await relay()
    resumed = await connect(admin, resumeAfter=cursors[1])
    await resumed.begin("1", EVENTS, pipeline=pipeline, after=cursors[0])
    assert (await resumed.event())["lead"]["title"] == "Second"
    earlier = await connect(admin, resumeAfter=cursors[0])
    await earlier.begin("1", EVENTS, pipeline=pipeline, after=cursors[2])
    assert (await earlier.event())["lead"]["title"] == "Third"
    alone = await connect(admin, resumeAfter=cursors[2])
    await alone.begin("1", EVENTS, pipeline=pipeline)
    assert (await alone.event())["lead"]["title"] == "Third"


async def test_a_resync_completes_the_operation(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    beyond = cursor(admin.workspace_id, 10**6, policy.scope(admin, Lead))
    socket = await connect(admin)
    await socket.begin("1", EVENTS, pipeline=await pipeline_of(admin), after=beyond)
    assert await socket.event() == {"__typename": "ResyncRequired", "reason": "LOG_TOO_SHORT"}
    await socket.complete()


async def test_one_execution_serves_all_who_ask_the_same_and_see_the_same(
    connect: Connect, relay: Relay, executions: list[Any]
) -> None:
    admin = await seller()
    pipeline = await pipeline_of(admin)
    sockets = [await connect(await member(Role.VIEWER, of=admin)) for _ in range(3)]
    for socket in sockets:
        # An operation's id and the cursor it began at make no difference.
        await socket.begin("bell", BELL, p=pipeline)
        await socket.begin("board", EVENTS, pipeline=pipeline, after=await cursor_of(admin))
    await begun(admin, 6)
    row = await lead(admin, now=now())
    await relay()
    for socket in sockets:
        told = {message["id"]: message["payload"]["data"] for message in [await socket.receive() for _ in range(2)]}
        assert told["bell"] == {"pipelineEvents": {"__typename": "LeadEntered", "leadId": ids.encode("Lead", row.id)}}
        assert told["board"]["pipelineEvents"]["lead"]["title"] == "Solar roof"
    assert len(executions) == 2


async def test_who_sees_something_else_shares_what_is_the_same(
    connect: Connect, relay: Relay, executions: list[Any]
) -> None:
    admin = await seller()
    teams = [await team(admin, name=name) for name in ("North", "South")]
    managers = [await member(Role.MANAGER, of=admin, team=one) for one in teams]
    rep = await member(Role.REP, of=admin, team=teams[0])
    everybody = [await again(actor) for actor in (admin, *managers, rep)]
    sockets = [await connect(actor) for actor in everybody]
    for socket in sockets:
        await socket.begin("1", CURSORS, p=await pipeline_of(admin))
    await begun(admin, 4)
    row = await lead(rep, now=now())
    await relay()
    told = {
        actor: await socket.event() for actor, socket in zip(everybody, sockets, strict=True) if actor != managers[1]
    }
    # South's manager does not see it, and three roles do.
    assert len(executions) == 3
    for actor, event in told.items():
        assert event == {
            "__typename": "LeadEntered",
            "cursor": await cursor_of(actor),
            "lead": {"id": ids.encode("Lead", row.id)},
        }
    await leads.assign(admin, row.id, managers[1].user_id, now=now())
    await relay()
    told = {actor: await socket.event() for actor, socket in zip(everybody, sockets, strict=True)}
    assert [told[actor]["__typename"] for actor in everybody] == ["LeadChanged", "LeadLeft", "LeadEntered", "LeadLeft"]
    assert [event["cursor"] for event in told.values()] == [await cursor_of(actor) for actor in told]


async def test_what_depends_on_the_scope_is_shared_within_it(
    connect: Connect, relay: Relay, executions: list[Any]
) -> None:
    admin = await seller()
    north = await team(admin, name="North")
    south = await team(admin, name="South", parent=north)
    managers = [await member(Role.MANAGER, of=admin, team=one) for one in (north, north, south, south)]
    reps = [await member(Role.REP, of=admin, team=one) for one in (north, south)]
    company = await companies.create(admin, CompanyDetails(name="Acme"), now=now())
    for rep in reps:
        await capture(rep, Capture(details=LeadDetails(title="Known", company_id=company.id)), now=now())
    await relay()
    sockets = [await connect(manager) for manager in managers]
    for socket in sockets:
        await socket.begin("1", SIBLINGS, p=await pipeline_of(admin))
    await begun(admin, 4)
    await capture(reps[1], Capture(details=LeadDetails(title="New", company_id=company.id)), now=now())
    await relay()
    counts = []
    for socket in sockets:
        counts.append((await socket.event())["lead"]["company"]["leads"]["totalCount"])
    assert counts == [3, 3, 2, 2]
    # Once in vain for all, and then for each of the two scopes.
    assert len(executions) == 3


async def test_variables_of_the_selection_make_another_answer(
    connect: Connect, relay: Relay, executions: list[Any]
) -> None:
    admin = await seller()
    socket, pipeline = await connect(admin), await pipeline_of(admin)
    for key, wanted in (("with", True), ("without", False), ("too", True)):
        await socket.begin(key, PARTLY, p=pipeline, wanted=wanted)
    await begun(admin, 3)
    await lead(admin, now=now())
    await relay()
    told = {}
    for _ in range(3):
        message = await socket.receive()
        told[message["id"]] = set(message["payload"]["data"]["pipelineEvents"])
    assert told["with"] == told["too"] == {"__typename", "leadId"}
    assert told["without"] == {"__typename"}
    assert len(executions) == 2


async def test_an_answer_that_depends_on_who_asks_is_given_to_each(
    connect: Connect, relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    admin = await seller()
    reps = [await member(Role.REP, of=admin) for _ in range(2)]
    await workspaces.update(admin, role_visibility={Role.REP: Visibility.ALL}, now=now())
    sockets = [await connect(rep) for rep in reps]
    for socket in sockets:
        await socket.begin("1", PERSONAL, p=await pipeline_of(admin))
    await begun(admin, 2)
    for rep in reps:
        await lead(rep, now=now())
    await relay()
    told = [[(await socket.event())["lead"]["viewerCan"]["move"] for _ in range(2)] for socket in sockets]
    assert told == [[True, False], [False, True]]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_no_subscriber_costs_a_statement(connect: Connect, relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    socket, pipeline = await connect(admin), await pipeline_of(admin)
    row = await lead(admin, now=now())
    await relay()
    sent: list[str] = []
    monkeypatch.setattr(PooledConnection, "fetch", _spied(sent, PooledConnection.fetch))

    async def statements(subscribers: int) -> int:
        for number in range(sum_of_watchers(admin), subscribers):
            await socket.begin(str(number), EVENTS, pipeline=pipeline)
        await begun(admin, subscribers)
        await leads.update(admin, row.id, LeadDetails(title=f"For {subscribers}"), now=now())
        sent.clear()
        await relay()
        for _ in range(subscribers):
            await socket.receive()
        return sum('FROM "lead"' in sql or 'FROM "stage"' in sql for sql in sent)

    assert await statements(1) == await statements(60) == 2


def _spied(sent: list[str], real: Any) -> Any:
    async def spy(self: Any, query: str, *values: Any, **more: Any) -> Any:
        sent.append(query)
        return await real(self, query, *values, **more)

    return spy


async def test_one_lead_over_the_socket(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    row, other = await lead(admin, now=now()), await lead(admin, now=now())
    await relay()
    socket = await connect(admin)
    document = "subscription ($id: ID!) { leadEvents(leadId: $id) { __typename ... on LeadEvent { leadId } } }"
    await socket.begin("1", document, id=ids.encode("Lead", row.id))
    await begun(admin, 1)
    await leads.update(admin, other.id, LeadDetails(title="Not this one"), now=now())
    await leads.update(admin, row.id, LeadDetails(title="This one"), now=now())
    await relay()
    assert await socket.event() == {"__typename": "LeadChanged", "leadId": ids.encode("Lead", row.id)}
    rep = await connect(await member(Role.REP, of=admin))
    await rep.begin("1", document, id=ids.encode("Lead", row.id))
    assert [error["extensions"]["code"] for error in await rep.errors()] == ["NOT_FOUND"]


async def test_an_imports_progress_comes_until_it_ends(connect: Connect) -> None:
    admin = await seller()
    row = await Import.create(
        workspace_id=admin.workspace_id,
        kind=ImportKind.LEADS,
        status=ImportStatus.RUNNING,
        file_name="leads.csv",
        fingerprint="x",
        next_row=10,
        created_at=now(),
    )
    socket = await connect(admin)
    shown = "status doneRows faultsUrl faults { nodes { line } }"
    document = f"subscription ($id: ID!) {{ importProgress(id: $id) {{ {shown} }} }}"
    await socket.begin("1", document, id=ids.encode("Import", row.id))
    first = {"status": "RUNNING", "doneRows": 10.0, "faultsUrl": None, "faults": {"nodes": []}}
    assert await socket.event() == first
    await ImportFault.create(workspace_id=admin.workspace_id, of_import_id=row.id, line=12, reason="Why.")
    await Import.filter(id=row.id).update(next_row=20, skipped_rows=1)
    faults = {"nodes": [{"line": 12.0}]}
    assert await socket.event() == first | {"doneRows": 20.0, "faults": faults}
    await Import.filter(id=row.id).update(status=ImportStatus.COMPLETED, finished_at=now())
    ended = {"status": "COMPLETED", "doneRows": 20.0, "faultsUrl": None, "faults": faults}
    assert await socket.event() == ended
    await Import.filter(id=row.id).update(faults_file_id=uuid7())
    told = await socket.event()
    assert told["faultsUrl"].startswith(f"{settings().public_url}/files/")
    assert told | {"faultsUrl": None} == ended
    await socket.complete()
    other = await connect(await seller())
    await other.begin("1", document, id=ids.encode("Import", row.id))
    assert [error["extensions"]["code"] for error in await other.errors()] == ["NOT_FOUND"]


async def test_a_member_who_is_deactivated_is_closed_with_4403(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    viewer = await member(Role.VIEWER, of=admin)
    socket = await connect(viewer)
    await socket.begin("1", EVENTS, pipeline=await pipeline_of(admin))
    await begun(admin, 1)
    await users.update_member(admin, viewer.user_id or uuid7(), active=False, now=now())
    await relay()
    assert await socket.closed() == (4403, "Forbidden")


async def test_a_session_that_signs_out_is_closed_with_4403(server: str, relay: Relay) -> None:
    admin = await seller()
    signed_in = await session(admin, now=now())
    async with socket_to(server) as socket:
        await socket.initialise(signed_in.access_token)
        await socket.begin("1", EVENTS, pipeline=await pipeline_of(admin))
        await begun(admin, 1)
        await sessions.sign_out(sessions.actor_of(signed_in.session), now=now())
        await relay()
        assert await socket.closed() == (4403, "Forbidden")


async def test_a_closed_socket_watches_nothing_any_more(server: str) -> None:
    admin = await seller()
    async with socket_to(server) as socket:
        await socket.initialise(await bearer(admin))
        await socket.begin("1", EVENTS, pipeline=await pipeline_of(admin))
        await socket.begin("2", EVENTS, pipeline=await pipeline_of(admin))
        await begun(admin, 2)
        await socket.send({"id": "1", "type": "complete"})
        await only(admin, 1)
    await only(admin, 0)


async def only(actor: Actor, watchers: int) -> None:
    """Return when no more watch than these; ending a subscription takes a moment longer than being told to."""
    async with asyncio.timeout(20):
        while sum_of_watchers(actor) != watchers:
            await asyncio.sleep(0.005)


@dataclass
class Deaf:
    """A client that says what it has to and then reads only when it is told to."""

    says: list[dict[str, Any]]
    heard: list[dict[str, Any]] = field(default_factory=list)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    closed: Message | None = None
    most_sending: int = 0
    sending: int = 0

    async def receive(self) -> Message:
        if self.says:
            said = self.says.pop(0)
            return (
                {"type": "websocket.connect"} if not said else {"type": "websocket.receive", "text": json.dumps(said)}
            )
        await self.gone.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.close":
            self.closed = message
        elif message["type"] == "websocket.send":
            told = json.loads(message["text"])
            if told["type"] == "next":
                self.sending += 1
                self.most_sending = max(self.most_sending, self.sending)
                await self.reads.wait()
                self.sending -= 1
            self.heard.append(told)


async def serve_deaf(deaf: Deaf, server_settings: Settings, patience: Patience) -> asyncio.Task[None]:
    app = create_app(server_settings)
    app.state.live = HUBS[0] if HUBS else app.state.live
    endpoint = GraphQLSocket(graphql_schema, app.state.documents, server_settings, patience)
    scope = {
        "type": "websocket",
        "path": "/graphql",
        "headers": [],
        "subprotocols": ["graphql-transport-ws"],
        "app": app,
        "client": ("127.0.0.1", 1),
    }
    return asyncio.create_task(endpoint(scope, deaf.receive, deaf.send))


async def deaf_watcher(admin: Actor, token: str) -> Deaf:
    return Deaf(
        [
            {},
            {"type": "connection_init", "payload": {"authorization": token}},
            {
                "id": "1",
                "type": "subscribe",
                "payload": {"query": EVENTS, "variables": {"pipeline": await pipeline_of(admin)}},
            },
        ]
    )


async def test_who_does_not_read_is_held_back_and_told_to_resync(
    hub: live.Hub, relay: Relay, server_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_WAITING", 20)
    HUBS.append(hub)
    admin = await seller()
    deaf = await deaf_watcher(admin, await bearer(admin))
    serving = await serve_deaf(deaf, server_settings, Patience())
    await begun(admin, 1)
    row = await lead(admin, now=now())
    await relay()
    for number in range(40):
        await leads.update(admin, row.id, LeadDetails(title=f"Title {number}"), now=now())
    await relay()
    async with asyncio.timeout(20):
        while hub.watchers(admin.workspace_id):
            await asyncio.sleep(0.005)
    assert deaf.most_sending == 1
    deaf.reads.set()
    async with asyncio.timeout(20):
        while not deaf.heard or deaf.heard[-1]["type"] != "complete":
            await asyncio.sleep(0.005)
    told = [message["payload"]["data"]["pipelineEvents"] for message in deaf.heard if message["type"] == "next"]
    assert [one["__typename"] for one in told] == ["LeadEntered", "ResyncRequired"]
    assert told[-1]["reason"] == "TOO_SLOW"
    deaf.gone.set()
    await serving


async def test_who_never_reads_again_is_given_up(hub: live.Hub, relay: Relay, server_settings: Settings) -> None:
    HUBS.append(hub)
    admin = await seller()
    deaf = await deaf_watcher(admin, await bearer(admin))
    serving = await serve_deaf(deaf, server_settings, Patience(ping=0.05, send=0.1))
    await begun(admin, 1)
    await lead(admin, now=now())
    await relay()
    async with asyncio.timeout(20):
        await serving
    assert not hub.watchers(admin.workspace_id)


async def test_a_user_is_named_in_the_actor(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    person = await User.get(id=admin.user_id)
    socket = await connect(admin)
    await socket.begin(
        "1",
        "subscription ($p: ID!) { pipelineEvents(pipelineId: $p) { ... on LeadEvent { actor { user { name } } } } }",
        p=await pipeline_of(admin),
    )
    await begun(admin, 1)
    await lead(admin, now=now())
    await relay()
    assert (await socket.event())["actor"]["user"] == {"name": person.name}
