"""The application's settings for tests that go through it."""

import os
from collections.abc import Iterator

import pytest

from settings import settings


@pytest.fixture(scope="session", autouse=True)
def configured(redis_url: str) -> Iterator[None]:
    """Point the application of this process to the tests' Redis."""
    os.environ["REDIS_URL"] = redis_url
    settings.cache_clear()
    yield
    del os.environ["REDIS_URL"]
    settings.cache_clear()
