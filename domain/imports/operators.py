"""Who imports: a member of a workspace, or whoever runs the server."""

from uuid import UUID

from domain import inputs, teams
from domain.actors import Actor, ActorKind, system
from domain.errors import DomainError
from models.imports import Import
from models.users import Membership
from models.workspaces import Workspace


class WorkspaceUnclear(DomainError):
    """Say which workspace by its name or id; there are {known}."""


class NoSuchMember(DomainError):
    """There is no active member of {workspace} with the address {email}."""


class ImporterLeft(DomainError):
    """Whoever started this import is no active member of the workspace any more."""


async def operator(workspace: str | None, email: str | None) -> Actor:
    """Return the member with this address in the workspace of this name or id, else the system there.

    A sole workspace need not be named. Raises WorkspaceUnclear, NoSuchMember.
    """
    home = await _workspace(workspace)
    if email is None:
        return system(home.id, task="import")
    place = await Membership.get_or_none(
        workspace_id=home.id, active=True, user__email_normalised=inputs.normalised_email(email)
    )
    if place is None:
        raise NoSuchMember(workspace=home.name, email=email)
    return await _member(home, place)


async def importer_of(row: Import) -> Actor:
    """Return who started an import, as they are now. Raises ImporterLeft."""
    if row.user_id is None:
        return system(row.workspace_id, task="import")
    place = await Membership.get_or_none(workspace_id=row.workspace_id, user_id=row.user_id, active=True)
    if place is None:
        raise ImporterLeft()
    return await _member(await Workspace.get(id=row.workspace_id), place)


async def _member(home: Workspace, place: Membership) -> Actor:
    rows = await teams.rows_of(
        home.id,
        place.user_id,
        role=place.role,
        team_id=place.team_id,
        visibility=home.role_visibility.get(place.role),
        version=home.memberships_version,
    )
    above = await teams.teams_of(place.team_id, version=home.memberships_version)
    return Actor(ActorKind.USER, home.id, user_id=place.user_id, role=place.role, rows=rows, teams=above)


async def _workspace(wanted: str | None) -> Workspace:
    known = await Workspace.all().order_by("created_at", "id").limit(50)
    if wanted is None and len(known) == 1:
        return known[0]
    try:
        named = await Workspace.filter(id=UUID(wanted or ""))
    except ValueError:
        named = await Workspace.filter(name=wanted or "")
    if len(named) != 1:
        raise WorkspaceUnclear(known=", ".join(f"{row.name} ({row.id})" for row in known) or "none: sign up first")
    return named[0]
