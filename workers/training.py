"""The process that learns, for one training: apart from the worker's event loop, at low priority, on one thread.

    python -m workers.training WORKSPACE TRAINING

It reads leads by itself and says line by line, as JSON, how far it is, and at last what has come of it. It ends when
its worker does, whose end it notices at its standard input.
"""

import asyncio
import os
import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import orjson

from domain.learning import drift, training
from domain.learning.additive import Model
from domain.learning.training import Outcomes, Rival, Trained
from domain.score_models import Learning
from domain.scoring import in_use, lessons
from domain.scoring.lessons import Lessons
from models.database import close_database, open_database
from models.scoring import ScoreModel, ScoreModelVersion, ScoreTraining
from settings import settings

NICENESS = 10
# The share of the work that reading leads is.
READING = 0.3


def say(**facts: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(facts, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
    sys.stdout.buffer.flush()


def end_with_the_worker() -> None:
    """End at once when nobody holds the other end of the standard input any more."""

    def wait() -> None:
        while sys.stdin.buffer.read(1024):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


async def read_lessons(workspace_id: UUID, training_id: UUID) -> tuple[Learning, Lessons, Rival | None]:
    """Return how to learn, from what, and the model in use, which is to be beaten."""
    now = datetime.now(UTC)
    run = await ScoreTraining.get(id=training_id, workspace_id=workspace_id)
    model = await ScoreModel.get(id=run.model_id, workspace_id=workspace_id)
    learning = Learning.of(model)

    async def tell(done: float) -> None:
        say(progress=READING * done, step="reading leads")

    found = await lessons.closed_leads(
        workspace_id,
        age=timedelta(days=learning.age_days),
        left_out=frozenset(learning.left_out),
        now=now,
        tell=tell,
    )
    used = (await in_use.models(workspace_id)).learned
    if used is None:
        return learning, found, None
    version = await ScoreModelVersion.get(id=used.version_id)
    if version.model_id == model.id and used.wanted & set(learning.left_out):
        # What looks at a field that somebody has ruled out since is nothing to be measured against.
        return learning, found, None
    unseen = [
        _made_at(key) > version.created_at or version.window_to is None or at > version.window_to
        for key, at in zip(found.ids, found.closed_at, strict=True)
    ]
    return learning, found, Rival(Model.of_json(used.data), np.array(unseen, dtype=np.bool_))


def _made_at(key: UUID) -> datetime:
    """Return when a lead was made here, which its UUIDv7 says whatever a file says of its dates."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)


def learn(learning: Learning, found: Lessons, rival: Rival | None) -> dict[str, Any]:
    """Return what has come of it, as the worker keeps it."""

    def tell(done: float, step: str) -> None:
        say(progress=READING + (1 - READING) * done, step=step)

    try:
        trained = training.train(
            Outcomes(found.columns, found.won, np.array([at.timestamp() for at in found.born_at])),
            trusted=frozenset(learning.trusted),
            rival=rival,
            progress=tell,
        )
    except training.TooFewOutcomes:
        won = int(found.won.sum())
        return {"too_few": {"won": won, "lost": len(found.won) - won}}
    return {
        "result": {
            "content": {"model": trained.model.to_json(), "age_days": learning.age_days},
            "report": _report(trained, found),
            "leads": trained.leads,
            "won": trained.won,
            "window_from": min(found.born_at),
            "window_to": max(*found.closed_at, *found.born_at),
            "is_better": is_better(trained, has_rival=rival is not None),
        }
    }


def is_better(trained: Trained, *, has_rival: bool) -> bool | None:
    """Say whether a model foretells better than its rival or, without one, than the share of won leads.

    None where too few leads have ended since the rival learned.
    """
    if not has_rival:
        return trained.quality.brier < trained.quality.brier_of_rate and trained.quality.auc > 0.5
    if trained.rival is None or trained.against is None:
        return None
    return trained.against.log_loss < trained.rival.log_loss


def _report(trained: Trained, found: Lessons) -> dict[str, Any]:
    used = {term.key for term in trained.model.terms}
    return {
        "kind": trained.model.kind,
        "quality": asdict(trained.quality),
        "rival": asdict(trained.rival) if trained.rival else None,
        "compared": trained.compared,
        "dropped": [asdict(one) for one in trained.dropped],
        "suspected": [asdict(one) for one in trained.suspected],
        "unrated": lessons.unrated(found.columns.values(), found.day),
        "held_out": trained.held_out,
        "columns": [{"key": term.key, "label": term.label} for term in trained.model.terms],
        "reference": drift.reference({key: column for key, column in found.columns.items() if key in used}),
    }


async def main(workspace_id: UUID, training_id: UUID) -> None:
    os.nice(NICENESS)
    end_with_the_worker()
    await open_database(settings().database_url, pool_size=2)
    try:
        given = await read_lessons(workspace_id, training_id)
    finally:
        await close_database()
    say(**learn(*given))


if __name__ == "__main__":
    asyncio.run(main(*map(UUID, sys.argv[1:3])))
