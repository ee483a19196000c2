"""Keys that are made by the thousand."""

import time
from uuid import RFC_4122, UUID

import pytest

from domain.imports.keys import new_key


def test_keys_rise_and_are_of_version_seven() -> None:
    made = [new_key() for _ in range(50_000)]
    assert made == sorted(set(made))
    assert all(isinstance(key, UUID) for key in made)
    assert {(key.version, key.variant) for key in made} == {(7, RFC_4122)}


def test_keys_rise_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_key()
    earlier = time.time_ns() - 60 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: earlier)
    assert new_key() > before
