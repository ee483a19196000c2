"""What is not GraphQL: whether we live and can work, and a page to try GraphQL in a browser."""

import asyncio
import secrets
from collections.abc import Awaitable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from tortoise.connection import get_connection

from api.refusals import Refusal, json_response
from domain import relaying
from settings import settings

GRAPHIQL = Path(__file__).with_name("graphiql")
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css"}
PROBE_SECONDS = 2.0


async def healthz(_: Request) -> Response:
    """Say that this process answers."""
    return json_response(b'{"status":"ok"}')


async def readyz(request: Request) -> Response:
    """Say whether PostgreSQL and Redis answer this process, 503 where one does not, and how it is with the relay.

    Without a relay we answer all the same, so that it makes no 503.
    """
    database, redis, relay = await asyncio.gather(
        _answers(get_connection("default").execute_query("SELECT 1")),
        _answers(request.app.state.redis.ping()),
        _relay(),
    )
    needed = {"database": database, "redis": redis}
    return json_response(orjson.dumps(needed | {"relay": relay}), 200 if set(needed.values()) == {"ok"} else 503)


async def graphiql(_: Request) -> Response:
    """Show GraphiQL where introspection is allowed."""
    if not settings().allows_introspection:
        return Refusal(404, "There is nothing here.", code="NOT_FOUND").response()
    return graphiql_page()


async def graphiql_part(request: Request) -> Response:
    """Serve what GraphiQL's page is made of; it ships with us, so that the page needs nothing from anywhere else."""
    part = GRAPHIQL / request.path_params["name"]
    if not settings().allows_introspection or part.suffix not in MEDIA_TYPES or not part.is_file():
        return Refusal(404, "There is nothing here.", code="NOT_FOUND").response()
    return FileResponse(part, media_type=MEDIA_TYPES[part.suffix], headers={"Cache-Control": "max-age=3600"})


def graphiql_page() -> Response:
    """Return GraphiQL's page."""
    nonce = secrets.token_urlsafe(16)
    # GraphiQL's editor sets style attributes, which no nonce can allow.
    policy = (
        f"default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self' 'nonce-{nonce}'; "
        "connect-src 'self' ws: wss:; font-src data:; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return HTMLResponse(_page().replace("{nonce}", nonce), headers=headers)


@cache
def _page() -> str:
    return (GRAPHIQL / "index.html").read_text()


async def _relay() -> str:
    try:
        return await asyncio.wait_for(relaying.state(now=datetime.now(UTC)), PROBE_SECONDS)
    except Exception:
        return "unknown"


async def _answers(probe: Awaitable[object]) -> str:
    try:
        await asyncio.wait_for(probe, PROBE_SECONDS)
    except Exception:
        return "unreachable"
    return "ok"
