"""Calendars in the format of RFC 5545, as calendar apps subscribe to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vRecur

PRODUCT = "-//Salescycle//Follow-ups//EN"
# How often apps are asked to look again; most look less often.
REFRESH = timedelta(minutes=15)
# What has an instant and no length is shown as this long.
LENGTH = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Something to do: at an instant, which `zone` says how to show, or on a whole day.

    `priority` is RFC 5545's: 1 is the highest, 9 the lowest. `recurrence` is the RRULE of a series of which this is
    number `occurrence`.
    """

    uid: str
    title: str
    text: str
    at: datetime | date
    zone: ZoneInfo
    category: str
    priority: int
    recurrence: str | None
    occurrence: int
    url: str | None
    version: int
    changed_at: datetime


def ics(name: str, entries: Iterable[Entry], *, zone: ZoneInfo) -> bytes:
    """Return a calendar of these entries, the same bytes for the same ones."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("x-wr-timezone", zone.key)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT15M")
    for entry in entries:
        calendar.add_component(_event(entry))
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _event(entry: Entry) -> Event:
    event = Event()
    event.add("uid", entry.uid)
    event.add("dtstamp", entry.changed_at)
    event.add("last-modified", entry.changed_at)
    event.add("sequence", entry.version - 1)
    event.add("summary", entry.title)
    if entry.text:
        event.add("description", entry.text)
    if isinstance(entry.at, datetime):
        starts = entry.at.astimezone(entry.zone)
        event.add("dtstart", starts)
        event.add("duration", LENGTH)
    else:
        event.add("dtstart", entry.at)
        # A task of a day leaves the day free.
        event.add("transp", "TRANSPARENT")
    if entry.recurrence:
        event.add("rrule", _from_here(entry, entry.recurrence))
    event.add("priority", entry.priority)
    event.add("categories", [entry.category])
    if entry.url:
        event.add("url", entry.url)
    return event


def _from_here(entry: Entry, recurrence: str) -> vRecur:
    """Return a series' rule as it goes on from an entry: its count without those before, its end as the start is."""
    rule: vRecur = vRecur.from_ical(recurrence)
    if "COUNT" in rule:
        rule["COUNT"] = [max(rule["COUNT"][0] - entry.occurrence + 1, 1)]
    if "UNTIL" in rule:
        rule["UNTIL"] = [_until(rule["UNTIL"][0], entry)]
    return rule


def _until(end: datetime | date, entry: Entry) -> datetime | date:
    """Return the end of a rule as RFC 5545 wants it: a day beside days, else an instant in UTC."""
    if not isinstance(entry.at, datetime):
        return end.date() if isinstance(end, datetime) else end
    if not isinstance(end, datetime):
        end = datetime.combine(end, time.max)
    return (end if end.tzinfo else end.replace(tzinfo=entry.zone)).astimezone(UTC).replace(microsecond=0)
