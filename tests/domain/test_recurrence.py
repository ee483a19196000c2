"""Recurrence: rules that are checked, and local times that keep their place across daylight saving."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import follow_ups, local_times, recurrence
from domain.actors import Actor
from domain.errors import Faults
from domain.follow_up_details import FollowUpDetails
from domain.recurrence import Series
from domain.subjects import SubjectKey
from domain.work_days import LONGEST_RUN, WorkDays
from models.follow_ups import FollowUp, FollowUpKind, FollowUpStatus
from models.leads import Lead
from models.users import User
from tests.factories import NOW, lead, seller

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago")
MIDNIGHT = time()
START = datetime.combine(date(2026, 1, 31), time(9))


def checked(rule: str) -> list[str]:
    faults = Faults()
    recurrence.check(faults, rule, field="recurrence")
    return [fault.code for fault in faults]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY",
        "FREQ=HOURLY;INTERVAL=2",
        "INTERVAL=2",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=5001",
        "FREQ=DAILY;COUNT=99999999999999",
        "FREQ=DAILY;COUNT=2;UNTIL=20270101",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;UNTIL=20261399",
        "FREQ=DAILY;FREQ=WEEKLY",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=DAILY;BYEASTER=1",
        "FREQ=WEEKLY;BYDAY=2MO",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=999",
        "DTSTART:20260101T000000\nRRULE:FREQ=DAILY",
        "FREQ=DAILY;" + "BYMONTH=" + ",".join(["1"] * 400),
        "every day",
        "FREQ=DAILY;;",
    ],
)
def test_rules_that_are_refused(rule: str) -> None:
    assert checked(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "rrule:freq=weekly;byday=mo,th",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=MONTHLY;BYMONTHDAY=31;UNTIL=20270101T000000Z",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU;COUNT=10",
    ],
)
def test_rules_that_are_kept(rule: str) -> None:
    assert checked(rule) == []


def days(rule: str, start: datetime, number: int) -> list[date]:
    series = Series(rule, start, "UTC", on_day=True)
    return [slot.local.date() for slot in islice(series.slots(), number)]


def test_a_months_last_days_are_as_the_rfc_says() -> None:
    assert days("FREQ=MONTHLY", START, 4) == [date(2026, month, 31) for month in (1, 3, 5, 7)]
    assert days("FREQ=MONTHLY;BYMONTHDAY=-1", START, 3) == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]
    leap = datetime.combine(date(2028, 2, 29), MIDNIGHT)
    assert days("FREQ=YEARLY", leap, 3) == [date(2028, 2, 29), date(2032, 2, 29), date(2036, 2, 29)]
    assert days("FREQ=DAILY;UNTIL=20260202", START, 9) == [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 2)]


def test_a_rule_that_never_comes_true_is_told_soon() -> None:
    for rule in ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;INTERVAL=7;BYDAY=TU"):
        assert not Series(rule, START, "UTC", on_day=True).begins_as_due()


@given(
    zone=st.sampled_from(ZONES),
    start=st.datetimes(datetime.combine(date(2020, 1, 1), MIDNIGHT), datetime.combine(date(2035, 1, 1), MIDNIGHT)),
    rule=st.sampled_from(("FREQ=DAILY", "FREQ=WEEKLY;INTERVAL=3", "FREQ=MONTHLY", "FREQ=DAILY;INTERVAL=11;COUNT=40")),
)
def test_the_time_on_the_clock_is_kept_and_every_occurrence_is_later(zone: str, start: datetime, rule: str) -> None:
    start = start.replace(microsecond=0, second=0)
    series = Series(rule, start, zone, on_day=False)
    slots = list(islice(series.slots(), 30))
    assert slots[0].local == start
    assert [slot.number for slot in slots] == list(range(1, len(slots) + 1))
    dues = [series.due(slot.local) for slot in slots]
    assert all(earlier < later for earlier, later in pairwise(dues))
    for slot, due in zip(slots, dues, strict=True):
        shown = local_times.local_of(due, zone)
        assert slot.local.time() == start.time()
        # In the hour that is skipped it is the first instant after the gap.
        assert shown == slot.local or local_times.local_of(due - timedelta(seconds=1), zone) < slot.local < shown
    after = series.after(1, now=dues[4])
    assert after == slots[5]


@given(zone=st.sampled_from(ZONES), at=st.datetimes(datetime.combine(date(1990, 1, 1), MIDNIGHT)))
def test_a_local_time_is_the_first_instant_that_shows_it(zone: str, at: datetime) -> None:
    local = at.replace(year=min(at.year, 2100), microsecond=0) if (at.month, at.day) != (2, 29) else START
    instant = local_times.instant_of(local, zone)
    shown = local_times.local_of(instant, zone)
    assert shown >= local
    assert local_times.local_of(instant - timedelta(seconds=1), zone) != shown
    if shown == local:
        earliest = local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
        assert instant == earliest


def test_the_hour_that_is_skipped_and_the_hour_that_is_repeated() -> None:
    half_past_two = time(2, 30)
    for zone, day, expected in (
        ("Europe/Berlin", date(2026, 3, 29), datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("Europe/Berlin", date(2026, 10, 25), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        ("America/New_York", date(2026, 3, 8), datetime(2026, 3, 8, 7, tzinfo=UTC)),
        ("America/New_York", date(2026, 11, 1), datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
        # Half an hour is skipped there.
        ("Australia/Lord_Howe", date(2026, 10, 4), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ):
        at = time(2, 15) if zone == "Australia/Lord_Howe" else half_past_two
        assert local_times.instant_of(datetime.combine(day, at), zone) == expected
    # A day that begins at one in the morning ends the one before at midnight all the same.
    assert local_times.end_of(date(2026, 9, 5), "America/Santiago") == datetime(2026, 9, 6, 3, 59, 59, tzinfo=UTC)


@given(
    day=st.dates(date(2020, 1, 1), date(2040, 1, 1)),
    off=st.frozensets(st.integers(0, 6), max_size=6),
    holidays=st.frozensets(st.dates(date(2020, 1, 1), date(2040, 1, 1)), max_size=30),
    back=st.booleans(),
)
def test_a_shifted_day_is_the_nearest_that_is_not_off(
    day: date, off: frozenset[int], holidays: frozenset[date], back: bool
) -> None:
    known = WorkDays(off, holidays)
    found = known.shifted(day, back=back)
    assert not known.is_off(found)
    assert (found <= day) if back else (found >= day)
    assert abs((found - day).days) < LONGEST_RUN
    step = -1 if back else 1
    assert all(known.is_off(day + timedelta(days=n)) for n in range(0, (found - day).days, step))


async def plan(actor: Actor, row: Lead, **details: object) -> FollowUp:
    wanted = {"kind": FollowUpKind.CALL, "title": "Call", **details}
    return await follow_ups.create(actor, SubjectKey(Lead, row.id), FollowUpDetails(**wanted), now=NOW)  # type: ignore[arg-type]


async def open_of(row: Lead) -> list[FollowUp]:
    return await FollowUp.filter(lead_id=row.id, status=FollowUpStatus.OPEN)


@pytest.mark.usefixtures("db")
async def test_without_an_end_there_is_one_at_a_time_at_the_same_time_of_day() -> None:
    actor = await seller()
    await User.filter(id=actor.user_id).update(time_zone="Europe/Berlin")
    row = await lead(actor)
    first = await plan(
        actor, row, due_at=datetime(2026, 3, 24, 8, tzinfo=UTC), recurrence="FREQ=WEEKLY;BYDAY=TU", note="Ask"
    )
    made = await follow_ups.complete(actor, first.id, now=datetime(2026, 3, 24, 8, 30, tzinfo=UTC))
    again = await follow_ups.complete(actor, first.id, now=datetime(2026, 3, 24, 8, 30, tzinfo=UTC))
    [next_] = await open_of(row)

    # Nine o'clock in Berlin is an hour earlier in UTC from the 29th of March on.
    assert made.next is not None
    assert again.next is not None
    assert (next_.id, next_.due_at) == (made.next.id, datetime(2026, 3, 31, 7, tzinfo=UTC))
    assert (next_.note, next_.series_id, next_.occurrence, again.next.id) == ("Ask", first.id, 2, next_.id)
    late = await follow_ups.cancel(actor, next_.id, now=datetime(2026, 4, 15, tzinfo=UTC))
    assert late.next is not None
    assert (late.next.due_at, late.next.occurrence) == (datetime(2026, 4, 21, 7, tzinfo=UTC), 5)
    ended = await follow_ups.cancel(actor, late.next.id, end_series=True, now=datetime(2026, 4, 15, tzinfo=UTC))
    assert ended.next is None
    assert await open_of(row) == []


@pytest.mark.usefixtures("db")
async def test_opened_again_and_done_again_it_lays_out_no_second_one() -> None:
    actor = await seller()
    row = await lead(actor)
    first = await plan(actor, row, due_on=date(2026, 3, 3), recurrence="FREQ=DAILY;COUNT=3")

    done = await follow_ups.complete(actor, first.id, now=NOW)
    await follow_ups.reopen(actor, first.id, now=NOW)
    outcomes = await asyncio.gather(*(follow_ups.complete(actor, first.id, now=NOW) for _ in range(3)))
    assert len(await open_of(row)) == 1
    assert {one.next.id for one in outcomes if one.next} == {done.next.id if done.next else None}
    second = await follow_ups.complete(actor, (await open_of(row))[0].id, now=NOW)
    assert second.next is not None
    third = await follow_ups.complete(actor, second.next.id, now=NOW)
    assert (second.next.due_on, third.next) == (date(2026, 3, 5), None)


@pytest.mark.usefixtures("db")
async def test_one_of_a_series_changes_alone_or_with_those_that_follow() -> None:
    actor = await seller()
    row = await lead(actor)
    first = await plan(actor, row, due_on=date(2026, 3, 3), recurrence="FREQ=DAILY;COUNT=4")

    await follow_ups.update(actor, first.id, FollowUpDetails(title="Once", due_on=date(2026, 3, 9)), now=NOW)
    second = (await follow_ups.complete(actor, first.id, now=NOW)).next
    assert second is not None
    assert (second.title, second.due_on) == ("Call", date(2026, 3, 4))
    moved = FollowUpDetails(title="Visit", due_on=date(2026, 3, 10))
    changed = await follow_ups.update(actor, second.id, moved, following=True, now=NOW)
    assert (changed.recurrence, changed.occurrence, changed.series_id) == ("FREQ=DAILY;COUNT=3", 1, first.id)
    third = (await follow_ups.complete(actor, second.id, now=NOW)).next
    assert third is not None
    assert (third.title, third.due_on) == ("Visit", date(2026, 3, 11))
    alone = await follow_ups.update(actor, third.id, FollowUpDetails(recurrence=None), now=NOW)
    assert (await follow_ups.complete(actor, third.id, now=NOW)).next is None
    assert (alone.recurrence, alone.series_id) == (None, first.id)
