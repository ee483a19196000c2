"""What people are told live: each only what is theirs, without a gap, and nothing of leads that they cannot see."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from domain import api_keys, attachments, comments, leads, notifications, watching
from domain.actors import Actor, ActorKind
from domain.api_keys import NewKey
from domain.leads import LeadDetails
from domain.subjects import SubjectKey
from models.conversations import Comment, Notification
from models.events import Event
from models.leads import Lead
from models.pipelines import Pipeline
from models.users import Role
from schema import ids
from tests.factories import again, bearer, lead, member, seller, upload
from tests.live.client import EVENTS, Socket, socket_to
from tests.live.conftest import SECONDS, Relay

pytestmark = pytest.mark.usefixtures("db")

NEWS = """
subscription ($after: String) { notificationReceived(after: $after) {
  __typename
  ... on NotificationEvent { cursor eventId unreadNotifications }
  ... on NotificationReceived {
    notification { id kind readAt eventId lead { id title } comment { text } actor { id } event { name } }
  }
  ... on ResyncRequired { reason }
} }
"""
LEAD = """
subscription ($lead: ID!, $after: String) { leadEvents(leadId: $lead, after: $after) {
  __typename
  ... on LeadEvent { cursor eventId leadId }
  ... on SeenLeadEvent { lead { id } changes { field } }
  ... on LeadChanged { commentId comment { text user { id } } }
} }
"""
CURSOR = "{ cursor viewer { unreadNotifications } notifications { totalCount } }"

Connect = Callable[[Actor | NewKey], Awaitable[Socket]]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def connect(server: str) -> AsyncIterator[Connect]:
    """Open a socket and sign somebody in."""
    async with AsyncExitStack() as stack:

        async def open_one(who: Actor | NewKey) -> Socket:
            socket = await stack.enter_async_context(socket_to(server))
            await socket.initialise(who.secret if isinstance(who, NewKey) else await bearer(who))
            return socket

        yield open_one


async def cursor_of(socket: Socket) -> str:
    await socket.begin("c", CURSOR)
    told = await socket.data("c")
    await socket.complete("c")
    return str(told["cursor"])


async def tell(actor: Actor, relay: Relay) -> None:
    """Do the work of the task and of the relay for all that has happened."""
    await relay()
    events = await Event.filter(workspace_id=actor.workspace_id).order_by("position")
    await notifications.notify(actor.workspace_id, [event.id for event in events], now=now())
    await relay()


async def say(actor: Actor, row: Lead, text: str, *mentioned: Actor) -> Comment:
    people = [one.user_id for one in mentioned if one.user_id]
    return await comments.add(actor, SubjectKey(Lead, row.id), text=text, mention_ids=people, now=now())


async def key_of(admin: Actor, *scopes: str) -> NewKey:
    return await api_keys.create(admin, name=f"Partner {len(scopes)}", scopes=scopes, now=now())


def gid(noun: str, row: Any) -> str:
    return str(ids.encode(noun, row.id))


async def test_a_mention_reaches_whom_it_is_for_and_nobody_else(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    friend, other = await member(Role.QUALIFIER, of=admin), await member(of=admin)
    row = await lead(admin, title="Roof", now=now())
    await relay()
    sockets = {one: await connect(one) for one in (friend, other)}
    for socket in sockets.values():
        await socket.begin("1", NEWS, after=await cursor_of(socket))
    await say(admin, row, "Look", friend)
    await tell(admin, relay)

    told = await sockets[friend].event()
    assert (told["__typename"], told["unreadNotifications"]) == ("NotificationReceived", 1)
    shown = told["notification"]
    assert (shown["kind"], shown["readAt"], shown["comment"]) == ("MENTION", None, {"text": "Look"})
    assert (shown["lead"], shown["event"]) == ({"id": gid("Lead", row), "title": "Roof"}, {"name": "lead.commented"})
    assert shown["actor"] == {"id": str(ids.encode("User", admin.user_id))}  # type: ignore[arg-type]
    # The next thing that the other one hears is what is for them, so that nothing came before it.
    await say(friend, row, "I did", other)
    await tell(admin, relay)
    heard = await sockets[other].event()
    assert heard["notification"]["comment"] == {"text": "I did"}


async def test_it_goes_on_from_a_cursor_without_a_gap(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    friend, row = await member(Role.QUALIFIER, of=admin), await lead(admin, now=now())
    await relay()
    socket = await connect(friend)
    start = await cursor_of(socket)
    for text in ("One", "Two", "Three"):
        await say(admin, row, text, friend)
        await tell(admin, relay)

    await socket.begin("1", NEWS, after=start)
    told = [await socket.event("1") for _ in range(3)]
    await socket.begin("2", NEWS, after=told[0]["cursor"])
    again = [await socket.event("2") for _ in range(2)]

    assert [one["notification"]["comment"]["text"] for one in told] == ["One", "Two", "Three"]
    assert [one["eventId"] for one in again] == [one["eventId"] for one in told[1:]]


async def test_another_screen_hears_that_they_were_read(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    friend, row = await member(Role.QUALIFIER, of=admin), await lead(admin, now=now())
    await relay()
    socket = await connect(friend)
    await socket.begin("1", NEWS, after=await cursor_of(socket))
    await say(admin, row, "Look", friend)
    await tell(admin, relay)
    told = await socket.event()
    marked = "mutation { markNotificationsRead(input: {all: true}) { unreadNotifications userErrors { code } } }"

    other = await connect(friend)
    await other.begin("m", marked)
    assert (await other.data("m"))["markNotificationsRead"] == {"unreadNotifications": 0, "userErrors": []}
    await relay()

    read = await socket.event()
    assert (read["__typename"], read["unreadNotifications"]) == ("NotificationsRead", 0)
    assert told["unreadNotifications"] == 1


async def test_a_lead_that_goes_out_of_sight_takes_its_news_along(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    hidden, kept = await lead(admin, title="Hidden", now=now()), await lead(admin, title="Kept", now=now())
    for row in (hidden, kept):
        await leads.assign(admin, row.id, rep.user_id, now=now())
    await relay()
    socket = await connect(rep)
    start = await cursor_of(socket)
    await say(admin, hidden, "Secret", rep)
    await say(admin, kept, "Open", rep)
    await tell(admin, relay)
    await leads.assign(admin, hidden.id, admin.user_id, now=now())
    await relay()

    await socket.begin("1", NEWS, after=start)
    told = [await socket.event() for _ in range(4)]
    found = [one["notification"] and one["notification"]["lead"]["title"] for one in told]
    assert sorted(map(str, found)) == ["Kept", "Kept", "None", "None"]
    assert "Secret" not in json.dumps(told)
    await socket.begin("2", "{ notifications { totalCount nodes { lead { title } } } viewer { unreadNotifications } }")
    seen = await socket.data("2")
    assert seen["notifications"]["totalCount"] == seen["viewer"]["unreadNotifications"] == 2
    assert {node["lead"]["title"] for node in seen["notifications"]["nodes"]} == {"Kept"}


async def test_a_stream_over_plain_http_tells_only_its_reader(server: str, connect: Connect, relay: Relay) -> None:
    admin = await seller()
    friend, other = await member(Role.QUALIFIER, of=admin), await member(of=admin)
    row = await lead(admin, now=now())
    await relay()
    start = await cursor_of(await connect(friend))
    await say(admin, row, "For the other", other)
    await say(admin, row, "For the friend", friend)
    await tell(admin, relay)

    # The friend watches nothing yet when the other one is mentioned.
    headers = {"Accept": "text/event-stream", "Authorization": await bearer(friend)}
    asked = {"query": NEWS, "variables": {"after": start}}
    async with (
        asyncio.timeout(SECONDS),
        httpx.AsyncClient() as client,
        client.stream("POST", f"{server}/graphql", json=asked, headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                break
    told = json.loads(line.removeprefix("data: "))["data"]["notificationReceived"]
    assert told["notification"]["comment"] == {"text": "For the friend"}


async def test_a_key_hears_its_service_user_and_needs_the_scopes(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    key, blind = await key_of(admin, "lead:read", "comment:read", "notification:read"), await key_of(admin, "lead:read")
    row = await lead(admin, now=now())
    service = await again(Actor(ActorKind.USER, admin.workspace_id, user_id=key.row.user_id))
    await watching.watch(service, row.id, now=now())
    await relay()

    socket = await connect(blind)
    await socket.begin("1", NEWS)
    assert [error["extensions"]["code"] for error in await socket.errors()] == ["FORBIDDEN"]
    hearing = await connect(key)
    await hearing.begin("1", NEWS, after=await cursor_of(hearing))
    await say(admin, row, "Look")
    await tell(admin, relay)
    told = await hearing.event()
    assert (told["notification"]["kind"], told["notification"]["actor"]) == ("COMMENT", None)
    assert await Notification.filter(user_id=key.row.user_id).count() == 1


async def test_comments_reach_who_watches_the_lead_and_no_board(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    row = await lead(admin, now=now())
    await relay()
    socket = await connect(admin)
    start = await cursor_of(socket)
    pipeline = str(ids.encode("Pipeline", (await Pipeline.get(workspace_id=admin.workspace_id)).id))
    await socket.begin("lead", LEAD, lead=gid("Lead", row), after=start)
    made = await say(admin, row, "Look")
    await relay()
    written = await socket.event("lead")
    await comments.delete(admin, made.id, now=now())
    await relay()
    deleted = await socket.event("lead")
    await leads.update(admin, row.id, LeadDetails(title="Wind wheel"), now=now())
    await relay()
    changed = await socket.event("lead")

    author = {"id": str(ids.encode("User", admin.user_id))}  # type: ignore[arg-type]
    assert (written["__typename"], written["changes"]) == ("LeadChanged", [])
    assert (written["commentId"], written["comment"]) == (gid("Comment", made), {"text": "Look", "user": author})
    assert (deleted["commentId"], deleted["comment"]) == (gid("Comment", made), None)
    assert (changed["commentId"], changed["changes"]) == (None, [{"field": "title"}])
    await socket.begin("board", EVENTS, pipeline=pipeline, after=start)
    assert (await socket.event("board"))["eventId"] == changed["eventId"]


async def test_a_comment_is_told_to_who_may_read_comments_only(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    key, reader = await key_of(admin, "lead:read"), await key_of(admin, "lead:read", "comment:read")
    row = await lead(admin, now=now())
    await relay()
    sockets = [await connect(one) for one in (key, reader)]
    for socket in sockets:
        await socket.begin("1", LEAD, lead=gid("Lead", row), after=await cursor_of(socket))
    await say(admin, row, "Look")
    await relay()

    heard = [(await socket.event())["comment"] for socket in sockets]

    assert heard == [None, {"text": "Look", "user": None}]


async def test_files_reach_who_watches_the_lead(connect: Connect, relay: Relay) -> None:
    admin = await seller()
    row = await lead(admin, now=now())
    await relay()
    socket = await connect(admin)
    document = """subscription($lead: ID!, $after: String) { leadEvents(leadId: $lead, after: $after) {
      __typename ... on LeadChanged { attachmentId attachment { name } commentId changes { field } } } }"""
    await socket.begin("1", document, lead=gid("Lead", row), after=await cursor_of(socket))
    staged = await upload(admin, now=now())
    made = await attachments.attach(admin, SubjectKey(Lead, row.id), staged.id, now=now())
    await relay()
    attached = await socket.event("1")
    await attachments.delete(admin, made.id, now=now())
    await relay()
    removed = await socket.event("1")

    told: dict[str, Any] = {
        "__typename": "LeadChanged",
        "attachmentId": gid("Attachment", made),
        "commentId": None,
        "changes": [],
    }
    assert attached == told | {"attachment": {"name": "note.txt"}}
    assert removed == told | {"attachment": None}
