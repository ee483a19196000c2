"""Proposals over the API: drafted, approved, sent, compared and listed; and how a workspace sells."""

from typing import Any

import pytest

from domain.actors import Actor
from models.users import Role
from tests.factories import lead, member, seller
from tests.schema.asking import answer, ask, gid

pytestmark = pytest.mark.usefixtures("db")

FAULTS = "userErrors { code message field }"
SHOWN = """
  id number title state version total { amount currencyCode } net { amount } validUntil
  current { id number sha256 }
"""


def changing(mutation: str) -> str:
    """Return the document of a mutation of a proposal."""
    name = mutation[0].upper() + mutation[1:]
    return f"mutation ($input: {name}Input!) {{ {mutation}(input: $input) {{ proposal {{ {SHOWN} }} {FAULTS} }} }}"


CREATE, UPDATE, LINES = map(changing, ("createProposal", "updateProposal", "setProposalLines"))


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currencyCode": "EUR"}


async def made(actor: Actor, **more: Any) -> dict[str, Any]:
    """Make a proposal of one line through the API."""
    wanting = await lead(actor)
    said = {
        "leadId": gid("Lead", wanting.id),
        "currencyCode": "EUR",
        "lines": [{"name": "Panel", "unitPrice": eur("100"), "taxRate": "19", "quantity": "2"}],
        **more,
    }
    told = (await ask(actor, CREATE, input=said))["createProposal"]
    assert told["userErrors"] == []
    return dict(told["proposal"])


async def do(actor: Actor, mutation: str, **said: Any) -> dict[str, Any]:
    """Send a mutation of a proposal and return its payload."""
    return dict((await ask(actor, changing(mutation), input=said))[mutation])


async def test_a_proposal_is_made_read_and_revised() -> None:
    actor = await seller()
    proposal = await made(actor)
    sent = (await do(actor, "sendProposal", id=proposal["id"], expectedVersion=1))["proposal"]
    revised = await ask(
        actor,
        LINES,
        input={"id": proposal["id"], "lines": [{"name": "Cable", "unitPrice": eur("2.5"), "optional": True}]},
    )

    told = await ask(
        actor,
        """
        query ($id: ID!) { proposal(id: $id) {
          state sent { number sha256 seller { name } buyer { name } } lead { title }
          viewerCan { update requestApproval approve send withdraw delete }
          versions { totalCount nodes { number state total { amount } subtotal { amount } margin { amount }
            taxes { rate net { amount } tax { amount } }
            lines { totalCount nodes { key name quantity unitPrice { amount } optional chosen amount { amount } } } } }
          diff(from: 1, to: 2) { fromNumber toNumber reordered totalDifference { amount }
            lines { kind name amountDifference { amount } changes { field before after } } }
          newest: diff { lines { kind } } none: diff(from: 1, to: 9) { reordered }
        } }""",
        id=proposal["id"],
    )
    found = told["proposal"]

    assert (proposal["state"], proposal["total"]) == ("DRAFT", {"amount": "238", "currencyCode": "EUR"})
    assert (sent["state"], len(sent["current"]["sha256"])) == ("SENT", 64)
    assert revised["setProposalLines"]["proposal"]["total"]["amount"] == "0"
    assert (found["state"], found["sent"]["number"], found["lead"]["title"]) == ("DRAFT", 1, "Solar roof")
    assert found["sent"]["seller"]["name"] == "Acme"
    assert found["viewerCan"] == {
        "update": True,
        "requestApproval": True,
        "approve": False,
        "send": True,
        "withdraw": True,
        "delete": False,
    }
    second, first = found["versions"]["nodes"]
    assert (first["number"], first["state"], first["total"]["amount"]) == (1, "SENT", "238")
    assert first["taxes"] == [{"rate": "19", "net": {"amount": "200"}, "tax": {"amount": "38"}}]
    assert [line["name"] for line in second["lines"]["nodes"]] == ["Cable"]
    assert second["lines"]["nodes"][0]["chosen"] is False
    diff = found["diff"]
    assert [(line["kind"], line["name"], line["amountDifference"]["amount"]) for line in diff["lines"]] == [
        ("ADDED", "Cable", "0"),
        ("REMOVED", "Panel", "-200"),
    ]
    assert {"field": "unitPrice", "before": None, "after": "2.5"} in diff["lines"][0]["changes"]
    assert (diff["totalDifference"]["amount"], found["none"]) == ("-238", None)
    assert [line["kind"] for line in found["newest"]["lines"]] == ["ADDED", "REMOVED"]


async def test_faults_are_told_with_the_path_of_their_field() -> None:
    actor = await seller()
    proposal = await made(actor)

    told = await ask(
        actor,
        LINES,
        input={
            "id": proposal["id"],
            "lines": [
                {"name": "A", "unitPrice": {"amount": "1", "currencyCode": "USD"}},
                {"name": "B", "unitPrice": eur("1"), "quantity": "-1", "discount": {"percent": "101"}},
                {"key": "nonsense", "name": "C", "unitPrice": eur("1")},
            ],
        },
    )
    stale = await do(actor, "sendProposal", id=proposal["id"], expectedVersion=9)

    assert [(fault["code"], fault["field"]) for fault in told["setProposalLines"]["userErrors"]] == [
        ("MIXED_CURRENCIES", ["lines", "0", "unitPrice"]),
        ("OUT_OF_RANGE", ["lines", "1", "quantity"]),
        ("OUT_OF_RANGE", ["lines", "1", "discount", "percent"]),
        ("MALFORMED", ["lines", "2", "key"]),
    ]
    assert stale["userErrors"][0]["code"] == "STALE"
    assert stale["proposal"]["id"] == proposal["id"]


async def test_a_rule_holds_a_proposal_until_its_roles_approve() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    manager = await member(Role.MANAGER, of=admin)
    await ask(
        admin,
        "mutation ($input: CreateApprovalRuleInput!) { createApprovalRule(input: $input) { userErrors { code } } }",
        input={"kind": "DISCOUNT_OVER", "threshold": "10", "roles": ["MANAGER"]},
    )
    proposal = await made(rep, discount={"percent": "15"})

    refused = await do(rep, "sendProposal", id=proposal["id"])
    asked = await do(rep, "requestProposalApproval", id=proposal["id"])
    own = await do(rep, "approveProposal", id=proposal["id"])
    read = """query { approvals(filter: {state: {eq: PENDING}}) { nodes {
        reason roles requestedBy { id } proposalVersion { proposal { number viewerCan { approve } } } } } }"""
    waiting = (await ask(admin, read))["approvals"]["nodes"]
    rejected = await do(admin, "rejectProposal", id=proposal["id"], note="Too much")
    await do(rep, "requestProposalApproval", id=proposal["id"])
    approved = await do(admin, "approveProposal", id=proposal["id"])
    sent = await do(rep, "sendProposal", id=proposal["id"])

    assert refused["userErrors"][0]["code"] == "APPROVAL_NEEDED"
    assert "a discount of 15 %, over 10 %" in refused["userErrors"][0]["message"]
    assert asked["proposal"]["state"] == "IN_APPROVAL"
    assert own["userErrors"][0]["code"] == "NOT_AN_APPROVER"
    assert [(one["reason"], one["roles"]) for one in waiting] == [("a discount of 15 %, over 10 %", ["MANAGER"])]
    assert waiting[0]["proposalVersion"]["proposal"]["viewerCan"]["approve"] is True
    assert rejected["proposal"]["state"] == "DRAFT"
    assert (approved["proposal"]["state"], sent["proposal"]["state"]) == ("APPROVED", "SENT")
    assert (await ask(manager, read))["approvals"]["nodes"] == []


async def test_proposals_are_filtered_ordered_and_found() -> None:
    actor = await seller()
    first, second = await made(actor), await made(actor, title="Heat pump", lines=[])
    await do(actor, "sendProposal", id=first["id"])
    company = await ask(
        actor,
        'mutation { createCompany(input: {name: "Sunny"}) { company { id } } }',
    )
    wanting = await ask(actor, "query ($id: ID!) { proposal(id: $id) { lead { id } } }", id=first["id"])
    lead_id = wanting["proposal"]["lead"]["id"]
    await ask(
        actor,
        "mutation ($input: UpdateLeadInput!) { updateLead(input: $input) { userErrors { code } } }",
        input={"id": lead_id, "companyId": company["createCompany"]["company"]["id"]},
    )
    document = """
        query ($filter: ProposalFilter, $orderBy: [ProposalOrder!], $search: String) {
          proposals(filter: $filter, orderBy: $orderBy, search: $search) { nodes { number } } }"""

    async def numbers(**asked: Any) -> list[str]:
        return [node["number"] for node in (await ask(actor, document, **asked))["proposals"]["nodes"]]

    one, two = first["number"], second["number"]
    assert await numbers() == [two, one]
    assert await numbers(filter={"state": {"in": ["SENT", "VIEWED"]}}) == [one]
    assert await numbers(filter={"leadId": {"eq": lead_id}}) == [one]
    assert await numbers(filter={"company": {"name": {"eq": "Sunny"}}}) == [one]
    assert await numbers(filter={"not": {"company": {"name": {"eq": "Sunny"}}}}) == [two]
    assert await numbers(filter={"number": {"startsWith": "P-"}, "total": {"gte": "1"}}) == [one]
    assert await numbers(filter={"validUntil": {"isNull": True}}) == []
    assert await numbers(search="heat") == [two]
    assert await numbers(orderBy=[{"field": "TOTAL", "direction": "DESC"}]) == [one, two]
    assert await numbers(orderBy=[{"field": "NUMBER", "direction": "ASC"}]) == [one, two]
    of_lead = await ask(
        actor,
        "query ($id: ID!) { lead(id: $id) { proposals { totalCount nodes { number } } } "
        "leads(filter: {proposals: {some: {state: {eq: SENT}}}}) { nodes { id } } }",
        id=lead_id,
    )
    assert of_lead["lead"]["proposals"] == {"totalCount": 1, "nodes": [{"number": one}]}
    assert of_lead["leads"]["nodes"] == [{"id": lead_id}]


async def test_a_lead_tells_what_happened_to_its_proposals() -> None:
    actor = await seller()
    proposal = await made(actor)
    await ask(actor, UPDATE, input={"id": proposal["id"], "title": "Bigger"})
    told = await ask(
        actor,
        "query ($id: ID!) { proposal(id: $id) { lead { history(first: 2) { nodes { name aboutId "
        "changes { field after } } } } } }",
        id=proposal["id"],
    )

    newest, before = told["proposal"]["lead"]["history"]["nodes"]
    assert (newest["name"], newest["aboutId"]) == ("proposal.updated", proposal["id"])
    assert newest["changes"] == [{"field": "title", "after": "Bigger"}]
    assert before["name"] == "proposal.created"


async def test_how_a_workspace_sells_is_read_and_set() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    document = """mutation ($input: UpdateSellingSettingsInput!) { updateSellingSettings(input: $input) {
        sellingSettings { rounding taxRate color terms validityDays seller { name address { city } bank }
          mostDiscount { role percent } wonAt version } userErrors { code field } } }"""

    first = await ask(rep, "query { sellingSettings { rounding taxInclusive validityDays wonAt version } }")
    said = {
        "rounding": "HALF_EVEN",
        "taxRate": "19",
        "color": "#3B82F6",
        "terms": "Net 14",
        "seller": {"name": "Acme AG", "address": {"city": "Bern"}, "bank": "CH93"},
        "mostDiscount": [{"role": "REP", "percent": "12.5"}],
        "expectedVersion": 0,
    }
    set_ = (await ask(admin, document, input=said))["updateSellingSettings"]
    stale = (await ask(admin, document, input=said))["updateSellingSettings"]
    wrong = await ask(admin, document, input={"color": "blue", "taxRate": "101", "validityDays": 0})
    refused = (await ask(rep, document, input={"terms": "Mine"}))["updateSellingSettings"]
    proposal = await made(rep, lines=[{"name": "Hour", "unitPrice": eur("1")}])

    assert first["sellingSettings"] == {
        "rounding": "HALF_UP",
        "taxInclusive": False,
        "validityDays": 30,
        "wonAt": "SIGNATURE",
        "version": 0,
    }
    assert set_["userErrors"] == []
    assert set_["sellingSettings"]["seller"] == {"name": "Acme AG", "address": {"city": "Bern"}, "bank": "CH93"}
    assert set_["sellingSettings"]["mostDiscount"] == [{"role": "REP", "percent": "12.5"}]
    assert (set_["sellingSettings"]["color"], set_["sellingSettings"]["version"]) == ("#3b82f6", 1)
    assert stale["userErrors"][0]["code"] == "STALE"
    assert stale["sellingSettings"]["version"] == 1
    faults = wrong["updateSellingSettings"]["userErrors"]
    assert {fault["field"][0] for fault in faults} == {"color", "taxRate", "validityDays"}
    assert refused["userErrors"][0]["code"] == "FORBIDDEN"
    assert proposal["total"]["amount"] == "1.19"


async def test_a_customers_proposal_of_another_workspace_does_not_exist() -> None:
    actor, stranger = await seller(), await seller()
    proposal = await made(actor)

    read = await answer(stranger, "query ($id: ID!) { proposal(id: $id) { number } }", id=proposal["id"])
    told = await do(stranger, "sendProposal", id=proposal["id"])

    assert read == {"data": {"proposal": None}} or read["data"] == {"proposal": None}
    assert told["userErrors"][0]["code"] == "NOT_FOUND"
