"""A negotiation as the buyer finds it by their link: what both sides see, and nothing that the seller prepared."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain import negotiation_views, policy, proposal_links
from domain.actors import ActorKind
from domain.errors import Unauthenticated
from domain.negotiating import Buyer
from domain.negotiation_views import Seen
from domain.proposal_links import customer
from domain.tokens import EndedLink, InvalidLink
from domain.words import best_language, words
from models.leads import Lead
from models.negotiations import NegotiationComment as NegotiationCommentRow
from models.negotiations import NegotiationEnding, NegotiationState
from models.negotiations import Offer as OfferRow
from models.proposal_links import Party, ProposalLink
from schema import ids
from schema.amounts import money
from schema.context import Context, Info
from schema.live_cursors import cursor as live_cursor
from schema.negotiations import OfferTerms, PublicOfferDiff, public_diff_of, terms_of
from schema.scalars import CurrencyCode, LanguageTag, Money


@strawberry.type(description="An offer as both sides see it.")
class PublicOffer:
    round: int = strawberry.field(description="Counts from 0, the proposal as it was sent.")
    party: Party = strawberry.field(description="Whose offer it is.")
    name: str = strawberry.field(description="Who made it, by the name that they gave.")
    terms: OfferTerms = strawberry.field(description="What is offered.")
    net: Money = strawberry.field(description="What it comes to without tax.")
    tax: Money = strawberry.field(description="The tax on that.")
    total: Money = strawberry.field(description="What it comes to with tax.")
    sha256: str = strawberry.field(description="The SHA-256 of its terms, which is the evidence of an agreement.")
    note: str | None = strawberry.field(description="What was said with it: plain text.")
    respond_by: datetime | None = strawberry.field(description="Until when the other side was asked to answer.")
    created_at: datetime = strawberry.field(description="When it was made.")


@strawberry.type(description="What one side says, as both see it.")
class PublicComment:
    party: Party = strawberry.field(description="Who speaks.")
    name: str = strawberry.field(description="By what name.")
    text: str = strawberry.field(description="What they say: plain text, in which markup means nothing.")
    created_at: datetime = strawberry.field(description="When.")


@strawberry.type(description="A line that is negotiated about.")
class PublicNegotiationLine:
    key: str = strawberry.field(description="Its key, by which terms name it.")
    name: str = strawberry.field(description="What it is.")
    unit: str | None = strawberry.field(description="What is counted.")
    tax_rate: Decimal = strawberry.field(description="The rate of its tax, in percent.")
    optional: bool = strawberry.field(description="Whether it may be taken or left.")


@strawberry.type(description="A negotiation as the buyer finds it by their link.")
class PublicNegotiation:
    id: strawberry.ID = strawberry.field(description="Its id, by which mutations and negotiationEvents name it.")
    cursor: str = strawberry.field(
        description="Where the event log stood before this was read: pass it to negotiationEvents as `after`, with "
        "this link as the credential, and nothing is missed."
    )
    state: NegotiationState = strawberry.field(description="How it stands.")
    turn: Party = strawberry.field(description="Whose turn it is.")
    rounds: int = strawberry.field(description="How many offers were made since the proposal, which is round 0.")
    respond_by: datetime | None = strawberry.field(description="Until when they are asked to answer.")
    currency_code: CurrencyCode = strawberry.field(description="The currency of all amounts.")
    language: LanguageTag = strawberry.field(description="The language of all words.")
    lines: list[PublicNegotiationLine] = strawberry.field(description="What is negotiated about.")
    offers: list[PublicOffer] = strawberry.field(description="The offers that were made, the first first.")
    changes: PublicOfferDiff | None = strawberry.field(
        description="How the last offer differs from the one before; null until there are two."
    )
    gap: PublicOfferDiff | None = strawberry.field(
        description="What is left between both sides, from the seller's last offer to the buyer's."
    )
    comments: list[PublicComment] = strawberry.field(description="What both sides said last, the first first.")
    reason: str | None = strawberry.field(description="Why it was broken off: plain text.")
    ending: NegotiationEnding | None = strawberry.field(description="What it ended by; null while it is open.")
    ended_by: Party | None = strawberry.field(
        description="Which side's doing that was; null while it is open, and of a proposal that expired."
    )
    ended_at: datetime | None = strawberry.field(description="When it ended.")


def public_offer(row: OfferRow) -> PublicOffer:
    """Return what both sides see of an offer that was made."""
    return PublicOffer(
        round=row.round or 0,
        party=row.party,
        name=row.name,
        terms=terms_of(row.terms, row.currency),
        net=money(row.net, row.currency),
        tax=money(row.tax, row.currency),
        total=money(row.total, row.currency),
        sha256=row.sha256,
        note=row.note,
        respond_by=row.respond_by,
        created_at=row.created_at,
    )


def public_comment(row: NegotiationCommentRow) -> PublicComment:
    return PublicComment(party=row.party, name=row.name, text=row.text, created_at=row.created_at)


def public_negotiation(seen: Seen) -> PublicNegotiation:
    """Return a negotiation as its buyer sees it, in the proposal's language."""
    row, rounds, version = seen.negotiation, seen.rounds, seen.rounds.basis.version
    said = words(best_language(version.language))
    last = len(rounds.offers) - 1
    return PublicNegotiation(
        id=ids.encode("Negotiation", row.id),
        cursor=live_cursor(row.workspace_id, seen.position, policy.scope(customer(seen.link), Lead)),
        state=row.state,
        turn=row.turn,
        rounds=row.rounds,
        respond_by=row.respond_by,
        currency_code=CurrencyCode(row.currency),
        language=LanguageTag(said.language),
        lines=[
            PublicNegotiationLine(
                key=str(line.key),
                name=line.name,
                unit=line.unit,
                tax_rate=line.tax_rate,
                optional=line.optional,
            )
            for line in rounds.basis.lines
        ],
        offers=[public_offer(offer) for offer in rounds.offers],
        changes=public_diff_of(rounds.diff(last - 1, last, said), row.currency) if last else None,
        gap=public_diff_of(rounds.gap(said, company=seen.company), row.currency),
        comments=[public_comment(comment) for comment in seen.comments],
        reason=row.reason,
        ending=row.ending,
        ended_by=row.ended_by,
        ended_at=row.ended_at,
    )


async def link_of(context: Context, token: str | None = None) -> ProposalLink:
    """Return the link of whoever asks: by a token, or by that which came as their credential.

    Raises Unauthenticated, InvalidLink, EndedLink.
    """
    if token is not None:
        return await proposal_links.verified(token, now=context.now)
    identity = context.identity
    if identity is None or identity.kind is not ActorKind.LINK or identity.link_id is None:
        raise context.refused or Unauthenticated()
    return await proposal_links.opening(identity.link_id, now=context.now)


async def buyer_of(context: Context, name: str | None) -> Buyer | None:
    """Return the buyer where a customer's link asks; None for whoever signs in otherwise."""
    if context.identity is None or context.identity.kind is not ActorKind.LINK:
        return None
    link = await link_of(context)
    return Buyer(link=link, name=name, address=context.address, user_agent=context.user_agent or None)


@strawberry.type
class PublicNegotiationQueries:
    @strawberry.field(
        description="The latest negotiation of a proposal by its link's token, without sign-in; null for one that "
        "leads to none."
    )
    async def public_negotiation(
        self,
        info: Info,
        token: Annotated[
            str | None,
            strawberry.argument(description="The token; without one, that which came as `Authorization: Bearer`."),
        ] = None,
    ) -> PublicNegotiation | None:
        try:
            return public_negotiation(await negotiation_views.seen(await link_of(info.context, token)))
        except (InvalidLink, EndedLink):
            return None
