"""The search through the API: what is found, in which order, for whom, and what is marked of it."""

from typing import Any

import pytest
from graphql import GraphQLEnumType, GraphQLUnionType

from domain import companies, contacts, follow_ups, leads, products
from domain import search_words as words
from domain.actors import Actor
from domain.companies import CompanyDetails
from domain.contacts import ContactDetails
from domain.follow_up_details import FollowUpDetails
from domain.products import ProductDetails
from domain.subjects import SubjectKey
from engine.reads import MODELS
from engine.select import fetch
from models.base import uuid7
from models.companies import Company
from models.contacts import Contact
from models.database import read
from models.follow_ups import FollowUp, FollowUpKind
from models.leads import Lead
from models.stages import StageKind
from models.users import Role
from queries import marking, search
from schema.context import Context
from schema.schema import graphql_schema
from tests.engine.scoped import unscoped
from tests.factories import NOW, again, lead_in, member, partner, seller, stage, team
from tests.schema.asking import ask, codes, gid

pytestmark = pytest.mark.usefixtures("db")

SEARCH = """query ($query: String!, $types: [SearchType!], $first: Int) {
  search(query: $query, types: $types, first: $first) {
    rank highlight { field text isMatch }
    node { __typename ... on Lead { id title owner { id } } ... on Company { id name }
           ... on Contact { id name } ... on Product { id name }
           ... on FollowUp { id title } } } }"""
EVERYTHING = ["LEAD", "COMPANY", "CONTACT", "PRODUCT", "FOLLOW_UP"]


async def hits(actor: Actor, query: str, **given: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await ask(actor, SEARCH, query=query, **given))["search"]
    return found


async def names(actor: Actor, query: str, **given: Any) -> list[str]:
    """Return what was found by type and name, the best first."""
    nodes = [hit["node"] for hit in await hits(actor, query, **given)]
    return [f"{node['__typename']} {node.get('title') or node.get('name')}" for node in nodes]


async def lead_of(actor: Actor, title: str, **columns: Any) -> Lead:
    return await lead_in(await stage(actor, StageKind.QUALIFY), title=title, **columns)


async def follow_up(actor: Actor, title: str, *, on: Lead | Company, **details: Any) -> FollowUp:
    given = FollowUpDetails(kind=FollowUpKind.CALL, title=title, due_at=NOW, **details)
    return await follow_ups.create(actor, SubjectKey(type(on), on.id), given, now=NOW)


async def company(actor: Actor, name: str, **details: Any) -> Company:
    return await companies.create(actor, CompanyDetails(name=name, **details), now=NOW)


async def contact(actor: Actor, name: str, **details: Any) -> Contact:
    return await contacts.create(actor, ContactDetails(name=name, **details), now=NOW)


def text_of(hit: dict[str, Any], field: str) -> str:
    """Return a text of a hit with its matches in brackets."""
    parts = [part for part in hit["highlight"] if part["field"] == field]
    return "".join(f"[{part['text']}]" if part["isMatch"] else part["text"] for part in parts)


def test_every_noun_that_is_searched_is_in_the_schema() -> None:
    types = graphql_schema._schema.type_map
    union, asked = types["SearchResult"], types["SearchType"]
    assert isinstance(union, GraphQLUnionType) and isinstance(asked, GraphQLEnumType)
    assert {MODELS[type_.name] for type_ in union.types} == search.SEARCHED.keys()
    assert {MODELS[value.value] for value in asked.values.values()} == search.SEARCHED.keys()


async def test_every_noun_is_found_and_the_best_comes_first() -> None:
    admin = await seller()
    await lead_of(admin, "Roof for Solaris", description="a solar roof")
    await company(admin, "Solar", domain="solar.example")
    await contact(admin, "Ann Summer", job_title="Head of solar")
    await products.create(admin, ProductDetails(name="Solar panel", family="Solar"), now=NOW)

    assert await names(admin, "solar") == [
        "Company Solar",
        "Product Solar panel",
        "Lead Roof for Solaris",
        "Contact Ann Summer",
    ]
    assert await names(admin, "SOLAR pan") == ["Product Solar panel"]
    assert await names(admin, "solar", types=["CONTACT", "COMPANY"]) == ["Company Solar", "Contact Ann Summer"]
    assert await names(admin, "solar", first=1) == ["Company Solar"]
    ranks = [hit["rank"] for hit in await hits(admin, "solar")]
    assert (int(ranks[0]), int(ranks[1])) == (2, 1) and 0 < ranks[3] < ranks[2] < 1


async def test_a_title_counts_more_than_a_description_and_of_equals_the_newest_comes_first() -> None:
    admin = await seller()
    for number, (title, description) in enumerate((("A", "a pump"), ("Old pump", None), ("New pump", None))):
        await lead_of(admin, title, description=description, created_at=NOW.replace(day=number + 1))

    assert await names(admin, "pump") == ["Lead New pump", "Lead Old pump", "Lead A"]


async def test_what_is_unmistakable_is_found_and_comes_first() -> None:
    admin = await seller()
    lead = await lead_of(admin, "Roof")
    acme = await company(admin, "Acme", domain="acme.com", phone="+49 221 1234567")
    ann = await contact(admin, "Ann", email="Ann.Lee@acme.com", phone="+1 650 253 0000")
    await contact(admin, "Bob", job_title="knows ann.lee@acme.com")
    pump = await products.create(admin, ProductDetails(name="Pump", sku="PX-500"), now=NOW)

    for typed, found in {
        "ann.lee@ACME.com": f"Contact {ann.name}",
        "+1 (650) 253-0000": "Contact Ann",
        "001 650 253 0000": "Contact Ann",
        "+492211234567": "Company Acme",
        "https://www.acme.com/": "Company Acme",
        "PX-500": "Product Pump",
        "px-500": "Product Pump",
        gid("Lead", lead.id): "Lead Roof",
        str(lead.id): "Lead Roof",
        acme.id.hex: "Company Acme",
        gid("Product", pump.id): "Product Pump",
    }.items():
        [best, *_] = await hits(admin, typed)
        assert (await names(admin, typed))[0] == found, typed
        assert best["rank"] >= 3, typed
    # An address finds its company, too.
    assert await names(admin, "ann.lee@acme.com") == ["Contact Ann", "Company Acme", "Contact Bob"]
    assert await names(admin, gid("Company", lead.id)) == []
    assert await names(admin, "ann.lee@ac") == ["Contact Ann", "Contact Bob"]
    assert await names(admin, "px-50") == ["Product Pump"]


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("müller-lüd", "Müller-Lüdenscheid"),
        ("LÜDENSCHEID", "Müller-Lüdenscheid"),
        ("o'brien", "O'Brien & Söhne"),
        ("a_b", "a_b"),
        ("3.5", "about 3.5 kW"),
        ("roof-5", "roof-5"),
        ("日本語の", "日本語の見積もり"),
        ("roof,", "a roof"),
        ('"roof"', "a roof"),
        ("www.acme.com", "see www.acme.com"),
        ("acme.com", "see https://www.acme.com/shop."),
        ("acme.co", "mail ann@acme.com"),
        ("ann@acme.c", "mail ann@acme.com"),
        ("lee", "mail ann.lee@acme.com"),
        ("500 pump", "PX-500 is a pump"),
        ("px-500", "PX-500 is a pump"),
        ("PX-5", "PX-500 is a pump"),
        ("1107", "Offer 2026-1107"),
        ("2026/1107", "Offer 2026-1107"),
        ("muller", "Müller"),
        ("MÜLLER", "Muller"),
        ("mu\u0308ller", "Müller"),
        ("strasse", "Hauptstraße, Straße 5"),
        ("Łódź", "lodz"),
        ("angstrom", "ÅNGSTRÖM"),
        ("ЕЛКА", "Ёлка"),
        ("한국", "한국어"),
        ("हिन्दी", "यह हिन्दी है"),
        ("soft\u00adware", "Software"),
        ("«roof»", "Roof"),
        ("kafe", "Kafé €5"),
    ],
)
async def test_words_are_found_as_people_write_them(typed: str, title: str) -> None:
    admin = await seller()
    await lead_of(admin, title)
    await lead_of(admin, "Something else")

    assert await names(admin, typed) == [f"Lead {title}"]
    listed = await ask(admin, "query ($s: String) { leads(search: $s) { nodes { title } } }", s=typed)
    assert listed["leads"]["nodes"] == [{"title": title}]


@pytest.mark.parametrize(
    ("typed", "title"),
    [("ann@acme.com", "ann.b@acme.com"), ("px-500", "PX 5 and 500"), ("lee@acme.com", "lee acme.org"), ("x", "€5 kx")],
)
async def test_words_that_signs_join_follow_one_another(typed: str, title: str) -> None:
    admin = await seller()
    await lead_of(admin, title)

    assert await names(admin, typed) == []


async def test_postgresql_takes_the_words_from_texts_that_we_take() -> None:
    texts = [
        *(
            "Müller-Lüdenscheid PX-500",
            "ann.lee@acme.com a..b ... .x y.",
            "Straße ŁÓDŹ Ænima Þór ıİ",
            "«x» €5 ½ x² Ⅷ ª º µ",
        ),
        *(
            "हिन्दी می\u200cخواهم",
            "일본어 \u1112\u1161\u11ab が",
            "e\u0301 soft\u00adware \u202ex \ufeffy",
            "🚀 → ＡＢ，Ｃ 々 、。",
        ),
    ]
    for text in texts:
        [row] = await read("SELECT search_cut($1) AS cut, search_fold($1) AS fold", text)
        assert (row["cut"], row["fold"]) == (words.cut(text), words.fold(text)), text


@pytest.mark.parametrize(
    ("typed", "text", "shown"),
    [
        ("muller", "Herr Müller, Mu\u0308llers", "Herr [Müller], [Mu\u0308llers]"),
        ("strasse 5", "Straße 5, 51", "[Straße] [5], [51]"),
        ("ann@acme.com", "Ann <ann@acme.com>, acme.org", "Ann <[ann@acme.com]>, acme.org"),
        ("acme.com", "www.acme.com", "www.[acme.com]"),
        ("500", "PX-500 and PX-5", "PX-[500] and PX-5"),
        ("roof solar", "Solarroof, solar roof roofs", "[Solarroof], [solar] [roof] roofs"),
    ],
)
async def test_what_matches_is_marked_as_it_was_written(typed: str, text: str, shown: str) -> None:
    admin = await seller()
    await lead_of(admin, "Lead", description=text)

    [hit] = await hits(admin, typed)
    assert text_of(hit, "description") == shown


async def test_matches_are_marked_in_plain_text() -> None:
    admin = await seller()
    await lead_of(admin, "<b>Pump</b> & pumps", description="no such word")
    long = "Intro words. " * 200 + "Here a pump is named. " + "More words. " * 200
    await lead_of(admin, "Long", description=long)
    await contact(admin, "Ann", phone="+1 650 253 0000")

    by_title = {hit["node"]["title"]: hit for hit in await hits(admin, "pump")}

    marked = by_title["<b>Pump</b> & pumps"]
    assert text_of(marked, "title") == "<b>[Pump]</b> & [pumps]"
    assert text_of(marked, "description") == ""
    shown = text_of(by_title["Long"], "description")
    assert "a [pump] is" in shown and len(shown) < 400
    assert [hit["highlight"] for hit in await hits(admin, "+1 650 253 0000")] == [[]]


async def test_a_text_without_breaks_is_shown_in_part() -> None:
    admin = await seller()
    await lead_of(admin, "Long", description="pump " + "x" * 1_900)

    [hit] = await hits(admin, "pump")

    assert sum(len(part["text"]) for part in hit["highlight"]) <= marking.LONGEST_SHOWN


@pytest.mark.parametrize(
    "query",
    [
        "",
        " ",
        "\t\n",
        "...",
        "&|!()",
        ":*",
        "'",
        "\\",
        "''''",
        "\\'",
        "§$%",
        "<->",
        "🚀",
        "\x00",
        "\x01",
        "--",
        "_",
        "%",
    ],
)
async def test_a_text_without_words_finds_nothing(query: str) -> None:
    admin = await seller()
    await lead_of(admin, "A & B 🚀 %")

    assert await hits(admin, query) == []


@pytest.mark.parametrize(
    "query",
    [
        "a",
        "a" * 200,
        "a " * 100,
        "'a' & !b | (c",
        "a:*",
        "a\\",
        "a'b",
        "\x00a\x00",
        "a); DROP TABLE lead; --",
        "$1 {alias} %s",
        "²",
        "Ⅷ",
        "İ",
        "\ufeffa",
        "a<->b",
        "a:b:C",
        "a|b",
        "e\u0301",
        "1e999",
        "-1",
        "Lead_",
        "0" * 32,
        "@",
        "a@",
        "@a",
        "+",
        "+1",
        "http://",
        "a/b",
        "\u202ea",
    ],
)
async def test_whatever_is_typed_is_answered(query: str) -> None:
    admin = await seller()
    await lead_of(admin, "alpha beta")

    assert await names(admin, query) in ([], ["Lead alpha beta"])


async def test_what_is_beyond_the_limits_is_refused() -> None:
    admin = await seller()

    for given in ({"query": "a" * 201}, {"query": "a" * 10_000}, {"query": "a", "first": 101}):
        assert await codes(admin, SEARCH, **given) == ["BAD_USER_INPUT"]
    assert await codes(admin, SEARCH, query="a", first=-1) == ["BAD_USER_INPUT"]
    assert await codes(None, SEARCH, query="a") == ["UNAUTHENTICATED"]
    await lead_of(admin, "alpha")
    assert await hits(admin, "a", first=0) == await hits(admin, "a", types=[]) == []


@pytest.mark.parametrize("most_newest", [search.MOST_NEWEST, 10], ids=["owner by owner", "at once"])
async def test_only_what_exists_for_who_asks_is_found(most_newest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_NEWEST", most_newest)
    admin, stranger = await seller(), await seller()
    north = await team(admin)
    manager = await member(Role.MANAGER, of=admin, team=north)
    rep, other = await member(Role.REP, of=admin, team=north), await member(Role.REP, of=admin)
    own = await lead_of(admin, "Pump of rep", owner_id=rep.user_id)
    await lead_of(admin, "Pump of other", owner_id=other.user_id)
    await lead_of(admin, "Pump of nobody")
    await lead_of(admin, "Deleted pump", owner_id=rep.user_id, deleted=True)
    await lead_of(stranger, "Pump abroad")
    acme = await company(admin, "Pump works", domain="pump.example")
    await companies.delete(admin, (await company(admin, "Deleted pumps")).id, now=NOW)

    seen = {"Lead Pump of rep", "Company Pump works"}
    assert set(await names(rep, "pump")) == set(await names(await again(manager), "pump")) == seen
    assert set(await names(other, "pump")) == {"Lead Pump of other", "Company Pump works"}
    assert set(await names(admin, "pump")) == seen | {"Lead Pump of other", "Lead Pump of nobody"}
    assert await names(stranger, "pump") == ["Lead Pump abroad"]
    for typed in (str(own.id), gid("Lead", own.id), "pump.example", acme.id.hex):
        assert await names(stranger, typed) == []
    assert await names(other, str(own.id)) == []


@pytest.mark.parametrize("role", [Role.ADMIN, Role.REP])
async def test_every_table_that_is_searched_is_searched_within_the_scope(
    role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, sent = await member(role), list[str]()

    async def noting(sql: str, params: Any) -> list[Any]:
        sent.append(sql)
        return await fetch(sql, params)

    monkeypatch.setattr(search, "fetch", noting)
    for typed in ("pump", "ann@acme.com", str(uuid7())):
        await hits(actor, typed)

    assert len(sent) == 3
    assert [found for statement in sent for found in unscoped(statement)] == []


async def test_a_key_finds_only_the_nouns_that_it_may_read() -> None:
    admin = await seller()
    await lead_of(admin, "Pump")
    await company(admin, "Pump works")
    document = '{ search(query: "pump") { node { __typename } } }'

    for scopes, found in (
        (("company:read",), ["Company"]),
        (("lead:read", "company:read"), ["Company", "Lead"]),
        (("lead:write",), []),
        ((), []),
    ):
        key = await partner(*scopes, of=admin)
        told = await graphql_schema.execute(document, context_value=Context(identity=key, now=NOW))
        assert told.errors is None and told.data
        assert sorted(hit["node"]["__typename"] for hit in told.data["search"]) == found, scopes


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a search take few rows for very many."""
    limits = {
        "MOST_FOUND": 3,
        "MOST_NEWEST": 8,
        "MOST_HANGING": 8,
        "MOST_OF_NEWEST": 2,
        "PEEKED": 4,
        "COMMON": 2,
        "ENOUGH": 2,
    }
    for name, limit in limits.items():
        monkeypatch.setattr(search, name, limit)


@pytest.mark.usefixtures("few_rows")
async def test_a_common_word_is_looked_for_among_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    for day in range(1, 21):
        title, owner = ("Pump" if day % 2 else "Pipe") + f" {day}", rep.user_id if day < 11 else None
        await lead_of(admin, title, owner_id=owner, created_at=NOW.replace(day=day))

    assert await names(admin, "pump", first=20) == ["Lead Pump 19", "Lead Pump 17"]
    assert (await names(rep, "pump", first=20))[:2] == ["Lead Pump 9", "Lead Pump 7"]
    # A rare word is found wherever it stands.
    assert await names(admin, "3") == await names(rep, "3") == ["Lead Pump 3"]
    assert await names(rep, "19") == []
    # Where it looks rare and is not, some of all come beside the newest.
    monkeypatch.setattr(search, "COMMON", 5)
    found = await names(admin, "pump", first=20)
    assert found[:2] == ["Lead Pump 19", "Lead Pump 17"]
    assert 3 <= len(found) <= 5


@pytest.mark.usefixtures("few_rows")
async def test_a_name_is_found_however_common_its_words_are() -> None:
    admin = await seller()
    await company(admin, "Pump")
    await contact(admin, "Pump")
    await products.create(admin, ProductDetails(name="Pump"), now=NOW)
    for number in range(12):
        await company(admin, f"Pump {number}")
        await contact(admin, f"Pump {number}")
        await products.create(admin, ProductDetails(name=f"Pump {number}"), now=NOW)

    assert sorted((await names(admin, "Pump"))[:3]) == ["Company Pump", "Contact Pump", "Product Pump"]


async def test_follow_ups_are_found_by_title_and_note_where_what_they_are_for_exists() -> None:
    admin, stranger = await seller(), await seller()
    rep, other = [await member(Role.REP, of=admin) for _ in range(2)]
    own, gone = [await lead_of(admin, title, owner_id=rep.user_id) for title in ("Roof", "Gone")]
    foreign = await lead_of(admin, "Cellar", owner_id=other.user_id)
    done = await follow_up(rep, "Ask about the pump", on=own, note="Zanzibar")
    await follow_ups.complete(rep, done.id, now=NOW)
    await follow_up(other, "Pump of other", on=foreign)
    await follow_up(admin, "Pump", on=await company(admin, "Acme"))
    await follow_up(rep, "Pump that is gone", on=gone)
    await leads.delete(admin, gone.id, now=NOW)
    await follow_up(stranger, "Pump abroad", on=await lead_of(stranger, "Abroad"))

    assert await names(rep, "pump") == ["FollowUp Pump", "FollowUp Ask about the pump"]
    assert set(await names(admin, "pump")) == {"FollowUp Pump", "FollowUp Pump of other", "FollowUp Ask about the pump"}
    assert await names(other, "zanz") == []
    [hit] = await hits(rep, "zanz", types=["FOLLOW_UP"])
    assert text_of(hit, "note") == "[Zanzibar]"
    assert await names(rep, str(done.id)) == ["FollowUp Ask about the pump"]
    assert await names(other, str(done.id)) == []
    key = await partner("lead:read", of=admin)
    told = await graphql_schema.execute(
        '{ search(query: "pump") { node { __typename } } }', context_value=Context(identity=key, now=NOW)
    )
    assert told.errors is None and told.data == {"search": []}


@pytest.mark.usefixtures("few_rows")
async def test_a_common_word_of_follow_ups_is_looked_for_among_the_newest() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    own, foreign = await lead_of(admin, "A", owner_id=rep.user_id), await lead_of(admin, "B")
    for number in range(12):
        await follow_up(admin, f"Pump {number}", on=own if number < 9 else foreign)
    assert await names(rep, "pump", first=20) == ["FollowUp Pump 8", "FollowUp Pump 7"]
    assert await names(rep, "3") == ["FollowUp Pump 3"]
    assert await names(rep, "11") == []
