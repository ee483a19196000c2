"""What members who have left had still to do: it goes to somebody who can do it, or to nobody, for all to find."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import next_steps, policy, reminded_people
from domain.actors import Actor, system
from domain.events import record
from domain.policy import Action
from domain.reminded_people import About, Asked, People
from domain.transfers import UserFollowUpsHandedOver
from models.companies import Company
from models.contacts import Contact
from models.database import connected, transaction
from models.leads import Lead

# Nobody lets them in again until the transaction ends.
GONE = """
SELECT user_id FROM membership WHERE workspace_id = $1 AND user_id = ANY($2) AND (NOT active OR role = 'VIEWER')
ORDER BY user_id FOR SHARE
"""
# What is on their open leads goes with these.
HELD = """
SELECT f.id, f.lead_id, f.company_id, l.owner_id AS lead_owner_id,
       coalesce(l.owner_id, c.owner_id, p.owner_id) AS subject_owner_id
FROM follow_up f
LEFT JOIN lead l ON l.id = f.lead_id
LEFT JOIN company c ON c.id = f.company_id
LEFT JOIN contact p ON p.id = f.contact_id
WHERE f.workspace_id = $1 AND f.owner_id = $2 AND f.status = 'OPEN'
  AND (l.id IS NULL OR l.owner_id IS DISTINCT FROM $2 OR l.status <> 'OPEN')
ORDER BY f.id
"""


async def give(workspace_id: UUID, user_ids: Sequence[UUID], *, now: datetime) -> None:
    """Give the open follow-ups of those of these users to others who are members no more, or viewers.

    Each goes to whoever owns what it is for, else to the nearest manager, else to nobody: to people who may see it.
    Asked again, it finds none.
    """
    async with transaction():
        for row in await connected().fetch(GONE, [workspace_id, list(user_ids)]):
            await _give(system(workspace_id, task="give_follow_ups"), UUID(int=row["user_id"].int), now=now)


async def _give(actor: Actor, former: UUID, *, now: datetime) -> None:
    rows = await connected().fetch(HELD, [actor.workspace_id, former])
    if not rows:
        return
    found = await reminded_people.people([one for row in rows for one in _asked(actor, former, row)], now=now)
    by_heir: dict[UUID | None, list[Any]] = defaultdict(list)
    for row in rows:
        by_heir[_heir(found, *_asked(actor, former, row))].append(row)
    for heir, theirs in by_heir.items():
        if count := await next_steps.give_these(actor.workspace_id, former, theirs, heir):
            facts = {"to_user_id": heir, "count": count}
            await record(UserFollowUpsHandedOver(actor, former, facts), now=now)


def _asked(actor: Actor, former: UUID, row: Any) -> tuple[Asked, Asked]:
    noun = Lead if row["lead_id"] else Company if row["company_id"] else Contact
    about = About(noun, row["lead_owner_id"])
    owner = Asked(actor.workspace_id, row["subject_owner_id"], about)
    return owner, Asked(actor.workspace_id, former, about, managers=True)


def _heir(found: People, owner: Asked, above: Asked) -> UUID | None:
    there = found.actors.get((owner.workspace_id, owner.owner_id)) if owner.owner_id else None
    if (
        there is not None
        and policy.may_own(there, Action.UPDATE_FOLLOW_UP)
        and reminded_people.sees(there, owner.about)
    ):
        return there.user_id
    return next(iter(found.of(above)), None)
