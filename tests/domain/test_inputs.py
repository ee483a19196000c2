"""Checks of single inputs: what is taken as written, and what nobody would see."""

from datetime import date
from decimal import Decimal

import pytest

from domain import inputs
from domain.errors import Faults

PLAIN = [
    "Müller & Söhne – “Nord”",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "हिन्दी क्\u200dष",
    "ශ්\u200dරී ලංකා",
    "👩\u200d💻 ❤️\u200d🔥",
    "\u05e9\u05dc\u05d5\u05dd (Acme)\u200f",
    "\u0627\u0644\u0639\u0631\u0628 \u061c123",
    "日本語",
    "e\u0301",
]
HIDDEN = [
    "a\u202eb",
    "a\u202ab",
    "a\u2066b\u2069",
    "a\u200bb",
    "\ufeffa",
    "a\u2060b",
    "a\u00adb",
    "a\x9fb",
    "Acme\u200e",
    "Ac\u200cme",
    "Ac\u200dme",
    "\u200dAcme",
    "ми\u200cр",
    "\u0645\u06cc\u200c\u200c\u062e\u0648",
    "\u05e9\u05dc\u05d5\u05dd\u202e",
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_name_has_what_its_script_needs(text: str) -> None:
    faults = Faults()
    assert inputs.name(faults, text, field="name") == text
    faults.raise_any()


@pytest.mark.parametrize("text", HIDDEN)
def test_a_name_has_nothing_that_is_not_seen(text: str) -> None:
    faults = Faults()
    inputs.name(faults, text, field="name")
    assert [fault.code for fault in faults] == ["MALFORMED"]
    assert inputs.seen(inputs.seen(text)) == inputs.seen(text) != text


@pytest.mark.parametrize(
    ("text", "number"),
    [("12.50", "12.50"), ("-0.5", "-0.5"), ("+7", "7"), (".5", "0.5"), ("5.", "5"), ("1e3", "1000"), ("1E-7", "1E-7")],
)
def test_a_number_is_written_in_plain_digits(text: str, number: str) -> None:
    assert inputs.decimal(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1_000", "\u0661\u0662", "\uff11\uff12", "NaN", "Infinity", "1,5", " 1", "1 ", "1\n", "0x1"),
        *("--1", ".", "e3", "1e", "1e99999", "1" * 65),
    ],
)
def test_what_is_no_plain_number_is_none(text: str) -> None:
    assert inputs.decimal(text) is None


def test_a_day_is_written_in_plain_digits() -> None:
    assert inputs.iso_day("2026-03-01") == date(2026, 3, 1)
    for text in ("2026-W10-1", "20260301", "2026-060", "2026-02-30", "\uff12026-03-01", "2026-03-01\n", "", 7, None):
        assert inputs.iso_day(text) is None


@pytest.mark.parametrize("blank", ["", " \n", "\u200b", "\u200d \ufeff", "\u200e"])
def test_a_text_in_which_nothing_is_seen_is_none(blank: str) -> None:
    faults = Faults()

    assert inputs.text(faults, blank, field="text") is None
    faults.raise_any()
