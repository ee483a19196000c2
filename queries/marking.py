"""What matches in a text that was found, to be shown: its pieces, long texts in parts."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from domain.search_words import WORD, fold, parts, pieces

# Longer texts are shown in parts: so many characters before and after what matches, and so many parts.
SHORT, BEFORE, AFTER, MOST_PARTS, LONGEST_SHOWN = 200, 60, 120, 2, 600
ELLIPSIS = " ... "

Span = tuple[int, int]


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
