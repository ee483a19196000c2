"""Cursors of the event log: an opaque position."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from schema.filters import refuse


def encode(position: int) -> str:
    """Return the cursor of a position."""
    return urlsafe_b64encode(f"e:{position}".encode()).decode().rstrip("=")


def decode(cursor: str) -> int:
    """Return the position of a cursor; anything else is a client error."""
    try:
        kind, _, position = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").partition(":")
        if kind == "e" and position.isdecimal() and len(position) <= 18:
            return int(position)
    except ValueError:
        pass
    raise refuse("after is no cursor of the event log.")
