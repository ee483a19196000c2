"""The two sides of a proposal or an invoice, as they were when it was sent or issued."""

from collections.abc import Mapping
from typing import Any

import strawberry

from schema.companies import Address, address


@strawberry.type(description="A side of a proposal, as it was when a version was sent; texts are plain.")
class ProposalParty:
    company: str | None = strawberry.field(description="The company's name.")
    name: str | None = strawberry.field(description="The person's name, or else the seller's.")
    job_title: str | None = strawberry.field(description="What the person does.")
    address: Address | None = strawberry.field(description="Where they are.")
    tax_number: str | None = strawberry.field(description="Their tax number.")
    email: str | None = strawberry.field(description="Their address for mail.")
    phone: str | None = strawberry.field(description="Their telephone.")
    website: str | None = strawberry.field(description="Their site on the web.")
    bank: str | None = strawberry.field(description="To which account they are paid.")


def party(said: Mapping[str, Any] | None) -> ProposalParty | None:
    """Return a side from its JSON."""
    if said is None:
        return None
    names = ("company", "name", "job_title", "tax_number", "email", "phone", "website", "bank")
    return ProposalParty(address=address(said.get("address")), **{name: said.get(name) for name in names})


def seller(parties: Mapping[str, Any]) -> ProposalParty | None:
    return party(parties.get("seller"))


def buyer(parties: Mapping[str, Any]) -> ProposalParty | None:
    return party(parties.get("buyer"))
