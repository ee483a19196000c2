"""A proposal of 200 lines: set, totalled and read, by one client over HTTP; and lines priced by the second.

    python -m bench.proposals [--lines 200] [--rounds 50]

Salescycle runs as `make run` starts it on a folder of its own. Each round sets all lines anew, so that all of them are
written, with products, discounts, three rates of tax and options; then the proposal is read with all its lines, a
hundred a page, and its totals. Sums are compared with what the lines say.
"""

import argparse
import time
from decimal import Decimal
from typing import Any

import uvloop

from bench.house import Client, House, house, some_folder, told_times
from domain import pricing
from domain.pricing import Discount, Line

WARM_UP = 5
RATES = ("19", "7", "0")
SIGN_UP = """
mutation { signUp(input: {workspaceName: "Bench", baseCurrency: "EUR", name: "Ada", email: "ada@bench.example",
  password: "eleven quiet boats"}) { accessToken userErrors { message } } }
"""
PRODUCT = """
mutation ($input: CreateProductInput!) { createProduct(input: $input) { product { id } userErrors { message } } }
"""
CAPTURE = 'mutation { captureLead(input: {title: "Roof"}) { lead { id } userErrors { message } } }'
CREATE = """
mutation ($lead: ID!) {
  createProposal(input: {leadId: $lead, currencyCode: "EUR", discount: {percent: "3"}}) {
    proposal { id } userErrors { message }
  }
}
"""
SET = """
mutation ($input: SetProposalLinesInput!) {
  setProposalLines(input: $input) { proposal { version total { amount } } userErrors { code message field } }
}
"""
READ = """
query ($id: ID!, $after: String) {
  proposal(id: $id) {
    number title state total { amount currencyCode }
    current {
      subtotal { amount } discountTotal { amount } net { amount } tax { amount } total { amount }
      taxes { rate net { amount } tax { amount } }
      lines(first: 100, after: $after) {
        nodes { key name quantity unitPrice { amount } discount { percent } taxRate optional chosen amount { amount } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""


def lines(number: int, products: list[str], turn: int) -> list[dict[str, Any]]:
    """Return lines as a client sends them; those of each turn are others."""
    made: list[dict[str, Any]] = []
    for at in range(number):
        line: dict[str, Any] = {"quantity": str(1 + (at + turn) % 7), "taxRate": RATES[at % len(RATES)]}
        if at % 2:
            line |= {"productId": products[at % len(products)]}
        else:
            price = {"amount": f"{10 + at}.{turn % 100:02}", "currencyCode": "EUR"}
            line |= {"name": f"Part {at}", "unitPrice": price}
        if at % 5 == 0:
            line["discount"] = {"percent": "2.5"}
        if at % 10 == 9:
            line |= {"optional": True, "chosen": bool(at % 20 == 9)}
        made.append(line)
    return made


async def read(client: Client, proposal: str) -> dict[str, Any]:
    """Read a proposal with all its lines."""
    found = (await client.ask(READ, id=proposal))["proposal"]["current"]
    page = found["lines"]
    while page["pageInfo"]["hasNextPage"]:
        more = await client.ask(READ, id=proposal, after=page["pageInfo"]["endCursor"])
        page = more["proposal"]["current"]["lines"]
        found["lines"]["nodes"] += page["nodes"]
    return dict(found)


def check(found: dict[str, Any], number: int) -> None:
    """Compare the sums with the lines."""
    rows = found["lines"]["nodes"]
    counted = [Decimal(row["amount"]["amount"]) for row in rows if row["chosen"] or not row["optional"]]
    told_of = {name: Decimal(found[name]["amount"]) for name in ("subtotal", "discountTotal", "net", "tax", "total")}
    assert len(rows) == number
    assert sum(counted) == told_of["subtotal"]
    assert told_of["subtotal"] - told_of["discountTotal"] == told_of["net"]
    assert told_of["net"] + told_of["tax"] == told_of["total"]
    assert sum(Decimal(tax["tax"]["amount"]) for tax in found["taxes"]) == told_of["tax"]


async def measure(home: House, number: int, rounds: int) -> None:
    """Sign up, make a proposal, set and read its lines, and print the figures."""
    asking = Client(home.address)
    token = (await asking.ask(SIGN_UP))["signUp"]["accessToken"]
    asking.close()
    client = Client(home.address, token)
    products = []
    for at in range(20):
        price = {"amount": f"{100 + at}.50", "currencyCode": "EUR"}
        given = {"name": f"Product {at}", "price": price, "cost": price, "unit": "piece"}
        products.append((await client.ask(PRODUCT, input=given))["createProduct"]["product"]["id"])
    lead = (await client.ask(CAPTURE))["captureLead"]["lead"]["id"]
    proposal = (await client.ask(CREATE, lead=lead))["createProposal"]["proposal"]["id"]
    setting: list[float] = []
    reading: list[float] = []
    for turn in range(WARM_UP + rounds):
        given_lines = lines(number, products, turn)
        began = time.perf_counter()
        answer = (await client.ask(SET, input={"id": proposal, "lines": given_lines}))["setProposalLines"]
        was_set = time.perf_counter()
        found = await read(client, proposal)
        was_read = time.perf_counter()
        assert not answer["userErrors"], answer["userErrors"]
        check(found, number)
        if turn >= WARM_UP:
            setting.append(was_set - began)
            reading.append(was_read - was_set)
    client.close()
    told_times(f"proposal_set_{number}", setting)
    told_times(f"proposal_read_{number}", reading)
    _price(number)


def _price(number: int) -> None:
    """Tell how long the arithmetic alone takes."""
    priced = [
        Line(
            quantity=Decimal(1 + at % 7),
            unit_price=Decimal(f"{10 + at}.99"),
            discount=Discount(percent=Decimal("2.5")),
            tax_rate=Decimal(RATES[at % len(RATES)]),
            unit_cost=Decimal(5),
        )
        for at in range(number)
    ]
    took = []
    for _ in range(50):
        began = time.perf_counter()
        pricing.total(priced, discount=Discount(percent=Decimal(3)), currency="EUR")
        took.append(time.perf_counter() - began)
    told_times(f"proposal_total_{number}", took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=50)
    asked = parser.parse_args()
    with some_folder(None) as folder, house(folder) as home:
        uvloop.run(measure(home, asked.lines, asked.rounds))


if __name__ == "__main__":
    main()
