"""What models say of many leads at once: score, grade, engagement, chance of winning, and reasons that add up."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import orjson

from domain.learning import additive, columns
from domain.learning.additive import Model
from domain.learning.columns import Floats
from domain.scoring import judging
from domain.scoring.extraction import Activities, Known
from domain.scoring.fields import BY_KEY
from domain.scoring.in_use import Learned
from domain.scoring.rules import Rules
from models.leads import Grade

# As many reasons as a person reads; the rest is told as one, so that they still add up.
MOST_FACTORS = 10
OTHERS = "Everything else"
HIGHEST, LOWEST, ROUNDED = "A score is at most 100", "A score is at least 0", "Rounded to a whole number"
SMALLEST_POINTS = 0.005
PROBABILITY = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Assessed:
    """What models say of one lead; `factors` as its row keeps them."""

    score: int
    grade: Grade
    engagement: int
    win_probability: Decimal | None
    factors: list[dict[str, Any]]

    def factors_json(self) -> str:
        """Return the factors as the text of a JSON column."""
        return orjson.dumps(self.factors).decode()


def known_of(said: Sequence[Mapping[str, Any]], done: Iterable[tuple[int, str, float]], wanted: Iterable[str]) -> Known:
    """Return as columns what is said of leads that no table has yet, by keys of fields; they are known by their place.

    What was `done` is the place of a lead, a kind of activity, and how many days ago.
    """
    given = list(done)
    return Known(
        [UUID(int=place) for place in range(len(said))],
        [],
        {
            key: columns.of_kind(BY_KEY[key].kind, key, BY_KEY[key].label, [one.get(key) for one in said])
            for key in wanted
        },
        Activities(
            np.array([place for place, _, _ in given], dtype=np.intp),
            np.array([kind for _, kind, _ in given], dtype=np.str_),
            np.array([days for _, _, days in given], dtype=np.float64),
        ),
    )


def by_rules(rules: Rules, known: Known) -> list[Assessed]:
    """Return what rules say of leads, in their order."""
    judged = judging.judge(rules, known)
    labels = {rule.key: rule.label for group in rules.groups for rule in group.rules}
    earned = [(labels[key], some.tolist()) for key, some in judged.points.items()]
    missing = [(labels[key], some.tolist()) for key, some in judged.pointless.items()]
    bounded = (judged.scores - np.sum([*judged.points.values(), np.zeros(len(known))], axis=0)).tolist()
    return [
        Assessed(
            int(score),
            judged.grades[row],
            judged.levels[row],
            None,
            _reasons(
                [(label, some[row]) for label, some in earned if some[row]],
                [label for label, some in missing if some[row]],
                bounded[row],
            ),
        )
        for row, score in enumerate(judged.scores.tolist())
    ]


def by_learning(learned: Learned, known: Known, judged: Sequence[Assessed]) -> list[Assessed]:
    """Return what a learned model says of leads; how they fit and are engaged is what rules have `judged`.

    Reasons are the effects of the strongest terms, in log-odds before calibration.
    """
    model, count = Model.of_json(learned.data), len(known)
    effects = model.effects(known.columns, count)
    sums: Floats = np.sum([*effects.values(), np.zeros(count)], axis=0)
    foretold = model.probabilities(sums + model.intercept)
    scores, probabilities = model.scores(foretold).tolist(), foretold.tolist()
    terms = {term.key: term for term in model.terms}
    made = []
    for row, one in enumerate(judged):
        some = additive.strongest(effects, row, most=MOST_FACTORS)
        points = [(additive.describe(terms[key], known.columns.get(key), row), effect) for key, effect in some]
        told = _factors(points, rest=float(sums[row]) - sum(effect for _, effect in some))
        probability = Decimal(probabilities[row]).quantize(PROBABILITY)
        made.append(Assessed(int(scores[row]), one.grade, one.engagement, probability, told))
    return made


def _reasons(earned: list[tuple[str, float]], missing: list[str], bounded: float) -> list[dict[str, Any]]:
    """Return points as a lead's row keeps them, what is missing, and what the bounds of a score or rounding change."""
    told = _factors(earned)
    told += [_factor(label, 0) for label in missing[: max(MOST_FACTORS - len(told), 0)]]
    if abs(bounded) >= SMALLEST_POINTS:
        told.append(_factor(ROUNDED if abs(bounded) <= 0.5 else HIGHEST if bounded < 0 else LOWEST, bounded))
    return told


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
