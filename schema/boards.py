"""The board in the schema: what stages and pipelines show of the leads that stand in them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from engine.conditions import Condition, both
from engine.pages import Order
from models.leads import Lead as LeadRow
from queries import boards
from queries.boards import Totals
from schema.connections import Connection, SearchText, connection, searched
from schema.context import Info
from schema.fields import batch
from schema.filters import condition
from schema.live import cursor_now
from schema.scalars import CurrencyCode, Money

if TYPE_CHECKING:
    from schema.leads import Lead, LeadFilter

Passing = Annotated[
    Annotated["LeadFilter", strawberry.lazy("schema.leads")] | None,
    strawberry.argument(description="Only leads that pass; pass the same to the stage's other fields."),
]


async def _totals(stages: list[Any], info: Info, filter: Any, search: str | None) -> list[Totals]:
    """Load the totals of stages, in one statement however many fields ask for them with the same filter."""
    wanted: Condition = both(condition(filter), searched(search))

    async def load(stage_ids: Sequence[UUID]) -> list[Totals]:
        found = await boards.totals(stage_ids, wanted, info.context.actor, now=info.context.now)
        return [found[key] for key in stage_ids]

    return await info.context.loader(("totals", wanted), load).load_many([stage.id for stage in stages])


async def _lead_counts(stages: list[Any], info: Info, filter: Passing = None, search: SearchText = None) -> list[int]:
    return [totals.count for totals in await _totals(stages, info, filter, search)]


async def _lead_value(
    stages: list[Any], info: Info, filter: Passing = None, search: SearchText = None
) -> list[Money | None]:
    found = await _totals(stages, info, filter, search)
    return [
        None if stage.is_intake else Money(amount=totals.base, currency_code=CurrencyCode(totals.base_currency))
        for stage, totals in zip(stages, found, strict=True)
    ]


async def _lead_values(
    stages: list[Any], info: Info, filter: Passing = None, search: SearchText = None
) -> list[list[Money]]:
    found = await _totals(stages, info, filter, search)
    return [
        []
        if stage.is_intake
        else [Money(amount=value, currency_code=CurrencyCode(code)) for code, value in totals.by_currency.items()]
        for stage, totals in zip(stages, found, strict=True)
    ]


async def _cursors(pipelines: list[Any], info: Info) -> list[str]:
    """Return the cursor of the log: read with the pipeline where it was, and otherwise once for all."""
    known = next((head for pipeline in pipelines if (head := getattr(pipeline, "head", None)) is not None), None)
    return [await cursor_now(info.context, known)] * len(pipelines)


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

    lead_count: int = batch(_lead_counts, "How many leads are on the board.")
    lead_value: Money | None = batch(
        _lead_value,
        "Their value in the base currency, at today's rates or, once closed, at those of that day; "
        "a currency without a rate is left out. Null in an intake stage, whose leads count in no value.",
        needs=("is_intake",),
    )
    lead_values: list[Money] = batch(
        _lead_values, "Their value per currency; empty in an intake stage.", needs=("is_intake",)
    )


@strawberry.type
class PipelineBoard:
    """Fields of a pipeline for those who go on from a picture of it to its events."""

    cursor: str = batch(
        _cursors,
        "Where the event log stands, read in the same snapshot as everything else in this query; "
        "pass it to pipelineEvents as `after`, and nothing is missed.",
        needs=("head",),
    )
