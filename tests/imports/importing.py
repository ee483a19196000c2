"""What tests of imports share: a workspace ready to sell, and files taken in one line."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from domain import catalog, imports, pipelines
from domain.actors import Actor
from models.imports import Import, ImportFault, ImportKind
from models.users import Role
from tests.factories import NOW, member

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "maven"


async def seller(role: Role = Role.ADMIN) -> Actor:
    """Return a member of a new workspace with the default pipeline, sources and lost reasons."""
    admin = await member()
    await pipelines.create_default(admin, now=NOW)
    await catalog.create_defaults(admin, now=NOW)
    return admin if role is Role.ADMIN else await member(role, of=admin)


def text_of(rows: Sequence[Sequence[Any]], *, delimiter: str = ",") -> str:
    """Return rows as CSV."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


def written(folder: Path, rows: Sequence[Sequence[Any]] | str | bytes, *, name: str = "file.csv") -> Path:
    """Write rows, text or bytes as a file."""
    path = folder / name
    if isinstance(rows, bytes):
        path.write_bytes(rows)
    else:
        path.write_text(rows if isinstance(rows, str) else text_of(rows), encoding="utf-8", newline="")
    return path


def mapping(text: str, **more: Any) -> dict[str, Any]:
    """Return a mapping from YAML, with some of its keys replaced."""
    return imports.load(text) | more


async def take(
    actor: Actor,
    kind: ImportKind,
    path: Path,
    given: Mapping[str, Any],
    *,
    now: datetime = NOW,
    chunk_size: int = 5000,
) -> Import:
    """Import a file to its end."""
    row = await imports.begin(
        actor, kind, file_name=path.name, fingerprint=imports.fingerprint(path), given=given, now=now
    )
    return await imports.run(actor, row.id, path, clock=lambda: now, chunk_size=chunk_size)


def counts(row: Import) -> tuple[int, int, int, int]:
    """Return how many rows were created, updated, unchanged, skipped."""
    return row.created_rows, row.updated_rows, row.unchanged_rows, row.skipped_rows


async def faults(row: Import) -> list[tuple[int, str | None, str | None, str]]:
    """Return what was wrong with the rows, in their order."""
    kept = await ImportFault.filter(of_import_id=row.id).order_by("line", "id")
    return [(fault.line, fault.column, fault.value, fault.reason) for fault in kept]
