"""Who watches what: an event tested once for all who watch the same, and kept until each of them takes it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from strawberry.dataloader import DataLoader

from domain.actors import Actor, Scope
from domain.errors import DomainError
from models.events import LiveEvent
from models.leads import Lead
from schema.live_cursors import cursor
from schema.live_watches import Resync, ResyncReason, Step, Watch

if TYPE_CHECKING:
    from api.live.feeds import Feed

MOST_WAITING = 500

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
        return self.actor.session_id or self.actor.key_id or self.actor.link_id

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
