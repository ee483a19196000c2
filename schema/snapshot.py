"""One picture of the database for all of a query, for what must fit together: a board and its cursor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from models.database import transaction


@asynccontextmanager
async def snapshot() -> AsyncIterator[None]:
    """Let everything that is read within the block, by whatever task it starts, see the same moment."""
    async with transaction() as connection:
        await connection.execute_query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield
