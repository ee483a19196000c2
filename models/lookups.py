"""Rows that are looked up by key again and again: those that are asked for while one is read are read together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any, TypeAlias

Key: TypeAlias = Any
Row: TypeAlias = Any
Read: TypeAlias = Callable[[Sequence[Key]], Awaitable[Sequence[Row]]]


class Lookups:
    """The look-ups of one statement, which reads rows by a list of keys and returns each with its key first.

    Where nobody else looks up, a key is read at once. Those that come meanwhile wait, and go together in the next
    statement: it is sent after they came, so nobody is told what was true before they asked.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._waiting: list[tuple[Key, asyncio.Future[Row | None]]] = []
        self._reading = False
        self._together: asyncio.Task[None] | None = None

    async def find(self, key: Key) -> Row | None:
        """Return the row with this key, or None; raises what the statement raised."""
        if self._reading:
            answer = asyncio.get_running_loop().create_future()
            self._waiting.append((key, answer))
            return await answer
        self._reading = True
        try:
            rows = await self._read([key])
        finally:
            self._go_on()
        return rows[0] if rows else None

    def _go_on(self) -> None:
        self._reading = bool(self._waiting)
        if self._reading:
            # Of no request in particular: any of those who wait may go away.
            self._together = asyncio.get_running_loop().create_task(self._read_together(), context=Context())

    async def _read_together(self) -> None:
        waiting, self._waiting = [(key, answer) for key, answer in self._waiting if not answer.done()], []
        try:
            rows = await self._read(list({key for key, _ in waiting})) if waiting else ()
            found = {row[0]: row for row in rows}
            for key, answer in waiting:
                if not answer.done():
                    answer.set_result(found.get(key))
        except BaseException as error:
            for _, answer in waiting:
                if not answer.done():
                    answer.set_exception(error) if isinstance(error, Exception) else answer.cancel()
            if not isinstance(error, Exception):
                raise
        finally:
            self._go_on()
