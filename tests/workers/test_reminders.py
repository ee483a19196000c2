"""Reminders arrive: mails at a real mail server, pushes in a browser that decrypts them, each once or with a reason."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters import mail
from adapters.push import browsers
from domain import devices, follow_ups, lead_reminders, reminder_settings, reminders, subjects
from domain.actors import Actor
from domain.follow_up_details import FollowUpDetails
from domain.reminder_settings import ReminderDetails
from domain.subjects import SubjectKey
from domain.unreminded import ENDED
from models.deliveries import Channel, Delivery, DeliveryStatus
from models.follow_ups import FollowUp, FollowUpKind
from models.leads import Lead
from models.reminders import Device, DeviceEnd, DevicePlatform, PushKey, Reminder, ReminderMail, ReminderWatch
from models.stages import Stage
from models.users import Role, User
from models.workspaces import Workspace
from settings import Settings
from tests.adapters.letterbox import Letterbox, open_letterbox, text_of
from tests.adapters.push_services import Answer, Browser, BrowserService, browser_service
from tests.factories import lead, member, seller
from workers import deliveries, pushes, reminder_messages

WHEN = datetime.now(UTC)
SENT, SKIPPED, FAILED, PENDING = (
    DeliveryStatus.SENT,
    DeliveryStatus.SKIPPED,
    DeliveryStatus.FAILED,
    DeliveryStatus.PENDING,
)


@pytest.fixture
async def services(
    clean_db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[tuple[Letterbox, BrowserService]]:
    async with open_letterbox() as box, browser_service() as service:
        known = Settings(
            data_dir=tmp_path,
            mail_from="Acme <sales@acme.example>",
            smtp_url=box.url,
            push_origins=service.url,
            app_url="https://crm.example/leads/{lead}",
        )
        for module in (mail, browsers, devices, subjects):
            monkeypatch.setattr(module, "settings", lambda: known)
        monkeypatch.setattr("adapters.push.settings", lambda: known)
        await PushKey.all().delete()
        for pause in deliveries.PAUSES.values():
            pause.end()
        yield box, service
        box.calm.set()
        await deliveries.settle()
        await pushes.close()
        await mail.close()


@pytest.fixture
def letterbox(services: tuple[Letterbox, BrowserService]) -> Letterbox:
    return services[0]


@pytest.fixture
def service(services: tuple[Letterbox, BrowserService]) -> BrowserService:
    return services[1]


async def plan(actor: Actor, due_at: datetime = WHEN, **details: Any) -> FollowUp:
    subject = await lead(actor, title="Solar roof")
    given = {"kind": FollowUpKind.CALL, "title": "Call Ada", "due_at": due_at, **details}
    early = WHEN - timedelta(days=1)
    return await follow_ups.create(actor, SubjectKey(Lead, subject.id), FollowUpDetails(**given), now=early)


async def remind(now: datetime = WHEN) -> None:
    for sweep in (reminders.remind_of_due, reminders.escalate_overdue):
        while await sweep(now):
            pass


async def deliver(now: datetime = WHEN) -> None:
    while await deliveries.sweep(now):
        pass
    await deliveries.settle()


async def subscribe(actor: Actor, service: BrowserService) -> tuple[Browser, Device]:
    browser = service.subscribe()
    keys = {"p256dh": browser.p256dh, "auth": browser.auth}
    device = await devices.register(actor, platform=DevicePlatform.WEB, address=browser.endpoint, now=WHEN, **keys)
    return browser, device


async def ended(follow_up: FollowUp, channel: Channel = Channel.MAIL) -> Delivery:
    row = await Reminder.filter(follow_up_id=follow_up.id).first()
    assert row
    return await Delivery.get(about_id=row.id, channel=channel)


async def test_a_reminder_arrives_by_mail_and_in_the_browser_once(
    letterbox: Letterbox, service: BrowserService
) -> None:
    actor = await seller()
    await User.filter(id=actor.user_id).update(name="Grace", time_zone="Europe/Berlin")
    await subscribe(actor, service)
    made = await plan(actor)
    await asyncio.gather(remind(), remind())
    await asyncio.gather(deliver(), deliver())
    [got] = letterbox.mails
    assert str(got["Subject"]) == "Reminder: Call Ada"
    told = text_of(got)
    link = f"https://crm.example/leads/Lead_{made.lead_id.hex}"  # type: ignore[union-attr]
    assert "Hello Grace," in told
    assert "It is about: Solar roof" in told
    assert link in told and link in text_of(got, "html")
    [push] = service.pushes
    assert (push["title"], push["kind"], push["url"]) == ("Call Ada", "FOLLOW_UP_DUE", link)
    assert push["body"].startswith("Solar roof · Due: ")
    assert {one.channel: one.status for one in await Delivery.all()} == dict.fromkeys(Channel, SENT)


async def test_what_is_done_meanwhile_is_not_sent_and_says_so(letterbox: Letterbox, service: BrowserService) -> None:
    actor = await seller()
    done, silently, snoozed = await plan(actor), await plan(actor), await plan(actor)
    await remind()
    await follow_ups.complete(actor, done.id, now=WHEN)
    await FollowUp.filter(id=silently.id).update(status="CANCELLED", remind_at=None)
    await follow_ups.snooze(actor, snoozed.id, WHEN + timedelta(hours=2), now=WHEN)
    await deliver()
    assert letterbox.mails == []
    found = [await ended(made) for made in (done, silently, snoozed)]
    assert [(one.status, one.reason) for one in found] == [
        (SKIPPED, ENDED),
        (SKIPPED, ENDED),
        (SKIPPED, reminder_messages.ELSEWHEN),
    ]


async def test_who_may_no_longer_see_it_is_told_nothing(letterbox: Letterbox) -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    made = await plan(admin)
    await Lead.filter(id=made.lead_id).update(owner_id=rep.user_id)
    await FollowUp.filter(id=made.id).update(owner_id=rep.user_id)
    await remind()
    await Lead.filter(id=made.lead_id).update(owner_id=admin.user_id)
    await deliver()
    assert letterbox.mails == []
    assert (await ended(made)).reason == reminders.UNSEEING


async def test_escalations_rotting_leads_and_missed_answers_are_mailed_in_their_words(letterbox: Letterbox) -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    made = await plan(admin, WHEN - timedelta(hours=30))
    await FollowUp.filter(id=made.id).update(owner_id=rep.user_id, remind_at=None, escalate_at=WHEN)
    row = await lead(admin, title="Wind mill", now=WHEN - timedelta(days=3))
    await Stage.filter(id=row.stage_id).update(rot_days=2)
    await Workspace.filter(id=admin.workspace_id).update(settings={"firstResponseHours": 72})
    since = WHEN - timedelta(hours=25)
    await ReminderWatch.create(
        id=admin.workspace_id,
        rotten_to=since,
        rotten_id=row.id,
        missed_to=since,
        missed_id=admin.workspace_id,
        due_at=since,
    )
    await remind()
    while await lead_reminders.remind_of_leads(WHEN):
        pass
    await deliver()
    assert {str(got["Subject"]) for got in letterbox.mails} >= {
        "Overdue: Call Ada",
        "No progress: Wind mill",
        "Not answered yet: Wind mill",
    }


async def test_quiet_that_began_meanwhile_holds_what_was_due(letterbox: Letterbox) -> None:
    actor = await seller()
    made = await plan(actor)
    await remind()
    begins, ends = WHEN - timedelta(minutes=5), WHEN + timedelta(hours=1)
    quiet = ReminderDetails(quiet_from=f"{begins:%H:%M}", quiet_until=f"{ends:%H:%M}")
    await reminder_settings.update(actor, quiet, now=WHEN)
    await deliver()
    assert letterbox.mails == []
    waiting = await ended(made)
    assert (waiting.status, waiting.due_at) == (PENDING, ends.replace(second=0, microsecond=0))
    await deliver(ends)
    assert len(letterbox.mails) == 1


async def test_a_digest_tells_what_is_left_and_carries_it_along(letterbox: Letterbox) -> None:
    actor = await seller()
    await User.filter(id=actor.user_id).update(name="Grace")
    await reminder_settings.update(actor, ReminderDetails(mail=ReminderMail.DIGEST), now=WHEN)
    first, second = await plan(actor, title="Call <b>Ada</b>"), await plan(actor, title="Write Bob")
    done, silently = await plan(actor, title="Meet Eve"), await plan(actor, title="Ask Dan")
    await remind()
    await follow_ups.complete(actor, done.id, now=WHEN)
    await FollowUp.filter(id=silently.id).update(status="DONE")
    digest = await Delivery.get(kind=reminders.DIGEST)
    await deliver()
    assert letterbox.mails == []
    await deliver(digest.due_at)
    [got] = letterbox.mails
    assert str(got["Subject"]).startswith("What is to be done: ")
    told = text_of(got)
    assert "Call <b>Ada</b> is due" in told and "Write Bob is due" in told
    assert "Meet Eve" not in told and "Ask Dan" not in told
    assert "<b>" not in text_of(got, "html").replace("&lt;b&gt;", "")
    rows = [await ended(made) for made in (first, second, done, silently)]
    assert [(row.status, row.reason) for row in rows] == [
        (SENT, None),
        (SENT, None),
        (SKIPPED, ENDED),
        (SKIPPED, ENDED),
    ]
    assert all(row.ended_at is not None for row in rows)
    await deliver(digest.due_at + timedelta(days=2))
    assert len(letterbox.mails) == 1


async def test_an_empty_digest_is_not_sent(letterbox: Letterbox) -> None:
    actor = await seller()
    await reminder_settings.update(actor, ReminderDetails(mail=ReminderMail.DIGEST), now=WHEN)
    made = await plan(actor)
    await remind()
    await follow_ups.complete(actor, made.id, now=WHEN)
    digest = await Delivery.get(kind=reminders.DIGEST)
    await deliver(digest.due_at)
    assert letterbox.mails == []
    await digest.refresh_from_db()
    assert (digest.status, digest.reason) == (SKIPPED, reminder_messages.EMPTY)


async def test_a_digest_that_has_to_wait_takes_its_reminders_with_it(letterbox: Letterbox) -> None:
    actor = await seller()
    await reminder_settings.update(actor, ReminderDetails(mail=ReminderMail.DIGEST), now=WHEN)
    made = await plan(actor)
    await remind()
    digest = await Delivery.get(kind=reminders.DIGEST)
    letterbox.answers = ["451 later"]
    await deliver(digest.due_at)
    await digest.refresh_from_db()
    waiting = await ended(made)
    assert (digest.status, waiting.status, waiting.sending_at) == (PENDING, PENDING, None)
    await deliver(digest.due_at + timedelta(minutes=5))
    assert (await ended(made)).status is SENT
    assert len(letterbox.mails) == 1


async def test_a_browser_that_unsubscribed_ends_on_record(letterbox: Letterbox, service: BrowserService) -> None:
    actor = await seller()
    browser, device = await subscribe(actor, service)
    del service.browsers[browser.endpoint.removeprefix(service.url)]
    made = await plan(actor)
    await remind()
    await deliver()
    row = await ended(made, Channel.PUSH)
    assert row.status is FAILED and "410" in str(row.reason)
    await device.refresh_from_db()
    assert device.end_reason is DeviceEnd.GONE
    following = await plan(actor)
    await remind()
    assert (await ended(following, Channel.PUSH)).reason == reminders.NO_DEVICE


async def test_a_push_service_that_is_busy_is_asked_again_when_it_says(
    letterbox: Letterbox, service: BrowserService
) -> None:
    actor = await seller()
    await subscribe(actor, service)
    service.answers = [Answer(429, headers={"retry-after": "600"})]
    made = await plan(actor)
    await remind()
    await deliver()
    row = await ended(made, Channel.PUSH)
    assert row.status is PENDING
    assert row.due_at >= WHEN + timedelta(seconds=600)
    await deliver(row.due_at)
    assert (await ended(made, Channel.PUSH)).status is SENT
    assert len(service.pushes) == 1


async def test_a_device_that_ended_meanwhile_is_sent_nothing(letterbox: Letterbox, service: BrowserService) -> None:
    actor = await seller()
    _, device = await subscribe(actor, service)
    made = await plan(actor)
    await remind()
    await devices.unregister(actor, device.id, now=WHEN)
    await deliver()
    assert service.requests == []
    assert (await ended(made, Channel.PUSH)).reason == reminder_messages.DEVICE_ENDED
