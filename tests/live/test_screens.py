"""Whatever happens to leads, and whatever breaks meanwhile: a board that was read once and then told of events is
the database's board, for everybody and every filter.

Real processes: two APIs, a relay, a Valkey of its own. LIVE_SEEDS="7 8 9" plays other games than the usual ones.
"""

import asyncio
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from websockets.exceptions import WebSocketException

from domain import captures, closings, leads, moves, users, workspaces
from domain.actors import Actor
from domain.captures import Capture
from domain.errors import DomainError
from domain.leads import LeadDetails
from domain.money import Money
from domain.moves import Place
from embedded import processes
from embedded.homes import home_for
from embedded.programs import programs_for
from embedded.valkey import Valkey
from models import database
from models.catalog import LostReason, Tag
from models.leads import Lead, LeadStatus, LeadTag
from models.stages import Stage
from models.teams import Team
from models.users import Membership, Role, Visibility
from schema import ids
from tests.conftest import fresh_database
from tests.factories import again, bearer, member, seller, team
from tests.live.client import Socket, socket_to
from tests.live.house import House

SEEDS = [int(seed) for seed in os.environ.get("LIVE_SEEDS", "1 2").split()]
STEPS = 144
SECONDS = 40.0

CARD = "id title rank status version value { amount } stage { id } owner { id }"
BOARD = f"""
query ($pipeline: ID!, $filter: LeadFilter) {{
  pipeline(id: $pipeline) {{ cursor stages {{ leads(first: 100, filter: $filter) {{ nodes {{ {CARD} }} }} }} }}
}}
"""
EVENTS = f"""
subscription ($pipeline: ID!, $filter: LiveLeadFilter, $after: String) {{
  pipelineEvents(pipelineId: $pipeline, filter: $filter, after: $after) {{
    __typename
    ... on LeadEvent {{ cursor leadId }}
    ... on SeenLeadEvent {{ lead {{ {CARD} }} }}
    ... on ResyncRequired {{ reason }}
  }}
}}
"""

Board = dict[str, Any]


@dataclass
class Screen:
    """A client as reference clients are: it connects again at once and subscribes with its first variables."""

    name: str
    actor: Actor
    token: str
    pipeline: str
    filter: dict[str, Any] | None
    passes: Callable[[Lead, set[UUID], UUID | None], bool]
    addresses: list[str]
    board: Board = field(default_factory=dict)
    cursor: str | None = None
    first: str | None = None
    told: Counter[str] = field(default_factory=Counter)
    socket: Socket | None = None

    async def run(self) -> None:
        """Keep the board as it is until cancelled."""
        while True:
            with suppress(OSError, WebSocketException, TimeoutError, EOFError):
                async with socket_to(random.choice(self.addresses)) as self.socket:
                    resume = {"resumeAfter": self.cursor} if self.cursor else {}
                    await self.socket.initialise(self.token, **resume)
                    while True:
                        await self._follow(self.socket)
            self.socket = None
            self.told["reconnected"] += 1
            await asyncio.sleep(0.02)

    async def _follow(self, socket: Socket) -> None:
        if self.first is None:
            await self._read(socket)
        await socket.begin("live", EVENTS, pipeline=self.pipeline, filter=self.filter, after=self.first)
        while (message := await self._message(socket))["type"] == "next":
            assert "errors" not in message["payload"], message
            self._apply(message["payload"]["data"]["pipelineEvents"])
        assert message["type"] == "complete", message

    async def _read(self, socket: Socket) -> None:
        await socket.begin("board", BOARD, pipeline=self.pipeline, filter=self.filter)
        message = await self._message(socket)
        assert message["type"] == "next" and "errors" not in message["payload"], message
        read = message["payload"]["data"]["pipeline"]
        self.board = {card["id"]: card for stage in read["stages"] for card in stage["leads"]["nodes"]}
        self.first = self.cursor = read["cursor"]
        assert (await self._message(socket))["type"] == "complete"

    async def _message(self, socket: Socket) -> dict[str, Any]:
        """Return the next message that is not about being alive; silence is no fault of the server's."""
        while True:
            with suppress(TimeoutError):
                message = await socket.receive()
                if message["type"] != "ping":
                    return message

    def _apply(self, event: dict[str, Any]) -> None:
        self.told[event["__typename"]] += 1
        if event["__typename"] == "ResyncRequired":
            self.told[event["reason"]] += 1
            self.first = self.cursor = None
            return
        self.cursor = event["cursor"]
        if event.get("lead"):
            self.board[event["leadId"]] = event["lead"]
        else:
            self.board.pop(event["leadId"], None)

    async def cut(self) -> None:
        """Cut the connection without a word."""
        if self.socket:
            self.socket.connection.transport.abort()

    async def expected(self) -> Board:
        """Return what the database says that this screen should show."""
        actor = await again(self.actor)
        teams = {row.user_id: row.team_id for row in await Membership.filter(workspace_id=actor.workspace_id)}
        tags: dict[UUID, set[UUID]] = {}
        for tagged in await LeadTag.filter(workspace_id=actor.workspace_id):
            tags.setdefault(tagged.lead_id, set()).add(tagged.tag_id)
        rows = await Lead.filter(workspace_id=actor.workspace_id, deleted_at=None, status__in=["OPEN", "WON"])
        return {
            ids.encode("Lead", row.id): _card(row)
            for row in rows
            if ids.encode("Pipeline", row.pipeline_id) == self.pipeline
            and actor.rows.includes(row.owner_id)
            and self.passes(row, tags.get(row.id, set()), teams.get(row.owner_id) if row.owner_id else None)
        }


def _card(row: Lead) -> dict[str, Any]:
    value = None if row.value is None else {"amount": f"{row.value.normalize():f}"}
    return {
        "id": ids.encode("Lead", row.id),
        "title": row.title,
        "rank": row.rank,
        "status": row.status.value,
        "version": row.version,
        "value": value,
        "stage": {"id": ids.encode("Stage", row.stage_id)},
        "owner": {"id": ids.encode("User", row.owner_id)} if row.owner_id else None,
    }


@dataclass
class Game:
    """People who do at random what people do."""

    dice: random.Random
    admin: Actor
    people: list[Actor]
    teams: list[Team]
    stages: list[Stage]
    tags: list[Tag]
    reason: LostReason

    async def step(self) -> None:
        """Do something; what the rules refuse is not done."""
        often: dict[Callable[[datetime], Awaitable[Any]], int] = {
            self.move: 30,
            self.place: 15,
            self.capture: 10,
            self.update: 12,
            self.close: 8,
            self.reopen: 6,
            self.delete: 4,
            self.restore: 6,
            self.assign: 12,
            self.change_team: 1,
            self.change_visibility: 1,
        }
        [doing] = self.dice.choices(list(often), list(often.values()))
        with suppress(DomainError):
            await doing(datetime.now(UTC))

    async def some(self, *, deleted: bool = False) -> Lead:
        rows = Lead.filter(workspace_id=self.admin.workspace_id, deleted_at__isnull=not deleted).order_by("id")
        found = await rows
        return self.dice.choice(found) if found else await self.capture(datetime.now(UTC))

    def somebody(self) -> UUID | None:
        return self.dice.choice([*(actor.user_id for actor in self.people), None])

    def value(self) -> Money:
        return Money(Decimal(self.dice.randrange(100_000)) / 100, "EUR")

    def some_tags(self) -> list[UUID]:
        return [tag.id for tag in self.tags if self.dice.random() < 0.5]

    async def move(self, now: datetime) -> None:
        row = await self.some()
        await moves.move(self.admin, row.id, stage_id=self.dice.choice(self.stages).id, now=now)

    async def place(self, now: datetime) -> None:
        row, beside = await self.some(), await self.some()
        await moves.move(self.admin, row.id, stage_id=beside.stage_id, place=Place(after=beside.id), now=now)

    async def capture(self, now: datetime) -> Lead:
        details = LeadDetails(title=f"Lead {self.dice.random()}", value=self.value(), tag_ids=self.some_tags())
        stage = self.dice.choice([stage for stage in self.stages if stage.kind != "FOLLOW_UP"])
        new = Capture(details=details, owner_id=self.somebody(), pipeline_id=stage.pipeline_id, stage_id=stage.id)
        return await captures.capture(self.admin, new, now=now)

    async def update(self, now: datetime) -> None:
        row = await self.some()
        told = LeadDetails(title=f"Lead {self.dice.random()}", value=self.value(), tag_ids=self.some_tags())
        await leads.update(self.admin, row.id, told, now=now)

    async def close(self, now: datetime) -> None:
        status = self.dice.choice([LeadStatus.WON, LeadStatus.LOST, LeadStatus.DISQUALIFIED])
        row = await self.some()
        await closings.close(self.admin, row.id, status, lost_reason_id=self.reason.id, now=now)

    async def reopen(self, now: datetime) -> None:
        await closings.reopen(self.admin, (await self.some()).id, now=now)

    async def delete(self, now: datetime) -> None:
        await leads.delete(self.admin, (await self.some()).id, now=now)

    async def restore(self, now: datetime) -> None:
        await leads.restore(self.admin, (await self.some(deleted=True)).id, now=now)

    async def assign(self, now: datetime) -> None:
        await leads.assign(self.admin, (await self.some()).id, self.somebody(), now=now)

    async def change_team(self, now: datetime) -> None:
        user_id = self.dice.choice(self.people).user_id
        assert user_id
        team_id = self.dice.choice([*(team.id for team in self.teams), None])
        await users.update_member(self.admin, user_id, team_id=team_id, now=now)

    async def change_visibility(self, now: datetime) -> None:
        seen = self.dice.choice(list(Visibility))
        await workspaces.update(self.admin, role_visibility={Role.REP: seen}, now=now)


@dataclass
class Broken:
    """What breaks, at random, and comes back."""

    dice: random.Random
    house: House
    valkey: Valkey
    children: list[Any]
    screens: list[Screen]
    done: Counter[str] = field(default_factory=Counter)

    async def step(self) -> None:
        breaking = self.dice.choice([self.cut, self.kill, self.kill, self.flush, self.restart_valkey])
        self.done[breaking.__name__] += 1
        await breaking()

    async def cut(self) -> None:
        for screen in self.dice.sample(self.screens, 3):
            await screen.cut()

    async def kill(self) -> None:
        name = self.dice.choice(self.house.names)
        self.done[name] += 1
        await self.house.kill(name)
        self.house.start(name)

    async def flush(self) -> None:
        import redis.asyncio as redis

        async with redis.Redis.from_url(self.valkey.url) as client:
            await client.flushall()
            await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    async def restart_valkey(self) -> None:
        child = self.children.pop()
        child.kill()
        child.wait()
        self.children.append(await self.valkey.start(say=lambda _: None))


@pytest.fixture
async def valkey() -> AsyncIterator[tuple[Valkey, list[Any]]]:
    folder = Path(tempfile.mkdtemp(prefix="sc-"))
    folder.chmod(0o711)
    home = home_for(folder)
    server = Valkey(home, programs_for(home.account), durable=False)
    children = [await server.start(say=lambda _: None)]
    yield server, children
    for child in children:
        child.kill()
        child.wait()
    for process in processes.find(lambda argv: any(str(folder) in part for part in argv)):
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def own_database(servers: dict[str, str], db: str) -> AsyncIterator[str]:
    """A database that these processes alone use, opened in this process in place of the worker's own."""
    async with fresh_database(servers) as url:
        await database.close_database()
        await database.open_database(url, pool_size=5)
        yield url
        await database.close_database()
        await database.open_database(db, pool_size=10)


async def begin(dice: random.Random, addresses: list[str]) -> tuple[Game, list[Screen]]:
    admin = await seller()
    north, south = await team(admin, name="North"), await team(admin, name="South")
    people = [
        await member(Role.MANAGER, of=admin, team=north),
        await member(Role.MANAGER, of=admin, team=south),
        await member(Role.REP, of=admin, team=north),
        await member(Role.REP, of=admin, team=south),
    ]
    viewer = await member(Role.VIEWER, of=admin)
    stages = await Stage.filter(workspace_id=admin.workspace_id).order_by("position")
    now = datetime.now(UTC)
    tags = [
        await Tag.create(workspace_id=admin.workspace_id, name=name, created_at=now, updated_at=now)
        for name in ("hot", "cold")
    ]
    reason = await LostReason.create(workspace_id=admin.workspace_id, name="Price", created_at=now, updated_at=now)
    game = Game(dice, admin, people, [north, south], stages, tags, reason)
    for _ in range(15):
        await game.capture(datetime.now(UTC))
    hot, first = tags[0].id, stages[0].id
    owners = {people[2].user_id, people[3].user_id}
    filters: list[tuple[dict[str, Any] | None, Callable[[Lead, set[UUID], UUID | None], bool]]] = [
        (None, lambda row, tags, team: True),
        ({"status": {"eq": "OPEN"}}, lambda row, tags, team: row.status is LeadStatus.OPEN),
        ({"value": {"gte": "500"}}, lambda row, tags, team: row.value is not None and row.value >= 500),
        (
            {"owner": {"in": [ids.encode("User", key) for key in owners if key]}},
            lambda row, tags, team: row.owner_id in owners,
        ),
        ({"tags": {"some": {"id": {"eq": ids.encode("Tag", hot)}}}}, lambda row, tags, team: hot in tags),
        ({"tags": {"none": {"id": {"eq": ids.encode("Tag", hot)}}}}, lambda row, tags, team: hot not in tags),
        ({"team": {"id": {"eq": ids.encode("Team", north.id)}}}, lambda row, tags, team: team == north.id),
        (
            {"not": {"or": [{"stage": {"eq": ids.encode("Stage", first)}}, {"owner": {"isNull": True}}]}},
            lambda row, tags, team: not (row.stage_id == first or row.owner_id is None),
        ),
    ]
    screens = []
    for actor in (admin, viewer, *people):
        token = await bearer(actor)
        for number, (chosen, passes) in enumerate(dice.sample(filters, 2)):
            name = f"{actor.role} {number} {chosen}"
            pipeline = ids.encode("Pipeline", stages[0].pipeline_id)
            screens.append(Screen(name, actor, token, pipeline, chosen, passes, addresses))
    return game, screens


@pytest.mark.parametrize("seed", SEEDS)
async def test_screens_show_what_the_database_holds(
    own_database: str, valkey: tuple[Valkey, list[Any]], seed: int
) -> None:
    dice = random.Random(seed)
    server, children = valkey
    environment = {
        "DATABASE_URL": own_database,
        "DATABASE_DIRECT_URL": own_database,
        "REDIS_URL": server.url,
        "SECRET_KEY": os.environ["SECRET_KEY"],
    }
    house = House(environment, apis=2)
    watching: list[asyncio.Task[None]] = []
    try:
        game, screens = await begin(dice, house.addresses)
        watching += [asyncio.create_task(screen.run()) for screen in screens]
        broken = Broken(dice, house, server, children, screens)
        await _until(lambda: _first_boards(screens), watching)
        for step in range(STEPS):
            if step % 12 == 11:
                await asyncio.gather(broken.step(), game.step(), game.step())
            else:
                await game.step()
        await _until(lambda: _all_agree(screens), watching)
        assert sum(screen.told["LeadMoved"] for screen in screens) > STEPS / 4
        assert sum(screen.told["LeadLeft"] for screen in screens) > 5
        assert sum(screen.told["reconnected"] for screen in screens) > 5
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await house.close()


async def _first_boards(screens: list[Screen]) -> str:
    waiting = [screen.name for screen in screens if screen.first is None]
    return f"{waiting} have not read a board" if waiting else ""


async def _all_agree(screens: list[Screen]) -> str:
    differing = []
    for screen in screens:
        expected, board = await screen.expected(), screen.board
        if board != expected:
            more = sorted(board.keys() - expected.keys())
            less = sorted(expected.keys() - board.keys())
            other = [(board[key], expected[key]) for key in board.keys() & expected if board[key] != expected[key]]
            differing.append(f"{screen.name}: too many {more}, too few {less}, other {other}, told {screen.told}")
    return "\n".join(differing)


async def _until(check: Callable[[], Any], running: list[asyncio.Task[None]]) -> None:
    """Wait until there is nothing left to complain of, or fail with the complaint."""
    complaint = ""
    try:
        async with asyncio.timeout(SECONDS):
            while complaint := await check():
                for task in running:
                    assert not task.done(), task.exception()
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(complaint)
