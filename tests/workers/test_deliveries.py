"""What is due is handed over once, again where that may help, and never where somebody wants no more."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from adapters import mail
from domain import deliveries as asked
from domain import mail_kinds, suppressions
from domain.actors import Actor
from domain.deliveries import Message
from domain.mail_kinds import MailKind
from models.base import uuid7
from models.deliveries import Channel, Delivery, DeliveryStatus, MailTemplate, Suppression, SuppressionReason
from settings import Settings
from tests.adapters.letterbox import BREAK_OFF, Letterbox, open_letterbox, text_of
from tests.factories import NOW, seller
from tests.workers.invited import invite
from workers import composers, deliveries, ledger
from workers.messages import Due, Later, Letter, Skip

WHEN = datetime.now(UTC)
DEAD = "UPDATE delivery SET lease_until = now() - interval '1 second'"


@pytest.fixture
async def letterbox(clean_db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Letterbox]:
    async with open_letterbox() as box:
        known = Settings(data_dir=tmp_path, mail_from="Acme <sales@acme.example>", smtp_url=box.url)
        monkeypatch.setattr(mail, "settings", lambda: known)
        # However busy the machine is, a batch ends before the test looks.
        monkeypatch.setattr(deliveries, "STRAGGLING_SECONDS", 60.0)
        for pause in deliveries.PAUSES.values():
            pause.end()
        yield box
        box.calm.set()
        await deliveries.settle()
        await mail.close()


@pytest.fixture
def note(monkeypatch: pytest.MonkeyPatch) -> dict[UUID, Any]:
    """A kind of mail that is no account mail; what it composes of a delivery can be said here."""
    said: dict[UUID, Any] = {}

    async def compose(rows: Sequence[Due], _now: datetime) -> dict[UUID, Any]:
        letters = {row.id: Letter(row.address or "", {"workspace": "Acme"}) for row in rows}
        return {key: said.get(key, letter) for key, letter in letters.items() if said.get(key) != "gone"}

    monkeypatch.setitem(mail_kinds.KINDS, "note", MailKind("note", "A note.", {"workspace": "Acme"}))
    monkeypatch.setitem(composers.COMPOSERS, "note", compose)
    return said


async def words_of(admin: Actor, *, kind: str = "note", text: str = "A note from {{ workspace }}") -> None:
    stamps: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}
    await MailTemplate.create(
        workspace_id=admin.workspace_id, kind=kind, language="en", subject="A note", text=text, **stamps
    )


async def send_note(admin: Actor, *addresses: str, **facts: Any) -> list[UUID]:
    due_at = facts.pop("due_at", WHEN)
    messages = [
        Message(Channel.MAIL, "note", occasion=f"{uuid7()}", due_at=due_at, address=each, **facts) for each in addresses
    ]
    return [key for key in await asked.enqueue(admin.workspace_id, messages, now=WHEN) if key]


async def row_of(key: UUID) -> Delivery:
    return await Delivery.get(id=key)


async def test_what_is_due_is_sent_and_recorded(letterbox: Letterbox) -> None:
    admin = await seller()
    [key] = await invite(admin, "ada@example.com", now=WHEN)
    assert await deliveries.sweep(WHEN - timedelta(seconds=1)) == 0
    assert await deliveries.sweep(WHEN) == 1
    row = await row_of(key)
    assert (row.status, row.attempts, row.at_risk, row.reason) == (DeliveryStatus.SENT, 1, False, None)
    assert (row.lease_until, row.sending_at, row.claim_id) == (None, None, None)
    assert row.ended_at and row.ended_at >= WHEN
    [got] = letterbox.mails
    assert got["Message-ID"] == f"<{key}@acme.example>"
    assert got["List-Unsubscribe"] is None
    assert await deliveries.sweep(WHEN) == 0


async def test_two_workers_share_what_is_due(letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "BATCH", 20)
    admin = await seller()
    keys = await invite(admin, *(f"{number}@example.com" for number in range(100)), now=WHEN)
    taken = await asyncio.gather(*(deliveries.sweep(WHEN) for _ in range(5)))
    while await deliveries.sweep(WHEN):
        pass
    await deliveries.settle()
    assert sum(taken) > 20
    assert {str(got["Message-ID"]).strip("<>").partition("@")[0] for got in letterbox.mails} == {str(k) for k in keys}
    assert len(letterbox.mails) == 100
    assert await Delivery.filter(status=DeliveryStatus.SENT, at_risk=False).count() == 100


async def test_account_mails_do_not_wait_behind_others(letterbox: Letterbox, note: dict[UUID, Any]) -> None:
    admin = await seller()
    await send_note(admin, "a@example.com", due_at=WHEN - timedelta(hours=1))
    [key] = await invite(admin, "ada@example.com", now=WHEN)
    assert await deliveries.sweep_account_mails(WHEN) == 1
    assert (await row_of(key)).status is DeliveryStatus.SENT
    assert len(letterbox.mails) == 1


async def test_a_worker_that_died_before_handing_over_puts_nothing_at_risk(letterbox: Letterbox) -> None:
    admin = await seller()
    [key] = await invite(admin, "ada@example.com", now=WHEN)
    assert await deliveries.Batch(WHEN).claim(ledger.CLAIM_ANY)
    assert await deliveries.sweep(WHEN) == 0, "it is leased"
    await ledger.execute(DEAD, [])
    assert await deliveries.sweep(WHEN) == 1
    row = await row_of(key)
    assert (row.status, row.attempts, row.at_risk) == (DeliveryStatus.SENT, 2, False)
    assert len(letterbox.mails) == 1


async def test_a_worker_that_died_after_handing_over_is_known_to_have(letterbox: Letterbox) -> None:
    admin = await seller()
    [key] = await invite(admin, "ada@example.com", now=WHEN)
    dead = deliveries.Batch(WHEN)
    await dead.claim(ledger.CLAIM_ANY)
    await dead._begin(await dead._composed())
    await asyncio.wait(dead._sending)
    await ledger.execute(DEAD, [])
    assert await deliveries.sweep(WHEN) == 1
    row = await row_of(key)
    assert (row.status, row.at_risk) == (DeliveryStatus.SENT, True)
    assert len(letterbox.mails) == 2
    assert len({got["Message-ID"] for got in letterbox.mails}) == 1


async def test_whoever_lost_a_delivery_hands_it_over_no_more_and_what_was_sent_is_sent(letterbox: Letterbox) -> None:
    admin = await seller()
    first, second = await invite(admin, "ada@example.com", "eve@example.com", now=WHEN)
    slow = deliveries.Batch(WHEN)
    await slow.claim(ledger.CLAIM_ANY)
    ready = await slow._composed()
    await slow._begin([one for one in ready if one[0].id == first])
    await asyncio.wait(slow._sending)
    await ledger.execute(DEAD, [])
    other = deliveries.Batch(WHEN)
    await other.claim(ledger.CLAIM_ANY)
    await slow._begin([one for one in ready if one[0].id == second])
    assert not slow._sending
    await slow._record()
    await other.run()
    assert [str(got["To"]) for got in letterbox.mails] == ["ada@example.com", "eve@example.com"]
    assert {(row.status, row.at_risk) for row in await Delivery.all()} == {
        (DeliveryStatus.SENT, True),
        (DeliveryStatus.SENT, False),
    }


async def test_what_kills_every_worker_ends_on_record(letterbox: Letterbox) -> None:
    admin = await seller()
    [key] = await invite(admin, "ada@example.com", now=WHEN)
    await Delivery.filter(id=key).update(attempts=deliveries.ATTEMPTS)
    await deliveries.sweep(WHEN)
    row = await row_of(key)
    assert row.status is DeliveryStatus.FAILED
    assert "Its worker ended in the middle of it" in (row.reason or "")
    assert letterbox.mails == []


async def test_what_may_work_later_is_tried_with_longer_pauses_and_ends_on_record(letterbox: Letterbox) -> None:
    admin = await seller()
    [key] = await invite(admin, "busy@example.com", now=WHEN)
    when, pauses = WHEN, []
    while (row := await row_of(key)).status is DeliveryStatus.PENDING:
        assert await deliveries.sweep(row.due_at - timedelta(seconds=1)) == 0 or row.attempts == 0
        when = row.due_at
        await deliveries.sweep(when)
        pauses.append((await row_of(key)).due_at - when)
    seconds = [round(pause.total_seconds()) for pause in pauses]
    assert seconds == [min(2**number, 3600) for number in range(1, deliveries.ATTEMPTS)] + [0]
    assert (row.status, row.attempts, row.at_risk) == (DeliveryStatus.FAILED, deliveries.ATTEMPTS, False)
    assert "try later" in (row.reason or "")
    assert await Suppression.all().count() == 0


async def test_nobody_at_an_address_is_written_to_again(letterbox: Letterbox, note: dict[UUID, Any]) -> None:
    admin, other = await seller(), await seller()
    await words_of(admin)
    await words_of(other)
    [key] = await send_note(admin, "nobody@Example.com")
    await deliveries.sweep(WHEN)
    row = await row_of(key)
    assert (row.status, row.attempts) == (DeliveryStatus.FAILED, 1)
    assert "no such user" in (row.reason or "")
    [known] = await Suppression.all()
    assert (known.email_normalised, known.kind, known.reason) == (
        "nobody@example.com",
        None,
        SuppressionReason.BOUNCED,
    )
    [again] = await send_note(admin, "nobody@example.com")
    [elsewhere] = await send_note(other, "nobody@example.com")
    await deliveries.sweep(WHEN)
    assert ((await row_of(again)).status, (await row_of(again)).reason) == (
        DeliveryStatus.SKIPPED,
        "This address bounced.",
    )
    assert (await row_of(elsewhere)).status is DeliveryStatus.FAILED


async def test_a_policy_is_no_reason_never_to_write_again(letterbox: Letterbox, note: dict[UUID, Any]) -> None:
    admin = await seller()
    await words_of(admin)
    [key] = await send_note(admin, "blocked@example.com")
    await deliveries.sweep(WHEN)
    assert (await row_of(key)).status is DeliveryStatus.FAILED
    assert await Suppression.all().count() == 0


async def test_who_is_suppressed_gets_account_mails_only(letterbox: Letterbox, note: dict[UUID, Any]) -> None:
    admin = await seller()
    await words_of(admin)
    await suppressions.suppress(admin, email="ADA@example.com", now=NOW)
    await suppressions.suppress(admin, email="eve@example.com", kind="note", now=NOW)
    keys = await send_note(admin, "ada@Example.com", "eve@example.com", "bob@example.com")
    await invite(admin, "ada@example.com", now=WHEN)
    await deliveries.sweep(WHEN)
    ended = [(await row_of(key)).status for key in keys]
    assert ended == [DeliveryStatus.SKIPPED, DeliveryStatus.SKIPPED, DeliveryStatus.SENT]
    assert sorted(str(got["To"]) for got in letterbox.mails) == ["ada@example.com", "bob@example.com"]


async def test_other_mails_can_be_unsubscribed_from(letterbox: Letterbox, note: dict[UUID, Any]) -> None:
    admin = await seller()
    await words_of(admin)
    [key] = await send_note(admin, "bob@example.com")
    await deliveries.sweep(WHEN)
    [got] = letterbox.mails
    link = str(got["List-Unsubscribe"]).strip("<>")
    assert got["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link in text_of(got)
    assert link in text_of(got, "html")
    assert "A note from Acme" in text_of(got)
    await suppressions.unsubscribe(link.rpartition("/")[2], now=NOW)
    [again] = await send_note(admin, "bob@example.com")
    await deliveries.sweep(WHEN)
    assert (await row_of(again)).reason == "This address unsubscribed."
    assert (await row_of(key)).status is DeliveryStatus.SENT


async def test_a_server_that_is_away_is_no_fault_of_the_mail(
    letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await seller()
    keys = await invite(admin, "ada@example.com", "eve@example.com", now=WHEN)
    letterbox.sender_answers = ["530 sign in first"] * 2
    assert await deliveries.sweep(WHEN) == 2
    rows = await Delivery.all()
    assert {(row.status, row.attempts, row.lease_until) for row in rows} == {(DeliveryStatus.PENDING, 0, None)}
    assert "sign in" in (rows[0].reason or "")
    assert await deliveries.sweep(WHEN) == 0, "the channel pauses"
    deliveries.PAUSES[Channel.MAIL].end()
    await deliveries.sweep(WHEN)
    assert [(await row_of(key)).status for key in keys] == [DeliveryStatus.SENT] * 2
    assert {row.reason for row in await Delivery.all()} == {None}
    [late] = await invite(admin, "bob@example.com", now=WHEN)
    letterbox.sender_answers = ["530 sign in first"]
    await deliveries.sweep(WHEN + timedelta(days=4))
    assert (await row_of(late)).status is DeliveryStatus.FAILED


async def test_a_connection_that_breaks_off_puts_the_mail_at_risk(letterbox: Letterbox) -> None:
    admin = await seller()
    [key] = await invite(admin, "ada@example.com", now=WHEN)
    letterbox.answers, letterbox.takes_first = [BREAK_OFF], True
    await deliveries.sweep(WHEN)
    row = await row_of(key)
    assert (row.status, row.at_risk) == (DeliveryStatus.PENDING, True)
    await deliveries.sweep(row.due_at)
    assert ((await row_of(key)).status, (await row_of(key)).at_risk) == (DeliveryStatus.SENT, True)
    assert len(letterbox.mails) == 2


async def test_a_mail_that_hangs_holds_up_no_other(letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "STRAGGLING_SECONDS", 0.05)
    admin = await seller()
    [first] = await invite(admin, "ada@example.com", now=WHEN)
    letterbox.answers = ["hang"]
    assert await deliveries.sweep(WHEN) == 1
    [second] = await invite(admin, "eve@example.com", now=WHEN)
    assert await deliveries.sweep(WHEN) == 1
    await ledger.execute("SELECT 1", [])
    async with asyncio.timeout(5):
        while (await row_of(second)).status is DeliveryStatus.PENDING:
            await asyncio.sleep(0.01)
    assert (await row_of(first)).sending_at
    letterbox.calm.set()
    await deliveries.settle()
    assert (await row_of(first)).reason == "The mail server says later: 451 that took long"


async def test_what_a_composer_says_is_done(letterbox: Letterbox, note: dict[UUID, Any]) -> None:
    admin = await seller()
    await words_of(admin)
    skipped, later, gone = await send_note(admin, "a@example.com", "b@example.com", "c@example.com")
    tomorrow = WHEN + timedelta(days=1)
    note |= {skipped: Skip("They answered already."), later: Later(tomorrow, "They sleep."), gone: "gone"}
    await deliveries.sweep(WHEN)
    assert letterbox.mails == []
    ended = {row.id: (row.status, row.reason, row.attempts) for row in await Delivery.all()}
    assert ended == {
        skipped: (DeliveryStatus.SKIPPED, "They answered already.", 1),
        later: (DeliveryStatus.PENDING, "They sleep.", 0),
        gone: (DeliveryStatus.SKIPPED, "What it was about is gone.", 1),
    }
    assert (await row_of(later)).due_at == tomorrow
    del note[later]
    assert await deliveries.sweep(tomorrow) == 1
    assert len(letterbox.mails) == 1


async def test_a_composer_that_fails_fails_for_its_kind_only(
    letterbox: Letterbox, note: dict[UUID, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_rows: Sequence[Due], _now: datetime) -> dict[UUID, Any]:
        raise ValueError("no words")

    monkeypatch.setitem(composers.COMPOSERS, "note", fail)
    admin = await seller()
    [key] = await send_note(admin, "a@example.com")
    [strange] = await asked.enqueue(
        admin.workspace_id, [Message(Channel.MAIL, "strange", occasion="x", due_at=WHEN)], now=WHEN
    )
    [invited] = await invite(admin, "ada@example.com", now=WHEN)
    await deliveries.sweep(WHEN)
    row = await row_of(key)
    assert (row.status, row.reason) == (DeliveryStatus.PENDING, "It could not be composed: ValueError: no words")
    assert strange
    assert "Nothing here composes strange" in ((await row_of(strange)).reason or "")
    assert (await row_of(invited)).status is DeliveryStatus.SENT


async def test_a_template_that_fails_is_replaced_and_loses_no_mail(letterbox: Letterbox) -> None:
    admin = await seller()
    await words_of(admin, kind="invitation", text="{{ workspace.nothing.there }}")
    [key] = await invite(admin, "ada@example.com", now=WHEN)
    with capture_logs() as lines:
        await deliveries.sweep(WHEN)
    row = await row_of(key)
    assert row.status is DeliveryStatus.SENT
    assert (row.reason or "").startswith("Sent in the words that ship with us, since the workspace's own failed")
    assert "invites you" in text_of(letterbox.mails[0])
    assert any(line["event"] == "a workspace's own template failed" for line in lines)


def test_what_no_server_should_say_is_kept_as_it_can_be() -> None:
    assert ledger._storable("554 \udcff \0nope" + "x" * 2000) == ("554 ? ?nope" + "x" * 2000)[:1000]


async def test_what_is_cancelled_is_not_sent_even_once_claimed(letterbox: Letterbox, note: dict[UUID, Any]) -> None:
    admin, about = await seller(), uuid7()
    await words_of(admin)
    [key] = await send_note(admin, "a@example.com", about_id=about)
    batch = deliveries.Batch(WHEN)
    await batch.claim(ledger.CLAIM_ANY)
    await asked.cancel(admin.workspace_id, about_ids=[about], reason="It was cancelled.", now=NOW)
    await batch.run()
    row = await row_of(key)
    assert (row.status, row.reason) == (DeliveryStatus.SKIPPED, "It was cancelled.")
    assert letterbox.mails == []


async def test_ending_gives_back_what_was_not_begun(letterbox: Letterbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "GROUP", 1)
    admin = await seller()
    await invite(admin, *(f"{number}@example.com" for number in range(6)), now=WHEN)
    letterbox.answers = ["hang"] * 2
    sweeping = asyncio.create_task(deliveries.sweep(WHEN))
    async with asyncio.timeout(5):
        while letterbox.answers:
            await asyncio.sleep(0.01)
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)
    letterbox.calm.set()
    await deliveries.close()
    rows = await Delivery.all()
    assert sorted(row.attempts for row in rows) == [0, 0, 0, 0, 1, 1]
    assert {(row.status, row.lease_until, row.at_risk) for row in rows} == {(DeliveryStatus.PENDING, None, False)}
