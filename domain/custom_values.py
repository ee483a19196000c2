"""Values of custom fields: checked by their type, and kept in one form, so that filters and orders are exact.

A number is kept as decimal text without idle zeros, an amount as {"amount", "currencyCode"}, a day as ISO text, a
choice by the option's key, several by their keys in the order of the options, a user by id, an address in lower
case, a phone number as E.164.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from domain import inputs, money
from domain.actors import Actor
from domain.edits import OwnerInactive
from domain.errors import DomainError, Faults, Malformed, NotFound, OutOfRange, TooLong
from domain.money import Money
from domain.unset import UNSET, Unset
from models import rows
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType
from models.database import read, unit

TEXT_LIMIT = 5_000
MOST_GIVEN = 200
MOST_NUMBER = Decimal(10) ** 18
MOST_DECIMALS = 8
NUMBER_CHARACTERS = inputs.NUMBER_CHARACTERS
SHOWN_CHARACTERS = 60
USER_ID = re.compile(r"User_([0-9a-f]{32})")
AMOUNT = re.compile(r"(?P<amount>\S+)\s+(?P<currency>[A-Za-z]{3})|(?P<before>[A-Za-z]{3})\s+(?P<after>\S+)")
YES, NO = frozenset({"yes", "y", "true", "1", "x"}), frozenset({"no", "n", "false", "0"})
SEPARATORS = re.compile(r"[;,|]")

NAMED = """
SELECT {columns} FROM custom_field
WHERE workspace_id = $1 AND owner = $2 AND archived_at IS NULL AND deleted_at IS NULL
  AND (key = ANY($3::text[]) OR id = ANY($4::uuid[]))
ORDER BY id
"""
MEMBERS = """
SELECT m.user_id, m.active, u.email_normalised FROM membership m JOIN user_account u ON u.id = m.user_id
WHERE m.workspace_id = $1 AND (m.user_id = ANY($2::uuid[]) OR u.email_normalised = ANY($3::text[]))
"""


class UnknownCustomField(DomainError):
    """{name} is no custom field of a {noun}, or it is archived."""


class UnknownOption(DomainError):
    """{option} is no option of {label}, or it is archived."""


class TooManyCustomValues(DomainError):
    """{count} values of custom fields are given; at most {limit} are allowed."""


@dataclass(frozen=True, slots=True)
class CustomValue:
    """A value as a client gives it; None clears. The field is named by its key, or by its id."""

    field: str | UUID
    value: Any


@dataclass(frozen=True, slots=True)
class Known:
    """The custom fields that an input names, and the members that its values name: whether each is active."""

    owner: CustomFieldOwner
    given: Sequence[CustomValue]
    fields: Mapping[str | UUID, CustomField]
    users: Mapping[str | UUID, tuple[UUID, bool]] = field(default_factory=dict)

    def checked(self, faults: Faults, *, current: Mapping[str, Any], within: str = "custom") -> dict[str, Any]:
        """Check what is given and return it as the column keeps it, with what a row has there already."""
        kept, seen = dict(current), set()
        if len(self.given) > MOST_GIVEN:
            faults.add(TooManyCustomValues(count=len(self.given), limit=MOST_GIVEN, field=within))
            return kept
        for at, one in enumerate(self.given):
            path = f"{within}.{at}"
            known = self.fields.get(one.field)
            if known is None:
                noun = self.owner.value.lower()
                faults.add(UnknownCustomField(name=short(one.field), noun=noun, field=f"{path}.field"))
                continue
            if known.id in seen:
                faults.add(Malformed(field=f"{path}.field", what="a field that is named for the first time"))
            seen.add(known.id)
            had = current.get(known.id.hex)
            found = Faults()
            value = parse(found, known, one.value, field=f"{path}.value", current=had, users=self.users)
            for fault in found:
                fault.call(short(known.label))
                faults.add(fault)
            kept.pop(known.id.hex, None)
            if value is not None:
                kept[known.id.hex] = value
        return kept

    def columns(self, faults: Faults, current: Mapping[str, Any]) -> dict[str, Any]:
        """Check what is given as `checked` does, and return it as columns: none where nothing is given."""
        return {"custom": self.checked(faults, current=current)} if self.given else {}

    def told(self, changed: dict[str, Any]) -> dict[str, Any]:
        """Return an edit's changes with each custom field by its key, as people read them."""
        if "custom" not in changed:
            return changed
        before, after = (side or {} for side in changed["custom"])
        others = {name: change for name, change in changed.items() if name != "custom"}
        for known in {known.id: known for known in self.fields.values()}.values():
            was, becomes = before.get(known.id.hex), after.get(known.id.hex)
            if was != becomes:
                others[f"custom.{known.key}"] = [_told(known, was), _told(known, becomes)]
        return others


def _told(known: CustomField, value: Any) -> Any:
    """Return a value as events tell it: a member by what says that it is one."""
    return {"user": value} if known.type is CustomFieldType.USER and value is not None else value


def short(name: object) -> str:
    """Return a name of a client's, as messages quote it."""
    text = str(name)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


async def known(actor: Actor, owner: CustomFieldOwner, given: Sequence[CustomValue] | Unset) -> Known:
    """Return the fields and members that an input names; within a transaction that writes, nobody changes the fields
    until it ends, so they are looked up before the row that gets the values is locked."""
    if given is UNSET or not given or len(given) > MOST_GIVEN:
        return Known(owner, () if given is UNSET else given, {})
    fields = await named(actor.workspace_id, owner, [one.field for one in given], held=unit() is not None)
    wanted = [one.value for one in given if _is_user(fields.get(one.field)) and isinstance(one.value, str)]
    return Known(owner, given, fields, await users(actor.workspace_id, wanted) if wanted else {})


async def named(
    workspace_id: UUID, owner: CustomFieldOwner, names: Iterable[str | UUID], *, held: bool = False
) -> dict[str | UUID, CustomField]:
    """Return the custom fields in use that are named so, by these names."""
    if not (wanted := list(names)):
        return {}
    # What no key can be is none, and PostgreSQL takes no text with a zero byte.
    keys = [name for name in wanted if isinstance(name, str) and "\x00" not in name]
    ids = [name for name in wanted if isinstance(name, UUID)]
    values = (workspace_id, owner.value, keys, ids)
    found = await (rows.select_to_share if held else rows.select)(CustomField, NAMED, *values)
    return {name: row for row in found for name in (row.key, row.id)}


async def users(workspace_id: UUID, given: Sequence[str]) -> dict[str | UUID, tuple[UUID, bool]]:
    """Return the members whose ids or addresses are given, by both, each with whether they are active."""
    ids = [UUID(hex=one[1]) for text in given if (one := USER_ID.fullmatch(text))]
    emails = [email for text in given if "@" in text and (email := inputs.normalised_email(text[:320]))]
    found = await read(MEMBERS, workspace_id, ids, emails)
    members: dict[str | UUID, tuple[UUID, bool]] = {row["user_id"]: (row["user_id"], row["active"]) for row in found}
    return members | {row["email_normalised"]: (row["user_id"], row["active"]) for row in found}


def _is_user(known: CustomField | None) -> bool:
    return known is not None and known.type is CustomFieldType.USER


def parse(
    faults: Faults,
    known: CustomField,
    given: Any,
    *,
    field: str,
    current: Any = None,
    users: Mapping[str | UUID, tuple[UUID, bool]] | None = None,
    text: bool = False,
) -> Any:
    """Check a value and return it as it is kept; None where it is empty.

    What a row has already may be archived or gone by now. With `text`, all types are read from texts as files have
    them, choices by their labels, too.
    """
    if given is None or given == "" or given == []:
        return None
    match known.type:
        case CustomFieldType.NUMBER:
            return number(faults, given, field=field)
        case CustomFieldType.MONEY:
            return _money(faults, _amount(given) if text else given, field=field)
        case CustomFieldType.YES_NO:
            return _yes_no(faults, given, field=field, text=text)
        case CustomFieldType.CHOICE:
            return _option(faults, known, given, field=field, current=(current,), text=text)
        case CustomFieldType.MULTI_CHOICE:
            return _options(faults, known, given, field=field, current=current, text=text)
    if not isinstance(given, str):
        faults.add(Malformed(field=field, what="a text"))
        return None
    match known.type:
        case CustomFieldType.DATE:
            return _day(faults, given, field=field)
        case CustomFieldType.USER:
            return _user(faults, given, field=field, current=current, users=users or {})
        case CustomFieldType.URL:
            return inputs.url(faults, given, field=field)
        case CustomFieldType.EMAIL:
            return inputs.email(faults, given, field=field)[1]
        case CustomFieldType.PHONE:
            return inputs.phone(faults, given, field=field)[1]
        case _:
            return inputs.text(faults, given, field=field, limit=TEXT_LIMIT)


def number(faults: Faults, given: Any, *, field: str) -> str | None:
    """Check a number, given as one or as a text; return its canonical text."""
    exact = _exact(given)
    if exact is None:
        faults.add(Malformed(field=field, what="a finite decimal number"))
        return None
    if abs(exact) >= MOST_NUMBER:
        faults.add(OutOfRange(field=field, least=-MOST_NUMBER, most=MOST_NUMBER))
        return None
    plain = written(exact)
    if len(plain.partition(".")[2]) > MOST_DECIMALS:
        faults.add(Malformed(field=field, what=f"a number with at most {MOST_DECIMALS} decimals"))
        return None
    return plain


def _exact(given: Any) -> Decimal | None:
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    # A float is what it is written as; nothing else of it is known to who wrote it.
    text = given.strip() if isinstance(given, str) else None if isinstance(given, int) else repr(given)
    exact = Decimal(given) if text is None else inputs.decimal(text)
    return exact if exact is not None and abs(exact.adjusted()) <= NUMBER_CHARACTERS else None


def written(exact: Decimal) -> str:
    """Return a number as it is kept: plain, without idle zeros."""
    return format(exact.normalize(), "f") if exact else "0"


def _money(faults: Faults, given: Any, *, field: str) -> dict[str, str] | None:
    keys = {"amount", "currencyCode"}
    if not isinstance(given, dict) or set(given) != keys or not isinstance(given["currencyCode"], str):
        faults.add(Malformed(field=field, what='an amount such as {"amount": "12.50", "currencyCode": "EUR"}'))
        return None
    exact = _exact(given["amount"])
    if exact is None:
        faults.add(Malformed(field=f"{field}.amount", what="a finite decimal number"))
        return None
    found = Faults()
    checked = money.check(found, Money(exact, given["currencyCode"]), field=field)
    faults.extend(found)
    if checked is None or any(found):
        return None
    return {"amount": written(checked.amount), "currencyCode": checked.currency}


def _amount(given: Any) -> Any:
    """Return a text such as 12.50 EUR as an amount."""
    found = AMOUNT.fullmatch(given.strip()) if isinstance(given, str) and len(given) <= NUMBER_CHARACTERS else None
    if found is None:
        return given
    amount, currency = found["amount"] or found["after"], found["currency"] or found["before"]
    return {"amount": amount, "currencyCode": currency.upper()}


def _yes_no(faults: Faults, given: Any, *, field: str, text: bool) -> bool | None:
    if isinstance(given, bool):
        return given
    word = given.strip().lower() if text and isinstance(given, str) else ""
    if word in YES or word in NO:
        return word in YES
    faults.add(Malformed(field=field, what="yes or no" if text else "true or false"))
    return None


def _day(faults: Faults, given: str, *, field: str) -> str | None:
    day = inputs.iso_day(given)
    if day is None:
        faults.add(Malformed(field=field, what="a day such as 2026-03-01"))
        return None
    inputs.day(faults, day, field=field)
    return day.isoformat()


def _option(
    faults: Faults, known: CustomField, given: Any, *, field: str, current: Iterable[Any], text: bool
) -> str | None:
    option = find_option(known, given, text=text)
    if option is not None and (not option["archived"] or option["key"] in current):
        key: str = option["key"]
        return key
    faults.add(UnknownOption(option=short(given), label=short(known.label), field=field))
    return None


def _options(
    faults: Faults, known: CustomField, given: Any, *, field: str, current: Any, text: bool
) -> list[str] | None:
    if text and isinstance(given, str):
        whole = find_option(known, given, text=True)
        given = [given] if whole else [part for part in SEPARATORS.split(given) if part.strip()]
    if not isinstance(given, list):
        faults.add(Malformed(field=field, what="a list of options"))
        return None
    if len(given) > MOST_GIVEN:
        faults.add(TooLong(field=field, length=len(given), limit=MOST_GIVEN))
        return None
    had = current if isinstance(current, list) else ()
    chosen = {_option(faults, known, one, field=field, current=had, text=text) for one in given}
    return [option["key"] for option in known.options if option["key"] in chosen] or None


def find_option(known: CustomField, given: Any, *, text: bool = False) -> dict[str, Any] | None:
    """Return the option of this key or, with `text`, of this label."""
    if not isinstance(given, str):
        return None
    by_key = next((option for option in known.options if option["key"] == given), None)
    if by_key is not None or not text:
        return by_key
    label = inputs.normalised_name(given)
    return next((option for option in known.options if inputs.normalised_name(option["label"]) == label), None)


def _user(
    faults: Faults, given: str, *, field: str, current: Any, users: Mapping[str | UUID, tuple[UUID, bool]]
) -> str | None:
    found = USER_ID.fullmatch(given)
    by: str | UUID | None = UUID(hex=found[1]) if found else inputs.normalised_email(given[:320])
    if isinstance(by, UUID) and str(by) == current:
        return str(by)
    member = users.get(by) if by is not None else None
    if member is None:
        faults.add(NotFound(noun="user", field=field))
    elif not member[1] and str(member[0]) != current:
        faults.add(OwnerInactive(field=field))
    return str(member[0]) if member else None


def text_of(known: CustomField, kept: Any, *, names: Mapping[str, str] | None = None) -> str:
    """Return a kept value as a person reads it; `names` has those of users, by their ids."""
    match known.type:
        case CustomFieldType.MONEY:
            return f"{kept['amount']} {kept['currencyCode']}"
        case CustomFieldType.YES_NO:
            return "Yes" if kept else "No"
        case CustomFieldType.CHOICE:
            return _label(known, kept)
        case CustomFieldType.MULTI_CHOICE:
            return ", ".join(_label(known, one) for one in kept)
        case CustomFieldType.USER:
            return (names or {}).get(kept, "")
    return str(kept)


def _label(known: CustomField, key: str) -> str:
    option = find_option(known, key)
    return str(option["label"]) if option else key


async def check(faults: Faults, actor: Actor, owner: CustomFieldOwner, given: Sequence[CustomValue] | Unset) -> None:
    """Check what is given of a new row, before the transaction that writes it."""
    (await known(actor, owner, given)).columns(faults, {})


async def settled(actor: Actor, owner: CustomFieldOwner, given: Sequence[CustomValue] | Unset) -> Known:
    """Return what is given of a new row, checked again within its transaction, where nobody changes the fields."""
    faults = Faults()
    found = await known(actor, owner, given)
    found.columns(faults, {})
    faults.raise_any()
    return found
