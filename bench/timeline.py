"""The timeline of a lead with ten thousand entries, beside that of one with a hundred: the first page and a middle one.

    python -m bench.timeline [--server URL] [--entries 10000] [--times 100]

A workspace is made by SQL in a database of its own, which is dropped afterwards: on the server named, or on that of a
Salescycle as `make run` starts it. A fifth each of the entries are activities, moves, comments, files and events, by
turns. The queries run in this process, by the same plans as behind the door, without HTTP.
"""

import argparse
import time
from contextlib import ExitStack
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg
import uvloop

from bench.board import database_url
from bench.house import house, some_folder, told, told_times
from bench.search import actors, at, home
from domain.actors import Actor
from models import database
from models.base import uuid7
from schema import ids
from schema.context import Context
from schema.schema import graphql_schema

NAME = "salescycle_bench_timeline"
FEW = 100
TIMELINE = """query ($id: ID!, $after: String) { lead(id: $id) { timeline(first: 20, after: $after) {
  pageInfo { endCursor } nodes { id kind occurredAt user { name } activity { kind subject text }
    transition { fromStage { name } toStage { name } } comment { text } attachment { name }
    event { name changes { field before after } } } } } }"""
CURSOR = """query ($id: ID!, $after: String, $n: Int) { lead(id: $id) { timeline(first: $n, after: $after) {
  pageInfo { endCursor } } } }"""
LEAD = """INSERT INTO lead (id, workspace_id, title, pipeline_id, stage_id, rank, status, lifecycle, currency,
  probability, score_factors, owner_id, custom, stage_entered_at, version, created_at, updated_at)
VALUES ($1, '{workspace}', 'Roof', '{pipeline}', '{stage}', 'a', 'OPEN', 'RAW', 'EUR', 0.1, '[]', '{rep}', '{{}}',
  now(), 1, now(), now())"""
ENTRIES = (
    """INSERT INTO activity (id, workspace_id, kind, is_touch, lead_id, subject, text, occurred_at, user_id, version,
         created_at, updated_at)
       SELECT gen_random_uuid(), '{workspace}', 'CALL', TRUE, $1, 'Call ' || n, 'They said so', t, '{rep}', 1, t, t""",
    """INSERT INTO stage_transition (id, workspace_id, lead_id, from_stage_id, to_stage_id, user_id, moved_at)
       SELECT gen_random_uuid(), '{workspace}', $1, '{stage}', '{stage}', '{rep}', t""",
    """INSERT INTO comment (id, workspace_id, lead_id, user_id, text, version, created_at, updated_at)
       SELECT gen_random_uuid(), '{workspace}', $1, '{rep}', 'Remark ' || n, 1, t, t""",
    """INSERT INTO attachment (id, workspace_id, lead_id, user_id, name, content_type, size, version, created_at,
         updated_at)
       SELECT gen_random_uuid(), '{workspace}', $1, '{rep}', n || '.pdf', 'application/pdf', 1, 1, t, t""",
    """INSERT INTO event (id, workspace_id, name, subject_type, subject_id, actor, data, occurred_at)
       SELECT gen_random_uuid(), '{workspace}', CASE WHEN n % 2 = 0 THEN 'lead.updated' ELSE 'lead.scored' END, 'lead',
         $1, '{{"kind": "USER", "user": "{rep}"}}', '{{"changes": {{"title": ["a", "b"]}}}}', t""",
)
OF_EACH = (
    " FROM generate_series(0, $2::int / 5 - 1) n, LATERAL (SELECT now() - (n * 5 + $3) * interval '1 minute') i(t)"
)


async def drop(url: str) -> None:
    connection = await asyncpg.connect(at(url, "postgres"))
    await connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
    await connection.close()


async def fill(url: str, sizes: list[int]) -> tuple[dict[str, UUID], dict[int, UUID]]:
    """Make the database and fill it; return the keys of what there is one of, and a lead of each size."""
    await drop(url)
    connection = await asyncpg.connect(at(url, "postgres"))
    await connection.execute(f"CREATE DATABASE {NAME}")
    await connection.close()
    await database.migrate(at(url, NAME))
    keys = await home(at(url, NAME))
    leads = {size: uuid7() for size in sizes}
    connection = await asyncpg.connect(at(url, NAME))
    for size, lead_id in leads.items():
        await connection.execute(LEAD.format(**keys), lead_id)
        for place, entries in enumerate(ENTRIES):
            await connection.execute(entries.format(**keys) + OF_EACH, lead_id, size, place)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return keys, leads


async def page(actor: Actor, document: str, **variables: Any) -> dict[str, Any]:
    context = Context(identity=actor, budget=None)
    answer = await graphql_schema.execute(document, variables, context_value=context)
    assert answer.errors is None and answer.data and context.why_not == "", (answer.errors, context.why_not)
    found: dict[str, Any] = answer.data["lead"]["timeline"]
    return found


async def middle(actor: Actor, key: str, size: int) -> str | None:
    """Return the cursor in the middle of a timeline."""
    cursor = None
    for _ in range(size // 200 or 1):
        cursor = (await page(actor, CURSOR, id=key, after=cursor, n=min(100, size // 2)))["pageInfo"]["endCursor"]
    return cursor


async def measure(url: str, keys: dict[str, UUID], leads: dict[int, UUID], times: int) -> None:
    await database.open_database(at(url, NAME), pool_size=4)
    took: dict[tuple[str, int], list[float]] = {}
    try:
        actor = actors(keys)["admin"]
        gids = {size: str(ids.encode("Lead", key)) for size, key in leads.items()}
        cursors = {size: await middle(actor, key, size) for size, key in gids.items()}
        # In turns, so that what else the machine does is the same for all.
        for number in range(times + 5):
            for size, key in gids.items():
                for name, after in (("first", None), ("middle", cursors[size])):
                    began = time.perf_counter()
                    found = await page(actor, TIMELINE, id=key, after=after)
                    if number >= 5:
                        took.setdefault((name, size), []).append(time.perf_counter() - began)
                    assert len(found["nodes"]) == 20
    finally:
        await database.close_database()
    few, many = sorted(leads)
    for (name, size), seconds in sorted(took.items()):
        told_times(f"timeline_{name}_{size}", seconds)
    for name in ("first", "middle"):
        ratio = median(took[name, many]) / median(took[name, few])
        told(f"timeline_{name}_ratio", ratio, f"times ({many} entries to {few})")


async def run(url: str, entries: int, times: int) -> None:
    keys, leads = await fill(url, [FEW, entries])
    try:
        await measure(url, keys, leads, times)
    finally:
        await drop(url)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", help="a PostgreSQL server: the address of any database of it")
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=100)
    asked = parser.parse_args()
    with ExitStack() as stack:
        url = asked.server
        if not url:
            folder = stack.enter_context(some_folder(None))
            stack.enter_context(house(folder))
            url = database_url(folder)
        uvloop.run(run(url, asked.entries, asked.times))


if __name__ == "__main__":
    main()
