"""The live hub of a process: one Redis subscription, fanned out to whoever watches, without a gap.

Positions are gapless per workspace, so the hub knows what it missed: it reads that from the table, and every second
it compares its positions with the heads of the log. Redis makes it fast; nothing here needs Redis to be right.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from strawberry.dataloader import DataLoader
from tortoise.connection import get_connection

from adapters import live as channel
from adapters.live import LiveBatch
from adapters.redis import UNREACHABLE, Client
from adapters.redis import Subscription as Channels
from domain import policy
from domain.actors import Actor, Scope
from domain.errors import DomainError
from engine.live import (
    Resync,
    ResyncReason,
    Step,
    Teams,
    View,
    Watch,
    cursor,
    fingerprint,
    leads_now,
    read_cursor,
    same_view,
)
from models.events import LiveEvent
from models.leads import Lead

CHECK_SECONDS = 1.0
CREDENTIALS_EVERY = 5
SILENCE_SECONDS = 5.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
PAGE = 500
MOST_REPLAYED = 5_000
MOST_WAITING = 500
MOST_BATCHES = 200
REMEMBERED = 200
ALIVE = "salescycle:live"

# After events of these subjects it is looked up who may still see what.
ABOUT_ACTORS = frozenset({"workspace", "user", "team", "apikey"})

HEADS = """
SELECT workspace.id, workspace.memberships_version AS version, workspace.wins_window_days AS wins_days,
       coalesce(event_head.position, 0) AS position
FROM workspace LEFT JOIN event_head ON event_head.workspace_id = workspace.id
WHERE workspace.id = ANY($1::uuid[])
"""
CREDENTIALS = """
SELECT id FROM session WHERE id = ANY($1::uuid[]) AND revoked_at IS NULL AND expires_at > now()
UNION ALL
SELECT id FROM api_key WHERE id = ANY($1::uuid[]) AND revoked_at IS NULL AND coalesce(expires_at > now(), true)
"""
EVENTS = f"""
SELECT id, position, name, subject_id, actor, client_mutation_id, data, occurred_at FROM event
WHERE workspace_id = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT {PAGE}
"""
TEAMS = "SELECT user_id, team_id FROM membership WHERE workspace_id = $1"

log = structlog.get_logger(__name__)

Renew = Callable[[], Awaitable[Actor]]


class Occurrence:
    """An event in this process: what it is to each group is found once, and its lead is read once.

    `memo` is where whoever answers it keeps what others can use.
    """

    __slots__ = ("_lead", "_leads", "event", "memo", "messages")

    def __init__(self, event: LiveEvent, leads: DataLoader[UUID, Lead | None]) -> None:
        self.event = event
        self.messages: dict[Group, Message | Resync | None] = {}
        self.memo: dict[Any, Any] = {}
        self._leads = leads
        self._lead: asyncio.Future[Lead | None] | None = None

    async def lead(self) -> Lead | None:
        """Return the lead as it is now, or was when somebody first asked."""
        if self._lead is None:
            self._lead = asyncio.ensure_future(self._leads.load(self.event.subject_id))
        return self._lead.result() if self._lead.done() else await asyncio.shield(self._lead)


@dataclass(slots=True, eq=False)
class Message:
    """What an event is to those who watch the same within the same scope; the root of a live answer."""

    step: Step
    occurrence: Occurrence
    scope: Scope
    memo: dict[Any, Any] = field(default_factory=dict)

    @property
    def event(self) -> LiveEvent:
        return self.occurrence.event

    @property
    def cursor(self) -> str:
        return cursor(self.event.workspace_id, self.event.position, self.scope)

    async def lead(self) -> Lead | None:
        """Return the lead as it is now; None where it has left this scope since."""
        row = await self.occurrence.lead()
        return row if row and row.deleted_at is None and self.scope.includes(row.owner_id) else None

    async def in_sight(self) -> bool:
        """Say whether the lead is shown as it would be to whoever sees everything."""
        return self.step is Step.LEFT or await self.lead() is not None


class Group:
    """Subscriptions that watch the same within the same scope, so that an event is tested once for all of them."""

    def __init__(self, feed: "Feed", watch: Watch, scope: Scope) -> None:
        self.feed = feed
        self.watch = watch
        self.scope = scope
        self.subscriptions: set[Subscription] = set()

    def message(self, occurrence: Occurrence) -> Message | Resync | None:
        """Return what the event is to this group."""
        if self not in occurrence.messages:
            step = self.watch.step(occurrence.event, self.feed.view(self.scope))
            occurrence.messages[self] = (
                None
                if step is None
                else Resync(step)
                if isinstance(step, ResyncReason)
                else Message(step, occurrence, self.scope)
            )
        return occurrence.messages[self]

    def tell(self, occurrence: Occurrence) -> None:
        message = self.message(occurrence)
        if message is not None:
            for subscription in tuple(self.subscriptions):
                subscription.tell(message, occurrence.event.position)


class Subscription:
    """One consumer: first what it missed, then what happens, through a queue that never grows past its bound."""

    def __init__(self, group: Group, actor: Actor, renew: Renew | None, *, since: int) -> None:
        self.group = group
        self.actor = actor
        self.renew = renew
        self.since = since
        self._waiting: deque[Message | Resync] = deque()
        self._woken = asyncio.Event()
        self._error: DomainError | None = None
        self._ended = False
        group.subscriptions.add(self)

    @property
    def credential(self) -> UUID | None:
        return self.actor.session_id or self.actor.key_id

    def tell(self, message: Message | Resync, position: int) -> None:
        """Queue a message; whoever falls too far behind is told to resync instead."""
        if self._ended or position <= self.since:
            return
        if isinstance(message, Resync):
            self.resync(message.reason)
        elif len(self._waiting) >= MOST_WAITING:
            self.resync(ResyncReason.TOO_SLOW, drop=True)
        else:
            self._waiting.append(message)
            self._woken.set()

    def resync(self, reason: ResyncReason, *, drop: bool = False) -> None:
        """End with the word that the board must be read again, perhaps in place of what is waiting."""
        if drop:
            self._waiting.clear()
        elif self._ended:
            return
        self._waiting.append(Resync(reason))
        self.end()

    def refuse(self, error: DomainError) -> None:
        """End because the actor may no longer listen."""
        self._waiting.clear()
        self._error = error
        self.end()

    def end(self) -> None:
        """End after what is waiting; nothing more comes."""
        self._ended = True
        self._woken.set()
        self.group.feed.leave(self)

    async def __aiter__(self) -> AsyncIterator[Message | Resync]:
        try:
            while True:
                while self._waiting:
                    yield self._waiting.popleft()
                if self._error:
                    raise self._error
                if self._ended:
                    return
                self._woken.clear()
                await self._woken.wait()
        finally:
            self.end()


class Watching:
    """A subscription that has not begun; iterating over it begins it."""

    def __init__(self, hub: "Hub", actor: Actor, watch: Watch, *, after: str | None, renew: Renew | None) -> None:
        self.actor = actor
        self.watch = watch
        self._hub = hub
        self._after = read_cursor(after) if after else None
        self._renew = renew

    async def __aiter__(self) -> AsyncIterator[Message | Resync]:
        feed = await self._hub.feed(self.actor.workspace_id)
        subscription = feed.join(self.actor, self.watch, self._renew)
        try:
            # The actor was loaded before the subscription could be told of a change.
            await feed.renew([subscription])
            if self._after is not None:
                async for missed in feed.missed(subscription, *self._after):
                    yield missed
            async for message in subscription:
                yield message
        finally:
            subscription.end()


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
        if same_view(subscription.actor, actor):
            subscription.actor = actor
        else:
            subscription.resync(ResyncReason.VISIBILITY_CHANGED)


class Hub:
    """Everybody in this process who watches something. `run` must be running; without Redis it only reads the table."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._feeds: dict[UUID, Feed] = {}
        self._channels: Channels | None = None
        self._leads: DataLoader[UUID, Lead | None] = DataLoader(load_fn=leads_now, cache=False)

    def watch(self, actor: Actor, watch: Watch, *, after: str | None = None, renew: Renew | None = None) -> Watching:
        """Return what will be told of a watch, after a cursor if one is given; raises ValueError for what is none.

        `renew` loads the actor again: it is asked whenever something may have changed, and raises what ends them.
        """
        return Watching(self, actor, watch, after=after, renew=renew)

    async def run(self) -> None:
        """Listen and compare until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                tasks.create_task(self._check())
        finally:
            for feed in tuple(self._feeds.values()):
                for subscription in feed.subscriptions():
                    subscription.end()
                feed.close()

    def occurrence(self, event: LiveEvent) -> Occurrence:
        """Return an event as this process tells of it."""
        return Occurrence(event, self._leads)

    async def feed(self, workspace_id: UUID) -> Feed:
        """Return a workspace's feed, opened now if nobody watches it yet."""
        while True:
            feed = self._feeds.get(workspace_id)
            if feed is None:
                feed = self._feeds[workspace_id] = Feed(self, workspace_id)
                await self._subscribe([workspace_id])
            try:
                await asyncio.shield(feed.opened)
            except Exception:
                self.forget(feed)
                raise
            if self._feeds.get(workspace_id) is feed:
                return feed

    def watchers(self, workspace_id: UUID) -> int:
        """Return how many subscriptions a workspace has in this process."""
        feed = self._feeds.get(workspace_id)
        return len(feed.subscriptions()) if feed else 0

    def forget(self, feed: Feed) -> None:
        """Close a feed that nobody watches."""
        feed.close()
        if self._feeds.get(feed.workspace_id) is feed:
            del self._feeds[feed.workspace_id]

    async def check(self, feeds: Iterable[Feed], *, credentials: bool = True) -> None:
        """Compare feeds with the database: heads, memberships and, where asked for, credentials."""
        open_feeds = {feed.workspace_id: feed for feed in feeds if feed.opened.done()}
        if not open_feeds:
            return
        connection = get_connection("default")
        for row in await connection.execute_query_dict(HEADS, [list(open_feeds)]):
            feed = open_feeds[row["id"]]
            feed.wins_days = row["wins_days"]
            await feed.renewed(row["version"])
            feed.reach(row["position"])
        if not credentials:
            return
        held = [one for feed in open_feeds.values() for one in feed.subscriptions() if one.credential]
        rows = await connection.execute_query_dict(CREDENTIALS, [list({one.credential for one in held})])
        alive = {row["id"] for row in rows}
        for feed in open_feeds.values():
            await feed.renew([one for one in feed.subscriptions() if one.credential and one.credential not in alive])

    async def _check(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            turn += 1
            try:
                await self.check(tuple(self._feeds.values()), credentials=turn % CREDENTIALS_EVERY == 0)
                await self._unsubscribe()
            except Exception as error:
                log.warning("the heads of the log cannot be read", error=f"{type(error).__name__}: {error}")

    async def _listen(self) -> None:
        pause, lost = SHORTEST_PAUSE, False
        while True:
            began = time.monotonic()
            try:
                await self._listen_once()
            except (*UNREACHABLE, TimeoutError) as error:
                if not lost:
                    log.warning("Redis does not answer; live events come from the table", error=str(error))
            except Exception:
                log.exception("listening to live events failed")
            lost = time.monotonic() - began < LONGEST_PAUSE
            pause = min(pause * 2, LONGEST_PAUSE) if lost else SHORTEST_PAUSE
            await asyncio.sleep(pause)

    async def _listen_once(self) -> None:
        async with self._redis.pubsub() as channels:
            await channels.subscribe(ALIVE)
            self._channels = channels
            try:
                await self._subscribe(self._feeds)
                # What was published while nobody listened is in the table.
                await self.check(tuple(self._feeds.values()), credentials=False)
                await self._receive(channels)
            finally:
                self._channels = None

    async def _receive(self, channels: Channels) -> None:
        pinged = False
        while True:
            message = await channels.get_message(timeout=SILENCE_SECONDS)
            if message is not None:
                pinged = False
                if message["type"] == "message":
                    self._hear(message["data"])
            elif pinged:
                raise TimeoutError("not even a ping was answered")
            else:
                await channels.ping()
                pinged = True

    def _hear(self, data: bytes) -> None:
        try:
            batch = channel.decode(data)
        except Exception:
            log.exception("a live message cannot be read")
            return
        feed = self._feeds.get(batch.workspace_id)
        if feed and feed.opened.done():
            feed.receive(batch)

    async def _subscribe(self, workspaces: Iterable[UUID]) -> None:
        names = [channel.channel(workspace_id) for workspace_id in workspaces]
        if self._channels is not None and names:
            # A lost connection is noticed by the listener, which then subscribes to everything again.
            with suppress(*UNREACHABLE):
                await self._channels.subscribe(*names)

    async def _unsubscribe(self) -> None:
        if self._channels is None:
            return
        wanted = {ALIVE, *map(channel.channel, self._feeds)}
        unwanted = {name.decode() for name in self._channels.channels} - wanted
        if unwanted:
            with suppress(*UNREACHABLE):
                await self._channels.unsubscribe(*unwanted)


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
