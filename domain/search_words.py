"""Words as the search takes them from texts: what migration 0018 has PostgreSQL do, for what is typed and shown."""

import re
import unicodedata
from collections.abc import Sequence

# As in the migration, and as `search_fold` and `search_cut` have them: a test holds them together.
LETTERS = str.maketrans("øØłŁđĐðÐıħĦŧŦ", "oOlLdDdDihHtT") | str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "TH"}
)
MARKS = re.compile(r"[\u0300-\u036f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")
SIGNS = (
    r"\u0001-\u002d\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf"
    r"\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u3000-\u3004\u3008-\u3020\u3030\uff01-\uff0f\uff1a-\uff20"
    r"\uff3b-\uff40\uff5b-\uff65\U0001f000-\U0001faff"
)
BETWEEN = re.compile(rf"[{SIGNS}]+")
DOT_WITHIN = re.compile(r"(?<=[^\s.])\.(?=[^\s.])")
DOT = "ꞏ"
WORD = re.compile(rf"[^{SIGNS}\s.{DOT}]+")
# What no text of PostgreSQL can hold.
UNWRITABLE = re.compile(r"[\x00\ud800-\udfff]")


def fold(text: str) -> str:
    """Return a text without the accents of its letters; their case stays."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text.translate(LETTERS))
    return unicodedata.normalize("NFC", MARKS.sub("", decomposed))


def cut(text: str) -> str:
    """Return a text as words with spaces between them, where a dot within a word is a letter of it."""
    return DOT_WITHIN.sub(DOT, BETWEEN.sub(" ", fold(text)))


def pieces(text: str) -> list[list[str]]:
    """Return the words of each piece of a text that spaces stand around; pieces without letters and digits are left
    out."""
    found = [cut(piece).replace(".", " ").split() for piece in UNWRITABLE.sub(" ", text).split()]
    kept = [[word for word in piece if any(letter.isalnum() for letter in word)] for piece in found]
    return [piece for piece in kept if piece]


def parts(word: str) -> list[str]:
    """Return what stands between the dots of a word."""
    return [part for part in word.split(DOT) if part]


def query(text: str) -> str | None:
    """Return what PostgreSQL is asked for every word of a text, the last at least as a beginning; None without any.

    Words that nothing but signs stand between, such as those of an address, must follow one another.
    """
    found = pieces(text)
    if not found:
        return None
    *before, last = found
    return " & ".join([*(_phrase(piece, "") for piece in before), _phrase(last, ":*")])


def _phrase(piece: Sequence[str], prefix: str) -> str:
    """Return what stands for words that follow one another, the last with a prefix sign."""
    *before, last = piece
    return " <-> ".join([*(_word(word, "") for word in before), _word(last, prefix)])


def _word(word: str, prefix: str) -> str:
    """Return what stands for a word: itself or, where it has dots within, those parts in the midst of a longer one.

    The last part is no beginning then: of "com" and the like the index would give all rows that there are.
    """
    whole, within = f"{_quoted(word)}{prefix}", parts(word)
    if len(within) == 1:
        return whole
    return f"({whole} | {' <-> '.join(_quoted(part) for part in within)})"


def _quoted(word: str) -> str:
    return f"'{word}'"
