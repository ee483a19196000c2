"""Teams, teams within teams, and no circles."""

import asyncio
from typing import Any

import pytest

from domain import teams, users
from domain.errors import AlreadyExists, Forbidden, NotFound, Required, Stale
from domain.teams import TeamCycle, TeamNotEmpty
from models.base import uuid7
from models.events import Event
from models.teams import Team
from models.users import Role
from tests import factories
from tests.factories import NOW


async def test_a_team_is_made_within_another(db: str) -> None:
    admin = await factories.member()
    key = uuid7()

    sales = await teams.create(admin, name=" Sales ", id=key, now=NOW)
    north = await teams.create(admin, name="North", parent_id=sales.id, now=NOW)

    assert (sales.id, sales.name, sales.version) == (key, "Sales", 1)
    assert (await Team.get(id=north.id)).parent_id == sales.id
    event = await Event.get(subject_id=north.id)
    assert (event.name, event.data["changes"]["name"]) == ("team.created", [None, "North"])


async def test_renaming_and_moving(db: str) -> None:
    admin = await factories.member()
    sales, north = await factories.team(admin), await factories.team(admin, name="North")

    row = await teams.update(admin, north.id, name="Far North", parent_id=sales.id, expected_version=1, now=NOW)

    assert (row.name, row.parent_id, row.version) == ("Far North", sales.id, 2)
    assert (await teams.update(admin, north.id, name="Far North", now=NOW)).version == 2
    with pytest.raises(Stale):
        await teams.update(admin, north.id, name="South", expected_version=1, now=NOW)
    with pytest.raises(Required):
        await teams.update(admin, north.id, name=" ", now=NOW)


async def test_teams_beside_one_another_have_names_of_their_own(db: str) -> None:
    admin, stranger = await factories.member(), await factories.member()
    sales = await teams.create(admin, name="Sales", now=NOW)
    north = await teams.create(admin, name="North", parent_id=sales.id, now=NOW)
    within = await teams.create(admin, name="Sales", parent_id=sales.id, now=NOW)
    await teams.create(stranger, name="Sales", now=NOW)
    attempts = [
        teams.create(admin, name=" SALES ", now=NOW),
        teams.create(admin, name="north", parent_id=sales.id, now=NOW),
        teams.update(admin, north.id, name="sales", now=NOW),
        teams.update(admin, within.id, parent_id=None, now=NOW),
    ]

    for attempt in attempts:
        with pytest.raises(AlreadyExists) as refused:
            await attempt
        assert (refused.value.field, refused.value.message) == (
            ("name",),
            "Another team has this name already.",
        )

    assert (await Team.get(id=within.id)).parent_id == sales.id
    assert await Event.filter(workspace_id=admin.workspace_id).count() == 3
    await teams.delete(admin, north.id, now=NOW)
    await teams.create(admin, name="North", parent_id=sales.id, now=NOW)


async def test_of_teams_made_at_once_under_one_name_there_is_one(db: str) -> None:
    admin = await factories.member()

    outcomes = await asyncio.gather(
        *(teams.create(admin, name="Sales", now=NOW) for _ in range(5)), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == [*["AlreadyExists"] * 4, "Team"]
    assert await Team.filter(workspace_id=admin.workspace_id).count() == 1


async def test_a_team_is_never_within_itself(db: str) -> None:
    admin = await factories.member()
    top = await factories.team(admin)
    middle = await factories.team(admin, parent=top)
    bottom = await factories.team(admin, parent=middle)

    for parent in (top, middle, bottom):
        with pytest.raises(TeamCycle):
            await teams.update(admin, top.id, parent_id=parent.id, now=NOW)


@pytest.mark.parametrize("attempt", range(8))
async def test_two_moves_at_once_make_no_circle(db: str, attempt: int) -> None:
    admin = await factories.member()
    one, two = await factories.team(admin), await factories.team(admin)

    outcomes = await asyncio.gather(
        teams.update(admin, one.id, parent_id=two.id, now=NOW),
        teams.update(admin, two.id, parent_id=one.id, now=NOW),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes].count(TeamCycle) == 1


async def test_only_an_empty_team_is_deleted(db: str) -> None:
    admin = await factories.member()
    top = await factories.team(admin)
    bottom = await factories.team(admin, parent=top)
    rep = await factories.member(Role.REP, of=admin, team=bottom)
    assert rep.user_id

    with pytest.raises(TeamNotEmpty, match="members: 0, sub-teams: 1"):
        await teams.delete(admin, top.id, now=NOW)
    with pytest.raises(TeamNotEmpty, match="members: 1, sub-teams: 0"):
        await teams.delete(admin, bottom.id, now=NOW)
    await users.update_member(admin, rep.user_id, team_id=None, now=NOW)
    await teams.delete(admin, bottom.id, now=NOW)
    await teams.delete(admin, top.id, now=NOW)

    with pytest.raises(NotFound):
        await teams.update(admin, top.id, name="Again", now=NOW)
    with pytest.raises(NotFound):
        await teams.create(admin, name="Below", parent_id=top.id, now=NOW)
    with pytest.raises(NotFound):
        await users.update_member(admin, rep.user_id, team_id=top.id, now=NOW)


async def test_nobody_joins_a_team_while_it_is_deleted(db: str) -> None:
    admin = await factories.member()
    team = await factories.team(admin)
    rep = await factories.member(Role.REP, of=admin)
    assert rep.user_id

    outcomes = await asyncio.gather(
        teams.delete(admin, team.id, now=NOW),
        users.update_member(admin, rep.user_id, team_id=team.id, now=NOW),
        return_exceptions=True,
    )

    assert [isinstance(outcome, TeamNotEmpty | NotFound) for outcome in outcomes].count(True) == 1


async def test_only_admins_may(db: str) -> None:
    admin = await factories.member()
    team = await factories.team(admin)
    for role in set(Role) - {Role.ADMIN}:
        me = await factories.member(role, of=admin)
        attempts: list[Any] = [
            teams.create(me, name="Mine", now=NOW),
            teams.update(me, team.id, name="Mine", now=NOW),
            teams.delete(me, team.id, now=NOW),
        ]
        for attempt in attempts:
            with pytest.raises(Forbidden):
                await attempt


async def test_another_workspaces_team_does_not_exist(db: str) -> None:
    admin, stranger = await factories.member(), await factories.member()
    foreign, own = await factories.team(stranger), await factories.team(admin)
    attempts: list[tuple[Any, str]] = [
        (teams.create(admin, name="Sales", parent_id=foreign.id, now=NOW), "parentId"),
        (teams.update(admin, own.id, parent_id=foreign.id, now=NOW), "parentId"),
        (teams.update(admin, foreign.id, name="Ours", now=NOW), "id"),
        (teams.delete(admin, foreign.id, now=NOW), "id"),
    ]
    for attempt, field in attempts:
        with pytest.raises(NotFound) as missing:
            await attempt
        assert missing.value.field == (field,)


async def test_an_id_that_is_taken_already_exists(db: str) -> None:
    admin, stranger = await factories.member(), await factories.member()
    foreign = await factories.team(stranger)
    with pytest.raises(AlreadyExists):
        await teams.create(admin, name="Sales", id=foreign.id, now=NOW)
