"""What companies and products of a file have in common: they are matched, inserted and edited alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain import events
from domain.errors import Faults
from domain.events import Event, changes
from domain.imports.custom import Custom, dump
from domain.imports.rows import Row
from domain.imports.taking import Known, Taking
from domain.money import Money

NO_CUSTOM = Custom()


@dataclass(slots=True)
class Matched:
    """A row, the key of what it is about, and whether that is new, or known only now by the row's id."""

    row: Row
    key: UUID
    columns: dict[str, Any]
    is_new: bool = False
    is_adopted: bool = False


def amount(row: Row, field: str, currency: str) -> Money | None:
    """Return what a row says of an amount; one without a currency is in the base currency."""
    value = row.values.get(field)
    return None if value is None else Money(value, row.values.get(f"{field}_currency") or currency)


def unless_faulty(taking: Taking, row: Row, faults: Faults, columns: dict[str, Any]) -> dict[str, Any] | None:
    """Return columns without a fault; a row with faults is reported and skipped."""
    found = [taking.refused(row, fault) for fault in faults]
    if not found:
        return columns
    taking.skip(row, *found)
    return None


async def insert(
    taking: Taking,
    noun: type[Any],
    event: type[Event],
    fresh: Sequence[Matched],
    more: Mapping[str, Any],
    custom: Custom = NO_CUSTOM,
) -> None:
    """Write new rows of a noun with their references."""
    if not fresh:
        return
    filled = list(fresh[0].columns)
    stamp = (taking.workspace_id, 1, taking.now, taking.now, *more.values())
    columns = ("id", "workspace_id", "version", "created_at", "updated_at", *more, *filled)
    records = [(each.key, *stamp, *(_stored(name, each.columns[name]) for name in filled)) for each in fresh]
    await taking.copy(noun._meta.db_table, columns, records)
    for each in fresh:
        told = {name: [None, value] for name, value in each.columns.items() if value is not None}
        taking.happened(event, each.key, {"changes": custom.told(told), "version": 1}, at=taking.now)
    await taking.write_events()
    await taking.refer([(each.row, each.key) for each in fresh])
    taking.created += len(fresh)


async def edit(
    taking: Taking,
    noun: type[Any],
    event: type[Event],
    matched: Sequence[Matched],
    known: Mapping[str, Known],
    columns_of: Mapping[str, str],
    custom: Custom = NO_CUSTOM,
) -> None:
    """Write what known rows say otherwise than before; one that was deleted or archived here stays so."""
    if not matched:
        return
    keys = [each.key for each in matched]
    locked = noun.filter(workspace_id=taking.workspace_id, id__in=keys).order_by("id").select_for_update(no_key=True)
    rows = {row.id: row for row in await locked}
    written = list(matched[0].columns)
    records: list[tuple[Any, ...]] = []
    told: list[Event] = []
    for each in matched:
        row = rows.get(each.key)
        if row is None or (getattr(row, "deleted_at", None) or getattr(row, "archived_at", None)):
            taking.unchanged += 1
            continue
        before = known[each.row.external_id].fingerprint if each.row.external_id in known else None
        said = set(taking.fingerprints.changed(before, each.row.fingerprint))
        values = {name: value for name, value in each.columns.items() if _is_said(name, said, columns_of)}
        if custom.fields.keys() & said:
            values["custom"] = custom.changed(row.custom, each.row, said)
        differ = changes({name: getattr(row, name) for name in values}, values)
        if not differ:
            taking.unchanged += 1
            continue
        for name in differ:
            setattr(row, name, values[name])
        row.version += 1
        facts = {"changes": custom.told(differ), "version": row.version, "bulk": True}
        told.append(event(taking.actor, row.id, facts))
        records.append((row.id, row.version, taking.now, *(_stored(name, getattr(row, name)) for name in written)))
        taking.updated += 1
    await taking.update(noun._meta.db_table, ("version", "updated_at", *written), records)
    await taking.refer([(each.row, each.key) for each in matched if each.is_adopted])
    await taking.remember([each.row for each in matched if not each.is_adopted])
    await events.record(*told, now=taking.now)


def _stored(name: str, value: Any) -> Any:
    """Return a column's value as COPY takes it."""
    return dump(value) if name == "custom" else value


def _is_said(column: str, said: set[str], columns_of: Mapping[str, str]) -> bool:
    """Say whether a column follows from a field that the row says anew."""
    fields = {field for field, name in columns_of.items() if name == column} or {
        column.removesuffix("_normalised"), column.removesuffix("_currency")
    }  # fmt: skip
    return bool(fields & said) or column in said
