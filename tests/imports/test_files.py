"""Files as people have them: encodings, delimiters, dates and numbers found out, and what is no file of rows."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import DomainError
from domain.imports import files, mapping
from domain.imports.errors import (
    AmbiguousDates,
    AmbiguousNumbers,
    BrokenQuotes,
    CellTooLarge,
    DuplicateColumn,
    EmptyFile,
    LineTooLong,
    MissingColumn,
    NotCsv,
    TooManyColumns,
    UnreadableText,
)
from domain.imports.files import Reading
from domain.imports.formats import Evidence
from models.imports import ImportKind
from tests.imports.importing import text_of, written

MAPPING: dict[str, Any] = {
    "system": "old",
    "external_id": "id",
    "fields": {"title": "title", "value": "value", "closed_at": "closed"},
}
HEADER = ["id", "title", "value", "closed"]
ROWS = [HEADER, ["1", "Müller & Söhne", "12", "2024-05-01"], ["2", "Åse", "7", ""]]


def survey(path: Path, **file: str) -> Reading:
    return files.survey(path, mapping.parse(MAPPING | {"file": file}, kind=ImportKind.LEADS))


def titles(reading: Reading) -> list[str]:
    return [record.cells[1] for record in reading.records()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_found_out(tmp_path: Path, encoding: str, delimiter: str) -> None:
    text = text_of(ROWS, delimiter=delimiter)
    reading = survey(written(tmp_path, text.encode(encoding)))
    assert titles(reading) == ["Müller & Söhne", "Åse"]
    assert (reading.delimiter, reading.rows) == (delimiter, 2)


def test_cyrillic_is_not_taken_for_western(tmp_path: Path) -> None:
    rows = [HEADER] + [[str(n), f"Общество с ограниченной ответственностью номер {n}", "1", ""] for n in range(50)]
    reading = survey(written(tmp_path, text_of(rows).encode("cp1251")))
    assert titles(reading)[0] == "Общество с ограниченной ответственностью номер 0"


def test_an_encoding_that_first_shows_far_down_is_found_out(tmp_path: Path) -> None:
    rows = [HEADER] + [[str(n), "plain", "1", ""] for n in range(100_000)] + [["x", "Größe", "1", ""]]
    reading = survey(written(tmp_path, text_of(rows).encode("cp1252")))
    assert titles(reading)[-1] == "Größe"


def test_what_the_mapping_says_of_the_file_is_followed(tmp_path: Path) -> None:
    path = written(tmp_path, text_of(ROWS, delimiter=";").encode("cp1252"))
    reading = survey(path, encoding="cp1252", delimiter=";", dates="day-first", decimal=",")
    assert (reading.dates, reading.decimal, titles(reading)[0]) == ("day-first", ",", "Müller & Söhne")


def test_quoted_cells_keep_their_lines_and_rows_know_theirs(tmp_path: Path) -> None:
    text = 'id,title,value,closed\r\n1,"two\r\nlines",1,\r\n\r\n2,"say ""hi""",2,\r\n'
    records = list(survey(written(tmp_path, text)).records())
    assert [(record.line, record.cells[1]) for record in records] == [(2, "two\r\nlines"), (5, 'say "hi"')]


XLSX = b"PK\x03\x04" + bytes(200)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", EmptyFile),
        (b"\xef\xbb\xbf", EmptyFile),
        (b"\xff\xfe", EmptyFile),
        (b"\r\n\r\n", EmptyFile),
        (XLSX, NotCsv),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), NotCsv),
        (b"\x00\x01\x02\x03" * 100 + b"\xff\xfe\xfa", NotCsv),
        (b'{"leads": [{"id": 1}]}', MissingColumn),
        (b"<html><body>Sign in</body></html>", MissingColumn),
        (b"id,title\n1,a\n", MissingColumn),
        (b"id,title,value,closed,title\n", DuplicateColumn),
        (",".join(f"c{n}" for n in range(10_000)).encode(), TooManyColumns),
        (b"id,title,value,closed\n1," + b"x" * 5_000_000 + b",1,\n", LineTooLong),
        (b'id,title,value,closed\n1,"' + b"x\n" * 2_500_000 + b'",1,\n', CellTooLarge),
        (b'id,title,value,closed\n1,"never closed,1,\n2,b,2,\n', BrokenQuotes),
        (b'id,title,value,closed\n1,"opened,1,\n2,"b,2,\n', BrokenQuotes),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_what_is_no_file_of_rows_is_refused(tmp_path: Path, content: bytes, error: type[DomainError]) -> None:
    with pytest.raises(error) as refused:
        survey(written(tmp_path, content))
    assert len(str(refused.value)) < 2500


def test_a_wrong_encoding_in_the_mapping_is_told_with_its_line(tmp_path: Path) -> None:
    rows = [HEADER, ["1", "plain", "", ""], ["2", "Größe", "", ""]]
    with pytest.raises(UnreadableText):
        survey(written(tmp_path, text_of(rows).encode("cp1252")), encoding="utf-8")


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["3/4/2024", "3/25/2024"], "month-first"),
        (["3/4/2024", "25/3/2024"], "day-first"),
        (["3.4.2024"], "day-first"),
        (["2024-04-03", "2024/04/03"], "month-first"),
        (["7/7/2024"], "month-first"),
        ([], "month-first"),
        (["1/31/2024"] * 40 + ["31/1/2024"], "month-first"),
    ],
)
def test_the_order_of_dates_is_found_out(tmp_path: Path, cells: list[str], order: str) -> None:
    rows = [HEADER] + [[str(n), "t", "", f"{text}"] for n, text in enumerate(cells)]
    # A cell that was seen counts once, so that every vote is another date.
    if len(cells) > 20:
        rows = [HEADER] + [[str(n), "t", "", f"1/{n}/2024"] for n in range(1, 29)]
        rows += [[f"{n}", "t", "", f"{n}/{day}/2023"] for n in range(1, 10) for day in (20, 21, 22)]
        rows += [["last", "t", "", "31/1/2024"]]
    assert survey(written(tmp_path, rows)).dates == order


@pytest.mark.parametrize("cells", [["3/4/2024", "5/6/2024"], ["25/3/2024", "3/25/2024"]])
def test_dates_that_can_be_read_both_ways_are_asked_about(tmp_path: Path, cells: list[str]) -> None:
    path = written(tmp_path, [HEADER] + [[str(n), "t", "", text] for n, text in enumerate(cells)])
    with pytest.raises(AmbiguousDates) as refused:
        survey(path)
    assert "closed" in str(refused.value)
    assert survey(path, dates="day-first").dates == "day-first"


@pytest.mark.parametrize(
    ("cells", "decimal"),
    [
        (["1,234.50"], "."),
        (["1.234,50"], ","),
        (["12,5"], ","),
        (["0,125"], ","),
        (["1,234,567"], "."),
        (["1.234.567"], ","),
        (["1 234,56 €"], ","),
        (["$1,234.50", "1,234"], "."),
        (["1234", "5"], "."),
    ],
)
def test_the_decimal_separator_is_found_out(tmp_path: Path, cells: list[str], decimal: str) -> None:
    rows = [HEADER] + [[str(n), "t", text, ""] for n, text in enumerate(cells)]
    assert survey(written(tmp_path, rows)).decimal == decimal


def test_numbers_that_can_be_read_both_ways_are_asked_about(tmp_path: Path) -> None:
    path = written(tmp_path, [HEADER, ["1", "t", "1.234", ""]])
    with pytest.raises(AmbiguousNumbers) as refused:
        survey(path)
    assert "value" in str(refused.value)
    assert survey(path, decimal=",").decimal == ","


@settings(max_examples=200, deadline=None)
@given(st.decimals(min_value=0, max_value=10**12, places=2), st.sampled_from([(",", "."), (".", ","), (" ", ",")]))
def test_a_number_is_read_as_it_was_written(value: Any, marks: tuple[str, str]) -> None:
    from domain.imports import formats

    group, decimal = marks
    text = f"{value:,.2f}".replace(",", "_").replace(".", decimal).replace("_", group)
    evidence = Evidence()
    evidence.see_number(text)
    assert evidence.numbers.decide() is (decimal == ".")
    assert formats.numbers(decimal)(text) == value


@settings(max_examples=200, deadline=None)
@given(st.dates(), st.sampled_from(["month-first", "day-first", "year-first"]))
def test_a_day_is_read_as_it_was_written(day: Any, order: str) -> None:
    from domain.imports import formats

    pattern = {
        "month-first": "{m}/{d}/{y:04}",
        "day-first": "{d:02}.{m:02}.{y:04}",
        "year-first": "{y:04}-{m:02}-{d:02}",
    }
    assert formats.days(order)(pattern[order].format(y=day.year, m=day.month, d=day.day)) == day


def test_ids_that_come_twice_are_suspected_and_few_others(tmp_path: Path) -> None:
    rows = [HEADER] + [[str(n), "t", "", ""] for n in range(20_000)] + [["17", "t", "", ""], ["19999", "t", "", ""]]
    reading = survey(written(tmp_path, rows))
    assert {hash("17"), hash("19999")} <= reading.suspects
    assert len(reading.suspects) < 100
