"""Surveys by a worker as it really runs: the mail that asks, with the first question to be clicked."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from domain import survey_dispatches, tokens
from domain.tokens import Kind
from models.surveys import SurveyDispatch
from tests.adapters.letterbox import Letterbox, open_letterbox, text_of
from tests.factories import seller
from tests.surveying import asked, buyer, published
from tests.workers.conftest import Database, Start, until


@pytest.fixture
async def letterbox() -> AsyncIterator[Letterbox]:
    async with open_letterbox() as box:
        yield box


async def test_a_survey_is_mailed_in_the_customers_language_with_answers_to_click_and_a_way_out(
    database: Database, start: Start, letterbox: Letterbox
) -> None:
    admin = await seller()
    survey = await published(admin, title={"de": "<b>Wie war's?</b>"})
    late = await buyer(admin, email="late@example.com")
    gone = await asked(admin, late, survey, now=datetime.now(UTC))
    await survey_dispatches.cancel(admin, gone.id, now=datetime.now(UTC))
    row = await asked(admin, await buyer(admin, language="de"), survey, now=datetime.now(UTC))
    await start("worker", SMTP_URL=letterbox.url, PUBLIC_URL="https://crm.example/").ready()

    async def arrived() -> list[object]:
        return list(letterbox.mails)

    await until(arrived)
    [mail] = letterbox.mails
    token = tokens.sign(Kind.SURVEY, row.id)
    text = text_of(mail)
    assert str(mail["To"]).endswith("<ada@example.com>")
    assert str(mail["Subject"]) == "<b>Wie war's?</b>"
    assert "weiterempfehlen" in text and "Guten Tag Ada Lovelace" in text
    assert f"https://crm.example/s/{token}?a=10" in text
    assert "/unsubscribe/" in str(mail["List-Unsubscribe"])
    html = mail.get_body(("html",))
    assert html is not None and "<b>Wie" not in html.get_content()
    assert f'href="https://crm.example/s/{token}?a=0"' in html.get_content()
    assert await SurveyDispatch.filter(status="SENT").count() == 1
