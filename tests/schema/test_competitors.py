"""Competitors in the schema: on leads with their threat, in filters, and who won what was lost."""

from typing import Any

import pytest

from domain import catalog
from domain.actors import Actor
from models.base import uuid7
from tests.factories import NOW, lead, seller
from tests.schema.asking import ask, gid

pytestmark = pytest.mark.usefixtures("db")
CREATE = """mutation($input: CreateCompetitorInput!) {
  createCompetitor(input: $input) { competitor { id name website strengths version } userErrors { code field } }
}"""
SET = """mutation($input: SetLeadCompetitorInput!) {
  setLeadCompetitor(input: $input) {
    lead { version competitors { totalCount nodes { threat strengths notes competitor { name } } } }
    userErrors { code field }
  }
}"""
REMOVE = """mutation($input: RemoveLeadCompetitorInput!) {
  removeLeadCompetitor(input: $input) { lead { competitors { totalCount } } userErrors { code field } }
}"""
CLOSE = """mutation($input: CloseLeadInput!) {
  closeLead(input: $input) { lead { status lostTo { name } } userErrors { code field } }
}"""


async def created(actor: Actor, name: str, **more: Any) -> Any:
    return (await ask(actor, CREATE, input={"name": name, **more}))["createCompetitor"]


async def test_a_competitor_is_named_on_a_lead_and_taken_off() -> None:
    actor = await seller()
    row = await lead(actor)
    rival = (await created(actor, "Rival", website="https://rival.example", strengths="Price"))["competitor"]
    named = {"leadId": gid("Lead", row.id), "competitorId": rival["id"]}

    told = (await ask(actor, SET, input={**named, "threat": "HIGH", "notes": "Met the CEO"}))["setLeadCompetitor"]
    kept = (await ask(actor, SET, input={**named, "threat": None, "strengths": "Near"}))["setLeadCompetitor"]
    gone = (await ask(actor, REMOVE, input=named))["removeLeadCompetitor"]

    assert rival | {"id": ""} == {
        "id": "", "name": "Rival", "website": "https://rival.example", "strengths": "Price", "version": 1,
    }  # fmt: skip
    [one] = told["lead"]["competitors"]["nodes"]
    assert one == {"threat": "HIGH", "strengths": None, "notes": "Met the CEO", "competitor": {"name": "Rival"}}
    assert kept["lead"]["competitors"]["nodes"] == [one | {"strengths": "Near"}]
    assert kept["lead"]["version"] == told["lead"]["version"] + 1
    assert gone == {"lead": {"competitors": {"totalCount": 0}}, "userErrors": []}


async def test_the_history_names_a_competitor_by_its_id() -> None:
    actor = await seller()
    row = await lead(actor)
    rival = (await created(actor, "Rival"))["competitor"]
    await ask(actor, SET, input={"leadId": gid("Lead", row.id), "competitorId": rival["id"]})
    document = "query ($id: ID!) { lead(id: $id) { history(first: 1) { nodes { changes { field before after } } } } }"

    [entry] = (await ask(actor, document, id=gid("Lead", row.id)))["lead"]["history"]["nodes"]

    [change] = entry["changes"]
    assert (change["field"], change["before"], list(change["after"])) == (
        "competitors", {rival["id"]: None}, [rival["id"]],
    )  # fmt: skip


async def test_who_won_is_told_filtered_and_summed() -> None:
    actor = await seller()
    reason = gid("LostReason", (await catalog.create_lost_reason(actor, name="Too dear", now=NOW)).id)
    rival, other = [(await created(actor, name))["competitor"]["id"] for name in ("Rival", "Other")]
    lost, won, plain = [await lead(actor, title=title) for title in ("Lost", "Won", "Plain")]
    for row in (lost, won):
        await ask(actor, SET, input={"leadId": gid("Lead", row.id), "competitorId": rival})
    end = {"id": gid("Lead", lost.id), "status": "LOST", "lostReasonId": reason, "lostToId": rival}
    closed = (await ask(actor, CLOSE, input=end))["closeLead"]
    await ask(actor, CLOSE, input={"id": gid("Lead", won.id), "status": "WON"})
    refused = (await ask(actor, CLOSE, input={**end, "id": gid("Lead", plain.id), "status": "DISQUALIFIED"}))[
        "closeLead"
    ]

    found = await ask(
        actor,
        """query($rival: ID!) {
          lost: leads(filter: {lostTo: {eq: $rival}}) { nodes { title } }
          met: leads(filter: {competitors: {some: {name: {eq: "Rival"}}}}, orderBy: [{field: CREATED_AT}]) {
            totalCount
          }
          never: leads(filter: {competitors: {none: {}}}) { nodes { title } }
          competitors { nodes { name wonLeads { totalCount } leads(filter: {status: {eq: WON}}) { nodes { title } } } }
          leadSummary(groupBy: [LOST_TO], filter: {status: {eq: LOST}}) {
            groups { count lostTo { name } keys { key label } }
          }
        }""",
        rival=rival,
    )

    assert closed == {"lead": {"status": "LOST", "lostTo": {"name": "Rival"}}, "userErrors": []}
    assert refused["userErrors"] == [{"code": "NOT_LOST_TO_ANYONE", "field": ["lostToId"]}]
    assert (found["lost"]["nodes"], found["met"]["totalCount"]) == ([{"title": "Lost"}], 2)
    assert found["never"]["nodes"] == [{"title": "Plain"}]
    assert found["competitors"]["nodes"] == [
        {"name": "Other", "wonLeads": {"totalCount": 0}, "leads": {"nodes": []}},
        {"name": "Rival", "wonLeads": {"totalCount": 1}, "leads": {"nodes": [{"title": "Won"}]}},
    ]
    assert found["leadSummary"]["groups"] == [
        {"count": 1, "lostTo": {"name": "Rival"}, "keys": [{"key": rival, "label": "Rival"}]}
    ]
    assert other != rival


async def test_an_own_id_is_taken_and_a_name_only_once() -> None:
    actor, key = await seller(), gid("Competitor", uuid7())

    assert (await created(actor, "Rival", id=key))["competitor"]["id"] == key
    assert (await created(actor, "rival"))["userErrors"] == [{"code": "ALREADY_EXISTS", "field": ["name"]}]
