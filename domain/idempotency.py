"""Requests that may be repeated: the first answer under a key is kept, and given again."""

from datetime import datetime, timedelta
from uuid import UUID

from tortoise.connection import get_connection

from domain import sealing
from domain.actors import Actor
from domain.errors import DomainError
from domain.sealing import NotOpened
from models.base import uuid7
from models.idempotency import IdempotencyKey

KEPT = timedelta(hours=24)
LONGEST_KEY = 255
# Answers hold links, which whoever finds them in a table could open.
PURPOSE = "first answer"


class IdempotencyMismatch(DomainError):
    """This idempotency key was used for another request: use a new key for a new request."""


class StillRunning(DomainError):
    """The first request under this idempotency key is still running: repeat it later."""

    code = "CONFLICT"


class AnswerSealed(DomainError):
    """The first request under this key was done, and its answer cannot be read since the server's key was changed."""

    code = "CONFLICT"


class Overtaken(DomainError):
    """The request took so long that its repetition was begun: it is undone."""

    code = "CONFLICT"


CLAIM = """
INSERT INTO idempotency_key AS kept (id, actor, key, request_hash, created_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (actor, key) DO UPDATE SET
    id = $1, request_hash = $4, created_at = $5, answer = NULL, finished_at = NULL
WHERE kept.created_at <= $6 OR (kept.answer IS NULL AND kept.created_at <= $7)
RETURNING id
"""


async def claim(
    actor: Actor, key: str, *, request_hash: str, abandoned_after: timedelta, now: datetime
) -> UUID | bytes:
    """Begin a request under a key: return the claim to be completed or released, or the first answer.

    A first request that did not end within `abandoned_after` has crashed, and its key is free. Raises
    IdempotencyMismatch, StillRunning, AnswerSealed.
    """
    who = actor.name
    while True:
        values = [uuid7(), who, key, request_hash, now, now - KEPT, now - abandoned_after]
        if claimed := await get_connection("default").execute_query_dict(CLAIM, values):
            return UUID(str(claimed[0]["id"]))
        kept = await IdempotencyKey.filter(actor=who, key=key).first()
        # It may have been released since; then it is ours to claim.
        if kept is not None:
            if kept.request_hash != request_hash:
                raise IdempotencyMismatch
            if kept.answer is None:
                raise StillRunning
            return _opened(bytes(kept.answer))


async def complete(claimed: UUID, answer: bytes, *, now: datetime) -> None:
    """Keep the answer, within the transaction of what it tells of; raises Overtaken, which must undo that."""
    sealed = sealing.seal(PURPOSE, answer).encode()
    if not await IdempotencyKey.filter(id=claimed, answer=None).update(answer=sealed, finished_at=now):
        raise Overtaken


async def release(claimed: UUID) -> None:
    """Free the key of a request that changed nothing."""
    await IdempotencyKey.filter(id=claimed, answer=None).delete()


async def forget(*, now: datetime) -> int:
    """Delete answers that are no longer given again, and return how many those were."""
    return await IdempotencyKey.filter(created_at__lte=now - KEPT).delete()


def _opened(sealed: bytes) -> bytes:
    try:
        return sealing.opened(PURPOSE, sealed.decode())
    except NotOpened as error:
        raise AnswerSealed from error
