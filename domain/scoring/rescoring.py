"""Leads scored anew by the models in use of their workspace, many at once, each with its reasons."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from domain.actors import system
from domain.events import dump
from domain.leads import LIVE_COLUMNS
from domain.scoring import assessing, extraction, in_use
from domain.scoring.assessing import Assessed
from domain.scoring.in_use import InUse
from domain.scoring.scheduling import SCORED, TASK, LeadScored
from models.base import uuid7
from models.database import connected, mark_dirty, transaction

LOCK = f"""
SELECT id FROM lead WHERE workspace_id = $1 AND id = ANY($2::uuid[]) AND {SCORED} ORDER BY id FOR NO KEY UPDATE
"""
TOLD = ("score", "grade", "engagement")


def _change(name: str, told: str = "{}") -> str:
    """Return what an event says of a column where it differs, as a part of a JSON object."""
    was, becomes = (told.format(f"{row}.{name}") for row in ("lead", "new"))
    return f"'{name}', CASE WHEN lead.{name} IS DISTINCT FROM new.{name} THEN jsonb_build_array({was}, {becomes}) END"


CHANGES = ", ".join([*map(_change, TOLD), _change("win_probability", "trim_scale({})::text")])
# Rows and events as one statement sees them, which is before any of it is written: what differs, and what is told of.
WRITE = f"""
WITH given AS (
    SELECT id, score, grade, engagement, win_probability::numeric(5, 4) AS win_probability, factors, event_id
    FROM unnest($2::uuid[], $3::int[], $4::text[], $5::int[], $6::float8[], $7::jsonb[], $8::uuid[])
         AS given(id, score, grade, engagement, win_probability, factors, event_id)
), written AS (
    UPDATE lead SET score = new.score, grade = new.grade, engagement = new.engagement,
                    win_probability = new.win_probability, score_factors = new.factors, scored_at = $1
    FROM given AS new
    WHERE lead.id = new.id
      AND (lead.score, lead.grade, lead.engagement, lead.win_probability, lead.score_factors)
          IS DISTINCT FROM (new.score, new.grade, new.engagement, new.win_probability, new.factors)
), told AS (
    INSERT INTO event (id, workspace_id, name, subject_type, subject_id, actor, data, occurred_at)
    SELECT new.event_id, lead.workspace_id, '{LeadScored.name}', 'lead', lead.id, $9::jsonb,
           $10::jsonb || jsonb_build_object(
               'version', lead.version, 'before', stood.was,
               'after', stood.was || jsonb_build_object('score', new.score),
               'changes', jsonb_strip_nulls(jsonb_build_object({CHANGES}))
           ),
           greatest($1, (SELECT last.occurred_at FROM event AS last
                         WHERE last.workspace_id = lead.workspace_id AND last.subject_type = 'lead'
                           AND last.subject_id = lead.id ORDER BY last.seq DESC LIMIT 1))
    FROM given AS new JOIN lead ON lead.id = new.id CROSS JOIN LATERAL (SELECT {LIVE_COLUMNS} AS was OFFSET 0) AS stood
    WHERE ({", ".join(f"lead.{name}" for name in TOLD)}) IS DISTINCT FROM ({", ".join(f"new.{name}" for name in TOLD)})
    ORDER BY new.id
    RETURNING 1
)
SELECT count(*) AS told FROM told
"""


async def rescore(workspace_id: UUID, lead_ids: Iterable[UUID], *, now: datetime, bulk: bool = False) -> int:
    """Score open leads anew and record `lead.scored` where score, grade or engagement changed; return for how many.

    A lead whose score and reasons stay as they are keeps its row untouched.
    The leads stay locked until the running transaction ends, or this one where none runs. No version rises.
    """
    async with transaction():
        if bulk:
            # A crash of PostgreSQL loses what was written last with the end of its job, which is run again.
            await connected().execute_query("SET LOCAL synchronous_commit = off")
        locked = [row["id"] for row in await connected().fetch(LOCK, [workspace_id, list(lead_ids)])]
        if not locked:
            return 0
        # Read after the locks, so that what another transaction has just committed is seen.
        models = await in_use.models(workspace_id)
        found = await assess(workspace_id, locked, models, now=now)
        actor = dump(system(workspace_id, task=TASK).facts())
        values = [now, *_columns(found), actor, dump({"bulk": True} if bulk else {})]
        [written] = await connected().fetch(WRITE, values)
        if written["told"]:
            mark_dirty()
        return int(written["told"])


async def assess(
    workspace_id: UUID, lead_ids: Sequence[UUID], models: InUse, *, now: datetime
) -> list[tuple[UUID, Assessed]]:
    """Return what models say of leads as they stand. What is computed is kept off the event loop."""
    known = await extraction.as_now(workspace_id, lead_ids, wanted=models.rules.wanted, now=now)
    assessed = await asyncio.to_thread(assessing.by_rules, models.rules, known)
    if (learned := models.learned) is not None:
        known = await extraction.as_now(workspace_id, lead_ids, wanted=learned.wanted, within=learned.age, now=now)
        assessed = await asyncio.to_thread(assessing.by_learning, learned, known, assessed)
    return list(zip(known.ids, assessed, strict=True))


def _columns(found: Sequence[tuple[UUID, Assessed]]) -> list[list[object]]:
    rows = [
        (key, new.score, new.grade.value, new.engagement, new.win_probability, new.factors_json, uuid7())
        for key, new in found
    ]
    return list(map(list, zip(*rows, strict=True)))
