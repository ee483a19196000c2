"""What documents say: amounts as they were reckoned, as the language writes them, and no text turned round."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain import document_facts, pricing
from domain.document_facts import Facts, Item, Look, Parties, Signature, Sums, blocks, readable
from domain.document_formats import formats, paper
from domain.pricing import Discount

SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
PARTIES = Parties(
    seller={
        "name": "Nord GmbH",
        "address": {"street": "Kai 1", "postalCode": "20457", "city": "Hamburg", "country": "DE"},
    },
    buyer={"company": "Müller KG", "name": "Jürgen Groß"},
)


def item(name: str, quantity: str, unit_price: str, tax_rate: str = "19", **more: Any) -> Item:
    return Item(
        name=name,
        quantity=Decimal(quantity),
        unit_price=Decimal(unit_price),
        amount=Decimal(0),
        tax_rate=Decimal(tax_rate),
        **more,
    )


def reckoned(
    items: Sequence[Item], *, currency: str = "EUR", inclusive: bool = False, percent: str = "0"
) -> tuple[list[Item], Sums]:
    lines = [
        pricing.Line(
            quantity=each.quantity,
            unit_price=each.unit_price,
            tax_rate=each.tax_rate,
            optional=each.optional,
            chosen=each.chosen,
        )
        for each in items
    ]
    discount = Discount(percent=Decimal(percent))
    found = pricing.total(lines, discount=discount, currency=currency, tax_inclusive=inclusive)
    sums = Sums.of(found, percent=discount.percent)
    return [replace(each, amount=told.amount) for each, told in zip(items, found.lines, strict=True)], sums


def proposal(items: Sequence[Item], *, language: str = "en", parties: Parties = PARTIES, **how: Any) -> Facts:
    draft = how.pop("draft", False)
    lines, sums = reckoned(items, **how)
    return document_facts.proposal(
        language=language,
        number="P-1",
        title="Software",
        version=1,
        on=date(2026, 3, 2),
        valid_until=date(2026, 4, 1),
        parties=parties,
        sections=[],
        items=lines,
        sums=sums,
        terms=None,
        sha256=None if draft else SHA256,
        look=Look(draft=draft),
    )


def told(facts: Facts) -> list[tuple[str, str]]:
    return [(row["label"], row["amount"]) for row in facts["totals"]]


def test_totals_are_told_in_the_order_in_which_they_follow() -> None:
    facts = proposal([item("A", "12", "49.90"), item("B", "1", "320", "7")], percent="5")
    assert told(facts) == [
        ("Subtotal", "€918.80"),
        ("Discount (5%)", "-€45.94"),
        ("Net", "€872.86"),
        ("19% tax on €568.86", "€108.08"),
        ("7% tax on €304.00", "€21.28"),
        ("Total", "€1,002.22"),
    ]
    assert [column["key"] for column in facts["table"]["columns"]] == [
        *("number", "text", "quantity", "price", "tax", "amount")
    ]


def test_taxes_that_are_included_stand_below_the_total() -> None:
    facts = proposal([item("A", "1", "119")], inclusive=True)
    assert told(facts) == [("Total", "€119.00"), ("Including 19% tax on €100.00", "€19.00")]


def test_where_there_is_no_tax_nothing_is_said_of_it() -> None:
    facts = proposal([item("A", "2.5", "100", "0")])
    assert told(facts) == [("Total", "€250.00")]
    assert facts["table"]["rows"][0]["quantity"] == "2.5"


@pytest.mark.parametrize(
    ("language", "currency", "amount"),
    [
        ("de", "EUR", "1.234,50\u00a0€"),
        ("en-US", "USD", "$1,234.50"),
        ("fr", "EUR", "1\u202f234,50\u00a0€"),
        ("de-CH", "CHF", "CHF\u00a01’234.50"),
        ("ja", "JPY", "￥1,235"),
        ("en", "KWD", "KWD1,234.500"),
        ("pt-BR", "BRL", "R$\u00a01.234,50"),
        ("xx-nonsense", "EUR", "€1,234.50"),
    ],
)
def test_amounts_are_written_as_the_language_writes_them(language: str, currency: str, amount: str) -> None:
    facts = proposal([item("A", "1", "1234.5", "0")], language=language, currency=currency)
    assert told(facts)[-1][1] == amount


def test_a_price_of_less_than_a_cent_keeps_its_digits() -> None:
    assert proposal([item("A", "1000", "0.0125")])["table"]["rows"][0]["price"] == "€0.0125"


def test_options_that_are_not_chosen_are_shown_and_not_counted() -> None:
    facts = proposal([item("A", "1", "100", "0"), item("B", "1", "50", "0", optional=True, chosen=False)])
    assert [row["chosen"] for row in facts["table"]["rows"]] == [True, False]
    assert facts["notes"] == ["Options that are not ticked are not part of the total."]
    assert told(facts) == [("Total", "€100.00")]


def test_a_draft_says_so_and_has_no_fingerprint() -> None:
    assert proposal([], draft=True)["draft"] == "Draft"
    assert proposal([], draft=True)["fingerprint"] is None
    assert proposal([])["draft"] is None
    assert proposal([])["fingerprint"] == f"SHA-256 {SHA256}"


def test_our_words_are_in_the_language_of_the_document() -> None:
    assert proposal([], language="de")["name"] == "Angebot"
    assert proposal([], language="de")["details"][-1] == {"label": "Gültig bis", "value": "1. April 2026"}
    assert proposal([], language="ja")["name"] == "見積書"
    assert proposal([], language="ko")["name"] == "Proposal"
    assert proposal([], language="ja")["details"][-1]["value"] == "2026年4月1日"


def test_words_in_another_direction_are_not_turned_round() -> None:
    facts = proposal([item("A", "1", "100")], language="fa")
    assert facts["direction"] == "rtl"
    assert facts["caption"] == "\u2066\u2066Proposal\u2069 P-1\u2069"
    assert told(facts)[1][0].startswith("\u2066\u206819%\u2069 tax on \u2068")
    assert proposal([], language="de")["direction"] == "ltr"


def test_a_number_in_a_sentence_from_right_to_left_keeps_its_order() -> None:
    facts = proposal([item("A", "12", "100")], language="he")
    assert facts["direction"] == "rtl"
    assert facts["caption"] == "הצעת מחיר \u2068P-1\u2069"
    assert facts["table"]["rows"][0]["quantity"] == "\u206812\u2069"
    assert told(facts)[1][0].startswith("מע״מ בשיעור \u2068")


def test_a_contract_shows_who_signed_and_where_the_others_may() -> None:
    lines, sums = reckoned([item("A", "1", "100"), item("B", "1", "5", optional=True, chosen=False)])
    signed = Signature(
        name="Jürgen Groß", at=datetime(2026, 3, 4, 9, 30, tzinfo=UTC), sha256=SHA256, address="192.0.2.7"
    )
    facts = document_facts.contract(
        language="de",
        number="C-1",
        title="Software",
        on=date(2026, 3, 4),
        starts_on=date(2026, 4, 1),
        ends_on=None,
        proposal_number="P-1",
        parties=PARTIES,
        sections=[{"heading": "Nutzen", "text": "- eins\n- zwei", "need": "Tempo", "difference": None}],
        items=lines,
        sums=sums,
        terms="Drei Monate.",
        sha256=SHA256,
        signatures={"buyer": signed},
        time_zone="Europe/Berlin",
        look=Look(color="#ffee00"),
    )
    seller, buyer = facts["signatures"]
    assert (seller["party"], seller["name"], seller["sha256"]) == ("Nord GmbH", None, None)
    assert (buyer["party"], buyer["name"], buyer["sha256"]) == ("Müller KG", "Jürgen Groß", SHA256)
    assert buyer["lines"] == ["Elektronisch unterschrieben am 4. März 2026, 10:30 MEZ", "Von der Adresse 192.0.2.7"]
    assert [row["name"] for row in facts["table"]["rows"]] == ["A"]
    assert facts["sections"][0]["asides"] == [{"label": "Was Sie brauchen", "text": [{"lines": ["Tempo"]}]}]


def test_an_invoice_says_what_to_pay_and_where() -> None:
    lines, sums = reckoned([item("A", "1", "100")])
    bank = replace(PARTIES, seller={**PARTIES.seller, "bank": "Sparkasse\nIBAN DE02"})
    said: dict[str, Any] = {
        "language": "en",
        "number": "I-9",
        "title": "Software",
        "on": date(2026, 3, 4),
        "due_on": date(2026, 3, 18),
        "parties": bank,
        "items": lines,
        "sums": sums,
        "terms": None,
        "sha256": None,
        "look": Look(),
    }
    invoice = document_facts.invoice(**said, instalment=(1, 3), credited=None, reason=None)
    assert invoice["payment"] == {
        "text": ["Please pay €119.00 by 18 March 2026.", "Please name I-9 with your payment."],
        "label": "Bank details",
        "bank": ["Sparkasse", "IBAN DE02"],
    }
    assert {"label": "Instalment", "value": "1 of 3"} in invoice["details"]
    credit = document_facts.invoice(**said, instalment=None, credited="I-3", reason="Too many")
    assert (credit["name"], credit["payment"]) == ("Credit note", None)
    assert {"label": "Credits invoice", "value": "I-3"} in credit["details"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, []),
        ("  \n ", []),
        ("one\ntwo\n\nthree", [{"lines": ["one", "two"]}, {"lines": ["three"]}]),
        ("For you:\r\n- a\r\n* b\n\n• c", [{"lines": ["For you:"]}, {"items": ["a", "b"]}, {"items": ["c"]}]),
        ("-5 degrees", [{"lines": ["-5 degrees"]}]),
    ],
)
def test_texts_are_paragraphs_and_lists(text: str | None, found: list[Facts]) -> None:
    assert blocks(text) == found


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        (
            {"street": "Kai 1\nHof", "postalCode": "20457", "city": "Hamburg", "country": "DE"},
            ["Kai 1", "Hof", "20457 Hamburg"],
        ),
        (
            {"street": "1 Main St", "postalCode": "94105", "city": "San Francisco", "region": "CA", "country": "US"},
            ["1 Main St", "San Francisco, CA 94105", "Vereinigte Staaten"],
        ),
        ({"city": "Paris"}, ["Paris"]),
        (None, []),
    ],
)
def test_addresses_are_written_as_in_their_country(address: dict[str, str] | None, lines: list[str]) -> None:
    assert formats("de").address(address, home="DE") == lines


def test_paper_is_that_of_the_seller() -> None:
    assert paper("US") == "us-letter"
    assert paper("DE") == paper(None) == "a4"


@pytest.mark.parametrize("color", ["#ffffff", "#ffee00", "#000000", "#1f5f8b", "#ff0000"])
def test_colours_are_darkened_until_they_can_be_read(color: str) -> None:
    dark = readable(color)
    assert document_facts._contrast([int(dark[place : place + 2], 16) for place in (1, 3, 5)]) >= 4.5
    assert readable(dark) == dark


def test_lines_are_taken_from_rows_and_from_what_invoices_keep() -> None:
    kept = {
        "name": "A",
        "quantity": "2",
        "unit_price": "10.5",
        "amount": "21",
        "tax_rate": "19",
        "discount_percent": "5",
    }
    taken = Item.of(kept)
    assert (taken.quantity, taken.discount_percent, taken.counts) == (Decimal(2), Decimal(5), True)
    assert Item.of(taken) == taken
    assert not Item.of({**kept, "optional": True, "chosen": False}).counts
