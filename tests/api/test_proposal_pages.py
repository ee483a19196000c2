"""The proposal's page as customers meet it: over HTTP, and in a real browser, without scripts."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from httpx import Response
from playwright.async_api import Browser

from domain import proposal_answers, proposal_links, proposals, selling_settings, tokens
from domain.actors import Actor
from domain.money import Money
from domain.proposal_details import ProposalDetails, Section
from domain.proposal_lines import Discount
from domain.selling_settings import SellerDetails, SellingDetails
from domain.tokens import Kind
from models.files import File, FileChunk
from models.proposal_links import Evidence, EvidenceKind, ProposalLink, ProposalQuestion, ProposalView
from models.proposals import Proposal, ProposalLine, ProposalState
from models.selling import SellingSettings
from tests.api.browser import SCREENS, faults, kept, screen
from tests.api.serving import Client
from tests.factories import seller
from tests.proposing import BROWSER, DAY, buyer, line, link_to, offered, option, roof, sections, sent_of

SCRIPT = "<script>document.title='taken'</script>\"><img src=x onerror=alert(1)>"
AGENT = {"User-Agent": BROWSER}
TERMS = "Half on order, half after the grid operator's approval.\n\n- Delivery within six weeks\n- Warranty of 25 years"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf"
    "c0f01f0005000201a2b3f4f50000000049454e44ae426082"
)

pytestmark = pytest.mark.usefixtures("db")


async def company(*, color: str = "#0b6e4f") -> Actor:
    """Make a workspace that has said how it sells."""
    actor = await seller()
    given = SellerDetails(
        name="Sonnendach GmbH",
        address={"street": "Solarweg 12", "postalCode": "79110", "city": "Freiburg", "country": "DE"},
        tax_number="DE123456789",
        email="hello@sonnendach.example",
        phone="+49 761 123456",
    )
    await selling_settings.update(actor, SellingDetails(seller=given, color=color), now=datetime.now(UTC))
    return actor


async def sent(actor: Actor | None = None, *lines: Any, now: datetime | None = None, **details: Any) -> Proposal:
    """Send a proposal of a solar roof, unless lines say otherwise."""
    given: dict[str, Any] = {"title": "A solar roof for your workshop", "terms": TERMS} | details
    return await offered(actor or await seller(), *(lines or roof()), now=now or datetime.now(UTC), **given)


async def path(proposal: Proposal) -> str:
    return proposal_links.path_of((await link_to(proposal)).id)


async def form(proposal: Proposal, *ticked: str, shown: str | None = None, **fields: str) -> dict[str, str]:
    """Return what the page's form sends with these options ticked; `shown` names other options than the total's."""
    lines = await ProposalLine.filter(version_id=proposal.sent_id).order_by("position")
    places = [str(one.position) for one in lines if one.optional and one.name in ticked]
    known = {"sha256": (await sent_of(proposal)).sha256 or "", "shown": ".".join(places) if shown is None else shown}
    return known | {f"o.{place}": "1" for place in places} | fields


async def post(client: Client, proposal: Proposal, fields: dict[str, str]) -> Response:
    return await client.http.post(await path(proposal), data=fields, headers=AGENT)


async def state(proposal: Proposal) -> ProposalState:
    return (await Proposal.get(id=proposal.id)).state


# Opening


async def test_opening_it_counts_a_view_of_a_person_and_of_nobody_else(client: Client) -> None:
    proposal = await sent()
    link = await path(proposal)
    others: list[dict[str, Any]] = [
        {"headers": {"User-Agent": "Slackbot-LinkExpanding 1.0"}},
        {"headers": AGENT | {"Sec-Purpose": "prefetch;prerender"}},
        {"headers": AGENT | {"Purpose": "prefetch"}},
        {"headers": AGENT | {"X-Purpose": "preview"}},
        {"headers": AGENT, "method": "HEAD"},
    ]
    for other in others:
        answer = await client.http.request(other.pop("method", "GET"), link, **other)
        assert answer.status_code == 200
    preview = proposal_links.preview_url(proposal.id, now=datetime.now(UTC))
    assert (await client.http.get(preview.partition("/p/")[1] + preview.partition("/p/")[2], headers=AGENT)).is_success
    assert await ProposalView.filter(proposal_id=proposal.id).count() == 0
    assert await state(proposal) is ProposalState.SENT
    for _ in range(3):
        assert (await client.http.get(link, headers=AGENT)).status_code == 200
    [view] = await ProposalView.filter(proposal_id=proposal.id)
    assert (view.address, view.user_agent) == ("127.0.0.1", BROWSER)
    assert await state(proposal) is ProposalState.VIEWED


async def test_the_page_keeps_its_secrets_and_asks_not_to_be_found(client: Client) -> None:
    proposal = await sent(None, line(unit_cost=Money(Decimal("73.19"), "EUR")))
    answer = await client.http.get(await path(proposal))
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "script-src" not in policy
    assert "img-src 'self'" in policy and "form-action 'self'" in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert '<meta name="robots" content="noindex">' in answer.text
    for secret in ("73.19", str(proposal.id), str(proposal.workspace_id), str(proposal.lead_id)):
        assert secret not in answer.text
    assert "http" not in re.sub(r'href="#[^"]*"', "", answer.text), "it loads nothing from elsewhere"


async def test_links_that_nobody_made_and_those_that_ended_say_nothing_of_the_proposal(client: Client) -> None:
    actor = await seller()
    proposal = await sent(actor, title="Secret title")
    link = await link_to(proposal)
    genuine = proposal_links.token_of(link.id)
    for guessed in ("x", "a" * 64, genuine[:-1], genuine[:-4] + "AAAA", tokens.sign(Kind.SURVEY, link.id), "preview"):
        for answer in (
            await client.http.get(f"/p/{guessed}"),
            await client.http.post(f"/p/{guessed}", data={"do": "x"}),
        ):
            assert answer.status_code == 404 and "Secret" not in answer.text, guessed
    withdrawn, expired = await sent(actor, title="Secret title"), await sent(actor, title="Secret title")
    await proposals.withdraw(actor, withdrawn.id, now=datetime.now(UTC))
    await ProposalLink.filter(proposal_id=expired.id).update(expires_at=datetime.now(UTC))
    await proposal_links.revoke(actor, link.id, now=datetime.now(UTC))
    for ended, told in (
        (withdrawn, "This proposal was withdrawn"),
        (expired, "This link has ended"),
    ):
        for answer in (
            await client.http.get(await path(ended)),
            await post(client, ended, await form(ended, do="accept")),
        ):
            assert answer.status_code == 410 and told in answer.text and "Secret" not in answer.text
    revoked = await client.http.get(f"/p/{genuine}", headers={"Accept-Language": "de"})
    assert revoked.status_code == 410 and "Dieser Link ist abgelaufen" in revoked.text
    assert "Secret" not in revoked.text


async def test_a_preview_shows_the_draft_without_forms_and_only_for_a_while(client: Client) -> None:
    actor = await seller()
    draft = await proposals.create(
        actor,
        (await buyer(actor)).id,
        ProposalDetails(title="Not sent yet"),
        currency="EUR",
        lines=[line(), option()],
        now=datetime.now(UTC),
    )
    url = proposal_links.preview_url(draft.id, now=datetime.now(UTC)).partition("/p/")[2]
    shown = await client.http.get(f"/p/{url}")
    assert shown.status_code == 200 and "Preview" in shown.text and "Not sent yet" in shown.text
    assert "<form" not in shown.text and "<button" not in shown.text
    assert (await client.http.post(f"/p/{url}", data={"do": "accept"})).status_code == 405
    old = proposal_links.preview_url(draft.id, now=datetime.now(UTC) - timedelta(minutes=16)).partition("/p/")[2]
    assert (await client.http.get(f"/p/{old}")).status_code == 410
    assert (await client.http.get("/p/preview/nonsense")).status_code == 404


async def test_the_logo_is_given_to_whoever_has_a_link_and_only_where_it_is_a_picture(client: Client) -> None:
    actor = await company()
    proposal = await sent(actor)
    link = await path(proposal)
    assert (await client.http.get(f"{link}/logo")).status_code == 404
    common: dict[str, Any] = {
        "workspace_id": actor.workspace_id,
        "created_at": datetime.now(UTC),
        "completed_at": datetime.now(UTC),
    }
    file = await File.create(name="logo.png", content_type="image/png", size=len(PIXEL), **common)
    await FileChunk.create(file_id=file.id, number=0, data=PIXEL)
    await SellingSettings.filter(workspace_id=actor.workspace_id).update(logo_id=file.id)
    given = await client.http.get(f"{link}/logo")
    assert (given.status_code, given.content, given.headers["content-type"]) == (200, PIXEL, "image/png")
    assert "sandbox" in given.headers["content-security-policy"]
    assert f'<img src="{link}/logo" alt="Sonnendach GmbH"' in (await client.http.get(link)).text
    assert (await client.http.get(f"/p/{'a' * 64}/logo")).status_code == 404
    await File.filter(id=file.id).update(content_type="image/svg+xml")
    assert (await client.http.get(f"{link}/logo")).status_code == 404


# Options


async def test_ticking_options_changes_the_total_and_keeps_what_was_typed(client: Client) -> None:
    proposal = await sent()
    before = (await client.http.get(await path(proposal))).text
    assert "€22,730.49" in before and before.count(" checked") == 1
    fields = await form(proposal, "Wallbox 11 kW", "Maintenance for five years", name="Ada L", do="update")
    after = await post(client, proposal, fields)
    assert after.status_code == 200
    # 17,851.25 and 890.00 at 19%, 900.00 at 7%.
    assert "€23,265.09" in after.text and "€22,730.49" not in after.text
    assert after.text.count(" checked") == 2 and 'value="Ada L"' in after.text
    assert "7% tax on €900.00" in after.text
    assert await state(proposal) is ProposalState.SENT


async def test_what_is_accepted_is_what_was_shown(client: Client) -> None:
    proposal = await sent()
    unseen = await form(proposal, "Wallbox 11 kW", shown="7", name="Ada Lovelace", do="accept")
    again = await post(client, proposal, unseen)
    assert again.status_code == 200 and "You have chosen otherwise, so the total has changed." in again.text
    assert "€22,302.09" in again.text and await state(proposal) is not ProposalState.ACCEPTED
    seen = await form(proposal, "Wallbox 11 kW", name="Ada Lovelace", do="accept")
    done = await post(client, proposal, seen)
    assert (done.status_code, done.headers["location"]) == (303, "?accepted=1#answer")
    evidence = await Evidence.get(proposal_id=proposal.id)
    assert (evidence.name, evidence.total, evidence.address) == ("Ada Lovelace", Decimal("22302.09"), "127.0.0.1")
    assert evidence.facts["consent"] == "I accept this proposal and its terms. The total is €22,302.09."
    thanks = (await client.http.get(f"{await path(proposal)}?accepted=1")).text
    assert "Thank you! You have accepted this proposal." in thanks
    assert evidence.sha256 in thanks and "Ada Lovelace" in thanks and "€22,302.09" in thanks
    assert "<button" not in thanks.partition('id="questions"')[0], "nothing is left to be accepted"
    # Whoever opens it later is told, and not thanked.
    later = (await client.http.get(await path(proposal))).text
    assert "This proposal was accepted" in later and "Thank you!" not in later


# Answers


async def test_a_double_click_accepts_once_and_both_are_thanked(client: Client) -> None:
    proposal = await sent()
    fields = await form(proposal, "Emergency power", name="Ada Lovelace", do="accept")
    answers = await asyncio.gather(*(post(client, proposal, fields) for _ in range(4)))
    assert {(one.status_code, one.headers.get("location")) for one in answers} == {(303, "?accepted=1#answer")}
    assert await Evidence.filter(proposal_id=proposal.id).count() == 1


async def test_whoever_comes_second_is_told_who_was_first(client: Client) -> None:
    actor = await seller()
    proposal = await sent(actor)
    other = await proposal_links.create(actor, proposal.id, now=datetime.now(UTC))
    fields = await form(proposal, "Emergency power", do="accept")
    assert (await post(client, proposal, fields | {"name": "Ada Lovelace"})).status_code == 303
    late = await client.http.post(proposal_links.path_of(other.id), data=fields | {"name": "Charles Babbage"})
    assert late.status_code == 409 and "Ada Lovelace has accepted this proposal already." in late.text
    declined = await client.http.post(proposal_links.path_of(other.id), data=fields | {"do": "decline"})
    assert declined.status_code == 409
    assert await Evidence.filter(proposal_id=proposal.id).count() == 1


async def test_an_old_version_is_not_accepted_and_the_new_one_is_shown(client: Client) -> None:
    actor = await seller()
    proposal = await sent(actor)
    old = await form(proposal, "Emergency power", name="Ada Lovelace", do="accept")
    await proposals.update(actor, proposal.id, ProposalDetails(title="A larger roof"), now=datetime.now(UTC))
    await proposals.send(actor, proposal.id, now=datetime.now(UTC))
    for do in ("accept", "decline"):
        answer = await post(client, proposal, old | {"do": do})
        assert answer.status_code == 409
        assert "The proposal has changed since you opened it" in answer.text
        assert "A larger roof" in answer.text and "Version 2" in answer.text
    assert not await Evidence.filter(proposal_id=proposal.id).exists()
    new = await form(await Proposal.get(id=proposal.id), "Emergency power", name="Ada Lovelace", do="accept")
    assert (await post(client, proposal, new)).status_code == 303


async def test_declining_takes_a_reason_and_can_be_read_afterwards(client: Client) -> None:
    proposal = await sent()
    fields = await form(proposal, do="decline", reason="Too dear.\r\nSorry.")
    for _ in range(2):
        answer = await post(client, proposal, fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "?declined=1#answer")
    evidence = await Evidence.get(proposal_id=proposal.id)
    assert (evidence.kind, evidence.facts["reason"]) == (EvidenceKind.DECLINED, "Too dear.\nSorry.")
    after = (await client.http.get(f"{await path(proposal)}?declined=1")).text
    assert "You have declined this proposal." in after and "Too dear." not in after
    assert (await post(client, proposal, await form(proposal, name="Ada", do="accept"))).status_code == 409


async def test_an_expired_proposal_can_be_read_and_asked_about_but_not_accepted(client: Client) -> None:
    now = datetime.now(UTC)
    proposal = await sent(now=now - 40 * DAY, valid_until=(now - 2 * DAY).date())
    await ProposalLink.filter(proposal_id=proposal.id).update(expires_at=now + DAY)
    shown = (await client.http.get(await path(proposal))).text
    assert "This proposal is not valid any more" in shown and "Accept for" not in shown
    late = await post(client, proposal, await form(proposal, "Emergency power", name="Ada", do="accept"))
    assert late.status_code == 409 and "This proposal is not valid any more." in late.text
    asked = await post(client, proposal, {"do": "ask", "name": "Ada", "text": "A new one, please?"})
    assert (asked.status_code, asked.headers["location"]) == (303, "?asked=1#questions")


async def test_questions_and_their_answers_stand_on_the_page(client: Client) -> None:
    actor = await seller()
    proposal = await sent(actor)
    for _ in range(2):
        asked = await post(client, proposal, {"do": "ask", "name": "Ada", "text": "Who fits it?\r\nYou?"})
        assert asked.headers["location"] == "?asked=1#questions"
    [question] = await ProposalQuestion.filter(proposal_id=proposal.id)
    await proposal_answers.answer_question(actor, question.id, answer="Our own fitters.", now=datetime.now(UTC))
    shown = (await client.http.get(f"{await path(proposal)}?asked=1")).text
    assert "Who fits it?\nYou?" in shown and "Our own fitters." in shown and "Your question has arrived." in shown
    for number in range(proposal_answers.HOURLY_QUESTIONS):
        limited = await post(client, proposal, {"do": "ask", "name": "Ada", "text": f"And {number}?"})
    assert limited.status_code == 429 and limited.headers["retry-after"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"do": "accept", "name": ""}, "Type your name."),
        ({"do": "accept", "name": "x" * 201}, "Use at most 200 characters."),
        ({"do": "accept", "name": "Ada\u202eecalevoL"}, "This cannot be read"),
        ({"do": "ask", "name": "Ada", "text": " "}, "Write your question."),
        ({"do": "ask", "name": "", "text": "Why?"}, "Type your name."),
        ({"do": "decline", "reason": "x" * 2001}, "Use at most 2000 characters."),
    ],
)
async def test_what_is_wrong_is_told_beside_its_field(client: Client, fields: dict[str, str], told: str) -> None:
    proposal = await sent()
    answer = await post(client, proposal, await form(proposal, "Emergency power", **fields))
    assert answer.status_code == 422 and told in answer.text and 'aria-invalid="true"' in answer.text
    assert not await Evidence.filter(proposal_id=proposal.id).exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"nothing": ""},
        {"do": "accept"},
        {"do": "accept", "sha256": "x", "name": "Ada"},
        {"do": "accept", "sha256": "0" * 64, "name": "Ada", "shown": ""},
        {"do": "decline"},
        {"do": "everything"},
        {"o.99999": "1", "o.x": "1", "o.": "1"},
    ],
)
async def test_what_no_browser_sends_changes_nothing(client: Client, fields: dict[str, str]) -> None:
    proposal = await sent()
    answer = await post(client, proposal, fields)
    assert answer.status_code in (200, 409, 422)
    assert await state(proposal) is ProposalState.SENT


async def test_a_form_that_is_none_is_refused(client: Client) -> None:
    link = await path(await sent())
    assert (await client.http.post(link, json={"do": "accept"})).status_code == 415
    assert (await client.http.post(link, data={"name": "x" * 70_000})).status_code == 413


# Words


async def test_hostile_names_and_texts_are_text(client: Client) -> None:
    actor = await seller()
    lead = await buyer(actor, name=f"Ada {SCRIPT}", company=f"Engines {SCRIPT}")
    proposal = await sent(
        actor,
        line(f"Panel {SCRIPT}", description=SCRIPT, unit="<b>h</b>"),
        option(f"Option {SCRIPT}", description=SCRIPT),
        lead=lead,
        title=f"Roof {SCRIPT}",
        terms=f"- {SCRIPT}",
        sections=[Section(heading=SCRIPT, text=SCRIPT, difference=SCRIPT)],
    )
    await post(client, proposal, {"do": "ask", "name": "Eve <script>", "text": SCRIPT})
    typed = await form(proposal, do="update", name=SCRIPT)
    for shown in ((await client.http.get(await path(proposal))).text, (await post(client, proposal, typed)).text):
        assert "<script" not in shown and "<img src=x" not in shown and "<b>h</b>" not in shown
        assert "&lt;script&gt;" in shown


@pytest.mark.parametrize(
    ("language", "said", "total"),
    [
        ("de", "Dieses Angebot annehmen", "22.730,49\xa0€"),
        ("fr", "Accepter cette proposition", "22\u202f730,49\xa0€"),
        ("es", "Aceptar esta propuesta", "22.730,49\xa0€"),
        ("it", "Accetta questa proposta", "22.730,49\xa0€"),
        ("nl", "Deze offerte accepteren", "€\xa022.730,49"),
        ("pt", "Aceitar esta proposta", "€\xa022.730,49"),
        ("en-US", "Accept this proposal", "€22,730.49"),
    ],
)
async def test_the_page_speaks_the_customers_language(client: Client, language: str, said: str, total: str) -> None:
    proposal = await sent(language=language)
    shown = (await client.http.get(await path(proposal), headers={"Accept-Language": "ja"})).text
    assert f'<html lang="{language}">' in shown and said in shown
    assert total in shown or total.replace("\xa0", " ") in shown, re.findall(r"[^<>]*730[^<>]*", shown)[:3]


async def test_right_to_left_languages_turn_the_page_round(client: Client) -> None:
    proposal = await sent(None, line("ألواح شمسية"), language="ar", title="سقف شمسي")
    shown = (await client.http.get(await path(proposal))).text
    assert '<html lang="ar" dir="rtl">' in shown and "سقف شمسي" in shown


@pytest.mark.parametrize(("currency", "price", "total"), [("JPY", "1500", "JP¥1,785"), ("KWD", "1.234", "KWD1.468")])
async def test_other_currencies_have_their_digits(client: Client, currency: str, price: str, total: str) -> None:
    proposal = await sent(None, line(price=price, currency=currency))
    assert total in (await client.http.get(await path(proposal))).text.replace("\xa0", "")


async def test_a_proposal_of_a_thousand_lines_is_shown_whole_and_taken(client: Client) -> None:
    proposal = await sent(None, *(option(f"Option {number}", "1.10", chosen=True) for number in range(1000)))
    shown = (await client.http.get(await path(proposal))).text
    assert shown.count(" checked") == 1000 and "€1,309.00" in shown
    lines = await ProposalLine.filter(version_id=proposal.sent_id)
    done = await post(client, proposal, await form(proposal, *(one.name for one in lines), name="Ada", do="accept"))
    assert done.status_code == 303
    assert len((await Evidence.get(proposal_id=proposal.id)).facts["options"]) == 1000


# In a browser


@pytest.mark.parametrize("size", SCREENS)
async def test_a_proposal_is_read_asked_about_and_accepted_without_scripts(
    server: str, chromium: Browser, size: str
) -> None:
    actor = await company()
    proposal = await sent(actor, sections=sections(), discount=Discount(percent=Decimal(3)))
    async with screen(chromium, size) as page:
        name = f"proposal-{size}"
        await page.goto(server + await path(proposal))
        assert await faults(page) == []
        await kept(page, name)

        # Ticking shows that the total is not that of what is ticked, and hides the button that would accept it.
        accept = page.get_by_role("button", name=re.compile("Accept for"))
        await page.get_by_role("checkbox", name=re.compile("Wallbox")).check()
        assert not await accept.is_visible()
        await kept(page, f"{name}-ticked")
        await page.get_by_label("Your full name").fill("Ada Lovelace")
        await page.get_by_role("button", name="Update the total").first.click()
        await accept.wait_for()
        assert "€23,075.90" in await accept.inner_text()
        assert await page.get_by_label("Your full name").input_value() == "Ada Lovelace"
        assert page.url.endswith("#prices")

        await page.get_by_label("Your question").fill("Who does the fitting?")
        await page.get_by_role("button", name="Send the question").click()
        await page.get_by_text("Your question has arrived.").wait_for()
        [question] = await ProposalQuestion.filter(proposal_id=proposal.id)
        assert question.name == "Ada Lovelace", "the contact's name stands there already"
        await proposal_answers.answer_question(actor, question.id, answer="Our own people.", now=datetime.now(UTC))
        await page.reload()
        assert await faults(page) == []

        await page.get_by_role("checkbox", name=re.compile("Wallbox")).check()
        await page.get_by_role("button", name="Update the total").first.click()
        await accept.click()
        await page.get_by_role("alert").wait_for()
        assert await faults(page) == []
        await kept(page, f"{name}-fault")
        await page.get_by_label("Your full name").fill("Ada Lovelace")
        # By keyboard: the way from the name is to accept, not to the first button.
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Thank you! You have accepted this proposal.").wait_for()
        assert await faults(page) == []
        await kept(page, f"{name}-accepted")
    evidence = await Evidence.get(proposal_id=proposal.id)
    assert (evidence.name, evidence.total) == ("Ada Lovelace", Decimal("23075.90"))


@pytest.mark.parametrize("size", SCREENS)
async def test_a_proposal_is_declined_with_a_reason(server: str, chromium: Browser, size: str) -> None:
    proposal = await sent(await company(color="#ffd400"), language="de", sections=sections())
    async with screen(chromium, size) as page:
        await page.goto(server + await path(proposal))
        assert await faults(page) == []
        await kept(page, f"proposal-de-{size}")
        label = await page.locator(".sums .total dt").bounding_box()
        assert label and label["height"] < 40, "the word is in one line, whole"
        await page.get_by_text("Stattdessen ablehnen").click()
        await page.get_by_label("Was hat den Ausschlag gegeben?").fill("Zu teuer.")
        await page.get_by_role("button", name="Ablehnen", exact=True).click()
        await page.get_by_role("heading", name="Sie haben dieses Angebot abgelehnt.").wait_for()
        assert await faults(page) == []
        await kept(page, f"proposal-declined-{size}")
    assert await state(proposal) is ProposalState.DECLINED


async def test_states_and_the_preview_pass_for_everybody(server: str, chromium: Browser) -> None:
    actor, now = await seller(), datetime.now(UTC)
    arabic = await sent(
        actor, line("ألواح شمسية", quantity=Decimal(30)), option("شاحن"), language="ar", title="سقف شمسي", terms=None
    )
    old = await sent(actor, now=now - 40 * DAY, valid_until=(now - 2 * DAY).date())
    preview = proposal_links.preview_url(arabic.id, now=now).partition("/p/")[2]
    pages = {
        "arabic": await path(arabic),
        "expired": await path(old),
        "preview": f"/p/{preview}",
        "invalid": f"/p/{'a' * 64}",
    }
    for size in SCREENS:
        async with screen(chromium, size) as page:
            for name, link in pages.items():
                await page.goto(server + link)
                assert await faults(page) == [], name
                await kept(page, f"proposal-{name}-{size}")
