"""Rows and events that wait to be written, and the one statement that writes them.

A row that is changed and the event that says so make one round trip: each row is a part of its own in a
data-modifying WITH, and the events are what follows. All parts see the database as it was before any of them, in no
certain order, which is why rows of one table share a statement only while all of them are new.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from tortoise.models import Model

KEPT = 1000
# Rows of many parts that are written by one statement.
TOGETHER = 20
# Writing a row's key as it is changes nothing but who wrote the row last.
UNCHANGED = '"id"="id"'
EVENT_COLUMNS = "id, workspace_id, name, subject_type, subject_id, actor, client_mutation_id, data, occurred_at"
EVENT_TYPES = ("uuid", "uuid", "text", "text", "uuid", "jsonb", "text", "jsonb", "timestamptz")
# An event never occurs before its subject's last one, whatever the clocks of two machines say.
EVENTS = """INSERT INTO event ({columns})
SELECT new.id, new.workspace_id, name, subject_type, subject_id, actor, client_mutation_id, data,
       greatest(occurred_at, (SELECT last.occurred_at FROM event last
                              WHERE last.workspace_id = new.workspace_id AND last.subject_type = new.subject_type
                                AND last.subject_id = new.subject_id ORDER BY last.seq DESC LIMIT 1))
FROM {given}{condition} ORDER BY new.place"""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be appended to the log, its fields as the table has them."""

    id: UUID
    workspace_id: UUID
    name: str
    subject_type: str
    subject_id: UUID
    actor: str
    client_mutation_id: str | None
    data: str
    occurred_at: datetime

    def values(self) -> tuple[Any, ...]:
        return (
            self.id,
            self.workspace_id,
            self.name,
            self.subject_type,
            self.subject_id,
            self.actor,
            self.client_mutation_id,
            self.data,
            self.occurred_at,
        )


@dataclass(slots=True)
class Write:
    """Columns of a row to be written.

    `read_as` is the row's xmin where another writer must not have come before; `unless_known` a new row gives way to
    one that has already what must be unique.
    """

    model: type[Model]
    key: Any
    values: dict[str, Any]
    is_new: bool = False
    read_as: int | None = None
    unless_known: bool = False

    @property
    def is_guarded(self) -> bool:
        """Say whether it may turn out that nothing is written."""
        return self.read_as is not None or self.unless_known

    def sql(self, given: list[Any]) -> str:
        """Return the statement and add its values to those given."""
        first, names = len(given) + 1, tuple(self.values)
        given += self.values.values()
        if self.is_new:
            return _insert(self.model, names, first, self.unless_known)
        given.append(self.key)
        if self.read_as is not None:
            given.append(self.read_as)
        return _update(self.model, names, first, self.read_as is not None)


@dataclass(slots=True)
class Writes:
    """What waits to be written."""

    rows: dict[tuple[type[Model], Any], Write] = field(default_factory=dict)
    events: list[NewEvent] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows or self.events)

    @property
    def guard(self) -> int | None:
        """Return the place of the row that all else depends on."""
        for at, write in enumerate(self.rows.values()):
            if write.is_guarded:
                return at
        return None

    def insert(self, row: Model, *, unless_known: bool = False) -> None:
        """Add a new row, as it is now."""
        values = _values(row, row._meta.fields_db_projection)
        self.rows[type(row), row.pk] = Write(type(row), row.pk, values, is_new=True, unless_known=unless_known)

    def update(self, row: Model, names: Iterable[str], *, read_as: int | None = None) -> None:
        """Add columns of a row, as they are now."""
        known = self.rows.get((type(row), row.pk))
        if known is None:
            self.rows[type(row), row.pk] = Write(type(row), row.pk, _values(row, names), read_as=read_as)
        else:
            known.values |= _values(row, names)

    def fit(self, model: type[Model], key: Any, *, is_new: bool) -> bool:
        """Say whether a row can go into the same statement as those that wait."""
        others = (write for write in self.rows.values() if write.model is model and write.key != key)
        return all(write.is_new and is_new for write in others)

    def fit_together(self, others: "Writes") -> bool:
        """Say whether others can go into the same statement: other rows, of which what is unique does not change."""
        return len(self.rows) + len(others.rows) <= TOGETHER and self.rows.keys().isdisjoint(others.rows)

    def add(self, others: "Writes") -> None:
        """Add what others have gathered."""
        self.rows |= others.rows
        self.events += others.events

    def statement(self) -> tuple[str, list[Any]]:
        """Return the SQL that writes everything and its values; its tag counts the events, or else the last row."""
        given: list[Any] = []
        parts = [write.sql(given) for write in self.rows.values()]
        if self.events:
            if self.guard is not None:
                parts[self.guard] += " RETURNING 1"
            parts.append(self._append(given))
        *before, last = parts
        named = ",\n".join(f"w{at} AS ({part})" for at, part in enumerate(before))
        return (f"WITH {named}\n{last}" if named else last), given

    def _append(self, given: list[Any]) -> str:
        first, several = len(given) + 1, len(self.events) > 1
        if several:
            given += map(list, zip(*(event.values() for event in self.events), strict=True))
        else:
            given += self.events[0].values()
        return _append(first, several, self.guard)


# The same few statements are sent over and over, so their texts are kept.
@lru_cache(maxsize=KEPT)
def _insert(model: type[Model], names: tuple[str, ...], first: int, unless_known: bool) -> str:
    columns = model._meta.fields_db_projection
    written = ",".join(f'"{columns[name]}"' for name in names)
    places = ",".join(f"${place}" for place in range(first, first + len(names)))
    conflict = " ON CONFLICT DO NOTHING" if unless_known else ""
    return f'INSERT INTO "{model._meta.db_table}" ({written}) VALUES ({places}){conflict}'


@lru_cache(maxsize=KEPT)
def _update(model: type[Model], names: tuple[str, ...], first: int, guarded: bool) -> str:
    columns = model._meta.fields_db_projection
    written = ",".join(f'"{columns[name]}"=${place}' for place, name in enumerate(names, first))
    key = first + len(names)
    guard = f" AND xmin=${key + 1}::xid" if guarded else ""
    return f'UPDATE "{model._meta.db_table}" SET {written or UNCHANGED} WHERE "id"=${key}{guard}'


@lru_cache(maxsize=KEPT)
def _append(first: int, several: bool, guard: int | None) -> str:
    places = [f"${first + at}::{name}{'[]' if several else ''}" for at, name in enumerate(EVENT_TYPES)]
    if several:
        source = f"unnest({', '.join(places)}) WITH ORDINALITY AS new({EVENT_COLUMNS}, place)"
    else:
        source = f"(VALUES ({', '.join(places)}, 1)) AS new({EVENT_COLUMNS}, place)"
    condition = "" if guard is None else f"\nWHERE EXISTS (SELECT FROM w{guard})"
    return EVENTS.format(columns=EVENT_COLUMNS, given=source, condition=condition)


def _values(row: Model, names: Iterable[str] | Mapping[str, str]) -> dict[str, Any]:
    fields = row._meta.fields_map
    return {name: fields[name].to_db_value(getattr(row, name), row) for name in names}
