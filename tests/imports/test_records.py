"""Companies, products and users of a file: what is found, what is created, what is refused."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain import companies, products
from domain.actors import Actor
from domain.companies import CompanyDetails
from domain.errors import Forbidden
from domain.products import ProductDetails
from models.companies import Company
from models.events import Event
from models.external_refs import ExternalRef
from models.imports import Import, ImportKind
from models.products import Product
from models.teams import Team
from models.users import Membership, Role, User
from tests.factories import NOW, again, member, team
from tests.imports.importing import counts, faults, mapping, seller, take, written

pytestmark = pytest.mark.usefixtures("db")
COMPANIES = mapping(
    """
system: erp
external_id: no
fields:
  name: name
  domain: domain
  phone: phone
  country: country
  employees: staff
  revenue: {column: revenue, factor: 1000}
  founded_year: founded
  parent: parent
  owner: owner
"""
)
COLUMNS = ["no", "name", "domain", "phone", "country", "staff", "revenue", "founded", "parent", "owner"]
PRODUCTS = mapping("{system: erp, external_id: no, fields: {name: name, sku: sku, family: family, price: price}}")
USERS = mapping(
    "{system: hr, external_id: no, fields: {name: name, email: email, team: team, team_within: office, role: role}}"
)


def company(**cells: str) -> list[str]:
    return [({"no": "1", "name": "Globex"} | cells).get(name, "") for name in COLUMNS]


async def taken(actor: Actor, folder: Path, *rows: list[str], **more: Any) -> Import:
    return await take(actor, ImportKind.COMPANIES, written(folder, [COLUMNS, *rows]), COMPANIES, **more)


async def company_named(actor: Actor, name: str) -> Company:
    return await Company.get(workspace_id=actor.workspace_id, name=name).prefetch_related("parent", "owner")


async def test_a_company_as_the_file_says_it(tmp_path: Path) -> None:
    actor = await seller()
    cells = {"domain": "https://www.Globex.com/", "phone": "0800 1234567", "country": "de", "owner": "Ann Lee"}
    row = await taken(actor, tmp_path, company(**cells, staff="1,200", revenue="12.5", founded="1999"))
    assert counts(row) == (1, 0, 0, 0)
    found = await company_named(actor, "Globex")
    assert (found.domain, found.phone_normalised, found.country) == ("globex.com", "+498001234567", "DE")
    assert (found.employees, found.revenue, found.revenue_currency) == (1200, Decimal(12500), "EUR")
    assert found.founded_year == 1999 and found.owner and found.owner.name == "Ann Lee"
    [event] = await Event.filter(subject_id=found.id)
    assert (event.name, event.data["bulk"], event.data["version"]) == ("company.created", True, 1)
    assert event.data["changes"]["domain"] == [None, "globex.com"]


@pytest.mark.parametrize("chunk_size", [1, 2, 100])
async def test_a_parent_may_come_later_in_the_file(tmp_path: Path, chunk_size: int) -> None:
    actor = await seller()
    rows = [company(no="1", name="Branch", parent="Works"), company(no="2", name="Works", parent="Holding")]
    rows += [company(no="3", name="Other"), company(no="4", name="Holding", staff="9")]
    row = await taken(actor, tmp_path, *rows, chunk_size=chunk_size)
    assert row.created_rows + row.updated_rows == 4 and not row.skipped_rows
    assert await Company.filter(workspace_id=actor.workspace_id).count() == 4
    branch, works = await company_named(actor, "Branch"), await company_named(actor, "Works")
    holding = await company_named(actor, "Holding")
    assert (branch.parent_id, works.parent_id, holding.employees) == (works.id, holding.id, 9)
    assert counts(await taken(actor, tmp_path, *rows, chunk_size=chunk_size)) == (0, 0, 4, 0)


@pytest.mark.parametrize("chunk_size", [1, 100])
async def test_companies_in_a_circle_are_refused_where_it_closes(tmp_path: Path, chunk_size: int) -> None:
    actor = await seller()
    rows = [company(no="1", name="A", parent="B"), company(no="2", name="B", parent="C")]
    rows += [company(no="3", name="C", parent="A"), company(no="4", name="D", parent="D")]
    row = await taken(actor, tmp_path, *rows, chunk_size=chunk_size)
    assert row.skipped_rows == 2
    assert [(fault[0], fault[1]) for fault in await faults(row)] == [(4, "parent"), (5, "parent")]
    assert (await company_named(actor, "C")).parent_id is None


async def test_a_company_known_by_name_or_domain_is_adopted(tmp_path: Path) -> None:
    actor = await seller()
    by_name = await companies.create(actor, CompanyDetails(name="GLOBEX"), now=NOW)
    by_domain = await companies.create(actor, CompanyDetails(name="Initech Inc", domain="initech.com"), now=NOW)
    rows = [company(staff="5"), company(no="2", name="Initech", domain="initech.com")]
    assert counts(await taken(actor, tmp_path, *rows)) == (0, 2, 0, 0)
    assert await Company.filter(workspace_id=actor.workspace_id).count() == 2
    first, second = await Company.get(id=by_name.id), await Company.get(id=by_domain.id)
    assert (first.name, first.employees, first.version, second.name) == ("Globex", 5, 2, "Initech")
    refs = await ExternalRef.filter(workspace_id=actor.workspace_id).order_by("external_id")
    assert [(ref.external_id, ref.subject_id) for ref in refs] == [("1", first.id), ("2", second.id)]
    assert counts(await taken(actor, tmp_path, *rows)) == (0, 0, 2, 0)


async def test_two_companies_of_one_name_are_two(tmp_path: Path) -> None:
    actor = await seller()
    rows = [company(no="1"), company(no="2")]
    assert counts(await taken(actor, tmp_path, *rows)) == (2, 0, 0, 0)
    assert counts(await taken(actor, tmp_path, *rows)) == (0, 0, 2, 0)


async def test_two_companies_of_one_domain_are_refused(tmp_path: Path) -> None:
    actor = await seller()
    rows = [company(no="1", domain="globex.com"), company(no="2", name="Other", domain="www.globex.com")]
    for chunk_size in (100, 1):
        row = await taken(actor, tmp_path, *rows, chunk_size=chunk_size)
        assert row.skipped_rows == 1
        assert await faults(row) == [(3, "domain", "www.globex.com", "Another company has this domain.")]


async def test_what_a_person_edited_stays_unless_the_file_changes_it(tmp_path: Path) -> None:
    actor = await seller()
    await taken(actor, tmp_path, company(staff="5", founded="1999"))
    found = await company_named(actor, "Globex")
    await companies.update(actor, found.id, CompanyDetails(employees=50, founded_year=2001), now=NOW)
    assert counts(await taken(actor, tmp_path, company(staff="5", founded="1999"))) == (0, 0, 1, 0)
    assert counts(await taken(actor, tmp_path, company(staff="5", founded="1998"))) == (0, 1, 0, 0)
    found = await company_named(actor, "Globex")
    assert (found.employees, found.founded_year, found.version) == (50, 1998, 3)


BAD = [
    (company(name=""), "name", "name is required."),
    (company(phone="12"), "phone", "phone is not a phone number"),
    (company(country="Atlantis"), "country", "country is not an ISO 3166"),
    (company(staff="1.5"), "staff", "staff is not a whole number"),
    (company(founded="3000"), "founded", "must be between"),
    (company(revenue="lots"), "revenue", "revenue is not a number"),
    (company(domain="gmail.com"), "domain", "belongs to a mail provider"),
]


@pytest.mark.parametrize(("bad", "column", "why"), BAD)
async def test_a_bad_company_is_reported_and_skipped(tmp_path: Path, bad: list[str], column: str, why: str) -> None:
    actor = await seller()
    row = await taken(actor, tmp_path, company(no="9", name="Good"), bad)
    assert counts(row) == (1, 0, 0, 1)
    [(line, told, _, reason)] = await faults(row)
    assert (line, told) == (3, column) and why in reason


async def test_products_are_known_by_name_and_share_no_sku(tmp_path: Path) -> None:
    actor = await seller()
    known = await products.create(actor, ProductDetails(name="Pump"), now=NOW)
    rows = [
        ["no", "name", "sku", "family", "price"],
        ["1", "PUMP", "P-1", "Water", "12.50"],
        ["2", "Valve", "P-1", "", ""],
    ]
    rows += [["3", "Pipe", "P-3", "", "€ 7"], ["4", "pipe", "", "", ""]]
    row = await take(actor, ImportKind.PRODUCTS, written(tmp_path, rows), PRODUCTS)
    assert counts(row) == (1, 1, 0, 2)
    assert [(fault[0], fault[1]) for fault in await faults(row)] == [(3, "sku"), (5, "name")]
    pump = await Product.get(id=known.id)
    assert (pump.sku, pump.family, pump.price, pump.price_currency) == ("P-1", "Water", Decimal("12.5"), "EUR")
    row = await take(actor, ImportKind.PRODUCTS, written(tmp_path, rows), PRODUCTS)
    assert counts(row) == (0, 0, 2, 2)


HR = ["no", "name", "email", "team", "office", "role"]


async def users(actor: Actor, folder: Path, *rows: list[str], **more: Any) -> Import:
    return await take(actor, ImportKind.USERS, written(folder, [HR, *rows]), USERS, **more)


async def test_users_come_inactive_into_their_teams(tmp_path: Path) -> None:
    actor = await seller()
    east = await team(actor, name="East")
    rows = [["1", "Ann Lee", "Ann@Acme.com", "Cara", "East", ""], ["2", "Bo Ek", "", "Cara", "East", "manager"]]
    rows += [["3", "Cy Ray", "", "Cara", "West", ""], ["4", "Di Oh", "", "", "", ""]]
    assert counts(await users(actor, tmp_path, *rows)) == (4, 0, 0, 0)
    teams = await Team.filter(workspace_id=actor.workspace_id)
    assert sorted(row.name for row in teams) == ["Cara", "Cara", "East", "West"]
    members = {
        row.user.name: row
        for row in await Membership.filter(workspace_id=actor.workspace_id, active=False).prefetch_related("user")
    }
    cara = next(row for row in teams if row.name == "Cara" and row.parent_id == east.id)
    assert members["Ann Lee"].team_id == members["Bo Ek"].team_id == cara.id != members["Cy Ray"].team_id
    assert (members["Ann Lee"].role, members["Bo Ek"].role) == (Role.REP, Role.MANAGER)
    assert members["Di Oh"].team_id is None
    ann = members["Ann Lee"].user
    assert (ann.email, ann.email_normalised) == ("Ann@Acme.com", "ann@acme.com")
    assert ann.password_hash is None
    assert counts(await users(actor, tmp_path, *rows)) == (0, 0, 4, 0)


async def test_a_manager_sees_the_leads_of_imported_agents(tmp_path: Path) -> None:
    actor = await seller()
    await users(actor, tmp_path, ["1", "Ann Lee", "", "Cara", "East", ""])
    east = await Team.get(workspace_id=actor.workspace_id, name="East")
    manager = await member(Role.MANAGER, of=actor, team=east)
    ann = await Membership.get(workspace_id=actor.workspace_id, active=False)
    assert (await again(manager)).rows.includes(ann.user_id)


async def test_members_are_adopted_by_name_or_address_and_strangers_are_not(tmp_path: Path) -> None:
    actor = await seller()
    ann = await member(Role.REP, of=actor, name="Ann Lee")
    bo = await User.get(id=(await member(Role.REP, of=actor)).user_id)
    stranger = await User.get(id=(await member()).user_id)
    rows = [["1", "ann lee", "", "Cara", "", "ADMIN"], ["2", "Bo Ek", bo.email or "", "", "", ""]]
    rows += [["3", "Mallory", stranger.email or "", "", "", ""]]
    row = await users(actor, tmp_path, *rows)
    assert counts(row) == (0, 1, 1, 1)
    [(line, column, _, reason)] = await faults(row)
    assert (line, column) == (4, "email") and "invite them instead" in reason
    place = await Membership.get(workspace_id=actor.workspace_id, user_id=ann.user_id).prefetch_related("team")
    assert place.team and place.team.name == "Cara"
    assert (place.role, place.active) == (Role.REP, True)
    assert (await User.get(id=ann.user_id)).name == "Ann Lee"


async def test_a_moved_agent_moves_and_nobody_elses_account_is_renamed(tmp_path: Path) -> None:
    actor = await seller()
    await users(actor, tmp_path, ["1", "Ann Lee", "", "Cara", "East", ""])
    assert counts(await users(actor, tmp_path, ["1", "Ann Lee-Ek", "", "Rocco", "East", ""])) == (0, 1, 0, 0)
    place = await Membership.get(workspace_id=actor.workspace_id, active=False).prefetch_related("team", "user")
    assert place.team and (place.team.name, place.user.name, place.user.version) == ("Rocco", "Ann Lee-Ek", 2)


@pytest.mark.parametrize(
    ("kind", "given"), [(ImportKind.PRODUCTS, PRODUCTS), (ImportKind.USERS, USERS)], ids=["products", "users"]
)
async def test_a_marketer_imports_no_products_and_no_users(
    tmp_path: Path, kind: ImportKind, given: dict[str, Any]
) -> None:
    marketer = await seller(Role.MARKETER)
    rows = [["no", "name", "sku", "family", "price", "email", "team", "office", "role"]]
    with pytest.raises(Forbidden):
        await take(marketer, kind, written(tmp_path, rows), given)
