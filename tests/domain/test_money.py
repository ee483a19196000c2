"""Money: rounded once, to the minor unit of its currency."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import minor_unit, quantize

CURRENCIES = ("EUR", "JPY", "KWD", "USD")
amounts = st.decimals(min_value=0, max_value=10**12, places=4)


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
