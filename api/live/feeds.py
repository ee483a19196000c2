"""A workspace's events in the order of their positions: from Redis, and what does not come by it from the table."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
import structlog
from tortoise.connection import get_connection

from adapters.live import LiveBatch
from api.live.subscriptions import Group, Message, Occurrence, Renew, Subscription
from domain import policy
from domain.actors import Actor, Scope
from domain.errors import DomainError
from models.events import LiveEvent
from models.leads import Lead
from schema.live_conditions import Teams
from schema.live_cursors import fingerprint
from schema.live_watches import Resync, ResyncReason, View, Watch

if TYPE_CHECKING:
    from api.live.hubs import Hub

SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
PAGE = 500
MOST_REPLAYED = 5_000
MOST_BATCHES = 200
REMEMBERED = 200

# After events of these subjects it is looked up who may still see what.
ABOUT_ACTORS = frozenset({"workspace", "user", "team", "apikey"})

HEADS = """
SELECT workspace.id, workspace.memberships_version AS version, workspace.wins_window_days AS wins_days,
       coalesce(event_head.position, 0) AS position
FROM workspace LEFT JOIN event_head ON event_head.workspace_id = workspace.id
WHERE workspace.id = ANY($1::uuid[])
"""
EVENTS = f"""
SELECT id, position, name, subject_id, actor, client_mutation_id, data, occurred_at FROM event
WHERE workspace_id = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT {PAGE}
"""
TEAMS = "SELECT user_id, team_id FROM membership WHERE workspace_id = $1"

log = structlog.get_logger(__name__)


class Feed:
    """A workspace's events in the order of their positions, and who is told of them."""

    def __init__(self, hub: "Hub", workspace_id: UUID) -> None:
        self.hub = hub
        self.workspace_id = workspace_id
        self.position = 0
        self.version = 0
        self.teams: Teams = {}
        self.wins_days = 0
        self.recent: deque[Occurrence] = deque(maxlen=REMEMBERED)
        self._groups: dict[tuple[Watch, Scope], Group] = {}
        self._batches: deque[LiveBatch] = deque()
        self._head = 0
        self._woken = asyncio.Event()
        self.opened = asyncio.ensure_future(self._open())
        self._task: asyncio.Task[None] | None = None

    async def _open(self) -> None:
        [row] = await get_connection("default").execute_query_dict(HEADS, [[self.workspace_id]])
        self.position = self._head = row["position"]
        self.version, self.wins_days = row["version"], row["wins_days"]
        await self._load_teams()
        self._task = asyncio.create_task(self._run())

    async def _load_teams(self) -> None:
        rows = await get_connection("default").execute_query_dict(TEAMS, [self.workspace_id])
        self.teams = {str(row["user_id"]): row["team_id"] and str(row["team_id"]) for row in rows}

    def close(self) -> None:
        """Take no more events."""
        self.opened.cancel()
        if self._task:
            self._task.cancel()

    def subscriptions(self) -> list[Subscription]:
        """Return everybody who is told of events."""
        return [subscription for group in self._groups.values() for subscription in group.subscriptions]

    def view(self, scope: Scope) -> View:
        """Return what exists now for watchers of a scope."""
        return View(scope, self.teams, datetime.now(UTC) - timedelta(days=self.wins_days))

    def join(self, actor: Actor, watch: Watch, renew: Renew | None) -> Subscription:
        """Tell somebody of everything after the present position."""
        key = watch, policy.scope(actor, Lead)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(self, *key)
        return Subscription(group, actor, renew, since=self.position)

    def leave(self, subscription: Subscription) -> None:
        """Tell somebody nothing more; the last one closes the feed."""
        group = subscription.group
        group.subscriptions.discard(subscription)
        if not group.subscriptions and self._groups.get((group.watch, group.scope)) is group:
            del self._groups[group.watch, group.scope]
        if not self._groups:
            self.hub.forget(self)

    def receive(self, batch: LiveBatch) -> None:
        """Take what the relay published."""
        if len(self._batches) >= MOST_BATCHES:
            self._batches.clear()
        self._batches.append(batch)
        self._woken.set()

    def reach(self, position: int) -> None:
        """Take the head of the log: what lies before it and was not published is read from the table."""
        if position > self._head:
            self._head = position
            self._woken.set()

    async def _run(self) -> None:
        pause = SHORTEST_PAUSE
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._catch_up()
                pause = SHORTEST_PAUSE
            except Exception as error:
                log.warning("live events wait for the database", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                self._woken.set()

    async def _catch_up(self) -> None:
        while self._batches:
            batch = self._batches[0]
            self._head = max(self._head, batch.last)
            if batch.events is None or batch.first > self.position + 1:
                await self._fill()
            else:
                for event in batch.events:
                    if event.position > self.position:
                        await self._dispatch(self.hub.occurrence(event))
            # Where it was cleared meanwhile, the head still says what is missing.
            if self._batches and self._batches[0] is batch:
                self._batches.popleft()
        await self._fill()

    async def _fill(self) -> None:
        while self.position < self._head:
            found = await self._read(self.position, self._head)
            if not found or found[0].event.position != self.position + 1:
                self._skip(found[0].event.position - 1 if found else self._head)
            for occurrence in found:
                await self._dispatch(occurrence)
            # Those who wait read what they were told before there is more of it.
            await asyncio.sleep(0)

    def _skip(self, position: int) -> None:
        log.warning("the event log has a gap", workspace_id=str(self.workspace_id), after=self.position, to=position)
        self.position = position
        self.recent.clear()
        for subscription in self.subscriptions():
            subscription.resync(ResyncReason.LOG_TOO_SHORT)

    async def _dispatch(self, occurrence: Occurrence) -> None:
        if _about_actors(occurrence.event):
            await self.hub.check([self])
        self.position = occurrence.event.position
        self.recent.append(occurrence)
        for group in tuple(self._groups.values()):
            group.tell(occurrence)

    async def _read(self, after: int, to: int) -> list[Occurrence]:
        rows = await get_connection("default").execute_query_dict(EVENTS, [self.workspace_id, after, to])
        return [self.hub.occurrence(_event(self.workspace_id, row)) for row in rows]

    async def missed(self, subscription: Subscription, after: int, seen_as: bytes) -> AsyncIterator[Message]:
        """Yield what happened between a cursor and the position at which the subscription began."""
        refused = await self._cannot_resume(subscription, after, seen_as)
        group, to = subscription.group, subscription.since
        while refused is None and after < to:
            found = await self._remembered(after, to)
            if not found or found[0].event.position != after + 1:
                refused = ResyncReason.LOG_TOO_SHORT
                break
            for occurrence in found:
                after = occurrence.event.position
                message = group.message(occurrence)
                if isinstance(message, Resync):
                    refused = message.reason
                elif group.watch.uses_teams and _about_actors(occurrence.event):
                    refused = ResyncReason.VISIBILITY_CHANGED
                if refused:
                    break
                if isinstance(message, Message):
                    yield message
        if refused:
            subscription.resync(refused, drop=True)

    async def _cannot_resume(self, subscription: Subscription, after: int, seen_as: bytes) -> ResyncReason | None:
        if seen_as != fingerprint(self.workspace_id, subscription.group.scope):
            return ResyncReason.VISIBILITY_CHANGED
        if subscription.since - after > MOST_REPLAYED:
            return ResyncReason.TOO_FAR_BEHIND
        if after > subscription.since:
            # Another process was faster than this one; a position that none has reached is of another log.
            subscription.since = after
            await self.hub.check([self])
            if after > self._head:
                return ResyncReason.LOG_TOO_SHORT
        return None

    async def _remembered(self, after: int, to: int) -> list[Occurrence]:
        recent = tuple(self.recent)
        if recent and recent[0].event.position <= after + 1:
            return [occurrence for occurrence in recent if after < occurrence.event.position <= to]
        return await self._read(after, to)

    async def renewed(self, version: int) -> None:
        """Take another version of the memberships: look up again what everybody sees."""
        if version == self.version:
            return
        before = self.teams
        await self._load_teams()
        if self.teams != before:
            for subscription in self.subscriptions():
                if subscription.group.watch.uses_teams:
                    subscription.resync(ResyncReason.VISIBILITY_CHANGED)
        await self.renew(self.subscriptions())
        self.version = version

    async def renew(self, subscriptions: Sequence[Subscription]) -> None:
        """Load actors again, one with many subscriptions once; end those who see something else or nothing now."""
        by_credential: dict[Any, list[Subscription]] = {}
        for subscription in subscriptions:
            if subscription.renew:
                by_credential.setdefault(subscription.credential or subscription, []).append(subscription)
        await asyncio.gather(*map(_renew, by_credential.values()))


async def _renew(same: list[Subscription]) -> None:
    assert same[0].renew
    try:
        actor = await same[0].renew()
    except DomainError as error:
        for subscription in same:
            subscription.refuse(error)
        return
    for subscription in same:
        before = subscription.actor
        if (before.rows, before.role, before.scopes) == (actor.rows, actor.role, actor.scopes):
            subscription.actor = actor
        else:
            subscription.resync(ResyncReason.VISIBILITY_CHANGED)


def _about_actors(event: LiveEvent) -> bool:
    return event.name.partition(".")[0] in ABOUT_ACTORS


def _event(workspace_id: UUID, row: dict[str, Any]) -> LiveEvent:
    occurred_at: datetime = row["occurred_at"]
    return LiveEvent(
        id=UUID(str(row["id"])),
        workspace_id=workspace_id,
        position=row["position"],
        name=row["name"],
        subject_id=UUID(str(row["subject_id"])),
        actor=orjson.loads(row["actor"]),
        client_mutation_id=row["client_mutation_id"],
        data=orjson.loads(row["data"]),
        occurred_at=occurred_at,
    )
