"""Rows for tests: one small async function a noun, each with believable defaults and a workspace of its own.

A test says only what it is about: `admin = await member()`, `rep = await member(Role.REP, of=admin)`.
"""

from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

from domain import policy
from domain.actors import ALL, Actor, ActorKind, Scope
from models.teams import Team
from models.users import Membership, Role, User, Visibility
from models.workspaces import Workspace

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_number = count(1)


async def workspace(*, name: str = "Acme", base_currency: str = "EUR", **columns: Any) -> Workspace:
    """Make an empty workspace: no pipeline, no catalog, no members."""
    return await Workspace.create(
        name=name, base_currency=base_currency, created_at=NOW, updated_at=NOW, **columns
    )


async def user(*, name: str | None = None, email: str | None = None, **columns: Any) -> User:
    """Make a person with an address nobody else has, and no password."""
    number = next(_number)
    email = email or f"person{number}.{NOW:%y}@example.com"
    return await User.create(
        name=name or f"Person {number}",
        email=email,
        email_normalised=email.lower(),
        created_at=NOW,
        updated_at=NOW,
        **columns,
    )


async def team(of: Workspace | Actor, *, name: str = "Team", parent: Team | None = None) -> Team:
    """Make a team of a workspace, within `parent` where one is given."""
    return await Team.create(
        workspace_id=workspace_id(of), name=name, parent=parent, created_at=NOW, updated_at=NOW
    )


async def member(
    role: Role = Role.ADMIN,
    *,
    of: Workspace | Actor | None = None,
    person: User | None = None,
    team: Team | None = None,
    active: bool = True,
    name: str | None = None,
) -> Actor:
    """Make a member of a workspace (a new one unless `of` says which) and return the actor they are.

    What the actor sees follows from the role, as at sign-in; `again` returns it after a change of teams.
    """
    person = person or await user(name=name)
    home = workspace_id(of) if of else (await workspace()).id
    await Membership.create(
        workspace_id=home, user_id=person.id, role=role, team=team, active=active, created_at=NOW
    )
    return await again(Actor(ActorKind.USER, home, user_id=person.id))


async def again(actor: Actor) -> Actor:
    """Return the actor as it is now, after changes of role, team or visibility."""
    assert actor.user_id
    membership = await Membership.get(workspace_id=actor.workspace_id, user_id=actor.user_id)
    home = await Workspace.get(id=actor.workspace_id)
    seen = Visibility(home.role_visibility.get(membership.role) or policy.DEFAULT_VISIBILITY[membership.role])
    if seen is Visibility.ALL:
        rows = ALL
    elif seen is Visibility.TEAM and membership.team_id:
        rows = Scope(frozenset(await _team_members(membership.team_id)) | {actor.user_id})
    else:
        rows = Scope(frozenset({actor.user_id}))
    return Actor(ActorKind.USER, home.id, user_id=actor.user_id, role=membership.role, rows=rows)


async def _team_members(team_id: UUID) -> list[UUID]:
    members = [membership.user_id for membership in await Membership.filter(team_id=team_id)]
    for child in await Team.filter(parent_id=team_id):
        members += await _team_members(child.id)
    return members


def workspace_id(of: Workspace | Actor) -> UUID:
    """Return the workspace's id, whichever of the two is at hand."""
    return of.id if isinstance(of, Workspace) else of.workspace_id
