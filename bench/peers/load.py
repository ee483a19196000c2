"""The load generator: connections kept alive that ask again as soon as they are answered.

It does the least that an HTTP client can (it counts bytes), since it shares its core with PostgreSQL and must not be
what is measured.
"""

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import orjson

from bench.peers import cores

SIZE = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
FAULT = b'rrors":[{'
SETTLING_SECONDS = 0.25
BURSTS, LONGEST_SECONDS = 2, 8.0

Requests = Iterator[bytes]


@dataclass
class Measure:
    """What one round came to."""

    requests: int
    seconds: float
    latencies: list[float]
    server_cpu: float
    postgres_cpu: float
    generator_cpu: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    def per_request(self, cpu: float) -> float:
        """Return seconds of CPU as milliseconds a request."""
        return cpu / self.requests * 1000

    def percentile(self, share: float) -> float:
        """Return a latency in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


@dataclass
class Tally:
    """What the connections of one round have counted since it was cleared."""

    latencies: list[float] = field(default_factory=list)
    fault: str = ""


class Connection(asyncio.Protocol):
    """Asks, counts the bytes of the answer, asks again."""

    def __init__(self, requests: Requests, tally: Tally) -> None:
        self._requests, self._tally = requests, tally
        self._head, self._missing = b"", 0
        self.ended = asyncio.get_running_loop().create_future()
        self.stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        if self.stopping:
            self._transport.close()
            return
        self._asked_at = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        if FAULT in data:
            self._refuse(data)
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            size = SIZE.search(head)
            if size is None or not head.startswith(b"HTTP/1.1 200"):
                self._refuse(self._head)
                return
            self._head, self._missing = b"", int(size[1]) - len(body)
        if self._missing <= 0:
            self._tally.latencies.append(time.perf_counter() - self._asked_at)
            self._ask()

    def _refuse(self, data: bytes) -> None:
        self._tally.fault = data[:600].decode(errors="replace")
        self.stopping = True
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.stopping:
            self._tally.fault = f"the server has closed a connection: {exc}"
        if not self.ended.done():
            self.ended.set_result(None)


def request(address: str, path: str, body: dict[str, Any], *, token: str = "") -> bytes:
    """Return an HTTP request as it goes over the wire."""
    host = urlsplit(address).netloc
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    content = orjson.dumps(body)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nAccept: application/json\r\n"
        f"{authorization}Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def measured(
    address: str,
    streams: Sequence[Requests],
    seconds: float,
    *,
    server: Callable[[], list[int]],
    postgres: Callable[[], list[int]],
) -> Measure:
    """Ask on as many connections as there are streams of requests; raises SystemExit with an answer that is none."""
    tally = Tally()
    connections = [await _connected(address, stream, tally) for stream in streams]
    await asyncio.sleep(SETTLING_SECONDS)

    def itself() -> list[int]:
        return [os.getpid()]

    watched = (server, postgres, itself)
    tally.latencies.clear()
    before, began = [cores.snapshot(pids()) for pids in watched], time.perf_counter()
    await asyncio.sleep(seconds)
    # The answers of a slow server come in bursts, of which a rate takes several.
    while len(tally.latencies) < BURSTS * len(streams) and time.perf_counter() - began < LONGEST_SECONDS:
        await asyncio.sleep(0.05)
    took, latencies = time.perf_counter() - began, tally.latencies.copy()
    spent = [cores.used_since(was, pids()) for was, pids in zip(before, watched, strict=True)]
    for connection in connections:
        connection.stopping = True
    await asyncio.wait_for(asyncio.gather(*(connection.ended for connection in connections)), 30)
    if tally.fault or not latencies:
        raise SystemExit(f"{address} did not answer as it should: {tally.fault or 'nothing came'}")
    return Measure(len(latencies), took, latencies, *spent)


async def _connected(address: str, stream: Requests, tally: Tally) -> Connection:
    parts = urlsplit(address)
    assert parts.hostname and parts.port
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(stream, tally), parts.hostname, parts.port)
    return connection
