"""What the demo's people have planned for leads, said of them among themselves, and heard from customers.

It is a small share of leads, and nothing of it is reminded of: a demo sends no mail by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import orjson

from domain import local_times, questionnaires, survey_answers
from domain.actors import Actor, ActorKind
from domain.comments import COMMENTED
from domain.demo import words
from domain.demo.home import SURVEY_DELAY, Home, Person, facts_of
from domain.demo.rows import Rows
from domain.demo.talks import Said
from domain.events import Event
from domain.follow_up_changes import COMPLETED, CREATED
from domain.survey_dispatches import SurveyDispatchSent
from models.competitors import Threat
from models.follow_ups import FollowUpKind, FollowUpStatus, PlanTrigger, Priority
from models.leads import Lead
from models.surveys import DispatchStatus, DispatchTrigger, Verdict

ZONE = "Europe/Berlin"
COMMENTS, TO_DOS, AFTER_SALES, RIVALS, ASKED, ANSWERED = 0.05, 0.1, 0.3, 0.12, 0.15, 0.6
PLANNED_SINCE, ASKED_SINCE = timedelta(days=180), timedelta(days=30)
SCORES = (10, 10, 10, 9, 9, 9, 8, 8, 7, 7, 6, 5, 3, 0)


@dataclass(slots=True)
class Care:
    """What was done around one lead, with its events in the order of time."""

    rows: Rows
    chance: Random
    home: Home
    lead_id: UUID
    by: Person
    said: list[Said] = field(default_factory=list)
    _open: dict[UUID, datetime] = field(default_factory=dict)

    @property
    def next_follow_up_at(self) -> datetime | None:
        return min(self._open.values(), default=None)

    def of_open(self, at: datetime) -> None:
        """Plan what is to be done next for a lead, which somebody saw last then."""
        if self.chance.random() < TO_DOS:
            kind, title = self.chance.choice(words.TO_DOS)
            day = (self.home.now + timedelta(days=self.chance.randrange(-4, 22))).date()
            self._plan(kind, title, day, at, {})

    def of_any(self, at: datetime, *, furthest: int) -> None:
        """Comment on a lead, and say who else offers."""
        if self.chance.random() < COMMENTS:
            key, who = self.rows.keys.take(), self.chance.choice((*self.home.qualifiers, self.by))
            self.rows.put("comment", key, self.lead_id, who.user_id, self.chance.choice(words.COMMENTS), 1, at, at)
            self._say(at, COMMENTED[Lead], {"comment_id": key, "mention_ids": []}, by=who.facts)
        if furthest > 1 and self.chance.random() < RIVALS:
            for rival in self.chance.sample(self.home.competitors, self.chance.randint(1, 2)):
                self.rows.add("lead_competitor", self.lead_id, rival, self.chance.choice(list(Threat)).value, at)

    def of_sale(self, won_at: datetime, contact_id: UUID, *, is_reachable: bool) -> None:
        """Lay out the plan after a sale that was not long ago, and ask how it went."""
        if self.home.now - won_at < PLANNED_SINCE and self.chance.random() < AFTER_SALES:
            self._after_sale(won_at)
        asked_at = won_at + timedelta(days=SURVEY_DELAY)
        if is_reachable and self.home.now - asked_at > ASKED_SINCE and self.chance.random() < ASKED:
            self._ask(won_at, asked_at, contact_id)
        self.said.sort(key=lambda one: one.at)

    def _after_sale(self, won_at: datetime) -> None:
        done, key = [], f"{PlanTrigger.LEAD_WON}:{won_at.astimezone(UTC).isoformat()}"
        for step, (kind, title, days) in zip(self.home.plan.steps, words.AFTER_SALE, strict=True):
            day = (won_at + timedelta(days=days)).date()
            day += timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)
            laid = {"plan_id": self.home.plan.id, "plan_step_id": step, "plan_key": key}
            laid["occasion"] = f"plan:{step}:{self.lead_id}:{key}"
            done.append(self._plan(kind, title, day, won_at, laid))
        for finish in done:
            finish()

    def _plan(self, kind: FollowUpKind, title: str, day: date, at: datetime, laid: Mapping[str, Any]) -> Any:
        """Write a follow-up; what is returned tells of its end, where it has one."""
        key, due_at = self.rows.keys.take(), local_times.end_of(day, ZONE)
        ended_at = local_times.morning_of(day, ZONE) if laid and due_at < self.home.now else None
        status = FollowUpStatus.DONE if ended_at else FollowUpStatus.OPEN
        outcome = self.chance.choice(words.OUTCOMES) if ended_at else None
        who = self.by.user_id
        names = ("plan_id", "plan_step_id", "plan_key", "occasion")
        self.rows.put(
            "follow_up", key, self.lead_id, who, None if laid else who, kind.value, title, int(Priority.NORMAL),
            status.value, due_at, day, ZONE, *(laid.get(name) for name in names), outcome, ended_at,
            who if ended_at else None, 1, 2 if ended_at else 1, at, ended_at or at,
        )  # fmt: skip
        facts = {"follow_up_id": key, "kind": kind.value, "title": title, "owner_id": who, "due_at": due_at}
        before = self.next_follow_up_at
        self._open[key] = due_at
        self._say(at, CREATED[Lead], facts | {"follow_up_version": 1}, next_was=before)

        def finish() -> None:
            if ended_at is not None:
                was = self.next_follow_up_at
                del self._open[key]
                self._say(ended_at, COMPLETED[Lead], facts | {"follow_up_version": 2}, next_was=was)

        return finish

    def _ask(self, won_at: datetime, at: datetime, contact_id: UUID) -> None:
        survey, key, expires_at = self.home.survey, self.rows.keys.take(), at + timedelta(days=30)
        answered = self.chance.random() < ANSWERED
        ended_at = at + timedelta(hours=self.chance.uniform(1, 500)) if answered else expires_at
        status = DispatchStatus.ANSWERED if answered else DispatchStatus.EXPIRED
        self.rows.put(
            "survey_dispatch", key, survey.id, survey.version_id, self.lead_id, contact_id,
            DispatchTrigger.LEAD_WON.value, f"won:{survey.id}:{self.lead_id}:{won_at.timestamp()}", won_at,
            status.value, "en", 0, at, expires_at, ended_at, at,
        )  # fmt: skip
        sent = {"survey_id": survey.id, "lead_id": self.lead_id, "contact_id": contact_id, "status": "SENT"}
        self.rows.happened(SurveyDispatchSent, key, sent, by=SYSTEM, at=at)
        if answered:
            self._answer(key, contact_id, ended_at)

    def _answer(self, dispatch_id: UUID, contact_id: UUID, at: datetime) -> None:
        survey, key, score = self.home.survey, self.rows.keys.take(), self.chance.choice(SCORES)
        asked = survey.made.questions
        answers: dict[str, Any] = {asked[0].key: score}
        verdict = questionnaires.verdict_of(
            score, detractor_most=survey.detractor_most, promoter_least=survey.promoter_least
        )
        if self.chance.random() < 0.4:
            said = words.COMPLAINTS if verdict is Verdict.DETRACTOR else words.PRAISE
            answers[asked[1].key] = self.chance.choice(said)
        verbatim, told = questionnaires.verbatim_of(survey.made, answers), verdict.value if verdict else None
        self.rows.put(
            "survey_response", key, dispatch_id, survey.id, survey.version_id, self.lead_id, contact_id,
            orjson.dumps(answers).decode(), score, told, verbatim, "en", at, at, at,
        )  # fmt: skip
        facts = {"dispatch_id": dispatch_id, "response_id": key, "survey_id": survey.id, "score": score}
        customer = Actor(ActorKind.LINK, self.rows.workspace_id, link_id=dispatch_id)
        self._say(at, survey_answers.ANSWERED[Lead], facts | {"verdict": told}, by=facts_of(customer))

    def _say(
        self,
        at: datetime,
        event: type[Event],
        facts: Mapping[str, Any],
        *,
        next_was: datetime | None = None,
        by: str | None = None,
    ) -> None:
        now = self.next_follow_up_at
        moves = event in (CREATED[Lead], COMPLETED[Lead]) and now != next_was
        changes = {"next_follow_up_at": [next_was, now]} if moves else {}
        self.said.append(Said(at, event, changes, facts, by))


SYSTEM = orjson.dumps({"kind": ActorKind.SYSTEM, "task": "survey_sweep"}).decode()
