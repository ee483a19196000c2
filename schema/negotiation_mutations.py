"""What can be done with negotiations, in the schema, by members and by customers with their link."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar
from uuid import UUID

import strawberry

from domain import agreements, negotiation_comments, negotiation_views, negotiations, offers
from domain.concessions import Concession
from domain.negotiating import Buyer
from domain.offer_terms import FreeTerm, LineChange, TermKind, TermsChange
from domain.preparations import Preparation
from domain.unset import UNSET
from models.negotiations import Negotiation as NegotiationRow
from models.proposal_links import Party
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, optional, shown
from schema.inputs import about, expected_version, own_id, unless_null
from schema.negotiations import Negotiation, Offer
from schema.public_negotiations import PublicNegotiation, buyer_of, public_negotiation

NEGOTIATION = "The negotiation."
NAME = "Who speaks for the buyer, at most 200 characters; required of whoever acts with a customer's link."


@strawberry.input(description="Something that the seller could give.")
class ConcessionInput:
    key: str = strawberry.field(description="A key of its own, at most 64 characters.")
    text: str = strawberry.field(description="What it is, at most 500 characters.")
    value: Decimal | None = strawberry.field(
        default=None, description="What it is worth to the seller, net, in the proposal's currency."
    )
    term: TermKind = strawberry.field(
        default=TermKind.FREE,
        description="Which term concedes it: FREE, the free term of its key; PAYMENT or DELIVERY, any words of it, or "
        "what the next two fields say.",
    )
    payment_days: int | None = strawberry.field(
        default=None,
        description="Conceded from so many days to pay on; of several that are, the one of the most days counts.",
    )
    delivery_on: date | None = strawberry.field(
        default=None,
        description="Conceded by delivery on this day or before; of several that are, the one of the first day counts.",
    )


@strawberry.input(description="What only the seller sees of a negotiation; prices are net, in the proposal's currency.")
class PreparationFields(MutationInput):
    target: Decimal | None = optional("What the seller aims at.")
    must_haves: list[str] | None = optional("What the seller cannot do without: at most 50 texts of 500 characters.")
    concessions: list[ConcessionInput] | None = optional("What the seller could give, at most 50.")
    floor_price: Decimal | None = optional("Below this price an offer needs approval.")
    floor_margin: Decimal | None = optional("Below this margin an offer needs approval, in percent.")
    most_discount: Decimal | None = optional("Further below list prices an offer needs approval, in percent.")
    walk_away: Decimal | None = optional("Below this price nobody offers or agrees.")


@strawberry.input(description="A negotiation to open on a proposal that was sent.")
class OpenNegotiationInput(PreparationFields):
    id: strawberry.ID | None = own_id()
    proposal_id: strawberry.ID = strawberry.field(description="The proposal.")
    respond_by: datetime | None = optional("Until when the buyer is asked to answer.")


@strawberry.input(
    description="A change of an open negotiation; what is left out stays as it is, null clears. To loosen a guard rail "
    "takes who may approve offers beyond it."
)
class UpdateNegotiationInput(PreparationFields):
    id: strawberry.ID = strawberry.field(description=NEGOTIATION)
    respond_by: datetime | None = optional("Until when whoever's turn it is is asked to answer.")
    expected_version: int | None = expected_version()


@strawberry.input(description="What is offered of a line; what is left out is as in the round before.")
class OfferLineInput:
    key: str = strawberry.field(description="The line's key.")
    quantity: Decimal | None = optional("How many; 0 drops the line, null changes nothing.")
    unit_price: Decimal | None = optional("What one costs, in the proposal's currency; null changes nothing.")
    discount_percent: Decimal | None = optional("What goes off the line, in percent; takes the place of an amount.")
    discount_amount: Decimal | None = optional("What goes off the line; takes the place of a percentage.")
    chosen: bool | None = optional("Whether an optional line is taken; null changes nothing.")


@strawberry.input(description="Something else to agree on.")
class FreeTermInput:
    key: str = strawberry.field(description="Its key, the same in all rounds, at most 64 characters.")
    label: str = strawberry.field(description="What it is about, at most 200 characters.")
    text: str = strawberry.field(description="What is offered, at most 5,000 characters; without any it is gone.")


@strawberry.input(description="What an offer says; what is left out is as in the round before, null clears.")
class OfferTermsInput:
    lines: list[OfferLineInput] | None = optional("What is offered of lines: those that change.")
    discount_percent: Decimal | None = optional("What goes off everything, in percent; takes the place of an amount.")
    discount_amount: Decimal | None = optional("What goes off everything; takes the place of a percentage.")
    delivery_on: date | None = optional("The day of delivery.")
    delivery: str | None = optional("Delivery in words, at most 1,000 characters.")
    payment_days: int | None = optional("Within how many days it is paid.")
    payment: str | None = optional("Payment in words, such as instalments, at most 1,000 characters.")
    free: list[FreeTermInput] | None = optional("Whatever else is agreed on, all of it: at most 20. Null is none.")


@strawberry.input(description="An offer to make.")
class MakeOfferInput(MutationInput):
    negotiation_id: strawberry.ID = strawberry.field(description=NEGOTIATION)
    terms: OfferTermsInput = strawberry.field(description="What is offered.")
    round: int | None = strawberry.field(
        default=None,
        description="The round that it answers, on top of which it says what changes: if there is a newer one, it is "
        "refused, unless it is this very offer, sent twice.",
    )
    party: Party = strawberry.field(
        default=Party.SELLER,
        description="Whose offer it is: members may note what the buyer said elsewhere; a link's is the buyer's.",
    )
    name: str | None = strawberry.field(default=None, description=NAME)
    note: str | None = strawberry.field(default=None, description="What is said with it, at most 5,000 characters.")
    respond_by: datetime | None = strawberry.field(
        default=None, description="Until when the other side is asked to answer."
    )


@strawberry.input(description="An offer beyond the guard rails to approve or reject.")
class DecideOfferInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The offer.")
    note: str | None = strawberry.field(default=None, description="Why, at most 5,000 characters.")


@strawberry.input(description="An offer to agree to.")
class AgreeNegotiationInput(MutationInput):
    negotiation_id: strawberry.ID = strawberry.field(description=NEGOTIATION)
    round: int = strawberry.field(description="The round that is agreed to, which must be the last.")
    name: str | None = strawberry.field(default=None, description=NAME)


@strawberry.input(description="A negotiation to end without agreement.")
class BreakOffNegotiationInput(MutationInput):
    negotiation_id: strawberry.ID = strawberry.field(description=NEGOTIATION)
    reason: str = strawberry.field(description="Why, at most 1,000 characters; both sides read it.")
    name: str | None = strawberry.field(default=None, description=NAME)


@strawberry.input(description="Something to say to the other side.")
class CommentOnNegotiationInput(MutationInput):
    negotiation_id: strawberry.ID = strawberry.field(description=NEGOTIATION)
    text: str = strawberry.field(description="What to say, at most 5,000 characters.")
    name: str | None = strawberry.field(default=None, description=NAME)


@strawberry.type(description="A negotiation after a mutation.")
class NegotiationPayload(Payload):
    stale_field: ClassVar[str] = "negotiation"
    negotiation: Negotiation | None = strawberry.field(
        default=None,
        description="The negotiation; the current one where the edit was stale, null on errors and for a customer's "
        "link.",
    )
    public_negotiation: PublicNegotiation | None = strawberry.field(
        default=None, description="The same as the buyer sees it; only for a customer's link."
    )


@strawberry.type(description="An offer after a mutation.")
class OfferPayload(NegotiationPayload):
    offer: Offer | None = strawberry.field(default=None, description="The offer; null on errors and for a link.")


def _preparation(input: PreparationFields) -> Preparation:
    names = ("target", "must_haves", "floor_price", "floor_margin", "most_discount", "walk_away")
    parts: dict[str, Any] = {name: given(getattr(input, name)) for name in names}
    concessions = given(input.concessions)
    if concessions is not UNSET and concessions is not None:
        names = ("key", "text", "value", "term", "payment_days", "delivery_on")
        concessions = [Concession(**{name: getattr(one, name) for name in names}) for one in concessions]
    return Preparation(concessions=concessions, **parts)


def _terms(input: OfferTermsInput) -> TermsChange:
    names = ("discount_percent", "discount_amount", "delivery_on", "delivery", "payment_days", "payment")
    parts: dict[str, Any] = {name: given(getattr(input, name)) for name in names}
    free = given(input.free)
    if free is not UNSET:
        free = [FreeTerm(key=one.key, label=one.label, text=one.text) for one in free or ()]
    lines = unless_null(input.lines)
    return TermsChange(lines=[_line(one) for one in lines] if lines is not UNSET else (), free=free, **parts)


def _line(input: OfferLineInput) -> LineChange:
    return LineChange(
        key=_line_key(input.key),
        quantity=unless_null(input.quantity),
        unit_price=unless_null(input.unit_price),
        discount_percent=given(input.discount_percent),
        discount_amount=given(input.discount_amount),
        chosen=unless_null(input.chosen),
    )


def _line_key(value: str) -> UUID | str:
    """Return the key of a line, which the domain tells at its field where it is none."""
    try:
        return UUID(value)
    except ValueError:
        return value


def _key(value: strawberry.ID) -> UUID:
    return ids.decode(value, "Negotiation", field="negotiationId")


def _or_none(value: Any) -> Any:
    return None if value is strawberry.UNSET else value


async def _public(buyer: Buyer, row: NegotiationRow) -> PublicNegotiation:
    return public_negotiation(await negotiation_views.seen(buyer.link, negotiation_id=row.id))


@strawberry.type
class NegotiationMutations:
    @strawberry.mutation(description="Open the negotiation of a proposal that was sent, with the seller's preparation.")
    @reports_user_errors
    async def open_negotiation(
        self, info: Info, input: Annotated[OpenNegotiationInput, about("The negotiation.")]
    ) -> NegotiationPayload:
        row = await negotiations.open(
            info.context.actor,
            ids.decode(input.proposal_id, "Proposal", field="proposalId"),
            _preparation(input),
            respond_by=_or_none(input.respond_by),
            id=ids.decode_new(input.id, "Negotiation"),
            now=info.context.now,
        )
        return NegotiationPayload(negotiation=shown(row))

    @strawberry.mutation(description="Change what was prepared, or until when whoever's turn it is is to answer.")
    @reports_user_errors
    async def update_negotiation(
        self, info: Info, input: Annotated[UpdateNegotiationInput, about("The change.")]
    ) -> NegotiationPayload:
        row = await negotiations.update(
            info.context.actor,
            ids.decode(input.id, "Negotiation"),
            _preparation(input),
            respond_by=given(input.respond_by),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return NegotiationPayload(negotiation=shown(row))

    @strawberry.mutation(
        description="Offer terms, by the side whose turn it is; the seller may better their own while the buyer has "
        "not answered. One beyond the guard rails is HELD."
    )
    @reports_user_errors
    async def make_offer(self, info: Info, input: Annotated[MakeOfferInput, about("The offer.")]) -> OfferPayload:
        key, change, context = _key(input.negotiation_id), _terms(input.terms), info.context
        said: dict[str, Any] = {"note": input.note, "respond_by": input.respond_by, "round": input.round}
        if buyer := await buyer_of(context, input.name):
            made = await offers.counter(buyer, change, negotiation_id=key, now=context.now, **said)
            seen = await negotiation_views.seen(buyer.link, negotiation_id=made.negotiation_id)
            return OfferPayload(public_negotiation=public_negotiation(seen))
        made = await offers.make(
            context.actor, key, change, party=input.party, name=input.name, now=context.now, **said
        )
        return OfferPayload(offer=shown(made), negotiation=shown(await NegotiationRow.get(id=key)))

    @strawberry.mutation(
        description="Let an offer beyond the guard rails pass: a held one is made, a buyer's may be agreed to."
    )
    @reports_user_errors
    async def approve_offer(self, info: Info, input: Annotated[DecideOfferInput, about("The offer.")]) -> OfferPayload:
        made = await offers.approve(
            info.context.actor, ids.decode(input.id, "Offer"), note=input.note, now=info.context.now
        )
        return OfferPayload(offer=shown(made), negotiation=shown(await NegotiationRow.get(id=made.negotiation_id)))

    @strawberry.mutation(description="Refuse a held offer, which is never made.")
    @reports_user_errors
    async def reject_offer(self, info: Info, input: Annotated[DecideOfferInput, about("The offer.")]) -> OfferPayload:
        made = await offers.reject(
            info.context.actor, ids.decode(input.id, "Offer"), note=input.note, now=info.context.now
        )
        return OfferPayload(offer=shown(made), negotiation=shown(await NegotiationRow.get(id=made.negotiation_id)))

    @strawberry.mutation(
        description="Agree to the other side's last offer: it becomes the next version of the proposal, accepted."
    )
    @reports_user_errors
    async def agree_negotiation(
        self, info: Info, input: Annotated[AgreeNegotiationInput, about("What is agreed to.")]
    ) -> NegotiationPayload:
        key, context = _key(input.negotiation_id), info.context
        if buyer := await buyer_of(context, input.name):
            row = await agreements.accept(buyer, round=input.round, negotiation_id=key, now=context.now)
            return NegotiationPayload(public_negotiation=await _public(buyer, row))
        row = await agreements.agree(context.actor, key, round=input.round, now=context.now)
        return NegotiationPayload(negotiation=shown(row))

    @strawberry.mutation(description="End a negotiation without agreement, for a reason that both sides read.")
    @reports_user_errors
    async def break_off_negotiation(
        self, info: Info, input: Annotated[BreakOffNegotiationInput, about("What ends, and why.")]
    ) -> NegotiationPayload:
        key, context = _key(input.negotiation_id), info.context
        if buyer := await buyer_of(context, input.name):
            row = await negotiations.leave(buyer, input.reason, negotiation_id=key, now=context.now)
            return NegotiationPayload(public_negotiation=await _public(buyer, row))
        row = await negotiations.break_off(context.actor, key, input.reason, now=context.now)
        return NegotiationPayload(negotiation=shown(row))

    @strawberry.mutation(description="Say something to the other side between offers.")
    @reports_user_errors
    async def comment_on_negotiation(
        self, info: Info, input: Annotated[CommentOnNegotiationInput, about("What to say.")]
    ) -> NegotiationPayload:
        key, context = _key(input.negotiation_id), info.context
        if buyer := await buyer_of(context, input.name):
            said = await negotiation_comments.remark(buyer, input.text, negotiation_id=key, now=context.now)
            row = await NegotiationRow.get(id=said.negotiation_id)
            return NegotiationPayload(public_negotiation=await _public(buyer, row))
        await negotiation_comments.comment(context.actor, key, input.text, now=context.now)
        return NegotiationPayload(negotiation=shown(await NegotiationRow.get(id=key)))
