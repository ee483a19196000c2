"""Cursors of lists: opaque to clients, and checked on arrival to hold nothing that PostgreSQL could not take."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from domain.errors import DomainError
from engine.pages import Bound, PageRequest


class BadCursor(DomainError):
    """The cursor is not one of this list: it belongs to another order, filter or parent."""

    code = "BAD_USER_INPUT"


def cursor_of(signature: str, values: Iterable[Any], key: UUID) -> str:
    """Return the cursor of a row, given what it is ordered by."""
    plain = [str(value) if isinstance(value, Decimal | UUID) else value for value in values]
    # The first instant there is comes from the driver without a zone.
    packed = orjson.dumps([signature, plain, key.hex], option=orjson.OPT_NAIVE_UTC)
    return urlsafe_b64encode(packed).decode().rstrip("=")


def unpacked(request: PageRequest, cursor: str | Bound) -> Bound:
    """Return what a cursor says of its row; raises BadCursor."""
    if isinstance(cursor, Bound):
        return cursor
    try:
        signature, values, key = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if signature != request.signature or len(values) != len(request.orders):
            raise ValueError(cursor)
        orders = zip(request.orders, values, strict=True)
        read = (None if value is None else READERS[request.cast(order)](value) for order, value in orders)
        return Bound(tuple(read), UUID(hex=key))
    except (ValueError, TypeError, ArithmeticError, AttributeError) as error:
        raise BadCursor(field="after" if cursor == request.after else "before") from error


def _instant(text: str) -> datetime:
    given = datetime.fromisoformat(text)
    return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)


def _number(value: Any) -> Decimal:
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS:
        raise ValueError(value)
    return number


def _whole(bits: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        number = int(value)
        if number.bit_length() >= bits:
            raise ValueError(value)
        return number

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError(value)
    return value


# How a cursor's value is read for a column, with whatever PostgreSQL could not take refused.
MOST_DIGITS = 1000
READERS: dict[str, Callable[[Any], Any]] = {
    "timestamptz": _instant,
    "date": date.fromisoformat,
    "numeric": _number,
    "uuid": UUID,
    "int": _whole(32),
    "bigint": _whole(64),
    "text": _text,
    "boolean": bool,
}
