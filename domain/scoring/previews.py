"""How rules would have scored leads that are closed by now, as they stood when they were new."""

import asyncio
from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np

from domain.errors import DomainError
from domain.learning import metrics
from domain.learning.columns import Floats
from domain.score_models import Preview
from domain.score_trainings import CLOSED
from domain.scoring import extraction, judging
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
    won, scores = [], []
    for at in range(0, len(rows), AT_ONCE):
        some = [row["id"] for row in rows[at : at + AT_ONCE]]
        known = await extraction.as_they_stood(workspace_id, some, age=age, wanted=rules.wanted, now=now)
        scores.append((await asyncio.to_thread(judging.judge, rules, known)).scores)
        won.append(np.array([outcome[key] for key in known.ids]))
    return _told(np.concatenate(won or [np.zeros(0)]), np.concatenate(scores or [np.zeros(0)]), problems)


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
