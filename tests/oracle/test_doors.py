"""Over HTTP, from bytes to bytes, the answer is graphql-core's as well."""

from collections.abc import AsyncIterator

import orjson
import pytest
from httpx import ASGITransport, AsyncClient, Response

import api.graphql
from api.app import create_app
from domain.actors import Actor
from settings import settings
from tests.oracle.compare import REQUEST_ID, Case, SameMoment, answer
from tests.oracle.documents import draw
from tests.oracle.world import NOW, World

SEED, DOCUMENTS = 77, 100
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine .* was never awaited:RuntimeWarning"
)


@pytest.fixture
async def client(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncClient]:
    monkeypatch.setenv("REDIS_URL", redis_url)
    settings.cache_clear()
    async with AsyncClient(transport=ASGITransport(create_app()), base_url="http://127.0.0.1") as client:
        yield client
    monkeypatch.undo()
    settings.cache_clear()


async def sent(client: AsyncClient, case: Case, actor: Actor | None, monkeypatch: pytest.MonkeyPatch) -> Response:
    """Send a document as somebody who needs no token, at the tests' instant."""

    async def context_for(*_: object, **__: object) -> SameMoment:
        return SameMoment(identity=actor, now=NOW, request_id=REQUEST_ID, address="192.0.2.1")

    monkeypatch.setattr(api.graphql, "context_for", context_for)
    body = {"query": case.document, "variables": case.variables, "operationName": case.operation}
    return await client.post("/graphql", content=orjson.dumps(body), headers={"Content-Type": "application/json"})


async def test_the_bytes_of_an_answer_are_those_of_graphql_core(
    client: AsyncClient, actors: dict[str, Actor | None], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = 0
    for number in range(DOCUMENTS):
        case = draw(world, SEED, number).case
        oracle = await answer(case, actors[case.actor], engine=False)
        response = await sent(client, case, actors[case.actor], monkeypatch)
        body = orjson.loads(response.content)
        # What came is what orjson writes, with no space and no other number than it would write.
        assert orjson.dumps(body) == response.content
        assert orjson.dumps(body.get("data")) == oracle.data, case.document
        codes = [error["extensions"]["code"] for error in body.get("errors", [])]
        assert sorted(codes) == sorted(error.code for error in oracle.errors), case.document
        told += "data" in body and "errors" not in body
    assert told > DOCUMENTS // 2
