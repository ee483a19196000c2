"""Lists as the world has them, worked out in memory: what exists for whom, what passes a filter, in which order.

Both executors read pages by the same SQL, so neither can say whether that is right.
"""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from operator import ge, gt, le, lt
from typing import Any
from uuid import UUID

from graphql import GraphQLInputObjectType, get_named_type
from tortoise.models import Model

from domain import policy
from domain.actors import ALL, Actor
from engine.nouns import LIVE, LIVE_WITH_LEAD, NOUNS, Link
from models.leads import Lead, LeadStatus
from models.saved_views import SavedView
from models.users import Membership, User
from models.workspaces import Workspace
from schema import ids
from tests.oracle.world import NOW, Columns, World

ORDERS: dict[str, Callable[[Any, Any], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


class Lists:
    """What lists hold for somebody."""

    def __init__(self, world: World, at: str, actor: Actor) -> None:
        self.world, self.at, self.actor = world, at, actor

    def existing(self, model: type[Model]) -> list[Columns]:
        """Return the rows of a noun that exist for the actor."""
        rows = self.world.of(self.at, model)
        if model is User:
            members = {row["user_id"] for row in self.world.of(self.at, Membership)}
            everybody = [row for at in self.world.rows for row in self.world.of(at, User)]
            seen = policy.scope(self.actor, Membership).owners is None
            return [row for row in everybody if row["id"] in members] if seen else []
        if model is Workspace:
            return rows
        if NOUNS[model].live in (LIVE, LIVE_WITH_LEAD):
            rows = [row for row in rows if row["deleted_at"] is None]
        if NOUNS[model].live == LIVE_WITH_LEAD:
            gone = {lead["id"] for lead in self.world.of(self.at, Lead) if lead["deleted_at"] is not None}
            rows = [row for row in rows if row["lead_id"] not in gone]
        return [row for row in rows if self._is_seen(model, row)]

    def _is_seen(self, model: type[Model], row: Columns) -> bool:
        scope = policy.scope(self.actor, model) if model in policy.READ_SCOPES else ALL
        owners = scope.owners
        if owners is None:
            return True
        if model is SavedView:
            told = row["visibility"] == "ALL" or (row["visibility"] == "TEAM" and row["team_id"] in scope.teams)
            return bool(owners) and (row["owner_id"] in owners or told)
        if (column := policy.own_column(model)) is not None:
            return row[column] in owners
        if not policy.needs_lead(model) and row["lead_id"] is None:
            return bool(owners)
        lead = next((one for one in self.world.of(self.at, Lead) if one["id"] == row.get("lead_id")), None)
        return lead is not None and lead["owner_id"] in owners

    def passing(self, model: type[Model], rows: Iterable[Columns], type_: Any, filter: Any) -> list[Columns]:
        """Return the rows that pass a filter, given as the JSON of its type."""
        return [row for row in rows if self._passes(model, row, type_, filter)]

    def _passes(self, model: type[Model], row: Columns, type_: GraphQLInputObjectType, filter: Any) -> bool:
        return all(
            self._part(model, row, type_.fields[name], name, value)
            for name, value in (filter or {}).items()
            if value is not None
        )

    def _part(self, model: type[Model], row: Columns, field: Any, name: str, value: Any) -> bool:
        metadata, inner = field.extensions["strawberry-definition"].metadata, get_named_type(field.type)
        if name in ("and", "or"):
            parts = value if isinstance(value, list) else [value]
            return (all if name == "and" else any)(self._passes(model, row, inner, part) for part in parts)
        if name == "not":
            return not self._passes(model, row, inner, value)
        if "link" in metadata:
            return self._linked(model, row, metadata["link"], inner, value)
        return all(
            _tests(row.get(metadata["column"]), test, _read(given, inner.fields[test], row.get(metadata["column"])))
            for test, given in value.items()
            if given is not None
        )

    def _linked(self, model: type[Model], row: Columns, name: str, inner: Any, value: Any) -> bool:
        link = NOUNS[model].links[name]
        others = self._others(row, link)
        if "some" not in inner.fields:
            return bool(self.passing(link.to, others, inner, value))
        of = get_named_type(inner.fields["some"].type)
        some, none = value.get("some"), value.get("none")
        return (some is None or bool(self.passing(link.to, others, of, some))) and (
            none is None or not self.passing(link.to, others, of, none)
        )

    def _others(self, row: Columns, link: Link) -> list[Columns]:
        existing = self.existing(link.to)
        if link.through is None:
            return [other for other in existing if other[link.theirs] == row[link.ours] and row[link.ours] is not None]
        between = [one for one in self.world.of(self.at, link.through) if one[link.through_ours] == row["id"]]
        keys = {one[link.through_theirs] for one in between}
        return [other for other in existing if other["id"] in keys]

    def on_board(self, rows: Iterable[Columns]) -> list[Columns]:
        """Return the leads that stand on a board: open, or won in the workspace's last days."""
        since = NOW - timedelta(days=self.world.of(self.at, Workspace)[0]["wins_window_days"])
        return [
            row
            for row in rows
            if row["status"] is LeadStatus.OPEN or (row["status"] is LeadStatus.WON and row["closed_at"] >= since)
        ]


def in_order(rows: Iterable[Columns], orders: list[tuple[str, bool]]) -> list[Columns]:
    """Return rows by columns, each rising or falling, nulls always last; the id breaks ties as the first one goes."""
    found = sorted(rows, key=lambda row: row["id"], reverse=bool(orders) and orders[0][1])
    for column, falls in reversed(orders):
        known = [row for row in found if row[column] is not None]
        known.sort(key=lambda row: row[column], reverse=falls)
        found = known + [row for row in found if row[column] is None]
    return found


def _tests(held: Any, test: str, given: Any) -> bool:
    held = held.value if isinstance(held, Enum) else held
    match test:
        case "eq":
            return held is not None and held == given
        case "ne":
            return held is None or held != given
        case "in":
            return held is not None and held in given
        case "notIn":
            return held is None or held not in given
        case "contains":
            return held is not None and given.lower() in held.lower()
        case "startsWith":
            return held is not None and held.lower().startswith(given.lower())
        case "isNull":
            return (held is None) is given
        case _:
            return held is not None and ORDERS[test](held, given)


def _read(given: Any, field: Any, held: Any) -> Any:
    """Return a test's value as the column has such values."""
    if "[" in str(field.type):
        return [_one(each, field, held) for each in (given if isinstance(given, list) else [given])]
    return _one(given, field, held)


def _one(given: Any, field: Any, held: Any) -> Any:
    match get_named_type(field.type).name:
        case "ID":
            return _key(given)
        case "Decimal":
            return Decimal(given)
        case "DateTime":
            return get_named_type(field.type).parse_value(given)
        case "Date":
            return date.fromisoformat(given)
        case _:
            return given


def _key(given: str) -> UUID:
    return ids.parse(given)[1]
