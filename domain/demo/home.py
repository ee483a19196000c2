"""The workspace of a demo before its first lead: people and teams, pipelines, catalogues, exchange rates."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import orjson

from domain import catalog, criteria, stages
from domain.actors import Actor, ActorKind
from domain.campaigns import CampaignCreated
from domain.catalog import LostReasonCreated, SourceCreated, TagCreated
from domain.competitors import CompetitorCreated
from domain.criteria import Preset, QualificationCriterionCreated
from domain.custom_fields import CustomFieldCreated
from domain.demo import words
from domain.demo.rows import Keys, Rows, fresh
from domain.events import Event
from domain.exchange_rates import ExchangeRateSet
from domain.follow_up_plans import FollowUpPlanCreated
from domain.invitations import UserJoined
from domain.pipelines import TEMPLATES, PipelineCreated, Template
from domain.products import ProductCreated
from domain.questionnaires import VERDICTS, Questionnaire, dump
from domain.stages import StageCreated
from domain.survey_presets import preset
from domain.surveys import SurveyCreated, SurveyPublished
from domain.teams import TeamCreated
from domain.workspaces import WorkspaceCreated
from models.catalog import SourceKind
from models.custom_fields import CustomField, IndexState
from models.follow_ups import PlanAnchor, PlanTrigger, Priority
from models.stages import Stage, StageKind
from models.surveys import SurveyKind
from models.users import Role

BASE = "EUR"
# Days after a sale.
SURVEY_DELAY = 14
YEARS = timedelta(days=730)
LEADS_A_REP = 2_000
FEWEST_REPS, MOST_REPS = 4, 60
REPS_A_CREW = 4


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works with leads; `skill` is how much better than usual they sell."""

    user_id: UUID
    facts: str
    skill: float = 1.0


@dataclass(frozen=True, slots=True)
class Way:
    """A pipeline as leads walk it: the stages in which they are open, and the one for won ones."""

    pipeline_id: UUID
    stages: tuple[Stage, ...]
    won: Stage


@dataclass(frozen=True, slots=True)
class Ware:
    """A product with its price in the base currency and how often it is asked for."""

    id: UUID
    name: str
    price: int
    weight: int


@dataclass(frozen=True, slots=True)
class Question:
    """A criterion of the checklist, with the keys that there are to choose from."""

    id: UUID
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done after a sale: the plan's steps by their key and the days after which each is due."""

    id: UUID
    steps: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Asking:
    """A survey as it went out."""

    id: UUID
    version_id: UUID
    made: Questionnaire
    detractor_most: int
    promoter_least: int


@dataclass(slots=True)
class Rates:
    """What currencies were worth, from month to month."""

    days: list[date] = field(default_factory=list)
    by_currency: dict[str, list[Decimal]] = field(default_factory=dict)

    def on(self, currency: str, day: date) -> Decimal:
        """Return the rate of a day, as domain.exchange_rates would."""
        if currency == BASE:
            return Decimal(1)
        return self.by_currency[currency][max(0, bisect_right(self.days, day) - 1)]


@dataclass(frozen=True, slots=True)
class Home:
    """What leads refer to."""

    workspace_id: UUID
    began: datetime
    now: datetime
    reps: tuple[Person, ...]
    qualifiers: tuple[Person, ...]
    ways: tuple[Way, ...]
    sources: tuple[tuple[UUID, SourceKind], ...]
    campaigns: Mapping[SourceKind, Sequence[tuple[date, UUID]]]
    lost_reasons: tuple[UUID, ...]
    tags: tuple[UUID, ...]
    wares: tuple[Ware, ...]
    questions: tuple[Question, ...]
    custom: tuple[CustomField, ...]
    rates: Rates
    competitors: tuple[UUID, ...]
    plan: Plan
    survey: Asking


@dataclass(frozen=True, slots=True)
class Admin:
    """Who signs in to the demo."""

    name: str
    email: str
    email_normalised: str
    password_hash: str


def furnish(rows: Rows, *, name: str, admin: Admin, leads: int, chance: Random, now: datetime) -> Home:
    """Make a workspace with everything that leads refer to, as it was two years before `now`."""
    return _Furnishing(rows, admin, chance, now).all(name, leads)


class _Furnishing:
    def __init__(self, rows: Rows, admin: Admin, chance: Random, now: datetime) -> None:
        self.rows, self.chance, self.now = rows, chance, now
        self.began = now - YEARS
        self.stamps = (1, self.began, self.began)
        self.admin = admin
        self.admin_id = rows.keys.take()
        actor = Actor(ActorKind.USER, rows.workspace_id, user_id=self.admin_id, role=Role.ADMIN)
        self.by = facts_of(actor)
        self.emails = {admin.email_normalised}

    def all(self, name: str, leads: int) -> Home:
        self.rows.tables["workspace"].append(
            (self.rows.workspace_id, name, BASE, "Europe/Berlin", "en", 90, "{}", 1, "{}", *self.stamps)
        )
        self._happened(WorkspaceCreated, self.rows.workspace_id, {"name": name, "version": 1})
        reps, qualifiers = self._people(leads, name)
        return Home(
            workspace_id=self.rows.workspace_id,
            began=self.began,
            now=self.now,
            reps=reps,
            qualifiers=qualifiers,
            ways=(self._pipeline(Template.B2B, 0), self._pipeline(Template.DISTRIBUTOR, 1)),
            sources=self._sources(),
            lost_reasons=self._lost_reasons(),
            tags=self._tags(),
            wares=self._wares(),
            questions=self._questions(),
            custom=self._custom(),
            rates=self._rates(),
            competitors=self._competitors(),
            plan=self._plan(),
            survey=self._survey(),
            campaigns=self._campaigns(),
        )

    def _happened(self, event: type[Event], subject_id: UUID, data: dict[str, Any]) -> None:
        self.rows.happened(event, subject_id, data, by=self.by, at=self.began)

    def _people(self, leads: int, workspace: str) -> tuple[tuple[Person, ...], tuple[Person, ...]]:
        self._member(Role.ADMIN, None, self.admin)
        reps: list[Person] = []
        wanted = min(max(leads // LEADS_A_REP, FEWEST_REPS), MOST_REPS)
        office_id: UUID | None = None
        while len(reps) < wanted:
            number = len(reps) // REPS_A_CREW
            if number % len(words.CREWS) == 0:
                office_id = self._team(words.OFFICES[number // len(words.CREWS) % len(words.OFFICES)], None)
                self._member(Role.MANAGER, office_id, self._colleague(workspace))
            crew_id = self._team(f"{words.CREWS[number % len(words.CREWS)]} team", office_id)
            for _ in range(min(REPS_A_CREW, wanted - len(reps))):
                skill = self.chance.uniform(0.82, 1.16)
                reps.append(self._member(Role.REP, crew_id, self._colleague(workspace), skill))
        qualifiers = [self._member(Role.QUALIFIER, None, self._colleague(workspace)) for _ in range(2)]
        self._member(Role.MARKETER, None, self._colleague(workspace))
        self._member(Role.VIEWER, None, self._colleague(workspace))
        return tuple(reps), tuple(qualifiers)

    def _colleague(self, workspace: str) -> Admin:
        """Invent a person who has been invited but has no password; the address is nobody else's."""
        house = f"{slug(workspace)}-{self.rows.workspace_id.hex[-6:]}.example"
        while True:
            first, last = self.chance.choice(words.FIRST_NAMES), self.chance.choice(words.LAST_NAMES)
            email = f"{first}.{last}@{house}".lower()
            if email not in self.emails:
                self.emails.add(email)
                return Admin(f"{first} {last}", email, email, "")

    def _member(self, role: Role, team_id: UUID | None, person: Admin, skill: float = 1.0) -> Person:
        key = self.admin_id if role is Role.ADMIN else self.rows.keys.take()
        hashed = person.password_hash or None
        self.rows.tables["user_account"].append(
            (key, person.email, person.email_normalised, hashed, person.name, False, *self.stamps)
        )
        self.rows.add("membership", key, role.value, team_id, True, self.began)
        actor = Actor(ActorKind.USER, self.rows.workspace_id, user_id=key, role=role)
        told = {"invitation": None, "role": role, "team_id": team_id}
        self.rows.happened(UserJoined, key, told, by=facts_of(actor), at=self.began)
        return Person(key, facts_of(actor), skill)

    def _team(self, name: str, parent_id: UUID | None) -> UUID:
        key = self.rows.keys.take()
        self.rows.put("team", key, name, parent_id, *self.stamps)
        self._happened(TeamCreated, key, fresh({"name": name, "parent_id": parent_id}))
        return key

    def _pipeline(self, template: Template, position: int) -> Way:
        draft, key = TEMPLATES[template], self.rows.keys.take()
        is_default = position == 0
        self.rows.put("pipeline", key, draft.name, position, is_default, *self.stamps)
        self._happened(PipelineCreated, key, {"name": draft.name, "is_default": is_default, "version": 1})
        made = [self._stage(key, at, new) for at, new in enumerate(draft.stages)]
        won = next(stage for stage in made if stage.kind is StageKind.FOLLOW_UP)
        return Way(key, tuple(stage for stage in made if stage.kind is not StageKind.FOLLOW_UP), won)

    def _stage(self, pipeline_id: UUID, position: int, new: stages.NewStage) -> Stage:
        stage = Stage(
            id=self.rows.keys.take(),
            workspace_id=self.rows.workspace_id,
            pipeline_id=pipeline_id,
            name=new.name,
            kind=new.kind,
            position=position,
            probability=new.probability,
            rot_days=new.rot_days,
            is_intake=new.is_intake,
        )
        columns = (stage.pipeline_id, stage.name, stage.kind.value, position, stage.probability, stage.rot_days)
        self.rows.put("stage", stage.id, *columns, stage.is_intake, "{}", *self.stamps)
        about = stages.facts(stage, name=stage.name, kind=stage.kind.value, position=position)
        self._happened(StageCreated, stage.id, about)
        return stage

    def _sources(self) -> tuple[tuple[UUID, SourceKind], ...]:
        made = []
        for name, kind in catalog.DEFAULT_SOURCES.items():
            key = self._entry("source", SourceCreated, {"name": name, "kind": kind.value})
            made.append((key, kind))
        return tuple(made)

    def _campaigns(self) -> dict[SourceKind, list[tuple[date, UUID]]]:
        """Make campaigns from month to month; return those that brought leads of a source, each with its first day."""
        made: dict[SourceKind, list[tuple[date, UUID]]] = {}
        for day in _months(self.began.date(), self.now.date()):
            for name, kind, source, months, days, cost in words.CAMPAIGNS:
                if day.month in months:
                    key = self.rows.keys.take()
                    columns = {
                        "name": f"{name} {day:%m/%Y}",
                        "kind": kind.value,
                        "starts_on": day,
                        "ends_on": day + timedelta(days=days - 1),
                        "cost": Decimal(cost),
                        "cost_currency": BASE,
                    }
                    self.rows.put("campaign", key, *columns.values(), *self.stamps)
                    self._happened(CampaignCreated, key, fresh(columns))
                    made.setdefault(source, []).append((day, key))
        return made

    def _lost_reasons(self) -> tuple[UUID, ...]:
        names = catalog.DEFAULT_LOST_REASONS
        return tuple(self._entry("lost_reason", LostReasonCreated, {"name": name}) for name in names)

    def _tags(self) -> tuple[UUID, ...]:
        return tuple(self._entry("tag", TagCreated, {"name": name, "color": color}) for name, color in words.TAGS)

    def _entry(self, table: str, event: type[Event], columns: dict[str, str]) -> UUID:
        key = self.rows.keys.take()
        self.rows.put(table, key, *columns.values(), *self.stamps)
        self._happened(event, key, fresh(columns))
        return key

    def _wares(self) -> tuple[Ware, ...]:
        made = []
        for number, (name, family, price, weight) in enumerate(words.PRODUCTS):
            key, sku, amount = self.rows.keys.take(), f"{family[:3].upper()}-{100 + number}", Decimal(price)
            columns = {
                "name": name,
                "name_normalised": name.lower(),
                "sku": sku,
                "family": family,
                "price": amount,
                "price_currency": BASE,
            }
            self.rows.put("product", key, *columns.values(), *self.stamps)
            self._happened(ProductCreated, key, fresh(columns))
            made.append(Ware(key, name, price, weight))
        return tuple(made)

    def _questions(self) -> tuple[Question, ...]:
        made = []
        for position, (preset_key, columns) in enumerate(criteria.of_preset(Preset.DISTRIBUTOR)):
            key, offered = self.rows.keys.take(), columns["choices"]
            columns |= {"preset_key": preset_key, "position": position}
            written = columns | {"type": columns["type"].value, "choices": orjson.dumps(offered).decode()}
            self.rows.put("qualification_criterion", key, *written.values(), *self.stamps)
            self._happened(QualificationCriterionCreated, key, fresh(columns))
            made.append(Question(key, tuple(choice["key"] for choice in offered)))
        return tuple(made)

    def _custom(self) -> tuple[CustomField, ...]:
        made = []
        for position, (name, label, kind, options) in enumerate(words.CUSTOM_FIELDS):
            key = self.rows.keys.take()
            offered = [{"key": own, "label": words_of, "archived": False} for own, words_of in options]
            columns = {"owner": "LEAD", "key": name, "label": label, "type": kind.value}
            written = (*columns.values(), orjson.dumps(offered).decode(), position, False, IndexState.NONE.value)
            self.rows.put("custom_field", key, *written, *self.stamps)
            told = columns | {"options": offered, "position": position, "is_indexed": False}
            self._happened(CustomFieldCreated, key, fresh(told))
            made.append(CustomField(id=key, key=name, label=label, type=kind, options=offered))
        return tuple(made)

    def _competitors(self) -> tuple[UUID, ...]:
        made = []
        for name, strengths, weaknesses in words.COMPETITORS:
            columns = {
                "name": name,
                "website": f"https://www.{slug(name)}.example",
                "strengths": strengths,
                "weaknesses": weaknesses,
            }
            made.append(self._entry("competitor", CompetitorCreated, columns))
        return tuple(made)

    def _plan(self) -> Plan:
        key, name = self.rows.keys.take(), "After the sale"
        trigger, since = PlanTrigger.LEAD_WON.value, self.now
        self.rows.put("follow_up_plan", key, name, trigger, since, *self.stamps)
        told = fresh({"name": name, "trigger": trigger})
        told["changes"]["steps"] = [None, [title for _, title, _ in words.AFTER_SALE]]
        self._happened(FollowUpPlanCreated, key, told)
        steps = []
        for number, (kind, title, days) in enumerate(words.AFTER_SALE, 1):
            steps.append(self.rows.keys.take())
            said = (kind.value, title, int(Priority.NORMAL), PlanAnchor.TRIGGER.value, days)
            self.rows.put("follow_up_plan_step", steps[-1], key, number, *said, *self.stamps)
        return Plan(key, tuple(steps))

    def _survey(self) -> Asking:
        key, version, made = self.rows.keys.take(), self.rows.keys.take(), preset(SurveyKind.NPS)
        detractor, promoter = VERDICTS[SurveyKind.NPS]
        content, name = orjson.dumps(dump(made)).decode(), "After the sale"
        rule = (True, SURVEY_DELAY, 100, 90, 1, 7, 30)
        kept = (name, SurveyKind.NPS.value, content, 1, 1, self.began, *rule, detractor, promoter, True, True)
        self.rows.put("survey", key, *kept, *self.stamps)
        self.rows.put("survey_version", version, key, 1, content, self.began, self.admin_id)
        self._happened(SurveyCreated, key, fresh({"kind": SurveyKind.NPS, "name": name}))
        self._happened(SurveyPublished, key, {"number": 1, "version_id": version, "version": 1})
        return Asking(key, version, made, detractor, promoter)

    def _rates(self) -> Rates:
        rates = Rates(days=list(_months(self.began.date(), self.now.date())))
        for currency, usual in words.RATES.items():
            rate, found = float(usual), []
            for day in rates.days:
                rate *= 1 + self.chance.uniform(-0.015, 0.015)
                found.append(Decimal(f"{rate:.6f}"))
                key = self.rows.keys.take()
                self.rows.put("exchange_rate", key, currency, found[-1], day, self.began)
                changed = {"rate": [None, found[-1]]}
                self._happened(ExchangeRateSet, key, {"currency": currency, "valid_on": day, "changes": changed})
            rates.by_currency[currency] = found
        return rates


def facts_of(actor: Actor) -> str:
    """Return an actor as the log keeps it."""
    return orjson.dumps(actor.facts()).decode()


def slug(name: str) -> str:
    """Return a name as part of a domain."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name.lower())
    return "-".join(part for part in kept.split("-") if part)[:40].strip("-") or "demo"


def _months(first: date, last: date) -> Sequence[date]:
    day, found = first.replace(day=1), []
    while day <= last:
        found.append(day)
        day = (day + timedelta(days=32)).replace(day=1)
    return found


def new_rows(chance: Random) -> Rows:
    """Return rows of a workspace that is not there yet."""
    keys = Keys(chance)
    return Rows(keys.take(), keys)
