"""One server for every test of this worker; `client` speaks to the whole API, `door` to a small schema behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Browser

from api.app import create_app
from settings import Settings, settings
from tests.api import browser
from tests.api.door import door as door_schema
from tests.api.serving import Client, client_of, serving


@pytest.fixture(scope="session")
def server_settings(redis_url: str, opened_database: str) -> Settings:
    return settings().model_copy(update={"redis_url": redis_url, "database_url": opened_database})


@pytest.fixture(scope="session")
async def server(server_settings: Settings) -> AsyncIterator[str]:
    """The address of the whole API, its live hub included."""
    app = create_app(server_settings)
    async with serving(app) as address:
        listening = asyncio.create_task(app.state.live.run())
        yield address
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    await app.state.redis.aclose()


@pytest.fixture(scope="session")
async def client(server: str) -> AsyncIterator[Client]:
    """A client of the whole API."""
    async with client_of(server) as made:
        yield made


@pytest.fixture(scope="session")
async def door(server_settings: Settings) -> AsyncIterator[Client]:
    """A client of the same door with a small schema behind it."""
    app = create_app(server_settings, door_schema)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(app.state.redis.aclose)
        address = await stack.enter_async_context(serving(app))
        yield await stack.enter_async_context(client_of(address))


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A browser for every test of this worker; a test opens its own `browser.screen`."""
    async with browser.launched() as started:
        yield started
