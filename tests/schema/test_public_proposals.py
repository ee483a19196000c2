"""Proposals as customers reach them by the API: by a link's token and by nothing else, and as members see that."""

from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from api.app import create_app
from domain import proposal_links, proposals, tokens
from domain.tokens import Kind
from models.base import uuid7
from models.proposal_links import Evidence, ProposalLink, ProposalView
from models.proposals import Proposal, ProposalLine
from models.users import Role
from schema import ids
from tests.factories import member, seller
from tests.proposing import BROWSER, link_to, offered, roof, sections, sent_of
from tests.schema.asking import ask, gid

PUBLIC = """query ($token: String, $options: [String!]) { publicProposal(token: $token, options: $options) {
  state number versionNumber sha256 title language company seller { name } preparedFor validUntil taxInclusive
  sections { heading text need difference } terms currencyCode
  lines { key name description unit quantity unitPrice { amount } discount { percent } taxRate optional chosen
          amount { amount } }
  discount { percent } subtotal { amount } discountTotal { amount } net { amount } taxes { rate tax { amount } }
  tax { amount } total { amount currencyCode } questions { name text answer } evidence { name sha256 } } }"""
ACCEPT = """mutation ($input: AcceptProposalInput!) { acceptProposal(input: $input) {
  publicProposal { state total { amount } evidence { name } } proposal { state evidence { nodes { name } } }
  userErrors { code field } } }"""
DECLINE = """mutation ($input: DeclineProposalInput!) { declineProposal(input: $input) {
  publicProposal { state } proposal { state evidence { nodes { reason recordedBy { id } } } }
  userErrors { code field } } }"""
ASK = """mutation ($input: AskProposalQuestionInput!) { askProposalQuestion(input: $input) {
  publicProposal { questions { name text answer } } userErrors { code field } } }"""
VIEW = "mutation ($input: ViewProposalInput!) { viewProposal(input: $input) { publicProposal { state } } }"
MAKE_LINK = """mutation ($input: CreateProposalLinkInput!) {
  createProposalLink(input: $input) { userErrors { code } } }"""
SEEN = """query ($id: ID!) { proposal(id: $id) { publicUrl previewUrl viewsCount lastViewedAt
  links { nodes { id url contact { name } createdBy { id } } } views { nodes { address proposalVersion { number } } }
  questions { nodes { id text answer answeredBy { id } } }
  evidence { nodes { kind party name sha256 total { amount currencyCode } options consent link { id } } } } }"""

pytestmark = pytest.mark.usefixtures("db")


async def by_link(bearer: str | None, document: str, /, **variables: Any) -> dict[str, Any]:
    """Send a document as whoever has a link, from a browser."""
    headers = {"User-Agent": BROWSER} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    async with AsyncClient(transport=ASGITransport(create_app()), base_url="http://127.0.0.1") as client:
        response = await client.post("/graphql", json={"query": document, "variables": variables}, headers=headers)
        return response.json()  # type: ignore[no-any-return]


def codes(data: dict[str, Any]) -> list[str]:
    """Return the codes of the user errors of all payloads of an answer."""
    return [error["code"] for payload in data.values() for error in payload["userErrors"]]


def code_of(told: dict[str, Any]) -> str:
    """Return the code of the one error of an answer."""
    [error] = told["errors"]
    return str(error["extensions"]["code"])


async def out(**details: Any) -> tuple[Any, Proposal, str]:
    """Send a proposal; return who did, the proposal and its link's token."""
    actor = await seller()
    proposal = await offered(actor, *roof(), now=datetime.now(UTC), **details)
    return actor, proposal, proposal_links.token_of((await link_to(proposal)).id)


async def test_a_customer_reads_a_proposal_with_their_options_by_argument_or_by_bearer() -> None:
    _, proposal, token = await out(sections=sections(), terms="Half on order.")
    plain = (await by_link(None, PUBLIC, token=token))["data"]["publicProposal"]
    assert plain == (await by_link(token, PUBLIC))["data"]["publicProposal"]
    assert (plain["state"], plain["versionNumber"], plain["company"]) == ("OPEN", 1, "Acme")
    assert plain["preparedFor"] == ["Ada Lovelace", "Analytical Engines"]
    assert plain["total"] == {"amount": "22730.49", "currencyCode": "EUR"}
    wallbox = next(one["key"] for one in plain["lines"] if one["name"] == "Wallbox 11 kW")
    other = (await by_link(token, PUBLIC, options=[wallbox]))["data"]["publicProposal"]
    assert other["total"]["amount"] == "22302.09"
    assert [one["name"] for one in other["lines"] if one["optional"] and one["chosen"]] == ["Wallbox 11 kW"]
    assert plain["sha256"] == (await sent_of(proposal)).sha256
    assert await ProposalView.filter(proposal_id=proposal.id).count() == 0
    malformed = await by_link(token, PUBLIC, options=["nonsense"])
    assert malformed["errors"][0]["extensions"]["code"] == "MALFORMED"


async def test_a_link_signs_in_to_its_proposal_and_to_nothing_else() -> None:
    actor, proposal, token = await out()
    other = proposal_links.token_of((await link_to(await offered(actor, now=datetime.now(UTC)))).id)
    for document in ("{ leads { nodes { id } } }", "{ viewer { user { name } } }", "{ proposals { nodes { id } } }"):
        answer = await by_link(token, document)
        assert answer["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED", document
    mine = await by_link(token, PUBLIC)
    assert (
        mine["data"]["publicProposal"]["number"] != (await by_link(other, PUBLIC))["data"]["publicProposal"]["number"]
    )
    assert (await by_link(token, "{ surveyForm { state } }"))["data"] == {"surveyForm": None}
    recorded = await by_link(
        token, ACCEPT, input={"proposalId": gid("Proposal", proposal.id), "name": "Ada", "sha256": "0" * 64}
    )
    assert recorded["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_tokens_that_open_nothing_tell_nothing() -> None:
    actor, proposal, token = await out()
    for guessed in ("x", "a" * 64, token[:-4] + "AAAA", tokens.sign(Kind.SURVEY, uuid7())):
        told = await by_link(None, PUBLIC, token=guessed)
        assert told["data"] == {"publicProposal": None} and code_of(told) == "INVALID_LINK"
        refused = await by_link(None, ACCEPT, input={"token": guessed, "name": "Ada", "sha256": "0" * 64})
        assert refused["data"]["acceptProposal"]["userErrors"] == [{"code": "INVALID_LINK", "field": None}]
    assert (await by_link(None, PUBLIC))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    await proposal_links.revoke(actor, (await link_to(proposal)).id, now=datetime.now(UTC))
    told = await by_link(None, PUBLIC, token=token)
    assert told["data"] == {"publicProposal": None} and code_of(told) == "LINK_REVOKED"
    assert (await by_link(token, PUBLIC))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    for document, more in ((ACCEPT, {"sha256": "0" * 64}), (ASK, {"text": "Why?"})):
        ended = await by_link(None, document, input={"token": token, "name": "Ada", **more})
        assert [error["code"] for payload in ended["data"].values() for error in payload["userErrors"]] == [
            "LINK_REVOKED"
        ]


async def test_what_has_ended_says_how() -> None:
    actor, proposal, token = await out()
    url = "query ($id: ID!) { proposal(id: $id) { publicUrl previewUrl links { nodes { url } } } }"
    key = {"id": ids.encode("Proposal", proposal.id)}
    await ProposalLink.filter(proposal_id=proposal.id).update(expires_at=datetime(2026, 3, 1, tzinfo=UTC))
    told = await by_link(None, PUBLIC, token=token)
    assert code_of(told) == "LINK_EXPIRED" and "2026-03-01" in told["errors"][0]["message"]
    await ProposalLink.filter(proposal_id=proposal.id).update(expires_at=None)
    assert token in (await ask(actor, url, **key))["proposal"]["publicUrl"]
    await proposals.withdraw(actor, proposal.id, now=datetime.now(UTC))
    assert code_of(await by_link(None, PUBLIC, token=token)) == "PROPOSAL_WITHDRAWN"
    made = await ask(actor, MAKE_LINK, input={"proposalId": key["id"]})
    assert codes(made) == ["PROPOSAL_WITHDRAWN"]
    found = (await ask(actor, url, **key))["proposal"]
    assert (found["publicUrl"], found["links"]["nodes"]) == (None, [{"url": None}]) and found["previewUrl"]


async def test_accepting_by_a_link_takes_what_was_seen_and_is_seen_by_members() -> None:
    actor, proposal, token = await out()
    seen = (await by_link(token, PUBLIC))["data"]["publicProposal"]
    key = next(one["key"] for one in seen["lines"] if one["name"] == "Wallbox 11 kW")
    missing = await by_link(token, ACCEPT, input={"name": "Ada"})
    assert missing["data"]["acceptProposal"]["userErrors"] == [{"code": "REQUIRED", "field": ["sha256"]}]
    old = await by_link(token, ACCEPT, input={"name": "Ada", "sha256": "0" * 64})
    assert old["data"]["acceptProposal"]["userErrors"] == [{"code": "NO_SUCH_VERSION", "field": ["sha256"]}]
    said = {"name": "Ada Lovelace", "sha256": seen["sha256"], "options": [key]}
    for _ in range(2):
        done = (await by_link(token, ACCEPT, input=said))["data"]["acceptProposal"]
        assert done == {
            "publicProposal": {
                "state": "ACCEPTED",
                "total": {"amount": "22302.09"},
                "evidence": {"name": "Ada Lovelace"},
            },
            "proposal": None,
            "userErrors": [],
        }
    late = (await by_link(token, DECLINE, input={"sha256": seen["sha256"]}))["data"]["declineProposal"]
    assert [error["code"] for error in late["userErrors"]] == ["PROPOSAL_ALREADY_ACCEPTED"]
    evidence = await Evidence.get(proposal_id=proposal.id)
    assert evidence.user_agent == BROWSER
    told = (await ask(actor, SEEN, id=gid("Proposal", proposal.id)))["proposal"]
    assert told["evidence"]["nodes"] == [
        {
            "kind": "ACCEPTED",
            "party": "BUYER",
            "name": "Ada Lovelace",
            "sha256": seen["sha256"],
            "total": {"amount": "22302.09", "currencyCode": "EUR"},
            "options": [key],
            "consent": None,
            "link": {"id": gid("ProposalLink", (await link_to(proposal)).id)},
        }
    ]


async def test_a_member_records_what_a_customer_said() -> None:
    actor, proposal, _ = await out()
    key = gid("Proposal", proposal.id)
    unnamed = (await ask(actor, ACCEPT, input={"name": "Ada"}))["acceptProposal"]
    assert unnamed["userErrors"] == [{"code": "REQUIRED", "field": ["proposalId"]}]
    done = (await ask(actor, ACCEPT, input={"proposalId": key, "name": "Ada Lovelace"}))["acceptProposal"]
    assert done["proposal"] == {"state": "ACCEPTED", "evidence": {"nodes": [{"name": "Ada Lovelace"}]}}
    assert done["publicProposal"] is None and done["userErrors"] == []
    other = await offered(actor, now=datetime.now(UTC))
    given = {"proposalId": gid("Proposal", other.id), "reason": "Called: too dear."}
    declined = (await ask(actor, DECLINE, input=given))["declineProposal"]
    assert declined["proposal"]["evidence"]["nodes"] == [
        {"reason": "Called: too dear.", "recordedBy": {"id": gid("User", actor.user_id)}}
    ]
    viewer = await member(Role.VIEWER, of=actor)
    assert codes(await ask(viewer, ACCEPT, input={"proposalId": key, "name": "Ada"})) == ["FORBIDDEN"]


async def test_questions_are_asked_by_links_and_answered_by_members() -> None:
    actor, proposal, token = await out()
    asked = (await by_link(token, ASK, input={"name": "Ada", "text": "Who fits it?"}))["data"]["askProposalQuestion"]
    assert asked["publicProposal"]["questions"] == [{"name": "Ada", "text": "Who fits it?", "answer": None}]
    empty = (await by_link(token, ASK, input={"name": "Ada", "text": " "}))["data"]["askProposalQuestion"]
    assert empty["userErrors"] == [{"code": "REQUIRED", "field": ["text"]}]
    [question] = (await ask(actor, SEEN, id=gid("Proposal", proposal.id)))["proposal"]["questions"]["nodes"]
    answering = """mutation ($input: AnswerProposalQuestionInput!) { answerProposalQuestion(input: $input) {
      question { answer answeredBy { id } link { id } } userErrors { code field } } }"""
    given = {"id": question["id"], "answer": "We do."}
    done = (await ask(actor, answering, input=given))["answerProposalQuestion"]
    assert (done["question"]["answer"], done["question"]["answeredBy"]) == (
        "We do.",
        {"id": gid("User", actor.user_id)},
    )
    again = (await ask(actor, answering, input=given | {"answer": "They do."}))["answerProposalQuestion"]
    assert again["userErrors"] == [{"code": "QUESTION_ANSWERED", "field": ["answer"]}]
    replaced = (await ask(actor, answering, input=given | {"answer": "We!", "replace": True}))["answerProposalQuestion"]
    assert replaced["question"]["answer"] == "We!"


async def test_members_see_the_links_and_who_looked() -> None:
    actor, proposal, token = await out()
    key = gid("Proposal", proposal.id)
    for _ in range(2):
        await by_link(token, VIEW, input={})
    told = (await ask(actor, SEEN, id=key))["proposal"]
    assert told["publicUrl"].endswith(f"/p/{token}") and "/p/preview/" in told["previewUrl"]
    assert told["viewsCount"] == 1 and told["lastViewedAt"]
    assert told["views"]["nodes"] == [{"address": "127.0.0.1", "proposalVersion": {"number": 1}}]
    [link] = told["links"]["nodes"]
    assert (link["url"], link["contact"]) == (told["publicUrl"], {"name": "Ada Lovelace"})
    revoke = """mutation ($input: RevokeProposalLinkInput!) { revokeProposalLink(input: $input) {
      link { url revokedAt } userErrors { code } } }"""
    ended = (await ask(actor, revoke, input={"id": link["id"]}))["revokeProposalLink"]
    assert ended["link"]["url"] is None and ended["link"]["revokedAt"]
    assert (await ask(actor, SEEN, id=key))["proposal"]["publicUrl"] is None
    create = """mutation ($input: CreateProposalLinkInput!) { createProposalLink(input: $input) {
      link { url expiresAt contact { name } } userErrors { code field } } }"""
    made = (await ask(actor, create, input={"proposalId": key}))["createProposalLink"]
    assert made["link"]["url"] and made["link"]["contact"] is None
    assert (await ask(actor, SEEN, id=key))["proposal"]["publicUrl"] == made["link"]["url"]
    past = await ask(actor, create, input={"proposalId": key, "expiresAt": "2020-01-01T00:00:00Z"})
    assert past["createProposalLink"]["userErrors"] == [{"code": "OUT_OF_RANGE", "field": ["expiresAt"]}]


async def test_who_may_not_share_proposals_is_given_no_address_of_theirs() -> None:
    actor, proposal, _ = await out()
    key = gid("Proposal", proposal.id)
    for role in (Role.VIEWER, Role.MARKETER):
        who = await member(role, of=actor)
        told = await ask(who, "query ($id: ID!) { proposal(id: $id) { publicUrl links { nodes { url } } } }", id=key)
        assert told["proposal"] == {"publicUrl": None, "links": {"nodes": [{"url": None}]}}


async def test_a_draft_has_no_address_but_a_preview() -> None:
    actor = await seller()
    lead = gid("Lead", (await offered(actor, now=datetime.now(UTC))).lead_id)
    create = """mutation ($input: CreateProposalInput!) { createProposal(input: $input) {
      proposal { publicUrl previewUrl viewsCount lastViewedAt } userErrors { code } } }"""
    made = (await ask(actor, create, input={"leadId": lead}))["createProposal"]["proposal"]
    assert made["publicUrl"] is None and made["previewUrl"] and made["viewsCount"] == 0
    assert made["lastViewedAt"] is None


async def test_what_a_proposal_tells_of_customers_costs_a_few_statements_however_many_there_are() -> None:
    actor = await seller()
    for _ in range(3):
        await offered(actor, now=datetime.now(UTC))
    told = await ask(actor, "{ proposals { nodes { publicUrl viewsCount links { nodes { url } } } } }")
    assert [len(one["links"]["nodes"]) for one in told["proposals"]["nodes"]] == [1, 1, 1]
    assert len({one["publicUrl"] for one in told["proposals"]["nodes"]}) == 3
    assert await ProposalLink.all().count() >= 3 and await ProposalLine.all().count()
