"""Models that add up: a contribution of every column, in log-odds, whose sum is what the model says.

Both kinds that are learned become this one form, of plain numbers: it is kept as JSON, scores many leads at once, and
its contributions are exact, since no column changes what another one adds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from domain.learning.columns import Column, Columns, Floats, numbers, said
from domain.learning.kinds import FORMAT

# Beyond these odds, one in ten thousand, a probability says more than leads can teach: none is an outcome.
MOST_LOG_ODDS = 9.2
QUESTIONS = ("what ", "how ", "why ", "when ", "where ", "which ", "who ", "do ", "does ", "is ", "are ", "i ")


@dataclass(frozen=True, slots=True)
class Linear:
    """A number's effect is a straight line, `base` at the `center`, that stays as it is beyond `low` and `high`.

    With `log` the line is over sign(x) log(1 + |x|). `missing` is the effect of an unknown number.
    """

    key: str
    label: str
    slope: float
    center: float
    low: float
    high: float
    missing: float
    base: float = 0.0
    log: bool = False

    def effects(self, column: Column | None, count: int) -> Floats:
        if column is None:
            return np.full(count, self.missing)
        values = np.clip(numbers(column), self.low, self.high)
        given = self.base + self.slope * ((_log(values) if self.log else values) - self.center)
        return np.where(np.isnan(values), self.missing, given)

    def moved(self, by: float) -> "Linear":
        return replace(self, base=self.base + by, missing=self.missing + by)

    def words(self, value: Any) -> str:
        return _told(self.label, _figure(value))


@dataclass(frozen=True, slots=True)
class Steps:
    """A number's effect is `values[i]` below `edges[i]`, and the last of the values from the last edge on."""

    key: str
    label: str
    edges: tuple[float, ...]
    values: tuple[float, ...]
    missing: float

    def effects(self, column: Column | None, count: int) -> Floats:
        if column is None:
            return np.full(count, self.missing)
        values = numbers(column)
        where = np.searchsorted(np.asarray(self.edges), values, side="right")
        # What is unknown sorts behind the last edge.
        return np.where(np.isnan(values), self.missing, np.asarray(self.values)[where])

    def moved(self, by: float) -> "Steps":
        return replace(self, values=tuple(value + by for value in self.values), missing=self.missing + by)

    def words(self, value: Any) -> str:
        return _told(self.label, _figure(value))


@dataclass(frozen=True, slots=True)
class Levels:
    """Each category's effect; `other` is that of those too rare to be told apart, `missing` of none."""

    key: str
    label: str
    values: Mapping[str, float]
    other: float
    missing: float

    def effects(self, column: Column | None, count: int) -> Floats:
        if column is None:
            return np.full(count, self.missing)
        values, other, missing = self.values, self.other, self.missing
        return np.array([missing if one is None else values.get(one, other) for one in column.values], dtype=np.float64)

    def moved(self, by: float) -> "Levels":
        values = {one: value + by for one, value in self.values.items()}
        return replace(self, values=values, other=self.other + by, missing=self.missing + by)

    def words(self, value: Any) -> str:
        # Kinds are kept as choices of the API are written: TRADE_SHOW.
        is_choice = value is not None and self.key.endswith("_kind")
        return _told(self.label, value.replace("_", " ").lower() if is_choice else value)


@dataclass(frozen=True, slots=True)
class Flags:
    """The effect of each option or word, where it is there, beside `base`."""

    key: str
    label: str
    values: Mapping[str, float]
    base: float
    of_words: bool = False

    def effects(self, column: Column | None, count: int) -> Floats:
        if column is None:
            return np.full(count, self.base)
        values = self.values
        found = (sum(values[one] for one in some if one in values) for some in said(column))
        return np.fromiter(found, dtype=np.float64, count=count) + self.base

    def moved(self, by: float) -> "Flags":
        return replace(self, base=self.base + by)

    def words(self, value: Any) -> str:
        told = sorted((one for one in value if one in self.values), key=lambda one: -abs(self.values[one]))[:3]
        if not told:
            return f"{self.label} says nothing that matters"
        return f"{self.label} {'mentions' if self.of_words else 'has'} {', '.join(told)}"


Term: TypeAlias = Linear | Steps | Levels | Flags
TERMS: dict[str, type[Any]] = {"linear": Linear, "steps": Steps, "levels": Levels, "flags": Flags}
NAMES = {term: name for name, term in TERMS.items()}


@dataclass(frozen=True, slots=True)
class Model:
    """Terms and an intercept; effects are about the mean lead that it learned from.

    `slope` and `offset` turn log-odds into calibrated ones (Platt 1999); `quantiles` are the probabilities of the leads
    it learned from, at each hundredth, by which a score from 0 to 100 says how many of them a lead surpasses.
    """

    kind: str
    intercept: float
    terms: tuple[Term, ...]
    slope: float = 1.0
    offset: float = 0.0
    quantiles: tuple[float, ...] = field(default=())

    def effects(self, columns: Columns, count: int) -> dict[str, Floats]:
        """Return what each term adds for each lead, in log-odds before calibration."""
        return {term.key: term.effects(columns.get(term.key), count) for term in self.terms}

    def log_odds(self, columns: Columns, count: int) -> Floats:
        """Return the intercept and all effects, summed."""
        return np.asarray(sum(self.effects(columns, count).values(), np.full(count, self.intercept)))

    def probabilities(self, log_odds: Floats) -> Floats:
        """Return calibrated probabilities to win."""
        return sigmoid(self.slope * log_odds + self.offset)

    def scores(self, probabilities: Floats) -> Floats:
        """Return scores, 0 to 100: of a hundred leads that the model learned from, how many are less promising."""
        if not self.quantiles:
            return np.rint(probabilities * 100)
        edges = np.asarray(self.quantiles)
        below = np.searchsorted(edges, probabilities, side="left")
        upto = np.searchsorted(edges, probabilities, side="right")
        return np.clip(np.rint(((below + upto) / 2 - 0.5) / (len(edges) - 1) * 100), 0, 100)

    def to_json(self) -> dict[str, Any]:
        """Return the model as plain values."""
        return {
            "format": FORMAT,
            "kind": self.kind,
            "intercept": self.intercept,
            "slope": self.slope,
            "offset": self.offset,
            "quantiles": list(self.quantiles),
            "terms": [
                {"is": NAMES[type(term)]} | {name: _plain(getattr(term, name)) for name in term.__dataclass_fields__}
                for term in self.terms
            ],
        }

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> "Model":
        """Return a model from its plain values; raises KeyError, TypeError or ValueError where they are none."""
        if data["format"] != FORMAT:
            raise ValueError(data["format"])
        return cls(
            kind=str(data["kind"]),
            intercept=float(data["intercept"]),
            terms=tuple(_term(term) for term in data["terms"]),
            slope=float(data["slope"]),
            offset=float(data["offset"]),
            quantiles=tuple(map(float, data["quantiles"])),
        )


def sigmoid(log_odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(log_odds, -MOST_LOG_ODDS, MOST_LOG_ODDS))))


def _term(data: Mapping[str, Any]) -> Term:
    facts = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items() if name != "is"}
    term: Term = TERMS[data["is"]](**facts)
    return term


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: float(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [float(one) for one in value]
    return float(value) if isinstance(value, np.floating) else value


def _log(values: Floats) -> Floats:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _told(label: str, value: str | None) -> str:
    """Say what a field says; imported columns may be called by the whole question that was asked."""
    answer = "unknown" if value is None else value
    if label.endswith("?"):
        return f"{label} {answer}"
    return f"{label}: {answer}" if label.casefold().startswith(QUESTIONS) else f"{label} is {answer}"


def _figure(value: float | str | None) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return f"unknown: no exchange rate for {value}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:,.2f}"


def had(term: Term, column: Column | None, count: int) -> Sequence[Any]:
    """Return what leads have of a term's column, as `words` takes it; None where that is unknown.

    Amounts that are unknown for want of an exchange rate are their currency.
    """
    match term:
        case Flags():
            return [frozenset()] * count if column is None else said(column)
        case _ if column is None:
            return [None] * count
        case Levels():
            levels: Sequence[Any] = column.values
            return levels
        case _:
            values: list[Any] = [None if value != value else value for value in numbers(column).tolist()]
            for place, currency in column.unrated.items():
                values[place] = currency
            return values
