"""Numbers of documents: one after the other without gaps, per workspace, kind and year.

The row of a series is locked until the transaction that took a number ends, so that the next one waits and a number
whose transaction is undone is given again. Whoever takes one therefore does so last, just before the row is written.
"""

from datetime import date
from uuid import UUID

from models.base import uuid7
from models.database import joined
from models.selling import NumberedKind

PREFIXES = {
    NumberedKind.PROPOSAL: "P",
    NumberedKind.CONTRACT: "C",
    NumberedKind.INVOICE: "INV",
    NumberedKind.CREDIT_NOTE: "CN",
}
NEXT = """
INSERT INTO number_series (id, workspace_id, kind, year, newest) VALUES ($1, $2, $3, $4, 1)
ON CONFLICT (workspace_id, kind, year) DO UPDATE SET newest = number_series.newest + 1
RETURNING newest
"""


async def next(workspace_id: UUID, kind: NumberedKind, on: date) -> str:  # noqa: A001
    """Return the next number of a kind of document, as INV-2026-0001, within the running transaction.

    `on` is the document's day where the workspace is: each year counts anew.
    """
    async with joined() as running:
        rows = await running.fetch(NEXT, [uuid7(), workspace_id, kind.value, on.year])
    return written(kind, on.year, rows[0]["newest"])


def written(kind: NumberedKind, year: int, number: int) -> str:
    """Return a number as documents show it, of four digits and more."""
    return f"{PREFIXES[kind]}-{year}-{number:04}"
