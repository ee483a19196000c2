"""Locks on things that have no row yet, held until the running transaction ends."""

from uuid import UUID

from tortoise.connection import get_connection


async def hold(workspace_id: UUID, what: str) -> None:
    """Wait until nobody else in the workspace holds what is named so, and hold it.

    Who holds several at once takes them in the order of their names.
    """
    await get_connection("default").execute_query(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [f"{workspace_id}:{what}"]
    )
