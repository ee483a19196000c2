"""One document under both executors, and what of their answers differs.

graphql-core is the oracle: the same `data`, byte for byte, and the same errors. Under a nulled parent its own set of
errors depends on which resolver was first; there, each error that it could have told is right.
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from traceback import format_exception
from typing import Any, TypeAlias, cast
from unittest.mock import patch

import orjson
from graphql import Executor, GraphQLError, located_error
from structlog.testing import capture_logs

from api.typesetting import Trials
from domain.actors import Actor
from schema.context import Context
from schema.schema import graphql_schema
from tests.oracle.world import NOW

TRACED = 30
REQUEST_ID = "0123456789abcdef"
PathKey: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """What a client sends, and who it is; `wrong` says what was made wrong on purpose."""

    document: str
    variables: dict[str, Any] = field(default_factory=dict)
    operation: str | None = None
    actor: str = "admin"
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An error as a client reads it."""

    path: PathKey | None
    code: str
    message: str
    more: str = "{}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an executor said: its data as bytes, its errors, and whether the document was compiled or why not.

    `trace` is of what went wrong inside, which clients are not told.
    """

    data: bytes
    errors: tuple[Told, ...] = ()
    compiled: bool | None = None
    why_not: str = ""
    trace: str = ""

    @property
    def tree(self) -> Any:
        return json.loads(self.data)

    @property
    def codes(self) -> set[str]:
        return {error.code for error in self.errors}


@dataclass
class SameMoment(Context):
    """A context that one operation has for itself, at an instant that does not pass."""

    def fresh(self) -> "SameMoment":
        return self


def collecting(self: Any, raw_error: Exception, return_type: Any, nodes: Any, path: Any, *_: Any) -> None:
    """Note a field's error as graphql-core does, but let no null spread from it."""
    located = located_error(raw_error, [one.node for one in nodes], path.as_list())
    self.collected_errors.add(located, path)


@cache
def trials() -> Trials:
    """Return what tries templates of documents, in the processes that it has begun."""
    return Trials()


async def answer(case: Case, actor: Actor | None, *, engine: bool, now: datetime = NOW) -> Answer:
    """Run a document by the engine, or with `engine` false by graphql-core."""
    context = SameMoment(identity=actor, now=now, request_id=REQUEST_ID, address="192.0.2.1", trials=trials())
    # The one place that chooses the executor.
    cast(Any, context).engine = engine
    with capture_logs() as logs:
        result = await graphql_schema.execute(
            case.document, variable_values=case.variables, operation_name=case.operation, context_value=context
        )
    return Answer(
        data=dumped(result.data),
        errors=tuple(told(error) for error in result.errors or ()),
        compiled=getattr(context, "compiled", None),
        why_not=getattr(context, "why_not", ""),
        trace="".join("".join(format_exception(log["exc_info"])) for log in logs if "exc_info" in log),
    )


Ask: TypeAlias = Callable[..., Awaitable[Answer]]


async def possible_errors(case: Case, actor: Actor | None, *, now: datetime = NOW, ask: Ask | None = None) -> set[Told]:
    """Return every error that graphql-core may tell, whichever resolver is first."""
    with patch.object(Executor, "handle_field_error", collecting):
        return set((await (ask or answer)(case, actor, engine=False, now=now)).errors)


def dumped(data: Any) -> bytes:
    """Return data as JSON; orjson does not write whole numbers beyond 64 bits, which JSON columns may hold."""
    try:
        return orjson.dumps(data)
    except TypeError:
        return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def told(error: GraphQLError) -> Told:
    """Return an error as data; ids of requests differ from one to the next and say nothing."""
    extensions = dict(error.extensions or {})
    code = str(extensions.pop("code", ""))
    extensions.pop("requestId", None)
    more = orjson.dumps(extensions, option=orjson.OPT_SORT_KEYS).decode()
    return Told(tuple(error.path) if error.path is not None else None, code, error.message, more)


async def differences(
    case: Case, actor: Actor | None, *, now: datetime = NOW, ask: Ask | None = None
) -> tuple[list[str], Answer, Answer]:
    """Run a document under both executors; return what differs, the engine's answer and the oracle's.

    `ask` is how a document is run, where it is not only read.
    """
    asked = ask or answer
    oracle = await asked(case, actor, engine=False, now=now)
    engine = await asked(case, actor, engine=True, now=now)
    found = compared(engine, oracle)
    if found and engine.data == oracle.data and not internal(engine) and not internal(oracle):
        found = compared(engine, oracle, possible=await possible_errors(case, actor, now=now, ask=ask))
    return found, engine, oracle


def compared(engine: Answer, oracle: Answer, *, possible: Iterable[Told] | None = None) -> list[str]:
    """Return what differs; nothing where the answers are the same.

    `possible` are all errors that the oracle could have told; without it, sets under a nulled parent must be the
    same, too.
    """
    found = [f"INTERNAL of {name}" for name, told in (("engine", engine), ("oracle", oracle)) if internal(told)]
    if engine.data != oracle.data:
        found.append(f"data: {first_difference(engine.tree, oracle.tree)}")
        return found
    extra, missing = unmatched(engine.errors, oracle.errors), unmatched(oracle.errors, engine.errors)
    if possible is not None:
        tree, allowed = oracle.tree, set(possible)
        extra = [
            error
            for error in extra
            if error not in allowed or not _explained(error, tree, oracle.errors) or _is_doubled(error, engine.errors)
        ]
        missing = [error for error in missing if not _explained(error, tree, engine.errors)]
    found += [f"only the engine tells {error}" for error in extra]
    found += [f"only the oracle tells {error}" for error in missing]
    return found


def internal(told: Answer) -> bool:
    """Say whether something went wrong that no client can mend."""
    return "INTERNAL" in told.codes or "" in told.codes


def unmatched(these: Sequence[Told], those: Sequence[Told]) -> list[Told]:
    """Return what of these is not among those, each as often as it is missing."""
    return list((Counter(these) - Counter(those)).elements())


def nulled(tree: Any, path: PathKey | None) -> PathKey | None:
    """Return the place of the null in which a path ends; None where there is none."""
    for at, step in enumerate(path or ()):
        if tree is None:
            return (path or ())[:at]
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return None
    return path if tree is None and path is not None else None


def _explained(error: Told, tree: Any, others: Sequence[Told]) -> bool:
    """Say whether an error lies under a nulled parent, whose null the others explain by an error of their own."""
    place = nulled(tree, error.path)
    if place is None or error.path is None:
        return False
    return any(other.path is not None and other.path[: len(place)] == place for other in others)


def _is_doubled(error: Told, errors: Sequence[Told]) -> bool:
    return errors.count(error) > 1


def first_difference(one: Any, other: Any, path: str = "") -> str:
    """Say where two answers begin to differ; the order of keys counts."""
    if isinstance(one, dict) and isinstance(other, dict):
        if list(one) != list(other):
            return f"{path or '/'}: keys {list(one)} against {list(other)}"
        pairs = [(f"{path}/{key}", one[key], other[key]) for key in one]
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{path or '/'}: {len(one)} entries against {len(other)}"
        pairs = [(f"{path}/{at}", mine, theirs) for at, (mine, theirs) in enumerate(zip(one, other, strict=True))]
    else:
        return f"{path or '/'}: {_shown(one)} against {_shown(other)}"
    for below, mine, theirs in pairs:
        if orjson.dumps(mine) != orjson.dumps(theirs):
            return first_difference(mine, theirs, below)
    return f"{path or '/'}: nothing"


def _shown(value: Any) -> str:
    shown = orjson.dumps(value).decode()
    return shown if len(shown) <= 200 else f"{shown[:200]}…"


def report(case: Case, found: Sequence[str], engine: Answer, oracle: Answer) -> str:
    """Return all that is needed to try a difference again."""
    lines = [
        *found,
        f"actor: {case.actor}",
        f"operation: {case.operation!r}",
        f"variables: {orjson.dumps(case.variables).decode()}",
        f"wrong: {case.wrong or 'nothing'}",
        f"compiled: {engine.compiled} {engine.why_not}",
        case.document,
        f"engine: {engine.data.decode()}",
        *(f"    {error}" for error in engine.errors),
        f"oracle: {oracle.data.decode()}",
        *(f"    {error}" for error in oracle.errors),
        *(line for trace in {engine.trace, oracle.trace} for line in trace.splitlines()[-TRACED:]),
    ]
    return "\n".join(lines)


def without(case: Case, document: str) -> Case:
    """Return the case with another document; variables that it declares no more may stay."""
    return replace(case, document=document)
