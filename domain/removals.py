"""How rows go and come back, where nothing but the row itself has a say in it: deleted, or archived."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeVar
from uuid import UUID

from domain import edits, policy
from domain.actors import Actor
from domain.errors import words_of
from domain.events import Event, record
from domain.policy import Action
from models.base import EditableRow
from models.database import in_one_go, transaction

Column = Literal["deleted_at", "archived_at"]
Removed = TypeVar("Removed", bound=EditableRow)


@in_one_go
async def remove(
    event: type[Event],
    actor: Actor,
    action: Action,
    noun: type[Removed],
    key: UUID,
    *,
    column: Column,
    expected_version: int | None,
    now: datetime,
) -> Removed:
    """Delete or archive a row; one that is archived already stays as it is. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        row = await policy.locked(actor, noun, key, expected_version=expected_version, field="id")
        policy.require(actor, action, row)
        if getattr(row, column) is None:
            await edits.apply(row, {column: now}, now=now)
            await record(event(actor, row.id, {"version": row.version}), now=now)
    return row


@in_one_go
async def restore(
    event: type[Event],
    actor: Actor,
    action: Action,
    noun: type[Removed],
    key: UUID,
    *,
    column: Column,
    unique: Mapping[str, str],
    now: datetime,
) -> Removed:
    """Bring a row back; one that is there stays as it is.

    Raises NotFound, Forbidden, and AlreadyExists where another row has by now what is `unique`.
    """
    with edits.collisions(words_of(noun.__name__), unique):
        async with transaction():
            row = await policy.locked(actor, noun, key, deleted=True, field="id")
            policy.require(actor, action, row)
            if await edits.apply(row, {column: None}, now=now):
                await record(event(actor, row.id, {"version": row.version}), now=now)
    return row
