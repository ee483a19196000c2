"""How a member is reminded, and when they may be: digests, quiet hours and quiet days, told by the clock on their wall.

Of a time of day that daylight saving skips it is the first instant after the gap, of one that it repeats the first.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain import edits, local_times, policy, sessions
from domain.actors import Actor
from domain.errors import DomainError, Faults, Malformed, Required, Stale
from domain.events import Event, changes, record
from domain.policy import Action
from domain.unset import UNSET, Unset, given
from models.base import uuid7
from models.database import transaction
from models.postgres import connected
from models.reminders import ReminderMail, ReminderSettings, Weekday

TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
DAY = timedelta(days=1)
WEEKDAYS = tuple(Weekday)
# Quiet days and hours alternate at most twice a day.
MOST_STEPS = 20
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7256))"


class UserReminderSettingsUpdated(Event):
    """The subject is whose settings they are."""

    name = "user.reminder_settings_updated"


class AlwaysQuiet(DomainError):
    """{field} would leave no time to remind you in: leave a day or an hour of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderDetails:
    """How somebody wants to be reminded; what is UNSET is left as it is, None is the default. Times are HH:MM."""

    mail: ReminderMail | Unset | None = UNSET
    digest_at: str | Unset | None = UNSET
    push: bool | Unset | None = UNSET
    quiet_from: str | Unset | None = UNSET
    quiet_until: str | Unset | None = UNSET
    quiet_days: Iterable[Weekday] | Unset | None = UNSET


def usual(workspace_id: UUID, user_id: UUID, *, now: datetime) -> ReminderSettings:
    """Return the settings of a member who has set nothing; they are at version 0, and no row."""
    return ReminderSettings(
        id=uuid7(), workspace_id=workspace_id, user_id=user_id, version=0, created_at=now, updated_at=now
    )


async def mine(actor: Actor, *, now: datetime) -> ReminderSettings:
    """Return how the actor is reminded. Raises Forbidden."""
    user_id = sessions.person(actor)
    known = await of(actor.workspace_id, [user_id], now=now)
    return known[user_id]


async def of(workspace_id: UUID, user_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, ReminderSettings]:
    """Return how each of these members is reminded."""
    wanted = list(user_ids)
    rows = await ReminderSettings.filter(workspace_id=workspace_id, user_id__in=wanted)
    known = {row.user_id: row for row in rows}
    return {key: known.get(key) or usual(workspace_id, key, now=now) for key in wanted}


async def update(
    actor: Actor, details: ReminderDetails, *, expected_version: int | None = None, now: datetime
) -> ReminderSettings:
    """Change how the actor is reminded. Raises Forbidden, Stale, and faults of the input."""
    user_id = sessions.person(actor)
    policy.require(actor, Action.SET_REMINDERS)
    faults = Faults()
    columns = _checked(faults, details)
    async with transaction():
        await connected().fetch(LOCK, [f"reminder settings:{actor.workspace_id}:{user_id}"])
        row = await mine(actor, now=now)
        if expected_version is not None and row.version != expected_version:
            stale = Stale(
                noun="reminder settings", version=row.version, expected=expected_version, field="expectedVersion"
            )
            stale.current = row
            raise stale
        _check_hours(faults, row, columns)
        faults.raise_any()
        changed = changes({name: getattr(row, name) for name in columns}, columns)
        if changed:
            row.update_from_dict({**columns, "version": row.version + 1, "updated_at": now})
            await row.save(force_create=row.version == 1)
            facts: dict[str, Any] = {"changes": changed, "version": row.version}
            await record(UserReminderSettingsUpdated(actor, user_id, facts), now=now)
    return row


def _checked(faults: Faults, details: ReminderDetails) -> dict[str, Any]:
    columns: dict[str, Any] = given(mail=details.mail, push=details.push)
    defaults = ReminderSettings(quiet_days=[])
    columns = {name: getattr(defaults, name) if value is None else value for name, value in columns.items()}
    for name in ("digest_at", "quiet_from", "quiet_until"):
        value = getattr(details, name)
        if value is not UNSET:
            columns[name] = getattr(defaults, name) if value is None else value
            if value is not None and not TIME_OF_DAY.fullmatch(value):
                faults.add(Malformed(field=edits.camel(name), what="a time of day such as 08:30"))
    if not isinstance(details.quiet_days, Unset):
        chosen = set(details.quiet_days or ())
        columns["quiet_days"] = [day.value for day in WEEKDAYS if day in chosen]
        if len(chosen) == len(WEEKDAYS):
            faults.add(AlwaysQuiet(field="quietDays"))
    return columns


def _check_hours(faults: Faults, row: ReminderSettings, columns: Mapping[str, Any]) -> None:
    begins, ends = (columns.get(name, getattr(row, name)) for name in ("quiet_from", "quiet_until"))
    if (begins is None) is not (ends is None):
        faults.add(Required(field="quietFrom" if begins is None else "quietUntil"))
    elif begins is not None and begins == ends:
        faults.add(AlwaysQuiet(field="quietUntil"))


def zone(*names: str | None) -> ZoneInfo:
    """Return the first of these time zones that is one; UTC where none is."""
    for name in filter(None, names):
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return ZoneInfo("UTC")


def next_digest(chosen: ReminderSettings, local: ZoneInfo, *, after: datetime) -> tuple[date, datetime]:
    """Return the day and the instant of the next digest after an instant; on quiet days there is none."""
    day = after.astimezone(local).date()
    for _ in range(MOST_STEPS):
        instant = _instant(day, chosen.digest_at, local)
        if instant > after and WEEKDAYS[day.weekday()] not in chosen.quiet_days:
            return day, instant
        day += DAY
    raise AssertionError("some day of a week is not quiet")


def not_quiet(chosen: ReminderSettings, local: ZoneInfo, *, at: datetime) -> datetime:
    """Return the first instant from this one on at which somebody may be told by mail and push."""
    for _ in range(MOST_STEPS):
        ends = _quiet_until(chosen, local, at)
        if ends is None:
            return at
        at = ends
    return at


def _quiet_until(chosen: ReminderSettings, local: ZoneInfo, at: datetime) -> datetime | None:
    """Return when the quiet that holds at an instant ends; None where none holds."""
    here = at.astimezone(local)
    if WEEKDAYS[here.weekday()] in chosen.quiet_days:
        return _after(at, here.date() + DAY, "00:00", local)
    begins, ends = chosen.quiet_from, chosen.quiet_until
    if begins is None or ends is None:
        return None
    told = f"{here:%H:%M}"
    over_midnight = begins > ends
    if over_midnight and told >= begins:
        return _after(at, here.date() + DAY, ends, local)
    if told < ends and (over_midnight or told >= begins):
        return _after(at, here.date(), ends, local)
    return None


def _after(at: datetime, day: date, of_day: str, local: ZoneInfo) -> datetime:
    """Return the instant of a time of day, the second one where the first has passed."""
    instant = _instant(day, of_day, local)
    if instant > at:
        return instant
    return datetime.combine(day, time.fromisoformat(of_day), local).replace(fold=1).astimezone(UTC)


def _instant(day: date, of_day: str, local: ZoneInfo) -> datetime:
    return local_times.instant_of(datetime.combine(day, time.fromisoformat(of_day)), local.key)
