"""Who tells of payments by signed web hooks: each with a secret that is shown once and can be changed in time."""

import secrets
from base64 import b64encode
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from domain import edits, inputs, policy, sealing
from domain.actors import Actor
from domain.errors import DomainError, Faults
from domain.events import Event, record
from domain.policy import Action
from domain.sealing import NotOpened
from models.database import transaction
from models.invoices import PaymentProvider

MOST_PROVIDERS = 50
SECRET_BYTES = 32
PURPOSE = "payment provider"
# How long the secret before the newest one is accepted.
GRACE = timedelta(hours=24)
UNIQUE = {"payment_provider_pkey": "id", "payment_provider_name_idx": "name"}


class PaymentProviderCreated(Event):
    name = "payment_provider.created"


class PaymentProviderRotated(Event):
    name = "payment_provider.rotated"


class PaymentProviderArchived(Event):
    name = "payment_provider.archived"


class PaymentProviderRestored(Event):
    name = "payment_provider.restored"


class TooManyProviders(DomainError):
    """A workspace has at most {limit} payment providers in use: archive some first."""


def new_secret() -> str:
    """Return a secret as Standard Webhooks write one."""
    return f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def secret_of(row: PaymentProvider) -> str:
    """Return the newest secret of a provider, whose row has it sealed; raises NotOpened."""
    return sealing.opened(PURPOSE, row.secret).decode()


def secrets_of(row: PaymentProvider, *, now: datetime) -> list[str]:
    """Return the secrets that messages may be signed with now, as far as they can be opened."""
    known = [row.secret]
    if row.previous_secret is not None and row.previous_until is not None and now < row.previous_until:
        known.append(row.previous_secret)
    found = []
    for sealed in known:
        # Sealed under a SECRET_KEY that nobody has: no message is genuine until the secret is changed.
        with suppress(NotOpened):
            found.append(sealing.opened(PURPOSE, sealed).decode())
    return found


async def seal_anew() -> None:
    """Seal secrets under the server's own key that are sealed under one before it."""
    for row in await PaymentProvider.all():
        for column in ("secret", "previous_secret"):
            sealed = getattr(row, column)
            if sealed is None or sealing.is_by_newest(PURPOSE, sealed):
                continue
            with suppress(NotOpened):
                plain = sealing.opened(PURPOSE, sealed)
                same = PaymentProvider.filter(id=row.id, **{column: sealed})
                await same.update(**{column: sealing.seal(PURPOSE, plain)})


def _sealed() -> str:
    return sealing.seal(PURPOSE, new_secret().encode())


async def create(actor: Actor, *, name: str | None, id: UUID | None = None, now: datetime) -> PaymentProvider:
    """Say who tells of payments; the row has the secret to show once.

    Raises Forbidden, AlreadyExists (id, name), TooManyProviders, and faults.
    """
    policy.require(actor, Action.MANAGE_PROVIDERS)
    faults = Faults()
    key, called = edits.new_id(faults, id), inputs.name(faults, name, field="name")
    faults.raise_any()
    with edits.collisions("payment provider", UNIQUE):
        async with transaction():
            if (
                await PaymentProvider.filter(workspace_id=actor.workspace_id, archived_at=None).count()
                >= MOST_PROVIDERS
            ):
                raise TooManyProviders(limit=MOST_PROVIDERS)
            row = PaymentProvider(
                id=key,
                workspace_id=actor.workspace_id,
                name=called,
                secret=_sealed(),
                created_at=now,
                updated_at=now,
            )
            await edits.insert(row)
            await record(PaymentProviderCreated(actor, row.id, {"name": row.name, "version": row.version}), now=now)
    return row


async def rotate(
    actor: Actor, provider_id: UUID, *, expected_version: int | None = None, now: datetime
) -> PaymentProvider:
    """Give a provider a new secret; that before is accepted for a day. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        row = await _locked(actor, provider_id, expected_version=expected_version)
        columns = {"secret": _sealed(), "previous_secret": row.secret, "previous_until": now + GRACE}
        await edits.apply(row, columns, now=now)
        await record(PaymentProviderRotated(actor, row.id, {"version": row.version}), now=now)
    return row


async def archive(
    actor: Actor, provider_id: UUID, *, expected_version: int | None = None, now: datetime
) -> PaymentProvider:
    """Take nothing more from a provider; one that is archived stays so. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        row = await _locked(actor, provider_id, expected_version=expected_version)
        if row.archived_at is None:
            await edits.apply(row, {"archived_at": now}, now=now)
            await record(PaymentProviderArchived(actor, row.id, {"version": row.version}), now=now)
    return row


async def restore(actor: Actor, provider_id: UUID, *, now: datetime) -> PaymentProvider:
    """Take payments from an archived provider again. Raises NotFound, Forbidden, AlreadyExists (name)."""
    with edits.collisions("payment provider", UNIQUE):
        async with transaction():
            row = await _locked(actor, provider_id)
            if row.archived_at is not None:
                await edits.apply(row, {"archived_at": None}, now=now)
                await record(PaymentProviderRestored(actor, row.id, {"version": row.version}), now=now)
    return row


async def telling(provider_id: UUID) -> PaymentProvider | None:
    """Return a provider from whom messages are taken."""
    return await PaymentProvider.get_or_none(id=provider_id, archived_at=None)


async def _locked(actor: Actor, provider_id: UUID, *, expected_version: int | None = None) -> PaymentProvider:
    policy.require(actor, Action.MANAGE_PROVIDERS)
    return await policy.locked(actor, PaymentProvider, provider_id, expected_version=expected_version)
