"""The ASGI application: what is opened with it, which door is where, and what every request has in common."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from secrets import token_hex

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters import redis
from adapters.log import request_id as current_request
from api import (
    account_pages,
    calendars,
    contract_pages,
    documents,
    exports,
    negotiation_pages,
    pages,
    payments,
    proposal_pages,
    survey_pages,
    unsubscribe_pages,
    uploads,
)
from api.graphql import GraphQLEndpoint
from api.limits import Budgets
from api.live import Hub
from api.persisted import PersistedDocuments
from api.refusals import coded, errors_response
from api.requests import headers_of
from api.typesetting import Trials
from api.websocket import GraphQLSocket
from models import database
from schema.execution import Schema
from schema.schema import graphql_schema
from settings import Settings, settings

GRAPHQL = "/graphql"
REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
HSTS = b"strict-transport-security", b"max-age=31536000; includeSubDomains"
CODES = {404: "NOT_FOUND", 405: "BAD_USER_INPUT"}
# Ours, and what clients, gateways and tracing in browsers send along by themselves.
ALLOWED_HEADERS = (
    *("Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"),
    *("X-Apollo-Operation-Name", "X-Apollo-Operation-Id", "X-Apollo-Operation-Type", "Apollo-Require-Preflight"),
    *("ApolloGraphQL-Client-Name", "ApolloGraphQL-Client-Version", "GraphQL-Client-Name", "GraphQL-Client-Version"),
    *("GraphQL-Preflight", "X-GraphQL-Yoga-CSRF", "X-Requested-With", "Cache-Control", "Last-Event-ID"),
    *("Range", "If-Range", "If-None-Match"),
    *("Traceparent", "Tracestate", "Baggage", "Sentry-Trace"),
)
EXPOSED_HEADERS = (
    *("X-Request-Id", "X-Salescycle-Engine", "Retry-After", "RateLimit", "RateLimit-Policy"),
    *("Content-Disposition", "Content-Range", "Accept-Ranges", "ETag"),
)

log = structlog.get_logger("api")


def create_app(chosen: Settings | None = None, schema: Schema = graphql_schema) -> Starlette:
    """Return the application; it opens its connections when it is started."""
    chosen = chosen or settings()
    client = redis.connect(chosen.redis_url)
    documents = PersistedDocuments(client, chosen)
    hub = Hub(client)
    trials = Trials()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await database.open_database(chosen.database_url, pool_size=chosen.database_pool_size)
        try:
            listening = asyncio.create_task(hub.run())
            try:
                yield
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
        finally:
            await trials.close()
            await client.aclose()
            await database.close_database()

    graphql = GraphQLEndpoint(schema, documents, chosen)
    app = Starlette(routes=_routes(graphql, GraphQLSocket(schema, documents, chosen)), lifespan=lifespan)
    app.middleware_stack = _stack(graphql, app.router, chosen)
    app.state.redis, app.state.live, app.state.documents = client, hub, documents
    app.state.budget = Budgets(client, chosen)
    app.state.trials = trials
    return app


def _routes(graphql: ASGIApp, socket: ASGIApp) -> list[BaseRoute]:
    return [
        Route(GRAPHQL, graphql),
        WebSocketRoute(GRAPHQL, socket),
        Route("/graphiql", pages.graphiql),
        Route("/graphiql/{name}", pages.graphiql_part),
        Route("/accept-invitation", account_pages.accept_invitation, methods=["GET", "POST"]),
        Route("/reset-password", account_pages.reset_password, methods=["GET", "POST"]),
        Route("/calendar/{token}.ics", calendars.feed, methods=["GET"]),
        Route("/unsubscribe/{token}", unsubscribe_pages.unsubscribe, methods=["GET", "POST"]),
        Route("/unsubscribe/{token}/undo", unsubscribe_pages.resubscribe, methods=["POST"]),
        Route("/s/{token}", survey_pages.survey, methods=["GET", "POST"]),
        Route("/payments/{provider_id}", payments.take, methods=["POST"]),
        Route("/p/{token}", proposal_pages.proposal, methods=["GET", "POST"]),
        Route("/p/{token}/contract", contract_pages.contract, methods=["GET", "POST"]),
        Route("/p/{token}/negotiation", negotiation_pages.negotiation, methods=["GET", "POST"]),
        Route("/p/{token}/logo", proposal_pages.logo, methods=["GET"]),
        Route("/p/{token}/pdf", proposal_pages.pdf, methods=["GET"]),
        Route("/p/preview/{token}", proposal_pages.preview, methods=["GET"]),
        Route("/p/preview/{token}/logo", proposal_pages.preview_logo, methods=["GET"]),
        Route("/p/preview/{token}/pdf", proposal_pages.preview_pdf, methods=["GET"]),
        Route("/export/scores.csv", exports.scores, methods=["GET"]),
        Route("/healthz", pages.healthz),
        Route("/readyz", pages.readyz),
        Route("/uploads/{token}", uploads.put, methods=["PUT"]),
        Route("/files/{token}", uploads.get, methods=["GET"]),
        Route("/avatars/{token}", uploads.avatar, methods=["GET"]),
        Route("/documents/{kind}/{token}", documents.get, methods=["GET"]),
    ]


def _stack(graphql: ASGIApp, router: ASGIApp, chosen: Settings) -> ASGIApp:
    """Return what a request goes through; it takes the place of Starlette's own stack, which masks errors as text."""
    app: ASGIApp = Shortcut(graphql, ExceptionMiddleware(router, handlers={HTTPException: _refused}))
    origins = [origin.strip().rstrip("/") for origin in chosen.cors_origins.split(",") if origin.strip()]
    if origins:
        app = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT"],
            allow_headers=ALLOWED_HEADERS,
            expose_headers=EXPOSED_HEADERS,
            max_age=86_400,
        )
    return Common(app, secure=chosen.public_url.startswith("https:"))


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = coded(error.detail, CODES.get(error.status_code, "BAD_USER_INPUT"))
    return errors_response([told], error.status_code, headers=error.headers)


class Shortcut:
    """The way past the router to GraphQL over HTTP, which is what nearly every request is for."""

    def __init__(self, graphql: ASGIApp, others: ASGIApp) -> None:
        self._graphql = graphql
        self._others = others

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        short = scope["type"] == "http" and scope["path"] == scope.get("root_path", "") + GRAPHQL
        return (self._graphql if short else self._others)(scope, receive, send)


class Common:
    """What every request has: an id, headers that browsers heed, a line in the log, and an end in JSON."""

    def __init__(self, app: ASGIApp, *, secure: bool) -> None:
        self.app = app
        self.headers = [*SECURITY, HSTS] if secure else SECURITY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        given = headers_of(scope).get(b"x-request-id")
        request_id = given.decode() if given and REQUEST_ID.fullmatch(given) else token_hex(16)
        scope.setdefault("state", {})["request_id"] = request_id
        before = current_request.set(request_id)
        try:
            if scope["type"] == "http":
                await self._http(scope, receive, send, request_id)
            else:
                await self.app(scope, receive, send)
        finally:
            current_request.reset(before)

    async def _http(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        begun, status = time.perf_counter(), 0

        def send_with_headers(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message.get("headers", ())
                names = [name for name, _ in given]
                common = [header for header in self.headers if header[0] not in names]
                message["headers"] = [*given, *common, (b"x-request-id", request_id.encode())]
            return send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = status or 499
        except Exception:
            log.exception("request failed")
            if status:
                raise
            told = coded(f"Something went wrong on our side; report {request_id}.", "INTERNAL", requestId=request_id)
            await errors_response([told], 500)(scope, receive, send_with_headers)
        finally:
            took = round((time.perf_counter() - begun) * 1000, 1)
            way = {"engine": engine} if (engine := scope["state"].get("engine")) else {}
            log.info("request", method=scope["method"], path=_path(scope), status=status, ms=took, **way)


def _path(scope: Scope) -> str:
    """Return the path without the token that some bear."""
    path: str = scope["path"]
    return f"/{path.split('/')[1]}/…" if path.count("/") > 1 else path
