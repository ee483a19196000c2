"""What is known of many leads at once, as columns: as they stand now, or as each stood at an instant of its own.

The past is today's rows with every later change of the event log undone: the first change after an instant says what
was there before. What hangs on a lead (answers, activities, needs, contacts) counts by its own instant.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from domain.exchange_rates import rates_on
from domain.free_mail import FREE_MAIL
from domain.learning import columns
from domain.learning.columns import Column, Floats
from domain.learning.kinds import ColumnKind
from domain.scoring import fields
from domain.scoring.fields import Catalogue, Field, Origin
from models.custom_fields import CustomField, CustomFieldType
from models.database import read
from models.qualification import CriterionType, QualificationCriterion

# Just before its end a lead stood as it did when nobody knew how it would end.
BEFORE = timedelta(microseconds=1)
SECONDS_A_DAY = 86_400
RANKS = (
    ("Owner or chief", ("ceo", "cfo", "cto", "coo", "chief", "owner", "founder", "president", "geschäftsführer")),
    ("Director or head", ("director", "head", "vp", "vice", "leiter", "directeur", "direktor")),
    ("Manager", ("manager", "lead", "supervisor")),
)

LEADS = """
SELECT lead.id, title, description, value, currency, source_id, product_id, owner_id, pipeline_id, company_id,
       expected_close_date, custom, created_at, closed_at,
       least(created_at, engaged_at, first_activity_at) AS born_at, stage_entered_at AS moved_at,
       ARRAY(SELECT tag_id FROM lead_tag WHERE lead_id = lead.id) AS tag_ids
FROM lead WHERE workspace_id = $1 AND id = ANY($2::uuid[]) ORDER BY id
"""
COMPANIES = """
SELECT id, name, country, industry, location, employees, revenue, revenue_currency, founded_year, parent_id, custom,
       deleted_at
FROM company WHERE workspace_id = $1 AND id = ANY($2::uuid[])
"""
# The primary contact, else the first; `at` says until when contacts count.
CONTACTS = """
SELECT DISTINCT ON (lead_contact.lead_id) lead_contact.lead_id, contact.id, job_title, language, email_normalised,
       phone_normalised, custom, count(*) OVER (PARTITION BY lead_contact.lead_id) AS contacts
FROM unnest($2::uuid[], $3::timestamptz[]) AS stood(id, at)
JOIN lead_contact ON lead_contact.lead_id = stood.id AND lead_contact.created_at <= stood.at
JOIN contact ON contact.id = lead_contact.contact_id AND (deleted_at IS NULL OR deleted_at > stood.at)
WHERE lead_contact.workspace_id = $1
ORDER BY lead_contact.lead_id, is_primary DESC, lead_contact.created_at, lead_contact.id
"""
NEEDS = """
SELECT lead_id, count(*) AS needs, max(importance) AS importance
FROM unnest($2::uuid[], $3::timestamptz[]) AS stood(id, at)
JOIN need ON lead_id = stood.id AND created_at <= stood.at AND (deleted_at IS NULL OR deleted_at > stood.at)
WHERE workspace_id = $1 GROUP BY lead_id
"""
COMPETITORS = """
SELECT lead_id, count(*) AS competitors FROM unnest($2::uuid[], $3::timestamptz[]) AS stood(id, at)
JOIN lead_competitor ON lead_id = stood.id AND created_at <= stood.at
WHERE workspace_id = $1 GROUP BY lead_id
"""
# When leads that have moved since were last moved before.
MOVES = """
SELECT lead_id, max(moved_at) AS moved_at FROM unnest($2::uuid[], $3::timestamptz[]) AS stood(id, at)
JOIN stage_transition ON lead_id = stood.id AND moved_at <= stood.at
WHERE workspace_id = $1 GROUP BY lead_id
"""
# What ended with the same company before.
ENDED_BEFORE = """
SELECT stood.id AS lead_id, count(*) FILTER (WHERE other.status = 'WON') AS won,
       count(*) FILTER (WHERE other.status = 'LOST') AS lost
FROM unnest($2::uuid[], $3::timestamptz[], $4::uuid[]) AS stood(id, at, company_id)
JOIN lead AS other ON other.company_id = stood.company_id AND other.id <> stood.id AND other.closed_at < stood.at
WHERE other.workspace_id = $1 AND other.deleted_at IS NULL GROUP BY stood.id
"""
ANSWERS = """
SELECT lead_id, criterion_id, value FROM unnest($2::uuid[], $3::timestamptz[]) AS stood(id, at)
JOIN qualification_answer ON lead_id = stood.id AND answered_at <= stood.at
WHERE workspace_id = $1
"""
ACTIVITIES = """
SELECT lead_id, kind, direction, occurred_at FROM unnest($2::uuid[], $3::timestamptz[]) AS stood(id, at)
JOIN activity ON lead_id = stood.id AND occurred_at <= stood.at
WHERE workspace_id = $1 AND deleted_at IS NULL
"""
USERS = """
SELECT user_account.id, user_account.name, NULL AS kind FROM user_account
JOIN membership ON membership.user_id = user_account.id WHERE workspace_id = $1
"""
# What the names of a field are read by, where it has any.
NAMES = {
    "source": "SELECT id, name, kind::text AS kind FROM source WHERE workspace_id = $1",
    "source_kind": "SELECT id, name, kind::text AS kind FROM source WHERE workspace_id = $1",
    "product": "SELECT id, name, NULL AS kind FROM product WHERE workspace_id = $1",
    "pipeline": "SELECT id, name, NULL AS kind FROM pipeline WHERE workspace_id = $1",
    "tags": "SELECT id, name, NULL AS kind FROM tag WHERE workspace_id = $1",
    "owner": USERS,
}
PARENTS = "SELECT id, name FROM company WHERE workspace_id = $1 AND id = ANY($2::uuid[])"
# What each column was before its first change after the instant of its place. What was made here after it, as imported
# companies are, was the same before.
CHANGED_LATER = """
SELECT DISTINCT ON (place, change.key) place, change.key, change.value -> 0 AS was
FROM unnest($3::uuid[], $4::timestamptz[]) WITH ORDINALITY AS stood(id, at, place)
JOIN event ON workspace_id = $1 AND subject_type = $2 AND subject_id = stood.id AND occurred_at > stood.at
CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(data -> 'changes') WHEN 'object' THEN data -> 'changes' END) AS change
WHERE jsonb_typeof(change.value) = 'array' AND change.key <> 'answers' AND name NOT LIKE ALL ('{%.captured,%.created}')
ORDER BY place, change.key, seq
"""
TAGGED_LATER = """
SELECT DISTINCT ON (subject_id) subject_id, data -> 'before' -> 'tag_ids' AS was
FROM unnest($2::uuid[], $3::timestamptz[]) AS stood(id, at)
JOIN event ON workspace_id = $1 AND subject_type = 'lead' AND subject_id = stood.id AND occurred_at > stood.at
WHERE jsonb_typeof(data -> 'before') = 'object'
ORDER BY subject_id, seq
"""
ANSWERED_LATER = """
SELECT DISTINCT ON (subject_id, was.key) subject_id, was.key, was.value
FROM unnest($2::uuid[], $3::timestamptz[]) AS stood(id, at)
JOIN event ON workspace_id = $1 AND subject_type = 'lead' AND subject_id = stood.id AND occurred_at > stood.at
CROSS JOIN LATERAL jsonb_each(data -> 'changes' -> 'answers' -> 0) AS was
WHERE name = 'lead.qualification_answered'
ORDER BY subject_id, was.key, seq
"""

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Activities:
    """What was done with leads: for each, which lead (its place), what kind, and how many days before its instant."""

    lead: NDArray[np.intp]
    kind: list[str]
    days: Floats


@dataclass(frozen=True, slots=True)
class Known:
    """Leads in the order of their ids, the instants at which they are looked at, and what is known of them then."""

    ids: list[UUID]
    at: list[datetime]
    columns: dict[str, Column]
    activities: Activities

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(slots=True)
class Lead:
    """One lead with its rows, as they are or were."""

    row: Row
    at: datetime
    company: Row | None = None
    contact: Row | None = None
    needs: Mapping[str, Any] | None = None
    competitors: int = 0
    before: Mapping[str, Any] | None = None
    answers: dict[str, Any] | None = None
    done: list[tuple[str, str | None, float]] | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """How what is referred to is called, kinds of sources, and the rates of the day."""

    of: Mapping[UUID, str]
    kinds: Mapping[UUID, str]
    rates: Mapping[str, Decimal]

    def name(self, key: Any) -> str | None:
        return None if key is None else self.of.get(key if isinstance(key, UUID) else UUID(str(key)))

    def base(self, amount: Any, currency: str | None) -> float | None:
        rate = self.rates.get(currency or "")
        return None if amount is None or rate is None else float(Decimal(str(amount)) * rate)


async def as_now(
    workspace_id: UUID,
    lead_ids: Sequence[UUID],
    *,
    wanted: Iterable[str] | None = None,
    within: timedelta | None = None,
    now: datetime,
) -> Known:
    """Return what is known of leads as they stand; of what was done or said, the first days `within` if so asked."""
    catalogue = await fields.catalogue(workspace_id, wanted)
    leads = await _leads(workspace_id, lead_ids, now)
    for lead in leads:
        lead.at = now if within is None else min(now, lead.row["born_at"] + within)
    return await _known(workspace_id, leads, catalogue, wanted, past=False, now=now)


async def as_they_stood(
    workspace_id: UUID,
    lead_ids: Sequence[UUID],
    *,
    age: timedelta,
    wanted: Iterable[str] | None = None,
    now: datetime,
) -> Known:
    """Return what was known of leads at an age, or just before they ended where they ended younger.

    A lead is born when it was made, engaged or first dealt with, whichever was first.
    """
    catalogue = await fields.catalogue(workspace_id, wanted)
    leads = await _leads(workspace_id, lead_ids, now)
    for lead in leads:
        closed_at = lead.row["closed_at"]
        at = min(lead.row["born_at"] + age, now)
        lead.at = at if closed_at is None else min(at, closed_at - BEFORE)
    return await _known(workspace_id, leads, catalogue, wanted, past=True, now=now)


async def _leads(workspace_id: UUID, lead_ids: Sequence[UUID], now: datetime) -> list[Lead]:
    return [Lead(dict(row), now) for row in await read(LEADS, workspace_id, list(lead_ids))]


async def _known(
    workspace_id: UUID,
    leads: list[Lead],
    catalogue: Catalogue,
    wanted: Iterable[str] | None,
    *,
    past: bool,
    now: datetime,
) -> Known:
    keys = (
        catalogue.fields.keys() if wanted is None else [key for key in dict.fromkeys(wanted) if key in catalogue.fields]
    )
    needed = [catalogue.fields[key] for key in keys]
    await _fill(workspace_id, leads, needed, past=past)
    parents = {lead.company["parent_id"] for lead in leads if lead.company and lead.company["parent_id"]}
    tables = {NAMES[key] for key in keys if key in NAMES}
    if any(custom.type is CustomFieldType.USER for custom in map(catalogue.custom.get, keys) if custom):
        tables.add(USERS)
    named = await read(" UNION ALL ".join(sorted(tables)), workspace_id) if tables else []
    named += await read(PARENTS, workspace_id, list(parents)) if parents else []
    names = Names(
        {row["id"]: row["name"] for row in named},
        {row["id"]: row["kind"] for row in named if row.get("kind")},
        await rates_on(workspace_id, now.date()),
    )
    made = {field.key: _column(field, leads, names, catalogue) for field in needed}
    return Known([lead.row["id"] for lead in leads], [lead.at for lead in leads], made, _activities(leads))


async def _fill(workspace_id: UUID, leads: list[Lead], needed: Sequence[Field], *, past: bool) -> None:
    """Read what the wanted fields need, in a statement each."""
    by_id: dict[UUID, Lead] = {lead.row["id"]: lead for lead in leads}
    ids, at = list(by_id), [lead.at for lead in leads]
    origins, keys = {field.origin for field in needed}, {field.key for field in needed}
    custom = {key.partition(fields.CUSTOM)[0] for key in keys if fields.CUSTOM in key}
    if past:
        await _undo(workspace_id, "lead", [(lead.row, lead.at) for lead in leads])
        if "tags" in keys:
            for row in await read(TAGGED_LATER, workspace_id, ids, at):
                by_id[row["subject_id"]].row["tag_ids"] = orjson.loads(row["was"])
    if Origin.COMPANY in origins or "company." in custom:
        await _fill_companies(workspace_id, leads, past=past)
    if Origin.CONTACT in origins or "contact." in custom or "contacts" in keys:
        for row in await read(CONTACTS, workspace_id, ids, at):
            by_id[row["lead_id"]].contact = dict(row)
        if past:
            pairs = [(lead.contact, lead.at) for lead in leads if lead.contact is not None]
            await _undo(workspace_id, "contact", pairs)
    if keys & {"needs", "need_importance"}:
        for row in await read(NEEDS, workspace_id, ids, at):
            by_id[row["lead_id"]].needs = dict(row)
    if "competitors" in keys:
        for row in await read(COMPETITORS, workspace_id, ids, at):
            by_id[row["lead_id"]].competitors = row["competitors"]
    if keys & {"company.won_before", "company.lost_before"}:
        company_ids = [lead.row["company_id"] for lead in leads]
        for row in await read(ENDED_BEFORE, workspace_id, ids, at, company_ids):
            by_id[row["lead_id"]].before = dict(row)
    if "days_silent" in keys:
        await _fill_moves(workspace_id, leads)
    if Origin.ANSWER in origins:
        await _fill_answers(workspace_id, by_id, ids, at, past=past)
    if Origin.ACTIVITY in origins:
        for row in await read(ACTIVITIES, workspace_id, ids, at):
            lead = by_id[row["lead_id"]]
            days = (lead.at - row["occurred_at"]).total_seconds() / SECONDS_A_DAY
            lead.done = lead.done if lead.done is not None else []
            lead.done.append((row["kind"], row["direction"], days))


async def _fill_companies(workspace_id: UUID, leads: list[Lead], *, past: bool) -> None:
    company_ids = {_uuid(lead.row["company_id"]) for lead in leads if lead.row["company_id"]}
    known = {row["id"]: row for row in await read(COMPANIES, workspace_id, list(company_ids))}
    for lead in leads:
        found = known.get(_uuid(lead.row["company_id"])) if lead.row["company_id"] else None
        is_there = found and (found["deleted_at"] is None or found["deleted_at"] > lead.at)
        lead.company = dict(found) if found and is_there else None
    if past:
        await _undo(workspace_id, "company", [(lead.company, lead.at) for lead in leads if lead.company is not None])


async def _fill_moves(workspace_id: UUID, leads: list[Lead]) -> None:
    later = {lead.row["id"]: lead for lead in leads if lead.row["moved_at"] and lead.row["moved_at"] > lead.at}
    for lead in later.values():
        lead.row["moved_at"] = None
    if later:
        for row in await read(MOVES, workspace_id, list(later), [lead.at for lead in later.values()]):
            later[row["lead_id"]].row["moved_at"] = row["moved_at"]


async def _fill_answers(
    workspace_id: UUID, by_id: Mapping[UUID, Lead], ids: list[UUID], at: list[datetime], *, past: bool
) -> None:
    for lead in by_id.values():
        lead.answers = {}
    for row in await read(ANSWERS, workspace_id, ids, at):
        _answers_of(by_id[row["lead_id"]])[row["criterion_id"].hex] = orjson.loads(row["value"])
    if past:
        for row in await read(ANSWERED_LATER, workspace_id, ids, at):
            answers, was = _answers_of(by_id[row["subject_id"]]), orjson.loads(row["value"])
            if was is None:
                answers.pop(UUID(row["key"]).hex, None)
            else:
                answers[UUID(row["key"]).hex] = was["value"]


def _answers_of(lead: Lead) -> dict[str, Any]:
    assert lead.answers is not None
    return lead.answers


async def _undo(workspace_id: UUID, subject_type: str, stood: Sequence[tuple[Row, datetime]]) -> None:
    """Take back what changed in rows after their instants."""
    subjects, instants = [row["id"] for row, _ in stood], [at for _, at in stood]
    for change in await read(CHANGED_LATER, workspace_id, subject_type, subjects, instants):
        row, key, was = stood[change["place"] - 1][0], change["key"], orjson.loads(change["was"])
        if key.startswith("custom."):
            row.setdefault("undone", {})[key.removeprefix("custom.")] = was
        elif key in row and key != "id":
            row[key] = was


def _activities(leads: Sequence[Lead]) -> Activities:
    done = [(place, kind, days) for place, lead in enumerate(leads) for kind, _, days in lead.done or ()]
    return Activities(
        np.array([place for place, _, _ in done], dtype=np.intp),
        [kind for _, kind, _ in done],
        np.array([days for _, _, days in done], dtype=np.float64),
    )


Read: TypeAlias = Callable[[Lead, Names], Any]


def _column(field: Field, leads: Sequence[Lead], names: Names, catalogue: Catalogue) -> Column:
    reading = _reading(field, catalogue)
    values = [reading(lead, names) for lead in leads]
    match field.kind:
        case ColumnKind.NUMBER:
            return columns.number(field.key, field.label, values)
        case ColumnKind.CATEGORY:
            return columns.category(field.key, field.label, values)
        case ColumnKind.SET:
            return columns.several(field.key, field.label, values)
        case ColumnKind.WORDS:
            return columns.words(field.key, field.label, values)


def _reading(field: Field, catalogue: Catalogue) -> Read:
    if (custom := catalogue.custom.get(field.key)) is not None:
        owner = field.key.partition(fields.CUSTOM)[0].rstrip(".") or "lead"
        return _custom_reading(custom, owner)
    if (criterion := catalogue.criteria.get(field.key)) is not None:
        return _answer_reading(criterion)
    if field.key.startswith(fields.ACTIVITY):
        kind = field.key.removeprefix(fields.ACTIVITY)
        return lambda lead, names: sum(one == kind for one, _, _ in lead.done or ())
    return READINGS[field.key]


def _custom_reading(custom: CustomField, owner: str) -> Read:
    options = {option["key"]: option["label"] for option in custom.options}

    def reading(lead: Lead, names: Names) -> Any:
        row = lead.row if owner == "lead" else lead.company if owner == "company" else lead.contact
        if row is None:
            return None
        undone = row.get("undone", {})
        kept = undone[custom.key] if custom.key in undone else _custom(row).get(custom.id.hex)
        return None if kept is None else _custom_value(custom.type, kept, options, lead, names)

    return reading


def _custom(row: Row) -> Mapping[str, Any]:
    if isinstance(row["custom"], str):
        row["custom"] = orjson.loads(row["custom"])
    found: Mapping[str, Any] = row["custom"]
    return found


def _custom_value(kind: CustomFieldType, kept: Any, options: Mapping[str, str], lead: Lead, names: Names) -> Any:
    match kind:
        case CustomFieldType.MONEY:
            return names.base(kept["amount"], kept["currencyCode"])
        case CustomFieldType.DATE:
            return _days(kept, lead)
        case CustomFieldType.CHOICE:
            return options.get(kept, kept)
        case CustomFieldType.MULTI_CHOICE:
            return [options.get(one, one) for one in kept]
        case CustomFieldType.USER:
            return names.name(kept["user"] if isinstance(kept, dict) else kept)
        case CustomFieldType.URL | CustomFieldType.EMAIL | CustomFieldType.PHONE:
            return "given"
        case _:
            return kept


def _answer_reading(criterion: QualificationCriterion) -> Read:
    labels = {choice["key"]: choice["label"] for choice in criterion.choices}

    def reading(lead: Lead, names: Names) -> Any:
        kept = (lead.answers or {}).get(criterion.id.hex)
        if kept is None:
            return None
        match criterion.type:
            case CriterionType.MONEY:
                return names.base(kept["amount"], kept["currencyCode"])
            case CriterionType.DATE:
                return _days(kept, lead)
            case CriterionType.CHOICE:
                return labels.get(kept, kept)
            case CriterionType.MULTI_CHOICE:
                return [labels.get(one, one) for one in kept]
            case _:
                return kept

    return reading


def _days(day: Any, lead: Lead) -> float | None:
    """Return how many days after its birth a day is."""
    if day is None:
        return None
    found = day if isinstance(day, date) else date.fromisoformat(str(day)[:10])
    return float((found - lead.row["born_at"].astimezone(UTC).date()).days)


def _of_company(name: str) -> Read:
    return lambda lead, names: lead.company[name] if lead.company else None


def _of_contact(name: str) -> Read:
    return lambda lead, names: lead.contact[name] if lead.contact else None


def _named(column: str) -> Read:
    return lambda lead, names: names.name(lead.row[column])


def _plain(column: str) -> Read:
    return lambda lead, names: lead.row[column]


def _seniority(lead: Lead, names: Names) -> str | None:
    title = lead.contact["job_title"] if lead.contact else None
    if not title:
        return None
    said = set(columns.WORD.findall(title.casefold()))
    return next((rank for rank, marks in RANKS if said & set(marks)), "Other")


def _email(lead: Lead, names: Names) -> str | None:
    address = lead.contact["email_normalised"] if lead.contact else None
    return None if not address else "private" if address.rpartition("@")[2] in FREE_MAIL else "of a company"


def _days_silent(lead: Lead, names: Names) -> float:
    moved = max(filter(None, (lead.row["born_at"], lead.row["moved_at"])))
    still = (lead.at - moved).total_seconds() / SECONDS_A_DAY
    days: float = max(min([still, *(days for _, _, days in lead.done or ())]), 0.0)
    return days


def _uuid(key: Any) -> UUID:
    return key if isinstance(key, UUID) else UUID(str(key))


READINGS: Mapping[str, Read] = {
    "source": _named("source_id"),
    "source_kind": lambda lead, names: names.kinds.get(_uuid(lead.row["source_id"])) if lead.row["source_id"] else None,
    "pipeline": _named("pipeline_id"),
    "product": _named("product_id"),
    "owner": _named("owner_id"),
    "value": lambda lead, names: names.base(lead.row["value"], lead.row["currency"]),
    "currency": _plain("currency"),
    "title": _plain("title"),
    "description": _plain("description"),
    "tags": lambda lead, names: [names.name(key) for key in lead.row["tag_ids"]],
    "close_date_days": lambda lead, names: _until(lead),
    "created_month": lambda lead, names: f"{lead.row['born_at']:%B}",
    "created_weekday": lambda lead, names: f"{lead.row['born_at']:%A}",
    "contacts": lambda lead, names: lead.contact["contacts"] if lead.contact else 0,
    "needs": lambda lead, names: lead.needs["needs"] if lead.needs else 0,
    "need_importance": lambda lead, names: lead.needs["importance"] if lead.needs else None,
    "competitors": lambda lead, names: lead.competitors,
    "company": _of_company("name"),
    "company.country": _of_company("country"),
    "company.industry": _of_company("industry"),
    "company.location": _of_company("location"),
    "company.employees": _of_company("employees"),
    "company.revenue": lambda lead, names: (
        names.base(lead.company["revenue"], lead.company["revenue_currency"]) if lead.company else None
    ),
    "company.age": lambda lead, names: (
        lead.at.year - lead.company["founded_year"] if lead.company and lead.company["founded_year"] else None
    ),
    "company.parent": lambda lead, names: names.name(lead.company["parent_id"]) if lead.company else None,
    "company.won_before": lambda lead, names: lead.before["won"] if lead.before else 0,
    "company.lost_before": lambda lead, names: lead.before["lost"] if lead.before else 0,
    "contact.job_title": _of_contact("job_title"),
    "contact.seniority": _seniority,
    "contact.language": _of_contact("language"),
    "contact.email": _email,
    "contact.phone": lambda lead, names: "given" if lead.contact and lead.contact["phone_normalised"] else None,
    "activities": lambda lead, names: len(lead.done or ()),
    "inbound": lambda lead, names: sum(direction == "INBOUND" for _, direction, _ in lead.done or ()),
    "days_silent": _days_silent,
}


def _until(lead: Lead) -> float | None:
    """Return how many days an expected close date is ahead of the instant; less than none where it has passed."""
    day = lead.row["expected_close_date"]
    if day is None:
        return None
    found = day if isinstance(day, date) else date.fromisoformat(str(day)[:10])
    return float((found - lead.at.astimezone(UTC).date()).days)
