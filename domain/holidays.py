"""Holidays: days on which a workspace does not work. What is laid out already stays where it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from domain import edits, inputs, locks, policy
from domain.actors import Actor
from domain.errors import DomainError, Faults
from domain.events import Event, record
from domain.policy import Action
from domain.unset import UNSET, Unset
from models.database import transaction
from models.follow_ups import Holiday

MOST = 2_000
MOST_AT_ONCE = 400
UNIQUE = {"holiday_pkey": "id", "holiday_day_idx": "day"}


class HolidayCreated(Event):
    name = "holiday.created"


class HolidayUpdated(Event):
    name = "holiday.updated"


class HolidayDeleted(Event):
    name = "holiday.deleted"


class TooManyHolidays(DomainError):
    """A workspace has at most {limit} holidays, and at most {at_once} are made at once."""


@dataclass(frozen=True, slots=True)
class NewHoliday:
    """A day off and what it is called."""

    day: date
    name: str
    id: UUID | None = None


async def create(actor: Actor, new: NewHoliday, *, now: datetime) -> Holiday:
    """Make a holiday. Raises Forbidden, AlreadyExists (id, day), TooManyHolidays, and faults of the input."""
    policy.require(actor, Action.MANAGE_HOLIDAYS)
    faults = Faults()
    row = _checked(faults, actor, new, within="", now=now)
    faults.raise_any()
    with edits.collisions("holiday", UNIQUE):
        async with transaction():
            await _make_room(actor, 1)
            await _insert(actor, row, now=now)
    return row


async def create_many(actor: Actor, news: Sequence[NewHoliday], *, now: datetime) -> list[Holiday]:
    """Make holidays together, and return those of all these days; a day that is one already stays as it is.

    Raises Forbidden, TooManyHolidays, and faults of the input, none of which is made then.
    """
    policy.require(actor, Action.MANAGE_HOLIDAYS)
    if len(news) > MOST_AT_ONCE:
        raise TooManyHolidays(limit=MOST, at_once=MOST_AT_ONCE, field="holidays")
    faults = Faults()
    rows = [_checked(faults, actor, new, within=f"holidays.{at}", now=now) for at, new in enumerate(news)]
    faults.raise_any()
    async with transaction():
        await _make_room(actor, len(rows))
        known = {row.day for row in await Holiday.filter(workspace_id=actor.workspace_id)}
        for row in rows:
            if row.day not in known:
                known.add(row.day)
                await _insert(actor, row, now=now)
        days = [row.day for row in rows]
        return await Holiday.filter(workspace_id=actor.workspace_id, day__in=days).order_by("day")


async def update(
    actor: Actor,
    holiday_id: UUID,
    *,
    day: date | Unset = UNSET,
    name: str | Unset | None = UNSET,
    expected_version: int | None = None,
    now: datetime,
) -> Holiday:
    """Change a holiday. Raises NotFound, Stale, Forbidden, AlreadyExists (day), and faults of the input."""
    faults = Faults()
    columns: dict[str, Any] = {}
    if not isinstance(day, Unset):
        columns["day"] = inputs.day(faults, day, field="day")
    if not isinstance(name, Unset):
        columns["name"] = inputs.name(faults, name, field="name")
    with edits.collisions("holiday", UNIQUE):
        async with transaction():
            row = await policy.locked(actor, Holiday, holiday_id, expected_version=expected_version)
            policy.require(actor, Action.MANAGE_HOLIDAYS, row)
            faults.raise_any()
            if changed := await edits.apply(row, columns, now=now):
                await record(HolidayUpdated(actor, row.id, {"changes": changed, "version": row.version}), now=now)
    return row


async def delete(actor: Actor, holiday_id: UUID, *, expected_version: int | None = None, now: datetime) -> Holiday:
    """Delete a holiday for good. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        row = await policy.locked(actor, Holiday, holiday_id, expected_version=expected_version)
        policy.require(actor, Action.MANAGE_HOLIDAYS, row)
        await Holiday.filter(id=row.id).delete()
        facts = {"changes": {"day": [row.day, None], "name": [row.name, None]}, "version": row.version}
        await record(HolidayDeleted(actor, row.id, facts), now=now)
    return row


def _checked(faults: Faults, actor: Actor, new: NewHoliday, *, within: str, now: datetime) -> Holiday:
    return Holiday(
        id=edits.new_id(faults, new.id, field=edits.path(within, "id")),
        workspace_id=actor.workspace_id,
        day=inputs.day(faults, new.day, field=edits.path(within, "day")),
        name=inputs.name(faults, new.name, field=edits.path(within, "name")),
        created_at=now,
        updated_at=now,
    )


async def _make_room(actor: Actor, count: int) -> None:
    """Refuse more holidays than a workspace may have; nobody else makes any until the transaction ends."""
    await locks.hold(actor.workspace_id, "holidays")
    if await Holiday.filter(workspace_id=actor.workspace_id).count() + count > MOST:
        raise TooManyHolidays(limit=MOST, at_once=MOST_AT_ONCE)


async def _insert(actor: Actor, row: Holiday, *, now: datetime) -> None:
    await edits.insert(row)
    facts = edits.facts(row, {"day": row.day, "name": row.name})
    await record(HolidayCreated(actor, row.id, facts), now=now)
