"""importLeads: a file that was uploaded, taken by a worker's job, and what the API tells of it."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters import files as store
from api.app import create_app
from domain import files
from domain.actors import Actor
from models.events import Job as JobRow
from models.files import File
from models.imports import Import, ImportStatus
from models.leads import Lead
from models.users import Membership, Role
from schema import ids
from settings import settings
from tests import stores
from tests.api.serving import Client, client_of, serving
from tests.factories import NOW, member
from tests.imports.importing import seller, text_of
from tests.schema.asking import answer, ask
from workers import jobs
from workers.tasks.forgetting import forget_files
from workers.tasks.imports import run_import, write_faults

pytestmark = pytest.mark.usefixtures("db")
MAPPING = """
system: web
external_id: id
fields: {title: title, value: value}
"""
ROWS = [["id", "title", "value"], ["1", "Pump", "10"], ["2", "Valve", "x"], ["3", "Pipe", "7.5"]]
MUTATION = """
mutation ($input: ImportLeadsInput!) {
  importLeads(input: $input) {
    import { id status kind fileName totalRows user { name } }
    userErrors { code message field }
  }
}
"""
QUERY = """
query ($id: ID!) {
  import(id: $id) {
    status totalRows doneRows createdRows updatedRows unchangedRows skippedRows error startedAt finishedAt
    errors { code message field } faultsUrl
    faults { totalCount nodes { line column value reason } }
  }
  node(id: $id) { __typename id }
  imports { nodes { id fileName } }
}
"""


@pytest.fixture
async def client(redis_url: str, opened_database: str) -> AsyncIterator[Client]:
    """A client of the whole API."""
    app = create_app(settings().model_copy(update={"redis_url": redis_url, "database_url": opened_database}))
    async with serving(app) as address, client_of(address) as made:
        yield made
    await app.state.redis.aclose()


async def uploaded(actor: Actor, content: bytes, *, name: str = "leads.csv") -> str:
    """Upload bytes as a client does, and return the file's id."""

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 1000):
            yield content[at : at + 1000]

    promised = await files.create_upload(actor, name=name, size=len(content), now=NOW)
    attempt = await files.begin(promised, now=NOW)
    written = await store.write(attempt, parts(), most=len(content))
    await files.complete(promised.id, attempt, received=written.size, sha256=written.sha256, head=written.head, now=NOW)
    return str(ids.encode("File", promised.id))


async def started(actor: Actor, content: bytes, mapping: str = MAPPING, *, name: str = "leads.csv") -> Any:
    told = await ask(actor, MUTATION, input={"fileId": await uploaded(actor, content, name=name), "mapping": mapping})
    return told["importLeads"]


async def work(import_id: str) -> JobRow:
    """Run an import's job as a worker does, and return it as it is afterwards."""
    key = ids.decode(import_id, "Import")  # type: ignore[arg-type]
    job = await jobs.claim(key)
    assert job and job.task == "run_import" and job.queue == "bulk"
    await run_import.run(job)
    return await JobRow.get(id=key)


async def test_an_uploaded_file_is_taken_by_a_worker() -> None:
    actor = await seller()
    begun = await started(actor, text_of(ROWS).encode())
    assert begun["userErrors"] == []
    person = (await Membership.get(user_id=actor.user_id).prefetch_related("user")).user
    assert begun["import"] | {"id": ""} == {
        "id": "",
        "status": "PENDING",
        "kind": "LEADS",
        "fileName": "leads.csv",
        "totalRows": None,
        "user": {"name": person.name},
    }
    job = await work(begun["import"]["id"])
    assert job.done_at is not None
    told = await ask(actor, QUERY, id=begun["import"]["id"])
    found = told["import"]
    assert (found["status"], found["error"], found["errors"]) == ("COMPLETED", None, [])
    assert (found["totalRows"], found["doneRows"], found["createdRows"], found["skippedRows"]) == (3, 3, 2, 1)
    assert found["startedAt"] and found["finishedAt"]
    assert found["faults"] == {
        "totalCount": 1,
        "nodes": [
            {"line": 3, "column": "value", "value": "x", "reason": "value is not a number (decimals after '.')."}
        ],
    }
    assert told["node"] == {"__typename": "Import", "id": begun["import"]["id"]}
    assert [each["fileName"] for each in told["imports"]["nodes"]] == ["leads.csv"]
    assert await Lead.filter(workspace_id=actor.workspace_id).count() == 2


async def fault_file(import_id: str) -> JobRow:
    """Run the job that an import's end asks for, as the relay and a worker do, and return it."""
    key = ids.decode(import_id, "Import")  # type: ignore[arg-type]
    workspace_id = (await Import.get(id=key)).workspace_id
    now = datetime.now(UTC)
    row = await JobRow.create(
        task="write_faults",
        queue="bulk",
        workspace_id=workspace_id,
        arguments={"subject_type": "import", "subject_ids": [str(key)], "event_ids": []},
        due_at=now,
        created_at=now,
    )
    job = await jobs.claim(row.id)
    assert job
    await write_faults.run(job)
    return await JobRow.get(id=row.id)


@pytest.mark.parametrize("kind", stores.KINDS)
async def test_what_was_wrong_can_be_fetched_as_a_file(kind: str, tmp_path: Path, client: Client) -> None:
    rows = [
        ["id", "title", "value"],
        ["1", "Pump", "zwölf"],
        ["2", "Valve", '=HYPERLINK("x")'],
        ["3", "Pipe", "5"],
    ]
    async with stores.store(kind, tmp_path):
        actor = await seller()
        begun = await started(actor, text_of(rows).encode(), name="Q1 leads.csv")
        key = begun["import"]["id"]
        await work(key)
        assert (await ask(actor, QUERY, id=key))["import"]["faultsUrl"] is None

        for _ in range(2):
            assert (await fault_file(key)).done_at is not None

        url = (await ask(actor, QUERY, id=key))["import"]["faultsUrl"]
        fetched = await client.http.get(urlsplit(url).path)
        assert await File.filter(workspace_id=actor.workspace_id).count() == 2
    assert fetched.headers["content-disposition"] == "attachment; filename*=UTF-8''Q1%20leads-faults.csv"
    assert fetched.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(fetched.content.decode("utf-8-sig")))) == [
        ["line", "column", "value", "reason"],
        ["2", "value", "zwölf", "value is not a number (decimals after '.')."],
        ["3", "value", '\'=HYPERLINK("x")', "value is not a number (decimals after '.')."],
    ]


async def test_an_import_without_faults_has_no_file_of_them() -> None:
    actor = await seller()
    begun = await started(actor, text_of([ROWS[0], ROWS[1]]).encode())
    await work(begun["import"]["id"])
    await fault_file(begun["import"]["id"])
    assert (await ask(actor, QUERY, id=begun["import"]["id"]))["import"]["faultsUrl"] is None


async def test_the_file_of_faults_stays_as_long_as_the_import() -> None:
    actor = await seller()
    begun = await started(actor, text_of(ROWS).encode())
    await work(begun["import"]["id"])
    await fault_file(begun["import"]["id"])

    await forget_files(now=datetime.now(UTC) + timedelta(days=400))

    row = await Import.get(workspace_id=actor.workspace_id)
    assert [file.id for file in await File.filter(workspace_id=actor.workspace_id)] == [row.faults_file_id]


async def test_asking_twice_begins_one_import() -> None:
    actor = await seller()
    file_id = await uploaded(actor, text_of(ROWS).encode())
    variables = {"input": {"fileId": file_id, "mapping": MAPPING}}
    first, second = await ask(actor, MUTATION, **variables), await ask(actor, MUTATION, **variables)
    assert first["importLeads"]["import"]["id"] == second["importLeads"]["import"]["id"]
    assert await Import.filter(workspace_id=actor.workspace_id).count() == 1


async def test_what_is_wrong_with_the_mapping_is_told_at_once() -> None:
    actor = await seller()
    begun = await started(actor, b"id,title\n", MAPPING + "pipeline: Nowhere\n")
    assert begun["import"] is None
    [error] = begun["userErrors"]
    assert (error["code"], error["field"]) == ("UNKNOWN_PIPELINE", ["mapping", "pipeline"])
    begun = await started(actor, b"id,title\n", "fields: {tilte: title}\n")
    assert {error["code"] for error in begun["userErrors"]} == {"UNKNOWN_IMPORT_FIELD", "MAPPING_INCOMPLETE"}
    assert not await Import.filter(workspace_id=actor.workspace_id).exists()


async def test_what_is_wrong_with_the_file_is_told_by_the_import() -> None:
    actor = await seller()
    begun = await started(actor, b"PK\x03\x04" + bytes(5000))
    job = await work(begun["import"]["id"])
    assert job.done_at is not None and job.failed_at is None
    found = (await ask(actor, QUERY, id=begun["import"]["id"]))["import"]
    assert found["status"] == "FAILED"
    [error] = found["errors"]
    assert (error["code"], error["field"]) == ("NOT_CSV", ["file"])
    assert error["message"].startswith("The file is not CSV: it looks like a spreadsheet")
    assert found["error"] == f"NOT_CSV: {error['message']}"


async def test_a_file_of_another_workspace_does_not_exist() -> None:
    actor, stranger = await seller(), await seller()
    file_id = await uploaded(stranger, text_of(ROWS).encode())
    told = await ask(actor, MUTATION, input={"fileId": file_id, "mapping": MAPPING})
    assert [error["code"] for error in told["importLeads"]["userErrors"]] == ["NOT_FOUND"]


async def test_an_import_of_another_workspace_does_not_exist() -> None:
    actor, stranger = await seller(), await seller()
    begun = await started(stranger, text_of(ROWS).encode())
    told = await ask(actor, QUERY, id=begun["import"]["id"])
    assert told == {"import": None, "node": None, "imports": {"nodes": []}}


async def test_a_rep_may_not_import() -> None:
    admin = await seller()
    file_id = await uploaded(admin, text_of(ROWS).encode())
    told = await answer(await member(Role.REP, of=admin), MUTATION, input={"fileId": file_id, "mapping": MAPPING})
    assert [error["code"] for error in told["data"]["importLeads"]["userErrors"]] == ["FORBIDDEN"]


async def test_whoever_has_left_meanwhile_imports_nothing() -> None:
    admin = await seller()
    manager = await member(Role.MANAGER, of=admin)
    begun = await started(manager, text_of(ROWS).encode())
    await Membership.filter(user_id=manager.user_id).update(active=False)
    await work(begun["import"]["id"])
    row = await Import.get(workspace_id=admin.workspace_id)
    assert row.status is ImportStatus.FAILED and (row.error or "").startswith("IMPORTER_LEFT: ")
    assert not await Lead.filter(workspace_id=admin.workspace_id).exists()


async def test_a_job_that_runs_again_does_nothing_again() -> None:
    actor = await seller()
    begun = await started(actor, text_of(ROWS).encode())
    await work(begun["import"]["id"])
    await JobRow.filter(workspace_id=actor.workspace_id).update(done_at=None, lease_until=None)
    await work(begun["import"]["id"])
    row = await Import.get(workspace_id=actor.workspace_id)
    assert (row.created_rows, row.skipped_rows, row.unchanged_rows) == (2, 1, 0)


async def test_what_fails_for_good_is_told_by_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret of the house")

    actor = await seller()
    begun = await started(actor, text_of(ROWS).encode())
    monkeypatch.setattr("domain.imports.run", broken)
    await JobRow.filter(workspace_id=actor.workspace_id).update(attempts=jobs.MAX_ATTEMPTS - 1)
    with pytest.raises(RuntimeError):
        await work(begun["import"]["id"])
    row = await Import.get(workspace_id=actor.workspace_id)
    message = "Something went wrong on our side: RuntimeError, 8 times."
    assert (row.status, row.error) == (ImportStatus.FAILED, f"INTERNAL: {message}")
    found = (await ask(actor, QUERY, id=begun["import"]["id"]))["import"]
    assert found["errors"] == [{"code": "INTERNAL", "message": message, "field": None}]
