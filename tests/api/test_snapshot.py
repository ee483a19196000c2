"""A query that reads a cursor sees one moment, whatever is written meanwhile."""

import asyncio
from datetime import UTC, datetime

import pytest

from domain.actors import Actor
from models.catalog import Tag
from schema import execution, ids
from settings import settings
from tests import factories
from tests.api.door import begun, gate
from tests.api.serving import Client, codes


async def add(actor: Actor, name: str) -> Tag:
    now = datetime.now(UTC)
    return await Tag.create(workspace_id=actor.workspace_id, name=name, created_at=now, updated_at=now)


@pytest.mark.parametrize(
    ("document", "seen"),
    [
        ('{before: tags(tell: "read") cursor after: tags(after: "later")}', []),
        ('{before: tags(tell: "read") ...C after: tags(after: "later")} fragment C on Query {cursor}', []),
        ('{before: tags(tell: "read") things {edges {cursor}} after: tags(after: "later")}', ["new"]),
        ('{before: tags(tell: "read") after: tags(after: "later")}', ["new"]),
    ],
)
async def test_what_is_written_between_two_fields_is_not_seen(
    db: str, door: Client, document: str, seen: list[str]
) -> None:
    actor = await factories.member()
    token = await factories.bearer(actor)
    opened, _ = gate("later"), gate("read")

    asked = asyncio.create_task(door.data(document, token=token))
    await begun["later"].wait()
    await begun["read"].wait()
    await add(actor, "new")
    opened.set()

    data = await asked
    assert (data["before"], data["after"]) == ([], seen)


async def test_loaders_read_in_the_snapshot_too(db: str, door: Client) -> None:
    actor = await factories.member()
    token = await factories.bearer(actor)
    row = await add(actor, "old")
    opened, _ = gate("load"), gate("read")
    document = 'query($id: ID!) {cursor before: tags(tell: "read") late: tag(id: $id, after: "load")}'

    asked = asyncio.create_task(door.data(document, {"id": ids.encode("Tag", row.id)}, token=token))
    await begun["load"].wait()
    await begun["read"].wait()
    await Tag.filter(id=row.id).update(name="new")
    opened.set()

    assert await asked == {"cursor": "0", "before": ["old"], "late": "old"}


async def test_a_mutation_that_asks_for_a_cursor_may_still_write(db: str, door: Client) -> None:
    token = await factories.bearer(await factories.member())

    data = await door.data('mutation {addTag(input: {name: "w"}) {count query {cursor}}}', token=token)

    assert data == {"addTag": {"count": 1, "query": {"cursor": "0"}}}


async def test_a_snapshot_that_is_cut_short_gives_its_connection_back(
    db: str, door: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = settings().model_copy(update={"query_timeout": 0.1})
    actor = await factories.member()
    token = await factories.bearer(actor)
    row = await add(actor, "old")
    document = 'query($id: ID!) {cursor tags stuck: waits(at: "stuck") late: tag(id: $id, after: "stuck")}'
    gate("stuck")

    # More often than there are connections in the pool.
    with monkeypatch.context() as patched:
        patched.setattr(execution, "settings", lambda: short)
        for _ in range(12):
            answer = await door.graphql(document, {"id": ids.encode("Tag", row.id)}, token=token)
            assert codes(answer) == ["TIMEOUT"]

    assert await door.data("{cursor tags}", token=token) == {"cursor": "0", "tags": ["old"]}
    assert await door.data('mutation {addTag(input: {name: "w"}) {count}}', token=token) == {"addTag": {"count": 2}}
