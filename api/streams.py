"""Subscriptions over plain HTTP: graphql-sse in distinct-connections mode, and multipart for Apollo."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from starlette.responses import StreamingResponse

from api.refusals import JSON

EVENT_STREAM = "text/event-stream"
MULTIPART = "multipart/mixed"
STREAMS = (EVENT_STREAM, MULTIPART)
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Form:
    """How a stream is written; a heartbeat is sent after so many seconds of silence."""

    media_type: str
    next: tuple[bytes, bytes]
    heartbeat: bytes
    last: bytes
    first: bytes = b""
    seconds: float = 12.0


FORMS = {
    EVENT_STREAM: Form(
        "text/event-stream; charset=utf-8",
        next=(b"event: next\ndata: ", b"\n\n"),
        heartbeat=b":\n\n",
        last=b"event: complete\ndata:\n\n",
        first=b":\n\n",
    ),
    MULTIPART: Form(
        'multipart/mixed; boundary="graphql"; subscriptionSpec=1.0',
        next=(
            f"\r\n--graphql\r\nContent-Type: {JSON}\r\n\r\n".encode() + b'{"payload":',
            b"}",
        ),
        heartbeat=f"\r\n--graphql\r\nContent-Type: {JSON}\r\n\r\n{{}}".encode(),
        last=b"\r\n--graphql--\r\n",
        seconds=4.0,
    ),
}


def streamed(answers: AsyncGenerator[bytes, None], media_type: str) -> StreamingResponse:
    """Return a response that sends each answer as it comes, and ends them when the client goes."""
    form = FORMS[media_type]
    return StreamingResponse(_written(answers, form), headers=HEADERS | {"Content-Type": form.media_type})


async def once(answer: bytes) -> AsyncGenerator[bytes, None]:
    """Give the one answer of a query or mutation that was asked for as a stream."""
    yield answer


async def _written(answers: AsyncGenerator[bytes, None], form: Form) -> AsyncIterator[bytes]:
    begin, end = form.next
    if form.first:
        yield form.first
    async with aclosing(answers):
        async for answer in _or_silence(answers, form.seconds):
            yield form.heartbeat if answer is None else begin + answer + end
    yield form.last


async def _or_silence(answers: AsyncIterator[bytes], seconds: float) -> AsyncIterator[bytes | None]:
    """Give what comes, and None whenever nothing came for so many seconds."""
    coming: asyncio.Task[Any] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(answers, _END))
            done, _ = await asyncio.wait({coming}, timeout=seconds)
            if not done:
                yield None
                continue
            answer, coming = coming.result(), None
            if answer is _END:
                return
            yield answer
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


_END: Any = object()
