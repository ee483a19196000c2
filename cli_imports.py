"""`salescycle import`: a file into a workspace, with a bar that shows how far it is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from domain import fault_lists, imports
from domain.errors import DomainError
from domain.tokens import SecretKeyMissing
from embedded.errors import StartFailed
from models.database import close_database, open_database
from models.imports import Import, ImportFault, ImportKind

SHOWN_FAULTS = 20
POOL = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed."""

    kind: ImportKind
    file: Path
    mapping: Path | None
    workspace: str | None
    email: str | None
    faults: Path | None
    chunk_size: int


async def import_file(asked: Asked, database_url: str) -> None:
    """Import a file, or go on where an import of the same file and mapping was ended, and say what came of it.

    Raises StartFailed with what has to be mended.
    """
    console = Console()
    await open_database(database_url, pool_size=POOL)
    try:
        with _sentences():
            row = await _import(asked, console)
        await _tell(row, asked, console)
    finally:
        await close_database()


async def _import(asked: Asked, console: Console) -> Import:
    given = imports.load(_mapping(asked, console))
    actor = await imports.operator(asked.workspace, asked.email)
    row = await imports.begin(
        actor,
        asked.kind,
        file_name=asked.file.name,
        fingerprint=imports.fingerprint(asked.file),
        given=given,
        now=_now(),
    )
    if row.next_row:
        console.print(f"Going on at row {row.next_row + 1:,} of an import that was ended.")
    with _bar(console) as report:
        return await imports.run(actor, row.id, asked.file, clock=_now, report=report, chunk_size=asked.chunk_size)


def suggest(kind: ImportKind, file: Path) -> str:
    """Return the mapping that a file suggests. Raises StartFailed."""
    with _sentences():
        return imports.suggest(file, kind, name=file.name)


def _mapping(asked: Asked, console: Console) -> str:
    if asked.mapping is not None:
        return _text(asked.mapping)
    found = suggest(asked.kind, asked.file)
    console.print(f"This is how {asked.file.name} is taken; --suggest writes it to be changed first.", markup=False)
    console.print(found, markup=False, highlight=False, soft_wrap=True)
    return found


def _now() -> datetime:
    return datetime.now(UTC)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise StartFailed(f"{path} is not UTF-8 text.") from error


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except DomainError as error:
        raise StartFailed(imports.reason(error)) from error
    except SecretKeyMissing as error:
        raise StartFailed("Set SECRET_KEY to the server's: the models that score leads are signed by it.") from error
    except OSError as error:
        raise StartFailed(f"{error.filename or 'The file'} cannot be read: {error.strerror}.") from error


@contextmanager
def _bar(console: Console) -> Iterator[Callable[[Import], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    rate = TextColumn("{task.fields[rate]:,.0f} rows/s")
    with Progress(*columns, rate, TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task("Looking through the file", total=None, rate=0)
        began: list[tuple[float, int]] = []

        def report(row: Import) -> None:
            if not began:
                began.append((time.monotonic(), row.next_row))
                progress.update(task, description=row.file_name, total=row.total_rows)
            at, done = began[0]
            rate = (row.next_row - done) / max(time.monotonic() - at, 0.001)
            progress.update(task, completed=row.next_row, rate=rate)

        yield report


async def _tell(row: Import, asked: Asked, console: Console) -> None:
    console.print(
        f"{row.created_rows:,} created, {row.updated_rows:,} updated, "
        f"{row.unchanged_rows:,} unchanged, {row.skipped_rows:,} skipped."
    )
    if not row.skipped_rows:
        return
    faults = ImportFault.filter(of_import_id=row.id).order_by("line", "id")
    table = Table("line", "column", "value", "reason")
    for fault in await faults.limit(SHOWN_FAULTS):
        table.add_row(str(fault.line), fault.column or "", fault.value or "", fault.reason)
    console.print(table)
    if asked.faults is None:
        console.print("All of them: --faults FILE, the next time.")
        return
    with asked.faults.open("wb") as file:
        async for part in fault_lists.as_csv(row.id):
            file.write(part)
    console.print(f"All that were kept stand in {asked.faults}.")
