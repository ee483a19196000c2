"""The names that other systems give our rows: attached once per system, and found again by upserts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from domain import edits, inputs, locks, policy
from domain.actors import Actor
from domain.edits import path
from domain.errors import DomainError, Faults
from domain.events import Event, record
from models.base import EditableRow, WorkspaceRow
from models.external_refs import ExternalRef

SYSTEM_LIMIT = 100
EXTERNAL_ID_LIMIT = 500
MOST_REFS = 50
Subject = TypeVar("Subject", bound=WorkspaceRow)


class ExternalRefTaken(DomainError):
    """{system} calls another {noun} {external_id} already."""


class TooManyExternalRefs(DomainError):
    """{field} has {count} references; at most {limit} are allowed."""


@dataclass(frozen=True, slots=True)
class Ref:
    system: str
    external_id: str


def subject_type(noun: type[WorkspaceRow]) -> str:
    """Return what references call a noun: its table's name."""
    return noun._meta.db_table


def check(faults: Faults, refs: Iterable[Ref], *, within: str = "") -> list[Ref]:
    """Check references; return each once, and none where one is at fault, as they are locked before faults are told."""
    field = path(within, "externalRefs")
    given = list(refs)
    if len(given) > MOST_REFS:
        faults.add(TooManyExternalRefs(field=field, count=len(given), limit=MOST_REFS))
        return []
    found = Faults()
    checked = [
        Ref(
            inputs.name(found, ref.system, field=f"{field}.{at}.system", limit=SYSTEM_LIMIT),
            inputs.name(found, ref.external_id, field=f"{field}.{at}.externalId", limit=EXTERNAL_ID_LIMIT),
        )
        for at, ref in enumerate(given)
    ]
    faults.extend(found)
    return [] if any(found) else list(dict.fromkeys(checked))


async def hold(actor: Actor, noun: type[WorkspaceRow], refs: Iterable[Ref]) -> None:
    """Keep others from attaching these references until the running transaction ends.

    Who locks a row that they are for does so afterwards.
    """
    kind = subject_type(noun)
    await locks.hold(actor.workspace_id, *(f"external_ref:{kind}:{ref.system}:{ref.external_id}" for ref in refs))


async def attach(actor: Actor, subject: WorkspaceRow, refs: Sequence[Ref], *, within: str = "") -> list[Ref]:
    """Attach checked references to a row within the running transaction; return those that it had not.

    A deleted row gives its references up. Raises ExternalRefTaken.
    """
    new: list[Ref] = []
    await hold(actor, type(subject), refs)
    for ref in refs:
        taken = await _row(actor, type(subject), ref)
        if taken is not None and taken.subject_id == subject.id:
            continue
        if taken is None:
            await _create(actor, subject, ref)
        elif await _is_live(actor, type(subject), taken.subject_id):
            noun, field = type(subject).__name__.lower(), path(within, "externalRefs")
            raise ExternalRefTaken(system=ref.system, external_id=ref.external_id, noun=noun, field=field)
        else:
            taken.subject_id = subject.id
            taken.fingerprint = None
            await taken.save(update_fields=["subject_id", "fingerprint"])
        new.append(ref)
    return new


async def edit(
    event: type[Event],
    actor: Actor,
    row: EditableRow,
    columns: Mapping[str, Any],
    refs: Sequence[Ref] = (),
    *,
    told: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    now: datetime,
) -> None:
    """Write columns and references as one edit of a locked row; where nothing differs, nothing is recorded.

    `told` is how the event tells of what has changed. Raises ExternalRefTaken.
    """
    changed: dict[str, Any] = dict(await edits.apply(row, columns, now=now))
    if new := await attach(actor, row, refs):
        changed["external_refs"] = [None, [f"{ref.system}:{ref.external_id}" for ref in new]]
    if changed:
        await record(event(actor, row.id, {"changes": told(changed), "version": row.version}), now=now)


async def find(actor: Actor, noun: type[Subject], ref: Ref) -> Subject | None:
    """Return the row that another system calls so, if it exists for the actor and is not deleted."""
    known = await _row(actor, noun, ref)
    if known is None:
        return None
    row = await policy.visible(actor, noun).filter(id=known.subject_id).first()
    return None if getattr(row, "deleted_at", None) is not None else row


async def is_taken(actor: Actor, noun: type[WorkspaceRow], ref: Ref) -> bool:
    """Say whether another system has named a row so, whoever may see that row."""
    return await _row(actor, noun, ref) is not None


async def _row(actor: Actor, noun: type[WorkspaceRow], ref: Ref) -> ExternalRef | None:
    return await ExternalRef.get_or_none(
        workspace_id=actor.workspace_id,
        system=ref.system,
        subject_type=subject_type(noun),
        external_id=ref.external_id,
    )


async def _create(actor: Actor, subject: WorkspaceRow, ref: Ref) -> None:
    await edits.insert(
        ExternalRef(
            workspace_id=actor.workspace_id,
            system=ref.system,
            external_id=ref.external_id,
            subject_type=subject_type(type(subject)),
            subject_id=subject.id,
        )
    )


async def _is_live(actor: Actor, noun: type[WorkspaceRow], key: UUID) -> bool:
    row = await noun.get_or_none(id=key, workspace_id=actor.workspace_id)
    return row is not None and getattr(row, "deleted_at", None) is None
