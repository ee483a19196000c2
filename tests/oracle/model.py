"""Lists as the world has them, worked out in memory: what exists for whom, what passes a filter, in which order.

Both executors read pages by the same SQL, so neither can say whether that is right.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from operator import ge, gt, itemgetter, le, lt
from typing import Any
from uuid import UUID

from graphql import GraphQLEnumType, GraphQLInputObjectType, get_named_type
from tortoise.models import Model

from domain import policy
from domain.actors import ALL, Actor
from engine.conditions import All, Compare, Condition, Op
from engine.nouns import LIVE, LIVE_WITH_ANY_SUBJECT, NOUNS, WITH_ITS_SUBJECT, WITH_LEAD, Link
from models.calendar_feeds import CalendarFeed
from models.companies import Company
from models.contacts import Contact
from models.custom_fields import CustomField, CustomFieldType
from models.follow_ups import FollowUpPlanStep
from models.leads import Lead, LeadStatus
from models.saved_views import SavedView
from models.users import Membership, User
from models.workspaces import Workspace
from schema import ids
from tests.oracle.world import CUSTOM_OWNERS, NOW, Columns, World

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
        live = NOUNS[model].live or ""
        if live.startswith(LIVE):
            rows = [row for row in rows if row["deleted_at"] is None]
        if model is CalendarFeed:
            rows = [row for row in rows if row["revoked_at"] is None]
        if WITH_LEAD in live:
            gone = self._deleted(Lead)
            rows = [row for row in rows if row["lead_id"] not in gone]
        if model is FollowUpPlanStep:
            rows = [row for row in rows if row["removed_at"] is None]
        if WITH_ITS_SUBJECT in live:
            gone = self._deleted(Company) | self._deleted(Contact)
            rows = [row for row in rows if not gone & {row["company_id"], row["contact_id"]}]
        if live == LIVE_WITH_ANY_SUBJECT:
            gone = self._deleted(Company) | self._deleted(Contact) | {None}
            rows = [row for row in rows if row["lead_id"] or {row["company_id"], row["contact_id"]} - gone]
        return [row for row in rows if self._is_seen(model, row)]

    def _deleted(self, model: type[Model]) -> set[Any]:
        return {row["id"] for row in self.world.of(self.at, model) if row["deleted_at"] is not None}

    def _is_seen(self, model: type[Model], row: Columns) -> bool:
        person = policy.whose(self.actor, model)
        if person is not None and row[person] != self.actor.user_id:
            return False
        scope = policy.scope(self.actor, model) if model in policy.READ_SCOPES else ALL
        owners = scope.owners
        if owners is None:
            return True
        if model is SavedView:
            told = row["visibility"] == "ALL" or (row["visibility"] == "TEAM" and row["team_id"] in scope.teams)
            return bool(owners) and (row["owner_id"] in owners or told)
        if (column := policy.own_column(model)) is not None:
            return row[column] in owners
        if model in policy.ROW_VISIBILITY and row["lead_id"] is None:
            return bool(owners)
        if not owners or model not in policy.ROW_VISIBILITY:
            return False
        if not policy.needs_lead(model) and row["lead_id"] is None:
            return True
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
        if "flag" in metadata:
            return _meets(row, metadata["flag"]) is value
        if "custom" in metadata:
            tests = value if isinstance(value, list) else [value]
            return all(self._custom(model, row, one) for one in tests)
        if "link" in metadata:
            return self._linked(model, row, metadata["link"], inner, value)
        held = row.get(metadata["column"])
        return all(
            _tests(held, test, _read(_as_kept(given, metadata["as_kept"]), inner.fields[test], held))
            for test, given in value.items()
            if given is not None
        )

    def custom_field(self, model: type[Model], name: str) -> Columns:
        """Return the custom field of a noun in use that is named by its key or id."""
        return next(
            field
            for field in self.world.of(self.at, CustomField)
            if CUSTOM_OWNERS[field["owner"]] is model
            and name in (field["key"], str(ids.encode("CustomField", field["id"])))
            and field.get("archived_at") is None
        )

    def _custom(self, model: type[Model], row: Columns, filter: dict[str, Any]) -> bool:
        field = self.custom_field(model, filter["field"])
        held = row.get("custom", {}).get(field["id"].hex)
        return all(
            _custom_tests(field["type"], held, test, given)
            for test, given in filter.items()
            if test != "field" and given is not None
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
        between = [one for one in self.world.of(self.at, link.through) if one[link.through_ours] == row[link.ours]]
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


def _meets(row: Columns, condition: Condition) -> bool:
    """Say whether a row meets the condition of a flag."""
    if isinstance(condition, All):
        return all(_meets(row, part) for part in condition.of)
    assert isinstance(condition, Compare)
    held = row.get(condition.column)
    match condition.op:
        case Op.IS_NULL:
            return (held is None) is condition.value
        case Op.PAST:
            return (held is not None and held < datetime.now(UTC)) is condition.value
        case _:
            return _tests(held, "eq", condition.value)


def in_order(rows: Iterable[Columns], orders: Sequence[tuple[str | Callable[[Columns], Any], bool]]) -> list[Columns]:
    """Return rows by columns, each rising or falling, nulls always last; the id breaks ties as the first one goes."""
    found = sorted(rows, key=lambda row: row["id"], reverse=bool(orders) and orders[0][1])
    for column, falls in reversed(orders):
        of = itemgetter(column) if isinstance(column, str) else column
        known = [row for row in found if of(row) is not None]
        known.sort(key=of, reverse=falls)
        found = known + [row for row in found if of(row) is None]
    return found


def custom_order(field: Columns) -> Callable[[Columns], Any]:
    """Return what rows are ordered by where it is a custom field that is no text."""

    def held(row: Columns) -> Any:
        value = row.get("custom", {}).get(field["id"].hex)
        if value is not None and field["type"] is CustomFieldType.CHOICE:
            return [option["key"] for option in field["options"]].index(value)
        return None if value is None else _typed(field["type"], value)

    return held


def _typed(kind: CustomFieldType, value: Any) -> Any:
    match kind:
        case CustomFieldType.NUMBER:
            return Decimal(str(value))
        case CustomFieldType.MONEY:
            return Decimal(value["amount"] if isinstance(value, dict) else str(value))
        case CustomFieldType.USER:
            return value if "_" not in value else str(_key(value))
        case CustomFieldType.EMAIL:
            return value.lower()
        case CustomFieldType.PHONE:
            return value.replace(" ", "")
        case CustomFieldType.TEXT | CustomFieldType.URL:
            return value.strip()
        case _:
            return value


def _custom_tests(kind: CustomFieldType, held: Any, test: str, given: Any) -> bool:
    if test == "isNull":
        return (held is None) is given
    if test in ("contains", "startsWith") and kind is not CustomFieldType.MULTI_CHOICE:
        return _tests(held, test, given)
    if kind is CustomFieldType.MULTI_CHOICE:
        wanted = {given} if test == "contains" else set(given if isinstance(given, list) else [given])
        return wanted.isdisjoint(held or ()) if test == "notIn" else not wanted.isdisjoint(held or ())
    if test in ("in", "notIn"):
        values = given if isinstance(given, list) else [given]
        found = any(_custom_tests(kind, held, "eq", one) for one in values)
        return found if test == "in" else not found
    if isinstance(given, dict):
        same = held is not None and held["currencyCode"] == given["currencyCode"]
        alike = _tests(held and _typed(kind, held), "eq" if test == "ne" else test, _typed(kind, given))
        return not (same and alike) if test == "ne" else same and alike
    return _tests(None if held is None else _kept(kind, held), test, _typed(kind, given))


def _kept(kind: CustomFieldType, held: Any) -> Any:
    """Return what is kept as it is compared: numbers as such, all else as it stands."""
    return _typed(kind, held) if kind in (CustomFieldType.NUMBER, CustomFieldType.MONEY) else held


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


def _as_kept(given: Any, write: Callable[[str], str]) -> Any:
    """Return a test's value with its texts written as the column has them."""
    if isinstance(given, list):
        return [_as_kept(one, write) for one in given]
    return write(given) if isinstance(given, str) else given


def _read(given: Any, field: Any, held: Any) -> Any:
    """Return a test's value as the column has such values."""
    if "[" in str(field.type):
        return [_one(each, field, held) for each in (given if isinstance(given, list) else [given])]
    return _one(given, field, held)


def _one(given: Any, field: Any, held: Any) -> Any:
    if isinstance(named := get_named_type(field.type), GraphQLEnumType):
        kept = named.values[given].value
        return kept.value if isinstance(kept, Enum) else kept
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
