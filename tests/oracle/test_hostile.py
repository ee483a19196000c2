"""Nothing that a client sends becomes SQL or code: names are the client's own business, and texts are values."""

import builtins
import keyword
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import orjson
import pytest

from domain.actors import Actor
from models.leads import Lead
from tests.oracle.compare import Answer, Case, answer, compared
from tests.oracle.running import HAS_ENGINE
from tests.oracle.world import HOME, ODD_TEXTS, World

# Names that GraphQL allows and that mean something to Python, to SQL, or to the code that a plan is made of.
NAMES = (
    *keyword.kwlist,
    *keyword.softkwlist,
    *(name for name in dir(builtins) if not name.startswith("__") or name in ("__import__", "__build_class__")),
    *(f"{letter}{number}" for letter in "acrx" for number in (0, 1, 2, 7)),
    "self", "cls", "root", "info", "r", "row", "rows", "_rows", "Row", "cursor", "parent", "place", "missing", "names",
    "actor", "data", "errors", "extensions", "path", "context", "__proto__", "__builtins__", "__class__", "__dict__",
    "__init__", "__globals__", "constructor", "prototype", "hasOwnProperty", "toString",
    "select", "SELECT", "from_", "where", "order", "group", "union", "drop", "table", "lead", "user", "workspace_id",
    "deleted_at", "null", "true", "false", "on_", "query", "mutation", "fragment", "_", "__", "_0", "A", "a" * 4000,
)  # fmt: skip
# GraphQL keeps names with two underscores at the beginning to itself, and yet lets a client use them as aliases.
TEXTS = (
    *(text for text in ODD_TEXTS if len(text) < 100),
    "'; DROP TABLE lead; --", '" OR 1=1; --', "') OR ('1'='1", "\\'; SELECT 1; --", "$$; SELECT 1; $$", "$1",
    "$2::text", ":name", "%s", "%(name)s", "{alias}", "{0}", "{r}", "{__builtins__}", "{alias.__class__.__mro__}",
    "\\x00", "E'\\x41'", "U&'\\0041'", "/* */", "--", ";", "`id`", "${id}", "#{id}", "a' || 'b", "%27", "＇", "ʼ",
)  # fmt: skip
# So odd that it occurs in no statement of ours.
MARK = "zqxjkv"
NUL = "\x00"


@contextmanager
def sent() -> Iterator[list[str]]:
    """Give the text of each statement that is sent to PostgreSQL within the block, by whatever way."""
    texts: list[str] = []
    connection: Any = asyncpg.Connection
    prepared, executed = connection._get_statement, connection.execute

    async def preparing(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        texts.append(query)
        return await prepared(self, query, *args, **kwargs)

    async def executing(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        texts.append(query)
        return await executed(self, query, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "_get_statement", preparing)
        patch.setattr(connection, "execute", executing)
        yield texts


async def asked(case: Case, actor: Actor | None) -> tuple[Answer, list[str]]:
    """Return what both executors answer, and the statements that the engine sent for it."""
    oracle = await answer(case, actor, engine=False)
    with sent() as texts:
        engine = await answer(case, actor, engine=True)
    assert compared(engine, oracle) == []
    assert not HAS_ENGINE or engine.errors or engine.compiled, engine.why_not
    return engine, texts


def batches(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the names in groups that one operation may have as aliases."""
    return [names[at : at + 8] for at in range(0, len(names), 8)]


def aliased(names: tuple[str, ...]) -> str:
    """Return a document with these aliases everywhere: lists, edges, joined rows, computed and batched fields."""
    n = names
    fields = " ".join(f"{name}: title" for name in names[3:8])
    return f"""{{
        {n[0]}: leads(first: 3, orderBy: [{{ field: CREATED_AT }}]) {{
            {n[1]}: edges {{ {n[2]}: cursor node {{ ...F {fields} }} }}
            {n[3 % len(n)]}: pageInfo {{ {n[0]}: endCursor }} {n[4 % len(n)]}: totalCount
        }}
    }}
    fragment F on Lead {{
        {n[0]}: owner {{ {n[1]}: name {n[2]}: role }}
        {n[1]}: value {{ {n[0]}: amount {n[2]}: __typename }}
        {n[2]}: contacts(first: 2) {{
            {n[0]}: nodes {{ {n[1]}: contact {{ {n[0]}: id {n[2]}: viewerCan {{ {n[1]}: update }} }} }}
        }}
    }}"""


@pytest.mark.parametrize("names", batches(NAMES), ids=lambda names: names[0][:12])
async def test_aliases_are_only_keys_of_the_answer(actors: dict[str, Actor | None], names: tuple[str, ...]) -> None:
    names = names if len(names) >= 3 else (*names, "other", "another")
    plain = tuple(f"k{number}" for number in range(len(names)))
    hostile, texts = await asked(Case(aliased(names)), actors["admin"])
    harmless, same_texts = await asked(Case(aliased(plain)), actors["admin"])
    assert texts == same_texts
    assert texts
    renamed = dict(zip(names, plain, strict=True))
    assert with_keys(hostile.tree, renamed) == harmless.tree
    assert list(hostile.tree) == [names[0]]


def with_keys(tree: Any, names: dict[str, str]) -> Any:
    """Return an answer with other keys."""
    if isinstance(tree, list):
        return [with_keys(entry, names) for entry in tree]
    if isinstance(tree, dict):
        return {names.get(key, key): with_keys(value, names) for key, value in tree.items()}
    return tree


def named(name: str) -> Case:
    """Return a case whose operation, fragment and variables have a name."""
    document = f"""query {name}(${name}: String, ${name}2: Int = 2, ${name}3: LeadFilter!, ${name}4: Boolean!) {{
        leads(first: ${name}2, search: ${name}, filter: {{ and: [${name}3, {{ title: {{ ne: ${name} }} }}] }}) {{
            nodes {{ ...{name} @include(if: ${name}4) title }}
        }}
    }}
    fragment {name} on Lead {{ id company {{ name }} }}"""
    variables = {name: None, f"{name}3": {"status": {"in": ["OPEN"]}}, f"{name}4": True}
    return Case(document, variables, name)


async def test_names_of_operations_fragments_and_variables_are_only_names(actors: dict[str, Actor | None]) -> None:
    harmless, same_texts = await asked(named("Harmless"), actors["admin"])
    assert harmless.errors == ()
    assert same_texts
    # A fragment cannot be called `on`.
    for name in sorted(set(NAMES) - {"on"}):
        with sent() as texts:
            hostile = await answer(named(name), actors["admin"], engine=True)
        assert (hostile.errors, hostile.data, texts) == ((), harmless.data, same_texts), name


QUESTIONS = """query ($text: String, $texts: [String!], $like: StringFilter) {
    a: leads(first: 2, filter: { title: { eq: $text } }) { totalCount nodes { title } }
    b: companies(first: 2, filter: { name: { in: $texts }, leads: { some: { title: { contains: $text } } } }) {
        totalCount nodes { name leads(filter: { not: { title: $like } }) { totalCount nodes { title } } }
    }
    c: leads(first: 2, search: $text) { totalCount nodes { title } }
    d: contacts(first: 2, filter: { or: [{ jobTitle: $like }, { email: { ne: $text } }] }) { totalCount }
    e: leadSummary(groupBy: [STAGE], filter: { title: { startsWith: $text } }) { total { count } }
    f: pipelines(first: 1) { nodes { stages { leadCount(filter: { title: { eq: $text } }, search: $text) } } }
}"""


def questions(text: str) -> Case:
    variables = {"text": text, "texts": [text, f"{text}{text}"], "like": {"contains": text, "notIn": [text]}}
    return Case(QUESTIONS, variables)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:20])
async def test_texts_are_only_values(actors: dict[str, Actor | None], world: World, text: str) -> None:
    told, _ = await asked(questions(text), actors["admin"])
    assert told.errors == ()
    titles = [row["title"] for row in world.of(HOME, Lead) if row["deleted_at"] is None]
    assert told.tree["a"]["totalCount"] == titles.count(text)
    assert all(lead["title"] == text for lead in told.tree["a"]["nodes"])
    # Nothing bears the mark, whatever follows it.
    marked, marked_texts = await asked(questions(f"{MARK}{text}"), actors["admin"])
    assert marked.errors == ()
    assert marked.tree["a"]["totalCount"] == marked.tree["c"]["totalCount"] == marked.tree["e"]["total"]["count"] == 0
    assert marked_texts
    assert not [statement for statement in marked_texts if MARK in statement.lower()]


@pytest.mark.parametrize("text", TEXTS[::3], ids=lambda text: ascii(text)[:20])
async def test_texts_within_the_document_are_only_values(actors: dict[str, Actor | None], text: str) -> None:
    written = orjson.dumps(f"{MARK}{text}").decode()
    document = f"""{{
        leads(first: 2, search: {written}, filter: {{ title: {{ in: [{written}] }}, currency: {{ ne: {written} }} }}) {{
            totalCount nodes {{ id }}
        }}
        node(id: {written}) {{ id }}
        company(id: {written}) {{ id }}
        products(after: {written}) {{ totalCount }}
    }}"""
    told, texts = await asked(Case(document), actors["admin"])
    assert told.codes == {"BAD_USER_INPUT"}
    assert not [statement for statement in texts if MARK in statement.lower()]


@pytest.mark.parametrize("place", ["eq", "ne", "contains", "startsWith", "in", "notIn"])
async def test_a_text_that_postgresql_cannot_hold_is_refused(actors: dict[str, Actor | None], place: str) -> None:
    value: Any = [f"a{NUL}b"] if place.endswith("n") and place != "contains" else f"a{NUL}b"
    case = Case("query ($f: LeadFilter) { leads(filter: $f) { totalCount } }", {"f": {"title": {place: value}}})
    told, texts = await asked(case, actors["admin"])
    assert told.codes == {"BAD_USER_INPUT"}
    assert texts == []


async def test_a_search_knows_no_such_character_and_passes_it_over(actors: dict[str, Actor | None]) -> None:
    case = "query ($s: String) { leads(search: $s) { totalCount } }"
    with_it, _ = await asked(Case(case, {"s": f"solar{NUL} roof"}), actors["admin"])
    without, _ = await asked(Case(case, {"s": "solar roof"}), actors["admin"])
    assert with_it.data == without.data != b'{"leads":{"totalCount":0}}'


async def test_what_is_sent_is_seen(actors: dict[str, Actor | None]) -> None:
    # Were nothing recorded, nothing would be found in it.
    with sent() as texts:
        await answer(Case("{ leads { nodes { id } } workspace { id } }"), actors["admin"], engine=True)
    assert any("lead" in statement for statement in texts)
    assert any("workspace" in statement for statement in texts)
