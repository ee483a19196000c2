"""Cursors that somebody has tampered with are refused, or lead to some page, whatever a list is ordered by."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLField, get_named_type

from domain.actors import Actor
from tests.oracle.compare import Answer, Case, answer
from tests.oracle.documents import SCHEMA
from tests.oracle.running import ODD_VALUES

assert SCHEMA.query_type
# What else may stand where a value of some type does.
HUGE = (
    2**31 - 1, -(2**31) - 1, 2**63 - 1, -(2**63) - 1, "1E+9999999", "1E-9999999", "-Infinity", "-0",
    "2026-01-01T00:00:00Z",
)  # fmt: skip
KEYS: tuple[Any, ...] = ("", "0" * 32, "f" * 33, None, 1, [], "'; --")


def orders() -> list[tuple[str, str | None]]:
    """Return every list that a query begins with, by each order that it can have; None is its own."""
    found: list[tuple[str, str | None]] = []
    for name, each in SCHEMA.query_type.fields.items():  # type: ignore[union-attr]
        if "after" in each.args:
            found += [(name, None), *((name, value) for value in _values(each))]
    return found


def _values(each: GraphQLField) -> list[str]:
    if "orderBy" not in each.args:
        return []
    of: Any = get_named_type(each.args["orderBy"].type)
    field = get_named_type(of.fields["field"].type)
    assert isinstance(field, GraphQLEnumType)
    return list(field.values)


async def page(actors: dict[str, Actor | None], name: str, order: str | None, after: str | None) -> Answer:
    ordered = f", orderBy: [{{ field: {order} }}]" if order else ""
    document = f"query ($after: String) {{ {name}(first: 1, after: $after{ordered}) {{ edges {{ cursor }} }} }}"
    case = Case(document, {"after": after})
    return await answer(case, actors["admin"], engine=True)


def _unpacked(cursor: str | None) -> Any:
    return cursor and json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


def _packed(*parts: Any) -> str:
    return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(("name", "order"), orders(), ids=lambda value: str(value))
async def test_a_cursor_that_was_tampered_with_breaks_nothing(
    actors: dict[str, Actor | None], name: str, order: str | None
) -> None:
    [edge] = (await page(actors, name, order, None)).tree[name]["edges"]
    signature, values, key = _unpacked(edge["cursor"])
    assert (await page(actors, name, order, _packed(signature, values, key))).errors == ()
    for odd in (*ODD_VALUES, *HUGE):
        told = await page(actors, name, order, _packed(signature, [odd, *values[1:]], key))
        assert told.codes <= {"BAD_USER_INPUT"}, odd
    for odd in KEYS:
        told = await page(actors, name, order, _packed(signature, values, odd))
        assert told.codes <= {"BAD_USER_INPUT"}, odd
    for parts in ((signature, values), (signature, [*values, 1], key), (signature, None, key), ("0", values, key), ()):
        assert (await page(actors, name, order, _packed(*parts))).codes == {"BAD_USER_INPUT"}
