"""The application behind a real socket, in the test's own process and event loop, and a client that speaks to it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from api.protocol import Protocol

GRAPHQL_RESPONSE = "application/graphql-response+json"
LONGEST_SECONDS = 20


@dataclass
class Client:
    """A client of a server; `http` speaks to it as it likes."""

    address: str
    http: httpx.AsyncClient

    async def send(
        self,
        document: str | None = None,
        variables: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        accept: str | None = "application/json",
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """POST a document and return the whole answer; `token` is a credential with or without its scheme."""
        sent = {"query": document, "variables": variables, **more}
        body = {name: value for name, value in sent.items() if value is not None}
        return await self.http.post("/graphql", json=body, headers=_headers(token, accept) | (headers or {}))

    async def graphql(
        self,
        document: str | None = None,
        variables: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """POST a document and return the answer's JSON."""
        answer: dict[str, Any] = (await self.send(document, variables, token=token, **more)).json()
        return answer

    async def data(
        self, document: str, variables: dict[str, Any] | None = None, *, token: str | None = None
    ) -> dict[str, Any]:
        """POST a document that must succeed and return its data."""
        answer = await self.graphql(document, variables, token=token)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an application on a free port of this machine and give its address.

    Its lifespan is not run: what it opens, the tests have opened.
    """
    # Without its protocol's number, asyncio does not recognise the socket as TCP and every answer waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, lifespan="off", http=Protocol, ws="websockets-sansio", log_config=None, access_log=False
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server._serve([listener]))
        try:
            while not server.started:
                await asyncio.sleep(0.005)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await _ended(server, task)


async def _ended(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    """Wait until a server has ended; a request that never does fails the test instead of holding up the run."""
    _, late = await asyncio.wait([serving], timeout=LONGEST_SECONDS)
    left = [*server.server_state.tasks, *server.server_state.connections]
    server.force_exit = bool(late)
    await serving
    assert not late, f"these did not end with the server: {left}"


@asynccontextmanager
async def client_of(address: str) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=address, timeout=30) as http:
        yield Client(address, http)


def _headers(token: str | None, accept: str | None) -> dict[str, str]:
    headers = {"Accept": accept} if accept else {"Accept": ""}
    if token:
        headers["Authorization"] = token if " " in token else f"Bearer {token}"
    return headers


def codes(answer: dict[str, Any]) -> list[str]:
    """Return the codes of an answer's errors."""
    return [error["extensions"]["code"] for error in answer.get("errors", ())]
