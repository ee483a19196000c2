"""Files in each of the stores: whole or not there at all, never whole in memory, and gone when they are deleted."""

import asyncio
import hashlib
import multiprocessing
import os
import signal
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters import files as store
from adapters.files.chunks import CHUNK_BYTES
from adapters.files.objects import PART_BYTES
from domain import files
from models.files import File
from settings import Settings
from tests import stores
from tests.factories import NOW, workspace
from workers.tasks.forgetting import forget_files

pytestmark = pytest.mark.usefixtures("db")
SPAWN = multiprocessing.get_context("spawn")
MANY = 1 << 40


@pytest.fixture(params=stores.KINDS)
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A kind of store, in use."""
    async with stores.store(request.param, tmp_path):
        yield request.param


async def draft() -> File:
    return await files.draft((await workspace()).id, name="a.csv", now=NOW)


async def parts(content: bytes, *, at_once: int = 60_000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), at_once):
        yield content[at : at + at_once]


async def read(file: File) -> bytes:
    return b"".join([part async for part in await store.open(file)])


async def is_there(file: File) -> bool:
    """Say whether anything of a file can be read."""
    try:
        return bool(await read(file))
    except store.FileMissing:
        return False


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, PART_BYTES, 2 * PART_BYTES + 7])
async def test_what_is_written_is_read(kind: str, size: int) -> None:
    content = bytes(n % 251 for n in range(size))
    file = await draft()

    written = await store.write(file, parts(content), most=size)

    assert written == store.Written(size, hashlib.sha256(content).hexdigest(), content[: store.HEAD_BYTES])
    assert await read(file) == content


@pytest.mark.parametrize("size", [10, 3 * PART_BYTES])
async def test_more_than_was_asked_for_leaves_nothing(kind: str, tmp_path: Path, size: int) -> None:
    file = await draft()
    with pytest.raises(store.TooManyBytes):
        await store.write(file, parts(bytes(size)), most=size - 1)

    await store.delete(file)

    assert not await is_there(file)
    assert stores.names(tmp_path) == []


async def test_a_stream_that_breaks_off_is_told_as_it_is_and_leaves_nothing(kind: str, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(3 * PART_BYTES)
        raise ZeroDivisionError("the client has left")

    file = await draft()
    with pytest.raises(ZeroDivisionError, match="the client has left"):
        await store.write(file, broken(), most=MANY)

    await store.delete(file)

    assert not await is_there(file)
    assert stores.names(tmp_path) == []


@pytest.mark.parametrize("kind", ["folder", "bucket"], indirect=True)
async def test_nothing_is_seen_of_an_object_before_all_of_it_is_there(kind: str) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield bytes(2 * PART_BYTES)
        begun.set()
        await go_on.wait()
        yield b"end"

    file = await draft()
    writing = asyncio.ensure_future(store.write(file, slow(), most=MANY))
    await begun.wait()
    assert not await is_there(file)

    go_on.set()
    await writing

    assert len(await read(file)) == 2 * PART_BYTES + 3


async def test_a_file_is_deleted_and_deleted_again(kind: str, tmp_path: Path) -> None:
    kept, gone = await draft(), await draft()
    for file in (kept, gone):
        await store.write(file, parts(b"x"), most=1)

    for _ in range(2):
        await store.delete(gone)

    assert not await is_there(gone)
    assert await read(kept) == b"x"


async def test_a_large_file_is_never_whole_in_memory(kind: str) -> None:
    size, part = 64 * 1024 * 1024, bytes(65_536)

    async def large() -> AsyncIterator[bytes]:
        for _ in range(size // len(part)):
            yield part

    file = await draft()
    tracemalloc.start()
    await store.write(file, large(), most=size)
    received = 0
    async for found in await store.open(file):
        received += len(found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert received == size
    assert peak < 16 * 1024 * 1024


async def test_files_stay_where_they_are_when_another_store_is_set(tmp_path: Path) -> None:
    async with stores.store("database", tmp_path):
        before = await draft()
        await store.write(before, parts(b"before"), most=6)
    async with stores.store("folder", tmp_path):
        after = await draft()
        await store.write(after, parts(b"after"), most=5)
        assert [await read(before), await read(after)] == [b"before", b"after"]
    with pytest.raises(store.StoreUnavailable, match="FILES_URL names none"):
        await store.open(after)


async def test_a_store_that_does_not_serve_is_told_apart_from_a_missing_file(tmp_path: Path) -> None:
    async with stores.store("bucket", tmp_path) as url:
        file = await draft()
        elsewhere = await draft()
        nowhere = stores.environment(FILES_URL=url.replace("s3://files", "s3://nowhere"))
        with nowhere, pytest.raises(store.StoreUnavailable, match="does not exist"):
            await store.write(elsewhere, parts(b"x"), most=1)
        with stores.environment(FILES_URL=url.replace("/salescycle", "/other"), AWS_SECRET_ACCESS_KEY="wrong"):
            with pytest.raises(store.StoreUnavailable):
                await store.write(file, parts(b"x"), most=1)
            with pytest.raises(store.StoreUnavailable):
                await store.open(file)
        with pytest.raises(store.FileMissing):
            await store.open(file)


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    impossible = stores.environment(FILES_URL=f"file://{tmp_path}/taken/here")
    with impossible, pytest.raises(store.StoreUnavailable, match="cannot be made"):
        await store.write(await draft(), parts(b"x"), most=1)


@pytest.mark.parametrize(
    "url", ["/folder", "file://host/folder", "file:relative", "s3://", "https://bucket", "s3://bucket?key=secret"]
)
def test_an_address_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="it must be file:///folder or s3://bucket"):
        Settings(files_url=url)


def write_until_killed(url: str, file_key: str) -> None:
    """Begin a file in a process of its own, and be killed before its end."""
    os.environ["FILES_URL"] = url
    from adapters.files import objects

    async def endless() -> AsyncIterator[bytes]:
        yield bytes(3 * PART_BYTES)
        os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(objects.write(file_key, endless()))


@pytest.mark.parametrize("kind", ["folder", "bucket"], indirect=True)
async def test_a_killed_process_leaves_nothing_to_be_seen_and_what_it_left_is_swept(kind: str, tmp_path: Path) -> None:
    file = await draft()
    assert file.object_key
    process = SPAWN.Process(target=write_until_killed, args=(os.environ["FILES_URL"], file.object_key))
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == -signal.SIGKILL
    assert not await is_there(file)
    assert (stores.names(tmp_path) != []) == (kind == "folder")

    await forget_files(now=NOW + files.ATTEMPT_LASTS)

    assert not await File.exists(id=file.id)
    assert stores.names(tmp_path) == []
