"""Invitations: how people come into a workspace, whether they have an account already or not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from domain import deliveries, edits, inputs, passwords, policy, sessions, teams, tokens, unset
from domain.actors import Actor, ActorKind
from domain.deliveries import Message
from domain.errors import AlreadyExists, Faults, Required
from domain.events import Event, record
from domain.policy import Action
from domain.sessions import SignedIn
from domain.unset import UNSET, Unset
from models.database import transaction
from models.deliveries import Channel
from models.sessions import Invitation
from models.teams import Team
from models.users import Membership, Role, User
from models.workspaces import Workspace

LASTS = timedelta(days=14)


class UserInvited(Event):
    """Its subject is the invitation, since there may be no user yet."""

    name = "user.invited"


class UserInvitationRevoked(Event):
    """Its subject is the invitation."""

    name = "user.invitation_revoked"


class UserJoined(Event):
    name = "user.joined"


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """An invitation as its link shows it; `name` is the invited person's, where one is known already."""

    email: str
    role: Role
    workspace: str
    inviter: str | None
    name: str
    has_account: bool


async def invite(
    actor: Actor,
    *,
    email: str,
    role: Role | Unset = UNSET,
    team_id: UUID | Unset | None = UNSET,
    id: UUID | None = None,
    now: datetime,
) -> Invitation:
    """Invite an address; a pending invitation of the same address is changed, renewed and sent again.

    Role and team that are not said stay as that invitation has them; a new one leads to a rep without a team.
    Raises Forbidden, NotFound, AlreadyExists where the address belongs to an active member.
    """
    policy.require(actor, Action.MANAGE_USERS)
    faults = Faults()
    key = edits.new_id(faults, id)
    given, normalised = inputs.email(faults, email, field="email")
    if given is None:
        faults.add(Required(field="email"))
    with edits.collisions("invitation", {"invitation_pkey": "id"}):
        async with transaction():
            await teams.lock_members(actor.workspace_id)
            if isinstance(team_id, UUID):
                await edits.referred(faults, actor, Team, team_id, field="teamId")
            faults.raise_any()
            here = Membership.filter(workspace_id=actor.workspace_id, active=True)
            if await here.filter(user__email_normalised=normalised).exists():
                raise AlreadyExists(noun="member", what="email", field="email")
            columns: dict[str, Any] = {
                "email": given,
                "email_normalised": normalised,
                **unset.given(role=role, team_id=team_id),
                "invited_by_id": actor.user_id,
                "expires_at": now + LASTS,
            }
            pending = Invitation.filter(
                workspace_id=actor.workspace_id, email_normalised=normalised, accepted_at=None, revoked_at=None
            )
            row = await pending.select_for_update(no_key=True).first()
            if row:
                await edits.write(row, columns)
            else:
                columns = {"role": Role.REP} | columns
                row = await Invitation.create(id=key, workspace_id=actor.workspace_id, created_at=now, **columns)
            link = Message(
                Channel.MAIL,
                "invitation",
                occasion=f"invitation:{row.id}:{now.isoformat()}",
                due_at=now,
                address=given,
                about_id=row.id,
            )
            await deliveries.enqueue(row.workspace_id, [link], now=now)
            facts = {"email": given, "role": row.role, "team_id": row.team_id}
            await record(UserInvited(actor, row.id, facts), now=now)
    return row


async def revoke(actor: Actor, invitation_id: UUID, *, now: datetime) -> Invitation:
    """Revoke an invitation, so that its link leads nowhere. Raises Forbidden, NotFound, EndedLink."""
    policy.require(actor, Action.MANAGE_USERS)
    async with transaction():
        row = await policy.locked(actor, Invitation, invitation_id, field="id")
        if row.accepted_at:
            raise tokens.EndedLink(field="id")
        if row.revoked_at is None:
            await edits.write(row, {"revoked_at": now})
            await deliveries.cancel(actor.workspace_id, about_ids=[row.id], reason="It was revoked.", now=now)
            await record(UserInvitationRevoked(actor, row.id, {"email": row.email}), now=now)
    return row


async def opened(token: str, *, now: datetime) -> OpenInvitation:
    """Return what the holder of a link may know before accepting it. Raises InvalidLink, EndedLink."""
    invitation = await _open(token, now=now)
    workspace = await Workspace.get(id=invitation.workspace_id)
    inviter = await User.filter(id=invitation.invited_by_id).first() if invitation.invited_by_id else None
    user = await _invited(invitation)
    return OpenInvitation(
        email=invitation.email,
        role=invitation.role,
        workspace=workspace.name,
        inviter=inviter.name if inviter else None,
        name=user.name if user else "",
        has_account=_has_account(user),
    )


async def accept(
    token: str,
    *,
    name: str | None = None,
    password: str | None = None,
    actor: Actor | None = None,
    address: str | None = None,
    user_agent: str | None = None,
    now: datetime,
) -> SignedIn:
    """Join the workspace of an invitation and sign in to it.

    Who has an account gives its password, unless they are signed in (`actor`); who has none gives a name and a
    new password. Raises InvalidLink, EndedLink, WrongCredentials, RateLimited, AlreadyExists.
    """
    async with _joining(token, name=name, password=password, actor=actor, address=address, now=now) as membership:
        return await sessions.start(membership, user_agent=user_agent, now=now)


async def join(
    token: str, *, name: str | None = None, password: str | None = None, address: str | None = None, now: datetime
) -> Membership:
    """Join the workspace of an invitation as `accept` does, but to sign in to it elsewhere. Raises the same."""
    async with _joining(token, name=name, password=password, address=address, now=now) as membership:
        return membership


@asynccontextmanager
async def _joining(
    token: str,
    *,
    name: str | None,
    password: str | None,
    actor: Actor | None = None,
    address: str | None,
    now: datetime,
) -> AsyncIterator[Membership]:
    """Give the membership within the transaction that makes it."""
    invitation = await _open(token, now=now)
    user = await _invited(invitation)
    account: dict[str, Any] = {}
    if _has_account(user):
        if actor is None or actor.kind is not ActorKind.USER or user is None or actor.user_id != user.id:
            if not password:
                raise Required(field="password")
            await sessions.checked_credentials(
                email=invitation.email_normalised, password=password, address=address, now=now
            )
    else:
        account = await _account(invitation, user, name=name, password=password)
    with edits.collisions("user", {"user_email_idx": "email"}):
        async with transaction():
            await teams.memberships_change(invitation.workspace_id)
            row = await Invitation.filter(id=invitation.id).select_for_update(no_key=True).first()
            row = _check(row, now=now)
            person = await _person(row, user, account, now=now)
            membership = await _join(row, person, now=now)
            await edits.write(row, {"accepted_at": now})
            who = Actor(ActorKind.USER, row.workspace_id, user_id=person.id)
            facts = {"invitation": row.id, "role": membership.role, "team_id": membership.team_id}
            await record(UserJoined(who, person.id, facts), now=now)
            yield membership


async def _open(token: str, *, now: datetime) -> Invitation:
    return _check(await Invitation.filter(id=tokens.verify(tokens.Kind.INVITATION, token)).first(), now=now)


async def _invited(invitation: Invitation) -> User | None:
    return await User.filter(email_normalised=invitation.email_normalised, is_service=False).first()


def _has_account(user: User | None) -> bool:
    return bool(user and user.password_hash)


def _check(invitation: Invitation | None, *, now: datetime) -> Invitation:
    if invitation is None:
        raise tokens.InvalidLink(field="token")
    if invitation.accepted_at or invitation.revoked_at or invitation.expires_at <= now:
        raise tokens.EndedLink(field="token")
    return invitation


async def _account(
    invitation: Invitation, user: User | None, *, name: str | None, password: str | None
) -> dict[str, Any]:
    faults = Faults()
    account: dict[str, Any] = {}
    if user is None or name is not None:
        account["name"] = inputs.name(faults, name, field="name")
    passwords.check(faults, password, field="password", about=(invitation.email, name or ""))
    faults.raise_any()
    return account | {"password_hash": await passwords.hashed(password or "")}


async def _person(row: Invitation, user: User | None, account: dict[str, Any], *, now: datetime) -> User:
    if user is None:
        return await User.create(
            email=row.email, email_normalised=row.email_normalised, created_at=now, updated_at=now, **account
        )
    person = await User.filter(id=user.id).select_for_update(no_key=True).get()
    if person.password_hash != user.password_hash:
        raise AlreadyExists(noun="user", what="email", field="email")
    if account:
        await edits.write(person, account | {"version": person.version + 1, "updated_at": now})
    return person


async def _join(row: Invitation, person: User, *, now: datetime) -> Membership:
    team = await Team.filter(id=row.team_id, deleted_at=None).first() if row.team_id else None
    place: dict[str, Any] = {"role": row.role, "team_id": team.id if team else None, "active": True}
    membership = await Membership.filter(workspace_id=row.workspace_id, user_id=person.id).first()
    if membership is None:
        return await Membership.create(workspace_id=row.workspace_id, user_id=person.id, created_at=now, **place)
    if not membership.active:
        await edits.write(membership, place)
    return membership
