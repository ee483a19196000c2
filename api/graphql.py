"""GraphQL over HTTP: bytes in, bytes out, and JSON for everything that can be wrong with a request."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from graphql import GraphQLError, OperationType
from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api import media, pages
from api.answers import subscribed
from api.identity import context_for
from api.persisted import Parameters, PersistedDocuments
from api.refusals import GRAPHQL_RESPONSE, JSON, Refusal, coded, json_response
from api.requests import Headers, body_of, headers_of
from api.streams import EVENT_STREAM, MULTIPART, STREAMS, once, streamed
from domain.errors import RateLimited
from engine.documents import Refused
from engine.executor import written
from schema import execution
from schema.context import Context
from schema.errors import public
from schema.execution import Schema
from settings import Settings

OFFERS = (JSON, GRAPHQL_RESPONSE, *STREAMS)
BY_GET = frozenset({OperationType.QUERY})
BY_POST = frozenset({OperationType.QUERY, OperationType.MUTATION})
HTML = "text/html"
VARY = b"vary", b"Accept, Authorization"

STATUSES = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "CONFLICT": 409,
    "IDEMPOTENCY_MISMATCH": 422,
    "RATE_LIMITED": 429,
    "INTERNAL": 500,
    "TIMEOUT": 504,
}
# Told by the status to clients of application/json, too, which otherwise expect 200.
LOUD = frozenset({429, 500, 504})


class Answer(NamedTuple):
    """What an operation came to; `request_error` where it was not even begun."""

    body: dict[str, Any]
    request_error: bool = False

    @classmethod
    def refusing(cls, error: GraphQLError) -> "Answer":
        return cls({"errors": [error.formatted]}, request_error=True)

    @classmethod
    def of(cls, told: execution.Answer) -> "Answer":
        body: dict[str, Any] = {} if told.refused else {"data": told.data}
        if told.errors:
            body["errors"] = [error.formatted for error in told.errors]
        if told.extensions:
            body["extensions"] = told.extensions
        return cls(body, request_error=told.refused)

    def status(self, media_type: str) -> int:
        if not self.request_error:
            return 200
        codes = [(error.get("extensions") or {}).get("code") for error in self.body["errors"]]
        status = max((STATUSES.get(str(code), 400) for code in codes), default=400)
        return status if media_type == GRAPHQL_RESPONSE or status in LOUD else 200


class GraphQLEndpoint:
    """`/graphql` over HTTP, as the GraphQL-over-HTTP draft says; browsers are shown GraphiQL."""

    def __init__(self, schema: Schema, documents: PersistedDocuments, settings: Settings) -> None:
        self._schema = schema
        self._documents = documents
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, headers, chosen = scope["method"], headers_of(scope), JSON
        accept = headers.get(b"accept", b"")
        try:
            if method == "POST":
                chosen = _negotiated(accept)
                response = await self._answered(await self._from_body(headers, receive), scope, chosen, BY_POST)
            elif method != "GET":
                raise Refusal(405, "Send GET or POST.", Allow="GET, POST")
            elif self._wants_page(scope, accept):
                response = pages.graphiql_page()
            else:
                chosen = _negotiated(accept)
                response = await self._answered(_from_query_string(scope), scope, chosen, BY_GET)
        except Refusal as refusal:
            response = refusal.response(chosen)
        response.raw_headers.append(VARY)
        await response(scope, receive, send)

    async def _answered(self, given: Any, scope: Scope, media_type: str, allowed: frozenset[OperationType]) -> Response:
        context = await context_for(scope)
        if media_type in STREAMS:
            if (stream := await self._stream(given, context, media_type)) is not None:
                return stream
            media_type = JSON if media_type == MULTIPART else media_type
        if isinstance(given, list):
            return json_response(written(await self._batch(given, context)), media_type=JSON)
        answer = await self._one(given, context, allowed)
        response = self._response(answer, media_type)
        if context.way:
            scope["state"]["engine"] = context.way
            if self._settings.allows_introspection:
                response.headers["X-Salescycle-Engine"] = context.way
        return response

    def _response(self, answer: Answer, media_type: str) -> Response:
        if media_type == EVENT_STREAM and answer.request_error:
            return json_response(written(answer.body), answer.status(GRAPHQL_RESPONSE))
        if media_type == EVENT_STREAM:
            return streamed(once(written(answer.body)), media_type)
        status = answer.status(media_type)
        return json_response(written(answer.body), status, media_type=media_type, headers=_headers(answer))

    async def _stream(self, given: Any, context: Context, media_type: str) -> Response | None:
        """Return the stream of a subscription; None for anything else, which is answered as always."""
        try:
            asked = await self._asked(given, context)
            if asked.operation.type is not OperationType.SUBSCRIPTION:
                return None
        except Refused:
            return None
        try:
            await execution.spend(context, asked.cost)
        except RateLimited as error:
            told = GraphQLError(error.message, original_error=error)
            return self._response(Answer.refusing(public(told, request_id=context.request_id)), media_type)
        payloads = await subscribed(asked, context)
        if isinstance(payloads, list):
            answer = Answer.of(execution.Answer(errors=payloads, refused=all(error.path is None for error in payloads)))
            return self._response(answer, EVENT_STREAM if media_type == EVENT_STREAM else JSON)
        return streamed(_encoded(payloads), media_type)

    async def _asked(self, given: Any, context: Context) -> execution.Asked:
        """Return an operation ready to run; raises Refused."""
        try:
            parameters = Parameters.of(given)
            text = await self._documents.text_of(parameters)
        except GraphQLError as error:
            raise Refused([error]) from error
        asked = execution.ask(self._schema, text, parameters.operation_name, parameters.variables, context)
        await self._documents.remember(parameters)
        return asked

    async def _one(self, given: Any, context: Context, allowed: frozenset[OperationType]) -> Answer:
        try:
            asked = await self._asked(given, context)
        except Refused as refused:
            errors = [public(error, request_id=context.request_id) for error in refused.errors]
            return Answer({"errors": [error.formatted for error in errors]}, request_error=True)
        if asked.operation.type not in allowed:
            return _not_here(asked.operation.type)
        return Answer.of(await execution.run(asked, context))

    async def _batch(self, given: list[Any], context: Context) -> list[dict[str, Any]]:
        if not 0 < len(given) <= self._settings.max_batch:
            raise Refusal(400, f"A batch has 1 to {self._settings.max_batch} operations, not {len(given)}.")
        if context.idempotency_key is not None and len(given) > 1:
            raise Refusal(400, "A batch has no idempotency key of its own: put an idempotencyKey into each input.")
        if error := execution.too_costly(await self._summed(given, context), self._settings):
            return [Answer.refusing(error).body for _ in given]
        return [(await self._one(one, context, BY_POST)).body for one in given]

    async def _summed(self, given: list[Any], context: Context) -> int:
        """Return what a batch costs; what will be refused anyway costs nothing."""
        total = 0
        for one in given:
            with suppress(Refused):
                total += (await self._asked(one, context)).cost
        return total

    def _wants_page(self, scope: Scope, accept: bytes) -> bool:
        if scope["query_string"] or not self._settings.allows_introspection:
            return False
        return media.accepted(accept.decode("latin-1"), (JSON, HTML), default=JSON) == HTML

    async def _from_body(self, headers: Headers, receive: Receive) -> Any:
        """Return what the body says; a form, which other sites can send, is refused."""
        if not _is_json(headers.get(b"content-type", b"")):
            raise Refusal(415, f"Send the body as {JSON} in UTF-8.", Accept_Post=JSON)
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refusal(415, "Send the body without a content encoding.", Accept_Encoding="identity")
        body = await body_of(headers, receive, most=self._settings.max_body_bytes)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Refusal(400, f"The body is no JSON: {error}.") from error


async def _encoded(payloads: AsyncGenerator[str, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(payloads):
        async for payload in payloads:
            yield payload.encode()


# Clients are of few kinds, and each says the same of itself every time.
@lru_cache(maxsize=256)
def _negotiated(accept: bytes) -> str:
    """Return the media type of the answer; raises Refusal where none that we speak is accepted."""
    chosen = media.accepted(accept.decode("latin-1"), OFFERS, default=JSON)
    if chosen is None:
        raise Refusal(406, f"Accept one of {', '.join(OFFERS)}.")
    return chosen


@lru_cache(maxsize=256)
def _is_json(content_type: bytes) -> bool:
    kind, parameters = media.parsed(content_type.decode("latin-1"))
    return kind == JSON and parameters.get("charset", "utf-8").lower() in ("utf-8", "utf8")


def _from_query_string(scope: Scope) -> dict[str, Any]:
    given: dict[str, Any] = dict(QueryParams(scope["query_string"]))
    for name in ("variables", "extensions"):
        if given.get(name):
            try:
                given[name] = orjson.loads(given[name])
            except orjson.JSONDecodeError as error:
                raise Refusal(400, f"{name} is no JSON: {error}.") from error
        else:
            given.pop(name, None)
    return given


def _not_here(operation: OperationType) -> Answer:
    if operation is OperationType.MUTATION:
        raise Refusal(405, "Mutations are sent by POST.", Allow="POST")
    message = f"A subscription needs a WebSocket, or a client that accepts {EVENT_STREAM}."
    return Answer.refusing(coded(message, "BAD_USER_INPUT"))


def _headers(answer: Answer) -> dict[str, str]:
    """Return what the answer says of the client's budget as headers, for those who do not read it."""
    headers = {}
    if throttle := answer.body.get("extensions", {}).get("cost", {}).get("throttle"):
        most, rate = throttle["maximum"], throttle["restoreRate"]
        headers["RateLimit-Policy"] = f'"cost";q={most};w={max(1, most // rate)}'
        headers["RateLimit"] = f'"cost";r={throttle["available"]};t={(most - throttle["available"]) // rate}'
    for error in answer.body.get("errors", ()):
        seconds = (error.get("extensions") or {}).get("retryAfter")
        if seconds is not None:
            headers["Retry-After"] = str(seconds)
    return headers
