"""Links that can be sent again and cannot be forged: a row's id and an HMAC under a key of their kind."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

from domain.errors import DomainError
from settings import settings

SHORTEST_SECRET = 32
ID_BYTES, MAC_BYTES = 16, 32
TOKEN_LENGTH = 64


class Kind(StrEnum):
    INVITATION = "invitation"
    PASSWORD_RESET = "password_reset"  # noqa: S105


class InvalidLink(DomainError):
    """This link is not valid: copy it whole from the mail, or ask for a new one."""


class EndedLink(DomainError):
    """This link was used already or is too old: ask for a new one."""


class SecretKeyMissing(Exception):
    """SECRET_KEY must have at least 32 characters."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@lru_cache
def secret(purpose: str) -> bytes:
    """Return the server's key for one purpose; raises SecretKeyMissing."""
    key = settings().secret_key
    if len(key) < SHORTEST_SECRET:
        raise SecretKeyMissing
    return hmac.digest(key.encode(), f"salescycle:{purpose}".encode(), hashlib.sha512)


def sign(kind: Kind, key: UUID) -> str:
    """Return the token of a row: always the same one, of 64 URL-safe characters."""
    return urlsafe_b64encode(key.bytes + _mac(kind, key.bytes)).decode()


def verify(kind: Kind, token: str) -> UUID:
    """Return the id of the row that a token names, which says whether it still holds; raises InvalidLink."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii")) if len(token) == TOKEN_LENGTH else b""
    except ValueError:
        raw = b""
    key, mac = raw[:ID_BYTES], raw[ID_BYTES:]
    if len(mac) != MAC_BYTES or not hmac.compare_digest(mac, _mac(kind, key)):
        raise InvalidLink
    return UUID(bytes=key)


def _mac(kind: Kind, key: bytes) -> bytes:
    return hmac.digest(secret(f"link:{kind}"), key, hashlib.sha256)
