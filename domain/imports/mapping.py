"""The mapping: a readable YAML text that says which column of a file fills which field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any
from zoneinfo import available_timezones

import yaml

from domain.errors import DomainError, Faults
from domain.imports.errors import (
    BrokenMapping,
    ImportKindMismatch,
    MappingIncomplete,
    MappingUnclear,
    UnknownImportField,
    UnknownMappingKey,
)
from models.custom_fields import CustomFieldOwner
from models.imports import ImportKind
from models.leads import LeadStatus

LARGEST_MAPPING = 200_000
MOST_SHOWN = 60


class Form(StrEnum):
    """How the text of a cell is read."""

    NAME = "name"
    TEXT = "text"
    INSTANT = "instant"
    DAY = "day"
    MONEY = "money"
    WHOLE = "whole"
    CURRENCY = "currency"
    STATUS = "status"
    STAGE = "stage"
    LIFECYCLE = "lifecycle"
    ROLE = "role"
    EMAIL = "email"
    RAW = "raw"


class Others(StrEnum):
    """What becomes of columns that a mapping does not name."""

    CUSTOM = "custom"


class Missing(StrEnum):
    """What happens to a row that names something that does not exist."""

    CREATE = "create"
    FAULT = "fault"
    EMPTY = "empty"


FIELDS: dict[ImportKind, dict[str, Form]] = {
    ImportKind.LEADS: {
        "title": Form.NAME,
        "description": Form.TEXT,
        "stage": Form.STAGE,
        "status": Form.STATUS,
        "lifecycle": Form.LIFECYCLE,
        "value": Form.MONEY,
        "currency": Form.CURRENCY,
        "owner": Form.NAME,
        "owner_team": Form.NAME,
        "owner_team_within": Form.NAME,
        "company": Form.NAME,
        "product": Form.NAME,
        "source": Form.NAME,
        "campaign": Form.NAME,
        "lost_reason": Form.NAME,
        "close_note": Form.TEXT,
        "engaged_at": Form.INSTANT,
        "closed_at": Form.INSTANT,
        "expected_close_date": Form.DAY,
        "term_ends_on": Form.DAY,
        "created_at": Form.INSTANT,
    },
    ImportKind.COMPANIES: {
        "name": Form.NAME,
        "domain": Form.RAW,
        "website": Form.RAW,
        "phone": Form.RAW,
        "industry": Form.RAW,
        "country": Form.RAW,
        "location": Form.RAW,
        "employees": Form.WHOLE,
        "revenue": Form.MONEY,
        "revenue_currency": Form.CURRENCY,
        "founded_year": Form.WHOLE,
        "tax_number": Form.RAW,
        "parent": Form.NAME,
        "owner": Form.NAME,
    },
    ImportKind.PRODUCTS: {
        "name": Form.NAME,
        "sku": Form.NAME,
        "family": Form.NAME,
        "description": Form.TEXT,
        "price": Form.MONEY,
        "price_currency": Form.CURRENCY,
    },
    ImportKind.USERS: {
        "name": Form.NAME,
        "email": Form.EMAIL,
        "role": Form.ROLE,
        "team": Form.NAME,
        "team_within": Form.NAME,
    },
}

# How the names of custom fields begin; the key follows.
CUSTOM = "custom:"
CUSTOM_OWNERS = {ImportKind.LEADS: CustomFieldOwner.LEAD, ImportKind.COMPANIES: CustomFieldOwner.COMPANY}

# What a row may name that does not exist yet, and what is done about it unless the mapping says otherwise.
REFERENCES: dict[ImportKind, dict[str, Missing]] = {
    ImportKind.LEADS: {
        "owner": Missing.CREATE,
        "company": Missing.CREATE,
        "product": Missing.FAULT,
        "source": Missing.FAULT,
        "campaign": Missing.FAULT,
        "lost_reason": Missing.FAULT,
    },
    ImportKind.COMPANIES: {"parent": Missing.CREATE, "owner": Missing.CREATE},
    ImportKind.PRODUCTS: {},
    ImportKind.USERS: {},
}
REQUIRED: dict[ImportKind, tuple[str, ...]] = {
    ImportKind.LEADS: (),
    ImportKind.COMPANIES: ("name",),
    ImportKind.PRODUCTS: ("name",),
    ImportKind.USERS: ("name",),
}
JOINED: dict[ImportKind, tuple[str, ...]] = {ImportKind.LEADS: ("title",)}
DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", ",": ",", ";": ";", "|": "|", "\t": "\t"}
LINE = "line"
DATES = ("month-first", "day-first", "year-first")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a lead stands: its stage, its status, and the stage from which a won one was closed."""

    stage: str | None = None
    status: LeadStatus | None = None
    closed_from: str | None = None

    def text(self) -> str:
        return f"{self.stage or ''}|{self.status or ''}|{self.closed_from or ''}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the text of a field comes from: a column, a constant, or other fields joined."""

    column: str | None = None
    constant: str | None = None
    join: tuple[str, ...] = ()
    separator: str = ", "
    values: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    default: str | None = None
    factor: Decimal | None = None
    missing: Missing | None = None


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What the mapping says of the file; None is found out by looking at it."""

    encoding: str | None = None
    delimiter: str | None = None
    dates: str | None = None
    decimal: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """A checked mapping. `external_id` is the column by which a row is known again in `system`; None: its line.

    `others` makes custom fields of the columns that it does not name, but for those to `skip`. Cells that say one of
    `empty`, in any case, say nothing.
    """

    kind: ImportKind
    system: str
    external_id: str | None
    fields: Mapping[str, Source]
    file: FileFormat = FileFormat()
    pipeline: str | None = None
    others: bool = False
    skip: tuple[str, ...] = ()
    empty: frozenset[str] = frozenset()

    @property
    def columns(self) -> list[str]:
        """Return the columns that the file must have."""
        used = [self.external_id, *(source.column for source in self.fields.values()), *self.skip]
        return list(dict.fromkeys(column for column in used if column is not None))

    def says_nothing(self, text: str) -> bool:
        """Say whether a cell is one of those that nobody has filled in."""
        return not text or (bool(self.empty) and _key(text) in self.empty)

    def columns_of(self, *forms: Form) -> list[str]:
        """Return the columns whose cells are read in one of these forms."""
        used = [
            source.column for name, source in self.fields.items() if form(self.kind, name) in forms and source.column
        ]
        return list(dict.fromkeys(used))

    @property
    def custom(self) -> list[str]:
        """Return the names of the custom fields that it fills."""
        return [name for name in self.fields if name.startswith(CUSTOM)]

    def missing(self, name: str) -> Missing:
        """Return what happens where a row names something in this field that does not exist."""
        source = self.fields.get(name)
        return (source.missing if source else None) or REFERENCES[self.kind][name]


def form(kind: ImportKind, name: str) -> Form | None:
    """Return how the cells of a field are read; None where there is no such field.

    Whether a custom field is there, and of which type, only the workspace knows.
    """
    if name.startswith(CUSTOM) and kind in CUSTOM_OWNERS:
        return Form.RAW
    return FIELDS[kind].get(name)


class _Loader(yaml.BaseLoader):
    """Reads every scalar as text, so that NO is no False; refuses aliases, which can be made to explode."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(None, None, "aliases are not allowed", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            problem = None if isinstance(key, yaml.ScalarNode) else "a key must be a single text"
            if problem is None and key.value in seen:
                problem = f"{_shown(key.value)} is given twice"
            if problem is not None:
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def load(text: str) -> dict[str, Any]:
    """Return the mapping's YAML as plain data, every scalar a text. Raises BrokenMapping."""
    if len(text) > LARGEST_MAPPING:
        reason = f"it has {len(text)} characters; at most {LARGEST_MAPPING} are allowed."
        raise BrokenMapping(reason=reason, field="mapping")
    try:
        data = yaml.load(text, Loader=_Loader)  # noqa: S506
    except RecursionError as error:
        raise BrokenMapping(reason="it nests too deep.", field="mapping") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        reason = f"{where}{_shown(getattr(error, 'problem', None) or error)}"
        raise BrokenMapping(reason=reason, field="mapping") from error
    if not isinstance(data, dict):
        raise BrokenMapping(reason="it must begin with keys such as kind, system and fields.", field="mapping")
    return data


def parse(data: Mapping[str, Any], *, kind: ImportKind) -> ImportMapping:
    """Check a mapping and return it. Raises every fault of it together."""
    return _Parser(kind).parse(data)


class _Parser:
    def __init__(self, kind: ImportKind) -> None:
        self.kind = kind
        self.faults = Faults()

    def parse(self, data: Mapping[str, Any]) -> ImportMapping:
        keys = ["kind", "system", "external_id", "fields", "file", "skip", "empty"]
        keys += ["pipeline"] if self.kind is ImportKind.LEADS else []
        keys += ["others"] if self.kind in CUSTOM_OWNERS else []
        self._keys(data, "the mapping", keys)
        if (given := self._text(data, "kind")) and given.lower() != self.kind.lower():
            self._add(ImportKindMismatch(kind=_shown(given), wanted=self.kind.lower()))
        fields = self._fields(self._dict(data.get("fields", {}), "fields"))
        mapping = ImportMapping(
            kind=self.kind,
            system=self._required(data, "system"),
            external_id=self._external_id(data),
            fields=fields,
            file=self._file(self._dict(data.get("file", {}), "file")),
            pipeline=self._text(data, "pipeline"),
            others=self._choice(Others, self._text(data, "others"), "others") is not None,
            skip=self._texts(data, "skip"),
            empty=frozenset(map(_key, self._texts(data, "empty"))),
        )
        for name in REQUIRED[self.kind]:
            if name not in fields:
                self._add(MappingIncomplete(what=f"the field {name}"))
        self.faults.raise_any()
        return mapping

    def _external_id(self, data: Mapping[str, Any]) -> str | None:
        given = data.get("external_id")
        if not isinstance(given, dict):
            return self._required(data, "external_id")
        self._keys(given, "external_id", ("by",))
        if self._text(given, "by", "external_id") != LINE:
            self._unclear("external_id.by", given.get("by", "nothing"), LINE)
        return None

    def _texts(self, data: Mapping[str, Any], key: str) -> tuple[str, ...]:
        given = data.get(key) or []
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            self._unclear(key, given, "a list of texts")
            return ()
        return tuple(one.strip() for one in given)

    def _fields(self, given: Mapping[str, Any]) -> dict[str, Source]:
        known = FIELDS[self.kind]
        fields: dict[str, Source] = {}
        for name, value in given.items():
            if form(self.kind, name) is None:
                self._add(
                    UnknownImportField(name=_shown(name), kind=self.kind.lower(), known=", ".join(known)), "fields"
                )
                continue
            fields[name] = self._source(name, value)
        return fields

    def _source(self, name: str, value: Any) -> Source:
        where = f"fields.{name}"
        if isinstance(value, str):
            return Source(column=value)
        if not isinstance(value, dict):
            self._unclear(where, value, "a column, or keys with values")
            return Source()
        given = value
        keys = {"column", "constant", "values", "default"}
        if name in JOINED.get(self.kind, ()):
            keys |= {"join", "separator"}
        if form(self.kind, name) in (Form.MONEY, Form.WHOLE):
            keys.add("factor")
        if name in REFERENCES[self.kind]:
            keys.add("missing")
        self._keys(given, where, sorted(keys))
        ways = [key for key in ("column", "constant", "join") if key in given]
        if len(ways) != 1:
            self._unclear(where, ways or "nothing", "exactly one of column, constant and join")
        stage = form(self.kind, name) is Form.STAGE
        values = self._dict(given.get("values", {}), f"{where}.values")
        return Source(
            column=self._text(given, "column", where),
            constant=self._text(given, "constant", where),
            join=self._join(given.get("join", []), where) if "join" in given else (),
            separator=given.get("separator", ", ") if isinstance(given.get("separator", ""), str) else ", ",
            values={} if stage else {_key(key): self._scalar(value, where) for key, value in values.items()},
            targets={_key(key): self._target(value, where) for key, value in values.items()} if stage else {},
            default=self._text(given, "default", where),
            factor=self._factor(self._text(given, "factor", where), where),
            missing=self._choice(Missing, self._text(given, "missing", where), f"{where}.missing"),
        )

    def _target(self, value: Any, where: str) -> Target:
        if isinstance(value, str):
            return Target(stage=value or None)
        given = self._dict(value, f"{where}.values")
        self._keys(given, f"{where}.values", ("stage", "status", "from"))
        status = self._choice(LeadStatus, self._text(given, "status", where), f"{where}.values")
        return Target(self._text(given, "stage", where), status, self._text(given, "from", where))

    def _join(self, value: Any, where: str) -> tuple[str, ...]:
        known = [name for name in FIELDS[self.kind] if name not in JOINED[self.kind]]
        if not isinstance(value, list) or not all(isinstance(name, str) and name in known for name in value):
            self._unclear(f"{where}.join", value, f"a list of the fields {', '.join(known)}")
            return ()
        return tuple(value)

    def _file(self, given: Mapping[str, Any]) -> FileFormat:
        self._keys(given, "file", ("encoding", "delimiter", "dates", "decimal", "time_zone"))
        encoding, zone = self._text(given, "encoding"), self._text(given, "time_zone")
        delimiter = given.get("delimiter")
        if delimiter is not None and (not isinstance(delimiter, str) or delimiter not in DELIMITERS):
            self._unclear("file.delimiter", delimiter, "one of , ; | tab")
            delimiter = None
        if encoding is not None and not _is_text_encoding(encoding):
            self._unclear("file.encoding", encoding, "a text encoding such as utf-8 or cp1252")
        dates = self._text(given, "dates")
        if dates is not None and dates not in DATES and "%" not in dates:
            self._unclear("file.dates", dates, f"one of {', '.join(DATES)}, or a pattern such as %d %b %Y")
        decimal = self._text(given, "decimal")
        if decimal not in (None, ".", ","):
            self._unclear("file.decimal", decimal, "a point or a comma in quotes")
        if zone is not None and zone not in available_timezones():
            self._unclear("file.time_zone", zone, "an IANA time zone such as Europe/Berlin")
        return FileFormat(encoding, DELIMITERS[delimiter] if delimiter else None, dates, decimal, zone)

    def _factor(self, text: str | None, where: str) -> Decimal | None:
        if text is None:
            return None
        try:
            factor = Decimal(text)
        except InvalidOperation:
            factor = Decimal(0)
        if not factor.is_finite() or not 0 < factor <= Decimal(10) ** 12:
            self._unclear(f"{where}.factor", text, "a number above 0")
            return None
        return factor

    def _choice(self, choices: type[Any], text: str | None, where: str) -> Any:
        if text is None:
            return None
        for choice in choices:
            if choice.value.lower() == text.strip().lower():
                return choice
        self._unclear(where, text, f"one of {', '.join(choice.value for choice in choices)}")
        return None

    def _required(self, data: Mapping[str, Any], key: str) -> str:
        text = self._text(data, key)
        if not text:
            self._add(MappingIncomplete(what=key))
        elif len(text) > 100:
            self._unclear(key, text, "at most 100 characters")
        return text or ""

    def _text(self, data: Mapping[str, Any], key: str, where: str = "") -> str | None:
        value = data.get(key)
        return None if value is None else self._scalar(value, f"{where}.{key}" if where else key)

    def _scalar(self, value: Any, where: str) -> str:
        if isinstance(value, str):
            return value
        self._unclear(where, value, "a single text or number")
        return ""

    def _dict(self, value: Any, where: str) -> Mapping[str, Any]:
        if value == "":
            return {}
        if isinstance(value, dict):
            return value
        self._unclear(where, value, "keys with values")
        return {}

    def _keys(self, given: Mapping[str, Any], where: str, known: Sequence[str]) -> None:
        for key in given:
            if key not in known:
                self._add(UnknownMappingKey(key=_shown(key), where=where, known=", ".join(known)))

    def _unclear(self, where: str, value: Any, wanted: str) -> None:
        self._add(MappingUnclear(where=where, value=_shown(value), wanted=wanted))

    def _add(self, fault: DomainError, *path: str) -> None:
        fault.field = ("mapping", *path)
        self.faults.add(fault)


def _key(value: str) -> str:
    return " ".join(value.split()).casefold()


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _is_text_encoding(name: str) -> bool:
    try:
        "".encode(name)
        b"".decode(name)
    except (LookupError, ValueError):
        return False
    return True
