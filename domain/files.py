"""Files that are staged: a short-lived link, a stream of bytes to it, and a file that is there whole or not at all.

Every attempt to upload is a file of its own that nobody knows of; when all of it has come, its bytes become those
of the file that was promised. So attempts that break off, or run beside each other, leave nothing half-visible. The
row of a file outlives its bytes, so that none are left behind that no row knows of.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from tortoise.expressions import Subquery

from domain import inputs, policy, tokens
from domain.actors import Actor
from domain.errors import DomainError, Faults, Malformed, NotFound
from domain.policy import Action
from domain.tokens import EndedLink, InvalidLink
from models.base import uuid7
from models.database import transaction
from models.files import File, FileChunk
from models.imports import Import, ImportStatus
from settings import settings

LINK_LASTS = timedelta(minutes=15)
ATTEMPT_LASTS = timedelta(hours=6)
KEPT = timedelta(days=7)
CONTENT_TYPE = re.compile(
    r"[a-z0-9!#$&^_.+-]{1,63}/[a-z0-9!#$&^_.+-]{1,63}(; ?charset=[a-z0-9-]{1,20})?", re.IGNORECASE
)
ID_BYTES, UNTIL_BYTES = 16, 8


class Purpose(StrEnum):
    UPLOAD = "upload"
    DOWNLOAD = "download"


class UploadIncomplete(DomainError):
    """{received} bytes came, but the upload was announced with {size}."""


class AlreadyUploaded(DomainError):
    """Another file was uploaded here already: ask for a new upload."""


async def create_upload(actor: Actor, *, name: str, size: int, content_type: str | None = None, now: datetime) -> File:
    """Announce a file of so many bytes, to be sent to its link. Raises Forbidden."""
    policy.require(actor, Action.IMPORT)
    faults = Faults()
    checked = inputs.name(faults, name, field="name")
    inputs.whole(faults, size, field="size", least=0, most=settings().max_upload_bytes)
    if content_type is not None and not CONTENT_TYPE.fullmatch(content_type):
        faults.add(Malformed(field="contentType", what="a media type such as text/csv"))
    faults.raise_any()
    return await File.create(
        workspace_id=actor.workspace_id,
        name=checked,
        size=size,
        content_type=content_type or "application/octet-stream",
        user_id=actor.user_id,
        created_at=now,
        expires_at=now + LINK_LASTS,
    )


async def begin(file_id: UUID, *, now: datetime) -> File:
    """Return a hidden file to write an attempt's bytes to, of the size that is expected; raises InvalidLink."""
    promised = await File.filter(id=file_id).first()
    if promised is None:
        raise InvalidLink
    return await draft(promised.workspace_id, name=promised.name, size=promised.size, now=now)


async def draft(
    workspace_id: UUID,
    *,
    name: str,
    size: int = 0,
    content_type: str = "application/octet-stream",
    now: datetime,
) -> File:
    """Return a hidden file to write bytes to; what is not completed is forgotten."""
    key = uuid7()
    return await File.create(
        id=key,
        workspace_id=workspace_id,
        name=name,
        size=size,
        content_type=content_type,
        object_key=f"{workspace_id}/{key}" if settings().files_url else None,
        created_at=now,
        expires_at=now + ATTEMPT_LASTS,
    )


async def publish(file: File, *, size: int, sha256: str, now: datetime) -> None:
    """Make a draft, whose bytes are written, a file that stays as long as what it belongs to."""
    file.size, file.sha256, file.completed_at, file.expires_at = size, sha256, now, None
    await file.save(update_fields=["size", "sha256", "completed_at", "expires_at"])


async def complete(file_id: UUID, attempt: File, *, received: int, sha256: str, now: datetime) -> bool:
    """Make the attempt's bytes the file's; return False where the same file was there already.

    The attempt is gone then, unless its bytes were not wanted. Raises UploadIncomplete, AlreadyUploaded, InvalidLink.
    """
    if received != attempt.size:
        raise UploadIncomplete(received=received, size=attempt.size)
    async with transaction():
        file = await File.filter(id=file_id).select_for_update().first()
        if file is None:
            raise InvalidLink
        if file.completed_at is not None and file.sha256 != sha256:
            raise AlreadyUploaded
        fresh = file.completed_at is None
        if fresh:
            await FileChunk.filter(file_id=attempt.id).update(file_id=file.id)
            file.object_key = attempt.object_key
            file.sha256, file.completed_at, file.expires_at = sha256, now, now + KEPT
            await file.save(update_fields=["object_key", "sha256", "completed_at", "expires_at"])
            await attempt.delete()
    return fresh


async def is_hidden(file: File) -> bool:
    """Say whether a file is an attempt or ended, so that nobody misses its bytes."""
    return await File.filter(id=file.id, completed_at=None).exists()


async def discard(file: File) -> None:
    """Forget a hidden file, whose bytes are gone."""
    await File.filter(id=file.id, completed_at=None).delete()


async def uploaded(actor: Actor, file_id: UUID, *, field: str = "fileId") -> File:
    """Return a file of the actor's workspace that is there whole; raises NotFound."""
    file = await File.filter(id=file_id, workspace_id=actor.workspace_id, completed_at__not_isnull=True).first()
    if file is None:
        raise NotFound(noun="uploaded file", field=field)
    return file


async def hide_ended(*, now: datetime, most: int, objects: bool) -> list[File]:
    """Hide files whose time is over, and return those to be deleted, attempts that broke off among them.

    A file that an import still reads stays; without `objects`, so does what lies in a store of its own.
    """
    read = Import.filter(status__in=[ImportStatus.PENDING, ImportStatus.RUNNING], file_id__not_isnull=True)
    ended = File.filter(expires_at__lte=now, id__not_in=Subquery(read.values("file_id")))
    ended = ended if objects else ended.filter(object_key=None)
    keys = await ended.order_by("expires_at", "id").limit(most).values_list("id", flat=True)
    await ended.filter(id__in=keys).update(completed_at=None)
    return await File.filter(id__in=keys, completed_at=None)


def upload_url(file: File) -> str:
    """Return where the file's bytes are to be sent, until it expires."""
    assert file.expires_at
    return f"{settings().public_url.rstrip('/')}/uploads/{token(Purpose.UPLOAD, file.id, until=file.expires_at)}"


def download_url(file_id: UUID, *, now: datetime) -> str:
    """Return where the file can be fetched for a while, by whoever has the link."""
    until = now + LINK_LASTS
    return f"{settings().public_url.rstrip('/')}/files/{token(Purpose.DOWNLOAD, file_id, until=until)}"


def token(purpose: Purpose, file_id: UUID, *, until: datetime) -> str:
    """Return a token that opens a file for one purpose until then."""
    said = file_id.bytes + int(until.timestamp()).to_bytes(UNTIL_BYTES, "big")
    return urlsafe_b64encode(said + tokens.mac(f"file:{purpose}", said)).decode().rstrip("=")


def read_token(purpose: Purpose, value: str, *, now: datetime) -> UUID:
    """Return the id of the file that a token opens; raises InvalidLink, EndedLink."""
    try:
        raw = urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4))
    except ValueError as error:
        raise InvalidLink from error
    said, mac = raw[: ID_BYTES + UNTIL_BYTES], raw[ID_BYTES + UNTIL_BYTES :]
    if not tokens.is_genuine(mac, f"file:{purpose}", said):
        raise InvalidLink
    if datetime.fromtimestamp(int.from_bytes(said[ID_BYTES:], "big"), UTC) <= now:
        raise EndedLink
    return UUID(bytes=said[:ID_BYTES])
