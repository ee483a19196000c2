"""Proposals for tests: one that was sent to somebody, with lines, options and sections, and the link to it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from domain import proposal_answers, proposals
from domain.actors import Actor
from domain.captures import Capture, NewCompany, NewContact, capture
from domain.leads import LeadDetails
from domain.money import Money
from domain.proposal_answers import Given
from domain.proposal_details import ProposalDetails, Section
from domain.proposal_lines import Discount, LineDetails
from models.leads import Lead
from models.proposal_links import Evidence, ProposalLink
from models.proposals import Proposal, ProposalVersion
from tests.factories import NOW

BROWSER = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1"
DAY = timedelta(days=1)


def line(name: str = "Solar panel 440 W", price: str = "189", **more: Any) -> LineDetails:
    currency = more.pop("currency", "EUR")
    given = {"tax_rate": Decimal(19)} | more
    return LineDetails(name=name, unit_price=Money(Decimal(price), currency), **given)


def option(name: str = "Wallbox 11 kW", price: str = "890", *, chosen: bool = False, **more: Any) -> LineDetails:
    return line(name, price, optional=True, chosen=chosen, **more)


async def buyer(actor: Actor, *, name: str = "Ada Lovelace", company: str | None = "Analytical Engines") -> Lead:
    """Capture a lead with somebody whom a proposal can be made to."""
    details = LeadDetails(title="Solar roof for the workshop")
    given = NewCompany(name=company) if company else None
    return await capture(actor, Capture(details=details, contact=NewContact(name=name), company=given), now=NOW)


async def offered(
    actor: Actor, *lines: LineDetails, lead: Lead | None = None, now: datetime = NOW, **details: Any
) -> Proposal:
    """Make a proposal and send it; 189.00 net and an option of 890.00 unless lines are given."""
    made = await proposals.create(
        actor,
        (lead or await buyer(actor)).id,
        ProposalDetails(**details),
        currency=lines[0].unit_price.currency if lines and isinstance(lines[0].unit_price, Money) else "EUR",
        lines=lines or (line(), option()),
        now=now,
    )
    return await proposals.send(actor, made.id, now=now)


async def link_to(proposal: Proposal) -> ProposalLink:
    """Return the link that came with sending."""
    return await ProposalLink.get(proposal_id=proposal.id, contact_id=proposal.contact_id, revoked_at=None)


async def sent_of(proposal: Proposal) -> ProposalVersion:
    return await ProposalVersion.get(id=(await Proposal.get(id=proposal.id)).sent_id)


async def accepted(proposal: Proposal, *, name: str = "Ada Lovelace", now: datetime = NOW, **given: Any) -> Evidence:
    """Accept what was sent, by its link."""
    said = Given(name=name, sha256=(await sent_of(proposal)).sha256, address="203.0.113.9", **given)
    return await proposal_answers.accept((await link_to(proposal)).id, said, now=now)


def sections() -> list[Section]:
    return [
        Section(
            heading="What you told us",
            text="The workshop uses 14,000 kWh a year, nearly all of it by day.\n\n"
            "The roof faces south-west and was renewed in 2021; it bears the panels without reinforcement.",
        ),
        Section(
            heading="What we propose",
            text="Thirty panels of 440 W with an inverter of 12 kW and a battery of 10 kWh. About two thirds of what "
            "you use comes from your own roof, and what is left over is fed into the grid.",
            difference="Our own fitters, no subcontractors: one team from the first visit to the grid's approval.",
        ),
    ]


def roof() -> list[LineDetails]:
    """Return lines as people write them: with descriptions, units, discounts and options."""
    return [
        line("Solar panel 440 W", "189", quantity=Decimal(30), unit="pcs", description="Monocrystalline, all black"),
        line("Inverter 12 kW", "2490", description="Three-phase, with surge protection"),
        line("Battery 10 kWh", "6200", discount=Discount(percent=Decimal(10)), description="Lithium iron phosphate"),
        line("Mounting and cabling", "68.50", quantity=Decimal("42.5"), unit="h", description="By our own fitters"),
        line("Scaffold", "1450", discount=Discount(amount=Money(Decimal(250), "EUR"))),
        option("Wallbox 11 kW", "890", description="Charges from the roof first"),
        option("Emergency power", "1250", chosen=True, description="The workshop keeps running when the grid fails"),
        option("Maintenance for five years", "180", quantity=Decimal(5), unit="years", tax_rate=Decimal(7)),
    ]
