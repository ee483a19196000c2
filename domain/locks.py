"""Locks on things that have no row yet, held until the running transaction ends."""

from uuid import UUID

from models.database import joined

# Held while a chunk of an import is taken.
IMPORTS = "imports"


async def hold(workspace_id: UUID, *names: str) -> None:
    """Wait until nobody else in the workspace holds what is named so, and hold it.

    Several are taken in the order of their names, in one statement, within the running transaction. Who holds such
    things and locks rows besides holds them first.
    """
    async with joined() as running:
        await running.hold([f"{workspace_id}:{name}" for name in sorted(set(names))])
