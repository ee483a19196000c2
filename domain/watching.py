"""Watching: who is told of what happens to a lead, whoever owns it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from domain import policy
from domain.actors import Actor
from domain.errors import DomainError, Forbidden
from domain.events import Event, record
from domain.policy import Action
from models.base import uuid7
from models.conversations import LeadWatcher
from models.database import read, transaction
from models.leads import Lead
from models.postgres import connected

MOST_WATCHERS = 500

ADD = f"""
INSERT INTO lead_watcher (id, workspace_id, lead_id, user_id, created_at)
SELECT new.id, $1, $2, new.user_id, $3 FROM unnest($4::uuid[], $5::uuid[]) WITH ORDINALITY AS new(id, user_id, place)
WHERE NOT EXISTS (SELECT FROM lead_watcher known WHERE known.lead_id = $2 AND known.user_id = new.user_id)
ORDER BY place
LIMIT greatest(0, {MOST_WATCHERS} - (SELECT count(*) FROM lead_watcher WHERE lead_id = $2))
RETURNING user_id
"""


class LeadWatched(Event):
    name = "lead.watched"


class LeadUnwatched(Event):
    name = "lead.unwatched"


class TooManyWatchers(DomainError):
    """A lead has at most {limit} watchers."""


async def watch(actor: Actor, lead_id: UUID, *, now: datetime) -> Lead:
    """Tell the actor of what happens to a lead; who watches it already goes on. Raises NotFound, TooManyWatchers."""
    async with transaction():
        lead, user_id = await _locked(actor, lead_id)
        if not await LeadWatcher.exists(lead_id=lead.id, user_id=user_id):
            if not await add(lead, [user_id], now=now):
                raise TooManyWatchers(limit=MOST_WATCHERS, field="leadId")
            await record(LeadWatched(actor, lead.id, {"user_id": user_id}), now=now)
    return lead


async def unwatch(actor: Actor, lead_id: UUID, *, now: datetime) -> Lead:
    """Tell the actor no more of a lead; who does not watch it goes on not to. Raises NotFound."""
    async with transaction():
        lead, user_id = await _locked(actor, lead_id)
        if await LeadWatcher.filter(lead_id=lead.id, user_id=user_id).delete():
            await record(LeadUnwatched(actor, lead.id, {"user_id": user_id}), now=now)
    return lead


async def add(lead: Lead, user_ids: Iterable[UUID], *, now: datetime) -> list[UUID]:
    """Let people watch a locked lead, as many as it may have, and return those who are new to it."""
    wanted = list(dict.fromkeys(user_ids))
    if not wanted:
        return []
    keys = [uuid7() for _ in wanted]
    return [row["user_id"] for row in await connected().fetch(ADD, [lead.workspace_id, lead.id, now, keys, wanted])]


async def watched(actor: Actor, lead_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Return those of the leads that the actor watches."""
    sql = "SELECT lead_id FROM lead_watcher WHERE user_id = $1 AND lead_id = ANY($2)"
    return frozenset(row["lead_id"] for row in await read(sql, actor.user_id, list(lead_ids)))


async def _locked(actor: Actor, lead_id: UUID) -> tuple[Lead, UUID]:
    lead = await policy.locked(actor, Lead, lead_id, field="leadId")
    policy.require(actor, Action.WATCH_LEAD, lead)
    if actor.user_id is None:
        raise Forbidden(action="only members watch leads")
    return lead, actor.user_id
