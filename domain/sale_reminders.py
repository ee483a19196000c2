"""Customers are reminded of what soon expires and of what they owe: when, how often, and of what still holds."""

from datetime import datetime, timedelta
from uuid import UUID, uuid5

from domain import edits, invoice_states, jobs, leads, local_times, policy, proposal_locks, selling_settings
from domain.actors import system
from domain.errors import NotFound
from domain.events import Event
from models.database import read, transaction
from models.events import Event as EventRow
from models.invoices import Invoice, InvoiceKind
from models.leads import Lead
from models.negotiations import Negotiation, NegotiationState
from models.proposals import ProposalState, ProposalVersion
from models.workspaces import Workspace

KEYS = UUID("b0a1d5a4-5b0e-4d8e-8f5e-6a1f2c6d9e10")
VALIDITY, PAYMENT = "remind_of_validity", "remind_of_payment"
OPEN = (ProposalState.SENT, ProposalState.VIEWED)
OVERDUE = """
SELECT n.id, n.workspace_id, n.lead_id FROM negotiation n JOIN lead ON lead.id = n.lead_id AND lead.deleted_at IS NULL
WHERE n.due_at <= $1 ORDER BY n.due_at LIMIT $2
"""
SWEPT_AT_ONCE = 200
REMINDED = """
SELECT FROM event
WHERE workspace_id = $1 AND subject_type = 'lead' AND subject_id = $2 AND name = $3 AND data ->> $4 = $5
  AND coalesce((data ->> 'reminder')::int, 1) = $6 LIMIT 1
"""


class ProposalEnding(Event):
    """A proposal soon expires that waits for its customer's answer."""

    name = "proposal.ending"
    subject_type = "lead"


class NegotiationOverdue(Event):
    """The side whose `turn` it is has not answered in time."""

    name = "negotiation.overdue"
    subject_type = "lead"


class InvoicePaymentReminded(Event):
    """A customer is reminded of an overdue invoice; `reminder` says for which time."""

    name = "invoice.payment_reminded"
    subject_type = "lead"


async def plan_validity(workspace_id: UUID, event_id: UUID, *, now: datetime) -> None:
    """Have the customer reminded of a version that was sent, some mornings before its last valid day.

    One that is sent later than that morning is not reminded of.
    """
    event = await EventRow.get(id=event_id, workspace_id=workspace_id)
    version = await ProposalVersion.get_or_none(id=event.data["proposal_version_id"], workspace_id=workspace_id)
    days = (await selling_settings.of(workspace_id)).validity_reminder_days
    if version is None or version.valid_until is None or not days:
        return
    home = await Workspace.get(id=workspace_id)
    due_at = local_times.morning_of(version.valid_until - timedelta(days=days), home.time_zone)
    if due_at > now:
        arguments = {"proposal_id": version.proposal_id, "version_id": version.id}
        key = uuid5(KEYS, f"{VALIDITY} {version.id}")
        await jobs.schedule(VALIDITY, arguments=arguments, due_at=due_at, now=now, workspace_id=workspace_id, key=key)


async def remind_of_validity(workspace_id: UUID, proposal_id: UUID, version_id: UUID, *, now: datetime) -> None:
    """Tell that a version soon expires, where it still is what the customer sees and has not answered."""
    actor = system(workspace_id, task=VALIDITY)
    async with transaction():
        try:
            lead, proposal = await proposal_locks.with_lead(actor, proposal_id)
        except NotFound:
            return
        version = await ProposalVersion.get(id=version_id)
        settings = await selling_settings.of(workspace_id)
        if proposal.sent_id != version.id or version.state not in OPEN or not settings.validity_reminder_days:
            return
        if await _is_told(ProposalEnding, lead, "proposal_version_id", version.id):
            return
        facts = {
            "proposal_id": proposal.id,
            "proposal_version_id": version.id,
            "proposal_number": proposal.number,
            "valid_until": version.valid_until,
        }
        await leads.tell(ProposalEnding, actor, lead, facts, now=now)


async def tell_overdue_negotiations(now: datetime) -> int:
    """Tell of negotiations that nobody has answered in time, once for each time; return how many were due; a sweep."""
    due = await read(OVERDUE, now, SWEPT_AT_ONCE)
    for row in due:
        actor = system(row["workspace_id"], task="negotiation_sweep")
        async with transaction():
            lead = await policy.locked(actor, Lead, row["lead_id"])
            negotiation = await Negotiation.filter(id=row["id"]).select_for_update(no_key=True).get()
            if negotiation.due_at is None or negotiation.due_at > now:
                continue
            await edits.write(negotiation, {"due_at": None})
            if negotiation.state is NegotiationState.OPEN:
                facts = {
                    "negotiation_id": negotiation.id,
                    "proposal_id": negotiation.proposal_id,
                    "turn": negotiation.turn,
                    "respond_by": negotiation.respond_by,
                }
                await leads.tell(NegotiationOverdue, actor, lead, facts, now=now)
    return len(due)


async def remind_of_payment(workspace_id: UUID, invoice_id: UUID, number: int, *, now: datetime) -> None:
    """Remind of an overdue invoice for the `number`th time, and again after some days, as often as settings say."""
    actor = system(workspace_id, task=PAYMENT)
    settings = await selling_settings.of(workspace_id)
    if number > settings.most_payment_reminders:
        return
    async with transaction():
        known = await Invoice.get_or_none(id=invoice_id, workspace_id=workspace_id)
        try:
            lead = await policy.locked(actor, Lead, known.lead_id) if known else None
        except NotFound:
            return
        invoice = await Invoice.filter(id=invoice_id).select_for_update(no_key=True).first()
        if lead is None or invoice is None or not _is_owed(invoice):
            return
        if await _is_told(InvoicePaymentReminded, lead, "invoice_id", invoice.id, number):
            return
        facts = {
            "invoice_id": invoice.id,
            "proposal_id": invoice.proposal_id,
            "invoice_number": invoice.number,
            "balance": invoice.balance,
            "currency_code": invoice.currency,
            "reminder": number,
        }
        await leads.tell(InvoicePaymentReminded, actor, lead, facts, now=now)
        if number < settings.most_payment_reminders:
            await _again(workspace_id, invoice, number + 1, days=settings.payment_reminder_days, now=now)


async def _is_told(event: type[Event], lead: Lead, fact: str, key: UUID, number: int = 1) -> bool:
    return bool(await read(REMINDED, lead.workspace_id, lead.id, event.name, fact, str(key), number))


def _is_owed(invoice: Invoice) -> bool:
    return invoice.kind is InvoiceKind.INVOICE and invoice.state in invoice_states.OPEN and invoice.balance > 0


async def _again(workspace_id: UUID, invoice: Invoice, number: int, *, days: int, now: datetime) -> None:
    await jobs.schedule(
        PAYMENT,
        arguments={"invoice_id": invoice.id, "number": number},
        due_at=now + timedelta(days=days),
        now=now,
        workspace_id=workspace_id,
        key=uuid5(KEYS, f"{PAYMENT} {invoice.id} {number}"),
    )
