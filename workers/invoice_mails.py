"""Mails to customers of their invoices: what is to be paid, what was paid and what is credited, with the PDF."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from adapters import files
from adapters.mail import Attached, Recipient
from domain import documents, selling_settings
from domain.words import Words, best_language, words
from models.contacts import Contact
from models.documents import DocumentKind
from models.events import Event
from models.invoices import Invoice, Payment
from models.leads import Lead
from models.selling import SellingSettings
from models.users import User
from models.workspaces import Workspace
from workers.messages import Composed, Due, Later, Letter, Skip

WITH_PDF, MOST_ATTACHED = frozenset({"invoice", "credit_note"}), 5_000_000
PAUSE, WAITS = timedelta(seconds=2), timedelta(minutes=2)
# Whoever looks for an invoice in an old mail finds it for so long; reminders have a link of their own.
LINK_LASTS = timedelta(days=365)
UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(slots=True)
class Known:
    """What it takes to write a batch of mails, read once for all of them."""

    events: dict[UUID, Event]
    invoices: dict[UUID, Invoice]
    payments: dict[UUID, Payment]
    contacts: dict[UUID, Contact]
    homes: dict[UUID, Workspace]
    settings: dict[UUID, SellingSettings]
    owners: dict[UUID, UUID | None]
    users: dict[UUID, User]


@dataclass(slots=True)
class Told:
    """One mail: its event, the invoice or credit note that it is about, and the payment where it tells of one."""

    event: Event
    invoice: Invoice
    payment: Payment | None
    credited: Invoice | None
    settings: SellingSettings
    said: Words

    def money(self, amount: Any) -> str:
        return self.said.money(amount, self.invoice.currency)


async def compose(rows: Sequence[Due], now: datetime) -> Composed:
    """Compose what customers are told of invoices, but not that they owe what they have paid meanwhile."""
    known = await _known(rows)
    made: dict[UUID, Any] = {}
    for row in rows:
        event = known.events.get(UUID(row.data["event_id"]))
        person = known.contacts.get(row.contact_id) if row.contact_id else None
        invoice = known.invoices.get(UUID(_subject(event))) if event else None
        if event is None or invoice is None or person is None or person.deleted_at or not row.address:
            continue
        home, settings = known.homes[row.workspace_id], known.settings[row.workspace_id]
        languages = [invoice.language, person.language, home.locale]
        told = Told(
            event,
            invoice,
            known.payments.get(UUID(event.data["payment_id"])) if event.data.get("payment_id") else None,
            known.invoices.get(UUID(event.data["invoice_id"])),
            settings,
            words(best_language(*languages)),
        )
        if row.kind == "payment_reminder" and invoice.balance <= 0:
            made[row.id] = Skip("The invoice is paid.")
            continue
        pdf = await _pdf(row, invoice, now) if row.kind in WITH_PDF else None
        if isinstance(pdf, Later):
            made[row.id] = pdf
            continue
        sender = sender_of(event, known.owners, known.users)
        common = {
            "workspace": settings.seller.get("name") or home.name,
            "name": person.name,
            "sender": sender.name if sender else None,
            "title": invoice.title,
            "number": invoice.number,
            "total": told.money(invoice.total),
            "link": documents.url(DocumentKind.INVOICE, invoice.id, lasts=LINK_LASTS, now=now),
        }
        made[row.id] = Letter(
            row.address,
            common | FACTS[row.kind](told),
            name=person.name,
            languages=languages,
            time_zone=home.time_zone,
            reply_to=Recipient(sender.email, sender.name) if sender and sender.email else None,
            files=[pdf] if pdf else [],
        )
    return made


def sender_of(event: Event, owners: Mapping[UUID, UUID | None], users: Mapping[UUID, User]) -> User | None:
    """Return who did it, else the owner of the lead."""
    by = event.actor.get("user")
    key = UUID(by) if by else owners.get(event.subject_id)
    return users.get(key) if key else None


async def people_of(events: Mapping[UUID, Event]) -> tuple[dict[UUID, UUID | None], dict[UUID, User]]:
    """Return who owns the leads of events, and the users who own them or caused these."""
    leads = {event.subject_id for event in events.values()}
    owners = dict(await Lead.filter(id__in=leads).values_list("id", "owner_id"))
    keys = {UUID(key) for event in events.values() if (key := event.actor.get("user"))} | set(owners.values())
    return owners, await User.in_bulk(keys - {None}, "id")


def _subject(event: Event) -> str:
    """Return what a mail is about: of what is credited, the credit note."""
    return str(event.data.get("credit_note_id") or event.data["invoice_id"])


async def _pdf(row: Due, invoice: Invoice, now: datetime) -> Attached | Later | None:
    """Return an invoice as PDF; it is waited for a little, and the mail goes without it where none comes."""
    document = await documents.wanted(DocumentKind.INVOICE, invoice.id, now=now)
    file = await documents.file_of(document) if document else None
    if file is not None and file.size <= MOST_ATTACHED:
        name = UNFIT.sub("-", invoice.number or "invoice")
        return Attached(f"{name}.pdf", "application/pdf", await files.whole(file))
    is_coming = document is not None and file is None and document.failure is None
    return Later(now + PAUSE, "The PDF is being made.") if is_coming and now - row.created_at < WAITS else None


async def _known(rows: Sequence[Due]) -> Known:
    events = await Event.in_bulk([UUID(row.data["event_id"]) for row in rows], "id")
    named = ("invoice_id", "credit_note_id")
    invoices = {UUID(event.data[name]) for event in events.values() for name in named if event.data.get(name)}
    payments = {UUID(key) for event in events.values() if (key := event.data.get("payment_id"))}
    homes = await Workspace.in_bulk({row.workspace_id for row in rows}, "id")
    owners, users = await people_of(events)
    return Known(
        events=events,
        invoices=await Invoice.in_bulk(invoices, "id"),
        payments=await Payment.in_bulk(payments, "id"),
        contacts=await Contact.in_bulk({row.contact_id for row in rows if row.contact_id}, "id"),
        homes=homes,
        settings={key: await selling_settings.of(key) for key in homes},
        owners=owners,
        users=users,
    )


def _asked(told: Told) -> dict[str, Any]:
    return {"due_on": told.invoice.due_on, "bank": told.settings.seller.get("bank")}


def _reminded(told: Told) -> dict[str, Any]:
    return _asked(told) | {"balance": told.money(told.invoice.balance), "reminder": told.event.data["reminder"]}


def _received(told: Told) -> dict[str, Any]:
    assert told.payment
    open_still = told.money(told.invoice.balance) if told.invoice.balance > 0 else None
    return {"amount": told.money(told.payment.amount), "balance": open_still}


def _credited(told: Told) -> dict[str, Any]:
    assert told.credited
    return {"invoice": told.credited.number, "message": told.invoice.reason}


FACTS: Mapping[str, Callable[[Told], dict[str, Any]]] = {
    "invoice": _asked,
    "credit_note": _credited,
    "payment_reminder": _reminded,
    "payment_received": _received,
}
