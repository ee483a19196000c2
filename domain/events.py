"""The event log: every operation records what happened, in its own transaction."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import orjson
from tortoise.connection import get_connection

from domain.actors import Actor
from models.base import uuid7
from models.database import mark_dirty
from models.events import LiveEvent as LiveEvent

EVENTS: dict[str, type["Event"]] = {}
client_mutation_id: ContextVar[str | None] = ContextVar("client_mutation_id", default=None)


@dataclass(frozen=True, slots=True)
class Event:
    """A fact. Subclasses say which, by `name` (`lead.moved`); the part before the dot is the subject's type."""

    name: ClassVar[str] = ""
    actor: Actor
    subject_id: UUID
    data: dict[str, Any]

    def __init_subclass__(cls) -> None:
        if cls.name:
            EVENTS[cls.name] = cls


RECORD = """
INSERT INTO event (id, workspace_id, name, subject_type, subject_id, actor, client_mutation_id, data, occurred_at)
SELECT new.id, new.workspace_id, new.name, new.subject_type, new.subject_id, new.actor, $8, new.data,
       greatest($9, (SELECT occurred_at FROM event last
                     WHERE last.workspace_id = new.workspace_id AND last.subject_type = new.subject_type
                       AND last.subject_id = new.subject_id ORDER BY seq DESC LIMIT 1))
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::jsonb[], $7::jsonb[])
     WITH ORDINALITY AS new(id, workspace_id, name, subject_type, subject_id, actor, data, ordinal)
ORDER BY new.ordinal
"""


async def record(*events: Event, now: datetime) -> None:
    """Append events to the log within the running transaction, in one statement.

    An event never occurs before its subject's last one, whatever the clocks of two machines say.
    """
    if not events:
        return
    mark_dirty()
    await get_connection("default").execute_query(
        RECORD,
        [
            [uuid7() for _ in events],
            [event.actor.workspace_id for event in events],
            [event.name for event in events],
            [event.name.partition(".")[0] for event in events],
            [event.subject_id for event in events],
            [dump(event.actor.facts()) for event in events],
            [dump(event.data) for event in events],
            client_mutation_id.get(),
            now,
        ],
    )


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
