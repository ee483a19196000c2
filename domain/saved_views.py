"""Saved views: lists that people keep, for themselves or for others.

What a filter may say is the API's to judge, which knows its lists; operations are handed that judgement.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import orjson

from domain import edits, inputs, locks, policy
from domain.actors import Actor
from domain.errors import DomainError, Faults, Malformed, TooLong
from domain.events import Event, record
from domain.policy import Action
from domain.unset import UNSET, Unset, given
from models.database import transaction
from models.saved_views import SavedView, Sharing, ViewNoun
from models.users import Membership

MOST_VIEWS, MOST_COLUMNS, MOST_POSITION = 200, 100, 1_000_000
SEARCH_LIMIT = 200
# Characters of a filter or an order as JSON, and how deep it may nest.
JSON_LIMIT, JSON_DEPTH = 20_000, 64
UNIQUE = {"saved_view_pkey": "id", "saved_view_name_idx": "name"}


class SavedViewCreated(Event):
    name = "saved_view.created"


class SavedViewUpdated(Event):
    name = "saved_view.updated"


class SavedViewDeleted(Event):
    name = "saved_view.deleted"


class SavedViewRestored(Event):
    name = "saved_view.restored"


class TooManySavedViews(DomainError):
    """One keeps at most {limit} views of a noun: delete one first."""


class NoTeam(DomainError):
    """The view's owner is in no team that it could be shared with."""


class DoesNotFit(DomainError):
    """The view asks for what its list does not have: {reason}"""


@dataclass(frozen=True, slots=True)
class Content:
    """What a view asks of its list, and the columns that it shows."""

    noun: ViewNoun
    passing: Any = None
    order_by: Any = None
    search: str | None = None
    columns: Sequence[str] = ()

    @classmethod
    def of(cls, row: Any) -> "Content":
        return cls(row.noun, row.passing, row.order_by, row.search, row.columns)


Judge: TypeAlias = Callable[[Content], Awaitable[Sequence[DomainError]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewDetails:
    """What people say of a view; what is UNSET is left as it is, None clears it."""

    name: str | Unset | None = UNSET
    visibility: Sharing | Unset = UNSET
    passing: Any = UNSET
    order_by: Any = UNSET
    search: str | Unset | None = UNSET
    columns: Sequence[str] | Unset | None = UNSET
    position: int | Unset | None = UNSET


def check(faults: Faults, details: ViewDetails) -> dict[str, Any]:
    """Check what is given by itself and return it as columns."""
    columns: dict[str, Any] = given(visibility=details.visibility)
    if details.name is not UNSET:
        columns["name"] = inputs.name(faults, details.name, field="name")
    if details.passing is not UNSET:
        columns["passing"] = _json(faults, details.passing, dict, field="filter")
    if details.order_by is not UNSET:
        columns["order_by"] = _json(faults, details.order_by, list | dict, field="orderBy")
    if details.search is not UNSET:
        columns["search"] = inputs.text(faults, details.search, field="search", limit=SEARCH_LIMIT)
    if details.columns is not UNSET:
        columns["columns"] = _names(faults, list(details.columns or ()))
    if details.position is not UNSET and details.position is not None:
        columns["position"] = inputs.whole(faults, details.position, field="position", least=0, most=MOST_POSITION)
    return columns


def _json(faults: Faults, value: Any, kind: Any, *, field: str) -> Any:
    """Check that a value can be kept as JSON, and is not beyond what a list would take."""
    if value is not None and not isinstance(value, kind):
        faults.add(Malformed(field=field, what="what the list takes"))
        return None
    if _depth(value) > JSON_DEPTH:
        faults.add(Malformed(field=field, what=f"nested at most {JSON_DEPTH} deep"))
        return None
    try:
        written = orjson.dumps(value)
    except TypeError:
        faults.add(Malformed(field=field, what="JSON with texts of whole characters and numbers of 64 bits"))
        return None
    if len(written) > JSON_LIMIT:
        faults.add(TooLong(field=field, length=len(written), limit=JSON_LIMIT))
        return None
    if rb"\u0000" in written:
        faults.add(Malformed(field=field, what="text without control characters"))
        return None
    return value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= JSON_DEPTH:
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        depth, level = depth + bool(inner), [each for one in inner for each in one]
    return depth


def _names(faults: Faults, names: list[str]) -> list[str]:
    if len(names) > MOST_COLUMNS:
        faults.add(Malformed(field="columns", what=f"at most {MOST_COLUMNS} names"))
        return []
    if len(set(names)) < len(names):
        faults.add(Malformed(field="columns", what="a list that names each field once"))
    if any(inputs.CONTROL.search(name) or len(name) > inputs.NAME_LIMIT for name in names):
        faults.add(Malformed(field="columns", what="a list of fields' names"))
        return []
    return names


async def create(
    actor: Actor,
    noun: ViewNoun,
    details: ViewDetails,
    *,
    judge: Judge,
    id: UUID | None = None,
    now: datetime,
) -> SavedView:
    """Keep a list of a noun, the actor's own. Without a position it comes after the others that they keep.

    Raises Forbidden, AlreadyExists (id, name), TooManySavedViews, NoTeam, DoesNotFit, and faults.
    """
    policy.require(actor, Action.SAVE_VIEW)
    if actor.user_id is None:
        raise policy.refusal(actor, Action.SAVE_VIEW)
    faults = Faults()
    key = edits.new_id(faults, id)
    named = ViewDetails(name=None) if details.name is UNSET else ViewDetails()
    columns = {"visibility": Sharing.OWN} | check(faults, named) | check(faults, details)
    with edits.collisions("saved view", UNIQUE):
        async with transaction():
            await _hold(actor.workspace_id, actor.user_id)
            view = SavedView(
                id=key,
                workspace_id=actor.workspace_id,
                owner_id=actor.user_id,
                noun=noun,
                created_at=now,
                updated_at=now,
                **columns,
            )
            await _share(faults, actor, view, columns, before=Sharing.OWN)
            await _forbid_more(faults, view)
            if "position" not in columns:
                columns["position"] = await _next_position(view)
            await _judge(faults, judge, view, columns)
            for name, value in columns.items():
                setattr(view, name, value)
            await edits.insert(view)
            await record(SavedViewCreated(actor, view.id, edits.facts(view, {"noun": noun, **columns})), now=now)
    return view


async def update(
    actor: Actor,
    view_id: UUID,
    details: ViewDetails,
    *,
    judge: Judge,
    expected_version: int | None = None,
    now: datetime,
) -> SavedView:
    """Change what is given of a view, which must fit its list as a whole then, whatever it did before.

    Raises NotFound, Stale, Forbidden, AlreadyExists (name), NoTeam, DoesNotFit, and faults.
    """
    faults = Faults()
    columns = check(faults, details)
    with edits.collisions("saved view", UNIQUE):
        async with transaction():
            view = await policy.locked(actor, SavedView, view_id, expected_version=expected_version)
            policy.require(actor, Action.UPDATE_VIEW, view)
            await _share(faults, actor, view, columns, before=view.visibility)
            await _judge(faults, judge, view, columns)
            if changed := await edits.apply(view, columns, now=now):
                await record(SavedViewUpdated(actor, view.id, {"changes": changed, "version": view.version}), now=now)
    return view


async def delete(actor: Actor, view_id: UUID, *, expected_version: int | None = None, now: datetime) -> SavedView:
    """Delete a view, also one that fits no more. Raises NotFound, Stale, Forbidden."""
    async with transaction():
        view = await policy.locked(actor, SavedView, view_id, expected_version=expected_version)
        policy.require(actor, Action.UPDATE_VIEW, view)
        await edits.apply(view, {"deleted_at": now}, now=now)
        await record(SavedViewDeleted(actor, view.id, {"version": view.version}), now=now)
    return view


async def restore(actor: Actor, view_id: UUID, *, now: datetime) -> SavedView:
    """Bring a deleted view back; one that is not deleted stays as it is.

    Raises NotFound, Forbidden, TooManySavedViews, AlreadyExists where its name is taken by now.
    """
    with edits.collisions("saved view", UNIQUE):
        async with transaction():
            known = await policy.visible(actor, SavedView).filter(id=view_id).first()
            if known is not None:
                await _hold(actor.workspace_id, known.owner_id)
            view = await policy.locked(actor, SavedView, view_id, deleted=True)
            policy.require(actor, Action.UPDATE_VIEW, view)
            if view.deleted_at is not None:
                faults = Faults()
                await _forbid_more(faults, view)
                faults.raise_any()
                await edits.apply(view, {"deleted_at": None}, now=now)
                await record(SavedViewRestored(actor, view.id, {"version": view.version}), now=now)
    return view


async def _hold(workspace_id: UUID, owner_id: UUID) -> None:
    """Let one operation at a time add to what somebody keeps."""
    await locks.hold(workspace_id, f"saved views of {owner_id}")


async def _share(faults: Faults, actor: Actor, view: SavedView, columns: dict[str, Any], *, before: Sharing) -> None:
    """Add to the columns with which team a view is shared: its owner's, as it is at this moment."""
    sharing = columns.get("visibility")
    if sharing is None:
        return
    if sharing is Sharing.ALL and before is not Sharing.ALL:
        policy.require(actor, Action.SHARE_VIEW, view)
    columns["team_id"] = None
    if sharing is Sharing.TEAM:
        place = await Membership.get_or_none(workspace_id=actor.workspace_id, user_id=view.owner_id)
        if place is None or place.team_id is None:
            faults.add(NoTeam(field="visibility"))
        else:
            columns["team_id"] = place.team_id


async def _forbid_more(faults: Faults, view: SavedView) -> None:
    if await _kept(view).count() >= MOST_VIEWS:
        faults.add(TooManySavedViews(limit=MOST_VIEWS))


async def _next_position(view: SavedView) -> int:
    last = await _kept(view).order_by("-position").first()
    return min(last.position + 1, MOST_POSITION) if last else 0


def _kept(view: SavedView) -> Any:
    """Return the live views of a view's noun that its owner keeps."""
    return SavedView.filter(workspace_id=view.workspace_id, owner_id=view.owner_id, noun=view.noun, deleted_at=None)


async def _judge(faults: Faults, judge: Judge, view: SavedView, columns: dict[str, Any]) -> None:
    """Raise what is wrong with the input by itself, and with the view as it would be where that says nothing."""
    said = {fault.field[0] for fault in faults if fault.field}
    known = {name: columns.get(name, getattr(view, name)) for name in ("passing", "order_by", "search", "columns")}
    for fault in await judge(Content(view.noun, **known)):
        if not fault.field or fault.field[0] not in said:
            faults.add(fault)
    faults.raise_any()
