"""What follows from events reaches leads and people, by a relay and a worker as they really run."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain import leads, scoring, workspaces
from domain.jobs import Queue
from domain.leads import LeadDetails
from domain.lifecycle import Rules, Threshold
from domain.money import Money
from domain.scoring.rescoring import rescore
from models.leads import Lead, Lifecycle
from tests.factories import lead, seller
from tests.workers.conftest import Database, Start, add_job, until
from workers import jobs
from workers.tasks.scoring import score_leads


async def scored(key: UUID) -> Lead | None:
    row = await Lead.get(id=key)
    return row if row.score is not None else None


async def both_ready(start: Start, **env: str) -> None:
    relay, worker = start("relay", **env), start("worker", **env)
    await relay.ready()
    await worker.ready()


async def test_a_lead_is_scored_within_a_second_of_what_matters(database: Database, start: Start) -> None:
    admin = await seller()
    await both_ready(start)
    began = time.monotonic()
    row = await lead(admin, now=datetime.now(UTC))
    await until(lambda: scored(row.id))
    first = time.monotonic() - began
    value = Money(Decimal(20_000), "EUR")
    began = time.monotonic()
    await leads.update(admin, row.id, LeadDetails(value=value), now=datetime.now(UTC))

    async def risen() -> bool:
        return (await Lead.get(id=row.id)).score == 32

    await until(risen)
    assert first < 1
    assert time.monotonic() - began < 1
    assert (await Lead.get(id=row.id)).version == 2


async def test_a_score_is_an_event_with_a_position_and_asks_for_no_other_score(
    database: Database, start: Start
) -> None:
    admin = await seller()
    row = await lead(admin)
    await both_ready(start)
    await until(lambda: scored(row.id))

    async def settled() -> list[Any]:
        rows = await database.rows("SELECT name, position FROM event WHERE subject_id = $1 ORDER BY position", row.id)
        return rows if len(rows) == 2 and all(event["position"] for event in rows) else []

    assert [event["name"] for event in await until(settled)] == ["lead.captured", "lead.scored"]
    assert await database.value("SELECT count(*) FROM job WHERE task = 'score_leads'") == 1


async def test_a_score_and_new_rules_qualify_leads(database: Database, start: Start) -> None:
    admin = await seller()
    row, waiting = await lead(admin, now=datetime.now(UTC)), await lead(admin, now=datetime.now(UTC))
    await Lead.filter(id=waiting.id).update(score=90)
    await workspaces.update(admin, lifecycle_rules=Rules(mql=Threshold(score=1)), now=datetime.now(UTC))
    await both_ready(start)

    async def qualified() -> bool:
        return {each.lifecycle for each in await Lead.filter(id__in=[row.id, waiting.id])} == {Lifecycle.MQL}

    await until(qualified)
    told = await database.rows("SELECT subject_id FROM event WHERE name = 'lead.qualified'")
    assert sorted(event["subject_id"] for event in told) == sorted([row.id, waiting.id])


async def test_what_concerns_too_many_leads_is_done_in_bulk(
    database: Database, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await seller()
    rows = [await lead(admin) for _ in range(5)]
    monkeypatch.setattr(scoring, "LEADS_AT_ONCE", 2)
    monkeypatch.setattr(scoring.scheduling, "LEADS_AT_ONCE", 2)
    await scoring.schedule(admin.workspace_id, [row.id for row in rows], now=datetime.now(UTC))
    await database.rows(
        "UPDATE job SET queue = 'default', arguments = jsonb_set(arguments, '{subject_ids}', $1::jsonb)",
        "[" + ", ".join(f'"{row.id}"' for row in rows) + "]",
    )
    [first, *_] = await jobs.due(Queue.DEFAULT)
    job = await jobs.claim(first)
    assert job
    await score_leads.run(job)
    assert job.finished
    assert await Lead.filter(scored_at__isnull=False).count() == 0
    bulk = await database.rows(
        "SELECT jsonb_array_length(arguments -> 'subject_ids') AS leads FROM job WHERE queue = 'bulk'"
    )
    assert sorted(row["leads"] for row in bulk) == [1, 2, 2]


async def test_a_night_scores_the_leads_that_time_has_changed(database: Database, start: Start) -> None:
    admin = await seller()
    row = await lead(admin, now=datetime.now(UTC) - timedelta(days=40))
    await rescore(admin.workspace_id, [row.id], now=datetime.now(UTC) - timedelta(days=39))
    assert (await Lead.get(id=row.id)).score == 16
    await add_job(database, "score_faded_leads", queue="bulk")
    await start("worker").ready()

    async def faded() -> bool:
        return (await Lead.get(id=row.id)).score == 0

    await until(faded)
    told = await database.value("SELECT data FROM event WHERE name = 'lead.scored' ORDER BY seq DESC LIMIT 1")
    assert '"bulk": true' in told
