"""Password resets: a link by mail, once, that ends every session."""

from datetime import datetime, timedelta

from domain import deliveries, passwords, sessions, tokens
from domain.actors import Actor, ActorKind, system
from domain.deliveries import Message
from domain.errors import Faults
from domain.events import Event, record
from domain.inputs import normalised_email
from domain.sign_in_attempts import Limit, count, forgive
from models.database import transaction
from models.deliveries import Channel
from models.sessions import PasswordReset
from models.users import Membership, User

LASTS = timedelta(hours=1)


class UserPasswordResetRequested(Event):
    name = "user.password_reset_requested"


class UserPasswordReset(Event):
    name = "user.password_reset"


async def request(*, email: str, address: str | None = None, now: datetime) -> None:
    """Have a link sent to the person with this address, if there is one; who asks cannot tell.

    Raises RateLimited.
    """
    account = normalised_email(email) or email
    await count(Limit.RESET_ADDRESS, address, now=now)
    await count(Limit.RESET_ACCOUNT, account, now=now)
    user = await sessions.person_of(email)
    membership = await _newest_membership(user) if user and user.password_hash else None
    if user is None or membership is None:
        return
    async with transaction():
        row = await PasswordReset.create(user_id=user.id, expires_at=now + LASTS, created_at=now)
        link = Message(
            Channel.MAIL,
            "password_reset",
            occasion=f"password_reset:{row.id}",
            due_at=now,
            user_id=user.id,
            address=user.email,
            about_id=row.id,
        )
        await deliveries.enqueue(membership.workspace_id, [link], now=now)
        actor = system(membership.workspace_id, task="password_reset")
        await record(UserPasswordResetRequested(actor, user.id, {"password_reset": row.id}), now=now)


async def opened(token: str, *, now: datetime) -> User:
    """Return whose password a link sets. Raises InvalidLink, EndedLink."""
    row = await _open(token, now=now)
    return await User.get(id=row.user_id)


async def use(token: str, *, password: str, now: datetime) -> User:
    """Set a new password by the link of a mail, and end every session of the user.

    Raises InvalidLink, EndedLink.
    """
    row = await _open(token, now=now)
    user = await User.get(id=row.user_id)
    faults = Faults()
    passwords.check(faults, password, field="password", about=(user.name, user.email or ""))
    faults.raise_any()
    hashed = await passwords.hashed(password)
    async with transaction():
        user = await User.filter(id=row.user_id).select_for_update(no_key=True).get()
        _check(await PasswordReset.filter(id=row.id).select_for_update().first(), now=now)
        await User.filter(id=user.id).update(password_hash=hashed, version=user.version + 1, updated_at=now)
        await PasswordReset.filter(user_id=user.id, used_at=None).update(used_at=now)
        ended = await sessions.end_all(user.id, now=now)
        if membership := await _newest_membership(user):
            actor = Actor(ActorKind.USER, membership.workspace_id, user_id=user.id)
            await record(UserPasswordReset(actor, user.id, {"sessions": ended}), now=now)
    await forgive(Limit.SIGN_IN_ACCOUNT, user.email_normalised or "")
    await user.refresh_from_db()
    return user


async def _open(token: str, *, now: datetime) -> PasswordReset:
    return _check(await PasswordReset.filter(id=tokens.verify(tokens.Kind.PASSWORD_RESET, token)).first(), now=now)


def _check(row: PasswordReset | None, *, now: datetime) -> PasswordReset:
    if row is None:
        raise tokens.InvalidLink(field="token")
    if row.used_at or row.expires_at <= now:
        raise tokens.EndedLink(field="token")
    return row


async def _newest_membership(user: User) -> Membership | None:
    return await Membership.filter(user_id=user.id, active=True).order_by("-created_at", "-id").first()
