"""What some leads of a demo have come to: proposals, negotiations, contracts, invoices, made as people would make them.

They stand on the leads that last came to a stage of their kind, so that boards show them first. Nothing follows from
them: nobody is mailed, and no lead moves, since all stand where such a sale brings them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

from domain import (
    contracts,
    invoices,
    negotiations,
    offers,
    payments,
    proposal_answers,
    proposal_views,
    proposals,
)
from domain.actors import ALL, Actor, ActorKind
from domain.contracts import ContractDetails, Signing
from domain.invoice_details import InvoiceDetails, Source
from domain.money import Money
from domain.negotiating import Buyer
from domain.offer_terms import TermsChange
from domain.payments import PaymentDetails
from domain.preparations import Preparation
from domain.proposal_answers import Given
from domain.proposal_details import ProposalDetails
from domain.proposal_lines import LineDetails
from models.contacts import Contact
from models.database import connected, read
from models.leads import Lead, LeadStatus
from models.proposal_links import ProposalLink
from models.proposals import Proposal, ProposalVersion
from models.stages import StageKind
from models.users import Role

# How many leads of a hundred that stand in such a stage, and at most how many of each kind.
SHARE, MOST_OF_A_KIND = 30, 32
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"
ADDRESS = "203.0.113.9"
RATE = Decimal(19)
# What reacts to such events, and is not to react to these.
TASKS = (
    "begin_payment_reminders",
    "follow_sale",
    "lay_out_plans",
    "mail_customer",
    "notify",
    "plan_validity_reminder",
    "score_leads",
    "typeset_ahead",
)
CHOSEN = """
SELECT lead.id, contact_id FROM lead
JOIN stage ON stage.id = lead.stage_id JOIN lead_contact lc ON lc.lead_id = lead.id AND lc.is_primary
WHERE lead.workspace_id = $1 AND stage.kind = $2 AND lead.status = $3 AND lead.value > 0 AND lead.owner_id IS NOT NULL
ORDER BY lead.stage_entered_at DESC, lead.id
LIMIT least($4, (SELECT (count(*) * $5 + 99) / 100 FROM lead l JOIN stage s ON s.id = l.stage_id
                 WHERE l.workspace_id = $1 AND s.kind = $2 AND l.status = $3))
"""
# These events are no news: what would react to them is taken to have done so.
QUIET = """
UPDATE event SET data = data || jsonb_build_object('bulk', true, 'tasks_done', to_jsonb($2::text[]))
WHERE workspace_id = $1 AND position IS NULL AND name ~ '^(proposal|negotiation|contract|invoice|payment)[.]'
RETURNING id
"""


@dataclass(slots=True)
class Sale:
    """A lead of the demo, with who sells, who buys, and the proposal between them."""

    lead: Lead
    actor: Actor
    person: Contact
    chance: Random
    at: datetime
    now: datetime

    def later(self, hours: float) -> datetime:
        """Let some time pass, but not beyond the present."""
        self.at = min(self.at + timedelta(hours=hours * (0.5 + self.chance.random())), self.now)
        return self.at

    async def offer(self) -> tuple[Proposal, ProposalLink]:
        """Send a proposal that comes to what the lead is worth, and have it opened."""
        assert self.lead.value is not None
        work = (self.lead.value * Decimal(self.chance.choice(("0.1", "0.15", "0.2")))).quantize(Decimal(1))
        lines = [
            LineDetails(name=name, unit_price=Money(price, self.lead.currency), tax_rate=RATE)
            for name, price in ((self.lead.title, self.lead.value - work), ("Installation", work))
            if price
        ]
        until = (self.now + timedelta(days=self.chance.randint(5, 40))).date()
        details = ProposalDetails(contact_id=self.person.id, valid_until=until)
        made = await proposals.create(
            self.actor, self.lead.id, details, currency=self.lead.currency, lines=lines, now=self.at
        )
        sent = await proposals.send(self.actor, made.id, now=self.later(2))
        link = await ProposalLink.get(proposal_id=sent.id, contact_id=self.person.id, revoked_at=None)
        if self.chance.random() < 0.8:
            await proposal_views.count(link.id, address=ADDRESS, user_agent=BROWSER, now=self.later(8))
        return sent, link

    async def given(self, proposal: Proposal, *, reason: str | None = None) -> Given:
        seen = (await ProposalVersion.get(id=proposal.sent_id)).sha256
        return Given(name=self.person.name, sha256=seen, reason=reason, address=ADDRESS, user_agent=BROWSER)

    async def wait(self) -> None:
        """Leave a proposal with its customer, who may ask something."""
        _, link = await self.offer()
        if self.chance.random() < 0.4:
            asked = await proposal_answers.ask(
                link.id, name=self.person.name, text="When could you begin?", now=self.later(4)
            )
            answer = "Four weeks after your order."
            await proposal_answers.answer_question(self.actor, asked.id, answer=answer, now=self.later(3))

    async def negotiate(self) -> None:
        """Open a negotiation, to which the customer may have answered."""
        proposal, link = await self.offer()
        opened = await negotiations.open(self.actor, proposal.id, Preparation(), now=self.later(6))
        buyer = Buyer(link=link, name=self.person.name, address=ADDRESS, user_agent=BROWSER)
        if self.chance.random() < 0.7:
            wish = TermsChange(discount_percent=Decimal(self.chance.randint(6, 12)))
            await offers.counter(buyer, wish, now=self.later(10))
            if self.chance.random() < 0.5:
                meeting = TermsChange(discount_percent=Decimal(self.chance.randint(2, 4)))
                await offers.make(self.actor, opened.id, meeting, now=self.later(5))

    async def decline(self) -> None:
        proposal, link = await self.offer()
        given = await self.given(proposal, reason="We have decided otherwise.")
        await proposal_answers.decline(link.id, given, now=self.later(20))

    async def close(self) -> None:
        """Have a proposal accepted, and its contract signed by the seller, or by nobody yet."""
        proposal, link = await self.offer()
        await proposal_answers.accept(link.id, await self.given(proposal), now=self.later(20))
        made = await contracts.create(self.actor, proposal.id, ContractDetails(), now=self.later(4))
        if self.chance.random() < 0.6:
            signing = Signing(name="Robin Demo", sha256=made.sha256)
            await contracts.sign(self.actor, made.id, signing, now=self.later(2))

    async def win(self) -> None:
        """Have a contract signed by both, invoiced, and paid whole, in part, or not yet."""
        proposal, link = await self.offer()
        await proposal_answers.accept(link.id, await self.given(proposal), now=self.later(20))
        made = await contracts.create(self.actor, proposal.id, ContractDetails(), now=self.later(4))
        await contracts.sign(self.actor, made.id, Signing(name="Robin Demo", sha256=made.sha256), now=self.later(2))
        signing = Signing(name=self.person.name, sha256=made.sha256, address=ADDRESS, user_agent=BROWSER)
        await contracts.sign_by_link(link, made.id, signing, now=self.later(6))
        due_on = (self.now + timedelta(days=self.chance.randint(7, 30))).date()
        [bill] = await invoices.issue(
            self.actor, Source(contract_id=made.id), InvoiceDetails(due_on=due_on), now=self.later(4)
        )
        part = Decimal(self.chance.choice(("0", "0.5", "1", "1", "1")))
        if amount := (bill.total * part).quantize(Decimal("0.01")):
            paying = PaymentDetails(amount=Money(amount, bill.currency), method="Bank transfer")
            await payments.record(self.actor, bill.id, paying, now=self.later(48))


STORIES: tuple[tuple[StageKind, LeadStatus, Callable[[Sale], Awaitable[None]]], ...] = (
    (StageKind.PROPOSAL, LeadStatus.OPEN, Sale.wait),
    (StageKind.NEGOTIATION, LeadStatus.OPEN, Sale.negotiate),
    (StageKind.CLOSING, LeadStatus.OPEN, Sale.close),
    (StageKind.FOLLOW_UP, LeadStatus.WON, Sale.win),
    (StageKind.PROPOSAL, LeadStatus.LOST, Sale.decline),
)


async def sell(workspace_id: UUID, chance: Random, *, now: datetime) -> dict[str, int]:
    """Give some leads of a new demo the sale that fits where they stand, within the running transaction.

    Return how many there are, and how many events of them.
    """
    sold = 0
    for kind, status, tell in STORIES:
        for row in await read(CHOSEN, workspace_id, kind.value, status.value, MOST_OF_A_KIND, SHARE):
            lead, person = await Lead.get(id=row["id"]), await Contact.get(id=row["contact_id"])
            actor = Actor(ActorKind.USER, workspace_id, user_id=lead.owner_id, role=Role.ADMIN, rows=ALL)
            await tell(Sale(lead, actor, person, chance, min(lead.updated_at, now), now))
            sold += 1
    return {"proposal": sold, "event": len(await connected().fetch(QUIET, [workspace_id, list(TASKS)]))}
