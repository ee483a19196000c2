"""The page on which a customer negotiates: every form of it, what is wrong, what was overtaken, and in a browser."""

import re
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal

import httpx
import pytest
from playwright.async_api import Browser

from domain import agreements, local_times, negotiations, proposal_links, proposals, selling_settings
from domain.selling_settings import SellingDetails
from models.negotiations import NegotiationComment, NegotiationState, OfferState
from models.proposal_links import Evidence, EvidenceKind, ProposalLink
from models.workspaces import Workspace
from tests.api import browser
from tests.factories import NOW
from tests.negotiating import Sitting, off, sit_down

pytestmark = pytest.mark.usefixtures("db")


def path_of(here: Sitting) -> str:
    return f"/p/{proposal_links.token_of(here.link.id)}/negotiation"


@pytest.fixture
async def visitor(server: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server, timeout=30) as client:
        yield client


async def test_the_page_shows_both_sides_and_no_secret(visitor: httpx.AsyncClient) -> None:
    here = await sit_down(target=4321, floor_price=3210, must_haves=["Never without"])
    await here.counter(off("30"), note="<b>Too dear</b>")
    await here.offer(off("20"))
    await selling_settings.update(here.actor, SellingDetails(color="#0b6e4f"), now=NOW)

    shown = await visitor.get(path_of(here))
    proposal = await visitor.get(path_of(here).removesuffix("/negotiation"))
    assert f'href="{path_of(here)}"' in proposal.text

    assert shown.status_code == 200
    text = re.sub(r"\s+", " ", shown.text)
    assert "Das Angebot" not in text
    assert "%(" not in text
    assert not [secret for secret in ("4.321", "4321", "3.210", "3210", "Never without", "HELD") if secret in text]
    assert "30 %" in text, "what the buyer has asked for"
    assert "<b>Too dear</b>" not in text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert "noindex" in shown.headers["x-robots-tag"]
    assert "--brand:#0b6e4f" in shown.text, "the workspace's colour, as on the proposal's page"


async def test_a_customer_counters_comments_and_agrees(visitor: httpx.AsyncClient) -> None:
    here = await sit_down()
    numbers = {
        "quantity0": "10",
        "price0": "75,5",
        "quantity1": "0",
        "price1": "200",
        "quantity2": "1",
        "price2": "500",
    }
    offer = {"form": "offer", "round": "0", "name": "Berta", "days": "30", "wish": "Schulung", "wish_text": "Ein Tag"}
    offer["respond"] = "2099-05-01"

    sent = await visitor.post(path_of(here), data=offer | numbers)
    said = await visitor.post(path_of(here), data={"form": "comment", "name": "Berta", "text": "Geht das?"})
    await here.offer(off("2"))
    agreed = await visitor.post(path_of(here), data={"form": "agree", "round": "2", "name": "Berta"})

    assert [one.status_code for one in (sent, said, agreed)] == [303, 303, 303], sent.text
    made = next(offer for offer in await here.offers() if offer.round == 1)
    assert (made.net, made.name, made.terms["payment_days"]) == (Decimal(755), "Berta", 30)
    home = await Workspace.get(id=here.lead.workspace_id)
    assert made.respond_by == local_times.end_of(date(2099, 5, 1), home.time_zone)
    assert made.terms["free"] == [{"key": "wish1", "label": "Schulung", "text": "Ein Tag"}]
    assert (await NegotiationComment.get(negotiation_id=here.negotiation.id)).text == "Geht das?"
    assert (await here.now()).state is NegotiationState.AGREED
    evidence = await Evidence.get(proposal_id=here.proposal.id, kind=EvidenceKind.ACCEPTED)
    assert (evidence.name, evidence.address) == ("Berta", "127.0.0.1")
    assert "Sie haben sich am" in (await visitor.get(path_of(here))).text


async def test_what_is_wrong_is_told_by_its_field_and_nothing_is_lost(visitor: httpx.AsyncClient) -> None:
    here = await sit_down()
    wrong = {"form": "offer", "round": "0", "name": " ", "price0": "viel", "note": "Bitte <b>", "quantity1": "-1"}

    told = await visitor.post(path_of(here), data=wrong)
    nameless = await visitor.post(path_of(here), data={"form": "agree", "round": "0", "name": ""})
    unknown = await visitor.post(path_of(here), data={"form": "hack"})

    assert (told.status_code, nameless.status_code, unknown.status_code) == (422, 422, 400)
    assert 'id="offer-price0-fault"' in told.text
    assert "Bitte &lt;b&gt;" in told.text
    assert 'value="viel"' in told.text
    assert 'id="agree-name-fault"' in nameless.text
    assert (await here.now()).rounds == 0


# A field, what is written in it, and what is told by it.
WRONG = (
    ("quantity0", "viel", "Bitte geben Sie eine Zahl ein, zum Beispiel 12,5."),
    ("quantity1", "-1", "Bitte geben Sie eine Zahl von 0 bis 99.999.999.999,9999 ein."),
    ("quantity1", "1,00001", "Bitte geben Sie eine Zahl mit höchstens 4 Nachkommastellen ein."),
    ("price0", "-1", "Bitte geben Sie eine Zahl von 0 bis"),
    ("price2", "0,00001", "Bitte geben Sie eine Zahl mit höchstens 4 Nachkommastellen ein."),
    ("percent1", "101", "Bitte geben Sie eine Zahl von 0 bis 100 ein."),
    ("percent", "5,0001", "Bitte geben Sie eine Zahl mit höchstens 3 Nachkommastellen ein."),
    ("percent", "NaN", "Bitte geben Sie eine Zahl"),
    ("days", "-3", "Bitte geben Sie eine Zahl von 0 bis 3.650 ein."),
    ("days", "1,5", "Bitte geben Sie eine ganze Zahl von Tagen ein."),
    ("day", "morgen", "Bitte wählen Sie einen Tag."),
    ("day", "0001-01-01", "Bitte wählen Sie einen Tag."),
    ("respond", "0001-01-01", "Bitte wählen Sie einen Tag."),
    ("respond", "2020-01-01", "Bitte wählen Sie einen Tag, der noch nicht vorbei ist."),
    ("wish_text", "ohne Titel", "Bitte schreiben Sie ein paar Worte."),
)


async def test_what_is_wrong_with_a_number_or_a_day_is_told_by_it(visitor: httpx.AsyncClient) -> None:
    here = await sit_down()

    for name, value, told in WRONG:
        answer = await visitor.post(path_of(here), data={"form": "offer", "round": "0", "name": "Berta", name: value})
        at = "wish" if name == "wish_text" else name
        assert answer.status_code == 422
        assert f'<p class="fault" id="offer-{at}-fault">{told}' in answer.text, (name, value)
        assert f'aria-describedby="offer-{at}-fault"' in answer.text
    assert (await here.now()).rounds == 0


async def test_who_was_overtaken_is_told_what_happened(visitor: httpx.AsyncClient) -> None:
    here = await sit_down()
    await here.offer(off("1"))

    old = await visitor.post(path_of(here), data={"form": "agree", "round": "0", "name": "Berta"})
    await negotiations.break_off(here.actor, here.negotiation.id, "Zu weit.", now=NOW)
    over = await visitor.post(path_of(here), data={"form": "comment", "name": "Berta", "text": "Schade"})

    assert (old.status_code, over.status_code) == (409, 409)
    assert "hat ein neues Angebot gemacht" in old.text
    assert "nichts gesendet" in old.text
    assert "Zu weit." in over.text
    assert [offer.state for offer in await here.offers()] == [OfferState.REVISED, OfferState.LAPSED]


async def test_links_that_lead_nowhere(visitor: httpx.AsyncClient) -> None:
    here, withdrawn = await sit_down(), await sit_down()
    await proposals.withdraw(withdrawn.actor, withdrawn.proposal.id, now=NOW)
    await ProposalLink.filter(id=here.link.id).update(revoked_at=NOW)

    for ended in (here, withdrawn):
        assert (await visitor.get(path_of(ended))).status_code == 410
    assert (await visitor.get(f"/p/{'x' * 64}/negotiation")).status_code == 404


@pytest.mark.parametrize("size", ["phone", "desktop"])
async def test_in_a_browser(server: str, chromium: Browser, size: str) -> None:
    here = await sit_down(respond_by=NOW.replace(year=2099))
    await here.counter(off("10"), note="Unser Budget.")
    await here.offer(off("5"))
    async with browser.screen(chromium, size) as screen:
        await screen.goto(f"{server}{path_of(here)}")
        await browser.kept(screen, f"negotiation-{size}")
        assert await browser.faults(screen) == []
        await screen.locator("summary").first.click()
        await screen.fill("#offer-price0", "70")
        await screen.fill("#offer-name", "Berta Buyer")
        await browser.kept(screen, f"negotiation-offer-{size}")
        assert await browser.faults(screen) == []
        await screen.locator("details button").first.click()
        await screen.wait_for_url("**/negotiation?done=offer")
    assert (await here.now()).rounds == 3
    await agreements.agree(here.actor, here.negotiation.id, round=3, now=NOW)
