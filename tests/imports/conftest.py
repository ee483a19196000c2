"""The application's settings for tests that go through it."""

from tests.schema.conftest import configured

__all__ = ["configured"]
