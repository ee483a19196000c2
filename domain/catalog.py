"""The short lists of a workspace: sources, lost reasons, tags and types of activities."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from domain import edits, inputs, locks, policy, removals
from domain.actors import Actor
from domain.errors import AlreadyExists, Conflict, DomainError, Faults, Malformed, words_of
from domain.events import Event, record
from domain.policy import Action
from domain.unset import UNSET, Unset
from models.activities import ActivityType
from models.base import EditableRow
from models.catalog import LostReason, Source, SourceKind, Tag
from models.database import in_one_go, transaction

TAG_LIMIT = 50
MOST_ENTRIES = 1_000
COLOR = re.compile(r"^#[0-9a-f]{6}$")
Entry = TypeVar("Entry", bound=Source | LostReason | Tag | ActivityType)

DEFAULT_SOURCES: dict[str, SourceKind] = {
    "Website": SourceKind.WEB_FORM,
    "Trade show": SourceKind.TRADE_SHOW,
    "Referral": SourceKind.REFERRAL,
    "Social media": SourceKind.SOCIAL,
    "Channel partner": SourceKind.CHANNEL_PARTNER,
    "Campaign": SourceKind.CAMPAIGN,
    "Cold outreach": SourceKind.COLD_OUTREACH,
    "Import": SourceKind.IMPORT,
    "Other": SourceKind.OTHER,
}
DEFAULT_LOST_REASONS = (
    "Price too high",
    "Chose a competitor",
    "No budget",
    "No decision",
    "Bad timing",
    "Missing feature",
    "No answer",
    "Other",
)


class SourceCreated(Event):
    name = "source.created"


class SourceUpdated(Event):
    name = "source.updated"


class SourceArchived(Event):
    name = "source.archived"


class SourceRestored(Event):
    name = "source.restored"


class LostReasonCreated(Event):
    name = "lost_reason.created"


class LostReasonUpdated(Event):
    name = "lost_reason.updated"


class LostReasonArchived(Event):
    name = "lost_reason.archived"


class LostReasonRestored(Event):
    name = "lost_reason.restored"


class TagCreated(Event):
    name = "tag.created"


class TagUpdated(Event):
    name = "tag.updated"


class TagArchived(Event):
    name = "tag.archived"


class TagRestored(Event):
    name = "tag.restored"


class ListFull(DomainError):
    """A workspace has at most {limit} entries in use of this list: archive some first."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between the lists: who may change an entry, what happens then, and what is unique."""

    action: Action
    created: type[Event]
    updated: type[Event]
    archived: type[Event]
    restored: type[Event]
    unique: Mapping[str, str]


class ActivityTypeCreated(Event):
    name = "activity_type.created"


class ActivityTypeUpdated(Event):
    name = "activity_type.updated"


class ActivityTypeArchived(Event):
    name = "activity_type.archived"


class ActivityTypeRestored(Event):
    name = "activity_type.restored"


KINDS: dict[type[EditableRow], Kind] = {
    Source: Kind(
        Action.MANAGE_CATALOG,
        SourceCreated,
        SourceUpdated,
        SourceArchived,
        SourceRestored,
        {"source_pkey": "id", "source_name_idx": "name"},
    ),
    LostReason: Kind(
        Action.MANAGE_CATALOG,
        LostReasonCreated,
        LostReasonUpdated,
        LostReasonArchived,
        LostReasonRestored,
        {"lost_reason_pkey": "id", "lost_reason_name_idx": "name"},
    ),
    Tag: Kind(
        Action.TAG,
        TagCreated,
        TagUpdated,
        TagArchived,
        TagRestored,
        {"tag_pkey": "id", "tag_name_idx": "name"},
    ),
    ActivityType: Kind(
        Action.MANAGE_CATALOG,
        ActivityTypeCreated,
        ActivityTypeUpdated,
        ActivityTypeArchived,
        ActivityTypeRestored,
        {"activity_type_pkey": "id", "activity_type_name_idx": "name"},
    ),
}


async def create_defaults(actor: Actor, *, now: datetime) -> None:
    """Give a new workspace its first sources and lost reasons; names that it has already stay as they are."""
    async with transaction():
        policy.require(actor, Action.MANAGE_CATALOG)
        await locks.hold(actor.workspace_id, "catalog")
        known = {row.name.lower() for row in await Source.filter(workspace_id=actor.workspace_id, archived_at=None)}
        for name, kind in DEFAULT_SOURCES.items():
            if name.lower() not in known:
                await create_source(actor, name=name, kind=kind, now=now)
        reasons = LostReason.filter(workspace_id=actor.workspace_id, archived_at=None)
        known = {row.name.lower() for row in await reasons}
        for name in DEFAULT_LOST_REASONS:
            if name.lower() not in known:
                await create_lost_reason(actor, name=name, now=now)


async def create_source(
    actor: Actor,
    *,
    id: UUID | None = None,
    name: str | None,
    kind: SourceKind = SourceKind.OTHER,
    now: datetime,
) -> Source:
    """Add a source. Raises Forbidden, AlreadyExists (id, name), and faults of the input."""
    policy.require(actor, Action.MANAGE_CATALOG)
    faults = Faults()
    columns = {"name": inputs.name(faults, name, field="name"), "kind": kind}
    return await _create(actor, Source, faults, columns, id=id, now=now)


@in_one_go
async def update_source(
    actor: Actor,
    source_id: UUID,
    *,
    expected_version: int | None = None,
    name: str | Unset | None = UNSET,
    kind: SourceKind | Unset = UNSET,
    now: datetime,
) -> Source:
    """Change what is given of a source.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived, AlreadyExists (name), and faults.
    """
    with edits.collisions("source", KINDS[Source].unique):
        async with transaction():
            row = await _locked(actor, Source, source_id, expected_version)
            faults = Faults()
            columns: dict[str, Any] = {} if kind is UNSET else {"kind": kind}
            if name is not UNSET:
                columns["name"] = inputs.name(faults, name, field="name")
            return await _update(actor, row, faults, columns, now=now)


async def create_lost_reason(actor: Actor, *, id: UUID | None = None, name: str | None, now: datetime) -> LostReason:
    """Add a lost reason. Raises Forbidden, AlreadyExists (id, name), and faults of the input."""
    policy.require(actor, Action.MANAGE_CATALOG)
    faults = Faults()
    columns = {"name": inputs.name(faults, name, field="name")}
    return await _create(actor, LostReason, faults, columns, id=id, now=now)


@in_one_go
async def update_lost_reason(
    actor: Actor,
    lost_reason_id: UUID,
    *,
    expected_version: int | None = None,
    name: str | Unset | None = UNSET,
    now: datetime,
) -> LostReason:
    """Rename a lost reason.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived, AlreadyExists (name), and faults.
    """
    with edits.collisions("lost reason", KINDS[LostReason].unique):
        async with transaction():
            row = await _locked(actor, LostReason, lost_reason_id, expected_version)
            faults = Faults()
            columns = {} if name is UNSET else {"name": inputs.name(faults, name, field="name")}
            return await _update(actor, row, faults, columns, now=now)


async def create_tag(
    actor: Actor, *, id: UUID | None = None, name: str | None, color: str | None = None, now: datetime
) -> Tag:
    """Add a tag; its colour is written #rrggbb. Raises Forbidden, AlreadyExists (id, name), and faults."""
    policy.require(actor, Action.TAG)
    faults = Faults()
    columns = {
        "name": inputs.name(faults, name, field="name", limit=TAG_LIMIT),
        "color": _color(faults, color),
    }
    return await _create(actor, Tag, faults, columns, id=id, now=now)


@in_one_go
async def update_tag(
    actor: Actor,
    tag_id: UUID,
    *,
    expected_version: int | None = None,
    name: str | Unset | None = UNSET,
    color: str | Unset | None = UNSET,
    now: datetime,
) -> Tag:
    """Change what is given of a tag.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived, AlreadyExists (name), and faults.
    """
    with edits.collisions("tag", KINDS[Tag].unique):
        async with transaction():
            row = await _locked(actor, Tag, tag_id, expected_version)
            faults = Faults()
            columns: dict[str, Any] = {} if color is UNSET else {"color": _color(faults, color)}
            if name is not UNSET:
                columns["name"] = inputs.name(faults, name, field="name", limit=TAG_LIMIT)
            return await _update(actor, row, faults, columns, now=now)


async def create_activity_type(
    actor: Actor, *, id: UUID | None = None, name: str | None, is_touch: bool = False, now: datetime
) -> ActivityType:
    """Add a type of activity; as a touch it counts like a call. Raises Forbidden, AlreadyExists, and faults."""
    policy.require(actor, Action.MANAGE_CATALOG)
    faults = Faults()
    columns = {"name": inputs.name(faults, name, field="name"), "is_touch": is_touch}
    return await _create(actor, ActivityType, faults, columns, id=id, now=now)


@in_one_go
async def update_activity_type(
    actor: Actor,
    activity_type_id: UUID,
    *,
    expected_version: int | None = None,
    name: str | Unset | None = UNSET,
    is_touch: bool | Unset = UNSET,
    now: datetime,
) -> ActivityType:
    """Change what is given of a type; activities that have it already count as they did.

    Raises NotFound, Stale, Forbidden, Conflict where it is archived, AlreadyExists (name), and faults.
    """
    with edits.collisions("activity type", KINDS[ActivityType].unique):
        async with transaction():
            row = await _locked(actor, ActivityType, activity_type_id, expected_version)
            faults = Faults()
            columns: dict[str, Any] = {} if is_touch is UNSET else {"is_touch": is_touch}
            if name is not UNSET:
                columns["name"] = inputs.name(faults, name, field="name")
            return await _update(actor, row, faults, columns, now=now)


async def archive(
    actor: Actor, noun: type[Entry], key: UUID, *, expected_version: int | None = None, now: datetime
) -> Entry:
    """Offer an entry of a list no more; leads keep it. Raises NotFound, Stale, Forbidden."""
    kind = KINDS[noun]
    return await removals.remove(
        kind.archived,
        actor,
        kind.action,
        noun,
        key,
        column="archived_at",
        expected_version=expected_version,
        now=now,
    )


async def restore(actor: Actor, noun: type[Entry], key: UUID, *, now: datetime) -> Entry:
    """Offer an entry of a list again.

    Raises NotFound, Forbidden, ListFull, AlreadyExists where its name is taken by now.
    """
    kind = KINDS[noun]
    with edits.collisions(words_of(noun.__name__), kind.unique):
        async with transaction():
            await _forbid_more(actor, noun, but=key)
            return await removals.restore(
                kind.restored, actor, kind.action, noun, key, column="archived_at", unique=kind.unique, now=now
            )


def _color(faults: Faults, value: str | None) -> str | None:
    color = (value or "").strip().lower() or None
    if color is not None and not COLOR.match(color):
        faults.add(Malformed(field="color", what="a colour such as #3b82f6"))
    return color


async def _locked(actor: Actor, noun: type[Entry], key: UUID, expected_version: int | None) -> Entry:
    row = await policy.locked(actor, noun, key, expected_version=expected_version, field="id")
    policy.require(actor, KINDS[noun].action, row)
    if row.archived_at is not None:
        raise Conflict(reason=f"{row.name} is archived: restore it first.")
    return row


async def _forbid_more(actor: Actor, noun: type[Entry], *, but: UUID) -> None:
    """Raise ListFull where a list is full without an entry; one operation at a time adds to it."""
    await locks.hold(actor.workspace_id, noun._meta.db_table)
    used = noun.filter(workspace_id=actor.workspace_id, archived_at=None).exclude(id=but)
    if await used.count() >= MOST_ENTRIES:
        raise ListFull(limit=MOST_ENTRIES)


async def _create(
    actor: Actor,
    noun: type[Entry],
    faults: Faults,
    columns: Mapping[str, Any],
    *,
    id: UUID | None,
    now: datetime,
) -> Entry:
    key = edits.new_id(faults, id)
    await _raise_any(actor, noun, faults, columns)
    with edits.collisions(words_of(noun.__name__), KINDS[noun].unique):
        async with transaction():
            await _forbid_more(actor, noun, but=key)
            row = noun(id=key, workspace_id=actor.workspace_id, created_at=now, updated_at=now, **columns)
            await edits.insert(row)
            await record(KINDS[noun].created(actor, row.id, edits.facts(row, columns)), now=now)
    return row


async def _raise_any(
    actor: Actor, noun: type[Entry], faults: Faults, columns: Mapping[str, Any], *, but: UUID | None = None
) -> None:
    """Raise what is wrong, together with a name that is taken, which otherwise the index says."""
    if not any(faults):
        return
    named = noun.filter(workspace_id=actor.workspace_id, archived_at=None, name__iexact=columns.get("name") or "")
    if await named.exclude(id=but).exists():
        faults.add(AlreadyExists(noun=words_of(noun.__name__), what="name", field="name"))
    faults.raise_any()


async def _update(
    actor: Actor,
    row: Entry,
    faults: Faults,
    columns: Mapping[str, Any],
    *,
    now: datetime,
) -> Entry:
    await _raise_any(actor, type(row), faults, columns, but=row.id)
    if changed := await edits.apply(row, columns, now=now):
        facts = {"changes": changed, "version": row.version}
        await record(KINDS[type(row)].updated(actor, row.id, facts), now=now)
    return row
