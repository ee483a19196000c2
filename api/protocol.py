"""HTTP as uvicorn speaks it with httptools, with fewer system calls: an answer leaves in one piece, and the timer that
ends a silent connection is set once rather than for every request."""

import re
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import HEADER_RE, STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
FRAMING = frozenset({b"connection", b"transfer-encoding"})


class Cycle(RequestResponseCycle):
    """A request and its answer; the head of one whose length is known waits for its body."""

    _head: Any = None

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start" and not self.response_started:
            self._head = None
            if _are_usual(tuple([name for name, _ in message.get("headers", ())])):
                self._head = message
                return
        elif self._head is not None:
            head, self._head = self._head, None
            if self._fits(head, message):
                self._answer(head, message["body"])
                return
            await super().send(head)
        await super().send(message)

    def _fits(self, head: Any, message: Any) -> bool:
        """Say whether an answer can be written at once; whatever is unusual about one is uvicorn's to deal with."""
        body = message.get("body", b"")
        return (
            bool(body)
            and not message.get("more_body", False)
            and not self.flow.write_paused
            and not self.disconnected
            and self.scope["method"] != "HEAD"
            and head["status"] >= 200
            and (b"content-length", b"%d" % len(body)) in head["headers"]
            and not CONTROL.search(b"".join([value for _, value in head["headers"]]))
        )

    def _answer(self, head: Any, body: bytes) -> None:
        lines = map(b": ".join, (*self.default_headers, *head["headers"]))
        end = b"\r\n\r\n" if self.keep_alive else b"\r\nconnection: close\r\n\r\n"
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join((STATUS_LINE[head["status"]], b"\r\n".join(lines), end, body)))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


# Answers are of few kinds, and each has the same headers every time.
@lru_cache(maxsize=256)
def _are_usual(names: tuple[bytes, ...]) -> bool:
    """Say whether headers with these names tell the length of their answer, and nothing else of its end."""
    told = b"content-length" in names and FRAMING.isdisjoint(names)
    return told and not any(HEADER_RE.search(name) for name in names)


class Protocol(HttpToolsProtocol):
    """A connection. What is overridden here is what uvicorn does for every request."""

    _silent_since: float | None = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # Uvicorn makes cycles of its own class only.
        cycle.__class__ = Cycle
        super()._start_asgi_task(cycle, app)

    def _unset_keepalive_if_required(self) -> None:
        self._silent_since = None

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._silent_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_again(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        if self._silent_since is None or self.transport.is_closing():
            return
        left = self._silent_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._look_again(left)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()

    def _look_again(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)
