"""How rules would have scored leads that are closed by now, as they stood when they were new."""

import asyncio
from collections.abc import Container
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from uuid import UUID

import numpy as np

from domain.errors import DomainError
from domain.learning import metrics
from domain.learning.columns import Column, Floats
from domain.learning.telling import LEAKING, telling
from domain.score_models import Preview, ScoreAmountsUnrated, ScoreFieldLeaks
from domain.score_trainings import CLOSED, LEAST_OF_EACH
from domain.scoring import extraction, judging
from domain.scoring.extraction import Known
from domain.scoring.lessons import joined, unrated
from domain.scoring.rules import Rules
from models.database import read

# The newest closed leads; more would say the same, later.
MOST_LEADS = 5_000
AT_ONCE = 500


async def preview(
    workspace_id: UUID, rules: Rules, *, age: timedelta, problems: list[DomainError], now: datetime
) -> Preview:
    """Return AUC, lift by decile and what share of the wins the top fifth held."""
    rows = await read(CLOSED, workspace_id, MOST_LEADS)
    outcome = {row["id"]: float(row["won"]) for row in rows}
    parts = []
    for at in range(0, len(rows), AT_ONCE):
        some = [row["id"] for row in rows[at : at + AT_ONCE]]
        parts.append(await extraction.as_they_stood(workspace_id, some, age=age, wanted=rules.wanted, now=now))
    return await asyncio.to_thread(_judged, rules, parts, outcome, problems, now.date())


def _judged(
    rules: Rules, parts: list[Known], outcome: dict[UUID, float], problems: list[DomainError], day: date
) -> Preview:
    won = metrics.floats(outcome[key] for part in parts for key in part.ids)
    columns = [joined([part.columns[key] for part in parts]) for key in (parts[0].columns if parts else ())]
    leaks = _leaks(columns, won)
    scores = [judging.judge(rules, _without(part, leaks)).scores for part in parts]
    told: list[DomainError] = [ScoreFieldLeaks(label=label, auc=f"{auc:.3f}") for label, auc in leaks.values()]
    told += map(ScoreAmountsUnrated.of, unrated(columns, day))
    return _told(won, np.concatenate(scores or [np.zeros(0)]), [*problems, *told])


def _leaks(columns: list[Column], won: Floats) -> dict[str, tuple[str, float]]:
    """Return the fields that know the outcome, which would flatter rules, with how well they alone tell it."""
    if min(won.sum(), len(won) - won.sum()) < LEAST_OF_EACH:
        return {}
    found = {column.key: (column.label, telling(column, won)) for column in columns}
    return {key: leak for key, leak in found.items() if leak[1] >= LEAKING}


def _without(part: Known, leaks: Container[str]) -> Known:
    return replace(part, columns={key: column for key, column in part.columns.items() if key not in leaks})


def _told(won: Floats, scores: Floats, problems: list[DomainError]) -> Preview:
    area, wins = metrics.auc(won, scores), int(won.sum())
    interval = None if area is None else metrics.auc_interval(area, wins, len(won) - wins)
    return Preview(
        leads=len(won),
        won=wins,
        auc=area,
        auc_low=interval.low if interval else None,
        auc_high=interval.high if interval else None,
        top_fifth=metrics.top_share(won, scores),
        deciles=[asdict(decile) for decile in metrics.deciles(won, scores)] if len(won) else [],
        problems=problems,
    )
