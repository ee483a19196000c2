"""Milliseconds a PDF: proposals of 3 and of 200 lines, typeset one after the other by one warm process of typst.

    python -m bench.documents [--rounds 20]

No server is needed: facts are made anew each round, as workers make them, and the first document of all, which
starts the process and reads the fonts, is told apart. By hand only.
"""

import argparse
import asyncio
import time
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from typing import Any

from adapters.typesetting import Typesetter
from domain import document_facts, document_samples, pricing
from domain.document_facts import Item, Look, Sums
from domain.document_templates import shipped
from domain.pricing import Line
from models.documents import DocumentKind

AT = datetime(2026, 3, 2, tzinfo=UTC)


def facts(lines: int) -> dict[str, Any]:
    priced = [Line(quantity=Decimal(n % 9 + 1), unit_price=Decimal(n) / 4, tax_rate=Decimal(19)) for n in range(lines)]
    totals = pricing.total(priced, currency="EUR")
    items = [
        Item(
            name=f"Item {n}",
            description="Delivered and installed.",
            quantity=line.quantity,
            unit_price=line.unit_price,
            amount=told.amount,
            tax_rate=line.tax_rate,
        )
        for n, (line, told) in enumerate(zip(priced, totals.lines, strict=True))
    ]
    return document_facts.proposal(
        language="de",
        number="P-2026-0001",
        title="Solardach",
        version=1,
        on=document_samples.DAY,
        valid_until=None,
        parties=document_samples.PARTIES,
        sections=document_samples.SECTIONS,
        items=items,
        sums=Sums.of(totals, percent=None),
        terms=None,
        sha256=document_samples.SHA256,
        look=Look(),
    )


async def main(rounds: int) -> None:
    typesetter, template = Typesetter(most=1), shipped(DocumentKind.PROPOSAL)
    first = True
    for lines in (3, 200):
        took = []
        for _ in range(rounds + first):
            begun = time.perf_counter()
            made = await typesetter.typeset(template, facts(lines), at=AT)
            took.append((time.perf_counter() - begun) * 1000)
        if first:
            print(f"document_first_ms {took.pop(0):.0f}")
            first = False
        size = f"{made.pages} pages, {len(made.pdf)} bytes"
        print(f"document_{lines}_lines_ms {median(took):.1f} (worst {max(took):.1f}), {size}")
    await typesetter.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    asyncio.run(main(parser.parse_args().rounds))
