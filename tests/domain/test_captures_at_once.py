"""Captures, moves and edits around one buyer at once: nobody waits for each other in a circle."""

import asyncio

import pytest

from domain import captures, companies, contacts, moves
from domain.actors import Actor
from domain.captures import Capture, NewCompany, NewContact
from domain.companies import CompanyDetails
from domain.contacts import ContactDetails
from domain.external_refs import ExternalRefTaken, Ref
from domain.leads import LeadDetails
from models.companies import Company
from models.contacts import Contact
from models.leads import Lead
from models.stages import StageKind
from tests.factories import NOW, seller, stage

PHONE = "+4930123456"

pytestmark = pytest.mark.usefixtures("db")


async def capture(actor: Actor, title: str, company: NewCompany | Company, contact: NewContact, *refs: Ref) -> Lead:
    known = LeadDetails(title=title, company_id=company.id) if isinstance(company, Company) else None
    return await captures.capture(
        actor,
        Capture(
            details=known or LeadDetails(title=title),
            company=company if isinstance(company, NewCompany) else None,
            contact=contact,
            external_refs=refs,
        ),
        now=NOW,
    )


async def test_everything_that_happens_to_one_buyer_at_once_ends() -> None:
    actor, ref = await seller(), Ref("form", "1")
    qualify = await stage(actor, StageKind.QUALIFY)
    for number in range(10):
        name, domain, email = f"Buyer {number}", f"buyer{number}.example", f"ada{number}@example.com"
        company = await companies.create(actor, CompanyDetails(name=name), now=NOW)
        person = await contacts.create(actor, ContactDetails(name="Ada", email=email), now=NOW)
        first = await capture(actor, "First", company, NewContact(email=email))

        outcomes = await asyncio.gather(
            capture(actor, "A", NewCompany(name=name, domain=domain), NewContact(email=email, phone=PHONE)),
            capture(actor, "B", company, NewContact(email=email, job_title="CTO"), ref),
            capture(actor, "C", NewCompany(name=name.upper(), industry="Toys"), NewContact(email=email, name="A.")),
            capture(actor, "D", NewCompany(domain=domain), NewContact(email=email), ref),
            moves.move(actor, first.id, stage_id=qualify.id, now=NOW),
            companies.update(actor, company.id, CompanyDetails(location="Hull"), now=NOW),
            contacts.update(actor, person.id, ContactDetails(language="de", company_id=company.id), now=NOW),
            captures.capture(
                actor, Capture(details=LeadDetails(title="E"), contact=NewContact(email=email, phone=PHONE)), now=NOW
            ),
            return_exceptions=True,
        )

        refused = {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)}
        assert refused <= {ExternalRefTaken}
        assert await Contact.filter(workspace_id=actor.workspace_id, email_normalised=email).count() == 1
