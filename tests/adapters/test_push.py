"""Pushes reach browsers and phones by services that speak the documented protocols, and every refusal is told apart."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.push import DeviceGone, Push, PushLater, PushRefused, Sender, Target, Vapid, apns, browsers, fcm
from adapters.push import messages as push_messages
from adapters.push.errors import retry_after
from models.base import uuid7
from models.reminders import DevicePlatform
from settings import Settings
from tests.adapters.push_services import (
    OPEN,
    PEM,
    PKCS8,
    Answer,
    AppleService,
    BrowserService,
    FirebaseService,
    apple_service,
    browser_service,
    firebase_service,
    refused,
    said,
)

KEY = Vapid(ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, OPEN))


def push(to: Target, **facts: Any) -> Push:
    told: dict[str, Any] = {"title": "Call Ada", "body": "Acme · due at 10:00", "kind": "REMINDER", "topic": "f1"}
    return Push(id=uuid7(), to=to, **{**told, **facts})


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def change(**values: Any) -> None:
        known = Settings(mail_from="Sales <sales@acme.example>", **values)
        for module in (browsers, fcm, apns):
            monkeypatch.setattr(module, "settings", lambda: known)
        monkeypatch.setattr("adapters.push.settings", lambda: known)

    return change


@pytest.fixture
async def web(use: Any) -> AsyncIterator[BrowserService]:
    async with browser_service() as service:
        use(push_origins=service.url)
        yield service


@pytest.fixture
async def firebase(use: Any) -> AsyncIterator[FirebaseService]:
    async with firebase_service() as service:
        use(fcm_service_account=service.account, fcm_url=service.url)
        yield service


@pytest.fixture
async def apple(use: Any) -> AsyncIterator[AppleService]:
    async with apple_service() as service:
        use(
            apns_key=service.key,
            apns_key_id="KEY1234567",
            apns_team_id="TEAM123456",
            apns_topic="example.sales",
            apns_url=service.url,
        )
        yield service


@pytest.fixture
async def sender() -> AsyncIterator[Any]:
    made: list[Sender] = []

    def make() -> Sender:
        made.append(Sender(KEY))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def later(sent: Awaitable[None]) -> PushLater:
    with pytest.raises(PushLater) as caught:
        await sent
    return caught.value


async def test_a_browser_reads_what_it_is_pushed_and_its_service_knows_who_pushed(
    web: BrowserService, sender: Any
) -> None:
    browser = web.subscribe()
    one = push(browser.target, url="https://crm.example/leads/1", urgent=True, body="Grüße 🙂")
    await sender().send(one)
    [got] = web.pushes
    assert (got["title"], got["body"], got["url"]) == ("Call Ada", "Grüße 🙂", "https://crm.example/leads/1")
    assert (got["id"], got["kind"], got["topic"]) == (str(one.id), "REMINDER", "f1")
    assert web.signed_by == {browsers.public_of(KEY.pem)}
    assert web.requests[0].headers["urgency"] == "high"
    assert web.requests[0].headers["ttl"] == str(12 * 3600)


async def test_no_push_is_longer_than_services_take(web: BrowserService, sender: Any) -> None:
    browser = web.subscribe()
    for title, body in (("x" * 200, "ü" * 5000), ("🙂" * 3000, "y" * 3000)):
        await sender().send(push(browser.target, title=title, body=body))
    assert [len(request.body) <= 4096 for request in web.requests] == [True, True]
    assert web.pushes[0]["title"] == "x" * 200
    assert web.pushes[0]["body"].endswith("ü…")
    assert len(web.pushes[0]["body"]) > 1500
    assert web.pushes[1]["body"] == ""
    assert len(web.pushes[1]["title"]) > 800


async def test_a_push_that_holds_is_not_cut() -> None:
    one = push(Target(DevicePlatform.WEB, "https://push.example/1"))
    assert push_messages.fitting(one, lambda shown: shown.body.encode(), limit=len(one.body.encode())) == (
        one.body.encode()
    )


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_ended_is_gone(web: BrowserService, sender: Any, status: int) -> None:
    web.answers = [Answer(status)]
    with pytest.raises(DeviceGone, match=str(status)):
        await sender().send(push(web.subscribe().target))


@pytest.mark.parametrize("status", [400, 401, 403, 413, 301, 307])
async def test_what_a_service_will_never_take_is_refused_and_redirects_are_not_followed(
    web: BrowserService, sender: Any, status: int
) -> None:
    web.answers = [Answer(status, headers={"location": f"{web.url}/elsewhere"})]
    with pytest.raises(PushRefused, match=str(status)):
        await sender().send(push(web.subscribe().target))
    assert len(web.requests) == 1


async def test_a_service_that_is_busy_says_when_it_is_not(web: BrowserService, sender: Any) -> None:
    target = web.subscribe().target
    web.answers = [Answer(429, headers={"retry-after": "120"}), Answer(503), Answer(500)]
    assert [(await later(sender().send(push(target)))).seconds for _ in range(3)] == [120.0, None, None]
    assert web.pushes == []


async def test_a_service_that_cannot_be_reached_is_tried_later(use: Any, sender: Any) -> None:
    use(push_origins="http://127.0.0.1:1")
    async with browser_service() as known:
        keys = known.subscribe()
    await later(sender().send(push(Target(DevicePlatform.WEB, "http://127.0.0.1:1/x", keys.p256dh, keys.auth))))


@pytest.mark.parametrize(("p256dh", "auth"), [("AAAA", "AAAA"), ("", ""), ("é", "x"), (None, None)])
async def test_keys_that_are_none_are_refused(web: BrowserService, sender: Any, p256dh: Any, auth: Any) -> None:
    with pytest.raises(PushRefused):
        await sender().send(push(Target(DevicePlatform.WEB, f"{web.url}/push/x", p256dh, auth)))
    assert web.requests == []


async def test_one_token_serves_many_pushes_and_is_renewed_before_it_ends(
    web: BrowserService, sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, service = web.subscribe().target, sender()
    for _ in range(2):
        await service.send(push(target))
    ahead = time.time() + 11.5 * 3600
    monkeypatch.setattr("time.time", lambda: ahead)
    web.answers = [Answer(201)]
    await service.send(push(target))
    first, second, third = (request.headers["authorization"] for request in web.requests)
    assert first == second != third


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("Mon, 02 Mar 2026 09:00:30 GMT", 30.0),
        ("Mon, 02 Mar 2026 08:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, now=datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) == seconds


async def test_firebase_takes_a_push_with_one_token_for_many(firebase: FirebaseService, sender: Any) -> None:
    firebase.devices = {"phone"}
    service = sender()
    target = Target(DevicePlatform.FCM, "phone")
    await asyncio.gather(*(service.send(push(target, url="https://crm.example/x", urgent=True)) for _ in range(5)))
    assert len(firebase.tokens) == 1
    assert len(firebase.pushes) == 5
    got = firebase.pushes[0]
    assert got["notification"] == {"title": "Call Ada", "body": "Acme · due at 10:00"}
    assert got["data"]["url"] == "https://crm.example/x"
    assert got["android"]["collapse_key"] == "f1"
    assert (got["android"]["priority"], got["android"]["ttl"]) == ("HIGH", "43200s")


async def test_firebases_errors_are_told_apart(firebase: FirebaseService, sender: Any) -> None:
    firebase.devices = {"phone"}
    service, target = sender(), Target(DevicePlatform.FCM, "phone")
    with pytest.raises(DeviceGone, match="UNREGISTERED"):
        await service.send(push(Target(DevicePlatform.FCM, "none")))
    firebase.answers = [refused(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")]
    with pytest.raises(DeviceGone):
        await service.send(push(target))
    firebase.answers = [refused(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"), Answer(400, body=b"no json")]
    for _ in range(2):
        with pytest.raises(PushRefused, match="400"):
            await service.send(push(target))
    quota = refused(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")
    quota.headers["retry-after"] = "60"
    firebase.answers = [quota, refused(503, "UNAVAILABLE", "UNAVAILABLE"), refused(500, "INTERNAL", "INTERNAL")]
    assert [(await later(service.send(push(target)))).seconds for _ in range(3)] == [60.0, None, None]


async def test_a_token_that_firebase_knows_no_more_is_renewed(firebase: FirebaseService, sender: Any) -> None:
    firebase.devices = {"phone"}
    service, target = sender(), Target(DevicePlatform.FCM, "phone")
    await service.send(push(target))
    firebase.tokens.append("another")
    await later(service.send(push(target)))
    await service.send(push(target))
    assert len(firebase.pushes) == 2


async def test_a_wrong_service_account_is_not_the_pushs_fault(firebase: FirebaseService, sender: Any) -> None:
    firebase.answers = [Answer(400, body=b'{"error": "invalid_grant"}')]
    assert "invalid_grant" in str(await later(sender().send(push(Target(DevicePlatform.FCM, "phone")))))


async def test_apple_takes_pushes_over_one_connection_with_one_token(apple: AppleService, sender: Any) -> None:
    apple.devices = {"ab" * 32}
    service = sender()
    target = Target(DevicePlatform.APNS, "ab" * 32)
    first = push(target)
    await service.send(first)
    await asyncio.gather(*(service.send(push(target, body="z" * 6000)) for _ in range(5)))
    assert apple.connections == 1
    assert len({request.headers["authorization"] for request in apple.requests}) == 1
    assert apple.pushes[0]["aps"]["alert"] == {"title": "Call Ada", "body": "Acme · due at 10:00"}
    assert UUID(apple.pushes[0]["apns-id"]) == first.id
    assert len(apple.pushes) == 6


async def test_apples_reasons_are_told_apart(apple: AppleService, sender: Any) -> None:
    apple.devices = {"ab" * 32}
    service, target = sender(), Target(DevicePlatform.APNS, "ab" * 32)
    with pytest.raises(DeviceGone, match="BadDeviceToken"):
        await service.send(push(Target(DevicePlatform.APNS, "cd" * 32)))
    apple.answers = [said(410, "Unregistered"), said(410, "ExpiredToken"), said(400, "DeviceTokenNotForTopic")]
    for _ in range(3):
        with pytest.raises(DeviceGone):
            await service.send(push(target))
    apple.answers = [said(400, "BadTopic"), said(413, "PayloadTooLarge"), said(403, "Forbidden")]
    for _ in range(3):
        with pytest.raises(PushRefused):
            await service.send(push(target))
    apple.answers = [said(429, "TooManyRequests"), said(503, "ServiceUnavailable"), said(403, "InvalidProviderToken")]
    for _ in range(3):
        await later(service.send(push(target)))


async def test_apples_token_is_renewed_when_it_is_old(
    apple: AppleService, sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    apple.devices = {"ab" * 32}
    service, target = sender(), Target(DevicePlatform.APNS, "ab" * 32)
    await service.send(push(target))
    apple.answers = [said(403, "ExpiredProviderToken"), Answer(200)]
    await later(service.send(push(target)))
    ahead = time.time() + 3600
    monkeypatch.setattr("time.time", lambda: ahead)
    await service.send(push(target))
    tokens = [request.headers["authorization"] for request in apple.requests]
    assert tokens[0] == tokens[1] != tokens[2]


async def test_a_platform_that_is_not_set_up_takes_nothing(use: Any, sender: Any) -> None:
    use()
    for platform in (DevicePlatform.FCM, DevicePlatform.APNS):
        with pytest.raises(PushRefused, match="not set up"):
            await sender().send(push(Target(platform, "x")))


async def test_a_server_that_hangs_is_given_up(use: Any, sender: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    use(push_origins=url)
    monkeypatch.setattr("adapters.web.ANSWER_SECONDS", 0.2)
    async with browser_service() as known:
        keys = known.subscribe()
    one = push(Target(DevicePlatform.WEB, f"{url}/x", keys.p256dh, keys.auth), lasts=timedelta(hours=1))
    assert "ReadTimeout" in str(await later(sender().send(one)))
    assert taken.is_set()
    server.close()
