"""Ranks: the places of leads within a stage, as texts that sort bytewise.

A rank is a hexadecimal fraction. A lead that comes into a stage without a place goes on top, by a rank that falls
as time passes, so that nobody has to look at the others. A place between two leads is a fraction between theirs,
with a random part, so that two people who drop at the same place at once get two places.
"""

from datetime import datetime
from itertools import count
from secrets import randbelow, token_hex
from uuid import UUID

from tortoise.connection import get_connection

LONGEST = 60
_EARLIEST_TOP = 2**48 - 1

REBALANCE = """
UPDATE lead SET rank = $3 || lpad(to_hex(placed.place), 8, '0') || '8'
FROM (SELECT id, row_number() OVER (ORDER BY rank, id) AS place FROM lead
      WHERE workspace_id = $1 AND stage_id = $2 AND deleted_at IS NULL AND status IN ('OPEN', 'WON')) placed
WHERE lead.id = placed.id AND lead.stage_id = $2
"""


def top(now: datetime, *, salt: str | None = None) -> str:
    """Return a rank before every rank that was given earlier; `salt` is six digits in place of chance."""
    milliseconds = int(now.timestamp() * 1000)
    return f"{_EARLIEST_TOP - milliseconds:012x}{salt or token_hex(3)}8"


def between(low: str | None, high: str | None) -> str:
    """Return a rank after `low` and before `high`; None is the end of the list. Raises ValueError for no room."""
    if low is not None and high is not None and low >= high:
        raise ValueError((low, high))
    for length in count(max(len(low or ""), len(high or "")) + 1):
        floor = int((low or "").ljust(length, "0"), 16)
        ceiling = int(high.ljust(length, "0"), 16) if high is not None else 16**length
        gap = ceiling - floor
        if gap >= 16:
            return f"{floor + gap // 4 + randbelow(gap // 2):0{length}x}".rstrip("0")
    raise AssertionError("unreachable")


async def rebalance(workspace_id: UUID, stage_id: UUID, *, now: datetime) -> None:
    """Give the leads of a stage short ranks in their order; nobody's version rises."""
    await get_connection("default").execute_query(REBALANCE, [workspace_id, stage_id, top(now)])
