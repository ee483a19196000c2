"""Statements that are kept by their shape are those that would be written anew."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from domain.actors import ALL, Actor, ActorKind, Scope
from engine import kept, keyset, records, sql
from engine.conditions import EVERYTHING, All, AnyOf, Compare, Condition, Exists, Not, Op, Search
from engine.cursors import cursor_of
from engine.nouns import NOUNS
from engine.pages import Order, PageRequest
from engine.select import Select
from engine.sql import Params
from models.base import uuid7
from models.companies import Company
from models.leads import Lead
from models.users import Role
from tests.factories import NOW

# Columns are known once the models are.
pytestmark = pytest.mark.usefixtures("db")


def people(number: int) -> Scope:
    return Scope(frozenset(uuid7() for _ in range(number)))


def actors() -> Iterator[Actor]:
    """Yield everybody whose statements might differ, each time with other ids."""
    scopes = (None, frozenset({"lead:read", "user:read"}), frozenset[str]())
    for role, rows, some in product(Role, (ALL, people(0), people(1), people(3), people(60)), scopes):
        kind = ActorKind.USER if some is None else ActorKind.API_KEY
        teams = frozenset({uuid7()})
        yield Actor(kind, uuid7(), user_id=uuid7(), role=role, rows=rows, teams=teams, scopes=some)
    yield Actor(ActorKind.SYSTEM, uuid7(), rows=ALL, task="test")


def conditions(word: str) -> Iterator[Condition]:
    """Yield conditions of every kind whose statements are kept."""
    yield EVERYTHING
    yield from (Compare("title", op, word) for op in (Op.EQ, Op.NE, Op.CONTAINS, Op.STARTS_WITH))
    yield from (Compare("title", op, (word, "other")) for op in (Op.IN, Op.NOT_IN))
    yield Compare("title", Op.IS_NULL, True)
    yield Not(Compare("title", Op.IS_NULL, False))
    yield from (Compare("created_at", Op.PAST, is_past) for is_past in (True, False))
    yield Exists("company", AnyOf((Compare("name", Op.EQ, word), Compare("name", Op.EQ, "100%"))))
    yield All((Compare("score", Op.GT, len(word)), AnyOf(())))


def requests(word: str, by: str | None) -> Iterator[PageRequest]:
    """Yield pages whose statements differ, each with values of its own."""
    for condition in conditions(word):
        yield PageRequest(Lead, (Order("created_at"),), condition=condition, by=by)
    asked = PageRequest(Lead, (Order("value", descending=True),), condition=Compare("title", Op.EQ, word), by=by)
    for value, backward in product((None, 5), (False, True)):
        cursor = cursor_of(asked.signature, [value], uuid7())
        yield asked._replace(after=cursor, backward=backward)
        yield asked._replace(before=cursor, backward=backward)
    yield PageRequest(Lead, (Order("rank"),), by="stage_id", board_at=NOW)
    yield PageRequest(Lead, (Order("name", link="company"),), limit=7, by=by)


def anew(write: Any, actor: Actor, *shape: Any, given: list[Any]) -> tuple[str, list[Any]]:
    params = Params(given)
    return write(params, actor, *shape), params.values


@pytest.mark.parametrize("nested", [False, True])
def test_a_kept_statement_is_the_one_that_would_be_written(nested: bool) -> None:
    select = Select(Lead)
    select.column(select.join(Company, "r", "company_id"), "name")
    for actor in actors():
        given = [[uuid7(), uuid7()]] if nested else []
        for request in requests(f"word {actor.user_id}", "company_id" if nested else None):
            text, params = records._paged(request, actor, given, select, True)
            assert (text, params.values) == anew(keyset.page, actor, request, select, True, nested, given=given)


def test_a_row_by_its_key_is_read_by_one_text() -> None:
    for model in NOUNS:
        for actor, alone in product(actors(), (True, False)):
            given, shape = [uuid7() if alone else [uuid7()]], (model, records.whole(model), alone)
            text, params = kept.statement(records._keyed, actor, [*given], *shape)
            assert (text, params.values) == anew(records._keyed, actor, *shape, given=given)


def test_what_is_asked_alike_is_written_once() -> None:
    actor, other = (Actor(ActorKind.USER, uuid7(), user_id=uuid7(), role=Role.ADMIN, rows=ALL) for _ in "ab")
    asked = PageRequest(Lead, (Order("created_at"),), condition=Compare("title", Op.EQ, "one"))
    first, one = records._paged(asked, actor, [], records.whole(Lead), False)
    asked = asked._replace(condition=Compare("title", Op.EQ, "two"))
    again, two = records._paged(asked, other, [], records.whole(Lead), False)
    assert first is again
    assert one.values == [actor.workspace_id, "one"]
    assert two.values == [other.workspace_id, "two"]


def test_what_is_seldom_asked_alike_is_not_kept() -> None:
    actor = Actor(ActorKind.USER, uuid7(), user_id=uuid7(), role=Role.ADMIN, rows=ALL)
    asked = PageRequest(Lead, (), condition=Search("pump"))
    before = kept._written.cache_info().currsize
    records._paged(asked, actor, [], records.whole(Lead), False)
    assert kept._written.cache_info().currsize == before


def test_no_value_can_stand_in_a_text_that_is_kept() -> None:
    with pytest.raises(AssertionError):
        kept.Sources().add("a value", "text")
    # What is one person's stands in nobody's text.
    stand_in = kept.Standing.of(Actor(ActorKind.USER, uuid7(), user_id=uuid7(), role=Role.REP, rows=people(2)))
    assert stand_in.stand_in().workspace_id == stand_in.stand_in().user_id == kept.NOBODY
    assert len(kept.ROWS["many"].owners or ()) == sql.MOST_OWNERS + 1
