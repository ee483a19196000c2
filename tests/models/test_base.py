import time
from datetime import UTC, datetime, timedelta

import pytest

from models.base import uuid7

SECOND = 1_000_000_000


def test_a_key_is_greater_than_the_one_before() -> None:
    keys = [uuid7() for _ in range(10_000)]

    assert keys == sorted(set(keys))
    assert {(key.version, key.variant) for key in keys} == {(7, "specified in RFC 4122")}


def test_a_key_tells_when_it_was_made() -> None:
    made = datetime.fromtimestamp((uuid7().int >> 80) / 1000, UTC)

    assert abs(datetime.now(UTC) - made) < timedelta(minutes=1)


@pytest.mark.parametrize("step", [0, -SECOND])
def test_keys_rise_although_the_clock_stands_still_or_steps_back(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before, stopped = uuid7(), time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: stopped + step)
    keys = [before, *(uuid7() for _ in range(5_000))]

    assert keys == sorted(set(keys))
