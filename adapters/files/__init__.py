"""The store of files' bytes: the database, or, where FILES_URL names one, a folder or an S3 bucket.

A file says itself where its bytes are, so that those which came before FILES_URL was set are found as before. What is
written is there whole or not at all.
"""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from adapters.files import chunks, objects
from adapters.files.errors import FileMissing as FileMissing
from adapters.files.errors import StoreUnavailable as StoreUnavailable
from adapters.files.errors import TooManyBytes as TooManyBytes
from models.files import File

# By so many a file's kind is told.
HEAD_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: `size` in bytes, its SHA-256 in hexadecimal digits, and its first bytes."""

    size: int
    sha256: str
    head: bytes


async def write(file: File, parts: AsyncIterable[bytes], *, most: int) -> Written:
    """Write a stream as the bytes of a file, a few parts of it in memory at a time.

    Raises TooManyBytes, StoreUnavailable, and whatever the stream raises.
    """
    measured = _Measured(parts, most)
    if file.object_key is None:
        await chunks.write(file.id, measured)
    else:
        await objects.write(file.object_key, measured)
    return Written(measured.size, measured.digest.hexdigest(), bytes(measured.head))


async def open(file: File, *, within: range | None = None) -> AsyncIterator[bytes]:  # noqa: A001
    """Return the bytes of a file, or those `within` it, part by part. Raises FileMissing, StoreUnavailable."""
    if file.object_key is None:
        return chunks.read(file.id, within)
    return await objects.open(file.object_key, within)


async def whole(file: File) -> bytes:
    """Return all bytes of a file that is known to be small. Raises FileMissing, StoreUnavailable."""
    return b"".join([part async for part in await open(file)])


async def delete(file: File) -> None:
    """Delete the bytes of a file, or what has come of them; those that are gone already stay so.

    Raises StoreUnavailable.
    """
    if file.object_key is None:
        await chunks.delete(file.id)
    else:
        await objects.delete(file.object_key)


class _Measured:
    """A stream that is counted, hashed and looked at as it passes."""

    def __init__(self, parts: AsyncIterable[bytes], most: int) -> None:
        self.size = 0
        self.digest = hashlib.sha256()
        self.head = bytearray()
        self._parts = parts
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._parts:
            self.size += len(part)
            if self.size > self._most:
                raise TooManyBytes
            self.digest.update(part)
            self.head += part[: HEAD_BYTES - len(self.head)]
            yield part
