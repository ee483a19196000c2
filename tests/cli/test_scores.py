"""`salescycle score` as a person types it."""

import csv
import signal
from pathlib import Path

import pytest

from domain import score_models
from domain.scoring.rescoring import rescore
from models.leads import Lead
from models.scoring import ScoreModel, ScoreModelVersion, ScoreTraining, ScoreVersionState, TrainingState
from models.workspaces import Workspace
from schema import ids
from settings import settings
from tests import lead_scoring
from tests.cli.running import SECONDS, refused, salescycle
from tests.domain.test_rescoring import LEARNED, use
from tests.factories import NOW, lead, seller
from tests.workers.conftest import until
from tests.workers.test_trainings import history

pytestmark = pytest.mark.usefixtures("clean_db")


def environment(url: str) -> dict[str, str]:
    return {"DATABASE_URL": url, "SECRET_KEY": settings().secret_key}


def run(url: str, *arguments: str) -> str:
    """Return what a command says, on one line."""
    process = salescycle("score", *arguments, env=environment(url) | {"COLUMNS": "200"})
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    return " ".join(output.split())


async def test_a_strangers_file_is_taken_and_a_training_is_waited_for_and_told(clean_db: str, tmp_path: Path) -> None:
    await seller()
    assert "takes 50 of each" in refused("score", "train", env=environment(clean_db))
    lead_scoring.write(tmp_path / "leads.csv", 400)
    taken = salescycle("import", "leads", str(tmp_path / "leads.csv"), env=environment(clean_db) | {"COLUMNS": "200"})
    output, _ = taken.communicate(timeout=SECONDS)
    assert taken.returncode == 0 and "400 created, 0 updated, 0 unchanged, 0 skipped" in output
    assert 'column: "Converted"' in output and "others: custom" in output
    output = run(clean_db, "train", "--leave-out", "noise 1", "--trust", "Lead Origin")
    [version] = await ScoreModelVersion.all()
    quality = version.report["quality"]
    assert version.state is ScoreVersionState.ACTIVE
    assert "Version 1 of Learned" in output and "is in use now" in output
    assert f"AUC {quality['auc']:.3f} (95 %: {quality['auc_low']:.3f} to {quality['auc_high']:.3f})" in output
    assert f"Brier score {quality['brier']:.4f}, against {quality['brier_of_rate']:.4f}" in output
    assert "It learned from 400 closed leads" in output and "On 80, which it had not seen" in output
    assert "nearly all leads say the same" in output
    verdict = next(one for one in version.report["suspected"] if one["label"] == lead_scoring.HINDSIGHT)
    assert f"{lead_scoring.HINDSIGHT} alone tells much (AUC {verdict['auc']:.3f})" in output
    labels = {term["label"] for term in version.content["model"]["terms"]}
    assert "Noise 2" in labels and "Noise 1" not in labels


async def test_a_training_that_is_interrupted_is_cancelled_and_says_so(clean_db: str) -> None:
    await history(await seller(), count=200)
    process = salescycle("score", "train", env=environment(clean_db))

    async def asked() -> ScoreTraining | None:
        return await ScoreTraining.first()

    assert await until(asked, seconds=SECONDS)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130 and "Traceback" not in output, output
    assert "The training is cancelled: nothing of it is kept." in output
    run = await ScoreTraining.get()
    assert (run.state, run.failure) == (TrainingState.CANCELLED, None)
    assert not await ScoreModelVersion.all().exists()


async def test_a_preview_tells_of_rules_without_a_model_of_ones_own(clean_db: str) -> None:
    admin = await seller()
    assert "nothing can be said" in run(clean_db, "preview")
    await history(admin, count=60)
    output = run(clean_db, "preview", "--age-days", "7")
    assert "The rules that ship with Salescycle, on 60 closed leads as they stood at 7 days" in output
    assert "AUC 0." in output and "lift" in output
    assert "no model by rules" in refused("score", "preview", "--model", "None", env=environment(clean_db))


async def test_a_lead_is_explained_by_id_or_title(clean_db: str) -> None:
    admin = await seller()
    await use(admin, LEARNED)
    row = await lead(admin, title="Roof of the town hall")
    assert "no score yet" in run(clean_db, "explain", str(row.id))
    await rescore(admin.workspace_id, [row.id], now=NOW)
    row = await Lead.get(id=row.id)
    for named in ("roof of the town hall", str(row.id), ids.encode("Lead", row.id)):
        output = run(clean_db, "explain", named)
        assert f"Score {row.score}, grade {row.grade}" in output and "likely to be won" in output
        assert all(factor["label"] in output for factor in row.score_factors)
    assert "There is no lead Nowhere" in refused("score", "explain", "Nowhere", env=environment(clean_db))
    await lead(admin, title="Roof of the town hall")
    both = salescycle("score", "explain", "Roof of the town hall", env=environment(clean_db))
    output, _ = both.communicate(timeout=SECONDS)
    assert both.returncode == 1 and ids.encode("Lead", row.id) in output


async def test_a_version_that_waits_is_promoted_and_taken_back(clean_db: str) -> None:
    admin = await seller()
    first = await use(admin, LEARNED)
    model = await ScoreModel.get(id=first.model_id)
    assert "has no version 2" in refused("score", "promote", "--number", "2", env=environment(clean_db))
    await score_models.add_version(model, first.content, state=ScoreVersionState.CANDIDATE, by=None, now=NOW)
    output = run(clean_db, "promote", "--model", "ours")
    assert "Version 2 of Ours waited for somebody to decide" in output and "It is in use now" in output
    assert "Version 1 of Ours was in use before" in run(clean_db, "rollback")
    states = {row.number: row.state for row in await ScoreModelVersion.all()}
    assert states == {1: ScoreVersionState.ACTIVE, 2: ScoreVersionState.REJECTED}


async def test_scores_are_exported_with_their_reasons(clean_db: str, tmp_path: Path) -> None:
    admin = await seller()
    row = await lead(admin, title="=1+1")
    await rescore(admin.workspace_id, [row.id], now=NOW)
    [home] = await Workspace.all()
    run(clean_db, "export", str(tmp_path / "scores.csv"), "--workspace", home.name)
    [told] = csv.DictReader((tmp_path / "scores.csv").open(encoding="utf-8-sig"))
    row = await Lead.get(id=row.id)
    assert (told["id"], told["title"], told["score"]) == (ids.encode("Lead", row.id), "'=1+1", str(row.score))
    assert row.score_factors[0]["label"] in told["factors"]


async def test_models_are_not_touched_without_the_key_that_signs_them(clean_db: str) -> None:
    await seller()
    assert "Set SECRET_KEY" in refused("score", "train", env={"DATABASE_URL": clean_db})
