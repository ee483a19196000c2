"""The faults of an import as CSV, to be mended in a spreadsheet."""

import codecs
import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from uuid import UUID

from models.imports import ImportFault

PAGE = 1000
FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def as_csv(import_id: UUID) -> AsyncIterator[bytes]:
    """Give an import's faults as CSV, by pages, with the mark by which spreadsheets know UTF-8."""
    yield codecs.BOM_UTF8 + lines([("line", "column", "value", "reason")])
    faults = ImportFault.filter(of_import_id=import_id).order_by("line", "id")
    given = 0
    while page := await faults.offset(given).limit(PAGE):
        yield lines([(fault.line, fault.column, fault.value, fault.reason) for fault in page])
        given += len(page)


def lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as CSV whose cells a spreadsheet shows as they are."""
    text = io.StringIO()
    csv.writer(text).writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def _harmless(cell: object) -> object:
    """Return what a spreadsheet shows and never reckons: what stood in a file may be a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
