"""Devices: one person's at a time, known again, and ended with their session."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain import devices, sessions
from domain.actors import Actor, system
from domain.devices import EndpointRefused
from domain.errors import Forbidden, Invalid, Malformed, NotFound, Required, TooLong
from models.events import Event
from models.reminders import Device, DeviceEnd, DevicePlatform
from models.users import Membership, Role, User
from tests.adapters.push_services import Browser
from tests.factories import NOW, member, workspace

LATER = NOW + timedelta(hours=1)
ENDPOINT = "https://push.example.com/send/1"
BROWSER = Browser(ENDPOINT)

pytestmark = pytest.mark.usefixtures("db")


async def register(actor: Actor, **facts: Any) -> Device:
    told: dict[str, Any] = {
        "platform": DevicePlatform.WEB,
        "address": ENDPOINT,
        "p256dh": BROWSER.p256dh,
        "auth": BROWSER.auth,
        "now": NOW,
    }
    return await devices.register(actor, **{**told, **facts})


async def test_the_same_endpoint_is_the_same_device() -> None:
    actor = await member(Role.REP)
    first = await register(actor, name=" Laptop ")
    again = await register(actor, name="Laptop", now=LATER)
    renewed = await register(actor, auth=Browser(ENDPOINT).auth, name=None, now=LATER)
    assert {first.id, again.id, renewed.id} == {first.id}
    [row] = await Device.filter(user_id=actor.user_id)
    assert (row.name, row.created_at, row.updated_at, row.ended_at) == (None, NOW, LATER, None)
    assert row.auth == renewed.auth != first.auth
    assert await Event.filter(name="device.registered", subject_id=first.id).count() == 2


async def test_who_signs_in_next_takes_it_over_in_every_workspace() -> None:
    actor = await member(Role.REP)
    elsewhere = await member(Role.REP, of=await workspace(), person=await User.get(id=actor.user_id))
    mine, there = await register(actor), await register(elsewhere)
    assert (await Device.get(id=mine.id)).ended_at is None
    other = await member(Role.REP, of=actor)
    theirs = await register(other, now=LATER)
    for ended in (mine, there):
        row = await Device.get(id=ended.id)
        assert (row.ended_at, row.end_reason) == (LATER, DeviceEnd.MOVED)
    assert theirs.user_id == other.user_id
    event = await Event.get(name="device.ended", subject_id=there.id)
    assert event.workspace_id == elsewhere.workspace_id
    back = await register(actor, now=LATER)
    assert back.id != mine.id


async def test_two_who_register_one_at_once_leave_it_to_one() -> None:
    first = await member(Role.REP)
    others = [await member(Role.REP) for _ in range(3)]
    await asyncio.gather(*(register(actor) for actor in (first, *others, first)))
    assert await Device.filter(address=ENDPOINT, ended_at=None).count() == 1


async def test_unregistered_devices_stay_so_and_others_are_not_found() -> None:
    actor = await member(Role.REP)
    device = await register(actor)
    ended = await devices.unregister(actor, device.id, now=LATER)
    again = await devices.unregister(actor, device.id, now=LATER + timedelta(hours=1))
    assert (ended.ended_at, ended.end_reason, again.ended_at) == (LATER, DeviceEnd.UNREGISTERED, LATER)
    for stranger in (await member(Role.ADMIN, of=actor), await member(Role.ADMIN)):
        with pytest.raises(NotFound):
            await devices.unregister(stranger, device.id, now=LATER)
    with pytest.raises(Forbidden):
        await register(system(actor.workspace_id, task="x"))


async def test_a_device_ends_with_the_session_that_registered_it() -> None:
    person = await member(Role.REP)
    place = await Membership.get(user_id=person.user_id, workspace_id=person.workspace_id)
    here, there = [await sessions.start(place, user_agent=None, now=NOW) for _ in range(2)]
    one = await register(_signed(person, here))
    two = await register(_signed(person, there), address=f"{ENDPOINT}2")
    await sessions.sign_out(_signed(person, here), now=LATER)
    assert {row.id: row.end_reason for row in await Device.filter(user_id=person.user_id)} == {
        one.id: DeviceEnd.SIGNED_OUT,
        two.id: None,
    }
    await sessions.sign_out_everywhere(_signed(person, there), now=LATER)
    assert (await Device.get(id=two.id)).end_reason is DeviceEnd.SIGNED_OUT


async def test_of_too_many_the_one_ends_that_was_registered_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "MOST_DEVICES", 2)
    actor = await member(Role.REP)
    for number in range(3):
        await register(actor, address=f"{ENDPOINT}{number}", now=NOW + timedelta(minutes=number))
    found = {row.address[-1]: row.end_reason for row in await Device.filter(user_id=actor.user_id)}
    assert found == {"0": DeviceEnd.REPLACED, "1": None, "2": None}


@pytest.mark.parametrize(
    "address",
    [
        "http://push.example.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://push.example.com:8443/x",
        "https://user@push.example.com/x",
        "https://push.example.com/x#y",
        "https://push.example.com/x y",
        "https://2130706433/x",
        "https://10.1/x",
        "ftp://push.example.com/x",
        "push.example.com",
        "https://push.example.com:99999/x",
        "https://[",
        "https://püsh.example.com/x",
    ],
)
async def test_an_endpoint_is_a_public_https_address(address: str) -> None:
    with pytest.raises(EndpointRefused):
        await register(await member(Role.REP), address=address)


async def test_every_fault_of_a_device_is_told() -> None:
    actor = await member(Role.REP)
    with pytest.raises(Invalid) as caught:
        await register(actor, address=" ", p256dh="AAAA", auth=None, name="x" * 201)
    assert [(type(fault), fault.field) for fault in caught.value.faults] == [
        (Required, ("endpoint",)),
        (Malformed, ("p256dh",)),
        (Required, ("auth",)),
        (TooLong, ("name",)),
    ]
    with pytest.raises(TooLong):
        await register(actor, address="https://push.example.com/" + "x" * 2000)
    for platform, token in ((DevicePlatform.APNS, "no hex"), (DevicePlatform.FCM, "a b"), (DevicePlatform.FCM, "é")):
        with pytest.raises(Malformed):
            await register(actor, platform=platform, address=token)


async def test_phones_have_a_token_and_no_keys() -> None:
    actor = await member(Role.REP)
    phone = await register(actor, platform=DevicePlatform.APNS, address="AB" * 32)
    assert (phone.address, phone.p256dh, phone.auth) == ("ab" * 32, None, None)
    same = await register(actor, platform=DevicePlatform.APNS, address="ab" * 32)
    assert same.id == phone.id
    await devices.gone([phone.id], now=LATER)
    assert (await Device.get(id=phone.id)).end_reason is DeviceEnd.GONE


def _signed(actor: Actor, signed: sessions.SignedIn) -> Actor:
    return replace(actor, session_id=signed.session.id)
