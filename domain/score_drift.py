"""Whether learned models still fit: how far new leads differ from those they know, and how well they foretold.

Measured nightly for each version in use. Leads of late are looked at as they stood at the age the model learned from.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import edits
from domain.actors import system
from domain.events import Event, record
from domain.scoring import in_use
from domain.scoring.in_use import Learned
from models.database import read, transaction
from models.scoring import ScoreDrift, ScoreModelVersion

TASK = "measure_score_drift"
LATELY = timedelta(days=90)
LEAST_LEADS = 50
MOST_LEADS = 2_000
# A population stability index from which on much has changed (Siddiqi, Credit Risk Scorecards, 2006).
DRIFTING = 0.25
# So much of what it could tell better than chance may be lost.
LEAST_OF_AUC = 0.5
OLDEST = timedelta(days=365)

IN_USE = "SELECT DISTINCT workspace_id FROM score_model WHERE kind = 'LEARNED' AND active AND archived_at IS NULL"
RECENT = """
SELECT id FROM lead
WHERE workspace_id = $1 AND deleted_at IS NULL AND created_at >= $2 AND created_at <= $3
ORDER BY created_at DESC, id DESC LIMIT $4
"""
ENDED = """
SELECT id, status = 'WON' AS won FROM lead
WHERE workspace_id = $1 AND deleted_at IS NULL AND status IN ('WON', 'LOST', 'DISQUALIFIED') AND closed_at >= $2
ORDER BY closed_at DESC, id DESC LIMIT $3
"""


class ScoreModelDrifted(Event):
    """The subject is the model."""

    name = "score_model.drifted"


async def workspaces() -> list[UUID]:
    """Return the workspaces whose leads a learned model scores."""
    return [row["workspace_id"] for row in await read(IN_USE)]


async def measure(workspace_id: UUID, *, now: datetime) -> ScoreDrift | None:
    """Measure the drift of a workspace's learned model and keep it; None where it is of today, or leads are too few.

    When it begins to drift, `score_model.drifted` says so.
    """
    learned = (await in_use.models(workspace_id)).learned
    if learned is None:
        return None
    version = await ScoreModelVersion.get(id=learned.version_id)
    last = await ScoreDrift.filter(model_version_id=version.id).order_by("-measured_at").first()
    if last is not None and last.measured_at > now - timedelta(hours=12):
        return None
    found = await _measured(workspace_id, version, learned, now=now)
    if found is None:
        return None
    async with transaction():
        row = ScoreDrift(workspace_id=workspace_id, model_version_id=version.id, measured_at=now, **found)
        await edits.insert(row)
        if row.is_drifting and not (last is not None and last.is_drifting):
            facts = {"version_id": version.id, "stability": row.stability, "auc": row.auc}
            await record(ScoreModelDrifted(system(workspace_id, task=TASK), version.model_id, facts), now=now)
    return row


async def _measured(
    workspace_id: UUID, version: ScoreModelVersion, learned: Learned, *, now: datetime
) -> dict[str, Any] | None:
    # What computes with many leads at once is brought in by whoever does so.
    from domain.learning import drift, metrics
    from domain.learning.additive import Model
    from domain.scoring import extraction

    rows = await read(RECENT, workspace_id, now - LATELY - learned.age, now - learned.age, MOST_LEADS)
    is_old, are_few = now - version.created_at > OLDEST, len(rows) < LEAST_LEADS
    if are_few and not is_old:
        return None
    recent = await extraction.as_they_stood(
        workspace_id, [row["id"] for row in rows], age=learned.age, wanted=learned.wanted, now=now
    )
    reference: Mapping[str, Any] = version.report.get("reference", {})
    moved = {} if are_few else await asyncio.to_thread(drift.measured, reference, recent.columns)
    fields = [
        {"key": key, "label": reference[key]["label"], "stability": round(index, 4)}
        for key, index in sorted(moved.items(), key=lambda item: -item[1])
    ]
    auc = None
    since = version.activated_at or version.created_at
    ended = await read(ENDED, workspace_id, since, MOST_LEADS)
    if len(ended) >= LEAST_LEADS:
        outcome = {row["id"]: float(row["won"]) for row in ended}
        known = await extraction.as_they_stood(
            workspace_id, list(outcome), age=learned.age, wanted=learned.wanted, now=now
        )
        odds = Model.of_json(learned.data).log_odds(known.columns, len(known))
        auc = metrics.auc(metrics.floats(outcome[key] for key in known.ids), odds)
    worst = max(moved.values(), default=0.0)
    promised = version.report.get("quality", {}).get("auc", 0.5)
    worse = auc is not None and auc - 0.5 < (promised - 0.5) * LEAST_OF_AUC
    return {
        "leads": len(recent),
        "stability": Decimal(str(round(min(worst, 9_999), 4))),
        "columns": fields,
        "auc": None if auc is None else Decimal(str(round(auc, 4))),
        "is_drifting": worst >= DRIFTING or worse or is_old,
    }
