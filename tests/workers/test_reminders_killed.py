"""Workers are killed in the middle of their reminders: each person is reminded once, in the app, on record, by mail.

Ten times in `make test`, a hundred times by `make torture`.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from models.follow_ups import FollowUp, FollowUpKind
from tests.adapters.letterbox import Letterbox, open_letterbox
from tests.factories import lead, seller
from tests.workers.conftest import Database, Start, until

KILLS = int(os.environ.get("KILLS", "10"))
EACH = 40
LEFT = """
SELECT (SELECT count(*) FROM follow_up WHERE remind_at IS NOT NULL)
     + (SELECT count(*) FROM delivery WHERE status = 'PENDING')
"""
CLAIMED = "SELECT count(*) FROM follow_up WHERE remind_at IS NULL"
MARKED = "SELECT count(*) FROM delivery WHERE sending_at IS NOT NULL AND status = 'PENDING'"


@pytest.fixture
async def letterbox() -> AsyncIterator[Letterbox]:
    async with open_letterbox() as box:
        yield box


async def test_killed_workers_remind_of_each_once(database: Database, start: Start, letterbox: Letterbox) -> None:
    chance = Random(int(os.environ.get("SEED", "7")))
    actor = await seller()
    subject = await lead(actor)
    env = {"SMTP_URL": letterbox.url, "LEASE_SECONDS": "1"}
    workers = [await start("worker", **env).ready() for _ in range(2)]
    planned = 0
    for _ in range(KILLS):
        now = datetime.now(UTC)
        due = {"due_at": now - timedelta(minutes=1), "remind_at": now, "time_zone": "UTC"}
        whose = {"workspace_id": actor.workspace_id, "lead_id": subject.id, "owner_id": actor.user_id}
        stamps = {"created_at": now, "updated_at": now}
        await FollowUp.bulk_create(
            [FollowUp(**whose, **due, **stamps, kind=FollowUpKind.CALL, title=f"Call {each}") for each in range(EACH)]
        )
        claimed_before, taken = planned, len(letterbox.mails)
        planned += EACH
        wanted = chance.randrange(1, EACH // 2)

        async def claimed(before: int = claimed_before) -> bool:
            return int(await database.value(CLAIMED)) > before

        async def marked() -> bool:
            return bool(await database.value(MARKED))

        async def sent(taken: int = taken, wanted: int = wanted) -> bool:
            return len(letterbox.mails) >= taken + wanted

        # Between claim and commit, between that and sending, between sending and record, or anywhere.
        await until(chance.choice([claimed, marked, sent, sent]))
        workers.pop(chance.randrange(2)).kill()
        workers.append(start("worker", **env))

    async def all_told() -> bool:
        return not await database.value(LEFT)

    await until(all_told, seconds=60)
    reminded = await database.rows("SELECT id, follow_up_id FROM reminder")
    assert len({row["follow_up_id"] for row in reminded}) == len(reminded) == planned
    shown = await database.rows("SELECT reminder_id FROM notification")
    assert Counter(row["reminder_id"] for row in shown) == Counter(row["id"] for row in reminded)
    told = await database.rows("SELECT subject_id FROM event WHERE name = 'notification.created'")
    assert len({row["subject_id"] for row in told}) == len(told) == planned
    rows = await database.rows("SELECT id, about_id, channel, status, at_risk FROM delivery")
    ledger = Counter((row["channel"], row["status"]) for row in rows)
    assert ledger == {("IN_APP", "SENT"): planned, ("MAIL", "SENT"): planned, ("PUSH", "SKIPPED"): planned}
    assert len({(row["about_id"], row["channel"]) for row in rows}) == len(rows)
    mails = {str(row["id"]): row["at_risk"] for row in rows if row["channel"] == "MAIL"}
    arrived = Counter(str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in letterbox.mails)
    assert arrived.keys() == mails.keys(), "nothing is lost"
    assert {key for key, number in arrived.items() if number > 1} <= {key for key, risky in mails.items() if risky}
