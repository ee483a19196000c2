"""Leads scored anew by the models in use of their workspace, many at once, each with its reasons."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from tortoise.connection import get_connection

from domain import leads
from domain.actors import system
from domain.events import changes, record
from domain.scoring import assessing, extraction, in_use
from domain.scoring.assessing import Assessed
from domain.scoring.in_use import InUse
from domain.scoring.scheduling import TASK, LeadScored
from models.database import read, transaction
from models.leads import Lead, LeadStatus

TAGS = "SELECT lead_id, array_agg(tag_id) AS tag_ids FROM lead_tag WHERE lead_id = ANY($1::uuid[]) GROUP BY lead_id"
WRITE = """
UPDATE lead SET score = new.score, grade = new.grade, engagement = new.engagement,
                win_probability = new.win_probability, score_factors = new.factors, scored_at = $1
FROM unnest($2::uuid[], $3::int[], $4::text[], $5::int[], $6::numeric[], $7::jsonb[])
     AS new(id, score, grade, engagement, win_probability, factors)
WHERE lead.id = new.id
"""
TOLD = ("score", "grade", "engagement")
WRITTEN = (*TOLD, "win_probability")


async def rescore(workspace_id: UUID, lead_ids: Iterable[UUID], *, now: datetime, bulk: bool = False) -> int:
    """Score open leads anew and record `lead.scored` where score, grade or engagement changed; return for how many.

    A lead whose score and reasons stay as they are keeps its row untouched.
    The leads stay locked until the running transaction ends, or this one where none runs. No version rises.
    """
    async with transaction():
        locked = await (
            Lead.filter(
                workspace_id=workspace_id, id__in=list(lead_ids), status=LeadStatus.OPEN, deleted_at__isnull=True
            )
            .order_by("id")
            .select_for_update(no_key=True)
        )
        if not locked:
            return 0
        # Read after the locks, so that what another transaction has just committed is seen.
        models = await in_use.models(workspace_id)
        found = await assess(workspace_id, [lead.id for lead in locked], models, now=now)
        news = [(lead, found[lead.id]) for lead in locked if _differs(lead, found[lead.id])]
        if not news:
            return 0
        await _write(news, now=now)
        told = [(lead, new) for lead, new in news if any(getattr(lead, name) != getattr(new, name) for name in TOLD)]
        tagged = {row["lead_id"]: row["tag_ids"] for row in await read(TAGS, [lead.id for lead, _ in told])}
        await record(*(_event(lead, new, tagged.get(lead.id, ()), bulk=bulk) for lead, new in told), now=now)
        return len(told)


async def assess(workspace_id: UUID, lead_ids: Sequence[UUID], models: InUse, *, now: datetime) -> dict[UUID, Assessed]:
    """Return what models say of leads as they stand. What is computed is kept off the event loop."""
    known = await extraction.as_now(workspace_id, lead_ids, wanted=models.rules.wanted, now=now)
    assessed = await asyncio.to_thread(assessing.by_rules, models.rules, known)
    if (learned := models.learned) is not None:
        known = await extraction.as_now(workspace_id, lead_ids, wanted=learned.wanted, within=learned.age, now=now)
        assessed = await asyncio.to_thread(assessing.by_learning, learned, known, assessed)
    return dict(zip(known.ids, assessed, strict=True))


def _differs(lead: Lead, new: Assessed) -> bool:
    return lead.score_factors != new.factors or any(getattr(lead, name) != getattr(new, name) for name in WRITTEN)


async def _write(news: Sequence[tuple[Lead, Assessed]], *, now: datetime) -> None:
    rows = [
        (lead.id, new.score, new.grade.value, new.engagement, new.win_probability, new.factors_json())
        for lead, new in news
    ]
    await get_connection("default").execute_query(WRITE, [now, *map(list, zip(*rows, strict=True))])


def _event(lead: Lead, new: Assessed, tag_ids: Sequence[UUID], *, bulk: bool) -> LeadScored:
    before = leads.live_columns(lead, tag_ids)
    changed = changes(*({name: getattr(one, name) for name in WRITTEN} for one in (lead, new)))
    lead.score = new.score
    data = leads.facts(before, lead, tag_ids, changed)
    return LeadScored(system(lead.workspace_id, task=TASK), lead.id, data | ({"bulk": True} if bulk else {}))
