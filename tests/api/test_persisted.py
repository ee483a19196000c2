"""Documents by hash, and trusted documents by their id."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLError

from adapters import redis
from api.persisted import Parameters, PersistedDocuments, load
from settings import Settings
from tests.api.serving import Client, client_of, codes, serving

NOT_FOUND = ["PERSISTED_QUERY_NOT_FOUND"]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def apq(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha(text)}}


async def test_a_document_sent_once_is_known_by_its_hash(db: str, door: Client) -> None:
    document = "query Known {hello}"
    unknown = await door.send(extensions=apq(document))
    assert (unknown.status_code, codes(unknown.json())) == (200, NOT_FOUND)
    assert unknown.json()["errors"][0]["message"] == "PersistedQueryNotFound"

    sent = await door.graphql(document, extensions=apq(document))
    known = await door.graphql(extensions=apq(document))
    asked = {"extensions": json.dumps(apq(document))}
    by_get = await door.http.get("/graphql", params=asked, headers={"Accept": "application/json"})

    assert sent["data"] == known["data"] == by_get.json()["data"] == {"hello": "hello world"}


async def test_another_process_knows_it_too(db: str, door: Client, server_settings: Settings) -> None:
    from api.app import create_app
    from tests.api.door import door as schema

    document = "query Shared {hello}"
    await door.graphql(document, extensions=apq(document))
    app = create_app(server_settings, schema)

    async with serving(app) as address, client_of(address) as elsewhere:
        assert (await elsewhere.graphql(extensions=apq(document)))["data"] == {"hello": "hello world"}
    await app.state.redis.aclose()


async def test_a_wrong_hash_is_refused_and_nothing_kept(db: str, door: Client) -> None:
    answer = await door.graphql("query Wrong {hello}", extensions=apq("another"))

    assert codes(answer) == ["BAD_USER_INPUT"]
    assert codes(await door.graphql(extensions=apq("another"))) == NOT_FOUND


async def test_documents_that_are_not_valid_are_not_kept(db: str, door: Client) -> None:
    await door.graphql("query Invalid {nothing}", extensions=apq("query Invalid {nothing}"))

    assert codes(await door.graphql(extensions=apq("query Invalid {nothing}"))) == NOT_FOUND


async def test_a_lost_redis_loses_only_the_memory_of_others(server_settings: Settings) -> None:
    client = redis.connect("redis://127.0.0.1:1")
    documents = PersistedDocuments(client, server_settings)
    asked = Parameters.of({"query": "{hello}", "extensions": apq("{hello}")})

    assert await documents.text_of(asked) == "{hello}"
    await documents.remember(asked)

    assert await documents.text_of(Parameters.of({"extensions": apq("{hello}")})) == "{hello}"
    with pytest.raises(GraphQLError, match="PersistedQueryNotFound"):
        await documents.text_of(Parameters.of({"extensions": apq("{other}")}))
    await client.aclose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hello.graphql").write_text("query Hello {hello}")
    return tmp_path


@pytest.mark.parametrize("environment", ["development", "production"])
async def test_production_allows_trusted_documents_and_nothing_else(
    redis_url: str, folder: Path, environment: str
) -> None:
    client = redis.connect(redis_url)
    documents = PersistedDocuments(client, Settings(environment=environment, trusted_documents=folder))
    trusted = "query Hello {hello}"

    allowed: list[dict[str, Any]] = [
        {"documentId": "hello"},
        {"documentId": f"sha256:{sha(trusted)}"},
        {"documentId": sha(trusted)},
        {"extensions": apq(trusted)},
        {"documentId": "hello", "query": "{cursor}"},
    ]
    for asked in allowed:
        assert await documents.text_of(Parameters.of(asked)) == trusted

    refusals: list[tuple[dict[str, Any], str]] = [
        ({"query": "{cursor}"}, "FORBIDDEN"),
        ({"query": "{cursor}", "extensions": apq("{cursor}")}, "TRUSTED_DOCUMENT_NOT_FOUND"),
        ({"query": "{cursor}", "documentId": "unknown"}, "TRUSTED_DOCUMENT_NOT_FOUND"),
    ]
    for asked, code in refusals:
        if environment == "development":
            assert await documents.text_of(Parameters.of(asked)) == "{cursor}"
        else:
            with pytest.raises(GraphQLError) as refused:
                await documents.text_of(Parameters.of(asked))
            assert refused.value.extensions == {"code": code}
    await client.aclose()


def test_manifests_of_relay_and_apollo_are_read(tmp_path: Path) -> None:
    relay, apollo = tmp_path / "relay.json", tmp_path / "apollo.json"
    relay.write_text(json.dumps({"one": "{hello}"}))
    operations = [{"id": "two", "name": "Two", "type": "query", "body": "{cursor}"}]
    apollo.write_text(json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}))

    assert load(relay) == {"one": "{hello}"}
    assert load(apollo) == {"two": "{cursor}"}
