"""Conditions and scopes as SQL. Names come from the models; every value is a bound parameter."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from tortoise.models import Model

from domain import policy, search_words
from domain.actors import ALL, Actor, Scope
from engine.conditions import All, AnyOf, Asked, Compare, Condition, CustomTest, Exists, Not, Op, Search
from engine.nouns import NOUNS, Noun
from models import custom_values
from models.custom_fields import CustomFieldType
from models.leads import Lead
from models.users import Membership, User
from models.workspaces import Workspace

# Beyond these, a page is read as one list rather than owner by owner.
MOST_OWNERS = 50


class Slot(NamedTuple):
    """Stands for one of the values that a statement is given."""

    place: int


# What statements ask of their actor: its SQL type, and where it comes from.
OF_ACTOR: dict[str, tuple[str, Callable[[Actor], Any]]] = {
    "workspace": ("uuid", lambda actor: actor.workspace_id),
    "viewer": ("uuid", lambda actor: actor.user_id),
    "owners": ("uuid[]", lambda actor: sorted(actor.rows.owners or ())),
    "own": ("uuid[]", lambda actor: [actor.user_id]),
    "teams": ("uuid[]", lambda actor: sorted(actor.teams)),
}


class Params:
    """The values of one statement, in the order of their placeholders; `given` are those that slots stand for."""

    def __init__(self, given: Sequence[Any] = ()) -> None:
        self.values: list[Any] = []
        self._given = given
        self._known: dict[str, str] = {}

    def add(self, value: Any, cast: str, sent: Callable[[Any], Any] | None = None) -> str:
        """Bind a value, or what `sent` makes of it; return its placeholder."""
        if isinstance(value, Slot):
            value = self._given[value.place]
        self.values.append(value if sent is None else sent(value))
        return f"${len(self.values)}::{cast}"

    def once(self, what: str, value: Any, cast: str) -> str:
        """Bind a value that one statement asks for again and again; return its placeholder."""
        if what not in self._known:
            self._known[what] = self.add(value, cast)
        return self._known[what]

    def of(self, actor: Actor, what: str) -> str:
        """Bind what a statement asks of its actor; return its placeholder."""
        cast, value = OF_ACTOR[what]
        return self.once(what, value(actor), cast)


def where(noun: Noun, condition: Condition, actor: Actor, params: Params, alias: str) -> str:
    """Return a condition on rows of a noun as SQL; what it asks of other nouns is asked within the actor's scope."""
    match condition:
        case Compare():
            return _compare(noun, condition, params, alias)
        case All(of):
            return " AND ".join(f"({where(noun, part, actor, params, alias)})" for part in of) or "TRUE"
        case AnyOf(of):
            # Whoever puts this beside the scope must not let it stand in its place.
            return f"({' OR '.join(f'({where(noun, part, actor, params, alias)})' for part in of) or 'FALSE'})"
        case Not(of):
            return f"({where(noun, of, actor, params, alias)}) IS NOT TRUE"
        case Exists(link, inner):
            return _exists(noun, link, inner, actor, params, alias)
        case Search(text):
            return _search(noun, text, params, alias)
        case CustomTest():
            return _custom(condition, params, alias)
        case Asked():
            raise RuntimeError(f"the custom field {condition.field} was not looked up")


def visible(
    model: type[Model], actor: Actor, params: Params, alias: str, *, live: bool = True, owner: str | None = None
) -> str:
    """Return what exists of a noun for the actor as SQL: its workspace, its scope, and no deleted rows.

    `owner` is the name of one of `few_owners`, whose rows alone are wanted.
    """
    noun = NOUNS[model]
    if model is User and policy.scope(actor, Membership).owners is not None:
        return "FALSE"
    workspace = params.of(actor, "workspace")
    if model is Workspace:
        return f"{alias}.id = {workspace}"
    if model is User:
        member = f"SELECT FROM membership m WHERE m.user_id = {alias}.id AND m.workspace_id = {workspace}"
        return f"EXISTS ({member})"
    parts = [f"{alias}.workspace_id = {workspace}"]
    if (person := policy.whose(actor, model)) is not None:
        parts.append(f"{alias}.{person} = {params.of(actor, 'viewer')}")
    scope = policy.scope(actor, model) if model in policy.READ_SCOPES else ALL
    if owner is not None:
        parts.append(f"{alias}.owner_id = {owner}")
    elif scope.owners is not None:
        parts.append(_owned(model, scope, actor, params, alias))
    if live and noun.live:
        parts.append(noun.live.format(alias=alias))
    return " AND ".join(parts)


def few_owners(model: type[Model], actor: Actor, params: Params, *, most: int | None = None) -> str | None:
    """Return those whose rows exist for the actor, where they are few enough to be read one by one."""
    owners = policy.scope(actor, model).owners if model is Lead else None
    few = MOST_OWNERS if most is None else most
    return params.of(actor, "owners") if owners and len(owners) <= few else None


def _owned(model: type[Model], scope: Scope, actor: Actor, params: Params, alias: str) -> str:
    if scope.owners and model in policy.SHARED:
        return _shared(actor, params, alias)
    if not scope.owners or model not in policy.ROW_VISIBILITY:
        return "FALSE"
    bound = params.of(actor, "owners")
    if (column := policy.own_column(model)) is not None:
        return f"{alias}.{column} = ANY({bound})"
    owned = f"EXISTS (SELECT FROM lead ol WHERE ol.id = {alias}.lead_id AND ol.owner_id = ANY({bound}))"
    if parts := policy.TAKEN_PART.get(model):
        owned = f"({owned} OR {' OR '.join(f'{alias}.{part} = ANY({bound})' for part in parts)})"
    return owned if policy.needs_lead(model) else f"({alias}.lead_id IS NULL OR {owned})"


def _shared(actor: Actor, params: Params, alias: str) -> str:
    own, teams = params.of(actor, "own"), params.of(actor, "teams")
    with_team = f"{alias}.visibility = 'TEAM' AND {alias}.team_id = ANY({teams})"
    return f"({alias}.owner_id = ANY({own}) OR {alias}.visibility = 'ALL' OR ({with_team}))"


def on_board(params: Params, actor: Actor, now: datetime | Slot) -> str:
    """Return the leads of a board as SQL: the open ones, and the wins of the workspace's last days (`r.`)."""
    days = f"SELECT wins_window_days FROM workspace WHERE id = {params.of(actor, 'workspace')}"
    since = f"{params.add(now, 'timestamptz')} - make_interval(days => ({days}))"
    return f"r.status IN ('OPEN', 'WON') AND (r.status = 'OPEN' OR r.closed_at >= {since})"


def _compare(noun: Noun, condition: Compare, params: Params, alias: str) -> str:
    cast = noun.cast(condition.column)
    column = f'{alias}."{condition.column}"'
    match condition.op:
        case Op.IS_NULL:
            return f"{column} IS {'' if condition.value else 'NOT '}NULL"
        case Op.PAST:
            return f"{column} {'<' if condition.value else '>='} now()"
        case Op.IN:
            return f"{column} = ANY({params.add(condition.value, f'{cast}[]', list)})"
        case Op.NOT_IN:
            return f"({column} = ANY({params.add(condition.value, f'{cast}[]', list)})) IS NOT TRUE"
        case Op.NE:
            return f"{column} IS DISTINCT FROM {params.add(condition.value, cast)}"
        case Op.CONTAINS:
            return f"{column} ILIKE {params.add(condition.value, 'text', _within)}"
        case Op.STARTS_WITH:
            return f"{column} ILIKE {params.add(condition.value, 'text', _from_start)}"
        case _:
            return f"{column} {condition.op.value} {params.add(condition.value, cast)}"


def _custom(test: CustomTest, params: Params, alias: str) -> str:
    """Return a test of a custom field as SQL; its id, which a row has, is all that stands there of it."""
    key, kind, op = test.key.id, test.key.type, test.op
    there, cast = custom_values.has(key, alias), "text" if test.key.is_currency else custom_values.cast(kind)
    if op is Op.IS_NULL:
        return f"NOT {there}" if test.value else there
    column = custom_values.currency(key, alias) if test.key.is_currency else custom_values.value(key, kind, alias)
    if kind is CustomFieldType.MULTI_CHOICE:
        if op is Op.CONTAINS:
            return f"{there} AND {column} ? {params.add(test.value, 'text')}"
        any_of = f"{column} ?| {params.add(list(test.value), 'text[]')}"
        return f"{there} AND {any_of}" if op is Op.IN else f"({any_of}) IS NOT TRUE"
    match op:
        case Op.NE:
            return f"{column} IS DISTINCT FROM {params.add(test.value, cast)}"
        case Op.NOT_IN:
            return f"({column} = ANY({params.add(list(test.value), f'{cast}[]')})) IS NOT TRUE"
        case Op.CONTAINS:
            return f"{column} ILIKE {params.add(test.value, 'text', _within)}"
        case Op.STARTS_WITH:
            return f"{column} ILIKE {params.add(test.value, 'text', _from_start)}"
        case Op.IN if kind in custom_values.TEXTS:
            same = [_same_text(column, params.add(one, cast)) for one in test.value]
            return f"{there} AND ({' OR '.join(same) or 'FALSE'})"
        case Op.IN:
            return f"{there} AND {column} = ANY({params.add(list(test.value), f'{cast}[]')})"
        case Op.EQ if kind in custom_values.TEXTS:
            return f"{there} AND {_same_text(column, params.add(test.value, cast))}"
        case _:
            return f"{there} AND {column} {op.value} {params.add(test.value, cast)}"


def _same_text(column: str, bound: str) -> str:
    """Return equality of texts whose beginnings are indexed."""
    return f"({custom_values.beginning(column)} = {custom_values.beginning(bound)} AND {column} = {bound})"


def _within(value: str) -> str:
    return f"%{_literal(value)}%"


def _from_start(value: str) -> str:
    return f"{_literal(value)}%"


def _literal(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _exists(noun: Noun, name: str, inner: Condition, actor: Actor, params: Params, alias: str) -> str:
    link = noun.links[name]
    other, theirs = NOUNS[link.to], f"{alias}x"
    tests = [visible(link.to, actor, params, theirs), where(other, inner, actor, params, theirs)]
    if link.through is None:
        tests.insert(0, f'{theirs}."{link.theirs}" = {alias}."{link.ours}"')
        return f"EXISTS (SELECT FROM {other.table} {theirs} WHERE {' AND '.join(tests)})"
    through = f"{alias}t"
    join = f'JOIN {other.table} {theirs} ON {theirs}.id = {through}."{link.through_theirs}"'
    tests.insert(0, f'{through}."{link.through_ours}" = {alias}."{link.ours}"')
    return f'EXISTS (SELECT FROM "{link.through._meta.db_table}" {through} {join} WHERE {" AND ".join(tests)})'


def _search(noun: Noun, text: str, params: Params, alias: str) -> str:
    query = tsquery(text, params)
    return "TRUE" if query is None else f"{noun.search.format(alias=alias)} @@ {query}"


def tsquery(text: str, params: Params) -> str | None:
    """Return the query for rows with what is searched; None for a text without any word."""
    wanted = search_words.query(text)
    return wanted and f"to_tsquery('simple', search_fold({params.add(wanted, 'text')}))"
