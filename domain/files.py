"""Files that are staged: a short-lived link, a stream of bytes to it, and a file that is there whole or not at all.

A file is announced for a purpose, and serves no other.

Every attempt to upload is a file of its own that nobody knows of; when all of it has come, its bytes become those
of the file that was promised. So attempts that break off, or run beside each other, leave nothing half-visible. The
row of a file outlives its bytes, so that none are left behind that no row knows of.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from tortoise.expressions import Subquery

from domain import edits, inputs, media_types, policy, sessions, tokens
from domain.actors import Actor
from domain.errors import DomainError, Faults, Malformed, NotFound, OutOfRange
from domain.policy import Action
from domain.tokens import EndedLink, InvalidLink
from models.base import uuid7
from models.database import transaction
from models.files import File, FileChunk, UploadPurpose
from models.imports import Import, ImportStatus
from settings import settings

LINK_LASTS = timedelta(minutes=15)
AVATAR_LINK_LASTS = timedelta(days=2)
ATTEMPT_LASTS = timedelta(hours=6)
KEPT = timedelta(days=7)
CONTENT_TYPE = re.compile(
    r"[a-z0-9!#$&^_.+-]{1,63}/[a-z0-9!#$&^_.+-]{1,63}(; ?charset=[a-z0-9-]{1,20})?", re.IGNORECASE
)
ID_BYTES, UNTIL_BYTES = 16, 8
NAME_LIMIT = 255
# What is kept of these is made of what was uploaded.
PICTURES = frozenset({UploadPurpose.AVATAR, UploadPurpose.LOGO})


class Purpose(StrEnum):
    UPLOAD = "upload"
    DOWNLOAD = "download"
    AVATAR = "avatar"
    PROPOSAL = "proposal"
    CONTRACT = "contract"
    INVOICE = "invoice"


class FileTooLarge(DomainError):
    """A file has at most {limit} bytes here, not {size}."""


class UploadUnfinished(DomainError):
    """The bytes of this upload have not come yet: send them to its link first."""


class UploadEnded(DomainError):
    """The upload was not used in time: upload the file again."""


class UploadForOther(DomainError):
    """The upload was announced as {purpose}, and serves nothing else."""


class UploadIncomplete(DomainError):
    """{received} bytes came, but the upload was announced with {size}."""


class AlreadyUploaded(DomainError):
    """Another file was uploaded here already: ask for a new upload."""


async def create_upload(
    actor: Actor,
    *,
    name: str,
    size: float,
    content_type: str | None = None,
    purpose: UploadPurpose = UploadPurpose.IMPORT,
    now: datetime,
) -> File:
    """Announce a file of so many bytes, to be sent to its link. Raises Forbidden, FileTooLarge, and faults."""
    _require(actor, purpose)
    faults = Faults()
    checked = file_name(faults, name, field="name")
    _check_size(faults, size, purpose)
    if content_type is not None and not CONTENT_TYPE.fullmatch(content_type):
        faults.add(Malformed(field="contentType", what="a media type such as text/csv"))
    faults.raise_any()
    return await File.create(
        workspace_id=actor.workspace_id,
        name=checked,
        size=int(size),
        content_type=content_type or media_types.UNKNOWN,
        purpose=purpose,
        user_id=actor.user_id,
        created_at=now,
        expires_at=now + LINK_LASTS,
    )


def file_name(faults: Faults, value: str | None, *, field: str) -> str:
    """Check a file's name: a line that is read in the way in which it is written."""
    return inputs.name(faults, value, field=field, limit=NAME_LIMIT)


def _require(actor: Actor, purpose: UploadPurpose) -> None:
    match purpose:
        case UploadPurpose.IMPORT:
            policy.require(actor, Action.IMPORT)
        case UploadPurpose.ATTACHMENT:
            policy.require(actor, Action.ATTACH_FILE)
        case UploadPurpose.AVATAR:
            sessions.person(actor)
        case UploadPurpose.LOGO:
            sessions.person(actor)
            policy.require(actor, Action.MANAGE_SELLING)


def _check_size(faults: Faults, size: float, purpose: UploadPurpose) -> None:
    most = _most(purpose)
    least = 0 if purpose is UploadPurpose.IMPORT else 1
    if size != int(size):
        faults.add(Malformed(field="size", what="a whole number of bytes"))
    elif size > most:
        faults.add(FileTooLarge(limit=most, size=int(size), field="size"))
    elif size < least:
        faults.add(OutOfRange(least=least, most=most, field="size"))


def _most(purpose: UploadPurpose) -> int:
    """Return how many bytes a file for a purpose may have as it is uploaded."""
    return {
        UploadPurpose.IMPORT: settings().max_upload_bytes,
        UploadPurpose.ATTACHMENT: settings().max_attachment_bytes,
        UploadPurpose.AVATAR: settings().max_avatar_bytes,
        UploadPurpose.LOGO: settings().max_logo_bytes,
    }[purpose]


async def promised(file_id: UUID) -> File:
    """Return a file that was announced; raises InvalidLink."""
    file = await File.filter(id=file_id).first()
    if file is None:
        raise InvalidLink
    return file


async def begin(file: File, *, now: datetime) -> File:
    """Return a hidden file to write an attempt's bytes to, of the size that is expected.

    That of a picture is the most that it may have, since the file becomes another one.
    """
    size = _most(file.purpose) if file.purpose in PICTURES else file.size
    return await draft(file.workspace_id, name=file.name, size=size, now=now)


async def draft(
    workspace_id: UUID,
    *,
    name: str,
    size: int = 0,
    content_type: str = media_types.UNKNOWN,
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


async def complete(file_id: UUID, attempt: File, *, received: int, sha256: str, head: bytes, now: datetime) -> bool:
    """Make the attempt's bytes, whose first are `head`, the file's; return False where the same file was there already.

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
            file.object_key, file.size, file.sha256 = attempt.object_key, received, sha256
            file.content_type = media_types.found(head, declared=file.content_type)
            file.completed_at, file.expires_at = now, now + KEPT
            await file.save(
                update_fields=["object_key", "size", "sha256", "content_type", "completed_at", "expires_at"]
            )
            await attempt.delete()
    return fresh


async def take(actor: Actor, file_id: UUID, purpose: UploadPurpose, *, field: str, now: datetime) -> File:
    """Return a whole file that the actor uploaded, locked within the running transaction, for what now keeps it.

    Raises NotFound, UploadForOther, UploadEnded, UploadUnfinished.
    """
    mine = File.filter(id=file_id, workspace_id=actor.workspace_id, user_id=actor.user_id, purpose__not_isnull=True)
    file = await mine.select_for_update().first()
    if file is None or actor.user_id is None:
        raise NotFound(noun="upload", field=field)
    if file.purpose is not purpose:
        raise UploadForOther(purpose=file.purpose, field=field)
    if file.expires_at is not None and file.expires_at <= now:
        raise UploadEnded(field=field)
    if file.completed_at is None:
        raise UploadUnfinished(field=field)
    await edits.write(file, {"expires_at": None})
    return file


async def keep(file_id: UUID, *, now: datetime) -> bool:
    """Keep a file that was to be forgotten; return False where its time is over."""
    kept = File.filter(id=file_id, completed_at__not_isnull=True, expires_at__gt=now)
    return bool(await kept.update(expires_at=None))


async def let_go(file_id: UUID, *, until: datetime) -> None:
    """Have a file forgotten after that time, unless something keeps it again."""
    await File.filter(id=file_id).update(expires_at=until)


async def is_hidden(file: File) -> bool:
    """Say whether a file is an attempt or ended, so that nobody misses its bytes."""
    return await File.filter(id=file.id, completed_at=None).exists()


async def discard(file: File) -> None:
    """Forget a hidden file, whose bytes are gone."""
    await File.filter(id=file.id, completed_at=None).delete()


async def uploaded(actor: Actor, file_id: UUID, *, field: str = "fileId") -> File:
    """Return a file of the actor's workspace that is there whole, to be imported; raises NotFound."""
    file = await File.filter(
        id=file_id,
        workspace_id=actor.workspace_id,
        purpose=UploadPurpose.IMPORT,
        completed_at__not_isnull=True,
    ).first()
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


def avatar_url(file_id: UUID, *, now: datetime) -> str:
    """Return where a person's picture, or a logo, can be fetched: one address for a day, good for at least another."""
    today = datetime.combine(now.date(), time(), UTC)
    return (
        f"{settings().public_url.rstrip('/')}/avatars/{token(Purpose.AVATAR, file_id, until=today + AVATAR_LINK_LASTS)}"
    )


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
