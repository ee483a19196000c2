"""How two offers differ, term by term, in money and in words; and what is left between both sides.

Each difference says what it alone is worth: how much more the earlier offer would come to with this one term of the
later. Those need not add up to the whole, since a discount on the whole takes its part of everything.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from babel.numbers import format_currency, format_decimal, format_percent

from domain.offer_terms import Basis, FreeTerm, LineTerms, Terms
from domain.words import Words
from models.proposals import ProposalLine

HUNDRED = Decimal(100)
MINUS = "\N{MINUS SIGN}"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TermDifference:
    """A term that differs: in words before and after, and what that alone is worth; None where it moves no money."""

    kind: TermKind
    key: str
    line_key: UUID | None
    label: str
    before: str
    after: str
    amount: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDiff:
    """How a later offer differs from an earlier one; `amount` is how much more it comes to."""

    terms: tuple[TermDifference, ...]
    amount: Decimal
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """The earlier terms with one term of the later."""

    kind: TermKind
    key: str
    line: ProposalLine | None
    with_it: Terms


def diff(basis: Basis, before: Terms, after: Terms, said: Words) -> OfferDiff:
    """Return how offers on the same version differ, in the lines' order."""
    began = basis.asked(basis.totals(before))
    told = Telling(basis, said)
    found = []
    for step in _steps(basis, before, after):
        moved = basis.asked(basis.totals(step.with_it)) - began
        found.append(
            TermDifference(
                kind=step.kind,
                key=step.key,
                line_key=step.line.key if step.line else None,
                label=told.label(step.kind, step.key, step.line, before, after),
                before=told.term(step.kind, step.key, step.line, before),
                after=told.term(step.kind, step.key, step.line, after),
                amount=moved if moved or step.kind not in WITHOUT_MONEY else None,
            )
        )
    amount = basis.asked(basis.totals(after)) - began
    return OfferDiff(terms=tuple(found), amount=amount, sentences=tuple(map(told.sentence, found)))


def gap(basis: Basis, seller: Terms, buyer: Terms, said: Words) -> OfferDiff:
    """Return what is left between both sides' last offers: `before` is the seller's, `after` the buyer's."""
    left, told = diff(basis, seller, buyer, said), Telling(basis, said)
    return replace(left, sentences=(told.headline(left), *map(told.apart, left.terms)))


WITHOUT_MONEY = frozenset({TermKind.DELIVERY, TermKind.PAYMENT, TermKind.FREE})


def _steps(basis: Basis, before: Terms, after: Terms) -> Iterator[_Step]:
    for place, line in enumerate(basis.lines):
        mine, theirs = before.lines[place], after.lines[place]
        for kind, names in OF_LINE.items():
            given = {name: getattr(theirs, name) for name in names}
            if given != {name: getattr(mine, name) for name in names}:
                lines = list(before.lines)
                lines[place] = replace(mine, **given)
                yield _Step(kind, f"{kind.value}:{line.key}", line, replace(before, lines=tuple(lines)))
    for kind, names in OF_WHOLE.items():
        given = {name: getattr(after, name) for name in names}
        if given != {name: getattr(before, name) for name in names}:
            yield _Step(kind, kind.value, None, replace(before, **given))
    old, new = ({term.key: term for term in terms.free} for terms in (before, after))
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield _Step(TermKind.FREE, f"{TermKind.FREE.value}:{key}", None, before)


OF_LINE = {
    TermKind.OPTION: ("chosen",),
    TermKind.QUANTITY: ("quantity",),
    TermKind.UNIT_PRICE: ("unit_price",),
    TermKind.LINE_DISCOUNT: ("discount_percent", "discount_amount"),
}
OF_WHOLE = {
    TermKind.DISCOUNT: ("discount_percent", "discount_amount"),
    TermKind.DELIVERY: ("delivery_on", "delivery"),
    TermKind.PAYMENT: ("payment_days", "payment"),
}


@dataclass(frozen=True, slots=True)
class Telling:
    """Says terms and their differences in a language."""

    basis: Basis
    said: Words

    def money(self, amount: Decimal) -> str:
        """Return an amount of the proposal's currency as it is written."""
        return format_currency(amount, self.basis.currency, locale=self.said.locale, decimal_quantization=False)

    def rounded(self, amount: Decimal) -> str:
        """Return a sum, with as many decimals as its currency has."""
        return format_currency(amount, self.basis.currency, locale=self.said.locale)

    def percent(self, value: Decimal) -> str:
        return format_percent(value / HUNDRED, locale=self.said.locale, decimal_quantization=False)

    def number(self, value: Decimal) -> str:
        return format_decimal(value, locale=self.said.locale, decimal_quantization=False)

    def label(self, kind: TermKind, key: str, line: ProposalLine | None, *terms: Terms) -> str:
        said, name = self.said, line.name if line else ""
        match kind:
            case TermKind.OPTION:
                return said("Option: %(name)s", name=name)
            case TermKind.QUANTITY:
                return said("Quantity: %(name)s", name=name)
            case TermKind.UNIT_PRICE:
                return said("Unit price: %(name)s", name=name)
            case TermKind.LINE_DISCOUNT:
                return said("Discount: %(name)s", name=name)
            case TermKind.DISCOUNT:
                return said("Discount on everything")
            case TermKind.DELIVERY:
                return said("Delivery")
            case TermKind.PAYMENT:
                return said("Payment")
            case TermKind.FREE:
                return next(one.label for each in reversed(terms) if (one := free_term(each, key)))

    def term(self, kind: TermKind, key: str, line: ProposalLine | None, terms: Terms) -> str:
        """Return a term of an offer in words."""
        mine = next((one for one in terms.lines if line and one.key == line.key), None)
        if line is not None and mine is not None:
            return self.of_line(kind, line, mine)
        match kind:
            case TermKind.DISCOUNT:
                return self.discount(terms.discount_percent, terms.discount_amount)
            case TermKind.DELIVERY:
                return self.delivery(terms)
            case TermKind.PAYMENT:
                return self.payment(terms)
        found = free_term(terms, key)
        return found.text if found else self.said("not agreed on")

    def of_line(self, kind: TermKind, line: ProposalLine, terms: LineTerms) -> str:
        match kind:
            case TermKind.OPTION:
                return self.said("included") if terms.chosen else self.said("not included")
            case TermKind.QUANTITY:
                if not terms.quantity:
                    return self.said("left out")
                return f"{self.number(terms.quantity)} {line.unit or ''}".strip()
            case TermKind.UNIT_PRICE:
                return self.price(terms.unit_price)
        return self.discount(terms.discount_percent, terms.discount_amount)

    def price(self, amount: Decimal) -> str:
        """Return a price for one, which may have more decimals than its currency."""
        rounded = self.basis.rounded(amount)
        return self.rounded(amount) if rounded == amount else self.money(amount)

    def discount(self, percent: Decimal | None, amount: Decimal | None) -> str:
        parts = [self.percent(percent)] if percent else []
        return " + ".join([*parts, self.price(amount)] if amount else parts) or self.said("none")

    def delivery(self, terms: Terms) -> str:
        return self._joined(self._on(terms.delivery_on), terms.delivery)

    def payment(self, terms: Terms) -> str:
        return self._joined(self._within(terms.payment_days), terms.payment)

    def _on(self, day: date | None) -> str | None:
        return self.said("on %(day)s", day=self.said.date(day)) if day else None

    def _within(self, days: int | None) -> str | None:
        if days is None:
            return None
        if not days:
            return self.said("at once")
        return self.said.ngettext("within %(number)d day", "within %(number)d days", days) % {"number": days}

    def _joined(self, *parts: str | None) -> str:
        return ", ".join(part for part in parts if part) or self.said("not agreed on")

    def sentence(self, one: TermDifference) -> str:
        """Return a difference between two rounds as a sentence."""
        told = self.said("%(term)s: %(before)s becomes %(after)s.", term=one.label, before=one.before, after=one.after)
        return f"{told} ({self.signed(one.amount)})" if one.amount else told

    def apart(self, one: TermDifference) -> str:
        """Return what is left between both sides' last offers as a sentence."""
        return self.said(
            "%(term)s: the seller offers %(seller)s, the buyer asks for %(buyer)s.",
            term=one.label,
            seller=one.before,
            buyer=one.after,
        )

    def headline(self, left: OfferDiff) -> str:
        if not left.terms:
            return self.said("Both sides offer the same.")
        if not left.amount:
            return self.said("The price is the same on both sides.")
        return self.said("%(amount)s lie between both sides.", amount=self.rounded(abs(left.amount)))

    def signed(self, amount: Decimal) -> str:
        """Return how much more something is, with its sign."""
        return self.rounded(-abs(amount)).replace("-", "+" if amount > 0 else MINUS)


def free_term(terms: Terms, key: str) -> FreeTerm | None:
    """Return a free term by the key of its difference, or its own."""
    return next((term for term in terms.free if key in (term.key, f"{TermKind.FREE.value}:{term.key}")), None)
