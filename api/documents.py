"""Documents over HTTP: given out once they are typeset, which whoever asks first waits for a moment."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from api import uploads
from api.refusals import Refusal
from domain import documents
from domain.tokens import EndedLink, InvalidLink
from models.documents import Document, DocumentKind

# A worker finds what it is asked for within a second, and needs far less to typeset it.
PATIENCE_SECONDS, LOOK_SECONDS = 8.0, 0.1
RETRY_SECONDS = 3


async def get(request: Request) -> Response:
    """Give the document that a link of ours opens."""
    now = datetime.now(UTC)
    try:
        kind = DocumentKind(request.path_params["kind"].upper())
        key = documents.opened(kind, request.path_params["token"], now=now)
    except ValueError:
        return uploads.missing()
    except (InvalidLink, EndedLink) as error:
        return Refusal(uploads.STATUSES[error.code], error.message, code=error.code).response()
    return await answer(request, kind, key)


async def answer(request: Request, kind: DocumentKind, key: UUID) -> Response:
    """Give the document about something to whoever may see that, or have them come again when it is typeset."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            document = await _typeset(kind, key)
    except TimeoutError:
        told = "The document is being typeset: come again in a moment."
        return Refusal(503, told, code="INTERNAL", Retry_After=str(RETRY_SECONDS)).response()
    file = await documents.file_of(document) if document else None
    if document is not None and file is None:
        return Refusal(500, "The document cannot be typeset; tell whoever sent it.", code="INTERNAL").response()
    return await uploads.sent(request, file) if file else uploads.missing()


async def _typeset(kind: DocumentKind, key: UUID) -> Document | None:
    """Wait for a document; None where there is nothing that it would be about."""
    waits_for: Document | None = None
    while True:
        if waits_for is None:
            waits_for = await documents.wanted(kind, key, now=datetime.now(UTC))
            if waits_for is None:
                return None
            before = waits_for.rendered_at
        if await documents.file_of(waits_for) is not None or waits_for.rendered_at != before:
            return waits_for
        await asyncio.sleep(LOOK_SECONDS)
        # What has changed meanwhile is asked for anew.
        waits_for = await Document.get_or_none(id=waits_for.id)
