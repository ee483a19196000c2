"""What a piece of code sends to PostgreSQL, as tests count and judge it."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

import pytest

from models.database import PooledConnection

METHODS = ("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany")
_recording: ContextVar[list[str] | None] = ContextVar("recording", default=None)


# What would outlive the transaction in its server process, and meet whoever is lent that process next.
SESSION_STATE = re.compile(
    r"""(?:^|;)\s*(?:SET\s+(?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b)|(?:RESET|LISTEN|UNLISTEN|PREPARE|DEALLOCATE|LOAD)\b)
    | \bWITH\s+HOLD\b
    | \bCREATE\s+(?:(?:LOCAL|GLOBAL)\s+)?TEMP(?:ORARY)?\s+(?!.*\bON\s+COMMIT\s+DROP\b)
    | \bpg_(?:try_)?advisory_(?:lock|unlock)
    | \bset_config\s*\(.*,\s*false\s*\)""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


@contextmanager
def recorded() -> Iterator[list[str]]:
    """Give the statements that the block sends through the pool, BEGIN and COMMIT included.

    What tasks send that the block has not started is not counted, nor what wakes the relay, at most every 3 ms.
    """
    sent: list[str] = []
    begun = _recording.set(sent)

    def note(statement: str) -> None:
        if _recording.get() is sent:
            sent.append(statement)

    with _each_statement(note):
        yield sent
    _recording.reset(begun)


@contextmanager
def without_session_state() -> Iterator[None]:
    """Refuse statements within the block that leave anything behind in their connection, and tell of them after it."""
    found: list[str] = []

    def judge(statement: str) -> None:
        if SESSION_STATE.search(statement):
            found.append(statement)
            raise AssertionError(f"This leaves something behind in its connection: {statement}")

    async def asks_for_types(*_: Any) -> Any:
        found.append("asyncpg asked for types that it does not know, for which it sets jit")
        raise AssertionError(found[-1])

    with _each_statement(judge), pytest.MonkeyPatch.context() as patch:
        patch.setattr(PooledConnection, "_introspect_types", asks_for_types)
        yield
    assert not found, found


@contextmanager
def _each_statement(note: Callable[[str], None]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in METHODS:
            patch.setattr(PooledConnection, name, _noting(getattr(PooledConnection, name), note))
        yield


def _noting(method: Any, note: Callable[[str], None]) -> Any:
    @wraps(method)
    async def noted(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        note(" ".join(query.split()))
        return await method(self, query, *args, **kwargs)

    return noted
