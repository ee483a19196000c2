"""Arguments are what graphql-core and Strawberry make of them, whichever variables are missing, null or given."""

from itertools import product
from typing import Any

import pytest

from tests.engine.running import ran
from tests.factories import custom_field, lead, seller

pytestmark = pytest.mark.usefixtures("db")

LISTED = """
query ($title: String, $score: Int, $also: LeadFilter, $down: Direction = DESC, $n: Int) {
  leads(
    first: $n
    filter: { title: { ne: $title }, and: [{ score: { gte: $score } }], not: $also }
    orderBy: { field: CREATED_AT, direction: $down }
  ) { nodes { title } }
}
"""
GIVEN: dict[str, tuple[Any, ...]] = {
    "title": ("Roof",),
    "score": (None,),
    "also": (None, {"title": {"ne": "Pump"}}),
    "down": ("ASC",),
    "n": (None, 2),
}
BY_SIZE = 'query ($one: JSON!) { leads(filter: { custom: { field: "size", %s } }) { totalCount } }'


async def test_variables_within_literals_may_be_missing_null_or_given() -> None:
    admin = await seller()
    for title in ("Roof", "Pump", "Park"):
        await lead(admin, title=title)
    compiled = 0
    missing = object()
    for values in product(*((missing, *values) for values in GIVEN.values())):
        given = {name: value for name, value in zip(GIVEN, values, strict=True) if value is not missing}
        by_plan, by_core = await ran(admin, LISTED, **given), await ran(admin, LISTED, engine=False, **given)
        assert (by_plan.data, by_plan.errors) == (by_core.data, by_core.errors), given
        compiled += bool(by_plan.compiled)
    assert compiled


@pytest.mark.parametrize(
    "literal", ['in: [$one, "big"]', "in: [$one]", "eq: $one", "eq: [$one]", "eq: { amount: $one }"]
)
async def test_variables_within_a_scalar_of_any_shape_are_its_own_to_read(literal: str) -> None:
    admin = await seller()
    await custom_field(admin, "size")
    document = BY_SIZE % literal
    for one in ("small", 3, {"a": ["b"]}):
        by_plan, by_core = await ran(admin, document, one=one), await ran(admin, document, engine=False, one=one)
        assert (by_plan.data, by_plan.errors) == (by_core.data, by_core.errors), one
