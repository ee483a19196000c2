"""What people have us call is on the public internet, whatever its name is, says or becomes."""

import asyncio
import socket
from typing import Any

import httpcore
import httpx
import pytest

from adapters import web
from adapters.push import Push, PushRefused, Sender, Target, Vapid, browsers
from adapters.web import AddressRefused
from models.base import uuid7
from models.reminders import DevicePlatform
from settings import Settings
from tests.adapters.push_services import Browser, browser_service
from tests.adapters.test_push import KEY

PRIVATE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "2001:0:7f00:1::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_known(address: str) -> None:
    assert not web.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_is_public_is_known(address: str) -> None:
    assert web.is_public(address)


def looks_up(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[Any]:
    """Have names mean these addresses, the next ones each time."""
    asked: list[Any] = []
    remaining = list(answers)

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("found", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["169.254.169.254"]])
async def test_a_public_name_of_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch, found: list[str]) -> None:
    looks_up(monkeypatch, found)
    async with web.client() as client:
        with pytest.raises(AddressRefused):
            await client.get("https://push.example/x")


async def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = looks_up(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    connected: list[str] = []

    async def connect(_self: Any, host: str, *_: Any) -> Any:
        connected.append(host)
        raise httpcore.ConnectError("no way out of here")

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    async with web.client() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("https://push.example/x")
    assert (asked, connected) == (["push.example"], ["93.184.216.34"])


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://[::ffff:127.0.0.1]/x",
    ],
)
async def test_ways_to_write_this_machine_are_refused(url: str) -> None:
    async with web.client() as client:
        with pytest.raises((AddressRefused, httpx.ConnectError)):
            await client.get(url)


@pytest.mark.parametrize(
    "url", ["http://push.example/x", "ftp://push.example/x", "https://", "https://user:pass@push.example/x", "x"]
)
def test_only_https_is_called(url: str) -> None:
    with pytest.raises(AddressRefused):
        web.check(url)


async def test_a_browser_whose_endpoint_is_within_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with browser_service() as service:
        browser = service.subscribe()
        known = Settings(push_origins="http://127.0.0.1:1")
        monkeypatch.setattr(browsers, "settings", lambda: known)
        monkeypatch.setattr("adapters.push.settings", lambda: known)
        sender = Sender(Vapid(KEY.pem))
        for address in (browser.endpoint, browser.endpoint.replace("http:", "https:")):
            target = Target(DevicePlatform.WEB, address, browser.p256dh, browser.auth)
            with pytest.raises(PushRefused):
                await sender.send(Push(uuid7(), target, "Call", "", "REMINDER", "t"))
        await sender.close()
        assert service.requests == []


def test_an_origin_is_written_in_one_way() -> None:
    assert web.origin("https://Push.Example:443/x?y") == "https://push.example"
    assert web.origin("http://127.0.0.1:8080/x") == "http://127.0.0.1:8080"
    assert web.origin("https://[::1]:8443/x") == "https://[::1]:8443"
    assert Browser("https://push.example/1").target.platform is DevicePlatform.WEB
