"""`salescycle migrate` on an empty and on a filled database, forward and back."""

import asyncio

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
