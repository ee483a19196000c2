"""captureLead end to end: 32 clients over HTTP, each with a company and a contact to find or to create.

    python -m bench.captures [--clients 32] [--captures 4000]

Salescycle runs as `make run` starts it (API, relay, worker, PostgreSQL and Valkey that sync to disk) on a folder of
its own. Every second company is known already, every contact is new.
"""

import argparse
import asyncio
import time
from itertools import count

import uvloop

from bench.house import Client, House, house, some_folder, told, told_times

WARM_UP = 320
SIGN_UP = """
mutation { signUp(input: {workspaceName: "Bench", baseCurrency: "EUR", name: "Ada", email: "ada@bench.example",
  password: "eleven quiet boats"}) { accessToken userErrors { message } } }
"""
CAPTURE = """
mutation ($input: CaptureLeadInput!) {
  captureLead(input: $input) {
    lead { id title rank version value { amount currencyCode } stage { id name } company { id name } }
    userErrors { code message }
  }
}
"""


async def client(address: str, token: str, numbers: "count[int]", until: int, took: list[float]) -> None:
    """Capture leads one after the other."""
    connection = Client(address, token)
    while (number := next(numbers)) < until:
        given = {
            "title": f"Rooftop array {number}",
            "value": {"amount": str(1000 + number), "currencyCode": "EUR"},
            "company": {"name": f"Company {number // 2}", "domain": f"company{number // 2}.example"},
            "contact": {"name": f"Person {number}", "email": f"person{number}@company{number // 2}.example"},
        }
        began = time.perf_counter()
        answer = (await connection.ask(CAPTURE, input=given))["captureLead"]
        took.append(time.perf_counter() - began)
        assert not answer["userErrors"], answer["userErrors"]
    connection.close()


async def measure(home: House, clients: int, captures: int) -> None:
    """Sign up, warm up, capture, and print the figures."""
    address = home.address
    asking = Client(address)
    token = (await asking.ask(SIGN_UP))["signUp"]["accessToken"]
    asking.close()
    numbers = count()
    await asyncio.gather(*(client(address, token, numbers, WARM_UP, []) for _ in range(clients)))
    took: list[float] = []
    numbers, before, began = count(WARM_UP), home.cpu(), time.perf_counter()
    await asyncio.gather(*(client(address, token, numbers, WARM_UP + captures, took) for _ in range(clients)))
    seconds = time.perf_counter() - began
    assert len(took) == captures
    after = home.cpu()
    told("capture_throughput", captures / seconds, f"leads/s ({clients} clients)")
    told_times("capture", took)
    for part, used in sorted(after.items()):
        told(f"capture_cpu_{part}", (used - before.get(part, 0.0)) / captures * 1000, "ms a lead")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--captures", type=int, default=4000)
    asked = parser.parse_args()
    with some_folder(None) as folder, house(folder) as home:
        uvloop.run(measure(home, asked.clients, asked.captures))


if __name__ == "__main__":
    main()
