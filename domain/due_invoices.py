"""Invoices that are due: what is planned for by now is issued, what was not paid in time is overdue."""

from datetime import datetime
from typing import Any

from domain import edits, invoices, leads
from domain.actors import Actor, system
from domain.events import Event
from domain.invoice_states import OPEN
from models import rows
from models.database import transaction
from models.invoices import Invoice, InvoiceState
from models.leads import Lead
from models.postgres import connected
from models.workspaces import Workspace

SWEPT_AT_ONCE = 50
# The lead of what is due, which nobody else works on; those of deleted leads wait until they are restored.
DUE = """
SELECT lead.id, lead.workspace_id FROM invoice JOIN lead ON lead.id = invoice.lead_id
WHERE invoice.due_at <= $1 AND lead.deleted_at IS NULL
ORDER BY invoice.due_at LIMIT 1 FOR NO KEY UPDATE OF lead SKIP LOCKED
"""
DUE_OF_LEAD = """
SELECT {columns} FROM invoice WHERE workspace_id = $1 AND lead_id = $2 AND due_at <= $3
ORDER BY due_at, instalment, id FOR NO KEY UPDATE
"""


class InvoiceOverdue(Event):
    name = "invoice.overdue"
    subject_type = "lead"


async def sweep(now: datetime) -> int:
    """Issue what is planned for by now, and find what is overdue, lead by lead; return how many invoices it were."""
    done = 0
    for _ in range(SWEPT_AT_ONCE):
        if not (taken := await _sweep_lead(now)):
            break
        done += taken
    return done


async def _sweep_lead(now: datetime) -> int:
    async with transaction():
        found = await connected().fetch(DUE, [now])
        if not found:
            return 0
        lead_id, workspace_id = found[0]["id"], found[0]["workspace_id"]
        lead = await rows.to_edit(Lead, lead_id, workspace_id=workspace_id)
        assert lead
        actor = system(workspace_id, task="invoices")
        home = await Workspace.get(id=workspace_id)
        due = await rows.select(Invoice, DUE_OF_LEAD, workspace_id, lead_id, now)
        for row in due:
            if row.state is InvoiceState.PLANNED:
                await invoices.issue_locked(actor, lead, row, home=home, now=now, by_person=False)
            else:
                await _overdue(actor, lead, row, now=now)
    return len(due)


async def _overdue(actor: Actor, lead: Lead, row: Invoice, *, now: datetime) -> None:
    columns: dict[str, Any] = {"due_at": None}
    if row.state in OPEN and row.overdue_at is None:
        columns["overdue_at"] = now
    await edits.write(row, columns)
    if "overdue_at" in columns:
        await leads.tell(InvoiceOverdue, actor, lead, invoices.facts(row), now=now)
