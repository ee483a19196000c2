"""The event log: every operation records what happened, in its own transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import orjson

from domain.actors import Actor
from models.base import uuid7
from models.database import read, transaction, unit
from models.events import LiveEvent as LiveEvent
from models.writes import NewEvent

EVENTS: dict[str, type["Event"]] = {}
client_mutation_id: ContextVar[str | None] = ContextVar("client_mutation_id", default=None)
_bulk_id: ContextVar[UUID | None] = ContextVar("bulk_id", default=None)


@dataclass(frozen=True, slots=True)
class Event:
    """A fact. Subclasses say which, by `name` (`lead.moved`); the part before the dot is the subject's type.

    What hangs on a lead and moves it tells of it as its subject: `subject_type` says so, whatever the name.
    """

    name: ClassVar[str] = ""
    subject_type: ClassVar[str] = ""
    actor: Actor
    subject_id: UUID
    data: dict[str, Any]

    def __init_subclass__(cls) -> None:
        if cls.name:
            EVENTS[cls.name] = cls
            cls.subject_type = cls.subject_type or cls.name.partition(".")[0]


async def record(*events: Event, now: datetime) -> None:
    """Append events to the log within the running transaction, with the rows that wait to be written.

    An event never occurs before its subject's last one, whatever the clocks of two machines say.
    """
    if not events:
        return
    running = unit()
    if running is None:
        async with transaction():
            await record(*events, now=now)
        return
    for event in events:
        running.record(made(event, now=now))


def made(event: Event, *, now: datetime) -> NewEvent:
    """Return an event as the log keeps it."""
    bulk_id = _bulk_id.get()
    return NewEvent(
        uuid7(),
        event.actor.workspace_id,
        event.name,
        event.subject_type,
        event.subject_id,
        dump(event.actor.facts()),
        client_mutation_id.get(),
        dump(event.data | {"bulk": True, "bulk_id": bulk_id} if bulk_id else event.data),
        now,
    )


@contextmanager
def within_bulk(bulk_id: UUID, mutation_id: str | None) -> Iterator[None]:
    """Let the events of the block be part of work on many, which a mutation asked for: what follows takes its time."""
    mutation, bulk = client_mutation_id.set(mutation_id), _bulk_id.set(bulk_id)
    try:
        yield
    finally:
        client_mutation_id.reset(mutation)
        _bulk_id.reset(bulk)


def dump(data: Any) -> str:
    """Return JSON with ids, instants and decimals as strings, as the log keeps them.

    An amount is written in one way, whether it was read from a column with its four decimals or has just been given.
    """
    return orjson.dumps(data, default=_written, option=orjson.OPT_UTC_Z).decode()


def _written(value: Any) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Sequence[Any]]:
    """Return the columns that differ, each with its value from and to."""
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}


async def head(workspace_id: UUID) -> int:
    """Return the last position of the workspace's event log that this transaction's snapshot shows."""
    found = await read("SELECT position FROM event_head WHERE workspace_id = $1", workspace_id)
    return int(found[0]["position"]) if found else 0
