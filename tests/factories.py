"""Rows for tests: one small async function a noun, each with believable defaults and a workspace of its own.

A test says only what it is about: `admin = await member()`, `rep = await member(Role.REP, of=admin)`.
"""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

from tortoise.connection import get_connection

from domain import captures, custom_fields, files, passwords, pipelines, sessions, teams
from domain.actors import Actor, ActorKind
from domain.captures import Capture
from domain.custom_fields import CustomFieldDetails
from domain.leads import LeadDetails
from domain.pipelines import Template
from domain.sessions import SignedIn
from models.base import uuid7
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType
from models.database import transaction
from models.events import Event
from models.files import File, FileChunk, UploadPurpose
from models.leads import Lead, LeadStatus
from models.pipelines import Pipeline
from models.stages import Stage, StageKind
from models.teams import Team
from models.users import Membership, Role, User
from models.workspaces import Workspace

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "seven red bicycles"
_number = count(1)


async def workspace(*, name: str = "Acme", base_currency: str = "EUR", **columns: Any) -> Workspace:
    """Make an empty workspace: no pipeline, no catalog, no members."""
    return await Workspace.create(name=name, base_currency=base_currency, created_at=NOW, updated_at=NOW, **columns)


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


async def team(of: Workspace | Actor, *, name: str | None = None, parent: Team | None = None) -> Team:
    """Make a team of a workspace with a name nobody else has, within `parent` where one is given."""
    name = name or f"Team {next(_number)}"
    return await Team.create(workspace_id=workspace_id(of), name=name, parent=parent, created_at=NOW, updated_at=NOW)


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
    await teams.memberships_change(home)
    await Membership.create(workspace_id=home, user_id=person.id, role=role, team=team, active=active, created_at=NOW)
    return await again(Actor(ActorKind.USER, home, user_id=person.id))


async def again(actor: Actor) -> Actor:
    """Return the actor as it is now, after changes of role, team or visibility."""
    assert actor.user_id
    membership = await Membership.get(workspace_id=actor.workspace_id, user_id=actor.user_id)
    home = await Workspace.get(id=actor.workspace_id)
    rows = await teams.rows_of(
        home.id,
        actor.user_id,
        role=membership.role,
        team_id=membership.team_id,
        visibility=home.role_visibility.get(membership.role),
        version=home.memberships_version,
    )
    above = await teams.teams_of(membership.team_id, version=home.memberships_version)
    return Actor(ActorKind.USER, home.id, user_id=actor.user_id, role=membership.role, rows=rows, teams=above)


def workspace_id(of: Workspace | Actor) -> UUID:
    """Return the workspace's id, whichever of the two is at hand."""
    return of.id if isinstance(of, Workspace) else of.workspace_id


async def partner(*scopes: str, of: Workspace | Actor, role: Role = Role.QUALIFIER) -> Actor:
    """Make a partner system's service user and return it acting through an API key with these scopes."""
    service = await User.create(name=f"Partner {next(_number)}", is_service=True, created_at=NOW, updated_at=NOW)
    actor = await member(role, of=of, person=service)
    return replace(actor, kind=ActorKind.API_KEY, scopes=frozenset(scopes), key_id=uuid7())


async def password_of(actor: Actor) -> str:
    """Give a member a password and return it."""
    await User.filter(id=actor.user_id).update(password_hash=await passwords.hashed(PASSWORD))
    return PASSWORD


async def session(actor: Actor, *, now: datetime = NOW) -> SignedIn:
    """Sign a member in at `now`, without a password."""
    membership = await Membership.get(workspace_id=actor.workspace_id, user_id=actor.user_id)
    async with transaction():
        return await sessions.start(membership, user_agent=None, now=now)


async def bearer(actor: Actor) -> str:
    """Return the value of an Authorization header for a member, valid now, for tests over HTTP."""
    return f"Bearer {(await session(actor, now=datetime.now(UTC))).access_token}"


async def seller(role: Role = Role.ADMIN, *, of: Actor | None = None) -> Actor:
    """Make a member of a workspace that has the default pipeline; an admin of a new one unless `of` says which."""
    actor = await member(role, of=of)
    if of is None:
        await pipelines.create_default(actor, now=NOW)
    return actor


async def lead(actor: Actor, *, title: str = "Solar roof", now: datetime = NOW, **details: Any) -> Lead:
    """Capture a lead as the actor would."""
    return await captures.capture(actor, Capture(details=LeadDetails(title=title, **details)), now=now)


async def custom_field(
    actor: Actor,
    key: str,
    kind: CustomFieldType = CustomFieldType.TEXT,
    *,
    owner: CustomFieldOwner = CustomFieldOwner.LEAD,
    label: str | None = None,
    **details: Any,
) -> CustomField:
    """Add a custom field, to leads unless `owner` says otherwise."""
    given = CustomFieldDetails(key=key, label=label or key.capitalize() or "Field", type=kind, **details)
    return await custom_fields.create(actor, owner, given, now=NOW)


async def stage(actor: Actor, kind: StageKind) -> Stage:
    """Return the first stage of a kind in the actor's default pipeline."""
    stages = Stage.filter(workspace_id=actor.workspace_id, pipeline__is_default=True, kind=kind, archived_at=None)
    found = await stages.order_by("position").first()
    assert found
    return found


async def pipeline(actor: Actor, *, name: str = "Sales", template: Template = Template.B2B) -> Pipeline:
    """Make another pipeline from a template; the first of a workspace is its default."""
    return await pipelines.create(actor, name=name, template=template, now=NOW)


async def lead_in(stage: Stage, *, status: LeadStatus = LeadStatus.OPEN, deleted: bool = False, **columns: Any) -> Lead:
    """Put a lead as a bare row into a stage, whatever the rules say, for tests of what stands around it."""
    number = next(_number)
    defaults: dict[str, Any] = {
        "title": f"Lead {number}",
        "rank": f"{number:08x}8",
        "currency": "EUR",
        "probability": stage.probability,
        "stage_entered_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
        "deleted_at": NOW if deleted else None,
    }
    return await Lead.create(
        workspace_id=stage.workspace_id,
        pipeline_id=stage.pipeline_id,
        stage_id=stage.id,
        status=status,
        **(defaults | columns),
    )


async def upload(
    actor: Actor,
    content: bytes = b"A note.\n",
    *,
    name: str = "note.txt",
    content_type: str = "text/plain",
    purpose: UploadPurpose = UploadPurpose.ATTACHMENT,
    now: datetime = NOW,
) -> File:
    """Make an upload of the actor's whose bytes have come."""
    announced = await files.create_upload(
        actor, name=name, size=len(content), content_type=content_type, purpose=purpose, now=now
    )
    attempt = await files.begin(announced, now=now)
    attempt.size = len(content)
    await FileChunk.create(file_id=attempt.id, number=0, data=content)
    sha256 = hashlib.sha256(content).hexdigest()
    await files.complete(announced.id, attempt, received=len(content), sha256=sha256, head=content[:8192], now=now)
    return await File.get(id=announced.id)


async def events(subject_id: UUID | None) -> list[Event]:
    """Return what was recorded about a row, in the order in which it was recorded."""
    rows = await get_connection("default").execute_query_dict(
        "SELECT id FROM event WHERE subject_id = $1 ORDER BY seq", [subject_id]
    )
    found = await Event.in_bulk([row["id"] for row in rows])
    return [found[row["id"]] for row in rows]
