"""A client of graphql-transport-ws that says what it means to say, faulty frames included."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

SECONDS = 20.0
TRANSPORT, LEGACY = "graphql-transport-ws", "graphql-ws"

EVENTS = """
subscription ($pipeline: ID!, $filter: LiveLeadFilter, $after: String) {
  pipelineEvents(pipelineId: $pipeline, filter: $filter, after: $after) {
    __typename
    ... on LeadEvent { cursor eventId leadId clientMutationId }
    ... on SeenLeadEvent { lead { id title rank status version stage { id } } changes { field before after } }
    ... on ResyncRequired { reason }
  }
}
"""


class Socket:
    """A WebSocket and what came out of it."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: Any) -> None:
        """Send a message as JSON, or a text as it is."""
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(SECONDS):
            message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def initialise(self, credential: str | None = None, /, **params: Any) -> None:
        """Sign in, with `Bearer …` or without."""
        if credential:
            params["authorization"] = credential if " " in credential else f"Bearer {credential}"
        await self.send({"type": "connection_init", "payload": params})
        acknowledged = await self.receive()
        assert acknowledged == {"type": "connection_ack"}, acknowledged

    async def begin(self, key: str, document: str, *, kind: str = "subscribe", **variables: Any) -> None:
        """Begin an operation."""
        await self.send({"id": key, "type": kind, "payload": {"query": document, "variables": variables}})

    async def data(self, key: str = "1") -> Any:
        """Return the data of the next message, which belongs to this operation."""
        message = await self.receive()
        assert message.get("id") == key and message["type"] == "next", message
        assert "errors" not in message["payload"], message
        return message["payload"]["data"]

    async def event(self, key: str = "1") -> dict[str, Any]:
        """Return what the next live message of this operation says."""
        (told,) = (await self.data(key)).values()
        return dict(told)

    async def errors(self, key: str = "1") -> list[dict[str, Any]]:
        """Return why the operation was refused."""
        message = await self.receive()
        assert message.get("id") == key and message["type"] == "error", message
        return list(message["payload"])

    async def complete(self, key: str = "1") -> None:
        assert await self.receive() == {"id": key, "type": "complete"}

    async def closed(self) -> tuple[int | None, str]:
        """Return the code and reason with which the server closes, whatever it says before."""
        async with asyncio.timeout(SECONDS):
            try:
                while True:
                    await self.connection.recv()
            except ConnectionClosed:
                return self.connection.close_code, self.connection.close_reason or ""


@asynccontextmanager
async def socket_to(
    address: str, *subprotocols: str, headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[Socket]:
    """Open a WebSocket to a server's GraphQL."""
    url = address.replace("http", "ws", 1) + "/graphql"
    offered = [Subprotocol(name) for name in subprotocols or (TRANSPORT,)]
    async with connect(url, subprotocols=offered, additional_headers=headers, compression=None, **options) as made:
        yield Socket(made)
