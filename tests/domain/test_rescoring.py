"""Leads are scored by their workspace's own models, with reasons that add up."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from domain import activities, leads, scoring
from domain.activities import ActivityDetails, NewActivity
from domain.actors import Actor
from domain.custom_values import CustomValue
from domain.learning import additive
from domain.learning.additive import Flags, Levels, Linear, Model
from domain.money import Money
from domain.scoring import extraction, in_use
from domain.scoring.default_model import default_model
from domain.scoring.rescoring import rescore
from domain.scoring.rules import Check, Condition, Dimension, Group, Rule, Rules
from models.activities import ActivityKind
from models.catalog import Source, SourceKind
from models.leads import Grade, Lead
from models.scoring import ScoreModel, ScoreModelKind, ScoreModelVersion, ScoreVersionState
from tests.factories import NOW, custom_field, events, lead, seller

pytestmark = pytest.mark.usefixtures("db")

RULES = Rules(
    (
        Group(
            "fit", "Fit", Dimension.FIT, 60, (Rule("owner", "Somebody owns it", 60, Condition("owner", Check.KNOWN)),)
        ),
        Group(
            "lately",
            "Lately",
            Dimension.ENGAGEMENT,
            40,
            (Rule("silent", "Something happened", 40, Condition("days_silent", Check.BETWEEN, most=7)),),
        ),
    )
)
LEARNED = Model(
    "LOGISTIC",
    -1.0,
    (
        Levels("source", "Source", {"Fair": 1.5}, other=-0.2, missing=-0.4),
        Levels("owner", "Owner", {}, other=0.25, missing=-0.75),
    ),
    slope=0.9,
    offset=0.1,
    quantiles=tuple(np.linspace(0.0, 1.0, 101).tolist()),
)


async def use(actor: Actor, model: Rules | Model, **columns: Any) -> ScoreModelVersion:
    """Let a model score the actor's workspace, as publishing or promoting it does."""
    is_rules = isinstance(model, Rules)
    content: dict[str, Any] = model.to_json() if is_rules else {"model": model.to_json(), "age_days": 30}
    made = await ScoreModel.create(
        workspace_id=actor.workspace_id,
        name="Ours",
        kind=ScoreModelKind.RULES if is_rules else ScoreModelKind.LEARNED,
        active=True,
        created_at=NOW,
        updated_at=NOW,
    )
    values: dict[str, Any] = {"content": content, "signature": in_use.sign(made.id, 1, content)}
    return await ScoreModelVersion.create(
        workspace_id=actor.workspace_id,
        model_id=made.id,
        number=1,
        state=ScoreVersionState.ACTIVE,
        created_at=NOW,
        **(values | columns),
    )


async def owned(actor: Actor, **details: Any) -> Lead:
    """Capture a lead of the actor's own."""
    row = await lead(actor, **details)
    return await leads.assign(actor, row.id, actor.user_id, now=NOW)


async def scored(actor: Actor, row: Lead, *, after: timedelta = timedelta(0)) -> Lead:
    await rescore(actor.workspace_id, [row.id], now=NOW + after)
    return await Lead.get(id=row.id)


async def test_own_rules_give_score_grade_engagement_and_reasons() -> None:
    admin = await seller()
    await use(admin, RULES)
    row = await owned(admin)
    fresh = await scored(admin, row)
    assert (fresh.score, fresh.grade, fresh.engagement, fresh.win_probability) == (100, Grade.A, 1, None)
    assert [(one["label"], one["points"]) for one in fresh.score_factors] == [
        ("Somebody owns it", 60),
        ("Something happened", 40),
    ]
    silent = await scored(admin, row, after=timedelta(days=8))
    assert (silent.score, silent.grade, silent.engagement) == (60, Grade.A, 4)
    last = (await events(row.id))[-1]
    assert last.name == "lead.scored" and last.data["changes"] == {"score": [100, 60], "engagement": [1, 4]}
    assert silent.version == row.version


async def test_a_learned_model_says_how_likely_a_lead_is_won_and_why() -> None:
    admin = await seller()
    await use(admin, LEARNED)
    source = await Source.create(
        workspace_id=admin.workspace_id, name="Fair", kind=SourceKind.TRADE_SHOW, created_at=NOW, updated_at=NOW
    )
    row = await scored(admin, await owned(admin, source_id=source.id))
    odds = -1.0 + 1.5 + 0.25
    won = additive.sigmoid(np.array([0.9 * odds + 0.1]))[0]
    assert row.win_probability is not None and float(row.win_probability) == pytest.approx(won, abs=1e-4)
    assert row.score == round(won * 100)
    assert [(one["points"], one["direction"]) for one in row.score_factors] == [(1.5, "UP"), (0.25, "UP")]
    assert row.score_factors[0]["label"] == "Source is Fair"
    assert row.grade is not None and row.engagement is not None


async def test_texts_are_told_as_they_were_learned_from() -> None:
    admin = await seller()
    fields = [await custom_field(admin, key) for key in ("size", "note")]
    size, note = (f"custom:{field.id.hex}" for field in fields)
    terms = (Linear(size, "Size", 0.1, 0.0, 0.0, 50.0, 0.0), Flags(note, "Note", {"budget": 2.0}, 0.0, of_words=True))
    await use(admin, Model("LOGISTIC", 0.0, terms))
    values = [CustomValue("size", "12"), CustomValue("note", "They have a budget")]
    row = await scored(admin, await lead(admin, custom=values))
    told = [(one["label"], one["points"]) for one in row.score_factors]
    assert told == [("Note mentions budget", 2.0), ("Size is 12", 1.2)]


def only(condition: Condition) -> Rules:
    return Rules((Group("one", "One", Dimension.ENGAGEMENT, 10, (Rule("one", "One", 10, condition),)),))


@pytest.mark.parametrize(
    ("model", "nights"),
    [
        (only(Condition("owner", Check.KNOWN)), set()),
        (only(Condition("days_silent", Check.BETWEEN, least=3)), {3}),
        (only(Condition("close_date_days", Check.BETWEEN, least=-1.5)), {5}),
        (only(Condition("activity:CALL", Check.BETWEEN, least=1, within_days=6)), {6}),
        (only(Condition("activities", Check.BETWEEN, least=1, within_days=6)), {6}),
        (only(Condition("activity:CALL", Check.BETWEEN, least=1, half_life_days=6)), set(range(1, 9))),
        (only(Condition("activity:EMAIL", Check.BETWEEN, least=1, within_days=6)), set()),
        (LEARNED, {3, 4, 7}),
    ],
)
async def test_a_night_looks_at_what_passes_a_border_of_own_models(
    clean_db: str, model: Rules | Model, nights: set[int]
) -> None:
    admin = await seller()
    await use(admin, model)
    row = await owned(admin, expected_close_date=(NOW + timedelta(days=3)).date())
    call = NewActivity(details=ActivityDetails(kind=ActivityKind.CALL), lead_id=row.id)
    await activities.log(admin, call, now=NOW)
    found = set()
    for night in range(8):
        now = NOW + timedelta(days=night, hours=2)
        await scored(admin, row, after=now - NOW)
        await Lead.filter(id=row.id).update(scored_at=now)
        later = now + timedelta(days=1)
        if await scoring.schedule_faded(now=later):
            found.add(night + 1)
    assert found == nights


async def test_a_version_that_was_altered_scores_nothing() -> None:
    admin = await seller()
    version = await use(admin, LEARNED)
    content = version.content | {"age_days": 1}
    await ScoreModelVersion.filter(id=version.id).update(content=content)
    with capture_logs() as lines:
        for _ in range(2):
            assert not (await in_use.models(admin.workspace_id)).are_own
    assert [(line["model"], line["why"]) for line in lines] == [(str(version.model_id), "altered")]
    with pytest.raises(in_use.ModelUnreadable):
        in_use.check(version.model_id, 1, content, version.signature)
    row = await scored(admin, await lead(admin))
    assert row.score is not None and row.win_probability is None


async def test_a_lead_that_stays_as_it_is_is_not_written() -> None:
    admin = await seller()
    await use(admin, RULES)
    row = await scored(admin, await lead(admin))
    again = await scored(admin, row, after=timedelta(days=1))
    assert again.scored_at == row.scored_at


async def test_the_default_model_is_within_0_and_100_and_wants_what_is_known() -> None:
    admin = await seller()
    rules = default_model()
    known = await extraction.as_now(admin.workspace_id, [], now=NOW)
    assert rules.wanted <= known.columns.keys()
    assert sum(group.cap for group in rules.groups) == 100
    await use(admin, rules)
    worth = await scored(admin, await lead(admin, value=Money(Decimal(50_000), "EUR")))
    assert (worth.score, worth.grade, worth.engagement) == (36, Grade.C, 3)
