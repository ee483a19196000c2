"""Opaque global ids: the noun and the key, in URL-safe base64."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from binascii import b2a_base64
from collections.abc import Callable
from functools import lru_cache
from uuid import UUID

import strawberry
from graphql import GraphQLError

URL_SAFE = bytes.maketrans(b"+/", b"-_")


def encode(noun: str, key: UUID) -> strawberry.ID:
    """Return the global id of a row."""
    return strawberry.ID(urlsafe_b64encode(f"{noun}:".encode() + key.bytes).decode().rstrip("="))


def encoder(noun: str) -> Callable[[UUID], str]:
    """Return what makes global ids of a noun, fast: an answer has hundreds."""
    prefix = f"{noun}:".encode()
    padding = -(len(prefix) + 16) % 3
    end = -padding if padding else None

    def encode(key: UUID) -> str:
        return b2a_base64(prefix + key.bytes, newline=False)[:end].translate(URL_SAFE).decode()

    return encode


@lru_cache(maxsize=8192)
def parse(value: str) -> tuple[str, UUID]:
    """Return the noun and key of a global id; raises ValueError for what is none."""
    try:
        raw = urlsafe_b64decode(value + "=" * (-len(value) % 4))
        noun, colon, key = raw.partition(b":")
        name = noun.decode("ascii")
    except (BadBase64, ValueError) as error:
        raise ValueError(value) from error
    if not colon or len(key) != 16 or not name.isalpha() or encode(name, UUID(bytes=key)) != value:
        raise ValueError(value)
    return name, UUID(bytes=key)


def decode(value: strawberry.ID, noun: str, *, field: str = "id") -> UUID:
    """Return the key of a global id of this noun; anything else is a client error."""
    try:
        name, key = parse(value)
    except ValueError:
        name, key = "", UUID(int=0)
    if name != noun:
        raise GraphQLError(f"{field} is not the id of a {noun}.", extensions={"code": "BAD_USER_INPUT"})
    return key


def decode_maybe(value: strawberry.ID | None, noun: str, *, field: str = "id") -> UUID | None:
    """Return the key of an optional global id."""
    return None if value is None else decode(value, noun, field=field)


def decode_new(value: strawberry.ID | None, noun: str) -> UUID | None:
    """Return the key that a client chose for a new row: a UUIDv7, bare or as a global id."""
    if value is None:
        return None
    try:
        key = UUID(value) if "-" in value or len(value) == 32 else decode(value, noun)
    except ValueError:
        key = UUID(int=0)
    if key.version != 7:
        raise GraphQLError("A new id must be a UUID of version 7.", extensions={"code": "BAD_USER_INPUT"})
    return key
