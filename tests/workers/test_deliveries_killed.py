"""Workers are killed in the middle of their deliveries: nothing is lost, and the ledger says what may be there twice.

Ten times in `make test`, a hundred times by `make torture`.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest

from tests.adapters.letterbox import Letterbox, open_letterbox
from tests.factories import seller
from tests.workers.conftest import Database, Start, until
from tests.workers.invited import invite

KILLS = int(os.environ.get("KILLS", "10"))
EACH = 60
CLAIMED = "SELECT count(*) FROM delivery WHERE lease_until IS NOT NULL AND status = 'PENDING'"
MARKED = "SELECT count(*) FROM delivery WHERE sending_at IS NOT NULL AND status = 'PENDING'"
WAITING = "SELECT count(*) FROM delivery WHERE status = 'PENDING'"


@pytest.fixture
async def letterbox() -> AsyncIterator[Letterbox]:
    async with open_letterbox() as box:
        yield box


async def test_killed_workers_lose_nothing_and_say_what_may_be_there_twice(
    database: Database, start: Start, letterbox: Letterbox
) -> None:
    chance = Random(int(os.environ.get("SEED", "5")))
    admin = await seller()
    env = {"SMTP_URL": letterbox.url, "LEASE_SECONDS": "1"}
    workers = [await start("worker", **env).ready() for _ in range(2)]
    asked: list[Any] = []
    for number in range(KILLS):
        asked += await invite(admin, *(f"a{number}-{each}@example.com" for each in range(EACH)))
        taken, wanted = len(letterbox.mails), chance.randrange(1, EACH // 2)

        async def claimed() -> bool:
            return bool(await database.value(CLAIMED))

        async def marked() -> bool:
            return bool(await database.value(MARKED))

        async def sent(taken: int = taken, wanted: int = wanted) -> bool:
            return len(letterbox.mails) >= taken + wanted

        # Between claim and mark, between mark and sending, between sending and record, or anywhere.
        await until(chance.choice([claimed, marked, sent, sent]))
        workers.pop(chance.randrange(2)).kill()
        workers.append(start("worker", **env))

    async def all_ended() -> bool:
        return not await database.value(WAITING)

    await until(all_ended, seconds=60)
    rows = await database.rows("SELECT id, status, at_risk, reason FROM delivery")
    assert {row["id"] for row in rows} == set(asked)
    assert {(row["status"], row["reason"]) for row in rows} == {("SENT", None)}
    arrived = Counter(str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in letterbox.mails)
    assert arrived.keys() == {str(key) for key in asked}, "nothing is lost"
    at_risk = {str(row["id"]) for row in rows if row["at_risk"]}
    assert {key for key, number in arrived.items() if number > 1} <= at_risk
    # Those in hand when a worker died, and not whatever it had claimed.
    assert len(at_risk) < len(asked)
