"""Delivers what is due: claims a batch, composes it, hands it over, and records what came of it.

A delivery is marked as being sent, and that is committed, before it is handed over. So whoever finds the mark of a
dead worker knows that the receiver may have the message, and says so in the row (`at_risk`) when sending it again.
`now` says what is due.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog

from adapters.sending import Deferred, Refused, Unavailable
from domain import sale_mails, suppressions
from models.base import uuid7
from models.deliveries import Channel, DeliveryStatus
from workers import ledger
from workers.composers import COMPOSERS, PREPARERS, SENDERS
from workers.ledger import Outcome, execute, words_of
from workers.messages import Due, Later, Skip
from workers.supervision import LOST

BATCH = 500
# So many are marked as being sent by one statement; at most twice as many are at risk where a worker dies.
GROUP = 25
LEASE_SECONDS = 15.0
RECORD_SECONDS = 0.05
# A batch whose last messages hang is left to itself after so long, and the next one claimed.
STRAGGLING_SECONDS = 1.0
GRACE_SECONDS = 3.0
# Pauses of 2 s, 4 s, ... up to an hour: the last attempt comes about five hours after the first.
ATTEMPTS = 16
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(hours=1)
# What waits for a channel that does not work is no fault of the message, but news that nobody needs after so long.
WAITS_AT_MOST = timedelta(days=3)
SHORTEST_CHANNEL_PAUSE, LONGEST_CHANNEL_PAUSE = 1.0, 60.0

logger = structlog.get_logger(__name__)


class Pause:
    """How long this process leaves a channel alone that does not work: longer each time, until it works again."""

    def __init__(self) -> None:
        self._until = self._seconds = 0.0

    @property
    def holds(self) -> bool:
        return time.monotonic() < self._until

    def lengthen(self) -> None:
        if not self.holds:
            self._seconds = min(max(self._seconds * 2, SHORTEST_CHANNEL_PAUSE), LONGEST_CHANNEL_PAUSE)
            self._until = time.monotonic() + self._seconds

    def end(self) -> None:
        self._until = self._seconds = 0.0


PAUSES: Mapping[Channel, Pause] = {channel: Pause() for channel in Channel}
_batches: set["asyncio.Task[None]"] = set()


async def sweep(now: datetime) -> int:
    """Deliver a batch of what is due; return how many deliveries it held."""
    return await _swept(ledger.CLAIM_ANY, now)


async def sweep_account_mails(now: datetime) -> int:
    """Deliver mails that somebody waits for at a screen, which must not stand behind a hundred thousand others."""
    return await _swept(ledger.CLAIM_ACCOUNT_MAILS, now)


async def settle() -> None:
    """Wait until everything that this process hands over has ended and is recorded."""
    while _batches:
        await asyncio.wait(_batches)


async def close() -> None:
    """Let what is being handed over end, for GRACE_SECONDS, and record what came of it."""
    if _batches:
        _, late = await asyncio.wait(_batches, timeout=GRACE_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def _swept(sql: str, now: datetime) -> int:
    batch = Batch(now)
    if not await batch.claim(sql):
        return 0
    number = len(batch.open)
    running = asyncio.create_task(batch.run())
    _batches.add(running)
    running.add_done_callback(_batches.discard)
    try:
        await batch.begun.wait()
        await asyncio.wait({running}, timeout=STRAGGLING_SECONDS)
    except asyncio.CancelledError:
        batch.stop()
        raise
    if running.done():
        running.result()
    return number


class Batch:
    """Deliveries that were claimed together. `open` are those whose end is not recorded yet."""

    def __init__(self, now: datetime) -> None:
        self.id = uuid7()
        self.open: dict[UUID, Due] = {}
        self.begun = asyncio.Event()
        self._now, self._began = now, time.monotonic()
        self._outcomes: list[Outcome] = []
        self._vain: list[tuple[Due, str]] = []
        self._untold: set[UUID] = set()
        self._told = asyncio.Event()
        self._stopped = False
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> datetime:
        return self._now + timedelta(seconds=time.monotonic() - self._began)

    async def claim(self, sql: str) -> bool:
        """Claim what is due; say whether anything was."""
        paused = [channel.value for channel, pause in PAUSES.items() if pause.holds]
        found = await execute(sql, [self._now, paused, BATCH, self.id, LEASE_SECONDS])
        for row in found:
            facts = dict(row) | {"channel": Channel(row["channel"]), "data": orjson.loads(row["data"])}
            self.open[row["id"]] = Due(**facts)
        self._untold = set(self.open)
        return bool(found)

    def stop(self) -> None:
        """Hand nothing more over; what was not begun is given back."""
        self._stopped = True

    async def run(self) -> None:
        """Deliver them all."""
        try:
            async with self._kept(), self._recorded():
                wrong: Exception | None = None
                try:
                    ready = await self._composed()
                    for rows in _groups(ready):
                        await self._begin(rows)
                except Exception as error:
                    wrong = error
                finally:
                    self.begun.set()
                if self._sending:
                    await asyncio.wait(self._sending)
                self._tell(*(self._given_back(self.open[key]) for key in self._untold))
                if wrong:
                    raise wrong
        finally:
            self.begun.set()

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[None]:
        """Renew the leases of what is open meanwhile."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(LEASE_SECONDS / 3)
                with suppress(*LOST):
                    await execute(ledger.RENEW, [list(self.open), self.id, LEASE_SECONDS])

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing

    @asynccontextmanager
    async def _recorded(self) -> AsyncIterator[None]:
        """Record outcomes as they come, several by one statement, and the last ones at the end."""

        async def record() -> None:
            while True:
                await self._told.wait()
                await asyncio.sleep(RECORD_SECONDS)
                await self._record()

        recording = asyncio.create_task(record())
        try:
            yield
        finally:
            for task in list(self._sending):
                task.cancel()
            if self._sending:
                await asyncio.wait(self._sending)
            recording.cancel()
            with suppress(asyncio.CancelledError):
                await recording
            await self._record()
            await self._tell_sellers()

    async def _record(self) -> None:
        self._told.clear()
        while self._outcomes:
            outcomes, self._outcomes = self._outcomes, []
            try:
                carrying = any(row.kind in ledger.CARRIERS for one in outcomes if (row := self.open.get(one.id)))
                await ledger.record(self.id, outcomes, carrying=carrying, now=self.now)
            except BaseException:
                self._outcomes = outcomes + self._outcomes
                raise
            for one in outcomes:
                row = self.open.pop(one.id, None)
                if row is not None and one.status is DeliveryStatus.FAILED and row.kind in sale_mails.AWAITED:
                    self._vain.append((row, one.reason or ""))

    async def _tell_sellers(self) -> None:
        """Tell sellers of the mails to their customers that have failed."""
        for row, reason in self._vain:
            with suppress(*LOST):
                event_id = UUID(row.data["event_id"])
                await sale_mails.not_taken(row.workspace_id, row.kind, event_id, reason=reason, now=self.now)

    def _tell(self, *outcomes: Outcome) -> None:
        self._outcomes += outcomes
        self._untold.difference_update(one.id for one in outcomes)
        self._told.set()

    async def _composed(self) -> list[tuple[Due, Any]]:
        """Return what can be handed over, and tell of what cannot."""
        ready: dict[UUID, Any] = {}
        kinds: dict[tuple[Channel, str], list[Due]] = {}
        for row in self.open.values():
            if row.attempts > ATTEMPTS:
                self._tell(_failed(row, f"Its worker ended in the middle of it, {ATTEMPTS} times."))
            elif row.channel not in SENDERS or row.kind not in COMPOSERS:
                self._tell(self._again(row, f"Nothing here composes {row.kind} or sends by {row.channel}."))
            else:
                kinds.setdefault((row.channel, row.kind), []).append(row)
        for (channel, kind), rows in kinds.items():
            try:
                made = await COMPOSERS[kind](rows, self.now)
                prepare = PREPARERS.get(channel)
                ready |= made if prepare is None else await prepare(rows, made)
            except Exception as error:
                logger.exception("messages were not composed", kind=kind, channel=channel)
                self._tell(*(self._again(row, f"It could not be composed: {words_of(error)}") for row in rows))
            else:
                ended = {row.id: _not_now(row, ready.get(row.id)) for row in rows}
                self._tell(*(outcome for outcome in ended.values() if outcome))
        return [(self.open[key], ready[key]) for key in self.open if key in ready and key in self._untold]

    async def _begin(self, group: Sequence[tuple[Due, Any]]) -> None:
        """Mark a group as being sent once there is room, and hand it over."""
        while len(self._sending) > GROUP:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
        rows = [(row, message) for row, message in group if not (self._stopped or PAUSES[row.channel].holds)]
        if not rows:
            return
        addresses = [getattr(message, "email", None) or row.address for row, message in rows]
        found = await execute(ledger.MARK, [[row.id for row, _ in rows], addresses, self.id, LEASE_SECONDS])
        ours = {marked["id"] for marked in found}
        for row, message in rows:
            if row.id not in ours:
                # It was cancelled, or another worker has it; where neither lasts, its lease ends by itself.
                self.open.pop(row.id, None)
                self._untold.discard(row.id)
                continue
            task = asyncio.create_task(self._send(row, message))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, row: Due, message: Any) -> None:
        """Hand one message over, and tell what came of it."""
        pause = PAUSES[row.channel]
        try:
            note = await SENDERS[row.channel](row, message)
        except Refused as refused:
            self._tell(_failed(row, str(refused)))
            if refused.bounced and (address := getattr(message, "email", None) or row.address):
                with suppress(*LOST):
                    await suppressions.bounced(row.workspace_id, address, note=str(refused), now=self.now)
        except Unavailable as error:
            pause.lengthen()
            logger.warning("a channel does not work", channel=row.channel, error=str(error))
            self._tell(self._waiting(row, str(error)))
        except Deferred as deferred:
            after = timedelta(seconds=deferred.seconds)
            self._tell(self._again(row, str(deferred), at_risk=deferred.uncertain, after=after))
        except Exception as error:
            logger.exception("a message was not handed over", kind=row.kind, delivery=str(row.id))
            self._tell(self._again(row, words_of(error), at_risk=True))
        else:
            pause.end()
            self._tell(Outcome(row.id, DeliveryStatus.SENT, note))

    def _again(self, row: Due, reason: str, *, at_risk: bool = False, after: timedelta = timedelta()) -> Outcome:
        """Return that a delivery is tried again after a pause, or has failed with its last attempt."""
        if row.attempts >= ATTEMPTS:
            return _failed(row, reason, at_risk=at_risk)
        return Outcome(
            row.id,
            DeliveryStatus.PENDING,
            reason,
            self.now + max(pause_after(row.attempts), min(after, WAITS_AT_MOST)),
            at_risk,
        )

    def _waiting(self, row: Due, reason: str) -> Outcome:
        """Return that a delivery waits for its channel."""
        if self.now - row.due_at > WAITS_AT_MOST:
            return _failed(row, f"{reason} It was like that for {WAITS_AT_MOST.days} days.")
        return Outcome(row.id, DeliveryStatus.PENDING, reason, counted=False)

    def _given_back(self, row: Due) -> Outcome:
        """Return that a claimed delivery was not begun."""
        return Outcome(row.id, DeliveryStatus.PENDING, counted=False)


def pause_after(attempts: int) -> timedelta:
    """Return how long a delivery waits after so many attempts."""
    return min(timedelta(seconds=FIRST_PAUSE.total_seconds() * 2.0 ** (attempts - 1)), LONGEST_PAUSE)


def _not_now(row: Due, message: Any) -> Outcome | None:
    if message is None:
        return Outcome(row.id, DeliveryStatus.SKIPPED, "What it was about is gone.")
    if isinstance(message, Skip):
        return Outcome(row.id, DeliveryStatus.SKIPPED, message.reason)
    if isinstance(message, Later):
        return Outcome(row.id, DeliveryStatus.PENDING, message.reason, message.due_at, counted=False)
    return None


def _failed(row: Due, reason: str, *, at_risk: bool = False) -> Outcome:
    return Outcome(row.id, DeliveryStatus.FAILED, reason, at_risk=at_risk)


def _groups(ready: Sequence[tuple[Due, Any]]) -> Iterable[Sequence[tuple[Due, Any]]]:
    waiting = deque(ready)
    while waiting:
        yield [waiting.popleft() for _ in range(min(GROUP, len(waiting)))]
