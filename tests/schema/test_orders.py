"""Lists ordered by what stands on linked rows: pages both ways, nothing twice, nothing lost, nulls last."""

from itertools import pairwise
from typing import Any

import pytest

from domain import companies, contacts
from domain.actors import Actor
from domain.companies import CompanyDetails
from domain.contacts import ContactDetails
from models.companies import Company
from models.users import Role
from tests import factories
from tests.schema.asking import ask, codes, gid

LISTS = """
query ($order: [LeadOrder!], $first: Int, $after: String, $last: Int, $before: String) {
  leads(orderBy: $order, first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { id company { name } owner { name } stage { position } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


async def company(actor: Actor, name: str) -> Company:
    return await companies.create(actor, CompanyDetails(name=name), now=factories.NOW)


async def sellers() -> list[Actor]:
    """Make leads of several companies, owners and stages, some with none; return who reads them."""
    admin = await factories.seller()
    rep = await factories.member(Role.REP, of=admin)
    buyers = [await company(admin, name) for name in ("Beta", "alpha", "Gamma")]
    for number in range(11):
        row = await factories.lead(rep if number % 2 else admin, title=f"Lead {number}")
        await (
            type(row)
            .filter(id=row.id)
            .update(
                company_id=buyers[number % 4].id if number % 4 < 3 else None,
                owner_id=rep.user_id if number % 3 else None,
            )
        )
    return [admin, rep]


def placed(node: dict[str, Any], field: str) -> Any:
    if field == "STAGE_POSITION":
        return node["stage"]["position"]
    held = node["company" if field == "COMPANY_NAME" else "owner"]
    return held and held["name"].lower()


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("field", ["COMPANY_NAME", "OWNER_NAME", "STAGE_POSITION"])
async def test_leads_are_ordered_by_what_linked_rows_say(db: str, field: str, direction: str) -> None:
    order = [{"field": field, "direction": direction}]
    for reader in await sellers():
        whole = (await ask(reader, LISTS, order=order, first=100))["leads"]["edges"]
        assert len(whole) == (11 if reader.role is Role.ADMIN else 7)
        values = [placed(edge["node"], field) for edge in whole]
        known = [value for value in values if value is not None]
        assert values == known + [None] * (len(values) - len(known))
        assert all((one <= other) if direction == "ASC" else (one >= other) for one, other in pairwise(known))
        forward: list[Any] = []
        page: dict[str, Any] = {}
        after = None
        while after is None or page["pageInfo"]["hasNextPage"]:
            page = (await ask(reader, LISTS, order=order, first=3, after=after))["leads"]
            forward += page["edges"]
            after = page["pageInfo"]["endCursor"]
        assert forward == whole
        backward: list[Any] = []
        before = None
        while before is None or page["pageInfo"]["hasPreviousPage"]:
            page = (await ask(reader, LISTS, order=order, last=4, before=before))["leads"]
            backward = page["edges"] + backward
            before = page["pageInfo"]["startCursor"]
        assert backward == whole


async def test_a_company_that_is_gone_orders_nothing(db: str) -> None:
    admin, _ = await sellers()
    await Company.filter(workspace_id=admin.workspace_id, name="alpha").update(deleted_at=factories.NOW)
    edges = (await ask(admin, LISTS, order=[{"field": "COMPANY_NAME"}], first=100))["leads"]["edges"]
    names = [edge["node"]["company"] and edge["node"]["company"]["name"] for edge in edges]
    assert names == ["Beta"] * 3 + ["Gamma"] * 3 + [None] * 5


async def test_a_cursor_of_another_order_is_refused(db: str) -> None:
    admin, _ = await sellers()
    page = (await ask(admin, LISTS, order=[{"field": "COMPANY_NAME"}], first=2))["leads"]
    after = page["pageInfo"]["endCursor"]
    assert await codes(admin, LISTS, order=[{"field": "OWNER_NAME"}], after=after) == ["BAD_USER_INPUT"]


async def test_contacts_are_ordered_by_their_companies(db: str) -> None:
    admin = await factories.seller()
    found = []
    for name in ("Zeta", "Eta"):
        details = ContactDetails(name=f"Of {name}", company_id=(await company(admin, name)).id)
        found.append(await contacts.create(admin, details, now=factories.NOW))
    document = "{ contacts(orderBy: [{field: COMPANY_NAME}]) { nodes { id } } }"
    nodes = (await ask(admin, document))["contacts"]["nodes"]
    assert [node["id"] for node in nodes] == [gid("Contact", row.id) for row in reversed(found)]
