"""What a document says, as plain text in its language: all that a template is given, and nothing that it reckons."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from domain.document_formats import Formats, formats, paper
from domain.pricing import Totals

Facts = dict[str, Any]
BULLET = re.compile(r"\s*[-*•‣\u2013]\s+(\S.*)")
BLANK = re.compile(r"\n\s*\n")
ACCENT = "#1f5f8b"
READABLE_CONTRAST = 4.5
PAGES = "{page} / {pages}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a workspace's documents look, and whether this one is a draft."""

    color: str | None = None
    draft: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line as a document shows it, its amount as it was reckoned; what is optional counts where it is chosen."""

    name: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    tax_rate: Decimal
    description: str | None = None
    unit: str | None = None
    discount_percent: Decimal | None = None
    discount_amount: Decimal | None = None
    optional: bool = False
    chosen: bool = True

    @classmethod
    def of(cls, line: Any) -> "Item":
        """Return a row of a proposal, or what an invoice keeps of one."""
        given: Mapping[str, Any] = (
            line if isinstance(line, Mapping) else {name: getattr(line, name, None) for name in cls.__slots__}
        )
        return cls(
            name=str(given["name"]),
            description=given.get("description"),
            unit=given.get("unit"),
            quantity=Decimal(given["quantity"]),
            unit_price=Decimal(given["unit_price"]),
            amount=Decimal(given["amount"]),
            tax_rate=Decimal(given["tax_rate"]),
            discount_percent=_number(given.get("discount_percent")),
            discount_amount=_number(given.get("discount_amount")),
            optional=bool(given.get("optional")),
            chosen=given.get("chosen") is not False,
        )

    @property
    def counts(self) -> bool:
        return self.chosen or not self.optional


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What the lines of one tax rate come to."""

    rate: Decimal
    net: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What a document comes to; `subtotal` and `discount` bear tax where that is included."""

    currency: str
    tax_inclusive: bool
    subtotal: Decimal
    discount: Decimal
    net: Decimal
    tax: Decimal
    total: Decimal
    rates: Sequence[Rate]
    discount_percent: Decimal | None = None

    @classmethod
    def of(cls, totals: Totals, *, percent: Decimal | None) -> "Sums":
        """Return what totals say, of which the discount is so many percent, where it is a percentage."""
        return cls(
            currency=totals.currency,
            tax_inclusive=totals.tax_inclusive,
            subtotal=totals.subtotal,
            discount=totals.discount,
            net=totals.net,
            tax=totals.tax,
            total=totals.total,
            rates=[Rate(rate=each.rate, net=each.net, tax=each.tax) for each in totals.rates],
            discount_percent=percent,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who signed for a side, when, from where and what."""

    name: str
    at: datetime
    sha256: str
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Seller and buyer as a document keeps them: a buyer's name is a person's, who may be with a company."""

    seller: Mapping[str, Any]
    buyer: Mapping[str, Any]

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Parties":
        return cls(seller=kept.get("seller") or {}, buyer=kept.get("buyer") or {})


def proposal(
    *,
    language: str,
    number: str,
    title: str,
    version: int,
    on: date,
    valid_until: date | None,
    parties: Parties,
    sections: Iterable[Mapping[str, Any]],
    items: Sequence[Item],
    sums: Sums,
    terms: str | None,
    sha256: str | None,
    look: Look,
) -> Facts:
    """Return what a version of a proposal says."""
    told = formats(language)
    said = told.said
    details = [
        (said("Number"), number),
        (said("Version"), told.words.number(Decimal(version)) if version > 1 else None),
        (said("Date"), told.words.date(on)),
        (said("Valid until"), _day(told, valid_until)),
    ]
    return {
        **_frame(told, "PROPOSAL", said("Proposal"), number, title, parties, look),
        "buyer": _buyer(told, said("Prepared for"), parties),
        "details": _details(details),
        "sections": [_section(told, each) for each in sections],
        "table": _table(told, items, sums),
        "totals": _totals(told, sums),
        "notes": _notes(told, items),
        "terms": _terms(told, terms),
        "closing": {"heading": said("Acceptance"), "text": said("We accept this proposal.")},
        "signatures": [_signature(told, _buyer_name(parties), None)],
        "fingerprint": _fingerprint(sha256),
    }


def contract(
    *,
    language: str,
    number: str,
    title: str,
    on: date,
    starts_on: date | None,
    ends_on: date | None,
    proposal_number: str,
    parties: Parties,
    sections: Iterable[Mapping[str, Any]],
    items: Sequence[Item],
    sums: Sums,
    terms: str | None,
    sha256: str,
    signatures: Mapping[str, Signature],
    time_zone: str | None,
    look: Look,
) -> Facts:
    """Return what a contract says; `signatures` are those that there are, by `seller` and `buyer`."""
    told = formats(language)
    said = told.said
    details = [
        (said("Number"), number),
        (said("Date"), told.words.date(on)),
        (said("Proposal"), proposal_number),
        (said("Begins on"), _day(told, starts_on)),
        (said("Ends on"), _day(told, ends_on)),
    ]
    sides = (("seller", str(parties.seller.get("name") or "")), ("buyer", _buyer_name(parties)))
    return {
        **_frame(told, "CONTRACT", said("Contract"), number, title, parties, look),
        "buyer": _buyer(told, said("Customer"), parties),
        "details": _details(details),
        "sections": [_section(told, each) for each in sections],
        "table": _table(told, [item for item in items if item.counts], sums),
        "totals": _totals(told, sums),
        "notes": [],
        "terms": _terms(told, terms),
        "closing": {"heading": said("Signatures"), "text": None},
        "signatures": [_signature(told, name, signatures.get(side), time_zone) for side, name in sides],
        "fingerprint": _fingerprint(sha256),
    }


def invoice(
    *,
    language: str,
    number: str | None,
    title: str,
    on: date | None,
    due_on: date | None,
    instalment: tuple[int, int] | None,
    credited: str | None,
    reason: str | None,
    parties: Parties,
    items: Sequence[Item],
    sums: Sums,
    terms: str | None,
    sha256: str | None,
    look: Look,
) -> Facts:
    """Return what an invoice says or, where it names the number of the invoice that is `credited`, a credit note."""
    told = formats(language)
    said = told.said
    part = instalment and said("%(number)s of %(count)s", number=instalment[0], count=instalment[1])
    details = [
        (said("Number"), number),
        (said("Date"), _day(told, on)),
        (said("Due date"), _day(told, due_on)),
        (said("Instalment"), part),
        (said("Credits invoice"), credited),
        (said("Reason"), reason),
    ]
    name = said("Invoice") if credited is None else said("Credit note")
    return {
        **_frame(told, "INVOICE" if credited is None else "CREDIT_NOTE", name, number or "", title, parties, look),
        "buyer": _buyer(told, said("Bill to"), parties),
        "details": _details(details),
        "sections": [],
        "table": _table(told, [item for item in items if item.counts], sums),
        "totals": _totals(told, sums),
        "notes": [],
        "payment": _payment(told, number, sums, due_on, parties) if credited is None else None,
        "terms": _terms(told, terms),
        "closing": None,
        "signatures": [],
        "fingerprint": _fingerprint(sha256),
    }


def _frame(told: Formats, kind: str, name: str, number: str, title: str, parties: Parties, look: Look) -> Facts:
    address = parties.seller.get("address") or {}
    return {
        "kind": kind,
        "language": told.language,
        "region": told.region,
        "direction": "rtl" if told.right_to_left else "ltr",
        "paper": paper(address.get("country") or told.region),
        "accent": look.color or ACCENT,
        "ink": readable(look.color or ACCENT),
        "draft": told.said("Draft") if look.draft else None,
        "name": name,
        "number": number,
        "caption": _caption(told, name, number),
        "title": told.isolated(title),
        "seller": _seller(told, parties),
        "page": told.left_to_right(PAGES),
    }


def _caption(told: Formats, name: str, number: str) -> str:
    if not number:
        return name
    if told.words.language == told.language:
        return f"{name} {told.isolated(number)}"
    return told.left_to_right(f"{name} {number}")


def _seller(told: Formats, parties: Parties) -> Facts:
    seller = parties.seller
    number = seller.get("tax_number")
    return {
        "name": told.isolated(seller.get("name") or ""),
        "lines": told.address(seller.get("address")),
        "contact": [told.left_to_right(seller[part]) for part in ("email", "phone", "website") if seller.get(part)],
        "tax_number": told.said("Tax number %(number)s", number=number) if number else None,
        "bank": _bank(told, parties),
    }


def _buyer(told: Formats, label: str, parties: Parties) -> Facts:
    buyer = parties.buyer
    home = (parties.seller.get("address") or {}).get("country")
    number = buyer.get("tax_number")
    person = buyer.get("name") if buyer.get("company") else None
    lines = [person and told.isolated(person), *told.address(buyer.get("address"), home=home)]
    lines.append(told.said("Tax number %(number)s", number=number) if number else None)
    return {"label": label, "name": told.isolated(_buyer_name(parties)), "lines": [line for line in lines if line]}


def _buyer_name(parties: Parties) -> str:
    return str(parties.buyer.get("company") or parties.buyer.get("name") or "")


def _section(told: Formats, section: Mapping[str, Any]) -> Facts:
    asides = [
        (told.said("What you need"), section.get("need")),
        (told.said("What sets us apart"), section.get("difference")),
    ]
    return {
        "heading": told.isolated(section.get("heading") or ""),
        "text": _prose(told, section.get("text")),
        "asides": [{"label": label, "text": _prose(told, text)} for label, text in asides if text],
    }


def _table(told: Formats, items: Sequence[Item], sums: Sums) -> Facts:
    said = told.said
    rows = [_row(told, place, item, sums) for place, item in enumerate(items, start=1)]
    columns = [
        ("number", said("No.")),
        ("text", said("Description")),
        ("quantity", said("Quantity")),
        ("price", said("Unit price")),
        ("discount", said("Discount")),
        ("tax", said("Tax")),
        ("amount", said("Amount")),
    ]
    # A column in which nothing is said is left out; one tax rate for all is told with the totals.
    used = {"number", "text", "quantity", "price", "amount"}
    used |= {"discount"} if any(row["discount"] for row in rows) else set()
    used |= {"tax"} if len({item.tax_rate for item in items}) > 1 else set()
    return {"columns": [{"key": key, "label": label} for key, label in columns if key in used], "rows": rows}


def _row(told: Formats, place: int, item: Item, sums: Sums) -> Facts:
    taken = [
        told.words.percent(item.discount_percent) if item.discount_percent else None,
        told.words.money(item.discount_amount, sums.currency) if item.discount_amount else None,
    ]
    return {
        "number": told.words.number(Decimal(place)),
        "name": told.isolated(item.name),
        "text": _prose(told, item.description),
        "quantity": told.isolated(" ".join(filter(None, (told.words.number(item.quantity), item.unit)))),
        "price": told.words.money(item.unit_price, sums.currency),
        "discount": " + ".join(part for part in taken if part),
        "tax": told.words.percent(item.tax_rate),
        "amount": told.words.money(item.amount, sums.currency),
        "optional": told.said("Optional") if item.optional else None,
        "chosen": item.counts,
    }


def _totals(told: Formats, sums: Sums) -> list[Facts]:
    """Return the rows below the lines, each of which follows from those above it."""
    said = told.said

    def row(label: str, amount: Decimal, strength: str = "plain") -> Facts:
        return {"label": label, "amount": told.words.money(amount, sums.currency), "strength": strength}

    off = said("Discount")
    if sums.discount_percent:
        off = f"{off} ({told.words.percent(sums.discount_percent)})"
    taxed = bool(sums.tax) or len(sums.rates) > 1
    rows = []
    if sums.discount or (taxed and not sums.tax_inclusive):
        rows.append(row(said("Subtotal"), sums.subtotal))
    if sums.discount:
        rows.append(row(off, -sums.discount))
    if sums.discount and taxed and not sums.tax_inclusive:
        rows.append(row(said("Net"), sums.net))
    taxes = []
    for rate in sums.rates if taxed else ():
        facts = {"rate": told.words.percent(rate.rate), "amount": told.words.money(rate.net, sums.currency)}
        label = said("Including %(rate)s tax on %(amount)s", **facts) if sums.tax_inclusive else None
        taxes.append(row(label or said("%(rate)s tax on %(amount)s", **facts), rate.tax, "faint"))
    whole = row(said("Total"), sums.total, "whole")
    return [*rows, whole, *taxes] if sums.tax_inclusive else [*rows, *taxes, whole]


def _notes(told: Formats, items: Sequence[Item]) -> list[str]:
    left = any(not item.counts for item in items)
    return [told.said("Options that are not ticked are not part of the total.")] if left else []


def _payment(told: Formats, number: str | None, sums: Sums, due_on: date | None, parties: Parties) -> Facts:
    said = told.said
    amount = told.words.money(sums.total, sums.currency)
    asked = said("Please pay %(amount)s by %(day)s.", amount=amount, day=told.words.date(due_on)) if due_on else None
    named = said("Please name %(number)s with your payment.", number=number) if number else None
    return {
        "text": [line for line in (asked, named) if line],
        "label": said("Bank details"),
        "bank": _bank(told, parties),
    }


def _terms(told: Formats, terms: str | None) -> Facts | None:
    found = blocks(terms)
    return {"heading": told.said("Terms"), "text": found} if found else None


def _signature(told: Formats, party: str, signed: Signature | None, zone: str | None = None) -> Facts:
    said = told.said
    lines = []
    if signed:
        lines.append(said("Signed electronically on %(moment)s", moment=told.words.moment(signed.at, zone)))
        if signed.address:
            lines.append(said("From the address %(address)s", address=signed.address))
    return {
        "party": told.isolated(party),
        "name": told.isolated(signed.name) if signed else None,
        "lines": lines,
        "sha256": signed.sha256 if signed else None,
        "blanks": [said("Place and date"), said("Name"), said("Signature")],
    }


def _day(told: Formats, day: date | None) -> str | None:
    return told.words.date(day) if day else None


def _details(pairs: Iterable[tuple[str, str | None]]) -> list[Facts]:
    return [{"label": label, "value": value} for label, value in pairs if value]


def _fingerprint(sha256: str | None) -> str | None:
    return f"SHA-256 {sha256}" if sha256 else None


def blocks(text: str | None) -> list[Facts]:
    """Return a text as paragraphs and lists: lines that begin with a dash or the like are a list's."""
    found: list[Facts] = []
    for part in BLANK.split((text or "").replace("\r\n", "\n").strip()):
        for line in part.splitlines():
            bullet = BULLET.fullmatch(line)
            key, value = ("items", [bullet[1]]) if bullet else ("lines", [line.strip()])
            if found and key in found[-1] and found[-1]["open"]:
                found[-1][key] += value
            elif line.strip():
                found.append({key: value, "open": True})
        for each in found:
            each["open"] = False
    return [{key: value for key, value in each.items() if key != "open"} for each in found]


def _prose(told: Formats, text: str | None) -> list[Facts]:
    return [{key: [told.isolated(line) for line in lines] for key, lines in each.items()} for each in blocks(text)]


def _bank(told: Formats, parties: Parties) -> list[str]:
    lines = str(parties.seller.get("bank") or "").splitlines()
    return [told.isolated(line.strip()) for line in lines if line.strip()]


def _number(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def readable(color: str) -> str:
    """Return a colour dark enough for text on white: a contrast of 4.5 as WCAG 2 reckons it."""
    channels = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    while _contrast(channels) < READABLE_CONTRAST:
        channels = [int(channel * 0.95) for channel in channels]
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def _contrast(channels: Sequence[int]) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (c / 255 for c in channels)
    ]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)
