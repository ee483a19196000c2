"""Files that are staged: a short-lived link, a stream of bytes to it, and a file that is there whole or not at all.

Every attempt to upload is a file of its own that nobody knows of; when all of it has come, its chunks become those
of the file that was promised. So attempts that break off, or run beside each other, leave nothing half-visible.
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
    """Return a hidden file to write an attempt's chunks to, of the size that is expected; raises InvalidLink."""
    promised = await File.filter(id=file_id).first()
    if promised is None:
        raise InvalidLink
    return await File.create(
        workspace_id=promised.workspace_id,
        name=promised.name,
        size=promised.size,
        created_at=now,
        expires_at=now + ATTEMPT_LASTS,
    )


async def complete(file_id: UUID, attempt: File, *, received: int, sha256: str, now: datetime) -> bool:
    """Make the attempt's chunks the file's; return False where the same file was there already.

    Raises UploadIncomplete, AlreadyUploaded, InvalidLink.
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
            file.sha256, file.completed_at, file.expires_at = sha256, now, now + KEPT
            await file.save(update_fields=["sha256", "completed_at", "expires_at"])
        await discard(attempt)
    return fresh


async def discard(attempt: File) -> None:
    """Forget an attempt and what came of it."""
    await File.filter(id=attempt.id, completed_at=None).delete()


async def uploaded(actor: Actor, file_id: UUID, *, field: str = "fileId") -> File:
    """Return a file of the actor's workspace that is there whole; raises NotFound."""
    file = await File.filter(id=file_id, workspace_id=actor.workspace_id, completed_at__not_isnull=True).first()
    if file is None:
        raise NotFound(noun="uploaded file", field=field)
    return file


async def forget(*, now: datetime) -> int:
    """Delete files whose time is over, attempts that broke off among them, and return how many those were.

    A file that an import still reads stays.
    """
    read = Import.filter(status__in=[ImportStatus.PENDING, ImportStatus.RUNNING], file_id__not_isnull=True)
    return await File.filter(expires_at__lte=now, id__not_in=Subquery(read.values("file_id"))).delete()


def upload_url(file: File) -> str:
    """Return where the file's bytes are to be sent, until it expires."""
    assert file.expires_at
    return f"{settings().public_url.rstrip('/')}/uploads/{token(Purpose.UPLOAD, file.id, until=file.expires_at)}"


def download_url(file: File, *, now: datetime) -> str:
    """Return where the file can be fetched for a while, by whoever has the link."""
    until = now + LINK_LASTS
    return f"{settings().public_url.rstrip('/')}/files/{token(Purpose.DOWNLOAD, file.id, until=until)}"


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
