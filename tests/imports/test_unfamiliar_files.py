"""Files that nobody has prepared: a mapping is suggested, and columns that mean nothing here become custom fields."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain import imports
from domain.errors import DomainError, Forbidden, Invalid
from domain.imports.errors import AmbiguousDates, AmbiguousNumbers, DuplicateColumn, MappingUnclear, UnknownMappingKey
from domain.imports.guesses import Guess
from domain.imports.mapping import parse
from domain.imports.others import key_of
from domain.imports.suggestions import NothingSuggested
from models.companies import Company
from models.custom_fields import CustomField, CustomFieldType
from models.external_refs import ExternalRef
from models.imports import ImportKind, ImportStatus
from models.leads import Lead, LeadStatus
from models.users import Role
from tests.factories import NOW, custom_field, member
from tests.imports.importing import ROOT, counts, faults, mapping, seller, take, text_of, written

N, D, Y, T = CustomFieldType.NUMBER, CustomFieldType.DATE, CustomFieldType.YES_NO, CustomFieldType.TEXT


def suggested(folder: Path, rows: Any, *, name: str = "Web leads.csv") -> dict[str, Any]:
    return imports.load(imports.suggest(written(folder, rows, name=name), ImportKind.LEADS, name=name))


def test_a_public_set_suggests_how_it_is_taken(tmp_path: Path) -> None:
    header = [
        "Prospect ID",
        "Lead Number",
        "Lead Source",
        "Do Not Call",
        "Converted",
        "Visits",
        "City",
        "Lead Profile",
        "Empty",
    ]
    rows = [[f"a{n}", 900 - n, "Google", "No", n % 2, n % 5, "Select", "select", ""] for n in range(20)]
    found = suggested(tmp_path, [header, *rows])
    assert found == {
        "kind": "leads",
        "system": "web-leads",
        "external_id": "Prospect ID",
        "empty": ["Select"],
        "fields": {
            "source": {"column": "Lead Source", "missing": "create"},
            "status": {"column": "Converted", "values": {"0": "LOST", "1": "WON"}},
        },
        "others": "custom",
        "skip": ["Empty"],
    }
    assert parse(found, kind=ImportKind.LEADS).others


def test_the_documentation_shows_what_its_file_suggests(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "scoring.md").read_text()
    [file] = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    [shown] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert imports.suggest(written(tmp_path, file), ImportKind.LEADS, name="leads.csv") == shown


@pytest.mark.parametrize(
    ("header", "cells", "status"),
    [
        (["poutcome", "y"], [["success", "yes"], ["failure", "no"], ["unknown", "no"]], {"yes": "WON", "no": "LOST"}),
        (["campaign", "y"], [["1", "yes"], ["2", "no"]], {"yes": "WON", "no": "LOST"}),
        (["Is won?", "x"], [["T", "1"], ["f", "0"]], {"T": "WON", "f": "LOST"}),
        (["How it went", "y"], [["Closed Won", "1"], ["CLOSED_LOST", "0"], ["Talking", "1"]],
         {"Closed Won": "WON", "CLOSED_LOST": "LOST", "Talking": "OPEN"}),
        (["Deal", "Result"], [["a", "Success"], ["b", "Junk"]], {"Success": "WON", "Junk": "DISQUALIFIED"}),
        (["Deal", "Outcome"], [["a", "Won"], ["b", "won"]], {"Won": "WON"}),
        (["a", "b"], [["yes", "no"], ["no", "yes"]], None),
        (["Converted", "b"], [["", "no"], ["", "yes"]], None),
    ],
)  # fmt: skip
def test_outcomes_are_known_by_their_words_or_their_name(
    tmp_path: Path, header: list[str], cells: list[list[str]], status: dict[str, str] | None
) -> None:
    fields = suggested(tmp_path, [header, *cells]).get("fields", {})
    assert fields.get("status", {}).get("values") == status
    assert "campaign" not in fields


def test_dates_names_and_amounts_are_known_by_what_columns_are_called(tmp_path: Path) -> None:
    header = ["Deal Name", "AccountName", "Created Date", "Close date", "Amount", "Lead Owner", "Stage", "Ref", "Owner"]
    rows = [
        [f"d{n}", "Acme", "2024-01-02", "03/28/2024", "1,250.50", "Ann", "Won" if n else "Lost", 7, "Bo"]
        for n in range(2)
    ]
    found = suggested(tmp_path, text_of([header, *rows], delimiter=";"))
    assert found["external_id"] == {"by": "line"}
    assert {name: one.get("column") for name, one in found["fields"].items()} == {
        "title": "Deal Name",
        "company": "AccountName",
        "owner": "Owner",
        "value": "Amount",
        "created_at": "Created Date",
        "closed_at": "Close date",
        "status": "Stage",
    }


@pytest.mark.parametrize(
    ("kind", "header", "known_by", "fields", "more"),
    [
        (ImportKind.COMPANIES, "account,sector,Employees,revenue,subsidiary_of,colour", "account",
         {"name": "account", "industry": "sector", "employees": "Employees", "parent": "subsidiary_of"},
         {"others": "custom"}),
        (ImportKind.PRODUCTS, "Product ID,product,series,sales_price", "Product ID",
         {"name": "product", "family": "series", "price": "sales_price"}, {}),
        (ImportKind.USERS, "sales_agent,role,e-mail", "sales_agent", {"name": "sales_agent", "email": "e-mail"}, {}),
    ],
)  # fmt: skip
def test_files_of_other_things_suggest_how_they_are_taken(
    tmp_path: Path, kind: ImportKind, header: str, known_by: str, fields: dict[str, str], more: dict[str, str]
) -> None:
    cells = {"revenue": "high", "Employees": "1,250", "sales_price": "12.50"}
    rows = [[f"{cells.get(one, one)}{'' if one in cells else n}" for one in header.split(",")] for n in range(3)]
    text = imports.suggest(written(tmp_path, [header.split(","), *rows]), kind, name="file.csv")
    found = imports.load(text)
    shown = {name: one["column"] for name, one in found.pop("fields").items()}
    assert shown == fields and found == {"kind": kind.lower(), "system": "file", "external_id": known_by} | more
    assert parse(imports.load(text), kind=kind).columns
    assert ('# Not taken: "role".' in text) is (kind is ImportKind.USERS)


@pytest.mark.usefixtures("db")
async def test_a_file_of_companies_is_taken_without_a_mapping(tmp_path: Path) -> None:
    rows = [["Company", "City", "Employees", "Rating"], ["Acme", "Berlin", "12", "A"], ["Bolt", "Rome", "", "B"]]
    admin = await seller()
    assert counts(await take(admin, ImportKind.COMPANIES, written(tmp_path, rows), {})) == (2, 0, 0, 0)
    acme = await Company.get(workspace_id=admin.workspace_id, name="Acme")
    assert (acme.location, acme.employees, [*acme.custom.values()]) == ("Berlin", 12, ["A"])


def test_nothing_is_suggested_where_no_column_has_the_names_and_what_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingSuggested, match="called as the name of companies"):
        imports.suggest(written(tmp_path, "firm\nA"), ImportKind.COMPANIES, name="a.csv")
    with pytest.raises(DomainError, match="spreadsheet"):
        imports.suggest(written(tmp_path, b"PK\x03\x04rest"), ImportKind.LEADS, name="a.csv")


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "-2.5", "Select", "1,250", "$ 30", "1e-05"], N),
        (["3,450 EUR", "EUR 12.50"], N),
        (["12%", "3.5 %"], N),
        (["$ 30", "30 EUR"], T),
        (["0", "1"], N),
        (["0123", "45"], T),
        (["+49 30 901820"], T),
        (["yes", "No", "unknown"], Y),
        (["2024-01-02", "2024-01-02T10:00:00Z"], D),
        (["31.12.2024", "1.2.2024"], D),
        (["2024-01-02", "soon"], T),
        (["Select", "n/a"], T),
        (["1" * 70], T),
    ],
)
def test_what_a_column_holds_is_told_by_its_cells(cells: list[str], kind: CustomFieldType) -> None:
    guess = Guess()
    for cell in cells:
        guess.see(cell)
    assert guess.type is kind


def test_keys_are_made_of_what_columns_are_called() -> None:
    long = "What matters most to you in choosing a course"
    first = key_of(long, (), default="column_1")
    assert first == "what_matters_most_to_you_in_choosing_a_c"
    assert key_of(long, {first}, default="column_1") == "what_matters_most_to_you_in_choosing_a_2"
    assert [key_of(name, (), default="column_3") for name in ("Größe (m²)", "年齢", "2nd call", "emp.var.rate")] == [
        "grosse_m2",
        "column_3",
        "column_3_2nd_call",
        "emp_var_rate",
    ]


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"others": "all"}, MappingUnclear),
        ({"skip": "City"}, MappingUnclear),
        ({"external_id": {"by": "row"}}, MappingUnclear),
        ({"external_id": {"of": "line"}}, UnknownMappingKey),
    ],
)
def test_what_the_mapping_says_of_other_columns_is_checked(more: dict[str, Any], error: type[DomainError]) -> None:
    with pytest.raises(DomainError) as raised:
        parse({"system": "web", "external_id": "id"} | more, kind=ImportKind.LEADS)
    found = raised.value.faults if isinstance(raised.value, Invalid) else [raised.value]
    assert type(found[0]) is error
    with pytest.raises(UnknownMappingKey):
        parse(
            {"system": "web", "external_id": "id", "fields": {"name": "n"}, "others": "custom"}, kind=ImportKind.USERS
        )


OTHERS = mapping(
    """
    system: web
    external_id: id
    empty: [Select]
    fields: {status: {column: won, values: {"1": WON, "0": LOST}}, closed_at: {constant: "2024-06-30"}}
    others: custom
    skip: [junk]
    """
)
HEADER = ["id", "won", "City", "Visits", "Since", "Opted out", "Job title", "", "junk"]
ROWS = [
    ["1", "1", "Select", "3.123456789012", "31.12.2023", "Yes", "Chief", "a", "x"],
    ["2", "0", " Rome ", "n/a", "1.2.2024", "no", "select", "b", "y"],
    ["3", "", "Oslo", "-", "", "unknown", "", "c", "z"],
]


@pytest.mark.usefixtures("db")
async def test_columns_that_no_mapping_names_become_custom_fields_as_they_are(tmp_path: Path) -> None:
    admin = await seller()
    known = await custom_field(admin, "role", label="job  Title")
    row = await take(admin, ImportKind.LEADS, written(tmp_path, [HEADER, *ROWS]), OTHERS)
    assert counts(row) == (3, 0, 0, 0)
    fields = {field.label: field for field in await CustomField.filter(workspace_id=admin.workspace_id)}
    assert {label: (field.key, field.type) for label, field in fields.items()} == {
        "job  Title": ("role", T),
        "City": ("city", T),
        "Visits": ("visits", N),
        "Since": ("since", D),
        "Opted out": ("opted_out", Y),
        "Column 8": ("column_8", T),
    }
    said = await values(admin.workspace_id, fields)
    first = {"Visits": "3.12345679", "Since": "2023-12-31", "Opted out": True, "job  Title": "Chief", "Column 8": "a"}
    assert said["1"] == first
    assert said["2"] == {"City": "Rome", "Since": "2024-02-01", "Opted out": False, "Column 8": "b"}
    assert said["3"] == {"City": "Oslo", "Column 8": "c"}
    statuses = {lead.title: lead.status for lead in await Lead.filter(workspace_id=admin.workspace_id)}
    assert statuses == {"1": LeadStatus.WON, "2": LeadStatus.LOST, "3": LeadStatus.OPEN}

    again = await take(admin, ImportKind.LEADS, written(tmp_path, [HEADER, *ROWS], name="b.csv"), OTHERS)
    assert counts(again) == (0, 0, 3, 0)
    changed = [[*ROWS[0][:3], "many", *ROWS[0][4:]], [*ROWS[1][:2], "Bari", *ROWS[1][3:]]]
    newer = await take(admin, ImportKind.LEADS, written(tmp_path, [HEADER, *changed], name="c.csv"), OTHERS)
    assert counts(newer) == (0, 1, 0, 1)
    assert (await faults(newer))[0][:3] == (2, "Visits", "many")
    assert (await values(admin.workspace_id, fields))["2"]["City"] == "Bari"
    assert await CustomField.filter(workspace_id=admin.workspace_id).count() == len(fields)
    assert known.id in {field.id for field in fields.values()}


async def values(workspace_id: Any, fields: dict[str, CustomField]) -> dict[str, dict[str, Any]]:
    """Return what each lead has in custom fields, by its id in the file and their labels."""
    refs = {ref.subject_id: ref.external_id for ref in await ExternalRef.filter(workspace_id=workspace_id)}
    labels = {field.id.hex: label for label, field in fields.items()}
    leads = await Lead.filter(workspace_id=workspace_id)
    return {refs[lead.id]: {labels[key]: value for key, value in lead.custom.items()} for lead in leads}


@pytest.mark.usefixtures("db")
async def test_rows_without_ids_and_dates_are_known_by_their_lines_and_of_the_imports_instant(tmp_path: Path) -> None:
    admin = await seller()
    path = written(tmp_path, [["Kind", "y"], ["a", ""], ["a", "yes"], ["b", "no"]], name="bank.csv")
    for created, unchanged in ((3, 0), (0, 3)):
        row = await take(admin, ImportKind.LEADS, path, {}, chunk_size=1)
        assert (row.status, *counts(row)) == (ImportStatus.COMPLETED, created, 0, unchanged, 0)
    assert row.mapping["external_id"] == {"by": "line"}

    async def stand() -> dict[str, tuple[str, datetime, datetime | None]]:
        leads = await Lead.filter(workspace_id=admin.workspace_id)
        return {lead.title: (lead.status, lead.created_at, lead.closed_at) for lead in leads}

    assert await stand() == {"2": ("OPEN", NOW, None), "3": ("WON", NOW, NOW), "4": ("LOST", NOW, NOW)}
    # What a newer file has closed is closed when that is taken; what was closed keeps its instant.
    path, later = written(tmp_path, [["Kind", "y"], ["a", "yes"], ["a", "yes"], ["c", "no"]]), NOW + timedelta(days=9)
    row = await take(admin, ImportKind.LEADS, path, row.mapping, now=later)
    assert counts(row) == (0, 2, 1, 0)
    assert await stand() == {"2": ("WON", NOW, later), "3": ("WON", NOW, NOW), "4": ("LOST", NOW, NOW)}


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("rows", "error", "why"),
    [
        ([["id", "won", "A", "A"], ["1", "1", "x", "y"]], DuplicateColumn, "more than one column A"),
        ([["id", "won", "", ""], ["1", "1", "x", "y"]], DuplicateColumn, "without a name"),
        ([["id", "won", "Since"], ["1", "1", "3/4/2024"]], AmbiguousDates, "in Since"),
        ("id;won;Size\n1;1;1.234\n", AmbiguousNumbers, "in Size"),
    ],
)
async def test_columns_that_can_be_read_in_two_ways_are_named(
    tmp_path: Path, rows: list[list[str]] | str, error: type[DomainError], why: str
) -> None:
    admin = await seller()
    given = OTHERS | {"skip": []}
    with pytest.raises(error, match=why):
        await take(admin, ImportKind.LEADS, written(tmp_path, rows), given)
    assert not await CustomField.filter(workspace_id=admin.workspace_id).count()


@pytest.mark.usefixtures("db")
async def test_who_may_make_no_fields_imports_into_those_that_there_are(tmp_path: Path) -> None:
    admin = await seller()
    manager = await member(Role.MANAGER, of=admin)
    path, given = written(tmp_path, [["id", "won", "City"], ["1", "1", "Rome"]]), OTHERS | {"skip": []}
    with pytest.raises(Forbidden):
        await take(manager, ImportKind.LEADS, path, given)
    await custom_field(admin, "city")
    assert counts(await take(manager, ImportKind.LEADS, path, given)) == (1, 0, 0, 0)
