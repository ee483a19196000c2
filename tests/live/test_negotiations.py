"""What both sides of a negotiation are told live: the same, but for what only the seller may know."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import pytest

from api.websocket import Patience
from domain import negotiation_comments, negotiations, proposal_links
from domain.preparations import Preparation
from schema import ids
from settings import Settings
from tests.factories import NOW, bearer, seller
from tests.live.client import Socket, socket_to
from tests.live.conftest import Relay
from tests.live.test_subscriptions import Deaf, serve_deaf
from tests.negotiating import Sitting, off, sit_down

pytestmark = pytest.mark.usefixtures("db")
EVENTS = """
subscription ($id: ID!, $after: String) { negotiationEvents(negotiationId: $id, after: $after) {
  __typename
  ... on NegotiationEvent { cursor eventId negotiationId party negotiation { target { amount } } }
  ... on OfferMade { offer { round net { amount } } }
  ... on CommentMade { comment { text } }
  ... on BrokenOff { reason }
  ... on ResyncRequired { because: reason }
} }
"""


@pytest.fixture
async def sockets(server: str) -> AsyncIterator[tuple[Socket, Socket]]:
    async with AsyncExitStack() as stack:
        yield (
            await stack.enter_async_context(socket_to(server)),
            await stack.enter_async_context(socket_to(server)),
        )


async def listening(here: Sitting, sockets: tuple[Socket, Socket]) -> dict[str, Any]:
    """Have both sides listen, the seller by sign-in and the buyer by their link."""
    ours, theirs = sockets
    key = {"id": ids.encode("Negotiation", here.negotiation.id)}
    await ours.initialise(await bearer(here.actor))
    await theirs.initialise(proposal_links.token_of(here.link.id))
    await ours.begin("c", "{ cursor }")
    start = (await ours.data("c"))["cursor"]
    await ours.complete("c")
    await ours.begin("1", EVENTS, after=start, **key)
    return key


async def test_both_sides_hear_and_only_the_seller_hears_what_is_theirs(
    sockets: tuple[Socket, Socket], relay: Relay
) -> None:
    here = await sit_down(target=4321, floor_price=900)
    await relay()
    ours, theirs = sockets
    key = await listening(here, sockets)
    await theirs.begin("2", "query { publicNegotiation { rounds cursor } }")
    seen = (await theirs.data("2"))["publicNegotiation"]
    assert seen["rounds"] == 0
    await theirs.complete("2")

    await negotiations.update(here.actor, here.negotiation.id, Preparation(walk_away=Decimal(500)), now=NOW)
    await here.offer(off("50"))
    await here.counter(off("9"))
    await negotiation_comments.comment(here.actor, here.negotiation.id, "We think.", now=NOW)
    await negotiations.leave(here.buyer, "Too slow.", now=NOW)
    await relay()
    await theirs.begin("1", EVENTS, after=seen["cursor"], **key)

    heard = [await ours.event("1") for _ in range(5)]
    told = [await theirs.event("1") for _ in range(3)]
    assert [one["__typename"] for one in heard] == [
        "NegotiationChanged",
        "NegotiationChanged",
        "OfferMade",
        "CommentMade",
        "BrokenOff",
    ]
    assert [one["__typename"] for one in told] == ["OfferMade", "CommentMade", "BrokenOff"]
    assert told[0]["offer"] == {"round": 1, "net": {"amount": "910"}}
    assert told[1]["comment"] == {"text": "We think."}
    assert (told[2]["reason"], told[2]["party"]) == ("Too slow.", "BUYER")
    assert {str(one["negotiation"]) for one in told} == {"None"}
    assert heard[0]["negotiation"] == {"target": {"amount": "4321"}}
    assert [one["eventId"] for one in told] == [one["eventId"] for one in heard[2:]]
    await theirs.begin("3", EVENTS, after=told[0]["cursor"], **key)
    assert (await theirs.event("3"))["__typename"] == "CommentMade", "it goes on from a cursor"


async def test_a_buyers_connection_lives_on_through_pings(server_settings: Settings) -> None:
    here = await sit_down()
    hello = {"type": "connection_init", "payload": {"authorization": f"Bearer {proposal_links.token_of(here.link.id)}"}}
    buyer = Deaf([{}, hello])

    serving = await serve_deaf(buyer, server_settings, Patience(ping=0.01))
    async with asyncio.timeout(20):
        while [told["type"] for told in buyer.heard].count("ping") < 2 and buyer.closed is None:
            await asyncio.sleep(0.005)
    buyer.gone.set()
    await serving

    assert buyer.closed is None


async def test_nobody_else_hears_anything(sockets: tuple[Socket, Socket]) -> None:
    here, there = await sit_down(), await sit_down()
    key = ids.encode("Negotiation", there.negotiation.id)
    mine, strange = sockets
    await mine.initialise(proposal_links.token_of(here.link.id))
    await strange.initialise(await bearer(await seller()))
    for socket in sockets:
        await socket.begin("1", EVENTS, id=key)
        [error] = await socket.errors("1")
        assert error["extensions"]["code"] == "NOT_FOUND"
