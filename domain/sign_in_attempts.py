"""Limits on guessing: so many attempts per account and per address, counted where every process sees them."""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

from tortoise.connection import get_connection

from domain.errors import RateLimited
from models.base import uuid7
from models.sign_in_attempts import SignInAttempt


class Limit(StrEnum):
    SIGN_IN_ACCOUNT = "sign-in by account"
    SIGN_IN_ADDRESS = "sign-in by address"
    RESET_ACCOUNT = "reset by account"
    RESET_ADDRESS = "reset by address"
    SIGN_UP_ADDRESS = "sign-up by address"


# An address may be an office of many people, so it is allowed more than an account.
ALLOWED: dict[Limit, tuple[int, timedelta]] = {
    Limit.SIGN_IN_ACCOUNT: (10, timedelta(minutes=15)),
    Limit.SIGN_IN_ADDRESS: (200, timedelta(minutes=15)),
    Limit.RESET_ACCOUNT: (5, timedelta(hours=1)),
    Limit.RESET_ADDRESS: (50, timedelta(hours=1)),
    Limit.SIGN_UP_ADDRESS: (300, timedelta(hours=1)),
}

COUNT = """
INSERT INTO sign_in_attempt AS tried (id, key, attempts, until) VALUES ($1, $2, 1, $4)
ON CONFLICT (key) DO UPDATE SET
    attempts = CASE WHEN tried.until <= $3 THEN 1 ELSE tried.attempts + 1 END,
    until = CASE WHEN tried.until <= $3 THEN $4 ELSE tried.until END
RETURNING attempts, until
"""


async def count(limit: Limit, subject: str | None, *, now: datetime) -> None:
    """Count an attempt before it is made, so that many at once are not one; raises RateLimited.

    An attempt without a subject (an address that is not known) is not counted.
    """
    if not subject:
        return
    most, window = ALLOWED[limit]
    values = [uuid7(), _key(limit, subject), now, now + window]
    (row,) = await get_connection("default").execute_query_dict(COUNT, values)
    if row["attempts"] > most:
        raise RateLimited(seconds=max(1, round((row["until"] - now).total_seconds())))


async def forgive(limit: Limit, subject: str) -> None:
    """Forget the attempts, since one succeeded."""
    await SignInAttempt.filter(key=_key(limit, subject)).delete()


async def forget(*, now: datetime) -> int:
    """Delete what no longer limits anybody, and return how many rows that were."""
    return await SignInAttempt.filter(until__lte=now).delete()


def _key(limit: Limit, subject: str) -> str:
    return hashlib.sha256(f"{limit}:{subject}".encode("utf-8", "surrogatepass")).hexdigest()
