"""HTTP's last mile: byte for byte what uvicorn writes, in one piece, on connections that end when they are silent."""

import asyncio
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from api.protocol import Protocol

SIZED = [(b"content-type", b"application/json"), (b"content-length", b"5")]
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"


class Wire(asyncio.Transport):
    """What a server writes, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def app_of(*messages: dict[str, Any], fails: bool = False) -> ASGIApp:
    """Return an application that sends these messages for every request."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for message in messages:
            await send(dict(message))
        if fails:
            raise RuntimeError("a fault of ours")

    return app


def start(headers: list[tuple[bytes, bytes]], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


def connected(kind: type[HttpToolsProtocol], app: ASGIApp, *, keep_alive: float = 5) -> tuple[Any, Wire]:
    config = Config(app, lifespan="off", log_config=None, timeout_keep_alive=keep_alive)  # type: ignore[arg-type]
    config.load()
    protocol, wire = kind(config, ServerState(), {}), Wire()
    protocol.server_state.default_headers = [(b"date", b"today")]
    protocol.connection_made(wire)
    return protocol, wire


async def said(kind: type[HttpToolsProtocol], app: ASGIApp, request: bytes) -> Wire:
    protocol, wire = connected(kind, app)
    protocol.data_received(request)
    while protocol.tasks:
        await asyncio.gather(*protocol.tasks, return_exceptions=True)
    await asyncio.sleep(0)
    protocol.connection_lost(None)
    return wire


USUAL = app_of(start(SIZED), body(b"hello"))
ODD = [
    app_of(start(SIZED, 404), body(b"hello")),
    app_of(start([]), body(b"hello")),
    app_of(start([]), body(b"he", more=True), body(b"llo")),
    app_of(start(SIZED), body(b"he", more=True), body(b"llo")),
    app_of(start(SIZED), body(b"too long")),
    app_of(start(SIZED), body(b"shrt")),
    app_of(start([(b"content-length", b"0")], 204), body(b"")),
    app_of(start([*SIZED, (b"connection", b"close")]), body(b"hello")),
    app_of(start([*SIZED, (b"x-evil", b"a\r\nset-cookie: b")]), body(b"hello")),
    app_of(start([*SIZED, (b"x evil", b"a")]), body(b"hello")),
    app_of(start(SIZED), body(b"hello"), body(b"again")),
    app_of(body(b"hello")),
    app_of(fails=True),
    app_of(),
]
REQUESTS = {
    "kept alive": GET,
    "closed": b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n",
    "old": b"GET / HTTP/1.0\r\n\r\n",
    "head": GET.replace(b"GET", b"HEAD"),
    "posted": b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\nhi",
    "expecting": b"POST / HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    "two at once": GET + GET,
    "none": b"nonsense\r\n\r\n",
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("app", [USUAL, *ODD])
async def test_it_writes_what_uvicorn_writes(app: ASGIApp, request_: bytes) -> None:
    ours, theirs = [await said(kind, app, request_) for kind in (Protocol, HttpToolsProtocol)]
    assert b"".join(ours.pieces).lower() == b"".join(theirs.pieces).lower()
    assert ours.closed == theirs.closed


async def test_an_answer_leaves_in_one_piece() -> None:
    assert len((await said(Protocol, USUAL, GET)).pieces) == 1
    assert len((await said(HttpToolsProtocol, USUAL, GET)).pieces) == 2
    assert len((await said(Protocol, USUAL, GET + GET)).pieces) == 2


async def test_who_fails_before_the_body_says_so() -> None:
    wire = await said(Protocol, app_of(start(SIZED), fails=True), GET)
    assert b"".join(wire.pieces).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")


async def test_what_has_no_length_is_begun_before_anything_of_it_is_there() -> None:
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start([(b"content-type", b"text/event-stream")]))
        begun.set()
        await asyncio.Event().wait()

    protocol, wire = connected(Protocol, app)
    protocol.data_received(GET)
    await begun.wait()
    assert b"".join(wire.pieces).startswith(b"HTTP/1.1 200 OK\r\n")
    for task in protocol.tasks:
        task.cancel()
    await asyncio.gather(*protocol.tasks, return_exceptions=True)


class Clock:
    """A loop whose time the test makes pass."""

    def __init__(self) -> None:
        self._loop, self._now, self._due = asyncio.get_running_loop(), 0.0, list[tuple[float, Any]]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def time(self) -> float:
        return self._now

    def call_later(self, seconds: float, call: Any) -> asyncio.Handle:
        self._due.append((self._now + seconds, call))
        return self._loop.call_soon(lambda: None)

    def let_pass(self, seconds: float) -> None:
        until = self._now + seconds
        while due := sorted((at, index) for index, (at, _) in enumerate(self._due) if at <= until):
            self._now, call = self._due.pop(due[0][1])
            call()
        self._now = until


async def test_a_connection_is_closed_once_it_was_silent_for_as_long_as_is_allowed() -> None:
    protocol, wire = connected(Protocol, USUAL, keep_alive=5)
    protocol.loop = clock = Clock()
    for _ in range(4):
        protocol.data_received(GET)
        await asyncio.gather(*protocol.tasks)
        clock.let_pass(3)
        assert not wire.closed
    clock.let_pass(1.9)
    assert not wire.closed
    clock.let_pass(0.2)
    assert wire.closed and len(wire.pieces) == 4


async def test_a_connection_is_not_silent_while_its_answer_is_awaited() -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await go.wait()
        await USUAL(scope, receive, send)

    protocol, wire = connected(Protocol, app, keep_alive=5)
    protocol.loop = clock = Clock()
    protocol.data_received(GET)
    await asyncio.gather(*protocol.tasks)
    clock.let_pass(1)
    protocol.data_received(GET.replace(b"/ ", b"/slow "))
    clock.let_pass(60)
    assert not wire.closed and len(wire.pieces) == 1
    go.set()
    await asyncio.gather(*protocol.tasks)
    clock.let_pass(4.9)
    assert not wire.closed and len(wire.pieces) == 2
    clock.let_pass(0.2)
    assert wire.closed


async def test_a_server_that_ends_says_so_and_closes() -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go.wait()
        await USUAL(scope, receive, send)

    protocol, wire = connected(Protocol, app)
    protocol.data_received(GET)
    await asyncio.sleep(0)
    protocol.shutdown()
    assert not wire.closed
    go.set()
    await asyncio.gather(*protocol.tasks)
    assert wire.closed and b"connection: close\r\n" in wire.pieces[0]
