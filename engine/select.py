"""What a statement asks of rows: columns of a noun, and of the rows that it points to, joined within the scope."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from tortoise.models import Model

from domain.actors import Actor
from engine.nouns import NOUNS
from engine.sql import Params, visible
from models import database

# A key as bytes, which are read and written in half the time of a UUID.
SENT = "uuid_send({})"


@dataclass(frozen=True, slots=True)
class Join:
    """The row that another one's column `by` points to; all nulls where it does not exist for the actor."""

    model: type[Model]
    alias: str
    source: str
    by: str


class Select:
    """Columns and joins of a statement about rows `r`.

    There is no way to name a table but through a noun, and none to join one without `visible`, so that whatever is
    selected exists for the actor.
    """

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self._columns: dict[str, int] = {}
        self._joins: dict[tuple[str, str], Join] = {}
        self._models: dict[str, type[Model]] = {"r": model}

    def column(self, alias: str, name: str, template: str = "{}") -> int:
        """Select a column; return its place. Raises KeyError for a name that is none of the noun's."""
        noun = NOUNS[self._models[alias]]
        if name in noun.derived:
            expression = noun.derived[name].format(alias=alias)
        else:
            noun.cast(name)
            expression = f'{alias}."{name}"'
        return self._columns.setdefault(template.format(expression), len(self._columns))

    def place(self, name: str) -> int | None:
        """Return where a column of the rows themselves stands; None where it is not selected as it is."""
        return self._columns.get(f'r."{name}"')

    def place_of_key(self) -> int | None:
        """Return where the rows' own keys stand, be it as bytes."""
        place = self.place("id")
        return self._columns.get(SENT.format('r."id"')) if place is None else place

    @property
    def width(self) -> int:
        """Return how many columns there are."""
        return max(len(self._columns), 1)

    def join(self, model: type[Model], source: str, by: str) -> str:
        """Join the row that column `by` of another one points to; return its alias."""
        NOUNS[self._models[source]].cast(by)
        join = self._joins.get((source, by))
        if join is None:
            join = self._joins[source, by] = Join(model, f"j{len(self._joins)}", source, by)
            self._models[join.alias] = model
        return join.alias

    def rendered(self, actor: Actor, params: Params) -> tuple[str, str]:
        """Return the columns and the joins as SQL."""
        joins = []
        for join in self._joins.values():
            on = f'{join.alias}.id = {join.source}."{join.by}" AND {visible(join.model, actor, params, join.alias)}'
            joins.append(f"LEFT JOIN {NOUNS[join.model].table} {join.alias} ON {on}")
        return ", ".join(self._columns) or "NULL", " ".join(joins)


def fetch(sql: str, params: Params) -> Awaitable[list[Any]]:
    """Run a statement; return its rows, whose values are taken by place."""
    return database.connected().read(sql, params.values)
