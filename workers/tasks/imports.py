"""Imports of uploaded files, chunk by chunk; a worker that is killed leaves whole chunks, and another goes on."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from adapters import files
from domain import imports
from domain.actors import system
from domain.errors import DomainError
from models.imports import Import, ImportStatus
from workers.jobs import MAX_ATTEMPTS, Job, task


@task(timeout_seconds=None)
async def run_import(job: Job) -> None:
    """Import an uploaded file; run again, it goes on at the first row that no committed chunk has taken."""
    row = await Import.get_or_none(id=UUID(job.arguments["import_id"]), workspace_id=job.workspace)
    if row is not None and row.status in (ImportStatus.PENDING, ImportStatus.RUNNING):
        try:
            await _run(row)
        except imports.ImportTaken:
            raise
        except Exception as error:
            if job.attempt >= MAX_ATTEMPTS:
                await _fail(row, f"INTERNAL: {type(error).__name__}, {MAX_ATTEMPTS} times.")
            raise
    async with job.finishing():
        pass


async def _run(row: Import) -> None:
    """Import a row's file; what is wrong with the file, the mapping or the importer is told by the import."""
    try:
        actor = await imports.importer_of(row)
    except DomainError as error:
        await _fail(row, error)
        return
    assert row.file_id
    async with _on_disk(row.file_id) as path:
        try:
            await imports.run(actor, row.id, path, clock=lambda: datetime.now(UTC))
        except imports.ImportTaken:
            raise
        except DomainError:
            return


async def _fail(row: Import, error: DomainError | str) -> None:
    await imports.fail(system(row.workspace_id, task=run_import.name), row, error, now=datetime.now(UTC))


@asynccontextmanager
async def _on_disk(file_id: UUID) -> AsyncIterator[Path]:
    """Give a file of the store as one on disk, since it is looked through before its first row is taken."""
    with tempfile.NamedTemporaryFile(prefix="salescycle-import-") as copy:
        async for part in files.open(file_id):
            await asyncio.to_thread(copy.write, part)
        await asyncio.to_thread(copy.flush)
        yield Path(copy.name)
