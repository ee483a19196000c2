"""Links that can be sent again and cannot be forged: a row's id and an HMAC under a key of their kind."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from domain.errors import DomainError
from settings import SHORTEST_SECRET, settings

ID_BYTES, MAC_BYTES = 16, 32
TOKEN_LENGTH = 64


class Kind(StrEnum):
    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105
    UNSUBSCRIBE = "unsubscribe"
    SURVEY = "survey"
    CALENDAR = "calendar"
    PROPOSAL = "proposal"


class InvalidLink(DomainError):
    """This link is not valid: copy it whole, or ask for a new one."""


class EndedLink(DomainError):
    """This link leads nowhere any more: it was used, or has ended. Ask for a new one."""


class LinkExpired(EndedLink):
    """This link has ended on {day}: ask whoever sent it for a new one."""


class LinkRevoked(EndedLink):
    """This link was revoked by whoever made it: ask them for a new one."""


class SecretKeyMissing(Exception):
    """SECRET_KEY must have at least 32 characters."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def secret(purpose: str) -> bytes:
    """Return the key that signs for one purpose; raises SecretKeyMissing."""
    return secrets(purpose)[0]


@lru_cache
def secrets(purpose: str) -> tuple[bytes, ...]:
    """Return the keys that verify: the server's own, then those before it; raises SecretKeyMissing."""
    keys = (settings().secret_key, *settings().previous_keys)
    if len(keys[0]) < SHORTEST_SECRET:
        raise SecretKeyMissing
    return tuple(hmac.digest(key.encode(), f"salescycle:{purpose}".encode(), hashlib.sha512) for key in keys)


def has_previous() -> bool:
    """Say whether keys before the server's own are accepted."""
    return bool(settings().previous_keys)


def mac(purpose: str, said: bytes, *, length: int = MAC_BYTES, by: int = 0) -> bytes:
    """Return what shows that the server said this, by its own key or by one of those before it."""
    return hmac.digest(secrets(purpose)[by], said, hashlib.sha256)[:length]


def is_genuine(given: bytes, purpose: str, said: bytes, *, length: int = MAC_BYTES) -> bool:
    """Say whether these bytes show that the server said this, by any key that it accepts."""
    macs = (mac(purpose, said, length=length, by=by) for by in range(len(secrets(purpose))))
    return any(hmac.compare_digest(given, one) for one in macs)


def sign(kind: Kind, key: UUID) -> str:
    """Return the token of a row: the same one until the server's key is another, of 64 URL-safe characters."""
    return urlsafe_b64encode(key.bytes + mac(f"link:{kind}", key.bytes)).decode()


def verify(kind: Kind, token: str) -> UUID:
    """Return the id of the row that a token names, which says whether it still holds; raises InvalidLink."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii")) if len(token) == TOKEN_LENGTH else b""
    except ValueError:
        raw = b""
    key, given = raw[:ID_BYTES], raw[ID_BYTES:]
    if not is_genuine(given, f"link:{kind}", key):
        raise InvalidLink
    return UUID(bytes=key)
