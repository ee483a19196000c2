"""Mails that people wait for at a screen: invitations and new passwords, by a worker as it really runs."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from domain import invitations, password_resets, tokens
from domain.tokens import Kind
from models.users import User
from tests import factories
from tests.adapters.letterbox import Letterbox, open_letterbox, parsed, text_of
from tests.factories import password_of, seller
from tests.workers.conftest import Database, Start, until


@pytest.fixture
async def letterbox() -> AsyncIterator[Letterbox]:
    async with open_letterbox() as box:
        yield box


async def first_mail(box: Letterbox) -> EmailMessage:
    async def arrived() -> list[EmailMessage]:
        return box.mails

    return (await until(arrived))[0]


async def test_an_invitation_is_mailed_with_its_link_even_where_the_server_says_later(
    database: Database, start: Start, letterbox: Letterbox
) -> None:
    letterbox.answers = ["451 later"]
    admin = await seller()
    await start("worker", SMTP_URL=letterbox.url, PUBLIC_URL="https://crm.example/").ready()
    row = await invitations.invite(admin, email="ada@example.com", now=datetime.now(UTC))
    mail = await first_mail(letterbox)
    assert str(mail["To"]) == "ada@example.com"
    assert str(mail["Subject"]).endswith("invites you to Acme on Salescycle")
    [link] = [line for line in text_of(mail).split() if line.startswith("https://")]
    address, _, token = link.partition("?token=")
    assert address == "https://crm.example/accept-invitation"
    assert tokens.verify(Kind.INVITATION, token) == row.id
    delivery = await until(lambda: ended(database))
    assert delivery["attempts"] == 2
    assert mail["Message-ID"] == f"<{delivery['id']}@localhost>"


async def test_names_in_an_invitation_are_text_and_no_html(
    database: Database, start: Start, letterbox: Letterbox
) -> None:
    script, image = "<script>alert('1')</script>", '<img src=x onerror="alert(2)">'
    admin = await factories.member(of=await factories.workspace(name=script), name=image)
    await start("worker", SMTP_URL=letterbox.url).ready()
    await invitations.invite(admin, email="ada@example.com", now=datetime.now(UTC))
    mail = await first_mail(letterbox)
    seen = text_of(mail, "html")
    assert "<script" not in seen
    assert "<img" not in seen
    for name in (script, image):
        assert str(escape(name)) in seen
        assert name in text_of(mail)


async def test_a_revoked_invitation_is_not_mailed(database: Database, start: Start, letterbox: Letterbox) -> None:
    admin = await seller()
    now = datetime.now(UTC)
    invitation = await invitations.invite(admin, email="ada@example.com", now=now)
    await invitations.revoke(admin, invitation.id, now=now)
    await start("worker", SMTP_URL=letterbox.url).ready()
    row = await ended(database)
    assert (row["status"], row["reason"]) == ("SKIPPED", "It was revoked.")
    assert letterbox.mails == []


async def test_a_refused_mail_ends_on_record(database: Database, start: Start, letterbox: Letterbox) -> None:
    letterbox.answers = ["554 we do not like you"]
    admin = await seller()
    await invitations.invite(admin, email="ada@example.com", now=datetime.now(UTC))
    await start("worker", SMTP_URL=letterbox.url).ready()
    row = await until(lambda: ended(database))
    assert (row["status"], row["attempts"]) == ("FAILED", 1)
    assert "we do not like you" in row["reason"]


async def test_a_password_reset_is_a_file_where_no_server_is_set(
    database: Database, start: Start, tmp_path: Path
) -> None:
    admin = await seller()
    await password_of(admin)
    user = await User.get(id=admin.user_id)
    await password_resets.request(email=user.email, now=datetime.now(UTC))
    await start("worker", SMTP_URL="").ready()
    delivery = await until(lambda: ended(database))
    mail = parsed((tmp_path / "data" / "mail" / f"{delivery['id']}.eml").read_bytes())
    assert str(mail["To"]) == f"{user.name} <{user.email}>"
    [link] = [word for word in text_of(mail).split() if word.startswith("http")]
    assert link.startswith("http://127.0.0.1:8000/reset-password?token=")
    asked = await database.value("SELECT id FROM password_reset WHERE user_id = $1", user.id)
    assert tokens.verify(Kind.PASSWORD_RESET, link.partition("=")[2]) == asked


async def ended(database: Database) -> Any:
    rows = await database.rows("SELECT * FROM delivery WHERE status <> 'PENDING'")
    return rows[0] if rows else None
