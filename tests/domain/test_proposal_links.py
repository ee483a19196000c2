"""Customers' links to proposals: one for each person, revocable, expiring, and not to be guessed."""

import asyncio
from datetime import timedelta

import pytest

from domain import proposal_links, proposals, public_proposals, tokens
from domain.errors import Forbidden, Malformed, NotFound, OutOfRange
from domain.proposal_details import ProposalDetails
from domain.proposal_links import LINK_LASTS, MOST_LINKS, ProposalNotSent, TooManyLinks
from domain.public_proposals import PublicState
from domain.tokens import EndedLink, InvalidLink, Kind
from models.base import uuid7
from models.contacts import Contact
from models.leads import Lead
from models.proposal_links import ProposalLink
from models.proposals import Proposal
from models.users import Role
from tests.factories import NOW, events, member, seller
from tests.proposing import DAY, buyer, line, link_to, offered

pytestmark = pytest.mark.usefixtures("db")


async def test_sending_makes_the_contacts_link_which_is_the_same_when_it_is_sent_again() -> None:
    actor = await seller()
    proposal = await offered(actor)
    first = await link_to(proposal)
    assert (first.contact_id, first.expires_at, first.created_by_id) == (
        proposal.contact_id,
        NOW + LINK_LASTS,
        actor.user_id,
    )
    assert proposal.contact_id is not None
    await proposals.update(actor, proposal.id, ProposalDetails(title="Larger roof"), now=NOW + DAY)
    await proposals.send(actor, proposal.id, now=NOW + DAY)
    [again] = await ProposalLink.filter(proposal_id=proposal.id)
    assert (again.id, again.expires_at) == (first.id, NOW + DAY + LINK_LASTS)
    told = [event.name for event in await events(proposal.lead_id)]
    assert told.count("proposal.link_created") == 1
    assert await proposal_links.live_of(actor.workspace_id, [proposal.id], now=NOW) == {proposal.id: first.id}


async def test_a_link_is_made_for_another_person_and_for_nobody_in_particular_once_each() -> None:
    actor = await seller()
    proposal = await offered(actor)
    other = await Contact.create(
        workspace_id=actor.workspace_id, name="Charles Babbage", created_at=NOW, updated_at=NOW
    )
    made = await asyncio.gather(
        *(proposal_links.create(actor, proposal.id, contact_id=other.id, now=NOW) for _ in range(4)),
        *(proposal_links.create(actor, proposal.id, now=NOW) for _ in range(4)),
    )
    assert len({link.id for link in made}) == 2
    assert await ProposalLink.filter(proposal_id=proposal.id).count() == 3
    # The one to show stays that of whom it was made for.
    shown = await proposal_links.live_of(actor.workspace_id, [proposal.id], now=NOW)
    assert shown == {proposal.id: (await link_to(proposal)).id}


async def test_a_revoked_link_opens_nothing_and_the_next_one_is_another() -> None:
    actor = await seller()
    proposal = await offered(actor)
    first = await link_to(proposal)
    token = proposal_links.token_of(first.id)
    assert (await public_proposals.opened(token, now=NOW)).state is PublicState.OPEN
    for _ in range(2):
        assert (await proposal_links.revoke(actor, first.id, now=NOW)).revoked_at == NOW
    with pytest.raises(EndedLink):
        await public_proposals.opened(token, now=NOW)
    assert await proposal_links.live_of(actor.workspace_id, [proposal.id], now=NOW) == {}
    second = await proposal_links.create(actor, proposal.id, contact_id=proposal.contact_id, now=NOW)
    assert second.id != first.id
    names = [event.name for event in await events(proposal.lead_id)]
    assert names.count("proposal.link_revoked") == 1 and names.count("proposal.link_created") == 2


async def test_an_expired_link_opens_nothing_and_holds_again_when_it_is_made_again() -> None:
    actor = await seller()
    proposal = await offered(actor)
    made = await proposal_links.create(actor, proposal.id, expires_at=NOW + DAY, now=NOW)
    token = proposal_links.token_of(made.id)
    assert (await public_proposals.opened(token, now=NOW + DAY - timedelta(seconds=1))).proposal.id == proposal.id
    with pytest.raises(EndedLink):
        await public_proposals.opened(token, now=NOW + DAY)
    kept = await proposal_links.create(actor, proposal.id, now=NOW + timedelta(hours=1))
    assert (kept.id, kept.expires_at) == (made.id, NOW + DAY)
    renewed = await proposal_links.create(actor, proposal.id, now=NOW + 2 * DAY)
    assert (renewed.id, renewed.expires_at) == (made.id, NOW + 2 * DAY + LINK_LASTS)


async def test_tokens_that_nobody_made_and_of_other_kinds_open_nothing() -> None:
    link = await link_to(await offered(await seller()))
    genuine = proposal_links.token_of(link.id)
    strangers = (tokens.sign(Kind.SURVEY, link.id), tokens.sign(Kind.PROPOSAL, uuid7()))
    for guessed in ("", "x", "a" * 64, genuine[:-1], genuine[:-4] + "AAAA", genuine.upper(), "ä" * 64, *strangers):
        with pytest.raises(InvalidLink):
            await public_proposals.opened(guessed, now=NOW)
        with pytest.raises(InvalidLink):
            await proposal_links.load_actor(guessed, now=NOW)


async def test_what_is_deleted_or_withdrawn_is_not_shown() -> None:
    actor = await seller()
    proposal = await offered(actor)
    token = proposal_links.token_of((await link_to(proposal)).id)
    await proposals.withdraw(actor, proposal.id, now=NOW)
    with pytest.raises(public_proposals.ProposalWithdrawn):
        await public_proposals.opened(token, now=NOW)
    for gone in (Proposal.filter(id=proposal.id), Lead.filter(id=proposal.lead_id)):
        await gone.update(deleted_at=NOW)
        with pytest.raises(EndedLink):
            await public_proposals.opened(token, now=NOW)
        await gone.update(deleted_at=None)


async def test_who_may_not_share_makes_none_and_what_was_not_sent_has_none() -> None:
    actor = await seller()
    lead = await buyer(actor)
    draft = await proposals.create(actor, lead.id, ProposalDetails(), currency="EUR", lines=[line()], now=NOW)
    with pytest.raises(ProposalNotSent):
        await proposal_links.create(actor, draft.id, now=NOW)
    await proposals.send(actor, draft.id, now=NOW)
    link = await ProposalLink.get(proposal_id=draft.id)
    viewer, stranger = await member(Role.VIEWER, of=actor), await seller()
    with pytest.raises(Forbidden):
        await proposal_links.create(viewer, draft.id, now=NOW)
    with pytest.raises(Forbidden):
        await proposal_links.revoke(viewer, link.id, now=NOW)
    for act in (proposal_links.create(stranger, draft.id, now=NOW), proposal_links.revoke(stranger, link.id, now=NOW)):
        with pytest.raises(NotFound):
            await act
    with pytest.raises(NotFound):
        await proposal_links.create(actor, draft.id, contact_id=uuid7(), now=NOW)


@pytest.mark.parametrize("days", [0, -1, 3 * 365 + 1])
async def test_a_link_ends_after_now_and_within_three_years(days: int) -> None:
    actor = await seller()
    proposal = await offered(actor)
    with pytest.raises(OutOfRange):
        await proposal_links.create(actor, proposal.id, expires_at=NOW + days * DAY, now=NOW)
    with pytest.raises(Malformed):
        await proposal_links.create(actor, proposal.id, expires_at=NOW.replace(tzinfo=None), now=NOW)


async def test_a_proposal_has_only_so_many_links() -> None:
    actor = await seller()
    proposal = await offered(actor)
    common = {"workspace_id": actor.workspace_id, "proposal_id": proposal.id, "lead_id": proposal.lead_id}
    await ProposalLink.bulk_create(
        [ProposalLink(**common, created_at=NOW, revoked_at=NOW) for _ in range(MOST_LINKS - 1)]
    )
    with pytest.raises(TooManyLinks):
        await proposal_links.create(actor, proposal.id, now=NOW)


async def test_a_preview_shows_what_is_worked_on_for_a_short_time() -> None:
    actor = await seller()
    lead = await buyer(actor)
    draft = await proposals.create(actor, lead.id, ProposalDetails(), currency="EUR", lines=[line()], now=NOW)
    token = proposal_links.preview_url(draft.id, now=NOW).rpartition("/")[2]
    seen = await public_proposals.previewed(token, now=NOW + timedelta(minutes=14))
    assert (seen.link, seen.version.id, [one.name for one in seen.lines]) == (
        None,
        draft.current_id,
        ["Solar panel 440 W"],
    )
    with pytest.raises(EndedLink):
        await public_proposals.previewed(token, now=NOW + timedelta(minutes=15))
    for guessed in ("", "x", token[:-2], "A" * len(token), "é"):
        with pytest.raises(InvalidLink):
            await public_proposals.previewed(guessed, now=NOW)
