"""Trainings of models that learn: asked for, run by a worker, cancelled, and what comes of them.

One training of a model runs at a time. What is learned is put into use only where it foretells better, on leads that
it has not seen, than what is in use; else, than saying the share of won leads for each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tortoise.exceptions import IntegrityError

from domain import edits, locks, policy, score_models
from domain.actors import Actor, system
from domain.errors import Conflict, DomainError
from domain.events import Event, record
from domain.policy import Action
from models.base import uuid7
from models.database import read, transaction
from models.scoring import (
    ScoreModel,
    ScoreModelKind,
    ScoreModelVersion,
    ScoreTraining,
    ScoreVersionState,
    TrainingState,
)

TASK = "train_score_model"
# Of each end; with fewer, what is learned says more of chance than of leads.
LEAST_OF_EACH = 50
# The newest of a workspace's closed leads.
MOST_LEADS = 100_000
OUTCOMES = """
SELECT count(*) FILTER (WHERE status = 'WON') AS won, count(*) FILTER (WHERE status <> 'WON') AS lost
FROM lead WHERE workspace_id = $1 AND status IN ('WON', 'LOST', 'DISQUALIFIED') AND deleted_at IS NULL
"""
# Those of one instant, such as a file's without dates, stand in no order, whatever order the file had.
CLOSED = """
SELECT id, status = 'WON' AS won, least(created_at, engaged_at, first_activity_at) AS born_at, closed_at FROM (
    SELECT * FROM lead
    WHERE workspace_id = $1 AND status IN ('WON', 'LOST', 'DISQUALIFIED') AND deleted_at IS NULL
    ORDER BY closed_at DESC NULLS LAST, md5(id::text) LIMIT $2
) AS lead ORDER BY born_at, md5(id::text)
"""
DUE = """
SELECT model.id, model.workspace_id FROM score_model AS model
WHERE kind = 'LEARNED' AND archived_at IS NULL AND (content ->> 'every_days') IS NOT NULL
  AND EXISTS (SELECT FROM score_model_version WHERE model_id = model.id)
  AND NOT EXISTS (
      SELECT FROM score_training WHERE model_id = model.id
      AND (state IN ('QUEUED', 'RUNNING')
           OR created_at > $1::timestamptz - make_interval(days => (model.content ->> 'every_days')::int))
  )
"""
OPEN = (TrainingState.QUEUED, TrainingState.RUNNING)


class ScoreTrainingRequested(Event):
    name = "score_training.requested"


class ScoreTrainingEnded(Event):
    name = "score_training.ended"


class TrainingUnderway(DomainError):
    """{name} is being trained already: wait until it ends, or cancel it."""


class TooFewOutcomes(DomainError):
    """There are {won} won and {lost} lost or disqualified leads; learning takes {needed} of each."""


class TrainingCrashed(DomainError):
    """The process that learns ended again and again: the server's log says how."""


class TrainingEnded(DomainError):
    """The training has ended already: it is {state}."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How many closed leads of each end a workspace has, and how many of each learning takes."""

    won: int
    lost: int
    needed: int = LEAST_OF_EACH

    @property
    def missing(self) -> int:
        """Return how many more have to be closed, each as what is short."""
        return max(self.needed - self.won, 0) + max(self.needed - self.lost, 0)


@dataclass(frozen=True, slots=True)
class Result:
    """What a training has made: the version's content and report, and whether it is better than what is in use.

    None: too few leads have ended since that was trained. Then somebody decides, by promoting it.
    """

    content: Mapping[str, Any]
    report: Mapping[str, Any]
    leads: int
    won: int
    window_from: datetime
    window_to: datetime
    is_better: bool | None


async def outcomes(workspace_id: UUID) -> Outcomes:
    """Return how many leads there are to learn from."""
    [row] = await read(OUTCOMES, workspace_id)
    return Outcomes(row["won"], row["lost"])


async def request(actor: Actor, model_id: UUID, *, now: datetime) -> ScoreTraining:
    """Have a model trained by a worker.

    Raises NotFound, Forbidden, ScoreModelOfRules, ScoreModelArchivedAlready, TooFewOutcomes, TrainingUnderway.
    """
    known = await outcomes(actor.workspace_id)
    async with transaction():
        row = await policy.locked(actor, ScoreModel, model_id)
        policy.require(actor, Action.MANAGE_SCORING, row)
        if row.archived_at is not None:
            raise score_models.ScoreModelArchivedAlready(name=row.name)
        if row.kind is ScoreModelKind.RULES:
            raise score_models.ScoreModelOfRules(name=row.name, what="trained")
        if known.missing:
            raise TooFewOutcomes(won=known.won, lost=known.lost, needed=known.needed)
        if await ScoreTraining.filter(model_id=row.id, state__in=OPEN).exists():
            raise TrainingUnderway(name=row.name)
        training = ScoreTraining(
            id=uuid7(),
            workspace_id=actor.workspace_id,
            model_id=row.id,
            requested_by_id=actor.user_id,
            created_at=now,
        )
        await edits.insert(training)
        await record(ScoreTrainingRequested(actor, training.id, {"model_id": row.id}), now=now)
    return training


async def cancel(actor: Actor, training_id: UUID, *, now: datetime) -> ScoreTraining:
    """End a training that waits or runs; it leaves nothing. Raises NotFound, Forbidden, TrainingEnded."""
    async with transaction():
        training = await policy.locked(actor, ScoreTraining, training_id)
        policy.require(actor, Action.MANAGE_SCORING)
        if training.state not in OPEN:
            raise TrainingEnded(state=training.state.value.lower())
        await _end(actor, training, TrainingState.CANCELLED, now=now)
    return training


async def start(workspace_id: UUID, training_id: UUID, *, now: datetime) -> ScoreTraining | None:
    """Return a training that is to run, or None where it has ended; one whose worker died begins anew."""
    async with transaction():
        training = await _held(workspace_id, training_id)
        if training is None:
            return None
        await edits.write(training, {"state": TrainingState.RUNNING, "started_at": now, "progress": Decimal(0)})
    return training


async def tell(workspace_id: UUID, training_id: UUID, done: float, step: str) -> bool:
    """Keep how far a training has come; return whether it is still wanted."""
    progress = Decimal(str(round(min(max(done, 0.0), 1.0), 4)))
    running = ScoreTraining.filter(id=training_id, workspace_id=workspace_id, state=TrainingState.RUNNING)
    return bool(await running.update(progress=progress, step=step))


async def finish(workspace_id: UUID, training_id: UUID, result: Result, *, now: datetime) -> ScoreModelVersion | None:
    """Keep what a training has made and, where it is better, put it into use; None where it was cancelled."""
    async with transaction():
        await locks.hold(workspace_id, score_models.LOCK)
        training = await _held(workspace_id, training_id)
        if training is None:
            return None
        actor = system(workspace_id, task=TASK)
        model = await policy.locked(actor, ScoreModel, training.model_id)
        if model.archived_at is not None:
            await _end(actor, training, TrainingState.CANCELLED, now=now)
            return None
        is_worse = result.is_better is False
        state = ScoreVersionState.REJECTED if is_worse else ScoreVersionState.CANDIDATE
        version = await score_models.add_version(
            model,
            result.content,
            state=state,
            by=training.requested_by_id,
            now=now,
            report=dict(result.report),
            leads=result.leads,
            won=result.won,
            window_from=result.window_from,
            window_to=result.window_to,
        )
        done = {"progress": Decimal(1), "step": None, "model_version_id": version.id}
        await _end(actor, training, TrainingState.DONE, now=now, **done)
        if result.is_better:
            await score_models.promote(actor, version.id, now=now)
    return version


async def fail(workspace_id: UUID, training_id: UUID, fault: DomainError, *, now: datetime) -> None:
    """Keep why a training came to nothing."""
    async with transaction():
        if (training := await _held(workspace_id, training_id)) is not None:
            failure = {"code": fault.code, "message": str(fault)}
            await _end(system(workspace_id, task=TASK), training, TrainingState.FAILED, now=now, failure=failure)


async def request_due(*, now: datetime) -> int:
    """Have those models trained anew whose time has come; return how many."""
    found = 0
    for row in await read(DUE, now):
        try:
            await request(system(row["workspace_id"], task="train_due_models"), row["id"], now=now)
            found += 1
        except (TooFewOutcomes, TrainingUnderway, Conflict, IntegrityError):
            continue
    return found


async def _held(workspace_id: UUID, training_id: UUID) -> ScoreTraining | None:
    found = ScoreTraining.filter(id=training_id, workspace_id=workspace_id, state__in=OPEN)
    return await found.select_for_update().first()


async def _end(actor: Actor, training: ScoreTraining, state: TrainingState, *, now: datetime, **columns: Any) -> None:
    await edits.write(training, {"state": state, "ended_at": now, **columns})
    facts = {
        "model_id": training.model_id,
        "state": state,
        "version_id": training.model_version_id,
        "requested_by_id": training.requested_by_id,
    }
    await record(ScoreTrainingEnded(actor, training.id, facts), now=now)
