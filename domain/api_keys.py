"""API keys: partner systems that act as a named service user, within scopes."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import edits, inputs, policy, teams
from domain.actors import Actor
from domain.errors import Conflict, DomainError, Faults, Malformed, NotFound, Required
from domain.events import Event, record
from domain.policy import Action
from models.api_keys import ApiKey
from models.base import uuid7
from models.database import in_one_go, transaction
from models.users import Membership, Role, User

PREFIX = "sck_"
SECRET_BYTES = 32
SHOWN = 12


class ApiKeyCreated(Event):
    name = "apikey.created"


class ApiKeyRevoked(Event):
    name = "apikey.revoked"


class UnknownScope(DomainError):
    """{scope} is no scope of an API key; the scopes are: {known}."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key and its secret, which nobody can read again."""

    row: ApiKey
    secret: str


async def create(
    actor: Actor,
    *,
    name: str,
    scopes: Sequence[str],
    role: Role | None = None,
    service_user_id: UUID | None = None,
    expires_at: datetime | None = None,
    id: UUID | None = None,
    now: datetime,
) -> NewKey:
    """Create a key for a service user: a new one of this name, or one that has keys already.

    A new service user is a qualifier unless `role` says otherwise: it sees every lead and may capture,
    change, assign and move it, but neither delete nor administer; the scopes narrow that further. Raises
    Forbidden, NotFound, Conflict, UnknownScope, AlreadyExists.
    """
    policy.require(actor, Action.MANAGE_API_KEYS)
    faults = Faults()
    key = edits.new_id(faults, id)
    checked = inputs.name(faults, name, field="name")
    ends = inputs.instant(faults, expires_at, field="expiresAt")
    if ends and ends.tzinfo and ends <= now:
        faults.add(Malformed(field="expiresAt", what="in the future"))
    if service_user_id and role:
        faults.add(Conflict(reason="A service user that exists keeps its role.", field="role"))
    kept = _scopes(faults, scopes)
    faults.raise_any()
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    with edits.collisions("API key", {"api_key_pkey": "id"}):
        async with transaction():
            user_id = service_user_id or await _service_user(actor, name=checked, role=role or Role.QUALIFIER, now=now)
            if service_user_id:
                await _check_service_user(actor, service_user_id)
            row = await ApiKey.create(
                id=key,
                workspace_id=actor.workspace_id,
                user_id=user_id,
                created_by_id=actor.user_id,
                name=checked,
                prefix=secret[:SHOWN],
                key_hash=hash_of(secret),
                scopes=kept,
                expires_at=ends,
                created_at=now,
            )
            facts = {"name": checked, "scopes": kept, "user": user_id, "expires_at": ends}
            await record(ApiKeyCreated(actor, row.id, facts), now=now)
    return NewKey(row, secret)


@in_one_go
async def revoke(actor: Actor, api_key_id: UUID, *, now: datetime) -> ApiKey:
    """Revoke a key: the next request with it is refused. Raises Forbidden, NotFound."""
    policy.require(actor, Action.MANAGE_API_KEYS)
    async with transaction():
        row = await policy.locked(actor, ApiKey, api_key_id, field="id")
        if row.revoked_at is None:
            await edits.write(row, {"revoked_at": now})
            await record(ApiKeyRevoked(actor, row.id, {"name": row.name}), now=now)
    return row


def hash_of(secret: str) -> str:
    """Return what is kept of a key; its 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _scopes(faults: Faults, scopes: Sequence[str]) -> list[str]:
    if not scopes:
        faults.add(Required(field="scopes"))
    for scope in scopes:
        if scope not in policy.API_SCOPES:
            known = ", ".join(sorted(policy.API_SCOPES))
            faults.add(UnknownScope(field="scopes", scope=scope[:50], known=known))
    return sorted(set(scopes))


async def _service_user(actor: Actor, *, name: str, role: Role, now: datetime) -> UUID:
    await teams.memberships_change(actor.workspace_id)
    user = await User.create(id=uuid7(), name=name, is_service=True, created_at=now, updated_at=now)
    await Membership.create(workspace_id=actor.workspace_id, user=user, role=role, created_at=now)
    return user.id


async def _check_service_user(actor: Actor, user_id: UUID) -> None:
    if not await Membership.filter(workspace_id=actor.workspace_id, user_id=user_id, user__is_service=True).exists():
        raise NotFound(noun="user", field="serviceUserId")
