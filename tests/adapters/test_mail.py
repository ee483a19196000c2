"""Mails are well-formed, sent once or known as the same, and say where they went."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from adapters import mail
from adapters.mail import Mail, Recipient
from adapters.sending import Deferred, Refused, Unavailable
from domain.mail_templates import Text
from settings import Settings
from tests.adapters.letterbox import Letterbox, open_letterbox, parsed, text_of

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KEY = UUID("019c0000-0000-7000-8000-000000000001")
WORDS = Text("Grüße aus Köln", "Hello\n", "<p>Hello</p>\n")


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def use(**values: Any) -> None:
        known = Settings(data_dir=tmp_path, mail_from="Sales Tool <sales@acme.example>", **values)
        monkeypatch.setattr(mail, "settings", lambda: known)

    use()
    return use


@pytest.fixture
async def letterbox(settings_of: Any) -> AsyncIterator[Letterbox]:
    async with open_letterbox() as box:
        settings_of(smtp_url=box.url)
        yield box
        await mail.close()


def message(to: Recipient | None = None, *, words: Text = WORDS, key: UUID = KEY) -> Mail:
    return mail.write(to or Recipient("ada@example.com", "Ada Lovelace"), words, key=key, now=NOW)


async def test_a_mail_goes_to_the_smtp_server_with_text_and_html(letterbox: Letterbox) -> None:
    await mail.send(message())
    [got] = letterbox.mails
    assert str(got["To"]) == "Ada Lovelace <ada@example.com>"
    assert str(got["From"]) == "Sales Tool <sales@acme.example>"
    assert str(got["Subject"]) == "Grüße aus Köln"
    assert got["Date"].datetime == NOW
    assert got["Message-ID"] == f"<{KEY}@acme.example>"
    assert (text_of(got), text_of(got, "html")) == ("Hello\n", "<p>Hello</p>\n")


def test_the_same_key_is_the_same_mail(settings_of: Any) -> None:
    assert message() == message()
    assert parsed(message(key=uuid4()).content)["Message-ID"] != parsed(message().content)["Message-ID"]


async def test_without_a_server_a_mail_is_a_file_and_the_log_says_where(settings_of: Any, tmp_path: Path) -> None:
    with capture_logs() as lines:
        for _ in range(2):
            await mail.send(message())
    [path] = (tmp_path / "mail").iterdir()
    assert path.name == f"{KEY}.eml"
    assert str(parsed(path.read_bytes())["Subject"]) == "Grüße aus Köln"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "mail").stat().st_mode & 0o777 == 0o700
    assert all(str(path) in line["event"] for line in lines)
    assert len(lines) == 2


async def test_an_address_that_does_not_exist_is_refused_for_good(letterbox: Letterbox) -> None:
    with pytest.raises(Refused, match="no such user") as nobody:
        await mail.send(message(Recipient("nobody@example.com")))
    assert nobody.value.bounced
    letterbox.answers = ["554 spam"]
    with pytest.raises(Refused, match="spam") as spam:
        await mail.send(message())
    assert not spam.value.bounced


async def test_what_may_work_later_is_no_refusal(letterbox: Letterbox, settings_of: Any) -> None:
    with pytest.raises(Deferred):
        await mail.send(message(Recipient("busy@example.com")))
    letterbox.answers = ["451 later"]
    with pytest.raises(Deferred):
        await mail.send(message())
    settings_of(smtp_url="smtp://127.0.0.1:1")
    with pytest.raises(Unavailable):
        await mail.send(message())


@pytest.mark.parametrize("name", ["Eve\r\nBcc: all@example.com", 'Eve "the" <x>, you', "Ève 🙂", ""])
async def test_a_name_is_only_a_name(letterbox: Letterbox, name: str) -> None:
    await mail.send(message(Recipient("eve@example.com", name)))
    [got] = letterbox.mails
    [to] = got["To"].addresses
    assert (to.addr_spec, to.display_name) == ("eve@example.com", " ".join(name.split()))
    assert got["Bcc"] is None
