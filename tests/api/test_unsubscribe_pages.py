"""The page below every mail: opening it changes nothing, one click ends the mails, another takes that back."""

from typing import Any
from uuid import UUID

import pytest

from domain import tokens
from domain.actors import Actor
from domain.tokens import Kind
from models.base import uuid7
from models.deliveries import Delivery, Suppression, SuppressionReason
from models.events import Event
from tests import factories
from tests.api.serving import Client
from tests.api.test_account_pages import Page
from tests.factories import NOW

SCRIPT = '"><script>alert(1)</script>'


async def link(admin: Actor, *, user_id: UUID | None = None, **columns: Any) -> str:
    facts: dict[str, Any] = {"channel": "MAIL", "kind": "note", "occasion": f"{uuid7()}", "due_at": NOW}
    facts |= {"address": "Ada@example.com"} | columns
    row = await Delivery.create(workspace_id=admin.workspace_id, user_id=user_id, created_at=NOW, **facts)
    return f"/unsubscribe/{tokens.sign(Kind.UNSUBSCRIBE, row.id)}"


async def suppressed(admin: Actor) -> list[tuple[str, str | None, SuppressionReason]]:
    rows = await Suppression.filter(workspace_id=admin.workspace_id).order_by("created_at")
    return [(row.email_normalised, row.kind, row.reason) for row in rows]


async def test_opening_a_link_changes_nothing(client: Client) -> None:
    admin = await factories.member()
    address = await link(admin)
    for method in ("GET", "HEAD"):
        answer = await client.http.request(method, address)
        assert answer.status_code == 200
    page = Page(await client.http.get(address))
    [form] = page.all("form")
    assert form["method"] == "post"
    assert await suppressed(admin) == []
    assert "Ada@example.com gets mails from Acme." in page.answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b""},
        {"content": b"\xff" * 1000, "headers": {"Content-Type": "application/octet-stream"}},
    ],
)
async def test_one_click_ends_the_mails_without_another_page(client: Client, body: dict[str, Any]) -> None:
    admin = await factories.member()
    address = await link(admin)
    for _ in range(2):
        answer = await client.http.post(address, **body)
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    assert await suppressed(admin) == [("ada@example.com", None, SuppressionReason.UNSUBSCRIBED)]
    names = [event.name for event in await Event.filter(workspace_id=admin.workspace_id)]
    assert names.count("suppression.added") == 1


async def test_it_can_be_taken_back(client: Client) -> None:
    admin = await factories.member()
    address = await link(admin)
    page = Page(await client.http.post(address))
    [form] = page.all("form")
    assert form["action"] == f"{address.rpartition('/')[2]}/undo"
    again = Page(await client.http.post(f"{address}/undo"))
    assert await suppressed(admin) == []
    assert again.all("form")[0]["action"] == f"../{address.rpartition('/')[2]}"
    assert (await client.http.get(f"{address}/undo")).status_code == 405


async def test_what_others_have_said_of_an_address_stays(client: Client) -> None:
    admin = await factories.member()
    await Suppression.create(
        workspace_id=admin.workspace_id, email_normalised="ada@example.com", reason="BOUNCED", created_at=NOW
    )
    address = await link(admin)
    await client.http.post(address)
    await client.http.post(f"{address}/undo")
    assert await suppressed(admin) == [("ada@example.com", None, SuppressionReason.BOUNCED)]


async def test_a_member_ends_mails_of_that_kind_only(client: Client) -> None:
    admin = await factories.member()
    page = await client.http.post(await link(admin, user_id=admin.user_id))
    assert "no more mails like that one" in page.text
    assert await suppressed(admin) == [("ada@example.com", "note", SuppressionReason.UNSUBSCRIBED)]


async def test_other_links_lead_nowhere(client: Client) -> None:
    admin = await factories.member()
    good = (await link(admin)).rpartition("/")[2]
    unsent = await link(admin, address=None)
    account = await link(admin, kind="password_reset")
    of_another_kind = f"/unsubscribe/{tokens.sign(Kind.INVITATION, UUID(int=5))}"
    forged = f"/unsubscribe/{good[:-4]}AAAA"
    unknown = f"/unsubscribe/{tokens.sign(Kind.UNSUBSCRIBE, uuid7())}"
    for address in (unsent, account, of_another_kind, forged, unknown, "/unsubscribe/x", "/unsubscribe/%00%ff"):
        for method in ("GET", "POST"):
            assert (await client.http.request(method, address)).status_code == 404, address
        assert (await client.http.post(f"{address}/undo")).status_code == 404
    assert await suppressed(admin) == []


@pytest.mark.parametrize(
    ("accepted", "opened", "told"),
    [
        ("de-AT,en;q=0.5", 'lang="de"', "Abbestellen"),
        ("ar-EG", 'lang="ar" dir="rtl"', "إلغاء الاشتراك"),
        ("ja", 'lang="ja"', "配信停止"),
        ("zh", 'lang="en"', "Unsubscribe"),
    ],
)
async def test_it_speaks_the_readers_language(client: Client, accepted: str, opened: str, told: str) -> None:
    admin = await factories.member()
    page = await client.http.get(await link(admin), headers={"Accept-Language": accepted})
    assert told in page.text
    assert f"<html {opened}>" in page.text


async def test_names_are_text_and_secrets_stay(client: Client) -> None:
    admin = await factories.member(of=await factories.workspace(name=SCRIPT))
    answer = await client.http.post(await link(admin))
    assert "<script" not in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
