"""What a model learns from: a workspace's closed leads, as they stood at a set age, oldest first."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from domain.learning.columns import Column, Floats
from domain.learning.kinds import ColumnKind
from domain.score_trainings import CLOSED, MOST_LEADS
from domain.scoring import extraction
from models.database import read

AT_ONCE = 5_000

Tell = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Lessons:
    """Closed leads in the order of their birth: what was known of each, and who was won (1) or not (0).

    Amounts are worth what they are by the exchange rates of the `day`.
    """

    ids: list[UUID]
    columns: dict[str, Column]
    won: Floats
    born_at: list[datetime]
    closed_at: list[datetime]
    day: date


async def closed_leads(
    workspace_id: UUID,
    *,
    age: timedelta,
    now: datetime,
    wanted: frozenset[str] | None = None,
    left_out: frozenset[str] = frozenset(),
    most: int = MOST_LEADS,
    tell: Tell | None = None,
) -> Lessons:
    """Return the newest closed leads as they stood, extracted in parts."""
    rows = await read(CLOSED, workspace_id, most)
    parts: list[dict[str, Column]] = []
    for at in range(0, len(rows), AT_ONCE):
        some = rows[at : at + AT_ONCE]
        known = await extraction.as_they_stood(
            workspace_id, [row["id"] for row in some], age=age, wanted=wanted, now=now
        )
        # Extraction orders by id, learning by birth.
        places = {key: place for place, key in enumerate(known.ids)}
        order = np.array([places[row["id"]] for row in some], dtype=np.intp)
        parts.append({key: column.taken(order) for key, column in known.columns.items() if key not in left_out})
        if tell is not None:
            await tell(min(at + AT_ONCE, len(rows)) / len(rows))
    return Lessons(
        [row["id"] for row in rows],
        {key: joined([part[key] for part in parts]) for key in (parts[0] if parts else {})},
        np.array([float(row["won"]) for row in rows]),
        [row["born_at"] for row in rows],
        [row["closed_at"] or row["born_at"] for row in rows],
        now.date(),
    )


def joined(parts: list[Column]) -> Column:
    """Return a column of the leads of all parts."""
    first = parts[0]
    values: Any = (
        np.concatenate([part.values for part in parts])
        if first.kind is ColumnKind.NUMBER
        else [value for part in parts for value in part.values]
    )
    unrated, before = dict[int, str](), 0
    for part in parts:
        unrated |= {before + place: currency for place, currency in part.unrated.items()}
        before += len(part)
    return replace(first, values=values, unrated=unrated)


def unrated(given: Iterable[Column], day: date) -> list[dict[str, Any]]:
    """Return the columns that have amounts without an exchange rate on a day, with their currencies."""
    return [
        {
            "key": column.key,
            "label": column.label,
            "currencies": sorted(set(column.unrated.values())),
            "leads": len(column.unrated),
            "day": day,
        }
        for column in given
        if column.unrated
    ]
