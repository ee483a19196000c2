"""What is known of many leads at once, as columns: as they stand now, or as each stood at an instant of its own.

The past is today's rows with every later change of the event log undone: the first change after an instant says what
was there before. What hangs on a lead (answers, activities, needs, contacts) counts by its own instant.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import numpy as np
import orjson
from numpy.typing import NDArray

from domain.exchange_rates import rates_on
from domain.free_mail import FREE_MAIL
from domain.learning import columns
from domain.learning.columns import Column, Floats
from domain.scoring import fields
from domain.scoring.fields import ACTIVITY, Catalogue, Field, Origin
from models.custom_fields import CustomField, CustomFieldType
from models.database import read
from models.qualification import CriterionType, QualificationCriterion

# Just before its end a lead stood as it did when nobody knew how it would end.
BEFORE = timedelta(microseconds=1)
SECONDS_A_DAY = 86_400
# Of amounts in the base currency: more than any has, and fewer than tell a product of floats from the one meant.
DECIMALS = 6
RANKS = (
    ("Owner or chief", ("ceo", "cfo", "cto", "coo", "chief", "owner", "founder", "president", "geschäftsführer")),
    ("Director or head", ("director", "head", "vp", "vice", "leiter", "directeur", "direktor")),
    ("Manager", ("manager", "lead", "supervisor")),
)

# What is read of each is followed by the columns that are wanted.
LEADS = """
SELECT lead.id, closed_at, least(created_at, engaged_at, first_activity_at) AS born_at, {wanted}
FROM lead WHERE workspace_id = $1 AND id = ANY($2::uuid[]) ORDER BY id
"""
COMPANIES = "SELECT id, deleted_at, {wanted} FROM company WHERE workspace_id = $1 AND id = ANY($2::uuid[])"
# The primary contact, else the first; `at` says until when contacts count.
CONTACTS = """
SELECT DISTINCT ON (place) place, contact.id, {wanted}
FROM unnest($2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS stood(id, at, place)
JOIN lead_contact ON lead_contact.lead_id = stood.id AND lead_contact.created_at <= stood.at
JOIN contact ON contact.id = lead_contact.contact_id AND (deleted_at IS NULL OR deleted_at > stood.at)
WHERE lead_contact.workspace_id = $1
ORDER BY place, is_primary DESC, lead_contact.created_at, lead_contact.id
"""
# How a column is read, where otherwise than by its name.
READ_AS = {
    "tag_ids": "ARRAY(SELECT tag_id FROM lead_tag WHERE lead_id = lead.id)",
    "moved_at": "stage_entered_at",
    "value": "value::float8",
    "revenue": "revenue::float8",
    "contacts": "count(*) OVER (PARTITION BY place)",
}
NEEDS = """
SELECT place, count(*) AS needs, max(importance) AS need_importance
FROM unnest($2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS stood(id, at, place)
JOIN need ON lead_id = stood.id AND created_at <= stood.at AND (deleted_at IS NULL OR deleted_at > stood.at)
WHERE workspace_id = $1 GROUP BY place
"""
COMPETITORS = """
SELECT place, count(*) AS competitors
FROM unnest($2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS stood(id, at, place)
JOIN lead_competitor ON lead_id = stood.id AND created_at <= stood.at
WHERE workspace_id = $1 GROUP BY place
"""
# When leads that have moved since were last moved before.
MOVES = """
SELECT place, max(moved_at) AS moved_at
FROM unnest($2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS stood(id, at, place)
JOIN stage_transition ON lead_id = stood.id AND moved_at <= stood.at
WHERE workspace_id = $1 GROUP BY place
"""
# What ended with the same company before.
ENDED_BEFORE = """
SELECT place, count(*) FILTER (WHERE other.status = 'WON') AS won_before,
       count(*) FILTER (WHERE other.status = 'LOST') AS lost_before
FROM unnest($2::uuid[], $3::timestamptz[], $4::uuid[]) WITH ORDINALITY AS stood(id, at, company_id, place)
JOIN lead AS other ON other.company_id = stood.company_id AND other.id <> stood.id AND other.closed_at < stood.at
WHERE other.workspace_id = $1 AND other.deleted_at IS NULL GROUP BY place
"""
ANSWERS = """
SELECT place, criterion_id, value FROM unnest($2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS stood(id, at, place)
JOIN qualification_answer ON lead_id = stood.id AND answered_at <= stood.at
WHERE workspace_id = $1
"""
ACTIVITIES = """
SELECT array_agg(place) AS places, array_agg(kind::text) AS kinds,
       array_agg(direction IS NOT DISTINCT FROM 'INBOUND') AS inbound,
       array_agg(extract(epoch FROM until - occurred_at)::float8) AS seconds
FROM unnest($2::uuid[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY AS stood(id, at, until, place)
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
    "campaign": "SELECT id, name, kind::text AS kind FROM campaign WHERE workspace_id = $1",
    "campaign_kind": "SELECT id, name, kind::text AS kind FROM campaign WHERE workspace_id = $1",
    "product": "SELECT id, name, NULL AS kind FROM product WHERE workspace_id = $1",
    "pipeline": "SELECT id, name, NULL AS kind FROM pipeline WHERE workspace_id = $1",
    "tags": "SELECT id, name, NULL AS kind FROM tag WHERE workspace_id = $1",
    "owner": USERS,
}
PARENTS = "SELECT id, name, NULL AS kind FROM company WHERE workspace_id = $1 AND id = ANY($2::uuid[])"
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
SELECT DISTINCT ON (place) place, data -> 'before' -> 'tag_ids' AS was
FROM unnest($2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS stood(id, at, place)
JOIN event ON workspace_id = $1 AND subject_type = 'lead' AND subject_id = stood.id AND occurred_at > stood.at
WHERE jsonb_typeof(data -> 'before') = 'object'
ORDER BY place, seq
"""
ANSWERED_LATER = """
SELECT DISTINCT ON (place, was.key) place, was.key, was.value
FROM unnest($2::uuid[], $3::timestamptz[]) WITH ORDINALITY AS stood(id, at, place)
JOIN event ON workspace_id = $1 AND subject_type = 'lead' AND subject_id = stood.id AND occurred_at > stood.at
CROSS JOIN LATERAL jsonb_each(data -> 'changes' -> 'answers' -> 0) AS was
WHERE name = 'lead.qualification_answered'
ORDER BY place, was.key, seq
"""

Values: TypeAlias = list[Any]


@dataclass(frozen=True, slots=True)
class Activities:
    """What was done with leads: for each, which lead (its place), what kind, and how many days ago."""

    lead: NDArray[np.intp]
    kind: NDArray[np.str_]
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
class Table:
    """Rows by column, each with a value for every lead; `undone` is what was in custom fields, by key and place."""

    columns: dict[str, Values] = field(default_factory=dict)
    undone: dict[str, dict[int, Any]] = field(default_factory=dict)

    def custom(self, key: str, custom_id: str) -> Values:
        """Return what a custom field holds for each lead."""
        kept = self.columns["custom"]
        if kept and not isinstance(kept[0], dict):
            kept = self.columns["custom"] = [orjson.loads(one) if one else {} for one in kept]
        values = [one.get(custom_id) for one in kept]
        for place, was in self.undone.get(key, {}).items():
            values[place] = was
        return values


@dataclass(slots=True)
class Leads:
    """Leads as they are or were: their rows, and those of their companies and contacts, by column.

    `at` is when each is looked at, `until` to when its days are counted; `counts` is what is counted of each, `answers`
    what was answered, by criterion.
    """

    ids: list[UUID]
    at: list[datetime]
    until: list[datetime]
    born_at: list[datetime]
    lead: Table
    company: Table = field(default_factory=Table)
    contact: Table = field(default_factory=Table)
    counts: dict[str, Values] = field(default_factory=dict)
    answers: dict[str, Values] = field(default_factory=dict)
    activities: Activities = field(default_factory=lambda: _activities([], [], []))
    inbound: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, dtype=np.intp))

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Names:
    """How what is referred to is called, kinds of sources and campaigns, and the rates of the day.

    `unrated` takes the currencies, by place, of amounts that have none.
    """

    of: Mapping[UUID | None, str]
    kinds: Mapping[UUID | None, str]
    rates: Mapping[str, Decimal]
    unrated: dict[int, str] = field(default_factory=dict)

    def name(self, key: Any) -> str | None:
        return None if key is None else self.of.get(key if isinstance(key, UUID) else UUID(str(key)))

    def base(self, amounts: Iterable[Any], currencies: Iterable[str | None]) -> Values:
        rates = {currency: float(rate) for currency, rate in self.rates.items()}
        found: Values = []
        for place, (amount, currency) in enumerate(zip(amounts, currencies, strict=True)):
            rate = rates.get(currency or "")
            if amount is not None and rate is None and currency:
                self.unrated[place] = currency
            found.append(None if amount is None or rate is None else round(float(amount) * rate, DECIMALS))
        return found


Read: TypeAlias = Callable[[Leads, Names], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a field is made, of which columns of the lead, its company and its contact, and of what counted `beside`."""

    read: Read
    lead: tuple[str, ...] = ()
    company: tuple[str, ...] = ()
    contact: tuple[str, ...] = ()
    beside: str = ""


async def as_now(
    workspace_id: UUID,
    lead_ids: Sequence[UUID],
    *,
    wanted: Iterable[str] | None = None,
    within: timedelta | None = None,
    now: datetime,
) -> Known:
    """Return what is known of leads as they stand; of what was done or said, the first days `within` if so asked."""
    return await _known(
        workspace_id,
        lead_ids,
        wanted,
        lambda born_at: now if within is None else born_at + within,
        past=False,
        now=now,
    )


async def as_they_stood(
    workspace_id: UUID,
    lead_ids: Sequence[UUID],
    *,
    age: timedelta,
    wanted: Iterable[str] | None = None,
    now: datetime,
) -> Known:
    """Return what was known of leads at an age, or just before they ended where they ended younger.

    A lead is born when it was made, engaged or first dealt with, whichever was first. Days are counted until the age
    for all alike: until its end, they would tell of a lead that ended young when it did.
    """
    return await _known(workspace_id, lead_ids, wanted, lambda born_at: born_at + age, past=True, now=now)


async def _known(
    workspace_id: UUID,
    lead_ids: Sequence[UUID],
    wanted: Iterable[str] | None,
    until: Callable[[datetime], datetime],
    *,
    past: bool,
    now: datetime,
) -> Known:
    catalogue = await fields.catalogue(workspace_id, wanted)
    asked = catalogue.fields.keys() if wanted is None else dict.fromkeys(wanted)
    needed = [catalogue.fields[key] for key in asked if key in catalogue.fields]
    readings = {one.key: _reading(one, catalogue) for one in needed}
    leads = await _leads(workspace_id, lead_ids, readings.values(), until, past=past, now=now)
    await _fill(workspace_id, leads, needed, readings.values(), past=past)
    names = await _names(workspace_id, leads, catalogue, readings.keys(), now)
    made = {one.key: _column(one, readings[one.key], leads, names) for one in needed}
    return Known(leads.ids, leads.at, made, leads.activities)


def _column(one: Field, reading: Reading, leads: Leads, names: Names) -> Column:
    names = replace(names, unrated={})
    made = columns.of_kind(one.kind, one.key, one.label, reading.read(leads, names))
    return replace(made, unrated=names.unrated) if names.unrated else made


async def _leads(
    workspace_id: UUID,
    lead_ids: Sequence[UUID],
    readings: Collection[Reading],
    until: Callable[[datetime], datetime],
    *,
    past: bool,
    now: datetime,
) -> Leads:
    wanted = _wanted(name for reading in readings for name in reading.lead)
    if any(reading.company for reading in readings):
        wanted = _wanted((*wanted, "company_id"))
    rows = await read(_select(LEADS, wanted), workspace_id, list(lead_ids))
    found = _by_column(("id", "closed_at", "born_at", *wanted), rows)
    counted_until = list(map(until, found["born_at"]))
    at = [
        min(instant, now, now if closed is None or not past else closed - BEFORE)
        for instant, closed in zip(counted_until, found["closed_at"], strict=True)
    ]
    return Leads(found["id"], at, counted_until, found["born_at"], Table(found))


def _wanted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _select(sql: str, wanted: Iterable[str]) -> str:
    """Return a statement that reads the wanted columns, whose names are of READINGS and nobody else's."""
    return sql.format(wanted=", ".join(f"{READ_AS.get(name, name)} AS {name}" for name in wanted) or "NULL")


def _by_column(names: Sequence[str], rows: Sequence[Iterable[Any]]) -> dict[str, Values]:
    values = zip(*rows, strict=True) if rows else ((),) * len(names)
    return dict(zip(names, map(list, values), strict=False))


def _placed(count: int, names: Sequence[str], rows: Sequence[asyncpg.Record]) -> dict[str, Values]:
    """Return rows by column, with None for leads that have none; they know their `place`, counted from 1."""
    made: dict[str, Values] = {name: [None] * count for name in names}
    for name, values in made.items():
        for row in rows:
            values[row["place"] - 1] = row[name]
    return made


async def _fill(
    workspace_id: UUID, leads: Leads, needed: Sequence[Field], readings: Collection[Reading], *, past: bool
) -> None:
    """Read what the wanted fields need, in a statement each."""
    origins, keys = {one.origin for one in needed}, {one.key for one in needed}
    if past:
        await _undo(workspace_id, "lead", leads.lead, leads.ids, leads.at)
        if "tags" in keys:
            for row in await read(TAGGED_LATER, workspace_id, leads.ids, leads.at):
                leads.lead.columns["tag_ids"][row["place"] - 1] = _of_log("tag_ids", orjson.loads(row["was"]))
    if of_company := _wanted(name for reading in readings for name in reading.company):
        await _fill_companies(workspace_id, leads, of_company, past=past)
    if of_contact := _wanted(name for reading in readings for name in reading.contact):
        rows = await read(_select(CONTACTS, of_contact), workspace_id, leads.ids, leads.at)
        leads.contact = Table(_placed(len(leads), ("id", *of_contact), rows))
        if past:
            await _undo(workspace_id, "contact", leads.contact, leads.contact.columns["id"], leads.at)
    for beside in {reading.beside for reading in readings if reading.beside}:
        sql, counted = BESIDE[beside]
        more = [leads.lead.columns["company_id"]] if beside == "ended" else []
        rows = await read(sql, workspace_id, leads.ids, leads.at, *more)
        leads.counts |= _placed(len(leads), counted, rows)
    if "days_silent" in keys:
        await _fill_moves(workspace_id, leads)
    if Origin.ANSWER in origins:
        await _fill_answers(workspace_id, leads, past=past)
    if Origin.ACTIVITY in origins:
        await _fill_activities(workspace_id, leads)


async def _fill_companies(workspace_id: UUID, leads: Leads, wanted: Sequence[str], *, past: bool) -> None:
    keys = leads.lead.columns["company_id"]
    rows = await read(_select(COMPANIES, wanted), workspace_id, list(set(keys) - {None}))
    known: dict[UUID, asyncpg.Record] = {row["id"]: row for row in rows}
    found = [known.get(key) for key in keys]
    stood = [
        None if row is None or ((gone := row["deleted_at"]) is not None and gone <= at) else row
        for row, at in zip(found, leads.at, strict=True)
    ]
    names = ("id", *wanted)
    leads.company = Table({name: [None if row is None else row[name] for row in stood] for name in names})
    if past:
        await _undo(workspace_id, "company", leads.company, leads.company.columns["id"], leads.at)


async def _fill_moves(workspace_id: UUID, leads: Leads) -> None:
    moved = leads.lead.columns["moved_at"]
    later = [place for place, (at, on) in enumerate(zip(leads.at, moved, strict=True)) if on and on > at]
    for place in later:
        moved[place] = None
    if later:
        ids, at = [leads.ids[place] for place in later], [leads.at[place] for place in later]
        for row in await read(MOVES, workspace_id, ids, at):
            moved[later[row["place"] - 1]] = row["moved_at"]


async def _fill_answers(workspace_id: UUID, leads: Leads, *, past: bool) -> None:
    def answers(criterion_id: UUID) -> Values:
        return leads.answers.setdefault(criterion_id.hex, [None] * len(leads))

    for row in await read(ANSWERS, workspace_id, leads.ids, leads.at):
        answers(row["criterion_id"])[row["place"] - 1] = orjson.loads(row["value"])
    if past:
        for row in await read(ANSWERED_LATER, workspace_id, leads.ids, leads.at):
            was = orjson.loads(row["value"])
            answers(UUID(row["key"]))[row["place"] - 1] = None if was is None else was["value"]


async def _fill_activities(workspace_id: UUID, leads: Leads) -> None:
    [row] = await read(ACTIVITIES, workspace_id, leads.ids, leads.at, leads.until)
    if row["places"] is not None:
        leads.activities = _activities(row["places"], row["kinds"], row["seconds"])
    inbound = leads.activities.lead[np.array(row["inbound"] or (), dtype=bool)]
    leads.inbound = np.bincount(inbound, minlength=len(leads))


def _activities(places: Sequence[int], kinds: Sequence[str], seconds: Sequence[float]) -> Activities:
    return Activities(
        np.array(places, dtype=np.intp) - 1,
        np.array(kinds, dtype=np.str_),
        np.array(seconds, dtype=np.float64) / SECONDS_A_DAY,
    )


async def _undo(
    workspace_id: UUID, subject_type: str, table: Table, ids: Sequence[UUID | None], at: Sequence[datetime]
) -> None:
    """Take back what changed in rows after their instants."""
    places = [place for place, key in enumerate(ids) if key is not None]
    subjects, instants = [ids[place] for place in places], [at[place] for place in places]
    for change in await read(CHANGED_LATER, workspace_id, subject_type, subjects, instants):
        place, key, was = places[change["place"] - 1], change["key"], orjson.loads(change["was"])
        if key.startswith("custom."):
            table.undone.setdefault(key.removeprefix("custom."), {})[place] = was
        elif key in table.columns and key != "id":
            table.columns[key][place] = _of_log(key, was)


def _of_log(name: str, was: Any) -> Any:
    """Return what the log says of a column as the column itself would."""
    if was is None:
        return None
    if name == "tag_ids":
        return [UUID(key) for key in was]
    if name == "expected_close_date":
        return date.fromisoformat(was[:10])
    return UUID(was) if name.endswith("_id") else was


async def _names(workspace_id: UUID, leads: Leads, catalogue: Catalogue, keys: Collection[str], now: datetime) -> Names:
    tables = {NAMES[key] for key in keys if key in NAMES}
    if any(custom.type is CustomFieldType.USER for custom in map(catalogue.custom.get, keys) if custom):
        tables.add(USERS)
    named = await read(" UNION ALL ".join(sorted(tables)), workspace_id) if tables else []
    if parents := set(leads.company.columns.get("parent_id", ())) - {None}:
        named += await read(PARENTS, workspace_id, list(parents))
    return Names(
        {row["id"]: row["name"] for row in named},
        {row["id"]: row["kind"] for row in named if row["kind"]},
        await rates_on(workspace_id, now.date()),
    )


def _reading(known: Field, catalogue: Catalogue) -> Reading:
    if (custom := catalogue.custom.get(known.key)) is not None:
        return _custom_reading(custom, known.key.partition(fields.CUSTOM)[0].rstrip(".") or "lead")
    if (criterion := catalogue.criteria.get(known.key)) is not None:
        return _answer_reading(criterion)
    if known.key.startswith(ACTIVITY):
        kind = known.key.removeprefix(ACTIVITY)
        return Reading(lambda leads, names: _times(leads, leads.activities.kind == kind))
    return READINGS[known.key]


def _custom_reading(custom: CustomField, owner: str) -> Reading:
    options = {option["key"]: option["label"] for option in custom.options}

    def reading(leads: Leads, names: Names) -> Iterable[Any]:
        table: Table = getattr(leads, owner)
        values = table.custom(custom.key, custom.id.hex)
        match custom.type:
            case CustomFieldType.MONEY:
                return _money(values, names)
            case CustomFieldType.DATE:
                return _days(values, leads.born_at)
            case CustomFieldType.CHOICE:
                return (options.get(one, one) for one in values)
            case CustomFieldType.MULTI_CHOICE:
                return (some and [options.get(one, one) for one in some] for some in values)
            case CustomFieldType.USER:
                return (names.name(one["user"] if isinstance(one, dict) else one) for one in values)
            case CustomFieldType.URL | CustomFieldType.EMAIL | CustomFieldType.PHONE:
                return (None if one is None else "given" for one in values)
            case _:
                return values

    where: Any = {owner: ("custom",)}
    return Reading(reading, **where)


def _answer_reading(criterion: QualificationCriterion) -> Reading:
    labels = {choice["key"]: choice["label"] for choice in criterion.choices}

    def reading(leads: Leads, names: Names) -> Iterable[Any]:
        values = leads.answers.get(criterion.id.hex) or [None] * len(leads)
        match criterion.type:
            case CriterionType.MONEY:
                return _money(values, names)
            case CriterionType.DATE:
                return _days(values, leads.born_at)
            case CriterionType.CHOICE:
                return (labels.get(one, one) for one in values)
            case CriterionType.MULTI_CHOICE:
                return (some and [labels.get(one, one) for one in some] for some in values)
            case _:
                return values

    return Reading(reading)


def _money(values: Values, names: Names) -> Values:
    return names.base((one and one["amount"] for one in values), (one and one["currencyCode"] for one in values))


def _days(days: Iterable[Any], since: Iterable[datetime]) -> Iterable[float | None]:
    """Return how many days days are after the day of instants; less than none where they are before it."""
    for day, instant in zip(days, since, strict=True):
        if day is None:
            yield None
        else:
            found = day if isinstance(day, date) else date.fromisoformat(str(day)[:10])
            yield float((found - instant.astimezone(UTC).date()).days)


def _times(leads: Leads, which: Any = slice(None)) -> Iterable[int]:
    """Return how many of some activities were done with each lead."""
    return np.bincount(leads.activities.lead[which], minlength=len(leads))


def _of_lead(name: str) -> Reading:
    return Reading(lambda leads, names: leads.lead.columns[name], lead=(name,))


def _of_company(name: str) -> Reading:
    return Reading(lambda leads, names: leads.company.columns[name], company=(name,))


def _of_contact(name: str) -> Reading:
    return Reading(lambda leads, names: leads.contact.columns[name], contact=(name,))


def _named(name: str) -> Reading:
    return Reading(lambda leads, names: map(names.of.get, leads.lead.columns[name]), lead=(name,))


def _counted(name: str, beside: str, *, otherwise: int | None = 0, lead: tuple[str, ...] = ()) -> Reading:
    def reading(leads: Leads, names: Names) -> Iterable[Any]:
        return (otherwise if one is None else one for one in leads.counts[name])

    return Reading(reading, lead=lead, beside=beside)


@lru_cache(maxsize=10_000)
def seniority(title: str | None) -> str | None:
    """Return how high somebody stands by their job title."""
    if not title:
        return None
    said = set(columns.WORD.findall(title.casefold()))
    return next((rank for rank, marks in RANKS if said & set(marks)), "Other")


def _email(leads: Leads, names: Names) -> Iterable[str | None]:
    for address in leads.contact.columns["email_normalised"]:
        yield None if not address else "private" if address.rpartition("@")[2] in FREE_MAIL else "of a company"


def _days_silent(leads: Leads, names: Names) -> Floats:
    moved = zip(leads.until, leads.born_at, leads.lead.columns["moved_at"], strict=True)
    still = np.array([(until - max(born, on or born)).total_seconds() for until, born, on in moved]) / SECONDS_A_DAY
    np.minimum.at(still, leads.activities.lead, leads.activities.days)
    return np.maximum(still, 0.0)


def _age(leads: Leads, names: Names) -> Iterable[int | None]:
    founded = leads.company.columns["founded_year"]
    return (at.year - year if year else None for at, year in zip(leads.at, founded, strict=True))


READINGS: Mapping[str, Reading] = {
    "source": _named("source_id"),
    "source_kind": Reading(
        lambda leads, names: map(names.kinds.get, leads.lead.columns["source_id"]), lead=("source_id",)
    ),
    "campaign": _named("campaign_id"),
    "campaign_kind": Reading(
        lambda leads, names: map(names.kinds.get, leads.lead.columns["campaign_id"]), lead=("campaign_id",)
    ),
    "pipeline": _named("pipeline_id"),
    "product": _named("product_id"),
    "owner": _named("owner_id"),
    "value": Reading(
        lambda leads, names: names.base(leads.lead.columns["value"], leads.lead.columns["currency"]),
        lead=("value", "currency"),
    ),
    "currency": _of_lead("currency"),
    "title": _of_lead("title"),
    "description": _of_lead("description"),
    "tags": Reading(
        lambda leads, names: ([names.name(key) for key in keys] for keys in leads.lead.columns["tag_ids"]),
        lead=("tag_ids",),
    ),
    "close_date_days": Reading(
        lambda leads, names: _days(leads.lead.columns["expected_close_date"], leads.until),
        lead=("expected_close_date",),
    ),
    "created_month": Reading(lambda leads, names: (f"{born:%B}" for born in leads.born_at)),
    "created_weekday": Reading(lambda leads, names: (f"{born:%A}" for born in leads.born_at)),
    "contacts": Reading(
        lambda leads, names: (number or 0 for number in leads.contact.columns["contacts"]), contact=("contacts",)
    ),
    "needs": _counted("needs", "needs"),
    "need_importance": _counted("need_importance", "needs", otherwise=None),
    "competitors": _counted("competitors", "competitors"),
    "company": _of_company("name"),
    "company.country": _of_company("country"),
    "company.industry": _of_company("industry"),
    "company.location": _of_company("location"),
    "company.employees": _of_company("employees"),
    "company.revenue": Reading(
        lambda leads, names: names.base(leads.company.columns["revenue"], leads.company.columns["revenue_currency"]),
        company=("revenue", "revenue_currency"),
    ),
    "company.age": Reading(_age, company=("founded_year",)),
    "company.parent": Reading(
        lambda leads, names: map(names.of.get, leads.company.columns["parent_id"]), company=("parent_id",)
    ),
    "company.won_before": _counted("won_before", "ended", lead=("company_id",)),
    "company.lost_before": _counted("lost_before", "ended", lead=("company_id",)),
    "contact.job_title": _of_contact("job_title"),
    "contact.seniority": Reading(
        lambda leads, names: map(seniority, leads.contact.columns["job_title"]), contact=("job_title",)
    ),
    "contact.language": _of_contact("language"),
    "contact.email": Reading(_email, contact=("email_normalised",)),
    "contact.phone": Reading(
        lambda leads, names: (phone and "given" for phone in leads.contact.columns["phone_normalised"]),
        contact=("phone_normalised",),
    ),
    "activities": Reading(lambda leads, names: _times(leads)),
    "inbound": Reading(lambda leads, names: leads.inbound),
    "days_silent": Reading(_days_silent, lead=("moved_at",)),
}
# What is counted of leads, a statement each, and what it gives.
BESIDE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "needs": (NEEDS, ("needs", "need_importance")),
    "competitors": (COMPETITORS, ("competitors",)),
    "ended": (ENDED_BEFORE, ("won_before", "lost_before")),
}
