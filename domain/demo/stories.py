"""The story of one lead: where it came from, how far it went, how it ended, and what was written down."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import orjson

from domain import leads, ranks
from domain.closings import LeadClosed
from domain.demo import words
from domain.demo.care import Care
from domain.demo.home import BASE, Person, Way
from domain.demo.rows import Rows, fresh
from domain.demo.talks import Said, Talks
from domain.leads import LeadCaptured
from domain.moves import LeadMoved
from domain.needs import NeedCreated
from domain.scoring.assessing import Assessed
from domain.scoring.extraction import seniority
from models.activities import ActivityDirection
from models.catalog import SourceKind
from models.custom_fields import CustomFieldType
from models.leads import ContactRole, Lead, LeadStatus, Lifecycle
from models.stages import Stage, StageKind

if TYPE_CHECKING:
    from domain.demo.history import History

OPEN, WON, LOST, DISQUALIFIED = LeadStatus.OPEN, LeadStatus.WON, LeadStatus.LOST, LeadStatus.DISQUALIFIED

# By the kind of a stage: the chance to go on from it, the mean days until that or the end, and how many of the
# ends are disqualifications rather than losses.
FATE: dict[StageKind, tuple[float, float, float]] = {
    StageKind.PROSPECT: (0.74, 5, 0.75),
    StageKind.QUALIFY: (0.68, 9, 0.45),
    StageKind.PROPOSAL: (0.66, 14, 0.0),
    StageKind.NEGOTIATION: (0.74, 10, 0.0),
    StageKind.CLOSING: (0.88, 6, 0.0),
}
# By the kind of a source: how many leads of a hundred come from it, and how much better than others they fare.
SOURCES: dict[SourceKind, tuple[int, float]] = {
    SourceKind.WEB_FORM: (30, 1.0),
    SourceKind.TRADE_SHOW: (12, 0.98),
    SourceKind.REFERRAL: (12, 1.1),
    SourceKind.SOCIAL: (10, 0.94),
    SourceKind.CHANNEL_PARTNER: (12, 1.04),
    SourceKind.CAMPAIGN: (12, 0.97),
    SourceKind.COLD_OUTREACH: (9, 0.9),
    SourceKind.IMPORT: (0, 1.0),
    SourceKind.OTHER: (3, 0.96),
}
STALLS = 0.13
CHANNEL = 0.15
HIGHEST = 0.96
# How likely it is that people wrote down what they did, at most how often, and that they asked their checklist.
TALKED = {OPEN: 0.8, WON: 0.8, LOST: 0.15, DISQUALIFIED: 0.15}
MOST_TALKS = 3
ASKED = 0.6
LIFECYCLES = {StageKind.PROSPECT: Lifecycle.RAW, StageKind.QUALIFY: Lifecycle.MQL}
ROLES = (ContactRole.DECISION_MAKER, ContactRole.CHAMPION, ContactRole.USER, ContactRole.PAYER, ContactRole.INFLUENCER)


@dataclass(frozen=True, slots=True)
class Buyer:
    """A company with its people, or a household of one."""

    name: str
    city: str
    currency: str
    company_id: UUID | None
    people: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A lead's entry into a stage, or its end there."""

    at: datetime
    stage: Stage
    status: LeadStatus


@dataclass(slots=True)
class Walker:
    """A lead on its way, with the columns that domain.leads.live_columns reads."""

    pipeline_id: UUID
    stage_id: UUID
    rank: str
    owner_id: UUID | None
    value: Decimal | None
    currency: str
    score: int | None
    status: LeadStatus = OPEN
    closed_at: datetime | None = None
    deleted_at: None = None


class Story:
    """One lead. It is decided when it is made; `tell` writes it."""

    def __init__(self, history: "History", rows: Rows, buyer: Buyer, owner: Person, at: datetime) -> None:
        self.history, self.rows, self.buyer, self.home = history, rows, buyer, history.home
        self.chance, pick = history.chance, history.pick
        self.key = rows.keys.take()
        self.way: Way = self.home.ways[self.chance.random() < CHANNEL]
        self.source_id, self.source = pick(history.sources)
        self.campaign_id = self._campaign(at)
        self.ware = pick(history.wares)
        self.steps = self._walk(at, owner)
        self.last = self.steps[-1]
        self.furthest = max(step.stage.position for step in self.steps)
        is_raw = len(self.steps) == 1 and self.chance.random() < 0.25
        self.owner: Person | None = None if is_raw else owner
        self.by = owner if self.owner else pick(self.home.qualifiers)
        self.value = self._value()
        others = buyer.people[1:] if self.furthest > 1 else ()
        self.people = buyer.people[:1] + tuple(key for key in others if self.chance.random() < 0.5)

    @property
    def level(self) -> int:
        """Return what the lead makes of its company and people: 0 a lead, 1 a prospect, 2 a customer."""
        if self.last.status is WON:
            return 2
        return int(self.last.status is OPEN and self.last.stage.kind is not StageKind.PROSPECT)

    def _campaign(self, at: datetime) -> UUID | None:
        """Return the last campaign that brought leads of this source before somebody asked."""
        known = self.home.campaigns.get(self.source, ())
        return next((key for day, key in reversed(known) if day <= at.date()), None)

    def meet(self, people: Sequence[Mapping[str, Any]]) -> None:
        """Decide what was said and found out, with people of whom this is known; the first is the primary contact."""
        last = self.last
        self.met = people
        self.closed_at = None if last.status is OPEN else last.at
        self.engaged_at = next((step.at for step in self.steps if not step.stage.is_intake), None)
        self.expected = self._expected(self.closed_at)
        self.entered_at = last.at if last.status in (OPEN, WON) else self.steps[-2].at
        self.talks = self._talks(self.closed_at)
        self.tag_ids = sorted(self.chance.sample(self.home.tags, self.chance.choice((0, 0, 0, 1, 1, 2))))
        self.needs = self._needs()

    @property
    def seen_at(self) -> datetime:
        """When its score was told last: now, or when it was closed."""
        return self.closed_at or self.home.now

    def known(self) -> dict[str, Any]:
        """Return what rules look at, as the worker would."""
        first, day = self.met[0], self.seen_at.date()
        rate = self.home.rates.on(self.buyer.currency, day) if self.buyer.currency != BASE else Decimal(1)
        happened_at = max(filter(None, (self.talks.touched.last, self.entered_at)))
        return {
            "source_kind": self.source.value,
            "value": None if self.value is None else self.value * rate,
            "company": self.buyer.name if self.buyer.company_id else None,
            "contact.email": first["email"],
            "contact.phone": first["phone"],
            "contact.seniority": seniority(first["job_title"]),
            "owner": self.owner and "given",
            "close_date_days": self.expected and (self.expected - day).days,
            "needs": len(self.needs),
            "inbound": sum(direction is ActivityDirection.INBOUND for _, _, direction in self.talks.done),
            "days_silent": max((self.seen_at - happened_at) / timedelta(days=1), 0.0),
        }

    def done(self) -> Iterator[tuple[str, float]]:
        """Return activities, each with how many days ago it was."""
        return ((kind.value, (self.seen_at - at) / timedelta(days=1)) for at, kind, _ in self.talks.done)

    def tell(self, assessed: Assessed) -> None:
        """Write the lead, what hangs on it, and its events; a lead has one score all its life."""
        first, last, talks, tag_ids, closed_at = self.steps[0], self.last, self.talks, self.tag_ids, self.closed_at
        care = self._care(talks, any(one["email"] or one["phone"] for one in self.met))
        said = sorted((*talks.said, *care.said), key=lambda one: one.at)
        rank = self._tell_events(tag_ids, assessed.score, said)
        rate = self.home.rates.on(self.buyer.currency, closed_at.date()) if closed_at else None
        won = last.status is WON
        self.rows.put(
            "lead", self.key, self._title(), self._maybe(0.4, words.DESCRIPTIONS), self.way.pipeline_id, last.stage.id,
            rank, last.status.value, self._lifecycle(), self.value, self.buyer.currency, rate,
            last.stage.probability if closed_at is None else Decimal(won), assessed.score, assessed.grade.value,
            assessed.engagement, assessed.factors_json, self.seen_at,
            self.owner.user_id if self.owner else None, self.buyer.company_id, self.ware.id, self.source_id,
            self.campaign_id,
            self.history.pick(self.home.lost_reasons) if last.status is LOST else None,
            self._maybe(0.25, words.NOTES) if closed_at else None, self.expected, self.engaged_at, self.entered_at,
            *talks.touched.columns.values(), closed_at, self._custom(), care.next_follow_up_at, len(self.steps),
            first.at, last.at,
        )  # fmt: skip
        for at, person in enumerate(self.people):
            role = ContactRole.DECISION_MAKER if at == 0 else self.history.pick(ROLES)
            self.rows.add("lead_contact", self.key, person, role.value, at == 0, first.at)
        for tag_id in tag_ids:
            self.rows.add("lead_tag", self.key, tag_id)
        for columns in self.needs:
            self._need(columns)
        self.rows.leads += 1

    def _walk(self, at: datetime, owner: Person) -> list[Step]:
        """Let the lead walk until it ends, stalls or has come to the present."""
        chance, now, stages = self.chance, self.home.now, self.way.stages
        luck = (owner.skill * SOURCES[self.source][1]) ** 0.5
        stalls = int(chance.random() ** 2 * len(stages)) if chance.random() < STALLS else None
        steps = [Step(at, stages[0], OPEN)]
        for number, stage in enumerate(stages):
            goes_on, days, disqualified = FATE[stage.kind]
            later = at + timedelta(days=0.05 + chance.expovariate(1 / days))
            if number == stalls or later >= now:
                break
            at = max(at + timedelta(minutes=1), self.history.working(later))
            if at >= now:
                break
            if chance.random() < min(goes_on * luck, HIGHEST):
                onwards = stages[number + 1 :]
                steps.append(Step(at, onwards[0] if onwards else self.way.won, OPEN if onwards else WON))
            else:
                steps.append(Step(at, stage, DISQUALIFIED if chance.random() < disqualified else LOST))
                break
        return steps

    def _tell_events(self, tag_ids: list[UUID], score: int, said: Sequence[Said]) -> str:
        """Write the lead's moves and events; return the rank where it ended up."""
        first, owner_id = self.steps[0], self.owner.user_id if self.owner else None
        lead = Walker(
            self.way.pipeline_id, first.stage.id, self._rank(first.at), owner_id, self.value, self.buyer.currency, score
        )
        live = leads.live_columns(cast(Lead, lead), tag_ids)
        captured = {"version": 1, "before": None, "after": live, "changes": {}}
        self.rows.happened(LeadCaptured, self.key, captured, by=self.by.facts, at=first.at)
        self.rows.add("stage_transition", self.key, None, first.stage.id, self.by.user_id, first.at, None)
        waiting = deque(said)
        for version, (here, there) in enumerate(zip(self.steps, self.steps[1:], strict=False), 2):
            while waiting and waiting[0].at < there.at:
                self._say(waiting.popleft(), version - 1, live)
            moved = there.stage is not here.stage
            lead.stage_id, lead.status = there.stage.id, there.status
            lead.closed_at = None if there.status is OPEN else there.at
            if moved:
                lead.rank = self._rank(there.at)
            before, live = live, leads.live_columns(cast(Lead, lead), tag_ids)
            changed = {name: [was, live[name]] for name, was in before.items() if was != live[name]}
            changed |= self._besides(here, there, moved)
            told = {"version": version, "before": before, "after": live, "changes": changed}
            event = LeadMoved if there.status is OPEN else LeadClosed
            self.rows.happened(event, self.key, told, by=self.by.facts, at=there.at)
            if moved:
                stayed = int((there.at - here.at).total_seconds())
                self.rows.add(
                    "stage_transition", self.key, here.stage.id, there.stage.id, self.by.user_id, there.at, stayed
                )
        for one in waiting:
            self._say(one, len(self.steps), live)
        return lead.rank

    def _say(self, one: Said, version: int, live: dict[str, Any]) -> None:
        told = {"version": version, "before": live, "after": live, "changes": one.changes, **one.facts}
        self.rows.happened(one.event, self.key, told, by=one.by or self.by.facts, at=one.at)

    def _besides(self, here: Step, there: Step, moved: bool) -> dict[str, list[Any]]:
        """Return what a step changes besides what live filters look at."""
        was = here.stage.probability
        becomes = there.stage.probability if there.status is OPEN else Decimal(there.status is WON)
        changed: dict[str, list[Any]] = {"probability": [was, becomes]} if was != becomes else {}
        if moved:
            changed["stage_entered_at"] = [here.at, there.at]
            if here.stage.is_intake:
                changed["engaged_at"] = [None, there.at]
        if there.status is not OPEN:
            rate = self.home.rates.on(self.buyer.currency, there.at.date())
            changed["closing_rate"] = [None, rate]
        return changed

    def _rank(self, at: datetime) -> str:
        return ranks.top(at, salt=f"{self.chance.getrandbits(24):06x}")

    def _value(self) -> Decimal | None:
        """Return what the lead may be worth in its buyer's currency; nobody knows of some that are young."""
        if self.furthest < 3 and self.chance.random() < 0.3:
            return None
        pieces = self.chance.choice((1, 1, 1, 2, 2, 3, 5, 8))
        amount = self.ware.price * pieces * self.chance.uniform(0.85, 1.08)
        rate = float(words.RATES.get(self.buyer.currency, 1))
        return Decimal(max(100, round(amount / rate, -2 if amount > 5000 else -1))).quantize(Decimal(1))

    def _title(self) -> str:
        forms = words.TITLES if self.buyer.company_id else words.PRIVATE_TITLES
        name, city = self.buyer.name, self.buyer.city
        return self.history.pick(forms).format(
            product=self.ware.name, company=name, name=name.rpartition(" ")[2], city=city
        )

    def _lifecycle(self) -> str:
        if self.last.status is DISQUALIFIED:
            return Lifecycle.RAW.value
        kinds = [step.stage.kind for step in self.steps]
        return LIFECYCLES.get(kinds[-1], Lifecycle.SQL).value

    def _maybe(self, likely: float, texts: tuple[str, ...]) -> str | None:
        return self.history.pick(texts) if self.chance.random() < likely else None

    def _expected(self, closed_at: datetime | None) -> date | None:
        """Return when a decision is, or was, expected."""
        if self.furthest < 2 or self.chance.random() < 0.2:
            return None
        base = closed_at or self.last.at
        spread = self.chance.randrange(-15, 16) if closed_at else self.chance.randrange(7, 75)
        return (base + timedelta(days=spread)).date()

    def _talks(self, closed_at: datetime | None) -> Talks:
        """Write what people did with the lead, before its end or lately or not, and what they found out."""
        chance, first = self.chance, self.steps[0].at
        talks = Talks(self.rows, chance, self.key, first, self.by)
        if chance.random() < TALKED[self.last.status]:
            end = (
                self.last.at - timedelta(minutes=10)
                if closed_at
                else min(self.last.at + timedelta(days=chance.expovariate(0.25)), self.home.now - timedelta(minutes=5))
            )
            end = max(first, end)
            others = (first + (end - first) * chance.random() for _ in range(int(chance.random() * MOST_TALKS)))
            for at in sorted((*others, end)):
                talks.talk(at)
        if self.furthest and self.last.status in (OPEN, WON) and chance.random() < ASKED:
            known = chance.randint(1, len(self.home.questions))
            talks.answer(self.steps[1].at, self.home.questions[:known])
        return talks

    def _care(self, talks: Talks, is_reachable: bool) -> Care:
        """Write what was planned, said and heard of the lead."""
        care = Care(self.rows, self.chance, self.home, self.key, self.by)
        at = min(max(self.last.at, talks.touched.last or self.last.at), self.home.now)
        if self.last.status is OPEN:
            care.of_any(at, furthest=self.furthest)
            if self.owner:
                care.of_open(at)
        elif self.last.status is WON:
            care.of_any(self.steps[-2].at, furthest=self.furthest)
            care.of_sale(self.last.at, self.people[0], is_reachable=is_reachable)
        return care

    def _custom(self) -> str:
        """Return the values of the workspace's own fields: more of them the further the lead has come."""
        if self.chance.random() > 0.2 + 0.2 * self.furthest:
            return "{}"
        values: dict[CustomFieldType, Any] = {
            CustomFieldType.NUMBER: str(self.chance.randrange(40, 4000, 10)),
            CustomFieldType.YES_NO: self.chance.random() < 0.4,
        }
        given = {
            each.id.hex: self.history.pick(each.options)["key"] if each.options else values[each.type]
            for each in self.home.custom
        }
        return orjson.dumps(given).decode()

    def _needs(self) -> list[dict[str, Any]]:
        """Return what hurts: little is known of who was never qualified."""
        most = 0 if self.furthest < 1 else 1 if self.furthest < 3 else 3
        chosen = self.chance.sample(words.NEEDS, self.chance.randint(0, most))
        is_answered = self.furthest > 2
        return [
            {
                "kind": kind,
                "title": title,
                "importance": self.chance.randint(1, 5),
                "answer": answer if is_answered else None,
            }
            for kind, title, answer in chosen
        ]

    def _need(self, columns: dict[str, Any]) -> None:
        key, at = self.rows.keys.take(), self.steps[min(1, len(self.steps) - 1)].at
        self.rows.put("need", key, self.key, *columns.values(), 1, at, at)
        self.rows.happened(NeedCreated, key, {"lead_id": self.key, **fresh(columns)}, by=self.by.facts, at=at)
