"""Files as objects of a folder or of an S3 bucket, as FILES_URL says."""

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from adapters.files.errors import FileMissing, StoreUnavailable
from settings import settings

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import S3Config

# S3 takes no smaller parts; so many of them wait in memory while one is sent.
PART_BYTES = 5 * 1024 * 1024
PARTS_AT_ONCE = 2
READ_BYTES = 512 * 1024
RETRIES, RETRY_FOR = 3, timedelta(seconds=20)


async def write(key: str, parts: AsyncIterable[bytes]) -> None:
    """Write a stream as an object, which is there when all of it is; raises StoreUnavailable."""
    store = _store(settings().files_url)
    try:
        with _told():
            await obstore.put_async(store, key, aiter(parts), chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)
    except FileMissing as error:
        raise StoreUnavailable("The bucket or folder of FILES_URL does not exist.") from error
    if isinstance(store, LocalStore):
        await asyncio.to_thread(_settle, _path(store, key))


async def open(key: str, within: range | None) -> AsyncIterator[bytes]:  # noqa: A001
    """Return the bytes of an object, or those within it, part by part. Raises FileMissing, StoreUnavailable."""
    options: GetOptions = {"range": (within.start, within.stop)} if within else {}
    with _told():
        found = await obstore.get_async(_store(settings().files_url), key, options=options)
    return _parts(found.stream(min_chunk_size=READ_BYTES))


async def delete(key: str) -> None:
    """Delete an object, and what a killed process had begun to write of it; raises StoreUnavailable."""
    store = _store(settings().files_url)
    with suppress(FileMissing), _told():
        await obstore.delete_async(store, key)
    if isinstance(store, LocalStore):
        await asyncio.to_thread(_clear, _path(store, key))


async def _parts(stream: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    with _told():
        async for part in stream:
            yield bytes(part)


@lru_cache
def _store(url: str) -> LocalStore | S3Store:
    parts = urlsplit(url)
    if not url:
        raise StoreUnavailable("A file lies in a store of its own, but FILES_URL names none.")
    if parts.scheme == "file":
        folder = Path(unquote(parts.path))
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"The folder of FILES_URL cannot be made: {error}") from error
        return LocalStore(prefix=folder)
    options = dict(parse_qsl(parts.query))
    config: S3Config = {"endpoint": options["endpoint"]} if "endpoint" in options else {}
    if "region" in options:
        config["region"] = options["region"]
    # Keys come from the environment variables that every tool for S3 reads.
    return S3Store.from_url(
        f"s3://{parts.netloc}{parts.path}",
        config=config,
        client_options={"allow_http": options.get("endpoint", "").startswith("http://")},
        retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_FOR},
    )


@contextmanager
def _told() -> Iterator[None]:
    """Tell a store's own errors in our words."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileMissing from error
    except BaseError as error:
        raise StoreUnavailable(str(error).partition("\n")[0]) from error


def _path(store: LocalStore, key: str) -> Path:
    return Path(str(store.prefix)) / key


def _settle(path: Path) -> None:
    """Let a file and its name reach the disk before a row says that they are there."""
    for one in (path, path.parent):
        descriptor = os.open(one, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _clear(path: Path) -> None:
    # The library writes beside the name, with a number, until all is there.
    for unfinished in path.parent.glob(f"{path.name}#*"):
        unfinished.unlink(missing_ok=True)
