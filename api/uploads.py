"""Bytes of files, in by a stream to a signed link and out by another."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import quote

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from adapters import files as store
from api.refusals import Refusal, json_response
from domain import avatars, files, logos
from domain.errors import DomainError
from domain.files import Purpose
from domain.media_types import served_as
from domain.tokens import EndedLink, InvalidLink
from models.files import File, UploadPurpose
from schema import ids

log = structlog.get_logger()

IDLE_SECONDS = 30.0
RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})", re.ASCII)
STATUSES = {
    "INVALID_LINK": 404,
    "ENDED_LINK": 410,
    "UPLOAD_INCOMPLETE": 400,
    "ALREADY_UPLOADED": 409,
    "FILE_TOO_LARGE": 413,
    "NOT_A_PICTURE": 415,
    "PICTURE_TOO_LARGE": 413,
}
# What is saved is run by nothing, even where a browser is made to open it.
SAVED = {"Cache-Control": "private, no-store", "Content-Security-Policy": "default-src 'none'; sandbox"}
SHOWN = {
    "Cache-Control": "private, max-age=86400, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
PICTURES = {UploadPurpose.AVATAR: avatars.small, UploadPurpose.LOGO: logos.flat}
# Pictures are decoded one at a time: a large one takes its share of memory.
decoding = asyncio.Semaphore(1)


async def put(request: Request) -> Response:
    """Take a file's bytes; the same bytes once more change nothing."""
    now = datetime.now(UTC)
    try:
        promised = await files.promised(files.read_token(Purpose.UPLOAD, request.path_params["token"], now=now))
        attempt = await files.begin(promised, now=now)
        try:
            fresh, written = await _take(request, promised, attempt)
        finally:
            # What was completed is no attempt any more. The rest goes even while the request is being cancelled.
            await asyncio.shield(_discard(attempt))
    except DomainError as error:
        return Refusal(STATUSES[error.code], error.message, code=error.code).response()
    except Refusal as refusal:
        return refusal.response()
    except store.StoreUnavailable:
        return _unavailable()
    told = {"fileId": ids.encode("File", promised.id), "size": written.size, "sha256": written.sha256}
    return json_response(orjson.dumps(told), 201 if fresh else 200)


async def get(request: Request) -> Response:
    """Give a file's bytes, to be saved and not shown."""
    return await _given(request, Purpose.DOWNLOAD)


async def avatar(request: Request) -> Response:
    """Give a person's picture, to be shown."""
    return await _given(request, Purpose.AVATAR)


async def _given(request: Request, purpose: Purpose) -> Response:
    try:
        file_id = files.read_token(purpose, request.path_params["token"], now=datetime.now(UTC))
    except (InvalidLink, EndedLink) as error:
        return Refusal(STATUSES[error.code], error.message, code=error.code).response()
    file = await File.filter(id=file_id, completed_at__not_isnull=True).first()
    return await sent(request, file, is_picture=purpose is Purpose.AVATAR) if file else missing()


async def sent(request: Request, file: File, *, is_picture: bool = False) -> Response:
    """Give a whole file, or the part of it that is asked for: a picture to be shown, else to be saved."""
    try:
        within = _asked_part(request, file)
        parts = await store.open(file, within=within)
    except Refusal as refusal:
        return refusal.response()
    except store.FileMissing:
        return missing()
    except store.StoreUnavailable:
        return _unavailable()
    length = file.size if within is None else len(within)
    headers = {"Content-Length": str(length), "ETag": _etag(file), "Accept-Ranges": "bytes"}
    if within is not None:
        headers["Content-Range"] = f"bytes {within.start}-{within.stop - 1}/{file.size}"
    if is_picture:
        headers |= SHOWN
    else:
        headers |= SAVED | {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"}
    status = 200 if within is None else 206
    return StreamingResponse(parts, status, headers=headers, media_type=served_as(file.content_type))


def _asked_part(request: Request, file: File) -> range | None:
    """Return the part of a file that a request asks for, None being all of it. Raises Refusal.

    Several parts at once are not given, as RFC 9110 allows, nor a part of a file that is another one by now.
    """
    if request.method != "GET" or request.headers.get("if-range", _etag(file)) != _etag(file):
        return None
    asked = RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or (asked["first"], asked["last"]) == ("", ""):
        return None
    if not asked["first"]:
        within = range(max(0, file.size - int(asked["last"])), file.size)
    else:
        first = int(asked["first"])
        if asked["last"] and int(asked["last"]) < first:
            return None
        within = range(first, min(int(asked["last"] or file.size) + 1, file.size))
    if not within:
        raise Refusal(416, f"The file has {file.size} bytes.", Content_Range=f"bytes */{file.size}")
    return within


def _etag(file: File) -> str:
    return f'"{file.sha256}"'


def missing() -> Response:
    """Say that a file is not there."""
    return Refusal(404, "The file is not there any more.", code="NOT_FOUND").response()


def _unavailable() -> Response:
    log.warning("the store of files does not serve", exc_info=True)
    return Refusal(
        503, "Files cannot be stored or read just now: try again.", code="INTERNAL", Retry_After="5"
    ).response()


async def _discard(attempt: File) -> None:
    """Delete what came of an attempt; where its store does not answer, that is done at night."""
    if await files.is_hidden(attempt):
        with suppress(store.StoreUnavailable):
            await store.delete(attempt)
            await files.discard(attempt)


async def _take(request: Request, promised: File, attempt: File) -> tuple[bool, store.Written]:
    made_of = PICTURES.get(promised.purpose)
    _check_length(request, attempt, is_exact=made_of is None)
    try:
        written = await store.write(attempt, _parts(request), most=attempt.size)
    except store.TooManyBytes:
        raise Refusal(413, f"At most {attempt.size} bytes are taken here; more came.", code="FILE_TOO_LARGE") from None
    if made_of is not None:
        written = await _made(attempt, made_of)
    fresh = await files.complete(
        promised.id,
        attempt,
        received=written.size,
        sha256=written.sha256,
        head=written.head,
        now=datetime.now(UTC),
    )
    return fresh, written


def _check_length(request: Request, attempt: File, *, is_exact: bool) -> None:
    """Refuse what has another length than is expected, before any of it is read."""
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal():
        return
    if int(announced) > attempt.size:
        raise files.FileTooLarge(size=int(announced), limit=attempt.size)
    if is_exact and int(announced) != attempt.size:
        raise files.UploadIncomplete(received=int(announced), size=attempt.size)


async def _made(attempt: File, made_of: Callable[[bytes], bytes]) -> store.Written:
    """Put the picture that is kept in the place of the one that came."""
    async with decoding:
        data = b"".join([part async for part in await store.open(attempt)])
        kept = await asyncio.to_thread(made_of, data)
    await store.delete(attempt)
    attempt.size = len(kept)
    return await store.write(attempt, _once(kept), most=attempt.size)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _parts(request: Request) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                part = await anext(stream, None)
        except TimeoutError:
            raise Refusal(408, f"Nothing came for {IDLE_SECONDS:g} seconds.", Connection="close") from None
        if part is None:
            return
        yield part
