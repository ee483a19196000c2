"""Surveys by the API: made, published, sent, answered by a link's token and by nothing else, and counted."""

from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from api.app import create_app
from domain import referrals, survey_outcomes, tokens
from domain.referrals import Recommended
from domain.tokens import Kind
from models.base import uuid7
from models.events import Event
from models.leads import Lead
from models.surveys import SurveyDispatch
from models.users import Role
from schema.context import Context
from schema.schema import graphql_schema
from tests.factories import NOW, member, partner, seller
from tests.schema.asking import ask, codes, gid
from tests.surveying import asked, buyer, published, submitted

CREATE = """mutation ($input: CreateSurveyInput!) { createSurvey(input: $input) {
  survey { id draftNumber publishedNumber hasDraft questionnaire { languages questions { key text choices { key } } } }
  userErrors { code field } } }"""
DISPATCH = """mutation ($input: DispatchSurveyInput!) { dispatchSurvey(input: $input) {
  dispatches { status skipReason contact { name } survey { name } } userErrors { code field } } }"""
FORM = """query ($token: String) { surveyForm(token: $token) {
  state company language title questions { key type text required least most } answers { question value } } }"""
SUBMIT = """mutation ($input: SubmitSurveyInput!) { submitSurvey(input: $input) {
  surveyForm { state asksReferral answers { question value } } userErrors { code field } } }"""
RESULTS = """query ($id: ID!) { surveyResults(surveyId: $id, groupBy: OWNER) {
  total { sent responses responseRate meanScore satisfiedShare nps { score low high promoters passives detractors }
          distribution { score count } }
  groups { key label responses } verbatims(first: 1) { nodes { verbatim contact { name } } totalCount }
  newest: verbatims(first: 3) { edges { cursor node { score } } } oldest: verbatims(last: 1) { nodes { score } } } }"""
BEFORE = """query ($id: ID!, $before: String) { surveyResults(surveyId: $id) {
  verbatims(last: 1, before: $before) { nodes { score } pageInfo { hasPreviousPage } } } }"""

pytestmark = pytest.mark.usefixtures("db")


async def by_link(token: str, document: str, **variables: Any) -> dict[str, Any]:
    """Send a document as whoever has a link."""
    async with AsyncClient(transport=ASGITransport(create_app()), base_url="http://127.0.0.1") as client:
        body = {"query": document, "variables": variables}
        response = await client.post("/graphql", json=body, headers={"Authorization": f"Bearer {token}"})
        return response.json()  # type: ignore[no-any-return]


async def out() -> tuple[SurveyDispatch, str]:
    actor = await seller()
    row = await asked(actor, await buyer(actor), await published(actor), now=datetime.now(UTC))
    return row, tokens.sign(Kind.SURVEY, row.id)


async def test_a_survey_is_made_with_its_own_questions_published_and_sent() -> None:
    admin = await seller()
    questions: list[dict[str, Any]] = [
        {"key": "rating", "type": "SCALE", "text": {"en": "Rate us"}, "least": 1, "most": 5, "required": True},
        {
            "key": "why",
            "type": "CHOICE",
            "text": {"en": "Why?"},
            "choices": [{"key": "slow", "text": {"en": "Slow"}}, {"key": "dear", "text": {"en": "Dear"}}],
            "conditions": [{"question": "rating", "operator": "LTE", "value": 2}],
        },
    ]
    given = {"name": "Own", "kind": "CSAT", "questions": questions}
    made = (await ask(admin, CREATE, input=given))["createSurvey"]
    assert made["userErrors"] == [] and made["survey"]["hasDraft"]
    assert [one["key"] for one in made["survey"]["questionnaire"]["questions"]] == ["rating", "why"]
    circle = [questions[0], questions[1] | {"conditions": [{"question": "why", "operator": "ANSWERED", "value": True}]}]
    refused = (await ask(admin, CREATE, input={"name": "C", "kind": "CSAT", "questions": circle}))["createSurvey"]
    assert refused["userErrors"] == [
        {"code": "NOT_ASKED_BEFORE", "field": ["questions", "1", "conditions", "0", "question"]}
    ]
    publish = "mutation ($input: PublishSurveyInput!) { publishSurvey(input: $input) { survey { publishedNumber } } }"
    key = made["survey"]["id"]
    published_now = await ask(admin, publish, input={"id": key})
    assert published_now["publishSurvey"]["survey"]["publishedNumber"] == 1
    lead = await buyer(admin)
    sent = await ask(admin, DISPATCH, input={"surveyId": key, "leadIds": [gid("Lead", lead.id)]})
    assert sent["dispatchSurvey"]["dispatches"] == [
        {"status": "SENT", "skipReason": None, "contact": {"name": "Ada Lovelace"}, "survey": {"name": "Own"}}
    ]


async def test_a_link_shows_its_survey_and_submits_it_without_sign_in() -> None:
    _, token = await out()
    form = (await ask(None, FORM, token=token))["surveyForm"]
    assert (form["state"], form["company"], form["language"]) == ("OPEN", "Acme", "en")
    assert form["questions"][0]["text"] == "How likely are you to recommend Acme to a friend or colleague?"
    some = [{"question": "score", "value": 10}]
    kept = (await ask(None, SUBMIT, input={"token": token, "answers": some, "complete": False}))["submitSurvey"]
    assert kept["surveyForm"]["state"] == "OPEN"
    for _ in range(2):
        done = (await ask(None, SUBMIT, input={"token": token, "answers": []}))["submitSurvey"]
        assert done["surveyForm"] == {
            "state": "ANSWERED",
            "asksReferral": True,
            "answers": [{"question": "score", "value": 10}],
        }
    other = [{"question": "score", "value": 1}]
    refused = (await ask(None, SUBMIT, input={"token": token, "answers": other}))["submitSurvey"]
    assert refused["userErrors"] == [{"code": "SURVEY_ANSWERED", "field": None}]
    assert (await ask(None, FORM, token=tokens.sign(Kind.SURVEY, uuid7())))["surveyForm"] is None
    guessed = (await ask(None, SUBMIT, input={"token": "x", "answers": some}))["submitSurvey"]
    assert guessed["userErrors"][0]["code"] == "INVALID_LINK"


@pytest.mark.parametrize(
    "document",
    [
        "{ viewer { timeZone } }",
        "{ workspace { name } }",
        "{ leads { nodes { id } } }",
        "{ surveys { nodes { id } } }",
        "{ surveyDispatches { nodes { id } } }",
        "{ surveyResponses { nodes { verbatim } } }",
        '{ node(id: "Lead_018cc251f40171a3925af2a80ecc3285") { id } }',
        '{ search(query: "ada") { rank } }',
        "{ fieldDefinitions(type: LEAD) { name } }",
        "{ leadSummary(groupBy: []) { total { count } } }",
        'mutation { createTag(input: { name: "x" }) { tag { id } } }',
        'mutation { captureLead(input: { title: "x" }) { lead { id } } }',
    ],
)
async def test_a_links_token_signs_in_to_its_survey_and_to_nothing_else(document: str) -> None:
    _, token = await out()
    shown = await by_link(token, "{ surveyForm { state } }")
    assert shown["data"] == {"surveyForm": {"state": "OPEN"}}
    told = await by_link(token, document)
    assert [error["extensions"]["code"] for error in told["errors"]] == ["UNAUTHENTICATED"]


async def test_a_token_that_was_guessed_signs_in_to_nothing() -> None:
    _, token = await out()
    told = await by_link(token[:-4] + "AAAA", "{ surveyForm { state } }")
    assert [error["extensions"]["code"] for error in told["errors"]] == ["UNAUTHENTICATED"]
    assert await codes(None, "{ surveyForm { state } }") == ["UNAUTHENTICATED"]


async def test_results_are_those_of_the_leads_that_somebody_sees() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin, name="Rita")
    survey = await published(admin)
    script = "<script>alert(1)</script>"
    for number, (actor, score) in enumerate(((admin, 10), (admin, 8), (rep, 2))):
        row = await asked(admin, await buyer(actor, email=f"a{number}@example.com"), survey)
        await submitted(row, score=score, reason=script)
    key = gid("Survey", survey.id)
    every = (await ask(admin, RESULTS, id=key))["surveyResults"]
    assert every["total"]["nps"] | {"low": 0, "high": 0} == {
        "score": 0, "low": 0, "high": 0, "promoters": 1, "passives": 1, "detractors": 1,
    }  # fmt: skip
    assert (every["total"]["responseRate"], every["total"]["satisfiedShare"]) == (1, None)
    assert every["total"]["nps"]["low"] < 0 < every["total"]["nps"]["high"]
    assert every["verbatims"] == {"nodes": [{"verbatim": script, "contact": {"name": "Ada Lovelace"}}], "totalCount": 3}
    newest = [edge["node"]["score"] for edge in every["newest"]["edges"]]
    assert sorted(newest) == [2, 8, 10]
    assert every["oldest"]["nodes"] == [{"score": newest[-1]}]
    told = await ask(admin, BEFORE, id=key, before=every["newest"]["edges"][-1]["cursor"])
    assert told["surveyResults"]["verbatims"] == {
        "nodes": [{"score": newest[1]}], "pageInfo": {"hasPreviousPage": True},
    }  # fmt: skip
    own = (await ask(rep, RESULTS, id=key))["surveyResults"]
    assert (own["total"]["responses"], own["verbatims"]["totalCount"]) == (1, 1)
    assert [(group["label"], group["responses"]) for group in own["groups"]] == [("Rita", 1)]
    assert (await ask(await seller(), RESULTS, id=key))["surveyResults"] is None


TIMELINE = """query ($id: ID!) { lead(id: $id) { timeline(first: 50, filter: {kind: {eq: EVENT}}) { nodes {
  user { id } event { name aboutId actor { kind }
    links { followUp { id title } surveyDispatch { id status survey { name } }
            surveyResponse { id score verdict verbatim } referral { id lead { title } } } } } } } }"""


async def test_a_leads_timeline_tells_of_its_surveys_their_answers_and_what_follows() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    survey = await published(admin)
    low, high = await buyer(rep), await buyer(rep, email="bob@example.com")
    bad, good = await asked(rep, low, survey), await asked(rep, high, survey)
    await submitted(bad, score=2, reason="Late")
    [told] = await Event.filter(subject_id=low.id, name="lead.survey_answered")
    await survey_outcomes.open_follow_ups(admin.workspace_id, [told.id], now=NOW)
    await submitted(good, score=10)
    named = Recommended(name="Grace Hopper", email="grace@example.com", consent="Yes.")
    for _ in range(2):
        referral = await referrals.refer(good.id, named, now=NOW)

    async def entries(lead: Lead) -> list[dict[str, Any]]:
        found = (await ask(rep, TIMELINE, id=gid("Lead", lead.id)))["lead"]["timeline"]["nodes"]
        return [entry["event"] for entry in reversed(found)]

    of_low = await entries(low)
    assert [event["name"] for event in of_low] == [
        "survey_dispatch.created",
        "survey_dispatch.sent",
        "lead.survey_answered",
        "lead.follow_up_created",
    ]
    dispatch = {"id": gid("SurveyDispatch", bad.id), "status": "ANSWERED", "survey": {"name": "NPS after the sale"}}
    created, sent, answered, opened = (event["links"] for event in of_low)
    nothing = dict.fromkeys(("followUp", "surveyDispatch", "surveyResponse", "referral"))
    assert created == sent == nothing | {"surveyDispatch": dispatch}
    assert answered["surveyDispatch"] == dispatch
    assert answered["surveyResponse"].items() >= {"score": 2, "verdict": "DETRACTOR", "verbatim": "Late"}.items()
    assert opened["followUp"]["title"] == "Ada Lovelace is not satisfied: 2 in NPS after the sale"
    assert [event["aboutId"] for event in of_low] == [
        gid("SurveyDispatch", bad.id),
        gid("SurveyDispatch", bad.id),
        answered["surveyResponse"]["id"],
        opened["followUp"]["id"],
    ]
    assert [event["actor"]["kind"] for event in of_low] == ["USER", "USER", "LINK", "SYSTEM"]
    of_high = await entries(high)
    assert [event["name"] for event in of_high][2:] == ["lead.survey_answered", "lead.referral_given"]
    assert of_high[3]["links"]["referral"] == {"id": gid("Referral", referral.id), "lead": {"title": "Grace Hopper"}}


async def test_a_key_reads_in_the_history_only_what_it_may_read_otherwise() -> None:
    admin = await seller()
    lead = await buyer(admin)
    await submitted(await asked(admin, lead, await published(admin)), score=2)
    document = """query ($id: ID!) { lead(id: $id) { history(first: 1) { nodes {
      name links { surveyDispatch { id } surveyResponse { score } } } } } }"""
    key = await partner("lead:read", of=admin)
    told = await graphql_schema.execute(
        document, {"id": gid("Lead", lead.id)}, context_value=Context(identity=key, now=NOW)
    )
    assert told.errors is None and told.data
    found = told.data["lead"]["history"]["nodes"]
    assert found == [{"name": "lead.survey_answered", "links": {"surveyDispatch": None, "surveyResponse": None}}]
