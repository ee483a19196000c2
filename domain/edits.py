"""What every edit does alike: compare, raise the version, name a collision, look up what it refers to."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.models import Model

from domain import policy
from domain.actors import Actor
from domain.errors import AlreadyExists, DomainError, Faults, Malformed, NotFound
from domain.events import Event, changes, made
from models.base import EditableRow, uuid7
from models.database import joined, read, unit
from models.users import Role

Referred = TypeVar("Referred", bound=Model)
MEMBER = "SELECT active, role FROM membership WHERE workspace_id = $1 AND user_id = $2"


class OwnerInactive(DomainError):
    """This user is no active member: invite them, or name another owner."""


class OwnerViewer(DomainError):
    """A viewer owns nothing: name another owner, or give this user another role first."""


def new_id(faults: Faults, value: UUID | None, *, field: str = "id") -> UUID:
    """Check the id that a client gives a new row, or make one."""
    if value is not None and value.version != 7:
        faults.add(Malformed(field=field, what="a UUIDv7"))
    return value or uuid7()


async def apply(row: EditableRow, columns: Mapping[str, Any], *, now: datetime) -> dict[str, Sequence[Any]]:
    """Write those columns that differ as one edit and return them, each with its value from and to."""
    changed = changes({name: getattr(row, name) for name in columns}, dict(columns))
    if changed:
        rising = {"version": row.version + 1, "updated_at": now}
        await write(row, {name: columns[name] for name in changed} | rising)
    return changed


def gaps(row: Model, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return those columns that have a value where the row has none."""
    return {name: value for name, value in columns.items() if value and getattr(row, name) is None}


async def raise_version(row: EditableRow, *, now: datetime) -> None:
    """Note an edit of what hangs on the row."""
    await write(row, {"version": row.version + 1, "updated_at": now})


async def write(row: Model, columns: Mapping[str, Any]) -> None:
    """Write columns of a row, without its being an edit.

    Within a transaction they go with the next statement, or with the event that is recorded of them.
    """
    for name, value in columns.items():
        setattr(row, name, value)
    if (running := unit()) is not None:
        await running.update(row, list(columns))
    else:
        await row.save(update_fields=list(columns))


async def insert(row: Model) -> None:
    """Write a new row, with the next statement of the running transaction or the event that is recorded of it."""
    async with joined() as running:
        await running.insert(row)


async def insert_unless_known(row: Model, event: Event, *, now: datetime) -> bool:
    """Write a new row and record that, unless another row has what must be unique; say whether they were written."""
    async with joined() as running:
        return await running.insert_unless_known(row, made(event, now=now))


def facts(row: EditableRow, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the event of a new row says: its columns that are filled, and its version."""
    filled = {name: [None, value] for name, value in columns.items() if value is not None}
    return {"changes": filled, "version": row.version}


@contextmanager
def collisions(noun: str, fields: Mapping[str, str]) -> Iterator[None]:
    """Turn a breach of a unique index into AlreadyExists; `fields` has the input field of every index."""
    try:
        yield
    except IntegrityError as error:
        field = fields.get(str(getattr(error.args[0], "constraint_name", ""))) if error.args else None
        if field is None:
            raise
        raise AlreadyExists(noun=noun, what=field, field=field) from error


async def referred(
    faults: Faults, actor: Actor, noun: type[Referred], key: UUID | None, *, field: str
) -> Referred | None:
    """Return the row that an input refers to; one that does not exist for the actor is a fault."""
    if key is None:
        return None
    try:
        return await policy.get(actor, noun, key, field=field)
    except NotFound as fault:
        faults.add(fault)
        return None


async def owner(faults: Faults, actor: Actor, user_id: UUID | None, *, field: str) -> None:
    """Check that an owner is an active member of the workspace."""
    if user_id is None:
        return
    found = await read(MEMBER, actor.workspace_id, user_id)
    if not found:
        faults.add(NotFound(noun="user", field=field))
    elif not found[0]["active"]:
        faults.add(OwnerInactive(field=field))
    elif found[0]["role"] == Role.VIEWER:
        faults.add(OwnerViewer(field=field))


def camel(name: str) -> str:
    """Return a column's name as clients write it."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def path(within: str, name: str) -> str:
    """Return the path of an input field within its input."""
    return f"{within}.{name}" if within else name
