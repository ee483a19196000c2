"""Statements whose texts are kept by the shape of what is asked.

While a text is written, stand-ins take the place of the actor and of every value, so that it holds none of them and
depends on none: whoever asks the same in the same standing sends the same text with values of their own.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from domain.actors import ALL, NONE, Actor, ActorKind, Scope
from engine import sql
from engine.conditions import DECIDING, All, AnyOf, Compare, Condition, Exists, Not
from engine.sql import OF_ACTOR, Params, Slot
from models.users import Role

KEPT = 2000
NOBODY = UUID(int=0)
# Whose rows exist for somebody: a text depends on how many people that are, as far as the engine asks.
ROWS = {
    "all": ALL,
    "none": NONE,
    "few": Scope(frozenset({NOBODY})),
    "many": Scope(frozenset(UUID(int=number) for number in range(sql.MOST_OWNERS + 1))),
}


class Various(Exception):
    """What is asked is seldom alike, so that its statement is not worth keeping."""


class Standing(NamedTuple):
    """What a statement's text depends on of its actor."""

    kind: ActorKind
    role: Role | None
    scopes: frozenset[str] | None
    is_somebody: bool
    rows: str

    @classmethod
    def of(cls, actor: Actor) -> "Standing":
        return cls(actor.kind, actor.role, actor.scopes, actor.user_id is not None, _rows_of(actor.rows.owners))

    def stand_in(self) -> Actor:
        somebody = NOBODY if self.is_somebody else None
        return Actor(self.kind, NOBODY, user_id=somebody, role=self.role, rows=ROWS[self.rows], scopes=self.scopes)


def _rows_of(owners: frozenset[UUID] | None) -> str:
    if owners is None:
        return "all"
    return "none" if not owners else "few" if len(owners) <= sql.MOST_OWNERS else "many"


class Sources(Params):
    """Where the values of a kept statement come from: a place among those given, the actor being the last of them."""

    def add(self, value: Any, cast: str, sent: Callable[[Any], Any] | None = None) -> str:
        assert isinstance(value, Slot)
        return super().add((value.place, sent), cast)

    def of(self, actor: Actor, what: str) -> str:
        if what not in self._known:
            cast, value = OF_ACTOR[what]
            self._known[what] = super().add((-1, value), cast)
        return self._known[what]


def statement(write: Callable[..., str], actor: Actor, given: list[Any], *shape: Any) -> tuple[str, Params]:
    """Return what `write` makes of params, an actor and a shape with slots for what is given, and its values."""
    params = Params(given)
    if type(actor) is not Actor:
        # One who notices what is asked of them.
        return write(params, actor, *shape), params
    text, sources = _written(write, Standing.of(actor), *shape)
    given.append(actor)
    params.values = [given[place] if sent is None else sent(given[place]) for place, sent in sources]
    return text, params


@lru_cache(maxsize=KEPT)
def _written(write: Callable[..., str], standing: Standing, *shape: Any) -> tuple[str, list[Any]]:
    sources = Sources()
    return write(sources, standing.stand_in(), *shape), sources.values


def slot(value: Any, values: list[Any]) -> Slot:
    """Return what stands for a value, which is added to those given."""
    values.append(value)
    return Slot(len(values) - 1)


def opened(condition: Condition, values: list[Any]) -> Condition:
    """Return a condition with slots for its values, which are added to those given; raises Various."""
    match condition:
        case Compare(column, op, value):
            return condition if op in DECIDING else Compare(column, op, slot(value, values))
        case All(of):
            return All(tuple(opened(part, values) for part in of))
        case AnyOf(of):
            return AnyOf(tuple(opened(part, values) for part in of))
        case Not(of):
            return Not(opened(of, values))
        case Exists(link, inner):
            return Exists(link, opened(inner, values))
        case _:
            raise Various
