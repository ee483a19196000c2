"""Mappings: what is readable, and what is told of what is not."""

import re
from typing import Any

import pytest

from domain import imports
from domain.errors import DomainError, Invalid
from domain.imports.mapping import FIELDS, parse
from models.imports import ImportKind
from tests.imports.importing import EXAMPLES, ROOT

GOOD: dict[str, Any] = {"system": "old", "external_id": "id", "fields": {"title": "title"}}


def refusals(data: dict[str, Any], kind: ImportKind = ImportKind.LEADS) -> list[str]:
    try:
        parse(data, kind=kind)
    except Invalid as error:
        return [f"{fault.code} {fault}" for fault in error.faults]
    except DomainError as error:
        return [f"{error.code} {error}"]
    return []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("accounts", ImportKind.COMPANIES),
        ("products", ImportKind.PRODUCTS),
        ("teams", ImportKind.USERS),
        ("pipeline", ImportKind.LEADS),
    ],
)
def test_the_examples_are_good(name: str, kind: ImportKind) -> None:
    checked = parse(imports.load((EXAMPLES / f"{name}.yaml").read_text()), kind=kind)
    assert checked.system == "maven"


def test_the_documentation_shows_a_good_mapping_and_every_field() -> None:
    text = (ROOT / "docs" / "importing.md").read_text()
    [example] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    checked = parse(imports.load(example), kind=ImportKind.LEADS)
    assert checked.fields["stage"].targets["won"].closed_from == "Negotiation"
    for kind, fields in FIELDS.items():
        [listed] = re.findall(rf"^\| {kind.lower()} \| (.*) \|$", text, re.MULTILINE)
        assert listed.replace("*", "").split(", ") == list(fields)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"system": None}, "MAPPING_INCOMPLETE The mapping lacks system."),
        ({"external_id": ""}, "MAPPING_INCOMPLETE The mapping lacks external_id."),
        ({"fields": {"titel": "title"}}, "UNKNOWN_IMPORT_FIELD The mapping fills titel, which leads do not have"),
        ({"colour": "red"}, "UNKNOWN_MAPPING_KEY The mapping has colour under the mapping"),
        ({"fields": {"value": {"column": "v", "facotr": "2"}}}, "UNKNOWN_MAPPING_KEY The mapping has facotr under"),
        ({"fields": {"value": {"column": "v", "factor": "x"}}}, "MAPPING_UNCLEAR The mapping says x for"),
        ({"fields": {"value": {"column": "v", "factor": "NaN"}}}, "MAPPING_UNCLEAR The mapping says NaN for"),
        ({"fields": {"value": {"column": "v", "constant": "1"}}}, "exactly one of column, constant and join"),
        ({"fields": {"title": {"join": ["company", "nonsense"]}}}, "MAPPING_UNCLEAR"),
        ({"fields": {"title": ["a", "b"]}}, "where a column, or keys with values is wanted"),
        ({"fields": "title"}, "where keys with values is wanted"),
        ({"fields": {"owner": {"column": "o", "missing": "guess"}}}, "one of create, fault, empty"),
        ({"fields": {"stage": {"column": "s", "values": {"a": {"status": "GONE"}}}}}, "one of OPEN, WON, LOST"),
        ({"file": {"dates": "sometimes"}}, "MAPPING_UNCLEAR The mapping says sometimes for file.dates"),
        ({"file": {"encoding": "utf-9"}}, "MAPPING_UNCLEAR The mapping says utf-9 for file.encoding"),
        ({"file": {"encoding": "hex"}}, "MAPPING_UNCLEAR The mapping says hex for file.encoding"),
        ({"file": {"delimiter": "::"}}, "MAPPING_UNCLEAR The mapping says :: for file.delimiter"),
        ({"file": {"time_zone": "Mars/Base"}}, "MAPPING_UNCLEAR The mapping says Mars/Base for file.time_zone"),
        ({"kind": "products"}, "IMPORT_KIND_MISMATCH The mapping is for products, not for leads."),
    ],
)
def test_a_faulty_mapping_says_what_is_wrong(change: dict[str, Any], said: str) -> None:
    [told] = refusals(GOOD | change)
    assert said in told


def test_all_faults_of_a_mapping_are_told_at_once() -> None:
    told = refusals({"fields": {"x": "x"}, "y": "y"}, ImportKind.COMPANIES)
    assert len(told) == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fields: [", "BROKEN_MAPPING"),
        ("- a\n- b\n", "it must begin with keys"),
        ("", "it must begin with keys"),
        ("a: &a [1]\nb: *a\n", "aliases are not allowed"),
        ("system: a\nsystem: b\n", "system is given twice"),
        ("a: " + "[" * 5000, "BROKEN_MAPPING"),
        ("# " + "x" * 300_000, "at most"),
        ("a: \x00", "BROKEN_MAPPING"),
        ("? [a, b]\n: c\n", "BROKEN_MAPPING"),
        ("x: " + "[" * 2000, "BROKEN_MAPPING The mapping is not readable as YAML: it nests too deep."),
    ],
)
def test_what_is_no_mapping_is_refused(text: str, said: str) -> None:
    with pytest.raises(DomainError) as refused:
        imports.load(text)
    assert said in f"{refused.value.code} {refused.value}"
    assert refused.value.field == ("mapping",)


def test_yaml_keeps_words_that_it_would_take_for_something_else() -> None:
    data = imports.load("system: no\nfields: {title: {constant: 012}}\n")
    assert data == {"system": "no", "fields": {"title": {"constant": "012"}}}
