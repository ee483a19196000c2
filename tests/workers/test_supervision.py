"""Loops go on after every error, and end only when they are cancelled."""

import asyncio

import asyncpg
import pytest
from redis.exceptions import ConnectionError as RedisLost
from structlog.testing import capture_logs

from workers import supervision
from workers.supervision import every, keep


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "SHORTEST_PAUSE", 0.0)
    monkeypatch.setattr(supervision, "LONGEST_PAUSE", 0.0)


async def test_work_goes_on_after_errors_of_every_kind() -> None:
    errors = [
        RedisLost("gone"),
        ConnectionRefusedError(),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.InterfaceError("connection is closed"),
        ValueError("a mistake of ours"),
    ]
    worked = asyncio.Event()

    async def work() -> None:
        if errors:
            raise errors.pop(0)
        worked.set()
        await asyncio.Event().wait()

    with capture_logs() as lines:
        task = asyncio.create_task(keep("The work", work))
        await asyncio.wait_for(worked.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [line["log_level"] for line in lines] == ["warning"] * 5 + ["error"]
    assert lines[0]["event"] == "The work lost a connection"
    assert lines[0]["error"] == "ConnectionError: gone"
    assert lines[-1]["exc_info"] is True


async def test_repeated_work_is_repeated_whatever_it_raises() -> None:
    turns: list[int] = []
    enough = asyncio.Event()

    async def work() -> None:
        turns.append(len(turns))
        if len(turns) == 4:
            enough.set()
        if len(turns) % 2:
            raise ValueError("every other time")

    with capture_logs():
        task = asyncio.create_task(every(0, "The work", work))
        await asyncio.wait_for(enough.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(turns) >= 4
