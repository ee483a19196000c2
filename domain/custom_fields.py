"""Custom fields: what a workspace notes of its leads, companies and contacts besides what everybody does."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain import custom_values, edits, inputs, locks, policy
from domain.actors import Actor
from domain.errors import AlreadyExists, Conflict, DomainError, Faults, Malformed, Required
from domain.events import Event, record
from domain.policy import Action
from domain.unset import UNSET, Unset
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType, IndexState
from models.custom_values import TABLES, has
from models.database import connected, read, transaction

MOST_FIELDS = 200
MOST_OPTIONS = 200
# What is done at once, while whoever asked waits.
MOST_REWRITTEN = 100_000
AT_ONCE = 2_000
KEY_LIMIT = 40
DESCRIPTION_LIMIT = 2_000
KEY = re.compile(rf"[a-z][a-z0-9_]{{0,{KEY_LIMIT - 1}}}")
OPTION_KEY = re.compile(rf"[a-z0-9][a-z0-9_]{{0,{KEY_LIMIT - 1}}}")
CHOICES = (CustomFieldType.CHOICE, CustomFieldType.MULTI_CHOICE)
UNIQUE = {"custom_field_pkey": "id", "custom_field_key_idx": "key"}


class CustomFieldCreated(Event):
    name = "custom_field.created"


class CustomFieldUpdated(Event):
    name = "custom_field.updated"


class CustomFieldArchived(Event):
    name = "custom_field.archived"


class CustomFieldRestored(Event):
    name = "custom_field.restored"


class CustomFieldDeleted(Event):
    name = "custom_field.deleted"


class TooManyCustomFields(DomainError):
    """A {noun} has at most {limit} custom fields."""


class TooManyOptions(DomainError):
    """A field has at most {limit} options, not {count}."""


class OptionsNotTaken(DomainError):
    """A field of type {type} has no options."""


class OptionInUse(DomainError):
    """The option {option} is in use ({count}): merge it into another, or keep it and archive it."""


class ValuesDoNotFit(DomainError):
    """Values do not fit ({count}), such as {example}: change or clear them first."""


class TooManyValues(DomainError):
    """More than {limit} values would have to be rewritten: make a new field, or keep and archive the option."""


@dataclass(frozen=True, slots=True)
class Option:
    """A choice: what the API takes, what a person reads, and whether it is offered no more."""

    key: str
    label: str
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Merge:
    """An option whose values become those of another."""

    option: str
    into: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomFieldDetails:
    """What people say of a custom field; what is UNSET is left as it is. `position` counts from 0."""

    key: str | Unset | None = UNSET
    label: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    type: CustomFieldType | Unset = UNSET
    options: Sequence[Option] | Unset = UNSET
    merges: Sequence[Merge] = ()
    position: int | Unset | None = UNSET
    is_indexed: bool | Unset = UNSET


async def create(
    actor: Actor, owner: CustomFieldOwner, details: CustomFieldDetails, *, id: UUID | None = None, now: datetime
) -> CustomField:
    """Add a field to what a lead, company or contact has; without a position it comes last.

    Raises Forbidden, AlreadyExists (id, key), TooManyCustomFields, and faults of the input.
    """
    policy.require(actor, Action.MANAGE_CUSTOM_FIELDS)
    faults = Faults()
    row_id = edits.new_id(faults, id)
    given = {name: value for name in ("key", "label") if (value := getattr(details, name)) is UNSET}
    for name in given:
        faults.add(Required(field=name))
    kind = CustomFieldType.TEXT if isinstance(details.type, Unset) else details.type
    columns = _check(faults, details)
    columns["options"] = _options(faults, kind, () if isinstance(details.options, Unset) else details.options)
    with edits.collisions("custom field", UNIQUE):
        async with transaction():
            await _hold_positions(actor)
            others = await _others(actor, owner)
            if len(others) >= MOST_FIELDS:
                faults.add(TooManyCustomFields(noun=owner.value.lower(), limit=MOST_FIELDS))
            faults.raise_any()
            is_indexed = bool(columns.pop("is_indexed", False))
            row = CustomField(
                id=row_id,
                workspace_id=actor.workspace_id,
                owner=owner,
                type=kind,
                position=await _place(row_id, others, details.position),
                is_indexed=is_indexed,
                index_state=IndexState.BUILDING if is_indexed else IndexState.NONE,
                created_at=now,
                updated_at=now,
                **columns,
            )
            await edits.insert(row)
            told = columns | {"owner": owner.value, "type": kind.value, "is_indexed": is_indexed}
            await record(CustomFieldCreated(actor, row.id, edits.facts(row, told)), now=now)
    return row


async def update(
    actor: Actor,
    field_id: UUID,
    details: CustomFieldDetails,
    *,
    expected_version: int | None = None,
    now: datetime,
) -> CustomField:
    """Change what is given of a field; its values follow a merged option and a new type, or the change is refused.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived, AlreadyExists (key), OptionInUse,
    ValuesDoNotFit, TooManyValues, and faults of the input.
    """
    with edits.collisions("custom field", UNIQUE):
        async with transaction():
            if isinstance(details.position, int):
                await _hold_positions(actor)
            row = await policy.locked(actor, CustomField, field_id, expected_version=expected_version)
            policy.require(actor, Action.MANAGE_CUSTOM_FIELDS, row)
            if row.archived_at is not None:
                raise Conflict(reason=f"{custom_values.short(row.label)} is archived: restore it first.")
            faults = Faults()
            columns = _check(faults, details)
            kind = row.type if isinstance(details.type, Unset) else details.type
            columns |= _chosen(faults, row, kind, details)
            faults.raise_any()
            target = CustomField(**(_facts(row) | columns | {"type": kind}))
            rewritten = await _take_values_along(row, target, _merged(details.merges))
            columns["type"] = kind
            columns |= _index(row, target, columns)
            where = await _replace(actor, row, details.position)
            changed: dict[str, Any] = dict(await edits.apply(row, columns | where, now=now))
            if changed:
                data = {"changes": changed, "version": row.version, "rewritten": rewritten}
                await record(CustomFieldUpdated(actor, row.id, data), now=now)
    return row


async def archive(actor: Actor, field_id: UUID, *, expected_version: int | None = None, now: datetime) -> CustomField:
    """Hide a field and its values, which stay; one that is archived stays so. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        row = await _locked(actor, field_id, expected_version)
        if row.archived_at is None:
            await edits.apply(row, {"archived_at": now, "index_state": IndexState.NONE}, now=now)
            await record(CustomFieldArchived(actor, row.id, {"version": row.version}), now=now)
    return row


async def restore(actor: Actor, field_id: UUID, *, key: str | Unset = UNSET, now: datetime) -> CustomField:
    """Show an archived field and its values again, under another key where one is given.

    Raises NotFound, Forbidden, Conflict where a key is given for a field in use, AlreadyExists where the key is taken,
    and faults of the input.
    """
    faults = Faults()
    columns = _check(faults, CustomFieldDetails(key=key))
    faults.raise_any()
    with edits.collisions("custom field", UNIQUE):
        async with transaction():
            row = await _locked(actor, field_id, None)
            if row.archived_at is not None:
                columns |= {"index_state": IndexState.BUILDING if row.is_indexed else IndexState.NONE}
                changed = await edits.apply(row, {"archived_at": None, **columns}, now=now)
                data: dict[str, Any] = {"version": row.version}
                if "key" in changed:
                    data["changes"] = {"key": changed["key"]}
                await record(CustomFieldRestored(actor, row.id, data), now=now)
            elif columns.get("key", row.key) != row.key:
                raise Conflict(reason=f"{custom_values.short(row.label)} is in use: change its key by an edit.")
    return row


async def delete(actor: Actor, field_id: UUID, *, expected_version: int | None = None, now: datetime) -> CustomField:
    """Delete an archived field for good; a worker removes its values.

    Raises NotFound, Stale, Forbidden, Conflict where it is not archived.
    """
    async with transaction():
        row = await _locked(actor, field_id, expected_version)
        if row.archived_at is None:
            raise Conflict(reason=f"{custom_values.short(row.label)} is in use: archive it first.")
        await edits.apply(row, {"deleted_at": now}, now=now)
        data = {"owner": row.owner.value, "key": row.key, "label": row.label, "version": row.version}
        await record(CustomFieldDeleted(actor, row.id, data), now=now)
    return row


async def _locked(actor: Actor, field_id: UUID, expected_version: int | None) -> CustomField:
    row = await policy.locked(actor, CustomField, field_id, expected_version=expected_version)
    policy.require(actor, Action.MANAGE_CUSTOM_FIELDS, row)
    return row


def _check(faults: Faults, details: CustomFieldDetails) -> dict[str, Any]:
    """Check what is given and return it as columns; type, options and position are looked at elsewhere."""
    columns: dict[str, Any] = {}
    if not isinstance(details.key, Unset):
        columns["key"] = _key(faults, details.key, KEY, field="key")
    if not isinstance(details.label, Unset):
        columns["label"] = inputs.name(faults, details.label, field="label")
    if not isinstance(details.description, Unset):
        columns["description"] = inputs.text(faults, details.description, field="description", limit=DESCRIPTION_LIMIT)
    if not isinstance(details.is_indexed, Unset):
        columns["is_indexed"] = details.is_indexed
    if isinstance(details.position, int):
        inputs.whole(faults, details.position, field="position", least=0, most=MOST_FIELDS)
    return columns


def _key(faults: Faults, given: str | None, form: re.Pattern[str], *, field: str) -> str:
    if not given:
        faults.add(Required(field=field))
    elif not form.fullmatch(given):
        what = f"a key of at most {KEY_LIMIT} lower-case letters, digits and _, such as contract_end"
        faults.add(Malformed(field=field, what=what))
    return given or ""


def _options(faults: Faults, kind: CustomFieldType, given: Sequence[Option]) -> list[dict[str, Any]]:
    """Check options and return them as the column keeps them."""
    if kind not in CHOICES:
        if given:
            faults.add(OptionsNotTaken(type=kind.value, field="options"))
        return []
    if not given:
        faults.add(Required(field="options"))
    if len(given) > MOST_OPTIONS:
        faults.add(TooManyOptions(limit=MOST_OPTIONS, count=len(given), field="options"))
        return []
    kept, seen = [], set[tuple[str, str]]()
    for at, option in enumerate(given):
        key = _key(faults, option.key, OPTION_KEY, field=f"options.{at}.key")
        label = inputs.name(faults, option.label, field=f"options.{at}.label")
        for name, value in (("key", key), ("label", inputs.normalised_name(label))):
            if value and (name, value) in seen:
                faults.add(AlreadyExists(noun="option", what=name, field=f"options.{at}.{name}"))
            seen.add((name, value))
        kept.append({"key": key, "label": label, "archived": option.archived})
    return kept


def _chosen(faults: Faults, row: CustomField, kind: CustomFieldType, details: CustomFieldDetails) -> dict[str, Any]:
    """Check options and merges of an edit; return the column where it may change."""
    if isinstance(details.options, Unset):
        kept = row.options if kind in CHOICES else []
        if kind in CHOICES and not kept:
            faults.add(Required(field="options"))
        if details.merges and kind not in CHOICES:
            faults.add(OptionsNotTaken(type=kind.value, field="mergeOptions"))
        elif details.merges:
            gone = {merge.option for merge in details.merges}
            kept = [option for option in kept if option["key"] not in gone]
    else:
        kept = _options(faults, kind, details.options)
    known, left = {option["key"] for option in row.options}, {option["key"] for option in kept}
    for at, merge in enumerate(details.merges):
        if merge.option not in known or merge.option in left:
            what = "an option of this field that is gone with this edit"
            faults.add(Malformed(field=f"mergeOptions.{at}.option", what=what))
        if merge.into not in left:
            faults.add(Malformed(field=f"mergeOptions.{at}.into", what="an option that this field has after this edit"))
    if len(_merged(details.merges)) < len(details.merges):
        faults.add(Malformed(field="mergeOptions", what="a list that names each option once"))
    return {"options": kept}


def _merged(merges: Sequence[Merge]) -> dict[str, str]:
    return {merge.option: merge.into for merge in merges}


def _facts(row: CustomField) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row._meta.fields_db_projection}


def _index(row: CustomField, target: CustomField, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of the index after an edit: another type needs another one."""
    if not target.is_indexed:
        return {"index_state": IndexState.NONE}
    if row.is_indexed and row.type is target.type:
        return {}
    return {"index_state": IndexState.BUILDING}


HOLD = "SELECT id FROM custom_field WHERE workspace_id = $1 ORDER BY id FOR NO KEY UPDATE"


async def _hold_positions(actor: Actor) -> None:
    """Keep others from adding and moving fields; those that there are, all of which may move, in the usual order."""
    await locks.hold(actor.workspace_id, "custom_fields")
    await connected().fetch(HOLD, [actor.workspace_id])


async def _others(actor: Actor, owner: CustomFieldOwner) -> list[CustomField]:
    """Return the fields of an owner in their order, archived ones included."""
    fields = CustomField.filter(workspace_id=actor.workspace_id, owner=owner, deleted_at=None)
    return await fields.order_by("position", "id")


async def _replace(actor: Actor, row: CustomField, position: int | Unset | None) -> dict[str, Any]:
    """Move the other fields out of the way; return the field's own position as a column."""
    if not isinstance(position, int):
        return {}
    return {"position": await _place(row.id, await _others(actor, row.owner), position)}


PLACE = """
WITH moved AS (
    SELECT custom_field.id, new.position FROM custom_field
    JOIN unnest($1::uuid[], $2::int[]) AS new(id, position) ON new.id = custom_field.id
    WHERE custom_field.position <> new.position ORDER BY custom_field.id FOR NO KEY UPDATE OF custom_field
)
UPDATE custom_field SET position = moved.position FROM moved WHERE custom_field.id = moved.id
"""


async def _place(key: UUID, fields: Sequence[CustomField], position: int | Unset | None) -> int:
    """Make room for a field at a place among the others, last where none is given; return the place."""
    keys = [field.id for field in fields if field.id != key]
    if not isinstance(position, int):
        return max((field.position for field in fields), default=-1) + 1
    position = min(position, len(keys))
    keys.insert(position, key)
    places = [(other, at) for at, other in enumerate(keys) if other != key]
    await connected().fetch(PLACE, [[other for other, _ in places], [at for _, at in places]])
    return position


async def _take_values_along(row: CustomField, target: CustomField, merges: Mapping[str, str]) -> int:
    """Rewrite the values of a locked field for another type or other options; return how many.

    Raises OptionInUse, ValuesDoNotFit, TooManyValues.
    """
    left = {option["key"] for option in target.options}
    gone = {option["key"] for option in row.options} - left if row.type in CHOICES else set()
    if row.type is target.type and not gone:
        return 0
    if row.type is target.type:
        await _forbid_in_use(row, gone - merges.keys())

    def follow(value: Any) -> Any:
        if row.type is CustomFieldType.CHOICE:
            return merges.get(value, value)
        if row.type is CustomFieldType.MULTI_CHOICE:
            return [merges.get(one, one) for one in value]
        return value

    # What is offered no more fits as well: it stands there already.
    open_options = [option | {"archived": False} for option in target.options]
    fitting = CustomField(**(_facts(target) | {"options": open_options}))

    def convert(value: Any, faults: Faults) -> Any:
        followed = follow(value)
        if row.type is target.type:
            return _in_order(target, followed) if isinstance(followed, list) else followed
        return custom_values.parse(faults, fitting, _as_given(row, target, followed), field="type", text=True)

    if row.type is not target.type:
        await _forbid_misfits(row, convert)
    return await _rewrite(row, convert)


def _in_order(target: CustomField, chosen: Sequence[str]) -> list[str]:
    return [option["key"] for option in target.options if option["key"] in chosen]


def _as_given(row: CustomField, target: CustomField, value: Any) -> Any:
    """Return a kept value as somebody would give it to a field of another type."""
    if row.type in CHOICES and target.type in CHOICES:
        keys = value if isinstance(value, list) else [value]
        # Several choices do not fit one.
        return keys if target.type is CustomFieldType.MULTI_CHOICE else keys[0] if len(keys) == 1 else keys
    if row.type is CustomFieldType.USER:
        # A person's id says nothing to who reads it.
        return [value]
    return custom_values.text_of(row, value)


VALUES = """
SELECT id, (custom -> $3::text)::text AS value FROM {table}
WHERE workspace_id = $1 AND id > $2 AND custom ? $3::text ORDER BY id LIMIT {most}
"""
WRITE = """
UPDATE {table} AS owner SET custom = jsonb_set(custom, ARRAY[$1::text], given.value::jsonb)
FROM unnest($2::uuid[], $3::text[]) AS given(id, value) WHERE owner.id = given.id AND owner.custom ? $1::text
"""
FIRST = UUID(int=0)


async def _forbid_in_use(row: CustomField, options: set[str]) -> None:
    """Refuse to let options go that stand in values."""
    if not options:
        return
    key, table = row.id.hex, TABLES[row.owner]
    held = (
        "custom -> $2::text ?| $3::text[]"
        if row.type is CustomFieldType.MULTI_CHOICE
        else "custom ->> $2::text = ANY($3::text[])"
    )
    one = (
        "jsonb_array_elements_text(custom -> $2::text)"
        if row.type is CustomFieldType.MULTI_CHOICE
        else "custom ->> $2::text"
    )
    counted = await read(
        f"SELECT option, count(*) AS held FROM (SELECT {one} AS option FROM {table}"
        f" WHERE workspace_id = $1 AND {held}) AS used WHERE option = ANY($3::text[]) GROUP BY 1",
        row.workspace_id,
        key,
        sorted(options),
    )
    faults = Faults()
    for found in sorted(counted, key=lambda found: str(found["option"])):
        faults.add(OptionInUse(option=found["option"], count=found["held"], field="options"))
    faults.raise_any()


Convert = Callable[[Any, Faults], Any]


async def _forbid_misfits(row: CustomField, convert: Convert) -> None:
    """Refuse another type while values stand that do not fit it."""
    misfits, example, after = 0, "", FIRST
    while found := await _values(row, after):
        after = found[-1][0]
        for _, value in found:
            faults = Faults()
            if convert(value, faults) is None or any(faults):
                misfits, example = misfits + 1, example or custom_values.short(custom_values.text_of(row, value))
    if misfits:
        raise ValuesDoNotFit(count=misfits, example=example or "a user", field="type")


async def _rewrite(row: CustomField, convert: Convert) -> int:
    """Rewrite the values that are another for the new type or options; return how many. Raises TooManyValues."""
    rewritten, after = 0, FIRST
    while found := await _values(row, after):
        after = found[-1][0]
        new = [(key, made) for key, value in found if (made := convert(value, Faults())) != value]
        rewritten += len(new)
        if rewritten > MOST_REWRITTEN:
            raise TooManyValues(limit=MOST_REWRITTEN)
        if new:
            keys, values = [key for key, _ in new], [orjson.dumps(value).decode() for _, value in new]
            await connected().fetch(WRITE.format(table=TABLES[row.owner]), [row.id.hex, keys, values])
    return rewritten


async def _values(row: CustomField, after: UUID) -> list[tuple[UUID, Any]]:
    sql = VALUES.format(table=TABLES[row.owner], most=AT_ONCE)
    found = await connected().fetch(sql, [row.workspace_id, after, row.id.hex])
    return [(one["id"], orjson.loads(one["value"])) for one in found]


REMOVE = """
WITH few AS (
    SELECT id FROM {table} WHERE workspace_id = $1 AND id > $2 AND {has} ORDER BY id LIMIT {most} FOR NO KEY UPDATE
)
UPDATE {table} SET custom = custom - $3::text FROM few WHERE {table}.id = few.id RETURNING few.id
"""


async def remove_values(row: CustomField) -> None:
    """Remove the values of a deleted field, many at a time; a second run goes on with those that are left."""
    table, after = TABLES[row.owner], FIRST
    sql = REMOVE.format(table=table, has=has(row.id), most=AT_ONCE)
    while found := await connected().fetch(sql, [row.workspace_id, after, row.id.hex]):
        after = max(one["id"] for one in found)
