"""A hardware seller's real pipeline: what was imported equals what its files say, told by csv alone."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from tortoise.connection import get_connection

from domain import imports
from domain.actors import Actor
from models.companies import Company, Relationship
from models.events import Event
from models.imports import Import, ImportKind, ImportStatus
from models.leads import Lead, LeadStatus
from models.products import Product
from models.stages import StageTransition
from models.teams import Team
from models.users import Membership, User
from models.workspaces import Workspace
from tests.imports.importing import EXAMPLES, ROOT, counts, faults, seller, take
from tests.schema.asking import ask

DATA = ROOT.parent / "shared" / "data"
FILES = (
    (ImportKind.COMPANIES, "accounts", "maven_accounts.csv"),
    (ImportKind.PRODUCTS, "products", "maven_products.csv"),
    (ImportKind.USERS, "teams", "maven_sales_teams.csv"),
    (ImportKind.LEADS, "pipeline", "maven_sales_pipeline.csv"),
)
STATUS = {"Won": "WON", "Lost": "LOST", "Engaging": "OPEN", "Prospecting": "OPEN"}
STAGE = {"Won": "Won", "Lost": "Qualified", "Engaging": "Qualified", "Prospecting": "New"}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the data stands beside the checkout")


async def import_all(actor: Actor) -> dict[ImportKind, Import]:
    taken = {}
    for kind, name, file in FILES:
        given = imports.load((EXAMPLES / f"{name}.yaml").read_text())
        taken[kind] = await take(actor, kind, DATA / file, given)
    return taken


@pytest.fixture(scope="module")
async def maven(opened_database: str) -> tuple[Actor, dict[ImportKind, Import]]:
    """The four files, imported once for all tests that only read."""
    actor = await seller()
    await Workspace.filter(id=actor.workspace_id).update(base_currency="USD")
    return actor, await import_all(actor)


def rows_of(name: str) -> list[dict[str, str]]:
    with (DATA / f"maven_{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def product(row: Mapping[str, str]) -> str:
    return "GTX Pro" if row["product"] == "GTXPro" else row["product"]


def day(text: str) -> date:
    month, number, year = text.split("/")
    return date(int(year), int(month), int(number))


def won_value(rows: Iterable[Mapping[str, str]], key: Any) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["deal_stage"] == "Won":
            sums[key(row)] += Decimal(row["close_value"])
    return dict(sums)


async def sql(actor: Actor, query: str) -> list[dict[str, Any]]:
    return await get_connection("default").execute_query_dict(query, [actor.workspace_id])


async def sums(actor: Actor, column: str, joins: str) -> dict[str, Decimal]:
    rows = await sql(
        actor,
        f"SELECT {column} AS key, sum(lead.value) AS value FROM lead {joins} "
        "WHERE lead.workspace_id = $1 AND lead.status = 'WON' AND lead.deleted_at IS NULL GROUP BY 1",
    )
    return {row["key"]: row["value"] for row in rows}


OWNER = "JOIN user_account AS agent ON agent.id = lead.owner_id"
TEAM = f"{OWNER} JOIN membership ON membership.user_id = agent.id JOIN team ON team.id = membership.team_id"
Maven = tuple[Actor, dict[ImportKind, Import]]


async def test_every_row_is_taken(maven: Maven) -> None:
    _, taken = maven
    assert {kind: row.status for kind, row in taken.items()} == dict.fromkeys(taken, ImportStatus.COMPLETED)
    assert [await faults(row) for row in taken.values()] == [[], [], [], []]
    assert counts(taken[ImportKind.COMPANIES]) == (85, 0, 0, 0)
    assert counts(taken[ImportKind.PRODUCTS]) == (7, 0, 0, 0)
    assert counts(taken[ImportKind.USERS]) == (35, 0, 0, 0)
    assert counts(taken[ImportKind.LEADS]) == (8800, 0, 0, 0)
    assert taken[ImportKind.LEADS].total_rows == taken[ImportKind.LEADS].next_row == 8800


async def test_leads_per_status_and_stage(maven: Maven) -> None:
    actor, _ = maven
    found = await sql(
        actor,
        "SELECT status, stage.name AS stage, count(*) AS leads FROM lead JOIN stage ON stage.id = stage_id "
        "WHERE lead.workspace_id = $1 GROUP BY 1, 2",
    )
    said = Counter((STATUS[row["deal_stage"]], STAGE[row["deal_stage"]]) for row in rows_of("sales_pipeline"))
    assert {(row["status"], row["stage"]): row["leads"] for row in found} == said


async def test_won_value_and_win_rate(maven: Maven) -> None:
    actor, _ = maven
    [found] = await sql(
        actor,
        "SELECT sum(value) FILTER (WHERE status = 'WON') AS won, count(*) FILTER (WHERE status = 'WON') AS wins, "
        "count(*) FILTER (WHERE status = 'LOST') AS losses, count(*) FILTER (WHERE value IS NULL) AS unknown, "
        "count(DISTINCT currency) AS currencies, min(closing_rate) AS rate FROM lead WHERE workspace_id = $1",
    )
    rows = rows_of("sales_pipeline")
    stages = Counter(row["deal_stage"] for row in rows)
    assert found["won"] == sum(Decimal(row["close_value"]) for row in rows if row["deal_stage"] == "Won")
    assert (found["wins"], found["losses"]) == (stages["Won"], stages["Lost"]) == (4238, 2473)
    assert found["unknown"] == sum(not row["close_value"] for row in rows) == 2089
    assert (found["currencies"], found["rate"]) == (1, 1)


async def test_mean_days_from_engagement_to_close(maven: Maven) -> None:
    actor, _ = maven
    found = await sql(
        actor,
        "SELECT status, sum(closed_at::date - engaged_at::date) AS days, count(*) AS leads FROM lead "
        "WHERE workspace_id = $1 AND closed_at IS NOT NULL GROUP BY 1",
    )
    said: dict[str, list[int]] = defaultdict(list)
    for row in rows_of("sales_pipeline"):
        if row["close_date"]:
            said[STATUS[row["deal_stage"]]].append((day(row["close_date"]) - day(row["engage_date"])).days)
    assert {row["status"]: (row["days"], row["leads"]) for row in found} == {
        status: (sum(days), len(days)) for status, days in said.items()
    }


async def test_history_tells_the_same_days(maven: Maven) -> None:
    actor, _ = maven
    [found] = await sql(
        actor,
        "SELECT count(*) AS moves, sum(stayed_seconds) AS stayed FROM stage_transition "
        "WHERE workspace_id = $1 AND from_stage_id IS NOT NULL",
    )
    won = [row for row in rows_of("sales_pipeline") if row["deal_stage"] == "Won"]
    days = sum((day(row["close_date"]) - day(row["engage_date"])).days for row in won)
    assert (found["moves"], found["stayed"]) == (len(won), days * 86_400)


async def test_value_by_agent_manager_and_office(maven: Maven) -> None:
    actor, _ = maven
    rows = rows_of("sales_pipeline")
    agents = {row["sales_agent"]: row for row in rows_of("sales_teams")}
    assert await sums(actor, "agent.name", OWNER) == won_value(rows, lambda row: row["sales_agent"])
    assert await sums(actor, "team.name", TEAM) == won_value(rows, lambda row: agents[row["sales_agent"]]["manager"])
    office = f"{TEAM} JOIN team AS office ON office.id = team.parent_id"
    assert await sums(actor, "office.name", office) == won_value(
        rows, lambda row: agents[row["sales_agent"]]["regional_office"]
    )


async def test_value_by_product_and_sector(maven: Maven) -> None:
    actor, _ = maven
    rows = rows_of("sales_pipeline")
    sectors = {row["account"]: row["sector"].replace("technolgy", "technology") for row in rows_of("accounts")}
    products = await sums(actor, "product.name", "JOIN product ON product.id = lead.product_id")
    assert products == won_value(rows, product)
    industries = await sums(actor, "industry", "JOIN company ON company.id = lead.company_id")
    assert industries == won_value(rows, lambda row: sectors[row["account"]])


async def test_leads_without_an_account_have_no_company(maven: Maven) -> None:
    actor, _ = maven
    without = await Lead.filter(workspace_id=actor.workspace_id, company_id=None).count()
    assert without == sum(not row["account"] for row in rows_of("sales_pipeline")) == 1425
    assert await Company.filter(workspace_id=actor.workspace_id).count() == 85
    assert await Product.filter(workspace_id=actor.workspace_id).count() == 7


async def test_accounts_as_the_file_says(maven: Maven) -> None:
    actor, _ = maven
    companies = {row.name: row for row in await Company.filter(workspace_id=actor.workspace_id)}
    names = {row.id: name for name, row in companies.items()}
    for said in rows_of("accounts"):
        row = companies[said["account"]]
        assert (row.founded_year, row.employees) == (int(said["year_established"]), int(said["employees"]))
        assert (row.revenue, row.revenue_currency) == (Decimal(said["revenue"]) * 1_000_000, "USD")
        assert (names[row.parent_id] if row.parent_id else "") == said["subsidiary_of"]


async def test_companies_are_what_their_leads_make_them(maven: Maven) -> None:
    actor, _ = maven
    won = {row["account"] for row in rows_of("sales_pipeline") if row["deal_stage"] == "Won"}
    found = await Company.filter(workspace_id=actor.workspace_id, relationship=Relationship.CUSTOMER)
    assert {row.name for row in found} == won


async def test_agents_cannot_sign_in_and_stand_in_their_teams(maven: Maven) -> None:
    actor, _ = maven
    members = await Membership.filter(workspace_id=actor.workspace_id, active=False).prefetch_related("user", "team")
    teams = {row.id: row for row in await Team.filter(workspace_id=actor.workspace_id)}
    found = {}
    for row in members:
        assert row.team is not None and row.team.parent_id is not None
        found[row.user.name] = (row.team.name, teams[row.team.parent_id].name)
    said = rows_of("sales_teams")
    assert found == {row["sales_agent"]: (row["manager"], row["regional_office"]) for row in said}


async def test_the_log_tells_every_lead_and_its_end(maven: Maven) -> None:
    actor, taken = maven
    found = await sql(
        actor,
        "SELECT name, count(*) AS events, count(DISTINCT subject_id) AS leads, "
        "bool_and(data -> 'bulk' = 'true') AS bulk, count(DISTINCT actor) AS actors FROM event "
        "WHERE workspace_id = $1 AND subject_type = 'lead' GROUP BY 1",
    )
    told = {row["name"]: row["events"] for row in found}
    assert told == {"lead.captured": 8800, "lead.closed": 4238 + 2473}
    assert all(row["bulk"] and row["events"] == row["leads"] and row["actors"] == 1 for row in found)
    event = await Event.filter(workspace_id=actor.workspace_id, name="lead.closed").first()
    assert event
    lead = await Lead.get(id=event.subject_id)
    assert event.occurred_at == lead.closed_at
    assert event.actor == {
        "kind": "USER",
        "user": str(actor.user_id),
        "task": f"import:{taken[ImportKind.LEADS].id}",
    }


SUMMARY = """
query ($by: [LeadSummaryDimension!]!) {
  leadSummary(groupBy: $by) {
    total { count wonCount lostCount openCount winRate meanDaysToClose wonValue { amount currencyCode } }
    groups { keys { label } count wonCount wonValue { amount } }
  }
}
"""


async def test_the_api_says_what_the_file_says(maven: Maven) -> None:
    actor, _ = maven
    rows, agents = rows_of("sales_pipeline"), {row["sales_agent"]: row for row in rows_of("sales_teams")}
    sectors = {row["account"]: row["sector"].replace("technolgy", "technology") for row in rows_of("accounts")}
    said: dict[str, Any] = {
        "OWNER": lambda row: row["sales_agent"],
        "TEAM": lambda row: agents[row["sales_agent"]]["manager"],
        "TOP_TEAM": lambda row: agents[row["sales_agent"]]["regional_office"],
        "PRODUCT": product,
        "COMPANY_INDUSTRY": lambda row: sectors.get(row["account"]),
        "STAGE": lambda row: STAGE[row["deal_stage"]],
    }
    for dimension, key in said.items():
        told = (await ask(actor, SUMMARY, by=[dimension]))["leadSummary"]
        groups = {group["keys"][0]["label"]: group for group in told["groups"]}
        assert {label: group["count"] for label, group in groups.items()} == Counter(map(key, rows)), dimension
        won = {label: Decimal(group["wonValue"]["amount"]) for label, group in groups.items() if group["wonCount"]}
        assert won == won_value(rows, key), dimension
    closed = [row for row in rows if row["close_date"]]
    days = [(day(row["close_date"]) - day(row["engage_date"])).days for row in closed]
    total = told["total"]
    assert (total["count"], total["openCount"]) == (8800, 2089)
    assert (total["wonCount"], total["lostCount"]) == (4238, 2473)
    assert total["wonValue"] == {
        "amount": str(sum(won_value(rows, lambda row: "").values())),
        "currencyCode": "USD",
    }
    assert total["winRate"] == pytest.approx(4238 / 6711, abs=1e-9)
    assert total["meanDaysToClose"] == pytest.approx(sum(days) / len(days), abs=1e-6)


async def test_the_same_files_again_change_nothing(db: str) -> None:
    actor = await seller()
    first = await import_all(actor)
    tables = (Lead, Company, Product, Team, StageTransition, Membership)
    before = [await table.filter(workspace_id=actor.workspace_id).count() for table in tables]
    versions = await sql(actor, "SELECT sum(version) AS versions, max(updated_at) FROM lead WHERE workspace_id = $1")
    people = await User.all().count()
    events = await sql(actor, EVENTS_BUT_IMPORTS)
    second = await import_all(actor)
    assert [row.id for row in second.values()] != [row.id for row in first.values()]
    assert [counts(row) for row in second.values()] == [(0, 0, 85, 0), (0, 0, 7, 0), (0, 0, 35, 0), (0, 0, 8800, 0)]
    assert [await table.filter(workspace_id=actor.workspace_id).count() for table in tables] == before
    assert (
        await sql(actor, "SELECT sum(version) AS versions, max(updated_at) FROM lead WHERE workspace_id = $1")
        == versions
    )
    assert await User.all().count() == people
    assert await sql(actor, EVENTS_BUT_IMPORTS) == events


EVENTS_BUT_IMPORTS = "SELECT count(*) AS events FROM event WHERE workspace_id = $1 AND subject_type <> 'import'"


async def test_won_leads_alone_stand_in_follow_up(maven: Maven) -> None:
    actor, _ = maven
    found = await sql(
        actor,
        "SELECT count(*) AS wrong FROM lead JOIN stage ON stage.id = stage_id WHERE lead.workspace_id = $1 "
        "AND (stage.kind = 'FOLLOW_UP') <> (lead.status = 'WON')",
    )
    assert found == [{"wrong": 0}]
    open_leads = Lead.filter(workspace_id=actor.workspace_id, status=LeadStatus.OPEN)
    assert not await open_leads.filter(closed_at__isnull=False).exists()


async def test_the_newest_engaged_stands_on_top(maven: Maven) -> None:
    actor, _ = maven
    rows = await sql(
        actor,
        "SELECT engaged_at FROM lead JOIN stage ON stage.id = stage_id WHERE lead.workspace_id = $1 "
        "AND status = 'OPEN' AND stage.name = 'Qualified' ORDER BY rank",
    )
    dates = [row["engaged_at"] for row in rows]
    assert dates == sorted(dates, reverse=True) and len(dates) == 1589
