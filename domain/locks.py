"""Locks on things that have no row yet, held until the running transaction ends."""

from uuid import UUID

from tortoise.connection import get_connection

# Held while a chunk of an import is taken.
IMPORTS = "imports"

HOLD = """
SELECT pg_advisory_xact_lock(hashtextextended(name, 0))
FROM (SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS given(name, place) ORDER BY place) AS names
"""


async def hold(workspace_id: UUID, *names: str) -> None:
    """Wait until nobody else in the workspace holds what is named so, and hold it.

    Several are taken in the order of their names, in one statement. Who holds such things and locks rows besides
    holds them first.
    """
    keys = [f"{workspace_id}:{name}" for name in sorted(set(names))]
    if keys:
        await get_connection("default").execute_query(HOLD, [keys])
