"""Example facts, by which templates of documents are tried: every part of a document has something to show."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from domain import document_facts, pricing
from domain.document_facts import Facts, Item, Look, Parties, Signature, Sums
from domain.pricing import Discount, Line
from models.documents import DocumentKind

DAY, LATER = date(2026, 3, 2), date(2026, 4, 1)
SIGNED_AT = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
PERCENT = Decimal(5)
PARTIES = Parties(
    seller={
        "name": "Northern Lights Ltd",
        "address": {"street": "12 Harbour Road", "postalCode": "20457", "city": "Hamburg", "country": "DE"},
        "tax_number": "DE123456789",
        "email": "hello@northern.example",
        "phone": "+49 40 123456",
        "website": "https://northern.example",
        "bank": "Example Bank\nIBAN DE02 1203 0000 0000 2020 51",
    },
    buyer={
        "company": "Müller & Sons",
        "name": "Dr Anna Müller",
        "address": {"street": "1 Long Street", "postalCode": "1010", "city": "Vienna", "country": "AT"},
        "tax_number": "ATU12345678",
    },
)
SECTIONS: list[dict[str, Any]] = [
    {
        "heading": "Where you stand",
        "text": "Two systems do not speak with each other.\n\nWe propose:\n- one place for all\n- two weeks of work",
        "need": "Offers within minutes",
        "difference": "One partner, from the first call to the invoice.",
    },
    {"heading": "What you get", "text": "Less work by hand.", "need": None, "difference": None},
]
LINES: tuple[dict[str, Any], ...] = (
    {
        "name": "Licence",
        "description": "For ten people.\n- hosting\n- support",
        "unit": "months",
        "quantity": Decimal(12),
        "unit_price": Decimal("49.9"),
        "tax_rate": Decimal(19),
        "discount_percent": Decimal(10),
    },
    {"name": "Setup", "unit": "days", "quantity": Decimal("2.5"), "unit_price": Decimal(950), "tax_rate": Decimal(19)},
    {"name": "Handbooks", "quantity": Decimal(10), "unit_price": Decimal(32), "tax_rate": Decimal(7)},
    {
        "name": "Training",
        "quantity": Decimal(1),
        "unit_price": Decimal(1200),
        "tax_rate": Decimal(19),
        "discount_amount": Decimal(200),
        "optional": True,
        "chosen": False,
    },
)


def sample(kind: DocumentKind, *, language: str, color: str | None = None) -> Facts:
    """Return what an example of a document says."""
    items, sums = _reckoned()
    common: dict[str, Any] = {
        "language": language,
        "title": "A platform for your sales",
        "on": DAY,
        "parties": PARTIES,
        "items": items,
        "sums": sums,
        "terms": "Payable within 14 days.\n\nOur general terms apply.",
        "sha256": SHA256,
        "look": Look(color=color),
    }
    match kind:
        case DocumentKind.PROPOSAL:
            return document_facts.proposal(
                number="P-2026-0042", version=2, valid_until=LATER, sections=SECTIONS, **common
            )
        case DocumentKind.CONTRACT:
            signed = Signature(name="Dr Anna Müller", at=SIGNED_AT, sha256=SHA256, address="192.0.2.7")
            return document_facts.contract(
                number="C-2026-0007",
                starts_on=LATER,
                ends_on=None,
                proposal_number="P-2026-0042",
                sections=SECTIONS,
                signatures={"buyer": signed},
                time_zone="UTC",
                **common,
            )
        case DocumentKind.INVOICE:
            return document_facts.invoice(
                number="INV-2026-0009", due_on=LATER, instalment=(1, 3), credited=None, reason=None, **common
            )


def _reckoned() -> tuple[list[Item], Sums]:
    lines = [
        Line(
            quantity=line["quantity"],
            unit_price=line["unit_price"],
            discount=Discount(
                percent=line.get("discount_percent", pricing.ZERO), amount=line.get("discount_amount", pricing.ZERO)
            ),
            tax_rate=line["tax_rate"],
            optional=line.get("optional", False),
        )
        for line in LINES
    ]
    totals = pricing.total(lines, discount=Discount(percent=PERCENT), currency="EUR")
    items = [Item.of({**line, "amount": told.amount}) for line, told in zip(LINES, totals.lines, strict=True)]
    return items, Sums.of(totals, percent=PERCENT)
