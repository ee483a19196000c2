"""Imports of uploaded files, chunk by chunk; a worker that is killed leaves whole chunks, and another goes on."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from adapters import files as store
from domain import fault_lists, files, imports
from domain.actors import system
from domain.errors import DomainError, Internal
from models.files import File
from models.imports import Import, ImportStatus
from settings import settings
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
                await _fail(row, Internal(what=f"{type(error).__name__}, {MAX_ATTEMPTS} times"))
            raise
    async with job.finishing():
        pass


@task(timeout_seconds=600)
async def write_faults(job: Job) -> None:
    """Write the faults of an import that has ended as a file to download; those that are written stay as they are."""
    row = await Import.get_or_none(id=job.subject_ids[0], workspace_id=job.workspace)
    if row is None or row.faults_file_id is not None or not row.skipped_rows:
        async with job.finishing():
            return
    file = await files.draft(
        job.workspace, name=f"{Path(row.file_name).stem}-faults.csv", content_type="text/csv", now=job.now
    )
    written = await store.write(file, fault_lists.as_csv(row.id), most=settings().max_upload_bytes)
    async with job.finishing():
        await files.publish(file, size=written.size, sha256=written.sha256, now=job.now)
        await Import.filter(id=row.id).update(faults_file_id=file.id)


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


async def _fail(row: Import, error: DomainError) -> None:
    await imports.fail(system(row.workspace_id, task=run_import.name), row, error, now=datetime.now(UTC))


@asynccontextmanager
async def _on_disk(file_id: UUID) -> AsyncIterator[Path]:
    """Give a file of the store as one on disk, since it is looked through before its first row is taken."""
    with tempfile.NamedTemporaryFile(prefix="salescycle-import-") as copy:
        async for part in await store.open(await File.get(id=file_id)):
            await asyncio.to_thread(copy.write, part)
        await asyncio.to_thread(copy.flush)
        yield Path(copy.name)
