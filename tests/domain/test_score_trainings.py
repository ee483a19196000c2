"""What a training looks at, and what it is measured against: as people have said, and as leads have come since."""

from datetime import UTC, datetime, timedelta

import pytest

from domain import score_models, score_trainings
from domain.actors import Actor
from domain.score_models import Learning, ModelDetails
from domain.scoring.rule_inputs import UnknownScoreField
from models.custom_fields import CustomField
from models.scoring import ScoreModel, ScoreModelKind, ScoreModelVersion
from tests.domain.test_rescoring import LEARNED, use
from tests.factories import NOW, custom_field, seller
from tests.workers.test_trainings import history
from workers.training import read_lessons

pytestmark = pytest.mark.usefixtures("db")


async def learner(actor: Actor, learning: Learning) -> ScoreModel:
    details = ModelDetails(name="Others", learning=learning)
    return await score_models.create(actor, ScoreModelKind.LEARNED, details, now=NOW)


async def test_fields_are_trusted_and_left_out_by_key_or_label() -> None:
    admin = await seller()
    tags, quality = await custom_field(admin, "own_tags", label="Tags"), await custom_field(admin, "quality")
    keys = [f"custom:{row.id.hex}" for row in (tags, quality)]
    given = Learning(trusted=("source", " SOURCE "), left_out=("tags", "custom:quality", keys[1]))
    model = await learner(admin, given)
    assert Learning.of(model).trusted == ("source",) and Learning.of(model).left_out == ("tags", keys[1])
    # Two are called so: leads' own tags and a column of some file.
    model = await score_models.sort_out(
        admin, model.id, trusted=["custom:quality"], left_out=["Tags", "source"], now=NOW
    )
    assert Learning.of(model).trusted == (keys[1],) and Learning.of(model).left_out == ("tags", keys[0], "source")
    assert (await ScoreModel.get(id=model.id)).version == 2
    await CustomField.filter(id=tags.id).update(archived_at=NOW)
    model = await score_models.sort_out(admin, model.id, trusted=[], left_out=["owner"], now=NOW)
    assert Learning.of(model).left_out == ("tags", "source", "owner")
    with pytest.raises(UnknownScoreField, match="Nonsense is nothing"):
        await score_models.sort_out(admin, model.id, trusted=["Nonsense"], left_out=[], now=NOW)


async def test_only_wins_are_too_few_outcomes() -> None:
    admin = await seller()
    await history(admin, count=60, chances={"All": 1.0})
    model = await learner(admin, Learning())
    with pytest.raises(score_trainings.TooFewOutcomes, match="60 won and 0 lost"):
        await score_trainings.request(admin, model.id, now=NOW)


async def test_what_is_in_use_is_measured_on_leads_that_came_after_it_and_only_by_what_is_not_ruled_out() -> None:
    admin = await seller()
    await history(admin, count=120, chances={"Half": 0.5})
    version = await use(admin, LEARNED, window_to=NOW)
    await ScoreModel.filter(id=version.model_id).update(content=Learning().to_json())
    run = await score_trainings.request(admin, version.model_id, now=NOW)
    # They were made here after the model in use, whatever they say of their dates.
    _, found, rival = await read_lessons(admin.workspace_id, run.id)
    assert rival is not None and rival.unseen.all() and len(rival.unseen) == len(found.ids) == 120
    since = datetime.now(UTC) + timedelta(days=1)
    await ScoreModelVersion.filter(id=version.id).update(created_at=since)
    _, found, rival = await read_lessons(admin.workspace_id, run.id)
    assert rival is not None and list(rival.unseen) == [at > NOW for at in found.closed_at]
    await score_models.sort_out(admin, version.model_id, trusted=[], left_out=["Source"], now=NOW)
    _, found, rival = await read_lessons(admin.workspace_id, run.id)
    assert rival is None and "source" not in found.columns
