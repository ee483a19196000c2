"""Uploads: staged, streamed, whole or not there at all."""

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest

from adapters import files as store
from adapters.files.chunks import CHUNK_BYTES
from domain import files
from domain.actors import Actor
from domain.errors import NotFound
from domain.files import Purpose
from domain.tokens import InvalidLink
from models.base import uuid7
from models.files import File, FileChunk
from models.imports import Import, ImportKind, ImportStatus
from models.users import Role
from schema import ids
from settings import settings
from tests import factories, stores
from tests.api.serving import Client, codes
from tests.keys import NEW, OLD, server_with
from workers.tasks.forgetting import forget_files

CREATE = """mutation($input: CreateUploadInput!) {
  createUpload(input: $input) {
    upload {url fileId expiresAt}
    userErrors {code field}
  }
}"""


async def announced(client: Client, actor: Actor, size: int, **more: Any) -> tuple[str, UUID]:
    """Announce an upload and return its path and its file's key."""
    token = await factories.bearer(actor)
    answer = await client.data(CREATE, {"input": {"name": "leads.csv", "size": size, **more}}, token=token)
    upload = answer["createUpload"]["upload"]
    return urlsplit(upload["url"]).path, ids.decode(upload["fileId"], "File")


async def content(file_id: UUID) -> bytes:
    return b"".join([part async for part in await store.open(await File.get(id=file_id))])


async def streamed(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def leftovers(actor: Actor) -> int:
    """Count attempts that were not cleared away."""
    return await File.filter(workspace_id=actor.workspace_id).count() - 1


@pytest.fixture(params=stores.KINDS)
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A kind of store, in use by server and test."""
    async with stores.store(request.param, tmp_path):
        yield request.param


@pytest.fixture
async def admin(db: str, kind: str) -> Actor:
    return await factories.member()


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 1_500_000])
async def test_what_is_sent_is_there(client: Client, admin: Actor, size: int) -> None:
    sent = bytes(n % 251 for n in range(size))
    path, key = await announced(client, admin, size)

    answer = await client.http.put(path, content=sent)

    assert answer.status_code == 201
    assert answer.json() == {
        "fileId": ids.encode("File", key),
        "size": size,
        "sha256": hashlib.sha256(sent).hexdigest(),
    }
    assert await content(key) == sent
    assert (await files.uploaded(admin, key)).size == size
    assert await leftovers(admin) == 0


async def test_the_same_once_more_changes_nothing_and_another_is_refused(client: Client, admin: Actor) -> None:
    path, key = await announced(client, admin, 5)

    statuses = [(await client.http.put(path, content=sent)).status_code for sent in (b"first", b"first", b"other")]

    assert statuses == [201, 200, 409]
    assert await content(key) == b"first"
    assert await leftovers(admin) == 0


async def test_twins_at_the_same_time_are_not_mixed(client: Client, admin: Actor, kind: str, tmp_path: Path) -> None:
    size = 3 * CHUNK_BYTES
    path, key = await announced(client, admin, size)
    candidates = [bytes([n]) * size for n in (1, 2, 3)]

    answers = await asyncio.gather(*(client.http.put(path, content=sent) for sent in candidates))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert await content(key) in candidates
    assert await leftovers(admin) == 0
    if kind == "database":
        assert await FileChunk.filter(file__workspace_id=admin.workspace_id).count() == 3
    else:
        assert len(stores.names(tmp_path)) == 1


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [(b"four", 400, "UPLOAD_INCOMPLETE"), (b"sixsix", 413, "FILE_TOO_LARGE"), (b"", 400, "UPLOAD_INCOMPLETE")],
)
async def test_another_size_than_was_announced_leaves_nothing(
    client: Client, admin: Actor, sent: bytes, status: int, code: str
) -> None:
    path, key = await announced(client, admin, 5)

    by_stream = await client.http.put(path, content=streamed(sent))
    by_length = await client.http.put(path, content=sent)

    assert (by_stream.status_code, codes(by_stream.json())) == (status, [code])
    assert (by_length.status_code, codes(by_length.json())) == (status, [code])
    with pytest.raises(NotFound):
        await files.uploaded(admin, key)
    assert await leftovers(admin) == 0
    assert (await client.http.put(path, content=b"right")).status_code == 201


@pytest.mark.parametrize("kind", ["database"], indirect=True)
async def test_an_upload_that_breaks_off_leaves_nothing_and_can_be_repeated(
    client: Client, server: str, admin: Actor
) -> None:
    size = 4 * CHUNK_BYTES
    path, key = await announced(client, admin, size)
    address = urlsplit(server)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
    writer.write(head + b"x" * (2 * CHUNK_BYTES))
    await writer.drain()
    await _until_chunks(admin, 2)
    with pytest.raises(NotFound):
        await files.uploaded(admin, key)
    assert await content(key) == b""

    writer.transport.abort()
    await _until_chunks(admin, 0)

    assert await leftovers(admin) == 0
    assert (await client.http.put(path, content=b"y" * size)).status_code == 201
    assert await content(key) == b"y" * size


@pytest.mark.parametrize("kind", ["folder", "bucket"], indirect=True)
async def test_an_upload_that_breaks_off_leaves_no_object(
    client: Client, server: str, admin: Actor, tmp_path: Path
) -> None:
    size = 20 * 1024 * 1024
    path, key = await announced(client, admin, size)
    address = urlsplit(server)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * (size // 2))
    await writer.drain()
    assert await leftovers(admin) == 1

    writer.transport.abort()
    async with asyncio.timeout(10):
        while await leftovers(admin):
            await asyncio.sleep(0.01)

    assert stores.names(tmp_path) == []
    assert (await client.http.put(path, content=b"y" * size)).status_code == 201
    assert await content(key) == b"y" * size


@pytest.mark.parametrize("kind", ["bucket"], indirect=True)
async def test_a_store_that_does_not_serve_is_told_and_nothing_is_lost(client: Client, admin: Actor, kind: str) -> None:
    path, key = await announced(client, admin, 1)
    with stores.environment(AWS_SECRET_ACCESS_KEY="wrong", FILES_URL=settings().files_url.replace("/sales", "/x")):
        refused = await client.http.put(path, content=b"x")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert await leftovers(admin) == 1

    assert (await client.http.put(path, content=b"x")).status_code == 201
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with stores.environment(AWS_SECRET_ACCESS_KEY="wrong", FILES_URL=settings().files_url.replace("/sales", "/z")):
        await forget_files(now=tomorrow)
    assert await leftovers(admin) == 1
    await forget_files(now=tomorrow)

    assert await leftovers(admin) == 0
    link = urlsplit(files.download_url(key, now=datetime.now(UTC))).path
    with stores.environment(AWS_SECRET_ACCESS_KEY="wrong", FILES_URL=settings().files_url.replace("/sales", "/y")):
        assert (await client.http.get(link)).status_code == 503
    await store.delete(await File.get(id=key))
    assert (await client.http.get(link)).status_code == 404


async def test_a_client_that_falls_silent_is_not_waited_for(
    client: Client, server: str, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.uploads.IDLE_SECONDS", 0.1)
    path, _ = await announced(client, admin, 100)
    address = urlsplit(server)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())

    assert b" 408 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    assert await leftovers(admin) == 0


async def test_links_are_short_lived_and_not_forged(client: Client, admin: Actor) -> None:
    path, key = await announced(client, admin, 1)
    now = datetime.now(UTC)
    ended = files.token(Purpose.UPLOAD, key, until=now - timedelta(seconds=1))
    other_purpose = files.token(Purpose.DOWNLOAD, key, until=now + timedelta(minutes=1))
    forged = [path[:-4] + "AAAA", "/uploads/x", "/uploads/%00", "/uploads/" + "A" * 75, f"/uploads/{other_purpose}"]
    missing = files.token(Purpose.UPLOAD, UUID(int=0), until=now + timedelta(minutes=1))

    for one in forged:
        assert (await client.http.put(one, content=b"x")).status_code == 404, one
    assert (await client.http.put(f"/uploads/{missing}", content=b"x")).status_code == 404
    assert (await client.http.put(f"/uploads/{ended}", content=b"x")).status_code == 410
    assert (await client.http.post(path, content=b"x")).status_code == 405


async def test_a_link_by_a_key_before_is_good_for_its_quarter_of_an_hour() -> None:
    key, now = uuid7(), datetime.now(UTC)
    with server_with(key=OLD):
        token = files.token(Purpose.UPLOAD, key, until=now + timedelta(minutes=1))
    with server_with(key=NEW, previous=OLD):
        assert files.read_token(Purpose.UPLOAD, token, now=now) == key
        with pytest.raises(InvalidLink):
            files.read_token(Purpose.DOWNLOAD, token, now=now)
    with server_with(key=NEW), pytest.raises(InvalidLink):
        files.read_token(Purpose.UPLOAD, token, now=now)


async def test_a_file_is_fetched_by_a_link_of_its_own(client: Client, admin: Actor) -> None:
    sent = b"a,b\n" * 300_000
    path, key = await announced(client, admin, len(sent), contentType="text/csv", name='größe "1".csv')
    row = await File.get(id=key)
    link = urlsplit(files.download_url(row.id, now=datetime.now(UTC))).path
    assert (await client.http.get(link)).status_code == 404
    await client.http.put(path, content=sent)

    answer = await client.http.get(link)

    assert (answer.status_code, answer.content) == (200, sent)
    assert answer.headers["content-length"] == str(len(sent))
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%221%22.csv"
    assert answer.headers["x-content-type-options"] == "nosniff"
    upload_token = path.rsplit("/", 1)[1]
    assert (await client.http.get(f"/files/{upload_token}")).status_code == 404


PART = CHUNK_BYTES + 1000
WHOLE = Random(4).randbytes(2 * CHUNK_BYTES + 10)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-0", WHOLE[:1]),
        (f"bytes=5-{PART}", WHOLE[5 : PART + 1]),
        (f"bytes={PART}-", WHOLE[PART:]),
        (f"bytes={CHUNK_BYTES}-{2 * CHUNK_BYTES - 1}", WHOLE[CHUNK_BYTES : 2 * CHUNK_BYTES]),
        ("bytes=3-99999999999", WHOLE[3:]),
        ("bytes=-7", WHOLE[-7:]),
        ("bytes=-99999999999", WHOLE),
    ],
)
async def test_a_part_of_a_file_is_given(client: Client, admin: Actor, kind: str, asked: str, part: bytes) -> None:
    path, key = await announced(client, admin, len(WHOLE))
    await client.http.put(path, content=WHOLE)
    link = urlsplit(files.download_url(key, now=datetime.now(UTC))).path

    answer = await client.http.get(link, headers={"Range": asked})

    assert (answer.status_code, answer.content) == (206, part)
    first = WHOLE.index(part)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(part) - 1}/{len(WHOLE)}"
    same = {"Range": asked, "If-Range": answer.headers["etag"]}
    assert (await client.http.get(link, headers=same)).status_code == 206
    another = {"Range": asked, "If-Range": '"another"'}
    assert (await client.http.get(link, headers=another)).content == WHOLE


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=10-", 416),
        ("bytes=99-", 416),
        ("bytes=99-100", 416),
        ("bytes=-0", 416),
        ("bytes=4-3", 200),
        ("bytes=-", 200),
        ("bytes=0-1,4-5", 200),
        ("bytes=a-b", 200),
        ("lines=0-1", 200),
    ],
)
async def test_what_is_no_part_is_refused_and_what_is_not_understood_gives_all(
    client: Client, admin: Actor, asked: str, status: int
) -> None:
    path, key = await announced(client, admin, 10)
    await client.http.put(path, content=WHOLE[:10])

    link = urlsplit(files.download_url(key, now=datetime.now(UTC))).path
    answer = await client.http.get(link, headers={"Range": asked})

    assert answer.status_code == status
    if status == 416:
        assert answer.headers["content-range"] == "bytes */10"
    else:
        assert (answer.content, answer.headers["accept-ranges"]) == (WHOLE[:10], "bytes")


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({"name": "  "}, [("REQUIRED", ["name"])]),
        ({"name": "x" * 256}, [("TOO_LONG", ["name"])]),
        ({"name": "offer\nof.pdf"}, [("MALFORMED", ["name"])]),
        ({"name": "offer\u202efdp.exe"}, [("MALFORMED", ["name"])]),
        ({"size": -1}, [("OUT_OF_RANGE", ["size"])]),
        ({"size": 0, "purpose": "ATTACHMENT"}, [("OUT_OF_RANGE", ["size"])]),
        ({"size": 0.5}, [("MALFORMED", ["size"])]),
        ({"contentType": "csv"}, [("MALFORMED", ["contentType"])]),
        ({"contentType": "text/csv\r\nX: y"}, [("MALFORMED", ["contentType"])]),
        ({"name": "", "size": -1}, [("REQUIRED", ["name"]), ("OUT_OF_RANGE", ["size"])]),
    ],
)
async def test_faults_of_an_announcement_are_told_together(
    client: Client, admin: Actor, given: dict[str, Any], errors: list[tuple[str, list[str]]]
) -> None:
    token = await factories.bearer(admin)

    answer = await client.data(CREATE, {"input": {"name": "a.csv", "size": 1, **given}}, token=token)

    told = answer["createUpload"]["userErrors"]
    assert [(one["code"], one["field"]) for one in told] == errors
    assert answer["createUpload"]["upload"] is None


async def test_a_file_has_so_many_bytes_at_most(client: Client, admin: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    small = settings().model_copy(update={"max_upload_bytes": 10})
    monkeypatch.setattr(files, "settings", lambda: small)
    token = await factories.bearer(admin)

    told = [
        (await client.data(CREATE, {"input": {"name": "a", "size": size}}, token=token))["createUpload"]["userErrors"]
        for size in (10, 11)
    ]

    assert told == [[], [{"code": "FILE_TOO_LARGE", "field": ["size"]}]]


async def test_who_may_not_import_may_not_upload(client: Client, admin: Actor) -> None:
    viewer = await factories.bearer(await factories.member(Role.VIEWER, of=admin))
    variables = {"input": {"name": "a", "size": 1}}

    answer = await client.data(CREATE, variables, token=viewer)

    assert [error["code"] for error in answer["createUpload"]["userErrors"]] == ["FORBIDDEN"]
    assert codes(await client.graphql(CREATE, variables)) == ["UNAUTHENTICATED"]


async def test_files_are_forgotten_when_their_time_is_over(client: Client, admin: Actor, tmp_path: Path) -> None:
    _, unused = await announced(client, admin, 1)
    path, used = await announced(client, admin, 1)
    await client.http.put(path, content=b"x")
    now = datetime.now(UTC)

    await forget_files(now=now + files.LINK_LASTS)
    assert not await File.filter(id=unused).exists()
    assert await content(used) == b"x"

    await forget_files(now=now + files.KEPT + timedelta(minutes=1))
    assert not await File.filter(id=used).exists()
    assert not await FileChunk.filter(file_id=used).exists()
    assert stores.names(tmp_path) == []


async def test_a_file_that_an_import_still_reads_is_not_forgotten(client: Client, admin: Actor) -> None:
    path, key = await announced(client, admin, 1)
    await client.http.put(path, content=b"x")
    now = datetime.now(UTC) + 2 * files.KEPT
    running = await Import.create(
        workspace_id=admin.workspace_id,
        kind=ImportKind.LEADS,
        status=ImportStatus.RUNNING,
        file_name="leads.csv",
        file_id=key,
        fingerprint="",
        created_at=now,
    )

    await forget_files(now=now)
    assert await content(key) == b"x"

    await Import.filter(id=running.id).update(status=ImportStatus.COMPLETED)
    await forget_files(now=now)
    assert not await File.filter(id=key).exists()


async def test_a_large_file_is_never_whole_in_memory(client: Client, admin: Actor) -> None:
    size = 64 * 1024 * 1024
    part = b"z" * 65_536
    path, key = await announced(client, admin, size)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(size // len(part)):
            yield part

    tracemalloc.start()
    answer = await client.http.put(path, content=parts(), timeout=httpx.Timeout(60))
    received = 0
    async for chunk in await store.open(await File.get(id=key)):
        received += len(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (answer.status_code, received) == (201, size)
    assert peak < 16 * 1024 * 1024


async def _until_chunks(actor: Actor, number: int) -> None:
    async with asyncio.timeout(10):
        while await FileChunk.filter(file__workspace_id=actor.workspace_id).count() != number:
            await asyncio.sleep(0.01)
