"""What is asked of a list in pages, and what is shown of the rows that were read for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import blake2s
from typing import Any, NamedTuple
from uuid import UUID

from tortoise.models import Model

from engine.conditions import EVERYTHING, Condition, CustomKey
from engine.nouns import NOUNS, Noun
from engine.sql import Slot
from models import custom_values
from models.custom_fields import CustomFieldType


class Order(NamedTuple):
    """A column to order by; nulls always come last.

    With `link` it is one of the row that this one points to: no index serves that order, so the list is sorted whole.
    With `custom` it is the value of a custom field, which a client has named by key or id until it is looked up.
    """

    column: str
    descending: bool = False
    link: str = ""
    custom: CustomKey | str | UUID | None = None

    @property
    def within(self) -> str:
        """Return it as SQL where a page's rows are read."""
        if isinstance(self.custom, CustomKey):
            value = custom_values.ordered(self.custom.id, self.custom.type, "r")
            return f"array_position({self.options}.keys, {value})" if self.is_choice else value
        return f'o_{self.link}."{self.column}"' if self.link else f'r."{self.column}"'

    @property
    def is_choice(self) -> bool:
        """Say whether it is by the places that values have among the options of a custom field."""
        return isinstance(self.custom, CustomKey) and self.custom.type is CustomFieldType.CHOICE

    @property
    def options(self) -> str:
        """Return what the options are called where a page's rows are read."""
        return f'"options {self.column}"'

    @property
    def outside(self) -> str:
        """Return it as SQL where a page's rows have been read."""
        return f'r."{self.name}"'

    @property
    def name(self) -> str:
        """Return what it is called beside a page's rows."""
        return f"{self.link}.{self.column}" if self.link else self.column

    @property
    def is_beside(self) -> bool:
        """Say whether it is no column of the rows themselves."""
        return bool(self.link) or self.custom is not None


class Bound(NamedTuple):
    """What a cursor says of a row: the values that it is ordered by, and its key."""

    values: tuple[Any, ...]
    key: Any


class PageRequest(NamedTuple):
    """What a client asks of a list. `limit` rows after or before a cursor; `backward` reads from the end.

    `by` is the column that holds the parent's key, where the list hangs on a parent; `through` names a table in
    between as (table, its column to the parent, its column to the row). With `board_at`, leads are those on the
    board at that instant.
    """

    model: type[Model]
    orders: tuple[Order, ...]
    limit: int = 20
    condition: Condition = EVERYTHING
    after: str | Bound | None = None
    before: str | Bound | None = None
    backward: bool = False
    by: str | None = None
    through: tuple[str, str, str] | None = None
    live: bool = True
    board_at: datetime | Slot | None = None

    @property
    def signature(self) -> str:
        """Return what a cursor must match: the noun, the order, the filter."""
        return _signature(self.model, self.orders, self.condition, self.by, self.board_at is None)

    @property
    def noun(self) -> Noun:
        return NOUNS[self.model]

    @property
    def most(self) -> int:
        """Return how many rows are read: one more than asked for tells whether there are more."""
        return int(self.limit) + 1

    @property
    def total_order(self) -> tuple[Order, ...]:
        """Return the orders with the key, which breaks ties."""
        return (*self.orders, Order("id", self.orders[0].descending if self.orders else False))

    def cast(self, order: Order) -> str:
        """Return the SQL type of what an order is by."""
        if isinstance(order.custom, CustomKey):
            return "int" if order.is_choice else custom_values.cast(order.custom.type)
        return (NOUNS[self.noun.links[order.link].to] if order.link else self.noun).cast(order.column)

    def nullable(self, order: Order) -> bool:
        return order.is_beside or self.noun.nullable(order.column)


@lru_cache(maxsize=1024)
def _signature(model: type[Model], orders: tuple[Order, ...], condition: Condition, *more: Any) -> str:
    shape = repr((model.__name__, orders, condition, *more))
    return blake2s(shape.encode(), digest_size=6).hexdigest()


@dataclass(slots=True)
class Page:
    """Rows in the order asked for, their cursors where they are wanted, and whether there are more on either side."""

    rows: Sequence[Any] = ()
    has_next: bool = False
    has_previous: bool = False
    cursors: Sequence[str] = field(default=())


def shown(request: PageRequest, pages: Sequence[list[Any]]) -> list[list[Any]]:
    """Return what is shown of the rows that were read for each page, in the order asked for."""
    limit = request.limit
    found = [rows[:limit] if len(rows) > limit else rows for rows in pages]
    return [rows[::-1] for rows in found] if request.backward else found


def paged(request: PageRequest, rows: list[Any]) -> Page:
    """Return a page of the rows that were read for it, of which one too many says that there are more.

    A page of nothing has no cursor to go on from, so that it says of neither side that there is more: a client that
    went on from null would begin anew, for ever.
    """
    if not request.limit:
        return Page()
    more, [found] = len(rows) > request.limit, shown(request, [rows])
    if request.backward:
        return Page(found, has_next=request.before is not None, has_previous=more)
    return Page(found, has_next=more, has_previous=request.after is not None)
