"""Values for arguments and variables: mostly what the world holds, sometimes what nobody should send."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from random import Random
from typing import Any, TypeAlias
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    GraphQLType,
    get_named_type,
    is_leaf_type,
)

from models.custom_fields import CustomField, CustomFieldType
from models.custom_values import SORTABLE
from schema import ids
from tests.oracle.world import ABROAD, CUSTOM_NUMBERS, CUSTOM_OPTIONS, HOME, NOUN_MODELS, ODD_TEXTS, World, custom_key

MISSING = UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")
MALFORMED_IDS = (
    "",
    "nonsense",
    "TGVhZDo",
    "TGVhZDp4eHh4",
    "Lead:1",
    "ünï",
    "1",
    "=",
    "TGVhZDo=" * 8,
    "'; --",
    "%",
    "a\x00b",
)
HOSTILE_TEXTS = (
    "' OR 1=1 --", '" OR ""="', "\\", "\\'", "%", "_", "%%", "$1", "$$", "::text", "/*", "--", "; SELECT pg_sleep(9)",
    "{alias}", "{0}", "%s", "a\x00b", "\x00", "\ufeff", "ẞ", "ﬀ", "İ", "🚀", "x" * 201,
)  # fmt: skip
HOSTILE_WORDS = (
    "& | !", "a:*", "'", "\\", "<->", "(", "a & b", "é", "ﬁ", "__", "_", "1", "²", "日本", "🚀", "%", "a" * 200,
    "solar'); --", "{alias}", "\x00", "   ", "a\tb", "Ⅷ", "٣",
)  # fmt: skip
INT_LIMITS = (0, 1, -1, 2**31 - 1, -(2**31), 32767, 32768)


# The tests that a custom field of a type has, as a filter names them.
OF_TEXT = ("eq", "ne", "in", "notIn", "contains", "startsWith", "isNull")
OF_ORDERED = ("eq", "ne", "in", "notIn", "gt", "gte", "lt", "lte", "isNull")
CUSTOM_TESTS: dict[CustomFieldType, tuple[str, ...]] = {
    CustomFieldType.TEXT: OF_TEXT,
    CustomFieldType.NUMBER: OF_ORDERED,
    CustomFieldType.MONEY: OF_ORDERED,
    CustomFieldType.DATE: OF_ORDERED,
    CustomFieldType.CHOICE: ("eq", "ne", "in", "notIn", "isNull"),
    CustomFieldType.MULTI_CHOICE: ("contains", "in", "notIn", "isNull"),
    CustomFieldType.YES_NO: ("eq", "ne", "isNull"),
    CustomFieldType.USER: ("eq", "ne", "in", "notIn", "isNull"),
    CustomFieldType.URL: OF_TEXT,
    CustomFieldType.EMAIL: OF_TEXT,
    CustomFieldType.PHONE: OF_TEXT,
}


@dataclass(frozen=True, slots=True)
class Name:
    """A name without quotes: the value of an enum."""

    of: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable within a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Hint:
    """What a scalar is about: a column of a noun, or the noun that it is an id of."""

    noun: str | None = None
    column: str | None = None
    id_of: str | None = None
    search: bool = False
    custom: str | None = None


Value: TypeAlias = Any
Place: TypeAlias = Callable[[GraphQLType, Value, Hint], Value]
NOTHING = Hint()


class Values:
    """Draws values of any input type."""

    def __init__(self, world: World, at: str, chance: Random) -> None:
        self.world, self.at, self.chance = world, at, chance
        self.elsewhere = ABROAD if at == HOME else HOME
        # How often an id or a text is one that is refused.
        self.bad = 0.03
        # Called for every value within another one; it may put a variable in its place.
        self.place: Place = lambda type_, value, hint: value
        self.drawn: set[str] = set()

    def draw(self, type_: GraphQLType, hint: Hint = NOTHING, *, depth: int = 0) -> Value:
        """Return a value of a type; nullable ones are null now and then."""
        if isinstance(type_, GraphQLNonNull):
            return self._present(type_.of_type, hint, depth)
        return None if self.chance.random() < 0.06 else self._present(type_, hint, depth)

    def _present(self, type_: GraphQLType, hint: Hint, depth: int) -> Value:
        if isinstance(type_, GraphQLList):
            return self._list(type_, hint, depth)
        if isinstance(type_, GraphQLEnumType):
            chosen = self.chance.choice(list(type_.values))
            self.drawn.add(f"{type_.name}.{chosen}")
            return Name(chosen)
        if isinstance(type_, GraphQLInputObjectType):
            if type_.name in ("CustomValueFilter", "CustomValueInput"):
                return self._custom(type_, hint)
            if type_.name.endswith("Order") and "custom" in type_.fields:
                return self._order(type_)
            return self._object(type_, hint, depth)
        assert isinstance(type_, GraphQLScalarType)
        return self._scalar(type_.name, hint)

    def _list(self, type_: GraphQLList[Any], hint: Hint, depth: int) -> Value:
        if self.chance.random() < 0.12:
            # A single value stands for a list of one.
            return self._present(_nullable(type_.of_type), hint, depth)
        entries = [self.draw(type_.of_type, hint, depth=depth) for _ in range(self.chance.choice((0, 1, 1, 2, 3)))]
        return [self.place(type_.of_type, entry, hint) for entry in entries]

    def _object(self, type_: GraphQLInputObjectType, about: Hint, depth: int) -> Value:
        required = {name: field for name, field in type_.fields.items() if isinstance(field.type, GraphQLNonNull)}
        others = [name for name, field in type_.fields.items() if name not in required]
        if depth >= 3:
            others = [name for name in others if not _nests(type_.fields[name])]
        wanted = self.chance.choice((0, 1, 1, 1, 2, 2, 3)) if type_.name.endswith("Filter") else len(others)
        chosen = [*required, *self.chance.sample(others, min(wanted, len(others)))]
        value: dict[str, Value] = {}
        for name in chosen:
            field = type_.fields[name]
            if name not in required and self.chance.random() < 0.1 and not type_.name.endswith("Filter"):
                continue
            self.drawn.add(f"{type_.name}.{name}")
            hint = about if _is_test(type_) else _hint(type_, field)
            value[name] = self.place(field.type, self.draw(field.type, hint, depth=depth + 1), hint)
        return value

    def _custom(self, type_: GraphQLInputObjectType, hint: Hint) -> Value:
        """Return a test or a value of a custom field: mostly one that its type has."""
        kind = self.chance.choice(list(CustomFieldType))
        fields = [row for row in self.world.of(self.at, CustomField) if row["type"] is kind]
        by_id = [str(ids.encode("CustomField", row["id"])) for row in fields if row["owner"].lower() == hint.custom]
        known = [custom_key(kind), *by_id[:1]]
        odd = self.chance.random() < self.bad
        value: dict[str, Value] = {"field": self.chance.choice(("c_old", *HOSTILE_TEXTS) if odd else known)}
        if type_.name == "CustomValueInput":
            chosen = "value"
            value["value"] = self.custom_value(kind)
        else:
            chosen = self.chance.choice(list(type_.fields)[1:] if odd else CUSTOM_TESTS[kind])
            one = self.custom_value(kind)
            if chosen in ("contains", "startsWith") and kind is not CustomFieldType.MULTI_CHOICE:
                # Signs that no text holds are drawn by those who ask for what is odd.
                one = "".join(sign for sign in self._text(NOTHING) if sign.isprintable())[:3]
            if isinstance(one, list):
                one = one[0] if one else None
            several = [one, *(self.custom_value(kind) for _ in range(self.chance.randrange(2)))]
            flat = [(each[0] if each else None) if isinstance(each, list) else each for each in several]
            value[chosen] = (
                flat if chosen in ("in", "notIn") else self.chance.random() < 0.5 if chosen == "isNull" else one
            )
            if not isinstance(value[chosen], str) and chosen in ("contains", "startsWith"):
                value[chosen] = str(value[chosen])
        self.drawn |= {f"{type_.name}.field", f"{type_.name}.{chosen}"}
        return value

    def custom_value(self, kind: CustomFieldType) -> Value:
        """Return a value of a custom field's type, or sometimes one that is none."""
        if self.chance.random() < self.bad:
            return self.chance.choice((*HOSTILE_TEXTS, 1e300, [], {}, [[]], {"a": None}, "9" * 50, True, -0.5))
        match kind:
            case CustomFieldType.NUMBER:
                return self.chance.choice((*CUSTOM_NUMBERS, 12.5, 0, -1, 7))
            case CustomFieldType.MONEY:
                return {
                    "amount": self.chance.choice(("0", "100", "99.99")),
                    "currencyCode": self.chance.choice(("EUR", "CHF")),
                }
            case CustomFieldType.DATE:
                return self.chance.choice(("2026-03-01", "2026-02-24", "2024-02-29"))
            case CustomFieldType.CHOICE:
                return self.chance.choice(CUSTOM_OPTIONS[:2])["key"]
            case CustomFieldType.MULTI_CHOICE:
                return [option["key"] for option in CUSTOM_OPTIONS[: self.chance.randrange(1, 3)]]
            case CustomFieldType.YES_NO:
                return self.chance.random() < 0.5
            case CustomFieldType.USER:
                return self.chance.choice(self.world.gids(self.at, "User"))
            case CustomFieldType.URL:
                return self.chance.choice(("https://a.example", "http://b.example/?q='"))
            case CustomFieldType.EMAIL:
                return self.chance.choice(("Ann@example.com", "bob@example.com"))
            case CustomFieldType.PHONE:
                return "+49 221 1234567"
            case _:
                return self.chance.choice([text for text in ODD_TEXTS if text.strip() and text.isprintable()])

    def _order(self, type_: GraphQLInputObjectType) -> Value:
        """Return an order by a field or by a custom field; sometimes by both or neither."""
        value: dict[str, Value] = {"direction": self.draw(type_.fields["direction"].type)}
        if value["direction"] is None:
            del value["direction"]
        luck = self.chance.random()
        if luck < 0.7 or luck > 1 - self.bad:
            value["field"] = self._present(_nullable(type_.fields["field"].type), NOTHING, 0)
        if luck >= 0.7 or luck < self.bad:
            kinds = SORTABLE - {CustomFieldType.URL}
            sortable = sorted(custom_key(kind) for kind in (CustomFieldType if luck < self.bad else kinds))
            value["custom"] = self.chance.choice(sortable)
        self.drawn |= {f"{type_.name}.{name}" for name in value}
        return value

    def _scalar(self, name: str, hint: Hint) -> Value:
        drawers: dict[str, Callable[[Hint], Value]] = {
            "ID": self.id,
            "Int": self._int,
            "Float": lambda hint: self.chance.choice((0.5, -1.0, 1e300, 0)),
            "Boolean": lambda hint: self.chance.random() < 0.5,
            "Decimal": self._decimal,
            "DateTime": self._instant,
            "Date": self._day,
            "JSON": lambda hint: {"a": [1, None, "b"]},
        }
        return drawers.get(name, self._text)(hint)

    def known(self, hint: Hint) -> list[Any]:
        """Return what the column holds that a value is about."""
        if hint.noun not in NOUN_MODELS or hint.column is None:
            return []
        return [
            value.value if isinstance(value, Enum) else value
            for value in self.world.values(self.at, hint.noun, hint.column)
        ]

    def id(self, hint: Hint) -> str:
        """Return an id: of the noun wanted, else of any; sometimes a stranger's, a missing one's, or none at all."""
        noun = hint.id_of or self.chance.choice(list(NOUN_MODELS))
        luck = self.chance.random()
        if luck < self.bad:
            wrong = self.chance.choice([one for one in NOUN_MODELS if one != noun])
            return self.chance.choice((*MALFORMED_IDS, *self.world.gids(self.at, wrong)[:3]))
        if luck < self.bad + 0.07:
            return self.chance.choice(self.world.gids(self.elsewhere, noun))
        if luck < self.bad + 0.12:
            return str(ids.encode(noun, MISSING))
        return self.chance.choice(self.world.gids(self.at, noun))

    def _text(self, hint: Hint) -> str:
        if hint.search:
            return self._words()
        known = [value for value in self.known(hint) if isinstance(value, str)]
        luck = self.chance.random()
        if luck < self.bad:
            return self.chance.choice(HOSTILE_TEXTS)
        if not known or luck < 0.2:
            return self.chance.choice(ODD_TEXTS)
        text: str = self.chance.choice(known)
        if luck < 0.5 and text:
            start = self.chance.randrange(len(text)) if luck < 0.3 else 0
            return text[start : start + self.chance.randrange(1, 5)]
        return text.swapcase() if luck < 0.6 else text

    def _words(self) -> str:
        if self.chance.random() < 0.3:
            return self.chance.choice(HOSTILE_WORDS)
        titles = [*ODD_TEXTS, "alpha", "beta"]
        words = " ".join(self.chance.choice(titles).split()[:2])
        return words[: self.chance.randrange(1, 12)]

    def _int(self, hint: Hint) -> int:
        known = [value for value in self.known(hint) if isinstance(value, int)]
        if not known or self.chance.random() < 0.2:
            return self.chance.choice(INT_LIMITS)
        value = int(self.chance.choice(known)) + self.chance.choice((0, 0, 1, -1))
        return max(-(2**31), min(value, 2**31 - 1))

    def _decimal(self, hint: Hint) -> Value:
        known = [value for value in self.known(hint) if isinstance(value, Decimal)]
        if not known or self.chance.random() < 0.25:
            return self.chance.choice(
                ("0", "-0", "1.50", 3, "1e3", "0.00005", "9" * 40, "1E-30", "-1", "+2", "5.", "1E+40", ".5")
            )
        return format(self.chance.choice(known), "f")

    def _instant(self, hint: Hint) -> str:
        known = [value for value in self.known(hint) if isinstance(value, datetime)]
        odd = ("0001-01-01T00:00:01Z", "9999-12-31T23:59:59.999998Z", "2026-02-10T12:00:00.123456789+05:30")
        if not known or self.chance.random() < 0.15:
            return self.chance.choice(odd)
        value = self.chance.choice(known)
        if value.year in (1, 9999):
            return str(value.isoformat())
        zone = self.chance.choice((UTC, timezone(timedelta(hours=-7)), timezone(timedelta(hours=5, minutes=45))))
        return str((value + timedelta(seconds=self.chance.choice((0, 0, 1, -1)))).astimezone(zone).isoformat())

    def _day(self, hint: Hint) -> str:
        known = [value for value in self.known(hint) if isinstance(value, date)]
        if not known or self.chance.random() < 0.15:
            return self.chance.choice(("0001-01-01", "9999-12-31", "2024-02-29"))
        return str(self.chance.choice(known).isoformat())


def literal(value: Value, chance: Random) -> str:
    """Return a value as it stands in a document."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Name(of):
            return of
        case Reference(name):
            return f"${name}"
        case str():
            return text_literal(value, chance)
        case list():
            return f"[{', '.join(literal(entry, chance) for entry in value)}]"
        case dict():
            return f"{{{', '.join(f'{name}: {literal(entry, chance)}' for name, entry in value.items())}}}"
        case _:
            return json.dumps(value)


def text_literal(text: str, chance: Random) -> str:
    """Return a string as it stands in a document: with escapes, or none but the needed ones, or as a block."""
    if text.isprintable() and text and '"' not in text and "\\" not in text and chance.random() < 0.1:
        return f'"""{text}"""'
    return json.dumps(text, ensure_ascii=chance.random() < 0.3)


def plain(value: Value) -> Any:
    """Return a value as it stands in the JSON of variables."""
    match value:
        case Name(of):
            return of
        case list():
            return [plain(entry) for entry in value]
        case dict():
            return {name: plain(entry) for name, entry in value.items()}
        case _:
            return value


def _nullable(type_: GraphQLType) -> GraphQLType:
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_


def _hint(type_: GraphQLInputObjectType, field: GraphQLInputField) -> Hint:
    """Return what a field of a filter is about."""
    metadata = field.extensions["strawberry-definition"].metadata
    if "custom" in metadata:
        return Hint(custom=type_.name.removesuffix("Filter").lower())
    if "column" not in metadata:
        return NOTHING
    return Hint(type_.name.removesuffix("Filter"), metadata["column"], metadata["noun"])


def _is_test(type_: GraphQLInputObjectType) -> bool:
    """Say whether an input type holds nothing but tests of one column."""
    return all(is_leaf_type(get_named_type(field.type)) for field in type_.fields.values())


def _nests(field: GraphQLInputField) -> bool:
    named = get_named_type(field.type)
    return isinstance(named, GraphQLInputObjectType) and not _is_test(named)
