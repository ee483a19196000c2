"""Documentation is complete: every setting, every error, every command and every document that it shows."""

import re
from pathlib import Path

import pytest
from graphql import parse, validate

from docs.reference import PAGES
from schema.execution import documents
from schema.schema import graphql_schema
from settings import settings

ROOT = Path(__file__).parents[2]
PROSE = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_that_is_written_from_the_code_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == PAGES[name](), "run make docs"


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_every_graphql_document_shown_is_valid(page: Path) -> None:
    for document in re.findall(r"```graphql\n(.*?)```", page.read_text(), re.DOTALL):
        assert validate(graphql_schema._schema, parse(document)) == [], document


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_every_graphql_document_shown_may_be_run(page: Path) -> None:
    for document in re.findall(r"```graphql\n(.*?)```", page.read_text(), re.DOTALL):
        prepared = documents(graphql_schema._schema).prepare(document, max_tokens=settings().max_tokens)
        assert prepared.operation(None).cost.of({}) <= settings().max_cost, document


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target
