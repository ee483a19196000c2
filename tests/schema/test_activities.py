"""Activities and timelines through the API: logged, edited, listed, and what goes wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain import activities, attachments, comments, companies, contacts, hand_overs, leads, moves, needs
from domain.activities import ActivityDetails, NewActivity
from domain.actors import Actor
from domain.companies import CompanyDetails
from domain.contacts import ContactDetails
from domain.needs import NeedDetails
from domain.subjects import SubjectKey
from models.activities import Activity, ActivityKind
from models.base import uuid7
from models.companies import Company
from models.contacts import Contact
from models.leads import Lead
from models.stages import StageKind
from models.users import Membership, Role
from schema.context import Context
from schema.schema import graphql_schema
from tests.factories import NOW, lead, member, partner, seller, stage, upload
from tests.schema.asking import answer, ask, codes, gid
from tests.statements import recorded

pytestmark = pytest.mark.usefixtures("db")

ACTIVITY = """
  id version kind isTouch direction subject text outcome durationSeconds occurredAt createdAt
  type { name } user { id } loggedBy { id } lead { id touches } company { name } contact { name }
  participants { user { id } contact { name } name email } externalRefs { system externalId }
  viewerCan { update delete }
"""
LOG = f"""
mutation Log($input: LogActivityInput!) {{
  logActivity(input: $input) {{ activity {{ {ACTIVITY} }} userErrors {{ code message field }} clientMutationId }}
}}
"""
LOG_MANY = """
mutation LogMany($input: LogActivitiesInput!) {
  logActivities(input: $input) {
    results { index activity { id subject } userErrors { code field } } userErrors { code field }
  }
}
"""
LIST = """
query Activities($first: Int, $after: String, $filter: ActivityFilter, $search: String) {
  activities(first: $first, after: $after, filter: $filter, search: $search) {
    totalCount pageInfo { hasNextPage endCursor } nodes { id subject }
  }
}
"""
TIMELINE = """
query Timeline($id: ID!, $first: Int, $after: String, $filter: TimelineEntryFilter, $orderBy: [TimelineEntryOrder!]) {
  lead(id: $id) {
    timeline(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes {
        id kind occurredAt user { id } lead { id }
        activity { subject } transition { toStage { name } } event { name changes { field } }
      }
    }
  }
}
"""


async def logged(actor: Actor, on: Lead, **more: Any) -> Activity:
    given: dict[str, Any] = {"kind": ActivityKind.NOTE, "subject": "A note", "occurred_at": NOW} | more
    new = NewActivity(details=ActivityDetails(**given), lead_id=on.id)
    return await activities.log(actor, new, now=given["occurred_at"])


async def subjects(actor: Actor, **arguments: Any) -> list[str]:
    found = await ask(actor, LIST, **arguments)
    return [node["subject"] for node in found["activities"]["nodes"]]


async def test_an_activity_is_logged_shown_edited_deleted_and_restored() -> None:
    admin = await seller()
    on, key = await lead(admin), uuid7()
    given = {
        "id": gid("Activity", key),
        "leadId": gid("Lead", on.id),
        "kind": "CALL",
        "direction": "OUTBOUND",
        "subject": "Roof",
        "text": "<script>alert(1)</script>",
        "durationSeconds": 60,
        "occurredAt": "2026-03-03T09:00:00+01:00",
        "participants": [{"userId": gid("User", admin.user_id)}, {"name": "Eve", "email": "eve@acme.example"}],  # type: ignore[arg-type]
        "externalRefs": [{"system": "dialler", "externalId": "1"}],
        "clientMutationId": "c1",
    }

    told = (await ask(admin, LOG, input=given))["logActivity"]
    assert (told["userErrors"], told["clientMutationId"]) == ([], "c1")
    shown = told["activity"]
    me = {"id": gid("User", admin.user_id)}  # type: ignore[arg-type]
    assert shown == {
        "id": gid("Activity", key),
        "version": 1,
        "kind": "CALL",
        "isTouch": True,
        "direction": "OUTBOUND",
        "subject": "Roof",
        "text": "<script>alert(1)</script>",
        "outcome": None,
        "durationSeconds": 60,
        "occurredAt": "2026-03-03T08:00:00Z",
        "createdAt": shown["createdAt"],
        "type": None,
        "user": me,
        "loggedBy": me,
        "lead": {"id": gid("Lead", on.id), "touches": 1},
        "company": None,
        "contact": None,
        "participants": [
            {"user": me, "contact": None, "name": None, "email": None},
            {"user": None, "contact": None, "name": "Eve", "email": "eve@acme.example"},
        ],
        "externalRefs": [{"system": "dialler", "externalId": "1"}],
        "viewerCan": {"update": True, "delete": True},
    }
    assert (await ask(admin, "query($id: ID!) { node(id: $id) { ... on Activity { subject } } }", id=shown["id"])) == {
        "node": {"subject": "Roof"}
    }
    edit = """mutation($input: UpdateActivityInput!) { updateActivity(input: $input) {
        activity { version subject kind participants { name } } userErrors { code field } } }"""
    changed = await ask(admin, edit, input={"id": shown["id"], "subject": None, "kind": None, "participants": None})
    assert changed["updateActivity"] == {
        "activity": {"version": 2, "subject": None, "kind": "CALL", "participants": []},
        "userErrors": [],
    }
    stale = await ask(admin, edit, input={"id": shown["id"], "expectedVersion": 1})
    assert stale["updateActivity"]["userErrors"] == [{"code": "STALE", "field": ["expectedVersion"]}]
    assert stale["updateActivity"]["activity"]["version"] == 2
    delete = "mutation($input: DeleteActivityInput!) { deleteActivity(input: $input) { deletedActivityId } }"
    assert await ask(admin, delete, input={"id": shown["id"]}) == {"deleteActivity": {"deletedActivityId": shown["id"]}}
    assert await subjects(admin) == []
    restore = "mutation($input: RestoreActivityInput!) { restoreActivity(input: $input) { activity { version } } }"
    assert await ask(admin, restore, input={"id": shown["id"]}) == {"restoreActivity": {"activity": {"version": 4}}}
    assert await subjects(admin) == [None]


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({"occurredAt": (datetime.now(UTC) + timedelta(days=30)).isoformat()}, {("NOT_YET_HAPPENED", "occurredAt")}),
        ({"text": "x" * 20_001}, {("TOO_LONG", "text")}),
        ({"kind": "CUSTOM"}, {("REQUIRED", "typeId")}),
        ({"leadId": None}, {("ABOUT_NOTHING", "leadId")}),
        ({"participants": [{"name": "A", "userId": "User_" + "0" * 32}, {}]}, {
            ("PARTICIPANT_UNCLEAR", "participants.0"),
            ("PARTICIPANT_UNCLEAR", "participants.1"),
            ("NOT_FOUND", "participants.0.userId"),
        }),
        ({"participants": [{"contactId": "Contact_" + "0" * 32}]}, {("NOT_FOUND", "participants.0.contactId")}),
        ({"participants": [{"name": "A"}] * 51}, {("TOO_MANY_PARTICIPANTS", "participants")}),
        ({"durationSeconds": 31 * 86_400 + 1}, {("OUT_OF_RANGE", "durationSeconds")}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
async def test_bad_input_is_refused(given: dict[str, Any], refused: set[tuple[str, str]]) -> None:
    admin = await seller()
    on = await lead(admin)

    told = await ask(admin, LOG, input={"leadId": gid("Lead", on.id), "kind": "CALL"} | given)

    found = told["logActivity"]
    assert {(fault["code"], ".".join(fault["field"])) for fault in found["userErrors"]} == refused
    assert found["activity"] is None
    assert await subjects(admin) == []


async def test_an_instant_without_a_zone_is_bad_input() -> None:
    admin = await seller()
    on = await lead(admin)
    given = {"leadId": gid("Lead", on.id), "kind": "CALL", "occurredAt": "2026-03-03T09:00:00"}
    assert await codes(admin, LOG, input=given) == ["BAD_USER_INPUT"]


async def test_many_are_logged_each_with_its_activity_or_its_faults() -> None:
    admin, stranger = await seller(), await seller()
    on, foreign = await lead(admin), await lead(stranger)
    on_it = {"leadId": gid("Lead", on.id), "kind": "CALL"}
    same = on_it | {"externalRefs": [{"system": "dialler", "externalId": "1"}], "subject": "Same"}
    many = [same, on_it | {"leadId": gid("Lead", foreign.id)}, same, on_it | {"subject": "Other", "text": "\x00"}]

    found = (await ask(admin, LOG_MANY, input={"activities": many}))["logActivities"]

    assert found["userErrors"] == []
    assert [one["index"] for one in found["results"]] == [0, 1, 2, 3]
    first, nowhere, again, bad = found["results"]
    assert first["activity"] == again["activity"]
    assert (nowhere["activity"], bad["activity"]) == (None, None)
    assert nowhere["userErrors"] == [{"code": "NOT_FOUND", "field": ["activities", "1", "leadId"]}]
    assert bad["userErrors"] == [{"code": "MALFORMED", "field": ["activities", "3", "text"]}]
    assert await subjects(admin) == ["Same"]


async def test_five_hundred_and_one_are_refused_as_a_whole() -> None:
    admin = await seller()
    on = {"leadId": gid("Lead", (await lead(admin)).id), "kind": "NOTE", "text": "Rang twice"}

    found = (await ask(admin, LOG_MANY, input={"activities": [on] * 501}))["logActivities"]

    assert found == {"results": [], "userErrors": [{"code": "TOO_MANY_ACTIVITIES", "field": ["activities"]}]}
    assert await subjects(admin) == []


async def test_a_malformed_id_among_many_logs_none_of_them() -> None:
    admin = await seller()
    on = {"leadId": gid("Lead", (await lead(admin)).id), "kind": "NOTE", "text": "Rang twice"}
    told = await answer(admin, LOG_MANY, input={"activities": [on, on | {"companyId": "nonsense"}]})
    assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"]
    assert await subjects(admin) == []


async def test_activities_are_filtered_searched_and_paged() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    on, other = await lead(rep), await lead(admin)
    for at, (subject, where) in enumerate([("Roof", on), ("Wall", on), ("Cellar", other)]):
        await logged(rep if where is on else admin, where, subject=subject, occurred_at=NOW + timedelta(hours=at))
    await logged(admin, on, kind=ActivityKind.CALL, subject="Roof again", occurred_at=NOW - timedelta(days=1))

    assert await subjects(admin) == ["Cellar", "Wall", "Roof", "Roof again"]
    assert await subjects(rep) == ["Wall", "Roof", "Roof again"]
    assert await subjects(admin, search="roof") == ["Roof", "Roof again"]
    assert await subjects(admin, filter={"kind": {"eq": "CALL"}}) == ["Roof again"]
    assert await subjects(admin, filter={"lead": {"eq": gid("Lead", other.id)}}) == ["Cellar"]
    assert await subjects(admin, filter={"occurredAt": {"gte": NOW.isoformat()}}) == ["Cellar", "Wall", "Roof"]
    first = (await ask(admin, LIST, first=2))["activities"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (4, True)
    assert await subjects(admin, first=2, after=first["pageInfo"]["endCursor"]) == ["Roof", "Roof again"]
    await leads.delete(admin, other.id, now=NOW)
    assert await subjects(admin) == ["Wall", "Roof", "Roof again"], "what is about a deleted lead goes with it"


async def test_leads_are_filtered_and_ordered_by_what_was_done() -> None:
    admin = await seller()
    quiet, early, late = [await lead(admin, title=title) for title in ("Quiet", "Early", "Late")]
    await logged(admin, early, occurred_at=NOW, kind=ActivityKind.CALL)
    await logged(admin, late, occurred_at=NOW + timedelta(days=1))
    document = """query($filter: LeadFilter, $orderBy: [LeadOrder!]) {
        leads(filter: $filter, orderBy: $orderBy) { nodes { title } } }"""

    async def titles(**arguments: Any) -> list[str]:
        return [node["title"] for node in (await ask(admin, document, **arguments))["leads"]["nodes"]]

    latest = [{"field": "LAST_ACTIVITY_AT", "direction": "DESC"}]
    assert await titles(orderBy=latest) == ["Late", "Early", "Quiet"]
    assert await titles(filter={"touches": {"gte": 1}}) == ["Early"]
    assert await titles(filter={"lastActivityAt": {"isNull": True}}) == [quiet.title]
    assert await titles(filter={"activities": {"some": {"kind": {"eq": "NOTE"}}}}) == ["Late"]


async def timeline(actor: Actor, on: Lead, **arguments: Any) -> list[dict[str, Any]]:
    found = await ask(actor, TIMELINE, id=gid("Lead", on.id), **arguments)
    return found["lead"]["timeline"]["nodes"]  # type: ignore[no-any-return]


def told(entry: dict[str, Any]) -> tuple[str, Any]:
    """Return what an entry tells of: its kind, and the words of the field that tells of it."""
    words = {
        "ACTIVITY": (entry["activity"] or {}).get("subject"),
        "MOVE": ((entry["transition"] or {}).get("toStage") or {}).get("name"),
    }
    return entry["kind"], words.get(entry["kind"], (entry["event"] or {}).get("name"))


async def test_a_timeline_tells_everything_once_and_the_latest_first() -> None:
    admin = await seller()
    on, other = await lead(admin), await lead(admin, title="Other")
    to = await stage(admin, StageKind.QUALIFY)
    await logged(admin, on, subject="Before it came", occurred_at=NOW - timedelta(days=1))
    gone = await logged(admin, on, subject="Gone", occurred_at=NOW + timedelta(minutes=1))
    need = await needs.create(admin, on.id, NeedDetails(title="Warmth"), now=NOW + timedelta(minutes=2))
    await logged(admin, on, subject="Talked", occurred_at=NOW + timedelta(minutes=3))
    await moves.move(admin, on.id, stage_id=to.id, now=NOW + timedelta(minutes=4))
    await leads.update(admin, on.id, leads.LeadDetails(title="Wind"), now=NOW + timedelta(minutes=5))
    await needs.update(admin, need.id, NeedDetails(importance=5), now=NOW + timedelta(minutes=6))
    await activities.delete(admin, gone.id, now=NOW + timedelta(days=10))
    await logged(admin, other, subject="Elsewhere")
    await needs.create(admin, other.id, NeedDetails(title="Light"), now=NOW)

    entries = await timeline(admin, on)

    first = (await stage(admin, StageKind.PROSPECT)).name
    assert [told(entry) for entry in entries] == [
        ("EVENT", "lead.activity_deleted"),
        ("EVENT", "need.updated"),
        ("EVENT", "lead.updated"),
        ("MOVE", to.name),
        ("ACTIVITY", "Talked"),
        ("EVENT", "need.created"),
        ("MOVE", first),
        ("ACTIVITY", "Before it came"),
    ]
    assert {entry["user"]["id"] for entry in entries} == {gid("User", admin.user_id)}  # type: ignore[arg-type]
    assert {entry["lead"]["id"] for entry in entries} == {gid("Lead", on.id)}
    assert len({entry["id"] for entry in entries}) == 8
    key = entries[3]["id"]
    document = "query($id: ID!) { node(id: $id) { ... on TimelineEntry { kind } } }"
    assert await ask(admin, document, id=key) == {"node": {"kind": "MOVE"}}
    assert await ask(await seller(), document, id=key) == {"node": None}


async def test_a_timeline_shows_comments_and_files_as_long_as_they_are_there() -> None:
    admin = await seller()
    on = await lead(admin)
    key = SubjectKey(Lead, on.id)
    comment = await comments.add(admin, key, text="They like it", now=NOW + timedelta(minutes=1))
    await attachments.attach(admin, key, (await upload(admin)).id, name="plan.pdf", now=NOW + timedelta(minutes=2))
    shown = "lead(id: $id) { timeline { nodes { kind comment { text } attachment { name } } } }"
    document = f"query($id: ID!) {{ {shown} }}"

    found = (await ask(admin, document, id=gid("Lead", on.id)))["lead"]["timeline"]["nodes"]
    assert found[:2] == [
        {"kind": "ATTACHMENT", "comment": None, "attachment": {"name": "plan.pdf"}},
        {"kind": "COMMENT", "comment": {"text": "They like it"}, "attachment": None},
    ]
    assert [entry["kind"] for entry in found[2:]] == ["MOVE"]

    await comments.delete(admin, comment.id, now=NOW + timedelta(minutes=3))
    left = (await ask(admin, document, id=gid("Lead", on.id)))["lead"]["timeline"]["nodes"]
    assert "COMMENT" not in [entry["kind"] for entry in left]


async def test_what_was_removed_is_named_by_its_id() -> None:
    admin = await seller()
    receiver = await member(Role.REP, of=admin)
    assert admin.user_id and receiver.user_id
    on = await lead(admin)
    key = SubjectKey(Lead, on.id)
    comment = await comments.add(admin, key, text="They like it", now=NOW)
    file = await attachments.attach(admin, key, (await upload(admin)).id, name="plan.pdf", now=NOW)
    activity = await logged(admin, on)
    need = await needs.create(admin, on.id, NeedDetails(title="Warmth"), now=NOW)
    removals = ((comments, comment), (attachments, file), (activities, activity), (needs, need))
    for minute, (noun, row) in enumerate(removals, 1):
        await noun.delete(admin, row.id, now=NOW + timedelta(minutes=minute))
    hand_over = await hand_overs.hand_over(admin, on.id, receiver.user_id, now=NOW + timedelta(minutes=5))
    await leads.update(admin, on.id, leads.LeadDetails(title="Wind"), now=NOW + timedelta(minutes=6))
    document = """query ($id: ID!) {
      lead(id: $id) {
        timeline(first: 6) { nodes { event { name aboutId insteadOfId } } } history(first: 1) { nodes { aboutId } }
      }
    }"""

    found = (await ask(admin, document, id=gid("Lead", on.id)))["lead"]

    assert [(entry["event"]["name"], entry["event"]["aboutId"]) for entry in found["timeline"]["nodes"]] == [
        ("lead.updated", None),
        ("lead.handed_over", gid("HandOver", hand_over.id)),
        ("need.deleted", gid("Need", need.id)),
        ("lead.activity_deleted", gid("Activity", activity.id)),
        ("lead.file_removed", gid("Attachment", file.id)),
        ("lead.comment_deleted", gid("Comment", comment.id)),
    ]
    assert {entry["event"]["insteadOfId"] for entry in found["timeline"]["nodes"]} == {None}
    assert found["history"]["nodes"] == [{"aboutId": None}]


async def test_what_is_about_a_deleted_company_or_contact_goes_with_it_and_comes_back() -> None:
    admin = await seller()
    on = await lead(admin)
    firm = await companies.create(admin, CompanyDetails(name="Acme"), now=NOW)
    person = await contacts.create(admin, ContactDetails(name="Ann"), now=NOW)
    call = NewActivity(details=ActivityDetails(kind=ActivityKind.CALL), company_id=firm.id, contact_id=person.id)
    kept = await activities.log(admin, replace(call, lead_id=on.id), now=NOW)
    alone = await activities.log(admin, call, now=NOW)
    said = await comments.add(admin, SubjectKey(Company, firm.id), text="Late payers", now=NOW)
    file = await attachments.attach(
        admin, SubjectKey(Contact, person.id), (await upload(admin)).id, name="id.pdf", now=NOW
    )
    given = [("Activity", kept), ("Activity", alone), ("Comment", said), ("Attachment", file)]
    keys = [gid(noun, row.id) for noun, row in given]

    async def there() -> list[str]:
        document = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } activities { nodes { id } } }"
        found = await ask(admin, document, ids=keys)
        shown = [node["id"] for node in found["nodes"] if node]
        assert {node["id"] for node in found["activities"]["nodes"]} == {key for key in shown if "Activity" in key}
        return shown

    await contacts.delete(admin, person.id, now=NOW)
    assert await there() == keys[:3]
    await companies.delete(admin, firm.id, now=NOW)
    assert await there() == keys[:1]
    await companies.restore(admin, firm.id, now=NOW)
    await contacts.restore(admin, person.id, now=NOW)
    assert await there() == keys


async def test_the_history_names_whom_a_substitute_stood_in_for() -> None:
    admin = await seller()
    away, substitute = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
    assert away.user_id and substitute.user_id
    await Membership.filter(user_id=away.user_id).update(away_from=NOW, substitute_id=substitute.user_id)
    on = await lead(admin)
    await leads.assign(admin, on.id, away.user_id, now=NOW)
    document = "query ($id: ID!) { lead(id: $id) { owner { id } history(first: 1) { nodes { name insteadOfId } } } }"

    found = (await ask(admin, document, id=gid("Lead", on.id)))["lead"]

    assert found["owner"]["id"] == gid("User", substitute.user_id)
    assert found["history"]["nodes"] == [{"name": "lead.assigned", "insteadOfId": gid("User", away.user_id)}]


async def test_a_timeline_is_filtered_by_kind_and_time_and_paged() -> None:
    admin = await seller()
    on = await lead(admin)
    for at in range(5):
        await logged(admin, on, subject=f"{at}", occurred_at=NOW + timedelta(minutes=at // 2))
        await leads.update(admin, on.id, leads.LeadDetails(title=f"Title {at}"), now=NOW + timedelta(minutes=at))
    whole = await timeline(admin, on, first=100)
    assert len(whole) == 11

    calls = await timeline(admin, on, filter={"kind": {"eq": "ACTIVITY"}})
    assert [entry["activity"]["subject"] for entry in calls] == ["4", "3", "2", "1", "0"]
    rest = await timeline(admin, on, filter={"kind": {"notIn": ["ACTIVITY", "MOVE"]}})
    assert {entry["kind"] for entry in rest} == {"EVENT"}
    early = await timeline(admin, on, filter={"occurredAt": {"lt": (NOW + timedelta(minutes=1)).isoformat()}})
    assert [entry["id"] for entry in early] == [entry["id"] for entry in whole[-len(early) :]]
    assert len(early) == 4
    assert await timeline(admin, on, filter={"user": {"eq": gid("User", uuid7())}}) == []
    rising = await timeline(admin, on, first=100, orderBy=[{"field": "OCCURRED_AT", "direction": "ASC"}])
    assert [entry["id"] for entry in rising] == [entry["id"] for entry in whole][::-1]

    paged: list[str] = []
    cursor = None
    while True:
        found = (await ask(admin, TIMELINE, id=gid("Lead", on.id), first=3, after=cursor))["lead"]["timeline"]
        assert found["totalCount"] == 11
        paged += [entry["id"] for entry in found["nodes"]]
        cursor = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert paged == [entry["id"] for entry in whole]


async def test_a_timeline_shows_no_more_than_its_reader_may_see() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    on = await lead(admin)
    await logged(admin, on, subject="Secret")
    reader = await partner("lead:read", of=admin)

    assert (await ask(rep, TIMELINE, id=gid("Lead", on.id)))["lead"] is None
    context = Context(identity=reader, now=NOW)
    found = await graphql_schema.execute(TIMELINE, {"id": gid("Lead", on.id)}, context_value=context)
    assert found.data is not None
    entries = {entry["kind"]: entry for entry in found.data["lead"]["timeline"]["nodes"]}
    assert entries["ACTIVITY"]["activity"] is None, "the key may read leads, but no activities"
    assert (await answer(None, TIMELINE, id=gid("Lead", on.id)))["errors"]


async def test_a_page_of_a_timeline_takes_one_statement_however_many_kinds_it_shows() -> None:
    admin = await seller()
    on = await lead(admin)
    await logged(admin, on, subject="One")
    await leads.update(admin, on.id, leads.LeadDetails(title="Wind"), now=NOW)
    document = f"query($id: ID!) {{ lead(id: $id) {{ timeline {{ nodes {{ {FIELDS} }} }} }} }}"

    await ask(admin, document, id=gid("Lead", on.id))
    with recorded() as statements:
        found = await ask(admin, document, id=gid("Lead", on.id))

    assert len(found["lead"]["timeline"]["nodes"]) == 3
    asked = [sql for sql in statements if "timeline_entry" in sql]
    assert len(asked) == 1


FIELDS = """
  kind occurredAt user { name } activity { subject user { name } type { name } }
  transition { fromStage { name } toStage { name } } event { name }
"""
