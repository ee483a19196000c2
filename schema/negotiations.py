"""Negotiations in the schema: what both sides offer and say, and what only the seller sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from domain import concessions, guard_rails, negotiation_views, offer_diffs, offer_terms, policy
from domain.guard_rails import Rail
from domain.negotiation_views import Rounds
from domain.offer_terms import TermKind
from domain.policy import Action
from domain.words import SOURCE, words
from engine.pages import Order
from models.database import read
from models.leads import Lead as LeadRow
from models.negotiations import Negotiation as NegotiationRow
from models.negotiations import NegotiationComment as NegotiationCommentRow
from models.negotiations import NegotiationEnding, NegotiationState, OfferState
from models.negotiations import Offer as OfferRow
from models.proposal_links import Party
from models.proposals import Proposal as ProposalRow
from models.proposals import ProposalVersion as ProposalVersionRow
from models.users import Role
from models.users import User as UserRow
from schema.amounts import margin, money, money_maybe, money_of
from schema.connections import Connection, connection
from schema.context import Info
from schema.enums import described
from schema.fields import batch, by_id, column, computed, group, noun, relation
from schema.filters import DateTimeFilter, EnumFilter, IDFilter, IntFilter, junction, on, through
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.scalars import Money

if TYPE_CHECKING:
    from schema.leads import Lead, LeadFilter
    from schema.proposal_versions import ProposalVersion
    from schema.proposals import Proposal
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
FIRST = (Order("created_at"),)
OWNERS = """
SELECT n.id, l.owner_id FROM negotiation n JOIN lead l ON l.id = n.lead_id
WHERE n.workspace_id = $1 AND n.id = ANY($2::uuid[])
"""

described(
    NegotiationState,
    "How a negotiation stands.",
    OPEN="Both sides still negotiate.",
    AGREED="They have agreed: agreedVersion says on what.",
    BROKEN_OFF="It ended without agreement: ending says by what, and reason why, where a side broke off.",
)
described(
    NegotiationEnding,
    "What a negotiation ended by.",
    AGREED="A side agreed to the other's offer.",
    BROKEN_OFF="A side broke off: reason says why.",
    PROPOSAL_SENT_ANEW="The seller sent another version of the proposal.",
    PROPOSAL_WITHDRAWN="The seller withdrew the proposal.",
    PROPOSAL_ACCEPTED="The buyer accepted the proposal as it was sent.",
    PROPOSAL_DECLINED="The buyer declined the proposal.",
    PROPOSAL_EXPIRED="The proposal was valid no longer.",
)
described(
    OfferState,
    "How an offer stands.",
    HELD="It goes beyond the guard rails and waits for approval; the buyer does not see it.",
    REFUSED="It was not approved, and never made.",
    OPEN="It waits for the other side's answer.",
    REVISED="The seller made another before the buyer answered.",
    COUNTERED="The other side answered with an offer of its own.",
    AGREED="The other side agreed to it.",
    LAPSED="The negotiation went on or ended without it.",
)
described(
    TermKind,
    "What a term is about.",
    UNIT_PRICE="What one of a line costs.",
    QUANTITY="How many of a line.",
    LINE_DISCOUNT="What goes off a line.",
    OPTION="Whether an optional line is taken.",
    DISCOUNT="What goes off everything.",
    DELIVERY="When and how it is delivered.",
    PAYMENT="When and how it is paid.",
    FREE="Something else, in words.",
)
described(
    Rail,
    "What an offer can go beyond.",
    WALK_AWAY="It comes to less than the walk-away, net: nobody agrees to that before the walk-away is changed.",
    FLOOR_PRICE="It comes to less than the floor price, net.",
    FLOOR_MARGIN="Its margin is below the floor, in percent.",
    MOST_DISCOUNT="It is further below list prices than this negotiation allows, in percent.",
    ROLE_DISCOUNT="It is further below list prices than a role may go, in percent: its maker's, or ofRole's, which "
    "would agree to a buyer's.",
    APPROVAL_RULE="It goes beyond a rule of approval of the workspace, further than the proposal did.",
)


@strawberry.type(description="What is offered of a line.")
class OfferLine:
    key: str = strawberry.field(description="The line's key, the same in all versions and rounds.")
    quantity: Decimal = strawberry.field(description="How many; 0 drops the line.")
    unit_price: Money = strawberry.field(description="What one costs.")
    discount_percent: Decimal | None = strawberry.field(description="What goes off the line, in percent.")
    discount_amount: Money | None = strawberry.field(description="What goes off the line, as an amount.")
    chosen: bool = strawberry.field(description="Whether the line counts, which only an optional one may not.")


@strawberry.type(description="Something else that is agreed on, in words: plain text, in which markup means nothing.")
class FreeTerm:
    key: str = strawberry.field(description="Its key, the same in all rounds.")
    label: str = strawberry.field(description="What it is about.")
    text: str = strawberry.field(description="What is agreed on.")


@strawberry.type(description="A whole set of terms.")
class OfferTerms:
    lines: list[OfferLine] = strawberry.field(description="What is offered of each line, in the proposal's order.")
    discount_percent: Decimal | None = strawberry.field(description="What goes off everything, in percent.")
    discount_amount: Money | None = strawberry.field(description="What goes off everything, as an amount.")
    delivery_on: date | None = strawberry.field(description="The day of delivery.")
    delivery: str | None = strawberry.field(description="Delivery in words: plain text.")
    payment_days: int | None = strawberry.field(description="Within how many days it is paid.")
    payment: str | None = strawberry.field(description="Payment in words, such as instalments: plain text.")
    free: list[FreeTerm] = strawberry.field(description="Whatever else is agreed on.")


def terms_of(told: Mapping[str, Any], currency: str) -> OfferTerms:
    """Return terms from their JSON."""
    terms = offer_terms.load(told)
    return OfferTerms(
        lines=[
            OfferLine(
                key=str(line.key),
                quantity=line.quantity,
                unit_price=money(line.unit_price, currency),
                discount_percent=line.discount_percent,
                discount_amount=money_maybe(line.discount_amount, currency),
                chosen=line.chosen,
            )
            for line in terms.lines
        ],
        discount_percent=terms.discount_percent,
        discount_amount=money_maybe(terms.discount_amount, currency),
        delivery_on=terms.delivery_on,
        delivery=terms.delivery,
        payment_days=terms.payment_days,
        payment=terms.payment,
        free=[FreeTerm(key=one.key, label=one.label, text=one.text) for one in terms.free],
    )


@strawberry.type(description="A term in which two offers differ.")
class PublicTermDifference:
    kind: TermKind = strawberry.field(description="What it is about.")
    line_key: str | None = strawberry.field(description="The line that it is about, where it is about one.")
    label: str = strawberry.field(description="What it is, in words.")
    before: str = strawberry.field(description="What it is in the one offer, in words.")
    after: str = strawberry.field(description="What it is in the other, in words.")
    amount: Money | None = strawberry.field(
        description="How much more the one would come to with this alone of the other: with tax where prices include "
        "it, else without. Null of what has no price."
    )


@strawberry.type(description="A term in which two offers differ, with what it is worth to the seller.")
class TermDifference(PublicTermDifference):
    worth: Money | None = strawberry.field(
        description="What this term alone of the other is worth to the seller, net; below 0 where they concede it: "
        "what it moves of the price, or what the preparation says of a concession. Null where nobody has priced it."
    )


@strawberry.type(description="How two offers differ, as both sides see it.")
class PublicOfferDiff:
    terms: list[PublicTermDifference] = strawberry.field(
        description="Each term in which they differ, in the lines' order."
    )
    amount: Money = strawberry.field(
        description="How much more the other comes to: with tax where prices include it, else without."
    )
    sentences: list[str] = strawberry.field(description="The same in whole sentences.")


@strawberry.type(description="How two offers differ, with what that is worth to the seller.")
class OfferDiff:
    terms: list[TermDifference] = strawberry.field(description="Each term in which they differ, in the lines' order.")
    amount: Money = strawberry.field(
        description="How much more the other comes to: with tax where prices include it, else without."
    )
    worth: Money = strawberry.field(
        description="How much more the other is worth to the seller, net: what it comes to, less the concessions in it "
        "that the preparation prices."
    )
    sentences: list[str] = strawberry.field(description="The same in whole sentences.")


def diff_of(found: offer_diffs.OfferDiff | None, currency: str) -> OfferDiff | None:
    """Return how two offers differ, as the seller sees it; null where there is nothing to compare."""
    if found is None:
        return None
    return OfferDiff(
        terms=[TermDifference(**_term(one, currency), worth=money_maybe(one.worth, currency)) for one in found.terms],
        amount=money(found.amount, currency),
        worth=money(found.worth, currency),
        sentences=list(found.sentences),
    )


def public_diff_of(found: offer_diffs.OfferDiff | None, currency: str) -> PublicOfferDiff | None:
    """Return how two offers differ, without what only the seller knows."""
    if found is None:
        return None
    return PublicOfferDiff(
        terms=[PublicTermDifference(**_term(one, currency)) for one in found.terms],
        amount=money(found.amount, currency),
        sentences=list(found.sentences),
    )


def _term(one: offer_diffs.TermDifference, currency: str) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "line_key": str(one.line_key) if one.line_key else None,
        "label": one.label,
        "before": one.before,
        "after": one.after,
        "amount": money_maybe(one.amount, currency),
    }


@strawberry.type(description="A guard rail that an offer goes beyond.")
class BeyondRail:
    rail: Rail = strawberry.field(description="Which one.")
    limit: Decimal = strawberry.field(description="Its limit: an amount net, or percent.")
    actual: Decimal | None = strawberry.field(description="What the offer has; null where that is not known.")
    roles: list[Role] = strawberry.field(description="Members of which roles may let it pass; none of a walk-away.")
    of_role: Role | None = strawberry.field(description="Whose highest discount it is; null of other rails.")
    message: str = strawberry.field(description="The same in words.")


def _beyond(told: list[dict[str, Any]], currency: str) -> list[BeyondRail]:
    return [
        BeyondRail(
            rail=one.rail,
            limit=one.limit,
            actual=one.actual,
            roles=list(one.roles),
            of_role=one.of_role,
            message=one.said(currency),
        )
        for one in guard_rails.load(told)
    ]


@noun(OfferRow, description="One side's terms, always a whole set.")
class Offer(Node):
    round: int | None = column(
        "Counts from 0, the proposal as it was sent; null of an offer that was never made, or not yet."
    )
    party: Party = column("Whose offer it is.")
    state: OfferState = column("How it stands.")
    terms: OfferTerms = computed(terms_of, "What is offered.", needs=("terms", "currency"))
    net: Money = money_of("net", "What it comes to without tax.")
    tax: Money = money_of("tax", "The tax on that.")
    total: Money = money_of("total", "What it comes to with tax.")
    margin: Money | None = computed(
        margin, "Net less cost; null where a cost is not known.", needs=("net", "cost", "currency")
    )
    sha256: str = column("The SHA-256 of its terms, which is the evidence of an agreement.")
    note: str | None = column("What was said with it: plain text.")
    name: str = column("Who made it, by the name that they gave.")
    respond_by: datetime | None = column("Until when the other side was asked to answer.")
    beyond: list[BeyondRail] = computed(
        _beyond,
        "The guard rails that it goes beyond, whichever side's it is: as they are now of one that is open or held, "
        "else as they were then.",
        needs=("beyond", "currency"),
    )
    decision: str | None = column("What was said with its approval or rejection.")
    decided_at: datetime | None = column("When it was approved or rejected.")
    created_at: datetime = column("When it was made.")
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "The member who made it, or noted it for the buyer; null where the buyer made it.", by="user_id"
    )
    decided_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who approved or rejected it.", by="decided_by_id"
    )
    negotiation: Annotated["Negotiation", strawberry.lazy("schema.negotiations")] | None = relation(
        NegotiationRow, "The negotiation.", by="negotiation_id"
    )


@noun(NegotiationCommentRow, description="What one side says to the other between offers.")
class NegotiationComment(Node):
    party: Party = column("Who speaks.")
    name: str = column("By what name.")
    text: str = column("What they say: plain text, in which markup means nothing.")
    created_at: datetime = column("When.")
    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "The member who wrote it; null where the buyer did.", by="user_id"
    )


@strawberry.type(description="What the seller could give.")
class Concession:
    key: str = strawberry.field(description="Its key.")
    text: str = strawberry.field(description="What it is.")
    value: Money | None = strawberry.field(description="What it is worth to the seller, net.")
    term: TermKind = strawberry.field(description="Which term concedes it: FREE is the free term of its key.")
    payment_days: int | None = strawberry.field(description="From how many days to pay on; only of PAYMENT.")
    delivery_on: date | None = strawberry.field(description="By which day of delivery; only of DELIVERY.")


def _concessions(told: list[dict[str, Any]], currency: str) -> list[Concession]:
    return [_concession(one, currency) for one in concessions.load(told)]


def _concession(one: concessions.Concession, currency: str) -> Concession:
    return Concession(
        key=one.key,
        text=one.text,
        value=money_maybe(one.value, currency),
        term=one.term,
        payment_days=one.payment_days,
        delivery_on=one.delivery_on,
    )


@strawberry.type(
    description="Where a negotiation stands for the seller; distances are net, below 0 where it falls short."
)
class NegotiationPosition:
    offer_round: int = strawberry.field(description="The round that it is about: the last offer that was made.")
    to_target: Money | None = strawberry.field(description="How far that is above the target; null without one.")
    to_floor: Money | None = strawberry.field(description="How far it is above the floor price; null without one.")
    to_walk_away: Money | None = strawberry.field(description="How far it is above the walk-away; null without one.")
    margin_percent: Decimal | None = strawberry.field(description="Its margin; null where a cost is not known.")
    discount_percent: Decimal = strawberry.field(description="How far it is below list prices.")
    conceded: list[Concession] = strawberry.field(
        description="Which concessions of the preparation it makes that the proposal did not."
    )
    conceded_value: Money = strawberry.field(description="What those are worth together, as far as they have a price.")
    worth: Money = strawberry.field(description="What it is worth to the seller: net, less that.")


Round = Annotated[int, strawberry.argument(name="from", description="The round that is compared with.")]
ToRound = Annotated[int, strawberry.argument(description="The round that is compared.")]


async def _diffs(rows: list[Any], info: Info, from_: Round, to: ToRound) -> Sequence[OfferDiff | None]:
    rounds, said = await negotiation_views.rounds_of(rows), words(SOURCE)
    return [
        diff_of(rounds[row.id].diff(from_, to, said, _prepared(row)), rounds[row.id].basis.currency) for row in rows
    ]


async def _gaps(rows: list[Any], info: Info) -> Sequence[OfferDiff | None]:
    rounds, said = await negotiation_views.rounds_of(rows), words(SOURCE)
    return [diff_of(rounds[row.id].gap(said, _prepared(row)), rounds[row.id].basis.currency) for row in rows]


def _prepared(row: Any) -> list[concessions.Concession]:
    return concessions.load(row.concessions)


async def _positions(rows: list[Any], info: Info) -> Sequence[NegotiationPosition]:
    rounds = await negotiation_views.rounds_of(rows)
    return [_position(row, rounds[row.id]) for row in rows]


def _position(row: Any, rounds: Rounds) -> NegotiationPosition:
    last, currency = rounds.last, rounds.basis.currency
    totals = rounds.basis.totals(offer_terms.load(last.terms))
    given = concessions.since(_prepared(row), *map(negotiation_views.terms_of, (rounds.offers[0], last)))
    value = concessions.worth(given)

    def above(limit: Decimal | None) -> Money | None:
        return None if limit is None else money(totals.net - limit, currency)

    return NegotiationPosition(
        offer_round=last.round or 0,
        to_target=above(row.target),
        to_floor=above(row.floor_price),
        to_walk_away=above(row.walk_away),
        margin_percent=totals.margin_percent,
        discount_percent=totals.reduction_percent,
        conceded=[_concession(one, currency) for one in given],
        conceded_value=money(value, currency),
        worth=money(totals.net - value, currency),
    )


@strawberry.type(description="What the viewer may do with a negotiation.")
class NegotiationPermissions:
    negotiate: bool = strawberry.field(description="Prepare it, make and agree to offers, comment, and break it off.")
    approve: bool = strawberry.field(description="Let offers pass that go beyond guard rails, and loosen these.")


@dataclass(frozen=True, slots=True)
class _Owned:
    owner_id: UUID | None


async def _permissions(rows: list[Any], info: Info) -> list[NegotiationPermissions]:
    actor = info.context.actor
    found = await read(OWNERS, actor.workspace_id, [row.id for row in rows])
    owned = {row["id"]: _Owned(row["owner_id"]) for row in found}
    return [
        NegotiationPermissions(
            negotiate=policy.may(actor, Action.NEGOTIATE, owned.get(row.id)),
            approve=policy.may(actor, Action.APPROVE_OFFER, owned.get(row.id)),
        )
        for row in rows
    ]


@noun(NegotiationRow, description="Rounds of offers by seller and buyer on a proposal that was sent.")
class Negotiation(Node):
    viewer_can: NegotiationPermissions = batch(_permissions, "What the viewer may do with it.")
    state: NegotiationState = column("How it stands.")
    turn: Party = column("Whose turn it is: who answers the last offer.")
    rounds: int = column("How many offers were made since the proposal, which is round 0.")
    respond_by: datetime | None = column("Until when they are asked to answer.")
    target: Money | None = group(Money, "What the seller aims at, net.", amount="target", currency_code="currency")
    must_haves: list[str] = column("What the seller cannot do without.")
    concessions: list[Concession] = computed(
        _concessions, "What the seller could give.", needs=("concessions", "currency")
    )
    floor_price: Money | None = group(
        Money, "Below this net price an offer needs approval.", amount="floor_price", currency_code="currency"
    )
    floor_margin: Decimal | None = column("Below this margin an offer needs approval, in percent.")
    most_discount: Decimal | None = column("Further below list prices an offer needs approval, in percent.")
    walk_away: Money | None = group(
        Money, "Below this net price nobody offers or agrees.", amount="walk_away", currency_code="currency"
    )
    position: NegotiationPosition = batch(
        _positions,
        "Where its last offer stands for the seller.",
        needs=("proposal_version_id", "target", "floor_price", "walk_away", "concessions"),
    )
    diff: OfferDiff | None = batch(
        _diffs,
        "How two rounds differ, term by term; null where one is none.",
        needs=("proposal_version_id", "concessions"),
    )
    gap: OfferDiff | None = batch(
        _gaps,
        "What is left between both sides: from the seller's last offer to the buyer's; null until the buyer made one.",
        needs=("proposal_version_id", "concessions"),
    )
    offers: Connection[Offer] = connection(
        "Offer",
        "schema.negotiations",
        model=OfferRow,
        by="negotiation_id",
        default=FIRST,
        plain=True,
        description="All offers, held and refused ones included, the first first.",
    )
    comments: Connection[NegotiationComment] = connection(
        "NegotiationComment",
        "schema.negotiations",
        model=NegotiationCommentRow,
        by="negotiation_id",
        default=FIRST,
        plain=True,
        description="What both sides said, the first first.",
    )
    reason: str | None = column("Why it was broken off: plain text, which both sides read.")
    ending: NegotiationEnding | None = column("What it ended by; null while it is open.")
    ended_by: Party | None = column(
        "Which side's doing that was; null while it is open, and of a proposal that expired."
    )
    ended_at: datetime | None = column("When it ended.")
    version: int = column("Rises with every edit by a person; offers do not raise it.")
    created_at: datetime = column("When it was opened.")
    lead: Annotated["Lead", strawberry.lazy("schema.leads")] | None = relation(LeadRow, "The lead.", by="lead_id")
    proposal: Annotated["Proposal", strawberry.lazy("schema.proposals")] | None = relation(
        ProposalRow, "The proposal.", by="proposal_id"
    )
    proposal_version: Annotated["ProposalVersion", strawberry.lazy("schema.proposal_versions")] | None = relation(
        ProposalVersionRow, "What it began with: round 0.", by="proposal_version_id"
    )
    agreed_version: Annotated["ProposalVersion", strawberry.lazy("schema.proposal_versions")] | None = relation(
        ProposalVersionRow, "What both sides agreed on; null unless they did.", by="agreed_version_id"
    )
    opened_by: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who opened it.", by="opened_by_id"
    )


@strawberry.input(description="Which negotiations.")
class NegotiationFilter:
    id: IDFilter | None = on("By id.", "id", noun="Negotiation")
    state: EnumFilter[NegotiationState] | None = on("By how they stand.", "state")
    turn: EnumFilter[Party] | None = on("By whose turn it is.", "turn")
    rounds: IntFilter | None = on("By how many offers were made.", "rounds")
    proposal: IDFilter | None = on("By proposal.", "proposal_id", noun="Proposal")
    lead: Annotated["LeadFilter", strawberry.lazy("schema.leads")] | None = through("By lead.", "lead")
    respond_by: DateTimeFilter | None = on("By until when they are to be answered.", "respond_by")
    created_at: DateTimeFilter | None = on("By when they were opened.", "created_at")
    and_: "list[NegotiationFilter] | None" = junction("and", "All of these pass.")
    or_: "list[NegotiationFilter] | None" = junction("or", "Any of these passes.")
    not_: "NegotiationFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What negotiations can be ordered by.")
class NegotiationOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When they were opened.")
    RESPOND_BY = strawberry.enum_value("respond_by", description="Until when they are to be answered.")


@strawberry.input(description="An order of negotiations.")
class NegotiationOrder:
    field: NegotiationOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


def negotiations_by(column: str, description: str) -> Any:
    """Declare the negotiations of what their `column` refers to."""
    return _connection(description, by=column)


def _connection(description: str, *, by: str | None = None) -> Any:
    return connection(
        "Negotiation", "schema.negotiations", model=NegotiationRow, by=by, default=NEWEST, description=description
    )


async def latest_negotiations(rows: list[Any], info: Info) -> Sequence[Any]:
    """Return the latest negotiation of each proposal."""
    found: dict[UUID, NegotiationRow] = {}
    keys = [row.id for row in rows]
    for row in await NegotiationRow.filter(proposal_id__in=keys).order_by("created_at", "id"):
        found[row.proposal_id] = row
    return await info.context.rows(NegotiationRow, [found[key].id if key in found else None for key in keys])


@strawberry.type
class NegotiationQueries:
    negotiation: Negotiation | None = by_id(
        NegotiationRow, "Negotiation", "A negotiation by its id; null where there is none, or it may not be seen."
    )
    negotiations: Connection[Negotiation] = _connection("Negotiations, the latest first.")
