"""Members of a workspace: who acts with a credential, and how people and their place change."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from domain import absences, api_keys, bulks, edits, files, inputs, passwords, policy, sessions, teams, transfers
from domain.absences import PRESENT, Absence
from domain.actors import Actor, ActorKind
from domain.bulks import Handed
from domain.errors import DomainError, Faults, NotFound, Required, Stale, TokenExpired, Unauthenticated
from domain.events import Event, changes, record
from domain.policy import Action
from domain.sign_in_attempts import Limit, count, forgive
from domain.transfers import OpenLeads
from domain.unset import UNSET, Unset, given
from models.api_keys import ApiKey
from models.database import look_up, read, transaction
from models.files import UploadPurpose
from models.teams import Team
from models.users import Membership, Role, User
from models.workspaces import Workspace

LAST_USED_STEP = timedelta(minutes=1)


class UserUpdated(Event):
    name = "user.updated"


class UserPasswordChanged(Event):
    name = "user.password_changed"


class WrongPassword(DomainError):
    """The present password is wrong."""


class LastAdmin(DomainError):
    """This is the last active admin: make somebody else an admin first."""


class OwnAccount(DomainError):
    """Only this person can change their own name and email, since they sign in with them."""


MEMBER = """
SELECT {key} AS key, c.user_id, c.workspace_id, c.expires_at, m.role, m.team_id,
    w.role_visibility ->> m.role AS visibility, w.memberships_version AS version{more}
FROM {credential} c
JOIN membership m ON m.workspace_id = c.workspace_id AND m.user_id = c.user_id AND m.active
JOIN workspace w ON w.id = c.workspace_id
WHERE c.revoked_at IS NULL AND {key} = ANY($1)
"""
BY_SESSION = MEMBER.format(credential="session", key="c.id", more="")
BY_KEY = MEMBER.format(credential="api_key", key="c.key_hash", more=", c.id, c.scopes, c.last_used_at")


async def load_actor(credential: str, *, now: datetime) -> Actor:
    """Return who acts with an access token or an API key, in one statement where their team is known.

    What was revoked, signed out or deactivated stops with the next call. Raises Unauthenticated, TokenExpired.
    """
    if credential.startswith(api_keys.PREFIX):
        return await _by_key(credential, now=now)
    claims = sessions.read_access_token(credential, now=now)
    row = await look_up(BY_SESSION, claims.session_id)
    if row is None or row["expires_at"] <= now:
        raise Unauthenticated
    if (row["user_id"], row["workspace_id"]) != (claims.user_id, claims.workspace_id):
        raise Unauthenticated
    return await _actor(ActorKind.USER, claims.workspace_id, claims.user_id, row, session_id=claims.session_id)


async def _by_key(secret: str, *, now: datetime) -> Actor:
    row = await look_up(BY_KEY, api_keys.hash_of(secret))
    if row is None:
        raise Unauthenticated
    if row["expires_at"] and row["expires_at"] <= now:
        raise TokenExpired
    if row["last_used_at"] is None or now - row["last_used_at"] >= LAST_USED_STEP:
        await ApiKey.filter(id=row["id"]).update(last_used_at=now)
    scopes = frozenset(orjson.loads(row["scopes"]))
    return await _actor(ActorKind.API_KEY, row["workspace_id"], row["user_id"], row, key_id=row["id"], scopes=scopes)


async def _actor(kind: ActorKind, workspace_id: UUID, user_id: UUID, row: asyncpg.Record, **more: Any) -> Actor:
    role = Role(row["role"])
    rows = await teams.rows_of(
        workspace_id,
        user_id,
        role=role,
        team_id=row["team_id"],
        visibility=row["visibility"],
        version=row["version"],
    )
    above = await teams.teams_of(row["team_id"], version=row["version"])
    return Actor(kind, workspace_id, user_id=user_id, role=role, rows=rows, teams=above, **more)


MEMBERS = """
SELECT m.user_id, m.role, m.team_id, w.role_visibility ->> m.role AS visibility, w.memberships_version AS version
FROM membership m JOIN workspace w ON w.id = m.workspace_id
WHERE m.workspace_id = $1 AND m.active AND ($2::uuid[] IS NULL OR m.user_id = ANY($2))
"""


async def members(workspace_id: UUID, user_ids: Iterable[UUID] | None = None) -> dict[UUID, Actor]:
    """Return active members, all or those of these users who are, each as the actor whom they sign in as."""
    found = await read(MEMBERS, workspace_id, None if user_ids is None else list(user_ids))
    return {row["user_id"]: await _actor(ActorKind.USER, workspace_id, row["user_id"], row) for row in found}


async def update_me(
    actor: Actor,
    *,
    name: str | Unset = UNSET,
    time_zone: str | Unset | None = UNSET,
    locale: str | Unset | None = UNSET,
    password: str | None = None,
    old_password: str | None = None,
    avatar_upload_id: UUID | Unset | None = UNSET,
    absence: Absence = PRESENT,
    hand_over: bool = False,
    expected_version: int | None = None,
    now: datetime,
) -> User:
    """Change the actor's own name, time zone (None: the workspace's), language or password, or when they are away.

    A new password ends every other session of theirs. Their picture becomes what they have uploaded (None: none).
    With `hand_over` their open leads go to their substitute. Raises Forbidden, Stale, WrongPassword, RateLimited,
    what `files.take` raises, and faults of the input.
    """
    user = await User.get(id=sessions.person(actor))
    faults = Faults()
    columns = given(name=name, time_zone=time_zone, locale=locale)
    if not isinstance(name, Unset):
        columns["name"] = inputs.name(faults, name, field="name")
    if not isinstance(time_zone, Unset):
        columns["time_zone"] = inputs.time_zone(faults, time_zone, field="timeZone")
    if not isinstance(locale, Unset):
        columns["locale"] = inputs.language(faults, locale, field="locale")
    if password is not None:
        passwords.check(faults, password, field="password", about=(user.name, user.email or ""))
    faults.raise_any()
    if password is not None:
        columns["password_hash"] = await _new_hash(user, password, old_password or "", now=now)
    async with transaction():
        row = await locked(user.id, expected_version=expected_version)
        if password is not None and row.password_hash != user.password_hash:
            raise WrongPassword(field="oldPassword")
        if not isinstance(avatar_upload_id, Unset):
            columns["avatar_id"] = avatar_upload_id
            await _change_picture(actor, row, avatar_upload_id, now=now)
        placed: dict[str, Any] = {}
        if absence or hand_over:
            place = await member(actor, row.id, field="id")
            placed = await absences.check(faults, place, absence, now=now)
            faults.raise_any()
            placed = await _placed(place, placed)
        changed = await edit(row, columns, now=now, besides=bool(placed)) | placed
        if changed.pop("password_hash", None):
            await sessions.end_all(row.id, but=actor.session_id, now=now)
            await record(UserPasswordChanged(actor, row.id, {"version": row.version}), now=now)
        if changed:
            await record(UserUpdated(actor, row.id, {"changes": changed, "version": row.version}), now=now)
        if hand_over:
            await _hand_over(actor, row, place.substitute_id, now=now)
    return row


async def _change_picture(actor: Actor, row: User, upload_id: UUID | None, *, now: datetime) -> None:
    """Keep the picture that somebody takes, and forget the one that they had."""
    if upload_id == row.avatar_id:
        return
    if upload_id is not None:
        await files.take(actor, upload_id, UploadPurpose.AVATAR, field="avatarUploadId", now=now)
    if row.avatar_id is not None:
        await files.let_go(row.avatar_id, until=now)


async def _placed(place: Membership, columns: dict[str, Any]) -> dict[str, Any]:
    """Write those columns of somebody's place that differ and return them, each with its value from and to."""
    differ = dict(changes({name: getattr(place, name) for name in columns}, columns))
    if differ:
        await edits.write(place, columns)
    return differ


async def _hand_over(actor: Actor, row: User, to: UUID | None, *, now: datetime) -> None:
    """Give somebody's open leads to their substitute."""
    if to is None:
        raise Required(field="substituteId")
    row.handed = await bulks.hand_over(actor, row.id, to, field="substituteId", now=now)


async def transfer_leads(actor: Actor, from_user_id: UUID, to_user_id: UUID, *, now: datetime) -> Handed:
    """Give the open leads of a member to another one. Raises NotFound, Forbidden, SameOwner, OwnerInactive."""
    await member(actor, from_user_id, field="fromUserId")
    return await bulks.hand_over(actor, from_user_id, to_user_id, field="toUserId", now=now)


async def _new_hash(user: User, password: str, old_password: str, *, now: datetime) -> str:
    await count(Limit.SIGN_IN_ACCOUNT, user.email_normalised, now=now)
    if not await passwords.matches(user.password_hash, old_password):
        raise WrongPassword(field="oldPassword")
    await forgive(Limit.SIGN_IN_ACCOUNT, user.email_normalised or "")
    return await passwords.hashed(password)


async def update_member(
    actor: Actor,
    user_id: UUID,
    *,
    role: Role | Unset = UNSET,
    team_id: UUID | Unset | None = UNSET,
    active: bool | Unset = UNSET,
    name: str | Unset = UNSET,
    email: str | Unset | None = UNSET,
    absence: Absence = PRESENT,
    hand_over: bool = False,
    transfer_leads_to: UUID | None = None,
    expected_version: int | None = None,
    now: datetime,
) -> User:
    """Change a member's role and team, or when they are away, or deactivate them and end their sessions here.

    With `hand_over` their open leads go to their substitute, otherwise to `transfer_leads_to`, without whom nobody
    is deactivated or made a viewer who owns open leads. An imported owner who never signed in can be given a name and
    an email, so that they can be invited. Raises Forbidden, NotFound, Stale, LastAdmin, OwnAccount, AlreadyExists,
    OpenLeads, SameOwner, OwnerInactive, and faults of the input.
    """
    managed = given(role=role, team_id=team_id, active=active, name=name, email=email)
    if managed or transfer_leads_to or not (absence or hand_over):
        policy.require(actor, Action.MANAGE_USERS)
    else:
        transfers.require(actor, user_id)
    with edits.collisions("user", {"user_email_idx": "email"}):
        async with transaction():
            await teams.lock_members(actor.workspace_id)
            membership = await member(actor, user_id, field="id")
            row = await locked(user_id, expected_version=expected_version)
            faults = Faults()
            place = given(role=role, team_id=team_id, active=active)
            if isinstance(team_id, UUID):
                await edits.referred(faults, actor, Team, team_id, field="teamId")
            account = _account(faults, row, name=name, email=email)
            if await _is_last_admin(membership, row, place):
                faults.add(LastAdmin(field="id"))
            ends = membership.active and active is False
            becomes_viewer = role is Role.VIEWER and membership.role is not Role.VIEWER
            if (ends or becomes_viewer) and not (transfer_leads_to or hand_over):
                await _ask_for_heir(faults, actor, user_id)
            away = await absences.check(faults, membership, absence, now=now)
            faults.raise_any()
            placed = await _placed(membership, place | away)
            changed = await edit(row, account, now=now, besides=bool(placed)) | placed
            if placed.keys() & place.keys():
                await teams.memberships_change(actor.workspace_id)
            if active is False:
                await sessions.end_all(user_id, workspace_id=actor.workspace_id, now=now)
            if changed:
                facts = {"changes": changed, "version": row.version}
                await record(UserUpdated(actor, row.id, facts), now=now)
            if hand_over:
                await _hand_over(actor, row, membership.substitute_id, now=now)
            elif transfer_leads_to is not None:
                field = "transferLeadsToId"
                row.handed = await bulks.hand_over(actor, row.id, transfer_leads_to, field=field, now=now)
    return row


async def _ask_for_heir(faults: Faults, actor: Actor, user_id: UUID) -> None:
    if owned := await transfers.count(actor.workspace_id, user_id):
        faults.add(OpenLeads(count=owned, field="transferLeadsToId"))


async def member(actor: Actor, user_id: UUID, *, field: str) -> Membership:
    """Return somebody's place in the actor's workspace; raises NotFound."""
    membership = await policy.visible(actor, Membership).filter(user_id=user_id).first()
    if membership is None:
        raise NotFound(noun="user", field=field)
    return membership


async def memberships(actor: Actor) -> list[Membership]:
    """Return the actor's active places in all workspaces, oldest first, each with its workspace."""
    mine = Membership.filter(user_id=actor.user_id, active=True)
    if actor.kind is not ActorKind.USER:
        mine = mine.filter(workspace_id=actor.workspace_id)
    return await mine.order_by("created_at", "id").prefetch_related("workspace")


def permissions(actor: Actor) -> dict[Action, bool]:
    """Return what the actor may do, and whether only on what they own."""

    return {action: not policy.may(actor, action) for action in Action if policy.may_own(actor, action)}


@dataclass(frozen=True, slots=True)
class Locality:
    time_zone: str
    locale: str


async def locality(actor: Actor) -> Locality:
    """Return in which time zone and language the actor works: their own, or else the workspace's."""
    user = await User.get(id=actor.user_id)
    home = await Workspace.get(id=actor.workspace_id)
    return Locality(user.time_zone or home.time_zone, user.locale or home.locale)


async def locked(user_id: UUID, *, expected_version: int | None) -> User:
    """Return a user, locked until the transaction ends; raises Stale."""
    row = await User.filter(id=user_id).select_for_update(no_key=True).get()
    if expected_version is not None and row.version != expected_version:
        stale = Stale(noun="user", version=row.version, expected=expected_version)
        stale.current = row
        raise stale
    return row


async def edit(row: User, columns: dict[str, Any], *, now: datetime, besides: bool = False) -> dict[str, Any]:
    """Write those columns that differ as one edit and return them; `besides`, something else was edited."""
    changed = dict(changes({name: getattr(row, name) for name in columns}, columns))
    if changed or besides:
        await edits.write(row, columns | {"version": row.version + 1, "updated_at": now})
    return changed


def _account(faults: Faults, row: User, *, name: str | Unset, email: str | Unset | None) -> dict[str, Any]:
    account: dict[str, Any] = {}
    if not isinstance(name, Unset):
        account["name"] = inputs.name(faults, name, field="name")
    if not isinstance(email, Unset):
        account["email"], account["email_normalised"] = inputs.email(faults, email, field="email")
    differ = changes({column: getattr(row, column) for column in account}, account)
    if differ and row.password_hash is not None:
        faults.add(OwnAccount(field=next(iter(differ))))
    if "email" in differ and row.is_service:
        faults.add(OwnAccount(field="email"))
    return account


async def _is_last_admin(membership: Membership, row: User, place: dict[str, Any]) -> bool:
    remains = place.get("role", membership.role) is Role.ADMIN and place.get("active", membership.active)
    if remains or row.is_service or membership.role is not Role.ADMIN or not membership.active:
        return False
    others = Membership.filter(
        workspace_id=membership.workspace_id, role=Role.ADMIN, active=True, user__is_service=False
    )
    return not await others.exclude(user_id=membership.user_id).exists()
