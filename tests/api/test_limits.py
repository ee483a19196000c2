"""Limits, each at its edge and one beyond, and hostile documents that must cost little."""

import time
from typing import Any

import pytest
from graphql import get_introspection_query, parse

from engine import limits
from engine.costs import costs
from engine.documents import Documents, Prepared, Refused
from schema.execution import documents
from settings import Settings, settings
from tests import factories
from tests.api.door import door as schema
from tests.api.serving import Client, codes

SCHEMA = schema._schema
TOKENS = 5_000


def nested(depth: int, *, step: str = "other", leaf: str = "name") -> str:
    """Return a document whose deepest field is at this depth."""
    return "{thing" + f"{{{step}" * (depth - 2) + f"{{{leaf}}}" + "}" * (depth - 2) + "}"


def limit_of(document: str) -> str | None:
    """Return which limit a document is beyond."""
    try:
        Documents(SCHEMA, settings()).prepare(document, max_tokens=TOKENS)
    except Refused as refused:
        first = refused.errors[0]
        return str((first.extensions or {}).get("limit", first.message))
    return None


def cost_of(document: str, variables: dict[str, Any] | None = None, name: str | None = None) -> int:
    prepared = Documents(SCHEMA, settings()).prepare(document, max_tokens=TOKENS)
    return prepared.operation(name).cost.of(variables)


@pytest.mark.parametrize(
    ("limit", "at", "beyond"),
    [
        ("depth", nested(12), nested(13)),
        (
            "depth",
            "{thing{...A}} fragment A on Thing" + nested(11).replace("thing", "other", 1),
            "{thing{...A}} fragment A on Thing" + nested(12).replace("thing", "other", 1),
        ),
        (
            "list depth",
            "{thing{parts{parts{parts{name}}}}}",
            "{thing{parts{parts{parts{parts{name}}}}}}",
        ),
        (
            "list depth",
            "{things(first: 1){edges{node{things(first: 1){nodes{parts{name}}}}}}}",
            "{things(first: 1){edges{node{things(first: 1){nodes{parts{...A}}}}}}} fragment A on Thing{parts{name}}",
        ),
        (
            "aliases",
            "{thing{" + " ".join(f"a{n}: name" for n in range(30)) + "}}",
            "{thing{...A " + " ".join(f"a{n}: name" for n in range(30)) + "}} fragment A on Thing{a: name}",
        ),
        (
            "directives",
            "{thing{"
            + "name @skip(if: false) @include(if: true) ... @include(if: true) {name} " * 1
            + "".join(f"f{n}: name @skip(if: false) @include(if: true) " for n in range(23))
            + "n: name @skip(if: false)}}",
            "{thing{"
            + "name @skip(if: false) @include(if: true) ... @include(if: true) {name} " * 1
            + "".join(f"f{n}: name @skip(if: false) @include(if: true) " for n in range(24))
            + "}}",
        ),
        (
            "root fields",
            "{" + " ".join(f"a{n}: hello" for n in range(20)) + "}",
            "{" + " ".join(f"a{n}: hello" for n in range(20)) + " ...A} fragment A on Query{hello}",
        ),
        ("repetitions of a field", "{thing{" + "name " * 25 + "}}", "{thing{" + "name " * 25 + "... {name}}}"),
        (
            "fragments",
            "{"
            + " ".join(f"...F{n}" for n in range(15))
            + "}"
            + "".join(f"fragment F{n} on Query{{thing{{...G{n}}}}}fragment G{n} on Thing{{name}}" for n in range(15)),
            "{hello}" + "".join(f"fragment F{n} on Query{{hello}}" for n in range(101)),
        ),
    ],
)
def test_each_limit_holds_at_its_edge(limit: str, at: str, beyond: str) -> None:
    assert limit_of(at) is None
    assert limit_of(beyond) == limit


def test_a_connections_steps_and_the_wrappers_of_a_type_add_no_depth() -> None:
    inner = "name"
    for _ in range(3):
        inner = f"things(first: 1){{edges{{node{{{inner}}}}}}}"
    # Eight levels of things and a leaf are under a twelve-level limit whatever edges and nodes stand between.
    steps = "thing{other{other{other{other{other{other{other{" + inner + "}}}}}}}}"

    assert limit_of("{" + steps + "}") is None
    assert limit_of("{" + steps.replace("thing{", "thing{other{", 1) + "}}") == "depth"


def test_the_standard_introspection_query_passes_and_a_deeper_one_does_not() -> None:
    for options in ({}, {"input_value_deprecation": True, "specified_by_url": True, "schema_description": True}):
        assert limit_of(get_introspection_query(**options)) is None
    deeper = "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}"
    assert limit_of(deeper) == "Maximum introspection depth exceeded"


async def test_tokens_are_counted_for_strangers_and_for_members(db: str, door: Client) -> None:
    token = await factories.bearer(await factories.member())

    def document(tokens: int) -> str:
        return "{nodes(ids: [" + "1 " * (tokens - 12) + "]){name}}"

    for credential, most in ((None, 2_000), (token, 5_000)):
        assert "errors" not in await door.graphql(document(most), token=credential)
        answer = await door.graphql(document(most + 1), token=credential)
        assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "limit": "tokens", "maximum": most}
    # What a member made the server keep is no nearer to a stranger.
    assert codes(await door.graphql(document(5_000))) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    ("document", "variables", "cost"),
    [
        ("{hello}", None, 0),
        ("{thing{name}}", None, 1),
        ("{thing{other{name}}}", None, 2),
        ("{thing{parts{name}}}", None, 11),
        ("{nodes(ids: [1, 2, 3]){other{name}}}", None, 6),
        ("query($ids: [ID!]!){nodes(ids: $ids){name}}", {"ids": ["1"] * 100}, 100),
        ("{things{nodes{name}}}", None, 20),
        ("{things{pageInfo{hasNextPage}}}", None, 20),
        ("{things(first: 0){totalCount}}", None, 50),
        ("{things(first: 0){...A}} fragment A on ThingConnection{totalCount nodes{name}}", None, 50),
        ("{things(first: 7){...A}} fragment A on ThingConnection{totalCount nodes{other{name}}}", None, 64),
        ("{things(first: 7){nodes{name} edges{cursor node{name}}}}", None, 7),
        ("{things(first: 7){nodes{other{name}} edges{node{other{name}}}}}", None, 21),
        ("{things(last: 3){nodes{name}}}", None, 3),
        ("{things(first: null, last: 3){nodes{name}}}", None, 3),
        ("query($n: Int){things(first: $n){nodes{name}}}", {"n": 9}, 9),
        ("query($n: Int){things(first: $n){nodes{name}}}", {}, 20),
        ("query($n: Int = 5){things(first: $n){nodes{name}}}", None, 5),
        ("query($n: Int = 5){things(first: $n){nodes{name}}}", {"n": None}, 20),
        ("{things(first: 10){nodes{things(first: 10){nodes{things(first: 10){nodes{name}}}}}}}", None, 1110),
        ("{things(first: 10){nodes{...A ...A}}} fragment A on Thing{other{name}}", None, 30),
        ("{__schema{types{name}}}", None, 0),
    ],
)
def test_an_operation_costs_its_objects(document: str, variables: dict[str, Any] | None, cost: int) -> None:
    assert cost_of(document, variables) == cost


def test_each_operation_of_a_document_has_a_cost_of_its_own() -> None:
    document = (
        "query A{things(first: 3){...F}} query B{things(first: 5){...F}} fragment F on ThingConnection{nodes{name}}"
    )

    assert (cost_of(document, name="A"), cost_of(document, name="B")) == (3, 5)


async def test_the_cost_is_told_and_too_dear_is_refused_before_any_work(db: str, door: Client) -> None:
    document = "query($n: Int){things(first: 99){nodes{things(first: $n){nodes{name} totalCount}}} thing{name}}"
    # 99 pages of n and fifty for counting each, a page of 99, a thing.
    fits = await door.graphql(document.replace(" totalCount", ""), {"n": 49})
    exceeds = await door.graphql(document.replace(" totalCount", ""), {"n": 50})

    told = fits["extensions"]["cost"]
    assert (told["requested"], told["maximum"]) == (99 * 50 + 1, 5_000)
    assert exceeds["errors"][0]["extensions"] == {"code": "COST_EXCEEDED", "requested": 5_050, "maximum": 5_000}
    assert "data" not in exceeds
    assert codes(await door.graphql(document, {"n": 1})) == ["COST_EXCEEDED"]


@pytest.mark.parametrize("size", [-1, 101, 10**9, -(10**9)])
async def test_a_page_that_is_none_is_refused_before_any_work(db: str, door: Client, size: int) -> None:
    by_variable = await door.graphql("query($n: Int){things(first: $n){nodes{name}}}", {"n": size})
    literal = await door.graphql(f"{{things(last: {size}){{nodes{{name}}}}}}")

    for answer in (by_variable, literal):
        assert codes(answer) == ["BAD_USER_INPUT"]
        assert str(size) in answer["errors"][0]["message"]


def fan_out(levels: int, width: int) -> str:
    """Return fragments each of which spreads the next so many times: width ** levels fields if written out."""
    parts = [
        f"fragment F{n} on Thing{{" + " ".join(f"a{w}: other{{...F{n + 1}}}" for w in range(width)) + "}"
        for n in range(levels)
    ]
    return "{thing{...F0}}" + "".join(parts) + f"fragment F{levels} on Thing{{name}}"


HOSTILE = {
    "fan-out of two": fan_out(90, 2),
    "fan-out of ten": fan_out(60, 10),
    "flat fan-out": "{thing{...F0}}"
    + "".join(f"fragment F{n} on Thing{{...F{n + 1} ...F{n + 1} other{{...F{n + 1}}}}}" for n in range(90))
    + "fragment F90 on Thing{name}",
    "list fan-out": "{thing{...F0}}"
    + "".join(f"fragment F{n} on Thing{{parts{{...F{n + 1}}} things{{nodes{{...F{n + 1}}}}}}}" for n in range(90))
    + "fragment F90 on Thing{name}",
    "circle": "{thing{...A}} fragment A on Thing{other{...B}} fragment B on Thing{other{...A}}",
    "own circle": "{thing{...A}} fragment A on Thing{...A other{...A}}",
    "unknown fragments": "{thing{" + " ".join(f"...U{n}" for n in range(1_500)) + "}}",
    "long chain": "{thing{...F0}}"
    + "".join(f"fragment F{n} on Thing{{...F{n + 1}}}" for n in range(600))
    + "fragment F600 on Thing{name}",
    "deep": "{thing" + "{other" * 1_600,
    "deep and whole": nested(1_500),
    "deep inline": "{" + "...{" * 1_600 + "hello" + "}" * 1_601,
    "deep value": "{hello(name: " + "[" * 2_400 + "]" * 2_400 + ")}",
    "repeated leaf": "{thing{" + "name " * 4_900 + "}}",
    "repeated object": "{thing{" + "other{name}" * 1_200 + "}}",
    "repeated in inline fragments": "{thing{" + "...{other{name}}" * 600 + "}}",
    "repeated in fragments": "{thing{"
    + " ".join(f"...F{n}" for n in range(100))
    + "}}"
    + "".join(f"fragment F{n} on Thing{{" + "other{other{name}}" * 7 + "}" for n in range(100)),
    "differing arguments": "{thing{" + "".join(f"things(first: {n}){{nodes{{name}}}}" for n in range(400)) + "}}",
    "aliases": "{" + " ".join(f"a{n}: hello" for n in range(1_600)) + "}",
    "directives": "{hello " + "@skip(if: false) " * 800 + "}",
    "unknown directives": "{hello " + "@x " * 2_400 + "}",
    "variables": "query(" + " ".join(f"$v{n}: Int" for n in range(1_200)) + "){hello}",
    "operations": "".join(f"query Q{n}{{hello}} " for n in range(900)),
    "operations with fragments": "".join(f"query Q{n}{{thing{{...F0}}}} " for n in range(200))
    + fan_out(90, 2)[len("{thing{...F0}}") :],
    "unknown fields": "{" + " ".join(f"x{n}" for n in range(4_900)) + "}",
    "comments": "#\n" * 500_000 + "{hello}",
    "long name": "{" + "a" * 1_000_000 + "}",
    "long string": '{hello(name: "' + "a" * 1_000_000 + '")}',
    "block string": '{hello(name: """' + "\n a" * 300_000 + '""")}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_document_costs_less_than_a_second(name: str) -> None:
    read = Documents(SCHEMA, settings())
    began = time.process_time()
    try:
        prepared = read.prepare(HOSTILE[name], max_tokens=TOKENS)
        for operation in prepared.operations.values():
            operation.cost.of({})
    except Refused:
        pass
    assert time.process_time() - began < 1


def test_measuring_and_costing_take_time_in_proportion_to_the_document() -> None:
    def seconds(levels: int) -> float:
        document = parse(fan_out(levels, 3))
        loose = Settings(max_depth=10_000, max_aliases=10_000)
        began = time.process_time()
        for _ in range(5):
            limits.check(document, loose)
            costs(SCHEMA, document)
        return time.process_time() - began

    seconds(10)
    assert seconds(80) < 8 * 4 * max(seconds(10), 0.001)


def test_a_cost_beyond_all_numbers_is_still_a_number() -> None:
    # Written out, this has ten to the power of a hundred objects.
    parts = "".join(f"fragment F{n} on Thing{{parts{{...F{n + 1}}}}}" for n in range(90))
    document = parse("{thing{...F0}}" + parts + "fragment F90 on Thing{parts{name}}")

    assert costs(SCHEMA, document)[""].of({}) == 1_000_000_000


async def test_a_document_is_read_once(db: str, door: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    kept = documents(SCHEMA)
    really = kept._read

    def counted(text: str, max_tokens: int) -> Prepared:
        read.append(text)
        return really(text, max_tokens)

    monkeypatch.setattr(kept, "_read", counted)
    document = "query ReadOnce($n: String!) {hello(name: $n)}"

    for name in ("Ada", "Grace", "Ada"):
        assert (await door.graphql(document, {"n": name}))["data"] == {"hello": f"hello {name}"}

    assert read == [document]


def test_kept_documents_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.documents.MOST_KEPT", 10)
    kept = Documents(SCHEMA, settings())
    for n in range(15):
        kept.prepare(f"query Q{n} {{hello}}", max_tokens=TOKENS)

    assert len(kept.kept) == 10
    assert "query Q0 {hello}" not in kept.kept
    big = "{hello}" + " " * 70_000
    kept.prepare(big, max_tokens=TOKENS)
    assert big not in kept.kept


def test_production_shows_neither_its_schema_nor_suggestions() -> None:
    quiet = Documents(SCHEMA, Settings(environment="production"))
    for document, said in (("{__schema{queryType{name}}}", "introspection"), ("{hell}", "Cannot query field 'hell'")):
        with pytest.raises(Refused) as refused:
            quiet.prepare(document, max_tokens=TOKENS)
        assert said in refused.value.errors[0].message
        assert "Did you mean" not in refused.value.errors[0].message
    quiet.prepare("{thing{__typename}}", max_tokens=TOKENS)
