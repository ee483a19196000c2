"""Instants of what a clock on a wall shows: a time that daylight saving skips, and one that it repeats, included."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

MORNING = time(9)
SECOND = timedelta(seconds=1)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name."""
    return ZoneInfo(name)


def instant_of(local: datetime, time_zone: str) -> datetime:
    """Return when a clock in a time zone shows a time.

    Where daylight saving skips that time it is the first instant after the gap, where it repeats it the first of
    the two.
    """
    there = zone(time_zone)
    instant = local.replace(tzinfo=there, fold=0).astimezone(UTC)
    if local_of(instant, time_zone) == local.replace(fold=0):
        return instant
    # The offset before the gap puts it behind the gap, the offset after the gap before it.
    low, high = local.replace(tzinfo=there, fold=1).astimezone(UTC), instant
    before = low.astimezone(there).utcoffset()
    while high - low > SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(there).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def local_of(instant: datetime, time_zone: str) -> datetime:
    """Return what a clock in a time zone shows at an instant."""
    return instant.astimezone(zone(time_zone)).replace(tzinfo=None, fold=0)


def day_of(instant: datetime, time_zone: str) -> date:
    """Return the day that it is in a time zone at an instant."""
    return local_of(instant, time_zone).date()


def start_of(day: date, time_zone: str) -> datetime:
    """Return the first instant of a day in a time zone."""
    return instant_of(datetime.combine(day, time()), time_zone)


def end_of(day: date, time_zone: str) -> datetime:
    """Return the last second of a day in a time zone."""
    return start_of(day + timedelta(days=1), time_zone) - SECOND


def morning_of(day: date, time_zone: str) -> datetime:
    """Return nine o'clock on a day in a time zone."""
    return instant_of(datetime.combine(day, MORNING), time_zone)
