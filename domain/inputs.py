"""Checks of single inputs, each of which returns the value as it is stored or adds a fault."""

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from babel.core import Locale, UnknownLocaleError
from babel.numbers import list_currencies
from email_validator import EmailNotValidError, validate_email

from domain.errors import Faults, Malformed, OutOfRange, Required, TooLong

NAME_LIMIT = 200
TEXT_LIMIT = 20_000
URL_LIMIT = 2_000
MOST_MONEY = Decimal("999999999999999.9999")
EARLIEST_YEAR, LATEST_YEAR = 1900, 2200
# What Babel lists beside countries and money: unions and pseudo-locales; metals, funds, tests and "none".
NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})
NO_MONEY = frozenset(
    {"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XEU", "XFO", "XFU", "XPD", "XPT", "XRE", "XSU", "XTS", "XUA", "XXX"}
)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# What nobody sees in a line and what turns its direction; marks of direction are needed where a text has both, and
# joiners within scripts whose letters join, from Arabic on, and within emoji.
UNSEEN = re.compile(
    r"[\x80-\x9f\xad\u180e\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    r"|(?<![^\x00-\u05ff\u200b-\u200f])[\u200c\u200d]"
)
DIRECTION = re.compile(r"[\u061c\u200e\u200f]")
RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NUMBER_CHARACTERS = 64
DOMAIN = re.compile(r"^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$")


def name(faults: Faults, value: str | None, *, field: str, limit: int = NAME_LIMIT) -> str:
    """Check a required line of text; surrounding space goes, and what would not be seen is refused."""
    kept = text(faults, value, field=field, limit=limit)
    if kept is None:
        faults.add(Required(field=field))
        return ""
    if len(kept.splitlines()) > 1:
        faults.add(Malformed(field=field, what="a single line"))
    elif seen(kept) != kept:
        faults.add(Malformed(field=field, what="text without invisible characters"))
    return kept


def seen(line: str) -> str:
    """Return a line without what nobody sees and what turns the direction of what they do."""
    if line.isascii():
        return line
    kept = UNSEEN.sub("", line)
    return kept if RIGHT_TO_LEFT.search(kept) else DIRECTION.sub("", kept)


def text(faults: Faults, value: str | None, *, field: str, limit: int = TEXT_LIMIT) -> str | None:
    """Check an optional text; one in which nothing is seen is none, and control characters are refused."""
    if value is None or not (kept := value.strip()) or not DIRECTION.sub("", seen(kept)).strip():
        return None
    if len(kept) > limit:
        faults.add(TooLong(field=field, length=len(kept), limit=limit))
    if CONTROL.search(kept):
        faults.add(Malformed(field=field, what="text without control characters"))
    return kept


def _readable(faults: Faults, value: str | None, *, field: str, limit: int) -> str | None:
    """Return a text to be looked at more closely; None where there is none, or where it is at fault already."""
    found = Faults()
    kept = text(found, value, field=field, limit=limit)
    faults.extend(found)
    return None if any(found) else kept


def email(faults: Faults, value: str | None, *, field: str) -> tuple[str | None, str | None]:
    """Check an address; return it as given and as normalised for matching."""
    given = _readable(faults, value, field=field, limit=320)
    if given is None:
        return None, None
    normalised = normalised_email(given)
    if normalised is None:
        faults.add(Malformed(field=field, what="an email address"))
    return given, normalised


@lru_cache(maxsize=4096)
def normalised_email(value: str) -> str | None:
    """Return the address in lower case with its domain in ASCII, or None where it is none."""
    try:
        checked = validate_email(value.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return f"{checked.local_part}@{checked.ascii_domain or checked.domain}".lower()


def kept_email(typed: str) -> str:
    """Return an address, or a part of one, as addresses are kept for matching."""
    return normalised_email(typed) or typed.strip().lower()


def phone(faults: Faults, value: str | None, *, field: str, region: str | None = None) -> tuple[str | None, str | None]:
    """Check a phone number; return it as given and as E.164. Without +, it is of `region`."""
    given = _readable(faults, value, field=field, limit=50)
    if given is None:
        return None, None
    normalised = normalised_phone(given, region)
    if normalised is None:
        faults.add(Malformed(field=field, what="a phone number with its country code"))
    return given, normalised


@lru_cache(maxsize=4096)
def normalised_phone(value: str, region: str | None = None) -> str | None:
    """Return the number as E.164, or None where it is none."""
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def kept_phone(typed: str) -> str:
    """Return a number, or a part of one, as numbers are kept for matching: its digits, after a plus where it has one.

    00 at its beginning stands for the plus.
    """
    digits = "".join(str(unicodedata.digit(letter)) for letter in typed if letter.isdecimal())
    begins = typed.strip()[:2]
    if begins == "00":
        begins, digits = "+", digits[2:]
    written = f"+{digits}" if begins.startswith("+") else digits
    return normalised_phone(written) or written or typed


def domain(faults: Faults, value: str | None, *, field: str) -> str | None:
    """Check a company's domain; return it in lower case without scheme, path and www."""
    given = _readable(faults, value, field=field, limit=URL_LIMIT)
    if given is None:
        return None
    normalised = normalised_domain(given)
    if normalised is None:
        faults.add(Malformed(field=field, what="a domain name such as example.com"))
    return normalised


def normalised_domain(value: str) -> str | None:
    """Return the bare domain of a domain or web address, or None where it is none."""
    host = re.sub(r"^[a-z]+://", "", value.strip().lower()).split("/")[0].split("@")[-1].split(":")[0]
    host = host.removeprefix("www.").rstrip(".")
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        return None
    return host if DOMAIN.match(host) else None


def normalised_name(value: str) -> str:
    """Return a name for matching: lower case, single spaces."""
    return " ".join(value.lower().split())


def url(faults: Faults, value: str | None, *, field: str) -> str | None:
    """Check a web address (http or https)."""
    given = _readable(faults, value, field=field, limit=URL_LIMIT)
    if given is not None and not re.match(r"^https?://[^\s/$.?#][^\s]*$", given, re.IGNORECASE):
        faults.add(Malformed(field=field, what="an http or https address"))
    return given


@lru_cache
def currencies() -> frozenset[str]:
    return frozenset(list_currencies()) - NO_MONEY


def currency(faults: Faults, value: str | None, *, field: str, default: str | None = None) -> str:
    """Check an ISO 4217 code."""
    code = (value or default or "").strip().upper()
    if not code:
        faults.add(Required(field=field))
    elif code not in currencies():
        faults.add(Malformed(field=field, what="an ISO 4217 currency code such as EUR"))
    return code


def money(faults: Faults, value: Decimal | None, *, field: str) -> Decimal | None:
    """Check an amount: finite, not negative, four decimals at most, under 10^15."""
    if value is None:
        return None
    if not value.is_finite():
        faults.add(Malformed(field=field, what="a finite decimal number"))
        return None
    if not 0 <= value <= MOST_MONEY:
        faults.add(OutOfRange(field=field, least=0, most=MOST_MONEY))
        return None
    if value != value.quantize(Decimal("0.0001")):
        faults.add(Malformed(field=field, what="an amount with at most four decimals"))
        return None
    return value


def decimal(value: str) -> Decimal | None:
    """Return a number that is written in the digits of ASCII, with a point and perhaps an exponent; None for others."""
    if len(value) > NUMBER_CHARACTERS or not DECIMAL.fullmatch(value):
        return None
    return Decimal(value)


def iso_day(value: object) -> date | None:
    """Return a day that is written as YYYY-MM-DD; None where there is none."""
    if not isinstance(value, str) or not ISO_DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def whole(faults: Faults, value: int | None, *, field: str, least: int, most: int) -> int | None:
    """Check a whole number."""
    if value is not None and not least <= value <= most:
        faults.add(OutOfRange(field=field, least=least, most=most))
    return value


def fraction(faults: Faults, value: Decimal, *, field: str) -> Decimal:
    """Check a probability from 0 to 1."""
    if not value.is_finite() or not 0 <= value <= 1:
        faults.add(OutOfRange(field=field, least=0, most=1))
        return Decimal(0)
    return value.quantize(Decimal("0.0001"))


def percent(faults: Faults, value: Decimal | None, *, field: str) -> Decimal | None:
    """Check a percentage from 0 to 100 with three decimals at most."""
    return number(faults, value, field=field, least=Decimal(0), most=Decimal(100), places=3)


def number(
    faults: Faults, value: Decimal | None, *, field: str, least: Decimal, most: Decimal, places: int
) -> Decimal | None:
    """Check a number between two others, of so many decimals at most."""
    if value is None:
        return None
    if not value.is_finite():
        faults.add(Malformed(field=field, what="a finite decimal number"))
        return None
    if not least <= value <= most:
        faults.add(OutOfRange(field=field, least=least, most=most))
        return None
    if value != value.quantize(Decimal(1).scaleb(-places)):
        faults.add(Malformed(field=field, what=f"a number with at most {places} decimals"))
        return None
    return value


def instant(faults: Faults, value: datetime | None, *, field: str) -> datetime | None:
    """Check an instant: with a zone, and in a believable year."""
    if value is None:
        return None
    if value.tzinfo is None:
        faults.add(Malformed(field=field, what="an instant with a time zone"))
    elif not EARLIEST_YEAR <= value.year <= LATEST_YEAR:
        faults.add(OutOfRange(field=field, least=EARLIEST_YEAR, most=LATEST_YEAR))
    return value


def day(faults: Faults, value: date | None, *, field: str) -> date | None:
    """Check a day in a believable year."""
    if value is not None and not EARLIEST_YEAR <= value.year <= LATEST_YEAR:
        faults.add(OutOfRange(field=field, least=EARLIEST_YEAR, most=LATEST_YEAR))
    return value


def country(faults: Faults, value: str | None, *, field: str) -> str | None:
    """Check an ISO 3166-1 alpha-2 code."""
    code = (value or "").strip().upper()
    if not code:
        return None
    if len(code) != 2 or code not in Locale("en").territories or code in NO_COUNTRIES:
        faults.add(Malformed(field=field, what="an ISO 3166 country code such as DE"))
    return code


def time_zone(faults: Faults, value: str | None, *, field: str) -> str | None:
    """Check an IANA time zone."""
    if not value:
        return None
    if value not in available_timezones():
        faults.add(Malformed(field=field, what="an IANA time zone such as Europe/Berlin"))
    else:
        ZoneInfo(value)
    return value


def language(faults: Faults, value: str | None, *, field: str) -> str | None:
    """Check a BCP 47 language tag."""
    if not value:
        return None
    try:
        Locale.parse(value, sep="-")
    except (ValueError, UnknownLocaleError):
        faults.add(Malformed(field=field, what="a language tag such as de or pt-BR"))
    return value


def address(faults: Faults, value: dict[str, Any] | None, *, field: str) -> dict[str, str] | None:
    """Check a postal address: street, city, region, postalCode, country."""
    if value is None:
        return None
    parts: dict[str, str] = {}
    for part in ("street", "city", "region", "postalCode"):
        if kept := text(faults, value.get(part), field=f"{field}.{part}", limit=NAME_LIMIT):
            parts[part] = kept
    if code := country(faults, value.get("country"), field=f"{field}.country"):
        parts["country"] = code
    return parts or None
