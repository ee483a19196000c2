"""Learned models: what was planted is found, what knows the outcome is not believed, and all of it adds up."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from domain.learning import additive, columns, metrics, telling, training
from domain.learning.additive import Flags, Levels, Linear, Model, Steps
from domain.learning.columns import Column
from domain.learning.training import Outcomes, Rival, TooFewOutcomes
from domain.scoring.lessons import joined


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


SOURCES = {"Web": 0.3, "Referral": 1.2, "Cold": -0.8, None: 0.0}


def planted(count: int = 3000, *, seed: int = 1) -> tuple[Outcomes, columns.Floats]:
    """Return leads whose odds follow from their size and source, and from nothing else; with their true log-odds."""
    random = np.random.default_rng(seed)
    size = random.normal(50, 20, count)
    source = random.choice(np.array([*SOURCES], dtype=object), count, p=[0.4, 0.2, 0.3, 0.1])
    truth = -1 + 0.05 * (size - 50) + np.array([SOURCES[one] for one in source])
    won = (random.random(count) < additive.sigmoid(truth)).astype(np.float64)
    noise = random.choice(["red", "green", "blue"], count)
    made = [
        columns.number("size", "Company size", size),
        columns.category("source", "Source", ["Select" if one is None else one for one in source]),
        columns.category("noise", "Colour", noise),
    ]
    return Outcomes({column.key: column for column in made}, won), truth


def beside(outcomes: Outcomes, *more: Column) -> Outcomes:
    return Outcomes({**outcomes.columns, **{column.key: column for column in more}}, outcomes.won)


def test_planted_effects_are_found() -> None:
    outcomes, truth = planted()
    trained = training.train(outcomes)
    size, source, noise = trained.model.terms
    assert isinstance(size, Linear) and isinstance(source, Levels) and isinstance(noise, Levels)
    assert size.slope == pytest.approx(0.05, abs=0.01)
    assert source.values["Referral"] - source.values["Cold"] == pytest.approx(2.0, abs=0.4)
    assert source.missing - source.values["Cold"] == pytest.approx(0.8, abs=0.4)
    assert max(map(abs, noise.values.values())) < 0.2
    foretold = trained.model.probabilities(trained.model.log_odds(outcomes.columns, len(outcomes)))
    assert float(np.abs(foretold - additive.sigmoid(truth)).mean()) < 0.03
    best = metrics.auc(outcomes.won, truth)
    assert best and trained.quality.auc == pytest.approx(best, abs=0.05)
    assert trained.quality.brier < trained.quality.brier_of_rate


@pytest.mark.parametrize(
    "fit", [lambda some: training._logistic(some, strength=0.3), training._boosting], ids=["logistic", "boosting"]
)
def test_contributions_add_up_to_what_the_model_says(fit: Any) -> None:
    outcomes, _ = planted(1500)
    random = np.random.default_rng(3)
    outcomes = beside(
        outcomes,
        columns.several("tags", "Tags", [["a", "b", "c"][: random.integers(0, 4)] for _ in outcomes.won]),
        columns.words("note", "Note", ["budget approved" if one else "no time" for one in random.random(1500) < 0.3]),
        columns.number("gaps", "Gaps", [None if one < 0.3 else one for one in random.random(1500)]),
    )
    model = fit(outcomes)
    effects = model.effects(outcomes.columns, len(outcomes))
    total = model.intercept + sum(effects.values())
    np.testing.assert_allclose(total, model.log_odds(outcomes.columns, len(outcomes)))
    for term, values in effects.items():
        assert values.mean() == pytest.approx(0, abs=1e-9), term


def test_the_effects_read_off_the_trees_are_the_trees_own() -> None:
    outcomes, _ = planted(1500)
    seen: dict[str, Any] = {}

    class Kept(HistGradientBoostingClassifier):  # type: ignore[misc]
        def fit(self, design: Any, won: Any) -> Any:
            seen["fitted"], seen["design"] = self, design
            return super().fit(design, won)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "HistGradientBoostingClassifier", Kept)
        model = training._boosting(outcomes)
    np.testing.assert_allclose(
        model.log_odds(outcomes.columns, len(outcomes)), seen["fitted"].decision_function(seen["design"]), atol=1e-6
    )


def test_a_column_that_knows_the_outcome_is_not_learned_from_unless_it_is_trusted() -> None:
    outcomes, _ = planted(1500)
    leak = columns.category("reason", "Close reason", ["done" if one else "gone" for one in outcomes.won])
    filled = columns.number("paid", "Paid", [100.0 if one else None for one in outcomes.won])
    kept, dropped, suspected = training.usable(beside(outcomes, leak, filled), frozenset())
    assert {one.key: one.why for one in dropped} == {"reason": "LEAKING", "paid": "LEAKING"}
    assert [*kept] == ["size", "source", "noise"] and not suspected
    kept, dropped, suspected = training.usable(beside(outcomes, leak), frozenset({"reason"}))
    assert "reason" in kept and not dropped and not suspected


def test_a_column_that_tells_much_alone_is_learned_from_and_named() -> None:
    outcomes, _ = planted(1500)
    random = np.random.default_rng(4)
    said = np.where(random.random(1500) < 0.85, outcomes.won, 1 - outcomes.won)
    quality = columns.category("quality", "Lead quality", ["High" if one else "Worst" for one in said])
    # One way of coming in that nearly always ends well is no reason for suspicion: it says nothing of other leads.
    form = columns.category(
        "origin",
        "Origin",
        ["Form" if won and one < 0.15 else "API" for won, one in zip(outcomes.won, random.random(1500), strict=True)],
    )
    kept, dropped, suspected = training.usable(beside(outcomes, quality, form), frozenset())
    assert {"quality", "origin"} <= kept.keys() and not dropped
    [one] = suspected
    assert (one.key, one.why) == ("quality", "SUSPECT") and one.auc and 0.8 <= one.auc < 0.95
    assert not training.usable(beside(outcomes, quality), frozenset({"quality"}))[2]


def test_columns_that_teach_nothing_are_dropped() -> None:
    outcomes, _ = planted(1500)
    same = columns.category("same", "Same", ["x"] * 1500)
    nearly = columns.category("nearly", "Nearly", ["y"] + ["x"] * 1499)
    empty = columns.number("empty", "Empty", [None] * 1500)
    sparse = columns.number("sparse", "Sparse", [1.0, 2.0, 3.0] + [None] * 1497)
    unsaid = columns.category("unsaid", "Unsaid", ["Select", None, " n/a "] * 500)
    names = columns.category("names", "Names", [f"name {number}" for number in range(1500)])
    counted = columns.number("counted", "Counted", [660_000 - 9 * number for number in range(1500)])
    prices = columns.number("prices", "Prices", [10_000_000.0 + 70_001 * number for number in range(1500)])
    given = (same, nearly, empty, sparse, unsaid, names, counted, prices)
    _, dropped, _ = training.usable(beside(outcomes, *given), frozenset())
    assert {one.key: one.why for one in dropped} == {
        "same": "CONSTANT",
        "nearly": "CONSTANT",
        "empty": "EMPTY",
        "sparse": "SPARSE",
        "unsaid": "EMPTY",
        "names": "DISTINCT",
        "counted": "DISTINCT",
    }


def test_ten_thousand_categories_are_a_few_and_the_others() -> None:
    outcomes, _ = planted()
    random = np.random.default_rng(5)
    many = columns.category("city", "City", [f"City {one}" for one in random.integers(0, 10_000, 3000)])
    model = training._logistic(beside(outcomes, many), strength=0.1)
    city = model.terms[-1]
    assert isinstance(city, Levels) and len(city.values) <= telling.MOST_LEVELS
    assert len(model.to_json()["terms"][-1]["values"]) <= telling.MOST_LEVELS


@pytest.mark.parametrize("fit", [lambda some: training._logistic(some, strength=0.3), training._boosting])
def test_numbers_that_are_written_as_texts_are_numbers(fit: Any) -> None:
    outcomes, _ = planted(1500)
    sizes = [None if number % 7 == 0 else round(one, 2) for number, one in enumerate(outcomes.columns["size"].values)]
    texts = columns.category("size", "Size", ["Select" if one is None else str(one) for one in sizes])
    numbers = columns.number("size", "Size", sizes)
    kept, _, _ = training.usable(Outcomes({"size": texts}, outcomes.won), frozenset())
    model = fit(Outcomes(kept, outcomes.won))
    assert model == fit(Outcomes({"size": numbers}, outcomes.won))
    np.testing.assert_array_equal(model.log_odds({"size": texts}, 1500), model.log_odds({"size": numbers}, 1500))
    [term] = model.terms
    told = [term.words(value) for value in additive.had(term, texts, 1500)]
    assert told[:2] == ["Size is unknown", f"Size is {sizes[1]:.2f}"]
    few = columns.category("class", "Class", [str(number % 5) for number in range(1500)])
    assert columns.told(few) is few


def test_amounts_without_an_exchange_rate_are_not_called_empty() -> None:
    outcomes, _ = planted(100)
    value = replace(columns.number("value", "Value", [None] * 100), unrated={3: "INR", 70: "CHF"})
    parts = [value.taken(np.arange(50)), value.taken(np.arange(99, 49, -1))]
    assert joined(parts).unrated == {3: "INR", 79: "CHF"}
    _, dropped, _ = training.usable(beside(outcomes, value, columns.number("age", "Age", [None] * 100)), frozenset())
    assert [(one.key, one.why) for one in dropped] == [("value", "NO_RATE"), ("age", "EMPTY")]


@pytest.mark.parametrize("fit", [lambda some: training._logistic(some, strength=0.3), training._boosting])
def test_texts_that_people_wrote_are_learned_from_by_their_words(fit: Any) -> None:
    random = np.random.default_rng(6)
    won = (random.random(1500) < 0.4).astype(np.float64)
    hints = np.where(random.random(1500) < 0.8, won, 1 - won)
    notes = [
        None if number % 9 == 0 else f"Caller {number}xyz has {'budget approved' if one else 'no time'} ref {number}"
        for number, one in enumerate(hints)
    ]
    texts = columns.category("note", "Note", notes)
    kept, dropped, _ = training.usable(Outcomes({"note": texts}, won), frozenset())
    assert not dropped and kept["note"] == columns.words("note", "Note", notes)
    model = fit(Outcomes(kept, won))
    area = metrics.auc(won, model.log_odds({"note": texts}, 1500))
    assert area and area > 0.7
    np.testing.assert_array_equal(model.log_odds({"note": texts}, 1500), model.log_odds(kept, 1500))
    [term] = model.terms
    told = [term.words(value) for value in additive.had(term, texts, 1500)]
    assert told[0] == "Note says nothing that matters" and "mentions" in told[1]
    names = columns.category("name", "Name", [f"Ann Lee{number}" for number in range(1500)])
    assert columns.told(names) is names


def test_columns_that_are_called_by_a_question_are_told_with_its_answer() -> None:
    term = Levels("job", "What is your current occupation", {"Student": 1.0}, other=0.0, missing=0.0)
    assert term.words("Student") == "What is your current occupation: Student"
    assert Levels("how", "How did you hear?", {}, 0.0, 0.0).words(None) == "How did you hear? unknown"
    assert Levels("source_kind", "Kind of source", {}, 0.0, 0.0).words("TRADE_SHOW") == "Kind of source is trade show"


def test_leads_of_one_instant_are_judged_by_any_of_them_and_the_newest_by_their_time() -> None:
    outcomes, _ = planted(1500)
    at_once = replace(outcomes, born=np.zeros(1500))
    in_turn = replace(outcomes, born=np.arange(1500.0))
    imported_before = replace(outcomes, born=np.where(np.arange(1500) < 1200, 0.0, np.arange(1500.0)))
    assert [training._parts(one).held_out for one in (at_once, in_turn, imported_before)] == [
        "RANDOM",
        "NEWEST",
        "NEWEST",
    ]
    # The newest have all been lost, since wins take longer: nothing could be told by them.
    order = np.argsort(-outcomes.won, kind="stable")
    parts = training._parts(replace(outcomes.taken(order), born=np.arange(1500.0)))
    assert parts.held_out == "RANDOM" and len(parts.after) == pytest.approx(300, abs=2)
    assert outcomes.won[order][parts.after].mean() == pytest.approx(outcomes.won.mean(), abs=0.01)
    assert not set(parts.before) & set(parts.after)


def test_outcomes_of_one_kind_teach_nothing() -> None:
    outcomes, _ = planted(500)
    with pytest.raises(TooFewOutcomes):
        training.train(Outcomes(outcomes.columns, np.ones(500)))


def test_a_model_without_signal_says_the_rate_for_each() -> None:
    random = np.random.default_rng(11)
    won = (random.random(1200) < 0.3).astype(np.float64)
    noise = columns.number("noise", "Noise", random.normal(size=1200))
    trained = training.train(Outcomes({"noise": noise}, won))
    foretold = trained.model.probabilities(trained.model.log_odds({"noise": noise}, 1200))
    assert float(foretold.std()) < 0.05
    assert trained.quality.auc_low < 0.5 < trained.quality.auc_high


def test_training_twice_gives_the_same() -> None:
    outcomes, _ = planted(1200)
    assert training.train(outcomes).model == training.train(outcomes).model


def test_a_model_is_plain_values_and_back() -> None:
    outcomes, _ = planted(1200)
    for model in (training._logistic(outcomes, strength=0.1), training._boosting(outcomes)):
        assert Model.of_json(model.to_json()) == model
    with pytest.raises(ValueError, match="2"):
        Model.of_json(model.to_json() | {"format": 2})


def test_a_column_that_is_gone_counts_as_unknown() -> None:
    model = Model(
        "LOGISTIC",
        -1.0,
        (
            Linear("size", "Size", 0.1, 50, 0, 100, missing=-0.5),
            Steps("age", "Age", (10.0,), (0.2, 0.4), missing=-0.1),
            Levels("source", "Source", {"Web": 1.0}, other=0.3, missing=-0.2),
            Flags("tags", "Tags", {"hot": 2.0}, base=-0.4),
        ),
    )
    assert model.log_odds({}, 2).tolist() == pytest.approx([-2.2, -2.2])
    told = [term.words(additive.had(term, None, 1)[0]) for term in model.terms]
    assert told == ["Size is unknown", "Age is unknown", "Source is unknown", "Tags says nothing that matters"]


def test_scores_say_how_many_are_less_promising() -> None:
    model = Model("LOGISTIC", 0.0, (), quantiles=tuple(np.linspace(0.1, 0.6, 101)))
    assert model.scores(np.array([0.0, 0.1, 0.35, 0.6, 0.9])).tolist() == [0, 0, 50, 100, 100]
    flat = Model("LOGISTIC", 0.0, (), quantiles=(0.3,) * 101)
    assert flat.scores(np.array([0.3])).tolist() == [50]


OUTCOMES = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=60)


@given(OUTCOMES)
def test_auc_is_the_share_of_pairs_in_order(pairs: list[tuple[bool, int]]) -> None:
    won = np.array([float(one) for one, _ in pairs])
    scores = np.array([float(one) for _, one in pairs])
    wins, losses = scores[won > 0], scores[won == 0]
    found = metrics.auc(won, scores)
    if not len(wins) or not len(losses):
        assert found is None
        return
    pairwise = np.mean([(win > loss) + 0.5 * (win == loss) for win in wins for loss in losses])
    assert found == pytest.approx(float(pairwise))


@given(OUTCOMES, st.randoms())
def test_the_order_of_the_leads_changes_no_figure(pairs: list[tuple[bool, int]], random: Any) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)

    def figures(some: list[tuple[bool, int]]) -> Any:
        won, scores = (np.array([float(pair[at]) for pair in some]) for at in (0, 1))
        lifts = [one.lift for one in metrics.deciles(won, scores)]
        return lifts, metrics.top_share(won, scores) or 0.0

    assert figures(pairs)[0] == pytest.approx(figures(shuffled)[0])
    assert figures(pairs)[1] == pytest.approx(figures(shuffled)[1])


def test_distributions_that_are_alike_are_stable() -> None:
    assert metrics.stability([1, 2, 3], [10, 20, 30]) == pytest.approx(0)
    assert metrics.stability([50, 50], [90, 10]) > 0.25
    assert metrics.stability([1, 0], [0, 1]) < 20


def test_a_rival_is_judged_on_leads_that_it_has_not_learned_from() -> None:
    outcomes, _ = planted(1500)
    older = training.train(outcomes.taken(np.arange(1200))).model
    seen = np.arange(1500) < 1400
    trained = training.train(outcomes, rival=Rival(older, ~seen))
    assert trained.rival and trained.against
    assert (trained.rival.leads, trained.against.leads, trained.quality.leads) == (100, 100, 300)
    trained = training.train(outcomes, rival=Rival(older, np.zeros(1500, dtype=np.bool_)))
    assert trained.rival is None and trained.against is None
