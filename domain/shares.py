"""Parts of what is owed, exact to the cent: instalments and credit notes, for each tax rate by itself.

A part is divided over the tax rates by what is left of each, and within a rate into net and tax in the same way. So no
part takes more than there is, the last one takes exactly what is left, and all parts of a rate add up to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from domain.errors import DomainError
from domain.money import minor_unit
from domain.pricing import EXACT, MODES, split
from models.selling import Rounding

ZERO, HUNDRED = Decimal(0), Decimal(100)


class InstalmentsDiffer(DomainError):
    """The instalments come to {sum} of {total}: leave the last one open to take what is left."""


class InstalmentTooSmall(DomainError):
    """An instalment would come to {amount}: every one must ask for something."""


@dataclass(frozen=True, slots=True)
class RateSum:
    """What is asked at one tax rate (in percent)."""

    rate: Decimal
    net: Decimal
    tax: Decimal

    @property
    def total(self) -> Decimal:
        return self.net + self.tax

    def facts(self) -> dict[str, str]:
        """Return it as rows keep it."""
        return {"rate": written(self.rate), "net": written(self.net), "tax": written(self.tax)}


@dataclass(frozen=True, slots=True)
class Share:
    """How much an instalment is: a percent or an amount; neither is what is left, for the last one."""

    percent: Decimal | None = None
    amount: Decimal | None = None


def written(amount: Decimal) -> str:
    """Return a number as JSON keeps it, in one way whatever its places."""
    return format(amount.normalize(), "f")


def rates_of(kept: Iterable[Mapping[str, Any]]) -> tuple[RateSum, ...]:
    """Return the sums of tax rates from how rows keep them."""
    return tuple(RateSum(*(Decimal(str(one[name])) for name in ("rate", "net", "tax"))) for one in kept)


def total_of(rates: Iterable[RateSum]) -> Decimal:
    return sum((one.total for one in rates), ZERO)


def less(rates: Sequence[RateSum], taken: Iterable[RateSum]) -> tuple[RateSum, ...]:
    """Return what is left of each rate."""
    net: dict[Decimal, Decimal] = {}
    tax: dict[Decimal, Decimal] = {}
    for one in taken:
        net[one.rate] = net.get(one.rate, ZERO) + one.net
        tax[one.rate] = tax.get(one.rate, ZERO) + one.tax
    return tuple(
        RateSum(one.rate, one.net - net.get(one.rate, ZERO), one.tax - tax.get(one.rate, ZERO)) for one in rates
    )


def part(left: Sequence[RateSum], amount: Decimal, *, currency: str) -> tuple[RateSum, ...]:
    """Return an amount, with tax, of what is left, at every rate as much as it weighs; of all of it, exactly that."""
    unit = minor_unit(currency)
    amounts = split(amount, [one.total for one in left], unit=unit)
    parts = []
    for one, share in zip(left, amounts, strict=True):
        net, tax = split(share, [one.net, one.tax], unit=unit)
        parts.append(RateSum(one.rate, net, tax))
    return tuple(parts)


def amounts(total: Decimal, shares: Sequence[Share], *, currency: str, rounding: Rounding) -> list[Decimal]:
    """Return what each instalment of a total comes to; the last one takes what rounding leaves.

    Raises InstalmentsDiffer and InstalmentTooSmall.
    """
    unit, percents = minor_unit(currency), [share.percent for share in shares]
    with localcontext(EXACT):
        found = [
            share.amount if share.percent is None else _rounded(total * share.percent / HUNDRED, unit, rounding)
            for share in shares
        ]
        *others, last = found
        known = [amount for amount in others if amount is not None]
        rest = total - sum(known, ZERO)
        fits = len(known) == len(others) and last in (None, rest)
        if None not in percents:
            # What percents come to one by one may be a little more or less than all of them together.
            fits = sum((percent for percent in percents if percent is not None), ZERO) == HUNDRED
    if not fits:
        raise InstalmentsDiffer(field="instalments", sum=written(sum(known, last or ZERO)), total=written(total))
    plan = [*known, rest]
    for amount in plan:
        if amount < unit:
            raise InstalmentTooSmall(field="instalments", amount=written(amount))
    return plan


def _rounded(amount: Decimal, unit: Decimal, rounding: Rounding) -> Decimal:
    return amount.quantize(unit, rounding=MODES[rounding])
