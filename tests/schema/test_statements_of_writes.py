"""How many statements each mutation that people wait for costs, over the public API, with everything that it takes.

Counted are the look-up of who asks, BEGIN and COMMIT, what rules read, rows and events, and what the payload reads.
"""

from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from api.app import create_app
from domain.actors import Actor
from models.companies import Company
from models.leads import Lead
from models.stages import StageKind
from models.users import Role
from tests.factories import bearer, lead, member, seller, stage
from tests.schema.asking import gid
from tests.statements import recorded

pytestmark = pytest.mark.usefixtures("db")

BUYER = {"company": {"name": "Acme", "domain": "acme.com"}, "contact": {"name": "Ann", "email": "ann@acme.com"}}
NOUNS = {
    "captureLead": "lead",
    "updateLead": "lead",
    "assignLead": "lead",
    "moveLead": "lead",
    "closeLead": "lead",
    "updateCompany": "company",
}


def document(mutation: str) -> str:
    """Return a mutation that asks for what it changed, and why it was refused."""
    asked = f"{NOUNS[mutation]} {{ id version }} userErrors {{ code message }}"
    taken = f"{mutation[0].upper()}{mutation[1:]}Input!"
    return f"mutation($input: {taken}) {{ {mutation}(input: $input) {{ {asked} }} }}"


async def sent(actor: Actor, mutation: str, **given: Any) -> list[str]:
    """Send a mutation that must succeed, over HTTP, and return the statements that it took."""
    headers = {"Authorization": await bearer(actor)}
    body = {"query": document(mutation), "variables": {"input": given}}
    async with AsyncClient(transport=ASGITransport(create_app()), base_url="http://127.0.0.1") as client:
        with recorded() as statements:
            answer = (await client.post("/graphql", json=body, headers=headers)).json()
    assert "errors" not in answer, answer["errors"]
    assert answer["data"][mutation]["userErrors"] == []
    return statements


async def test_an_edit_of_a_lead_takes_three() -> None:
    admin = await seller()
    row = await lead(admin)
    statements = await sent(admin, "updateLead", id=gid("Lead", row.id), title="Roof", expectedVersion=1)
    assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT", "WITH"]


async def test_an_edit_of_a_company_takes_three() -> None:
    admin = await seller()
    await sent(admin, "captureLead", company={"name": "Acme"})
    row = await Company.get(workspace_id=admin.workspace_id)
    statements = await sent(admin, "updateCompany", id=gid("Company", row.id), industry="Solar")
    assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT", "WITH"]


async def test_handing_out_a_lead_takes_four() -> None:
    admin = await seller()
    rep, row = await member(Role.REP, of=admin), await lead(admin)
    assert rep.user_id
    statements = await sent(admin, "assignLead", id=gid("Lead", row.id), ownerId=gid("User", rep.user_id))
    assert len(statements) == 4, statements


async def test_a_move_of_a_lead_takes_ten() -> None:
    admin = await seller()
    row = await lead(admin)
    for kind in (StageKind.QUALIFY, StageKind.PROPOSAL):
        target = await stage(admin, kind)
        statements = await sent(admin, "moveLead", id=gid("Lead", row.id), stageId=gid("Stage", target.id))
    assert len(statements) == 10, statements


async def test_a_move_that_makes_more_of_its_buyer_takes_thirteen() -> None:
    admin = await seller()
    await sent(admin, "captureLead", **BUYER)
    row, target = await Lead.get(workspace_id=admin.workspace_id), await stage(admin, StageKind.QUALIFY)
    statements = await sent(admin, "moveLead", id=gid("Lead", row.id), stageId=gid("Stage", target.id))
    assert len(statements) == 13, statements


async def test_a_closing_of_a_lead_takes_fourteen() -> None:
    admin = await seller()
    await sent(admin, "captureLead", **BUYER)
    row = await Lead.get(workspace_id=admin.workspace_id)
    statements = await sent(admin, "closeLead", id=gid("Lead", row.id), status="WON")
    assert len(statements) == 14, statements


async def test_a_capture_with_a_company_and_a_contact_that_are_new_takes_thirteen() -> None:
    statements = await sent(await seller(), "captureLead", **BUYER)
    assert len(statements) == 13, statements


async def test_a_capture_of_a_buyer_who_is_known_takes_eleven() -> None:
    admin = await seller()
    await sent(admin, "captureLead", **BUYER)
    statements = await sent(admin, "captureLead", **BUYER)
    assert len(statements) == 11, statements
