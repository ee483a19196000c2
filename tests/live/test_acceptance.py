"""A customer accepts on the public page, without JavaScript, and everybody's board moves: real processes throughout."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain import proposal_links
from models.leads import Lead, LeadStatus
from models.selling import SellingSettings, WonAt
from models.stages import StageKind
from schema import ids
from tests.factories import bearer, seller, stage
from tests.live.client import Socket, socket_to
from tests.live.house import House
from tests.proposing import BROWSER, line, link_to, offered
from tests.workers.conftest import Database, Start, database, redis, start, until

__all__ = ["database", "redis", "start"]

EVENTS = """
subscription ($pipeline: ID!) {
  pipelineEvents(pipelineId: $pipeline) {
    __typename
    ... on LeadEvent { leadId }
    ... on SeenLeadEvent { lead { status value { amount currencyCode } stage { id } } }
  }
}
"""


@pytest.fixture
async def house(database: Database, redis: Any, redis_url: str, tmp_path: Path) -> AsyncIterator[House]:
    known = {"DATABASE_URL": database.url, "REDIS_URL": redis_url, "DATA_DIR": str(tmp_path / "data")}
    made = House(known, apis=1)
    yield made
    await made.close()


async def reached(socket: Socket, wanted: str) -> dict[str, Any]:
    """Return the lead as it is told once it stands in a stage."""
    while True:
        event = (await socket.data("live"))["pipelineEvents"]
        if (shown := event.get("lead")) and shown["stage"]["id"] == wanted:
            return dict(shown)


async def accept(http: httpx.AsyncClient, path: str) -> httpx.Response:
    """Read the page as a browser does and send its form."""
    page = await http.get(path)
    assert page.status_code == 200
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    return await http.post(path, data={**hidden, "name": "Ada Lovelace", "do": "accept"})


async def test_the_board_moves_when_a_customer_accepts_and_when_that_wins_the_lead(
    house: House, database: Database, start: Start
) -> None:
    now = datetime.now(UTC)
    await start("worker").ready()
    actor = await seller()
    proposal = await offered(actor, line(price="1000"), now=now)
    closing, won = await stage(actor, StageKind.CLOSING), await stage(actor, StageKind.FOLLOW_UP)
    path = proposal_links.path_of((await link_to(proposal)).id)
    [address] = house.addresses

    async def answers() -> bool:
        try:
            return (await http.get("/readyz")).status_code < 500
        except httpx.TransportError:
            return False

    async with httpx.AsyncClient(base_url=address, headers={"user-agent": BROWSER}) as http:
        await until(answers)
        async with socket_to(address) as socket:
            await socket.initialise(await bearer(actor))
            await socket.begin("live", EVENTS, pipeline=ids.encode("Pipeline", closing.pipeline_id))
            told = await accept(http, path)
            assert told.status_code == 303, told.text
            shown = await reached(socket, ids.encode("Stage", closing.id))
            assert shown["status"] == "OPEN"
            assert shown["value"] == {"amount": "1000", "currencyCode": "EUR"}

            await SellingSettings.create(
                workspace_id=actor.workspace_id, won_at=WonAt.ACCEPTANCE, created_at=now, updated_at=now
            )
            other = await offered(actor, line(price="50"), now=now)
            await accept(http, proposal_links.path_of((await link_to(other)).id))
            shown = await reached(socket, ids.encode("Stage", won.id))
            assert shown["status"] == "WON"
    assert (await Lead.get(id=other.lead_id)).status is LeadStatus.WON
