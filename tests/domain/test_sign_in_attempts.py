"""Counting what is tried, in windows."""

from datetime import timedelta

import pytest

from domain import sign_in_attempts
from domain.errors import RateLimited
from domain.sign_in_attempts import ALLOWED, Limit
from models.base import uuid7
from models.sign_in_attempts import SignInAttempt
from tests.factories import NOW


async def test_each_window_allows_its_attempts_anew(db: str) -> None:
    subject = str(uuid7())
    most, window = ALLOWED[Limit.RESET_ACCOUNT]
    for start in (NOW, NOW + window):
        for _ in range(most):
            await sign_in_attempts.count(Limit.RESET_ACCOUNT, subject, now=start)
        with pytest.raises(RateLimited):
            await sign_in_attempts.count(Limit.RESET_ACCOUNT, subject, now=start)


async def test_trying_on_does_not_lengthen_the_wait(db: str) -> None:
    subject = str(uuid7())
    most, window = ALLOWED[Limit.RESET_ACCOUNT]
    for _ in range(most):
        await sign_in_attempts.count(Limit.RESET_ACCOUNT, subject, now=NOW)
    waits = []
    for minutes in (0, 20, 40):
        with pytest.raises(RateLimited) as limited:
            await sign_in_attempts.count(Limit.RESET_ACCOUNT, subject, now=NOW + timedelta(minutes=minutes))
        waits.append(limited.value.facts["seconds"])

    assert waits == [window.total_seconds() - minutes * 60 for minutes in (0, 20, 40)]


async def test_limits_and_subjects_are_counted_apart(db: str) -> None:
    subject = str(uuid7())
    for _ in range(ALLOWED[Limit.RESET_ACCOUNT][0]):
        await sign_in_attempts.count(Limit.RESET_ACCOUNT, subject, now=NOW)

    await sign_in_attempts.count(Limit.SIGN_IN_ACCOUNT, subject, now=NOW)
    await sign_in_attempts.count(Limit.RESET_ACCOUNT, f"{subject}2", now=NOW)


async def test_an_unknown_address_is_not_counted(db: str) -> None:
    before = await SignInAttempt.all().count()
    for address in (None, ""):
        await sign_in_attempts.count(Limit.SIGN_IN_ADDRESS, address, now=NOW)

    assert await SignInAttempt.all().count() == before


async def test_neither_account_nor_address_can_be_read_from_the_table(db: str) -> None:
    await sign_in_attempts.count(Limit.SIGN_IN_ACCOUNT, "ada@example.com", now=NOW)

    assert not await SignInAttempt.filter(key__contains="@").exists()


async def test_ended_windows_are_forgotten_and_others_kept(db: str) -> None:
    await sign_in_attempts.count(Limit.RESET_ACCOUNT, str(uuid7()), now=NOW)
    await sign_in_attempts.count(Limit.RESET_ACCOUNT, str(uuid7()), now=NOW + timedelta(hours=3))

    await sign_in_attempts.forget(now=NOW + timedelta(hours=2))

    assert not await SignInAttempt.filter(until__lte=NOW + timedelta(hours=2)).exists()
    assert await SignInAttempt.filter(until__gt=NOW + timedelta(hours=2)).exists()
