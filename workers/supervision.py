"""Loops that outlive a lost connection: they say so once, pause, and go on."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg
import structlog
from tortoise.exceptions import DBConnectionError

from adapters.redis import UNREACHABLE

SHORTEST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
STEADY_SECONDS = 10.0

# What a server that restarts, or a network that breaks, looks like from here.
LOST = (
    *UNREACHABLE,
    TimeoutError,
    DBConnectionError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    # What asyncpg makes of a connection that ends in the middle of a transaction.
    asyncpg.InternalClientError,
)

log = structlog.get_logger(__name__)


async def keep(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` again after every error, with pauses that grow while it keeps failing; end when cancelled."""
    pause = SHORTEST_PAUSE
    while True:
        began = time.monotonic()
        try:
            await work()
        except LOST as error:
            log.warning(f"{what} lost a connection", error=_sentence(error))
        except Exception:
            log.exception(f"{what} failed")
        if time.monotonic() - began > STEADY_SECONDS:
            pause = SHORTEST_PAUSE
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def every(seconds: float, what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` again and again, `seconds` after its last end, whatever it raises; end when cancelled."""

    async def repeat() -> None:
        while True:
            await work()
            await asyncio.sleep(seconds)

    await keep(what, repeat)


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0].removesuffix(": ")
