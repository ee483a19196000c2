"""Servers whose key is another, or was another before."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from domain import tokens
from settings import settings

OLD = "an old secret of more than thirty-two characters"
NEW = "a new secret of more than thirty-two characters"


@contextmanager
def server_with(*, key: str, previous: str = "") -> Iterator[None]:
    """Let this process have these keys for a while."""
    before = {name: os.environ.get(name) for name in ("SECRET_KEY", "PREVIOUS_SECRET_KEYS")}
    os.environ.update(SECRET_KEY=key, PREVIOUS_SECRET_KEYS=previous)
    _read_again()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        _read_again()


def _read_again() -> None:
    settings.cache_clear()
    tokens.secrets.cache_clear()
