"""Which way an operation went, as developers are told."""

import pytest
from httpx import ASGITransport, AsyncClient, Response

from api.app import create_app
from engine.plans import went
from settings import Settings, settings
from tests import factories


async def sent(document: str, *, chosen: Settings | None = None) -> Response:
    headers = {"Authorization": await factories.bearer(await factories.member())}
    app = create_app(chosen or settings())
    async with AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1") as client:
        return await client.post("/graphql", json={"query": document}, headers=headers)


@pytest.mark.parametrize(
    ("document", "way"),
    [
        ("{ leads { nodes { id } } }", "plan"),
        ("{ __schema { queryType { name } } }", "graphql-core; introspection"),
        ('{ leads(after: "nonsense") { nodes { id } } }', "graphql-core; BadCursor"),
        (
            'mutation { createTeam(input: {name: "Sales", clientMutationId: "x"}) { team { name parent { id } } } }',
            "plan",
        ),
    ],
)
async def test_a_developer_is_told_which_way_an_operation_went(db: str, document: str, way: str) -> None:
    before = went[way]
    answer = await sent(document)
    assert answer.headers["X-Salescycle-Engine"] == way
    assert went[way] == before + 1


async def test_nobody_is_told_in_production(db: str) -> None:
    answer = await sent(
        "{ leads { nodes { id } } }", chosen=settings().model_copy(update={"environment": "production"})
    )
    assert answer.status_code == 200
    assert "X-Salescycle-Engine" not in answer.headers
