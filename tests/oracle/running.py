"""Many documents in a row, the next pages of some of them, and what came of it."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from graphql import GraphQLError

from domain.actors import Actor
from engine.documents import Refused
from schema.context import Context
from schema.execution import documents
from schema.schema import graphql_schema
from settings import settings
from tests.oracle.compare import Answer, Ask, Case, differences, report
from tests.oracle.documents import Drawn, Path, draw
from tests.oracle.minimise import minimised
from tests.oracle.world import World

HAS_ENGINE = "compiled" in Context.__dataclass_fields__
CURSORS = frozenset({"cursor", "startCursor", "endCursor"})
# What a value within a cursor may have become in the hands of somebody who tries.
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 2**63, 10**40, 0.5, 1e308, "", "x", "a\x00b", "NaN", "sNaN", "Infinity", "1e999",
    "0001-01-01", "2026-02-30", "2026-01-01T00:00:00", "9999-12-31T23:59:59-23:00", "'; --", [], {}, ["x"],
)  # fmt: skip
TOO_COSTLY = "too costly"
MOST_PAGES = 2
MOST_MINIMISED = 3


@dataclass
class Tally:
    """What a run has seen: how many documents, how many of them the engine compiled, and what differed."""

    documents: int = 0
    valid: int = 0
    clean: int = 0
    compiled: int = 0
    uncompiled: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    covered: set[str] = field(default_factory=set)
    differences: list[str] = field(default_factory=list)
    unintended: list[str] = field(default_factory=list)

    @property
    def share_compiled(self) -> float:
        """Return the share that the engine answered of what is answered without an error."""
        return self.compiled / self.clean if self.clean else 0.0

    def lines(self) -> Iterator[str]:
        """Give what a person wants to know of a run."""
        share = self.valid / max(self.documents, 1)
        yield f"{self.documents} documents, {self.valid} valid ({share:.1%}), {self.clean} answered without an error"
        if HAS_ENGINE:
            yield f"compiled: {self.compiled} of these ({self.share_compiled:.1%})"
        yield from (f"    {count} not compiled: {why}" for why, count in self.uncompiled.most_common(40))
        yield f"errors by code: {dict(self.codes.most_common())}"
        yield f"differences: {len(self.differences)}"


class Run:
    """Documents tried in one world."""

    def __init__(self, world: World, actors: dict[str, Actor | None], ask: Ask | None = None) -> None:
        self.world, self.actors, self.ask = world, actors, ask
        self.tally = Tally()

    async def number(self, seed: int, number: int) -> None:
        """Try the document of a seed and a number, and the pages after what it tells."""
        drawn = draw(self.world, seed, number)
        self.tally.covered |= drawn.covered
        why = None if drawn.case.wrong else refusal(drawn.case)
        # What a document costs is not looked at while it is drawn, and few cost too much.
        if why is not None and why != TOO_COSTLY:
            self.tally.unintended.append(f"{why}\n{drawn.case.document}\n{drawn.case.variables}")
        told = await self.case(drawn.case, f"seed {seed}, document {number}")
        chance = Random(f"{seed} {number} pages")
        for page in range(MOST_PAGES):
            if not drawn.cursors or (following := _following(drawn, told, chance)) is None:
                break
            told = await self.case(following, f"seed {seed}, document {number}, page {page + 2}")

    async def case(self, case: Case, name: str) -> Answer:
        """Try a case; note what differs, made as small as it gets for the first of them."""
        actor = self.actors[case.actor]
        found, engine, oracle = await differences(case, actor, ask=self.ask)
        self._count(case, engine, oracle)
        if found:
            told = report(case, found, engine, oracle)
            if len(self.tally.differences) < MOST_MINIMISED:
                told = await self._minimised(case) or f"once, and not when tried again:\n{told}"
            self.tally.differences.append(f"{name}\n{told}")
        return oracle

    async def _minimised(self, case: Case) -> str | None:
        """Return the report of the smallest document that differs; None where nothing differs any more."""
        case = await minimised(case, self._differs)
        found, engine, oracle = await differences(case, self.actors[case.actor], ask=self.ask)
        return report(case, found, engine, oracle) if found else None

    async def _differs(self, case: Case) -> bool:
        found, _, _ = await differences(case, self.actors[case.actor], ask=self.ask)
        return bool(found)

    def _count(self, case: Case, engine: Answer, oracle: Answer) -> None:
        tally = self.tally
        tally.documents += 1
        tally.codes.update(oracle.codes)
        tally.valid += refusal(case) is None
        if oracle.errors:
            return
        tally.clean += 1
        tally.compiled += engine.compiled is True
        if HAS_ENGINE and engine.compiled is not True:
            tally.uncompiled[engine.why_not or f"compiled is {engine.compiled}"] += 1


def refusal(case: Case) -> str | None:
    """Return why a document is refused before it runs: validation, a limit, its cost, or a variable."""
    try:
        prepared = documents(graphql_schema._schema).prepare(case.document, max_tokens=settings().max_tokens)
        cost = prepared.operation(case.operation).cost.of(case.variables)
    except Refused as refused:
        return refused.errors[0].message
    except GraphQLError as error:
        return error.message
    return TOO_COSTLY if cost > settings().max_cost else None


def _following(drawn: Drawn, told: Answer, chance: Random) -> Case | None:
    """Return the same document with cursors that its answer tells; None where it tells none."""
    cursors = {name: found for name, path in drawn.cursors if (found := list(_cursors(told.tree, path)))}
    if not cursors:
        return None
    chosen = {name: chance.choice(found) for name, found in cursors.items()}
    if chance.random() < 0.12:
        # A cursor of another list of the document, or one that was tampered with.
        name, other = chance.choice(list(chosen)), chance.choice(list(chosen.values()))
        chosen[name] = chance.choice((other, tampered(other, chance), tampered(other, chance)))
    return replace(drawn.case, variables=drawn.case.variables | chosen)


def tampered(cursor: str, chance: Random) -> str:
    """Return a cursor with another key, other values, another form, or as base64 that is none."""
    if chance.random() < 0.3:
        return chance.choice((cursor[:-1], cursor[1:], cursor.swapcase(), f"{cursor}=", cursor * 2))
    signature, values, key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    odd: Any = chance.choice(ODD_VALUES)
    match chance.randrange(4):
        case 0:
            key = chance.choice(("", "0" * 32, key.upper(), f"{{{key}}}", "f" * 33, odd))
        case 1:
            values = [*values, odd]
        case 2 if values:
            values = [*values[:-1], odd]
        case _:
            values = [odd for _ in values]
    packed = json.dumps(chance.choice(([signature, values, key], [signature, values, key], {"a": 1}, [signature])))
    return urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def _cursors(tree: Any, path: Path) -> Iterator[str]:
    """Give the cursors of the lists at a path of response keys."""
    if isinstance(tree, list):
        for entry in tree:
            yield from _cursors(entry, path)
    elif isinstance(tree, dict) and path:
        yield from _cursors(tree.get(path[0]), path[1:])
    elif isinstance(tree, dict):
        edges, info = tree.get("edges"), tree.get("pageInfo")
        for holder in (edges if isinstance(edges, list) else [edges], [info]):
            for one in holder:
                if isinstance(one, dict):
                    yield from (one[key] for key in CURSORS & one.keys() if isinstance(one[key], str))
