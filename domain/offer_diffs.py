"""How two offers differ, term by term, in money and in words; and what is left between both sides.

Each difference says what it alone is worth: how much more the earlier offer would come to with this one term of the
later. Those need not add up to the whole, since a discount on the whole takes its part of everything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from babel.numbers import format_currency, format_decimal, format_percent

from domain import concessions
from domain.concessions import Concession
from domain.offer_terms import Basis, FreeTerm, LineTerms, TermKind, Terms
from domain.words import Words
from models.proposals import ProposalLine

HUNDRED = Decimal(100)
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TermDifference:
    """A term that differs, in words before and after, and how much that alone moves the price: None where it does not.

    `worth` is what it is worth to the seller, net: what it moves, or what they priced it at; None where they did not.
    """

    kind: TermKind
    key: str
    line_key: UUID | None
    label: str
    before: str
    after: str
    amount: Decimal | None
    worth: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDiff:
    """How a later offer differs from an earlier one; `amount` is how much more it comes to.

    `worth` is how much more it is worth to the seller, net of tax and of what it concedes beside the price.
    """

    terms: tuple[TermDifference, ...]
    amount: Decimal
    worth: Decimal
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """The earlier terms with one term of the later."""

    kind: TermKind
    key: str
    line: ProposalLine | None
    with_it: Terms


def diff(basis: Basis, before: Terms, after: Terms, said: Words, *, prepared: Sequence[Concession] = ()) -> OfferDiff:
    """Return how offers on the same version differ, in the lines' order; `prepared` is what the seller has priced."""
    totals, ends = basis.totals(before), basis.totals(after)
    began = basis.asked(totals)
    told = Telling(basis, said)
    found = []
    for step in _steps(basis, before, after):
        reached = basis.totals(step.with_it)
        moved = basis.asked(reached) - began
        is_priced = step.kind in concessions.PRICED
        worth = concessions.moved(prepared, step.kind, step.key, before, after) if is_priced else None
        found.append(
            TermDifference(
                kind=step.kind,
                key=step.key,
                line_key=step.line.key if step.line else None,
                label=told.label(step.kind, step.key, step.line, before, after),
                before=told.term(step.kind, step.key, step.line, before),
                after=told.term(step.kind, step.key, step.line, after),
                amount=None if is_priced else moved,
                worth=worth if is_priced else reached.net - totals.net,
            )
        )
    given = concessions.worth(concessions.conceded(prepared, after))
    given -= concessions.worth(concessions.conceded(prepared, before))
    return OfferDiff(
        terms=tuple(found),
        amount=basis.asked(ends) - began,
        worth=ends.net - totals.net - given,
        sentences=tuple(map(told.sentence, found)),
    )


def gap(
    basis: Basis,
    seller: Terms,
    buyer: Terms,
    said: Words,
    *,
    prepared: Sequence[Concession] = (),
    company: str | None = None,
) -> OfferDiff:
    """Return what is left between both sides' last offers: `before` is the seller's, `after` the buyer's.

    With the name of the seller's `company` its words are the buyer's to read.
    """
    left = diff(basis, seller, buyer, said, prepared=prepared)
    told = Telling(basis, said)
    return replace(left, sentences=(told.headline(left), *(told.apart(one, company) for one in left.terms)))


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
        return self.said.signed(format_currency(amount, self.basis.currency, locale=self.said.locale))

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
        facts = {"term": one.label, "before": one.before, "after": one.after}
        if not one.amount:
            return self.said("%(term)s: now %(after)s (before: %(before)s).", **facts)
        amount = self.taxed(self.signed(one.amount))
        return self.said("%(term)s: now %(after)s (before: %(before)s), %(amount)s.", amount=amount, **facts)

    def apart(self, one: TermDifference, company: str | None) -> str:
        """Return what is left between both sides' last offers as a sentence."""
        facts = {"term": one.label, "seller": one.before, "buyer": one.after}
        if company is not None:
            return self.said("%(term)s (%(company)s: %(seller)s; you: %(buyer)s)", company=company, **facts)
        return self.said("%(term)s (seller: %(seller)s; buyer: %(buyer)s)", **facts)

    def headline(self, left: OfferDiff) -> str:
        if not left.terms:
            return self.said("Both sides offer the same.")
        if not left.amount:
            return self.said("Both offers come to the same price.")
        return self.said("The two offers differ by %(amount)s.", amount=self.taxed(self.rounded(abs(left.amount))))

    def taxed(self, amount: str) -> str:
        """Return an amount that both sides speak of, and whether tax is in it."""
        if self.basis.version.tax_inclusive:
            return self.said("%(amount)s including tax", amount=amount)
        return self.said("%(amount)s without tax", amount=amount)

    def signed(self, amount: Decimal) -> str:
        """Return how much more something is, with its sign."""
        return self.rounded(-abs(amount)).replace("-", "+" if amount > 0 else MINUS)


def free_term(terms: Terms, key: str) -> FreeTerm | None:
    """Return a free term by the key of its difference, or its own."""
    return next((term for term in terms.free if key in (term.key, f"{TermKind.FREE.value}:{term.key}")), None)
