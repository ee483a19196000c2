"""Instalments and credit notes: whatever is divided, and how often, no cent comes or goes, of any tax rate."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import minor_unit
from domain.pricing import Line, total
from domain.shares import InstalmentsDiffer, InstalmentTooSmall, RateSum, Share, amounts, less, part, rates_of, total_of
from models.selling import Rounding

CURRENCIES = ("EUR", "JPY", "KWD")
lines = st.lists(
    st.builds(
        Line,
        quantity=st.integers(1, 20).map(Decimal),
        unit_price=st.decimals(min_value=0, max_value=10**6, places=2),
        tax_rate=st.sampled_from(["0", "7", "19", "25.5"]).map(Decimal),
    ),
    min_size=1,
    max_size=6,
)
currencies = st.sampled_from(CURRENCIES)


def rates(given: list[Line], currency: str, *, inclusive: bool = False) -> tuple[RateSum, ...]:
    made = total(given, currency=currency, tax_inclusive=inclusive)
    return tuple(RateSum(one.rate, one.net, one.tax) for one in made.rates)


def is_paid_whole(rates: tuple[RateSum, ...], currency: str) -> bool:
    unit = minor_unit(currency)
    return all(amount == amount.quantize(unit) for one in rates for amount in (one.net, one.tax))


@given(
    lines, st.lists(st.integers(1, 97), min_size=1, max_size=24), st.booleans(), currencies, st.sampled_from(Rounding)
)
def test_instalments_add_up_at_every_rate_and_none_asks_for_less_than_nothing(
    given: list[Line], weights: list[int], inclusive: bool, currency: str, rounding: Rounding
) -> None:
    asked = rates(given, currency, inclusive=inclusive)
    whole = total_of(asked)
    percents = [(Decimal(weight) * 100 / sum(weights)).quantize(Decimal("0.001")) for weight in weights[:-1]]
    shares = [Share(percent) for percent in percents] + [Share(100 - sum(percents, Decimal(0)))]
    try:
        plan = amounts(whole, shares, currency=currency, rounding=rounding)
    except InstalmentTooSmall:
        return

    left, parts = asked, []
    for amount in plan:
        parts.append(part(left, amount, currency=currency))
        left = less(left, parts[-1])

    assert sum(plan) == whole
    assert [total_of(one) for one in parts] == plan
    assert all(one.net == one.tax == 0 for one in left)
    assert all(one.net >= 0 and one.tax >= 0 for rates in parts for one in rates)
    assert all(is_paid_whole(rates, currency) for rates in parts)
    unit = minor_unit(currency)
    for share, amount in list(zip(shares, plan, strict=True))[:-1]:
        assert share.percent is not None
        assert abs(amount - whole * share.percent / 100) <= unit / 2


@given(lines, st.lists(st.integers(0, 1000), max_size=12), currencies)
def test_credits_in_any_parts_never_take_more_of_a_rate_than_was_asked(
    given: list[Line], parts: list[int], currency: str
) -> None:
    left = asked = rates(given, currency)
    unit, taken = minor_unit(currency), Decimal(0)
    for thousandth in [*parts, 1000]:
        amount = (total_of(left) * thousandth / 1000 / unit).to_integral_value() * unit
        credited = part(left, amount, currency=currency)
        left, taken = less(left, credited), taken + amount
        assert total_of(credited) == amount
        assert all(one.net >= 0 and one.tax >= 0 for one in left)

    assert taken == total_of(asked)
    assert total_of(left) == 0


@pytest.mark.parametrize(
    ("total", "shares", "expected"),
    [
        ("100", [Share(Decimal("33.333")), Share(Decimal("33.333")), Share(Decimal("33.334"))], "33.33 33.33 33.34"),
        ("0.99", [Share(Decimal(25))] * 4, "0.25 0.25 0.25 0.24"),
        ("119", [Share(amount=Decimal("19.05")), Share()], "19.05 99.95"),
        ("119", [Share(percent=Decimal(50)), Share(amount=Decimal("59.5"))], "59.50 59.5"),
        ("119", [Share(amount=Decimal(100)), Share(amount=Decimal(19))], "100 19"),
    ],
)
def test_the_last_instalment_takes_what_rounding_leaves(total: str, shares: list[Share], expected: str) -> None:
    plan = amounts(Decimal(total), shares, currency="EUR", rounding=Rounding.HALF_UP)

    assert plan == [Decimal(amount) for amount in expected.split()]


@pytest.mark.parametrize(
    ("shares", "error"),
    [
        ([Share(Decimal(50)), Share(Decimal(49))], InstalmentsDiffer),
        ([Share(Decimal(50)), Share(Decimal(51))], InstalmentsDiffer),
        ([Share(amount=Decimal(100)), Share(amount=Decimal("19.01"))], InstalmentsDiffer),
        ([Share(), Share(amount=Decimal(19))], InstalmentsDiffer),
        ([Share(amount=Decimal(119)), Share()], InstalmentTooSmall),
        ([Share(amount=Decimal(0)), Share()], InstalmentTooSmall),
        ([Share(amount=Decimal(120)), Share()], InstalmentTooSmall),
        ([Share(Decimal("0.001")), Share()], InstalmentTooSmall),
    ],
)
def test_instalments_that_come_to_something_else_are_refused(shares: list[Share], error: type[Exception]) -> None:
    with pytest.raises(error):
        amounts(Decimal(119), shares, currency="EUR", rounding=Rounding.HALF_EVEN)


def test_rows_keep_sums_of_rates_as_they_were() -> None:
    kept = RateSum(Decimal("19.000"), Decimal("100.0000"), Decimal("19.0000"))

    assert kept.facts() == {"rate": "19", "net": "100", "tax": "19"}
    assert rates_of([kept.facts()]) == (kept,)
