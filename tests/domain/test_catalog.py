"""The short lists of a workspace, alike in what may happen to their entries."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain import catalog
from domain.catalog import ListFull
from domain.errors import AlreadyExists, Conflict, Forbidden, Invalid, Malformed, NotFound, Required, Stale, TooLong
from models.activities import ActivityType
from models.base import uuid7
from models.catalog import LostReason, Source, SourceKind, Tag
from models.events import Event
from models.users import Role
from tests.factories import NOW, member

LATER = NOW + timedelta(hours=1)
Operation = Callable[..., Awaitable[Any]]

pytestmark = pytest.mark.usefixtures("db")


@dataclass(frozen=True)
class Noun:
    name: str
    model: type[Source | LostReason | Tag | ActivityType]
    create: Operation
    update: Operation
    limit: int = 200


NOUNS = [
    Noun("source", Source, catalog.create_source, catalog.update_source),
    Noun("lost_reason", LostReason, catalog.create_lost_reason, catalog.update_lost_reason),
    Noun("tag", Tag, catalog.create_tag, catalog.update_tag, limit=50),
    Noun("activity_type", ActivityType, catalog.create_activity_type, catalog.update_activity_type),
]
each = pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.name)


@each
async def test_an_entry_is_made_renamed_archived_and_restored(noun: Noun) -> None:
    actor, key = await member(), uuid7()

    made = await noun.create(actor, id=key, name=" First ", now=NOW)
    renamed = await noun.update(actor, key, name="Second", expected_version=1, now=LATER)
    same = await noun.update(actor, key, name="Second", now=LATER)
    archived = await catalog.archive(actor, noun.model, key, now=LATER)
    again = await catalog.archive(actor, noun.model, key, now=LATER)
    restored = await catalog.restore(actor, noun.model, key, now=LATER)
    standing = await catalog.restore(actor, noun.model, key, now=LATER)

    assert (made.id, made.name) == (key, "First")
    assert (renamed.name, renamed.version, same.version) == ("Second", 2, 2)
    assert (archived.archived_at, again.version) == (LATER, 3)
    assert (restored.archived_at, standing.version) == (None, 4)
    events = [event.name for event in await Event.filter(subject_id=key).order_by("id")]
    assert events == [f"{noun.name}.{verb}" for verb in ("created", "updated", "archived", "restored")]


@each
async def test_names_are_told_apart_whatever_their_case_among_what_is_offered(noun: Noun) -> None:
    actor = await member()
    first = await noun.create(actor, name="Fair", now=NOW)
    other = await noun.create(actor, name="Web", now=NOW)

    with pytest.raises(AlreadyExists) as caught:
        await noun.create(actor, name="FAIR", now=NOW)
    with pytest.raises(AlreadyExists):
        await noun.update(actor, other.id, name="fair", now=NOW)
    with pytest.raises(AlreadyExists):
        await noun.create(actor, id=first.id, name="New", now=NOW)
    assert caught.value.field == ("name",)

    await catalog.archive(actor, noun.model, first.id, now=NOW)
    await noun.update(actor, other.id, name="fair", now=NOW)
    with pytest.raises(AlreadyExists):
        await catalog.restore(actor, noun.model, first.id, now=NOW)
    assert (await noun.create(await member(), name="Fair", now=NOW)).name == "Fair"


@each
async def test_of_two_made_at_once_with_one_name_one_is_made(noun: Noun) -> None:
    actor = await member()

    outcomes = await asyncio.gather(
        *(noun.create(actor, name="Fair", now=NOW) for _ in range(4)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes].count(AlreadyExists) == 3
    assert await noun.model.filter(workspace_id=actor.workspace_id).count() == 1


@each
async def test_what_is_archived_is_edited_only_after_its_return(noun: Noun) -> None:
    actor = await member()
    row = await noun.create(actor, name="Fair", now=NOW)
    await catalog.archive(actor, noun.model, row.id, now=NOW)

    with pytest.raises(Conflict, match="restore"):
        await noun.update(actor, row.id, name="Web", now=NOW)


@each
async def test_bad_names_and_old_versions_are_refused(noun: Noun) -> None:
    actor = await member()
    row = await noun.create(actor, name="Fair", now=NOW)

    for name, error in (("", Required), (None, Required), ("x" * (noun.limit + 1), TooLong), ("a\x07", Malformed)):
        with pytest.raises(error):
            await noun.create(actor, name=name, now=NOW)
        with pytest.raises(error):
            await noun.update(actor, row.id, name=name, now=NOW)
    with pytest.raises(Invalid):
        await noun.create(actor, id=uuid4(), name=" ", now=NOW)
    with pytest.raises(Stale):
        await noun.update(actor, row.id, name="Web", expected_version=7, now=NOW)
    with pytest.raises(Stale):
        await catalog.archive(actor, noun.model, row.id, expected_version=7, now=NOW)


@each
async def test_another_workspaces_entry_does_not_exist_and_who_only_reads_changes_nothing(noun: Noun) -> None:
    stranger, admin = await member(), await member()
    viewer = await member(Role.VIEWER, of=admin)
    foreign = await noun.create(stranger, name="Fair", now=NOW)
    own = await noun.create(admin, name="Fair", now=NOW)

    for actor, key, error in ((admin, foreign.id, NotFound), (viewer, own.id, Forbidden)):
        for attempt in (
            noun.update(actor, key, name="X", now=NOW),
            catalog.archive(actor, noun.model, key, now=NOW),
            catalog.restore(actor, noun.model, key, now=NOW),
        ):
            with pytest.raises(error):
                await attempt
    with pytest.raises(Forbidden):
        await noun.create(viewer, name="X", now=NOW)


async def test_reps_tag_but_do_not_shape_the_lists() -> None:
    rep = await member(Role.REP)

    assert (await catalog.create_tag(rep, name="Hot", now=NOW)).name == "Hot"
    for attempt in (
        catalog.create_source(rep, name="X", now=NOW),
        catalog.create_lost_reason(rep, name="X", now=NOW),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_a_source_has_a_kind() -> None:
    actor = await member()
    row = await catalog.create_source(actor, name="Hannover Messe", kind=SourceKind.TRADE_SHOW, now=NOW)

    changed = await catalog.update_source(actor, row.id, kind=SourceKind.SOCIAL, now=NOW)

    assert (changed.name, changed.kind) == ("Hannover Messe", SourceKind.SOCIAL)


async def test_a_tag_may_have_a_colour() -> None:
    actor = await member()
    row = await catalog.create_tag(actor, name="Hot", color="#FF0000", now=NOW)

    assert row.color == "#ff0000"
    assert (await catalog.update_tag(actor, row.id, color=None, now=NOW)).color is None
    for color in ("red", "#fff", "#gggggg", "#ff0000; x"):
        with pytest.raises(Malformed):
            await catalog.update_tag(actor, row.id, color=color, now=NOW)


async def test_a_new_workspace_gets_its_lists_once() -> None:
    actor = await member()
    await catalog.create_source(actor, name="website", now=NOW)

    await asyncio.gather(*(catalog.create_defaults(actor, now=NOW) for _ in range(3)))

    names = [row.name for row in await Source.filter(workspace_id=actor.workspace_id)]
    assert sorted(names) == sorted(["website", *(set(catalog.DEFAULT_SOURCES) - {"Website"})])
    reasons = [row.name for row in await LostReason.filter(workspace_id=actor.workspace_id)]
    assert sorted(reasons) == sorted(catalog.DEFAULT_LOST_REASONS)


async def test_a_list_has_a_thousand_entries_in_use_at_most_also_at_once() -> None:
    admin = await member()
    gone = await catalog.create_tag(admin, name="gone", now=NOW)
    await catalog.archive(admin, Tag, gone.id, now=NOW)
    await Tag.bulk_create(
        Tag(workspace_id=admin.workspace_id, name=f"tag {n}", created_at=NOW, updated_at=NOW) for n in range(998)
    )

    outcomes = await asyncio.gather(
        *(catalog.create_tag(admin, name=f"more {n}", now=NOW) for n in range(4)), return_exceptions=True
    )

    assert [type(one) for one in outcomes if not isinstance(one, Tag)] == [ListFull, ListFull]
    with pytest.raises(ListFull):
        await catalog.restore(admin, Tag, gone.id, now=NOW)
    there = await Tag.get(workspace_id=admin.workspace_id, name="tag 7")
    assert (await catalog.restore(admin, Tag, there.id, now=NOW)).archived_at is None
    await catalog.archive(admin, Tag, there.id, now=NOW)
    assert (await catalog.restore(admin, Tag, gone.id, now=NOW)).archived_at is None
    await catalog.create_source(admin, name="Another list", now=NOW)
