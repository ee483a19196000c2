"""What lines of a proposal, an offer or an invoice come to: the sums of EN 16931, in whole minor units.

Every amount is rounded once, and what is shown adds up. A line is rounded; tax is reckoned once per rate, on what
the rate's lines come to after their share of the discount on the whole. Where tax is included, amounts of lines and
the discount bear it and it is taken out once per rate; the net amounts of lines and discount are given as well, so
that the sums of EN 16931 hold in both ways (BT-131 `net` of a line, BT-106 `lines_net`, BT-107 `discount_net`,
BT-109 `net`, BT-110 `tax`, BT-112 `total`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, localcontext

from domain.money import minor_unit
from models.selling import Rounding as Rounding

ZERO, HUNDRED = Decimal(0), Decimal(100)
PERCENT_PLACES = Decimal("0.0001")
# A quantity, a price and a percent of fifteen and more digits each are multiplied without loss.
EXACT = Context(prec=80)


MODES = {Rounding.HALF_UP: ROUND_HALF_UP, Rounding.HALF_EVEN: ROUND_HALF_EVEN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """A part in percent, and after it an amount; never more than there is."""

    percent: Decimal = ZERO
    amount: Decimal = ZERO

    def off(self, base: Decimal) -> Decimal:
        """Return how much goes off an amount, not yet rounded."""
        return min(base, base * self.percent / HUNDRED + self.amount)


NO_DISCOUNT = Discount()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What is offered: prices for one, the discount for all of them, the tax rate in percent.

    `list_price` is what one costs without any discount; None is `unit_price`. An optional line counts when chosen.
    """

    quantity: Decimal
    unit_price: Decimal
    discount: Discount = NO_DISCOUNT
    tax_rate: Decimal = ZERO
    unit_cost: Decimal | None = None
    list_price: Decimal | None = None
    optional: bool = False
    chosen: bool = False

    @property
    def counts(self) -> bool:
        return self.chosen or not self.optional


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTotal:
    """What a line comes to: `before` less `discount` is `amount`, with tax where that is included; `net` without.

    A line that does not count says what it would come to.
    """

    counts: bool
    before: Decimal
    discount: Decimal
    amount: Decimal
    net: Decimal
    cost: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateTotal:
    """What the lines of one tax rate come to: `subtotal` less `discount`, which is `net` and `tax` together or alone.

    `lines_net` less `discount_net` is `net` (BT-116), `tax` is BT-117, `total` both.
    """

    rate: Decimal
    subtotal: Decimal
    discount: Decimal
    lines_net: Decimal
    discount_net: Decimal
    net: Decimal
    tax: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What all lines come to, in the order of the lines and from the highest rate to the lowest.

    `subtotal` less `discount` is `net`, or `total` where tax is included. `cost` is None where the cost of a line that
    counts is not known, as then `margin` is (net less cost, perhaps below zero). `margin_percent` is of the net, and
    `reduction_percent` says how far it all is below list prices, whatever took it there.
    """

    currency: str
    tax_inclusive: bool
    lines: tuple[LineTotal, ...]
    rates: tuple[RateTotal, ...]
    subtotal: Decimal
    discount: Decimal
    lines_net: Decimal
    discount_net: Decimal
    net: Decimal
    tax: Decimal
    total: Decimal
    cost: Decimal | None
    margin: Decimal | None
    margin_percent: Decimal | None
    reduction_percent: Decimal


@dataclass(frozen=True, slots=True)
class _Rounder:
    unit: Decimal
    mode: str

    def __call__(self, amount: Decimal) -> Decimal:
        return amount.quantize(self.unit, rounding=self.mode)


def total(
    lines: Sequence[Line],
    *,
    discount: Discount = NO_DISCOUNT,
    currency: str,
    tax_inclusive: bool = False,
    rounding: Rounding = Rounding.HALF_UP,
) -> Totals:
    """Return what lines of one currency come to, with a discount on the whole.

    Quantities, prices, costs and amounts must not be negative, nor percents above 100: whoever takes them checks.
    """
    with localcontext(EXACT):
        rounded = _Rounder(minor_unit(currency), MODES[rounding])
        priced = [_priced(line, rounded) for line in lines]
        subtotals: dict[Decimal, Decimal] = defaultdict(lambda: rounded(ZERO))
        for line, (_, amount) in zip(lines, priced, strict=True):
            if line.counts:
                subtotals[line.tax_rate] += amount
        subtotal = sum(subtotals.values(), rounded(ZERO))
        off = rounded(discount.off(subtotal))
        order = sorted(subtotals, reverse=True)
        shares = split(off, [subtotals[rate] for rate in order], unit=rounded.unit)
        rates = tuple(
            _rate(rate, subtotals[rate], share, rounded, inclusive=tax_inclusive)
            for rate, share in zip(order, shares, strict=True)
        )
        nets = _nets(lines, [amount for _, amount in priced], rates, rounded, inclusive=tax_inclusive)
        told = tuple(
            LineTotal(
                counts=line.counts,
                before=before,
                discount=before - amount,
                amount=amount,
                net=net,
                cost=None if line.unit_cost is None else rounded(line.quantity * line.unit_cost),
            )
            for line, (before, amount), net in zip(lines, priced, nets, strict=True)
        )
        net = sum((rate.net for rate in rates), rounded(ZERO))
        cost = _cost(told, rounded)
        margin = None if cost is None else net - cost
        return Totals(
            currency=currency,
            tax_inclusive=tax_inclusive,
            lines=told,
            rates=rates,
            subtotal=subtotal,
            discount=off,
            lines_net=sum((rate.lines_net for rate in rates), rounded(ZERO)),
            discount_net=sum((rate.discount_net for rate in rates), rounded(ZERO)),
            net=net,
            tax=sum((rate.tax for rate in rates), rounded(ZERO)),
            total=sum((rate.total for rate in rates), rounded(ZERO)),
            cost=cost,
            margin=margin,
            margin_percent=None if margin is None or not net else _percent(margin, net),
            reduction_percent=_reduction(lines, subtotal - off),
        )


def as_chosen(line: Line) -> Line:
    """Return a line as if it was chosen."""
    return replace(line, chosen=True)


def split(amount: Decimal, weights: Sequence[Decimal], *, unit: Decimal) -> list[Decimal]:
    """Divide an amount of whole units by weights, losing no unit: the largest remainders get what is left over.

    No part is more than a unit away from its exact share, and where the amount is at most the sum of weights in whole
    units, none exceeds its weight. Equal remainders are served in order. Without any weight, all weigh the same.
    """
    with localcontext(EXACT):
        weighed = list(weights) if any(weights) else [Decimal(1)] * len(weights)
        whole = sum(weighed, ZERO)
        shares = [divmod(abs(amount) / unit * weight, whole) for weight in weighed]
        parts = [part for part, _ in shares]
        left = int(abs(amount) / unit - sum(parts))
        for index in sorted(range(len(shares)), key=lambda index: -shares[index][1])[:left]:
            parts[index] += 1
        return [part * unit if amount > 0 else -part * unit for part in parts]


def _priced(line: Line, rounded: _Rounder) -> tuple[Decimal, Decimal]:
    """Return what a line comes to before and after its discount."""
    before = line.quantity * line.unit_price
    return rounded(before), rounded(before - line.discount.off(before))


def _rate(rate: Decimal, subtotal: Decimal, share: Decimal, rounded: _Rounder, *, inclusive: bool) -> RateTotal:
    after = subtotal - share
    if inclusive:
        lines_net, net = (amount - _included(amount, rate, rounded) for amount in (subtotal, after))
        tax = after - net
    else:
        lines_net, net, tax = subtotal, after, rounded(after * rate / HUNDRED)
    return RateTotal(
        rate=rate,
        subtotal=subtotal,
        discount=share,
        lines_net=lines_net,
        discount_net=lines_net - net,
        net=net,
        tax=tax,
        total=net + tax,
    )


def _included(amount: Decimal, rate: Decimal, rounded: _Rounder) -> Decimal:
    """Return the tax within an amount."""
    return rounded(amount * rate / (HUNDRED + rate))


def _nets(
    lines: Sequence[Line], amounts: Sequence[Decimal], rates: Sequence[RateTotal], rounded: _Rounder, *, inclusive: bool
) -> list[Decimal]:
    """Return each line's amount without tax; those of a rate add up to what the rate's lines come to."""
    if not inclusive:
        return list(amounts)
    nets = [amount - _included(amount, line.tax_rate, rounded) for line, amount in zip(lines, amounts, strict=True)]
    for rate in rates:
        places = [index for index, line in enumerate(lines) if line.counts and line.tax_rate == rate.rate]
        parts = split(rate.lines_net, [amounts[index] for index in places], unit=rounded.unit)
        for index, part in zip(places, parts, strict=True):
            nets[index] = part
    return nets


def _cost(lines: Sequence[LineTotal], rounded: _Rounder) -> Decimal | None:
    cost = rounded(ZERO)
    for line in lines:
        if line.counts:
            if line.cost is None:
                return None
            cost += line.cost
    return cost


def _reduction(lines: Sequence[Line], asked: Decimal) -> Decimal:
    """Return how far what is asked is below list prices, in percent; a price above the list's is a list of its own."""
    listed = sum((line.quantity * max(line.unit_price, line.list_price or ZERO) for line in lines if line.counts), ZERO)
    return _percent(max(ZERO, listed - asked), listed) if listed else ZERO


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (part * HUNDRED / whole).quantize(PERCENT_PLACES, rounding=ROUND_HALF_UP)
