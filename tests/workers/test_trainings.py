"""Models learn in a process of their own, from leads as they stood; what is better is used."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest

from domain import score_models, score_trainings
from domain.actors import Actor
from domain.score_models import ModelDetails
from models.catalog import Source, SourceKind
from models.leads import Lead, LeadStatus
from models.scoring import (
    ScoreModel,
    ScoreModelKind,
    ScoreModelVersion,
    ScoreTraining,
    ScoreVersionState,
    TrainingState,
)
from models.stages import StageKind
from tests.factories import NOW, lead, lead_in, seller, stage
from tests.workers.conftest import Database, Start, until
from tests.workers.test_tasks import both_ready

pytestmark = pytest.mark.usefixtures("database")

DONE = "SELECT count(*) FROM job WHERE task = 'train_score_model' AND done_at IS NOT NULL"
CHANCES = {"Referral": 0.8, "Web": 0.4, "Cold": 0.1}


async def history(actor: Actor, *, count: int = 400, seed: int = 1, chances: Any = CHANCES) -> dict[str, Source]:
    """Close leads of which some sources are won more often than others."""
    dice = random.Random(seed)
    where = await stage(actor, StageKind.QUALIFY)
    sources = {
        name: await Source.create(
            workspace_id=actor.workspace_id, name=name, kind=SourceKind.OTHER, created_at=NOW, updated_at=NOW
        )
        for name in chances
    }
    for number in range(count):
        name = dice.choice([*chances])
        won = dice.random() < chances[name]
        made = NOW - timedelta(days=count - number)
        await lead_in(
            where,
            status=LeadStatus.WON if won else LeadStatus.LOST,
            source_id=sources[name].id,
            created_at=made,
            stage_entered_at=made,
            closed_at=made + timedelta(days=20),
        )
    return sources


async def learner(actor: Actor) -> ScoreModel:
    return await score_models.create(actor, ScoreModelKind.LEARNED, ModelDetails(name="Ours"), now=NOW)


async def ended(run: ScoreTraining) -> ScoreTraining | None:
    row = await ScoreTraining.get(id=run.id)
    return row if row.ended_at is not None else None


async def test_what_was_planted_is_learned_used_and_explained(database: Database, start: Start) -> None:
    admin = await seller()
    sources = await history(admin)
    model = await learner(admin)
    good = await lead(admin, source_id=sources["Referral"].id)
    poor = await lead(admin, source_id=sources["Cold"].id)
    await both_ready(start)
    run = await score_trainings.request(admin, model.id, now=datetime.now(UTC))
    done = await until(lambda: ended(run), seconds=60)
    assert done
    assert (done.state, done.failure) == (TrainingState.DONE, None)
    version = await ScoreModelVersion.get(id=done.model_version_id)
    assert version.state is ScoreVersionState.ACTIVE
    assert (version.leads, version.report["quality"]["leads"]) == (400, 80)
    assert version.report["quality"]["auc"] > 0.7

    async def foretold() -> bool:
        return all(row.win_probability is not None for row in await Lead.filter(id__in=[good.id, poor.id]))

    await until(foretold)
    good, poor = await Lead.get(id=good.id), await Lead.get(id=poor.id)
    assert good.win_probability and poor.win_probability and good.score and poor.score is not None
    assert float(good.win_probability) == pytest.approx(0.8, abs=0.12)
    assert float(poor.win_probability) == pytest.approx(0.1, abs=0.12)
    assert good.score > poor.score
    assert good.score_factors[0] | {"points": 0} == {"label": "Source is Referral", "direction": "UP", "points": 0}
    assert poor.score_factors[0]["label"] == "Source is Cold" and poor.score_factors[0]["points"] < 0


async def test_two_at_once_and_too_few_are_refused() -> None:
    admin = await seller()
    model = await learner(admin)
    await history(admin, count=30)
    with pytest.raises(score_trainings.TooFewOutcomes, match="takes 50 of each"):
        await score_trainings.request(admin, model.id, now=NOW)
    await history(admin, count=300, chances={"Half": 0.5})

    async def ask() -> ScoreTraining | None:
        try:
            return await score_trainings.request(admin, model.id, now=NOW)
        except score_trainings.TrainingUnderway:
            return None

    assert sum(run is not None for run in await asyncio.gather(*(ask() for _ in range(5)))) == 1


async def test_a_cancelled_training_leaves_nothing(database: Database, start: Start) -> None:
    admin = await seller()
    await history(admin, count=300)
    run = await score_trainings.request(admin, (await learner(admin)).id, now=datetime.now(UTC))
    await both_ready(start)

    async def running() -> bool:
        return (await ScoreTraining.get(id=run.id)).state is TrainingState.RUNNING

    await until(running)
    await score_trainings.cancel(admin, run.id, now=datetime.now(UTC))

    async def finished() -> bool:
        return bool(
            await database.value("SELECT count(*) FROM job WHERE task = 'train_score_model' AND done_at > $1", NOW)
        )

    await until(finished, seconds=30)
    assert (await ScoreTraining.get(id=run.id)).state is TrainingState.CANCELLED
    assert not await ScoreModelVersion.all().count()
    with pytest.raises(score_trainings.TrainingEnded):
        await score_trainings.cancel(admin, run.id, now=datetime.now(UTC))


async def test_a_killed_worker_takes_its_training_with_it_and_another_begins_anew(
    database: Database, start: Start
) -> None:
    admin = await seller()
    await history(admin, count=300)
    run = await score_trainings.request(admin, (await learner(admin)).id, now=datetime.now(UTC))
    relay, worker = start("relay"), start("worker")
    await relay.ready()
    await worker.ready()

    async def child() -> psutil.Process | None:
        return next((one for one in psutil.Process(worker.pid).children() if "workers.training" in one.cmdline()), None)

    learning = await until(child)
    assert learning
    worker.kill()

    async def gone() -> bool:
        return not learning.is_running() or learning.status() == psutil.STATUS_ZOMBIE

    await until(gone)
    await start("worker").ready()
    done = await until(lambda: ended(run), seconds=60)
    assert done
    assert done.state is TrainingState.DONE
    assert await ScoreModelVersion.filter(model_id=run.model_id).count() == 1
