"""Views of proposals: those of customers count, once in half an hour, and the first moves the proposal."""

import asyncio
from datetime import timedelta

import pytest

from domain import proposal_links, proposal_views, proposals
from domain.proposal_details import ProposalDetails
from domain.proposal_views import is_robot
from models.base import uuid7
from models.proposal_links import ProposalView
from models.proposals import Proposal, ProposalState
from tests.factories import NOW, events, seller
from tests.proposing import BROWSER, DAY, link_to, offered, sent_of

HALF_AN_HOUR = timedelta(minutes=30)

pytestmark = pytest.mark.usefixtures("db")


async def test_the_first_view_moves_the_proposal_and_others_count_after_half_an_hour() -> None:
    proposal = await offered(await seller())
    link = await link_to(proposal)
    counted = [
        await proposal_views.count(link.id, address="203.0.113.9", user_agent=BROWSER, now=NOW + after)
        for after in (timedelta(), HALF_AN_HOUR - timedelta(seconds=1), HALF_AN_HOUR, DAY)
    ]
    assert counted == [True, False, True, True]
    after = await Proposal.get(id=proposal.id)
    assert (after.state, after.viewed_at) == (ProposalState.VIEWED, NOW)
    assert after.version == proposal.version, "what the system sees is no edit"
    told = [event for event in await events(proposal.lead_id) if event.name == "proposal.viewed"]
    assert [event.data["first"] for event in told] == [True, False, False]
    assert {event.actor["link"] for event in told} == {str(link.id)}
    first = await ProposalView.filter(proposal_id=proposal.id).order_by("viewed_at").first()
    assert first and (first.address, first.user_agent, first.version_id) == ("203.0.113.9", BROWSER, proposal.sent_id)


async def test_opened_often_at_once_it_counts_once_and_by_another_link_as_well() -> None:
    actor = await seller()
    proposal = await offered(actor)
    links = [await link_to(proposal), await proposal_links.create(actor, proposal.id, now=NOW)]
    counted = await asyncio.gather(
        *(
            proposal_views.count(link.id, address="203.0.113.9", user_agent=BROWSER, now=NOW)
            for link in links
            for _ in range(5)
        )
    )
    assert sum(counted) == await ProposalView.filter(proposal_id=proposal.id).count() == 2


async def test_the_next_version_is_seen_anew() -> None:
    actor = await seller()
    proposal = await offered(actor)
    link = await link_to(proposal)
    assert await proposal_views.count(link.id, address="", user_agent=BROWSER, now=NOW)
    await proposals.update(actor, proposal.id, ProposalDetails(title="Larger"), now=NOW)
    assert not await proposal_views.count(link.id, address="", user_agent=BROWSER, now=NOW)
    await proposals.send(actor, proposal.id, now=NOW)
    assert await proposal_views.count(link.id, address="", user_agent=BROWSER, now=NOW)
    assert (await sent_of(proposal)).state is ProposalState.VIEWED


async def test_what_opens_nothing_counts_nothing() -> None:
    actor = await seller()
    proposal = await offered(actor)
    link = await link_to(proposal)
    await proposal_links.revoke(actor, link.id, now=NOW)
    for key in (link.id, uuid7()):
        assert not await proposal_views.count(key, address="", user_agent=BROWSER, now=NOW)
    assert (await Proposal.get(id=proposal.id)).state is ProposalState.SENT


@pytest.mark.parametrize(
    "agent",
    [
        "",
        None,
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "WhatsApp/2.23.20.0",
        "TelegramBot (like TwitterBot)",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/126.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 "
        "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        "python-requests/2.32.0",
        "curl/8.5.0",
        "Go-http-client/2.0",
        "Mozilla/5.0 (Windows NT 10.0; Microsoft Outlook 16.0.4266; ms-office)",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    ],
)
def test_robots_are_told_by_what_they_call_themselves(agent: str | None) -> None:
    assert is_robot(agent)


@pytest.mark.parametrize(
    "agent",
    [
        BROWSER,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (Linux; Android 14; CUBOT X70) AppleWebKit/537.36 Chrome/138.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/138.0.0.0 Safari/537.36 Edg/138.0",
    ],
)
def test_browsers_are_no_robots(agent: str) -> None:
    assert not is_robot(agent)
