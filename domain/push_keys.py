"""The key by which browsers' push services know this server: made once, for all its machines.

A browser's subscription is bound to it, so it outlives a change of SECRET_KEY under which it is kept sealed: while
the key before is among PREVIOUS_SECRET_KEYS it is opened by that and sealed anew.
"""

import asyncio
import base64
import re
from contextlib import suppress
from contextvars import Context
from datetime import datetime
from functools import lru_cache

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from domain import sealing
from domain.sealing import NotOpened
from models.base import uuid7
from models.database import transaction
from models.postgres import connected
from models.reminders import PushKey
from settings import settings

PURPOSE = "push key"
RAW_BYTES = 32
# Whoever comes first makes it; the others find it.
MAKE = """
INSERT INTO push_key (id, public, secret, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT ((TRUE)) DO NOTHING
"""
REPLACE = "UPDATE push_key SET public = $2, secret = $3, created_at = $4 WHERE id = $1"
SEAL = "UPDATE push_key SET secret = $2 WHERE id = $1"

logger = structlog.get_logger(__name__)


class PushKeyMalformed(Exception):
    """VAPID_PRIVATE_KEY must be a key of P-256: as PEM, or its 32 bytes as base64url."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


async def private(*, now: datetime) -> bytes:
    """Return the private key as PEM: of VAPID_PRIVATE_KEY, or that of the database, which is made at first."""
    if settings().vapid_private_key:
        return given(settings().vapid_private_key)
    if kept := _kept(await PushKey.first()):
        return kept
    # What runs may read only, or be undone, or be asked for the key by two at once.
    return await asyncio.get_running_loop().create_task(_made(now=now), context=Context())


async def _made(*, now: datetime) -> bytes:
    """Return the key of the database, made or sealed anew in a transaction of its own."""
    async with transaction():
        row = await PushKey.first()
        if row is None:
            fresh = _fresh()
            sealed = sealing.seal(PURPOSE, fresh)
            await connected().fetch(MAKE, [uuid7(), public(fresh), sealed, now])
            row = await PushKey.get()
        return await _opened(row, now=now)


def _kept(row: PushKey | None) -> bytes | None:
    """Return the key that is there and needs no sealing anew, which is nearly always."""
    with suppress(NotOpened):
        if row is not None and sealing.is_by_newest(PURPOSE, row.secret):
            return sealing.opened(PURPOSE, row.secret)
    return None


async def _opened(row: PushKey, *, now: datetime) -> bytes:
    with suppress(NotOpened):
        kept = sealing.opened(PURPOSE, row.secret)
        if not sealing.is_by_newest(PURPOSE, row.secret):
            await connected().fetch(SEAL, [row.id, sealing.seal(PURPOSE, kept)])
        return kept
    return await _replaced(row, now=now)


async def _replaced(row: PushKey, *, now: datetime) -> bytes:
    """Return a new key, or the one that another process has just made."""
    row = await PushKey.all().select_for_update().get(id=row.id)
    try:
        return sealing.opened(PURPOSE, row.secret)
    except NotOpened:
        # Nobody has the key under which it was sealed: browsers have to subscribe again, with another.
        logger.warning("the push key is made anew, since SECRET_KEY and PREVIOUS_SECRET_KEYS do not open the old one")
        kept = _fresh()
        await connected().fetch(REPLACE, [row.id, public(kept), sealing.seal(PURPOSE, kept), now])
        return kept


def given(value: str) -> bytes:
    """Return a key that a setting gives as PEM; raises PushKeyMalformed."""
    try:
        if "PRIVATE KEY" in value:
            key = serialization.load_pem_private_key(value.replace("\\n", "\n").encode(), None)
        else:
            text = re.sub(r"\s", "", value).rstrip("=")
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            if len(raw) != RAW_BYTES:
                raise PushKeyMalformed
            key = ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
    except ValueError as error:
        raise PushKeyMalformed from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PushKeyMalformed
    return _pem(key)


@lru_cache(maxsize=4)
def public(pem: bytes) -> str:
    """Return the public key of a private one, as browsers take it for `applicationServerKey`."""
    key = serialization.load_pem_private_key(pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    point = serialization.PublicFormat.UncompressedPoint
    raw = key.public_key().public_bytes(serialization.Encoding.X962, point)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _fresh() -> bytes:
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form, open_ = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, open_)
