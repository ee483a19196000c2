"""Who asks: from a connection and its credential to the context in which resolvers run."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.types import Scope

from api.requests import headers_of, text_of
from domain import proposal_links, survey_answers, users
from domain.actors import Actor
from domain.api_keys import PREFIX
from domain.errors import Unauthenticated
from domain.tokens import TOKEN_LENGTH, EndedLink, InvalidLink
from schema.context import Context

LONGEST_CREDENTIAL = 4096


async def context_for(
    scope: Scope, *, credential: str | None = None, connection_params: dict[str, Any] | None = None
) -> Context:
    """Return the context of a request or a WebSocket.

    `credential` is what came by another way than the header Authorization, which it goes before. One that is not
    accepted is no error here: the context says so where an actor is needed.
    """
    headers, state, client = headers_of(scope), scope["app"].state, scope.get("client")
    context = Context(
        live=getattr(state, "live", None),
        budget=getattr(state, "budget", None),
        trials=getattr(state, "trials", None),
        address=client[0] if client else "",
        user_agent=text_of(headers, b"user-agent") or "",
        request_id=scope.get("state", {}).get("request_id", ""),
        idempotency_key=text_of(headers, b"idempotency-key"),
        connection_params=connection_params,
        resume_after=_resume_after(connection_params),
    )
    header = text_of(headers, b"authorization") if credential is None else f"Bearer {credential}"
    if header is not None:
        try:
            known = _bearer(header)
            context.identity = await _actor(known, now=context.now)
            context.renew = partial(_again, known)
        except Unauthenticated as error:
            context.refused = error
    return context


async def _again(known: str) -> Actor:
    return await _actor(known, now=datetime.now(UTC))


async def _actor(credential: str, *, now: datetime) -> Actor:
    """Return who acts with an access token, an API key or the token of a customer's link."""
    if len(credential) != TOKEN_LENGTH or "." in credential or credential.startswith(PREFIX):
        return await users.load_actor(credential, now=now)
    try:
        return await survey_answers.load_actor(credential)
    except InvalidLink:
        pass
    try:
        return await proposal_links.load_actor(credential, now=now)
    except (InvalidLink, EndedLink) as error:
        raise Unauthenticated from error


def _bearer(header: str) -> str:
    scheme, _, credential = header.partition(" ")
    credential = credential.strip()
    if scheme.lower() != "bearer" or not credential or len(credential) > LONGEST_CREDENTIAL:
        raise Unauthenticated
    return credential


def _resume_after(connection_params: dict[str, Any] | None) -> str | None:
    value = (connection_params or {}).get("resumeAfter")
    return value if isinstance(value, str) else None
