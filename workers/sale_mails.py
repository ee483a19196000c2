"""Mails to customers of proposals, negotiations and contracts, with the link that is theirs; none of what is over."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.mail import Recipient
from domain import proposal_links, sale_mails, selling_settings
from domain.words import Words, best_language, words
from models.contacts import Contact
from models.contracts import Contract, ContractState
from models.events import Event
from models.negotiations import Negotiation, NegotiationState, Offer
from models.proposal_links import Evidence, Party, ProposalLink, ProposalQuestion
from models.proposals import Proposal, ProposalState, ProposalVersion
from models.selling import SellingSettings
from models.users import User
from models.workspaces import Workspace
from workers.invoice_mails import people_of, sender_of
from workers.messages import Composed, Due, Letter, Skip

OPEN = (ProposalState.SENT, ProposalState.VIEWED)
# What events name, by the fact that is its key.
NAMED: Mapping[str, type[Any]] = {
    "question_id": ProposalQuestion,
    "evidence_id": Evidence,
    "negotiation_id": Negotiation,
    "offer_id": Offer,
    "contract_id": Contract,
}


@dataclass(slots=True)
class Known:
    """What it takes to write a batch of mails, read once for all of them."""

    events: dict[UUID, Event]
    proposals: dict[UUID, Proposal]
    versions: dict[UUID, ProposalVersion]
    contacts: dict[UUID, Contact]
    links: dict[tuple[UUID, UUID | None], ProposalLink]
    homes: dict[UUID, Workspace]
    settings: dict[UUID, SellingSettings]
    owners: dict[UUID, UUID | None]
    users: dict[UUID, User]
    named: dict[UUID, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Told:
    """One mail: its event, and what that is about."""

    event: Event
    proposal: Proposal
    version: ProposalVersion
    home: Workspace
    settings: SellingSettings
    said: Words
    known: Known

    @property
    def is_whole(self) -> bool:
        """Whether all that the event names is still there."""
        return all(UUID(self.event.data[fact]) in self.known.named for fact in NAMED if self.event.data.get(fact))

    def of(self, fact: str) -> Any:
        """Return the row that the event names by this fact."""
        return self.known.named[UUID(self.event.data[fact])]

    def money(self, amount: Any) -> str:
        return self.said.money(amount, self.version.currency)


async def compose(rows: Sequence[Due], now: datetime) -> Composed:
    """Compose what customers are told, but not what was answered or withdrawn meanwhile."""
    known = await _known(rows)
    made: dict[UUID, Any] = {}
    for row in rows:
        event = known.events.get(UUID(row.data["event_id"]))
        proposal = known.proposals.get(row.about_id) if row.about_id else None
        person = known.contacts.get(row.contact_id) if row.contact_id else None
        if event is None or proposal is None or proposal.deleted_at or person is None or person.deleted_at:
            continue
        link = known.links.get((proposal.id, person.id))
        if link is None or link.revoked_at is not None or not row.address:
            made[row.id] = Skip(sale_mails.REVOKED)
            continue
        home = known.homes[row.workspace_id]
        languages = [proposal.language, person.language, home.locale]
        settings = known.settings[home.id]
        version = known.versions[_version_of(event, proposal)]
        told = Told(event, proposal, version, home, settings, words(best_language(*languages)), known)
        over = None if told.is_whole else "What it was about is gone."
        if over := over or OVER.get(row.kind, _never)(told):
            made[row.id] = Skip(over)
            continue
        sender = sender_of(event, known.owners, known.users)
        made[row.id] = Letter(
            row.address,
            _common(told, person, link, sender) | FACTS[row.kind](told),
            name=person.name,
            languages=languages,
            time_zone=home.time_zone,
            reply_to=Recipient(sender.email, sender.name) if sender and sender.email else None,
        )
    return made


async def _known(rows: Sequence[Due]) -> Known:
    events = await Event.in_bulk([UUID(row.data["event_id"]) for row in rows], "id")
    proposals = await Proposal.in_bulk({row.about_id for row in rows if row.about_id}, "id")
    versions = {_version_of(event, proposals[key]) for event, key in _pairs(events, proposals)}
    homes = await Workspace.in_bulk({row.workspace_id for row in rows}, "id")
    links = await ProposalLink.filter(proposal_id__in=list(proposals)).order_by("created_at", "id")
    owners, users = await people_of(events)
    known = Known(
        events=events,
        proposals=proposals,
        versions=await ProposalVersion.in_bulk(versions, "id"),
        contacts=await Contact.in_bulk({row.contact_id for row in rows if row.contact_id}, "id"),
        links={(link.proposal_id, link.contact_id): link for link in links},
        homes=homes,
        settings={key: await selling_settings.of(key) for key in homes},
        owners=owners,
        users=users,
    )
    for fact, noun in NAMED.items():
        keys = {UUID(event.data[fact]) for event in events.values() if event.data.get(fact)}
        known.named |= await noun.in_bulk(keys, "id") if keys else {}
    return known


def _pairs(events: Mapping[UUID, Event], proposals: Mapping[UUID, Proposal]) -> Iterable[tuple[Event, UUID]]:
    for event in events.values():
        key = UUID(event.data["proposal_id"])
        if key in proposals:
            yield event, key


def _version_of(event: Event, proposal: Proposal) -> UUID:
    """Return the version that an event is about, else the one that the customer sees."""
    named = event.data.get("proposal_version_id") or event.data.get("version_id")
    key = UUID(named) if named else proposal.sent_id or proposal.current_id
    assert key
    return key


def _common(told: Told, person: Contact, link: ProposalLink, sender: User | None) -> dict[str, Any]:
    page = sale_mails.MAILINGS[told.event.name].page
    return {
        "workspace": told.settings.seller.get("name") or told.home.name,
        "name": person.name,
        "sender": sender.name if sender else None,
        "title": told.version.title,
        "number": told.proposal.number,
        "total": told.money(told.version.total),
        "link": f"{proposal_links.url_of(link.id)}{page}",
    }


def _when(told: Told, name: str) -> datetime | None:
    value = told.event.data.get(name)
    return datetime.fromisoformat(value) if value else None


def _proposal(told: Told) -> dict[str, Any]:
    message = told.event.data.get("message")
    return {"version": told.version.number, "message": message, "valid_until": told.version.valid_until}


def _ending(told: Told) -> dict[str, Any]:
    return {"valid_until": told.version.valid_until}


def _answer(told: Told) -> dict[str, Any]:
    question = told.of("question_id")
    return {"question": question.text, "answer": question.answer}


def _accepted(told: Told) -> dict[str, Any]:
    evidence = told.of("evidence_id")
    return {"by": evidence.name, "accepted_at": evidence.created_at, "total": told.money(evidence.total)}


def _opened(told: Told) -> dict[str, Any]:
    return {"respond_by": _when(told, "respond_by")}


def _offer(told: Told) -> dict[str, Any]:
    offer = told.of("offer_id")
    said = {"round": offer.round, "message": offer.note, "respond_by": _when(told, "respond_by")}
    return said | {"total": told.money(offer.total)}


def _ended(told: Told) -> dict[str, Any]:
    return {"message": told.of("negotiation_id").reason}


def _contract(told: Told) -> dict[str, Any]:
    contract = told.of("contract_id")
    return {"number": contract.number, "title": contract.title, "total": told.money(contract.total)}


FACTS: Mapping[str, Callable[[Told], dict[str, Any]]] = {
    "proposal": _proposal,
    "proposal_ending": _ending,
    "proposal_answer": _answer,
    "proposal_accepted": _accepted,
    "negotiation_opened": _opened,
    "negotiation_offer": _offer,
    "negotiation_agreed": lambda told: {},
    "negotiation_ended": _ended,
    "contract_ready": _contract,
    "contract_signed": _contract,
}


def _never(told: Told) -> str | None:
    return None


def _no_longer_offered(told: Told) -> str | None:
    if told.proposal.sent_id == told.version.id and told.version.state in OPEN:
        return None
    return "The proposal was answered or withdrawn, or there is a newer version."


def _not_their_turn(told: Told) -> str | None:
    negotiation = told.of("negotiation_id")
    newest = told.event.data.get("round", negotiation.rounds) == negotiation.rounds
    if negotiation.state is NegotiationState.OPEN and negotiation.turn is Party.BUYER and newest:
        return None
    return "The negotiation has gone on."


def _nothing_to_sign(told: Told) -> str | None:
    contract = told.of("contract_id")
    waits = contract.state is ContractState.OPEN and contract.buyer_signed_at is None
    return None if waits else "The contract was signed or cancelled."


# Why a mail is not sent any more.
OVER: Mapping[str, Callable[[Told], str | None]] = {
    "proposal": _no_longer_offered,
    "proposal_ending": _no_longer_offered,
    "negotiation_opened": _not_their_turn,
    "negotiation_offer": _not_their_turn,
    "contract_ready": _nothing_to_sign,
}
