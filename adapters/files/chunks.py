"""Files in PostgreSQL, in chunks, where every process sees them and a backup holds them."""

from collections.abc import AsyncIterable, AsyncIterator
from uuid import UUID

from models.files import FileChunk

# By this size a place within a file is found, those that lie there included, so it stays as it is.
CHUNK_BYTES = 512 * 1024


async def write(file_id: UUID, parts: AsyncIterable[bytes]) -> None:
    """Write a stream as the chunks of a file, holding no more than one chunk in memory."""
    number, waiting = 0, bytearray()
    async for part in parts:
        waiting += part
        while len(waiting) >= CHUNK_BYTES:
            await FileChunk.create(file_id=file_id, number=number, data=bytes(waiting[:CHUNK_BYTES]))
            del waiting[:CHUNK_BYTES]
            number += 1
    if waiting:
        await FileChunk.create(file_id=file_id, number=number, data=bytes(waiting))


async def read(file_id: UUID, within: range | None) -> AsyncIterator[bytes]:
    """Give the bytes of a file, or those within it, chunk by chunk."""
    number, skipped = divmod(within.start, CHUNK_BYTES) if within else (0, 0)
    left = len(within) if within else None
    while left != 0 and (chunk := await FileChunk.filter(file_id=file_id, number=number).first()):
        part = bytes(chunk.data[skipped:])[:left]
        yield part
        number, skipped, left = number + 1, 0, None if left is None else left - len(part)


async def delete(file_id: UUID) -> None:
    """Delete the chunks of a file."""
    await FileChunk.filter(file_id=file_id).delete()
