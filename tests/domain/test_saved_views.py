"""Saved views: who keeps them, for whom they exist, and what is refused."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from domain import policy, saved_views
from domain.actors import Actor
from domain.errors import (
    AlreadyExists,
    DomainError,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    OutOfRange,
    Stale,
    TooLong,
)
from domain.saved_views import Content, DoesNotFit, NoTeam, TooManySavedViews, ViewDetails
from models.base import uuid7
from models.saved_views import SavedView, Sharing, ViewNoun
from models.users import Membership, Role
from tests.factories import NOW, again, events, member, partner, team

pytestmark = pytest.mark.usefixtures("db")

LEAD = ViewNoun.LEAD


async def fits(content: Content) -> Sequence[DomainError]:
    """Find nothing wrong: what a filter may say is the schema's to judge, and tested there."""
    return []


async def misfits(content: Content) -> Sequence[DomainError]:
    return [DoesNotFit(field="filter", reason="it is gone.")]


async def view(actor: Actor, name: str = "Hot", noun: ViewNoun = LEAD, **details: Any) -> SavedView:
    return await saved_views.create(actor, noun, ViewDetails(name=name, **details), judge=fits, now=NOW)


async def exist(actor: Actor) -> set[str]:
    return {row.name for row in await policy.visible(actor, SavedView).filter(deleted_at=None)}


async def test_a_view_is_kept_as_it_was_given() -> None:
    actor = await member(Role.REP)
    passing = {"or": [{"score": {"gte": 60}}, {"value": {"gt": "1250.50"}}]}

    made = await view(actor, passing=passing, order_by=[{"field": "SCORE"}], search="pump", columns=["title", "score"])

    row = await SavedView.get(id=made.id)
    assert (row.owner_id, row.noun, row.visibility, row.team_id) == (actor.user_id, LEAD, Sharing.OWN, None)
    assert (row.passing, row.order_by, row.search) == (passing, [{"field": "SCORE"}], "pump")
    assert (row.columns, row.position, row.version) == (["title", "score"], 0, 1)
    [event] = await events(made.id)
    assert (event.name, event.data["changes"]["name"]) == ("saved_view.created", [None, "Hot"])


async def test_views_come_after_one_another_unless_they_say_where() -> None:
    actor = await member()

    places = [(await view(actor, name, position=at)).position for name, at in (("a", None), ("b", 7), ("c", None))]
    other = await view(actor, "a", ViewNoun.COMPANY)

    assert (places, other.position) == ([0, 7, 8], 0)


async def test_an_edit_that_changes_nothing_changes_nothing() -> None:
    actor = await member()
    made = await view(actor, passing={"score": {"gte": 60}})

    same = await saved_views.update(
        actor, made.id, ViewDetails(name="Hot", passing={"score": {"gte": 60}}), judge=fits, now=NOW
    )
    edited = await saved_views.update(actor, made.id, ViewDetails(passing=None, columns=["title"]), judge=fits, now=NOW)

    assert (same.version, edited.version) == (1, 2)
    assert [event.name for event in await events(made.id)] == ["saved_view.created", "saved_view.updated"]


async def test_what_is_wrong_is_told_together() -> None:
    actor = await member()
    deep: Any = {}
    for _ in range(70):
        deep = {"not": deep}

    with pytest.raises(Invalid) as caught:
        await saved_views.create(
            actor,
            LEAD,
            ViewDetails(
                passing=deep,
                order_by=["x" * 20_000],
                search="y" * 201,
                columns=["title", "title"],
                position=-1,
                visibility=Sharing.TEAM,
            ),
            judge=misfits,
            id=uuid4(),
            now=NOW,
        )

    found = {(type(fault), ".".join(fault.field or ())) for fault in caught.value.faults}
    # What the list would say is asked only of what could be a list's at all.
    assert {(Malformed, "id"), (Malformed, "filter"), (TooLong, "orderBy"), (TooLong, "search")} <= found
    assert {(Malformed, "columns"), (OutOfRange, "position"), (NoTeam, "visibility")} <= found
    assert not any(isinstance(fault, DoesNotFit) for fault in caught.value.faults)


@pytest.mark.parametrize("value", [{"a": "\x00"}, {"a\x00": 1}, ["\ud800"], {"a": 2**70}])
async def test_json_that_cannot_be_kept_is_refused(value: Any) -> None:
    with pytest.raises(Malformed):
        await view(await member(), passing=value)


async def test_what_does_not_fit_is_neither_saved_nor_changed_but_can_go() -> None:
    actor = await member()
    made = await view(actor)

    with pytest.raises(DoesNotFit):
        await saved_views.create(actor, LEAD, ViewDetails(name="Other"), judge=misfits, now=NOW)
    with pytest.raises(DoesNotFit):
        await saved_views.update(actor, made.id, ViewDetails(name="Renamed"), judge=misfits, now=NOW)
    await saved_views.delete(actor, made.id, now=NOW)

    assert (await SavedView.get(id=made.id)).deleted_at == NOW


async def test_a_view_exists_for_those_whom_it_is_shared_with() -> None:
    admin = await member()
    north = await team(admin)
    coast, south = await team(admin, parent=north), await team(admin)
    manager = await member(Role.MANAGER, of=admin, team=north)
    inside, outside = await member(Role.REP, of=admin, team=coast), await member(Role.REP, of=admin, team=south)
    lonely, stranger = await member(Role.VIEWER, of=admin), await member()
    await view(manager, "own")
    await view(manager, "north", visibility=Sharing.TEAM)
    await view(inside, "coast", visibility=Sharing.TEAM)
    await view(manager, "all", visibility=Sharing.ALL)

    assert await exist(manager) == {"own", "north", "all"}
    assert await exist(inside) == {"north", "coast", "all"}
    assert await exist(outside) == await exist(lonely) == await exist(admin) == {"all"}
    assert await exist(stranger) == set()


async def test_a_view_stays_with_the_team_that_it_was_shared_with() -> None:
    admin = await member()
    north, south = await team(admin), await team(admin)
    owner, mate = await member(Role.REP, of=admin, team=north), await member(Role.REP, of=admin, team=north)
    new_mate = await member(Role.REP, of=admin, team=south)
    made = await view(owner, visibility=Sharing.TEAM)
    await Membership.filter(user_id=owner.user_id).update(team_id=south.id)
    owner = await again(owner)

    assert (await exist(mate), await exist(new_mate)) == ({"Hot"}, set())
    await saved_views.update(owner, made.id, ViewDetails(visibility=Sharing.TEAM), judge=fits, now=NOW)
    assert (await exist(mate), await exist(new_mate)) == (set(), {"Hot"})
    await saved_views.update(owner, made.id, ViewDetails(visibility=Sharing.OWN), judge=fits, now=NOW)
    assert await exist(new_mate) == set()
    assert (await SavedView.get(id=made.id)).team_id is None


@pytest.mark.parametrize("role", Role)
async def test_who_may_share_with_everybody(role: Role) -> None:
    actor = await member(role)
    made = await view(actor)
    may = role in (Role.ADMIN, Role.MANAGER)

    for attempt in (
        saved_views.create(actor, LEAD, ViewDetails(name="All", visibility=Sharing.ALL), judge=fits, now=NOW),
        saved_views.update(actor, made.id, ViewDetails(visibility=Sharing.ALL), judge=fits, now=NOW),
    ):
        if may:
            assert (await attempt).visibility is Sharing.ALL
        else:
            with pytest.raises(Forbidden):
                await attempt


async def test_the_views_of_others_are_changed_by_managers_only_and_only_where_they_exist() -> None:
    admin = await member()
    rep, other = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
    own, shared = await view(rep, "own"), await view(admin, "shared", visibility=Sharing.ALL)
    renamed = ViewDetails(name="Mine")

    for actor in (admin, other):
        for refused in (
            saved_views.update(actor, own.id, renamed, judge=fits, now=NOW),
            saved_views.delete(actor, own.id, now=NOW),
            saved_views.restore(actor, own.id, now=NOW),
        ):
            with pytest.raises(NotFound):
                await refused
    for refused in (
        saved_views.update(rep, shared.id, renamed, judge=fits, now=NOW),
        saved_views.delete(rep, shared.id, now=NOW),
        saved_views.restore(rep, shared.id, now=NOW),
    ):
        with pytest.raises(Forbidden):
            await refused
    manager = await member(Role.MANAGER, of=admin)
    assert (await saved_views.update(manager, shared.id, renamed, judge=fits, now=NOW)).name == "Mine"


async def test_a_partner_keeps_views_where_its_key_allows() -> None:
    admin = await member()
    shared = await view(admin, visibility=Sharing.ALL)
    writing = await partner("savedview:read", "savedview:write", of=admin)
    reading, blind = await partner("savedview:read", of=admin), await partner("lead:read", of=admin)

    made = await view(writing, "Theirs")

    assert (made.owner_id, await exist(writing)) == (writing.user_id, {"Theirs", "Hot"})
    assert (await exist(reading), await exist(blind)) == ({"Hot"}, set())
    with pytest.raises(Forbidden):
        await view(reading, "X")
    with pytest.raises(NotFound):
        await saved_views.delete(blind, shared.id, now=NOW)


async def test_names_are_ones_own_and_come_back_only_while_they_are_free() -> None:
    admin = await member()
    rep = await member(Role.REP, of=admin)
    made = await view(admin, "Hot")
    await view(rep, "Hot")
    await view(admin, "Hot", ViewNoun.CONTACT)

    with pytest.raises(AlreadyExists):
        await view(admin, "HOT")
    await saved_views.delete(admin, made.id, now=NOW)
    twin = await view(admin, "hot")
    with pytest.raises(AlreadyExists):
        await saved_views.restore(admin, made.id, now=NOW)
    await saved_views.update(admin, twin.id, ViewDetails(name="Cold"), judge=fits, now=NOW)
    for _ in range(2):
        back = await saved_views.restore(admin, made.id, now=NOW)
    assert (back.deleted_at, back.version) == (None, 3)


async def test_one_keeps_two_hundred_views_of_a_noun_at_most_also_at_once() -> None:
    actor = await member()
    gone = await view(actor, "gone")
    await saved_views.delete(actor, gone.id, now=NOW)
    facts: dict[str, Any] = {"workspace_id": actor.workspace_id, "owner_id": actor.user_id, "noun": LEAD}
    await SavedView.bulk_create(SavedView(**facts, name=f"{n}", created_at=NOW, updated_at=NOW) for n in range(198))

    outcomes = await asyncio.gather(*(view(actor, f"more {n}") for n in range(4)), return_exceptions=True)

    assert [type(one) for one in outcomes if not isinstance(one, SavedView)] == [TooManySavedViews] * 2
    with pytest.raises(TooManySavedViews):
        await saved_views.restore(actor, gone.id, now=NOW)
    await view(actor, "another noun", ViewNoun.COMPANY)


async def test_the_same_id_makes_one_view_even_at_once() -> None:
    actor, key = await member(), uuid7()

    outcomes = await asyncio.gather(
        *(saved_views.create(actor, LEAD, ViewDetails(name=f"{n}"), judge=fits, id=key, now=NOW) for n in range(3)),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in outcomes) == ["AlreadyExists", "AlreadyExists", "SavedView"]


async def test_of_two_edits_at_once_the_second_is_told_that_it_is_stale() -> None:
    actor = await member()
    made = await view(actor)

    outcomes = await asyncio.gather(
        *(
            saved_views.update(actor, made.id, ViewDetails(name=name), judge=fits, expected_version=1, now=NOW)
            for name in ("a", "b")
        ),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in outcomes) == ["SavedView", "Stale"]
    with pytest.raises(Stale):
        await saved_views.delete(actor, made.id, expected_version=1, now=NOW)
