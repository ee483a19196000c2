"""Rows of a file turned into values of fields, by the mapping, and what is wrong with them."""

import base64
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import ROUND_HALF_UP, Decimal
from hashlib import blake2b
from itertools import islice
from typing import Any

from domain import custom_values, inputs
from domain.errors import Faults, Malformed, OutOfRange, TooLong
from domain.external_refs import EXTERNAL_ID_LIMIT
from domain.imports import formats
from domain.imports.files import Reading, Record
from domain.imports.mapping import FIELDS, Form, ImportMapping, Source, Target
from domain.learning.kinds import PLACEHOLDERS
from models.custom_fields import CustomField, CustomFieldType
from models.leads import LeadStatus, Lifecycle
from models.users import Role

MOST_WHOLE = 2_147_483_647
SHOWN = 200
REMEMBERED, LONGEST_REMEMBERED = 20_000, 200
CENTS = Decimal("0.0001")
# In these "n/a" and the like can only mean that nobody has answered.
EXACT = (CustomFieldType.NUMBER, CustomFieldType.MONEY, CustomFieldType.DATE, CustomFieldType.YES_NO)


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with a row: in which column, with which value."""

    line: int
    column: str | None
    value: str | None
    reason: str


@dataclass(slots=True)
class Row:
    """A row of the file. `values` has what the mapping fills; those of a faulty row are not to be used."""

    line: int
    external_id: str
    fingerprint: str
    values: dict[str, Any]
    texts: Mapping[str, str]
    cells: Sequence[str]
    faults: list[RowFault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows that are taken together or not at all; `first` and `next` count rows of the file from 0."""

    first: int
    next: int
    rows: Sequence[Row]


class _Collected(Faults):
    def __len__(self) -> int:
        return len(self._faults)


Take = Callable[[Sequence[str]], str]
Parse = Callable[[Faults, str, str], Any]


class Converter:
    """Turns the records of one file into rows. Columns give faults their names."""

    def __init__(
        self,
        mapping: ImportMapping,
        reading: Reading,
        *,
        zone: tzinfo,
        custom: Mapping[str, CustomField] | None = None,
    ) -> None:
        self._mapping = mapping
        self._width = len(reading.header)
        self._id = None if mapping.external_id is None else reading.index(mapping.external_id)
        self._suspects = reading.suspects
        self._first_lines: dict[str, int] = {}
        self._parsers = _parsers(reading, zone)
        self._custom = {name: _custom(known, reading) for name, known in (custom or {}).items()}
        known = FIELDS[mapping.kind]
        self.places = {
            name: reading.index(source.column) for name, source in mapping.fields.items() if source.column is not None
        }
        names = [name for name in known if name in mapping.fields and not mapping.fields[name].join] + mapping.custom
        self._plain = [
            (
                name,
                *self._compiled(name, known.get(name, Form.RAW), mapping.fields[name], reading),
                mapping.fields[name].column or name,
            )
            for name in names
        ]
        self._joined = [(name, source) for name, source in mapping.fields.items() if source.join]
        self.names = [*names, *(name for name, _ in self._joined)]
        self.fingerprints = Fingerprints(self.names, f"{reading.dates}{reading.decimal}{zone}")

    def chunks(self, reading: Reading, *, start: int, size: int) -> Iterator[Chunk]:
        """Return the rows from `start` on, `size` at a time."""
        records = reading.records()
        for record in islice(records, start):
            self._repeats(record)
        while True:
            rows = [self.row(record) for record in islice(records, size)]
            if not rows:
                return
            yield Chunk(start, start + len(rows), rows)
            start += len(rows)

    def row(self, record: Record) -> Row:
        """Return a record as a row."""
        cells, line = record.cells, record.line
        if record.reason is not None or len(cells) != self._width:
            return self._ragged(record)
        external_id = str(line) if self._id is None else cells[self._id].strip()
        texts: dict[str, str] = {}
        values: dict[str, Any] = {}
        row = Row(line, external_id, "", values, texts, cells)
        faults = _Collected()
        for name, take, parse, label in self._plain:
            texts[name] = text = take(cells)
            values[name] = parse(faults, text, label) if text else None
        if faults:
            self._tell(row)
        for name, source in self._joined:
            parts = [str(values[part]) for part in source.join if values.get(part) is not None]
            texts[name] = source.separator.join(parts)[: inputs.NAME_LIMIT].strip()
            values[name] = texts[name] or None
        self._check_id(row, self._repeats(record))
        if not row.faults:
            row.fingerprint = self.fingerprints.of(texts)
        return row

    def _ragged(self, record: Record) -> Row:
        reason = record.reason or f"The line has {len(record.cells)} cells; the header has {self._width}."
        row = Row(record.line, "", "", {}, {}, record.cells)
        row.faults.append(RowFault(record.line, None, shown(", ".join(record.cells[:20])) or None, reason))
        return row

    def _check_id(self, row: Row, first: int | None) -> None:
        column, key = self._mapping.external_id, row.external_id
        if column is None:
            return
        reason = None
        if not key:
            reason = f"{column} is required: the row is known by it."
        elif len(key) > EXTERNAL_ID_LIMIT:
            reason = str(TooLong(field=column, length=len(key), limit=EXTERNAL_ID_LIMIT))
        elif inputs.CONTROL.search(key):
            reason = str(Malformed(field=column, what="text without control characters"))
        elif first is not None:
            reason = f"The same {column} stands on line {first} already."
        if reason is not None:
            row.faults.append(RowFault(row.line, column, shown(key), reason))

    def _repeats(self, record: Record) -> int | None:
        """Return the line on which the record's id came first, if it did."""
        if self._id is None or len(record.cells) <= self._id:
            return None
        key = record.cells[self._id].strip()
        if hash(key) not in self._suspects:
            return None
        first = self._first_lines.setdefault(key, record.line)
        return None if first == record.line else first

    def _tell(self, row: Row) -> None:
        """Look at a faulty row again, field by field, and keep what is wrong with each."""
        for name, _, parse, label in self._plain:
            faults, text, at = Faults(), row.texts[name], self.places.get(name)
            if text:
                parse(faults, text, label)
            said = shown(text if at is None else row.cells[at].strip())
            row.faults += [RowFault(row.line, label, said, str(fault)) for fault in faults]

    def _compiled(self, name: str, form: Form, source: Source, reading: Reading) -> tuple[Take, Parse]:
        parse = _by_targets(source) if form is Form.STAGE else self._custom.get(name) or self._parsers[form]
        if source.factor is not None:
            parse = _times(parse, source.factor, whole=form is Form.WHOLE)
        parse = _remembering(parse)
        if source.constant is not None:
            constant = source.constant
            return lambda cells: constant, parse
        assert source.column is not None
        return _taker(reading.index(source.column), source, self._mapping), parse


def _remembering(parse: Parse) -> Parse:
    """Return a parser that knows again what it has read without a fault: cells repeat."""
    known: dict[str, Any] = {}

    def remember(faults: Faults, text: str, label: str) -> Any:
        if text in known:
            return known[text]
        found = _Collected()
        value = parse(found, text, label)
        if found:
            faults.extend(found)
        elif len(text) <= LONGEST_REMEMBERED:
            if len(known) >= REMEMBERED:
                known.clear()
            known[text] = value
        return value

    return remember


def _taker(at: int, source: Source, mapping: ImportMapping) -> Take:
    values, default, targets = source.values, source.default or "", source.targets
    if not values and not default and not mapping.empty:
        return lambda cells: cells[at].strip()
    known: dict[str, str] = {}

    def take(cells: Sequence[str]) -> str:
        text = cells[at].strip()
        found = known.get(text)
        if found is None:
            if len(known) >= REMEMBERED:
                known.clear()
            key = " ".join(text.split()).casefold()
            said = "" if mapping.says_nothing(text) and key not in targets else text
            found = values.get(key, said or default)
            if len(text) <= LONGEST_REMEMBERED:
                known[text] = found
        return found

    return take


def _by_targets(source: Source) -> Parse:
    targets = source.targets

    def parse(faults: Faults, text: str, label: str) -> Target:
        return targets.get(" ".join(text.split()).casefold()) or Target(stage=text)

    return parse


def _times(parse: Parse, factor: Decimal, *, whole: bool) -> Parse:
    def times(faults: Faults, text: str, label: str) -> Any:
        value = parse(faults, text, label)
        if value is None:
            return None
        product = Decimal(value) * factor
        return int(product) if whole else product.quantize(CENTS, rounding=ROUND_HALF_UP)

    return times


def _parsers(reading: Reading, zone: tzinfo) -> dict[Form, Parse]:
    number, read_instant = formats.numbers(reading.decimal), formats.instants(reading.dates, zone)
    read_day = formats.days(reading.dates)
    a_date = f"a date ({reading.dates})" if "%" not in reading.dates else f"a date like {reading.dates}"

    def name(faults: Faults, text: str, label: str) -> str | None:
        kept = inputs.text(faults, text, field=label, limit=inputs.NAME_LIMIT)
        return inputs.seen(" ".join(kept.split())) or None if kept else None

    def line(faults: Faults, text: str, label: str) -> str | None:
        return inputs.text(faults, text, field=label)

    def instant(faults: Faults, text: str, label: str) -> Any:
        if (value := read_instant(text)) is None:
            faults.add(Malformed(field=label, what=a_date))
        return inputs.instant(faults, value, field=label)

    def day(faults: Faults, text: str, label: str) -> Any:
        if (value := read_day(text)) is None:
            faults.add(Malformed(field=label, what=a_date))
        return inputs.day(faults, value, field=label)

    def money(faults: Faults, text: str, label: str) -> Decimal | None:
        if (value := number(text)) is None:
            faults.add(Malformed(field=label, what=f"a number (decimals after {reading.decimal!r})"))
        return inputs.money(faults, value, field=label)

    def whole(faults: Faults, text: str, label: str) -> int | None:
        value = number(text)
        if value is None or value != value.to_integral_value():
            faults.add(Malformed(field=label, what="a whole number"))
            return None
        if not 0 <= value <= MOST_WHOLE:
            faults.add(OutOfRange(field=label, least=0, most=MOST_WHOLE))
            return None
        return int(value)

    def currency(faults: Faults, text: str, label: str) -> str:
        return inputs.currency(faults, text, field=label)

    def email(faults: Faults, text: str, label: str) -> tuple[str | None, str | None]:
        return inputs.email(faults, text, field=label)

    return {
        Form.NAME: name,
        Form.TEXT: line,
        Form.RAW: lambda faults, text, label: text,
        Form.INSTANT: instant,
        Form.DAY: day,
        Form.MONEY: money,
        Form.WHOLE: whole,
        Form.CURRENCY: currency,
        Form.EMAIL: email,
        Form.STATUS: _one_of(LeadStatus),
        Form.LIFECYCLE: _one_of(Lifecycle),
        Form.ROLE: _one_of(Role),
    }


def _custom(known: CustomField, reading: Reading) -> Parse:
    """Return how cells of a custom field are read; users are looked up when their chunk is taken."""
    number, read_day = formats.numbers(reading.decimal), formats.days(reading.dates)
    is_exact = known.type in EXACT

    def parse(faults: Faults, text: str, label: str) -> Any:
        given: Any = text
        if is_exact and text.casefold() in PLACEHOLDERS:
            return None
        match known.type:
            case CustomFieldType.USER:
                return text
            case CustomFieldType.NUMBER:
                exact = number(text)
                given = text if exact is None else format(_kept(exact), "f")
            case CustomFieldType.MONEY if found := custom_values.AMOUNT.fullmatch(text):
                exact = number(found["amount"] or found["after"])
                given = text if exact is None else f"{exact:f} {found['currency'] or found['before']}"
            case CustomFieldType.DATE if not inputs.ISO_DAY.fullmatch(text):
                day = read_day(text)
                given = text if day is None else day.isoformat()
        return custom_values.parse(faults, known, given, field=label, text=True)

    return parse


def _kept(exact: Decimal) -> Decimal:
    """Return a number with as many decimals as custom fields keep: machines write more than anybody measured."""
    return round(exact, custom_values.MOST_DECIMALS) if abs(exact) < custom_values.MOST_NUMBER else exact


def _one_of(choices: type[LeadStatus] | type[Lifecycle] | type[Role]) -> Parse:
    known = {choice.value.lower(): choice for choice in choices}
    what = f"one of {', '.join(choice.value for choice in choices)}"

    def parse(faults: Faults, text: str, label: str) -> Any:
        found = known.get(text.lower())
        if found is None:
            faults.add(Malformed(field=label, what=what))
        return found

    return parse


class Fingerprints:
    """What a row said, small enough to be kept with its reference: of the whole row, and of every field.

    It begins with a mark of the fields themselves and of how they are read, so that after a change of those
    nothing is taken for known.
    """

    VERSION = b"1"

    def __init__(self, names: Sequence[str], reading: str) -> None:
        self._names = names
        self._mark = zlib.crc32(self.VERSION + reading.encode() + "\x1f".join(names).encode())
        self._layout = struct.Struct(f">I8s{len(names)}I")

    def of(self, texts: Mapping[str, str]) -> str:
        """Return the fingerprint of a row's texts."""
        parts = [texts[name].encode() for name in self._names]
        whole = blake2b(b"\x1f".join(parts), digest_size=8).digest()
        return base64.b64encode(self._layout.pack(self._mark, whole, *map(zlib.crc32, parts))).decode()

    def changed(self, before: str | None, after: str) -> list[str]:
        """Return the fields that differ; all of them where the fingerprint before is of other fields."""
        try:
            mark, _, *were = self._layout.unpack(base64.b64decode(before or ""))
        except (ValueError, struct.error):
            return list(self._names)
        _, _, *are = self._layout.unpack(base64.b64decode(after))
        if mark != self._mark:
            return list(self._names)
        differ = [name for name, was, now in zip(self._names, were, are, strict=True) if was != now]
        return differ or list(self._names)


def shown(text: str | None) -> str | None:
    """Return a value as a report shows it: not longer than need be, without what PostgreSQL cannot keep."""
    if text is None:
        return None
    text = inputs.CONTROL.sub("�", text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
