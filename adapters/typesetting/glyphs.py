"""Which characters the fonts that ship can show, so that none is printed as an empty box."""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

FONTS = Path(__file__).parent.parent.parent / "templates" / "fonts"
# Ends and turns of lines, joiners, marks and isolates of direction: they work without being drawn.
UNDRAWN = frozenset("\n\t\u200b\u200c\u200d\u200e\u200f\u061c\u2060\u2066\u2067\u2068\u2069\ufeff\u00ad")
# What reverses text that follows it is how one text is made to look like another. Isolates say the same honestly.
OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e")
VARIATIONS = frozenset(map(chr, range(0xFE00, 0xFE10))) | frozenset(map(chr, range(0xE0100, 0xE01F0)))


@lru_cache
def covered() -> frozenset[str]:
    """Return every character that has a glyph."""
    lines = (FONTS / "coverage.txt").read_text().split()
    ranges = (range(int(start, 16), int(end, 16) + 1) for start, end in (line.split("-") for line in lines))
    shown = {char for codes in ranges for char in map(chr, codes) if unicodedata.category(char) != "Cc"}
    return frozenset((shown - OVERRIDES - VARIATIONS) | UNDRAWN)


def legible(value: Any, missing: set[str]) -> Any:
    """Return data whose every text can be shown, adding to `missing` what had to be written as its number."""
    match value:
        case str():
            return _shown(value, missing)
        case Mapping():
            return {key: legible(each, missing) for key, each in value.items()}
        case Sequence():
            return [legible(each, missing) for each in value]
        case _:
            return value


def _shown(text: str, missing: set[str]) -> str:
    known = covered()
    if known.issuperset(text):
        return text
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    return "".join(char if char in known else _replaced(char, missing) for char in composed)


def _replaced(char: str, missing: set[str]) -> str:
    if char in OVERRIDES or char in VARIATIONS:
        return ""
    plain = unicodedata.normalize("NFKC", char)
    if plain != char and covered().issuperset(plain):
        return plain
    missing.add(char)
    return f"[U+{ord(char):04X}]"
