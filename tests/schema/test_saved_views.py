"""Saved views through the API: checked as their lists are, and never in the way of what is gone."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from domain import custom_fields
from domain.actors import Actor
from domain.custom_fields import CustomFieldDetails
from models.base import uuid7
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType, IndexState
from models.leads import LeadStatus
from models.saved_views import SavedView, Sharing, ViewNoun
from models.stages import StageKind
from models.users import Role
from queries.custom_fields import Fields, known_fields
from schema import saved_views
from tests.factories import NOW, lead_in, member, seller, stage, team
from tests.schema.asking import answer, ask, codes, gid

pytestmark = pytest.mark.usefixtures("db")

FIELDS = """
  id name noun filter orderBy search columns visibility position version
  owner { id } team { name } problems { code message field } viewerCan { update delete }
"""
CREATE = f"""mutation ($input: CreateSavedViewInput!) {{ createSavedView(input: $input) {{
  savedView {{ {FIELDS} }} userErrors {{ code message field }} }} }}"""
UPDATE = CREATE.replace("CreateSavedView", "UpdateSavedView").replace("createSavedView", "updateSavedView")
DELETE = """mutation ($input: DeleteSavedViewInput!) { deleteSavedView(input: $input) {
  deletedSavedViewId userErrors { code field } } }"""
RESTORE = """mutation ($input: RestoreSavedViewInput!) { restoreSavedView(input: $input) {
  savedView { id version } userErrors { code field } } }"""
LIST = f"""query ($filter: SavedViewFilter, $orderBy: [SavedViewOrder!]) {{
  savedViews(filter: $filter, orderBy: $orderBy) {{ totalCount nodes {{ {FIELDS} }} }} }}"""


async def save(actor: Actor, **given: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await ask(actor, CREATE, input={"noun": "LEAD", "name": "Hot", **given}))[
        "createSavedView"
    ]
    return payload


async def saved(actor: Actor, **given: Any) -> dict[str, Any]:
    payload = await save(actor, **given)
    assert payload["userErrors"] == []
    found: dict[str, Any] = payload["savedView"]
    return found


def faults(payload: dict[str, Any]) -> set[tuple[str, str]]:
    return {(fault["code"], ".".join(fault["field"] or [])) for fault in payload["userErrors"]}


async def broken(actor: Actor, **columns: Any) -> SavedView:
    """Keep a view as it may be found one day: nobody checks it."""
    facts: dict[str, Any] = {"workspace_id": actor.workspace_id, "owner_id": actor.user_id, "noun": ViewNoun.LEAD}
    return await SavedView.create(**facts, name=f"{uuid7()}", created_at=NOW, updated_at=NOW, **columns)


async def test_a_view_is_kept_as_given_and_its_list_takes_it() -> None:
    admin = await seller()
    at = await stage(admin, StageKind.QUALIFY)
    for title, status in (("Solar", LeadStatus.OPEN), ("Pump", LeadStatus.OPEN), ("Solar too", LeadStatus.LOST)):
        await lead_in(at, title=title, status=status)
    passing = {"and": [{"status": {"eq": "OPEN"}}, {"stage": {"in": [gid("Stage", at.id)]}}]}
    order = [{"field": "CREATED_AT", "direction": "ASC"}]

    view = await saved(admin, filter=passing, orderBy=order, search="sol", columns=["title", "status", "owner"])

    assert (view["filter"], view["orderBy"], view["search"]) == (passing, order, "sol")
    assert (view["columns"], view["problems"]) == (["title", "status", "owner"], [])
    assert (view["visibility"], view["team"], view["position"]) == ("OWN", None, 0)
    assert view["viewerCan"] == {"update": True, "delete": True}
    told = await ask(
        admin,
        """query ($filter: LeadFilter, $orderBy: [LeadOrder!], $search: String) {
          leads(filter: $filter, orderBy: $orderBy, search: $search) { nodes { title } } }""",
        **{name: view[name] for name in ("filter", "orderBy", "search")},
    )
    assert [node["title"] for node in told["leads"]["nodes"]] == ["Solar"]


async def test_a_filter_keeps_the_order_that_it_was_written_in() -> None:
    admin = await seller()
    passing = {"title": {"ne": "x", "eq": "Solar"}, "score": {"lte": 9, "gte": 1}, "and": []}
    order = [{"field": "CREATED_AT", "direction": "ASC"}, {"direction": "DESC", "field": "SCORE"}]

    view = await saved(admin, filter=passing, orderBy=order)

    assert json.dumps(view["filter"]) == json.dumps(passing)
    assert json.dumps(view["orderBy"]) == json.dumps(order)
    [listed] = (await ask(admin, LIST))["savedViews"]["nodes"]
    assert (json.dumps(listed["filter"]), json.dumps(listed["orderBy"])) == (json.dumps(passing), json.dumps(order))


async def test_what_the_list_would_refuse_is_refused_with_its_place() -> None:
    admin = await seller()
    deep: Any = {"title": {"eq": "x"}}
    for _ in range(6):
        deep = {"not": deep}

    payload = await save(
        admin,
        filter={"nope": {"eq": 1}, "score": {"gte": "much"}, "status": {"in": ["OPEN", "GONE"]}},
        orderBy=[{"field": "TITLE"}],
        columns=["title", "colour"],
    )
    assert faults(payload) == {
        ("DOES_NOT_FIT", "filter.nope"),
        ("DOES_NOT_FIT", "filter.score.gte"),
        ("DOES_NOT_FIT", "filter.status.in.1"),
        ("DOES_NOT_FIT", "orderBy.0.field"),
        ("DOES_NOT_FIT", "columns.1"),
    }
    assert payload["savedView"] is None
    for wrong in (
        {"filter": deep},
        {"filter": {"stage": {"eq": gid("Lead", uuid7())}}},
        {"filter": {"stage": {"in": [gid("Stage", uuid7())] * 501}}},
        {"filter": "status"},
        {"filter": [{"status": {"eq": "OPEN"}}]},
        {"orderBy": {"field": "SCORE", "way": "UP"}},
        {"noun": "COMPANY", "filter": {"status": {"eq": "OPEN"}}},
        {"columns": ["title", "name"]},
    ):
        payload = await save(admin, **wrong)
        assert {code for code, _ in faults(payload)} <= {"DOES_NOT_FIT", "TOO_LONG", "MALFORMED"}, wrong
        assert payload["userErrors"], wrong
    assert await SavedView.filter(workspace_id=admin.workspace_id).count() == 0


async def test_every_fault_of_a_view_is_told_where_it_stands() -> None:
    admin = await seller()
    await custom_field(admin, "size", type=CustomFieldType.NUMBER, label="Size of it")
    lost = gid("Lead", uuid7())

    payload = await save(
        admin,
        filter={
            "colour": True,
            "stage": {"in": [gid("Stage", uuid7()), lost]},
            "owner": {"eq": lost},
            "or": [
                {"score": {"gte": {"a": None}}},
                {"custom": [{"field": "size", "gt": "x"}, {"field": "no", "eq": 1}]},
            ],
            "createdAt": {"gte": "yesterday"},
            "status": None,
        },
        orderBy=[{"field": "SCORE"}, {"custom": "size"}, {}],
        columns=["custom:no", "title", "nothing"],
    )

    assert faults(payload) == {
        ("DOES_NOT_FIT", place)
        for place in (
            "filter.colour",
            "filter.stage.in.1",
            "filter.owner.eq",
            "filter.or.0.score.gte",
            "filter.or.1.custom.0.gt",
            "filter.or.1.custom.1.field",
            "filter.createdAt.gte",
            "orderBy.1.custom",
            "orderBy.2.field",
            "columns.0",
            "columns.2",
        )
    }
    messages = " ".join(fault["message"] for fault in payload["userErrors"])
    assert "Size of it is not a finite decimal number" in messages
    assert '{"a":null}' in messages and "{'" not in messages and "None" not in messages


async def test_faults_of_the_name_are_told_with_those_of_the_list() -> None:
    admin = await seller()

    payload = await save(
        admin, name=" ", search="x" * 201, columns=["title", "title"], filter={"no": 1}, position=-1, visibility="TEAM"
    )

    assert faults(payload) == {
        ("REQUIRED", "name"),
        ("TOO_LONG", "search"),
        ("MALFORMED", "columns"),
        ("OUT_OF_RANGE", "position"),
        ("NO_TEAM", "visibility"),
        ("DOES_NOT_FIT", "filter.no"),
    }


async def test_a_filter_beyond_every_screen_is_refused_as_a_whole() -> None:
    admin = await seller()
    wrong = {"owner": {"eq": gid("Lead", uuid7())}}
    many = {"or": [{"score": {"gte": number}} for number in range(saved_views.MOST_PARTS)] + [wrong]}

    assert faults(await save(admin, filter=many)) == {("DOES_NOT_FIT", "filter")}


@pytest.mark.parametrize(
    "passing",
    [[], 0, "", "{}", True, [[[[]]]], {"and": {"and": {"and": []}}}, {"title": {"eq": "\x00"}}, {"": {}}, {"a": None}],
)
async def test_hostile_json_is_refused_or_kept_but_never_breaks_a_list(passing: Any) -> None:
    admin = await seller()

    payload = await save(admin, filter=passing)

    assert {code for code, _ in faults(payload)} <= {"DOES_NOT_FIT", "MALFORMED"}
    told = await ask(admin, LIST)
    assert [view["problems"] for view in told["savedViews"]["nodes"]] == ([[]] if payload["savedView"] else [])


async def test_a_view_whose_field_is_gone_still_reads_and_says_what_no_longer_works() -> None:
    admin = await seller()
    gone = await broken(admin, passing={"colour": {"eq": "red"}}, order_by=[{"field": "COLOUR"}], columns=["colour"])
    odd = await broken(admin, passing=7, order_by={"field": None}, columns=["title"], search="x" * 300)
    fine = await broken(admin, passing={"score": {"gte": 1}}, columns=["title"])

    views = {view["id"]: view for view in (await ask(admin, LIST))["savedViews"]["nodes"]}

    def places(row: SavedView) -> set[str]:
        return {problem["field"][0] for problem in views[gid("SavedView", row.id)]["problems"]}

    assert places(gone) == {"filter", "orderBy", "columns"}
    assert places(odd) == {"filter", "orderBy", "search"}
    assert places(fine) == set()
    assert views[gid("SavedView", gone.id)]["filter"] == {"colour": {"eq": "red"}}

    async def update(**given: Any) -> set[tuple[str, str]]:
        payload = await ask(admin, UPDATE, input={"id": gid("SavedView", gone.id), **given})
        return faults(payload["updateSavedView"])

    assert {code for code, _ in await update(name="Renamed")} == {"DOES_NOT_FIT"}
    assert await update(filter=None, orderBy=None, columns=["title"], name="Mended") == set()
    told = await ask(admin, LIST, filter={"name": {"eq": "Mended"}})
    assert [view["problems"] for view in told["savedViews"]["nodes"]] == [[]]


async def test_the_views_of_others_exist_by_no_way() -> None:
    admin = await seller()
    north = await team(admin)
    mate, rep = await member(Role.REP, of=admin, team=north), await member(Role.REP, of=admin)
    stranger = await seller()
    own = await saved(mate, name="own")
    shared = await saved(mate, name="team", visibility="TEAM")
    everybodys = await saved(admin, name="all", visibility="ALL")
    ways = """query ($id: ID!, $ids: [ID!]!, $name: String!) {
      node(id: $id) { id } nodes(ids: $ids) { id } savedView(id: $id) { id }
      byId: savedViews(filter: { id: { eq: $id } }) { totalCount nodes { id } }
      byName: savedViews(filter: { name: { eq: $name } }) { totalCount nodes { id } }
      notOther: savedViews(filter: { not: { name: { eq: "x" } } }) { nodes { id } } }"""

    for view, seen_by in ((own, {mate}), (shared, {mate}), (everybodys, {mate, rep, admin})):
        for actor in (admin, mate, rep, stranger):
            told = await ask(actor, ways, id=view["id"], ids=[view["id"]], name=view["name"])
            there = actor in seen_by
            found = {"id": view["id"]} if there else None
            assert told["node"] == told["savedView"] == told["nodes"][0] == found
            assert told["byId"] == told["byName"] == {"totalCount": int(there), "nodes": [found] if there else []}
            assert (found in told["notOther"]["nodes"]) is there
            if not there:
                for document, given in ((UPDATE, {"name": "x"}), (DELETE, {}), (RESTORE, {})):
                    payload = next(iter((await ask(actor, document, input={"id": view["id"], **given})).values()))
                    assert faults(payload) == {("NOT_FOUND", "id")}
    told = await ask(rep, LIST)
    assert [view["viewerCan"] for view in told["savedViews"]["nodes"]] == [{"update": False, "delete": False}]
    told = await ask(mate, LIST, filter={"visibility": {"eq": "TEAM"}})
    assert told["savedViews"]["nodes"][0]["team"] == {"name": north.name}


async def test_views_are_listed_by_noun_and_in_their_places() -> None:
    admin = await seller()
    for name, noun, at in (("b", "LEAD", 2), ("a", "LEAD", 1), ("c", "COMPANY", 0)):
        await saved(admin, name=name, noun=noun, position=at)

    async def names(**given: Any) -> list[str]:
        return [view["name"] for view in (await ask(admin, LIST, **given))["savedViews"]["nodes"]]

    assert await names() == ["c", "a", "b"]
    assert await names(filter={"noun": {"eq": "LEAD"}}) == ["a", "b"]
    assert await names(orderBy=[{"field": "NAME", "direction": "DESC"}]) == ["c", "b", "a"]


async def test_a_view_goes_and_comes_back() -> None:
    admin = await seller()
    view = await saved(admin)

    stale = await ask(admin, UPDATE, input={"id": view["id"], "name": "X", "expectedVersion": 7})
    gone = await ask(admin, DELETE, input={"id": view["id"], "expectedVersion": 1})
    listed = await ask(admin, LIST)
    back = await ask(admin, RESTORE, input={"id": view["id"]})

    assert faults(stale["updateSavedView"]) == {("STALE", "expectedVersion")}
    assert stale["updateSavedView"]["savedView"]["version"] == 1
    assert gone["deleteSavedView"] == {"deletedSavedViewId": view["id"], "userErrors": []}
    assert listed["savedViews"]["totalCount"] == 0
    assert back["restoreSavedView"]["savedView"] == {"id": view["id"], "version": 3}


async def test_who_is_not_signed_in_is_told_so_and_bad_ids_are_bad_input() -> None:
    admin = await seller()

    assert await codes(None, CREATE, input={"noun": "LEAD", "name": "X"}) == ["UNAUTHENTICATED"]
    assert await codes(None, LIST) == ["UNAUTHENTICATED"]
    for key in ("", "x", gid("Lead", uuid7())):
        assert await codes(admin, UPDATE, input={"id": key}) == ["BAD_USER_INPUT"]
    told = await answer(admin, CREATE, input={"noun": "PRODUCT", "name": "X"})
    assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"]


async def test_everybody_may_keep_views_and_only_some_share_them_with_all() -> None:
    admin = await seller()
    viewer = await member(Role.VIEWER, of=admin)

    assert faults(await save(viewer)) == set()
    assert faults(await save(viewer, name="All", visibility="ALL")) == {("FORBIDDEN", "")}
    assert faults(await save(viewer, name="Team", visibility="TEAM")) == {("NO_TEAM", "visibility")}
    assert await SavedView.filter(visibility=Sharing.ALL, workspace_id=admin.workspace_id).count() == 0


async def custom_field(actor: Actor, key: str, **details: Any) -> CustomField:
    given = CustomFieldDetails(**{"key": key, "label": key.title(), **details})
    return await custom_fields.create(actor, CustomFieldOwner.LEAD, given, now=NOW)


async def test_custom_fields_are_checked_as_the_list_checks_them_and_may_go() -> None:
    admin = await seller()
    color = await custom_field(admin, "color")
    size = await custom_field(admin, "size", type=CustomFieldType.NUMBER)
    await CustomField.filter(id=size.id).update(index_state=IndexState.READY)
    gid_of_size = gid("CustomField", size.id)
    asks = {
        "filter": {"custom": [{"field": "color", "eq": "red"}, {"field": gid_of_size, "gt": "3"}]},
        "orderBy": [{"custom": "size", "direction": "DESC"}],
        "columns": ["title", "custom:color", f"custom:{gid_of_size}"],
    }

    view = await saved(admin, **asks)
    assert view["problems"] == []
    defined = (await ask(admin, "{ fieldDefinitions(type: LEAD) { name } }"))["fieldDefinitions"]
    names = [field["name"] for field in defined]
    assert "custom:color" in names
    assert (await saved(admin, name="All", columns=names, noun="LEAD"))["problems"] == []
    await SavedView.filter(workspace_id=admin.workspace_id, name="All").delete()
    for wrong, place in (
        ({"filter": {"custom": [{"field": "colour", "eq": "red"}]}}, "filter.custom.0.field"),
        ({"filter": {"custom": [{"field": "size", "gt": "3", "contains": "3"}]}}, "filter.custom.0.contains"),
        ({"filter": {"not": {"custom": {"field": "size", "eq": "many"}}}}, "filter.not.custom.eq"),
        (
            {"filter": {"and": [{}, {"company": {"custom": [{"field": "size", "eq": 1}]}}]}},
            "filter.and.1.company.custom.0.field",
        ),
        ({"orderBy": [{"field": "SCORE"}, {"custom": "color"}]}, "orderBy.1.custom"),
        ({"columns": ["title", "custom:colour"]}, "columns.1"),
        ({"columns": ["custom:"]}, "columns.0"),
        ({"columns": ["color"]}, "columns.0"),
        ({"noun": "COMPANY", "columns": ["custom:color"]}, "columns.0"),
    ):
        assert faults(await save(admin, name="Wrong", **wrong)) == {("DOES_NOT_FIT", place)}, wrong

    await custom_fields.archive(admin, color.id, now=NOW)
    await saved(admin, name="Size only", filter={"custom": [{"field": "size", "gt": "3"}]})
    told = await ask(admin, LIST)
    problems = {one["name"]: [problem["field"] for problem in one["problems"]] for one in told["savedViews"]["nodes"]}
    assert problems == {"Hot": [["filter", "custom", "0", "field"], ["columns", "1"]], "Size only": []}
    await custom_fields.restore(admin, color.id, now=NOW)
    told = await ask(admin, LIST)
    assert [one["problems"] for one in told["savedViews"]["nodes"]] == [[], []]


async def test_custom_fields_of_many_views_are_looked_up_together(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    for at in range(3):
        await custom_field(admin, f"field{at}")
        await broken(admin, passing={"custom": [{"field": f"field{at}", "eq": "x"}]}, columns=[f"custom:none{at}"])
    looked_up: list[int] = []

    async def noting(actor: Actor, names: Sequence[Any]) -> Fields:
        looked_up.append(len(names))
        return await known_fields(actor, names)

    monkeypatch.setattr(saved_views, "known_fields", noting)
    told = await ask(admin, "{ savedViews { nodes { problems { field } } } }")

    assert [one["problems"] for one in told["savedViews"]["nodes"]] == [[{"field": ["columns", "0"]}]] * 3
    assert looked_up == [6]
