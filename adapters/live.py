"""The channel by which the relay tells API processes what happened, and its codec."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import orjson

from adapters.redis import Client
from models.events import LiveEvent

MOST_EVENTS = 500

__all__ = ["MOST_EVENTS", "EventRow", "LiveBatch", "LiveEvent", "channel", "decode", "encode", "publish"]


class EventRow(Protocol):
    """A row of the event table by column, `actor` and `data` being JSON text."""

    def __getitem__(self, column: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class LiveBatch:
    """Consecutive events of a workspace, by position from `first` to `last`.

    `events` is None where they were too many to publish: whoever wants them reads the table.
    """

    workspace_id: UUID
    first: int
    last: int
    events: tuple[LiveEvent, ...] | None


def channel(workspace_id: UUID) -> str:
    """Return the channel of a workspace's events."""
    return f"salescycle:events:{workspace_id}"


async def publish(redis: Client, workspace_id: UUID, events: Sequence[EventRow]) -> None:
    """Publish consecutive events of one workspace."""
    await redis.publish(channel(workspace_id), encode(workspace_id, events))


def encode(workspace_id: UUID, events: Sequence[EventRow]) -> bytes:
    """Return the message for consecutive rows of the event table."""
    batch = {
        "workspace": workspace_id,
        "first": events[0]["position"],
        "last": events[-1]["position"],
        "events": [_message(event) for event in events] if len(events) <= MOST_EVENTS else None,
    }
    # The driver's UUID is a subclass that orjson does not know.
    return orjson.dumps(batch, default=str)


def decode(message: bytes) -> LiveBatch:
    """Return what a message of the channel says."""
    batch = orjson.loads(message)
    workspace_id = UUID(batch["workspace"])
    events = batch["events"]
    return LiveBatch(
        workspace_id=workspace_id,
        first=batch["first"],
        last=batch["last"],
        events=None if events is None else tuple(_event(workspace_id, event) for event in events),
    )


def _message(event: EventRow) -> dict[str, Any]:
    return {
        "id": event["id"],
        "position": event["position"],
        "name": event["name"],
        "subject_id": event["subject_id"],
        "actor": orjson.Fragment(event["actor"]),
        "client_mutation_id": event["client_mutation_id"],
        "data": orjson.Fragment(event["data"]),
        "occurred_at": event["occurred_at"],
    }


def _event(workspace_id: UUID, event: dict[str, Any]) -> LiveEvent:
    return LiveEvent(
        id=UUID(event["id"]),
        workspace_id=workspace_id,
        position=event["position"],
        name=event["name"],
        subject_id=UUID(event["subject_id"]),
        actor=event["actor"],
        client_mutation_id=event["client_mutation_id"],
        data=event["data"],
        occurred_at=datetime.fromisoformat(event["occurred_at"]),
    )
