"""Custom fields through the API: values given, shown, filtered and ordered by, whatever people write into them."""

from decimal import Decimal
from typing import Any

import pytest

from domain import custom_fields, inputs, moves
from domain.actors import Actor
from domain.custom_fields import CustomFieldDetails, Option
from domain.moves import FieldMissing
from models import custom_values
from models.base import uuid7
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType, IndexState
from models.leads import Lead
from models.stages import StageKind
from models.users import Role, User
from schema import ids
from tests.factories import NOW, custom_field, events, lead, member, seller, stage
from tests.schema.asking import answer, ask, gid
from tests.statements import recorded

pytestmark = pytest.mark.usefixtures("db")
FAULTS = "userErrors { code message field }"
CUSTOM = "custom { key label value text field { id type } }"
UPDATE = f"""mutation ($input: UpdateLeadInput!) {{ updateLead(input: $input) {{
    lead {{ id version {CUSTOM} }} {FAULTS} }} }}"""
LEADS = """query ($filter: LeadFilter, $orders: [LeadOrder!], $first: Int, $after: String, $last: Int,
        $before: String) {
    leads(filter: $filter, orderBy: $orders, first: $first, after: $after, last: $last, before: $before) {
        nodes { title } totalCount pageInfo { endCursor startCursor hasNextPage hasPreviousPage } } }"""
HOSTILE = [
    "'; DROP TABLE lead; --",
    "') OR 1=1 --",
    'a" ? || $1 %s {key}',
    "\\'; SELECT pg_sleep(9); --",
    "Straße 🏗\u202e ẞ İ",
    "x" * 10_000,
]
OPTIONS = [Option("gold", "Gold 🥇"), Option("tin", "Tin"), Option("clay", "Clay", archived=True)]

GIVEN: list[tuple[CustomFieldType, Any, Any, str]] = [
    (CustomFieldType.TEXT, "  Two lines\nof it ", "Two lines\nof it", "Two lines\nof it"),
    (CustomFieldType.NUMBER, "0012.500", "12.5", "12.5"),
    (CustomFieldType.NUMBER, 7, "7", "7"),
    (CustomFieldType.NUMBER, 0.1, "0.1", "0.1"),
    (CustomFieldType.NUMBER, "-0", "0", "0"),
    (CustomFieldType.NUMBER, "999999999999999999", "999999999999999999", "999999999999999999"),
    (
        CustomFieldType.MONEY,
        {"amount": "12.50", "currencyCode": "eur"},
        {"amount": "12.5", "currencyCode": "EUR"},
        "12.5 EUR",
    ),
    (CustomFieldType.DATE, "2026-02-28", "2026-02-28", "2026-02-28"),
    (CustomFieldType.CHOICE, "gold", "gold", "Gold 🥇"),
    (CustomFieldType.MULTI_CHOICE, ["tin", "gold", "tin"], ["gold", "tin"], "Gold 🥇, Tin"),
    (CustomFieldType.YES_NO, False, False, "No"),
    (CustomFieldType.URL, "https://example.com/?q='", "https://example.com/?q='", "https://example.com/?q='"),
    (CustomFieldType.EMAIL, "Ann@Example.COM", "ann@example.com", "ann@example.com"),
    (CustomFieldType.PHONE, "+49 30 901820", "+4930901820", "+4930901820"),
]
REFUSED: list[tuple[CustomFieldType, Any, str]] = [
    (CustomFieldType.TEXT, 7, "MALFORMED"),
    (CustomFieldType.TEXT, "a\x00b", "MALFORMED"),
    (CustomFieldType.TEXT, "x" * 5_001, "TOO_LONG"),
    (CustomFieldType.NUMBER, "many", "MALFORMED"),
    (CustomFieldType.NUMBER, "1_000", "MALFORMED"),
    (CustomFieldType.NUMBER, "١٢", "MALFORMED"),
    (CustomFieldType.NUMBER, "１２", "MALFORMED"),
    (CustomFieldType.NUMBER, True, "MALFORMED"),
    (CustomFieldType.NUMBER, "NaN", "MALFORMED"),
    (CustomFieldType.NUMBER, "1e999999999", "MALFORMED"),
    (CustomFieldType.NUMBER, "9" * 30, "OUT_OF_RANGE"),
    (CustomFieldType.NUMBER, "0.000000001", "MALFORMED"),
    (CustomFieldType.MONEY, "12.50", "MALFORMED"),
    (CustomFieldType.MONEY, {"amount": "12.50"}, "MALFORMED"),
    (CustomFieldType.MONEY, {"amount": "12.50", "currencyCode": "XXX"}, "MALFORMED"),
    (CustomFieldType.MONEY, {"amount": {}, "currencyCode": "EUR"}, "MALFORMED"),
    (CustomFieldType.MONEY, {"amount": "1", "currencyCode": "EUR", "more": 1}, "MALFORMED"),
    (CustomFieldType.DATE, "2026-02-30", "MALFORMED"),
    (CustomFieldType.DATE, "2026-W10-1", "MALFORMED"),
    (CustomFieldType.MONEY, {"amount": "1_000", "currencyCode": "EUR"}, "MALFORMED"),
    (CustomFieldType.DATE, "0001-01-01", "OUT_OF_RANGE"),
    (CustomFieldType.CHOICE, "clay", "UNKNOWN_OPTION"),
    (CustomFieldType.CHOICE, "Gold 🥇", "UNKNOWN_OPTION"),
    (CustomFieldType.CHOICE, ["gold"], "UNKNOWN_OPTION"),
    (CustomFieldType.MULTI_CHOICE, "gold", "MALFORMED"),
    (CustomFieldType.MULTI_CHOICE, ["gold", "'; --"], "UNKNOWN_OPTION"),
    (CustomFieldType.MULTI_CHOICE, ["gold"] * 201, "TOO_LONG"),
    (CustomFieldType.YES_NO, "yes", "MALFORMED"),
    (CustomFieldType.USER, "User_nobody", "NOT_FOUND"),
    (CustomFieldType.USER, f"User_{0:032x}", "NOT_FOUND"),
    (CustomFieldType.URL, "javascript:alert(1)", "MALFORMED"),
    (CustomFieldType.EMAIL, "ann", "MALFORMED"),
    (CustomFieldType.PHONE, "12", "MALFORMED"),
]


def options(kind: CustomFieldType) -> dict[str, Any]:
    return {"options": OPTIONS} if kind in custom_fields.CHOICES else {}


async def update(actor: Actor, row: Lead, *given: tuple[str, Any], **more: Any) -> dict[str, Any]:
    custom = [{"field": field, "value": value} for field, value in given]
    payload: dict[str, Any] = (await ask(actor, UPDATE, input={"id": gid("Lead", row.id), "custom": custom, **more}))[
        "updateLead"
    ]
    return payload


async def noted(actor: Actor, title: str, **values: Any) -> Lead:
    row = await lead(actor, title=title)
    payload = await update(actor, row, *values.items())
    assert payload["userErrors"] == []
    return row


async def titles(actor: Actor, filter: Any = None, orders: Any = None, **window: Any) -> list[str]:
    told = await ask(actor, LEADS, filter=filter, orders=orders, **window)
    found = [node["title"] for node in told["leads"]["nodes"]]
    assert window or told["leads"]["totalCount"] == len(found)
    return found


async def passing(actor: Actor, field: str, **tests: Any) -> list[str]:
    return sorted(await titles(actor, {"custom": [{"field": field, **tests}]}))


async def ready(field: CustomField) -> None:
    await CustomField.filter(id=field.id).update(index_state=IndexState.READY)


@pytest.mark.parametrize(("kind", "given", "value", "text"), GIVEN)
async def test_a_value_is_kept_in_one_form(kind: CustomFieldType, given: Any, value: Any, text: str) -> None:
    actor = await seller()
    field = await custom_field(actor, "thing", kind, label="The thing", **options(kind))
    row = await lead(actor)

    payload = await update(actor, row, ("thing", given))
    same = await update(actor, row, (gid("CustomField", field.id), value))
    cleared = await update(actor, row, ("thing", None))

    shown = {"id": gid("CustomField", field.id), "type": kind.value}
    assert payload["lead"]["custom"] == [
        {"key": "thing", "label": "The thing", "value": value, "text": text, "field": shown}
    ]
    assert same["lead"]["version"] == payload["lead"]["version"]
    assert cleared["lead"]["custom"] == []
    changes = [event.data["changes"].get("custom.thing") for event in await events(row.id)][1:]
    assert changes == [[None, value], [value, None]]


@pytest.mark.parametrize(("kind", "given", "code"), REFUSED)
async def test_a_value_that_does_not_fit_is_refused_where_it_stands(
    kind: CustomFieldType, given: Any, code: str
) -> None:
    actor = await seller()
    await custom_field(actor, "first")
    await custom_field(actor, "thing", kind, **options(kind))
    row = await lead(actor)
    payload = await update(actor, row, ("first", "fine"), ("thing", given))
    assert {fault["code"] for fault in payload["userErrors"]} == {code}
    assert all(fault["field"][:3] == ["custom", "1", "value"] for fault in payload["userErrors"])
    assert (await Lead.get(id=row.id)).custom == {}


async def test_all_faults_are_told_together_with_those_of_the_other_fields() -> None:
    actor = await seller()
    await custom_field(actor, "size", CustomFieldType.NUMBER)
    row = await lead(actor)
    payload = await update(actor, row, ("size", "big"), ("none", 1), ("size", 2), title="x" * 201)
    assert [(fault["code"], fault["field"]) for fault in payload["userErrors"]] == [
        ("TOO_LONG", ["title"]),
        ("MALFORMED", ["custom", "0", "value"]),
        ("UNKNOWN_CUSTOM_FIELD", ["custom", "1", "field"]),
        ("MALFORMED", ["custom", "2", "field"]),
    ]


async def test_the_history_calls_a_field_by_its_key_and_a_member_by_their_id() -> None:
    actor = await seller()
    ann = await member(Role.REP, of=actor)
    assert ann.user_id
    await custom_field(actor, "roof_area", CustomFieldType.NUMBER)
    await custom_field(actor, "site_engineer", CustomFieldType.USER)
    await custom_field(actor, "said_by", CustomFieldType.TEXT)
    row, key = await lead(actor), gid("User", ann.user_id)
    await update(actor, row, ("roof_area", 5), ("site_engineer", key), ("said_by", str(ann.user_id)))
    await update(actor, row, ("site_engineer", None))
    document = "query ($id: ID!) { lead(id: $id) { history(first: 2) { nodes { changes { field before after } } } } }"

    [cleared, given] = (await ask(actor, document, id=gid("Lead", row.id)))["lead"]["history"]["nodes"]

    assert given["changes"] == [
        {"field": "custom.roof_area", "before": None, "after": "5"},
        {"field": "custom.said_by", "before": None, "after": str(ann.user_id)},
        {"field": "custom.site_engineer", "before": None, "after": key},
    ]
    assert cleared["changes"] == [{"field": "custom.site_engineer", "before": key, "after": None}]


async def test_a_user_is_a_member_by_id_or_address_and_shown_by_name() -> None:
    actor = await seller()
    await custom_field(actor, "engineer", CustomFieldType.USER)
    ann, gone, stranger = (
        await member(Role.REP, of=actor, name="Ann"),
        await member(of=actor, active=False),
        await member(),
    )
    row = await lead(actor)
    assert ann.user_id and gone.user_id and stranger.user_id

    payload = await update(actor, row, ("engineer", gid("User", ann.user_id)))
    left = await update(actor, row, ("engineer", gid("User", gone.user_id)))
    foreign = await update(actor, row, ("engineer", gid("User", stranger.user_id)))

    [value] = payload["lead"]["custom"]
    assert (value["value"], value["text"]) == (gid("User", ann.user_id), "Ann")
    assert [fault["code"] for fault in left["userErrors"]] == ["OWNER_INACTIVE"]
    assert [fault["code"] for fault in foreign["userErrors"]] == ["NOT_FOUND"]
    assert await passing(actor, "engineer", eq=gid("User", ann.user_id)) == ["Solar roof"]
    assert await passing(actor, "engineer", ne=gid("User", ann.user_id)) == []


async def test_captures_companies_and_contacts_take_values() -> None:
    actor = await seller()
    for owner in ("LEAD", "COMPANY", "CONTACT"):
        made = await ask(
            actor,
            f"mutation ($i: CreateCustomFieldInput!) {{ createCustomField(input: $i) {{ {FAULTS} }} }}",
            i={"owner": owner, "key": "note", "label": "Note", "type": "TEXT"},
        )
        assert made["createCustomField"]["userErrors"] == []
    for mutation, noun, named in (
        ("captureLead", "lead", {"title": "Roof"}),
        ("createCompany", "company", {"name": "Acme"}),
        ("createContact", "contact", {"name": "Ann"}),
    ):
        kind = f"{mutation[0].upper()}{mutation[1:]}Input"
        document = f"mutation ($i: {kind}!) {{ {mutation}(input: $i) {{ {noun} {{ id {CUSTOM} }} {FAULTS} }} }}"
        refused = (await ask(actor, document, i=named | {"custom": [{"field": "note", "value": 1}]}))[mutation]
        assert [fault["field"] for fault in refused["userErrors"]] == [["custom", "0", "value"]]
        made = (await ask(actor, document, i=named | {"custom": [{"field": "note", "value": "Hm"}]}))[mutation]
        assert [value["text"] for value in made[noun]["custom"]] == ["Hm"], mutation
        if mutation != "captureLead":
            change = f"update{noun.capitalize()}"
            document = document.replace(mutation, change).replace(kind, f"Update{noun.capitalize()}Input")
            given = {"id": made[noun]["id"], "custom": [{"field": "note", "value": "Oh"}]}
            assert (await ask(actor, document, i=given))[change][noun]["custom"][0]["text"] == "Oh"
            listed = f"query ($f: {noun.capitalize()}Filter) {{ {noun[:-1] + 'ies' if noun[-1] == 'y' else noun + 's'}"
            found = await ask(
                actor, f"{listed}(filter: $f) {{ nodes {{ id }} }} }}", f={"custom": [{"field": "note", "eq": "Oh"}]}
            )
            assert [[{"id": made[noun]["id"]}]] == [value["nodes"] for value in found.values()]


async def test_only_the_keys_asked_for_are_shown_and_archived_fields_are_hidden() -> None:
    actor = await seller()
    fields = [await custom_field(actor, key) for key in "abc"]
    row = await noted(actor, "Roof", a="1", b="2", c="3")
    await custom_fields.archive(actor, fields[2].id, now=NOW)
    document = "query ($id: ID!, $keys: [String!]) { lead(id: $id) { custom(keys: $keys) { key } } }"

    async def keys(wanted: Any) -> list[str]:
        told = await ask(actor, document, id=gid("Lead", row.id), keys=wanted)
        return [value["key"] for value in told["lead"]["custom"]]

    assert await keys(None) == ["a", "b"]
    assert await keys(["b", "c", "'; --"]) == ["b"]
    assert await keys([]) == []


# Filters


TESTS: list[tuple[CustomFieldType, dict[str, Any], dict[str, Any], list[str]]] = [
    (CustomFieldType.TEXT, {"A": "Alpha_1", "B": "beta"}, {"eq": "beta"}, ["B"]),
    (CustomFieldType.TEXT, {"A": "Alpha_1", "B": "beta"}, {"eq": "BETA"}, []),
    (CustomFieldType.TEXT, {"A": "Alpha_1", "B": "beta"}, {"ne": "beta"}, ["A", "none"]),
    (CustomFieldType.TEXT, {"A": "Alpha_1", "B": "beta"}, {"in": ["beta", "x"]}, ["B"]),
    (CustomFieldType.TEXT, {"A": "Alpha_1", "B": "beta"}, {"in": []}, []),
    (CustomFieldType.TEXT, {"A": "Alpha_1", "B": "beta"}, {"notIn": ["beta"]}, ["A", "none"]),
    (CustomFieldType.TEXT, {"A": "Alpha_1", "B": "beta"}, {"contains": "A_"}, ["A"]),
    (CustomFieldType.TEXT, {"A": "Alpha_1", "B": "beta"}, {"startsWith": "BE"}, ["B"]),
    (CustomFieldType.TEXT, {"A": "x" * 400 + "a", "B": "x" * 400 + "b"}, {"eq": "x" * 400 + "a"}, ["A"]),
    (CustomFieldType.NUMBER, {"A": 9, "B": "10", "C": "-1.5"}, {"gt": 9}, ["B"]),
    (CustomFieldType.NUMBER, {"A": 9, "B": "10", "C": "-1.5"}, {"gte": "9.0", "lt": 100}, ["A", "B"]),
    (CustomFieldType.NUMBER, {"A": 9, "B": "10", "C": "-1.5"}, {"in": ["9.00", -1.5]}, ["A", "C"]),
    (CustomFieldType.NUMBER, {"A": 9, "B": "10", "C": "-1.5"}, {"notIn": [9]}, ["B", "C", "none"]),
    (CustomFieldType.NUMBER, {"A": 9, "B": "10", "C": "-1.5"}, {"isNull": True}, ["none"]),
    (CustomFieldType.NUMBER, {"A": 9, "B": "10", "C": "-1.5"}, {"isNull": False}, ["A", "B", "C"]),
    (
        CustomFieldType.MONEY,
        {"A": {"amount": "9", "currencyCode": "EUR"}, "B": {"amount": "9", "currencyCode": "USD"}},
        {"gte": "9"},
        ["A", "B"],
    ),
    (
        CustomFieldType.MONEY,
        {"A": {"amount": "9", "currencyCode": "EUR"}, "B": {"amount": "9", "currencyCode": "USD"}},
        {"eq": {"amount": "9.00", "currencyCode": "EUR"}},
        ["A"],
    ),
    (
        CustomFieldType.MONEY,
        {"A": {"amount": "9", "currencyCode": "EUR"}, "B": {"amount": "9", "currencyCode": "USD"}},
        {"ne": {"amount": "9.00", "currencyCode": "EUR"}},
        ["B", "none"],
    ),
    (
        CustomFieldType.MONEY,
        {"A": {"amount": "9", "currencyCode": "EUR"}, "B": {"amount": "9", "currencyCode": "USD"}},
        {"notIn": [9]},
        ["none"],
    ),
    (CustomFieldType.DATE, {"A": "2026-01-31", "B": "2026-02-01"}, {"gt": "2026-01-31"}, ["B"]),
    (CustomFieldType.DATE, {"A": "2026-01-31", "B": "2026-02-01"}, {"lte": "2026-01-31"}, ["A"]),
    (CustomFieldType.CHOICE, {"A": "gold", "B": "tin"}, {"eq": "tin"}, ["B"]),
    (CustomFieldType.CHOICE, {"A": "gold", "B": "tin"}, {"in": ["clay"]}, []),
    (CustomFieldType.MULTI_CHOICE, {"A": ["gold"], "B": ["gold", "tin"]}, {"contains": "tin"}, ["B"]),
    (CustomFieldType.MULTI_CHOICE, {"A": ["gold"], "B": ["gold", "tin"]}, {"in": ["gold", "clay"]}, ["A", "B"]),
    (CustomFieldType.MULTI_CHOICE, {"A": ["gold"], "B": ["gold", "tin"]}, {"notIn": ["tin"]}, ["A", "none"]),
    (CustomFieldType.YES_NO, {"A": True, "B": False}, {"eq": False}, ["B"]),
    (CustomFieldType.YES_NO, {"A": True, "B": False}, {"ne": True}, ["B", "none"]),
    (CustomFieldType.EMAIL, {"A": "ann@a.example"}, {"eq": "Ann@A.example"}, ["A"]),
    (CustomFieldType.PHONE, {"A": "+49 30 901820"}, {"eq": "+4930901820"}, ["A"]),
    (CustomFieldType.PHONE, {"A": "+49 30 901820", "B": "+49 89 901820"}, {"startsWith": "+49 (30) 90"}, ["A"]),
    (CustomFieldType.PHONE, {"A": "+49 30 901820", "B": "+49 30 901821"}, {"contains": "90-18 20"}, ["A"]),
]


@pytest.mark.parametrize(("kind", "values", "tests", "expected"), TESTS)
async def test_filters_are_those_of_the_type(
    kind: CustomFieldType, values: dict[str, Any], tests: dict[str, Any], expected: list[str]
) -> None:
    actor = await seller()
    field = await custom_field(actor, "thing", kind, **options(kind))
    await lead(actor, title="none")
    for title, value in values.items():
        await noted(actor, title, thing=value)
    assert await passing(actor, "thing", **tests) == expected
    assert await passing(actor, gid("CustomField", field.id), **tests) == expected


async def test_tests_of_several_fields_all_pass_and_go_within_others() -> None:
    actor = await seller()
    for key in "ab":
        await custom_field(actor, key, CustomFieldType.NUMBER)
    await noted(actor, "one", a=1, b=2)
    await noted(actor, "two", a=1)
    both = [{"field": "a", "eq": 1}, {"field": "b", "gt": 1}]
    assert await titles(actor, {"custom": both}) == ["one"]
    assert await titles(actor, {"not": {"custom": both}}) == ["two"]
    assert sorted(await titles(actor, {"or": [{"custom": both[:1]}, {"custom": both[1:]}]})) == ["one", "two"]
    assert sorted(await titles(actor, {"custom": []})) == ["one", "two"]
    summed = "query ($filter: LeadFilter) { leadSummary(groupBy: [STATUS], filter: $filter) { total { count } } }"
    assert (await ask(actor, summed, filter={"custom": both}))["leadSummary"]["total"]["count"] == 1
    board = """query ($f: LeadFilter) {
        pipelines(first: 1) { nodes { stages {
            leadCount(filter: $f) leads(first: 1, filter: $f) { totalCount } } } } }"""
    told = await ask(actor, board, f={"custom": both})
    [pipeline] = told["pipelines"]["nodes"]
    assert sum(stage["leadCount"] for stage in pipeline["stages"]) == 1
    assert sum(stage["leads"]["totalCount"] for stage in pipeline["stages"]) == 1


WRONG: list[tuple[CustomFieldType, dict[str, Any]]] = [
    (CustomFieldType.TEXT, {"gt": "a"}),
    (CustomFieldType.TEXT, {"eq": 7}),
    (CustomFieldType.TEXT, {"eq": ""}),
    (CustomFieldType.TEXT, {"contains": "\x00"}),
    (CustomFieldType.NUMBER, {"eq": "many"}),
    (CustomFieldType.NUMBER, {"contains": "1"}),
    (CustomFieldType.NUMBER, {"in": [[]]}),
    (CustomFieldType.NUMBER, {"gt": "1e999999"}),
    (CustomFieldType.MONEY, {"eq": {"amount": "1"}}),
    (CustomFieldType.DATE, {"eq": "yesterday"}),
    (CustomFieldType.CHOICE, {"eq": "'; --"}),
    (CustomFieldType.MULTI_CHOICE, {"eq": "gold"}),
    (CustomFieldType.YES_NO, {"eq": "yes"}),
    (CustomFieldType.YES_NO, {"in": [True]}),
    (CustomFieldType.USER, {"eq": "Ann"}),
    (CustomFieldType.NUMBER, {"in": [1] * 501}),
]


@pytest.mark.parametrize(("kind", "tests"), WRONG)
async def test_a_test_that_the_type_has_not_is_refused(kind: CustomFieldType, tests: dict[str, Any]) -> None:
    actor = await seller()
    await custom_field(actor, "thing", kind, **options(kind))
    told = await answer(actor, LEADS, filter={"custom": [{"field": "thing", **tests}]})
    assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"]


async def test_unknown_archived_and_foreign_fields_are_refused_in_filters_and_orders() -> None:
    actor, stranger = await seller(), await seller()
    foreign = await custom_field(stranger, "foreign", is_indexed=True)
    old = await custom_field(actor, "old", is_indexed=True)
    await ready(foreign)
    await ready(old)
    await custom_fields.archive(actor, old.id, now=NOW)
    await custom_field(actor, "theirs", owner=CustomFieldOwner.COMPANY)
    names = ["none", "old", "foreign", "theirs", gid("CustomField", foreign.id), gid("Lead", uuid7()), "", "\x00"]
    for name in [*names, *HOSTILE]:
        told = await answer(actor, LEADS, filter={"custom": [{"field": name, "eq": "1"}]})
        assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"], name
        assert len(told["errors"][0]["message"]) < 300
        told = await answer(actor, LEADS, orders=[{"custom": name}])
        assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"], name


# Orders


SORTED: dict[CustomFieldType, list[Any]] = {
    CustomFieldType.TEXT: ["alpha", "Beta", "gamma"],
    CustomFieldType.NUMBER: ["-12.5", "2", "10"],
    CustomFieldType.MONEY: [{"amount": amount, "currencyCode": "EUR"} for amount in ("2", "10", "10.5")],
    CustomFieldType.DATE: ["1999-12-31", "2026-01-01", "2026-01-02"],
    CustomFieldType.CHOICE: ["gold", "tin"],
    CustomFieldType.YES_NO: [False, True],
    CustomFieldType.URL: ["https://a.example", "https://b.example", "https://c.example"],
    CustomFieldType.EMAIL: ["a@x.example", "b@x.example", "c@x.example"],
    CustomFieldType.PHONE: ["+4930901820", "+4930901821", "+4930901822"],
}


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize("kind", sorted(custom_values.SORTABLE))
async def test_lists_are_ordered_by_a_field_with_missing_values_last(kind: CustomFieldType, size: int) -> None:
    actor = await seller()
    field = await custom_field(actor, "thing", kind, is_indexed=True, **options(kind))
    await ready(field)
    values = SORTED[kind]
    for at in range(len(values)):
        await noted(actor, f"{at}", thing=values[at])
    for title in ("none", "no"):
        await lead(actor, title=title)
    up = [*(f"{at}" for at in range(len(values))), "none", "no"]
    down = [*reversed([f"{at}" for at in range(len(values))]), "no", "none"]
    for direction, expected in (("ASC", up), ("DESC", down)):
        orders = [{"custom": "thing", "direction": direction}]
        assert await paged(actor, orders, size) == expected
        assert await paged_back(actor, orders, size) == expected
    assert await titles(actor, orders=[{"custom": "thing"}, {"field": "CREATED_AT"}]) == up


async def paged(actor: Actor, orders: Any, size: int) -> list[str]:
    found: list[str] = []
    after, more = None, True
    while more:
        told = (await ask(actor, LEADS, orders=orders, first=size, after=after))["leads"]
        found += [node["title"] for node in told["nodes"]]
        after, more = told["pageInfo"]["endCursor"], told["pageInfo"]["hasNextPage"]
    return found


async def paged_back(actor: Actor, orders: Any, size: int) -> list[str]:
    found: list[str] = []
    before, more = None, True
    while more:
        told = (await ask(actor, LEADS, orders=orders, last=size, before=before))["leads"]
        found = [node["title"] for node in told["nodes"]] + found
        before, more = told["pageInfo"]["startCursor"], told["pageInfo"]["hasPreviousPage"]
    return found


async def test_reps_see_their_own_in_the_same_order() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    await ready(await custom_field(admin, "size", CustomFieldType.NUMBER, is_indexed=True))
    for number in (3, 1, 2):
        await noted(rep, f"{number}", size=number)
    await noted(admin, "not theirs", size=0)
    await lead(rep, title="none")
    assert await paged(rep, [{"custom": "size"}], 2) == ["1", "2", "3", "none"]


async def test_an_order_is_refused_where_no_index_serves() -> None:
    actor = await seller()
    await custom_field(actor, "plain", CustomFieldType.NUMBER)
    await custom_field(actor, "building", CustomFieldType.NUMBER, is_indexed=True)
    await ready(await custom_field(actor, "uses", CustomFieldType.MULTI_CHOICE, options=OPTIONS, is_indexed=True))
    for orders in ([{"custom": key}] for key in ("plain", "building", "uses")):
        told = await answer(actor, LEADS, orders=orders)
        assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"]
    for odd in ({}, {"field": "SCORE", "custom": "plain"}):
        told = await answer(actor, LEADS, orders=[odd])
        assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("role", [Role.ADMIN, Role.REP])
async def test_choices_are_ordered_by_the_places_of_their_options(role: Role) -> None:
    admin = await seller()
    actor = await member(role, of=admin)
    given = [Option(key, key.title()) for key in ("low", "high", "middle", "never")]
    field = await custom_field(admin, "urgency", CustomFieldType.CHOICE, options=given, is_indexed=True)
    await ready(field)
    for number in range(9):
        urgency = ("middle", "low", "high")[number % 3]
        await noted(actor, f"{urgency} {number}", urgency=urgency)
    await lead(actor, title="none")
    orders = [{"custom": "urgency"}]
    low, high, middle = (
        [f"{key} {at}" for at in (n, n + 3, n + 6)] for key, n in (("low", 1), ("high", 2), ("middle", 0))
    )

    for size in (1, 2, 4):
        up, down = [*low, *high, *middle, "none"], [*middle[::-1], *high[::-1], *low[::-1], "none"]
        assert await paged(actor, orders, size) == await paged_back(actor, orders, size) == up
        assert await paged(actor, [orders[0] | {"direction": "DESC"}], size) == down
        assert await paged_back(actor, [orders[0] | {"direction": "DESC"}], size) == down
    by_time = [{"custom": "urgency", "direction": "DESC"}, {"field": "CREATED_AT", "direction": "ASC"}]
    assert await titles(actor, orders=by_time) == down
    told = await ask(actor, LEADS, orders=orders, first=4)
    moved = [given[0], given[2], Option("high", "High", archived=True), given[3]]
    await custom_fields.update(admin, field.id, CustomFieldDetails(options=moved), now=NOW)

    assert await paged(actor, orders, 2) == [*low, *middle, *high, "none"]
    assert (await defined(admin))["custom:urgency"]["sortable"]
    told = await answer(actor, LEADS, orders=orders, after=told["leads"]["pageInfo"]["endCursor"])
    assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"]


async def test_a_cursor_outlives_a_new_name_but_not_a_new_type() -> None:
    actor = await seller()
    field = await custom_field(actor, "size", is_indexed=True)
    await ready(field)
    for number in (1, 2, 3):
        await noted(actor, f"{number}", size=f"{number}")
    told = (await ask(actor, LEADS, orders=[{"custom": "size"}], first=1))["leads"]
    after = told["pageInfo"]["endCursor"]
    await custom_fields.update(actor, field.id, CustomFieldDetails(key="width", label="Width"), now=NOW)
    assert await titles(actor, orders=[{"custom": "width"}], after=after) == ["2", "3"]
    await custom_fields.update(actor, field.id, CustomFieldDetails(type=CustomFieldType.NUMBER), now=NOW)
    await ready(field)
    refused = await answer(actor, LEADS, orders=[{"custom": "width"}], after=after)
    assert [error["extensions"]["code"] for error in refused["errors"]] == ["BAD_USER_INPUT"]


# Nothing that people write is SQL


@pytest.mark.parametrize("text", HOSTILE)
async def test_nothing_that_people_write_stands_in_a_statement(text: str) -> None:
    actor = await seller()
    short = inputs.seen(text[:200])
    field = await custom_field(actor, "note", label=short, is_indexed=True)
    tier = [Option("a", short), Option("b", "B")]
    await custom_field(actor, "tier", CustomFieldType.CHOICE, options=tier)
    await ready(field)
    kept = text[:5_000].strip()
    with recorded() as sent:
        row = await lead(actor)
        assert (await update(actor, row, ("note", kept), ("tier", "a")))["userErrors"] == []
        assert await passing(actor, "note", eq=kept) == ["Solar roof"]
        for tests in ({"contains": kept}, {"startsWith": kept}, {"in": [kept]}):
            assert await passing(actor, "note", **tests) == ["Solar roof"]
        for tests in ({"ne": kept}, {"notIn": [kept]}):
            assert await passing(actor, "note", **tests) == []
        assert await paged(actor, [{"custom": "note"}], 1) == ["Solar roof"]
        for name in (text, kept):
            await update(actor, row, (name, kept), ("tier", text), ("note", {"a": text}))
            await answer(actor, LEADS, filter={"custom": [{"field": name, "eq": text}, {"field": "tier", "eq": text}]})
            await answer(actor, LEADS, orders=[{"custom": name}])
    assert len(sent) > 20
    assert not any(text[:20] in sql or kept[:20] in sql for sql in sent)
    [shown] = [one for one in (await update(actor, row, ("note", kept)))["lead"]["custom"] if one["key"] == "note"]
    assert (shown["text"], shown["label"]) == (kept, short)


async def test_numbers_are_exact() -> None:
    actor = await seller()
    await custom_field(actor, "size", CustomFieldType.NUMBER)
    await noted(actor, "exact", size="0.30000000")
    await noted(actor, "large", size="123456789012345678.87654321")
    assert await passing(actor, "size", eq="0.3") == ["exact"]
    assert await passing(actor, "size", gt="123456789012345678.8765432") == ["large"]
    row = await Lead.get(workspace_id=actor.workspace_id, title="large")
    assert [Decimal(value) for value in row.custom.values()] == [Decimal("123456789012345678.87654321")]
    assert str(ids.encode("Lead", row.id)) == gid("Lead", row.id)


# What screens and stages know of them


DEFINITIONS = """query ($type: FieldOwner!) { fieldDefinitions(type: $type) {
    name label type noun filterName filterOperators orderName sortable searchable writable customField { key }
    options { value label } requiredAtStages { name } } }"""
REQUIRE = f"""mutation ($input: SetStageRequirementsInput!) {{ setStageRequirements(input: $input) {{
    stage {{ requirements {{ fields }} }} {FAULTS} }} }}"""


async def defined(actor: Actor, owner: str = "LEAD") -> dict[str, Any]:
    told = await ask(actor, DEFINITIONS, type=owner)
    return {one["name"]: one for one in told["fieldDefinitions"] if one["customField"]}


async def test_screens_are_told_of_custom_fields() -> None:
    actor = await seller()
    tier = await custom_field(actor, "tier", CustomFieldType.CHOICE, label="Tier", options=OPTIONS, is_indexed=True)
    size = await custom_field(actor, "size", CustomFieldType.NUMBER, is_indexed=True)
    await custom_field(actor, "engineer", CustomFieldType.USER)
    for field in (tier, size):
        await ready(field)
    known = await defined(actor)
    assert list(known) == ["custom:tier", "custom:size", "custom:engineer"]
    assert known["custom:tier"] == {
        "name": "custom:tier",
        "label": "Tier",
        "type": "CHOICE",
        "noun": None,
        "filterName": "custom",
        "filterOperators": ["eq", "ne", "in", "notIn", "isNull"],
        "orderName": "custom",
        "sortable": True,
        "searchable": False,
        "writable": True,
        "customField": {"key": "tier"},
        "options": [{"value": "gold", "label": "Gold 🥇"}, {"value": "tin", "label": "Tin"}],
        "requiredAtStages": [],
    }
    assert (known["custom:size"]["orderName"], known["custom:size"]["sortable"]) == ("custom", True)
    assert (known["custom:engineer"]["type"], known["custom:engineer"]["noun"]) == ("REFERENCE", "User")
    assert await defined(actor, "COMPANY") == {} == await defined(actor, "PRODUCT")


async def test_a_stage_asks_for_a_custom_field_under_whatever_name_it_has() -> None:
    actor = await seller()
    field = await custom_field(actor, "budget", CustomFieldType.MONEY)
    other = await custom_field(actor, "other")
    row, target = await lead(actor), await stage(actor, StageKind.QUALIFY)

    async def required(*names: str) -> dict[str, Any]:
        given = {"id": gid("Stage", target.id), "requirements": {"fields": list(names)}}
        told: dict[str, Any] = (await ask(actor, REQUIRE, input=given))["setStageRequirements"]
        return told

    for name in ("none", "'; --", "", "\x00", "0" * 32, "x" * 10_000):
        name = f"custom:{name}"
        assert [fault["code"] for fault in (await required(name))["userErrors"]] == ["UNKNOWN_LEAD_FIELD"]
    asked = await required("custom:budget", f"custom:{gid('CustomField', other.id)}", "value", "custom:budget")
    assert asked["stage"]["requirements"]["fields"] == ["value", "custom:budget", "custom:other"]
    await required("custom:budget")
    await custom_fields.update(actor, field.id, CustomFieldDetails(key="funds", label="Funds"), now=NOW)

    with pytest.raises(FieldMissing) as caught:
        await moves.move(actor, row.id, stage_id=target.id, now=NOW)
    assert caught.value.field == ("custom:funds",)
    assert [one["name"] for one in (await defined(actor))["custom:funds"]["requiredAtStages"]] == [target.name]
    await custom_fields.archive(actor, field.id, now=NOW)
    assert (await moves.move(actor, row.id, stage_id=target.id, now=NOW)).stage_id == target.id
    again = await lead(actor)
    await custom_fields.restore(actor, field.id, now=NOW)
    with pytest.raises(FieldMissing):
        await moves.move(actor, again.id, stage_id=target.id, now=NOW)
    assert (await update(actor, again, ("funds", {"amount": "1", "currencyCode": "EUR"})))["userErrors"] == []
    assert (await moves.move(actor, again.id, stage_id=target.id, now=NOW)).stage_id == target.id


async def test_fields_are_listed_by_their_owner() -> None:
    actor = await seller()
    await custom_field(actor, "of_lead", label="B")
    gone = await custom_field(actor, "gone", label="A")
    await custom_field(actor, "of_company", owner=CustomFieldOwner.COMPANY)
    await custom_fields.archive(actor, gone.id, now=NOW)
    document = """query ($filter: CustomFieldFilter, $orders: [CustomFieldOrder!]) {
      customFields(filter: $filter, orderBy: $orders) { totalCount nodes { key } } }"""

    async def keys(filter: Any = None, orders: Any = None) -> list[str]:
        told = (await ask(actor, document, filter=filter, orders=orders))["customFields"]
        assert told["totalCount"] == len(told["nodes"])
        return [node["key"] for node in told["nodes"]]

    assert await keys({"owner": {"eq": "LEAD"}}) == ["of_lead", "gone"]
    assert await keys({"owner": {"eq": "COMPANY"}}) == ["of_company"]
    assert await keys({"owner": {"in": ["CONTACT"]}}) == []
    assert await keys({"owner": {"eq": "LEAD"}, "archivedAt": {"isNull": True}}) == ["of_lead"]
    assert await keys({"owner": {"eq": "LEAD"}}, [{"field": "LABEL"}]) == ["gone", "of_lead"]


async def test_a_field_comes_back_under_another_key_and_merges_are_told_where_they_stand() -> None:
    actor = await seller()
    tier = await custom_field(actor, "tier", CustomFieldType.CHOICE, options=OPTIONS)
    await custom_fields.archive(actor, tier.id, now=NOW)
    await custom_field(actor, "tier")
    document = f"""mutation ($input: RestoreCustomFieldInput!) {{ restoreCustomField(input: $input) {{
        customField {{ key archivedAt }} {FAULTS} }} }}"""

    told = (await ask(actor, document, input={"id": gid("CustomField", tier.id)}))["restoreCustomField"]
    assert [(fault["code"], fault["field"]) for fault in told["userErrors"]] == [("ALREADY_EXISTS", ["key"])]
    told = (await ask(actor, document, input={"id": gid("CustomField", tier.id), "key": "level"}))["restoreCustomField"]
    assert told == {"customField": {"key": "level", "archivedAt": None}, "userErrors": []}
    document = f"""mutation ($input: UpdateCustomFieldInput!) {{ updateCustomField(input: $input) {{ {FAULTS} }} }}"""
    merges = [{"option": "none", "into": "nowhere"}]
    told = await ask(actor, document, input={"id": gid("CustomField", tier.id), "mergeOptions": merges})
    assert {".".join(fault["field"]) for fault in told["updateCustomField"]["userErrors"]} == {
        "mergeOptions.0.option",
        "mergeOptions.0.into",
    }


async def test_messages_say_what_people_call_a_field() -> None:
    actor = await seller()
    field = await custom_field(actor, "f_date", CustomFieldType.DATE, label="Contract ends")
    row, target = await lead(actor), await stage(actor, StageKind.QUALIFY)

    [fault] = (await update(actor, row, ("f_date", "soon")))["userErrors"]
    assert fault["field"] == ["custom", "0", "value"]
    assert fault["message"] == "Contract ends is not a day such as 2026-03-01."
    told = await answer(actor, LEADS, filter={"custom": [{"field": "f_date", "gt": "soon"}]})
    assert "Contract ends is not a day such as 2026-03-01." in told["errors"][0]["message"]
    told = await answer(actor, LEADS, filter={"custom": [{"field": "f_date", "contains": "soon"}]})
    assert "Contract ends: a field of type DATE is not tested so." in told["errors"][0]["message"]
    given = {"id": gid("Stage", target.id), "requirements": {"fields": ["custom:f_date"]}}
    await ask(actor, REQUIRE, input=given)
    with pytest.raises(FieldMissing) as caught:
        await moves.move(actor, row.id, stage_id=target.id, now=NOW)
    assert caught.value.field == (f"custom:{field.key}",)
    assert str(caught.value) == f"The stage {target.name} asks for Contract ends, which is empty."


async def test_a_user_is_looked_for_by_address_too() -> None:
    admin = await seller()
    ann, stranger = await member(of=admin), await member()
    assert ann.user_id and admin.user_id
    email = (await User.get(id=ann.user_id)).email
    abroad = (await User.get(id=stranger.user_id)).email
    await custom_field(admin, "engineer", CustomFieldType.USER)
    await noted(admin, "hers", engineer=gid("User", ann.user_id))
    await lead(admin, title="none")

    assert await passing(admin, "engineer", eq=email.upper()) == ["hers"]
    assert await passing(admin, "engineer", **{"in": [email, gid("User", admin.user_id)]}) == ["hers"]
    assert await passing(admin, "engineer", ne=email) == ["none"]
    for wrong in (abroad, "nobody@example.com", "@", "ann"):
        told = await answer(admin, LEADS, filter={"custom": [{"field": "engineer", "eq": wrong}]})
        assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"]
