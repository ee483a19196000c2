"""`salescycle migrate` on an empty and on a filled database, forward and back."""

import asyncio
import json

import asyncpg

from tests.cli.running import SECONDS, salescycle

FIGURES = """
SELECT (SELECT count(*) FROM lead), (SELECT count(*) FROM event), (SELECT count(*) FROM stage_transition),
       (SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'),
       (SELECT count(*) FROM pg_constraint WHERE contype = 'f'),
       (SELECT string_agg(rank, ' ' ORDER BY rank) FROM lead)
"""


def run(url: str, *arguments: str) -> None:
    process = salescycle(*arguments, env={"DATABASE_URL": url})
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output


def figures(url: str) -> tuple[object, ...]:
    async def look() -> tuple[object, ...]:
        connection = await asyncpg.connect(url)
        try:
            return tuple(await connection.fetchrow(FIGURES) or ())
        finally:
            await connection.close()

    return asyncio.run(look())


def test_a_filled_database_goes_back_to_the_first_version_and_forward_again_and_keeps_its_rows(
    empty_database_url: str,
) -> None:
    run(empty_database_url, "migrate")
    run(empty_database_url, "demo", "--leads", "40")
    filled = figures(empty_database_url)
    run(empty_database_url, "migrate", "--to", "0001_initial")
    assert figures(empty_database_url)[:3] == filled[:3]
    run(empty_database_url, "migrate")
    assert figures(empty_database_url) == filled
    run(empty_database_url, "migrate", "--check")


TWINS = """
WITH home AS (SELECT id FROM workspace LIMIT 1),
top AS (SELECT gen_random_uuid() AS id)
INSERT INTO team (id, workspace_id, version, name, parent_id, created_at, updated_at, deleted_at)
SELECT coalesce(given, gen_random_uuid()), home.id, 1, name, parent_id,
       timestamptz '2026-01-01' + at * interval '1 day', now(), deleted_at
FROM home, top, LATERAL (VALUES
    (top.id, 'Crew', NULL::uuid, 1, NULL::timestamptz),
    (NULL, 'crew', NULL, 2, NULL),
    (NULL, 'Crew 2', NULL, 3, NULL),
    (NULL, 'CREW', NULL, 4, now()),
    (NULL, 'CREW', NULL, 5, NULL),
    (NULL, 'Crew', top.id, 6, NULL),
    (NULL, repeat('x', 200), top.id, 7, NULL),
    (NULL, repeat('x', 200), top.id, 8, NULL)
) AS twin (given, name, parent_id, at, deleted_at)
"""
NAMES = "SELECT array_agg(name ORDER BY created_at) FROM team WHERE lower(name) ~ '^(crew|xxx)'"


def test_teams_that_share_a_name_are_numbered(empty_database_url: str) -> None:
    run(empty_database_url, "migrate")
    run(empty_database_url, "demo", "--leads", "10")
    run(empty_database_url, "migrate", "--to", "0005_log_rows")

    async def twins() -> None:
        connection = await asyncpg.connect(empty_database_url)
        await connection.execute(TWINS)
        await connection.close()

    async def names() -> list[str]:
        connection = await asyncpg.connect(empty_database_url)
        found: list[str] = await connection.fetchval(NAMES)
        await connection.close()
        return found

    asyncio.run(twins())
    run(empty_database_url, "migrate")

    crews = ["Crew", "crew 3", "Crew 2", "CREW", "CREW 4", "Crew"]
    assert asyncio.run(names()) == [*crews, "x" * 200, "x" * 190 + " 2"]


FAILED = """
INSERT INTO import (id, workspace_id, kind, status, file_name, fingerprint, mapping, error, created_at,
                    next_row, created_rows, updated_rows, unchanged_rows, skipped_rows)
SELECT gen_random_uuid(), id, 'LEADS', 'FAILED', 'a.csv', '', '{}', error, now(), 0, 0, 0, 0, 0
FROM workspace, unnest(ARRAY[E'REQUIRED: name is required.\\nNOT_CSV: It is: a picture.', NULL]) AS error LIMIT 2
"""


def test_what_ended_an_import_is_told_by_code(empty_database_url: str) -> None:
    run(empty_database_url, "migrate")
    run(empty_database_url, "demo", "--leads", "10")
    run(empty_database_url, "migrate", "--to", "0007_team_names")

    async def execute(sql: str) -> list[object]:
        connection = await asyncpg.connect(empty_database_url)
        rows = await connection.fetch(sql)
        await connection.close()
        return [row[0] for row in rows]

    asyncio.run(execute(FAILED))
    run(empty_database_url, "migrate")

    found = asyncio.run(execute("SELECT errors::text FROM import ORDER BY error NULLS LAST"))
    assert [text and json.loads(str(text)) for text in found] == [
        [
            {"code": "REQUIRED", "message": "name is required.", "field": None},
            {"code": "NOT_CSV", "message": "It is: a picture.", "field": None},
        ],
        None,
    ]
