"""Pages, filters, orders, counts and visibility are those of the world itself."""

from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType
from tortoise.models import Model

from domain.actors import Actor
from engine.nouns import columns
from models.bulks import Bulk
from models.companies import Company
from models.contacts import Contact
from models.custom_fields import CustomFieldType
from models.exchange_rates import ExchangeRate
from models.imports import Import
from models.leads import Lead, LeadContact
from models.products import Product
from models.stages import Stage
from models.teams import Team
from models.users import User
from schema import ids
from tests.oracle.compare import Case, answer
from tests.oracle.documents import SCHEMA
from tests.oracle.model import Lists, custom_order, in_order
from tests.oracle.values import Values, plain
from tests.oracle.world import CUSTOM_OWNERS, Columns, World, custom_key

LISTS: dict[str, type[Model]] = {
    "leads": Lead, "companies": Company, "contacts": Contact, "products": Product, "users": User, "teams": Team,
    "exchangeRates": ExchangeRate, "imports": Import, "bulks": Bulk,
}  # fmt: skip
WHO = ("admin", "manager", "rep", "other rep", "lonely rep", "viewer", "partner", "reading partner", "admin abroad",
       "manager abroad", "rep abroad", "blind partner")  # fmt: skip
TRIES = 6
NO_TEXTS = (CustomFieldType.NUMBER, CustomFieldType.MONEY, CustomFieldType.DATE, CustomFieldType.YES_NO)
ASCII = frozenset(map(chr, range(32, 127)))
# Lists that hang on a row: the noun and its column for the row; none where a third table stands in between.
NESTED: dict[tuple[str, str], tuple[type[Model], str]] = {
    ("companies", "leads"): (Lead, "company_id"),
    ("companies", "contacts"): (Contact, "company_id"),
    ("companies", "subsidiaries"): (Company, "parent_id"),
    ("products", "leads"): (Lead, "product_id"),
    ("contacts", "leads"): (Lead, ""),
    ("teams", "teams"): (Team, "parent_id"),
}


class Asking:
    """Somebody who asks for lists by chance."""

    def __init__(self, world: World, actors: dict[str, Actor | None], who: str, chance: Random) -> None:
        actor, at = actors[who], world.home_of(who)
        assert actor is not None
        self.who, self.actor, self.chance = who, actor, chance
        self.lists = Lists(world, at, actor)
        self.values = Values(world, at, chance)
        self.values.bad = 0

    def filter(self, noun: str) -> dict[str, Any]:
        """Return a filter whose texts are compared alike by Python and by PostgreSQL, whatever their case."""
        for _ in range(50):
            drawn = plain(self.values.draw(SCHEMA.type_map[f"{noun}Filter"]))
            if drawn and ASCII.issuperset(str(drawn)):
                return cast(dict[str, Any], drawn)
        return {}

    def orders(
        self, noun: str, model: type[Model]
    ) -> tuple[list[dict[str, str]], list[tuple[str | Callable[[Columns], Any], bool]]]:
        """Return an order as GraphQL and as columns; texts are left out, since their order is the database's."""
        fields = cast(GraphQLEnumType, SCHEMA.type_map[f"{noun}OrderField"]).values
        own = columns(model)
        known = {name: one.value for name, one in fields.items() if own.get(str(one.value), "text") != "text"}
        chosen = self.chance.sample(list(known), self.chance.randrange(1, len(known) + 1))
        given = [(name, self.chance.random() < 0.5) for name in chosen]
        told = [{"field": name, "direction": "DESC" if falls else "ASC"} for name, falls in given]
        by: list[tuple[str | Callable[[Columns], Any], bool]] = [(known[name], falls) for name, falls in given]
        if model in CUSTOM_OWNERS.values() and self.chance.random() < 0.6:
            name, falls = custom_key(self.chance.choice(NO_TEXTS)), self.chance.random() < 0.5
            place = self.chance.randrange(len(told) + 1)
            told.insert(place, {"custom": name, "direction": "DESC" if falls else "ASC"})
            by.insert(place, (custom_order(self.lists.custom_field(model, name)), falls))
            if self.chance.random() < 0.5:
                return told[place : place + 1], by[place : place + 1]
        return told, by

    async def ask(self, document: str, **variables: Any) -> Any:
        told = await answer(Case(document, variables), self.actor, engine=True)
        assert told.errors == (), (document, variables)
        return told.tree


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("name", LISTS)
async def test_pages_hold_what_passes_in_its_order(
    world: World, actors: dict[str, Actor | None], name: str, who: str
) -> None:
    model = LISTS[name]
    noun = model.__name__
    asking = Asking(world, actors, who, Random(f"{name} {who}"))
    for _ in range(TRIES):
        chosen, (orders, by) = asking.filter(noun), asking.orders(noun, model)
        rows = asking.lists.passing(model, asking.lists.existing(model), SCHEMA.type_map[f"{noun}Filter"], chosen)
        wanted = [str(ids.encode(noun, row["id"])) for row in in_order(rows, by)]
        size = asking.chance.choice((1, 3, 7, 100)) if len(wanted) < 12 else asking.chance.choice((5, 100))
        assert await forward(asking, name, size, chosen, orders) == wanted, (chosen, orders)
        assert await backward(asking, name, size, chosen, orders) == wanted, (chosen, orders)


def page(name: str, window: str) -> str:
    noun = LISTS[name].__name__
    return f"""query ($n: Int, $at: String, $filter: {noun}Filter, $orders: [{noun}Order!]) {{
        list: {name}({window}, filter: $filter, orderBy: $orders) {{
            nodes {{ id }} totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
        }}
    }}"""


async def forward(asking: Asking, name: str, size: int, filter: Any, orders: Any) -> list[str]:
    """Return the ids of all pages from the first on."""
    found: list[str] = []
    at, more, total = None, True, 0
    while more:
        document = page(name, "first: $n, after: $at")
        shown = (await asking.ask(document, n=size, at=at, filter=filter, orders=orders))["list"]
        info, total = shown["pageInfo"], shown["totalCount"]
        assert info["hasPreviousPage"] is (at is not None)
        found += [node["id"] for node in shown["nodes"]]
        at, more = info["endCursor"], info["hasNextPage"]
        assert not more or len(shown["nodes"]) == size
    assert total == len(found)
    return found


async def backward(asking: Asking, name: str, size: int, filter: Any, orders: Any) -> list[str]:
    """Return the ids of all pages from the last on, in the order of the list."""
    found: list[str] = []
    at, more = None, True
    while more:
        document = page(name, "last: $n, before: $at")
        shown = (await asking.ask(document, n=size, at=at, filter=filter, orders=orders))["list"]
        info = shown["pageInfo"]
        assert info["hasNextPage"] is (at is not None)
        found = [node["id"] for node in shown["nodes"]] + found
        at, more = info["startCursor"], info["hasPreviousPage"]
        assert not more or len(shown["nodes"]) == size
    return found


@pytest.mark.parametrize("who", ["admin", "manager", "rep", "reading partner", "rep abroad"])
@pytest.mark.parametrize(("name", "inner"), NESTED)
async def test_lists_of_rows_hold_their_own(
    world: World, actors: dict[str, Actor | None], name: str, inner: str, who: str
) -> None:
    of, (model, by) = LISTS[name], NESTED[name, inner]
    noun = model.__name__
    asking = Asking(world, actors, who, Random(f"{name} {inner} {who}"))
    document = f"""query ($filter: {noun}Filter, $orders: [{noun}Order!]) {{
        {name}(first: 40) {{ nodes {{ id {inner}(first: 50, filter: $filter, orderBy: $orders) {{
            nodes {{ id }} totalCount
        }} }} }}
    }}"""
    for _ in range(TRIES):
        chosen, (orders, by_columns) = asking.filter(noun), asking.orders(noun, model)
        filter_type = cast(GraphQLInputObjectType, SCHEMA.type_map[f"{noun}Filter"])
        passing = asking.lists.passing(model, asking.lists.existing(model), filter_type, chosen)
        told = await asking.ask(document, filter=chosen, orders=orders)
        parents = {str(ids.encode(of.__name__, row["id"])): row["id"] for row in asking.lists.existing(of)}
        assert {entry["id"] for entry in told[name]["nodes"]} == parents.keys()
        for entry in told[name]["nodes"]:
            key = parents[entry["id"]]
            own = [row for row in passing if (row[by] == key if by else (key, row["id"]) in on_leads(world))]
            wanted = [str(ids.encode(noun, row["id"])) for row in in_order(own, by_columns)]
            assert [one["id"] for one in entry[inner]["nodes"]] == wanted, (chosen, orders)
            assert entry[inner]["totalCount"] == len(wanted)


def on_leads(world: World) -> set[tuple[Any, Any]]:
    return {(row["contact_id"], row["lead_id"]) for at in world.rows for row in world.of(at, LeadContact)}


@pytest.mark.parametrize("who", ["admin", "manager", "viewer", "admin abroad"])
async def test_a_board_shows_who_stands_on_it(world: World, actors: dict[str, Actor | None], who: str) -> None:
    asking = Asking(world, actors, who, Random(who))
    document = """query ($id: ID!, $filter: LeadFilter) {
        stage(id: $id) { leads(first: 60, filter: $filter) { nodes { id } totalCount } leadCount(filter: $filter) }
    }"""
    shown = 0
    for stage in asking.lists.existing(Stage):
        chosen = asking.filter("Lead") if asking.chance.random() < 0.5 else {}
        passing = asking.lists.passing(Lead, asking.lists.existing(Lead), SCHEMA.type_map["LeadFilter"], chosen)
        own = [row for row in asking.lists.on_board(passing) if row["stage_id"] == stage["id"]]
        told = (await asking.ask(document, id=str(ids.encode("Stage", stage["id"])), filter=chosen))["stage"]
        wanted = [str(ids.encode("Lead", row["id"])) for row in in_order(own, [("rank", False)])]
        assert [one["id"] for one in told["leads"]["nodes"]] == wanted, chosen
        assert told["leads"]["totalCount"] == told["leadCount"] == len(wanted)
        shown += len(wanted)
    assert shown
