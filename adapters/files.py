"""The store of files' bytes: chunks in PostgreSQL, where every process sees them and a backup holds them."""

import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from models.files import FileChunk

CHUNK_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: `size` in bytes, and its SHA-256 in hexadecimal digits."""

    size: int
    sha256: str


class TooManyBytes(Exception):
    """More came than was asked for."""


async def write(file_id: UUID, parts: AsyncIterable[bytes], *, most: int) -> Written:
    """Write a stream as the chunks of a file, holding no more than one chunk in memory; raises TooManyBytes."""
    digest, size, number, waiting = hashlib.sha256(), 0, 0, bytearray()
    async for part in parts:
        size += len(part)
        if size > most:
            raise TooManyBytes
        digest.update(part)
        waiting += part
        while len(waiting) >= CHUNK_BYTES:
            await FileChunk.create(file_id=file_id, number=number, data=bytes(waiting[:CHUNK_BYTES]))
            del waiting[:CHUNK_BYTES]
            number += 1
    if waiting:
        await FileChunk.create(file_id=file_id, number=number, data=bytes(waiting))
    return Written(size, digest.hexdigest())


async def open(file_id: UUID) -> AsyncIterator[bytes]:  # noqa: A001
    """Give the bytes of a file, chunk by chunk."""
    number = 0
    while chunk := await FileChunk.filter(file_id=file_id, number=number).first():
        yield bytes(chunk.data)
        number += 1
