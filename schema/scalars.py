"""Scalars: strict on the way in, canonical on the way out."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NewType

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from domain import inputs

Email = NewType("Email", str)
PhoneNumber = NewType("PhoneNumber", str)
URL = NewType("URL", str)
CurrencyCode = NewType("CurrencyCode", str)
CountryCode = NewType("CountryCode", str)
LanguageTag = NewType("LanguageTag", str)
TimeZone = NewType("TimeZone", str)
JSON = NewType("JSON", object)

INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

# The driver of PostgreSQL takes these two for infinities, and reads them back without a zone.
FIRST_INSTANT, LAST_INSTANT = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def bad_input(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})


def parse_instant(value: Any) -> datetime:
    if not isinstance(value, str) or not INSTANT.fullmatch(value):
        raise bad_input("DateTime must be RFC 3339 with a zone, such as 2026-03-01T09:30:00Z.")
    try:
        whole, fraction, zone = re.match(r"(.{19})(\.\d+)?(.*)", value.upper()).groups()  # type: ignore[union-attr]
        found = datetime.fromisoformat(whole + (fraction or "")[:7] + zone.replace("Z", "+00:00")).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise bad_input("DateTime names no instant that exists.") from error
    if not FIRST_INSTANT < found < LAST_INSTANT:
        raise bad_input("DateTime names no instant that can be kept.")
    return found


def show_instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_day(value: Any) -> date:
    if (day := inputs.iso_day(value)) is not None:
        return day
    raise bad_input("Date must be a day that exists, such as 2026-03-01.")


def parse_decimal(value: Any) -> Decimal:
    if isinstance(value, str | int) and not isinstance(value, bool):
        number = inputs.decimal(str(value))
        if number is not None:
            return number
    raise bad_input('Decimal must be a finite number in a string, such as "1234.50".')


def show_decimal(value: Decimal) -> str:
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def parse_text(value: Any) -> str:
    if not isinstance(value, str):
        raise bad_input("A text in quotes is wanted here.")
    return value


def text_scalar(name: str, description: str, url: str) -> ScalarDefinition:
    return strawberry.scalar(
        name=name, description=description, specified_by_url=url, serialize=str, parse_value=parse_text
    )


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant, RFC 3339, in UTC; one without a zone is refused.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=show_instant,
        parse_value=parse_instant,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day, as YYYY-MM-DD.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=date.isoformat,
        parse_value=parse_day,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact number, as a string of plain digits such as "-1234.50"; NaN and infinities are refused.',
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259#section-6",
        serialize=show_decimal,
        parse_value=parse_decimal,
    ),
    Email: text_scalar("Email", "An email address.", "https://www.rfc-editor.org/rfc/rfc5322"),
    PhoneNumber: text_scalar(
        "PhoneNumber",
        "A phone number, E.164 where its country is known.",
        "https://www.itu.int/rec/T-REC-E.164",
    ),
    URL: text_scalar("URL", "A web address.", "https://www.rfc-editor.org/rfc/rfc3986"),
    CurrencyCode: text_scalar(
        "CurrencyCode", "An ISO 4217 currency code.", "https://www.iso.org/iso-4217-currency-codes.html"
    ),
    CountryCode: text_scalar(
        "CountryCode",
        "An ISO 3166-1 alpha-2 country code.",
        "https://www.iso.org/iso-3166-country-codes.html",
    ),
    LanguageTag: text_scalar("LanguageTag", "A BCP 47 language tag.", "https://www.rfc-editor.org/rfc/rfc5646"),
    TimeZone: text_scalar("TimeZone", "An IANA time zone.", "https://www.iana.org/time-zones"),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=lambda value: value,
        parse_value=lambda value: value,
    ),
}


@strawberry.type(description="An amount of money.")
class Money:
    amount: Decimal = strawberry.field(description="The amount, with at most four decimals.")
    currency_code: CurrencyCode = strawberry.field(description="The currency of the amount.")


@strawberry.input(description="An amount of money.")
class MoneyInput:
    amount: Decimal = strawberry.field(description="The amount, with at most four decimals.")
    currency_code: CurrencyCode = strawberry.field(description="The currency of the amount.")
