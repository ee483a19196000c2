"""Words as the search takes them from texts: what migration 0018 has PostgreSQL do, for what is typed and shown."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

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
# Longer texts are shown in parts: so many characters before and after what matches, and so many parts.
SHORT, BEFORE, AFTER, MOST_PARTS, LONGEST_SHOWN = 200, 60, 120, 2, 600
ELLIPSIS = " ... "

Span = tuple[int, int]


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


class Marker:
    """Finds the words of what was typed in texts, to be shown."""

    def __init__(self, typed: str) -> None:
        found = [[part.lower() for word in piece for part in parts(word)] for piece in pieces(typed)]
        self._phrases = [(phrase, at == len(found) - 1) for at, phrase in enumerate(found)]

    def marked(self, text: str) -> list[tuple[str, bool]]:
        """Return the pieces of a text, long ones in parts, each with whether it matches; none where nothing does."""
        spans = self._spans(text)
        if not spans:
            return []
        shown, room = list[tuple[str, bool]](), LONGEST_SHOWN
        for number, (start, end) in enumerate(_windows(text, spans)):
            if number:
                shown.append((ELLIPSIS, False))
            for piece, is_match in _cut_out(text, spans, start, end):
                if room > 0:
                    shown.append((piece[:room], is_match))
                room -= len(piece)
        return _joined(shown)

    def _spans(self, text: str) -> list[Span]:
        """Return where the words stand, in order."""
        folded, places = _folded(text)
        words = [(found[0], found.start(), found.end()) for found in WORD.finditer(folded)]
        spans = list[Span]()
        for at, (_, start, _) in enumerate(words):
            if (last := max((self._last(words, at, *phrase) for phrase in self._phrases), default=-1)) < 0:
                continue
            end = words[last][2]
            spans.append((places[start], places[end - 1] + 1) if places else (start, end))
        return spans

    @staticmethod
    def _last(words: Sequence[tuple[str, int, int]], at: int, phrase: Sequence[str], is_beginning: bool) -> int:
        """Return the last of the words from this one on that are those of a phrase; -1 where they are not."""
        if len(words) - at < len(phrase):
            return -1
        *whole, last = phrase
        if any(words[at + place][0] != word for place, word in enumerate(whole)):
            return -1
        there = words[at + len(whole)][0]
        return at + len(whole) if (there.startswith(last) if is_beginning else there == last) else -1


def _folded(text: str) -> tuple[str, Sequence[int] | None]:
    """Return a text folded and in lower case, and where each of its characters stood; None where all stand still."""
    if text.isascii():
        return text.lower(), None
    folded, places = list[str](), list[int]()
    for at, letter in enumerate(text):
        plain = _letter(letter)
        folded.append(plain)
        places.extend([at] * len(plain))
    return "".join(folded), places


@lru_cache(maxsize=4096)
def _letter(letter: str) -> str:
    return fold(letter).lower()


def _windows(text: str, spans: Sequence[Span]) -> list[Span]:
    """Return the parts of a text that are shown: all of a short one."""
    if len(text) <= SHORT:
        return [(0, len(text))]
    windows = list[Span]()
    for start, end in spans:
        if windows and end <= windows[-1][1]:
            continue
        if len(windows) == MOST_PARTS:
            break
        least = windows[-1][1] if windows else 0
        begins, ends = max(start - BEFORE, least), min(end + AFTER, len(text))
        if begins > least:
            begins = max(text.find(" ", begins, start) + 1, begins)
        if ends < len(text):
            ends = max(text.rfind(" ", end, ends), end) if " " in text[end:ends] else ends
        windows.append((begins, ends))
    return windows


def _cut_out(text: str, spans: Sequence[Span], start: int, end: int) -> Iterator[tuple[str, bool]]:
    """Give the pieces of a part of a text."""
    at = start
    for first, last in spans:
        if first >= at and last <= end:
            yield text[at:first], False
            yield text[first:last], True
            at = last
    yield text[at:end], False


def _joined(shown: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """Return pieces without empty ones, and with one for those that follow one another and are alike."""
    joined = list[tuple[str, bool]]()
    for piece, is_match in shown:
        if joined and joined[-1][1] == is_match:
            joined[-1] = (joined[-1][0] + piece, is_match)
        elif piece:
            joined.append((piece, is_match))
    return joined
