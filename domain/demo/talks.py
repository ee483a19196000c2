"""What people of the demo did with leads and found out about them, as it stands on the leads and in the log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

from domain.activity_events import LeadActivityLogged
from domain.answers import LeadQualificationAnswered
from domain.demo import words
from domain.demo.home import Person, Question
from domain.demo.rows import Rows
from domain.events import Event
from domain.touches import TOUCHES
from models.activities import ActivityDirection, ActivityKind
from models.qualification import AnswerSource


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was said of a lead, as its event tells it; by whoever works on it unless it says `by` whom."""

    at: datetime
    event: type[Event]
    changes: Mapping[str, Sequence[Any]]
    facts: Mapping[str, Any]
    by: str | None = None


@dataclass(slots=True)
class Touched:
    """What stands on a lead of its activities, as domain.touches keeps it."""

    first: datetime | None = None
    last: datetime | None = None
    answered: int | None = None
    touches: int = 0

    @property
    def columns(self) -> dict[str, Any]:
        return {
            "first_activity_at": self.first,
            "last_activity_at": self.last,
            "first_response_seconds": self.answered,
            "touches": self.touches,
        }

    def add(self, at: datetime, since: datetime, kind: ActivityKind, direction: ActivityDirection | None) -> None:
        """Count an activity that is later than all before it."""
        self.first, self.last = self.first or at, at
        if kind in TOUCHES:
            self.touches += 1
            if self.answered is None and direction is ActivityDirection.OUTBOUND:
                self.answered = int((at - since).total_seconds())


@dataclass(slots=True)
class Talks:
    """All that was said of one lead, in the order of time."""

    rows: Rows
    chance: Random
    lead_id: UUID
    since: datetime
    by: Person
    touched: Touched = field(default_factory=Touched)
    said: list[Said] = field(default_factory=list)
    done: list[tuple[datetime, ActivityKind, ActivityDirection | None]] = field(default_factory=list)

    def talk(self, at: datetime) -> None:
        """Add an activity that is later than all before it."""
        kind, direction, subject, text, outcome, minutes = words.TALKS[int(self.chance.random() * len(words.TALKS))]
        seconds = 60 * self.chance.randrange(*minutes) if minutes else None
        key, before = self.rows.keys.take(), self.touched.columns
        self.touched.add(at, self.since, kind, direction)
        self.done.append((at, kind, direction))
        self.rows.put(
            "activity", key, kind.value, kind in TOUCHES, self.lead_id, direction.value if direction else None, outcome,
            subject, text, seconds, at, self.by.user_id, self.by.user_id, 1, at, at,
        )  # fmt: skip
        changed = {name: [before[name], value] for name, value in self.touched.columns.items() if before[name] != value}
        facts = {"activity_id": key, "kind": kind.value, "activity_version": 1}
        self.said.append(Said(at, LeadActivityLogged, changed, facts))

    def answer(self, at: datetime, questions: Sequence[Question]) -> None:
        """Add answers to the checklist."""
        told: dict[str, Any] = {}
        for question in questions:
            value = question.choices[int(self.chance.random() ** 1.5 * len(question.choices))]
            told[str(question.id)] = {"value": value, "note": None}
            given = (f'"{value}"', AnswerSource.PERSON.value, self.by.user_id, at)
            self.rows.add("qualification_answer", self.lead_id, question.id, *given)
        changes = {"answers": [dict.fromkeys(told), told]}
        self.said.append(Said(at, LeadQualificationAnswered, changes, {}))
        self.said.sort(key=lambda one: one.at)
