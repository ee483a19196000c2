"""What models look at: named columns over many leads, and what in them is no answer at all."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from domain.learning.kinds import PLACEHOLDERS
from domain.learning.kinds import ColumnKind as ColumnKind

Floats: TypeAlias = NDArray[np.float64]

WORD = re.compile(r"[^\W\d_]{3,}")
MOST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Column:
    """One thing known of each lead: `values` are floats of a NUMBER, else a list with an entry for every lead.

    `unrated` has the currencies, by place, of amounts that are unknown for want of an exchange rate.
    """

    key: str
    label: str
    kind: ColumnKind
    values: Any
    unrated: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def taken(self, rows: NDArray[np.intp]) -> "Column":
        """Return the column of some of the leads."""
        values = self.values[rows] if self.kind is ColumnKind.NUMBER else [self.values[row] for row in rows]
        unrated = self.unrated and {
            place: self.unrated[row] for place, row in enumerate(rows.tolist()) if row in self.unrated
        }
        return replace(self, values=values, unrated=unrated)


# So many of the texts that are known have to be numbers, and so many others than each other, to be taken for numbers.
LEAST_NUMBERS = 0.95
LEAST_DIFFERENT = 13
# Texts of so many words on average, half of which no two leads share, are what people wrote.
LEAST_WORDS = 3


Columns: TypeAlias = Mapping[str, Column]


def number(key: str, label: str, values: Iterable[float | None]) -> Column:
    """Return a column of numbers; what is None or not finite is unknown."""
    given = np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    return Column(key, label, ColumnKind.NUMBER, np.where(np.isfinite(given), given, np.nan))


def category(key: str, label: str, values: Iterable[Any]) -> Column:
    """Return a column of categories; placeholders such as "Select" are unknown, and spaces and case do not count."""
    given = list(values)
    # Many leads have the same few.
    known = {value: answered(value) for value in set(given)}
    return Column(key, label, ColumnKind.CATEGORY, [known[value] for value in given])


def several(key: str, label: str, values: Iterable[Iterable[Any] | None]) -> Column:
    """Return a column of sets of categories."""
    return Column(key, label, ColumnKind.SET, [frozenset(filter(None, map(answered, value or ()))) for value in values])


def words(key: str, label: str, values: Iterable[str | None]) -> Column:
    """Return a column of the words that people wrote, of which the first 200 count."""
    return Column(key, label, ColumnKind.WORDS, [_words(value) for value in values])


def of_kind(kind: ColumnKind, key: str, label: str, values: Iterable[Any]) -> Column:
    """Return a column of a kind."""
    match kind:
        case ColumnKind.NUMBER:
            return number(key, label, values)
        case ColumnKind.CATEGORY:
            return category(key, label, values)
        case ColumnKind.SET:
            return several(key, label, values)
        case ColumnKind.WORDS:
            return words(key, label, values)


def answered(value: Any) -> str | None:
    """Return a category as it is compared, or None where it says that nothing is known."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = " ".join(str(value).split())
    return None if text.casefold() in PLACEHOLDERS else text


def told(column: Column) -> Column:
    """Return a column of texts that are numbers as one of numbers, and what people wrote as words; else as it is."""
    if column.kind is not ColumnKind.CATEGORY:
        return column
    known = {value: _number(value) for value in set(column.values) if value is not None}
    if len(known) < LEAST_DIFFERENT:
        return column
    if np.isnan([*known.values()]).mean() <= 1 - LEAST_NUMBERS:
        return Column(column.key, column.label, ColumnKind.NUMBER, numbers(column))
    filled = sum(value is not None for value in column.values)
    if len(known) < filled / 2 or np.mean([len(WORD.findall(value)) for value in known]) < LEAST_WORDS:
        return column
    return Column(column.key, column.label, ColumnKind.WORDS, said(column))


def said(column: Column) -> Sequence[frozenset[str]]:
    """Return what a column says as sets: of options or, where it has texts, of their words."""
    if column.kind is not ColumnKind.CATEGORY:
        values: Sequence[frozenset[str]] = column.values
        return values
    return [_words(value) for value in column.values]


def _words(text: str | None) -> frozenset[str]:
    return frozenset(WORD.findall(text.casefold())[:MOST_WORDS] if text else ())


def numbers(column: Column) -> Floats:
    """Return a column's values as numbers; what is none is unknown."""
    if column.kind is ColumnKind.NUMBER:
        values: Floats = column.values
        return values
    known: dict[Any, float] = {None: np.nan}
    for value in column.values:
        if value not in known:
            known[value] = _number(value)
    return np.fromiter((known[value] for value in column.values), dtype=np.float64, count=len(column.values))


def _number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return np.nan
    return found if np.isfinite(found) else np.nan


def taken(columns: Columns, rows: NDArray[np.intp]) -> dict[str, Column]:
    """Return the columns of some of the leads."""
    return {key: column.taken(rows) for key, column in columns.items()}


def counted(values: Sequence[Any], kind: ColumnKind) -> Counter[str]:
    """Count how many leads have each category, option or word."""
    if kind is ColumnKind.CATEGORY:
        return Counter(value for value in values if value is not None)
    return Counter(item for value in values for item in value)
