"""The search among a million leads: words that few and very many have, one letter, an address; for admin and rep.

    python -m bench.search [--server URL] [--leads 1000000] [--times 20] [--explain]

A workspace is made by SQL in a database of its own, which is dropped afterwards: on the server named, or on that of a
Salescycle as `make run` starts it. The queries run in this process, by the same plans as behind the door, without
HTTP. A third of the leads have the word of `common` in their titles, three of them that of `rare`; the rep owns 1,000.
"""

import argparse
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import uvloop

from bench.board import database_url
from bench.house import house, some_folder, told, told_times
from domain.actors import ALL, Actor, ActorKind, Scope
from models import database
from models.pipelines import Pipeline
from models.stages import Stage, StageKind
from models.users import Membership, Role, User
from models.workspaces import Workspace
from queries import search as searching
from schema.context import Context
from schema.schema import graphql_schema

NAME = "salescycle_bench_search"
QUERIES = {
    "rare": "zanzibar",
    "common": "solar",
    "common_and_rare": "solar zanzibar",
    "old": "vintage",
    "letter": "s",
    "beginning": "heatpu",
    "email": "person.777777@firm77777.example",
    "domain": "firm77777.example",
    "nothing": "qqqqqq",
}
SEARCH = """query ($query: String!, $first: Int) { search(query: $query, first: $first) {
  rank highlight { field text isMatch }
  node { __typename ... on Lead { id title owner { name } } ... on Company { id name } ... on Contact { id name }
         ... on Product { id name } } } }"""

# Keys rise with the instants, as those of real rows do.
FILL = """
CREATE FUNCTION pg_temp.word(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
  $$ SELECT (ARRAY['roof','heatpump','window','garage','office','retrofit','storage','service','panel','inverter',
    'boiler','charger','facade','cellar','school','farm','hotel','bakery','clinic','depot'])[1 + n % 20] $$;
CREATE FUNCTION pg_temp.key(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
  $$ SELECT encode(int8send((1700000000000 + n * 60000) << 16 | 28672 | n & 4095) || int8send(-9223372036854775808 | n),
    'hex')::uuid $$;
INSERT INTO company (id, workspace_id, name, name_normalised, domain, industry, relationship, custom, version,
                     created_at, updated_at)
SELECT pg_temp.key(n), '{workspace}', 'Firm ' || n || ' ' || pg_temp.word(n), 'firm ' || n, 'firm' || n || '.example',
       pg_temp.word(n / 20), 'LEAD', '{{}}', 1, at, at
FROM generate_series(1, {companies}) n, LATERAL (SELECT to_timestamp(1700000000 + n * 60)) t(at);
INSERT INTO contact (id, workspace_id, name, email, email_normalised, job_title, relationship, custom, version,
                     created_at, updated_at)
SELECT pg_temp.key(n), '{workspace}', 'Person ' || n, 'person.' || n || '@firm' || n / 10 || '.example',
       'person.' || n || '@firm' || n / 10 || '.example', pg_temp.word(n) || ' manager', 'LEAD', '{{}}', 1, at, at
FROM generate_series(1, {leads}) n, LATERAL (SELECT to_timestamp(1700000000 + n * 60)) t(at);
INSERT INTO lead (id, workspace_id, title, description, pipeline_id, stage_id, rank, status, lifecycle, currency,
                  probability, score_factors, owner_id, custom, stage_entered_at, version, created_at, updated_at)
SELECT pg_temp.key(n), '{workspace}',
       CASE WHEN n % 3 = 0 THEN 'Solar ' ELSE '' END || pg_temp.word(n) || ' ' || pg_temp.word(n / 7) || ' ' || n
         || CASE WHEN n % ({leads} / 3) = 5 THEN ' Zanzibar' WHEN n < {leads} / 4 THEN ' vintage' ELSE '' END,
       'They asked for ' || pg_temp.word(n / 3) || ' and ' || pg_temp.word(n / 11) || ', offer number ' || n * 7
         || ' was promised by phone; the budget is approved and they want to decide before summer.',
       '{pipeline}', '{stage}', lpad(to_hex(n), 8, '0'), 'OPEN', 'RAW', 'EUR', 0.1, '[]',
       CASE WHEN n % ({leads} / 1000) = 0 THEN '{rep}'::uuid ELSE '{admin}'::uuid END, '{{}}', at, 1, at, at
FROM generate_series(1, {leads}) n, LATERAL (SELECT to_timestamp(1700000000 + n * 60)) t(at);
"""


def at(url: str, name: str) -> str:
    """Return the address of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def drop(url: str) -> None:
    connection = await asyncpg.connect(at(url, "postgres"))
    await connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
    await connection.close()


async def home(url: str) -> dict[str, UUID]:
    """Make what there is one of, and two people."""
    await database.open_database(url, pool_size=1)
    stamps: dict[str, Any] = {"created_at": datetime.now(UTC), "updated_at": datetime.now(UTC)}
    try:
        workspace = await Workspace.create(name="Bench", base_currency="EUR", **stamps)
        rows = {"workspace": workspace}
        for name, role in (("admin", Role.ADMIN), ("rep", Role.REP)):
            rows[name] = await User.create(name=name, **stamps)
            place = {"user_id": rows[name].id, "role": role, "created_at": stamps["created_at"]}
            await Membership.create(workspace_id=workspace.id, **place)
        on = {"workspace_id": workspace.id, "name": "Sales", **stamps}
        rows["pipeline"] = await Pipeline.create(**on)
        kind = StageKind.PROSPECT
        rows["stage"] = await Stage.create(**on, pipeline_id=rows["pipeline"].id, kind=kind, position=0, probability=0)
    finally:
        await database.close_database()
    return {name: row.id for name, row in rows.items()}


async def fill(url: str, leads: int) -> dict[str, UUID]:
    """Make the database and fill it; return the keys of what there is one of."""
    await drop(url)
    connection = await asyncpg.connect(at(url, "postgres"))
    await connection.execute(f"CREATE DATABASE {NAME}")
    await connection.close()
    await database.migrate(at(url, NAME))
    keys = await home(at(url, NAME))
    connection = await asyncpg.connect(at(url, NAME))
    began = time.perf_counter()
    await connection.execute(FILL.format(**keys, leads=leads, companies=leads // 10), timeout=3600)
    await connection.execute("VACUUM ANALYZE", timeout=3600)
    told("search_filled", time.perf_counter() - began, f"s ({leads} leads)")
    for table in ("lead", "contact", "company"):
        size = await connection.fetchval(f"SELECT pg_relation_size('{table}')")
        index = await connection.fetchval(f"SELECT pg_relation_size('{table}_search_idx')")
        told(f"search_{table}_size", size / 2**20, f"MB, and its index of words {index / 2**20:.0f} MB")
    await connection.close()
    return keys


def actors(keys: dict[str, UUID]) -> dict[str, Actor]:
    def actor(name: str, role: Role, rows: Scope) -> Actor:
        return Actor(ActorKind.USER, keys["workspace"], user_id=keys[name], role=role, rows=rows)

    return {
        "admin": actor("admin", Role.ADMIN, ALL),
        "rep": actor("rep", Role.REP, Scope(frozenset({keys["rep"]}))),
    }


async def measure(url: str, keys: dict[str, UUID], times: int, explain: bool) -> None:
    await database.open_database(at(url, NAME), pool_size=4)
    try:
        for who, actor in actors(keys).items():
            for name, query in QUERIES.items():
                if explain:
                    await explained(f"{who} {name}", actor, query)
                took, found = [], 0
                for number in range(times + 2):
                    context = Context(identity=actor, budget=None)
                    began = time.perf_counter()
                    answer = await graphql_schema.execute(SEARCH, {"query": query, "first": 10}, context_value=context)
                    if number >= 2:
                        took.append(time.perf_counter() - began)
                    assert answer.errors is None and context.why_not == "", (answer.errors, context.why_not)
                    found = len(answer.data["search"])
                told_times(f"search_{who}_{name}", took)
                told(f"search_{who}_{name}_found", found, "shown")
    finally:
        await database.close_database()


async def explained(title: str, actor: Actor, query: str) -> None:
    """Print how PostgreSQL does it."""
    sent: list[tuple[str, Any]] = []
    fetch = searching.fetch

    async def noting(sql: str, params: Any) -> list[Any]:
        sent.append((sql, params))
        return await fetch(sql, params)

    searching.fetch = noting
    try:
        await searching.search(actor, query, list(searching.SEARCHED), limit=10)
    finally:
        searching.fetch = fetch
    for sql, params in sent:
        rows = await database.read(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", *params.values)
        print(f"-- {title}", *(row[0] for row in rows), sep="\n", flush=True)


async def run(url: str, leads: int, times: int, explain: bool, keep: bool) -> None:
    keys = await fill(url, leads)
    try:
        await measure(url, keys, times, explain)
    finally:
        if not keep:
            await drop(url)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", help="a PostgreSQL server: the address of any database of it")
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--explain", action="store_true", help="print how PostgreSQL does it")
    parser.add_argument("--keep", action="store_true", help="leave the database there")
    asked = parser.parse_args()
    with ExitStack() as stack:
        url = asked.server
        if url is None:
            folder = stack.enter_context(some_folder(None))
            stack.enter_context(house(folder))
            url = database_url(folder)
        uvloop.run(run(url, asked.leads, asked.times, asked.explain, asked.keep))


if __name__ == "__main__":
    main()
