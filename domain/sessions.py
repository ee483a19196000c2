"""Signing in and staying so: short access tokens, rotating refresh tokens, and how both end."""

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from jwt.types import Options

from domain import devices, passwords, tokens
from domain.actors import Actor, ActorKind
from domain.errors import DomainError, Forbidden, NotFound, TokenExpired, Unauthenticated
from domain.events import Event, record
from domain.inputs import normalised_email
from domain.sign_in_attempts import Limit, count, forgive
from models.base import uuid7
from models.database import transaction
from models.sessions import Session
from models.users import Membership, User

ACCESS_LASTS = timedelta(minutes=15)
SESSION_LASTS = timedelta(days=30)
GRACE = timedelta(seconds=30)
ALGORITHM = "HS256"
NONCE_BYTES = MAC_BYTES = 16
TOKEN_LENGTH = 64
USER_AGENT_LIMIT = 500
REMEMBERED = 10_000


class SessionEnded(Unauthenticated):
    """The session has ended: sign in again."""

    code = "UNAUTHENTICATED"


class WrongCredentials(DomainError):
    """The email or the password is wrong."""


class NoActiveMembership(DomainError):
    """You are not an active member of any workspace: ask to be invited."""


class UserSignedIn(Event):
    name = "user.signed_in"


class UserSignedOut(Event):
    name = "user.signed_out"


class UserSignedOutEverywhere(Event):
    name = "user.signed_out_everywhere"


class UserTokenReused(Event):
    name = "user.token_reused"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a client needs to go on; `expires_at` is the access token's end."""

    access_token: str
    refresh_token: str
    expires_at: datetime
    session: Session


@dataclass(frozen=True, slots=True)
class Claims:
    user_id: UUID
    session_id: UUID
    workspace_id: UUID


async def sign_in(
    *,
    email: str,
    password: str,
    workspace_id: UUID | None = None,
    address: str | None = None,
    user_agent: str | None = None,
    now: datetime,
) -> SignedIn:
    """Sign in to a workspace: the one named, or that of the last session, or the oldest.

    An unknown address, a wrong password and a member without one look and last the same. Raises
    WrongCredentials, NoActiveMembership, NotFound, RateLimited.
    """
    user = await checked_credentials(email=email, password=password, address=address, now=now)
    membership = await _membership(user, workspace_id)
    renewed = await passwords.hashed(password) if passwords.is_outdated(user.password_hash or "") else None
    async with transaction():
        current = await User.filter(id=user.id).select_for_update(no_key=True).first()
        if current is None or current.password_hash != user.password_hash:
            raise WrongCredentials
        if renewed:
            await User.filter(id=user.id).update(password_hash=renewed)
        return await start(membership, user_agent=user_agent, now=now)


async def checked_credentials(*, email: str, password: str, address: str | None, now: datetime) -> User:
    """Return the person with this email and password; raises WrongCredentials, RateLimited."""
    account = normalised_email(email) or email
    await count(Limit.SIGN_IN_ACCOUNT, account, now=now)
    await count(Limit.SIGN_IN_ADDRESS, address, now=now)
    user = await person_of(email)
    if not await passwords.matches(user.password_hash if user else None, password) or user is None:
        raise WrongCredentials
    await forgive(Limit.SIGN_IN_ACCOUNT, account)
    return user


async def person_of(email: str) -> User | None:
    """Return the person with this address; what is no address is nobody's."""
    address = normalised_email(email)
    return await User.filter(email_normalised=address, is_service=False).first() if address else None


async def start(membership: Membership, *, user_agent: str | None, now: datetime) -> SignedIn:
    """Begin a session of an active member, within the running transaction."""
    key = uuid7()
    token = _token(key, secrets.token_bytes(NONCE_BYTES))
    session = await Session.create(
        id=key,
        user_id=membership.user_id,
        workspace_id=membership.workspace_id,
        token_hash=_hash(token),
        rotated_at=now,
        expires_at=now + SESSION_LASTS,
        user_agent=(user_agent or "").replace("\x00", "")[:USER_AGENT_LIMIT] or None,
        created_at=now,
    )
    await record(UserSignedIn(actor_of(session), session.user_id, {"session": session.id}), now=now)
    return _signed_in(session, token, now=now)


async def refresh(refresh_token: str, *, now: datetime) -> SignedIn:
    """Exchange a refresh token for its successor and a new access token.

    Two tabs that come with the same token, within 30 s, get the same successor. Whoever comes with an older
    one has stolen it or was stolen from, and the session ends for both. Raises SessionEnded.
    """
    key, nonce = _parse(refresh_token)
    presented = _hash(refresh_token)
    async with transaction():
        session = await Session.filter(id=key).select_for_update().first()
        if session is None or session.revoked_at or session.expires_at <= now:
            raise SessionEnded
        if not await Membership.filter(
            user_id=session.user_id, workspace_id=session.workspace_id, active=True
        ).exists():
            raise SessionEnded
        if presented == session.token_hash:
            following = _successor(key, nonce)
            session.previous_hash, session.token_hash = presented, _hash(following)
            session.rotated_at, session.expires_at = now, now + SESSION_LASTS
            await session.save()
            return _signed_in(session, following, now=now)
        if presented == session.previous_hash and now - session.rotated_at <= GRACE:
            for by in range(len(tokens.secrets("refresh"))):
                following = _successor(key, nonce, by=by)
                if _hash(following) == session.token_hash:
                    return _signed_in(session, following, now=now)
        await _revoke(session, now=now)
        await devices.end_of_sessions(session.user_id, now=now)
        await record(UserTokenReused(actor_of(session), session.user_id, {"session": session.id}), now=now)
    raise SessionEnded


async def sign_out(actor: Actor, *, now: datetime) -> None:
    """End the session that the actor's access token belongs to, with its devices; that token stops at once, too."""
    user_id = person(actor)
    async with transaction():
        live = Session.filter(id=actor.session_id, user_id=user_id, revoked_at=None)
        session = await live.select_for_update().first()
        if session:
            await _revoke(session, now=now)
            await devices.end_of_sessions(user_id, now=now)
            await record(UserSignedOut(actor, session.user_id, {"session": session.id}), now=now)


async def sign_out_everywhere(actor: Actor, *, now: datetime) -> int:
    """End every session of the user, of all workspaces, and return how many those were."""
    user_id = person(actor)
    async with transaction():
        ended = await end_all(user_id, now=now)
        await record(UserSignedOutEverywhere(actor, user_id, {"sessions": ended}), now=now)
    return ended


async def switch_workspace(
    actor: Actor, workspace_id: UUID, *, user_agent: str | None = None, now: datetime
) -> SignedIn:
    """Begin a session in another workspace of the user's; the present one goes on, for other tabs.

    Raises NotFound.
    """
    membership = await Membership.filter(user_id=person(actor), workspace_id=workspace_id, active=True).first()
    if membership is None:
        raise NotFound(noun="workspace", field="workspaceId")
    async with transaction():
        return await start(membership, user_agent=user_agent, now=now)


async def end_all(user_id: UUID, *, workspace_id: UUID | None = None, but: UUID | None = None, now: datetime) -> int:
    """End the user's sessions, of one workspace or of all, but for the one named, with their devices; say how many."""
    live = Session.filter(user_id=user_id, revoked_at=None, expires_at__gt=now)
    if workspace_id:
        live = live.filter(workspace_id=workspace_id)
    if but:
        live = live.exclude(id=but)
    ended = await live.update(revoked_at=now)
    await devices.end_of_sessions(user_id, now=now)
    return ended


async def forget(*, now: datetime) -> int:
    """Delete sessions that ended or expired a session's length ago, and return how many those were."""
    before = now - SESSION_LASTS
    ended = await Session.filter(revoked_at__lt=before).delete()
    return ended + await Session.filter(expires_at__lt=before).delete()


def person(actor: Actor) -> UUID:
    """Return the id of the person who acts; raises Forbidden for keys, links and the system."""
    if actor.kind is not ActorKind.USER or actor.user_id is None:
        raise Forbidden(action="only people may do this")
    return actor.user_id


def actor_of(session: Session) -> Actor:
    """Return the session's user as an actor who may record events, and nothing more."""
    return Actor(ActorKind.USER, session.workspace_id, user_id=session.user_id, session_id=session.id)


def access_token(session: Session, *, now: datetime) -> str:
    """Return a JWT that says who signed in, where, and for how long."""
    claims = {
        "sub": str(session.user_id),
        "sid": str(session.id),
        "wid": str(session.workspace_id),
        "iat": int(now.timestamp()),
        "exp": int((now + ACCESS_LASTS).timestamp()),
    }
    return jwt.encode(claims, tokens.secret("access"), algorithm=ALGORITHM)


def read_access_token(token: str, *, now: datetime) -> Claims:
    """Return what a genuine and current access token says; raises Unauthenticated, TokenExpired."""
    try:
        claims, ends = _checked(token, tokens.secrets("access"))
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, AttributeError) as error:
        raise Unauthenticated from error
    if ends <= now:
        raise TokenExpired
    return claims


@lru_cache(maxsize=REMEMBERED)
def _checked(token: str, keys: tuple[bytes, ...]) -> tuple[Claims, datetime]:
    """Return what a token that these keys verify says, and when it ends: neither can ever change."""
    claims = _claims(token, keys)
    said = Claims(UUID(claims["sub"]), UUID(claims["sid"]), UUID(claims["wid"]))
    return said, datetime.fromtimestamp(claims["exp"], UTC)


async def _membership(user: User, workspace_id: UUID | None) -> Membership:
    memberships = await Membership.filter(user_id=user.id, active=True).order_by("created_at", "id")
    if not memberships:
        raise NoActiveMembership
    by_workspace = {membership.workspace_id: membership for membership in memberships}
    if workspace_id:
        if workspace_id not in by_workspace:
            raise NotFound(noun="workspace", field="workspaceId")
        return by_workspace[workspace_id]
    last = await Session.filter(user_id=user.id).order_by("-created_at", "-id").first()
    return by_workspace.get(last.workspace_id, memberships[0]) if last else memberships[0]


async def _revoke(session: Session, *, now: datetime) -> None:
    session.revoked_at = now
    await session.save(update_fields=["revoked_at"])


def _signed_in(session: Session, token: str, *, now: datetime) -> SignedIn:
    return SignedIn(access_token(session, now=now), token, now + ACCESS_LASTS, session)


def _claims(token: str, keys: tuple[bytes, ...]) -> dict[str, Any]:
    options: Options = {"require": ["sub", "sid", "wid", "exp"], "verify_exp": False, "verify_iat": False}
    for key in keys[:-1]:
        with suppress(jwt.InvalidSignatureError):
            return jwt.decode(token, key, algorithms=[ALGORITHM], options=options)
    return jwt.decode(token, keys[-1], algorithms=[ALGORITHM], options=options)


# A refresh token bears its session's id and an HMAC, so that only what we gave out can end a session. Its
# successor follows from it, so that both of two tabs can be given the same one although only hashes are kept.
# While keys change, the other tab's may be by another key: `by` counts from the server's own.
def _token(key: UUID, nonce: bytes, *, by: int = 0) -> str:
    said = key.bytes + nonce
    return urlsafe_b64encode(said + tokens.mac("refresh", said, length=MAC_BYTES, by=by)).decode()


def _successor(key: UUID, nonce: bytes, *, by: int = 0) -> str:
    return _token(key, tokens.mac("refresh:next", key.bytes + nonce, length=NONCE_BYTES, by=by), by=by)


def _parse(token: str) -> tuple[UUID, bytes]:
    try:
        raw = urlsafe_b64decode(token.encode("ascii")) if len(token) == TOKEN_LENGTH else b""
    except ValueError:
        raw = b""
    if len(raw) != 16 + NONCE_BYTES + MAC_BYTES:
        raise SessionEnded
    said, given = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    if not tokens.is_genuine(given, "refresh", said, length=MAC_BYTES):
        raise SessionEnded
    return UUID(bytes=said[:16]), said[16:]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
