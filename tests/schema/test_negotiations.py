"""Negotiations over HTTP, as a seller's screen and a customer with a link use them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from api.app import create_app
from domain import proposal_links
from domain.concessions import Concession
from domain.offer_terms import FreeTerm, TermKind, TermsChange
from models.negotiations import Negotiation, NegotiationState
from models.proposal_links import Evidence, EvidenceKind, Party, ProposalLink
from models.proposals import Proposal, ProposalState
from models.users import Role
from settings import settings
from tests.factories import NOW, lead, member, seller
from tests.negotiating import Sitting, off, sent_proposal, sit_down
from tests.schema.asking import answer, ask, gid

pytestmark = pytest.mark.usefixtures("db")

OPEN = """
mutation ($input: OpenNegotiationInput!) { openNegotiation(input: $input) {
  userErrors { code field message }
  negotiation { id state turn rounds version target { amount currencyCode } mustHaves floorPrice { amount }
    concessions { key text value { amount } term paymentDays } viewerCan { negotiate approve }
    offers { nodes { round party state net { amount } terms { lines { key quantity unitPrice { amount } } } } } }
} }
"""
OFFER = """
mutation ($input: MakeOfferInput!) { makeOffer(input: $input) {
  userErrors { code field message }
  offer { id round state net { amount } margin { amount } beyond { rail limit actual roles ofRole message } }
  negotiation { turn rounds respondBy }
  publicNegotiation { id state turn rounds offers { round party name net { amount } note }
    changes { sentences } gap { amount { amount } sentences } }
} }
"""
AGREE = """
mutation ($input: AgreeNegotiationInput!) { agreeNegotiation(input: $input) {
  userErrors { code field message }
  negotiation { state endedBy agreedVersion { number state total { amount } } }
  publicNegotiation { state endedBy }
} }
"""
BREAK_OFF = """
mutation ($input: BreakOffNegotiationInput!) { breakOffNegotiation(input: $input) {
  userErrors { code field message } negotiation { state reason } publicNegotiation { state reason }
} }
"""
COMMENT = """
mutation ($input: CommentOnNegotiationInput!) { commentOnNegotiation(input: $input) {
  userErrors { code field message } negotiation { comments { nodes { party name text user { id } } } }
  publicNegotiation { comments { party name text } }
} }
"""
PUBLIC = """
query ($token: String) { publicNegotiation(token: $token) {
  id state turn rounds respondBy currencyCode language lines { key name unit taxRate optional }
  offers { round party name note sha256 total { amount } terms { discountPercent } }
  changes { terms { label before after amount { amount } } } gap { sentences } comments { text } reason endedBy endedAt
  ending cursor
} }
"""


async def by_link(link: ProposalLink, document: str, **variables: Any) -> dict[str, Any]:
    """Send a document with a customer's link as the credential and return the whole answer."""
    headers = {"Authorization": f"Bearer {proposal_links.token_of(link.id)}"}
    app = create_app(settings().model_copy(update={"budget": 0}))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1") as client:
        response = await client.post("/graphql", json={"query": document, "variables": variables}, headers=headers)
        return dict(response.json())


async def told(link: ProposalLink, document: str, **input: Any) -> dict[str, Any]:
    """Send a mutation with a customer's link and return its payload."""
    found = await by_link(link, document, input=input)
    assert "errors" not in found, found["errors"]
    (payload,) = found["data"].values()
    return dict(payload)


def key_of(here: Sitting) -> str:
    return gid("Negotiation", here.negotiation.id)


async def test_a_seller_opens_a_negotiation_and_sees_all_of_it() -> None:
    actor = await seller()
    proposal, _ = await sent_proposal(await lead(actor), actor)

    payload = (
        await ask(
            actor,
            OPEN,
            input={
                "proposalId": gid("Proposal", proposal.id),
                "target": "950",
                "mustHaves": ["Payment in advance"],
                "concessions": [{"key": "m", "text": "Mounting for nothing", "value": "200"}],
                "floorPrice": "900",
                "respondBy": "2099-01-01T00:00:00Z",
            },
        )
    )["openNegotiation"]

    assert payload["userErrors"] == []
    found = payload["negotiation"]
    assert (found["state"], found["turn"], found["rounds"]) == ("OPEN", "BUYER", 0)
    assert (found["target"], found["floorPrice"]) == ({"amount": "950", "currencyCode": "EUR"}, {"amount": "900"})
    assert found["concessions"] == [
        {"key": "m", "text": "Mounting for nothing", "value": {"amount": "200"}, "term": "FREE", "paymentDays": None}
    ]
    assert found["viewerCan"] == {"negotiate": True, "approve": True}
    [first] = found["offers"]["nodes"]
    assert (first["round"], first["party"], first["net"]) == (0, "SELLER", {"amount": "1000"})
    assert len(first["terms"]["lines"]) == 3


async def test_the_whole_way_from_offer_to_agreement() -> None:
    here = await sit_down(floor_price=900)
    key, panel = key_of(here), str(await here.line("Solar panel"))

    asked = await told(
        here.link,
        OFFER,
        negotiationId=key,
        round=0,
        name="Berta Buyer",
        note="Our budget.",
        terms={"lines": [{"key": panel, "unitPrice": "70"}]},
    )
    held = (await ask(here.actor, OFFER, input={"negotiationId": key, "terms": {"discountPercent": "10"}}))["makeOffer"]
    made = (
        await ask(
            here.actor, OFFER, input={"negotiationId": key, "terms": {"lines": [{"key": panel, "unitPrice": "75"}]}}
        )
    )["makeOffer"]
    agreed = await told(here.link, AGREE, negotiationId=key, round=2, name="Berta Buyer")

    public = asked["publicNegotiation"]
    assert (asked["userErrors"], asked["offer"], asked["negotiation"]) == ([], None, None)
    assert (public["turn"], public["rounds"]) == ("SELLER", 1)
    assert public["changes"]["sentences"] == [
        "Einzelpreis: Solar panel: jetzt 70,00\xa0€ (vorher: 80,00\xa0€), −100,00\xa0€ ohne Steuer."
    ]
    assert public["gap"]["amount"] == {"amount": "-100"}
    assert (held["offer"]["state"], held["offer"]["round"]) == ("HELD", None)
    assert held["offer"]["beyond"] == [
        {
            "rail": "FLOOR_PRICE",
            "limit": "900",
            "actual": "810",
            "roles": ["ADMIN", "MANAGER"],
            "ofRole": None,
            "message": "the floor price of 900 EUR (it comes to 810 EUR net)",
        }
    ]
    assert (made["offer"]["state"], made["offer"]["net"], made["offer"]["margin"]) == (
        "OPEN",
        {"amount": "950"},
        {"amount": "350"},
    )
    assert agreed["publicNegotiation"] == {"state": "AGREED", "endedBy": "BUYER"}
    assert (await Proposal.get(id=here.proposal.id)).state is ProposalState.ACCEPTED
    evidence = await Evidence.get(proposal_id=here.proposal.id, kind=EvidenceKind.ACCEPTED)
    assert (evidence.party, evidence.name, evidence.link_id) == (Party.BUYER, "Berta Buyer", here.link.id)


async def test_the_seller_reads_differences_what_is_left_and_where_they_stand() -> None:
    here = await sit_down(target=950, floor_price=900, walk_away=850)
    await here.counter(off("20"))
    await here.offer(off("5"))

    found = await ask(
        here.actor,
        """query ($id: ID!, $proposal: ID!, $lead: ID!) {
              negotiation(id: $id) {
                diff(from: 1, to: 2) { amount { amount } terms { kind label before after amount { amount } } }
                none: diff(from: 1, to: 9) { sentences }
                gap { amount { amount } sentences }
                position { offerRound toTarget { amount } toFloor { amount } toWalkAway { amount } marginPercent }
              }
              proposal(id: $proposal) { negotiation { rounds } negotiations { totalCount } }
              lead(id: $lead) { negotiations { nodes { rounds gap { amount { amount } } } } }
              negotiations(filter: {state: {eq: OPEN}, turn: {eq: BUYER}}) { totalCount }
            }""",
        id=key_of(here),
        proposal=gid("Proposal", here.proposal.id),
        lead=gid("Lead", here.lead.id),
    )

    negotiation = found["negotiation"]
    assert negotiation["diff"] == {
        "amount": {"amount": "150"},
        "terms": [
            {
                "kind": "DISCOUNT",
                "label": "Discount on everything",
                "before": "20%",
                "after": "5%",
                "amount": {"amount": "150"},
            }
        ],
    }
    assert negotiation["none"] is None
    assert negotiation["gap"]["sentences"] == [
        "The two offers differ by €150.00 without tax.",
        "Discount on everything (seller: 5%; buyer: 20%)",
    ]
    assert negotiation["position"] == {
        "offerRound": 2,
        "toTarget": {"amount": "0"},
        "toFloor": {"amount": "50"},
        "toWalkAway": {"amount": "100"},
        "marginPercent": "36.8421",
    }
    assert found["proposal"] == {"negotiation": {"rounds": 2}, "negotiations": {"totalCount": 1}}
    assert found["lead"]["negotiations"]["nodes"] == [{"rounds": 2, "gap": {"amount": {"amount": "-150"}}}]
    assert found["negotiations"] == {"totalCount": 1}


async def test_the_seller_reads_what_concessions_are_worth_one_by_one_and_together() -> None:
    here = await sit_down(
        concessions=[
            Concession(key="sixty", text="60 days", value=Decimal(120), term=TermKind.PAYMENT, payment_days=60),
            Concession(key="training", text="Training", value=Decimal(300)),
        ]
    )
    training = FreeTerm(key="training", label="Training", text="A day.")
    await here.counter(TermsChange(discount_percent=Decimal(10), payment_days=60, free=[training]))
    await here.offer(TermsChange(discount_percent=Decimal(4), free=[]))

    found = await ask(
        here.actor,
        """query ($id: ID!) { negotiation(id: $id) {
              diff(from: 0, to: 1) { worth { amount } terms { kind worth { amount } } }
              gap { worth { amount } }
              position { worth { amount } concededValue { amount } conceded { key value { amount } } }
           } }""",
        id=key_of(here),
    )

    assert found["negotiation"] == {
        "diff": {
            "worth": {"amount": "-520"},
            "terms": [
                {"kind": "DISCOUNT", "worth": {"amount": "-100"}},
                {"kind": "PAYMENT", "worth": {"amount": "-120"}},
                {"kind": "FREE", "worth": {"amount": "-300"}},
            ],
        },
        "gap": {"worth": {"amount": "-360"}},
        "position": {
            "worth": {"amount": "840"},
            "concededValue": {"amount": "120"},
            "conceded": [{"key": "sixty", "value": {"amount": "120"}}],
        },
    }


async def test_a_key_that_no_line_has_is_told_at_its_field() -> None:
    here = await sit_down()
    line = {"key": "nonsense", "quantity": "1"}

    refused = await told(here.link, OFFER, negotiationId=key_of(here), name="Berta", terms={"lines": [line]})

    assert [(one["code"], one["field"]) for one in refused["userErrors"]] == [
        ("UNKNOWN_LINE", ["terms", "lines", "0", "key"])
    ]


async def test_a_held_offer_is_approved_or_rejected() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    here = await sit_down(rep, floor_price=900)
    decide = """mutation ($input: DecideOfferInput!) { approveOffer(input: $input) {
      userErrors { code } offer { state decision decidedBy { id } } } }"""
    held = await here.offer(off("20"))

    [refused] = (await ask(rep, decide, input={"id": gid("Offer", held.id)}))["approveOffer"]["userErrors"]
    approved = (await ask(admin, decide, input={"id": gid("Offer", held.id), "note": "Once."}))["approveOffer"]
    again = await here.offer(off("21"))
    rejected = await ask(admin, decide.replace("approveOffer", "rejectOffer"), input={"id": gid("Offer", again.id)})

    assert refused == {"code": "FORBIDDEN"}
    assert admin.user_id
    assert approved["offer"] == {"state": "OPEN", "decision": "Once.", "decidedBy": {"id": gid("User", admin.user_id)}}
    assert rejected["rejectOffer"]["offer"]["state"] == "REFUSED"


async def test_both_sides_comment_and_break_off() -> None:
    here = await sit_down()
    key = key_of(here)

    theirs = await told(here.link, COMMENT, negotiationId=key, text="In May?", name="Berta Buyer")
    ours = (await ask(here.actor, COMMENT, input={"negotiationId": key, "text": "Yes."}))["commentOnNegotiation"]
    ended = (await ask(here.actor, BREAK_OFF, input={"negotiationId": key, "reason": "Too far."}))[
        "breakOffNegotiation"
    ]
    late = await told(here.link, BREAK_OFF, negotiationId=key, reason="No.", name="Berta Buyer")

    assert theirs["publicNegotiation"]["comments"] == [{"party": "BUYER", "name": "Berta Buyer", "text": "In May?"}]
    assert [one["party"] for one in ours["negotiation"]["comments"]["nodes"]] == ["BUYER", "SELLER"]
    assert ended["negotiation"] == {"state": "BROKEN_OFF", "reason": "Too far."}
    [fault] = late["userErrors"]
    assert (fault["code"], "the seller broke it off" in fault["message"]) == ("NEGOTIATION_OVER", True)


async def test_a_link_needs_a_name_and_its_own_negotiation() -> None:
    here, there = await sit_down(), await sit_down()

    nameless = await told(here.link, AGREE, negotiationId=key_of(here), round=0)
    foreign = await told(here.link, AGREE, negotiationId=key_of(there), round=0, name="Berta")
    made_up = await told(here.link, AGREE, negotiationId=key_of(here), round=3, name="Berta")
    await here.offer(off("1"))
    overtaken = await told(here.link, AGREE, negotiationId=key_of(here), round=0, name="Berta")

    assert [(one["code"], one["field"]) for one in nameless["userErrors"]] == [("REQUIRED", ["name"])]
    assert [one["code"] for one in foreign["userErrors"]] == ["NOT_FOUND"]
    assert [one["code"] for one in made_up["userErrors"]] == ["UNKNOWN_ROUND"]
    assert [one["code"] for one in overtaken["userErrors"]] == ["OFFER_OVERTAKEN"]


async def test_a_link_that_ended_reads_and_writes_nothing() -> None:
    here = await sit_down()
    token = proposal_links.token_of(here.link.id)
    assert (await answer(None, PUBLIC, token=token))["data"]["publicNegotiation"]["rounds"] == 0
    await ProposalLink.filter(id=here.link.id).update(revoked_at=NOW)

    assert (await answer(None, PUBLIC, token=token))["data"] == {"publicNegotiation": None}
    assert (await answer(None, PUBLIC, token="x" * 64))["data"] == {"publicNegotiation": None}
    refused = await by_link(here.link, AGREE, input={"negotiationId": key_of(here), "round": 0, "name": "B"})
    assert [error["extensions"]["code"] for error in refused["errors"]] == ["UNAUTHENTICATED"]
    assert (await Negotiation.get(id=here.negotiation.id)).state is NegotiationState.OPEN


# What only the seller may know, as it would be written.
SECRETS = ("4321", "3210", "2109", "37.5", "12.25", "Never without", "Only we know", "Too cheap", "1098", "HELD")


async def secretive() -> Sitting:
    """Sit down at a table where the seller has secrets, and an offer that was never made."""
    actor = await seller()
    await lead(actor, title="Other")
    here = await sit_down(
        actor,
        target=4321,
        floor_price=3210,
        walk_away=None,
        floor_margin="37.5",
        most_discount="12.25",
        must_haves=["Never without"],
        concessions=[Concession(key="longer", text="Only we know", value=Decimal(1098), term=TermKind.PAYMENT)],
    )
    await here.counter(TermsChange(discount_percent=Decimal(30), payment="In halves"))
    await here.offer(off("20"), note="Too cheap", respond_by=NOW + timedelta(days=1))
    return here


async def test_what_only_the_seller_knows_never_reaches_the_buyer() -> None:
    here = await secretive()
    token, key = proposal_links.token_of(here.link.id), key_of(here)

    heard = [
        await by_link(here.link, PUBLIC),
        await answer(None, PUBLIC, token=token),
        await by_link(here.link, COMMENT, input={"negotiationId": key, "text": "Hello", "name": "Berta"}),
        await by_link(here.link, OFFER, input={"negotiationId": key, "terms": {}, "name": "Berta"}),
        await by_link(here.link, AGREE, input={"negotiationId": key, "round": 9, "name": "Berta"}),
        await by_link(here.link, "{ publicNegotiation { gap { worth { amount } } } }"),
        await by_link(here.link, "{ publicNegotiation { changes { terms { worth { amount } } } } }"),
        await by_link(here.link, '{ __type(name: "PublicNegotiation") { fields { name } } }'),
    ]
    for refused in heard[5:7]:
        assert "Cannot query field 'worth'" in refused["errors"][0]["message"]

    for one in heard:
        assert not [secret for secret in SECRETS if secret in str(one)], one
    fields = {field["name"] for field in heard[-1]["data"]["__type"]["fields"]}
    assert fields.isdisjoint({"target", "mustHaves", "concessions", "floorPrice", "walkAway", "position"})


@pytest.mark.parametrize(
    "document",
    [
        "query ($key: ID!) { negotiation(id: $key) { target { amount } } }",
        "{ negotiations { nodes { floorPrice { amount } } } }",
        "query ($key: ID!) { node(id: $key) { id ... on Negotiation { mustHaves } } }",
        "{ proposals { nodes { negotiation { walkAway { amount } } } } }",
        "{ leads { nodes { negotiations { nodes { walkAway { amount } } } } } }",
        "mutation ($key: ID!) { updateNegotiation(input: {id: $key}) { negotiation { target { amount } } } }",
    ],
)
async def test_a_link_reaches_nothing_by_the_ways_of_members(document: str) -> None:
    here = await secretive()

    found = await by_link(here.link, document, key=key_of(here))

    assert not [secret for secret in SECRETS if secret in str(found)], found
    assert {error["extensions"]["code"] for error in found["errors"]} == {"UNAUTHENTICATED"}
    assert (await Negotiation.get(id=here.negotiation.id)).target == 4321
