"""What a piece of code sends to PostgreSQL, as tests count and judge it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import pytest

from models.database import RELAY_CHANNEL, PooledConnection

METHODS = ("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany")
WAKES_RELAY = f"NOTIFY {RELAY_CHANNEL}"


@contextmanager
def recorded(*, wakes: bool = False) -> Iterator[list[str]]:
    """Give the statements that this process sends through its pool within the block, BEGIN and COMMIT included.

    What wakes the relay is sent by a task of its own, at most every 3 ms, and counted only where asked for.
    """
    sent: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name in METHODS:
            patch.setattr(PooledConnection, name, _noting(getattr(PooledConnection, name), sent, wakes))
        yield sent


def _noting(method: Any, sent: list[str], wakes: bool) -> Any:
    @wraps(method)
    async def noted(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        statement = " ".join(query.split())
        if wakes or statement != WAKES_RELAY:
            sent.append(statement)
        return await method(self, query, *args, **kwargs)

    return noted
