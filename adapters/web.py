"""Calls to addresses that people gave us: by https to the public internet alone, and never where an answer points.

A name is looked up once for each connection, and the connection goes to an address that was looked at: a name that
answers otherwise the next time leads nowhere else. Redirects are not followed.
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 15.0
MOST_CONNECTIONS = 100
PORTS = {"http": 80, "https": 443}
# They stand for addresses of the older internet, whichever those are.
TRANSLATED = (
    ip_network("64:ff9b::/96"),
    ip_network("64:ff9b:1::/48"),
    ip_network("2002::/16"),
    ip_network("2001::/32"),
)


class AddressRefused(Exception):
    """We send nothing there: it is not on the public internet, or not called by https."""


def origin(url: str) -> str:
    """Return scheme, host and port of an address, the port only where it is not the scheme's own."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    written = f"[{host}]" if ":" in host else host
    own = parts.port in (None, PORTS.get(parts.scheme))
    return f"{parts.scheme}://{written}" + ("" if own else f":{parts.port}")


def is_public(address: str) -> bool:
    """Say whether an address is one of the public internet, and stands for no other that may not be."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif any(found in network for network in TRANSLATED):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def check(url: str, *, trusted: frozenset[str] = frozenset()) -> None:
    """Raise AddressRefused unless an address is called by https, or is of an origin that is trusted."""
    parts = urlsplit(url)
    if origin(url) in trusted:
        return
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise AddressRefused(f"{origin(url)} is not called by https.")


def client(*, trusted: frozenset[str] = frozenset()) -> httpx.AsyncClient:
    """Return a client that connects to public addresses, and to hosts of the origins that are trusted."""
    hosts = frozenset((parts.hostname or "", parts.port or PORTS[parts.scheme]) for parts in map(urlsplit, trusted))
    transport = httpx.AsyncHTTPTransport()
    # httpx lets nobody choose how to connect; httpcore, which it stands on, does.
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=httpx.create_ssl_context(),
        max_connections=MOST_CONNECTIONS,
        max_keepalive_connections=MOST_CONNECTIONS,
        keepalive_expiry=30.0,
        network_backend=_Guarded(hosts),
    )
    timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=ANSWER_SECONDS)
    return httpx.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False)


class _Guarded(httpcore.AsyncNetworkBackend):
    """Looks a host up, refuses what is not public, and connects to what it has seen."""

    def __init__(self, trusted: frozenset[tuple[str, int]]) -> None:
        self._inner = httpcore.AnyIOBackend()
        self._trusted = trusted

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        if (host, port) in self._trusted:
            return await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        last: Exception | None = None
        for address in await self._looked_up(host, port, timeout):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError(f"{host} has no address.")

    async def _looked_up(self, host: str, port: int, seconds: float | None) -> list[str]:
        try:
            async with asyncio.timeout(seconds):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not looked up in time.") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be looked up.") from error
        addresses = [str(sockaddr[0]) for *_, sockaddr in found]
        if any(not is_public(address) for address in addresses):
            raise AddressRefused(f"{host} is not on the public internet.")
        return addresses

    async def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise AddressRefused("A socket is not on the public internet.")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)
