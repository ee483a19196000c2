"""How inputs of mutations are declared and read, where several nouns do it alike."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import strawberry

from domain.money import Money as MoneyValue
from domain.unset import UNSET, Unset
from schema.scalars import CountryCode, MoneyInput


@strawberry.input(description="A postal address.")
class AddressInput:
    street: str | None = strawberry.field(default=None, description="Street and number.")
    city: str | None = strawberry.field(default=None, description="The city.")
    region: str | None = strawberry.field(default=None, description="State, province or region.")
    postal_code: str | None = strawberry.field(default=None, description="The postal code.")
    country: CountryCode | None = strawberry.field(default=None, description="The country.")


def about(description: str) -> Any:
    """Describe a mutation's input argument."""
    return strawberry.argument(description=description)


def own_id() -> Any:
    """Declare the id that a client may give what it creates."""
    return strawberry.field(default=None, description="An id of the client's own: a UUIDv7.")


def expected_version() -> Any:
    """Declare the version that an edit is of."""
    return strawberry.field(
        default=None,
        description="The version that was edited; if the object has another by now, the edit is refused as STALE.",
    )


def unless_null(value: Any) -> Any:
    """Return an optional value that cannot be cleared: null is as good as left out."""
    return UNSET if value is None or value is strawberry.UNSET else value


def amount_of(value: MoneyInput | None) -> MoneyValue | None:
    """Return an amount as the domain takes it."""
    return None if value is None else MoneyValue(value.amount, value.currency_code)


def money_of(value: Any) -> MoneyValue | Unset | None:
    """Return an optional amount as the domain takes it: its own mark where it was left out."""
    return UNSET if value is strawberry.UNSET else amount_of(value)


def address_of(value: Any) -> Mapping[str, Any] | Unset | None:
    """Return an optional address as the domain takes it."""
    if value is None or value is strawberry.UNSET:
        return None if value is None else UNSET
    given: AddressInput = value
    return {
        "street": given.street,
        "city": given.city,
        "region": given.region,
        "postalCode": given.postal_code,
        "country": given.country,
    }


def exactly(value: float | None) -> Decimal | None:
    """Return a number as it was written."""
    return None if value is None else Decimal(str(value))
