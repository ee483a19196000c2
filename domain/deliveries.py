"""What leaves the house: asked for in the transaction of what it tells of, once for every occasion."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import edits, policy
from domain.actors import Actor
from domain.errors import DomainError
from domain.events import Event, dump, record
from domain.policy import Action
from models.base import uuid7
from models.database import joined, transaction
from models.deliveries import Channel, Delivery, DeliveryStatus
from models.postgres import connected

KEPT = timedelta(days=400)
FORGOTTEN_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person by one channel.

    `occasion` says what it is sent for, unique per workspace: asked for again, nothing happens. `kind` names what
    composes it, from `data` and `about_id`. A mail goes to `address`, or to that of the user or contact. One that is
    over already (shown in the app, or never to be sent) is given its `status`, and its `reason`.
    """

    channel: Channel
    kind: str
    occasion: str
    due_at: datetime
    user_id: UUID | None = None
    contact_id: UUID | None = None
    address: str | None = None
    about_id: UUID | None = None
    device_id: UUID | None = None
    carried_by_id: UUID | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    status: DeliveryStatus = DeliveryStatus.PENDING
    reason: str | None = None


COLUMNS = {
    "id": "uuid",
    "workspace_id": "uuid",
    "channel": "text",
    "kind": "text",
    "occasion": "text",
    "due_at": "timestamptz",
    "user_id": "uuid",
    "contact_id": "uuid",
    "address": "text",
    "about_id": "uuid",
    "device_id": "uuid",
    "carried_by_id": "uuid",
    "data": "jsonb",
    "status": "text",
    "reason": "text",
}
# Everybody writes them in one order, so that two who ask for the same messages wait for each other and no more.
ENQUEUE = f"""
INSERT INTO delivery (created_at, attempts, at_risk, ended_at, {", ".join(COLUMNS)})
SELECT $1::timestamptz, 0, false, CASE WHEN status <> 'PENDING' THEN $1::timestamptz END, {", ".join(COLUMNS)}
FROM unnest({", ".join(f"${place}::{kind}[]" for place, kind in enumerate(COLUMNS.values(), 2))})
     AS new({", ".join(COLUMNS)})
ORDER BY workspace_id, occasion
ON CONFLICT (workspace_id, occasion) DO NOTHING
RETURNING id
"""
CANCEL = """
WITH waiting AS (
    SELECT id FROM delivery
    WHERE workspace_id = $1 AND about_id = ANY($2) AND status = 'PENDING' AND sending_at IS NULL
      AND ($5::text[] IS NULL OR kind = ANY($5))
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE delivery SET status = 'SKIPPED', reason = $3, ended_at = $4, lease_until = NULL
FROM waiting WHERE delivery.id = waiting.id
"""


async def enqueue(workspace_id: UUID, messages: Sequence[Message], *, now: datetime) -> list[UUID | None]:
    """Have messages sent when they are due, with the running transaction if one runs.

    Return the id of each in the order given; None for one whose occasion is known already.
    """
    return await enqueue_all([(workspace_id, message) for message in messages], now=now)


async def enqueue_all(messages: Sequence[tuple[UUID, Message]], *, now: datetime) -> list[UUID | None]:
    """Do as `enqueue` does with messages of several workspaces, each beside its own."""
    if not messages:
        return []
    keys = [uuid7() for _ in messages]
    columns: list[list[Any]] = [keys, [workspace_id for workspace_id, _ in messages]]
    for name in list(COLUMNS)[2:]:
        values = [getattr(message, name) for _, message in messages]
        columns.append([dump(value) for value in values] if name == "data" else values)
    async with joined() as running:
        written = await running.fetch(ENQUEUE, [now, *columns])
    new = {row["id"] for row in written}
    return [key if key in new else None for key in keys]


async def cancel(
    workspace_id: UUID,
    *,
    about_ids: Collection[UUID],
    reason: str,
    now: datetime,
    kinds: Collection[str] | None = None,
) -> None:
    """End the messages about something that have not been handed over, all of them or those of some kinds."""
    if about_ids:
        async with joined() as running:
            await running.fetch(CANCEL, [workspace_id, list(about_ids), reason, now, kinds and list(kinds)])


class DeliveryRetried(Event):
    name = "delivery.retried"


class NotFailed(DomainError):
    """Only what has failed is sent again; this delivery is {status}."""


async def retry(actor: Actor, delivery_id: UUID, *, now: datetime) -> Delivery:
    """Have a delivery that failed tried again, as often as a new one. Raises NotFound, Forbidden, NotFailed."""
    async with transaction():
        row = await policy.locked(actor, Delivery, delivery_id)
        policy.require(actor, Action.MANAGE_MAIL, row)
        if row.status is not DeliveryStatus.FAILED:
            raise NotFailed(status=row.status.value, field="id")
        again = {"status": DeliveryStatus.PENDING, "due_at": now, "attempts": 0, "ended_at": None, "lease_until": None}
        await edits.write(row, again)
        facts = {"kind": row.kind, "channel": row.channel, "user_id": row.user_id}
        await record(DeliveryRetried(actor, row.id, facts), now=now)
    return row


FORGET = """
DELETE FROM delivery WHERE id IN (
    SELECT id FROM delivery WHERE id < $1 AND status <> 'PENDING' ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING id
"""


async def forget(*, now: datetime) -> None:
    """Delete what ended more than KEPT ago, a few at a time: ids tell when they were made."""
    oldest = UUID(int=int((now - KEPT).timestamp() * 1000) << 80)
    while len(await connected().fetch(FORGET, [oldest, FORGOTTEN_AT_ONCE])) == FORGOTTEN_AT_ONCE:
        pass
