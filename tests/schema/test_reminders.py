"""Reminders, devices and settings over the API: each sees and sets their own."""

from typing import Any

import pytest

from domain import reminders
from models.reminders import Device, Reminder
from models.users import Role
from tests.adapters.push_services import Browser, unb64
from tests.domain.test_reminders import TOMORROW, plan
from tests.factories import lead, member, seller
from tests.schema.asking import answer

pytestmark = pytest.mark.usefixtures("db")

REGISTER = """
mutation ($input: RegisterDeviceInput!) {
  registerDevice(input: $input) { device { id platform name endedAt endReason } userErrors { code field } }
}
"""
UNREGISTER = """
mutation ($input: UnregisterDeviceInput!) {
  unregisterDevice(input: $input) { device { id endedAt endReason } userErrors { code field } }
}
"""
SET = """
mutation ($input: UpdateReminderSettingsInput!) {
  updateReminderSettings(input: $input) {
    reminderSettings { mail digestAt push quietFrom quietUntil quietDays version } userErrors { code field }
  }
}
"""
SHOWN = """
{ reminders { totalCount nodes { kind lead { title } deliveries { channel status reason } } }
  notifications { nodes { kind reminder { kind } event { __typename } } } }
"""


async def told(actor: Any, document: str, mutation: str, **input: Any) -> Any:
    found = await answer(actor, document, input=input)
    assert "errors" not in found, found["errors"]
    return found["data"][mutation]


async def test_a_browser_is_registered_listed_and_unregistered() -> None:
    actor = await seller()
    browser = Browser("https://push.example.com/a")
    keys = {"p256dh": browser.p256dh, "auth": browser.auth}
    web = {"platform": "WEB", "endpoint": browser.endpoint, "keys": keys, "name": "Laptop"}
    made = await told(actor, REGISTER, "registerDevice", **web)
    again = await told(actor, REGISTER, "registerDevice", **web)
    assert made["device"] == again["device"]
    assert (made["device"]["name"], made["device"]["endedAt"]) == ("Laptop", None)
    listed = await answer(actor, "{ webPushPublicKey devices { nodes { id } } }")
    assert len(unb64(listed["data"]["webPushPublicKey"])) == 65
    assert [row["id"] for row in listed["data"]["devices"]["nodes"]] == [made["device"]["id"]]
    other = await member(Role.ADMIN, of=actor)
    assert (await answer(other, "{ devices { nodes { id } } }"))["data"]["devices"]["nodes"] == []
    ended = await told(actor, UNREGISTER, "unregisterDevice", id=made["device"]["id"])
    assert ended["device"]["endReason"] == "UNREGISTERED"
    assert (await Device.get(user_id=actor.user_id)).ended_at is not None


async def test_a_device_says_what_it_lacks() -> None:
    actor = await seller()
    web = await told(actor, REGISTER, "registerDevice", platform="WEB", token="x")
    assert [(error["code"], error["field"]) for error in web["userErrors"]] == [
        ("REQUIRED", ["endpoint"]),
        ("REQUIRED", ["p256dh"]),
        ("REQUIRED", ["auth"]),
    ]
    within = await told(actor, REGISTER, "registerDevice", platform="APNS", token="https://10.0.0.1/")
    assert [(error["code"], error["field"]) for error in within["userErrors"]] == [("MALFORMED", ["token"])]


async def test_settings_are_shown_and_set() -> None:
    actor = await seller()
    usual = (await answer(actor, "{ reminderSettings { mail digestAt push quietDays version } }"))["data"]
    assert usual["reminderSettings"] == {
        "mail": "SINGLE",
        "digestAt": "08:00",
        "push": True,
        "quietDays": [],
        "version": 0,
    }
    given = {"mail": "DIGEST", "quietDays": ["SUNDAY"], "quietFrom": "19:00", "quietUntil": "07:00"}
    made = await told(actor, SET, "updateReminderSettings", **given)
    assert made["reminderSettings"] == {**given, "digestAt": "08:00", "push": True, "version": 1}
    stale = await told(actor, SET, "updateReminderSettings", push=False, expectedVersion=0)
    assert stale["userErrors"][0]["code"] == "STALE"
    assert stale["reminderSettings"]["version"] == 1
    wrong = await told(actor, SET, "updateReminderSettings", digestAt="8", quietFrom=None)
    assert [(error["code"], error["field"]) for error in wrong["userErrors"]] == [
        ("MALFORMED", ["digestAt"]),
        ("REQUIRED", ["quietFrom"]),
    ]


async def test_a_reminder_is_shown_to_whom_it_is_for() -> None:
    actor = await seller()
    await plan(actor, await lead(actor, title="Solar roof"))
    while await reminders.remind_of_due(TOMORROW):
        pass
    found = (await answer(actor, SHOWN))["data"]
    [row] = found["reminders"]["nodes"]
    assert (found["reminders"]["totalCount"], row["kind"], row["lead"]) == (1, "FOLLOW_UP_DUE", {"title": "Solar roof"})
    assert sorted((one["channel"], one["status"], one["reason"]) for one in row["deliveries"]) == [
        ("IN_APP", "SENT", None),
        ("MAIL", "PENDING", None),
        ("PUSH", "SKIPPED", reminders.NO_DEVICE),
    ]
    assert found["notifications"]["nodes"] == [
        {"kind": "REMINDER", "reminder": {"kind": "FOLLOW_UP_DUE"}, "event": None}
    ]
    other = await member(Role.ADMIN, of=actor)
    seen = (await answer(other, SHOWN))["data"]
    assert (seen["reminders"]["nodes"], seen["notifications"]["nodes"]) == ([], [])
    assert await Reminder.filter(user_id=actor.user_id).count() == 1
