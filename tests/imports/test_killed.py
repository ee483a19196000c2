"""An import that is killed goes on at its chunk: a real process, a real signal, a real file."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg

from tests.imports.importing import ROOT, written

CHUNK = 200
ROWS = 4000
MAPPING = """
system: old-crm
external_id: id
fields:
  title: title
  company: company
  owner: owner
  value: value
"""


async def started(url: str, file: Path, mapping: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "cli.py"),
        *("import", "leads", str(file), "--mapping", str(mapping), "--chunk-size", str(CHUNK)),
        env={**os.environ, "DATABASE_URL": url, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def prepared(url: str) -> None:
    script = (
        "import asyncio\n"
        "from models.database import open_database, close_database\n"
        "from tests.imports.importing import seller\n"
        f"async def main():\n    await open_database({url!r}, pool_size=1)\n"
        "    await seller()\n    await close_database()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=ROOT)
    assert await process.wait() == 0


async def test_a_killed_import_goes_on_at_its_chunk(empty_database_url: str, tmp_path: Path) -> None:
    await prepared(empty_database_url)
    rows: list[list[object]] = [["id", "title", "company", "owner", "value"]]
    rows += [[f"L{n}", f"Lead {n}", f"Company {n % 50}", f"Agent {n % 7}", n] for n in range(ROWS)]
    file, mapping = written(tmp_path, rows), written(tmp_path, MAPPING, name="mapping.yaml")
    database = await asyncpg.connect(empty_database_url)
    try:
        process = await started(empty_database_url, file, mapping)
        while not await database.fetchval("SELECT max(next_row) >= 3 * $1 FROM import", CHUNK):
            assert process.returncode is None, "it ended before it could be killed"
            await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
        await until_nobody_else_is_connected(database)
        left = await database.fetchrow("SELECT status, next_row, created_rows FROM import")
        assert left
        assert left["status"] == "RUNNING" and 0 < left["next_row"] < ROWS
        assert left["next_row"] == left["created_rows"]
        await whole(database, left["created_rows"])

        process = await started(empty_database_url, file, mapping)
        output, _ = await process.communicate()
        text = output.decode()
        assert process.returncode == 0, text
        assert f"Going on at row {left['next_row'] + 1:,}" in text
        assert f"{ROWS:,} created, 0 updated, 0 unchanged, 0 skipped." in text
        ended = await database.fetch("SELECT status, next_row, created_rows FROM import")
        assert [tuple(row) for row in ended] == [("COMPLETED", ROWS, ROWS)]
        await whole(database, ROWS)
        assert await database.fetchval("SELECT sum(value) FROM lead") == ROWS * (ROWS - 1) // 2
    finally:
        await database.close()


async def whole(database: "asyncpg.Connection[asyncpg.Record]", leads: int) -> None:
    """Check that every lead stands there with all that belongs to it, and nothing of a chunk that was cut off."""
    for query in (
        "SELECT count(*) FROM lead",
        "SELECT count(DISTINCT subject_id) FROM event WHERE name = 'lead.captured'",
        "SELECT count(*) FROM event WHERE name = 'lead.captured'",
        "SELECT count(*) FROM external_ref JOIN lead ON lead.id = subject_id",
        "SELECT count(*) FROM stage_transition JOIN lead ON lead.id = lead_id",
        "SELECT count(*) FROM lead JOIN event ON subject_id = lead.id WHERE name = 'lead.captured' "
        "AND score = (data -> 'after' -> 'score')::int AND scored_at IS NOT NULL",
    ):
        assert await database.fetchval(query) == leads, query
    assert await database.fetchval("SELECT count(*) FROM company") == 50
    assert await database.fetchval("SELECT count(*) FROM membership WHERE NOT active") == 7


async def until_nobody_else_is_connected(database: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Wait until PostgreSQL has noticed the death of the process and undone what it had not committed."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with asyncio.timeout(20):
        while await database.fetchval(f"{others} AND backend_type = 'client backend'"):
            await asyncio.sleep(0.01)
