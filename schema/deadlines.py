"""How long an operation may take. A timer for each would cost as much as a small query, so there is one for all."""

import asyncio
from functools import lru_cache
from types import TracebackType


class Deadlines:
    """The operations that run and may all take as long; the oldest is the first whose time is up."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: dict[Deadline, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, deadline: "Deadline") -> None:
        loop = deadline.task.get_loop()
        if loop is not self._loop:
            self._loop, self._timer = loop, None
            self._running.clear()
        self._running[deadline] = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._look)

    def end(self, deadline: "Deadline") -> None:
        self._running.pop(deadline, None)

    def _look(self) -> None:
        """Cancel those whose time is up, and look again when that of the next one is."""
        assert self._loop is not None
        self._timer, now = None, self._loop.time()
        while self._running:
            deadline, until = next(iter(self._running.items()))
            if until > now:
                self._timer = self._loop.call_at(until, self._look)
                return
            del self._running[deadline]
            deadline.expire()


class Deadline:
    """A block that may take so long and no longer, like asyncio.timeout; raises TimeoutError."""

    __slots__ = ("_among", "_cancelling", "expired", "task")

    def __init__(self, seconds: float) -> None:
        self._among = _lasting(seconds)
        self.expired = False

    def __enter__(self) -> "Deadline":
        task = asyncio.current_task()
        assert task is not None
        self.task, self._cancelling = task, task.cancelling()
        self._among.begin(self)
        return self

    def expire(self) -> None:
        self.expired = True
        self.task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._among.end(self)
        if self.expired and self.task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


@lru_cache
def _lasting(seconds: float) -> Deadlines:
    return Deadlines(seconds)
