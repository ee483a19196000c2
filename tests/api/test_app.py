"""The application as it is set up: origins, production, its own start and end, and failures of what it stands on."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from api.app import create_app
from models.base import uuid7
from models.database import RELAY_LOCK
from models.events import Event
from settings import Settings
from tests import factories
from tests.api.door import door as schema
from tests.api.serving import Client, client_of, codes, serving

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = "https://app.example.com"


@asynccontextmanager
async def served(settings: Settings, **changes: Any) -> AsyncIterator[Client]:
    app = create_app(settings.model_copy(update=changes), schema)
    async with serving(app) as address, client_of(address) as client:
        yield client
    await app.state.redis.aclose()


def preflight(origin: str) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, authorization, idempotency-key",
    }


async def test_pages_of_the_origins_that_are_set_may_ask(db: str, server_settings: Settings) -> None:
    async with served(server_settings, cors_origins=f"{PAGE}, https://other.example.com/") as client:
        for origin, status in ((PAGE, 200), ("https://other.example.com", 200), ("https://evil.example.com", 400)):
            asked = await client.http.options("/graphql", headers=preflight(origin))
            assert asked.status_code == status
            assert asked.headers.get("access-control-allow-origin") == (origin if status == 200 else None)

        answer = await client.send("{hello}", headers={"Origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "sent",
    [
        "content-type, x-apollo-operation-name, apollo-require-preflight, apollographql-client-name",
        "content-type, graphql-client-name, graphql-client-version, x-requested-with",
        "authorization, content-type, traceparent, tracestate, baggage, sentry-trace",
        "accept, cache-control, range",
    ],
)
async def test_what_standard_clients_send_along_is_let_in(db: str, server_settings: Settings, sent: str) -> None:
    async with served(server_settings, cors_origins=PAGE) as client:
        asked = await client.http.options(
            "/graphql", headers=preflight(PAGE) | {"Access-Control-Request-Headers": sent}
        )
        assert asked.status_code == 200
        refused = {"Access-Control-Request-Headers": "x-unheard-of"}
        assert (await client.http.options("/graphql", headers=preflight(PAGE) | refused)).status_code == 400


async def test_without_a_setting_no_other_origin_may(db: str, door: Client) -> None:
    answer = await door.send("{hello}", headers={"Origin": PAGE})

    assert "access-control-allow-origin" not in answer.headers


async def test_production_has_no_page_and_says_that_it_is_https(db: str, server_settings: Settings) -> None:
    production = {"environment": "production", "public_url": "https://crm.example.com"}
    async with served(server_settings, **production) as client:
        html = {"Accept": "text/html"}
        assert (await client.http.get("/graphql", headers=html)).status_code == 406
        answer = await client.send("{hello}")
        assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_what_fails_before_graphql_is_masked_too(db: str, door: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*_: Any, **__: Any) -> None:
        raise ConnectionError("postgres at 10.0.0.7 refused user salescycle")

    monkeypatch.setattr("domain.users.load_actor", lost)
    answer = await door.send("{hello}", token="anything", headers={"X-Request-Id": "seven"})

    assert (answer.status_code, codes(answer.json())) == (500, ["INTERNAL"])
    assert "10.0.0.7" not in answer.text and "seven" in answer.text


async def test_readiness_says_what_does_not_answer(db: str, server_settings: Settings) -> None:
    async with served(server_settings, redis_url="redis://127.0.0.1:1") as client:
        ready = await client.http.get("/readyz")
        assert (ready.status_code, ready.json()) == (
            503,
            {"database": "ok", "redis": "unreachable", "relay": "down"},
        )
        assert (await client.http.get("/healthz")).status_code == 200
        assert (await client.data("{hello}")) == {"hello": "hello world"}


async def test_readiness_tells_how_it_is_with_the_relay_and_answers_without_one(
    clean_db: str, door: Client, server_settings: Settings
) -> None:
    async def told() -> tuple[int, str]:
        ready = await door.http.get("/readyz")
        return ready.status_code, ready.json()["relay"]

    home = await factories.seller()
    assert await told() == (200, "down")
    relay = await asyncpg.connect(server_settings.direct_url)
    try:
        await relay.execute("SELECT pg_advisory_lock($1)", RELAY_LOCK)
        assert await told() == (200, "ok")
        long_ago = (int(time.time() - 11) * 1000) << 80
        waiting: dict[str, Any] = {
            "name": "bell.rang",
            "subject_type": "bell",
            "subject_id": uuid7(),
            "occurred_at": factories.NOW,
        }
        await Event.create(id=UUID(int=long_ago | 0x7 << 76), workspace_id=home.workspace_id, **waiting)
        assert await told() == (200, "ok"), "it is not the oldest"
        await Event.filter(name__not="bell.rang").delete()
        assert await told() == (200, "late")
        await Event.filter(name="bell.rang").update(position=1)
        assert await told() == (200, "ok")
    finally:
        await relay.close()
    assert await told() == (200, "down")


async def test_a_process_of_its_own_opens_what_it_needs_and_ends_when_it_is_told(
    empty_database_url: str, empty_redis_url: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    env = os.environ | {"DATABASE_URL": empty_database_url, "REDIS_URL": empty_redis_url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "cli.py", "serve", "--port", str(port), cwd=ROOT, env=env, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60), client_of(f"http://127.0.0.1:{port}") as client:
            while not await _ready(client, process):
                await asyncio.sleep(0.05)
            assert (await client.data("{__typename}")) == {"__typename": "Query"}
        process.send_signal(signal.SIGTERM)
        _, log = await asyncio.wait_for(process.communicate(), 20)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, log.decode()
    assert b"Traceback" not in log
    assert b"path=/graphql" in log and b"status=200" in log


async def _ready(client: Client, process: asyncio.subprocess.Process) -> bool:
    assert process.returncode is None
    try:
        return (await client.http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False
