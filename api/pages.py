"""What is not GraphQL: whether we live and can work, and a page to try GraphQL in a browser."""

import asyncio
import secrets
from collections.abc import Awaitable
from functools import cache
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from tortoise.connection import get_connection

from api.refusals import Refusal, json_response
from settings import settings

PLAYGROUND = Path(__file__).with_name("playground.html")
PROBE_SECONDS = 2.0


async def healthz(_: Request) -> Response:
    """Say that this process answers."""
    return json_response(b'{"status":"ok"}')


async def readyz(request: Request) -> Response:
    """Say whether PostgreSQL and Redis answer this process; 503 where one does not."""
    database, redis = await asyncio.gather(
        _answers(get_connection("default").execute_query("SELECT 1")), _answers(request.app.state.redis.ping())
    )
    told = {"database": database, "redis": redis}
    return json_response(orjson.dumps(told), 200 if set(told.values()) == {"ok"} else 503)


async def graphiql(_: Request) -> Response:
    """Show the playground where introspection is allowed."""
    if not settings().allows_introspection:
        return Refusal(404, "There is nothing here.", code="NOT_FOUND").response()
    return playground()


def playground() -> Response:
    """Return a page that needs nothing from anywhere else."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self' ws: wss:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src data:"
    )
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return HTMLResponse(_page().replace("{nonce}", nonce), headers=headers)


@cache
def _page() -> str:
    return PLAYGROUND.read_text()


async def _answers(probe: Awaitable[object]) -> str:
    try:
        await asyncio.wait_for(probe, PROBE_SECONDS)
    except Exception:
        return "unreachable"
    return "ok"
