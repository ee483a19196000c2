"""Cursors of the event log: a position, and the scope in which somebody has seen it."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from domain.actors import Scope


def fingerprint(workspace_id: UUID, scope: Scope) -> bytes:
    """Return six bytes that tell one scope of a workspace from another."""
    digest = blake2b(workspace_id.bytes, digest_size=6)
    for owner in sorted(scope.owners) if scope.owners is not None else ():
        digest.update(owner.bytes)
    digest.update(b"all" if scope.owners is None else b"owners")
    return digest.digest()


_fingerprint = lru_cache(maxsize=4096)(fingerprint)


def cursor(workspace_id: UUID, position: int, scope: Scope) -> str:
    """Return the opaque cursor of a position in the log, as somebody of this scope has seen it."""
    packed = position.to_bytes(8, "big") + _fingerprint(workspace_id, scope)
    return urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(value: str) -> tuple[int, bytes]:
    """Return the position and the fingerprint of the scope that a cursor holds; raises ValueError."""
    packed = urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4))
    if len(packed) != 14 or urlsafe_b64encode(packed).decode().rstrip("=") != value or packed[0] & 0x80:
        raise ValueError(value)
    return int.from_bytes(packed[:8], "big"), packed[8:]
