"""Bytes of files, in by a stream to a signed link and out by another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from adapters import files as store
from api.refusals import Refusal, json_response
from domain import files
from domain.errors import DomainError
from domain.files import Purpose
from domain.tokens import EndedLink, InvalidLink
from models.files import File
from schema import ids

log = structlog.get_logger()

IDLE_SECONDS = 30.0
STATUSES = {"INVALID_LINK": 404, "ENDED_LINK": 410, "UPLOAD_INCOMPLETE": 400, "ALREADY_UPLOADED": 409}


async def put(request: Request) -> Response:
    """Take a file's bytes; the same bytes once more change nothing."""
    now = datetime.now(UTC)
    try:
        file_id = files.read_token(Purpose.UPLOAD, request.path_params["token"], now=now)
        attempt = await files.begin(file_id, now=now)
        try:
            fresh, written = await _take(request, file_id, attempt)
        finally:
            # What was completed is no attempt any more. The rest goes even while the request is being cancelled.
            await asyncio.shield(_discard(attempt))
    except DomainError as error:
        return Refusal(STATUSES[error.code], error.message, code=error.code).response()
    except Refusal as refusal:
        return refusal.response()
    except store.StoreUnavailable:
        return _unavailable()
    told = {"fileId": ids.encode("File", file_id), "size": written.size, "sha256": written.sha256}
    return json_response(orjson.dumps(told), 201 if fresh else 200)


async def get(request: Request) -> Response:
    """Give a file's bytes, to be saved and not shown."""
    try:
        file_id = files.read_token(Purpose.DOWNLOAD, request.path_params["token"], now=datetime.now(UTC))
    except (InvalidLink, EndedLink) as error:
        return Refusal(STATUSES[error.code], error.message, code=error.code).response()
    file = await File.filter(id=file_id, completed_at__not_isnull=True).first()
    if file is None:
        return _missing()
    try:
        parts = await store.open(file)
    except store.FileMissing:
        return _missing()
    except store.StoreUnavailable:
        return _unavailable()
    headers = {
        "Content-Length": str(file.size),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
        "Cache-Control": "private, no-store",
        "ETag": f'"{file.sha256}"',
    }
    return StreamingResponse(parts, headers=headers, media_type=file.content_type)


def _missing() -> Response:
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


async def _take(request: Request, file_id: UUID, attempt: File) -> tuple[bool, store.Written]:
    announced = request.headers.get("content-length")
    if announced is not None and announced.isdecimal() and int(announced) != attempt.size:
        raise files.UploadIncomplete(received=int(announced), size=attempt.size)
    try:
        written = await store.write(attempt, _parts(request), most=attempt.size)
    except store.TooManyBytes:
        raise Refusal(413, f"The upload was announced with {attempt.size} bytes; more came.") from None
    fresh = await files.complete(file_id, attempt, received=written.size, sha256=written.sha256, now=datetime.now(UTC))
    return fresh, written


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
