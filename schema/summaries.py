"""Leads counted and summed: the figures of a screen without the leads behind them."""

from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain import fields
from models.campaigns import Campaign as CampaignRow
from models.catalog import LostReason as LostReasonRow
from models.catalog import Source as SourceRow
from models.companies import Relationship
from models.competitors import Competitor as CompetitorRow
from models.leads import Lead as LeadRow
from models.leads import LeadStatus
from models.products import Product as ProductRow
from models.stages import Stage as StageRow
from models.teams import Team as TeamRow
from models.users import User as UserRow
from queries import summaries
from queries.summaries import LeadSummaryDimension, Totals
from schema import ids
from schema.connections import SearchText, page_request
from schema.context import Info
from schema.enums import described
from schema.filters import condition
from schema.scalars import CurrencyCode, Money

if TYPE_CHECKING:
    from schema.campaigns import Campaign
    from schema.catalog import LostReason, Source
    from schema.competitors import Competitor
    from schema.leads import LeadFilter
    from schema.products import Product
    from schema.stages import Stage
    from schema.teams import Team
    from schema.users import User

described(
    LeadSummaryDimension,
    "What leads can be grouped by.",
    STAGE="The stage that they stand in, or were closed from.",
    STATUS="How they stand.",
    OWNER="Who works on them.",
    TEAM="Their owner's team.",
    TOP_TEAM="The topmost team above their owner's: an office or a region.",
    SOURCE="Where they came from.",
    CAMPAIGN="The campaign that brought them.",
    PRODUCT="What they are most interested in.",
    COMPANY_INDUSTRY="Their company's industry.",
    COMPANY_COUNTRY="Their company's country.",
    COMPANY_RELATIONSHIP="What their company is to the workspace.",
    MONTH_CREATED="The month in which they were captured, in the workspace's time zone.",
    MONTH_CLOSED="The month in which they were closed, in the workspace's time zone.",
    LOST_REASON="Why they were lost.",
    LOST_TO="The competitor that they were lost to.",
)

ENUMS: dict[LeadSummaryDimension, type[LeadStatus] | type[Relationship]] = {
    LeadSummaryDimension.STATUS: LeadStatus,
    LeadSummaryDimension.COMPANY_RELATIONSHIP: Relationship,
}


def _money(totals: Totals, amount: Any) -> Money:
    return Money(amount=amount, currency_code=CurrencyCode(totals.base_currency))


@strawberry.interface(
    description="Leads counted and summed. Amounts are in the base currency: open leads at today's exchange rates, "
    "closed ones at that of the day on which they were closed. Leads in an intake stage are counted, and have no "
    "part in any value."
)
class LeadMeasures:
    totals: strawberry.Private[Totals]

    @strawberry.field(description="How many leads, whatever their status.")
    def count(self) -> int:
        return self.totals.count

    @strawberry.field(description="How many are open.")
    def open_count(self) -> int:
        return self.totals.by_status[LeadStatus.OPEN]

    @strawberry.field(description="How many are won.")
    def won_count(self) -> int:
        return self.totals.by_status[LeadStatus.WON]

    @strawberry.field(description="How many are lost.")
    def lost_count(self) -> int:
        return self.totals.by_status[LeadStatus.LOST]

    @strawberry.field(description="How many are disqualified: neither won nor lost.")
    def disqualified_count(self) -> int:
        return self.totals.by_status[LeadStatus.DISQUALIFIED]

    @strawberry.field(description="The value of all of them; a lead without a value adds nothing.")
    def value(self) -> Money:
        return _money(self.totals, self.totals.value)

    @strawberry.field(description="The value of all of them per currency, as it was given.")
    def value_by_currency(self) -> list[Money]:
        given = sorted(self.totals.by_currency.items())
        return [Money(amount=amount, currency_code=CurrencyCode(code)) for code, amount in given]

    @strawberry.field(description="The value of those that are open.")
    def open_value(self) -> Money:
        return _money(self.totals, self.totals.value_of(LeadStatus.OPEN))

    @strawberry.field(description="The value of those that are won.")
    def won_value(self) -> Money:
        return _money(self.totals, self.totals.value_of(LeadStatus.WON))

    @strawberry.field(description="The value of those that are lost.")
    def lost_value(self) -> Money:
        return _money(self.totals, self.totals.value_of(LeadStatus.LOST))

    @strawberry.field(description="The currencies that some of them are in and that have no exchange rate: left out.")
    def unconverted_currencies(self) -> list[CurrencyCode]:
        return [CurrencyCode(code) for code in sorted(self.totals.unconverted)]

    @strawberry.field(
        description="Won / (won + lost), 0 to 1; null where there are neither. Disqualified leads count in neither."
    )
    def win_rate(self) -> float | None:
        return self.totals.win_rate

    @strawberry.field(
        description="The mean of the days from engagement to close, by the workspace's clock, over the won and the "
        "lost that know both; null where there are none."
    )
    def mean_days_to_close(self) -> float | None:
        return self.totals.mean_days_to_close


@strawberry.type(description="All leads of a summary.")
class LeadTotals(LeadMeasures):
    pass


@strawberry.type(description="What the leads of a group have in common in one dimension.")
class LeadSummaryKey:
    of: strawberry.Private[Any]

    dimension: LeadSummaryDimension = strawberry.field(description="In which dimension.")

    @strawberry.field(
        description="An id, the name of an enum's value, a month as YYYY-MM, or a text; null where they have none."
    )
    def key(self) -> str | None:
        model = summaries.SHOWN_AS.get(self.dimension)
        return self.of if model is None or self.of is None else ids.encode(model.__name__, self.of)

    @strawberry.field(description="The same for people to read; null where they have none, or it may not be seen.")
    async def label(self, info: Info) -> str | None:
        if self.of is None:
            return None
        if self.dimension in ENUMS:
            return fields.label(ENUMS[self.dimension](self.of))
        model = summaries.SHOWN_AS.get(self.dimension)
        if model is None:
            return str(self.of)
        row = await info.context.row(model, self.of)
        return row.name if row else None


def _shows(model: type[Any], dimension: LeadSummaryDimension, description: str) -> Any:
    """Declare a group's field that is the object of one of its dimensions."""

    async def resolve(root: Any, info: Info) -> Any:
        return await info.context.row(model, root.key_of(dimension))

    return strawberry.field(resolver=resolve, description=f"{description}; null where not grouped by it, or none.")


@strawberry.type(description="Leads that have something in common.")
class LeadSummaryGroup(LeadMeasures):
    keys: list[LeadSummaryKey] = strawberry.field(description="What they have in common, in the order of groupBy.")

    stage: Annotated["Stage", strawberry.lazy("schema.stages")] | None = _shows(
        StageRow, LeadSummaryDimension.STAGE, "Their stage"
    )
    owner: Annotated["User", strawberry.lazy("schema.users")] | None = _shows(
        UserRow, LeadSummaryDimension.OWNER, "Their owner"
    )
    team: Annotated["Team", strawberry.lazy("schema.teams")] | None = _shows(
        TeamRow, LeadSummaryDimension.TEAM, "Their owner's team"
    )
    top_team: Annotated["Team", strawberry.lazy("schema.teams")] | None = _shows(
        TeamRow, LeadSummaryDimension.TOP_TEAM, "The topmost team above their owner's"
    )
    source: Annotated["Source", strawberry.lazy("schema.catalog")] | None = _shows(
        SourceRow, LeadSummaryDimension.SOURCE, "Their source"
    )
    campaign: Annotated["Campaign", strawberry.lazy("schema.campaigns")] | None = _shows(
        CampaignRow, LeadSummaryDimension.CAMPAIGN, "Their campaign"
    )
    product: Annotated["Product", strawberry.lazy("schema.products")] | None = _shows(
        ProductRow, LeadSummaryDimension.PRODUCT, "Their product"
    )
    lost_reason: Annotated["LostReason", strawberry.lazy("schema.catalog")] | None = _shows(
        LostReasonRow, LeadSummaryDimension.LOST_REASON, "Why they were lost"
    )
    lost_to: Annotated["Competitor", strawberry.lazy("schema.competitors")] | None = _shows(
        CompetitorRow, LeadSummaryDimension.LOST_TO, "The competitor that they were lost to"
    )

    @strawberry.field(description="Their status; null where not grouped by it.")
    def status(self) -> LeadStatus | None:
        key = self.key_of(LeadSummaryDimension.STATUS)
        return LeadStatus(key) if key else None

    @strawberry.field(description="Their company's relationship; null where not grouped by it, or none.")
    def company_relationship(self) -> Relationship | None:
        key = self.key_of(LeadSummaryDimension.COMPANY_RELATIONSHIP)
        return Relationship(key) if key else None

    def key_of(self, dimension: LeadSummaryDimension) -> Any:
        """Return what the leads have in common in a dimension; None where not grouped by it."""
        return next((key.of for key in self.keys if key.dimension is dimension), None)


@strawberry.type(description="Leads counted and summed, in all and in groups.")
class LeadSummary:
    total: LeadTotals = strawberry.field(description="All of them.")
    groups: list[LeadSummaryGroup] = strawberry.field(
        description="Those that have the same in every dimension: by month in the order of months, otherwise the "
        "largest first. Empty where groupBy is."
    )


@strawberry.type
class SummaryQueries:
    @strawberry.field(
        description="The leads that the viewer may see, counted and summed in groups of up to three dimensions; "
        "at most 1,000 groups."
    )
    async def lead_summary(
        self,
        info: Info,
        group_by: Annotated[
            list[LeadSummaryDimension], strawberry.argument(description="By what, at most three; none: totals only.")
        ],
        filter: Annotated[
            Annotated["LeadFilter", strawberry.lazy("schema.leads")] | None,
            strawberry.argument(description="Only leads that pass."),
        ] = None,
        search: SearchText = None,
    ) -> LeadSummary:
        listed = page_request(LeadRow, orders=(), condition=condition(filter), search=search)
        found = await summaries.summarise(
            info.context.actor,
            condition=listed.condition,
            dimensions=group_by,
            now=info.context.now,
        )
        return LeadSummary(
            total=LeadTotals(totals=found.total),
            groups=[
                LeadSummaryGroup(
                    totals=group.totals,
                    keys=[
                        LeadSummaryKey(dimension=dimension, of=key)
                        for dimension, key in zip(group_by, group.keys, strict=True)
                    ],
                )
                for group in found.groups
            ],
        )
