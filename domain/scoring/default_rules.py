"""How promising a lead is by default rules, why, and when that must be told anew.

A score is 0 to 100: at most 25 points for where the lead comes from, 25 for its value, 30 for what is known of
it and 20 for how lately something happened; a lead that has been silent for long loses 10.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from tortoise.connection import get_connection

from domain import jobs, locks
from domain.actors import system
from domain.events import Event, changes, record
from domain.jobs import Queue
from domain.leads import facts, live_columns
from domain.scoring import in_use
from models.catalog import SourceKind
from models.database import transaction
from models.leads import Grade, Lead, LeadStatus

TASK = "score_leads"
LEADS_AT_ONCE = 200
PAGE = 5000

SOURCE_POINTS: dict[SourceKind, tuple[int, str]] = {
    SourceKind.REFERRAL: (25, "Came by referral"),
    SourceKind.CHANNEL_PARTNER: (20, "Came through a partner"),
    SourceKind.WEB_FORM: (18, "Asked on the website"),
    SourceKind.TRADE_SHOW: (15, "Met at a trade show"),
    SourceKind.CAMPAIGN: (15, "Answered a campaign"),
    SourceKind.SOCIAL: (10, "Came from social media"),
    SourceKind.OTHER: (8, "Came from another source"),
    SourceKind.IMPORT: (5, "Came with an import"),
    SourceKind.COLD_OUTREACH: (5, "Was approached cold"),
}

# What a lead is usually worth, in the base currency, where the workspace's settings do not say.
TYPICAL_VALUE = Decimal(10_000)
TYPICAL_VALUE_SETTING = "typicalLeadValue"
# (times the typical value, points), the highest first
VALUE_POINTS = ((Decimal(5), 25), (Decimal(2), 20), (Decimal(1), 15), (Decimal("0.5"), 10), (Decimal("0.1"), 5))
SMALL_VALUE_POINTS = 2

REACHABLE_POINTS, UNREACHABLE_POINTS = 8, 4
COMPANY_POINTS = 6
OWNER_POINTS = 6
CLOSE_DATE_POINTS = 5
NEED_POINTS = 5

# (days since something happened, points), the fewest first
RECENCY_POINTS = ((3, 20), (7, 16), (14, 12), (30, 6), (60, 0))
SILENT_POINTS = -10

GRADES = ((75, Grade.A), (55, Grade.B), (35, Grade.C))


class LeadScored(Event):
    name = "lead.scored"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFacts:
    """What the rules look at. `value` is in the base currency, None where it is unknown or has no rate."""

    source: SourceKind | None = None
    has_value: bool = False
    value: Decimal | None = None
    typical_value: Decimal = TYPICAL_VALUE
    has_contact: bool = False
    is_reachable: bool = False
    has_company: bool = False
    has_owner: bool = False
    expected_close_date: date | None = None
    needs: int = 0
    last_happened_at: datetime


@dataclass(frozen=True, slots=True)
class Factor:
    """One reason of a score: UP where it earns points, DOWN where it costs or misses them."""

    label: str
    points: int

    @property
    def direction(self) -> str:
        return "UP" if self.points > 0 else "DOWN"

    def facts(self) -> dict[str, Any]:
        """Return the factor as the lead's row keeps it."""
        return {"label": self.label, "points": self.points, "direction": self.direction}


@dataclass(frozen=True, slots=True)
class Score:
    points: int
    grade: Grade
    factors: tuple[Factor, ...]

    def reasons(self) -> list[dict[str, Any]]:
        """Return the factors as the lead's row keeps them."""
        return [factor.facts() for factor in self.factors]

    def reasons_json(self) -> str:
        """Return the same as the text of a JSON column."""
        return orjson.dumps(self.reasons()).decode()


def score(known: LeadFacts, now: datetime) -> Score:
    """Return the score of a lead, its grade and its reasons."""
    factors = (
        _source(known),
        _value(known),
        _contact(known),
        _earned(known.has_company, COMPANY_POINTS, "Company is known", "Company is unknown"),
        _earned(known.has_owner, OWNER_POINTS, "Somebody owns it", "Nobody owns it"),
        _close_date(known, now),
        _earned(known.needs > 0, NEED_POINTS, "Needs are known", "Needs are unknown"),
        _recency(known, now),
    )
    points = max(sum(factor.points for factor in factors), 0)
    return Score(points, grade_of(points), factors)


def grade_of(points: int) -> Grade:
    """Return the grade of a score: A from 75, B from 55, C from 35, else D."""
    return next((grade for least, grade in GRADES if points >= least), Grade.D)


def _earned(is_so: bool, points: int, label: str, otherwise: str) -> Factor:
    return Factor(label, points) if is_so else Factor(otherwise, 0)


def _source(known: LeadFacts) -> Factor:
    if known.source is None:
        return Factor("Source is unknown", 0)
    points, label = SOURCE_POINTS[known.source]
    return Factor(label, points)


def _value(known: LeadFacts) -> Factor:
    if not known.has_value:
        return Factor("Value is unknown", 0)
    if known.value is None:
        return Factor("Value has no exchange rate", SMALL_VALUE_POINTS)
    for times, points in VALUE_POINTS:
        if known.value >= times * known.typical_value:
            return Factor("Value is typical or higher" if times >= 1 else "Value is below the typical", points)
    if known.value > 0:
        return Factor("Value is small", SMALL_VALUE_POINTS)
    return Factor("Value is nothing", 0)


def _contact(known: LeadFacts) -> Factor:
    if known.is_reachable:
        return Factor("Contact can be reached", REACHABLE_POINTS)
    return _earned(known.has_contact, UNREACHABLE_POINTS, "Contact has no email or phone", "Contact is unknown")


def _close_date(known: LeadFacts, now: datetime) -> Factor:
    if known.expected_close_date and known.expected_close_date < now.date():
        return Factor("Expected close date has passed", 0)
    return _earned(
        known.expected_close_date is not None,
        CLOSE_DATE_POINTS,
        "Expected close date is set",
        "Expected close date is unknown",
    )


def _recency(known: LeadFacts, now: datetime) -> Factor:
    silent = now - known.last_happened_at
    for days, points in RECENCY_POINTS:
        if silent < timedelta(days=days):
            return Factor(f"Something happened in the last {days} days", points)
    return Factor(f"Nothing happened for {RECENCY_POINTS[-1][0]} days", SILENT_POINTS)


TODAY = "($3::timestamptz AT TIME ZONE 'UTC')::date"

# Whether the passing of time alone may have changed a score since it was written, $3 being now.
OUTDATED = f"""(
    lead.scored_at IS NULL
    OR (lead.expected_close_date >= (lead.scored_at AT TIME ZONE 'UTC')::date AND lead.expected_close_date < {TODAY})
    OR EXISTS (
        SELECT FROM unnest(ARRAY{[days for days, _ in RECENCY_POINTS]}) AS days, LATERAL (
            SELECT greatest(lead.last_activity_at, lead.engaged_at, lead.stage_entered_at, lead.created_at)
                   + make_interval(days => days)
        ) AS turn(at)
        WHERE turn.at > lead.scored_at AND turn.at <= $3
    )
    OR EXISTS (
        SELECT FROM exchange_rate
        WHERE exchange_rate.workspace_id = lead.workspace_id AND exchange_rate.currency = lead.currency
          AND valid_on > (lead.scored_at AT TIME ZONE 'UTC')::date AND valid_on <= {TODAY}
    )
)"""

FACTS = f"""
SELECT lead.id, source.kind AS source, lead.value IS NOT NULL AS has_value,
       CASE lead.currency WHEN workspace.base_currency THEN lead.value ELSE lead.value * (
           SELECT rate FROM exchange_rate
           WHERE exchange_rate.workspace_id = lead.workspace_id AND exchange_rate.currency = lead.currency
             AND valid_on <= {TODAY} ORDER BY valid_on DESC LIMIT 1
       ) END AS value,
       workspace.settings ->> '{TYPICAL_VALUE_SETTING}' AS typical_value,
       EXISTS (SELECT FROM company WHERE company.id = lead.company_id AND deleted_at IS NULL) AS has_company,
       EXISTS (SELECT FROM lead_contact JOIN contact ON contact.id = contact_id AND deleted_at IS NULL
               WHERE lead_id = lead.id) AS has_contact,
       EXISTS (SELECT FROM lead_contact JOIN contact ON contact.id = contact_id AND deleted_at IS NULL
               WHERE lead_id = lead.id AND (email IS NOT NULL OR phone IS NOT NULL)) AS is_reachable,
       (SELECT count(*) FROM need WHERE need.lead_id = lead.id AND deleted_at IS NULL) AS needs,
       ARRAY(SELECT tag_id FROM lead_tag WHERE lead_tag.lead_id = lead.id) AS tag_ids,
       {OUTDATED} AS is_outdated
FROM lead JOIN workspace ON workspace.id = lead.workspace_id LEFT JOIN source ON source.id = lead.source_id
WHERE lead.workspace_id = $1 AND lead.id = ANY($2)
"""

WRITE = """
UPDATE lead SET score = new.score, grade = new.grade, score_factors = new.factors, scored_at = $1
FROM unnest($2::uuid[], $3::int[], $4::text[], $5::jsonb[]) AS new(id, score, grade, factors)
WHERE lead.id = new.id
"""


async def rescore(workspace_id: UUID, lead_ids: Iterable[UUID], *, now: datetime, bulk: bool = False) -> int:
    """Score open leads anew and record `lead.scored` where a score changed; return for how many it did.

    A lead whose score and reasons stay as they are keeps its row untouched, unless time has passed it: then
    `scored_at` is written, so that the next night does not look at it again.
    The leads stay locked until the running transaction ends, or this one where none runs. No version rises.
    """
    async with transaction():
        leads = await (
            Lead.filter(
                workspace_id=workspace_id, id__in=list(lead_ids), status=LeadStatus.OPEN, deleted_at__isnull=True
            )
            .order_by("id")
            .select_for_update(no_key=True)
        )
        if not leads:
            return 0
        if models := await in_use.models(workspace_id):
            # What computes with many leads at once is brought in by whoever does so, which serves no requests.
            from domain.scoring import rescoring

            return await rescoring.rescore(leads, models, now=now, bulk=bulk)
        return await _by_default(workspace_id, leads, now=now, bulk=bulk)


async def _by_default(workspace_id: UUID, leads: Sequence[Lead], *, now: datetime, bulk: bool) -> int:
    # Read after the locks, so that what another transaction has just committed is seen.
    rows = await get_connection("default").execute_query_dict(FACTS, [workspace_id, [lead.id for lead in leads], now])
    known = {row["id"]: row for row in rows}
    scores = await asyncio.to_thread(_scores, leads, known, now)
    news = [
        (lead, new)
        for lead, new in zip(leads, scores, strict=True)
        if known[lead.id]["is_outdated"] or _differs(lead, new)
    ]
    await _write(news, now=now)
    scored = [_event(lead, new, known[lead.id]["tag_ids"], bulk=bulk) for lead, new in news if lead.score != new.points]
    await record(*scored, now=now)
    return len(scored)


def _differs(lead: Lead, new: Score) -> bool:
    return (lead.score, lead.grade, lead.score_factors) != (new.points, new.grade, new.reasons())


async def _write(news: Sequence[tuple[Lead, Score]], *, now: datetime) -> None:
    if news:
        columns = [(lead.id, new.points, new.grade.value, new.reasons_json()) for lead, new in news]
        await get_connection("default").execute_query(WRITE, [now, *map(list, zip(*columns, strict=True))])


def _scores(leads: Sequence[Lead], known: dict[UUID, dict[str, Any]], now: datetime) -> list[Score]:
    return [score(_facts(lead, known[lead.id]), now) for lead in leads]


def _facts(lead: Lead, row: dict[str, Any]) -> LeadFacts:
    happened = (lead.last_activity_at, lead.engaged_at, lead.stage_entered_at, lead.created_at)
    return LeadFacts(
        source=SourceKind(row["source"]) if row["source"] else None,
        has_value=row["has_value"],
        value=row["value"],
        typical_value=typical_value(row["typical_value"]),
        has_contact=row["has_contact"],
        is_reachable=row["is_reachable"],
        has_company=row["has_company"],
        has_owner=lead.owner_id is not None,
        expected_close_date=lead.expected_close_date,
        needs=row["needs"],
        last_happened_at=max(at for at in happened if at),
    )


def typical_value(setting: str | None) -> Decimal:
    """Return what a workspace's setting says that a lead is usually worth."""
    try:
        value = Decimal(setting) if setting else TYPICAL_VALUE
    except ArithmeticError:
        return TYPICAL_VALUE
    return value if value.is_finite() and value > 0 else TYPICAL_VALUE


def _event(lead: Lead, new: Score, tag_ids: Sequence[UUID], *, bulk: bool) -> LeadScored:
    before = live_columns(lead, tag_ids)
    changed = changes({"score": lead.score, "grade": lead.grade}, {"score": new.points, "grade": new.grade})
    lead.score, lead.grade = new.points, new.grade
    data = facts(before, lead, tag_ids, changed)
    return LeadScored(system(lead.workspace_id, task=TASK), lead.id, data | ({"bulk": True} if bulk else {}))


SCORED = "status = 'OPEN' AND deleted_at IS NULL"
CONCERNED = {
    "lead": "SELECT unnest($2::uuid[]) AS id WHERE $1::uuid IS NOT NULL",
    "need": "SELECT DISTINCT lead_id AS id FROM need WHERE workspace_id = $1 AND id = ANY($2)",
    "contact": "SELECT DISTINCT lead_id AS id FROM lead_contact WHERE workspace_id = $1 AND contact_id = ANY($2)",
    "company": f"SELECT id FROM lead WHERE workspace_id = $1 AND company_id = ANY($2) AND {SCORED}",
    "source": f"SELECT id FROM lead WHERE workspace_id = $1 AND source_id = ANY($2) AND {SCORED}",
    "exchange_rate": f"""
    SELECT id FROM lead WHERE workspace_id = $1 AND {SCORED}
    AND currency IN (SELECT currency FROM exchange_rate WHERE id = ANY($2))
    """,
}


# What an import looks at when it scores the leads of a chunk, which others see only when the chunk is committed.
SEEN_BY_IMPORTS = {"company", "source", "exchange_rate"}


async def leads_concerned(workspace_id: UUID, subject_type: str, subject_ids: Sequence[UUID]) -> list[UUID]:
    """Return the leads whose score may follow from leads, needs, contacts, companies, sources or rates.

    Belongs into the transaction that scores them. It waits for the chunk that an import is taking, whose leads it
    would miss and which may not have seen the change; later chunks see it.
    """
    if subject_type in SEEN_BY_IMPORTS:
        await locks.hold(workspace_id, locks.IMPORTS)
    rows = await get_connection("default").execute_query_dict(
        CONCERNED[subject_type], [workspace_id, list(subject_ids)]
    )
    return [row["id"] for row in rows]


async def schedule(workspace_id: UUID, lead_ids: Sequence[UUID], *, now: datetime) -> None:
    """Have many leads scored anew, in jobs of LEADS_AT_ONCE that stand before nobody's click."""
    for at in range(0, len(lead_ids), LEADS_AT_ONCE):
        subjects = lead_ids[at : at + LEADS_AT_ONCE]
        await jobs.schedule(
            TASK,
            arguments={"subject_type": "lead", "subject_ids": subjects, "event_ids": []},
            due_at=now,
            now=now,
            workspace_id=workspace_id,
            queue=Queue.BULK,
        )


ALL_OPEN = f"SELECT id FROM lead WHERE workspace_id = $1 AND {SCORED} AND id > $2 ORDER BY id LIMIT $3"
# Of workspaces with models of their own, whose rules or columns time may change, all leads are looked at.
OWN_MODELS = """
SELECT DISTINCT workspace_id FROM score_model WHERE active AND archived_at IS NULL
"""
FADED = f"""
SELECT id, workspace_id FROM lead
WHERE {SCORED} AND id > $1 AND {OUTDATED} AND workspace_id NOT IN ({OWN_MODELS}) ORDER BY id LIMIT $2
"""


async def schedule_all(workspace_id: UUID, *, now: datetime) -> int:
    """Have all open leads of a workspace scored anew; return how many."""
    last, found = UUID(int=0), 0
    while rows := await get_connection("default").execute_query_dict(ALL_OPEN, [workspace_id, last, PAGE]):
        await schedule(workspace_id, [row["id"] for row in rows], now=now)
        found, last = found + len(rows), rows[-1]["id"]
    return found


async def schedule_faded(*, now: datetime) -> int:
    """Have those leads scored anew whose score has changed by the mere passing of time; return how many."""
    last, found = UUID(int=0), 0
    for row in await get_connection("default").execute_query_dict(OWN_MODELS):
        found += await schedule_all(row["workspace_id"], now=now)
    while True:
        rows = await get_connection("default").execute_query_dict(FADED, [last, PAGE, now])
        by_workspace: dict[UUID, list[UUID]] = {}
        for row in rows:
            by_workspace.setdefault(row["workspace_id"], []).append(row["id"])
        for workspace_id, lead_ids in by_workspace.items():
            await schedule(workspace_id, lead_ids, now=now)
        found += len(rows)
        if len(rows) < PAGE:
            return found
        last = rows[-1]["id"]
