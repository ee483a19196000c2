"""Opaque global ids: the noun and the key, such as Lead_018cc251f40171a3925af2a80ecc3285."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from uuid import UUID

import strawberry
from graphql import GraphQLError

FORM = re.compile(r"([A-Za-z]+)_([0-9a-f]{32})")


def encode(noun: str, key: UUID) -> strawberry.ID:
    """Return the global id of a row."""
    return strawberry.ID(f"{noun}_{key.hex}")


def prefix(noun: str) -> str:
    """Return what stands before the 32 hexadecimal digits of a noun's keys."""
    return f"{noun}_"


@lru_cache
def encoder(noun: str) -> Callable[[UUID], str]:
    """Return what makes global ids of a noun; an answer has hundreds."""
    begin = prefix(noun)
    return lambda key: begin + key.hex


@lru_cache(maxsize=8192)
def parse(value: str) -> tuple[str, UUID]:
    """Return the noun and key of a global id; raises ValueError for what is none."""
    found = FORM.fullmatch(value)
    if found is None:
        raise ValueError(value)
    return found[1], UUID(hex=found[2])


def decode(value: strawberry.ID, noun: str, *, field: str = "id") -> UUID:
    """Return the key of a global id of this noun; anything else is a client error."""
    try:
        name, key = parse(value)
    except ValueError:
        name, key = "", UUID(int=0)
    if name != noun:
        raise GraphQLError(f"{field} is not an id of type {noun}.", extensions={"code": "BAD_USER_INPUT"})
    return key


def decode_maybe(value: strawberry.ID | None, noun: str, *, field: str = "id") -> UUID | None:
    """Return the key of an optional global id."""
    return None if value is None else decode(value, noun, field=field)


def decode_all(values: Sequence[strawberry.ID] | None, noun: str, *, field: str) -> list[UUID]:
    """Return the keys of global ids; what is none is told by its place."""
    return [decode(value, noun, field=f"{field}.{place}") for place, value in enumerate(values or ())]


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
