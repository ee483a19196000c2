"""Colours that people choose are made such that what is written in them can be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.colors import ENOUGH, accent, contrast, parsed

GROUNDS = (("#ffffff", "#f4f5f7"), ("#1b212d", "#12161f"))
COLORS = st.tuples(*[st.integers(0, 255)] * 3).map(lambda rgb: "#{:02x}{:02x}{:02x}".format(*rgb))


@given(COLORS)
def test_every_colour_can_be_read_by_day_and_by_night(color: str) -> None:
    for grounds in GROUNDS:
        made = accent(color, *grounds)
        assert made
        mine, written = parsed(made.color), parsed(made.on_color)
        assert mine and written
        assert all(contrast(mine, ground) >= ENOUGH for name in grounds if (ground := parsed(name)))
        assert contrast(mine, written) >= 4.5


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    made = accent("#0B6E4F", "#ffffff")
    assert made and (made.color, made.on_color) == ("#0b6e4f", "#ffffff")
    own = accent("#ffee00")
    assert own and own.color == "#ffee00"


@pytest.mark.parametrize("value", [None, "", "red", "#fff", "#12345g", "#1234567", "};body{display:none}"])
def test_what_is_no_colour_is_none(value: str | None) -> None:
    assert accent(value, "#ffffff") is None


def test_contrast_is_that_of_wcag() -> None:
    assert contrast((255, 255, 255), (0, 0, 0)) == 21
    assert round(contrast((118, 118, 118), (255, 255, 255)), 2) == 4.54
