"""Mails are well-formed, sent once or known as the same, and say where they went."""

import asyncio
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


async def test_connections_are_used_again(letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        await mail.send(message())
    with pytest.raises(Refused):
        await mail.send(message(Recipient("nobody@example.com")))
    await mail.send(message())
    assert (len(letterbox.mails), letterbox.connections) == (6, 1)
    monkeypatch.setattr(mail, "MAILS_A_CONNECTION", 2)
    await asyncio.gather(*(mail.send(message()) for _ in range(3)))
    await mail.send(message())
    assert len(letterbox.mails) == 10
    assert 2 <= letterbox.connections <= 5


async def test_as_many_connections_as_are_allowed_send_at_once(letterbox: Letterbox, settings_of: Any) -> None:
    settings_of(smtp_url=letterbox.url, smtp_connections=3)
    await asyncio.gather(*(mail.send(message()) for _ in range(20)))
    assert (len(letterbox.mails), letterbox.connections) == (20, 3)


async def test_a_connection_that_lay_idle_is_tried_and_replaced(
    letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await mail.send(message())
    monkeypatch.setattr(mail, "TRIED_AFTER_SECONDS", 0.0)
    await mail.send(message())
    assert letterbox.connections == 1
    [line] = mail._lines()._idle
    line.client.close()
    await mail.send(message())
    assert letterbox.connections == 2
    # One that the server ends in the middle of its session says nothing of the mail.
    letterbox.sender_answers = ["421 enough of you"]
    await mail.send(message())
    assert (len(letterbox.mails), letterbox.connections) == (4, 3)


async def test_a_server_that_hangs_is_given_up_and_may_have_the_mail(
    letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    letterbox.answers = ["hang"]
    monkeypatch.setattr(mail, "MAIL_SECONDS", 0.2)
    with pytest.raises(Deferred) as deferred:
        await mail.send(message())
    assert deferred.value.uncertain
    monkeypatch.undo()


async def test_a_server_that_breaks_off_may_have_the_mail(letterbox: Letterbox) -> None:
    letterbox.answers, letterbox.takes_first = ["break off"], True
    with pytest.raises(Deferred) as deferred:
        await mail.send(message())
    assert deferred.value.uncertain
    assert len(letterbox.mails) == 1


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
async def test_our_own_setup_is_no_fault_of_the_mail(letterbox: Letterbox, settings_of: Any) -> None:
    letterbox.sender_answers = ["550 we do not know you"]
    with pytest.raises(Unavailable, match=r"sales@acme\.example"):
        await mail.send(message())
    async with open_letterbox(password="right") as box:
        settings_of(smtp_url=box.url.replace("//", "//sales:wrong@"))
        with pytest.raises(Unavailable, match="name or password"):
            await mail.send(message())
        settings_of(smtp_url=box.url)
        with pytest.raises(Unavailable, match="sign in"):
            await mail.send(message())
        settings_of(smtp_url=box.url.replace("//", "//sales:right@"))
        await mail.send(message())
        assert len(box.mails) == 1
        await mail.close()


@pytest.mark.parametrize(
    ("answer", "nobody"),
    [
        ("550 no such user here", True),
        ("550 5.1.1 unknown", True),
        ("553 5.1.3 bad syntax", True),
        ("550 5.7.1 no", False),
        ("554 5.7.1 relay access denied", False),
        ("550 relaying denied", False),
        ("552 5.2.2 mailbox full", False),
        ("550 blocked, see our list", False),
    ],
)
def test_only_who_is_not_there_bounces(answer: str, nobody: bool) -> None:
    verdict = mail._verdict(int(answer[:3]), answer, mail._Stage("RCPT"))
    assert isinstance(verdict, Refused)
    assert verdict.bounced is nobody


async def test_an_address_of_another_script_goes_where_it_can(letterbox: Letterbox, settings_of: Any) -> None:
    await mail.send(message(Recipient("ada@bücher.example")))
    await mail.send(message(Recipient("зоя@пошта.example", "Зоя")))
    assert letterbox.recipients == ["ada@xn--bcher-kva.example", "зоя@xn--80a1acn3a.example"]
    assert letterbox.mails[1]["To"].addresses[0].display_name == "Зоя"
    async with open_letterbox(utf8=False) as box:
        settings_of(smtp_url=box.url)
        with pytest.raises(Refused, match="SMTPUTF8"):
            await mail.send(message(Recipient("зоя@example.com")))
        await mail.send(message(Recipient("ada@bücher.example")))
        await mail.close()


@pytest.mark.parametrize(
    "address", ["", "ada", "ada@", "@example.com", "a b@example.com", "a@b>\r\nBcc: c@example.com", "a\x00@b.example",
                "a,b@example.com", "ada@exa mple.com", '"a"@example.com', "a..b@example.com", "<ada@example.com>"]
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        mail.deliverable(address)


@pytest.mark.parametrize(
    "subject",
    ["Hi\r\nBcc: all@example.com", "=?utf-8?q?Bcc?=", "Grüße\nX-Evil: 1", "x" * 500, "\x00\x1b[2J", "🙂" * 200],
)
async def test_a_subject_is_only_a_subject(letterbox: Letterbox, subject: str) -> None:
    await mail.send(message(words=Text(subject, "Hello\n", "<p>Hello</p>\n")))
    [got] = letterbox.mails
    assert str(got["Subject"]) == mail.one_line(subject)[: mail.SUBJECT_CHARACTERS]
    expected = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"}
    assert set(got.keys()) - {"X-Peer", "X-MailFrom", "X-RcptTo"} == expected
    assert got.defects == []


@pytest.mark.parametrize("content", ["", ".\n..\n.x\n", "x" * 5000, "ü" * 3000, "a\r\nb\rc\n", "\ud800", "--=_\n" * 3])
async def test_any_text_arrives_as_it_is(letterbox: Letterbox, content: str) -> None:
    await mail.send(message(words=Text("Hi", content, content)))
    [got] = letterbox.mails
    expected = "\n".join(content.encode(errors="replace").decode().splitlines())
    assert text_of(got).rstrip("\n") == text_of(got, "html").rstrip("\n") == expected
    assert [part.defects for part in got.walk()] == [[], [], []]


def test_a_mail_can_be_unsubscribed_from_by_one_click(settings_of: Any) -> None:
    link = f"https://crm.example/unsubscribe/{'t' * 64}"
    to = Recipient("ada@example.com")
    got = parsed(mail.write(to, WORDS, key=KEY, now=NOW, unsubscribe=link, language="de").content)
    assert got["List-Unsubscribe"] == f"<{link}>"
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert got["Content-Language"] == "de"
    assert b"List-Unsubscribe" not in message().content


async def test_files_go_along_as_they_are_beside_the_words(letterbox: Letterbox) -> None:
    content = bytes(range(256)) * 40
    file = mail.Attached("invoice-1.pdf", "application/pdf", content)
    to = Recipient("ada@example.com")
    await mail.send(mail.write(to, WORDS, key=KEY, now=NOW, files=[file, mail.Attached("a.txt", "text/plain", b"")]))
    [got] = letterbox.mails
    assert got.get_content_type() == "multipart/mixed"
    assert (text_of(got), text_of(got, "html")) == ("Hello\n", "<p>Hello</p>\n")
    first, empty = got.iter_attachments()
    assert (first.get_filename(), first.get_content_type(), first.get_content()) == (
        "invoice-1.pdf",
        "application/pdf",
        content,
    )
    assert empty.get_content() == ""


@pytest.mark.parametrize(
    ("email", "said"),
    [("grace@acme.example", "Grace Hopper <grace@acme.example>"), ("no address", None), ("зоя@acme.example", None)],
)
def test_answers_go_to_whoever_wrote_where_everybody_can_answer_there(
    settings_of: Any, email: str, said: str | None
) -> None:
    written = mail.write(
        Recipient("ada@example.com"), WORDS, key=KEY, now=NOW, reply_to=Recipient(email, "Grace Hopper")
    )
    answers = parsed(written.content)["Reply-To"]
    assert (answers and str(answers)) == said
