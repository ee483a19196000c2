"""One chunk being taken: what is written with it in bulk, and what it comes to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from tortoise.backends.base.client import BaseDBAsyncClient

from domain import events
from domain.actors import Actor
from domain.edits import camel
from domain.errors import DomainError
from domain.events import Event
from domain.imports.keys import new_key
from domain.imports.rows import Fingerprints, Row, RowFault, shown
from models.database import mark_dirty


@dataclass(frozen=True, slots=True)
class Known:
    """What a row of the file is here, and what it said when it was last taken."""

    subject_id: UUID
    fingerprint: str | None


@dataclass(slots=True)
class Taking:
    """A chunk within its transaction. Events of new rows are gathered and written at its end.

    `began_at` is when the first row of the file was taken: of rows that say nothing of their time, none is older.
    """

    actor: Actor
    connection: BaseDBAsyncClient
    system: str
    subject_type: str
    now: datetime
    began_at: datetime
    labels: Mapping[str, str]
    places: Mapping[str, int]
    fingerprints: Fingerprints
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    faults: list[RowFault] = field(default_factory=list)
    _events: list[tuple[Any, ...]] = field(default_factory=list)
    _actor_facts: str = ""

    @property
    def workspace_id(self) -> UUID:
        return self.actor.workspace_id

    def skip(self, row: Row, *faults: RowFault) -> None:
        """Leave a row out, for the reasons that it has itself and for these."""
        self.skipped += 1
        self.faults += [*row.faults, *faults]

    def fault(self, row: Row, name: str, reason: str) -> RowFault:
        """Return a fault of a row in the column that fills a field, with what the file says there."""
        at = self.places.get(name)
        said = row.texts.get(name) if at is None else row.cells[at].strip()
        return RowFault(row.line, self.labels.get(name), shown(said) or None, reason)

    def refused(self, row: Row, fault: DomainError) -> RowFault:
        """Return a fault of the domain, which names fields as clients do, as one of the row."""
        told = (fault.field or ("",))[0]
        return self.fault(row, next((name for name in row.texts if camel(name) == told), told), str(fault))

    def happened(self, event: type[Event], subject_id: UUID, data: Mapping[str, Any], *, at: datetime) -> None:
        """Record an event of a row that is new, and therefore has none before it."""
        if not self._actor_facts:
            self._actor_facts = events.dump(self.actor.facts())
        told = events.dump({**data, "bulk": True})
        kind = event.subject_type
        self._events.append((new_key(), self.workspace_id, event.name, kind, subject_id, self._actor_facts, told, at))

    async def write_events(self) -> None:
        """Append the gathered events to the log, in their order."""
        columns = ("id", "workspace_id", "name", "subject_type", "subject_id", "actor", "data", "occurred_at")
        await self.copy("event", columns, self._events)
        if self._events:
            mark_dirty()
        self._events.clear()

    async def copy(self, table: str, columns: Sequence[str], records: Iterable[tuple[Any, ...]]) -> None:
        """Write new rows of a table; an iterator is asked for them while PostgreSQL takes those before."""
        if not records:
            return
        async with self.connection.acquire_connection() as raw:
            assert isinstance(raw, asyncpg.Connection)
            await raw.copy_records_to_table(table, columns=columns, records=records)

    async def update(self, table: str, columns: Sequence[str], records: Sequence[tuple[Any, ...]]) -> None:
        """Write columns of known rows, whose ids stand first in the records."""
        if not records:
            return
        taken, names = f"taken_{table}", ("id", *columns)
        await self.run(f"CREATE TEMP TABLE {taken} ON COMMIT DROP AS SELECT {', '.join(names)} FROM {table} LIMIT 0")
        await self.copy(taken, names, records)
        written = ", ".join(f"{name} = {taken}.{name}" for name in columns)
        await self.run(f"UPDATE {table} SET {written} FROM {taken} WHERE {table}.id = {taken}.id")
        await self.run(f"DROP TABLE {taken}")

    async def run(self, sql: str, *values: Any) -> None:
        await self.connection.execute_query(sql, list(values))

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return await self.connection.execute_query_dict(sql, list(values))

    async def known(self, rows: Iterable[Row]) -> dict[str, Known]:
        """Return what is known of rows, by their external ids."""
        found = await self.fetch(
            "SELECT known.external_id, subject_id, fingerprint "
            "FROM unnest($4::text[]) AS wanted(external_id) JOIN external_ref AS known "
            "ON workspace_id = $1 AND system = $2 AND subject_type = $3 AND known.external_id = wanted.external_id",
            self.workspace_id,
            self.system,
            self.subject_type,
            [row.external_id for row in rows],
        )
        return {row["external_id"]: Known(row["subject_id"], row["fingerprint"]) for row in found}

    async def claimed(self, subject_ids: Iterable[UUID]) -> set[UUID]:
        """Return those of known rows that the file's system calls something already."""
        found = await self.fetch(
            "SELECT subject_id FROM external_ref "
            "WHERE workspace_id = $1 AND subject_type = $2 AND subject_id = ANY($3) AND system = $4",
            self.workspace_id,
            self.subject_type,
            list(subject_ids),
            self.system,
        )
        return {row["subject_id"] for row in found}

    async def refer(self, subjects: Iterable[tuple[Row, UUID]]) -> None:
        """Remember by which external ids new rows are known, and what they said."""
        columns = ("id", "workspace_id", "system", "external_id", "subject_type", "subject_id", "fingerprint")
        records = [
            (new_key(), self.workspace_id, self.system, row.external_id, self.subject_type, key, row.fingerprint)
            for row, key in subjects
        ]
        await self.copy("external_ref", columns, records)

    async def remember(self, rows: Sequence[Row]) -> None:
        """Remember what known rows say now."""
        if rows:
            await self.run(
                "UPDATE external_ref SET fingerprint = said.fingerprint "
                "FROM unnest($4::text[], $5::text[]) AS said(external_id, fingerprint) "
                "WHERE workspace_id = $1 AND system = $2 AND subject_type = $3 "
                "AND external_ref.external_id = said.external_id",
                self.workspace_id,
                self.system,
                self.subject_type,
                [row.external_id for row in rows],
                [row.fingerprint for row in rows],
            )

    def sort_out(self, rows: Sequence[Row], known: Mapping[str, Known]) -> tuple[list[Row], list[Row]]:
        """Return the new and the changed rows; faulty ones are skipped, those that say the same are counted."""
        new: list[Row] = []
        changed: list[Row] = []
        for row in rows:
            if row.faults:
                self.skip(row)
            elif row.external_id not in known:
                new.append(row)
            elif known[row.external_id].fingerprint == row.fingerprint:
                self.unchanged += 1
            else:
                changed.append(row)
        return new, changed
