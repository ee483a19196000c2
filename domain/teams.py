"""Teams with sub-teams, and whose leads a member sees because of them."""

from collections import OrderedDict
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection

from domain import edits, inputs, policy
from domain.actors import ALL, Actor, Scope
from domain.errors import DomainError, Faults
from domain.events import Event, record
from domain.policy import Action
from domain.unset import UNSET, Unset, given
from models.database import transaction
from models.teams import Team
from models.users import Membership, Role, Visibility

REMEMBERED = 20_000
UNIQUE = {"team_pkey": "id", "team_sibling_idx": "name"}


class TeamCreated(Event):
    name = "team.created"


class TeamUpdated(Event):
    name = "team.updated"


class TeamDeleted(Event):
    name = "team.deleted"


class TeamCycle(DomainError):
    """A team cannot be within itself or within one of its own sub-teams."""


class TeamNotEmpty(DomainError):
    """The team is not empty (members: {members}, sub-teams: {teams}): move them to another team first."""


async def create(
    actor: Actor, *, name: str, parent_id: UUID | None = None, id: UUID | None = None, now: datetime
) -> Team:
    """Create a team, within another one where `parent_id` says so.

    Raises Forbidden, NotFound, AlreadyExists (id, name within the same team).
    """
    policy.require(actor, Action.MANAGE_TEAMS)
    faults = Faults()
    key = edits.new_id(faults, id)
    columns: dict[str, Any] = {"name": inputs.name(faults, name, field="name"), "parent_id": parent_id}
    with edits.collisions("team", UNIQUE):
        async with transaction():
            await memberships_change(actor.workspace_id)
            await edits.referred(faults, actor, Team, parent_id, field="parentId")
            faults.raise_any()
            row = await Team.create(id=key, workspace_id=actor.workspace_id, created_at=now, updated_at=now, **columns)
            await record(TeamCreated(actor, row.id, edits.facts(row, columns)), now=now)
    return row


async def update(
    actor: Actor,
    team_id: UUID,
    *,
    name: str | Unset = UNSET,
    parent_id: UUID | Unset | None = UNSET,
    expected_version: int | None = None,
    now: datetime,
) -> Team:
    """Rename a team or move it with its sub-teams.

    Raises Forbidden, NotFound, Stale, TeamCycle, AlreadyExists (name within the same team).
    """
    policy.require(actor, Action.MANAGE_TEAMS)
    with edits.collisions("team", UNIQUE):
        async with transaction():
            await lock_members(actor.workspace_id)
            row = await policy.locked(actor, Team, team_id, expected_version=expected_version, field="id")
            faults = Faults()
            columns = given(name=name, parent_id=parent_id)
            if name is not UNSET:
                columns["name"] = inputs.name(faults, name, field="name")
            if isinstance(parent_id, UUID):
                parent = await edits.referred(faults, actor, Team, parent_id, field="parentId")
                if parent and row.id in await ancestors(parent.id):
                    faults.add(TeamCycle(field="parentId"))
            faults.raise_any()
            if changed := await edits.apply(row, columns, now=now):
                if "parent_id" in changed:
                    await memberships_change(actor.workspace_id)
                await record(TeamUpdated(actor, row.id, {"changes": changed, "version": row.version}), now=now)
    return row


async def delete(actor: Actor, team_id: UUID, *, expected_version: int | None = None, now: datetime) -> Team:
    """Delete a team that has neither members nor sub-teams.

    Raises Forbidden, NotFound, Stale, TeamNotEmpty.
    """
    policy.require(actor, Action.MANAGE_TEAMS)
    async with transaction():
        await memberships_change(actor.workspace_id)
        row = await policy.locked(actor, Team, team_id, expected_version=expected_version, field="id")
        members = await Membership.filter(team_id=row.id).count()
        teams = await Team.filter(parent_id=row.id, deleted_at=None).count()
        if members or teams:
            raise TeamNotEmpty(members=members, teams=teams, field="id")
        await edits.apply(row, {"deleted_at": now}, now=now)
        await record(TeamDeleted(actor, row.id, {"version": row.version}), now=now)
    return row


async def lock_members(workspace_id: UUID) -> None:
    """Let one operation at a time change a workspace's members and teams, until its transaction ends."""
    await get_connection("default").execute_query(
        "SELECT 1 FROM workspace WHERE id = $1 FOR NO KEY UPDATE", [workspace_id]
    )


async def memberships_change(workspace_id: UUID) -> None:
    """Lock as `lock_members` does, and make every process forget whose leads are seen by whom."""
    await get_connection("default").execute_query(
        "UPDATE workspace SET memberships_version = memberships_version + 1 WHERE id = $1", [workspace_id]
    )


ANCESTORS = """
WITH RECURSIVE above(id, parent_id) AS (
    SELECT id, parent_id FROM team WHERE id = $1
    UNION SELECT team.id, team.parent_id FROM team JOIN above ON team.id = above.parent_id
) SELECT id FROM above
"""


async def ancestors(team_id: UUID) -> list[UUID]:
    """Return the team and every team that it is within."""
    return [row["id"] for row in await get_connection("default").execute_query_dict(ANCESTORS, [team_id])]


# What a version of the memberships says never changes, so nothing here is ever stale.
_above: OrderedDict[tuple[UUID, int], frozenset[UUID]] = OrderedDict()


async def teams_of(team_id: UUID | None, *, version: int) -> frozenset[UUID]:
    """Return a member's team and every team that it is within, read once per version of the memberships."""
    if team_id is None:
        return frozenset()
    key = (team_id, version)
    if key not in _above:
        _above[key] = frozenset(await ancestors(team_id))
        if len(_above) > REMEMBERED:
            _above.popitem(last=False)
    return _above[key]


MEMBERS = """
WITH RECURSIVE below(id) AS (
    SELECT id FROM team WHERE id = $1
    UNION SELECT team.id FROM team JOIN below ON team.parent_id = below.id
) SELECT user_id FROM membership WHERE workspace_id = $2 AND team_id IN (SELECT id FROM below)
"""

_owners: OrderedDict[tuple[UUID, UUID, UUID, int], Scope] = OrderedDict()


async def rows_of(
    workspace_id: UUID,
    user_id: UUID,
    *,
    role: Role,
    team_id: UUID | None,
    visibility: str | None,
    version: int,
) -> Scope:
    """Return whose leads exist for a member: everybody's, their own, or their team's and its sub-teams'.

    `visibility` is what the workspace has set for the role, if anything. A team's owners are read once per
    `version` of the memberships, never within a transaction that changes them.
    """
    seen = Visibility(visibility) if visibility else policy.DEFAULT_VISIBILITY[role]
    if seen is Visibility.ALL:
        return ALL
    if seen is Visibility.OWN or team_id is None:
        return Scope(frozenset({user_id}))
    key = (workspace_id, user_id, team_id, version)
    if key in _owners:
        _owners.move_to_end(key)
        return _owners[key]
    rows = await get_connection("default").execute_query_dict(MEMBERS, [team_id, workspace_id])
    _owners[key] = Scope(frozenset({user_id, *(row["user_id"] for row in rows)}))
    if len(_owners) > REMEMBERED:
        _owners.popitem(last=False)
    return _owners[key]
