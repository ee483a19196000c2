"""The board: what stands in the stages of a pipeline, counted and summed in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain import money
from domain.actors import Actor
from engine.conditions import Condition
from engine.nouns import NOUNS
from engine.select import fetch
from engine.sql import Params, on_board, visible, where
from models.leads import Lead
from queries.custom_fields import looked_up


@dataclass(slots=True)
class Totals:
    """A stage's leads: how many, their value per currency, and in the base currency as far as rates are known."""

    base_currency: str
    count: int = 0
    base: Decimal = Decimal(0)
    by_currency: dict[str, Decimal] = field(default_factory=dict)


RATES = """
SELECT DISTINCT ON (currency) currency, rate FROM exchange_rate
WHERE workspace_id = {workspace} AND valid_on <= {today} ORDER BY currency, valid_on DESC
"""
BASE_VALUE = "r.value * coalesce(r.closing_rate, CASE WHEN r.currency = home.base_currency THEN 1 ELSE rate.rate END)"


async def totals(stage_ids: Sequence[UUID], condition: Condition, actor: Actor, *, now: datetime) -> dict[UUID, Totals]:
    """Count and sum the leads on the board in each of these stages; a currency without a rate has no base value."""
    condition = await looked_up(Lead, condition, actor)
    params = Params()
    workspace = params.of(actor, "workspace")
    rates = RATES.format(workspace=workspace, today=params.add(now.date(), "date"))
    tests = [
        f"r.stage_id = ANY({params.add(list(stage_ids), 'uuid[]')})",
        visible(Lead, actor, params, "r"),
        on_board(params, actor, now),
        where(NOUNS[Lead], condition, actor, params, "r"),
    ]
    rows = await fetch(
        f"""
        WITH rate AS ({rates}), home AS (SELECT base_currency FROM workspace WHERE id = {workspace}),
        summed AS (
            SELECT r.stage_id, r.currency, count(*) AS n, sum(r.value) AS value, sum({BASE_VALUE}) AS base
            FROM lead r CROSS JOIN home LEFT JOIN rate ON rate.currency = r.currency
            WHERE {" AND ".join(f"({test})" for test in tests)} GROUP BY 1, 2
        )
        SELECT home.base_currency, summed.* FROM home LEFT JOIN summed ON TRUE
        """,
        params,
    )
    found = {key: Totals(rows[0]["base_currency"]) for key in stage_ids}
    for row in rows:
        if row["stage_id"] is None:
            continue
        stage = found[row["stage_id"]]
        stage.count += row["n"]
        if row["value"] is not None:
            stage.by_currency[row["currency"]] = row["value"]
        stage.base += row["base"] or 0
    for stage in found.values():
        stage.base = money.quantize(stage.base, stage.base_currency)
        stage.by_currency = dict(sorted(stage.by_currency.items()))
    return found
