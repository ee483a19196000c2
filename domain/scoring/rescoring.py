"""Leads scored anew by their workspace's own models, many at once, each with its reasons."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import orjson
from tortoise.connection import get_connection

from domain import leads
from domain.actors import system
from domain.events import changes, record
from domain.learning import additive
from domain.learning.additive import Model
from domain.scoring import extraction, judging
from domain.scoring.default_model import default_model
from domain.scoring.default_rules import TASK, LeadScored
from domain.scoring.extraction import Known
from domain.scoring.in_use import InUse, Learned
from domain.scoring.rules import Rules
from models.database import read
from models.leads import Grade, Lead

# As many reasons as a person reads; the rest is told as one, so that they still add up.
MOST_FACTORS = 10
OTHERS = "Everything else"
SMALLEST_POINTS = 0.005
PROBABILITY = Decimal("0.0001")

TAGS = "SELECT lead_id, array_agg(tag_id) AS tag_ids FROM lead_tag WHERE lead_id = ANY($1::uuid[]) GROUP BY lead_id"
WRITE = """
UPDATE lead SET score = new.score, grade = new.grade, engagement = new.engagement,
                win_probability = new.win_probability, score_factors = new.factors, scored_at = $1
FROM unnest($2::uuid[], $3::int[], $4::text[], $5::int[], $6::numeric[], $7::jsonb[])
     AS new(id, score, grade, engagement, win_probability, factors)
WHERE lead.id = new.id
"""


@dataclass(frozen=True, slots=True)
class Assessed:
    """What the models in use say of one lead; `factors` as its row keeps them."""

    score: int
    grade: Grade | None
    engagement: int | None
    win_probability: Decimal | None
    factors: list[dict[str, Any]]


async def assess(workspace_id: UUID, lead_ids: Sequence[UUID], models: InUse, *, now: datetime) -> dict[UUID, Assessed]:
    """Return what a workspace's own models say of leads as they stand. What it computes is kept off the event loop."""
    rules = models.rules or default_model()
    by_rules = await extraction.as_now(workspace_id, lead_ids, wanted=rules.wanted, now=now)
    if (learned := models.learned) is None:
        return await asyncio.to_thread(_assessed, by_rules, rules, None, None)
    known = await extraction.as_now(workspace_id, lead_ids, wanted=learned.wanted, within=learned.age, now=now)
    return await asyncio.to_thread(_assessed, by_rules, rules, known, learned)


def _assessed(
    by_rules: Known, rules: Rules, by_learning: Known | None, learned: Learned | None
) -> dict[UUID, Assessed]:
    judged, count = judging.judge(rules, by_rules), len(by_rules)
    if learned is not None and by_learning is not None:
        scores, probabilities, factors = _foretold(learned, by_learning)
    else:
        labels = {rule.key: rule.label for group in rules.groups for rule in group.rules}
        told = [(labels[key], some.tolist()) for key, some in judged.points.items()]
        scores, probabilities = judged.scores.tolist(), [None] * count
        factors = [_factors([(label, some[row]) for label, some in told]) for row in range(count)]
    return {
        key: Assessed(int(scores[row]), judged.grades[row], judged.levels[row], probabilities[row], factors[row])
        for row, key in enumerate(by_rules.ids)
    }


def _foretold(learned: Learned, known: Known) -> tuple[list[float], list[Decimal | None], list[list[dict[str, Any]]]]:
    """Return scores, probabilities and reasons: the effects of the strongest terms, in log-odds before calibration."""
    model, count = Model.of_json(learned.data), len(known)
    effects = model.effects(known.columns, count)
    sums = np.sum([*effects.values(), np.zeros(count)], axis=0)
    foretold = model.probabilities(sums + model.intercept)
    terms = {term.key: term for term in model.terms}
    told = []
    for row in range(count):
        some = additive.strongest(effects, row, most=MOST_FACTORS)
        points = [(additive.describe(terms[key], known.columns.get(key), row), effect) for key, effect in some]
        told.append(_factors(points, rest=float(sums[row]) - sum(effect for _, effect in some)))
    probabilities: list[Decimal | None] = [Decimal(one).quantize(PROBABILITY) for one in foretold.tolist()]
    return model.scores(foretold).tolist(), probabilities, told


def _factors(points: Sequence[tuple[str, float]], *, rest: float = 0.0) -> list[dict[str, Any]]:
    """Return reasons as a lead's row keeps them, the strongest first; what is left out is told as one."""
    strong = sorted(points, key=lambda one: -abs(one[1]))
    shown = [one for one in strong if abs(one[1]) >= SMALLEST_POINTS][:MOST_FACTORS]
    rest += sum(value for _, value in points) - sum(value for _, value in shown)
    if abs(rest) >= SMALLEST_POINTS:
        shown.append((OTHERS, rest))
    return [_factor(label, value) for label, value in shown]


def _factor(label: str, value: float) -> dict[str, Any]:
    return {"label": label, "points": round(value, 4), "direction": "UP" if value > 0 else "DOWN"}


async def rescore(locked: Sequence[Lead], models: InUse, *, now: datetime, bulk: bool = False) -> int:
    """Score locked open leads of one workspace anew; return of how many the score changed."""
    if not locked:
        return 0
    workspace_id = locked[0].workspace_id
    found = await assess(workspace_id, [lead.id for lead in locked], models, now=now)
    news = [(lead, found[lead.id]) for lead in locked if _differs(lead, found[lead.id])]
    if not news:
        return 0
    tagged = {row["lead_id"]: row["tag_ids"] for row in await read(TAGS, [lead.id for lead, _ in news])}
    await _write(news, now=now)
    scored = [_event(lead, new, tagged.get(lead.id, ()), bulk=bulk) for lead, new in news if _is_event(lead, new)]
    await record(*scored, now=now)
    return len(scored)


def _differs(lead: Lead, new: Assessed) -> bool:
    return (lead.score, lead.grade, lead.engagement, lead.win_probability, lead.score_factors) != (
        new.score,
        new.grade,
        new.engagement,
        new.win_probability,
        new.factors,
    )


def _is_event(lead: Lead, new: Assessed) -> bool:
    return (lead.score, lead.grade, lead.engagement) != (new.score, new.grade, new.engagement)


async def _write(news: Sequence[tuple[Lead, Assessed]], *, now: datetime) -> None:
    rows = [
        (
            lead.id,
            new.score,
            new.grade.value if new.grade else None,
            new.engagement,
            new.win_probability,
            orjson.dumps(new.factors).decode(),
        )
        for lead, new in news
    ]
    await get_connection("default").execute_query(WRITE, [now, *map(list, zip(*rows, strict=True))])


def _event(lead: Lead, new: Assessed, tag_ids: Sequence[UUID], *, bulk: bool) -> LeadScored:
    before = leads.live_columns(lead, tag_ids)
    was = {"score": lead.score, "grade": lead.grade, "engagement": lead.engagement}
    becomes = {"score": new.score, "grade": new.grade, "engagement": new.engagement}
    changed = changes(
        was | {"win_probability": lead.win_probability}, becomes | {"win_probability": new.win_probability}
    )
    lead.score = new.score
    data = leads.facts(before, lead, tag_ids, changed)
    return LeadScored(system(lead.workspace_id, task=TASK), lead.id, data | ({"bulk": True} if bulk else {}))
