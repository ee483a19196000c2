"""Who asked for work that goes on without them: as they are when it does."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import orjson

from domain import teams
from domain.actors import Actor, ActorKind
from domain.errors import DomainError
from models.database import read
from models.users import Role

PLACE = """
SELECT m.role, m.team_id, w.role_visibility ->> m.role AS visibility, w.memberships_version AS version, k.scopes
FROM membership m JOIN workspace w ON w.id = m.workspace_id
LEFT JOIN api_key k ON k.id = $3 AND k.workspace_id = m.workspace_id AND k.user_id = m.user_id
    AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $4)
WHERE m.workspace_id = $1 AND m.user_id = $2 AND m.active AND ($3::uuid IS NULL OR k.id IS NOT NULL)
"""


class AskerLeft(DomainError):
    """Whoever asked for this may not act in the workspace any more."""


async def asker(workspace_id: UUID, user_id: UUID | None, *, key_id: UUID | None, task: str, now: datetime) -> Actor:
    """Return a member, or a key of theirs, acting through a task with the rights that they have now.

    Raises AskerLeft where they are no active member any more, or the key is revoked or has expired.
    """
    found = await read(PLACE, workspace_id, user_id, key_id, now)
    if not found or user_id is None:
        raise AskerLeft
    [place] = found
    seen = await teams.rows_of(
        workspace_id,
        user_id,
        role=Role(place["role"]),
        team_id=place["team_id"],
        visibility=place["visibility"],
        version=place["version"],
    )
    above = await teams.teams_of(place["team_id"], version=place["version"])
    member = Actor(
        ActorKind.USER, workspace_id, user_id=user_id, role=Role(place["role"]), rows=seen, teams=above, task=task
    )
    if key_id is None:
        return member
    scopes = frozenset(orjson.loads(place["scopes"]))
    return replace(member, kind=ActorKind.API_KEY, scopes=scopes, key_id=key_id)
