"""What models say of many leads at once: score, grade, engagement, chance of winning, and reasons that add up."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import Any
from uuid import UUID

import numpy as np
import orjson

from domain.learning import additive, columns
from domain.learning.additive import Model, Term
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
PROBABILITY_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Assessed:
    """What models say of one lead; its reasons as the text of its row's column."""

    score: int
    grade: Grade
    engagement: int
    win_probability: float | None
    factors_json: str

    @property
    def factors(self) -> list[dict[str, Any]]:
        """Return the reasons as plain values."""
        known: list[dict[str, Any]] = orjson.loads(self.factors_json)
        return known


class Texts(dict[Any, str]):
    """What is told of a reason by what a lead has of it, each made once: most leads have what others have."""

    def __init__(self, tell: Callable[[Any], str]) -> None:
        self._tell = tell

    def __missing__(self, had: Any) -> str:
        text = self[had] = self._tell(had)
        return text


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
    judged, count = judging.judge(rules, known), len(known)
    labels = {rule.key: rule.label for group in rules.groups for rule in group.rules}
    points: Floats = np.array(list(judged.points.values())).reshape(-1, count)
    texts = [Texts(partial(_factor, labels[key])) for key in judged.points]
    earned = _strongest(points, texts, points.tolist())
    missing = [_factor(labels[key], 0) for key in judged.pointless]
    held = np.array(list(judged.pointless.values()), dtype=bool).reshape(-1, count).T.tolist()
    bounded = (judged.scores - points.sum(axis=0)).tolist()
    return [
        Assessed(int(score), grade, level, None, _reasons(told, list(compress(missing, holds)), off))
        for score, grade, level, told, holds, off in zip(
            judged.scores.tolist(), judged.grades, judged.levels, earned, held, bounded, strict=True
        )
    ]


def by_learning(learned: Learned, known: Known, judged: Sequence[Assessed]) -> list[Assessed]:
    """Return what a learned model says of leads; how they fit and are engaged is what rules have `judged`.

    Reasons are the effects of the strongest terms, in log-odds before calibration.
    """
    model, count = Model.of_json(learned.data), len(known)
    effects: Floats = np.array(list(model.effects(known.columns, count).values())).reshape(-1, count)
    foretold = model.probabilities(effects.sum(axis=0) + model.intercept)
    texts = [Texts(partial(_effect, term)) for term in model.terms]
    had = [
        list(zip(additive.had(term, known.columns.get(term.key), count), adds, strict=True))
        for term, adds in zip(model.terms, effects.tolist(), strict=True)
    ]
    return [
        Assessed(int(score), one.grade, one.engagement, probability, _json(told))
        for one, score, probability, told in zip(
            judged,
            model.scores(foretold).tolist(),
            np.round(foretold, PROBABILITY_DECIMALS).tolist(),
            _strongest(effects, texts, had),
            strict=True,
        )
    ]


def _effect(term: Term, had: tuple[Any, float]) -> str:
    value, adds = had
    return _factor(term.words(value), adds)


def _strongest(points: Floats, texts: Sequence[Texts], had: Sequence[Sequence[Any]]) -> list[list[str]]:
    """Return the reasons of each lead, the strongest first; what is left out is told as one, so that all add up.

    `points` has a row for each reason; `had` is by what its text is found, for each lead.
    """
    order = np.argsort(-np.abs(points), axis=0, kind="stable")[:MOST_FACTORS]
    shown = np.take_along_axis(points, order, axis=0)
    strong = np.abs(shown) >= SMALLEST_POINTS
    rest = (points.sum(axis=0) - np.where(strong, shown, 0.0).sum(axis=0)).tolist()
    counts = strong.sum(axis=0).tolist()
    made = []
    for row, reasons in enumerate(order.T.tolist()):
        told = [texts[reason][had[reason][row]] for reason in reasons[: counts[row]]]
        if abs(rest[row]) >= SMALLEST_POINTS:
            told.append(_factor(OTHERS, rest[row]))
        made.append(told)
    return made


def _reasons(earned: list[str], missing: list[str], bounded: float) -> str:
    """Return points as a lead's row keeps them, what is missing, and what the bounds of a score or rounding change."""
    told = earned + missing[: max(MOST_FACTORS - len(earned), 0)]
    if abs(bounded) >= SMALLEST_POINTS:
        told.append(_factor(ROUNDED if abs(bounded) <= 0.5 else HIGHEST if bounded < 0 else LOWEST, bounded))
    return _json(told)


def _json(factors: Sequence[str]) -> str:
    return f"[{','.join(factors)}]"


def _factor(label: str, value: float) -> str:
    told = {"label": label, "points": round(value, 4), "direction": "UP" if value > 0 else "DOWN"}
    return orjson.dumps(told).decode()
