"""Recurrence by RFC 5545: rules that are checked, and what they lay down next, one occurrence at a time.

A rule is followed on the clock of a time zone, so that a call at nine stays at nine across daylight saving.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import islice

from dateutil.rrule import rrulestr

from domain import inputs, local_times
from domain.errors import DomainError, Faults, Malformed, OutOfRange, TooLong

LONGEST = 500
MOST_TIMES = 5_000
LONGEST_INTERVAL = 1_000
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"})
PART = re.compile(r"([A-Z]+)=([A-Z0-9,+-]+)")
UNTIL = re.compile(r"(\d{8})(T\d{6}Z?)?")
# A rule that never comes true is looked for until the last year that dates know. Since the calendar repeats itself
# after 400 years, that year is brought near by following rules in a later cycle.
YEARS = 19 * 400
SOME_TIME = datetime.combine(date(2000, 1, 1), time())


class RecurrenceNotUnderstood(DomainError):
    """{field} is no recurrence that follow-ups know: {why}. An example is FREQ=WEEKLY;BYDAY=MO,TH;COUNT=10."""


class RecurrenceElsewhere(DomainError):
    """The recurrence does not fall on the day on which it is first due: {first} is none of its days."""


@dataclass(frozen=True, slots=True)
class Slot:
    """The n-th occurrence of a rule, counted from 1, as the clock there shows it."""

    number: int
    local: datetime


@dataclass(frozen=True, slots=True)
class Series:
    """A rule, the local time from which it counts, and where; `on_day`, its occurrences are days, not instants."""

    rule: str
    start: datetime
    time_zone: str
    on_day: bool

    def due(self, local: datetime) -> datetime:
        """Return when an occurrence is overdue."""
        if self.on_day:
            return local_times.end_of(local.date(), self.time_zone)
        return local_times.instant_of(local, self.time_zone)

    def slots(self) -> Iterator[Slot]:
        """Return its occurrences in order, without end where the rule has none."""
        rule = rrulestr(_later(self), dtstart=_moved(self.start, YEARS))
        for number, local in enumerate(rule, start=1):
            yield Slot(number, _moved(local, -YEARS))

    def after(self, number: int, *, now: datetime) -> Slot | None:
        """Return the first occurrence after the n-th that is not overdue by now; None where the rule ends before."""
        later = islice(self.slots(), number, None)
        found = next((slot for slot in later if self.due(slot.local) > now), None)
        return None if found is None or found.local.year > inputs.LATEST_YEAR else found

    def begins_as_due(self) -> bool:
        """Say whether the rule falls on the time from which it counts."""
        first = next(self.slots(), None)
        return first is not None and first.local == self.start


def check(faults: Faults, value: str | None, *, field: str) -> str | None:
    """Check a rule and return it as it is kept; None or an empty one is none."""
    rule = (value or "").strip().upper().removeprefix("RRULE:")
    if not rule:
        return None
    if len(rule) > LONGEST:
        faults.add(TooLong(field=field, length=len(rule), limit=LONGEST))
        return None
    parts: dict[str, str] = {}
    for part in rule.removesuffix(";").split(";"):
        found = PART.fullmatch(part)
        if found is None or found[1] in parts:
            faults.add(RecurrenceNotUnderstood(field=field, why=f"{part[:50]!r} is no part of its own"))
            return None
        parts[found[1]] = found[2]
    problems = list(_problems(parts, field))
    for problem in problems:
        faults.add(problem)
    if problems:
        return None
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _problems(parts: dict[str, str], field: str) -> Iterator[DomainError]:
    for name in parts.keys() - PARTS:
        yield RecurrenceNotUnderstood(field=field, why=f"{name[:50]} is not among {', '.join(sorted(PARTS))}")
    if parts.get("FREQ") not in FREQUENCIES:
        yield RecurrenceNotUnderstood(field=field, why=f"FREQ must be one of {', '.join(FREQUENCIES)}")
        return
    for name, most in (("INTERVAL", LONGEST_INTERVAL), ("COUNT", MOST_TIMES)):
        value = parts.get(name, "1")
        if not value.isdecimal():
            yield Malformed(field=field, what=f"a rule whose {name} is a number")
        elif len(value) > 9 or not 1 <= int(value) <= most:
            yield OutOfRange(field=f"{field}.{name}", least=1, most=most)
    if "COUNT" in parts and "UNTIL" in parts:
        yield RecurrenceNotUnderstood(field=field, why="it ends by COUNT or by UNTIL, not by both")
    if parts["FREQ"] in ("DAILY", "WEEKLY") and re.search(r"\d", parts.get("BYDAY", "")):
        yield RecurrenceNotUnderstood(field=field, why="BYDAY counts days only within a month or a year")
    if parts["FREQ"] == "WEEKLY" and "BYMONTHDAY" in parts:
        yield RecurrenceNotUnderstood(field=field, why="a week has no BYMONTHDAY")
    if "BYSETPOS" in parts and not parts.keys() & {"BYDAY", "BYMONTHDAY", "BYMONTH"}:
        yield RecurrenceNotUnderstood(field=field, why="BYSETPOS chooses among what another part names")
    if not _is_known(parts):
        yield RecurrenceNotUnderstood(field=field, why="a value is not one that its part takes")


def _is_known(parts: dict[str, str]) -> bool:
    """Say whether the library takes every value."""
    if "UNTIL" in parts and _until(parts["UNTIL"]) is None:
        return False
    series = Series(";".join(f"{name}={value}" for name, value in parts.items()), SOME_TIME, "UTC", False)
    try:
        rrulestr(_later(series), dtstart=series.start)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return False
    return all(_in_range(parts.get(name), most) for name, most in (("BYMONTHDAY", 31), ("BYSETPOS", 366)))


def _in_range(values: str | None, most: int) -> bool:
    return values is None or all(1 <= abs(int(value)) <= most for value in values.split(","))


def shortened(rule: str, number: int) -> str:
    """Return a rule as it goes on from its n-th occurrence: of COUNT, those before are gone."""
    return re.sub(r"COUNT=(\d+)", lambda found: f"COUNT={max(1, int(found[1]) - number + 1)}", rule)


def _until(value: str) -> datetime | None:
    """Return an end as it is written: aware where it is in UTC, and the end of the day where it is a day."""
    found = UNTIL.fullmatch(value)
    if found is None:
        return None
    try:
        end = datetime.fromisoformat(found[1] + (found[2] or "T235959"))
    except ValueError:
        return None
    return end.astimezone(UTC) if end.tzinfo else end


def _later(series: Series) -> str:
    """Return the rule in a later cycle of the calendar, with its end on the clock of the time zone."""

    def moved(found: re.Match[str]) -> str:
        end = _until(found[1])
        if end is None:
            raise ValueError(found[1])
        local = local_times.local_of(end, series.time_zone) if end.tzinfo else end
        if series.on_day and end.tzinfo is None:
            local = datetime.combine(local.date(), datetime.max.time()).replace(microsecond=0)
        return f"UNTIL={min(local.year + YEARS, 9999):04}{local:%m%dT%H%M%S}"

    return re.sub(r"UNTIL=([^;]+)", moved, series.rule)


def _moved(local: datetime, years: int) -> datetime:
    return local.replace(year=local.year + years)
