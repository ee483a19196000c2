"""Rules: points for conditions, capped by groups, fading with time, in a matrix of fit and engagement."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.learning import columns
from domain.learning.columns import Column
from domain.scoring import judging
from domain.scoring.extraction import Activities, Known
from domain.scoring.rules import Check, Condition, Dimension, Group, Rule, Rules
from models.leads import Grade

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def known(*made: Column, done: Sequence[tuple[int, str, float]] = ()) -> Known:
    count = len(made[0])
    activities = Activities(
        np.array([lead for lead, _, _ in done], dtype=np.intp),
        np.array([kind for _, kind, _ in done], dtype=np.str_),
        np.array([days for _, _, days in done], dtype=np.float64),
    )
    return Known([uuid4() for _ in range(count)], [NOW] * count, {one.key: one for one in made}, activities)


def rule(points: float, condition: Condition, *, key: str = "rule") -> Rule:
    return Rule(key, key.capitalize(), points, condition)


def group(*rules: Rule, cap: float = 100, floor: float = 100, dimension: Dimension = Dimension.FIT) -> Group:
    return Group("group", "Group", dimension, cap, rules, floor)


def scores(rules: Rules, some: Known) -> list[float]:
    return [float(score) for score in judging.judge(rules, some).scores]


SOURCE = columns.category("source", "Source", ["Web", "referral", "Select"])
SIZE = columns.number("company.employees", "Employees", [10, 50, None])
TAGS = columns.several("tags", "Tags", [["Hot", "big"], [], ["cold"]])


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition("source", Check.IS, values=("Referral",)), [0, 10, 0]),
        (Condition("source", Check.IS_NOT, values=("Referral",)), [10, 0, 0]),
        (Condition("source", Check.KNOWN), [10, 10, 0]),
        (Condition("source", Check.UNKNOWN), [0, 0, 10]),
        (Condition("company.employees", Check.BETWEEN, least=10, most=50), [10, 0, 0]),
        (Condition("company.employees", Check.BETWEEN, least=50), [0, 10, 0]),
        (Condition("company.employees", Check.UNKNOWN), [0, 0, 10]),
        (Condition("tags", Check.HAS, values=("hot", "cold")), [10, 0, 10]),
        (Condition("tags", Check.UNKNOWN), [0, 10, 0]),
        (Condition("custom:gone", Check.KNOWN), [0, 0, 0]),
    ],
)
def test_a_condition_earns_its_points(condition: Condition, holds: list[float]) -> None:
    assert scores(Rules((group(rule(10, condition)),)), known(SOURCE, SIZE, TAGS)) == holds


def test_a_group_gives_at_most_its_cap_and_takes_at_most_its_floor() -> None:
    here = Condition("source", Check.KNOWN)
    rich = group(rule(30, here, key="a"), rule(30, here, key="b"), cap=40)
    poor = group(rule(-50, here, key="c"), floor=10)
    judged = judging.judge(Rules((rich, poor)), known(SOURCE))
    assert judged.scores.tolist() == [30, 30, 0]
    assert [judged.points[key][0] for key in "abc"] == [20, 20, -10]


def test_activities_count_within_their_days_and_fade() -> None:
    done = [(0, "CALL", 1.0), (0, "CALL", 20.0), (1, "CALL", 14.0), (1, "EMAIL", 1.0)]
    calls = columns.number("activity:CALL", "Calls", [2, 1, 0])
    some = known(calls, done=done)
    late = Condition("activity:CALL", Check.BETWEEN, least=2, within_days=14)
    ever = Condition("activity:CALL", Check.BETWEEN, least=2)
    fading = Condition("activity:CALL", Check.BETWEEN, least=1, half_life_days=14)
    assert scores(Rules((group(rule(10, late)),)), some) == [0, 0, 0]
    assert scores(Rules((group(rule(10, ever)),)), some) == [10, 0, 0]
    assert scores(Rules((group(rule(10, fading)),)), some) == [10, 5, 0]


def test_fit_and_engagement_make_a_matrix() -> None:
    fit = group(rule(40, Condition("source", Check.KNOWN)), cap=40)
    engaged = group(
        rule(20, Condition("company.employees", Check.BETWEEN, least=20), key="b"),
        cap=20,
        dimension=Dimension.ENGAGEMENT,
    )
    judged = judging.judge(Rules((fit, engaged)), known(SOURCE, SIZE))
    assert judged.grades == [Grade.A, Grade.A, Grade.D]
    assert judged.levels == [4, 1, 4]


points = st.integers(-50, 50)
conditions = st.sampled_from(
    [
        Condition("source", Check.KNOWN),
        Condition("source", Check.IS, values=("Web",)),
        Condition("company.employees", Check.BETWEEN, least=20),
        Condition("tags", Check.HAS, values=("hot",)),
    ]
)


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(points, conditions), max_size=4), st.integers(1, 60), st.integers(0, 60)),
        max_size=4,
    )
)
def test_a_score_is_the_sum_of_its_reasons_within_0_and_100(
    made: list[tuple[list[tuple[int, Condition]], int, int]],
) -> None:
    groups = tuple(
        group(*(rule(value, one, key=f"{at}.{n}") for n, (value, one) in enumerate(rules)), cap=cap, floor=floor)
        for at, (rules, cap, floor) in enumerate(made)
    )
    judged = judging.judge(Rules(groups), known(SOURCE, SIZE, TAGS))
    sums = np.sum([*judged.points.values(), np.zeros(3)], axis=0)
    np.testing.assert_allclose(judged.scores, np.clip(np.floor(sums + 0.5), 0, 100))
    for each in groups:
        told = sum(judged.points[one.key] for one in each.rules if one.points)
        assert np.all(told <= each.cap + 1e-9) and np.all(told >= -each.floor - 1e-9)


def test_rules_are_plain_values_and_back() -> None:
    rules = Rules((group(rule(10, Condition("source", Check.IS, values=("Web",), within_days=3.0))),))
    assert Rules.of_json(rules.to_json()) == rules
    with pytest.raises(ValueError, match="9"):
        Rules.of_json(rules.to_json() | {"format": 9})
