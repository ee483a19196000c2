"""Imports: begun, gone through chunk by chunk, ended; killed at any moment, they go on at their chunk."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from tortoise.connection import get_connection
from tortoise.exceptions import IntegrityError

from domain import external_refs, jobs, locks, policy
from domain.actors import Actor
from domain.errors import DomainError, Invalid
from domain.events import Event, record
from domain.files import uploaded
from domain.imports import files, mapping, others, suggestions
from domain.imports.companies import CompaniesImport
from domain.imports.custom import Custom
from domain.imports.errors import ImportTaken
from domain.imports.files import Reading
from domain.imports.keys import new_key
from domain.imports.leads import LeadsImport
from domain.imports.mapping import ImportMapping
from domain.imports.products import ProductsImport
from domain.imports.rows import Chunk, Converter
from domain.imports.taking import Taking
from domain.imports.users import UsersImport
from domain.jobs import Queue
from domain.policy import Action
from models.database import transaction
from models.imports import Import, ImportFault, ImportKind, ImportStatus
from models.workspaces import Workspace

TASK = "run_import"
CHUNK = 5000
FAULTS_KEPT = 10_000
ATTEMPTS = 3
# Tables that begin empty and grow by thousands of rows a second, and after how many chunks they are looked at anew:
# without statistics PostgreSQL reads a whole workspace for every row that it looks up by its reference.
GROWING = (
    "external_ref (workspace_id, system, subject_type, external_id, subject_id), "
    "lead (workspace_id, stage_id, status, owner_id, company_id), company (workspace_id, name_normalised, domain), "
    "stage_transition (workspace_id, lead_id)"
)
ANALYZED_AFTER = frozenset(4**power for power in range(10))
# What another transaction may bring about, and what another attempt mends.
PASSING = (
    IntegrityError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)

Clock = Callable[[], datetime]
Report = Callable[[Import], None]


class ImportStarted(Event):
    name = "import.started"


class ImportProgressed(Event):
    name = "import.progressed"


class ImportCompleted(Event):
    name = "import.completed"


class ImportFailed(Event):
    name = "import.failed"


class Importer(Protocol):
    """Takes the rows of a kind."""

    noun: type[Any]

    async def take(self, taking: Taking, rows: Any) -> None: ...


IMPORTERS: Mapping[ImportKind, Any] = {
    ImportKind.LEADS: LeadsImport,
    ImportKind.COMPANIES: CompaniesImport,
    ImportKind.PRODUCTS: ProductsImport,
    ImportKind.USERS: UsersImport,
}


async def start(actor: Actor, kind: ImportKind, *, file_id: UUID, mapping_text: str | None, now: datetime) -> Import:
    """Have an uploaded file imported by a worker; return the import that the same request has already begun.

    Without a mapping the one is taken that the file suggests. Raises Forbidden, NotFound, and every fault of the
    mapping, also of what it names in the workspace.
    """
    policy.require(actor, Action.IMPORT)
    given = {} if mapping_text is None else mapping.load(mapping_text)
    if mapping_text is not None:
        checked = mapping.parse(given, kind=kind)
        await IMPORTERS[kind].bind(actor, checked, await _zone(actor, checked))
    async with transaction():
        file = await uploaded(actor, file_id)
        row = await begin(
            actor,
            kind,
            file_name=file.name,
            fingerprint=file.sha256 or "",
            given=given,
            file_id=file.id,
            now=now,
        )
        await jobs.schedule(
            TASK,
            arguments={"import_id": row.id},
            due_at=now,
            now=now,
            workspace_id=actor.workspace_id,
            queue=Queue.BULK,
            key=row.id,
        )
    return row


async def begin(
    actor: Actor,
    kind: ImportKind,
    *,
    file_name: str,
    fingerprint: str,
    given: Mapping[str, Any],
    file_id: UUID | None = None,
    now: datetime,
) -> Import:
    """Return an import to run: the one of the same file and mapping that has not ended, else a new one.

    `given` is the mapping as plain data; an empty one means what the file suggests. Raises Forbidden, and every fault
    of the mapping.
    """
    policy.require(actor, Action.IMPORT)
    if given:
        mapping.parse(given, kind=kind)
    async with transaction():
        await locks.hold(actor.workspace_id, "imports.begin")
        unended = Import.filter(
            workspace_id=actor.workspace_id,
            kind=kind,
            fingerprint=fingerprint,
            file_id=file_id,
            status__in=[ImportStatus.PENDING, ImportStatus.RUNNING],
        )
        for row in await unended.order_by("-created_at"):
            if row.mapping == given and row.user_id == actor.user_id:
                return row
        return await Import.create(
            workspace_id=actor.workspace_id,
            kind=kind,
            file_name=file_name,
            file_id=file_id,
            fingerprint=fingerprint,
            mapping=dict(given),
            user_id=actor.user_id,
            created_at=now,
        )


async def run(
    actor: Actor,
    import_id: UUID,
    path: Path,
    *,
    clock: Clock,
    report: Report = lambda row: None,
    chunk_size: int = CHUNK,
) -> Import:
    """Take the rows of a file that no earlier run has taken; return the import as it stands at the end.

    What is wrong with the file or the mapping ends the import as failed and is raised. `report` is told of every
    chunk. Raises ImportTaken where another process takes the same rows.
    """
    actor = replace(actor, task=f"import:{import_id}")
    row = await Import.get(id=import_id, workspace_id=actor.workspace_id)
    if row.status in (ImportStatus.COMPLETED, ImportStatus.FAILED):
        return row
    try:
        return await _run(actor, row, path, clock, report, chunk_size)
    except ImportTaken:
        raise
    except DomainError as error:
        await fail(actor, row, error, now=clock())
        raise


async def _run(actor: Actor, row: Import, path: Path, clock: Clock, report: Report, chunk_size: int) -> Import:
    if not row.mapping:
        await _suggest(row, path)
    checked = mapping.parse(row.mapping, kind=row.kind)
    reading = await asyncio.to_thread(files.survey, path, checked)
    checked = await others.adopted(actor, checked, reading, now=clock())
    zone = await _zone(actor, checked)
    importer = await IMPORTERS[row.kind].bind(actor, checked, zone)
    custom = getattr(importer, "custom", Custom())
    converter = Converter(checked, reading, zone=zone, custom=custom.fields)
    await _start(actor, row, reading, now=clock())
    report(row)
    chunks = converter.chunks(reading, start=row.next_row, size=chunk_size)
    # The next chunk is read while PostgreSQL works on this one.
    following = asyncio.create_task(asyncio.to_thread(next, chunks, None))
    try:
        for number in count(1):
            chunk = await following
            if chunk is None:
                break
            following = asyncio.create_task(asyncio.to_thread(next, chunks, None))
            known = row.created_rows
            row = await _take(actor, row, importer, chunk, checked, converter, clock)
            report(row)
            if number in ANALYZED_AFTER and row.created_rows - known > chunk_size // 2:
                await get_connection("default").execute_query(f"ANALYZE {GROWING}")
    finally:
        following.cancel()
    return await _complete(actor, row, now=clock())


async def _suggest(row: Import, path: Path) -> None:
    """Keep what the file itself suggests as the mapping of an import that has none."""
    text = await asyncio.to_thread(suggestions.suggest, path, row.kind, name=row.file_name)
    row.mapping = mapping.load(text)
    await row.save(update_fields=["mapping"])


async def _zone(actor: Actor, checked: ImportMapping) -> ZoneInfo:
    return ZoneInfo(checked.file.time_zone or (await Workspace.get(id=actor.workspace_id)).time_zone)


async def fail(actor: Actor, row: Import, error: DomainError, *, now: datetime) -> None:
    """End an import that cannot go on, with the reason."""
    columns = {"status": ImportStatus.FAILED, "error": reason(error), "errors": told(error), "finished_at": now}
    async with transaction():
        locked = await Import.filter(id=row.id).select_for_update().get()
        locked.update_from_dict(columns)
        await locked.save(update_fields=list(columns))
        facts = progress(locked) | {"error": locked.error, "errors": locked.errors}
        await record(ImportFailed(actor, row.id, facts), now=now)
    row.update_from_dict(columns)


def told(error: DomainError) -> list[dict[str, Any]]:
    """Return an error as an import keeps it: of each fault its code, its message and the field that it is about."""
    faults = error.faults if isinstance(error, Invalid) else [error]
    return [
        {"code": fault.code, "message": fault.message, "field": list(fault.field) if fault.field else None}
        for fault in faults
    ]


def reason(error: DomainError) -> str:
    """Return an error as text: a line for the code and the message of each fault."""
    return "\n".join(f"{fault['code']}: {fault['message']}" for fault in told(error))


def progress(row: Import) -> dict[str, Any]:
    """Return how an import stands, as its events tell it."""
    return {
        "kind": row.kind,
        "user_id": row.user_id,
        "status": row.status,
        "next_row": row.next_row,
        "total_rows": row.total_rows,
        "created_rows": row.created_rows,
        "updated_rows": row.updated_rows,
        "unchanged_rows": row.unchanged_rows,
        "skipped_rows": row.skipped_rows,
    }


async def _start(actor: Actor, row: Import, reading: Reading, *, now: datetime) -> None:
    async with transaction():
        row.status, row.total_rows, row.started_at = ImportStatus.RUNNING, reading.rows, row.started_at or now
        await row.save(update_fields=["status", "total_rows", "started_at"])
        await record(ImportStarted(actor, row.id, progress(row)), now=now)


async def _complete(actor: Actor, row: Import, *, now: datetime) -> Import:
    async with transaction():
        locked = await Import.filter(id=row.id).select_for_update().get()
        if locked.status is ImportStatus.RUNNING:
            locked.status, locked.finished_at = ImportStatus.COMPLETED, now
            await locked.save(update_fields=["status", "finished_at"])
            await record(ImportCompleted(actor, row.id, progress(locked)), now=now)
    return locked


async def _take(
    actor: Actor,
    row: Import,
    importer: Importer,
    chunk: Chunk,
    checked: ImportMapping,
    converter: Converter,
    clock: Clock,
) -> Import:
    """Take a chunk, all of it or nothing; what two transactions did to each other is tried again."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await _try(actor, row.id, importer, chunk, checked, converter, now=clock())
        except PASSING:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _try(
    actor: Actor,
    import_id: UUID,
    importer: Importer,
    chunk: Chunk,
    checked: ImportMapping,
    converter: Converter,
    *,
    now: datetime,
) -> Import:
    async with transaction() as connection:
        # A crash of the server may undo the last chunks, whole, and the import goes on before them: only its end is
        # waited for until it stands on the disk. What reads the log flushes it up to what it has read.
        await connection.execute_query("SET LOCAL synchronous_commit = off")
        row = await Import.filter(id=import_id).select_for_update().get()
        if row.status is not ImportStatus.RUNNING or row.next_row != chunk.first:
            raise ImportTaken()
        # One import of a workspace at a time writes a chunk: two would create the same companies and owners.
        await locks.hold(actor.workspace_id, locks.IMPORTS)
        taking = Taking(
            actor,
            connection,
            checked.system,
            external_refs.subject_type(importer.noun),
            now,
            row.started_at or now,
            {name: source.column for name, source in checked.fields.items() if source.column},
            converter.places,
            converter.fingerprints,
        )
        await importer.take(taking, chunk.rows)
        await taking.write_events()
        await _keep_faults(row, taking)
        row.next_row = chunk.next
        row.created_rows += taking.created
        row.updated_rows += taking.updated
        row.unchanged_rows += taking.unchanged
        row.skipped_rows += taking.skipped
        counted = ["created_rows", "updated_rows", "unchanged_rows", "skipped_rows"]
        await row.save(update_fields=["next_row", *counted])
        await record(ImportProgressed(actor, row.id, progress(row)), now=now)
    return row


async def _keep_faults(row: Import, taking: Taking) -> None:
    if not taking.faults:
        return
    room = FAULTS_KEPT - await ImportFault.filter(of_import_id=row.id).count()
    columns = ("id", "workspace_id", "of_import_id", "line", "column", "value", "reason")
    kept = sorted(taking.faults, key=lambda fault: fault.line)[: max(room, 0)]
    await taking.copy(
        "import_fault",
        columns,
        [(new_key(), row.workspace_id, row.id, each.line, each.column, each.value, each.reason) for each in kept],
    )
