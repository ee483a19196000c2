"""Many leads at once through the API: answered row by row, counted as they were shown, and followed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx import ASGITransport, AsyncClient

from api.app import create_app
from domain import bulks, closings, leads, notifications
from domain.actors import Actor
from domain.bulks import Chosen, Work
from domain.custom_values import CustomValue
from domain.leads import LeadDetails
from models.base import uuid7
from models.bulks import Bulk, BulkKind
from models.leads import Lead, LeadStatus
from models.stages import StageKind
from models.users import Role
from schema import live
from schema.context import Context
from schema.schema import graphql_schema
from tests.factories import NOW, bearer, custom_field, events, lead, member, seller, stage
from tests.schema.asking import answer, ask, gid

pytestmark = pytest.mark.usefixtures("db")
LATER = NOW + timedelta(hours=1)
TOLD = """
count clientMutationId bulk { id kind status total done failed user { id } }
results { leadId lead { id title version owner { id } stage { name } } userErrors { code message field } }
userErrors { code message field }
"""
BULK = """
query Bulk($id: ID!) {
  bulk(id: $id) {
    status total done failed errors { code }
    faults(first: 10) { totalCount nodes { number leadId lead { title } errors { code message field } } }
  }
}
"""


def of(actor: Actor) -> UUID:
    assert actor.user_id
    return actor.user_id


def document(mutation: str) -> str:
    taken = f"{mutation[0].upper()}{mutation[1:]}Input!"
    return f"mutation($input: {taken}) {{ {mutation}(input: $input) {{ {TOLD} }} }}"


async def run(actor: Actor, mutation: str, **given: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await ask(actor, document(mutation), input=given))[mutation]
    return payload


def refusals(payload: dict[str, Any]) -> list[str]:
    return [error["code"] for error in payload["userErrors"]]


async def test_leads_are_assigned_and_answered_one_by_one() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    rows = [await lead(admin, title=f"Roof {number}") for number in range(3)]
    stranger = await lead(await seller())
    asked = [gid("Lead", key) for key in (rows[1].id, stranger.id, rows[0].id)]
    payload = await run(admin, "assignLeads", ids=asked, ownerId=gid("User", of(rep)), clientMutationId="m1")
    assert (payload["count"], payload["bulk"], payload["clientMutationId"]) == (3, None, "m1")
    assert [result["leadId"] for result in payload["results"]] == asked
    assert [result["lead"] and result["lead"]["title"] for result in payload["results"]] == ["Roof 1", None, "Roof 0"]
    assert [refusals(result) for result in payload["results"]] == [[], ["NOT_FOUND"], []]
    assert (await events(rows[0].id))[-1].client_mutation_id == "m1"
    assert (await Lead.get(id=rows[2].id)).owner_id is None


async def test_an_owner_has_to_be_said_even_where_it_is_nobody() -> None:
    admin = await seller()
    row = await lead(admin)
    await run(admin, "assignLeads", ids=[gid("Lead", row.id)], ownerId=gid("User", of(admin)))
    assert refusals(await run(admin, "assignLeads", ids=[gid("Lead", row.id)])) == ["REQUIRED"]
    assert (await Lead.get(id=row.id)).owner_id == admin.user_id
    await run(admin, "assignLeads", ids=[gid("Lead", row.id)], ownerId=None)
    assert (await Lead.get(id=row.id)).owner_id is None


async def test_leads_are_named_in_one_way() -> None:
    admin = await seller()
    row = gid("Lead", (await lead(admin)).id)
    assert refusals(await run(admin, "deleteLeads")) == ["IDS_OR_FILTER"]
    assert refusals(await run(admin, "deleteLeads", ids=[row], filter={})) == ["IDS_OR_FILTER"]
    assert refusals(await run(admin, "deleteLeads", filter={})) == ["REQUIRED"]
    assert refusals(await run(admin, "deleteLeads", ids=[row] * 600)) == []
    many = [gid("Lead", uuid7()) for _ in range(501)]
    assert refusals(await run(admin, "deleteLeads", ids=many)) == ["TOO_MANY_LEADS"]
    told = await answer(admin, document("deleteLeads"), input={"ids": [row, "Tag_" + "0" * 32]})
    [error] = told["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["message"] == "ids.1 is not an id of type Lead."


async def test_a_filter_and_a_search_choose_what_the_list_shows() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    for title in ("Solar roof", "Solar park", "Wind mill"):
        await lead(rep, title=title)
    await lead(admin, title="Solar of somebody else")
    stage_id = gid("Stage", (await stage(admin, StageKind.QUALIFY)).id)
    shown = await ask(rep, '{ leads(search: "solar", filter: {status: {eq: OPEN}}) { totalCount } }')
    given: dict[str, Any] = {"search": "solar", "filter": {"status": {"eq": "OPEN"}}, "stageId": stage_id}
    refused = await run(rep, "moveLeads", **given, expectedCount=3)
    assert (refusals(refused), refused["count"], refused["results"]) == (["COUNT_CHANGED"], 2, [])
    payload = await run(rep, "moveLeads", **given, expectedCount=shown["leads"]["totalCount"])
    assert sorted(result["lead"]["title"] for result in payload["results"]) == ["Solar park", "Solar roof"]
    assert await Lead.filter(stage_id=stage_id[6:], workspace_id=admin.workspace_id).count() == 2


async def test_a_filter_by_custom_fields_chooses_as_in_lists() -> None:
    admin = await seller()
    await custom_field(admin, "size")
    for size in ("big", "small"):
        row = await lead(admin, title=size.capitalize())
        await leads.update(admin, row.id, LeadDetails(custom=[CustomValue("size", size)]), now=NOW)
    passing = {"custom": {"field": "size", "eq": "big"}}
    shown = await ask(admin, "query ($f: LeadFilter) { leads(filter: $f) { nodes { title } } }", f=passing)
    assert shown["leads"]["nodes"] == [{"title": "Big"}]
    payload = await run(admin, "deleteLeads", filter=passing, expectedCount=1)
    assert not refusals(payload)
    assert [row.title for row in await Lead.filter(deleted_at=None, workspace_id=admin.workspace_id)] == ["Small"]


async def test_a_change_is_that_of_one_lead() -> None:
    admin = await seller()
    rows = [await lead(admin) for _ in range(2)]
    asked = [gid("Lead", row.id) for row in rows]
    change = {
        "value": {"amount": "12.50", "currencyCode": "EUR"},
        "lifecycle": "SQL",
        "expectedCloseDate": "2026-05-01",
    }
    payload = await run(admin, "updateLeads", ids=asked, **change)
    assert [result["lead"]["version"] for result in payload["results"]] == [2, 2]
    wrong = await run(admin, "updateLeads", ids=asked, productId=gid("Product", uuid7()))
    assert (refusals(wrong), wrong["results"]) == (["NOT_FOUND"], [])
    closed = await run(admin, "closeLeads", ids=asked, status="DISQUALIFIED", note="Both the same")
    assert [refusals(result) for result in closed["results"]] == [[], []]
    again = await run(admin, "closeLeads", ids=asked, status="DISQUALIFIED")
    assert [refusals(result) for result in again["results"]] == [["LEAD_ALREADY_CLOSED"]] * 2


async def test_ten_thousand_tags_are_refused_clearly() -> None:
    admin = await seller()
    row = gid("Lead", (await lead(admin)).id)
    tags = [gid("Tag", uuid7()) for _ in range(10_000)]
    for mutation in ("tagLeads", "untagLeads", "updateLeads"):
        refused = await run(admin, mutation, ids=[row], tagIds=tags)
        assert refusals(refused) == ["TOO_MANY_TAGS"]
        assert "at most 50 tags, not 10000" in refused["userErrors"][0]["message"]
    one = document("updateLead").replace(TOLD, "userErrors { code }")
    assert (await ask(admin, one, input={"id": row, "tagIds": tags}))["updateLead"]["userErrors"] == [
        {"code": "TOO_MANY_TAGS"}
    ]


async def test_more_than_fit_are_worked_on_and_can_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulks, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(live, "LOOKED_AFTER_SECONDS", 0.001)
    admin = await seller()
    rows = [await lead(admin, title=f"Roof {number}") for number in range(5)]
    payload = await run(admin, "closeLeads", filter={}, expectedCount=5, status="DISQUALIFIED", clientMutationId="m2")
    assert (payload["count"], payload["results"]) == (5, [])
    bulk = payload["bulk"]
    assert bulk | {"id": 0} == {
        "id": 0, "kind": "CLOSE", "status": "PENDING", "total": 5, "done": 0, "failed": 0,
        "user": {"id": gid("User", of(admin))},
    }  # fmt: skip
    await closings.close(admin, rows[2].id, LeadStatus.DISQUALIFIED, now=NOW)
    following = graphql_schema.subscribe(
        "subscription($id: ID!) { bulkProgress(id: $id) { status done failed } }",
        {"id": bulk["id"]},
        context_value=Context(identity=admin, now=NOW),
    )
    told: list[Any] = []
    async for message in await following:
        assert message.errors is None and message.data is not None
        told.append(message.data["bulkProgress"])
        [row] = await Bulk.filter(workspace_id=admin.workspace_id)
        await bulks._take(row.workspace_id, row.id, 2, now=LATER)
    assert told == [
        {"status": "PENDING", "done": 0, "failed": 0},
        {"status": "RUNNING", "done": 2, "failed": 0},
        {"status": "RUNNING", "done": 4, "failed": 1},
        {"status": "COMPLETED", "done": 5, "failed": 1},
    ]
    shown = (await ask(admin, BULK, id=bulk["id"]))["bulk"]
    assert shown["faults"] == {
        "totalCount": 1,
        "nodes": [
            {
                "number": 3, "leadId": gid("Lead", rows[2].id), "lead": {"title": "Roof 2"},
                "errors": [
                    {"code": "LEAD_ALREADY_CLOSED", "message": "The lead is DISQUALIFIED already.", "field": None}
                ],
            }
        ],
    }  # fmt: skip
    assert (await events(rows[0].id))[-1].client_mutation_id == "m2"
    await notifications.notify(admin.workspace_id, [event.id for event in await events(row.id)], now=LATER)
    bell = (await ask(admin, "{ notifications { nodes { kind event { aboutId } } } }"))["notifications"]["nodes"]
    assert bell == [{"kind": "BULK_DONE", "event": {"aboutId": bulk["id"]}}]
    cancel = "mutation($id: ID!) { cancelBulk(input: {id: $id}) { bulk { status } userErrors { code } } }"
    assert (await ask(admin, cancel, id=bulk["id"]))["cancelBulk"]["userErrors"] == [{"code": "BULK_ENDED"}]


async def test_work_is_seen_by_who_asked_and_by_who_sees_their_leads() -> None:
    admin = await seller()
    rep, other = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
    await lead(rep)
    chosen = Chosen("SELECT id FROM lead WHERE workspace_id = $1", [admin.workspace_id])
    row = await bulks.begin(rep, Work(BulkKind.DELETE, {}), chosen, now=NOW)
    seen = "query($id: ID!) { node(id: $id) { id } bulk(id: $id) { total } bulks { totalCount } }"
    cancel = "mutation($id: ID!) { cancelBulk(input: {id: $id}) { userErrors { code } } }"
    key = gid("Bulk", row.id)
    for actor in (admin, rep):
        told = await ask(actor, seen, id=key)
        assert told == {"node": {"id": key}, "bulk": {"total": 1}, "bulks": {"totalCount": 1}}
    for actor in (other, await seller()):
        assert await ask(actor, seen, id=key) == {"node": None, "bulk": None, "bulks": {"totalCount": 0}}
        refused = (await ask(actor, cancel, id=key))["cancelBulk"]["userErrors"]
        assert refused == [{"code": "NOT_FOUND"}]


async def test_the_same_key_does_it_once() -> None:
    admin = await seller()
    rows = [await lead(admin) for _ in range(3)]
    body = {
        "query": document("deleteLeads"),
        "variables": {"input": {"ids": [gid("Lead", row.id) for row in rows]}},
    }
    headers = {"Authorization": await bearer(admin), "Idempotency-Key": "once"}
    async with AsyncClient(transport=ASGITransport(create_app()), base_url="http://127.0.0.1") as client:
        first = await client.post("/graphql", json=body, headers=headers)
        again = await client.post("/graphql", json=body, headers=headers)
    assert again.content == first.content
    assert [refusals(result) for result in first.json()["data"]["deleteLeads"]["results"]] == [[], [], []]
    assert [event.name for event in await events(rows[0].id)] == ["lead.captured", "lead.deleted"]


@pytest.mark.parametrize(
    "passing",
    [{"owner": {"eq": None}}, {"owner": None}, {"or": [{"score": {"gte": None}}]}, {"company": {"name": {"eq": None}}}],
)
async def test_a_filter_that_was_forgotten_is_not_everybody(passing: dict[str, Any]) -> None:
    admin = await seller()
    row = await lead(admin)
    document = "mutation ($input: UpdateLeadsInput!) { updateLeads(input: $input) { count } }"
    told = await answer(admin, document, input={"filter": passing, "expectedCount": 1, "lifecycle": "SQL"})
    assert "null in the filter" in told["errors"][0]["message"]
    assert (await Lead.get(id=row.id)).lifecycle is row.lifecycle
