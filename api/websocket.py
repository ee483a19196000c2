"""GraphQL over WebSocket: graphql-transport-ws, and graphql-ws as older clients speak it.

An event is executed once for all who ask the same of it and may see the same; what each of them is sent differs
only by the operation's id.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from graphql import (
    GraphQLError,
    OperationType,
)
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from api.answers import as_json, payload_of, subscribed
from api.identity import context_for
from api.persisted import Parameters, PersistedDocuments
from domain import sessions
from domain.errors import RateLimited, TokenExpired, Unauthenticated
from engine.documents import Refused
from schema.context import Context
from schema.errors import public
from schema.execution import Asked, Schema, ask, run, spend
from schema.live_cursors import read_cursor
from settings import Settings

TRANSPORT, LEGACY = "graphql-transport-ws", "graphql-ws"
MOST_OPERATIONS = 100
LONGEST_ID = 256

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, BAD_SUBPROTOCOL = 4400, 4401, 4403, 4406
INIT_TIMEOUT, DUPLICATE, TOO_MANY_INITS, TOO_BIG = 4408, 4409, 4429, 1009

log = structlog.get_logger(__name__)


class Close(Exception):
    """The connection has to be closed, with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Words:
    """What the messages of a subprotocol are called."""

    subscribe: str
    unsubscribe: str
    next: str
    alive: str


WORDS = {
    TRANSPORT: Words("subscribe", "complete", "next", '{"type":"ping"}'),
    LEGACY: Words("start", "stop", "data", '{"type":"ka"}'),
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds each thing may take."""

    initialisation: float = 10.0
    ping: float = 15.0
    send: float = 30.0
    resume: float = 60.0


class GraphQLSocket:
    """`/graphql` over WebSocket."""

    def __init__(
        self, schema: Schema, documents: PersistedDocuments, settings: Settings, patience: Patience | None = None
    ) -> None:
        self.schema = schema
        self.documents = documents
        self.settings = settings
        self.patience = patience or Patience()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a connection until either side closes it."""
        websocket = WebSocket(scope, receive, send)
        if not origin_allowed(websocket.headers, self.settings.cors_origins):
            await websocket.close()
            return
        chosen = next((name for name in scope.get("subprotocols", []) if name in WORDS), None)
        await websocket.accept(subprotocol=chosen)
        if chosen is None:
            await websocket.close(BAD_SUBPROTOCOL, "Subprotocol not acceptable")
            return
        await Connection(self, websocket, chosen).serve()


def origin_allowed(headers: Headers, cors_origins: str) -> bool:
    """Say whether a page of this origin may connect: one of ours or one that CORS_ORIGINS names; programs have none."""
    origin = headers.get("origin")
    if origin is None or urlsplit(origin).netloc == headers.get("host"):
        return True
    allowed = {one.strip().rstrip("/") for one in cors_origins.split(",")}
    return "*" in allowed or origin.rstrip("/") in allowed


class Connection:
    """One client, and the operations that it has running, each in a task of its own."""

    def __init__(self, socket: GraphQLSocket, websocket: WebSocket, subprotocol: str) -> None:
        self._schema = socket.schema
        self._documents = socket.documents
        self._settings = socket.settings
        self._patience = socket.patience
        self._websocket = websocket
        self._words = WORDS[subprotocol]
        self._legacy = subprotocol == LEGACY
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._credential: str | None = None
        self._params: dict[str, Any] | None = None
        self._initialised = False
        self._acknowledged_at: float | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._sending = 0
        self._sent_at = 0.0

    async def serve(self) -> None:
        """Take messages until the connection is closed; then end whatever still runs."""
        self._receiver = asyncio.create_task(self._receive())
        keeper = asyncio.create_task(self._keep_alive())
        try:
            await asyncio.wait({self._receiver})
        finally:
            tasks = [self._receiver, keeper, *self._operations.values(), *self._ending]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _receive(self) -> None:
        try:
            async with asyncio.timeout(self._patience.initialisation) as patience:
                while True:
                    message = await self._websocket.receive()
                    if message["type"] == "websocket.disconnect":
                        return
                    await self._take(_read(message, most=self._settings.max_body_bytes))
                    if self._acknowledged_at is not None:
                        patience.reschedule(None)
        except Close as close:
            await self._close(close.code, close.reason)
        except TimeoutError:
            await self._close(INIT_TIMEOUT, "Connection initialisation timeout")
        except Exception:
            log.exception("a WebSocket failed")
            await self._close(1011, "Internal error")

    async def _take(self, message: dict[str, Any]) -> None:
        kind, words = message["type"], self._words
        if kind == "connection_init":
            await self._initialise(message.get("payload"))
        elif kind == words.subscribe:
            self._begin(_id(message), _asked(message.get("payload")))
        elif kind == words.unsubscribe:
            self._end(_id(message))
        elif kind == "ping" and not self._legacy:
            await self._pong(message.get("payload"))
        elif kind == "connection_terminate" and self._legacy:
            raise Close(1000, "")
        elif kind != "pong" or self._legacy:
            raise Close(BAD_REQUEST, "Invalid message: unknown type")

    async def _initialise(self, params: Any) -> None:
        if self._initialised:
            raise Close(TOO_MANY_INITS, "Too many initialisation requests")
        self._initialised = True
        if params is not None and not isinstance(params, dict):
            raise Close(BAD_REQUEST, "Invalid message: payload must be an object")
        self._params = params
        _check_cursor((params or {}).get("resumeAfter"))
        self._credential = _credential(params or {}, self._websocket.headers)
        context = await self._context()
        if context.refused is not None:
            if self._legacy:
                await self._send({"type": "connection_error", "payload": {"message": str(context.refused)}})
            raise _ended(context.refused)
        self._acknowledged_at = asyncio.get_running_loop().time()
        await self._send({"type": "connection_ack"})

    async def _pong(self, payload: Any) -> None:
        await self._send({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})

    def _begin(self, key: str, asked: Parameters) -> None:
        if self._acknowledged_at is None:
            raise Close(UNAUTHORIZED, "Unauthorized")
        if key in self._operations:
            if not self._legacy:
                raise Close(DUPLICATE, f"Subscriber for {key[:80]} already exists")
            self._end(key)
        work = self._operate(key, asked) if len(self._operations) < MOST_OPERATIONS else self._refuse_another(key)
        self._operations[key] = asyncio.create_task(work)

    def _end(self, key: str) -> None:
        task = self._operations.pop(key, None)
        if task:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _refuse_another(self, key: str) -> None:
        message = f"A connection has at most {MOST_OPERATIONS} operations at once."
        await self._fail(key, [GraphQLError(message, extensions={"code": "RATE_LIMITED"})])
        self._operations.pop(key, None)

    async def _operate(self, key: str, asked: Parameters) -> None:
        try:
            context = await self._context()
            if context.refused is not None:
                raise _ended(context.refused)
            if await self._run(key, asked, context):
                await self._send({"id": key, "type": "complete"})
        except Close as close:
            await self._close(close.code, close.reason)
        except WebSocketDisconnect:
            pass
        except Exception as error:
            told = public(GraphQLError("", original_error=error, path=[]), request_id=self._request_id)
            with suppress(WebSocketDisconnect):
                await self._fail(key, [told])
        finally:
            if self._operations.get(key) is asyncio.current_task():
                del self._operations[key]

    async def _run(self, key: str, given: Parameters, context: Context) -> bool:
        """Run an operation; say whether it came to an end of its own, rather than being refused."""
        try:
            asked = ask(
                self._schema, await self._documents.text_of(given), given.operation_name, given.variables, context
            )
        except GraphQLError as error:
            await self._fail(key, [error])
            return False
        except Refused as refused:
            await self._fail(key, [public(error, request_id=context.request_id) for error in refused.errors])
            return False
        await self._documents.remember(given)
        if asked.operation.type is OperationType.SUBSCRIPTION:
            return await self._subscribe(key, asked, context)
        answer = await run(asked, context)
        if answer.refused:
            await self._fail(key, answer.errors)
            return False
        await self._next(key, payload_of(answer.data, answer.errors, answer.extensions))
        return True

    async def _subscribe(self, key: str, asked: Asked, context: Context) -> bool:
        try:
            await spend(context, asked.cost)
        except RateLimited as error:
            told = GraphQLError(error.message, original_error=error)
            await self._fail(key, [public(told, request_id=context.request_id)])
            return False
        payloads = await subscribed(asked, context)
        if isinstance(payloads, list):
            await self._fail(key, payloads)
            return False
        try:
            async with aclosing(payloads):
                async for payload in payloads:
                    await self._next(key, payload)
        except Unauthenticated as error:
            raise _ended(error) from error
        return True

    @property
    def _request_id(self) -> str:
        return str(self._websocket.scope.get("state", {}).get("request_id", ""))

    async def _context(self) -> Context:
        """Return a context for one operation, with whoever asks as they are now."""
        context = await context_for(self._websocket.scope, credential=self._credential, connection_params=self._params)
        if self._acknowledged_at is not None:
            elapsed = asyncio.get_running_loop().time() - self._acknowledged_at
            # Clients send their old subscriptions again at once; what comes later begins anew.
            context.resume_after = context.resume_after if elapsed < self._patience.resume else None
        return context

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._patience.ping)
            if self._sending and asyncio.get_running_loop().time() - self._sent_at > self._patience.send:
                return self._give_up()
            if self._acknowledged_at is None or self._sending:
                continue
            try:
                # Keys and links have no dot, and end by what is looked up of them.
                if self._credential is not None and "." in self._credential:
                    sessions.read_access_token(self._credential, now=datetime.now(UTC))
                await self._send(self._words.alive)
            except Unauthenticated as error:
                ended = _ended(error)
                await self._close(ended.code, ended.reason)
            except WebSocketDisconnect:
                return None

    async def _next(self, key: str, payload: str) -> None:
        await self._send(f'{{"id":{_quoted(key)},"type":"{self._words.next}","payload":{payload}}}')

    async def _fail(self, key: str, errors: list[GraphQLError]) -> None:
        told: Any = [error.formatted for error in errors]
        await self._send({"id": key, "type": "error", "payload": told[0] if self._legacy and told else told})

    async def _send(self, message: Mapping[str, Any] | str) -> None:
        """Send a message. A client that does not read holds it back, and after a while is given up."""
        text = message if isinstance(message, str) else as_json(message)
        clock = asyncio.get_running_loop().time
        if not self._sending:
            self._sent_at = clock()
        self._sending += 1
        try:
            await self._websocket.send({"type": "websocket.send", "text": text})
        except RuntimeError as error:
            # It was closed meanwhile.
            raise WebSocketDisconnect(1006) from error
        finally:
            self._sending -= 1
            self._sent_at = clock()

    async def _close(self, code: int, reason: str) -> None:
        if self._websocket.application_state is not WebSocketState.CONNECTED:
            return
        with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
            # Before a client that does not read, even this waits.
            async with asyncio.timeout(self._patience.send):
                await self._websocket.close(code, reason)
        self._give_up()

    def _give_up(self) -> None:
        if self._receiver:
            self._receiver.cancel()


def _read(message: Mapping[str, Any], *, most: int) -> dict[str, Any]:
    text = message.get("text")
    if text is None:
        raise Close(BAD_REQUEST, "Invalid message: send text")
    if len(text) > most:
        raise Close(TOO_BIG, "Message too big")
    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise Close(BAD_REQUEST, "Invalid message: no JSON object with a type")
    return found


def _id(message: Mapping[str, Any]) -> str:
    key = message.get("id")
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_ID:
        raise Close(BAD_REQUEST, "Invalid message: id must be a short text")
    return key


def _asked(payload: Any) -> Parameters:
    try:
        asked = Parameters.of(payload)
        named = asked.document_id or asked.sha256
    except GraphQLError as error:
        raise Close(BAD_REQUEST, f"Invalid message: {error.message}"[:120]) from error
    if asked.query is None and not named:
        raise Close(BAD_REQUEST, "Invalid message: payload has no query")
    return asked


def _check_cursor(value: Any) -> None:
    try:
        if value is not None:
            read_cursor(value)
    except (ValueError, AttributeError) as error:
        raise Close(BAD_REQUEST, "Invalid message: resumeAfter is no cursor") from error


def _credential(params: Mapping[str, Any], headers: Headers) -> str | None:
    """Return the access token or API key that came along; one that has another form is none that is accepted."""
    given = next((value for name, value in params.items() if name.lower() == "authorization"), None)
    if given is None and params.get("token") is not None:
        given = f"Bearer {params['token']}"
    if given is None:
        given = headers.get("authorization")
    if given is None:
        return None
    scheme, _, credential = str(given).partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


def _ended(error: Exception) -> Close:
    return Close(FORBIDDEN, "token-expired" if isinstance(error, TokenExpired) else "Forbidden")


@lru_cache(maxsize=4096)
def _quoted(key: str) -> str:
    return as_json(key)
