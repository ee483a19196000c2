"""What runs every night: a job row per night and task, made ahead, so that a night missed is made up for."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID, uuid5

from domain.jobs import Queue, schedule
from workers.subscriptions import NIGHTLY

AT = time(2, 0, tzinfo=UTC)
KEYS = UUID("6c1f7f0e-2f5b-4d0e-9d55-0a4a3c8a9b11")


async def schedule_next() -> None:
    """Write the rows of the coming night, unless they are there."""
    now = datetime.now(UTC)
    due_at = next_night(now)
    for task in NIGHTLY:
        key = uuid5(KEYS, f"{task.name} {due_at:%Y-%m-%d}")
        await schedule(task.name, arguments={}, due_at=due_at, now=now, queue=Queue.BULK, key=key)


def next_night(now: datetime) -> datetime:
    """Return the next 02:00 UTC after an instant."""
    tonight = datetime.combine(now.date(), AT)
    return tonight if tonight > now else tonight + timedelta(days=1)
