"""How good predictions are: figures that need no library, with the sources of their formulas."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from domain.learning.columns import Floats

DECILES = 10
# The quantile of the normal distribution for intervals of 95 percent.
Z = 1.959964


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Slice:
    """Leads of which alike was foretold: how many, what was foretold on average, and what share was won."""

    leads: int
    predicted: float
    won: float


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the leads, the most promising first; `lift` is its win rate against that of all."""

    leads: int
    won: int
    win_rate: float
    lift: float


def floats(values: Iterable[float]) -> Floats:
    return np.fromiter(values, dtype=np.float64)


def ranks(scores: Floats) -> Floats:
    """Return each score's rank from 1, ties sharing the mean of theirs."""
    _, where, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[where], dtype=np.float64)


def auc(won: Floats, scores: Floats) -> float | None:
    """Return how often a won lead ranks above a lost one, ties half (Mann-Whitney); None without both."""
    wins = float(won.sum())
    losses = len(won) - wins
    if not wins or not losses:
        return None
    return float((ranks(scores)[won > 0].sum() - wins * (wins + 1) / 2) / (wins * losses))


def auc_interval(value: float, wins: int, losses: int) -> Interval:
    """Return the 95 percent interval of an AUC, after Hanley and McNeil (Radiology 143, 1982)."""
    q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
    spread = value * (1 - value) + (wins - 1) * (q1 - value**2) + (losses - 1) * (q2 - value**2)
    error = Z * sqrt(max(spread, 0) / (wins * losses))
    return Interval(max(value - error, 0.0), min(value + error, 1.0))


def brier(won: Floats, predicted: Floats) -> float:
    """Return the mean squared difference of probability and outcome (Brier 1950): 0 is perfect."""
    return float(np.mean((predicted - won) ** 2))


def log_loss(won: Floats, predicted: Floats) -> float:
    """Return the mean negative log-likelihood, in nats."""
    safe = np.clip(predicted, 1e-9, 1 - 1e-9)
    return float(-np.mean(won * np.log(safe) + (1 - won) * np.log1p(-safe)))


def calibration(won: Floats, predicted: Floats, slices: int = DECILES) -> list[Slice]:
    """Return what was foretold and what came, for as many slices of equal size, the lowest first."""
    order = np.argsort(predicted, kind="stable")
    return [
        Slice(len(some), float(predicted[some].mean()), float(won[some].mean()))
        for some in np.array_split(order, min(slices, len(order)))
        if len(some)
    ]


def deciles(won: Floats, scores: Floats) -> list[Decile]:
    """Return the tenths of the leads, the highest scores first; ties stand in the order of their outcome's mean."""
    # Within a tie every lead counts as the mean of the tie, so that no order of the input flatters.
    _, where = np.unique(scores, return_inverse=True)
    expected = (np.bincount(where, weights=won) / np.bincount(where))[where]
    order = np.argsort(-scores, kind="stable")
    rate = float(won.mean()) if len(won) else 0.0
    found = []
    for some in np.array_split(order, min(DECILES, len(order))):
        share = float(expected[some].mean())
        found.append(Decile(len(some), round(share * len(some)), share, share / rate if rate else 0.0))
    return found


def top_share(won: Floats, scores: Floats, *, share: float = 0.2) -> float | None:
    """Return what share of the won leads stands in the top share of all; ties count in part. None without wins."""
    wins = float(won.sum())
    if not wins:
        return None
    _, where = np.unique(scores, return_inverse=True)
    expected = (np.bincount(where, weights=won) / np.bincount(where))[where]
    order = np.argsort(-scores, kind="stable")
    return float(expected[order[: max(round(len(order) * share), 1)]].sum() / wins)


def stability(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the population stability index of two distributions over the same slices.

    Under 0.1 they are alike, from 0.25 they differ much (Siddiqi, Credit Risk Scorecards, 2006).
    """
    first, second = (np.clip(np.asarray(some, dtype=np.float64), 1e-4, None) for some in (before, after))
    first, second = first / first.sum(), second / second.sum()
    return float(np.sum((second - first) * np.log(second / first)))
