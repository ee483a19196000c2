"""Indexes on values of custom fields: made and dropped while everybody goes on reading and writing.

CONCURRENTLY works outside any transaction and over a connection of its own, past any pooler. It waits for whoever is
in a transaction, and whoever waits for a lock is in one: two at once would wait for each other, so one works at a time.
"""

import asyncio
from contextlib import suppress
from uuid import UUID

import asyncpg

from models import rows
from models.custom_fields import CustomField, CustomFieldType, IndexState
from models.custom_values import TABLES, index, index_name, index_prefix, statistics, statistics_name
from models.database import connected, read

LOCK = 7_256_114_912
CONNECT_SECONDS = 10
TURN_SECONDS = 0.2
SESSION = {"application_name": "salescycle custom indexes", "statement_timeout": "0", "lock_timeout": "0"}

KNOWN = """
SELECT c.relname AS name, i.indisvalid AS is_valid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = current_schema()::regnamespace AND starts_with(c.relname, $1)
"""
STATISTICS = """
SELECT stxname AS name FROM pg_statistic_ext
WHERE stxnamespace = current_schema()::regnamespace AND starts_with(stxname, $1)
"""
FIELD = "SELECT {columns} FROM custom_field WHERE id = $1"
MARK = """
UPDATE custom_field SET index_state = $3
WHERE id = $1 AND type = $2 AND is_indexed AND archived_at IS NULL AND deleted_at IS NULL
"""
UNSETTLED = """
SELECT id, workspace_id FROM custom_field
WHERE is_indexed AND index_state <> 'READY' AND archived_at IS NULL AND deleted_at IS NULL
"""


async def settle(key: UUID, *, url: str) -> None:
    """Make the index that a field wants, and drop what it does not want or what was left half made.

    `url` leads past any pooler. Doing so again changes nothing. Where it fails, the field says so, and what went
    wrong is raised.
    """
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS, server_settings=SESSION)
    try:
        while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):  # noqa: ASYNC110
            await asyncio.sleep(TURN_SECONDS)
        await _settle(connection, key)
    finally:
        with suppress(Exception):
            await connection.close(timeout=CONNECT_SECONDS)


async def unsettled() -> list[tuple[UUID, UUID]]:
    """Return the fields whose indexes do not serve yet, each with its workspace."""
    return [(row["id"], row["workspace_id"]) for row in await read(UNSETTLED)]


async def _settle(connection: "asyncpg.Connection[asyncpg.Record]", key: UUID) -> None:
    field = next(iter(await rows.select(CustomField, FIELD, key)), None)
    wanted = index_name(field) if field is not None and _wants(field) else None
    known = {row["name"]: row["is_valid"] for row in await connection.fetch(KNOWN, index_prefix(key))}
    for name, is_valid in known.items():
        if name != wanted or not is_valid:
            await connection.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
    described = await _drop_statistics(connection, key, statistics_name(field) if field and wanted else None)
    if field is None or wanted is None:
        return
    if not known.get(wanted) or not described:
        try:
            if not known.get(wanted):
                await connection.execute(index(field))
            await connection.execute(statistics(field))
            await connection.execute(f'ANALYZE "{TABLES[field.owner]}"')
        except Exception:
            await _mark(key, field.type, IndexState.FAILED)
            raise
    await _mark(key, field.type, IndexState.READY)


async def _drop_statistics(connection: "asyncpg.Connection[asyncpg.Record]", key: UUID, wanted: str | None) -> bool:
    """Drop what a field wants no more of statistics; say whether it has those that it wants."""
    known = {row["name"] for row in await connection.fetch(STATISTICS, index_prefix(key))}
    for name in known - {wanted}:
        await connection.execute(f'DROP STATISTICS IF EXISTS "{name}"')
    return wanted in known


def _wants(field: CustomField) -> bool:
    return field.is_indexed and field.archived_at is None and field.deleted_at is None


async def _mark(key: UUID, kind: CustomFieldType, state: IndexState) -> None:
    """Say how the index stands, unless the field wants another one by now; the index's own connection may be lost."""
    await connected().fetch(MARK, [key, kind.value, state.value])
