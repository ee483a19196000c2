"""How somebody is reminded: what may be set, and when quiet ends and digests go out, in every zone and season."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import reminder_settings
from domain.actors import system
from domain.errors import Forbidden, Invalid, Malformed, Required, Stale
from domain.reminder_settings import AlwaysQuiet, ReminderDetails, next_digest, not_quiet, zone
from models.base import uuid7
from models.events import Event
from models.reminders import ReminderMail, ReminderSettings, Weekday
from models.users import Role, User
from tests.factories import NOW, member, workspace

LATER = NOW + timedelta(hours=1)
BERLIN, NEW_YORK, SANTIAGO = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("America/Santiago")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
ZONES = [BERLIN, NEW_YORK, SANTIAGO, LORD_HOWE, ZoneInfo("Asia/Kolkata"), ZoneInfo("Pacific/Apia"), ZoneInfo("UTC")]

db = pytest.mark.usefixtures("db")


def chosen(**columns: Any) -> ReminderSettings:
    row = reminder_settings.usual(uuid7(), uuid7(), now=NOW)
    return row.update_from_dict(columns)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@db
async def test_who_has_set_nothing_is_reminded_as_at_first() -> None:
    actor = await member(Role.REP)
    known = await reminder_settings.mine(actor, now=NOW)
    assert (known.mail, known.digest_at, known.push, known.quiet_days) == (ReminderMail.SINGLE, "08:00", True, [])
    assert (known.quiet_from, known.quiet_until, known.version) == (None, None, 0)
    assert not await ReminderSettings.filter(user_id=actor.user_id).exists()


@db
async def test_settings_are_changed_and_cleared_and_what_changes_nothing_is_none() -> None:
    actor = await member(Role.VIEWER)
    days = [Weekday.SUNDAY, Weekday.SATURDAY, Weekday.SUNDAY]
    details = ReminderDetails(mail=ReminderMail.DIGEST, quiet_from="19:00", quiet_until="07:30", quiet_days=days)
    made = await reminder_settings.update(actor, details, expected_version=0, now=NOW)
    same = await reminder_settings.update(actor, details, now=LATER)
    moved = await reminder_settings.update(actor, ReminderDetails(quiet_until="08:00"), expected_version=1, now=LATER)
    usual = await reminder_settings.update(
        actor, ReminderDetails(mail=None, quiet_from=None, quiet_until=None, quiet_days=None), now=LATER
    )
    assert made.quiet_days == ["SATURDAY", "SUNDAY"]
    assert (same.version, moved.version, moved.quiet_from, moved.quiet_until) == (1, 2, "19:00", "08:00")
    assert (usual.version, usual.mail, usual.quiet_from, usual.quiet_days) == (3, ReminderMail.SINGLE, None, [])
    assert await Event.filter(subject_id=actor.user_id, name="user.reminder_settings_updated").count() == 3
    with pytest.raises(Stale):
        await reminder_settings.update(actor, ReminderDetails(push=False), expected_version=1, now=LATER)


@db
async def test_every_fault_is_told_at_once() -> None:
    actor = await member(Role.REP)
    with pytest.raises(Invalid) as caught:
        await reminder_settings.update(
            actor,
            ReminderDetails(digest_at="25:00", quiet_from="7:00", quiet_until="0700", quiet_days=list(Weekday)),
            now=NOW,
        )
    assert [(type(fault), fault.field) for fault in caught.value.faults] == [
        (Malformed, ("digestAt",)),
        (Malformed, ("quietFrom",)),
        (Malformed, ("quietUntil",)),
        (AlwaysQuiet, ("quietDays",)),
    ]
    with pytest.raises(Required):
        await reminder_settings.update(actor, ReminderDetails(quiet_from="19:00"), now=NOW)
    with pytest.raises(AlwaysQuiet):
        await reminder_settings.update(actor, ReminderDetails(quiet_from="19:00", quiet_until="19:00"), now=NOW)
    assert not await ReminderSettings.filter(user_id=actor.user_id).exists()


@db
async def test_two_at_once_are_one_after_the_other() -> None:
    actor = await member(Role.REP)
    await asyncio.gather(
        reminder_settings.update(actor, ReminderDetails(push=False), now=NOW),
        reminder_settings.update(actor, ReminderDetails(digest_at="09:00"), now=NOW),
    )
    [row] = await ReminderSettings.filter(user_id=actor.user_id)
    assert (row.push, row.digest_at, row.version) == (False, "09:00", 2)


@db
async def test_settings_are_of_one_workspace_and_only_peoples() -> None:
    actor = await member(Role.REP)
    await reminder_settings.update(actor, ReminderDetails(push=False), now=NOW)
    elsewhere = await member(Role.REP, of=await workspace(), person=await User.get(id=actor.user_id))
    assert (await reminder_settings.mine(elsewhere, now=NOW)).push
    with pytest.raises(Forbidden):
        await reminder_settings.mine(system(actor.workspace_id, task="x"), now=NOW)


def test_quiet_hours_wait_over_midnight_and_quiet_days_to_the_next() -> None:
    nights = chosen(quiet_from="19:00", quiet_until="07:30", quiet_days=["SATURDAY", "SUNDAY"])
    # 2026-03-06 is a Friday.
    assert not_quiet(nights, BERLIN, at=at("2026-03-06T12:00+01:00")) == at("2026-03-06T12:00+01:00")
    assert not_quiet(nights, BERLIN, at=at("2026-03-06T06:00+01:00")) == at("2026-03-06T07:30+01:00")
    assert not_quiet(nights, BERLIN, at=at("2026-03-05T19:00+01:00")) == at("2026-03-06T07:30+01:00")
    assert not_quiet(nights, BERLIN, at=at("2026-03-06T20:00+01:00")) == at("2026-03-09T07:30+01:00")
    lunch = chosen(quiet_from="12:00", quiet_until="13:00")
    assert not_quiet(lunch, BERLIN, at=at("2026-03-06T12:59+01:00")) == at("2026-03-06T13:00+01:00")
    assert not_quiet(lunch, BERLIN, at=at("2026-03-06T13:00+01:00")) == at("2026-03-06T13:00+01:00")


def test_quiet_that_ends_in_the_hour_that_is_skipped_ends_after_the_gap() -> None:
    nights = chosen(quiet_from="22:00", quiet_until="02:30")
    assert not_quiet(nights, BERLIN, at=at("2026-03-29T00:30+01:00")) == at("2026-03-29T03:00+02:00")
    assert not_quiet(nights, NEW_YORK, at=at("2026-03-08T01:59-05:00")) == at("2026-03-08T03:00-04:00")


def test_quiet_that_ends_in_the_hour_that_comes_twice_ends_each_time() -> None:
    nights = chosen(quiet_from="22:00", quiet_until="02:30")
    first, second = at("2026-10-25T02:30+02:00"), at("2026-10-25T02:30+01:00")
    assert not_quiet(nights, BERLIN, at=at("2026-10-25T01:00+02:00")) == first
    assert not_quiet(nights, BERLIN, at=first) == first
    assert not_quiet(nights, BERLIN, at=at("2026-10-25T02:10+01:00")) == second


def test_a_quiet_day_ends_where_no_midnight_is() -> None:
    # In Chile the clock goes from 23:59:59 on Saturday, 5 September 2026, to 01:00 on Sunday.
    quiet = chosen(quiet_days=["SATURDAY"])
    assert not_quiet(quiet, SANTIAGO, at=at("2026-09-05T12:00-04:00")) == at("2026-09-06T01:00-03:00")


def test_a_digest_goes_out_once_a_day_through_both_changes_of_the_clock() -> None:
    daily = chosen(digest_at="02:30")
    spring = [next_digest(daily, BERLIN, after=at(f"2026-03-{day}T12:00+00:00")) for day in (27, 28, 29)]
    assert spring == [
        (date(2026, 3, 28), at("2026-03-28T02:30+01:00")),
        (date(2026, 3, 29), at("2026-03-29T03:00+02:00")),
        (date(2026, 3, 30), at("2026-03-30T02:30+02:00")),
    ]
    day, instant = next_digest(daily, BERLIN, after=at("2026-10-24T12:00+00:00"))
    assert (day, instant) == (date(2026, 10, 25), at("2026-10-25T02:30+02:00"))
    assert next_digest(daily, BERLIN, after=instant)[0] == date(2026, 10, 26)


def test_a_digest_skips_quiet_days_and_minds_no_quiet_hours() -> None:
    weekdays = chosen(digest_at="06:00", quiet_from="19:00", quiet_until="07:30", quiet_days=["SATURDAY", "SUNDAY"])
    assert next_digest(weekdays, BERLIN, after=at("2026-03-06T12:00+01:00"))[1] == at("2026-03-09T06:00+01:00")


@given(
    st.sampled_from(ZONES),
    st.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2028, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.tuples(st.integers(0, 23), st.integers(0, 59), st.integers(0, 23), st.integers(0, 59)),
    st.sets(st.sampled_from(list(Weekday)), max_size=6),
)
def test_quiet_always_ends_and_digests_always_come(
    local: ZoneInfo, now: datetime, hours: tuple[int, int, int, int], days: set[Weekday]
) -> None:
    begins, ends = f"{hours[0]:02}:{hours[1]:02}", f"{hours[2]:02}:{hours[3]:02}"
    if begins == ends:
        return
    some = chosen(quiet_from=begins, quiet_until=ends, quiet_days=sorted(days), digest_at=begins)
    told = not_quiet(some, local, at=now)
    assert now <= told <= now + timedelta(days=9)
    assert not_quiet(some, local, at=told) == told
    seen = [next_digest(some, local, after=now)]
    for _ in range(8):
        seen.append(next_digest(some, local, after=seen[-1][1]))
    assert len({day for day, _ in seen}) == len(seen)
    assert [instant for _, instant in seen] == sorted(instant for _, instant in seen)
    assert all(instant.astimezone(local).date() == day for day, instant in seen)


def test_a_zone_that_does_not_exist_is_passed_over() -> None:
    assert zone("Mars/Olympus", None, "", "../etc/passwd", "Europe/Berlin") == BERLIN
    assert zone(None, "Nowhere") == ZoneInfo("UTC")
