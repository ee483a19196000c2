"""The terms of an offer: always a whole set, whatever of it was given, and what they come to.

What an offer does not say is as in the round before. A line that is given the quantity 0 is dropped.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson

from domain import inputs, pricing, proposal_lines
from domain.errors import DomainError, Faults, Malformed, OutOfRange
from domain.money import quantize, whole_units
from domain.pricing import Line, Totals
from domain.proposal_lines import DiscountTooHigh
from domain.unset import UNSET, Unset
from models.proposals import ProposalLine, ProposalVersion

MOST_QUANTITY = Decimal("99999999999.9999")
MOST_FREE_TERMS = 20
LONGEST_WORDS = 1_000
LONGEST_FREE_TERM = 5_000
MOST_PAYMENT_DAYS = 3_650
HUNDRED = Decimal(100)
# What an offer says of a line.
OFFERED = ("quantity", "unit_price", "discount_percent", "discount_amount", "chosen")


class TermKind(StrEnum):
    """What a term is about."""

    UNIT_PRICE = "UNIT_PRICE"
    QUANTITY = "QUANTITY"
    LINE_DISCOUNT = "LINE_DISCOUNT"
    OPTION = "OPTION"
    DISCOUNT = "DISCOUNT"
    DELIVERY = "DELIVERY"
    PAYMENT = "PAYMENT"
    FREE = "FREE"


class UnknownLine(DomainError):
    """This proposal has no line with the key "{key}"."""


class LineGivenTwice(DomainError):
    """The line {name} is given twice."""


class LineNotOptional(DomainError):
    """{name} is no option that can be left: give it the quantity 0 to drop it."""


class OfferEmpty(DomainError):
    """Nothing is left of this offer: break the negotiation off instead."""


class TwoDiscounts(DomainError):
    """A discount is a percentage or an amount: give one of the two."""


class TooManyTerms(DomainError):
    """An offer has at most {limit} free terms, not {count}."""


class TermGivenTwice(DomainError):
    """Two free terms have the key {key}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTerms:
    """What is offered of a line: how much of it, for what price, less what; an option counts where it is chosen."""

    key: UUID
    quantity: Decimal
    unit_price: Decimal
    discount_percent: Decimal | None = None
    discount_amount: Decimal | None = None
    chosen: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeTerm:
    """Whatever else is agreed on; its key is the same in every round."""

    key: str
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A whole set of terms, with lines in the proposal's order."""

    lines: tuple[LineTerms, ...]
    discount_percent: Decimal | None = None
    discount_amount: Decimal | None = None
    delivery_on: date | None = None
    delivery: str | None = None
    payment_days: int | None = None
    payment: str | None = None
    free: tuple[FreeTerm, ...] = ()

    @property
    def sha256(self) -> str:
        """Return the hash of their canonical form: the JSON of `dump` with its keys in order."""
        return hashlib.sha256(orjson.dumps(dump(self), option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChange:
    """What an offer says of a line; what is UNSET is as in the round before, None is no discount.

    A key that is no UUID is one that no line has.
    """

    key: UUID | str
    quantity: Decimal | Unset = UNSET
    unit_price: Decimal | Unset = UNSET
    discount_percent: Decimal | Unset | None = UNSET
    discount_amount: Decimal | Unset | None = UNSET
    chosen: bool | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsChange:
    """What an offer says; what is UNSET is as in the round before, None clears. Free terms are given whole."""

    lines: Sequence[LineChange] = ()
    discount_percent: Decimal | Unset | None = UNSET
    discount_amount: Decimal | Unset | None = UNSET
    delivery_on: date | Unset | None = UNSET
    delivery: str | Unset | None = UNSET
    payment_days: int | Unset | None = UNSET
    payment: str | Unset | None = UNSET
    free: Sequence[FreeTerm] | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The version that is negotiated about: whose lines they are, and how it is reckoned."""

    version: ProposalVersion
    lines: tuple[ProposalLine, ...]

    @property
    def currency(self) -> str:
        return self.version.currency

    def line(self, key: UUID | str) -> ProposalLine | None:
        return next((line for line in self.lines if line.key == key), None)

    def totals(self, terms: Terms) -> Totals:
        """Return what terms come to; reductions are those from list prices, or from this version's own."""
        return pricing.total(
            [_line(line, mine) for line, mine in zip(self.lines, terms.lines, strict=True)],
            discount=proposal_lines.discount_of(terms.discount_percent, terms.discount_amount),
            currency=self.currency,
            tax_inclusive=self.version.tax_inclusive,
            rounding=self.version.rounding,
        )

    def rounded(self, amount: Decimal) -> Decimal:
        return quantize(amount, self.currency)

    def asked(self, totals: Totals) -> Decimal:
        """Return the amount that both sides speak of: with tax where prices include it, else without."""
        return totals.total if self.version.tax_inclusive else totals.net

    def drawn_up(self, terms: Terms) -> tuple[dict[str, Any], list[ProposalLine]]:
        """Return what a version of these terms says otherwise, as columns, and its lines; what is dropped is gone."""
        columns = {"discount_percent": terms.discount_percent, "discount_amount": terms.discount_amount}
        lines = []
        for line, mine in zip(proposal_lines.copied(self.lines), terms.lines, strict=True):
            line.update_from_dict({name: getattr(mine, name) for name in OFFERED})
            if mine.quantity:
                lines.append(line)
        for position, line in enumerate(lines):
            line.position = position
        return columns, lines


async def basis_of(version_id: UUID) -> Basis:
    """Return a version with its lines."""
    lines = await proposal_lines.of(version_id)
    return Basis(version=await ProposalVersion.get(id=version_id), lines=tuple(lines))


def first_terms(basis: Basis, *, payment_days: int | None) -> Terms:
    """Return the terms of a version as it was sent; it is paid when the workspace's invoices are."""
    return Terms(
        lines=tuple(
            LineTerms(
                key=line.key,
                quantity=_plain(line.quantity),
                unit_price=_plain(line.unit_price),
                discount_percent=_plain_or_none(line.discount_percent),
                discount_amount=_plain_or_none(line.discount_amount),
                chosen=line.chosen or not line.optional,
            )
            for line in basis.lines
        ),
        discount_percent=_plain_or_none(basis.version.discount_percent),
        discount_amount=_plain_or_none(basis.version.discount_amount),
        payment_days=payment_days,
    )


def changed(faults: Faults, basis: Basis, before: Terms, change: TermsChange, *, field: str = "terms") -> Terms:
    """Check what an offer says and return it as a whole set of terms, filled from the round before."""
    terms = replace(
        before,
        lines=_lines(faults, basis, before, change.lines, field=f"{field}.lines"),
        **_off(faults, basis, before, change, field=field),
        **_words(faults, before, change, field=field),
        free=before.free if isinstance(change.free, Unset) else _free(faults, change.free, field=f"{field}.free"),
    )
    if change.discount_amount is not UNSET and not any(faults):
        _check_discount(faults, basis, terms, field=f"{field}.discountAmount")
    return terms


def _check_discount(faults: Faults, basis: Basis, terms: Terms, *, field: str) -> None:
    """Check that a discount on the whole is no more than all lines and options come to."""
    whole = basis.totals(replace(terms, lines=tuple(replace(line, chosen=True) for line in terms.lines))).subtotal
    if terms.discount_amount is not None and terms.discount_amount > whole:
        faults.add(DiscountTooHigh(amount=whole, currency=basis.currency, field=field))


def _lines(
    faults: Faults, basis: Basis, before: Terms, changes: Sequence[LineChange], *, field: str
) -> tuple[LineTerms, ...]:
    lines = {line.key: line for line in before.lines}
    seen: set[UUID] = set()
    for place, change in enumerate(changes):
        path, line = f"{field}.{place}", basis.line(change.key)
        if line is None:
            faults.add(UnknownLine(key=change.key, field=f"{path}.key"))
        elif line.key in seen:
            faults.add(LineGivenTwice(name=line.name, field=f"{path}.key"))
        else:
            seen.add(line.key)
            lines[line.key] = _line_terms(faults, basis, line, lines[line.key], change, field=path)
    return tuple(lines[line.key] for line in before.lines)


def _line_terms(
    faults: Faults, basis: Basis, line: ProposalLine, before: LineTerms, change: LineChange, *, field: str
) -> LineTerms:
    if change.chosen is False and not line.optional:
        faults.add(LineNotOptional(name=line.name, field=f"{field}.chosen"))
    price = None if isinstance(change.unit_price, Unset) else change.unit_price
    price = inputs.money(faults, price, field=f"{field}.unitPrice")
    terms = LineTerms(
        key=line.key,
        quantity=_quantity(faults, change.quantity, before.quantity, f"{field}.quantity"),
        unit_price=before.unit_price if price is None else _plain(price),
        **_off(faults, basis, before, change, field=field),
        chosen=before.chosen if isinstance(change.chosen, Unset) else change.chosen,
    )
    whole = terms.quantity * terms.unit_price
    if change.discount_amount is not UNSET and terms.discount_amount is not None and terms.discount_amount > whole:
        faults.add(DiscountTooHigh(amount=_plain(whole), currency=basis.currency, field=f"{field}.discountAmount"))
    return terms


def _quantity(faults: Faults, value: Decimal | Unset, before: Decimal, field: str) -> Decimal:
    if isinstance(value, Unset):
        return before
    if not value.is_finite() or not 0 <= value <= MOST_QUANTITY:
        faults.add(OutOfRange(field=field, least=0, most=MOST_QUANTITY))
        return before
    if value != value.quantize(Decimal("0.0001")):
        faults.add(Malformed(field=field, what="a quantity with at most four decimals"))
        return before
    return _plain(value)


def percent(faults: Faults, value: Decimal | None, *, field: str, least: int = 0) -> Decimal | None:
    """Check a percentage with at most three decimals, up to 100; one of nothing is none."""
    if value is None:
        return None
    if not value.is_finite() or not least <= value <= HUNDRED:
        faults.add(OutOfRange(field=field, least=least, most=100))
        return None
    if value != value.quantize(Decimal("0.001")):
        faults.add(Malformed(field=field, what="a percentage with at most three decimals"))
        return None
    return _plain(value)


def _off(
    faults: Faults, basis: Basis, before: LineTerms | Terms, change: LineChange | TermsChange, *, field: str
) -> dict[str, Any]:
    """Return a discount as columns: the one that is given takes the place of the other."""
    share, amount = change.discount_percent, change.discount_amount
    found: dict[str, Any] = {"discount_percent": before.discount_percent, "discount_amount": before.discount_amount}
    if not isinstance(share, Unset):
        found["discount_percent"] = percent(faults, share, field=f"{field}.discountPercent") or None
    if not isinstance(amount, Unset):
        checked = inputs.money(faults, amount, field=f"{field}.discountAmount")
        if checked is not None:
            whole_units(faults, checked, basis.currency, field=f"{field}.discountAmount")
        found["discount_amount"] = _plain_or_none(checked)
    if found["discount_percent"] and found["discount_amount"]:
        if isinstance(share, Unset):
            found["discount_percent"] = None
        elif isinstance(amount, Unset):
            found["discount_amount"] = None
        else:
            faults.add(TwoDiscounts(field=f"{field}.discountAmount"))
    return found


def _words(faults: Faults, before: Terms, change: TermsChange, *, field: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not isinstance(change.delivery_on, Unset):
        found["delivery_on"] = inputs.day(faults, change.delivery_on, field=f"{field}.deliveryOn")
    if not isinstance(change.payment_days, Unset):
        found["payment_days"] = inputs.whole(
            faults, change.payment_days, field=f"{field}.paymentDays", least=0, most=MOST_PAYMENT_DAYS
        )
    for name in ("delivery", "payment"):
        value: str | Unset | None = getattr(change, name)
        if not isinstance(value, Unset):
            found[name] = inputs.text(faults, value, field=f"{field}.{name}", limit=LONGEST_WORDS)
    return found


def _free(faults: Faults, terms: Sequence[FreeTerm], *, field: str) -> tuple[FreeTerm, ...]:
    if len(terms) > MOST_FREE_TERMS:
        faults.add(TooManyTerms(limit=MOST_FREE_TERMS, count=len(terms), field=field))
        return ()
    kept: dict[str, FreeTerm] = {}
    for place, term in enumerate(terms):
        path = f"{field}.{place}"
        key = inputs.name(faults, term.key, field=f"{path}.key", limit=64)
        if key in kept:
            faults.add(TermGivenTwice(key=key, field=f"{path}.key"))
        label = inputs.name(faults, term.label, field=f"{path}.label")
        if text := inputs.text(faults, term.text, field=f"{path}.text", limit=LONGEST_FREE_TERM):
            kept[key] = FreeTerm(key=key, label=label, text=text)
    return tuple(kept.values())


def check_whole(basis: Basis, terms: Terms) -> Totals:
    """Return what terms come to; raises OfferEmpty where no line is left that counts, and OutOfRange."""
    lines = zip(basis.lines, terms.lines, strict=True)
    if not any(mine.quantity and (mine.chosen or not line.optional) for line, mine in lines):
        raise OfferEmpty(field="terms.lines")
    totals = basis.totals(terms)
    if max(totals.subtotal, totals.total) > inputs.MOST_MONEY:
        raise OutOfRange(field="terms.lines", least=0, most=inputs.MOST_MONEY)
    return totals


def _line(line: ProposalLine, terms: LineTerms) -> Line:
    return Line(
        quantity=terms.quantity,
        unit_price=terms.unit_price,
        discount=proposal_lines.discount_of(terms.discount_percent, terms.discount_amount),
        tax_rate=line.tax_rate,
        unit_cost=line.unit_cost,
        list_price=line.unit_price if line.list_price is None else line.list_price,
        optional=line.optional,
        chosen=terms.chosen,
    )


def _plain(value: Decimal) -> Decimal:
    """Return a number in one way of writing it, so that equal terms are written alike."""
    return Decimal(format(value.normalize(), "f"))


def _plain_or_none(value: Decimal | None) -> Decimal | None:
    return _plain(value) if value else None


def dump(terms: Terms) -> dict[str, Any]:
    """Return terms as JSON: amounts, quantities and days as text."""
    told = asdict(terms)
    told["lines"] = [_written(line) for line in told["lines"]]
    told["free"] = list(told["free"])
    return _written(told)


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Decimal | date | UUID) else value for name, value in values.items()}


def load(told: Mapping[str, Any]) -> Terms:
    """Return terms from their JSON."""
    return Terms(
        lines=tuple(
            LineTerms(
                key=UUID(line["key"]),
                quantity=Decimal(line["quantity"]),
                unit_price=Decimal(line["unit_price"]),
                discount_percent=_decimal(line["discount_percent"]),
                discount_amount=_decimal(line["discount_amount"]),
                chosen=line["chosen"],
            )
            for line in told["lines"]
        ),
        discount_percent=_decimal(told["discount_percent"]),
        discount_amount=_decimal(told["discount_amount"]),
        delivery_on=date.fromisoformat(told["delivery_on"]) if told["delivery_on"] else None,
        delivery=told["delivery"],
        payment_days=told["payment_days"],
        payment=told["payment"],
        free=tuple(FreeTerm(**term) for term in told["free"]),
    )


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
