"""Leads that go from one member to another together: somebody is away, or leaves."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain import leads, next_steps, policy
from domain.actors import ALL, Actor
from domain.errors import DomainError, Forbidden
from domain.events import Event, record
from domain.policy import Action
from models.database import in_one_go, read, transaction
from models.leads import Lead, LeadStatus

OPEN_LEADS = """
SELECT id FROM lead WHERE workspace_id = $1 AND owner_id = $2 AND status = 'OPEN' AND deleted_at IS NULL
"""


class UserFollowUpsHandedOver(Event):
    name = "user.follow_ups_handed_over"


class OpenLeads(DomainError):
    """They own open leads ({count}): say with transferLeadsToId to whom these go."""


class SameOwner(DomainError):
    """The leads are theirs already: name somebody else."""


async def count(workspace_id: UUID, user_id: UUID) -> int:
    """Return how many open leads somebody owns."""
    [row] = await read(f"SELECT count(*) AS leads FROM ({OPEN_LEADS}) owned", workspace_id, user_id)
    return int(row["leads"])


def require(actor: Actor, from_user_id: UUID) -> None:
    """Raise Forbidden unless the actor may say when somebody is away and who gets what they own.

    Everybody may of themselves, admins of all, managers of those whose leads they see.
    """
    if from_user_id == actor.user_id and (actor.scopes is None or policy.may_own(actor, Action.UPDATE_LEAD)):
        return
    if not policy.may(actor, Action.MANAGE_USERS):
        policy.require(actor, Action.SET_ABSENCE)
        if not actor.rows.includes(from_user_id):
            raise Forbidden(action=f"{Action.SET_ABSENCE.words}, except those whose leads you see")


@in_one_go
async def transfer(actor: Actor, lead_id: UUID, *, from_user_id: UUID, to_user_id: UUID, now: datetime) -> Lead:
    """Give an open lead of a member to another one, whether or not the actor sees it.

    One that is no longer theirs, or no longer open, stays as it is. Raises Forbidden, NotFound.
    """
    require(actor, from_user_id)
    async with transaction():
        lead = await policy.locked(replace(actor, rows=ALL, scopes=None), Lead, lead_id)
        if lead.owner_id == from_user_id and lead.status is LeadStatus.OPEN:
            more = {"transferred_from": from_user_id}
            await leads.change(leads.LeadAssigned, actor, lead, {"owner_id": to_user_id}, now=now, more=more)
    return lead


async def give_follow_ups(actor: Actor, from_user_id: UUID, to: Actor, *, now: datetime) -> None:
    """Give a member's open follow-ups to another one, but for those on what that one does not see.

    Those on the member's open leads go with these.
    """
    async with transaction():
        assert to.user_id
        count = await next_steps.give(actor.workspace_id, from_user_id, to.user_id, seen=to.rows.owners)
        if count:
            facts = {"to_user_id": to.user_id, "count": count}
            await record(UserFollowUpsHandedOver(actor, from_user_id, facts), now=now)
