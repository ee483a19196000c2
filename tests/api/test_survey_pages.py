"""The survey's page as customers meet it: over HTTP, and in a real browser, without scripts."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser

from domain import survey_answers, survey_dispatches, tokens
from domain.actors import Actor, system
from domain.questionnaires import Condition, Operator, Option, Question, QuestionType, Texts, load
from domain.survey_answers import link_of
from domain.survey_presets import preset
from domain.tokens import Kind
from models.base import uuid7
from models.leads import Lead
from models.surveys import DispatchStatus, Referral, SurveyDispatch, SurveyKind, SurveyResponse
from tests.api.browser import SCREENS, faults, kept, screen
from tests.api.serving import Client
from tests.factories import seller
from tests.surveying import asked, buyer, published

SCRIPT = "<script>document.title='taken'</script>\"><img src=x onerror=alert(1)>"
DAY = timedelta(days=1)

pytestmark = pytest.mark.usefixtures("db")


def both(english: str, german: str) -> Texts:
    return {"en": english, "de": german}


def questions(kind: SurveyKind = SurveyKind.NPS) -> tuple[Question, ...]:
    """Return questions of every type, some of which depend on the first."""
    score, why = preset(kind).questions
    return (
        score,
        Question(
            key="bad",
            type=QuestionType.MULTI_CHOICE,
            text=both("What should we do better?", "Was sollen wir besser machen?"),
            hint=both("Choose all that apply.", "Wählen Sie alles, was zutrifft."),
            required=True,
            choices=(
                Option("slow", both("Be faster", "Schneller sein")),
                Option("dear", both("Cost less", "Weniger kosten")),
            ),
            conditions=(Condition("score", Operator.LTE, 6),),
        ),
        why,
        Question(
            key="call",
            type=QuestionType.YES_NO,
            text=both("May we call you?", "Dürfen wir Sie anrufen?"),
            conditions=(Condition("score", Operator.LTE, 6),),
        ),
    )


async def sent(
    actor: Actor | None = None, *, language: str | None = None, now: datetime | None = None, **details: Any
) -> SurveyDispatch:
    admin = actor or await seller()
    lead = await buyer(admin, email=f"{uuid7()}@example.com", language=language)
    survey = await published(admin, name=str(uuid7()), **details)
    return await asked(admin, lead, survey, now=now or datetime.now(UTC))


async def answers_of(row: SurveyDispatch) -> dict[str, Any] | None:
    response = await SurveyResponse.get_or_none(dispatch_id=row.id)
    return response.answers if response else None


async def test_opening_a_link_submits_nothing_however_often_and_with_whatever_answer(client: Client) -> None:
    row = await sent()
    for query in ("", "?a=9", "?a=0", "?a=11", "?a=nine", "?step=2", "?step=99", "?done=1", "?referred=1"):
        answer = await client.http.get(link_of(row.id) + query)
        assert answer.status_code == 200, query
    assert await answers_of(row) is None
    assert (await SurveyDispatch.get(id=row.id)).status is DispatchStatus.SENT
    chosen = (await client.http.get(f"{link_of(row.id)}?a=9")).text
    assert 'value="9" checked' in chosen and chosen.count(" checked") == 1
    assert " checked" not in (await client.http.get(f"{link_of(row.id)}?a=11")).text


async def test_every_step_that_is_sent_is_kept_and_can_be_changed_until_the_end(client: Client) -> None:
    row = await sent(questions=questions())
    link = link_of(row.id)
    first = await client.http.post(link, data={"step": "1", "q_score": "3"})
    assert (first.status_code, first.headers["location"]) == (303, "?step=2")
    assert await answers_of(row) == {"score": 3}

    missing = await client.http.post(link, data={"step": "2", "q_reason": "Late"})
    assert missing.status_code == 422
    assert "Choose or write an answer." in missing.text and "Late" in missing.text
    changed = await client.http.post(link, data={"step": "1", "q_score": "9"})
    assert changed.status_code == 303
    done = await client.http.post(link, data={"step": "2", "q_reason": "Kind", "q_bad.slow": "1"})
    assert (done.status_code, done.headers["location"]) == (303, "?done=1")
    assert await answers_of(row) == {"score": 9, "reason": "Kind"}

    again = await client.http.post(link, data={"step": "1", "q_score": "0"})
    assert again.status_code == 200 and "You have answered already" in again.text
    assert await answers_of(row) == {"score": 9, "reason": "Kind"}


async def test_a_later_step_that_is_sent_first_leads_back_to_what_was_left_out(client: Client) -> None:
    row = await sent(questions=questions())
    answer = await client.http.post(link_of(row.id), data={"step": "2", "q_reason": "Because"})
    assert (answer.status_code, answer.headers["location"]) == (303, "?step=1")


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"step": "x"},
        {"step": "-1"},
        {"q_score": "99999999999"},
        {"q_score": "½"},
        {"q_score": "1e3"},
        {"step": "²"},
    ],
)
async def test_what_no_browser_sends_is_told_and_kept_nowhere(client: Client, form: dict[str, str]) -> None:
    row = await sent()
    answer = await client.http.post(link_of(row.id), data=form or {"nothing": ""})
    assert answer.status_code == 422
    assert await answers_of(row) is None


async def test_links_that_nobody_made_and_those_that_ended_say_nothing_of_the_survey(client: Client) -> None:
    row = await sent(title={"en": "Secret title"})
    old = await sent(title={"en": "Secret title"}, now=datetime.now(UTC) - 31 * DAY)
    gone = await sent(title={"en": "Secret title"})
    await survey_dispatches.cancel(system(gone.workspace_id, task="test"), gone.id, now=datetime.now(UTC))
    genuine = tokens.sign(Kind.SURVEY, row.id)
    for guessed in ("x", "a" * 64, genuine[:-1], genuine[:-4] + "AAAA", tokens.sign(Kind.SURVEY, uuid7())):
        answer = await client.http.get(f"/s/{guessed}")
        assert answer.status_code == 404, guessed
        assert "Secret" not in answer.text
        posted = await client.http.post(f"/s/{guessed}", data={"q_score": "9"})
        assert posted.status_code == 404
    for ended in (old, gone):
        answer = await client.http.get(link_of(ended.id))
        assert answer.status_code == 410 and "Secret" not in answer.text
        posted = await client.http.post(link_of(ended.id), data={"step": "1", "q_score": "9"})
        assert posted.status_code == 410
        assert await answers_of(ended) is None


async def test_a_script_in_an_answer_is_text_wherever_it_is_shown(client: Client) -> None:
    row = await sent(questions=questions())
    link = link_of(row.id)
    await client.http.post(link, data={"step": "1", "q_score": "2"})
    shown = await client.http.post(link, data={"step": "2", "q_reason": SCRIPT})
    assert shown.status_code == 422
    assert "<script>" not in shown.text and "&lt;script&gt;" in shown.text
    assert "script-src" not in shown.headers["content-security-policy"]
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert shown.headers["referrer-policy"] == "no-referrer"
    done = await client.http.post(link, data={"step": "2", "q_reason": SCRIPT, "q_bad.slow": "1"})
    assert done.status_code == 303
    assert (await answers_of(row) or {})["reason"] == SCRIPT


async def test_a_promoter_recommends_somebody_on_the_last_page_once(client: Client) -> None:
    row = await sent()
    link = link_of(row.id)
    refused = await client.http.post(
        link, data={"form": "referral", "name": "G", "email": "g@example.com", "consent": "1"}
    )
    assert refused.status_code == 303
    await client.http.post(link, data={"step": "1", "q_score": "10"})
    wrong = await client.http.post(link, data={"form": "referral", "name": "", "email": "nonsense"})
    assert wrong.status_code == 422
    for told in ("Give their name.", "This is no email address.", "Say that they agree."):
        assert told in wrong.text
    given = {"form": "referral", "name": "Grace", "email": "grace@example.com", "note": SCRIPT, "consent": "1"}
    for _ in range(2):
        assert (await client.http.post(link, data=given)).headers["location"] == "?referred=1"
    [referral] = await Referral.filter(dispatch_id=row.id)
    assert (await Lead.get(id=referral.lead_id)).referrer_id == row.contact_id
    assert referral.consent == "They agree that Acme contacts them about this."


async def test_the_page_speaks_the_customers_language_and_turns_round_where_it_is_written_so(client: Client) -> None:
    german = await sent(language="de")
    first = load((await survey_answers.by_id(german.id, now=datetime.now(UTC))).survey.content).questions[0]
    arabic = await sent(
        language="ar",
        questions=(Question(**{**_parts(first), "text": {**first.text, "ar": "ما مدى رضاك؟"}}),),
    )
    shown = (await client.http.get(link_of(german.id))).text
    assert '<html lang="de">' in shown and "weiterempfehlen" in shown
    turned = (await client.http.get(link_of(arabic.id))).text
    assert '<html lang="ar" dir="rtl">' in turned and "ما مدى رضاك؟" in turned


def _parts(question: Question) -> dict[str, Any]:
    return {name: getattr(question, name) for name in question.__dataclass_fields__}


@pytest.mark.parametrize("size", SCREENS)
async def test_a_detractor_answers_step_by_step_without_scripts(server: str, chromium: Browser, size: str) -> None:
    row = await sent(questions=questions(), language="de")
    async with screen(chromium, size) as page:
        name = f"survey-{size}"
        await page.goto(f"{server}{link_of(row.id)}?a=4")
        assert await page.get_by_role("radio", name="4").is_checked()
        assert await faults(page) == []
        await kept(page, f"{name}-1")
        assert await answers_of(row) is None
        await page.get_by_role("button").click()

        await page.get_by_role("group", name="Was sollen wir besser machen?").wait_for()
        await kept(page, f"{name}-2")
        assert await faults(page) == []
        await page.get_by_role("button").click()
        await page.get_by_role("alert").wait_for()
        assert await faults(page) == []
        await kept(page, f"{name}-fault")
        # The summary leads to what is wrong.
        await page.get_by_role("alert").get_by_role("link").click()
        assert page.url.endswith("#q_bad")

        await page.get_by_role("checkbox").first.check()
        await page.get_by_role("textbox").fill(SCRIPT)
        await page.get_by_role("radio").first.check()
        await page.get_by_role("button").click()
        await page.wait_for_url(re.compile(r"\?done=1"))
        assert await faults(page) == []
        await kept(page, f"{name}-done")
    assert await answers_of(row) == {"score": 4, "bad": ["slow"], "reason": SCRIPT, "call": True}


@pytest.mark.parametrize("size", SCREENS)
async def test_a_promoter_answers_by_keyboard_and_recommends_somebody(
    server: str, chromium: Browser, size: str
) -> None:
    row = await sent(questions=questions())
    async with screen(chromium, size) as page:
        await page.goto(f"{server}{link_of(row.id)}")
        await page.get_by_role("radio", name="0", exact=True).focus()
        for _ in range(10):
            await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Enter")
        await page.wait_for_url(re.compile(r"\?step=2"))
        await page.get_by_role("link").first.click()
        assert await page.get_by_role("radio", name="10").is_checked()
        await page.get_by_role("button").click()
        await page.get_by_role("textbox").fill("Wonderful.")
        await page.get_by_role("button").click()
        await page.wait_for_url(re.compile(r"\?done=1"))
        assert await faults(page) == []
        await kept(page, f"promoter-{size}-thanks")
        await page.get_by_role("button").click()
        await page.get_by_role("alert").wait_for()
        assert await faults(page) == []
        await kept(page, f"promoter-{size}-fault")
        await page.get_by_label("Their name").fill("Grace Hopper")
        await page.get_by_label("Their email").fill("grace@example.com")
        await page.get_by_role("checkbox").check()
        await page.get_by_role("button").click()
        await page.wait_for_url(re.compile(r"\?referred=1"))
        assert await faults(page) == []
        await kept(page, f"promoter-{size}-referred")
        await page.goto(f"{server}{link_of(row.id)}")
        await page.get_by_role("heading", name="You have answered already").wait_for()
        await kept(page, f"promoter-{size}-again")
    assert await Referral.filter(dispatch_id=row.id).count() == 1


async def test_pages_that_say_no_are_readable(server: str, chromium: Browser) -> None:
    old = await sent(now=datetime.now(UTC) - 31 * DAY)
    async with screen(chromium) as page:
        for path in (f"/s/{'a' * 64}", link_of(old.id)):
            await page.goto(server + path)
            assert await faults(page) == []
            await kept(page, f"survey-no-{len(path)}")
