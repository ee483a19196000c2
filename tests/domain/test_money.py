"""Money: rounded once, and never added across currencies as it is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import Money, minor_unit, quantize, to_base, totals

CURRENCIES = ("EUR", "JPY", "KWD", "USD")
amounts = st.decimals(min_value=0, max_value=10**12, places=4)
sums = st.lists(st.builds(Money, amounts, st.sampled_from(CURRENCIES)))
RATES = {"EUR": Decimal(1), "USD": Decimal("0.9"), "JPY": Decimal("0.006")}


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("1.005", "EUR", "1.01"),
        ("1.004", "EUR", "1.00"),
        ("-1.005", "EUR", "-1.01"),
        ("0.5", "JPY", "1"),
        ("1.0005", "KWD", "1.001"),
    ],
)
def test_amounts_are_rounded_to_the_minor_unit_halves_away_from_zero(amount: str, currency: str, rounded: str) -> None:
    assert quantize(Decimal(amount), currency) == Decimal(rounded)


@given(amounts, st.sampled_from(CURRENCIES))
def test_rounding_twice_is_rounding_once_and_never_off_by_more_than_half(amount: Decimal, currency: str) -> None:
    once = quantize(amount, currency)

    assert quantize(once, currency) == once
    assert abs(once - amount) <= minor_unit(currency) / 2


@given(sums)
def test_a_sum_stands_beside_the_others_by_currency(given: list[Money]) -> None:
    found = totals(given)

    assert list(found) == sorted({money.currency for money in given})
    for currency, amount in found.items():
        assert amount == sum(money.amount for money in given if money.currency == currency)


@given(sums)
def test_the_base_holds_what_has_a_rate_and_names_what_has_none(given: list[Money]) -> None:
    found = to_base(totals(given), RATES, base="EUR")

    exact = sum((money.amount * RATES[money.currency] for money in given if money.currency in RATES), Decimal(0))
    assert abs(found.amount - exact) <= Decimal("0.005")
    assert found.missing == {money.currency for money in given} - RATES.keys()


def test_nothing_is_zero() -> None:
    assert to_base({}, RATES, base="EUR").amount == 0
