"""A negotiation as both sides may see it: its rounds, what differs between them, what is left, what was said.

What the seller prepared, and offers that were never made, are no part of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain import events, offer_diffs, offer_terms
from domain.concessions import Concession
from domain.negotiating import of_link
from domain.offer_diffs import OfferDiff
from domain.offer_terms import Basis, Terms
from domain.tokens import EndedLink
from domain.words import Words
from models.negotiations import Negotiation, NegotiationComment, Offer
from models.proposal_links import Party, ProposalLink
from models.proposals import Proposal, ProposalLine, ProposalState, ProposalVersion
from models.workspaces import Workspace

MOST_COMMENTS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Rounds:
    """The offers of a negotiation that were made, round by round, and the version that they are about."""

    basis: Basis
    offers: Sequence[Offer]

    @property
    def last(self) -> Offer:
        return self.offers[-1]

    def last_of(self, party: Party) -> Offer | None:
        """Return what a side has offered last."""
        return next((offer for offer in reversed(self.offers) if offer.party is party), None)

    def diff(self, before: int, after: int, said: Words, prepared: Sequence[Concession] = ()) -> OfferDiff | None:
        """Return how two rounds differ; None where there is no such round."""
        known = {offer.round: offer for offer in self.offers}
        if before not in known or after not in known:
            return None
        return offer_diffs.diff(self.basis, terms_of(known[before]), terms_of(known[after]), said, prepared=prepared)

    def gap(self, said: Words, prepared: Sequence[Concession] = (), *, company: str | None = None) -> OfferDiff | None:
        """Return what is left between both sides' last offers; None while one of them has made none."""
        seller, buyer = self.last_of(Party.SELLER), self.last_of(Party.BUYER)
        if seller is None or buyer is None:
            return None
        return offer_diffs.gap(self.basis, terms_of(seller), terms_of(buyer), said, prepared=prepared, company=company)


def terms_of(offer: Offer) -> Terms:
    """Return what an offer says."""
    return offer_terms.load(offer.terms)


async def rounds_of(negotiations: Iterable[Negotiation]) -> dict[UUID, Rounds]:
    """Return the rounds of negotiations, in three statements for all of them."""
    known = {row.id: row.proposal_version_id for row in negotiations}
    versions = {row.id: row for row in await ProposalVersion.filter(id__in=set(known.values()))}
    lines: dict[UUID, list[ProposalLine]] = {key: [] for key in versions}
    for line in await ProposalLine.filter(version_id__in=list(versions)).order_by("position", "id"):
        lines[line.version_id].append(line)
    offers: dict[UUID, list[Offer]] = {key: [] for key in known}
    for offer in await Offer.filter(negotiation_id__in=list(known), round__isnull=False).order_by("round"):
        offers[offer.negotiation_id].append(offer)
    return {
        key: Rounds(Basis(version=versions[version], lines=tuple(lines[version])), offers[key])
        for key, version in known.items()
    }


@dataclass(frozen=True, slots=True)
class Seen:
    """A negotiation as the buyer finds it by their link; `position` is where the event log stood before it was read."""

    link: ProposalLink
    company: str
    negotiation: Negotiation
    rounds: Rounds
    comments: Sequence[NegotiationComment]
    position: int


async def seen(link: ProposalLink, *, negotiation_id: UUID | None = None) -> Seen:
    """Return the negotiation that a link which holds leads to.

    Raises EndedLink where it leads to none, and where the proposal was withdrawn: nothing of that is shown.
    """
    position = await events.head(link.workspace_id)
    negotiation = await of_link(link, negotiation_id=negotiation_id)
    if negotiation is None or await Proposal.exists(id=link.proposal_id, sent__state=ProposalState.WITHDRAWN):
        raise EndedLink
    newest = NegotiationComment.filter(negotiation_id=negotiation.id).order_by("-created_at", "-id")
    comments = await newest.limit(MOST_COMMENTS_SHOWN)
    rounds = (await rounds_of([negotiation]))[negotiation.id]
    company = (rounds.basis.version.parties.get("seller") or {}).get("name")
    if not company:
        company = (await Workspace.get(id=link.workspace_id)).name
    return Seen(link, str(company), negotiation, rounds, comments[::-1], position)
