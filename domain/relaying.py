"""Whether the log is relayed: who watches over the house asks for it, since all but answers depends on it."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from models.database import RELAY_LOCK, read

# The relay takes what is there every tenth of a second; a standby takes over within seconds.
LATE = timedelta(seconds=10)
# An advisory lock's key of 64 bits stands in two columns.
LOOK = f"""
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND classid = {RELAY_LOCK >> 32} AND objid = {RELAY_LOCK & 0xFFFF_FFFF}
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
) AS works, (SELECT id FROM event WHERE position IS NULL ORDER BY seq LIMIT 1) AS oldest
"""


class RelayState(StrEnum):
    """How it is with the relay: none holds its lock where it is DOWN, events wait for too long where it is LATE."""

    OK = "ok"
    LATE = "late"
    DOWN = "down"


async def state(*, now: datetime) -> RelayState:
    """Return how it is with the relay."""
    [found] = await read(LOOK)
    if not found["works"]:
        return RelayState.DOWN
    oldest = found["oldest"]
    return RelayState.LATE if oldest is not None and now - _made_at(oldest) > LATE else RelayState.OK


def _made_at(key: UUID) -> datetime:
    """Return when a UUIDv7 was made; when an event occurred says nothing, since history is brought in as well."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, UTC)
