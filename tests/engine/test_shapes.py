"""Generated code holds what clients name as constants only, and can do nothing but make answers of rows."""

import re
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import pytest
from graphql import (
    FieldNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st

from engine.compiler import Compiler
from engine.levels import Level
from engine.plans import Plans
from engine.shapes import Constant, Names, Object, getter, shaper
from schema.schema import graphql_schema

SCHEMA = graphql_schema._schema
HOSTILE = [
    "__import__('os').system('id')",
    "'", '"', "'''", '"""', "\\", "\\'", "\n", "\r\n", "\x00", "\ud7ff", "\u2028", "{r}", "%s", "{0.__class__}",
    "r[0]", "x0", "c1", "rows", "zip", "None", "lambda: 0", "}] or [", "'): 1, ('", "# noqa", "a" * 5_000,
    "__builtins__", "__class__", "f'{1+1}'", "a b", "", "ключ", "🦊", "1", "-1", "if", "*", "**{}",
]  # fmt: skip
# All that generated code may refer to: rows, what stands beside them, and values by names of our own.
OWN = re.compile(r"r|rows|zip|cursor|\.\d+|[cx]\d+")


def codes(function: Callable[..., Any]) -> Iterator[CodeType]:
    """Give the code of a function and of all functions within it."""
    pending = [function.__code__]
    while pending:
        code = pending.pop()
        yield code
        pending += [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def constants(function: Callable[..., Any]) -> Iterator[Any]:
    """Give the constants of generated code, those within tuples included."""
    pending: list[Any] = [constant for code in codes(function) for constant in code.co_consts]
    while pending:
        value = pending.pop()
        if isinstance(value, tuple):
            pending += value
        else:
            yield value


def referred(function: Callable[..., Any]) -> set[str]:
    """Return the names that generated code refers to."""
    return {name for code in codes(function) for name in (*code.co_names, *code.co_varnames, *code.co_freevars)}


@pytest.mark.parametrize("key", HOSTILE)
def test_keys_are_constants(key: str) -> None:
    shape = shaper(Object((("a", "r[0]"), (key, "r[1]"), ("z", Object(((key, Constant(key)),))))), [], Names())
    assert shape([(1, 2), (3, 4)]) == [{"a": 1, key: 2, "z": {key: key}}, {"a": 3, key: 4, "z": {key: key}}]
    assert key in constants(shape)
    assert all(OWN.fullmatch(name) for name in referred(shape))


@given(st.lists(st.text(), unique=True, max_size=8))
def test_keys_stay_as_they_are_and_in_their_order(keys: list[str]) -> None:
    shape = shaper(Object(tuple((key, f"r[{place}]") for place, key in enumerate(keys))), [], Names())
    [told] = shape([tuple(range(len(keys)))])
    assert list(told.items()) == list(zip(keys, range(len(keys)), strict=True))
    assert all(OWN.fullmatch(name) for name in referred(shape))


@given(st.text())
def test_values_are_constants(value: str) -> None:
    shape = shaper(Object((("a", Constant(value)),)), [], Names())
    assert shape([(), ()]) == [{"a": value}] * 2


def test_answers_that_stand_beside_the_rows_go_where_they_belong() -> None:
    shape = shaper(Object((("of", "x1"), ("x0", "x0"), ("r", "r[0]"))), ["x0", "x1"], Names())
    assert shape([(1,), (2,)], ["a", "b"], ["c", "d"]) == [
        {"of": "c", "x0": "a", "r": 1},
        {"of": "d", "x0": "b", "r": 2},
    ]


def test_what_is_missing_is_null() -> None:
    joined = Object((("name", "r[1]"), ("deeper", Object((("id", "r[2]"),), missing="r[2] is None"))), "r[0] is None")
    shape = shaper(Object((("to", joined),)), [], Names())
    assert shape([(None, "a", "b"), (1, "a", None), (1, "a", "b")]) == [
        {"to": None},
        {"to": {"name": "a", "deeper": None}},
        {"to": {"name": "a", "deeper": {"id": "b"}}},
    ]


def test_values_are_named_once_and_by_names_of_our_own() -> None:
    names = Names()
    functions = [str.upper, str.lower]
    assert names.of(functions[0]) == names.of(functions[0]) != names.of(functions[1])
    upper, lower = (names.of(function) for function in functions)
    assert getter(f"{upper}(r[0]) + {lower}(r[0])", names)([("aB",)]) == ["ABab"]
    assert all(OWN.fullmatch(name) for name in names.values if name != "__builtins__")


@pytest.mark.parametrize("reach", ["open", "eval", "__import__", "getattr", "print", "globals"])
def test_generated_code_reaches_nothing_of_python(reach: str) -> None:
    with pytest.raises(NameError):
        getter(reach, Names())([()])


# What a parser would never let through stands in for keys that some other door might.


def renamed(text: str, key: str) -> OperationDefinitionNode:
    """Return a document's operation with this alias at every field."""

    def turned(selections: SelectionSetNode) -> SelectionSetNode:
        nodes = []
        for node in selections.selections:
            assert isinstance(node, FieldNode)
            below = turned(node.selection_set) if node.selection_set else None
            nodes.append(
                FieldNode(
                    name=node.name,
                    alias=NameNode(value=key),
                    arguments=node.arguments,
                    directives=node.directives,
                    selection_set=below,
                )
            )
        return SelectionSetNode(selections=tuple(nodes))

    [operation] = parse(text).definitions
    assert isinstance(operation, OperationDefinitionNode)
    return OperationDefinitionNode(
        operation=OperationType.QUERY,
        name=None,
        variable_definitions=(),
        directives=(),
        selection_set=turned(operation.selection_set),
    )


def levels(plan: Any, seen: set[int]) -> Iterator[Level]:
    """Give the levels of a plan, at whatever depth."""
    if id(plan) in seen or isinstance(plan, str | int | type) or plan is None:
        return
    seen.add(id(plan))
    if isinstance(plan, Level):
        yield plan
    if isinstance(plan, dict | list | tuple):
        for part in plan.values() if isinstance(plan, dict) else plan:
            yield from levels(part, seen)
    elif type(plan).__module__ in ("engine.levels", "engine.lists"):
        for name in type(plan).__dataclass_fields__:
            yield from levels(getattr(plan, name), seen)


@pytest.mark.parametrize("key", HOSTILE)
@pytest.mark.parametrize(
    "text",
    [
        "{ leads { nodes { company { parent { name } } } } }",
        "{ companies { edges { node { contacts { nodes { viewerCan { update } } } } } } }",
        "{ pipelines { nodes { stages { leads { edges { cursor } } } } } }",
        "{ leads { nodes { value { amount } } } }",
        "{ leads { pageInfo { endCursor } } }",
        "{ leads { nodes { history { nodes { actor { user { role } } } } } } }",
        "{ viewer { memberships { workspace { name } } } }",
        "{ __typename }",
    ],
)
def test_plans_hold_keys_as_constants_only(db: str, text: str, key: str) -> None:
    operation = renamed(text, key)
    assert SCHEMA.query_type
    root = Compiler(SCHEMA, {}, {}).root(SCHEMA.query_type, operation.selection_set)
    found = list(levels(root, set()))
    assert len(found) >= text.count("nodes") + text.count("edges")
    shapes = [level.shape for level in found if level.shape is not list]
    for shape in shapes:
        assert {name for name in referred(shape) if not OWN.fullmatch(name)} <= attributes(text)
    assert any(key in constants(shape) for shape in shapes)


def attributes(text: str) -> set[str]:
    """Return the attributes of objects that functions made, which the schema names."""
    return {"id", "user_key", "update", "workspace", "name"} if "viewer" in text or "history" in text else set()


def test_keys_of_a_document_become_keys_of_its_answer(db: str) -> None:
    text = "{ __typename None: __typename lambda: __typename r: __typename __class__: __typename c1: __typename }"
    plans = Plans(SCHEMA, parse(text), "")
    variables = plans.variables({})
    assert not isinstance(variables, list)
    root = plans.of(variables).root
    assert root is not None
    keys = ["__typename", "None", "lambda", "r", "__class__", "c1"]
    assert root.shape([None]) == [dict.fromkeys(keys, "Query")]
