"""Files of rows: what they are written in, found out over the whole file, and their rows, one at a time.

A file is looked through once before its first row is taken, so that what makes it unreadable is told while nothing
has been written, and so that a date on its last line may say how those on its first are meant.
"""

import codecs
import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO

import charset_normalizer

from domain.imports.errors import (
    AmbiguousDates,
    AmbiguousNumbers,
    BrokenQuotes,
    CellTooLarge,
    DuplicateColumn,
    EmptyFile,
    LineTooLong,
    MissingColumn,
    NotCsv,
    TooManyColumns,
    UnreadableText,
)
from domain.imports.formats import Evidence, summed
from domain.imports.guesses import Guess
from domain.imports.mapping import Form, ImportMapping
from models.custom_fields import CustomFieldType

MOST_COLUMNS = 1000
LONGEST_LINE = 1_048_576
LARGEST_CELL = csv.field_size_limit()
BLOCK = 1_048_576
SAMPLE = 65_536
SAMPLED_ROWS = 100
REMEMBERED_CELLS = 50_000
REPORTED_EVERY = 20_000
SMALLEST_SIEVE, LARGEST_SIEVE = 2**17, 2**25

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
BINARY = {
    b"PK\x03\x04": "a spreadsheet (.xlsx) or a zip archive; save it as CSV",
    b"\xd0\xcf\x11\xe0": "a spreadsheet (.xls); save it as CSV",
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"%PDF": "a PDF document",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"\x7fELF": "a program",
}

Report = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Record:
    """A row of a file: the line it begins on, and its cells, or why they cannot be read."""

    line: int
    cells: Sequence[str]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read, what its rows may say twice, and what `others` hold: columns by their places."""

    path: Path
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    dates: str
    decimal: str
    rows: int
    suspects: frozenset[int] = field(default=frozenset(), repr=False)
    others: Mapping[int, CustomFieldType] = field(default_factory=dict)

    def index(self, column: str) -> int:
        return self.header.index(column)

    def records(self) -> Iterator[Record]:
        """Return the rows below the header; lines without anything in them are none."""
        with _open(self.path, self.encoding) as text:
            yield from islice(_records(text, self.delimiter, self.encoding), 1, None)


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def survey(path: Path, mapping: ImportMapping, *, report: Report = lambda rows: None) -> Reading:
    """Look through the whole file and return how to read it; `report` is told how many rows were seen so far.

    Raises what domain/imports/errors.py has for files.
    """
    encoding = _encoding(path, mapping.file.encoding)
    delimiter = mapping.file.delimiter or _delimiter(path, encoding, mapping.columns)
    with _open(path, encoding) as text:
        records = _records(text, delimiter, encoding)
        header = _header(next(records, None), mapping.columns)
        seen = _Look(mapping, header, delimiter=delimiter, size=path.stat().st_size)
        for record in records:
            seen.take(record)
            if seen.rows % REPORTED_EVERY == 0:
                report(seen.rows)
    report(seen.rows)
    return Reading(
        path=path,
        encoding=encoding,
        delimiter=delimiter,
        header=header,
        dates=mapping.file.dates or seen.order_of_dates(),
        decimal=mapping.file.decimal or seen.decimal(),
        rows=seen.rows,
        suspects=frozenset(seen.suspects),
        others={at: guess.type for at, guess in seen.guesses.items() if guess.says_anything},
    )


def sample(path: Path) -> tuple[tuple[str, ...], Iterator[Record]]:
    """Return the header of a file of which nothing is known, and its rows.

    Raises what domain/imports/errors.py has for files.
    """
    encoding = _encoding(path, None)
    delimiter = _delimiter(path, encoding, ())

    def rows() -> Iterator[Record]:
        with _open(path, encoding) as text:
            yield from islice(_records(text, delimiter, encoding), 1, None)

    with _open(path, encoding) as text:
        return _header(next(_records(text, delimiter, encoding), None), ()), rows()


class _Look:
    """What one look at every row tells: how many there are, how they write, which ids may come twice.

    Ids are told apart by a sieve of fixed size, which may suspect too many but never too few.
    """

    def __init__(self, mapping: ImportMapping, header: tuple[str, ...], *, delimiter: str, size: int) -> None:
        self.rows = 0
        self._delimiter = delimiter
        self.suspects: set[int] = set()
        self._id = None if mapping.external_id is None else header.index(mapping.external_id)
        self._dates = [] if mapping.file.dates else mapping.columns_of(Form.INSTANT, Form.DAY)
        self._numbers = [] if mapping.file.decimal else mapping.columns_of(Form.MONEY, Form.WHOLE)
        self._evidence = Evidence()
        self._watched = [(header.index(name), self._evidence.see_date) for name in self._dates]
        self._watched += [(header.index(name), self._evidence.see_number) for name in self._numbers]
        self._mapping = mapping
        named = set(mapping.columns)
        places = [at for at, name in enumerate(header) if name not in named] if mapping.others else []
        self.guesses = {at: Guess() for at in places}
        self._header = header
        self._watched += [(at, guess.see) for at, guess in self.guesses.items()]
        self._width = len(header) if mapping.others else max([self._id or 0, *(at for at, _ in self._watched)]) + 1
        self._remembered: list[set[str]] = [set() for _ in self._watched]
        length = SMALLEST_SIEVE
        while length < min(size // 8, LARGEST_SIEVE):
            length *= 2
        self._sieve = bytearray(length)
        self._mask = length * 8 - 1

    def take(self, record: Record) -> None:
        self.rows += 1
        cells = record.cells
        if len(cells) < self._width:
            return
        if self._id is not None:
            self._sift(hash(cells[self._id].strip()))
        for (at, see), remembered in zip(self._watched, self._remembered, strict=True):
            text = cells[at]
            if text and text not in remembered:
                if len(remembered) < REMEMBERED_CELLS:
                    remembered.add(text)
                if (text := text.strip()) and not self._mapping.says_nothing(text):
                    see(text)

    def _sift(self, mark: int) -> None:
        sieve, known = self._sieve, True
        for shift in (0, 21, 42):
            bit = (mark >> shift) * 0x9E3779B97F4A7C15 >> 16 & self._mask
            if not sieve[bit >> 3] >> (bit & 7) & 1:
                sieve[bit >> 3] |= 1 << (bit & 7)
                known = False
        if known:
            self.suspects.add(mark)

    def order_of_dates(self) -> str:
        others = self._others(CustomFieldType.DATE)
        decided = summed(self._evidence.dates, *(guess.evidence.dates for guess in others.values())).decide()
        if decided is None:
            raise AmbiguousDates(columns=", ".join([*self._dates, *others]), field="file")
        return "month-first" if decided else "day-first"

    def decimal(self) -> str:
        others = self._others(CustomFieldType.NUMBER)
        decided = summed(self._evidence.numbers, *(guess.evidence.numbers for guess in others.values())).decide()
        if decided is None and self._evidence.numbers.decide() and self._delimiter == ",":
            # Where commas part cells, numbers of which nobody knows are written with points, or grouped by commas.
            return "."
        if decided is None:
            raise AmbiguousNumbers(columns=", ".join([*self._numbers, *others]), field="file")
        return "." if decided else ","

    def _others(self, kind: CustomFieldType) -> dict[str, Guess]:
        """Return the other columns that hold this, of which the file's dates and numbers are found out as well."""
        return {self._header[at]: guess for at, guess in self.guesses.items() if guess.type is kind}


def _open(path: Path, encoding: str) -> TextIO:
    return path.open(encoding=encoding, newline="")


def _lines(text: TextIO, encoding: str) -> Iterator[str]:
    number = 0
    try:
        while line := text.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise LineTooLong(line=number, limit=LONGEST_LINE, field="file")
            yield line
    except UnicodeError as error:
        raise UnreadableText(encoding=encoding, line=number + 1, field="file") from error


def _records(text: TextIO, delimiter: str, encoding: str) -> Iterator[Record]:
    """Return all rows, the header among them. A badly quoted line is told, one that swallows others refused."""
    reader = csv.reader(_lines(text, encoding), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "field limit" in str(error):
                raise CellTooLarge(line=line, limit=LARGEST_CELL, field="file") from error
            if reader.line_num > line or "unexpected end" in str(error):
                raise BrokenQuotes(line=line, field="file") from error
            yield Record(line, (), "The line is not quoted as CSV wants it.")
            continue
        if cells:
            yield Record(line, cells)


def _header(record: Record | None, wanted: Sequence[str]) -> tuple[str, ...]:
    if record is None:
        raise EmptyFile(field="file")
    header = tuple(name.strip() for name in record.cells)
    if any("\0" in name for name in header):
        raise NotCsv(what="a binary file", field="file")
    if len(header) > MOST_COLUMNS:
        raise TooManyColumns(count=len(header), limit=MOST_COLUMNS, field="file")
    counts = Counter(header)
    for column in wanted:
        if column not in counts:
            shown = ", ".join(name[:60] for name in header[:30]) + (", …" if len(header) > 30 else "")
            raise MissingColumn(column=column, columns=shown, field="file")
        if counts[column] > 1:
            raise DuplicateColumn(column=column, field="file")
    return header


def _encoding(path: Path, given: str | None) -> str:
    with path.open("rb") as file:
        head = file.read(SAMPLE)
        if not head:
            raise EmptyFile(field="file")
        for magic, what in BINARY.items():
            if head.startswith(magic):
                raise NotCsv(what=what, field="file")
        for mark, encoding in MARKS.items():
            if head.startswith(mark):
                if len(head) == len(mark):
                    raise EmptyFile(field="file")
                return encoding
        known = given or _wide(head)
        if known:
            return known
        at = _first_not_utf8(file, head)
        if at is None:
            return "utf-8"
        file.seek(max(at - SAMPLE // 2, 0))
        return _legacy(file.read(SAMPLE))


def _wide(head: bytes) -> str | None:
    """Return UTF-16 for text whose every other byte is null."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) <= len(head) // 5 or min(even, odd):
        return None
    encoding = "utf-16-le" if odd else "utf-16-be"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None
    return encoding if text.replace("\r", "").replace("\n", "").replace("\t", "").isprintable() else None


def _first_not_utf8(file: BinaryIO, block: bytes) -> int | None:
    decoder, done = codecs.getincrementaldecoder("utf-8")(), 0
    while True:
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            return done
        if not block:
            return None
        done += len(block)
        block = file.read(BLOCK)


def _legacy(sample: bytes) -> str:
    """Return the 8-bit encoding of a sample.

    Words of Latin letters among which a few are accented are western, whatever statistics say of short samples.
    """
    if b"\0" in sample:
        raise NotCsv(what="a binary file", field="file")
    words = [word for word in sample.replace(b",", b" ").replace(b";", b" ").split() if not word.isascii()]
    letters = b"".join(words)
    plain = sum(1 for byte in letters if byte < 128)
    try:
        letters.decode("cp1252")
        if plain * 2 >= len(letters):
            return "cp1252"
    except UnicodeDecodeError:
        pass
    best = charset_normalizer.from_bytes(sample).best()
    if best is None:
        raise NotCsv(what="a binary file", field="file")
    return best.encoding


def _delimiter(path: Path, encoding: str, wanted: Sequence[str]) -> str:
    """Return the delimiter under which the header has the wanted columns and the rows have its width."""

    def score(delimiter: str) -> tuple[int, int, int]:
        rows: list[Sequence[str]] = []
        with _open(path, encoding) as text, suppress(BrokenQuotes, CellTooLarge):
            rows.extend(record.cells for record in islice(_records(text, delimiter, encoding), SAMPLED_ROWS))
        if not rows:
            return 0, 0, 0
        names, width = {name.strip() for name in rows[0]}, len(rows[0])
        even = sum(1 for cells in rows[1:] if len(cells) == width) if width > 1 else 0
        return sum(1 for column in wanted if column in names), even, width

    return max((",", ";", "\t", "|"), key=score)
