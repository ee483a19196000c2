"""The search over several nouns: one statement finds and ranks what matches, whatever the words.

How much is read is bounded by construction. Where one in 20 of a noun's newest rows matches, the newest rows are walked
until enough are found, and no others are looked for. Of all other words the index gives what matches, up to a number
that is beyond what is not common; should there be more, the newest are walked besides. Where the actor sees what a few
people own, the newest rows of theirs are walked first, and the index is asked only if that leaves too few.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tortoise.models import Model

from domain import inputs, policy
from domain.actors import NONE, Actor
from engine.nouns import NOUNS
from engine.select import fetch
from engine.sql import Params, few_owners, tsquery, visible
from models.companies import Company
from models.contacts import Contact
from models.follow_ups import FollowUp
from models.leads import Lead
from models.products import Product
from queries.marking import Marker

MOST_FOUND, MOST_NEWEST, MOST_OF_NEWEST = 5_000, 20_000, 1_000
# Of what hangs on others so many are looked at, since each takes a look at these.
MOST_HANGING = 5_000
# A word is common that as many of the newest have.
PEEKED, COMMON = 400, 20
# With as many of the newest rows of few owners, no more are looked for; each owner has at least as many walked.
ENOUGH = 100
GLOBAL_ID = re.compile(r"([A-Za-z]+)_([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Searched:
    """How a noun is searched beside its words: columns that may be just what was typed, once that is normalised.

    `named` is the one that an index finds names by; `in_any_case` are those of them whose case says nothing. Whether
    a row of what `hangs` on others exists depends on these.
    """

    exact: Mapping[str, Callable[[str], str | None]] = field(default_factory=dict)
    named: Mapping[str, Callable[[str], str | None]] = field(default_factory=dict)
    in_any_case: frozenset[str] = frozenset()
    hangs: bool = False


def phone(text: str) -> str | None:
    """Return a number that is written with its country's code as E.164."""
    return inputs.normalised_phone(f"+{text[2:]}" if text.startswith("00") else text)


def as_typed(text: str) -> str | None:
    return text


# What is searched; a noun more is a line here, and one in the union of the schema.
SEARCHED: dict[type[Model], Searched] = {
    Lead: Searched(),
    Company: Searched(
        {"domain": inputs.normalised_domain, "phone_normalised": phone}, {"name_normalised": inputs.normalised_name}
    ),
    Contact: Searched({"email_normalised": inputs.normalised_email, "phone_normalised": phone}, {"name": as_typed}),
    Product: Searched({"sku": as_typed}, {"name_normalised": inputs.normalised_name}, frozenset({"sku"})),
    FollowUp: Searched(hangs=True),
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a text of a column, which matches or stands around what does."""

    column: str
    text: str
    is_match: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """What was found. The whole part of `rank` says how: see docs/search.md."""

    model: type[Model]
    key: UUID
    rank: float


async def search(actor: Actor, text: str, models: Sequence[type[Model]], *, limit: int) -> list[Hit]:
    """Return the best matches among these nouns, the best first; nothing for a text without letters and digits.

    Nouns that do not exist for the actor are left out.
    """
    wanted = [model for model in dict.fromkeys(models) if policy.scope(actor, model) != NONE]
    params = Params()
    query = tsquery(text, params)
    if query is None or not wanted or limit == 0:
        return []
    typed = " ".join(inputs.CONTROL.sub(" ", text).split())
    sql = _statement(actor, typed, wanted, query, params, limit)
    return [Hit(wanted[row["place"]], row["id"], row["rank"]) for row in await fetch(sql, params)]


def marked(rows: Sequence[Model], text: str) -> list[list[Segment]]:
    """Return for each row the parts of its texts that have a match, in the order of their columns."""
    marker = Marker(text)
    return [
        [
            Segment(column, piece, is_match)
            for column in NOUNS[type(row)].searched
            for piece, is_match in marker.marked(getattr(row, column) or "")
        ]
        for row in rows
    ]


def _statement(actor: Actor, text: str, models: Sequence[type[Model]], query: str, params: Params, limit: int) -> str:
    # Made once: a plan for any values would make the query anew for every row.
    tables, query = [f"q AS MATERIALIZED (SELECT {query} AS words)"], "(SELECT q.words FROM q)"
    tops = []
    for place, model in enumerate(models):
        tests = _exact(model, text, params)
        rank = _rank(model, text, tests, query, params)
        ways = _ways(actor, model, place, query, rank, params, tables)
        seen = visible(model, actor, params, "r")
        just = f"SELECT r.id, r.created_at, {rank} AS rank FROM {NOUNS[model].table} r WHERE {seen}"
        tests += _equal(model, "named", text, params)
        ways += [f"({just} AND {test} LIMIT {int(limit)})" for test in tests]
        found = " UNION ".join(ways)
        tops.append(f"(SELECT {place} AS place, c.* FROM ({found}) c {BEST} LIMIT {int(limit)})")
    return f"WITH {', '.join(tables)} SELECT c.* FROM ({' UNION ALL '.join(tops)}) c {BEST} LIMIT {int(limit)}"


BEST = "ORDER BY c.rank DESC, c.created_at DESC, c.id DESC"


def _ways(
    actor: Actor, model: type[Model], place: int, query: str, rank: str, params: Params, tables: list[str]
) -> list[str]:
    """Return the ways to what matches, and add the tables that they look into: the newest, and what the index has."""
    table, seen = NOUNS[model].table, visible(model, actor, params, "r")
    found, newest, more = f"found{place}", f"newest{place}", f"more{place}"
    walk = "ORDER BY r.created_at DESC, r.id DESC LIMIT"
    owners = few_owners(model, actor, params, most=MOST_NEWEST // ENOUGH)
    if owners is not None:
        each = max(MOST_NEWEST // max(len(policy.scope(actor, model).owners or ()), 1), ENOUGH)
        theirs = visible(model, actor, params, "r", owner="owner.id")
        rows = f"SELECT r.id, r.created_at, CASE WHEN r.words @@ {query} THEN {rank} END AS rank FROM {table} r"
        walked = f"SELECT w.* FROM unnest({owners}) AS owner(id), LATERAL ({rows} WHERE {theirs} {walk} {each}) w"
        tables.append(f"{newest} AS MATERIALIZED ({walked})")
        # Fewer rows than one owner's part of the walk are all that there are.
        lacks = f"(SELECT count(*) >= {each} AND count(w.rank) < {ENOUGH} FROM {newest} w)"
        of_index = f"SELECT r.id, r.created_at, {rank} AS rank FROM {table} r WHERE {lacks} AND r.words @@ {query}"
        tables.append(f"{found} AS MATERIALIZED ({of_index} AND {seen} LIMIT {MOST_FOUND})")
        return [f"SELECT f.* FROM {found} f", f"SELECT w.* FROM {newest} w WHERE w.rank IS NOT NULL"]
    # What depends on other rows is looked at in a number of rows that is bounded before.
    hangs = SEARCHED[model].hangs
    early = f"r.workspace_id = {params.of(actor, 'workspace')}" if hangs else seen
    late, most = (f" AND {seen}", MOST_HANGING) if hangs else ("", MOST_NEWEST)
    rows = f"SELECT r.* FROM {table} r WHERE {{gate}} AND {early}"
    of_newest = f"SELECT r.id, r.created_at, {rank} AS rank FROM ({rows} {walk} {most}) r"
    of_newest += f" WHERE r.words @@ {query}{late} LIMIT {MOST_OF_NEWEST}"
    of_index = f"SELECT r.id, r.created_at, {rank} AS rank FROM ({rows} AND r.words @@ {query}"
    of_index += f" LIMIT {MOST_HANGING if hangs else MOST_FOUND}) r WHERE TRUE{late} LIMIT {MOST_FOUND}"
    peeked = f"SELECT r.words FROM {table} r WHERE {early} {walk} {PEEKED}"
    common = f"(SELECT count(*) FROM ({peeked}) p WHERE p.words @@ {query}) >= {COMMON}"
    rare = f"(SELECT count(*) FROM {newest} w) < {MOST_OF_NEWEST}"
    after_all = f"(SELECT count(*) FROM {newest} w) = 0 AND (SELECT count(*) FROM {found} f) >= {MOST_FOUND}"
    tables.append(f"{newest} AS MATERIALIZED ({of_newest.format(gate=common)})")
    tables.append(f"{found} AS MATERIALIZED ({of_index.format(gate=rare)})")
    tables.append(f"{more} AS MATERIALIZED ({of_newest.format(gate=after_all)})")
    return [f"SELECT w.* FROM {way} w" for way in (found, newest, more)]


def _exact(model: type[Model], text: str, params: Params) -> list[str]:
    """Return the tests for rows that are just what was typed: by key, email, phone, domain or stock number."""
    tests = []
    if (key := _key(model, text)) is not None:
        tests.append(f"r.id = {params.once(f'key {key}', key, 'uuid')}")
    return tests + _equal(model, "exact", text, params)


def _equal(model: type[Model], way: str, text: str, params: Params) -> list[str]:
    columns: Mapping[str, Callable[[str], str | None]] = getattr(SEARCHED[model], way)
    tests = []
    for column, normalised in columns.items():
        if (value := normalised(text)) is not None:
            sides = [f'r."{column}"', params.once(f"text {value}", value, "text")]
            if column in SEARCHED[model].in_any_case:
                sides = [f"lower({side})" for side in sides]
            tests.append(" = ".join(sides))
    return tests


def _key(model: type[Model], text: str) -> UUID | None:
    if found := GLOBAL_ID.fullmatch(text):
        return UUID(hex=found[2]) if found[1] == model.__name__ else None
    try:
        return UUID(text) if len(text) in (32, 36) else None
    except ValueError:
        return None


def _rank(model: type[Model], text: str, exact: Sequence[str], query: str, params: Params) -> str:
    """Return how well a row matches: 3 for just this one, 2 for its name, 1 for a beginning of its name, and below it
    how much and where the words occur."""
    name, typed = f'r."{NOUNS[model].searched[0]}"', params.once(f"text {text}", text, "text")
    name, typed = f"lower(search_fold({name}))", f"lower(search_fold({typed}))"
    cases = [f"WHEN {test} THEN 3" for test in exact]
    cases += [f"WHEN {name} = {typed} THEN 2", f"WHEN starts_with({name}, {typed}) THEN 1"]
    return f"(CASE {' '.join(cases)} ELSE 0 END + ts_rank(r.words, {query}, 32)::float8)"
