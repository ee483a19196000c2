"""The hub itself: it listens for every workspace that somebody watches, and compares it with the database."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from uuid import UUID

import structlog
from strawberry.dataloader import DataLoader
from tortoise.connection import get_connection

from adapters import live as channel
from adapters.redis import UNREACHABLE, Client
from adapters.redis import Subscription as Channels
from api.live.feeds import HEADS, LONGEST_PAUSE, SHORTEST_PAUSE, Feed
from api.live.subscriptions import Message, Occurrence, Renew
from domain.actors import Actor
from models.events import LiveEvent
from models.leads import Lead
from schema.live_cursors import read_cursor
from schema.live_watches import Resync, Watch

CHECK_SECONDS = 1.0
CREDENTIALS_EVERY = 5
SILENCE_SECONDS = 5.0
ALIVE = "salescycle:live"

CREDENTIALS = """
SELECT id FROM session WHERE id = ANY($1::uuid[]) AND revoked_at IS NULL AND expires_at > now()
UNION ALL
SELECT id FROM api_key WHERE id = ANY($1::uuid[]) AND revoked_at IS NULL AND coalesce(expires_at > now(), true)
UNION ALL
SELECT l.id FROM proposal_link l JOIN lead ON lead.id = l.lead_id JOIN proposal p ON p.id = l.proposal_id
WHERE l.id = ANY($1::uuid[]) AND l.revoked_at IS NULL AND coalesce(l.expires_at > now(), true)
    AND lead.deleted_at IS NULL AND p.deleted_at IS NULL
"""

log = structlog.get_logger(__name__)


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


async def leads_now(keys: list[UUID]) -> list[Lead | None]:
    """Read leads as they are now, whoever may see them, in the order of their keys."""
    found = {row.id: row for row in await Lead.filter(id__in=keys)}
    return [found.get(key) for key in keys]


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
