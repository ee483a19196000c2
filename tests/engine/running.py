"""A document as the engine runs it: what it answers, whether by a plan, and which statements it sends."""

import re
from dataclasses import dataclass, field
from typing import Any

from domain.actors import Actor
from tests.oracle.compare import Case, Told, answer
from tests.statements import recorded

AROUND = re.compile(r"(BEGIN|START|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ran:
    """What an operation came to; `sent` are its statements but for those that begin and end a transaction."""

    data: Any
    errors: tuple[Told, ...]
    compiled: bool | None
    why_not: str
    sent: list[str] = field(default_factory=list)


async def ran(actor: Actor | None, document: str, *, engine: bool = True, **variables: Any) -> Ran:
    """Run a document, by graphql-core with `engine` false."""
    with recorded() as sent:
        told = await answer(Case(document, variables), actor, engine=engine)
    statements = [statement for statement in sent if not AROUND.match(statement)]
    return Ran(told.tree, told.errors, told.compiled, told.why_not, statements)


async def planned(actor: Actor | None, document: str, **variables: Any) -> Ran:
    """Run a document that a plan must answer without an error."""
    found = await ran(actor, document, **variables)
    assert not found.errors, (found.errors, document)
    assert found.compiled, (found.why_not, document)
    return found
