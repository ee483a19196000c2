"""What people outside read, in their language: English is the source, `locales/LANGUAGE/*.po` say it in others.

A test goes through everything that is shown and through every catalogue.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time, get_timezone_gmt
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent
from jinja2 import pass_context
from jinja2.runtime import Context

FOLDER = Path(__file__).parent.parent / "locales"
SOURCE = "en"
LANGUAGES = (SOURCE, "ar", "de", "es", "fr", "he", "it", "ja", "nl", "pt")
# English as it is told where nobody has said how: a month's name, and no noon and midnight to confuse.
LOCALES = {SOURCE: "en_GB"}
RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi"})
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
# What stands between these is read in its own direction and turns nothing around it: a Latin name, a number, a sign.
ISOLATED = "\u2068{}\u2069"
MARK = "\N{LEFT-TO-RIGHT MARK}"


@dataclass(frozen=True, slots=True)
class Words:
    """One language. Called with English, it says the same with `%(name)s` filled in."""

    language: str
    locale: Locale
    _said: Mapping[str, str | tuple[str, ...]]
    _plural: Callable[[int], int]

    def __call__(self, english: str, **facts: object) -> str:
        return self.gettext(english) % facts if facts else self.gettext(english)

    def gettext(self, english: str) -> str:
        """Return a sentence with its placeholders."""
        said = self._said.get(english, english)
        return said if isinstance(said, str) else said[0]

    def ngettext(self, one: str, many: str, number: int) -> str:
        """Return the form of a sentence that fits a number, with its placeholders."""
        said = self._said.get(one)
        if not isinstance(said, tuple):
            return one if number == 1 else many
        return said[min(self._plural(number), len(said) - 1)]

    def date(self, value: date) -> str:
        """Return a day as it is written out: 2 March 2026."""
        return format_date(value, "long", locale=self.locale)

    def time(self, value: time | datetime, zone: str | None = None) -> str:
        """Return a time of day: 09:00."""
        return format_time(value, "short", tzinfo=zone and ZoneInfo(zone), locale=self.locale)  # type: ignore[arg-type]

    def moment(self, value: datetime, zone: str | None = None) -> str:
        """Return an instant on a clock in a time zone, which it names: 2 March 2026, 09:00 UTC."""
        there = value.astimezone(ZoneInfo(zone or "UTC"))
        told = format_datetime(there, "long", tzinfo=there.tzinfo, locale=self.locale)
        # A zone without a name is told by its distance, in words that bear a line from right to left.
        distance = get_timezone_gmt(there, "long", locale=self.locale)
        return told.replace(there.strftime(":%S "), " ").replace(there.strftime("%z"), distance)

    def number(self, value: Decimal) -> str:
        """Return a number with all of its digits: 1,234.5."""
        return self.signed(format_decimal(value.normalize(), locale=self.locale, decimal_quantization=False))

    def percent(self, value: Decimal) -> str:
        """Return a percentage with all of its digits: 7.7%."""
        return self.signed(format_percent(value.normalize() / 100, locale=self.locale, decimal_quantization=False))

    def money(self, amount: Decimal, currency: str) -> str:
        """Return an amount in its currency, with more digits than that has where the amount has: €0.0125."""
        told = format_currency(amount.normalize(), currency, locale=self.locale, decimal_quantization=False)
        return self.signed(told)

    def signed(self, told: str) -> str:
        """Keep a minus before its digits where lines run from right to left, as CLDR writes it and Babel does not."""
        return told.replace("-", f"{MARK}-") if reads_from_the_right(self.locale.language) else told


@lru_cache
def words(language: str) -> Words:
    """Return what we say in one of LANGUAGES."""
    locale = Locale.parse(LOCALES.get(language, language))
    said: dict[str, str | tuple[str, ...]] = {}
    plural: Callable[[int], int] = locale.plural_form  # type: ignore[assignment]
    told = _isolated if reads_from_the_right(language) else str
    for path in sorted((FOLDER / language).glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
        plural = _plural(catalogue.plural_expr)
        for message in catalogue:
            key = message.id if isinstance(message.id, str) else message.id[0]
            if key:
                string = message.string
                said[key] = told(string) if isinstance(string, str) else tuple(map(told, string or ()))
    return Words(language, locale, said, plural)


@lru_cache
def words_for(*wanted: str | None) -> Words:
    """Return what we say in the first language tag that we speak, with days and numbers as its region writes them."""
    said = words(best_language(*wanted))
    tag = next((tag for tag in wanted if tag and tag.replace("_", "-").lower().startswith(f"{said.language}-")), None)
    try:
        locale = Locale.parse(tag.replace("_", "-"), sep="-") if tag else said.locale
    except (ValueError, UnknownLocaleError):
        return said
    return replace(said, locale=locale)


def best_language(*wanted: str | None) -> str:
    """Return that of LANGUAGES which fits the first language tag that one fits: `pt-BR` is fitted by `pt`."""
    for tag in wanted:
        language = _spoken(tag or "")
        if language in LANGUAGES:
            return language
    return SOURCE


def reads_from_the_right(tag: str) -> bool:
    """Say whether the language of a tag is written from right to left."""
    return _spoken(tag) in RIGHT_TO_LEFT


def _spoken(tag: str) -> str:
    return tag.replace("_", "-").partition("-")[0].lower()


def best_accepted(header: str) -> str | None:
    """Return that of LANGUAGES which a browser would like best, by its Accept-Language; None where none fits."""
    fitting = (best for tag in _by_wish(header) if (best := best_language(tag, "")) != SOURCE or tag.startswith(SOURCE))
    return next(iter(fitting), None)


def _by_wish(header: str) -> Iterable[str]:
    wishes = []
    for place, part in enumerate(header.split(",")[:20]):
        tag, _, quality = part.partition(";q=")
        try:
            wish = float(quality) if quality else 1.0
        except ValueError:
            wish = 0.0
        if tag.strip() and wish > 0:
            wishes.append((-wish, place, tag.strip().lower()))
    return [tag for _, _, tag in sorted(wishes)]


def filters(said: Words) -> dict[str, Any]:
    """Return the filters that tell days and times in a language, on the clock of whoever reads."""

    @pass_context
    def moment(context: Context, value: datetime) -> str:
        return said.moment(value, context.get("time_zone"))

    @pass_context
    def clock(context: Context, value: datetime) -> str:
        return said.time(value, context.get("time_zone") or "UTC")

    return {"moment": moment, "date": said.date, "time": clock}


def _isolated(sentence: str) -> str:
    return PLACEHOLDER.sub(lambda found: ISOLATED.format(found[0]), sentence)


def _plural(expression: str) -> Callable[[int], int]:
    from gettext import c2py  # The standard library reads C's expressions in no public way.

    return c2py(expression)
