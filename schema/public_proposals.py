"""A proposal as whoever has a link finds it, for single-page clients: without sign-in, by the token alone.

It has no costs, no margin and no guard rails.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

from domain import proposal_answers, proposal_links, proposal_views, public_proposals, tokens
from domain.actors import ActorKind
from domain.errors import Malformed, Required, Unauthenticated
from domain.pricing import Totals
from domain.proposal_answers import Given
from domain.public_proposals import Opened, PublicState
from domain.tokens import Kind
from models.proposals import Proposal as ProposalRow
from models.proposals import ProposalLine as ProposalLineRow
from schema import ids
from schema.amounts import ProposalDiscount, ProposalTax, discount, money
from schema.context import Info
from schema.enums import described
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import optional, shown
from schema.inputs import about
from schema.parties import ProposalParty, party
from schema.proposal_links import ProposalLink, ProposalQuestion
from schema.proposals import Proposal
from schema.scalars import CurrencyCode, LanguageTag, Money

described(
    PublicState,
    "What a customer can do with a proposal.",
    OPEN="Accept or decline it.",
    ACCEPTED="Nothing more: it was accepted.",
    DECLINED="Nothing more: it was declined.",
    EXPIRED="Ask for a new one: it is not valid any more.",
)


@strawberry.type(description="A part of a proposal in words: plain text, in which markup means nothing.")
class PublicProposalSection:
    heading: str | None = strawberry.field(description="What stands above it.")
    text: str | None = strawberry.field(description="What it says.")
    need: str | None = strawberry.field(description="The need that it answers.")
    difference: str | None = strawberry.field(description="What sets the seller apart in that.")


@strawberry.type(description="A line of a proposal; texts are plain.")
class PublicProposalLine:
    key: str = strawberry.field(description="What options take.")
    name: str = strawberry.field(description="What it is.")
    description: str | None = strawberry.field(description="More about it.")
    unit: str | None = strawberry.field(description="What is counted.")
    quantity: Decimal = strawberry.field(description="How many.")
    unit_price: Money = strawberry.field(description="What one costs; with its tax where that is included.")
    discount: ProposalDiscount | None = strawberry.field(description="What goes off.")
    tax_rate: Decimal = strawberry.field(description="The rate of tax in percent.")
    optional: bool = strawberry.field(description="Whether it is chosen or not.")
    chosen: bool = strawberry.field(description="Whether it counts in the total.")
    amount: Money = strawberry.field(description="What it comes to, less its discount.")


@strawberry.type(description="A question about a proposal, and its answer; texts are plain.")
class PublicProposalQuestion:
    name: str = strawberry.field(description="Who asks, as they typed it.")
    text: str = strawberry.field(description="What they ask.")
    asked_at: datetime = strawberry.field(description="When.")
    answer: str | None = strawberry.field(description="What is answered.")
    answered_at: datetime | None = strawberry.field(description="When it was answered.")


@strawberry.type(description="What was answered to a proposal.")
class PublicProposalEvidence:
    name: str = strawberry.field(description="Who answered, as they typed it.")
    at: datetime = strawberry.field(description="When.")
    sha256: str = strawberry.field(description="The SHA-256 of the version that they saw.")


@strawberry.type(description="A proposal as a customer finds it by their link: the version that was sent last.")
class PublicProposal:
    state: PublicState = strawberry.field(description="What can be done with it.")
    number: str = strawberry.field(description="What people call it by.")
    version_number: int = strawberry.field(description="Which version it is: counts from 1.")
    sha256: str = strawberry.field(description="What acceptProposal and declineProposal take, as what was seen.")
    title: str = strawberry.field(description="What stands above it.")
    language: LanguageTag = strawberry.field(description="In which language it is.")
    company: str = strawberry.field(description="Who sells.")
    seller: ProposalParty | None = strawberry.field(description="The seller in full.")
    prepared_for: list[str] = strawberry.field(description="For whom it is: a person, a company or both.")
    sent_at: datetime | None = strawberry.field(description="When it was sent.")
    valid_until: date | None = strawberry.field(description="The last day on which it can be accepted.")
    sections: list[PublicProposalSection] = strawberry.field(description="What it says in words.")
    lines: list[PublicProposalLine] = strawberry.field(description="What is offered, in order.")
    terms: str | None = strawberry.field(description="On which terms.")
    currency_code: CurrencyCode = strawberry.field(description="The currency of all amounts.")
    tax_inclusive: bool = strawberry.field(description="Whether prices bear their tax.")
    discount: ProposalDiscount | None = strawberry.field(description="What goes off the whole.")
    subtotal: Money = strawberry.field(description="What the lines that count come to.")
    discount_total: Money = strawberry.field(description="What goes off that.")
    net: Money = strawberry.field(description="What it comes to without tax.")
    taxes: list[ProposalTax] = strawberry.field(description="The same by rate of tax, the highest first.")
    tax: Money = strawberry.field(description="All tax.")
    total: Money = strawberry.field(description="What it comes to with tax.")
    questions: list[PublicProposalQuestion] = strawberry.field(description="What was asked, the newest 50.")
    evidence: PublicProposalEvidence | None = strawberry.field(description="What was answered; null before.")


def shown_proposal(found: Opened, options: Collection[UUID] | None = None) -> PublicProposal:
    """Return what a link leads to, with these options or those that count already."""
    version, currency = found.version, found.version.currency
    chosen = found.chosen if options is None else frozenset(options)
    totals = public_proposals.totals(version, found.lines, chosen)
    answered = found.evidence
    return PublicProposal(
        state=found.state,
        number=found.proposal.number,
        version_number=version.number,
        sha256=version.sha256 or "",
        title=version.title,
        language=LanguageTag(version.language),
        company=str(found.seller["name"]),
        seller=party(found.seller),
        prepared_for=found.buyer,
        sent_at=version.frozen_at,
        valid_until=version.valid_until,
        sections=[
            PublicProposalSection(
                heading=one.get("heading"), text=one.get("text"), need=one.get("need"), difference=one.get("difference")
            )
            for one in version.sections
        ],
        lines=_lines(found.lines, totals, currency),
        terms=version.terms,
        currency_code=CurrencyCode(currency),
        tax_inclusive=version.tax_inclusive,
        discount=discount(version.discount_percent, version.discount_amount, currency),
        subtotal=money(totals.subtotal, currency),
        discount_total=money(totals.discount, currency),
        net=money(totals.net, currency),
        taxes=[
            ProposalTax(rate=rate.rate, net=money(rate.net, currency), tax=money(rate.tax, currency))
            for rate in totals.rates
        ],
        tax=money(totals.tax, currency),
        total=money(totals.total, currency),
        questions=[
            PublicProposalQuestion(
                name=one.name, text=one.text, asked_at=one.asked_at, answer=one.answer, answered_at=one.answered_at
            )
            for one in found.questions
        ],
        evidence=PublicProposalEvidence(name=answered.name, at=answered.created_at, sha256=answered.sha256)
        if answered
        else None,
    )


def _lines(lines: Sequence[ProposalLineRow], totals: Totals, currency: str) -> list[PublicProposalLine]:
    return [
        PublicProposalLine(
            key=str(line.key),
            name=line.name,
            description=line.description,
            unit=line.unit,
            quantity=line.quantity,
            unit_price=money(line.unit_price, currency),
            discount=discount(line.discount_percent, line.discount_amount, currency),
            tax_rate=line.tax_rate,
            optional=line.optional,
            chosen=total.counts,
            amount=money(total.amount, currency),
        )
        for line, total in zip(lines, totals.lines, strict=True)
    ]


def link_of(info: Info, token: str | None) -> UUID:
    """Return the link that a token is of: the one given, or that which came as `Authorization: Bearer`.

    Raises InvalidLink, Unauthenticated.
    """
    if token is not None:
        return tokens.verify(Kind.PROPOSAL, token)
    known = info.context.identity
    if known is None or known.kind is not ActorKind.LINK or known.link_id is None:
        raise info.context.refused or Unauthenticated()
    return known.link_id


def _token() -> str | None:
    return optional("The link's token; without one, that which came as `Authorization: Bearer`.")  # type: ignore[no-any-return]


def _keys(options: Sequence[str] | None) -> list[UUID] | None:
    """Return the keys of optional lines. Raises Malformed."""
    if options is None or options is strawberry.UNSET:
        return None
    try:
        return [UUID(key) for key in options]
    except ValueError as error:
        raise Malformed(field="options", what="a list of keys of lines") from error


@strawberry.input(description="A proposal to accept: by its link's token, or as a member who records what was said.")
class AcceptProposalInput(MutationInput):
    token: str | None = _token()
    proposal_id: strawberry.ID | None = optional("The proposal, of a member who records a customer's answer.")
    name: str = strawberry.field(description="The customer's full name, as their signature; at most 200 characters.")
    sha256: str | None = optional(
        "The SHA-256 of the version that was seen: an older one is refused. Links need it; a member who leaves it out "
        "means the version that was sent last."
    )
    options: list[str] | None = optional(
        "The keys of the optional lines that are taken; left out or null, those that the seller chose beforehand."
    )


@strawberry.input(description="A proposal to decline: by its link's token, or as a member who records what was said.")
class DeclineProposalInput(MutationInput):
    token: str | None = _token()
    proposal_id: strawberry.ID | None = optional("The proposal, of a member who records a customer's answer.")
    name: str | None = optional("The customer's name.")
    sha256: str | None = optional("The SHA-256 of the version that was seen, as acceptProposal takes it.")
    reason: str | None = optional("Why: required, at most 2,000 characters.")


@strawberry.input(description="A question of a customer.")
class AskProposalQuestionInput(MutationInput):
    token: str | None = _token()
    name: str = strawberry.field(description="Who asks, at most 200 characters.")
    text: str = strawberry.field(description="What they ask, at most 2,000 characters.")


@strawberry.input(description="A proposal that a customer looks at.")
class ViewProposalInput(MutationInput):
    token: str | None = _token()


@strawberry.input(description="An answer to a customer's question.")
class AnswerProposalQuestionInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The question.")
    answer: str = strawberry.field(description="The answer, at most 5,000 characters.")
    replace: bool = strawberry.field(default=False, description="Answer otherwise than before.")


@strawberry.input(description="A link to make; the one there is, where the contact has one already.")
class CreateProposalLinkInput(MutationInput):
    proposal_id: strawberry.ID = strawberry.field(description="The proposal, which was sent.")
    contact_id: strawberry.ID | None = optional("Whose it is; null or left out: nobody's in particular.")
    expires_at: datetime | None = optional("When it ends, within three years; null or left out: after a year.")


@strawberry.input(description="A link to revoke.")
class RevokeProposalLinkInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The link.")


@strawberry.type(description="A proposal after a customer's answer.")
class ProposalAnswerPayload(Payload):
    public_proposal: PublicProposal | None = strawberry.field(
        default=None, description="How it stands, for whoever has a link; null for members, and on errors."
    )
    proposal: Proposal | None = strawberry.field(
        default=None, description="How it stands, for members; null for links, and on errors."
    )


@strawberry.type(description="A proposal after a question was asked, or somebody looked at it.")
class PublicProposalPayload(Payload):
    public_proposal: PublicProposal | None = strawberry.field(
        default=None, description="How it stands; null on errors."
    )


@strawberry.type(description="A question after it was answered.")
class ProposalQuestionPayload(Payload):
    question: ProposalQuestion | None = strawberry.field(default=None, description="The question; null on errors.")


@strawberry.type(description="A link after a mutation.")
class ProposalLinkPayload(Payload):
    link: ProposalLink | None = strawberry.field(default=None, description="The link; null on errors.")


def _given(info: Info, input: AcceptProposalInput | DeclineProposalInput, *, by_link: bool) -> Given:
    accepting = isinstance(input, AcceptProposalInput)
    context = info.context
    return Given(
        name=input.name or None,
        sha256=input.sha256 or None,
        options=_keys(input.options) if isinstance(input, AcceptProposalInput) else None,
        reason=None if accepting else getattr(input, "reason", None) or None,
        address=context.address if by_link else None,
        user_agent=context.user_agent if by_link else None,
    )


def _by_member(info: Info, input: AcceptProposalInput | DeclineProposalInput) -> UUID | None:
    """Return the proposal whose answer a member records; None where a link answers."""
    if not input.proposal_id:
        known = info.context.identity
        if not input.token and known is not None and known.kind is not ActorKind.LINK:
            raise Required(field="proposalId")
        return None
    return ids.decode(input.proposal_id, "Proposal", field="proposalId")


@strawberry.type
class PublicProposalQueries:
    @strawberry.field(
        description="A proposal by its link's token, without sign-in: the version that was sent last. Null for a token "
        "that opens nothing, and an error says why: INVALID_LINK, LINK_EXPIRED, LINK_REVOKED, ENDED_LINK, "
        "PROPOSAL_WITHDRAWN. Opening it leaves no trace: viewProposal counts that somebody looked."
    )
    async def public_proposal(
        self,
        info: Info,
        token: Annotated[
            str | None,
            strawberry.argument(description="The token; without one, that which came as `Authorization: Bearer`."),
        ] = None,
        options: Annotated[
            list[str] | None,
            strawberry.argument(
                description="The keys of the optional lines to reckon with; left out, those that count already."
            ),
        ] = None,
    ) -> PublicProposal | None:
        found = await public_proposals.by_id(link_of(info, token), now=info.context.now)
        return shown_proposal(found, _keys(options))


@strawberry.type
class PublicProposalMutations:
    @strawberry.mutation(
        description="Accept a proposal: by its link's token without sign-in, or as a member who records what a "
        "customer said. The same once more is accepted once; an older version than the one sent last is refused."
    )
    @reports_user_errors
    async def accept_proposal(
        self, info: Info, input: Annotated[AcceptProposalInput, about("The answer.")]
    ) -> ProposalAnswerPayload:
        now, proposal_id = info.context.now, _by_member(info, input)
        if proposal_id is not None:
            said = _given(info, input, by_link=False)
            await proposal_answers.accept_for(info.context.actor, proposal_id, said, now=now)
            return ProposalAnswerPayload(proposal=shown(await ProposalRow.get(id=proposal_id)))
        link_id = link_of(info, input.token or None)
        await proposal_answers.accept(link_id, _given(info, input, by_link=True), now=now)
        return ProposalAnswerPayload(public_proposal=shown_proposal(await public_proposals.by_id(link_id, now=now)))

    @strawberry.mutation(
        description="Decline a proposal: by its link's token without sign-in, or as a member who records what a "
        "customer said. The same once more is declined once."
    )
    @reports_user_errors
    async def decline_proposal(
        self, info: Info, input: Annotated[DeclineProposalInput, about("The answer.")]
    ) -> ProposalAnswerPayload:
        now, proposal_id = info.context.now, _by_member(info, input)
        if proposal_id is not None:
            said = _given(info, input, by_link=False)
            await proposal_answers.decline_for(info.context.actor, proposal_id, said, now=now)
            return ProposalAnswerPayload(proposal=shown(await ProposalRow.get(id=proposal_id)))
        link_id = link_of(info, input.token or None)
        await proposal_answers.decline(link_id, _given(info, input, by_link=True), now=now)
        return ProposalAnswerPayload(public_proposal=shown_proposal(await public_proposals.by_id(link_id, now=now)))

    @strawberry.mutation(
        description="Ask about a proposal by its link's token, without sign-in; at most ten questions an hour."
    )
    @reports_user_errors
    async def ask_proposal_question(
        self, info: Info, input: Annotated[AskProposalQuestionInput, about("The question.")]
    ) -> PublicProposalPayload:
        link_id, now = link_of(info, input.token or None), info.context.now
        await proposal_answers.ask(link_id, name=input.name, text=input.text, now=now)
        return PublicProposalPayload(public_proposal=shown_proposal(await public_proposals.by_id(link_id, now=now)))

    @strawberry.mutation(
        description="Count that somebody looked at a proposal by its link's token, as opening its page does: once in "
        "half an hour, and not what robots do."
    )
    @reports_user_errors
    async def view_proposal(
        self, info: Info, input: Annotated[ViewProposalInput, about("What is looked at.")]
    ) -> PublicProposalPayload:
        context = info.context
        link_id = link_of(info, input.token or None)
        await proposal_views.count(link_id, address=context.address, user_agent=context.user_agent, now=context.now)
        found = await public_proposals.by_id(link_id, now=context.now)
        return PublicProposalPayload(public_proposal=shown_proposal(found))

    @strawberry.mutation(description="Answer a customer's question, on the page of all who have a link.")
    @reports_user_errors
    async def answer_proposal_question(
        self, info: Info, input: Annotated[AnswerProposalQuestionInput, about("The answer.")]
    ) -> ProposalQuestionPayload:
        row = await proposal_answers.answer_question(
            info.context.actor,
            ids.decode(input.id, "ProposalQuestion"),
            answer=input.answer,
            replace=input.replace,
            now=info.context.now,
        )
        return ProposalQuestionPayload(question=shown(row))

    @strawberry.mutation(
        description="Make a customer's link to a proposal that was sent, or give the one there is. Sending makes the "
        "link of whom it is for by itself."
    )
    @reports_user_errors
    async def create_proposal_link(
        self, info: Info, input: Annotated[CreateProposalLinkInput, about("The link.")]
    ) -> ProposalLinkPayload:
        row = await proposal_links.create(
            info.context.actor,
            ids.decode(input.proposal_id, "Proposal", field="proposalId"),
            contact_id=ids.decode_maybe(input.contact_id or None, "Contact", field="contactId"),
            expires_at=input.expires_at or None,
            now=info.context.now,
        )
        return ProposalLinkPayload(link=shown(row))

    @strawberry.mutation(description="Revoke a customer's link, which opens nothing any more.")
    @reports_user_errors
    async def revoke_proposal_link(
        self, info: Info, input: Annotated[RevokeProposalLinkInput, about("The link.")]
    ) -> ProposalLinkPayload:
        row = await proposal_links.revoke(
            info.context.actor, ids.decode(input.id, "ProposalLink"), now=info.context.now
        )
        return ProposalLinkPayload(link=shown(row))
