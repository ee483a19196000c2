"""A set of leads as strangers publish them is imported as it is, and what was planted in it is learned."""

from datetime import timedelta
from pathlib import Path

import pytest

from domain import imports
from domain.learning import metrics, training
from domain.learning.training import Outcomes
from domain.scoring import lessons
from models.custom_fields import CustomFieldType
from models.imports import ImportKind
from tests import lead_scoring
from tests.factories import NOW, custom_field
from tests.imports.importing import counts, seller, take

pytestmark = pytest.mark.usefixtures("db")
NUMBERS = ("Total Visits", "Time Spent")
ROWS = 2_500


async def test_what_was_planted_in_unfamiliar_columns_is_learned(tmp_path: Path) -> None:
    admin = await seller()
    keys = {}
    for name in lead_scoring.header()[1:-1]:
        kind = CustomFieldType.NUMBER if name in NUMBERS else CustomFieldType.TEXT
        keys[name] = f"custom:{(await custom_field(admin, lead_scoring.key_of(name), kind)).id.hex}"
    lead_scoring.write(tmp_path / "leads.csv", ROWS)
    row = await take(admin, ImportKind.LEADS, tmp_path / "leads.csv", imports.load(lead_scoring.mapping()))
    assert counts(row) == (ROWS, 0, 0, 0)

    found = await lessons.closed_leads(admin.workspace_id, age=timedelta(days=14), now=NOW)
    occupations = found.columns[keys["Occupation"]].values
    assert None in occupations and "Select" not in occupations
    trained = training.train(Outcomes(found.columns, found.won))
    dropped = {one.key: one.why for one in trained.dropped}
    for name in (*lead_scoring.NEAR_CONSTANT, *lead_scoring.CONSTANT):
        assert dropped[keys[name]] == "CONSTANT"
    assert "LEAKING" not in dropped.values()
    assert dropped.keys().isdisjoint(keys[name] for name in lead_scoring.PLANTED)

    # What nobody can foretell better than: the odds by which the outcomes were drawn, judged on as many leads.
    assert 0.76 < trained.quality.auc < 0.9
    assert trained.quality.brier < 0.9 * trained.quality.brier_of_rate
    effects = trained.model.effects(found.columns, len(found.won))[keys["Occupation"]]
    professional = metrics.floats(one == "Working Professional" for one in occupations)
    student = metrics.floats(one == "Student" for one in occupations)
    gap = effects[professional > 0].mean() - effects[student > 0].mean()
    assert trained.model.slope * gap == pytest.approx(2.3, abs=0.9)
