"""Dates and numbers as files write them: which order and which separators a file uses, and what a cell says."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal, InvalidOperation

# One slip of a pen must not make a file of thousands of clear dates unclear.
CLEAR_MAJORITY = 20

NUMERIC_DATE = re.compile(
    r"^(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})"
    r"(?:,?[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AaPp])?\.?[Mm]?\.?)?$"
)
YEAR_FIRST = re.compile(r"^(\d{4})([/.])(\d{1,2})\2(\d{1,2})(.*)$")
NUMBER = re.compile(r"^[+-]?\d[\d.,\u00a0\u202f '\u2019]*$|^[+-]?[.,]\d+$")
SCIENTIFIC = re.compile(r"^[+-]?\d+(?:\.\d+)?[eE][+-]?0?\d{1,2}$")
AROUND_NUMBER = re.compile(r"^[^\d+.,()-]{0,4}\s*(.*?)\s*[^\d.,()]{0,4}$")
SPACES = re.compile(r"[\u00a0\u202f '\u2019]")


@dataclass(slots=True)
class Votes:
    """How often cells speak for one way of reading and for the other, and how often for neither."""

    first: int = 0
    second: int = 0
    unclear: int = 0

    def decide(self) -> bool | None:
        """Return whether the first way is the file's; None where that is ambiguous, True where nothing asks."""
        if self.first or self.second:
            if self.first >= CLEAR_MAJORITY * self.second:
                return True
            return False if self.second >= CLEAR_MAJORITY * self.first else None
        return None if self.unclear else True


def summed(*votes: Votes) -> Votes:
    """Return the votes of several columns together."""
    return Votes(*(sum(getattr(one, name) for one in votes) for name in ("first", "second", "unclear")))


@dataclass(slots=True)
class Evidence:
    """What the cells of a whole file say of its dates (month first?) and of its numbers (decimal point?)."""

    dates: Votes = field(default_factory=Votes)
    numbers: Votes = field(default_factory=Votes)

    def see_date(self, text: str) -> None:
        """Count a cell of a date column. With points between them, days come first everywhere."""
        match = NUMERIC_DATE.match(text)
        if match is None:
            return
        left, mark, right = int(match[1]), match[2], int(match[3])
        if mark == "." or (left > 12 >= right):
            self.dates.second += 1
        elif right > 12 >= left:
            self.dates.first += 1
        elif left != right:
            self.dates.unclear += 1

    def see_number(self, text: str) -> None:
        """Count a cell of a number column. Three digits after a lone separator say nothing."""
        bare = SPACES.sub("", _bare(text))
        point, comma = bare.rfind("."), bare.rfind(",")
        if point < 0 and comma < 0:
            return
        if point >= 0 and comma >= 0:
            is_point = point > comma
        else:
            mark, at = (".", point) if point >= 0 else (",", comma)
            digits = bare[at + 1 :]
            if bare.count(mark) > 1:
                is_point = mark == ","
            elif len(digits) != 3 or bare.lstrip("+-").startswith(("0", mark)) or at > 3 + bare.startswith(("+", "-")):
                is_point = mark == "."
            else:
                self.numbers.unclear += 1
                return
        if is_point:
            self.numbers.first += 1
        else:
            self.numbers.second += 1


def instants(order: str, zone: tzinfo) -> Callable[[str], datetime | None]:
    """Return a reader of instants. One without a zone of its own is of `zone`, a mere date its midnight."""

    def read(text: str) -> datetime | None:
        try:
            found = _instant(text, order)
            return None if found is None else (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    return read


def days(order: str) -> Callable[[str], date | None]:
    """Return a reader of days; a time of day is left out of account."""

    def read(text: str) -> date | None:
        try:
            found = _instant(text, order)
        except (ValueError, OverflowError):
            return None
        return None if found is None else found.date()

    return read


def numbers(decimal: str) -> Callable[[str], Decimal | None]:
    """Return a reader of numbers with currency signs and grouped digits, by the file's decimal separator."""
    group = "," if decimal == "." else "."

    def read(text: str) -> Decimal | None:
        if SCIENTIFIC.match(text):
            return Decimal(text)
        bare = _bare(text)
        if not NUMBER.match(bare):
            return None
        bare = SPACES.sub("", bare)
        whole, mark, rest = bare.partition(decimal)
        if group in rest or (group in whole and not _is_grouped(whole, group)):
            return None
        try:
            return Decimal(whole.replace(group, "") + ("." + rest if mark else ""))
        except InvalidOperation:
            return None

    return read


def _instant(text: str, order: str) -> datetime | None:
    if "%" in order:
        return datetime.strptime(text, order)  # noqa: DTZ007
    match = NUMERIC_DATE.match(text)
    if match is None:
        slashed = YEAR_FIRST.match(text)
        if slashed:
            text = f"{slashed[1]}-{int(slashed[3]):02d}-{int(slashed[4]):02d}{slashed[5]}"
        return datetime.fromisoformat(text)
    left, right, year = int(match[1]), int(match[3]), int(match[4])
    if len(match[4]) == 2:
        year += 2000 if year < 70 else 1900
    month, day = (left, right) if order == "month-first" and match[2] != "." else (right, left)
    hour, minute, second = int(match[5] or 0), int(match[6] or 0), int(match[7] or 0)
    if match[8]:
        hour = hour % 12 + (12 if match[8] in "Pp" else 0)
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001


def _bare(text: str) -> str:
    """Return a number without what stands around it: a currency's sign or code, a percent sign."""
    match = AROUND_NUMBER.match(text)
    return match[1] if match else text


def _is_grouped(whole: str, group: str) -> bool:
    head, *groups = whole.lstrip("+-").split(group)
    return 0 < len(head) <= 3 and all(len(digits) in (2, 3) for digits in groups) and len(groups[-1]) == 3
