"""A workspace's own templates: Jinja's sandbox, and of its language only what always ends soon.

There is no arithmetic, no call, no assignment and no range: loops go through lists of facts, two deep at most, and no
filter makes a text longer than a little. So what a template takes follows from its length, which is limited.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from traceback import walk_tb
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from domain.words import filters, words

ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Const,
    nodes.If,
    nodes.For,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Filter,
    nodes.Concat,
)
FILTERS = frozenset(
    {"capitalize", "date", "default", "e", "escape", "first", "last", "length", "lower", "moment", "time", "title"}
    | {"trim", "upper"}
)
# Facts that every mail has, whatever its kind.
EVERYWHERE = frozenset({"language", "unsubscribe_link"})
LONGEST, LONGEST_RESULT = 100_000, 1_000_000
DEEPEST_LOOP, DEEPEST, MOST_PARTS = 2, 60, 5_000


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a template, and in which of its lines."""

    line: int
    what: str


class TooLong(TemplateError):
    """A mail's words became longer than LONGEST_RESULT."""


def faults(source: str, sample: Mapping[str, Any], *, html: bool) -> list[Fault]:
    """Return what is wrong with a template, tried with example facts."""
    if len(source) > LONGEST:
        return [Fault(1, f"it is longer than {LONGEST:,} characters")]
    try:
        tree = _environment("en", html).parse(source)
        found = sorted(set(_forbidden(tree, frozenset(sample) | EVERYWHERE)), key=lambda fault: fault.line)
        if not found:
            fill(source, dict.fromkeys(EVERYWHERE) | dict(sample), language="en", html=html)
    except TemplateSyntaxError as error:
        return [Fault(error.lineno, error.message or "it cannot be read")]
    except RecursionError:
        return [Fault(1, "it is nested too deeply")]
    except Exception as error:
        return [Fault(_line(error), str(error) or "a filter does not take this fact")]
    return found


def fill(source: str, facts: Mapping[str, Any], *, language: str, html: bool) -> str:
    """Fill a template that has no faults; raises what goes wrong with these facts."""
    parts, length = [], 0
    for part in _compiled(source, language, html).generate(facts):
        parts.append(part)
        length += len(part)
        if length > LONGEST_RESULT:
            raise TooLong(f"It became longer than {LONGEST_RESULT:,} characters.")
    return "".join(parts)


def _forbidden(tree: nodes.Template, known: frozenset[str]) -> Iterable[Fault]:
    """Return what a template must not use; `known` are the names that it may."""
    waiting: list[tuple[nodes.Node, frozenset[str], int, int]] = [(tree, known, 0, 0)]
    parts = 0
    while waiting:
        node, names, loops, depth = waiting.pop()
        if (parts := parts + 1) > MOST_PARTS:
            yield Fault(node.lineno, f"it has more than {MOST_PARTS:,} parts")
            return
        if not isinstance(node, ALLOWED):
            yield Fault(node.lineno, f"{_called(node)} cannot be used in mails")
            continue
        if depth > DEEPEST:
            yield Fault(node.lineno, "it is nested too deeply")
            continue
        if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in names:
            yield Fault(node.lineno, f"there is no fact {node.name}: there are {', '.join(sorted(known))}")
        if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            yield Fault(node.lineno, f"{node.attr} cannot be used in mails")
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            yield Fault(node.lineno, f"there is no filter {node.name}: there are {', '.join(sorted(FILTERS))}")
        if isinstance(node, nodes.For):
            loops += 1
            if loops > DEEPEST_LOOP or node.recursive or not isinstance(node.iter, nodes.Name | nodes.Getattr):
                yield Fault(node.lineno, f"loops go through lists of facts, at most {DEEPEST_LOOP} within each other")
            names |= {name.name for name in node.find_all(nodes.Name) if name.ctx == "store"} | {"loop"}
        waiting += [(child, names, loops, depth + 1) for child in node.iter_child_nodes()]


def _called(node: nodes.Node) -> str:
    kind = type(node).__name__
    return {"Call": "a call", "Mul": "arithmetic", "Add": "arithmetic", "Pow": "arithmetic"}.get(kind, kind.lower())


def _line(error: BaseException) -> int:
    """Return the line of a template in which an error was raised, as Jinja rewrites tracebacks."""
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == "<template>"]
    return lines[-1] if lines else 1


@lru_cache(maxsize=512)
def _compiled(source: str, language: str, html: bool) -> Template:
    return _environment(language, html).from_string(source)


@lru_cache
def _environment(language: str, html: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        autoescape=html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.globals.clear()
    mine = filters(words(language))
    environment.filters = {name: each for name, each in (environment.filters | mine).items() if name in FILTERS}
    return environment
