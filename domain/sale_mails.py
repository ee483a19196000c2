"""What customers are mailed of their sale: the one table that says of which event, and who gets it.

A mail goes to whom an invoice names, else to the contact whom the proposal is for, else to the primary contact of the
lead; the answer to a question to whoever asked, as far as their link says who that is. Where nobody can be mailed a
row says why, and whoever caused it and the owner of the lead are told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import deliveries, leads, policy, proposal_links, proposal_locks, suppressions
from domain.actors import Actor, system
from domain.deliveries import Message
from domain.errors import NotFound
from domain.events import Event
from models.contacts import Contact
from models.database import transaction
from models.deliveries import Channel, DeliveryStatus
from models.events import Event as EventRow
from models.invoices import Invoice
from models.leads import Lead, LeadContact
from models.negotiations import NegotiationEnding
from models.proposal_links import Party, ProposalLink, ProposalQuestion
from models.proposals import Proposal

NO_ADDRESS, REVOKED = "The contact has no email address.", "The customer's link was revoked."
NOBODY = "There is nobody to mail: the lead has no primary contact, or whom it is for was deleted."


class CustomerNotMailed(Event):
    """A customer was not mailed of what the facts name, for a `reason` in words; `by_id` caused it."""

    name = "customer.not_mailed"
    subject_type = "lead"


def always(event: EventRow) -> bool:
    return True


def by_seller(event: EventRow) -> bool:
    """Say whether the seller did it: customers are not told of what they do themselves."""
    return bool(event.data.get("party") == Party.SELLER)


def broken_off_by_seller(event: EventRow) -> bool:
    """Say whether the seller broke off, rather than sent the proposal anew or withdrew it."""
    return by_seller(event) and event.data.get("ending") == NegotiationEnding.BROKEN_OFF


def not_negotiated(event: EventRow) -> bool:
    """Say whether a proposal was accepted as it was sent: of what was negotiated another event tells."""
    return not event.data.get("negotiation_id")


def is_income(event: EventRow) -> bool:
    return not str(event.data.get("amount", "")).startswith("-")


@dataclass(frozen=True, slots=True)
class Mailing:
    """The kind of mail that tells of an event, and `page`, the part of the link's page that it leads to.

    `anew`: also to somebody whose link was revoked, who gets another one. `awaited`: somebody counts on it, and is told
    where it could not be mailed.
    """

    kind: str
    page: str = ""
    when: Callable[[EventRow], bool] = always
    anew: bool = False
    awaited: bool = True


NEGOTIATION, CONTRACT = "/negotiation", "/contract"
MAILINGS: Mapping[str, Mailing] = {
    "proposal.sent": Mailing("proposal", anew=True),
    "proposal.ending": Mailing("proposal_ending"),
    "proposal.question_answered": Mailing("proposal_answer"),
    "proposal.accepted": Mailing("proposal_accepted", when=not_negotiated, awaited=False),
    "negotiation.opened": Mailing("negotiation_opened", NEGOTIATION),
    "negotiation.offer_made": Mailing("negotiation_offer", NEGOTIATION, by_seller),
    "negotiation.agreed": Mailing("negotiation_agreed", awaited=False),
    "negotiation.broken_off": Mailing("negotiation_ended", when=broken_off_by_seller),
    "contract.created": Mailing("contract_ready", CONTRACT),
    "contract.completed": Mailing("contract_signed", CONTRACT, awaited=False),
    "invoice.issued": Mailing("invoice"),
    "invoice.credited": Mailing("credit_note"),
    "invoice.payment_reminded": Mailing("payment_reminder"),
    "payment.recorded": Mailing("payment_received", when=is_income, awaited=False),
}
AWAITED = frozenset(mailing.kind for mailing in MAILINGS.values() if mailing.awaited)


@dataclass(frozen=True, slots=True)
class _Sale:
    """What a mail is about, with its locked lead: a proposal, an invoice of one, or an invoice of free lines."""

    lead: Lead
    proposal: Proposal | None
    invoice: Invoice | None


async def mail(workspace_id: UUID, event_id: UUID, *, now: datetime) -> None:
    """Have the customer mailed of an event of their sale, once; where nobody can be mailed, a row says so."""
    event = await EventRow.get_or_none(id=event_id, workspace_id=workspace_id)
    mailing = MAILINGS.get(event.name) if event else None
    if event is None or mailing is None or not mailing.when(event):
        return
    actor = system(workspace_id, task="mail_customer")
    async with transaction():
        sale = await _sale(actor, event)
        if sale is None:
            return
        contact = await _contact(sale, event)
        reason = await _why_not(mailing, sale, contact)
        about = sale.proposal or sale.invoice
        message = Message(
            Channel.MAIL,
            mailing.kind,
            f"{mailing.kind}:{event.id}",
            now,
            contact_id=contact.id if contact else None,
            address=contact.email if contact else None,
            about_id=about.id if about else None,
            data={"event_id": event.id},
            status=DeliveryStatus.SKIPPED if reason else DeliveryStatus.PENDING,
            reason=reason,
        )
        [new] = await deliveries.enqueue(workspace_id, [message], now=now)
        if new and reason:
            await _tell(actor, sale.lead, event, mailing.kind, reason, now=now)
        elif new and contact and sale.proposal and sale.invoice is None:
            await proposal_links.link_for(actor, sale.proposal, contact.id, lead=sale.lead, now=now)


async def not_taken(workspace_id: UUID, kind: str, event_id: UUID, *, reason: str, now: datetime) -> None:
    """Tell that a mail to a customer, of this event, was not taken and is not tried again."""
    event = await EventRow.get_or_none(id=event_id, workspace_id=workspace_id)
    if event is None:
        return
    actor = system(workspace_id, task="deliveries")
    async with transaction():
        try:
            lead = await policy.locked(actor, Lead, event.subject_id)
        except NotFound:
            return
        await _tell(actor, lead, event, kind, reason, now=now)


async def _tell(actor: Actor, lead: Lead, event: EventRow, kind: str, reason: str, *, now: datetime) -> None:
    if kind not in AWAITED:
        return
    named = ("proposal_id", "negotiation_id", "contract_id", "invoice_id", "credit_note_id")
    facts = {name: event.data[name] for name in named if event.data.get(name)}
    facts |= {"kind": kind, "reason": reason, "by_id": event.actor.get("user")}
    await leads.tell(CustomerNotMailed, actor, lead, facts, now=now)


async def _sale(actor: Actor, event: EventRow) -> _Sale | None:
    """Return what an event is about, locked; None where that is gone."""
    invoice_id, proposal_id = event.data.get("invoice_id"), event.data.get("proposal_id")
    try:
        if not proposal_id:
            lead, proposal = await policy.locked(actor, Lead, event.subject_id), None
        else:
            lead, proposal = await proposal_locks.with_lead(actor, UUID(proposal_id))
    except NotFound:
        return None
    invoice = await Invoice.get_or_none(id=invoice_id) if invoice_id else None
    return _Sale(lead, proposal, invoice) if proposal or invoice else None


async def _why_not(mailing: Mailing, sale: _Sale, contact: Contact | None) -> str | None:
    if contact is None:
        return NOBODY
    if not contact.email:
        return NO_ADDRESS
    named = sale.invoice is not None and sale.invoice.contact_id == contact.id
    if sale.proposal and not (mailing.anew or named or await _may_have_link(sale.proposal, contact)):
        return REVOKED
    address = sale.lead.workspace_id, suppressions.key_of(contact.email)
    return suppressions.why_not(mailing.kind, (await suppressions.known([address])).get(address, frozenset()))


async def _contact(sale: _Sale, event: EventRow) -> Contact | None:
    key = await _asker(event)
    key = key or (sale.invoice.contact_id if sale.invoice else None)
    key = key or (sale.proposal.contact_id if sale.proposal else None)
    if key is None:
        primary = await LeadContact.filter(lead_id=sale.lead.id, is_primary=True).first()
        key = primary.contact_id if primary else None
    return await Contact.get_or_none(id=key, deleted_at=None) if key else None


async def _asker(event: EventRow) -> UUID | None:
    if not event.data.get("question_id"):
        return None
    question = await ProposalQuestion.get_or_none(id=event.data["question_id"])
    link = await ProposalLink.get_or_none(id=question.link_id) if question and question.link_id else None
    return link.contact_id if link else None


async def _may_have_link(proposal: Proposal, contact: Contact) -> bool:
    """Say whether a contact has a link that holds, or never had one: whose was revoked is to see nothing more."""
    links = await ProposalLink.filter(proposal_id=proposal.id, contact_id=contact.id)
    return not links or any(link.revoked_at is None for link in links)
