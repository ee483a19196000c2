"""How a push can fail: with its device, by itself, or for now."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx


class DeviceGone(Exception):
    """The push service knows this device no more: nothing will ever reach it."""


class PushRefused(Exception):
    """The push service will never take this push; sending it again would not help."""


class PushLater(Exception):
    """The push service takes it later: not before `seconds`, where it says when. `uncertain`: it may have it."""

    def __init__(self, reason: str, *, seconds: float | None = None, uncertain: bool = False) -> None:
        self.seconds, self.uncertain = seconds, uncertain
        super().__init__(reason)


def broken_off(error: httpx.HTTPError) -> PushLater:
    """Return what a connection that did not hold means."""
    unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return PushLater(f"{type(error).__name__}: {error}", uncertain=not unsent)


def retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header names, by a number or by a date; None where it names none."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max((parsedate_to_datetime(value) - (now or datetime.now(UTC))).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
