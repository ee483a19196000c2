"""The application's settings for tests that go through it."""

import os
from collections.abc import Iterator

import pytest

from settings import settings


@pytest.fixture(scope="session", autouse=True)
def reachable_redis(redis_url: str) -> Iterator[None]:
    """Point the application of this process to the tests' Redis."""
    before = os.environ.get("REDIS_URL")
    os.environ["REDIS_URL"] = redis_url
    settings.cache_clear()
    yield
    os.environ.pop("REDIS_URL", None)
    if before is not None:
        os.environ["REDIS_URL"] = before
    settings.cache_clear()
