"""What rules say of many leads at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.learning.columns import Column, Floats
from domain.learning.kinds import ColumnKind
from domain.scoring import fields
from domain.scoring.extraction import Activities, Known
from domain.scoring.rules import Check, Condition, Dimension, Rules
from models.leads import Grade

GRADES = (Grade.A, Grade.B, Grade.C, Grade.D)


@dataclass(frozen=True, slots=True)
class Judged:
    """What rules say of many leads: scores from 0 to 100, how well they fit and are engaged, and each rule's points.

    Of rules that give no points, `pointless` says for whom they hold.
    """

    scores: Floats
    grades: list[Grade]
    levels: list[int]
    points: dict[str, Floats]
    pointless: dict[str, Floats]


def judge(rules: Rules, known: Known) -> Judged:
    """Score leads by rules; a condition on a field that is gone does not hold."""
    count = len(known)
    total = np.zeros(count)
    sums = {dimension: np.zeros(count) for dimension in Dimension}
    points: dict[str, Floats] = {}
    pointless: dict[str, Floats] = {}
    for group in rules.groups:
        held = {rule.key: _held(rule.condition, known) for rule in group.rules}
        earned = {rule.key: rule.points * held[rule.key] for rule in group.rules if rule.points}
        pointless |= {rule.key: held[rule.key] for rule in group.rules if not rule.points}
        plain = np.asarray(sum(earned.values(), np.zeros(count)))
        capped = np.clip(plain, -group.floor, group.cap)
        share = np.divide(capped, plain, out=np.ones(count), where=plain != 0)
        points |= {key: values * share for key, values in earned.items()}
        total += capped
        sums[group.dimension] += capped
    grades = _classes(rules, Dimension.FIT, sums, rules.grades)
    levels = _classes(rules, Dimension.ENGAGEMENT, sums, rules.levels)
    scores = np.clip(np.floor(total + 0.5), 0, 100)
    return Judged(scores, [GRADES[at] for at in grades], [int(at) + 1 for at in levels], points, pointless)


def _classes(
    rules: Rules, dimension: Dimension, sums: Mapping[Dimension, Floats], borders: tuple[float, float, float]
) -> NDArray[np.intp]:
    """Return 0 for those who reach the first share of the most that a dimension gives, to 3 for who reach none."""
    most = sum(group.cap for group in rules.groups if group.dimension is dimension)
    shares = sums[dimension] / most if most else np.zeros(len(sums[dimension]))
    return np.asarray(np.sum([shares < border - 1e-9 for border in borders], axis=0), dtype=np.intp)


def _held(condition: Condition, known: Known) -> Floats:
    """Return 1 where a condition holds and 0 where not; between them where it holds in part, since it fades."""
    column = known.columns.get(condition.field)
    if column is None:
        return np.zeros(len(known))
    if condition.counts and (condition.within_days is not None or condition.half_life_days is not None):
        return _counted(condition, known.activities, len(known))
    return np.asarray(_tested(condition, column), dtype=np.float64)


def _counted(condition: Condition, activities: Activities, count: int) -> Floats:
    kind = condition.field.removeprefix(fields.ACTIVITY)
    wanted = (activities.kind == kind) | (kind == "activities")
    if condition.within_days is not None:
        wanted &= activities.days < condition.within_days
    weights = np.ones(len(activities.days))
    if condition.half_life_days is not None:
        weights = 0.5 ** (activities.days / condition.half_life_days)
    sums = np.bincount(activities.lead[wanted], weights=weights[wanted], minlength=count)
    least = condition.least or 1.0
    if condition.half_life_days is not None:
        return np.minimum(sums / least, 1.0)
    return ((sums >= least) & (sums < (np.inf if condition.most is None else condition.most))).astype(np.float64)


def _tested(condition: Condition, column: Column) -> Any:
    match condition.check:
        case Check.KNOWN:
            return _is_known(column)
        case Check.UNKNOWN:
            return ~_is_known(column)
        case Check.BETWEEN:
            least = -np.inf if condition.least is None else condition.least
            most = np.inf if condition.most is None else condition.most
            return (column.values >= least) & (column.values < most)
        case Check.IS | Check.IS_NOT:
            wanted = {value.casefold() for value in condition.values}
            # Many leads have the same few.
            found = {one for one in set(column.values) if one is not None and one.casefold() in wanted}
            is_one = np.array([one in found for one in column.values], dtype=bool)
            return is_one if condition.check is Check.IS else _is_known(column) & ~is_one
        case Check.HAS:
            wanted = {value.casefold() for value in condition.values}
            return np.array([any(one.casefold() in wanted for one in some) for some in column.values], dtype=bool)


def _is_known(column: Column) -> Any:
    match column.kind:
        case ColumnKind.NUMBER:
            return ~np.isnan(column.values)
        case ColumnKind.CATEGORY:
            return np.array([value is not None for value in column.values], dtype=bool)
        case _:
            return np.array([bool(value) for value in column.values], dtype=bool)
