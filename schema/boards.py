"""The board in the schema: what stages and pipelines show of the leads that stand in them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from engine import boards
from engine.boards import Totals
from engine.conditions import Condition, both
from engine.pages import Order
from models.leads import Lead as LeadRow
from schema.connections import Connection, SearchText, connection, searched
from schema.context import Info
from schema.filters import condition
from schema.live import cursor_now
from schema.scalars import CurrencyCode, Money

if TYPE_CHECKING:
    from schema.leads import Lead, LeadFilter

Passing = Annotated[
    Annotated["LeadFilter", strawberry.lazy("schema.leads")] | None,
    strawberry.argument(description="Only leads that pass; pass the same to the stage's other fields."),
]


async def _totals(root: Any, info: Info, filter: Any, search: str | None) -> Totals:
    """Load the totals of a stage, in one statement with those of all stages of the same filter."""
    wanted: Condition = both(condition(filter), searched(search))

    async def load(stage_ids: Sequence[UUID]) -> list[Totals]:
        found = await boards.totals(stage_ids, wanted, info.context.actor, now=info.context.now)
        return [found[key] for key in stage_ids]

    return await info.context.loader(("totals", wanted), load).load(root.id)  # type: ignore[no-any-return]


@strawberry.type
class StageBoard:
    """Fields of a stage that show the leads on the board: the open ones, and the wins of the last days."""

    leads: Connection[Annotated["Lead", strawberry.lazy("schema.leads")]] = connection(
        "Lead",
        "schema.leads",
        model=LeadRow,
        by="stage_id",
        default=(Order("rank"),),
        board=True,
        description="The leads on the board: open ones, and in FOLLOW_UP the wins of the workspace's last days.",
    )

    @strawberry.field(description="How many leads are on the board.")
    async def lead_count(self, info: Info, filter: Passing = None, search: SearchText = None) -> int:
        return (await _totals(self, info, filter, search)).count

    @strawberry.field(
        description="Their value in the base currency, at today's rates or, once closed, at those of that day; "
        "a currency without a rate is left out. Null in an intake stage, whose leads count in no value."
    )
    async def lead_value(self, info: Info, filter: Passing = None, search: SearchText = None) -> Money | None:
        stage: Any = self
        if stage.is_intake:
            return None
        totals = await _totals(self, info, filter, search)
        return Money(amount=totals.base, currency_code=CurrencyCode(totals.base_currency))

    @strawberry.field(description="Their value per currency; empty in an intake stage.")
    async def lead_values(self, info: Info, filter: Passing = None, search: SearchText = None) -> list[Money]:
        stage: Any = self
        if stage.is_intake:
            return []
        totals = await _totals(self, info, filter, search)
        return [Money(amount=value, currency_code=CurrencyCode(code)) for code, value in totals.by_currency.items()]


@strawberry.type
class PipelineBoard:
    """Fields of a pipeline for those who go on from a picture of it to its events."""

    @strawberry.field(
        description="Where the event log stands, read in the same snapshot as everything else in this query; "
        "pass it to pipelineEvents as `after`, and nothing is missed."
    )
    async def cursor(self, info: Info) -> str:
        pipeline: Any = self
        known = getattr(pipeline, "head", None)
        return await cursor_now(info.context, known)
