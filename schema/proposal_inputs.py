"""What people say of a proposal and its lines, as mutations take it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import strawberry

from domain.proposal_details import ProposalDetails, Section
from domain.proposal_lines import Discount, LineDetails
from domain.unset import UNSET, Unset
from schema import ids
from schema.errors import MutationInput
from schema.fields import given, given_id, optional
from schema.inputs import amount_of, expected_version, money_of, own_id
from schema.scalars import CurrencyCode, LanguageTag, MoneyInput


@strawberry.input(description="What goes off: in percent or as an amount, one of the two.")
class ProposalDiscountInput:
    percent: Decimal | None = strawberry.field(default=None, description="In percent, from 0 to 100.")
    amount: MoneyInput | None = strawberry.field(default=None, description="As an amount in the proposal's currency.")


@strawberry.input(description="A part of a proposal in words: plain text, in which markup means nothing.")
class ProposalSectionInput:
    heading: str = strawberry.field(description="What stands above it, at most 200 characters.")
    text: str | None = strawberry.field(default=None, description="What it says, at most 20,000 characters.")
    need_id: strawberry.ID | None = strawberry.field(default=None, description="The need of the lead that it answers.")
    difference: str | None = strawberry.field(
        default=None, description="What sets us apart in that, at most 20,000 characters."
    )


@strawberry.input(
    description="A line of a proposal. What is left out is as it was in the line of this key, else as its product says."
)
class ProposalLineInput:
    key: str | None = strawberry.field(
        default=None, description="The key of a known line, which keeps it; left out, the line is new."
    )
    product_id: strawberry.ID | None = optional("The product; null for something in words.")
    name: str | None = optional("What it is, at most 200 characters.")
    description: str | None = optional("More about it, at most 20,000 characters.")
    unit: str | None = optional("What is counted, at most 50 characters.")
    quantity: Decimal | None = optional("How many, above 0 and with at most four decimals; null is 1.")
    unit_price: MoneyInput | None = optional("What one costs, in the proposal's currency.")
    discount: ProposalDiscountInput | None = optional("What goes off all of them.")
    tax_rate: Decimal | None = optional("The rate of tax in percent; null is the workspace's usual one.")
    unit_cost: MoneyInput | None = optional("What one costs the seller, in the proposal's currency.")
    optional: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether the customer may choose it; null is false."
    )
    chosen: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether an optional line counts from the first; null is false."
    )


@strawberry.input(description="What people say of a proposal.")
class ProposalFields(MutationInput):
    contact_id: strawberry.ID | None = optional("Who receives it; at first the lead's primary contact.")
    language: LanguageTag | None = optional("The language of its documents; null is the workspace's.")
    valid_until: date | None = optional("The last day on which it can be accepted; null: it does not expire.")
    terms: str | None = optional("On which terms, at most 20,000 characters.")
    discount: ProposalDiscountInput | None = optional("What goes off the whole; never more than there is.")
    sections: list[ProposalSectionInput] | None = optional("What it says in words, as a whole: at most 50.")


@strawberry.input(description="A proposal to make; what is left out is as the lead and the workspace's settings say.")
class CreateProposalInput(ProposalFields):
    id: strawberry.ID | None = own_id()
    lead_id: strawberry.ID = strawberry.field(description="To whom it is made.")
    title: str | None = optional("What stands above it, at most 200 characters; at first the lead's title.")
    currency_code: CurrencyCode | None = strawberry.field(
        default=None, description="The currency of all its amounts, which stays; null is the lead's."
    )
    lines: list[ProposalLineInput] = strawberry.field(
        default_factory=list, description="Its lines: at most 1,000; setProposalLines sets them later."
    )


@strawberry.input(
    description="A change of a proposal; what is left out stays as it is, null clears. Of a proposal that was sent it "
    "makes a draft of the next version."
)
class UpdateProposalInput(ProposalFields):
    id: strawberry.ID = strawberry.field(description="The proposal.")
    title: str | None = optional("What stands above it, at most 200 characters.")
    expected_version: int | None = expected_version()


def discount_of(value: Any) -> Discount | Unset | None:
    """Return an optional discount as the domain takes it."""
    if value is None or value is strawberry.UNSET:
        return None if value is None else UNSET
    said: ProposalDiscountInput = value
    return Discount(percent=said.percent, amount=amount_of(said.amount))


def lines_of(given_lines: Sequence[ProposalLineInput]) -> list[LineDetails]:
    """Return lines as the domain takes them."""
    return [
        LineDetails(
            key=_key(line.key),
            product_id=given_id(line.product_id, "Product", field=f"lines.{at}.productId"),
            name=given(line.name),
            description=given(line.description),
            unit=given(line.unit),
            quantity=given(line.quantity),
            unit_price=money_of(line.unit_price),
            discount=discount_of(line.discount),
            tax_rate=given(line.tax_rate),
            unit_cost=money_of(line.unit_cost),
            optional=given(line.optional),
            chosen=given(line.chosen),
        )
        for at, line in enumerate(given_lines)
    ]


def _key(value: str | None) -> UUID | str | None:
    """Return the key of a line, which the domain tells at its field where it is none."""
    try:
        return None if value is None else UUID(value)
    except ValueError:
        return value


def details_of(input: CreateProposalInput | UpdateProposalInput) -> ProposalDetails:
    """Return what is said of a proposal as the domain takes it."""
    sections: Any = input.sections
    return ProposalDetails(
        title=given(input.title),
        contact_id=given_id(input.contact_id, "Contact", field="contactId"),
        language=given(input.language),
        valid_until=given(input.valid_until),
        terms=given(input.terms),
        discount=discount_of(input.discount),
        sections=given(sections) if sections is None or sections is strawberry.UNSET else _sections(sections),
    )


def _sections(said: Sequence[ProposalSectionInput]) -> list[Section]:
    return [
        Section(
            heading=section.heading,
            text=section.text,
            need_id=ids.decode_maybe(section.need_id, "Need", field=f"sections.{at}.needId"),
            difference=section.difference,
        )
        for at, section in enumerate(said)
    ]
