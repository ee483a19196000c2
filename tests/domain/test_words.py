"""What people outside read is said in every language, with the same placeholders."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from domain.mail_kinds import KINDS
from domain.mail_templates import shipped
from domain.words import FOLDER, LANGUAGES, SOURCE, best_accepted, best_language, reads_from_the_right, words
from models.users import Role

ROOT = FOLDER.parent
# By these names Python calls its words.
ISOLATED = re.compile(r"\u2068%\((\w+)\)([sd])\u2069")
LTR = ' dir="ltr"'
NAMES = {"_": None, "said": None, "gettext": None, "ngettext": (1, 2)}
PLACEHOLDER = re.compile(r"%\((\w+)\)([sd])")
OTHERS = [language for language in LANGUAGES if language != SOURCE]


def _of_templates() -> Iterator[tuple[str, ...]]:
    for path in sorted((ROOT / "templates").rglob("*.*")):
        if path.suffix in (".html", ".txt"):
            with path.open("rb") as file:
                for _, name, message, _ in babel_extract(file, list(NAMES), [], {"newstyle_gettext": "true"}):
                    parts = message if isinstance(message, tuple) else (message,)
                    yield tuple(part for part in parts[: 2 if name == "ngettext" else 1] if isinstance(part, str))


def _of_python() -> Iterator[tuple[str, ...]]:
    for folder in ("api", "domain", "workers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            with path.open("rb") as file:
                for _, message, _, _ in extract("python", file, keywords=NAMES):
                    yield message if isinstance(message, tuple) else (message,)


@cache
def english() -> dict[str, tuple[str, ...]]:
    """Return everything that is said, by its first form."""
    found = [*_of_templates(), *_of_python(), *((role.value.lower(),) for role in Role)]
    return {forms[0]: forms for forms in found if forms}


@pytest.mark.parametrize("language", OTHERS)
def test_everything_is_said_in_every_language_and_nothing_else(language: str) -> None:
    said: dict[str, object] = {}
    for path in sorted((FOLDER / language).glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
        for message in catalogue:
            key = message.id if isinstance(message.id, str) else message.id[0]
            if key:
                assert key not in said, f"{path.name} says {key!r} again"
                assert not message.fuzzy, f"{path.name} is not sure of {key!r}"
                said[key] = message.string
    assert english().keys() - said.keys() == set(), "these are missing"
    assert said.keys() - english().keys() == set(), "nobody says these any more"


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_has_the_same_placeholders(language: str) -> None:
    there = words(language)
    for key, forms in english().items():
        # One may be said without its number: a day.
        most = {found for form in forms for found in PLACEHOLDER.findall(form)}
        least = most - {("number", "d"), ("number", "s"), ("num", "d"), ("num", "s")} if len(forms) > 1 else most
        numbers = (0, 1, 2, 3, 11, 100) if len(forms) > 1 else (1,)
        for number in numbers:
            told = there.gettext(key) if len(forms) == 1 else there.ngettext(forms[0], forms[-1], number)
            assert told.strip(), key
            assert least <= set(PLACEHOLDER.findall(told)) <= most, (key, told)
            if reads_from_the_right(language):
                assert ISOLATED.findall(told) == PLACEHOLDER.findall(told), (key, told)
            assert "%" not in PLACEHOLDER.sub("", told).replace("%%", ""), told


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_mail_can_be_sent_in_every_language(kind: str, language: str) -> None:
    mail = shipped(kind, KINDS[kind].sample, language=language, unsubscribe_link="https://crm.example/unsubscribe/t")
    assert mail.subject and "\n" not in mail.subject
    assert "https://crm.example/unsubscribe/t" in mail.text
    turned = ' dir="rtl"' if reads_from_the_right(language) else ""
    assert f'<html lang="{language}"{turned}>' in mail.html
    assert f"<div{turned or LTR} style" in mail.html
    for part in (mail.subject, mail.text, mail.html):
        assert "%(" not in part
        assert "{{" not in part
    if language != SOURCE:
        assert mail.text != shipped(kind, KINDS[kind].sample, language=SOURCE, unsubscribe_link=None).text


def test_times_are_told_on_the_readers_clock() -> None:
    at = datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC)
    assert words("en").moment(at, "UTC") == "2 March 2026, 09:05 UTC"
    assert words("de").moment(at, "Europe/Berlin").startswith("2. März 2026, 10:05 ")
    assert words("en").time(at, "Asia/Kolkata") == "14:35"
    assert words("fr").date(at.date()) == "2 mars 2026"


@pytest.mark.parametrize(
    ("wanted", "best"),
    [(("de-AT",), "de"), (("pt_BR", "en"), "pt"), ((None, "fr"), "fr"), (("xx", None), "en"), ((), "en")],
)
def test_the_first_language_that_we_speak_is_spoken(wanted: tuple[str | None, ...], best: str) -> None:
    assert best_language(*wanted) == best


@pytest.mark.parametrize(
    ("header", "best"),
    [
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("ja;q=0.4, fr;q=0.5, it;q=0.7", "it"),
        ("en-US", "en"),
        ("zh", None),
        ("iw, he-IL;q=0.9", "he"),
        ("de;q=0, es", "es"),
        ("", None),
        ("de;q=x", None),
        (",,;q=,*", None),
        ("x" * 100_000, None),
    ],
)
def test_a_browser_says_which_language_it_likes(header: str, best: str | None) -> None:
    assert best_accepted(header) == best


def test_a_minus_stands_before_its_digits_in_lines_from_right_to_left() -> None:
    amount = Decimal("-498.9")
    told = [words(language).money(amount, "EUR") for language in ("he", "ar", "ja")]
    assert ["\N{LEFT-TO-RIGHT MARK}-498.90" in one for one in told] == [True, True, False]
    assert told[-1] == "-€498.90"


def test_arabic_counts_in_six_forms_and_japanese_in_one() -> None:
    said = [words("ar").ngettext("within %(number)d day", "within %(number)d days", n) for n in (0, 1, 2, 3, 11, 100)]
    assert len(set(said)) == 6
    assert words("he").ngettext("within %(number)d day", "within %(number)d days", 2) == "בתוך יומיים"
    assert words("ja").ngettext("within %(number)d day", "within %(number)d days", 2) % {"number": 2} == "2日以内"


def test_languages_that_are_written_from_the_right_are_known() -> None:
    assert [reads_from_the_right(tag) for tag in ("ar", "he-IL", "de", "zz-nonsense")] == [True, True, False, False]


def test_the_folder_holds_the_languages_that_we_speak() -> None:
    assert sorted(path.name for path in Path(FOLDER).iterdir()) == sorted(OTHERS)
