"""Comments, watching and notifications over HTTP."""

from typing import Any
from uuid import UUID

import pytest

from domain import notifications
from domain.actors import Actor
from models.base import uuid7
from models.conversations import Notification
from models.events import Event
from models.users import Role
from tests.factories import NOW, lead, member, seller
from tests.schema.asking import answer, ask, gid

KEY = UUID("018cc251-0000-7000-8000-000000000000")

pytestmark = pytest.mark.usefixtures("db")

ADD = """mutation ($input: AddCommentInput!) { addComment(input: $input) {
  comment { id text version user { id } lead { id title } company { id } mentions { id } viewerCan { update delete } }
  userErrors { code field } clientMutationId
} }"""
BELL = """{ viewer { unreadNotifications }
  notifications { totalCount nodes { id kind readAt lead { id } comment { id text } actor { id } event { name } } } }"""
READ = """mutation ($input: MarkNotificationsReadInput!) { markNotificationsRead(input: $input) {
  notifications { id readAt } unreadNotifications userErrors { code field } } }"""


def me(actor: Actor) -> str:
    assert actor.user_id
    return gid("User", actor.user_id)


async def say(actor: Actor, subject: str, text: str, *mentioned: str) -> dict[str, Any]:
    people = {"mentionIds": [*mentioned]} if mentioned else {}
    told = await ask(actor, ADD, input={"subjectId": subject, "text": text, **people})
    payload: dict[str, Any] = told["addComment"]
    return payload


async def tell(actor: Actor) -> None:
    events = await Event.filter(workspace_id=actor.workspace_id).order_by("id")
    await notifications.notify(actor.workspace_id, [event.id for event in events], now=NOW)


async def test_a_comment_shows_what_it_is_and_what_one_may_do_with_it() -> None:
    admin = await seller()
    friend, viewer = await member(Role.QUALIFIER, of=admin), await member(Role.VIEWER, of=admin)
    row = await lead(admin, title="Roof")
    text = "<img src=x onerror=alert(1)> & <b>you</b>"

    payload = await say(friend, gid("Lead", row.id), text, me(admin))
    made = payload["comment"]

    assert payload["userErrors"] == []
    assert (made["text"], made["version"], made["user"], made["company"]) == (text, 1, {"id": me(friend)}, None)
    assert (made["lead"], made["mentions"]) == ({"id": gid("Lead", row.id), "title": "Roof"}, [{"id": me(admin)}])
    document = """query ($id: ID!, $key: ID!) { lead(id: $id) { viewerWatches watchers { nodes { id } }
      comments { totalCount nodes { id viewerCan { update delete } } } }
      node(id: $key) { id } comment(id: $key) { id } }"""
    for actor, update, delete, watches in (
        (friend, True, True, True),
        (admin, False, True, True),
        (viewer, False, False, False),
    ):
        told = await ask(actor, document, id=gid("Lead", row.id), key=made["id"])
        seen = told["lead"]["comments"]
        assert seen == {
            "totalCount": 1,
            "nodes": [{"id": made["id"], "viewerCan": {"update": update, "delete": delete}}],
        }
        assert told["lead"]["viewerWatches"] is watches
        assert {one["id"] for one in told["lead"]["watchers"]["nodes"]} == {me(admin), me(friend)}
        assert told["node"] == told["comment"] == {"id": made["id"]}


async def test_comments_are_found_by_whom_they_mention_and_by_their_words() -> None:
    admin = await seller()
    friend, rep = await member(Role.QUALIFIER, of=admin), await member(Role.REP, of=admin)
    row = await lead(admin)
    named = (await say(admin, gid("Lead", row.id), "Steep roof", me(friend)))["comment"]["id"]
    plain = (await say(admin, gid("Lead", row.id), "Flat barn"))["comment"]["id"]
    document = """query ($filter: CommentFilter, $search: String) {
      comments(filter: $filter, search: $search) { nodes { id } } }"""

    async def found(actor: Actor, **variables: Any) -> list[str]:
        return [node["id"] for node in (await ask(actor, document, **variables))["comments"]["nodes"]]

    assert await found(admin) == [plain, named]
    assert await found(admin, filter={"mentions": {"some": {"id": {"eq": me(friend)}}}}) == [named]
    assert await found(admin, filter={"lead": {"eq": gid("Lead", row.id)}}, search="bar") == [plain]
    assert await found(rep) == []


async def test_each_mention_that_cannot_be_has_its_path() -> None:
    admin, stranger = await seller(), await seller()
    away, blind = await member(of=admin, active=False), await member(Role.REP, of=admin)
    row = await lead(admin)

    payload = await say(admin, gid("Lead", row.id), " ", me(stranger), me(away), me(blind), me(admin))

    assert payload["comment"] is None
    assert [(error["code"], error["field"]) for error in payload["userErrors"]] == [
        ("REQUIRED", ["text"]),
        ("NOT_FOUND", ["mentionIds", "0"]),
        ("MENTIONED_INACTIVE", ["mentionIds", "1"]),
        ("MENTIONED_UNSEEING", ["mentionIds", "2"]),
    ]


@pytest.mark.parametrize("value", ["", "nonsense", gid("Tag", KEY), gid("User", KEY)])
async def test_a_subject_is_a_lead_a_company_or_a_contact(value: str) -> None:
    told = await answer(await seller(), ADD, input={"subjectId": value, "text": "Hm"})

    assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"]


async def test_notifications_are_their_readers_alone_by_every_way() -> None:
    admin, stranger = await seller(), await seller()
    friend = await member(Role.QUALIFIER, of=admin)
    row = await lead(admin)
    for text in ("One", "Two"):
        await say(admin, gid("Lead", row.id), text, me(friend))
    await tell(admin)
    told = await ask(friend, BELL)
    [second, first] = told["notifications"]["nodes"]

    assert told["viewer"]["unreadNotifications"] == told["notifications"]["totalCount"] == 2
    assert (second["kind"], second["comment"]["text"], second["actor"]) == ("MENTION", "Two", {"id": me(admin)})
    assert second["event"] == {"name": "lead.commented"}
    ways = "query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id]) { id } notifications { nodes { id } } }"
    for actor in (admin, stranger):
        seen = await ask(actor, ways, id=second["id"])
        assert seen == {"node": None, "nodes": [None], "notifications": {"nodes": []}}
        refused = (await ask(actor, READ, input={"ids": [first["id"]]}))["markNotificationsRead"]
        assert refused["userErrors"] == [{"code": "NOT_FOUND", "field": ["ids", "0"]}]
        assert (refused["notifications"], refused["unreadNotifications"]) == ([], 0)
    assert (await ask(friend, ways, id=second["id"]))["node"] == {"id": second["id"]}
    assert await Notification.filter(workspace_id=admin.workspace_id, read_at=None).count() == 2


async def test_what_was_read_is_said_by_ids_up_to_one_or_all() -> None:
    admin = await seller()
    friend, row = await member(Role.QUALIFIER, of=admin), await lead(admin)
    for text in ("One", "Two", "Three"):
        await say(admin, gid("Lead", row.id), text, me(friend))
    await tell(admin)
    third, second, first = [node["id"] for node in (await ask(friend, BELL))["notifications"]["nodes"]]

    by_ids = (await ask(friend, READ, input={"ids": [second]}))["markNotificationsRead"]
    assert (by_ids["notifications"][0]["id"], by_ids["unreadNotifications"]) == (second, 2)
    partly = (await ask(friend, READ, input={"ids": [gid("Notification", uuid7()), second]}))["markNotificationsRead"]
    assert partly["userErrors"] == [{"code": "NOT_FOUND", "field": ["ids", "0"]}]
    assert [one["id"] for one in partly["notifications"]] == [second]
    up_to = (await ask(friend, READ, input={"upToId": first}))["markNotificationsRead"]
    assert (up_to["notifications"], up_to["unreadNotifications"]) == ([], 1)
    unread = "{ notifications(filter: {readAt: {isNull: true}}) { nodes { id } } }"
    assert (await ask(friend, unread))["notifications"]["nodes"] == [{"id": third}]
    everything = (await ask(friend, READ, input={"all": True}))["markNotificationsRead"]
    assert everything["unreadNotifications"] == 0
    neither = (await ask(friend, READ, input={}))["markNotificationsRead"]
    assert neither["userErrors"] == [{"code": "NOT_ONE_WAY", "field": None}]


async def test_a_deleted_comment_leaves_its_notification_without_it() -> None:
    admin = await seller()
    friend, row = await member(Role.QUALIFIER, of=admin), await lead(admin)
    made = (await say(admin, gid("Lead", row.id), "Look", me(friend)))["comment"]["id"]
    await tell(admin)
    gone = "mutation ($id: ID!) { deleteComment(input: {id: $id}) { deletedCommentId userErrors { code } } }"

    assert (await ask(admin, gone, id=made))["deleteComment"]["deletedCommentId"] == made

    [told] = (await ask(friend, BELL))["notifications"]["nodes"]
    assert (told["comment"], told["lead"]) == (None, {"id": gid("Lead", row.id)})


async def test_watching_may_be_repeated() -> None:
    admin = await seller()
    row, rep = await lead(admin), await member(Role.REP, of=admin)
    document = """mutation ($id: ID!) { watchLead(input: {leadId: $id}) {
      lead { viewerWatches watchers { totalCount } } userErrors { code field } } }"""
    done = {"lead": {"viewerWatches": True, "watchers": {"totalCount": 1}}, "userErrors": []}

    for _ in range(2):
        assert (await ask(admin, document, id=gid("Lead", row.id)))["watchLead"] == done
    for _ in range(2):
        told = await ask(admin, document.replace("watchLead", "unwatchLead"), id=gid("Lead", row.id))
        assert told["unwatchLead"]["lead"] == {"viewerWatches": False, "watchers": {"totalCount": 0}}
    refused = (await ask(rep, document, id=gid("Lead", row.id)))["watchLead"]
    assert refused == {"lead": None, "userErrors": [{"code": "NOT_FOUND", "field": ["leadId"]}]}
