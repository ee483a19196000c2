"""What people say of a follow-up, and how it is checked; whose it is stands beside it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from domain import inputs, local_times, recurrence
from domain.errors import DomainError, Faults
from domain.unset import UNSET, Unset, given
from models.follow_ups import FollowUp, FollowUpKind, Priority

# A year.
LONGEST_NOTICE = 366 * 24 * 60
# How long before an instant people are reminded of it where nobody says.
NOTICE = {FollowUpKind.MEETING: 15}


class DueMissing(DomainError):
    """Say when it is due: by dueAt at an instant, or by dueOn on a day."""


class DueTwice(DomainError):
    """It is due at an instant or on a day: give dueAt or dueOn, not both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpDetails:
    """What people say of a follow-up; what is UNSET is left as it is, None clears it.

    Of a new one, `owner_id` is the actor and `remind_minutes_before` the usual where they are not given; None is
    nobody, and no reminder. One of `due_at` and `due_on` replaces the other.
    """

    kind: FollowUpKind | Unset = UNSET
    title: str | Unset | None = UNSET
    note: str | Unset | None = UNSET
    priority: Priority | Unset = UNSET
    due_at: datetime | Unset = UNSET
    due_on: date | Unset = UNSET
    remind_minutes_before: int | Unset | None = UNSET
    owner_id: UUID | Unset | None = UNSET
    recurrence: str | Unset | None = UNSET


def check(faults: Faults, details: FollowUpDetails) -> dict[str, Any]:
    """Check what is given and return it as columns; whose it is and when it is due are looked at beside it."""
    columns: dict[str, Any] = given(kind=details.kind, priority=details.priority)
    if details.title is not UNSET:
        columns["title"] = inputs.name(faults, details.title, field="title")
    if details.note is not UNSET:
        columns["note"] = inputs.text(faults, details.note, field="note")
    if details.remind_minutes_before is not UNSET:
        columns["remind_minutes_before"] = inputs.whole(
            faults, details.remind_minutes_before, field="remindMinutesBefore", least=0, most=LONGEST_NOTICE
        )
    if details.recurrence is not UNSET:
        columns["recurrence"] = recurrence.check(faults, details.recurrence, field="recurrence")
    return columns


def due(faults: Faults, details: FollowUpDetails, zone: str, *, current: FollowUp | None = None) -> dict[str, Any]:
    """Return when a follow-up is due, where that is given or its day is another one in another time zone."""
    if not isinstance(details.due_at, Unset) and not isinstance(details.due_on, Unset):
        faults.add(DueTwice(field="dueOn"))
        return {}
    if not isinstance(details.due_at, Unset):
        inputs.instant(faults, details.due_at, field="dueAt")
        return {"due_at": details.due_at, "due_on": None}
    day = current.due_on if current is not None and isinstance(details.due_on, Unset) else details.due_on
    if isinstance(day, Unset):
        faults.add(DueMissing(field="dueAt"))
    if not isinstance(day, date):
        return {}
    found = Faults()
    inputs.day(found, day, field="dueOn")
    faults.extend(found)
    return {} if any(found) else {"due_at": local_times.end_of(day, zone), "due_on": day}


def usual_notice(kind: FollowUpKind, due_on: date | None) -> int:
    """Return how many minutes before it is due people are reminded where nobody says."""
    return NOTICE.get(kind, 0) if due_on is None else 0
