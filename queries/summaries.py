"""Leads counted and summed in groups: one statement whatever the groups, with the scope and filter of lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from tortoise.models import Model

from domain import money, policy
from domain.actors import Actor
from domain.errors import DomainError
from engine.conditions import Condition
from engine.nouns import NOUNS
from engine.select import fetch
from engine.sql import Params, visible, where
from models.campaigns import Campaign
from models.catalog import LostReason, Source
from models.companies import Company
from models.competitors import Competitor
from models.leads import Lead, LeadStatus
from models.products import Product
from models.stages import Stage
from models.teams import Team
from models.users import Membership, User
from queries.boards import BASE_VALUE, RATES
from queries.custom_fields import looked_up

MOST_DIMENSIONS = 3
MOST_GROUPS = 1000
SECONDS_A_DAY = 86_400


class LeadSummaryDimension(StrEnum):
    """What leads can be grouped by."""

    STAGE = "STAGE"
    STATUS = "STATUS"
    OWNER = "OWNER"
    TEAM = "TEAM"
    TOP_TEAM = "TOP_TEAM"
    SOURCE = "SOURCE"
    CAMPAIGN = "CAMPAIGN"
    PRODUCT = "PRODUCT"
    COMPANY_INDUSTRY = "COMPANY_INDUSTRY"
    COMPANY_COUNTRY = "COMPANY_COUNTRY"
    COMPANY_RELATIONSHIP = "COMPANY_RELATIONSHIP"
    MONTH_CREATED = "MONTH_CREATED"
    MONTH_CLOSED = "MONTH_CLOSED"
    LOST_REASON = "LOST_REASON"
    LOST_TO = "LOST_TO"


class TooManyDimensions(DomainError):
    """Leads are grouped by at most {limit} dimensions at once, each named once."""

    code = "BAD_USER_INPUT"


class TooManyGroups(DomainError):
    """There are more than {limit} groups: group by fewer dimensions, or filter."""

    code = "BAD_USER_INPUT"


@dataclass(slots=True)
class Totals:
    """Counts and sums of some leads.

    Amounts are exact until they are shown: `by_currency` as given, the others in the base currency, without the
    leads of the currencies in `unconverted`, which have no rate. `closing_seconds` is the time from engagement to
    close of the `closings` leads that were won or lost and know both.
    """

    base_currency: str
    count: int = 0
    by_status: dict[LeadStatus, int] = field(default_factory=lambda: dict.fromkeys(LeadStatus, 0))
    by_currency: dict[str, Decimal] = field(default_factory=dict)
    base: Decimal = Decimal(0)
    base_by_status: dict[LeadStatus, Decimal] = field(default_factory=lambda: dict.fromkeys(LeadStatus, Decimal(0)))
    unconverted: set[str] = field(default_factory=set)
    closings: int = 0
    closing_seconds: Decimal = Decimal(0)

    @property
    def win_rate(self) -> float | None:
        """Return won / (won + lost), None where there is neither; disqualified leads count in neither."""
        won, lost = self.by_status[LeadStatus.WON], self.by_status[LeadStatus.LOST]
        return won / (won + lost) if won + lost else None

    @property
    def mean_days_to_close(self) -> float | None:
        """Return the mean days from engagement to close over won and lost leads, None where there are none."""
        return float(self.closing_seconds / self.closings / SECONDS_A_DAY) if self.closings else None

    @property
    def value(self) -> Decimal:
        """Return the value of all of them in the base currency."""
        return money.quantize(self.base, self.base_currency)

    def value_of(self, status: LeadStatus) -> Decimal:
        """Return the value of those of a status in the base currency."""
        return money.quantize(self.base_by_status[status], self.base_currency)

    def add(self, row: Mapping[str, Any]) -> None:
        """Add the leads of one status and currency."""
        status, currency = LeadStatus(row["status"]), row["currency"]
        self.count += row["leads"]
        self.by_status[status] += row["leads"]
        if row["given"] is not None:
            self.by_currency[currency] = self.by_currency.get(currency, Decimal(0)) + row["given"]
        self.base += row["base"] or 0
        self.base_by_status[status] += row["base"] or 0
        if row["unconverted"]:
            self.unconverted.add(currency)
        self.closings += row["closings"]
        self.closing_seconds += row["closing_seconds"] or 0


@dataclass(slots=True)
class Group:
    """Leads with the same values in every dimension; None is one of these values."""

    keys: tuple[Any, ...]
    totals: Totals


@dataclass(slots=True)
class Summary:
    total: Totals
    groups: list[Group]


@dataclass(frozen=True, slots=True)
class Grouping:
    """How a dimension is read: its value in SQL, what is joined for it, and the noun that it shows."""

    value: str
    joins: tuple[str, ...] = ()
    shows: type[Model] | None = None


MEMBER, OFFICE, COMPANY = "member", "office", "company"
BY: dict[LeadSummaryDimension, Grouping] = {
    LeadSummaryDimension.STAGE: Grouping("r.stage_id", shows=Stage),
    LeadSummaryDimension.STATUS: Grouping("r.status"),
    LeadSummaryDimension.OWNER: Grouping("r.owner_id", shows=Membership),
    LeadSummaryDimension.TEAM: Grouping("member.team_id", (MEMBER,), shows=Team),
    LeadSummaryDimension.TOP_TEAM: Grouping("office.root_id", (MEMBER, OFFICE), shows=Team),
    LeadSummaryDimension.SOURCE: Grouping("r.source_id", shows=Source),
    LeadSummaryDimension.CAMPAIGN: Grouping("r.campaign_id", shows=Campaign),
    LeadSummaryDimension.PRODUCT: Grouping("r.product_id", shows=Product),
    LeadSummaryDimension.COMPANY_INDUSTRY: Grouping("company.industry", (COMPANY,)),
    LeadSummaryDimension.COMPANY_COUNTRY: Grouping("company.country", (COMPANY,)),
    LeadSummaryDimension.COMPANY_RELATIONSHIP: Grouping("company.relationship", (COMPANY,)),
    LeadSummaryDimension.MONTH_CREATED: Grouping("to_char(r.created_at AT TIME ZONE home.time_zone, 'YYYY-MM')"),
    LeadSummaryDimension.MONTH_CLOSED: Grouping("to_char(r.closed_at AT TIME ZONE home.time_zone, 'YYYY-MM')"),
    LeadSummaryDimension.LOST_REASON: Grouping("r.lost_reason_id", shows=LostReason),
    LeadSummaryDimension.LOST_TO: Grouping("r.lost_to_id", shows=Competitor),
}
SHOWN_AS: dict[LeadSummaryDimension, type[Model]] = {
    LeadSummaryDimension.STAGE: Stage,
    LeadSummaryDimension.OWNER: User,
    LeadSummaryDimension.TEAM: Team,
    LeadSummaryDimension.TOP_TEAM: Team,
    LeadSummaryDimension.SOURCE: Source,
    LeadSummaryDimension.CAMPAIGN: Campaign,
    LeadSummaryDimension.PRODUCT: Product,
    LeadSummaryDimension.LOST_REASON: LostReason,
    LeadSummaryDimension.LOST_TO: Competitor,
}
MONTHS = (LeadSummaryDimension.MONTH_CREATED, LeadSummaryDimension.MONTH_CLOSED)

OFFICES = """
office (id, root_id) AS (
    SELECT id, id FROM team WHERE workspace_id = {workspace} AND parent_id IS NULL
    UNION ALL SELECT team.id, office.root_id FROM team JOIN office ON team.parent_id = office.id
)
"""
# By the workspace's clock, so that a change to summer time between the two adds no hour.
SECONDS = (
    "extract(epoch FROM r.closed_at AT TIME ZONE home.time_zone)"
    " - extract(epoch FROM r.engaged_at AT TIME ZONE home.time_zone)"
)
CLOSED = "r.status IN ('WON', 'LOST') AND r.closed_at IS NOT NULL AND r.engaged_at IS NOT NULL"


async def summarise(
    actor: Actor, *, condition: Condition, dimensions: Sequence[LeadSummaryDimension] = (), now: datetime
) -> Summary:
    """Count and sum the leads that exist for the actor and meet a condition, in all and in groups.

    Leads in an intake stage are counted, and have no part in any value. Groups by month come in the order of
    months, others with the most leads first. Raises TooManyDimensions, TooManyGroups.
    """
    if len(dimensions) > MOST_DIMENSIONS or len(set(dimensions)) < len(dimensions):
        raise TooManyDimensions(limit=MOST_DIMENSIONS, field="groupBy")
    condition = await looked_up(Lead, condition, actor)
    params = Params()
    sql = _statement(actor, condition, dimensions, params, now)
    rows = await fetch(sql, params)
    total = Totals(rows[0]["base_currency"])
    groups: dict[tuple[Any, ...], Group] = {}
    for row in rows:
        if row["leads"] is None:
            continue
        if row["place"] > MOST_GROUPS:
            raise TooManyGroups(limit=MOST_GROUPS, field="groupBy")
        total.add(row)
        keys = tuple(row[f"k{at}"] for at in range(len(dimensions)))
        groups.setdefault(keys, Group(keys, Totals(total.base_currency))).totals.add(row)
    return Summary(total, _ordered(list(groups.values()), dimensions) if dimensions else [])


def _ordered(groups: list[Group], dimensions: Sequence[LeadSummaryDimension]) -> list[Group]:
    months = [at for at, dimension in enumerate(dimensions) if dimension in MONTHS]

    def place(group: Group) -> tuple[Any, ...]:
        # A lead that is not closed has no month of closing; they come last.
        return (
            [group.keys[at] or "~" for at in months],
            -group.totals.count,
            [(key is None, str(key)) for key in group.keys],
        )

    return sorted(groups, key=place)


def _statement(
    actor: Actor, condition: Condition, dimensions: Sequence[LeadSummaryDimension], params: Params, now: datetime
) -> str:
    workspace = params.add(actor.workspace_id, "uuid")
    rates = RATES.format(workspace=workspace, today=params.add(now.date(), "date"))
    by = [BY[dimension] for dimension in dimensions]
    keys = [f"{_value(actor, grouping)} AS k{at}" for at, grouping in enumerate(by)]
    names = [f"k{at}" for at in range(len(by))]
    place = f"dense_rank() OVER (ORDER BY {', '.join(names)})" if names else "1"
    tests = [visible(Lead, actor, params, "r"), where(NOUNS[Lead], condition, actor, params, "r")]
    valued = "FILTER (WHERE NOT stage.is_intake)"
    joins = _joins(actor, by, params, workspace)
    return f"""
    WITH RECURSIVE rate AS ({rates}), {OFFICES.format(workspace=workspace)},
    home AS (SELECT base_currency, time_zone FROM workspace WHERE id = {workspace}),
    part AS (
        SELECT {", ".join([*keys, "r.status", "r.currency"])}, count(*) AS leads,
               sum(r.value) {valued} AS given, sum({BASE_VALUE}) {valued} AS base,
               coalesce(bool_or(r.value IS NOT NULL AND ({BASE_VALUE}) IS NULL) {valued}, FALSE) AS unconverted,
               count(*) FILTER (WHERE {CLOSED}) AS closings, sum({SECONDS}) FILTER (WHERE {CLOSED}) AS closing_seconds
        FROM lead r CROSS JOIN home JOIN stage ON stage.id = r.stage_id LEFT JOIN rate ON rate.currency = r.currency
        {joins}
        WHERE {" AND ".join(f"({test})" for test in tests)}
        GROUP BY {", ".join([*names, "r.status", "r.currency"])}
    ), placed AS (SELECT part.*, {place} AS place FROM part)
    SELECT home.base_currency, placed.* FROM home LEFT JOIN placed ON place <= {params.add(MOST_GROUPS + 1, "int")}
    """


def _value(actor: Actor, grouping: Grouping) -> str:
    """Return a dimension in SQL; to an actor for whom its noun does not exist all leads are alike in it."""
    hidden = grouping.shows is not None and policy.scope(actor, grouping.shows).owners is not None
    return "NULL::uuid" if hidden else grouping.value


def _joins(actor: Actor, by: Sequence[Grouping], params: Params, workspace: str) -> str:
    wanted = {join for grouping in by for join in grouping.joins}
    joins = []
    if MEMBER in wanted:
        joins.append(
            f"LEFT JOIN membership member ON member.user_id = r.owner_id AND member.workspace_id = {workspace}"
        )
    if OFFICE in wanted:
        joins.append("LEFT JOIN office ON office.id = member.team_id")
    if COMPANY in wanted:
        seen = visible(Company, actor, params, "company")
        joins.append(f"LEFT JOIN company ON company.id = r.company_id AND {seen}")
    return " ".join(joins)
