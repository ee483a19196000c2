"""What customers are mailed of their sale: the one table that says of which event, and who gets it.

A mail goes to the contact whom the proposal is for, else to the primary contact of the lead, with their own link; the
answer to a question to whoever asked, as far as their link says who that is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import deliveries, proposal_links
from domain.actors import system
from domain.deliveries import Message
from domain.errors import NotFound
from models.contacts import Contact
from models.database import transaction
from models.deliveries import Channel, DeliveryStatus
from models.events import Event as EventRow
from models.leads import LeadContact
from models.negotiations import NegotiationEnding
from models.proposal_links import Party, ProposalLink, ProposalQuestion
from models.proposals import Proposal

NO_ADDRESS, REVOKED = "The contact has no email address.", "The customer's link was revoked."


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

    `anew`: also to somebody whose link was revoked, who gets another one.
    """

    kind: str
    page: str = ""
    when: Callable[[EventRow], bool] = always
    anew: bool = False


NEGOTIATION, CONTRACT = "/negotiation", "/contract"
MAILINGS: Mapping[str, Mailing] = {
    "proposal.sent": Mailing("proposal", anew=True),
    "proposal.ending": Mailing("proposal_ending"),
    "proposal.question_answered": Mailing("proposal_answer"),
    "proposal.accepted": Mailing("proposal_accepted", "", not_negotiated),
    "negotiation.opened": Mailing("negotiation_opened", NEGOTIATION),
    "negotiation.offer_made": Mailing("negotiation_offer", NEGOTIATION, by_seller),
    "negotiation.agreed": Mailing("negotiation_agreed"),
    "negotiation.broken_off": Mailing("negotiation_ended", "", broken_off_by_seller),
    "contract.created": Mailing("contract_ready", CONTRACT),
    "contract.completed": Mailing("contract_signed", CONTRACT),
    "invoice.issued": Mailing("invoice"),
    "invoice.payment_reminded": Mailing("payment_reminder"),
    "payment.recorded": Mailing("payment_received", "", is_income),
}


async def mail(workspace_id: UUID, event_id: UUID, *, now: datetime) -> None:
    """Have the customer mailed of an event of their sale, once, where there is somebody to mail."""
    event = await EventRow.get_or_none(id=event_id, workspace_id=workspace_id)
    mailing = MAILINGS.get(event.name) if event else None
    if event is None or mailing is None or not mailing.when(event) or not event.data.get("proposal_id"):
        return
    async with transaction():
        actor = system(workspace_id, task="mail_customer")
        try:
            lead, proposal = await proposal_links.locked(actor, UUID(event.data["proposal_id"]))
        except NotFound:
            return
        contact = await _contact(proposal, event)
        if contact is None:
            return
        reason = await _why_not(mailing, proposal, contact)
        message = Message(
            Channel.MAIL,
            mailing.kind,
            f"{mailing.kind}:{event.id}",
            now,
            contact_id=contact.id,
            address=contact.email,
            about_id=proposal.id,
            data={"event_id": event.id},
            status=DeliveryStatus.SKIPPED if reason else DeliveryStatus.PENDING,
            reason=reason,
        )
        [new] = await deliveries.enqueue(workspace_id, [message], now=now)
        if new and not reason:
            await proposal_links.link_for(actor, proposal, contact.id, lead=lead, now=now)


async def _why_not(mailing: Mailing, proposal: Proposal, contact: Contact) -> str | None:
    if not contact.email:
        return NO_ADDRESS
    return None if mailing.anew or await _may_have_link(proposal, contact) else REVOKED


async def _contact(proposal: Proposal, event: EventRow) -> Contact | None:
    key = await _asker(event) or proposal.contact_id
    if key is not None:
        return await Contact.get_or_none(id=key, deleted_at=None)
    primary = await LeadContact.filter(lead_id=proposal.lead_id, is_primary=True).first()
    return await Contact.get_or_none(id=primary.contact_id, deleted_at=None) if primary else None


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
