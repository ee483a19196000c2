"""One picture of the database for all of a query, for what must fit together: a board and its cursor."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from models.database import transaction


class _Over(Exception):
    """All has been read."""


@asynccontextmanager
async def snapshot() -> AsyncIterator[None]:
    """Let everything that is read within the block, by whatever task it starts, see the same moment."""
    with suppress(_Over):
        async with transaction(snapshot=True):
            yield
            # A field that failed may have cancelled a statement of its neighbour: what is broken can only be undone.
            raise _Over
