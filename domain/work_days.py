"""Days on which a workspace works: its weekdays, but for its holidays; and what it sets for follow-ups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import orjson

from domain import inputs
from domain.errors import DomainError, Faults
from domain.next_steps import ESCALATE_AFTER_HOURS, SETTING
from models.database import read
from models.reminders import Weekday

# Of a run of days off longer than this, the first day after so many stands.
LONGEST_RUN = 60
DAY = timedelta(days=1)
MOST_HOURS = 24 * 365
KNOWN = """
SELECT (SELECT settings -> 'followUps' FROM workspace WHERE id = $1) AS rules,
       ARRAY(SELECT day FROM holiday WHERE workspace_id = $1) AS holidays
"""


WEEKEND = (Weekday.SATURDAY, Weekday.SUNDAY)


class NeverAtWork(DomainError):
    """There must be a day of the week that is none off."""


@dataclass(frozen=True, slots=True)
class FollowUpRules:
    """What a workspace sets for follow-ups: its days off, and when managers are told of what is overdue, if ever."""

    days_off: Sequence[Weekday] = WEEKEND
    escalate_after_hours: int | None = ESCALATE_AFTER_HOURS

    @classmethod
    def parse(cls, settings: Mapping[str, Any] | None) -> "FollowUpRules":
        """Return what a workspace's settings say of it."""
        known = (settings or {}).get(SETTING) or {}
        return cls(
            tuple(Weekday(name) for name in known.get("daysOff", WEEKEND)),
            known.get("escalateAfterHours", ESCALATE_AFTER_HOURS),
        )

    def to_json(self) -> dict[str, Any]:
        chosen = [day.value for day in Weekday if day in self.days_off]
        return {"daysOff": chosen, "escalateAfterHours": self.escalate_after_hours}

    def check(self, faults: Faults, *, field: str) -> None:
        if set(self.days_off) == set(Weekday):
            faults.add(NeverAtWork(field=f"{field}.daysOff"))
        hours = self.escalate_after_hours
        inputs.whole(faults, hours, field=f"{field}.escalateAfterHours", least=1, most=MOST_HOURS)


@dataclass(frozen=True, slots=True)
class WorkDays:
    """On which days a workspace works."""

    days_off: frozenset[int] = frozenset({5, 6})
    holidays: frozenset[date] = frozenset()

    def is_off(self, day: date) -> bool:
        return day.weekday() in self.days_off or day in self.holidays

    def shifted(self, day: date, *, back: bool = False) -> date:
        """Return a day that is not off: this one, or else the next or, going back, the last before it."""
        step = -DAY if back else DAY
        for _ in range(LONGEST_RUN):
            if not self.is_off(day):
                break
            day += step
        return day


async def of(workspace_id: UUID) -> WorkDays:
    """Return on which days a workspace works."""
    [found] = await read(KNOWN, workspace_id)
    rules = FollowUpRules.parse({SETTING: orjson.loads(found["rules"] or "null")})
    weekdays = list(Weekday)
    return WorkDays(frozenset(weekdays.index(day) for day in rules.days_off), frozenset(found["holidays"]))
