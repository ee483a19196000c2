"""Custom fields that a client names in filters and orders: looked up, checked against their type, made data.

They are looked up each time, since another process may have changed one a moment ago; what names none costs nothing.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from tortoise.models import Model

from domain import custom_values, inputs
from domain.actors import Actor
from domain.custom_values import short
from domain.errors import BadUserInput, Faults
from engine.conditions import All, AnyOf, Asked, Condition, CustomKey, CustomTest, Exists, Not, Op, both
from engine.nouns import NOUNS
from engine.pages import Order, PageRequest
from models import rows
from models.companies import Company
from models.contacts import Contact
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType, IndexState
from models.custom_values import SORTABLE
from models.leads import Lead

# What people put between the digits of a number, which is kept without.
PHONE_SIGNS = re.compile(r"[\s()/.-]")
OWNERS: dict[type[Model], CustomFieldOwner] = {
    Lead: CustomFieldOwner.LEAD,
    Company: CustomFieldOwner.COMPANY,
    Contact: CustomFieldOwner.CONTACT,
}
ONE, SEVERAL, RANGE = (Op.EQ, Op.NE), (Op.IN, Op.NOT_IN), (Op.GT, Op.GTE, Op.LT, Op.LTE)
TEXT = (*ONE, *SEVERAL, Op.CONTAINS, Op.STARTS_WITH, Op.IS_NULL)
ORDERED = (*ONE, *SEVERAL, *RANGE, Op.IS_NULL)
OPERATORS: dict[CustomFieldType, tuple[Op, ...]] = {
    CustomFieldType.TEXT: TEXT,
    CustomFieldType.NUMBER: ORDERED,
    CustomFieldType.MONEY: ORDERED,
    CustomFieldType.DATE: ORDERED,
    CustomFieldType.CHOICE: (*ONE, *SEVERAL, Op.IS_NULL),
    CustomFieldType.MULTI_CHOICE: (*SEVERAL, Op.CONTAINS, Op.IS_NULL),
    CustomFieldType.YES_NO: (*ONE, Op.IS_NULL),
    CustomFieldType.USER: (*ONE, *SEVERAL, Op.IS_NULL),
    CustomFieldType.URL: TEXT,
    CustomFieldType.EMAIL: TEXT,
    CustomFieldType.PHONE: TEXT,
}
USED = """
SELECT {columns} FROM custom_field
WHERE workspace_id = $1 AND archived_at IS NULL AND deleted_at IS NULL
  AND (key = ANY($2::text[]) OR id = ANY($3::uuid[]))
"""

Name = str | UUID
Users = Mapping[str | UUID, tuple[UUID, bool]]
Fields = dict[tuple[CustomFieldOwner, Name], CustomField]


class UnknownField(BadUserInput):
    """What was sent is not what the API takes: {reason}"""

    code = "BAD_USER_INPUT"


def is_sortable(field: CustomField) -> bool:
    """Say whether lists can be ordered by a field: an index gives them in that order."""
    return field.index_state is IndexState.READY and field.type in SORTABLE


def asks(condition: Condition) -> bool:
    """Say whether a condition names custom fields that are not looked up yet."""
    return any(_asked(condition))


async def resolved(request: PageRequest, actor: Actor) -> PageRequest:
    """Return what is asked of a list with the custom fields that it names; raises BadUserInput."""
    names = [order.custom for order in request.orders if isinstance(order.custom, str | UUID)]
    if not names and not asks(request.condition):
        return request
    keys = await looked_up_keys(request.model, names, actor) if names else {}
    orders: dict[str, Order] = {}
    for order in request.orders:
        if isinstance(order.custom, str | UUID):
            key = keys[order.custom]
            order = order._replace(column=f"custom.{key.id.hex}", custom=key)
        orders.setdefault(order.name, order)
    condition = await looked_up(request.model, request.condition, actor)
    return request._replace(orders=tuple(orders.values()), condition=condition)


async def looked_up(model: type[Model], condition: Condition, actor: Actor) -> Condition:
    """Return a condition with the custom fields that it names; raises BadUserInput."""
    if not asks(condition):
        return condition
    known = await known_fields(actor, named(condition))
    return told(model, condition, known, await known_users(actor, [condition], known))


async def looked_up_keys(model: type[Model], names: Iterable[Name], actor: Actor) -> dict[Name, CustomKey]:
    """Return the custom fields that lists are to be ordered by, by what they are called; raises BadUserInput."""
    wanted = list(names)
    return keys(model, wanted, await known_fields(actor, wanted))


def keys(model: type[Model], names: Iterable[Name], known: Fields) -> dict[Name, CustomKey]:
    """Return the fields that lists are to be ordered by, given those that are known; raises BadUserInput."""
    found = {}
    for name in names:
        field = _field(model, name, known)
        if not is_sortable(field):
            reason = f"lists cannot be ordered by {short(field.label)}: its index is {field.index_state.value}."
            if field.type not in SORTABLE:
                reason = f"lists cannot be ordered by {short(field.label)}, which is {field.type.value}."
            raise BadUserInput(reason=reason, field="orderBy")
        found[name] = CustomKey(field.id, field.type, options=tuple(option["key"] for option in field.options))
    return found


def named(condition: Condition) -> list[Name]:
    """Return what the custom fields of a condition are called in it."""
    return [one.field for one in _asked(condition)]


async def known_users(actor: Actor, conditions: Iterable[Condition], known: Fields) -> Users:
    """Look up the members whose addresses conditions have for fields of users, in one statement, if any."""
    people = {name for (_, name), field in known.items() if field.type is CustomFieldType.USER}
    asked = [one for condition in conditions for one in _asked(condition) if one.field in people and "@" in one.value]
    given = [json.loads(one.value) for one in asked]
    texts = [text for one in given for text in (one if isinstance(one, list) else [one]) if isinstance(text, str)]
    emails = [text for text in texts if "@" in text]
    return await custom_values.users(actor.workspace_id, emails) if emails else {}


def _asked(condition: Condition) -> Iterator[Asked]:
    match condition:
        case Asked():
            yield condition
        case All(of) | AnyOf(of):
            for part in of:
                yield from _asked(part)
        case Not(inner) | Exists(_, inner):
            yield from _asked(inner)


async def known_fields(actor: Actor, names: Sequence[Name]) -> Fields:
    """Look up the fields in use that are called so, in one statement."""
    keys = [name for name in names if isinstance(name, str) and "\x00" not in name]
    ids = [name for name in names if isinstance(name, UUID)]
    found = await rows.select(CustomField, USED, actor.workspace_id, keys, ids)
    return {(field.owner, name): field for field in found for name in (field.key, field.id)}


def _field(model: type[Model], name: Name, known: Fields) -> CustomField:
    owner = OWNERS[model]
    field = known.get((owner, name))
    if field is None:
        noun = owner.value.lower()
        raise UnknownField(reason=f"{short(name)} is no custom field of a {noun}, or it is archived.", field="custom")
    return field


def told(model: type[Model], condition: Condition, known: Fields, users: Users) -> Condition:
    """Return a condition with the custom fields and the members that are known; raises BadUserInput."""
    match condition:
        case Asked(name, op, value):
            return _test(_field(model, name, known), op, value, users)
        case All(of):
            return All(tuple(told(model, part, known, users) for part in of))
        case AnyOf(of):
            return AnyOf(tuple(told(model, part, known, users) for part in of))
        case Not(inner):
            return Not(told(model, inner, known, users))
        case Exists(link, inner):
            return Exists(link, told(NOUNS[model].links[link].to, inner, known, users))
        case _:
            return condition


def _test(field: CustomField, op: Op, written: str, users: Users) -> Condition:
    """Return a test of a field's values, given as JSON; raises BadUserInput."""
    if op not in OPERATORS[field.type]:
        raise _refused(field, f"a field of type {field.type.value} is not tested so")
    key, given = CustomKey(field.id, field.type), json.loads(written)
    if op is Op.IS_NULL:
        return CustomTest(key, op, bool(given))
    if op in SEVERAL:
        values = tuple(_operand(field, one, users) for one in given)
        if field.type is CustomFieldType.MONEY:
            any_of = AnyOf(tuple(_amount(key, Op.EQ, one) for one in values))
            return any_of if op is Op.IN else Not(any_of)
        return CustomTest(key, op, values)
    if op in (Op.CONTAINS, Op.STARTS_WITH) and field.type is not CustomFieldType.MULTI_CHOICE:
        if not isinstance(given, str) or len(given) > custom_values.TEXT_LIMIT or inputs.CONTROL.search(given):
            raise _refused(field, f"a text of at most {custom_values.TEXT_LIMIT} plain characters is wanted")
        return CustomTest(key, op, PHONE_SIGNS.sub("", given) if field.type is CustomFieldType.PHONE else given)
    value = _operand(field, given, users)
    return _amount(key, op, value) if field.type is CustomFieldType.MONEY else CustomTest(key, op, value)


def _amount(key: CustomKey, op: Op, value: tuple[Decimal, str | None]) -> Condition:
    """Return a test of an amount, whatever its currency unless one is given."""
    amount, currency = value
    if currency is None:
        return CustomTest(key, op, amount)
    same = CustomTest(CustomKey(key.id, key.type, is_currency=True), Op.EQ, currency)
    if op is Op.NE:
        return Not(both(CustomTest(key, Op.EQ, amount), same))
    return both(CustomTest(key, op, amount), same)


def _operand(field: CustomField, given: Any, users: Users) -> Any:
    """Return what values are compared with, as they are kept; what has been archived since may be asked for, too."""
    faults = Faults()
    found: Any
    match field.type:
        case CustomFieldType.MONEY if not isinstance(given, dict):
            number = custom_values.number(faults, given, field="value")
            found = None if number is None else (Decimal(number), None)
        case CustomFieldType.CHOICE | CustomFieldType.MULTI_CHOICE:
            option = custom_values.find_option(field, given)
            found = option["key"] if option else None
        case CustomFieldType.USER:
            user = custom_values.USER_ID.fullmatch(given) if isinstance(given, str) else None
            by_address = users.get(inputs.normalised_email(given[:320]) or "") if isinstance(given, str) else None
            found = str(UUID(hex=user[1])) if user else str(by_address[0]) if by_address else None
        case _:
            found = custom_values.parse(faults, field, given, field="value")
            if found is not None and field.type is CustomFieldType.MONEY:
                found = Decimal(found["amount"]), found["currencyCode"]
            elif found is not None and field.type is CustomFieldType.NUMBER:
                found = Decimal(found)
    for fault in faults:
        fault.call(short(field.label))
    if found is None or any(faults):
        raise _refused(field, next((str(fault) for fault in faults), f"{short(given)} is none of its values"))
    return found


def _refused(field: CustomField, why: str) -> BadUserInput:
    why = why.rstrip(".")
    said = why if why.startswith(short(field.label)) else f"{short(field.label)}: {why}"
    return BadUserInput(reason=f"{said}.", field="custom")
