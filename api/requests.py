"""What a request says, as ASGI hands it over: its headers in one pass, its body no larger than is allowed."""

from typing import TypeAlias

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from api.refusals import Refusal

Headers: TypeAlias = dict[bytes, bytes]


def headers_of(scope: Scope) -> Headers:
    """Return a request's headers by their names in lower case; what came in several is joined, as RFC 9110 says."""
    found: Headers = {}
    for name, value in scope["headers"]:
        found[name] = found[name] + b", " + value if name in found else value
    return found


def text_of(headers: Headers, name: bytes) -> str | None:
    """Return a header, or None where it did not come."""
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


async def body_of(headers: Headers, receive: Receive, *, most: int) -> bytes:
    """Return the body; raises Refusal as soon as it is too large, ClientDisconnect where the client has gone."""
    too_large = f"The body has more than {most} bytes."
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > most:
        raise Refusal(413, too_large)
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part, more = message.get("body", b""), message.get("more_body", False)
        parts.append(part)
        size += len(part)
        if size > most:
            raise Refusal(413, too_large)
    return b"".join(parts)
