"""How far leads have moved from those that a model learned from: a distribution of each column, and its stability."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from domain.learning import metrics
from domain.learning.columns import Column, Columns, counted
from domain.learning.kinds import ColumnKind

SLICES = 10
MOST_LEVELS = 20


def reference(columns: Columns) -> dict[str, Any]:
    """Return the distribution of each column as plain values."""
    return {key: _reference(column) for key, column in columns.items() if len(column)}


def measured(reference: Mapping[str, Any], columns: Columns) -> dict[str, float]:
    """Return the stability index of each column against its reference; a column that is gone counts as unknown."""
    return {
        key: metrics.stability(known["shares"], _shares(known, columns[key]))
        for key, known in reference.items()
        if key in columns and len(columns[key])
    }


def _reference(column: Column) -> dict[str, Any]:
    if column.kind is ColumnKind.NUMBER:
        found = column.values[~np.isnan(column.values)]
        edges = np.unique(np.quantile(found, np.linspace(0, 1, SLICES + 1)[1:-1])) if len(found) else np.array([])
        known: dict[str, Any] = {"edges": [float(edge) for edge in edges]}
    else:
        levels = sorted(counted(column.values, column.kind).items(), key=lambda item: (-item[1], item[0]))
        known = {"levels": [level for level, _ in levels[:MOST_LEVELS]]}
    return known | {"label": column.label, "shares": _shares(known, column)}


def _shares(known: Mapping[str, Any], column: Column) -> list[float]:
    """Return what share of the leads has each slice or level, the others, and nothing."""
    count = len(column)
    if column.kind is ColumnKind.NUMBER:
        edges = np.asarray(known.get("edges", ()), dtype=np.float64)
        codes = np.where(np.isnan(column.values), len(edges) + 1, np.searchsorted(edges, column.values, side="right"))
        return [float(share) for share in np.bincount(codes.astype(np.intp), minlength=len(edges) + 2) / count]
    found, levels = counted(column.values, column.kind), list(known.get("levels", ()))
    shares = [found[level] / count for level in levels]
    nothing = sum(not value for value in column.values) / count
    others = 0.0 if column.kind is not ColumnKind.CATEGORY else max(1 - sum(shares) - nothing, 0.0)
    return [*shares, others, nothing]
