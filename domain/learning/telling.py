"""How well one column alone tells outcomes apart: what tells them too well was written with them."""

import numpy as np
from numpy.typing import NDArray

from domain.learning import metrics
from domain.learning.columns import Column, ColumnKind, Floats, counted

FOLDS = 5
# A category, option or word that fewer leads have is not told apart from other rare ones.
LEAST_LEADS = 10
LEAST_SHARE = 0.002
MOST_LEVELS = 60
MOST_WORDS = 40
LEAST_WORD_SHARE = 0.01
# A column that alone tells outcomes apart so well knows them: it was written with the outcome or after it.
LEAKING = 0.95
# One that tells so much is learned from, and named: somebody who knows how it is filled in has to decide.
SUSPECT = 0.8
MOST_BINS = 32


def least_of(count: int, share: float = LEAST_SHARE) -> int:
    return max(LEAST_LEADS, round(count * share))


def telling(column: Column, won: Floats) -> float:
    """Return the AUC that a column has by itself, each lead foretold from the other folds' win rates."""
    slices = _slices(column)
    scores = np.zeros(len(won))
    for others, these in _folds(won):
        rate = won[others].mean()
        prior = np.log(rate / (1 - rate))
        for codes in slices:
            size = codes.max() + 1
            wins = np.bincount(codes[others], weights=won[others], minlength=size)
            counts = np.bincount(codes[others], minlength=size)
            share = (wins + rate) / (counts + 1)
            scores[these] += (np.log(share / (1 - share)) - prior)[codes[these]]
    return metrics.auc(won, scores) or 0.5


def _slices(column: Column) -> list[NDArray[np.intp]]:
    """Return a column as codes: one array, or one for each option and word."""
    match column.kind:
        case ColumnKind.NUMBER:
            edges = edges_of(column.values)
            return [np.where(np.isnan(column.values), len(edges) + 1, np.searchsorted(edges, column.values, "right"))]
        case ColumnKind.CATEGORY:
            levels = {value: code for code, value in enumerate(dict.fromkeys(column.values))}
            return [np.array([levels[value] for value in column.values], dtype=np.intp)]
        case _:
            return [np.array([one in some for some in column.values], dtype=np.intp) for one in options_of(column)]


def edges_of(values: Floats) -> Floats:
    """Return the borders of at most MOST_BINS bins with about as many known numbers each."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.array([])
    edges = np.unique(np.quantile(known, np.linspace(0, 1, MOST_BINS + 1)[1:-1], method="inverted_cdf"))
    return np.asarray(edges[edges > known.min()])


def options_of(column: Column) -> list[str]:
    """Return the categories, options or words that enough leads have, the most frequent first."""
    count = len(column)
    is_words = column.kind is ColumnKind.WORDS
    least = least_of(count, LEAST_WORD_SHARE if is_words else LEAST_SHARE)
    most = MOST_WORDS if is_words else MOST_LEVELS
    found = sorted(counted(column.values, column.kind).items(), key=lambda item: (-item[1], item[0]))
    if column.kind is not ColumnKind.CATEGORY:
        found = [(one, times) for one, times in found if times <= count - least]
    return [one for one, times in found[:most] if times >= least]


def _folds(won: Floats) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return folds in which each end has its share, the same for the same leads."""
    places = np.arange(len(won))
    fold = np.zeros(len(won), dtype=np.intp)
    for end in (0.0, 1.0):
        some = places[won == end]
        fold[np.random.default_rng(0).permutation(some)] = np.arange(len(some)) % FOLDS
    return [(places[fold != one], places[fold == one]) for one in range(FOLDS)]
