"""Many leads one after the other, each by the operation for one, in one transaction."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
from tortoise.exceptions import IntegrityError

from domain import relationships
from domain.actors import Actor
from domain.errors import DomainError, Invalid
from models import rows
from models.database import connected, transaction
from models.leads import Lead

ATTEMPTS = 3
# What two transactions did to each other, and what another attempt mends.
PASSING = (
    IntegrityError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
LOCK = "SELECT 1 FROM lead WHERE workspace_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE"

Operation = Callable[[Actor, UUID], Awaitable[Lead]]
Ahead = Callable[[UUID, Sequence[UUID]], Awaitable[None]]


@dataclass(slots=True)
class Outcome:
    """What became of one lead: the lead as it is now, or why the operation refused it."""

    lead_id: UUID
    lead: Lead | None = None
    faults: list[DomainError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Also:
    """What is locked beside leads: their companies and contacts, and companies that they come to."""

    companies: Sequence[UUID] = ()


async def each(
    actor: Actor,
    lead_ids: Sequence[UUID],
    operation: Operation,
    *,
    also: Also | None = None,
    ahead: Ahead | None = None,
) -> dict[UUID, Outcome]:
    """Do the same with leads, in the order of their ids, all in one transaction; what refuses one stops no other.

    `ahead` reads for all of them, once they are locked, what the operation looks at. `also` says that it may change
    the relationships of the leads' companies and contacts. What two transactions did to each other is tried again.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await _each(actor, lead_ids, operation, also, ahead)
        except PASSING:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _each(
    actor: Actor, lead_ids: Sequence[UUID], operation: Operation, also: Also | None, ahead: Ahead | None
) -> dict[UUID, Outcome]:
    async with transaction(of_many=True):
        await rows.make_ready(Lead, lead_ids, workspace_id=actor.workspace_id)
        await _hold_also(actor.workspace_id, lead_ids, also)
        if ahead is not None:
            await ahead(actor.workspace_id, lead_ids)
        return {key: await _one(actor, key, operation) for key in sorted(set(lead_ids))}


async def _one(actor: Actor, key: UUID, operation: Operation) -> Outcome:
    try:
        return Outcome(key, await operation(actor, key))
    except DomainError as error:
        return Outcome(key, faults=faults_of(error))


async def hold(workspace_id: UUID, lead_ids: Sequence[UUID], also: Also | None) -> None:
    """Lock leads, and then companies and contacts of theirs, in the order in which all lock them.

    Whoever locks several leads in one transaction has to: who works on one of them has locked it before its company.
    """
    await connected().fetch(LOCK, [workspace_id, sorted(set(lead_ids))])
    await _hold_also(workspace_id, lead_ids, also)


async def _hold_also(workspace_id: UUID, lead_ids: Sequence[UUID], also: Also | None) -> None:
    if also is not None:
        companies, contacts = await relationships.of_leads(lead_ids)
        await relationships.hold(workspace_id, [*companies, *also.companies], contacts)


def faults_of(error: DomainError) -> list[DomainError]:
    """Return each fault of an error by itself."""
    return error.faults if isinstance(error, Invalid) else [error]
