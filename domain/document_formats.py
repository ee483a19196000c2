"""Numbers, money, days and addresses as a document tells them in its language."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from babel.core import Locale, UnknownLocaleError

from domain.words import ISOLATED, LOCALES, SOURCE, Words, best_language, reads_from_the_right, words

# Where paper is as wide as eight and a half inches, as CLDR has it.
LETTER = frozenset({"BZ", "CA", "CL", "CO", "CR", "GT", "MX", "NI", "PA", "PH", "PR", "SV", "US", "VE"})
# Where the postal code stands after the city, or on a line of its own.
CODE_LAST = frozenset({"AU", "BR", "CA", "CO", "GB", "ID", "IE", "IN", "MX", "NZ", "PK", "TH", "US", "VN", "ZA"})
# What stands between these is read from left to right, and turns nothing around it.
LEFT_TO_RIGHT = "\u2066{}\u2069"


@dataclass(frozen=True, slots=True)
class Formats:
    """How one language tells figures; `words` are ours, English where we do not speak the language."""

    locale: Locale
    words: Words

    @property
    def language(self) -> str:
        return str(self.locale.language)

    @property
    def region(self) -> str | None:
        return self.locale.territory and str(self.locale.territory)

    @property
    def right_to_left(self) -> bool:
        return reads_from_the_right(self.language)

    def said(self, english: str, **facts: object) -> str:
        """Return what we say, with facts filled in; where the language is another one, without turning it around."""
        if not self.right_to_left or self.words.language == self.language:
            return self.words(english, **facts)
        isolated = {name: ISOLATED.format(fact) for name, fact in facts.items()}
        return self.left_to_right(self.words(english, **isolated))

    def left_to_right(self, text: str) -> str:
        """Return a text that is read from left to right wherever it stands."""
        return LEFT_TO_RIGHT.format(text) if self.right_to_left else text

    def isolated(self, text: str) -> str:
        """Return a text that is read in its own direction and turns nothing around it: a number and its unit."""
        return ISOLATED.format(text) if self.right_to_left and text else text

    def country(self, code: str) -> str:
        return str(self.locale.territories.get(code, code))

    def address(self, parts: Mapping[str, Any] | None, *, home: str | None = None) -> list[str]:
        """Return an address in lines, as it is written in its country, which is named where it is not `home`."""
        given = parts or {}
        code, city, region, country = (given.get(part) or "" for part in ("postalCode", "city", "region", "country"))
        if country in CODE_LAST:
            place = " ".join(part for part in (", ".join(part for part in (city, region) if part), code) if part)
            lines = [place]
        else:
            lines = [" ".join(part for part in (code, city) if part), region]
        street = str(given.get("street") or "").splitlines()
        named = self.country(country) if country and country != home else ""
        return [self.isolated(line) for line in (*street, *lines, named) if line.strip()]


def paper(country: str | None) -> str:
    """Return the size of paper that a country writes on, as typst names it."""
    return "us-letter" if country in LETTER else "a4"


@lru_cache(maxsize=256)
def formats(tag: str) -> Formats:
    """Return how a language tells figures; where nothing is known of it, English does."""
    locale = _locale(tag)
    return Formats(locale, replace(words(best_language(tag)), locale=locale))


def _locale(tag: str) -> Locale:
    spoken = tag.replace("_", "-")
    for known in (spoken, spoken.partition("-")[0]):
        known = LOCALES.get(known, known)
        try:
            return Locale.parse(known.replace("-", "_"))
        except (ValueError, UnknownLocaleError):
            continue
    return Locale.parse(LOCALES[SOURCE])
