"""A filter looked_at in memory passes exactly the leads that it passes as SQL."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.actors import ALL, NONE, Actor, Scope
from domain.leads import live_columns
from engine.conditions import All, AnyOf, Compare, Condition, Exists, Not, Op
from engine.pages import Order, PageRequest
from engine.records import pages
from models.base import uuid7
from models.catalog import Tag
from models.leads import Lead, LeadStatus, LeadTag
from models.stages import StageKind
from models.users import Membership, Role
from schema import filters
from schema.live import LiveLeadFilter
from schema.live_conditions import looked_at
from schema.live_conditions import passing as in_memory
from schema.live_cursors import cursor, fingerprint, read_cursor
from schema.live_watches import PipelineWatch, View
from tests.factories import NOW, lead_in, member, seller, stage, team

ORDERED = [Op.GT, Op.GTE, Op.LT, Op.LTE]


class World:
    """Leads that differ in everything that a live filter looks at, and the teams of their owners."""

    def __init__(self, admin: Actor, rows: list[Lead], tags: dict[UUID, list[UUID]], teams: dict[str, str | None]):
        self.admin, self.rows, self.tags, self.teams = admin, rows, tags, teams
        self.conditions = conditions(self)

    def live(self, row: Lead) -> dict[str, Any]:
        return live_columns(row, self.tags.get(row.id, []))

    async def in_sql(self, condition: Condition) -> set[UUID]:
        asked = PageRequest(Lead, (Order("created_at"),), limit=1000, condition=condition)
        [found] = await pages(asked, self.admin)
        return {row.id for row in found.rows}

    def in_memory(self, condition: Condition) -> set[UUID]:
        passes = in_memory(condition)
        return {row.id for row in self.rows if passes(self.live(row), self.teams)}


@pytest.fixture(scope="module")
async def world(opened_database: str) -> World:
    admin = await seller()
    north = await team(admin, name="North")
    people = [await member(Role.REP, of=admin, team=north), await member(Role.REP, of=admin)]
    stages = [await stage(admin, StageKind.PROSPECT), await stage(admin, StageKind.QUALIFY)]
    tags = [
        await Tag.create(workspace_id=admin.workspace_id, name=name, created_at=NOW, updated_at=NOW)
        for name in ("hot", "cold")
    ]
    rows, tagged = [], {}
    owners = [people[0].user_id, people[1].user_id, None]
    for number in range(36):
        row = await lead_in(
            stages[number % 2],
            status=list(LeadStatus)[number % 4],
            owner_id=owners[number % 3],
            value=[None, Decimal("99.99"), Decimal("100.0000"), Decimal(250)][number // 9],
            score=[None, 0, 60][number // 12],
        )
        await row.refresh_from_db()
        rows.append(row)
        tagged[row.id] = [tag.id for place, tag in enumerate(tags) if number % 5 >> place & 1]
        for tag_id in tagged[row.id]:
            await LeadTag.create(workspace_id=admin.workspace_id, lead_id=row.id, tag_id=tag_id)
    members = await Membership.filter(workspace_id=admin.workspace_id)
    teams = {str(one.user_id): str(one.team_id) if one.team_id else None for one in members}
    return World(admin, rows, tagged, teams)


def comparing(column: str, values: st.SearchStrategy[Any], ordered: bool = False) -> st.SearchStrategy[Condition]:
    several = st.lists(values, max_size=3).map(tuple)
    kinds = [
        st.builds(Compare, st.just(column), st.sampled_from([Op.EQ, Op.NE]), values),
        st.builds(Compare, st.just(column), st.sampled_from([Op.IN, Op.NOT_IN]), several),
        st.builds(Compare, st.just(column), st.just(Op.IS_NULL), st.booleans()),
    ]
    if ordered:
        kinds.append(st.builds(Compare, st.just(column), st.sampled_from(ORDERED), values))
    return st.one_of(kinds)


def conditions(world: World) -> st.SearchStrategy[Condition]:
    def seen(of: Callable[[Lead], Any]) -> st.SearchStrategy[Any]:
        return st.sampled_from(sorted({of(row) for row in world.rows} - {None}, key=str))

    anywhere = st.just(uuid7())
    amounts = st.sampled_from([Decimal("99.99"), Decimal(100), Decimal("100.00"), Decimal(-1), Decimal("1e6")])
    tag_ids = st.sampled_from(sorted({key for keys in world.tags.values() for key in keys})) | anywhere
    team_ids = st.sampled_from(sorted(UUID(key) for key in world.teams.values() if key)) | anywhere
    leaves = st.one_of(
        comparing("stage_id", seen(lambda row: row.stage_id)),
        comparing("owner_id", seen(lambda row: row.owner_id) | anywhere),
        comparing("status", st.sampled_from([status.value for status in LeadStatus])),
        comparing("value", amounts, ordered=True),
        comparing("score", st.integers(-1, 61), ordered=True),
        comparing("id", tag_ids).map(lambda inner: Exists("tags", inner)),
        comparing("team_id", team_ids).map(lambda inner: Exists("membership", inner)),
    )

    def deeper(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        several = st.lists(inner, max_size=3).map(tuple)
        return st.one_of(st.builds(All, several), st.builds(AnyOf, several), st.builds(Not, inner))

    return st.recursive(leaves, deeper, max_leaves=6)


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
async def test_a_filter_passes_the_same_in_memory_and_in_sql(world: World, data: st.DataObject) -> None:
    condition = data.draw(world.conditions)
    assert world.in_memory(condition) == await world.in_sql(condition)


def test_every_field_of_the_live_filter_can_be_tested_in_memory(world: World) -> None:
    definition = LiveLeadFilter.__strawberry_definition__  # type: ignore[attr-defined]
    plain = [field for field in definition.fields if "column" in field.metadata]
    assert {field.metadata["column"] for field in plain} <= world.live(world.rows[0]).keys()
    for field in plain:
        kind = field.resolve_type(type_definition=definition).of_type
        for name in (inner.name for inner in kind.__strawberry_definition__.fields):
            assert filters.OPS[name] not in (Op.CONTAINS, Op.STARTS_WITH), f"{field.name}.{name}"
    links = {field.metadata["link"] for field in definition.fields if "link" in field.metadata}
    for link in links:
        in_memory(Exists(link, Compare("id", Op.IS_NULL, True)))


async def test_the_board_is_the_same_in_memory_and_in_sql(world: World) -> None:
    view = View(ALL, world.teams, NOW - timedelta(days=90))
    pipeline_id = world.rows[0].pipeline_id
    for number, row in enumerate(world.rows):
        row.closed_at = NOW - timedelta(days=number * 10) if row.status is not LeadStatus.OPEN else None
    await Lead.bulk_update(world.rows, ["closed_at"])
    [found] = await pages(PageRequest(Lead, (Order("created_at"),), limit=1000, board_at=NOW), world.admin)
    assert {row.pipeline_id for row in world.rows} == {pipeline_id}
    assert {row.id for row in world.rows if view.sees_on_board(world.live(row))} == {row.id for row in found.rows}


def test_what_a_condition_looks_at() -> None:
    looked = All((Compare("score", Op.EQ, 1), Not(AnyOf((Exists("tags", Compare("id", Op.EQ, uuid7())),)))))
    assert looked_at(looked) == {"score", "tags"}
    assert PipelineWatch(uuid7(), Exists("membership", Compare("team_id", Op.IS_NULL, True))).uses_teams
    assert not PipelineWatch(uuid7(), looked).uses_teams


@given(position=st.integers(0, 2**63 - 1), owners=st.none() | st.frozensets(st.uuids(), max_size=3), home=st.uuids())
def test_a_cursor_says_where_and_seen_by_whom(position: int, owners: frozenset[UUID] | None, home: UUID) -> None:
    scope = Scope(owners)
    assert read_cursor(cursor(home, position, scope)) == (position, fingerprint(home, scope))
    other = NONE if owners is None else ALL
    assert fingerprint(home, other) != fingerprint(home, scope)
