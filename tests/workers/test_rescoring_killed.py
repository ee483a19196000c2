"""Workers are killed while all leads are scored anew: each has its old score or its new one, and in the end the new.

Once in `make test`, ten times by `make torture`.
"""

import os
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from domain import scoring
from tests.domain.test_rescoring import RULES, use
from tests.factories import NOW, lead, seller
from tests.workers.conftest import Database, Start, until

KILLS = max(int(os.environ.get("KILLS", "10")) // 10, 1)
LEADS = 400 * KILLS
MORE = """
INSERT INTO lead (id, workspace_id, title, pipeline_id, stage_id, rank, status, lifecycle, currency, probability,
                  score, grade, engagement, score_factors, scored_at, custom, stage_entered_at, version, created_at,
                  updated_at)
SELECT gen_random_uuid(), workspace_id, title, pipeline_id, stage_id, rank || n, status, lifecycle, currency, 0,
       7, 'D', 4, '["old"]', $2, '{}', stage_entered_at, 1, created_at, updated_at
FROM lead, generate_series(1, $1::int) n
"""
FOUND = """
SELECT DISTINCT score, grade, engagement, score_factors::text, win_probability, scored_at = $1 AS as_it_was
FROM lead WHERE rank <> $2
"""
OLD = (7, "D", 4, '["old"]', None, True)
LEFT = "SELECT count(*) FROM job WHERE task = 'score_leads' AND done_at IS NULL"
TOLD = """
SELECT data #> '{changes,score}' = '[7, 0]' AS as_it_was, count(*) AS events, count(DISTINCT subject_id) AS leads
FROM event WHERE name = 'lead.scored' GROUP BY 1
"""


async def test_killed_workers_leave_every_lead_with_its_old_score_or_its_new_one(
    database: Database, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(int(os.environ.get("SEED", "3")))
    admin = await seller()
    first = await lead(admin, now=NOW)
    await database.rows(MORE, LEADS, NOW)
    await use(admin, RULES)
    # Two publishes at once: workers meet the same leads in different jobs.
    for size in (20, 33):
        monkeypatch.setattr(scoring.scheduling, "LEADS_AT_ONCE", size)
        assert await scoring.schedule_all(admin.workspace_id, now=datetime.now(UTC)) == LEADS + 1
    jobs = int(await database.value(LEFT))

    async def states() -> set[tuple[Any, ...]]:
        return {tuple(row) for row in await database.rows(FOUND, NOW, first.rank)}

    brief = {"JOB_LEASE_SECONDS": "1"}
    workers = [start("worker", **brief) for _ in range(2)]
    for number in range(KILLS):

        async def halfway(most: int = jobs - jobs * (number + 1) // (KILLS + 2)) -> bool:
            return int(await database.value(LEFT)) <= most

        await until(halfway)
        workers.pop(chance.randrange(2)).kill()
        assert await database.value(LEFT), "it was killed in the middle of it"
        assert len(await states() - {OLD}) == 1
        workers.append(start("worker", **brief))

    async def done() -> bool:
        return not await database.value(LEFT)

    await until(done)
    [new] = await states()
    assert (new[0], new[-1]) == (0, False)
    told = {tuple(row) for row in await database.rows(TOLD) if row["events"] > 1}
    assert told == {(True, LEADS, LEADS)}, "each is told of once"
    assert not await database.value("SELECT count(*) FROM job WHERE failed_at IS NOT NULL")
