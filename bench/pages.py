"""The customer's page of a proposal of 20 and of 200 lines: its size, its time, and what it costs the processor.

    python -m bench.pages [--clients 16] [--requests 1000]

Salescycle runs as `make run` starts it on a folder of its own, without a budget of requests. A page is read by one
client first, for its time, then by many at once, for requests a second and the CPU of each part. Views are counted as
they are in a sale. Gzipped is what a proxy in front makes of it at gzip's usual level: the server compresses nothing.
"""

import argparse
import asyncio
import gzip
import os
import time
from itertools import count
from urllib.parse import urlsplit

import uvloop

from bench.house import Client, House, house, some_folder, told, told_times
from bench.proposals import CREATE, PRODUCT, SET, SIGN_UP, lines

SIZES = (20, 200)
ALONE, WARM_UP = 200, 50
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CAPTURE = """
mutation {
  captureLead(input: {title: "Roof", contact: {name: "Ann Smith", email: "ann@acme.example"}}) {
    lead { id } userErrors { message }
  }
}
"""
SEND = """
mutation ($id: ID!) { sendProposal(input: {id: $id}) { proposal { publicUrl } userErrors { message } } }
"""


class Reader:
    """A browser's connection that is kept alive and asks for one page."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname and parts.port
        self._host, self._port = parts.hostname, parts.port
        self._asked = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: {BROWSER}\r\n\r\n".encode()

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)

    async def read(self) -> bytes:
        """Return the page. Raises AssertionError where it is another answer."""
        self._writer.write(self._asked)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200 "), head
        size = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        return await self._reader.readexactly(size)

    def close(self) -> None:
        self._writer.close()


async def sent(client: Client, number: int) -> str:
    """Send a proposal of so many lines and return where its customer reads it."""
    products = []
    for at in range(20):
        given = {"name": f"Product {number}-{at}", "price": {"amount": f"{100 + at}.50", "currencyCode": "EUR"}}
        products.append((await client.ask(PRODUCT, input=given))["createProduct"]["product"]["id"])
    lead = (await client.ask(CAPTURE))["captureLead"]["lead"]["id"]
    proposal = (await client.ask(CREATE, lead=lead))["createProposal"]["proposal"]["id"]
    was_set = await client.ask(SET, input={"id": proposal, "lines": lines(number, products, 0)})
    assert not was_set["setProposalLines"]["userErrors"], was_set
    done = (await client.ask(SEND, id=proposal))["sendProposal"]
    assert not done["userErrors"], done["userErrors"]
    return str(done["proposal"]["publicUrl"])


async def alone(url: str) -> tuple[bytes, list[float]]:
    """Read a page again and again; return it, and the seconds that each time took."""
    reader = Reader(url)
    await reader.open()
    took = []
    for turn in range(WARM_UP + ALONE):
        began = time.perf_counter()
        page = await reader.read()
        if turn >= WARM_UP:
            took.append(time.perf_counter() - began)
    reader.close()
    return page, took


async def reading(url: str, numbers: "count[int]", until: int) -> None:
    reader = Reader(url)
    await reader.open()
    while next(numbers) < until:
        await reader.read()
    reader.close()


async def measure(home: House, clients: int, requests: int) -> None:
    """Sign up, send a proposal of each size, read their pages, and print the figures."""
    asking = Client(home.address)
    token = (await asking.ask(SIGN_UP))["signUp"]["accessToken"]
    asking.close()
    client = Client(home.address, token)
    pages = {number: await sent(client, number) for number in SIZES}
    client.close()
    for number, url in pages.items():
        page, took = await alone(url)
        assert page.count(b"Part ") + page.count(b"Product ") >= number
        told(f"page_{number}_size", len(page), "bytes")
        told(f"page_{number}_gzipped", len(gzip.compress(page, 6)), "bytes")
        told_times(f"page_{number}", took)
        numbers, before, began = count(), home.cpu(), time.perf_counter()
        await asyncio.gather(*(reading(url, numbers, requests) for _ in range(clients)))
        seconds, after = time.perf_counter() - began, home.cpu()
        told(f"page_{number}_throughput", requests / seconds, "a second")
        for part in ("api", "postgres"):
            told(f"page_{number}_cpu_{part}", (after[part] - before[part]) * 1000 / requests, "ms a request")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=1000)
    asked = parser.parse_args()
    os.environ["BUDGET"] = "0"
    with some_folder(None) as folder, house(folder) as home:
        uvloop.run(measure(home, asked.clients, asked.requests))


if __name__ == "__main__":
    main()
