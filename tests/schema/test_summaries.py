"""leadSummary: the figures equal those that one gets by going through the leads one by one."""

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from domain import catalog, pipelines
from domain.actors import Actor
from domain.pipelines import Template
from engine.conditions import EVERYTHING
from models.base import uuid7
from models.campaigns import Campaign
from models.catalog import LostReason, Source
from models.companies import Company
from models.competitors import Competitor
from models.exchange_rates import ExchangeRate
from models.leads import Lead, LeadStatus
from models.products import Product
from models.stages import Stage, StageKind
from models.teams import Team
from models.users import Membership, Role
from queries import summaries
from queries.summaries import LeadSummaryDimension, summarise
from schema import ids
from tests.factories import NOW, lead_in, member, partner, pipeline, seller, stage, team, workspace
from tests.schema import asking
from tests.schema.asking import answer

pytestmark = pytest.mark.usefixtures("db")
MAVEN = Path(__file__).parents[3] / "shared" / "data"
OPEN, WON, LOST, DISQUALIFIED = LeadStatus.OPEN, LeadStatus.WON, LeadStatus.LOST, LeadStatus.DISQUALIFIED
MEASURES = """
fragment measures on LeadMeasures {
  count openCount wonCount lostCount disqualifiedCount winRate meanDaysToClose unconvertedCurrencies
  value { amount currencyCode } openValue { amount } wonValue { amount } lostValue { amount }
  valueByCurrency { amount currencyCode }
}
"""
QUERY = (
    """
query ($by: [LeadSummaryDimension!]!, $filter: LeadFilter, $search: String) {
  leadSummary(groupBy: $by, filter: $filter, search: $search) {
    total { ...measures }
    groups { ...measures keys { dimension key label } }
  }
}
"""
    + MEASURES
)


async def ask(actor: Actor, query: str = QUERY, **variables: Any) -> Any:
    return (await asking.ask(actor, query, **variables))["leadSummary"]


async def refusal(actor: Actor, **variables: Any) -> tuple[str, str]:
    [error] = (await answer(actor, QUERY, **variables))["errors"]
    return error["extensions"]["code"], error["message"]


async def rate(actor: Actor, currency: str, rate: str, valid_on: date) -> None:
    await ExchangeRate.create(
        workspace_id=actor.workspace_id, currency=currency, rate=Decimal(rate), valid_on=valid_on, created_at=NOW
    )


async def closed(at: Stage, status: LeadStatus, *, days: float | None = 10, **columns: Any) -> Lead:
    """Put a closed lead into a stage, engaged some days before it was closed."""
    columns.setdefault("closing_rate", Decimal(1))
    engaged = None if days is None else NOW - timedelta(days=days)
    return await lead_in(at, status=status, closed_at=NOW, engaged_at=engaged, **columns)


async def test_counts_rates_and_days_without_groups() -> None:
    admin = await seller()
    new, won = await stage(admin, StageKind.PROSPECT), await stage(admin, StageKind.FOLLOW_UP)
    await lead_in(new, value=Decimal(100))
    await closed(won, WON, value=Decimal(1000), days=10)
    await closed(won, WON, value=Decimal("10.5"), days=30)
    await closed(new, LOST, value=Decimal(7), days=None)
    await closed(new, DISQUALIFIED, value=Decimal(3), days=500)
    found = await ask(admin, by=[])
    assert found["groups"] == []
    total = found["total"]
    assert (total["count"], total["openCount"], total["wonCount"], total["lostCount"]) == (5, 1, 2, 1)
    assert total["disqualifiedCount"] == 1
    assert total["winRate"] == pytest.approx(2 / 3)
    assert total["meanDaysToClose"] == 20
    assert total["value"] == {"amount": "1120.5", "currencyCode": "EUR"}
    assert [total[name]["amount"] for name in ("openValue", "wonValue", "lostValue")] == ["100", "1010.5", "7"]


async def test_a_workspace_without_leads_has_zeros_and_no_rates() -> None:
    admin = await seller()
    found = await ask(admin, by=["STATUS"])
    assert found["groups"] == []
    total = found["total"]
    assert (total["count"], total["winRate"], total["meanDaysToClose"]) == (0, None, None)
    assert total["value"] == {"amount": "0", "currencyCode": "EUR"}


async def test_open_leads_go_by_the_latest_rate_and_closed_ones_by_the_rate_of_their_day() -> None:
    admin = await seller()
    await rate(admin, "USD", "0.5", NOW.date() - timedelta(days=30))
    await rate(admin, "USD", "0.9", NOW.date())
    await rate(admin, "USD", "9", datetime.now(UTC).date() + timedelta(days=2))
    new, won = await stage(admin, StageKind.PROSPECT), await stage(admin, StageKind.FOLLOW_UP)
    await lead_in(new, value=Decimal(100), currency="USD")
    await lead_in(new, value=Decimal(1), currency="EUR")
    await closed(won, WON, value=Decimal(100), currency="USD", closing_rate=Decimal("0.5"))
    total = (await ask(admin, by=[]))["total"]
    assert (total["openValue"]["amount"], total["wonValue"]["amount"]) == ("91", "50")
    assert total["valueByCurrency"] == [
        {"amount": "1", "currencyCode": "EUR"},
        {"amount": "200", "currencyCode": "USD"},
    ]


async def test_a_currency_without_a_rate_is_named_and_left_out() -> None:
    admin = await seller()
    new = await stage(admin, StageKind.PROSPECT)
    await lead_in(new, value=Decimal(5))
    await lead_in(new, value=Decimal(100), currency="CHF")
    await lead_in(new, currency="SEK")
    total = (await ask(admin, by=[]))["total"]
    assert (total["value"]["amount"], total["unconvertedCurrencies"]) == ("5", ["CHF"])
    assert {"amount": "100", "currencyCode": "CHF"} in total["valueByCurrency"]


async def test_sums_are_rounded_once_at_the_end() -> None:
    admin = await seller()
    await rate(admin, "USD", "0.333333", NOW.date())
    new = await stage(admin, StageKind.PROSPECT)
    for _ in range(3):
        await lead_in(new, value=Decimal("0.01"), currency="USD")
    assert (await ask(admin, by=[]))["total"]["value"]["amount"] == "0.01"


async def test_leads_in_an_intake_stage_count_and_have_no_value() -> None:
    admin = await seller()
    await pipeline(admin, name="Channel", template=Template.DISTRIBUTOR)
    intake = await Stage.get(workspace_id=admin.workspace_id, is_intake=True)
    await lead_in(intake, value=Decimal(100), currency="XAF")
    total = (await ask(admin, by=[]))["total"]
    assert (total["count"], total["value"]["amount"], total["valueByCurrency"]) == (1, "0", [])
    assert total["unconvertedCurrencies"] == []


async def test_days_to_close_are_of_the_workspaces_clock() -> None:
    home = await workspace(time_zone="Europe/Berlin")
    admin = await member(of=home)
    await pipelines.create_default(admin, now=NOW)
    won = await stage(admin, StageKind.FOLLOW_UP)
    berlin = ZoneInfo("Europe/Berlin")
    await lead_in(
        won,
        status=WON,
        engaged_at=datetime(2026, 3, 28, tzinfo=berlin),
        closed_at=datetime(2026, 3, 30, tzinfo=berlin),
        closing_rate=Decimal(1),
    )
    assert (await ask(admin, by=[]))["total"]["meanDaysToClose"] == 2


async def test_months_are_the_workspaces_and_come_in_their_order() -> None:
    home = await workspace(time_zone="Pacific/Auckland")
    admin = await member(of=home)
    await pipelines.create_default(admin, now=NOW)
    new = await stage(admin, StageKind.PROSPECT)
    await lead_in(new, created_at=datetime(2026, 1, 31, 12, tzinfo=UTC))
    await lead_in(new, created_at=datetime(2026, 1, 31, 10, tzinfo=UTC))
    await lead_in(new, created_at=datetime(2025, 12, 1, tzinfo=UTC))
    await lead_in(new, created_at=datetime(2026, 2, 10, tzinfo=UTC))
    groups = (await ask(admin, by=["MONTH_CREATED"]))["groups"]
    assert [(group["keys"][0]["key"], group["count"]) for group in groups] == [
        ("2025-12", 1),
        ("2026-01", 1),
        ("2026-02", 2),
    ]
    not_closed = (await ask(admin, by=["MONTH_CLOSED"]))["groups"]
    assert not_closed[0]["keys"][0] == {"dimension": "MONTH_CLOSED", "key": None, "label": None}


async def test_groups_show_their_objects_and_labels_in_one_statement_a_noun() -> None:
    admin = await seller()
    office = await team(admin, name="Central")
    crew = await team(admin, name="Crew 7", parent=office)
    rep = await member(Role.REP, of=admin, team=crew, name="Ana Alvarez")
    new = await stage(admin, StageKind.PROSPECT)
    await lead_in(new, owner_id=rep.user_id)
    await lead_in(new, owner_id=rep.user_id)
    await lead_in(new)
    query = """
    { leadSummary(groupBy: [TEAM, TOP_TEAM, OWNER]) {
        groups { count team { name } topTeam { name } owner { name } stage { name } keys { key label } } } }
    """
    known, nobody = (await ask(admin, query))["groups"]
    assert known["count"] == 2
    assert (known["team"]["name"], known["topTeam"]["name"]) == ("Crew 7", "Central")
    assert known["owner"]["name"] == "Ana Alvarez"
    assert known["stage"] is None
    assert [key["label"] for key in known["keys"]] == ["Crew 7", "Central", "Ana Alvarez"]
    assert known["keys"][0]["key"] == ids.encode("Team", crew.id)
    assert (nobody["count"], nobody["team"], nobody["keys"][2]) == (1, None, {"key": None, "label": None})
    stages = (await ask(admin, "{ leadSummary(groupBy: [STAGE, STATUS]) { groups { stage { id } status } } }"))[
        "groups"
    ]
    assert stages == [{"stage": {"id": ids.encode("Stage", new.id)}, "status": "OPEN"}]


async def test_groups_come_with_the_largest_first() -> None:
    admin = await seller()
    new = await stage(admin, StageKind.PROSPECT)
    for status in (WON, LOST, LOST, DISQUALIFIED, DISQUALIFIED, DISQUALIFIED):
        await closed(new, status)
    groups = (await ask(admin, by=["STATUS"]))["groups"]
    assert [(group["keys"][0]["label"], group["count"]) for group in groups] == [
        ("Disqualified", 3),
        ("Lost", 2),
        ("Won", 1),
    ]


async def test_filter_and_search_are_those_of_lists() -> None:
    admin = await seller()
    new = await stage(admin, StageKind.PROSPECT)
    buyer = await Company.create(
        workspace_id=admin.workspace_id, name="Acme", name_normalised="acme", industry="retail",
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    await lead_in(new, title="Solar roof", company_id=buyer.id, value=Decimal(3))
    await lead_in(new, title="Heat pump")
    assert (await ask(admin, by=[], search="sol"))["total"]["count"] == 1
    assert (await ask(admin, by=[], filter={"value": {"gte": "3"}}))["total"]["count"] == 1
    retail = await ask(admin, by=["COMPANY_INDUSTRY"], filter={"company": {"name": {"eq": "Acme"}}})
    assert [group["keys"][0]["key"] for group in retail["groups"]] == ["retail"]
    code, _ = await refusal(admin, by=[], search="x" * 201)
    assert code == "BAD_USER_INPUT"


async def test_what_may_not_be_seen_counts_in_nothing() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    new = await stage(admin, StageKind.PROSPECT)
    await lead_in(new, owner_id=rep.user_id, value=Decimal(1))
    await lead_in(new, owner_id=admin.user_id, value=Decimal(10))
    await lead_in(new, owner_id=rep.user_id, value=Decimal(100), deleted=True)
    stranger = await seller()
    await lead_in(await stage(stranger, StageKind.PROSPECT), value=Decimal(1000))
    assert (await ask(rep, by=[]))["total"]["value"]["amount"] == "1"
    assert (await ask(admin, by=[]))["total"]["value"]["amount"] == "11"
    blind = await partner("company:read", of=admin)
    assert (await summarise(blind, condition=EVERYTHING, now=NOW)).total.count == 0


async def test_a_key_that_sees_leads_only_learns_nothing_of_what_they_stand_beside() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin, team=await team(admin))
    buyer = await Company.create(
        workspace_id=admin.workspace_id, name="Acme", name_normalised="acme", industry="retail", country="DE",
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    await lead_in(await stage(admin, StageKind.PROSPECT), owner_id=rep.user_id, company_id=buyer.id)
    key = await partner("lead:read", of=admin)
    for name in ("OWNER", "TEAM", "TOP_TEAM", "STAGE", "COMPANY_INDUSTRY", "COMPANY_COUNTRY"):
        by = [LeadSummaryDimension(name)]
        [seen] = (await summarise(admin, condition=EVERYTHING, dimensions=by, now=NOW)).groups
        [unseen] = (await summarise(key, condition=EVERYTHING, dimensions=by, now=NOW)).groups
        assert seen.keys[0] is not None, name
        assert (unseen.totals.count, unseen.keys) == (1, (None,)), name


async def test_too_much_at_once_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    new = await stage(admin, StageKind.PROSPECT)
    for status in (OPEN, LOST):
        await lead_in(new, status=status)
    four = ["STAGE", "STATUS", "OWNER", "SOURCE"]
    assert await refusal(admin, by=four) == (
        "BAD_USER_INPUT",
        "Leads are grouped by at most 3 dimensions at once, each named once.",
    )
    assert (await refusal(admin, by=["STAGE", "STAGE"]))[0] == "BAD_USER_INPUT"
    monkeypatch.setattr(summaries, "MOST_GROUPS", 1)
    assert (await refusal(admin, by=["STATUS"]))[1].startswith("There are more than 1 groups")
    assert len((await ask(admin, by=["STAGE"]))["groups"]) == 1


async def test_any_grouping_equals_going_through_the_leads() -> None:
    admin, rows, facts = await many_leads()
    everything: list[str] = [dimension.value for dimension in LeadSummaryDimension]
    chance = random.Random(7)
    groupings = [[one] for one in everything] + [chance.sample(everything, 3) for _ in range(12)]
    for by in groupings:
        found = await ask(admin, by=by)
        expected: dict[tuple[Any, ...], list[Lead]] = defaultdict(list)
        for row in rows:
            expected[tuple(facts[row.id][name] for name in by)].append(row)
        got = {tuple(key["key"] for key in group["keys"]): figures(group) for group in found["groups"]}
        assert got == {keys: by_hand(those) for keys, those in expected.items()}, by
        assert figures(found["total"]) == by_hand(rows)


def figures(measures: dict[str, Any]) -> dict[str, Any]:
    return {
        "count": measures["count"],
        "statuses": tuple(measures[f"{name}Count"] for name in ("open", "won", "lost", "disqualified")),
        "value": Decimal(measures["value"]["amount"]),
        "won": Decimal(measures["wonValue"]["amount"]),
        "currencies": {one["currencyCode"]: Decimal(one["amount"]) for one in measures["valueByCurrency"]},
        "days": None if measures["meanDaysToClose"] is None else round(measures["meanDaysToClose"], 6),
        "win_rate": measures["winRate"],
    }


def by_hand(rows: Sequence[Lead]) -> dict[str, Any]:
    """Compute the figures of leads one by one, with USD at 0.8 today."""
    statuses = Counter(row.status for row in rows)
    currencies: dict[str, Decimal] = defaultdict(Decimal)
    value, won = Decimal(0), Decimal(0)
    days = []
    for row in rows:
        if row.value is not None:
            currencies[row.currency] += row.value
            today = Decimal("0.8") if row.currency == "USD" else Decimal(1)
            base = row.value * (row.closing_rate if row.closing_rate is not None else today)
            value += base
            won += base if row.status is WON else 0
        if row.status in (WON, LOST) and row.engaged_at and row.closed_at:
            days.append((row.closed_at - row.engaged_at) / timedelta(days=1))
    decided = statuses[WON] + statuses[LOST]
    return {
        "count": len(rows),
        "statuses": tuple(statuses[status] for status in (OPEN, WON, LOST, DISQUALIFIED)),
        "value": value.quantize(Decimal("0.01"), "ROUND_HALF_UP"),
        "won": won.quantize(Decimal("0.01"), "ROUND_HALF_UP"),
        "currencies": dict(currencies),
        "days": round(sum(days) / len(days), 6) if days else None,
        "win_rate": statuses[WON] / decided if decided else None,
    }


async def many_leads() -> tuple[Actor, list[Lead], dict[UUID, dict[str, str | None]]]:
    """Make leads of every sort; return them with what each is in each dimension, as keys say it."""
    admin, chance = await seller(), random.Random(3)
    await catalog.create_defaults(admin, now=NOW)
    await rate(admin, "USD", "0.8", NOW.date())
    home = admin.workspace_id
    roots = [await team(admin, name=name) for name in ("North", "South")]
    crews = [await team(admin, name=f"Crew {number}", parent=chance.choice(roots)) for number in range(4)]
    inner = await team(admin, name="Inner", parent=crews[0])
    placed: list[Team | None] = [*roots, *crews, inner, None]
    reps = [await member(Role.REP, of=admin, team=chance.choice(placed)) for _ in range(8)]
    parents = {one.id: one.parent_id for one in (*roots, *crews, inner)}
    sources = await Source.filter(workspace_id=home)
    reasons = await LostReason.filter(workspace_id=home)
    stamps: dict[str, Any] = {"workspace_id": home, "created_at": NOW, "updated_at": NOW}
    rivals = [await Competitor.create(name=f"R{n}", **stamps) for n in range(3)]
    campaigns = [await Campaign.create(name=f"F{n}", **stamps) for n in range(3)]
    products = [await Product.create(name=f"P{n}", name_normalised=f"p{n}", **stamps) for n in range(3)]
    buyers = [
        await Company.create(
            name=f"C{n}",
            name_normalised=f"c{n}",
            industry=chance.choice([None, "retail", "steel"]),
            country=chance.choice([None, "DE", "NZ"]),
            relationship=chance.choice(["LEAD", "CUSTOMER"]),
            **stamps,
        )
        for n in range(6)
    ]
    teams = {rep.user_id: (await teams_of(rep)) for rep in reps}
    stages = await Stage.filter(workspace_id=home)
    rows, facts = [], {}
    for at in range(240):
        status = chance.choice(list(LeadStatus))
        place = chance.choice([one for one in stages if (one.kind is StageKind.FOLLOW_UP) == (status is WON)])
        currency = chance.choice(["EUR", "USD"])
        engaged = chance.choice([None, NOW - timedelta(days=chance.randint(90, 200), minutes=chance.randint(0, 999))])
        closed_at = None if status is OPEN else NOW - timedelta(hours=chance.randint(1, 2000))
        rep = chance.choice([None, *reps])
        buyer, product, source = (
            chance.choice([None, *buyers]),
            chance.choice([None, *products]),
            chance.choice(sources),
        )
        reason = chance.choice(reasons) if status is LOST else None
        rival = chance.choice([None, *rivals]) if status is LOST else None
        brought = campaigns[at % 4] if at % 4 < 3 else None
        row = await lead_in(
            place,
            campaign_id=brought.id if brought else None,
            status=status,
            value=chance.choice([None, Decimal(chance.randint(1, 10**7)) / 10000]),
            currency=currency,
            closing_rate=None if status is OPEN else Decimal(1) if currency == "EUR" else Decimal("0.7123"),
            engaged_at=engaged,
            closed_at=closed_at,
            created_at=NOW - timedelta(days=chance.randint(0, 300)),
            owner_id=rep.user_id if rep else None,
            company_id=buyer.id if buyer else None,
            product_id=product.id if product else None,
            source_id=source.id,
            lost_reason_id=reason.id if reason else None,
            lost_to_id=rival.id if rival else None,
        )
        rows.append(row)
        crew = teams[rep.user_id] if rep else None
        facts[row.id] = {
            "STAGE": ids.encode("Stage", place.id),
            "STATUS": status.value,
            "OWNER": ids.encode("User", rep.user_id) if rep and rep.user_id else None,
            "TEAM": ids.encode("Team", crew) if crew else None,
            "TOP_TEAM": ids.encode("Team", root_of(crew, parents)) if crew else None,
            "SOURCE": ids.encode("Source", source.id),
            "CAMPAIGN": ids.encode("Campaign", brought.id) if brought else None,
            "PRODUCT": ids.encode("Product", product.id) if product else None,
            "COMPANY_INDUSTRY": buyer.industry if buyer else None,
            "COMPANY_COUNTRY": buyer.country if buyer else None,
            "COMPANY_RELATIONSHIP": buyer.relationship if buyer else None,
            "MONTH_CREATED": f"{row.created_at:%Y-%m}",
            "MONTH_CLOSED": f"{closed_at:%Y-%m}" if closed_at else None,
            "LOST_REASON": ids.encode("LostReason", reason.id) if reason else None,
            "LOST_TO": ids.encode("Competitor", rival.id) if rival else None,
        }
    return admin, rows, facts


async def teams_of(rep: Actor) -> UUID | None:
    return (await Membership.get(workspace_id=rep.workspace_id, user_id=rep.user_id)).team_id


def root_of(team_id: UUID, parents: dict[UUID, UUID | None]) -> UUID:
    parent = parents[team_id]
    return root_of(parent, parents) if parent else team_id


@pytest.mark.skipif(not MAVEN.exists(), reason="the real data is not here")
async def test_a_real_sales_history_gives_the_figures_of_its_file() -> None:
    admin = await seller()
    deals = await maven(admin)
    for dimension, name in (
        ("STATUS", "deal_stage"),
        ("OWNER", "sales_agent"),
        ("TEAM", "manager"),
        ("TOP_TEAM", "regional_office"),
        ("PRODUCT", "product"),
        ("COMPANY_INDUSTRY", "sector"),
    ):
        expected: dict[str | None, list[dict[str, str]]] = defaultdict(list)
        for deal in deals:
            expected[deal[name] or None].append(deal)
        found = await ask(admin, by=[dimension])
        assert sum(group["count"] for group in found["groups"]) == found["total"]["count"] == 8_800
        assert {group["keys"][0]["label"] for group in found["groups"]} == expected.keys()
        for group in found["groups"]:
            those = expected[group["keys"][0]["label"]]
            won = [deal for deal in those if deal["deal_stage"] == "Won"]
            ended = [deal for deal in those if deal["close_date"]]
            days = [(us_date(deal["close_date"]) - us_date(deal["engage_date"])).days for deal in ended]
            assert (group["count"], group["wonCount"]) == (len(those), len(won))
            assert Decimal(group["wonValue"]["amount"]) == sum(Decimal(deal["close_value"]) for deal in won)
            assert group["winRate"] == (len(won) / len(ended) if ended else None)
            assert group["meanDaysToClose"] == (pytest.approx(sum(days) / len(days)) if days else None)


def us_date(text: str) -> datetime:
    return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC)


def maven_rows(name: str) -> list[dict[str, str]]:
    with (MAVEN / f"maven_{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


async def maven(admin: Actor) -> list[dict[str, str]]:
    """Put the computer seller's history into a workspace as bare rows; return its lines with what they refer to."""
    stamps: dict[str, Any] = {"workspace_id": admin.workspace_id, "created_at": NOW, "updated_at": NOW}
    sectors = {row["account"]: row["sector"] for row in maven_rows("accounts")}
    agents = {row["sales_agent"]: row for row in maven_rows("sales_teams")}
    offices = {name: await team(admin, name=name) for name in {row["regional_office"] for row in agents.values()}}
    crews = {
        row["manager"]: await team(admin, name=row["manager"], parent=offices[row["regional_office"]])
        for row in {row["manager"]: row for row in agents.values()}.values()
    }
    owners = {
        name: (await member(Role.REP, of=admin, team=crews[row["manager"]], name=name)).user_id
        for name, row in agents.items()
    }
    companies = {
        name: Company(id=uuid7(), name=name, name_normalised=name.lower(), industry=sector, **stamps)
        for name, sector in sectors.items()
    }
    await Company.bulk_create(companies.values())
    deals = maven_rows("sales_pipeline")
    for deal in deals:
        deal["product"] = deal["product"].replace("GTXPro", "GTX Pro")
        deal["sector"] = sectors.get(deal["account"], "")
        deal |= {name: agents[deal["sales_agent"]][name] for name in ("manager", "regional_office")}
    products = {
        name: Product(id=uuid7(), name=name, name_normalised=name.lower(), **stamps)
        for name in {deal["product"] for deal in deals}
    }
    await Product.bulk_create(products.values())
    new, won = await stage(admin, StageKind.PROSPECT), await stage(admin, StageKind.FOLLOW_UP)
    leads = []
    for number, deal in enumerate(deals):
        deal["deal_stage"] = {"Prospecting": "Open", "Engaging": "Open"}.get(deal["deal_stage"], deal["deal_stage"])
        place = won if deal["deal_stage"] == "Won" else new
        leads.append(
            Lead(
                id=uuid7(),
                title=deal["opportunity_id"],
                pipeline_id=place.pipeline_id,
                stage_id=place.id,
                rank=f"{number:08x}8",
                status=LeadStatus(deal["deal_stage"].upper()),
                currency="EUR",
                value=Decimal(deal["close_value"]) if deal["close_value"] else None,
                closing_rate=Decimal(1) if deal["close_date"] else None,
                owner_id=owners[deal["sales_agent"]],
                company_id=companies[deal["account"]].id if deal["account"] else None,
                product_id=products[deal["product"]].id,
                engaged_at=us_date(deal["engage_date"]) if deal["engage_date"] else None,
                closed_at=us_date(deal["close_date"]) if deal["close_date"] else None,
                stage_entered_at=NOW,
                **stamps,
            )
        )
    await Lead.bulk_create(leads, batch_size=2000)
    return deals
