"""The rows of deliveries as workers change them: claimed, marked as being sent, renewed, and recorded.

Leases are told by the database's clock, so that workers on several machines agree.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from domain import mail_kinds
from models.deliveries import DeliveryStatus
from models.postgres import connected
from workers.supervision import LOST

REASON_CHARACTERS = 1000

logger = structlog.get_logger(__name__)

CLAIM = """
WITH free AS (
    SELECT id FROM delivery
    WHERE status = 'PENDING' AND due_at <= $1 AND carried_by_id IS NULL AND channel <> ALL($2::text[])
      AND (lease_until IS NULL OR lease_until < clock_timestamp()) {of}
    ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
)
UPDATE delivery SET
    attempts = attempts + 1, claim_id = $4, lease_until = clock_timestamp() + make_interval(secs => $5),
    at_risk = at_risk OR sending_at IS NOT NULL, sending_at = NULL
FROM free WHERE delivery.id = free.id
RETURNING delivery.id, workspace_id, channel, kind, due_at, created_at, user_id, contact_id, address, about_id,
          device_id, data, attempts, at_risk
"""
CLAIM_ANY = CLAIM.format(of="")
CLAIM_ACCOUNT_MAILS = CLAIM.format(of=f"AND kind IN ({', '.join(repr(kind) for kind in mail_kinds.ACCOUNT)})")

# Neither mark nor renewal waits for a row that somebody else has locked: whoever cancels many would wait for us too.
MARK = """
UPDATE delivery SET sending_at = clock_timestamp(), address = new.address,
    lease_until = clock_timestamp() + make_interval(secs => $4)
FROM unnest($1::uuid[], $2::text[]) AS new(id, address)
WHERE delivery.id = new.id AND delivery.id IN (
    SELECT id FROM delivery WHERE id = ANY($1) AND claim_id = $3 AND status = 'PENDING' FOR UPDATE SKIP LOCKED
)
RETURNING delivery.id
"""
RENEW = """
UPDATE delivery SET lease_until = clock_timestamp() + make_interval(secs => $3)
WHERE id IN (
    SELECT id FROM delivery WHERE id = ANY($1) AND claim_id = $2 AND status = 'PENDING' FOR UPDATE SKIP LOCKED
)
"""
# What was sent is sent, even where another worker has claimed it since.
RECORD = """
WITH held AS (SELECT id FROM delivery WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE)
UPDATE delivery SET
    status = told.status, due_at = coalesce(told.due_at, delivery.due_at),
    reason = CASE WHEN told.status = 'PENDING' THEN coalesce(told.reason, delivery.reason) ELSE told.reason END,
    at_risk = delivery.at_risk OR told.at_risk, attempts = delivery.attempts - told.uncounted,
    sending_at = NULL, lease_until = NULL, claim_id = NULL,
    ended_at = CASE WHEN told.status = 'PENDING' THEN NULL ELSE $8::timestamptz END
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::bool[], $6::int[])
     AS told(id, status, due_at, reason, at_risk, uncounted)
     JOIN held ON held.id = told.id
WHERE delivery.id = told.id AND delivery.status = 'PENDING' AND (delivery.claim_id = $7 OR told.status = 'SENT')
"""
# What a message carries along goes with it, and ends as it does.
CARRIERS = frozenset({"reminder_digest"})
RECORD_CARRIERS = (
    RECORD.replace("UPDATE delivery SET", ", ended AS (UPDATE delivery SET", 1)
    + """
    RETURNING delivery.id, delivery.status, delivery.reason, delivery.at_risk, delivery.ended_at
), carried AS (
    SELECT c.id, ended.status, ended.reason, ended.at_risk, ended.ended_at FROM ended CROSS JOIN LATERAL (
        SELECT id FROM delivery WHERE carried_by_id = ended.id AND status = 'PENDING' ORDER BY id FOR NO KEY UPDATE
    ) c
)
UPDATE delivery SET status = carried.status, reason = carried.reason, at_risk = delivery.at_risk OR carried.at_risk,
    ended_at = carried.ended_at, sending_at = NULL
FROM carried WHERE delivery.id = carried.id
"""
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a delivery; one still PENDING is tried again, at once where it has no `due_at`."""

    id: UUID
    status: DeliveryStatus
    reason: str | None = None
    due_at: datetime | None = None
    at_risk: bool = False
    counted: bool = True


async def record(batch: UUID, outcomes: Sequence[Outcome], *, carrying: bool, now: datetime) -> None:
    """Record outcomes, however long PostgreSQL takes to answer: what was sent must not be forgotten."""
    values = [
        [one.id for one in outcomes],
        [one.status.value for one in outcomes],
        [one.due_at for one in outcomes],
        [one.reason and _storable(one.reason) for one in outcomes],
        [one.at_risk for one in outcomes],
        [int(not one.counted) for one in outcomes],
        batch,
        now,
    ]
    pause = 0.1
    while True:
        try:
            await execute(RECORD_CARRIERS if carrying else RECORD, values)
            return
        except LOST as error:
            logger.warning("deliveries wait to be recorded", error=words_of(error))
        await asyncio.sleep(pause)
        pause = min(pause * 2, 2.0)


async def execute(sql: str, values: Sequence[Any]) -> Sequence[Any]:
    """Send a statement and return its rows."""
    return await connected().fetch(sql, values)


def words_of(error: Exception) -> str:
    """Return an error as a reason."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _storable(reason: str) -> str:
    """Return what a server has said, which may be anything, as PostgreSQL takes it."""
    return reason.encode(errors="replace").decode().replace("\0", "?")[:REASON_CHARACTERS]
