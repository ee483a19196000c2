"""GraphQL over HTTP as a client sends it, through the whole application, without a socket."""

from typing import Any
from uuid import UUID

from httpx import ASGITransport, AsyncClient

from api.app import create_app
from domain.actors import Actor
from schema import ids
from settings import settings
from tests.factories import bearer


async def answer(actor: Actor | None, document: str, **variables: Any) -> dict[str, Any]:
    """Send a document as a member and return the whole answer."""
    headers = {"Authorization": await bearer(actor)} if actor else {}
    # Each application leases points that nobody gives back when it is gone: many requests would run out of them.
    app = create_app(settings().model_copy(update={"budget": 0}))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1") as client:
        body = {"query": document, "variables": variables}
        response = await client.post("/graphql", json=body, headers=headers)
        return response.json()  # type: ignore[no-any-return]


async def ask(actor: Actor | None, document: str, **variables: Any) -> dict[str, Any]:
    """Send a document as a member and return its data; there must be no errors."""
    told = await answer(actor, document, **variables)
    assert "errors" not in told, told["errors"]
    return told["data"]  # type: ignore[no-any-return]


async def codes(actor: Actor | None, document: str, **variables: Any) -> list[str]:
    """Send a document as a member and return the codes of its errors."""
    told = await answer(actor, document, **variables)
    return [error["extensions"]["code"] for error in told.get("errors", [])]


def gid(noun: str, key: UUID) -> str:
    """Return a global id."""
    return str(ids.encode(noun, key))
