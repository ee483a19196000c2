"""The hub: who is told what of an event, in which order, and what happens when something is missing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from tortoise.connection import get_connection

from adapters import redis
from api import live
from api.live import Hub, Message, feeds, hubs, subscriptions
from api.live.hubs import leads_now
from domain import closings, events, leads, moves, policy, sessions, users, workspaces
from domain.actors import Actor
from domain.errors import Unauthenticated
from domain.events import record
from domain.leads import LeadDetails
from domain.money import Money
from domain.moves import StageRebalanced
from engine.conditions import EVERYTHING, Compare, Condition, Exists, Op
from models.base import uuid7
from models.database import transaction
from models.leads import Lead, LeadStatus
from models.stages import StageKind
from models.users import Role, Visibility
from schema.live_cursors import cursor
from schema.live_watches import LeadWatch, PipelineWatch, Watch
from tests import factories
from tests.factories import again, lead, member, seller, session, stage, team
from tests.live.conftest import Relay, Watcher

pytestmark = pytest.mark.usefixtures("db")

Begin = Callable[..., Awaitable[Watcher]]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def watch(hub: Hub) -> AsyncIterator[Begin]:
    """Begin to watch the default pipeline, as somebody; all watchers leave at the end."""
    watchers: list[Watcher] = []

    async def begin(
        actor: Actor, condition: Condition = EVERYTHING, *, after: str | None = None, lead_id: UUID | None = None
    ) -> Watcher:
        what: Watch = LeadWatch(lead_id) if lead_id else PipelineWatch(await board_of(actor), condition)
        watchers.append(await Watcher.of(hub.watch(actor, what, after=after, renew=lambda: current(actor))))
        return watchers[-1]

    yield begin
    for watcher in watchers:
        await watcher.leave()


async def current(actor: Actor) -> Actor:
    """Load an actor again as sign-in would, from their session where they have one."""
    if actor.session_id:
        rows = await get_connection("default").execute_query_dict(
            "SELECT 1 FROM session JOIN membership m ON m.user_id = session.user_id AND m.active "
            "AND m.workspace_id = session.workspace_id WHERE session.id = $1 AND revoked_at IS NULL",
            [actor.session_id],
        )
        if not rows:
            raise Unauthenticated
    return replace(await again(actor), session_id=actor.session_id)


async def board_of(actor: Actor) -> UUID:
    return (await stage(actor, StageKind.PROSPECT)).pipeline_id


async def cursor_of(actor: Actor) -> str:
    return cursor(actor.workspace_id, await events.head(actor.workspace_id), policy.scope(actor, Lead))


async def test_the_life_of_a_lead(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    board = await watch(admin)
    row = await lead(admin, now=now())
    await moves.move(admin, row.id, stage_id=(await stage(admin, StageKind.QUALIFY)).id, now=now())
    await leads.update(admin, row.id, LeadDetails(title="Wind wheel"), now=now())
    await closings.close(admin, row.id, LeadStatus.WON, value=Money(Decimal(10), "EUR"), now=now())
    await closings.reopen(admin, row.id, now=now())
    await closings.close(admin, row.id, LeadStatus.DISQUALIFIED, now=now())
    await leads.delete(admin, row.id, now=now())
    await leads.restore(admin, row.id, now=now())
    await closings.reopen(admin, row.id, now=now())
    await relay()
    told = [await board.told() for _ in range(7)]
    assert told == [
        ("ENTERED", "lead.captured"),
        ("MOVED", "lead.moved"),
        ("CHANGED", "lead.updated"),
        ("MOVED", "lead.closed"),
        ("MOVED", "lead.reopened"),
        ("LEFT", "lead.closed"),
        ("ENTERED", "lead.reopened"),
    ]
    assert board.silent()


async def test_a_message_bears_the_lead_as_it_is_now_read_once_for_all(
    watch: Begin, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await seller()
    watchers = [await watch(admin) for _ in range(3)] + [
        await watch(admin, Compare("status", Op.EQ, "OPEN")) for _ in range(2)
    ]
    read: list[list[UUID]] = []
    real = leads_now
    monkeypatch.setattr(live.Hub, "occurrence", _counting(read, real))
    row = await lead(admin, title="First", now=now())
    await leads.update(admin, row.id, LeadDetails(title="Second"), now=now())
    await relay()
    for watcher in watchers:
        for _ in range(2):
            message = await watcher.message()
            assert isinstance(message, Message)
            found = await message.lead()
            assert found and found.title == "Second"
    assert sum(map(len, read)) == 2


def _counting(read: list[list[UUID]], real: Any) -> Any:
    from strawberry.dataloader import DataLoader

    async def load(keys: list[UUID]) -> Any:
        read.append(keys)
        return await real(keys)

    loader: DataLoader[UUID, Lead | None] = DataLoader(load_fn=load, cache=False)
    return lambda self, event: live.Occurrence(event, loader)


async def test_a_lead_that_leaves_a_filter_or_a_scope_is_left_and_no_longer_shown(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    one, other = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
    valuable = await watch(admin, Compare("value", Op.GTE, 100))
    ones, others = await watch(one), await watch(other)
    row = await lead(one, value=Money(Decimal("100.50"), "EUR"), now=now())
    await leads.update(admin, row.id, LeadDetails(value=Money(Decimal(99), "EUR")), now=now())
    await leads.assign(admin, row.id, other.user_id, now=now())
    await relay()
    assert [await valuable.told() for _ in range(2)] == [("ENTERED", "lead.captured"), ("LEFT", "lead.updated")]
    entered = await ones.message()
    assert isinstance(entered, Message)
    # It has gone to somebody else since.
    assert await entered.lead() is None
    assert [await ones.told() for _ in range(2)] == [("CHANGED", "lead.updated"), ("LEFT", "lead.assigned")]
    assert await others.told() == ("ENTERED", "lead.assigned")


async def test_a_lead_that_changes_pipelines_leaves_one_and_enters_the_other(
    hub: Hub, watch: Begin, relay: Relay
) -> None:
    admin = await seller()
    second = await factories.pipeline(admin, name="Second")
    here = await watch(admin)
    there = await Watcher.of(hub.watch(admin, PipelineWatch(second.id, EVERYTHING)))
    row = await lead(admin, now=now())
    target = await second.stages.filter(kind=StageKind.QUALIFY).first()  # type: ignore[attr-defined]
    await moves.move(admin, row.id, stage_id=target.id, now=now())
    await relay()
    assert [await here.told() for _ in range(2)] == [("ENTERED", "lead.captured"), ("LEFT", "lead.moved")]
    assert await there.told() == ("ENTERED", "lead.moved")
    await there.leave()


async def test_old_wins_are_not_on_the_board(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    row = await lead(admin, now=now() - timedelta(days=400))
    won = await lead(admin, now=now())
    board = await watch(admin)
    await closings.close(admin, row.id, LeadStatus.WON, now=now() - timedelta(days=300))
    await leads.update(admin, row.id, LeadDetails(title="An old win, told anew"), now=now())
    await closings.close(admin, won.id, LeadStatus.WON, now=now())
    await relay()
    told = [await board.message() for _ in range(4)]
    assert [(message.step.value, message.event.subject_id) for message in told if isinstance(message, Message)] == [
        ("ENTERED", row.id),
        ("ENTERED", won.id),
        ("LEFT", row.id),
        ("MOVED", won.id),
    ]
    assert board.silent()


async def test_one_lead_is_followed_wherever_it_goes(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    row, other = await lead(admin, now=now()), await lead(admin, now=now())
    await relay()
    followed = await watch(admin, lead_id=row.id)
    await leads.update(admin, other.id, LeadDetails(title="Not this one"), now=now())
    await closings.close(admin, row.id, LeadStatus.DISQUALIFIED, now=now())
    await leads.delete(admin, row.id, now=now())
    await relay()
    assert [await followed.told() for _ in range(2)] == [("CHANGED", "lead.closed"), ("LEFT", "lead.deleted")]


async def test_other_workspaces_are_another_world(watch: Begin, relay: Relay) -> None:
    mine, theirs = await seller(), await seller()
    board = await watch(mine)
    await lead(theirs, now=now())
    row = await lead(mine, now=now())
    await relay()
    message = await board.message()
    assert isinstance(message, Message) and message.event.subject_id == row.id


async def test_what_was_not_published_is_read_from_the_table_and_comes_first(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    board = await watch(admin)
    row = await lead(admin, now=now())
    await relay(publish=False)
    await leads.update(admin, row.id, LeadDetails(title="Published"), now=now())
    await relay()
    assert [await board.told() for _ in range(2)] == [("ENTERED", "lead.captured"), ("CHANGED", "lead.updated")]


async def test_what_a_relay_died_before_publishing_comes_within_a_second_or_two(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    board = await watch(admin)
    await lead(admin, now=now())
    await relay(publish=False)
    assert await board.told() == ("ENTERED", "lead.captured")


async def test_without_redis_events_come_from_the_table(db: str, relay: Relay) -> None:
    admin = await seller()
    nowhere = redis.connect("redis://127.0.0.1:1/0")
    hub = Hub(nowhere)
    running = asyncio.create_task(hub.run())
    board = await Watcher.of(hub.watch(admin, PipelineWatch(await board_of(admin), EVERYTHING)))
    await lead(admin, now=now())
    await relay()
    assert await board.told() == ("ENTERED", "lead.captured")
    await board.leave()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await nowhere.aclose()


async def test_more_than_is_published_in_one_message_is_read_from_the_table(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    row = await lead(admin, now=now())
    await relay()
    board = await watch(admin)
    bare = leads.facts(None, row, [])
    async with transaction():
        await record(*(leads.LeadUpdated(admin, row.id, bare) for _ in range(501)), now=now())
        await record(leads.LeadUpdated(admin, uuid7(), bare), now=now())
    reading = asyncio.create_task(_read(board, 502))
    await relay()
    positions = [message.event.position for message in await reading]
    assert positions == list(range(positions[0], positions[0] + 502))


async def _read(board: Watcher, count: int) -> list[Message]:
    found = [await board.message() for _ in range(count)]
    return [message for message in found if isinstance(message, Message)]


async def test_a_cursor_is_gone_on_from_without_a_gap(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    await lead(admin, now=now())
    await relay()
    begin = await cursor_of(admin)
    row = await lead(admin, now=now())
    await leads.update(admin, row.id, LeadDetails(title="While away"), now=now())
    await relay()
    board = await watch(admin, after=begin)
    await leads.delete(admin, row.id, now=now())
    await relay()
    first = await board.message()
    assert isinstance(first, Message) and first.event.name == "lead.captured"
    assert [await board.told() for _ in range(2)] == [("CHANGED", "lead.updated"), ("LEFT", "lead.deleted")]
    resumed = await watch(admin, after=first.cursor)
    assert [await resumed.told() for _ in range(2)] == [("CHANGED", "lead.updated"), ("LEFT", "lead.deleted")]


async def test_what_lies_beyond_memory_is_replayed_from_the_table(
    watch: Begin, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await seller()
    row = await lead(admin, now=now())
    await relay()
    begin = await cursor_of(admin)
    bare = leads.facts(None, row, [])
    async with transaction():
        await record(*(leads.LeadUpdated(admin, row.id, bare) for _ in range(1201)), now=now())
    await relay()
    board = await watch(admin, after=begin)
    positions = [message.event.position for message in await _read(board, 1201)]
    assert positions == list(range(positions[0], positions[0] + 1201))
    monkeypatch.setattr(feeds, "MOST_REPLAYED", 1200)
    assert await (await watch(admin, after=begin)).told() == ("RESYNC", "TOO_FAR_BEHIND")


async def test_a_log_that_does_not_reach_back_asks_for_a_resync_and_ends(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    begin = await cursor_of(admin)
    await lead(admin, now=now())
    await lead(admin, now=now())
    await relay()
    await get_connection("default").execute_query(
        "DELETE FROM event WHERE workspace_id = $1 AND position = 1", [admin.workspace_id]
    )
    board = await watch(admin, after=begin)
    assert await board.told() == ("RESYNC", "LOG_TOO_SHORT")
    assert await board.ended()


async def test_a_cursor_of_another_log_asks_for_a_resync(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    await relay()
    beyond = cursor(admin.workspace_id, await events.head(admin.workspace_id) + 1, policy.scope(admin, Lead))
    assert await (await watch(admin, after=beyond)).told() == ("RESYNC", "LOG_TOO_SHORT")


async def test_a_cursor_that_another_process_gave_is_no_cursor_of_another_log(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    board = await watch(admin)
    row = await lead(admin, now=now())
    await relay(publish=False)
    ahead = await watch(admin, after=await cursor_of(admin))
    await leads.update(admin, row.id, LeadDetails(title="Next"), now=now())
    await relay()
    assert await ahead.told() == ("CHANGED", "lead.updated")
    assert [await board.told() for _ in range(2)] == [("ENTERED", "lead.captured"), ("CHANGED", "lead.updated")]


async def test_a_gap_in_the_log_asks_for_a_resync(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    board = await watch(admin)
    await lead(admin, now=now())
    await relay(publish=False)
    await get_connection("default").execute_query("DELETE FROM event WHERE workspace_id = $1", [admin.workspace_id])
    assert await board.told() == ("RESYNC", "LOG_TOO_SHORT")
    assert await board.ended()


async def test_new_ranks_of_a_stage_ask_for_a_resync_of_its_pipeline(hub: Hub, watch: Begin, relay: Relay) -> None:
    admin = await seller()
    begin = await cursor_of(admin)
    target = await stage(admin, StageKind.QUALIFY)
    second = await factories.pipeline(admin, name="Second")
    here = await watch(admin)
    there = await Watcher.of(hub.watch(admin, PipelineWatch(second.id, EVERYTHING)))
    async with transaction():
        await record(StageRebalanced(admin, target.id, {"pipeline_id": str(target.pipeline_id)}), now=now())
    await relay()
    assert await here.told() == ("RESYNC", "RANKS_REBALANCED")
    assert await here.ended()
    assert there.silent()
    await there.leave()
    assert await (await watch(admin, after=begin)).told() == ("RESYNC", "RANKS_REBALANCED")


async def test_who_does_not_read_is_told_to_resync_and_nothing_else(
    watch: Begin, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_WAITING", 10)
    admin = await seller()
    slow = await watch(admin)
    quick = await watch(admin)
    row = await lead(admin, now=now())
    reading = asyncio.create_task(_read(quick, 13))
    for number in range(12):
        await leads.update(admin, row.id, LeadDetails(title=f"Title {number}"), now=now())
        await relay()
    assert len(await reading) == 13
    # One message was on its way to the reader when the queue filled up.
    told = [await slow.told() for _ in range(2)]
    assert told == [("ENTERED", "lead.captured"), ("RESYNC", "TOO_SLOW")]
    assert await slow.ended()


async def test_other_visibility_asks_for_a_resync(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    rep, viewer = await member(Role.REP, of=admin), await member(Role.VIEWER, of=admin)
    reps, viewers = await watch(rep), await watch(viewer)
    before = await cursor_of(rep)
    await workspaces.update(admin, role_visibility={Role.REP: Visibility.ALL}, now=now())
    row = await lead(admin, now=now())
    await relay()
    assert await reps.told() == ("RESYNC", "VISIBILITY_CHANGED")
    assert await reps.ended()
    assert await viewers.told() == ("ENTERED", "lead.captured")
    assert await (await watch(await again(rep), after=before)).told() == ("RESYNC", "VISIBILITY_CHANGED")
    after = await watch(await again(rep))
    await leads.delete(admin, row.id, now=now())
    await relay()
    assert await after.told() == ("LEFT", "lead.deleted")


async def test_an_actor_loaded_before_a_change_and_watching_after_it_is_told(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    await watch(admin)
    await workspaces.update(admin, role_visibility={Role.REP: Visibility.ALL}, now=now())
    await relay()
    assert await (await watch(rep)).told() == ("RESYNC", "VISIBILITY_CHANGED")


async def test_a_team_gains_a_member(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    north = await team(admin, name="North")
    manager, rep = await member(Role.MANAGER, of=admin, team=north), await member(Role.REP, of=admin)
    managers = await watch(manager)
    await lead(rep, now=now())
    assert rep.user_id
    await users.update_member(admin, rep.user_id, team_id=north.id, now=now())
    await relay()
    assert await managers.told() == ("RESYNC", "VISIBILITY_CHANGED")


async def test_a_filter_by_team_follows_who_is_in_it(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    north = await team(admin, name="North")
    rep, other = await member(Role.REP, of=admin, team=north), await member(Role.REP, of=admin)
    of_north = Exists("membership", Compare("team_id", Op.EQ, north.id))
    board = await watch(admin, of_north)
    begin = await cursor_of(admin)
    await lead(other, now=now())
    await lead(rep, now=now())
    await relay()
    message = await board.message()
    assert isinstance(message, Message)
    found = await message.lead()
    assert found and found.owner_id == rep.user_id
    assert other.user_id
    await users.update_member(admin, other.user_id, team_id=north.id, now=now())
    await relay()
    assert await board.told() == ("RESYNC", "VISIBILITY_CHANGED")
    told = [await reader.told() for reader in [await watch(admin, of_north, after=begin)] for _ in range(3)]
    assert told[-1] == ("RESYNC", "VISIBILITY_CHANGED")


async def test_a_member_who_is_deactivated_hears_no_more(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    rep = await _signed_in(await member(Role.VIEWER, of=admin))
    reps = await watch(rep)
    assert rep.user_id
    await users.update_member(admin, rep.user_id, active=False, now=now())
    await lead(admin, now=now())
    await relay()
    with pytest.raises(Unauthenticated):
        await reps.message()


async def test_a_session_that_is_signed_out_hears_no_more_and_another_goes_on(watch: Begin, relay: Relay) -> None:
    admin = await seller()
    one, other = await _signed_in(admin), await _signed_in(admin)
    first, second = await watch(one), await watch(other)
    await sessions.sign_out(one, now=now())
    await lead(admin, now=now())
    await relay()
    with pytest.raises(Unauthenticated):
        await first.message()
    assert await second.told() == ("ENTERED", "lead.captured")


async def test_a_session_that_is_ended_elsewhere_hears_no_more_after_a_while(
    watch: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "CREDENTIALS_EVERY", 1)
    admin = await _signed_in(await seller())
    board = await watch(admin)
    assert admin.user_id
    # No event of this workspace says so.
    await sessions.end_all(admin.user_id, now=now())
    with pytest.raises(Unauthenticated):
        await board.message()


async def _signed_in(actor: Actor) -> Actor:
    return replace(actor, session_id=(await session(actor, now=now())).session.id)


async def test_nobody_is_watched_for_once_everybody_has_left(hub: Hub, relay: Relay) -> None:
    admin = await seller()
    what = PipelineWatch(await board_of(admin), EVERYTHING)
    watchers = [await Watcher.of(hub.watch(admin, what)) for _ in range(3)]
    assert hub.watchers(admin.workspace_id) == 3
    for watcher in watchers:
        await watcher.leave()
    assert not hub._feeds


@pytest.mark.parametrize("value", ["x", "nonsense", "AAAAAAAAAAAAAAAAAAA=", "ÄÖÜ", "/" * 19, "_" * 19])
async def test_what_is_no_cursor_is_refused(hub: Hub, value: str) -> None:
    with pytest.raises(ValueError):
        hub.watch(await seller(), LeadWatch(uuid7()), after=value)
