"""Who asks: from a connection and its credential to the context in which resolvers run."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.requests import HTTPConnection

from domain import users
from domain.actors import Actor
from domain.errors import Unauthenticated
from schema.context import Context

LONGEST_CREDENTIAL = 4096


async def context_for(
    connection: HTTPConnection, *, credential: str | None = None, connection_params: dict[str, Any] | None = None
) -> Context:
    """Return the context of a request or a WebSocket.

    `credential` is what came by another way than the header Authorization, which it goes before. One that is not
    accepted is no error here: the context says so where an actor is needed.
    """
    context = Context(
        live=getattr(connection.app.state, "live", None),
        budget=getattr(connection.app.state, "budget", None),
        address=connection.client.host if connection.client else "",
        user_agent=connection.headers.get("user-agent", ""),
        request_id=request_id_of(connection),
        idempotency_key=connection.headers.get("idempotency-key"),
        connection_params=connection_params,
        resume_after=_resume_after(connection_params),
    )
    header = connection.headers.get("authorization") if credential is None else f"Bearer {credential}"
    if header is not None:
        try:
            known = _bearer(header)
            context.identity = await users.load_actor(known, now=datetime.now(UTC))
            context.renew = partial(_again, known)
        except Unauthenticated as error:
            context.refused = error
    return context


def request_id_of(connection: HTTPConnection) -> str:
    """Return the id that this request's answer and log lines bear."""
    found: str = connection.scope.get("state", {}).get("request_id", "")
    return found


async def _again(known: str) -> Actor:
    return await users.load_actor(known, now=datetime.now(UTC))


def _bearer(header: str) -> str:
    scheme, _, credential = header.partition(" ")
    credential = credential.strip()
    if scheme.lower() != "bearer" or not credential or len(credential) > LONGEST_CREDENTIAL:
        raise Unauthenticated
    return credential


def _resume_after(connection_params: dict[str, Any] | None) -> str | None:
    value = (connection_params or {}).get("resumeAfter")
    return value if isinstance(value, str) else None
