"""Learning from outcomes: what each column adds to the odds that a lead is won.

Two kinds of models are tried, a logistic regression and gradient boosting without interactions; the one that foretells
better leads it has not seen is kept. This module brings in scikit-learn, which takes a second and a hundred
megabytes: nothing but the process that trains imports it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from domain.learning import metrics
from domain.learning.additive import Flags, Levels, Linear, Model, Steps, Term, sigmoid
from domain.learning.columns import Column, ColumnKind, Columns, Floats, counted, taken, told
from domain.learning.telling import LEAKING, LEAST_LEADS, SUSPECT, edges_of, least_of, options_of, telling

FOLDS = 5
HELD_OUT = 0.2
# Where all but so few leads say the same, a column has nothing to teach; nor where fewer than LEAST_LEADS differ.
NEAR_CONSTANT = 0.998
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0)
SKEWED = 3.0

Progress = Callable[[float, str], None]


class TooFewOutcomes(Exception):
    """There are too few leads of one end among those that are held out or learned from."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Leads with known ends, oldest first: what was known of them, and who was won (1) or not (0).

    `born` is when, in any unit; those of one instant are in no order that says anything.
    """

    columns: Columns
    won: Floats
    born: Floats | None = None

    def __len__(self) -> int:
        return len(self.won)

    def taken(self, rows: NDArray[np.intp]) -> "Outcomes":
        return Outcomes(taken(self.columns, rows), self.won[rows], None if self.born is None else self.born[rows])


@dataclass(frozen=True, slots=True)
class Dropped:
    """A column that is not learned from, and why, with how well it alone tells ends apart where that is why.

    EMPTY, NO_RATE, CONSTANT, SPARSE, DISTINCT or LEAKING; SUSPECT of one that is learned from all the same.
    """

    key: str
    label: str
    why: str
    auc: float | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """How a model did on leads that it had not seen."""

    leads: int
    won: int
    auc: float
    auc_low: float
    auc_high: float
    brier: float
    # The Brier score of saying the share of won leads for each.
    brier_of_rate: float
    log_loss: float
    top_fifth: float
    calibration: list[metrics.Slice]
    deciles: list[metrics.Decile]


@dataclass(frozen=True, slots=True)
class Rival:
    """The model in use, and which of the outcomes it has not learned from."""

    model: Model
    unseen: NDArray[np.bool_]


class HeldOut(StrEnum):
    """Which leads a model was judged by: the newest, or any, where their order says nothing."""

    NEWEST = "NEWEST"
    RANDOM = "RANDOM"


@dataclass(frozen=True, slots=True)
class Parts:
    """Leads to learn from, and leads that are held out, by their places."""

    before: NDArray[np.intp]
    after: NDArray[np.intp]
    held_out: HeldOut


@dataclass(frozen=True, slots=True)
class Trained:
    """What training came to; `compared` has the mean log loss and AUC of each kind over the folds.

    `rival` is how the model that was to be beaten did on those of the leads held out that it had not learned from
    either, and `against` how this one did on these; both are None where they are too few to tell.
    """

    model: Model
    quality: Quality
    rival: Quality | None
    against: Quality | None
    compared: dict[str, dict[str, float]]
    dropped: list[Dropped]
    suspected: list[Dropped]
    held_out: HeldOut
    leads: int
    won: int


def train(
    outcomes: Outcomes,
    *,
    trusted: frozenset[str] = frozenset(),
    rival: Rival | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Learn from outcomes; the newest fifth is held out to tell how good it is, and learned from in the end.

    Columns that are `trusted` are learned from though they seem to know the outcome. Raises TooFewOutcomes.
    """
    # One thread: beside a server, many that spin for each other take hours for what takes one a minute.
    with threadpool_limits(1):
        return _train(outcomes, trusted, rival, progress or (lambda done, what: None))


def _train(outcomes: Outcomes, trusted: frozenset[str], rival: Rival | None, tell: Progress) -> Trained:
    parts, given = _parts(outcomes), outcomes
    tell(0.02, "looking for columns that know the outcome")
    columns, dropped, suspected = usable(outcomes, trusted)
    outcomes = Outcomes(columns, outcomes.won)
    before, after = outcomes.taken(parts.before), outcomes.taken(parts.after)
    tell(0.1, "comparing kinds of models")
    compared, chosen = _compare(before, lambda done: tell(0.1 + 0.5 * done, "comparing kinds of models"))
    tell(0.6, "foretelling the leads held out")
    young = _calibrated(before, chosen, lambda done: None)
    quality = judge(young, after)
    fair = _fair(given, parts.after, rival)
    against = judge(young, given.taken(fair)) if fair is not None else None
    beaten = judge(rival.model, given.taken(fair)) if rival is not None and fair is not None else None
    tell(0.7, "learning from all leads")
    model = _calibrated(outcomes, chosen, lambda done: tell(0.7 + 0.28 * done, "learning from all leads"))
    tell(1.0, "done")
    return Trained(
        model,
        quality,
        beaten,
        against,
        compared,
        dropped,
        suspected,
        parts.held_out,
        len(outcomes),
        int(outcomes.won.sum()),
    )


def _fair(outcomes: Outcomes, held_out: NDArray[np.intp], rival: Rival | None) -> NDArray[np.intp] | None:
    """Return the leads held out that a rival has not learned from; None where there is none, or they cannot tell."""
    if rival is None:
        return None
    rows = held_out[rival.unseen[held_out]]
    won = outcomes.won[rows]
    return rows if LEAST_LEADS <= won.sum() <= len(won) - LEAST_LEADS else None


def judge(model: Model, outcomes: Outcomes) -> Quality:
    """Return how well a model foretells outcomes; raises TooFewOutcomes where all ended alike."""
    won, count = outcomes.won, len(outcomes)
    predicted = model.probabilities(model.log_odds(outcomes.columns, count))
    area, wins = metrics.auc(won, predicted), int(won.sum())
    top = metrics.top_share(won, predicted)
    if area is None or top is None:
        raise TooFewOutcomes
    interval = metrics.auc_interval(area, wins, count - wins)
    return Quality(
        leads=count,
        won=wins,
        auc=area,
        auc_low=interval.low,
        auc_high=interval.high,
        brier=metrics.brier(won, predicted),
        brier_of_rate=metrics.brier(won, np.full(count, won.mean())),
        log_loss=metrics.log_loss(won, predicted),
        top_fifth=top,
        calibration=metrics.calibration(won, predicted),
        deciles=metrics.deciles(won, predicted),
    )


def _parts(outcomes: Outcomes) -> Parts:
    """Return which leads to hold out: the newest fifth, or more until both ends are among them.

    Any fifth, where all were born at once, as in a file without dates, or where the newest have ended alike.
    """
    won, born = outcomes.won, outcomes.born
    places = np.arange(len(won))
    for share in (HELD_OUT, 0.3, 0.4):
        border = round(len(won) * (1 - share))
        if _can_tell(won[:border]) and _can_tell(won[border:]):
            at_once = born is not None and bool(born[border - 1] == born[-1])
            return Parts(places[:border], places[border:], HeldOut.RANDOM if at_once else HeldOut.NEWEST)
    shuffled = np.random.default_rng(0).permutation(len(won))
    ends = (shuffled[won[shuffled] == end] for end in (0.0, 1.0))
    after = np.sort(np.concatenate([some[: max(round(len(some) * HELD_OUT), LEAST_LEADS)] for some in ends]))
    before = np.setdiff1d(places, after)
    if not (_can_tell(won[before]) and _can_tell(won[after])):
        raise TooFewOutcomes
    return Parts(before, after, HeldOut.RANDOM)


def _can_tell(won: Floats) -> bool:
    """Say whether enough leads of both ends are among these."""
    return bool(LEAST_LEADS <= won.sum() <= len(won) - LEAST_LEADS)


def usable(outcomes: Outcomes, trusted: frozenset[str]) -> tuple[dict[str, Column], list[Dropped], list[Dropped]]:
    """Return the columns worth learning from, the others with the reason, and those of the first to be suspected."""
    kept: dict[str, Column] = {}
    dropped, suspected = list[Dropped](), list[Dropped]()
    for key, given in outcomes.columns.items():
        column = told(given)
        if (why := _useless(column)) is not None:
            dropped.append(Dropped(key, column.label, why))
            continue
        alone = 0.0 if key in trusted else telling(column, outcomes.won)
        if alone >= LEAKING:
            dropped.append(Dropped(key, column.label, "LEAKING", alone))
            continue
        kept[key] = column
        if alone >= SUSPECT:
            suspected.append(Dropped(key, column.label, "SUSPECT", alone))
    return kept, dropped, suspected


def _useless(column: Column) -> str | None:
    count = len(column)
    if column.kind is ColumnKind.NUMBER:
        known = column.values[~np.isnan(column.values)]
        if not len(known):
            return "NO_RATE" if column.unrated else "EMPTY"
        sizes = np.unique(np.nan_to_num(column.values, nan=np.inf), return_counts=True)[1]
        if len(known) < least_of(count) and len(np.unique(known)) > 1:
            return "SPARSE"
        if _is_constant(int(sizes.max(initial=0)), count):
            return "CONSTANT"
        return "DISTINCT" if _counts_leads(known, count) else None
    found = counted(column.values, column.kind)
    if not found:
        return "EMPTY"
    if column.kind is ColumnKind.CATEGORY:
        found[""] = sum(value is None for value in column.values)
        if _is_constant(max(found.values()), count):
            return "CONSTANT"
        return None if max(found.values()) >= least_of(count) else "DISTINCT"
    least = least_of(count)
    varying = [one for one, times in found.items() if least <= times <= count - least]
    return None if varying else "SPARSE"


def _counts_leads(known: Floats, count: int) -> bool:
    """Say whether numbers are those by which leads are told apart, such as an invoice's: whole, and none comes twice.

    A measure of so many leads within such bounds would say the same of some of them.
    """
    if len(known) < NEAR_CONSTANT * count or len(np.unique(known)) < len(known) or np.any(known != np.rint(known)):
        return False
    return bool(np.ptp(known) < len(known) ** 2 / 8)


def _is_constant(most: int, count: int) -> bool:
    return count - most < LEAST_LEADS or most >= NEAR_CONSTANT * count


def _folds(won: Floats) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return list(folds.split(np.zeros(len(won)), won))


Fit: TypeAlias = Callable[[Outcomes], Model]


def _compare(outcomes: Outcomes, tell: Callable[[float], None]) -> tuple[dict[str, dict[str, float]], Fit]:
    """Return how each kind does over the folds, and the one with the lowest log loss."""
    kinds: dict[str, Fit] = {
        **{f"LOGISTIC {strength}": partial(_logistic, strength=strength) for strength in STRENGTHS},
        "BOOSTING": _boosting,
    }
    tried = {}
    for done, (name, fit) in enumerate(kinds.items()):
        foretold = sigmoid(_out_of_fold(outcomes, fit))
        tried[name] = {
            "log_loss": metrics.log_loss(outcomes.won, foretold),
            "auc": metrics.auc(outcomes.won, foretold) or 0.5,
        }
        tell((done + 1) / len(kinds))
    best = min(tried, key=lambda name: tried[name]["log_loss"])
    logistic = min((name for name in tried if name != "BOOSTING"), key=lambda name: tried[name]["log_loss"])
    return {"LOGISTIC": tried[logistic], "BOOSTING": tried["BOOSTING"]}, kinds[best]


def _out_of_fold(outcomes: Outcomes, fit: Fit, tell: Callable[[float], None] | None = None) -> Floats:
    """Return the log-odds of each lead by a model that learned from the other folds."""
    found = np.zeros(len(outcomes))
    for done, (others, these) in enumerate(_folds(outcomes.won)):
        some = taken(outcomes.columns, these)
        found[these] = fit(outcomes.taken(others)).log_odds(some, len(these))
        if tell is not None:
            tell((done + 1) / (FOLDS + 1))
    return found


def _calibrated(outcomes: Outcomes, fit: Fit, tell: Callable[[float], None]) -> Model:
    """Return a model of all outcomes, calibrated on what it says of leads that it has not seen."""
    unseen = _out_of_fold(outcomes, fit, tell)
    scale = LogisticRegression(C=1e6).fit(unseen.reshape(-1, 1), outcomes.won)
    slope, offset = float(scale.coef_[0, 0]), float(scale.intercept_[0])
    if slope <= 0:
        # It ranks no better than chance, and says the share of won leads for each.
        rate = float(outcomes.won.mean())
        slope, offset = 0.0, float(np.log(rate / (1 - rate)))
    model = replace(fit(outcomes), slope=slope, offset=offset)
    foretold = np.sort(model.probabilities(model.log_odds(outcomes.columns, len(outcomes))))
    quantiles = np.quantile(foretold, np.linspace(0, 1, 101))
    return replace(model, quantiles=tuple(map(float, quantiles)))


def _logistic(outcomes: Outcomes, *, strength: float) -> Model:
    """Fit a logistic regression with a ridge penalty; numbers are standardised, categories have an effect each."""
    parts = [_part(column) for column in outcomes.columns.values()]
    design = sparse.hstack([part.design for part in parts], format="csr") if parts else np.zeros((len(outcomes), 1))
    fitted = LogisticRegression(C=strength, max_iter=500).fit(design, outcomes.won)
    weights = fitted.coef_[0]
    terms, at = [], 0
    for part in parts:
        width = part.design.shape[1]
        terms.append(part.term(weights[at : at + width]))
        at += width
    return _centered("LOGISTIC", float(fitted.intercept_[0]), terms, outcomes)


@dataclass(frozen=True, slots=True)
class Part:
    """What a column is to the regression: some columns of its design, and the term that their weights make."""

    design: Any
    term: Callable[[Floats], Term]


def _part(column: Column) -> Part:
    match column.kind:
        case ColumnKind.NUMBER:
            return _number_part(column)
        case ColumnKind.CATEGORY:
            return _category_part(column)
        case _:
            options = options_of(column)
            is_words = column.kind is ColumnKind.WORDS
            rows = [
                (row, at) for at, one in enumerate(options) for row, some in enumerate(column.values) if one in some
            ]
            design = _ones(rows, len(column), len(options))
            return Part(
                design,
                lambda weights: Flags(
                    column.key, column.label, dict(zip(options, map(float, weights), strict=True)), 0.0, is_words
                ),
            )


def _number_part(column: Column) -> Part:
    known = column.values[~np.isnan(column.values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    is_skewed = len(known) > 2 and known.std() > 0 and abs(_skew(known)) > SKEWED
    values = np.sign(column.values) * np.log1p(np.abs(column.values)) if is_skewed else column.values
    center, spread = (float(np.nanmean(values)), float(np.nanstd(values))) if len(known) else (0.0, 0.0)
    spread = spread or 1.0
    unknown = np.isnan(values)
    standard = np.where(unknown, 0.0, (values - center) / spread)
    return Part(
        sparse.csr_matrix(np.column_stack([standard, unknown.astype(np.float64)])),
        lambda weights: Linear(
            column.key,
            column.label,
            slope=float(weights[0]) / spread,
            center=center,
            low=low,
            high=high,
            missing=float(weights[1]),
            log=bool(is_skewed),
        ),
    )


def _skew(values: Floats) -> float:
    return float(np.mean(((values - values.mean()) / values.std()) ** 3))


def _category_part(column: Column) -> Part:
    options = options_of(column)
    codes = {one: code for code, one in enumerate(options)}
    other, missing = len(options), len(options) + 1
    rows = [(row, missing if value is None else codes.get(value, other)) for row, value in enumerate(column.values)]
    return Part(
        _ones(rows, len(column), len(options) + 2),
        lambda weights: Levels(
            column.key,
            column.label,
            dict(zip(options, map(float, weights), strict=False)),
            float(weights[other]),
            float(weights[missing]),
        ),
    )


def _ones(places: Sequence[tuple[int, int]], rows: int, columns: int) -> Any:
    at = np.array(places, dtype=np.intp).reshape(-1, 2)
    return sparse.csr_matrix((np.ones(len(at)), (at[:, 0], at[:, 1])), shape=(rows, columns))


def _boosting(outcomes: Outcomes) -> Model:
    """Fit gradient boosting in which no tree looks at two columns, and read each column's effect off it."""
    codings = [_coding(column) for column in outcomes.columns.values()]
    features = [feature for coding in codings for feature in coding.features]
    if not features:
        rate = float(outcomes.won.mean())
        return Model("BOOSTING", float(np.log(rate / (1 - rate))), ())
    fitted = HistGradientBoostingClassifier(
        learning_rate=0.08,
        max_iter=300,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        l2_regularization=1.0,
        categorical_features=[feature.is_category for feature in features],
        interaction_cst="no_interactions",
        early_stopping=True,
        validation_fraction=0.15,
        n_iter_no_change=15,
        random_state=0,
    ).fit(np.column_stack([feature.codes for feature in features]), outcomes.won)
    effects = _effects(fitted, features)
    nothing = float(fitted.decision_function(np.full((1, len(features)), np.nan))[0])
    terms, at = [], 0
    for coding in codings:
        terms.append(coding.term(effects[at : at + len(coding.features)]))
        at += len(coding.features)
    return _centered("BOOSTING", nothing, terms, outcomes)


@dataclass(frozen=True, slots=True)
class Feature:
    """Whole numbers from 0 to `size` - 1, NaN where unknown, as the trees look at them."""

    codes: Floats
    size: int
    is_category: bool


@dataclass(frozen=True, slots=True)
class Coding:
    """What a column is to the trees, and the term that the effects of its codes make."""

    features: list[Feature]
    term: Callable[[list[Floats]], Term]


def _coding(column: Column) -> Coding:
    match column.kind:
        case ColumnKind.NUMBER:
            edges = edges_of(column.values)
            codes = np.where(np.isnan(column.values), np.nan, np.searchsorted(edges, column.values, side="right"))
            return Coding(
                [Feature(codes, len(edges) + 1, False)],
                lambda effects: Steps(
                    column.key, column.label, tuple(map(float, edges)), tuple(map(float, effects[0])), 0.0
                ),
            )
        case ColumnKind.CATEGORY:
            options = options_of(column)
            known = {one: code for code, one in enumerate(options)}
            given = (np.nan if value is None else known.get(value, len(options)) for value in column.values)
            return Coding(
                [Feature(np.fromiter(given, dtype=np.float64, count=len(column)), len(options) + 1, True)],
                lambda effects: Levels(
                    column.key,
                    column.label,
                    dict(zip(options, map(float, effects[0]), strict=False)),
                    float(effects[0][-1]),
                    0.0,
                ),
            )
        case _:
            options = options_of(column)
            flags = [np.array([one in some for some in column.values], dtype=np.float64) for one in options]
            return Coding(
                [Feature(flag, 2, False) for flag in flags],
                lambda effects: Flags(
                    column.key,
                    column.label,
                    {one: float(effect[1] - effect[0]) for one, effect in zip(options, effects, strict=True)},
                    sum(float(effect[0]) for effect in effects),
                    column.kind is ColumnKind.WORDS,
                ),
            )


def _effects(fitted: Any, features: Sequence[Feature]) -> list[Floats]:
    """Return what each code of each feature adds, against the feature being unknown: exact, as trees do not mix."""
    rows = np.full((1 + sum(feature.size for feature in features), len(features)), np.nan)
    at = 1
    for number, feature in enumerate(features):
        rows[at : at + feature.size, number] = np.arange(feature.size)
        at += feature.size
    told = fitted.decision_function(rows)
    effects, at = [], 1
    for feature in features:
        effects.append(told[at : at + feature.size] - told[0])
        at += feature.size
    return effects


def _centered(kind: str, intercept: float, terms: Sequence[Term], outcomes: Outcomes) -> Model:
    """Return the model with each term's mean over these leads moved into the intercept."""
    count, centered = len(outcomes), []
    for term in terms:
        mean = float(term.effects(outcomes.columns[term.key], count).mean())
        intercept += mean
        centered.append(term.moved(-mean))
    return Model(kind, intercept, tuple(centered))
