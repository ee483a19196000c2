"""Generated code: functions that shape rows into answers.

An expression is text of our own making; response keys and whatever else a client named enter the code only as
constants, which are values and never text.
"""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    value: Any


@dataclass(frozen=True, slots=True)
class Object:
    """An object of the answer; null where `missing`, an expression, is true."""

    entries: "tuple[tuple[str, Expression], ...]"
    missing: str = ""

    @property
    def objects(self) -> int:
        """Return how many objects are within this one."""
        return sum(1 + value.objects for _, value in self.entries if isinstance(value, Object))


Expression: TypeAlias = str | Constant | Object


class Names:
    """The values that generated code refers to by names of our own."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {"__builtins__": {"zip": zip, "None": None}}
        self._known: dict[int, str] = {}

    def of(self, value: Any) -> str:
        """Return the name of a value."""
        name = self._known.get(id(value))
        if name is None:
            name = self._known[id(value)] = f"c{len(self.values)}"
            self.values[name] = value
        return name


def shaper(shape: Object, columns: Sequence[str], names: Names) -> Callable[..., list[Any]]:
    """Return a function of rows, and of one list beside them a column, that gives an answer a row."""
    beside = ", ".join(["rows", *columns])
    source = f"lambda {beside}: [None for {', '.join(['r', *columns])} in zip({beside})]"
    if not columns:
        source = "lambda rows: [None for r in rows]"
    tree = ast.parse(source, mode="eval")
    comprehension = tree.body.body  # type: ignore[attr-defined]
    comprehension.elt = _node(shape)
    return _function(tree, names)


def getter(expression: str, names: Names) -> Callable[[Sequence[Any]], list[Any]]:
    """Return a function of rows that gives the value of an expression of each."""
    return _function(ast.parse(f"lambda rows: [{expression} for r in rows]", mode="eval"), names)


def _function(tree: ast.Expression, names: Names) -> Callable[..., list[Any]]:
    code: CodeType = compile(ast.fix_missing_locations(tree), "<plan>", "eval")
    made: Callable[..., list[Any]] = eval(code, names.values)  # noqa: S307  (text of our own making, see above)
    return made


def _node(expression: Expression) -> ast.expr:
    if isinstance(expression, str):
        return ast.parse(expression, mode="eval").body
    if isinstance(expression, Constant):
        return ast.Constant(expression.value)
    keys: list[ast.expr | None] = [ast.Constant(key) for key, _ in expression.entries]
    made = ast.Dict(keys, [_node(value) for _, value in expression.entries])
    if not expression.missing:
        return made
    return ast.IfExp(_node(expression.missing), ast.Constant(None), made)
