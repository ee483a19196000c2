"""Whatever is read exists for who asks: by whatever way, in whatever document, and in no other workspace."""

from collections.abc import Iterator
from typing import Any, cast
from uuid import UUID

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLNonNull, get_named_type, is_leaf_type
from tortoise.expressions import Q
from tortoise.models import Model

from domain import policy
from domain.actors import Actor
from domain.policy import API_SCOPES
from engine import sql
from engine.nouns import LIVE_WITH_ANY_SUBJECT, NOUNS, WITH_ITS_SUBJECT
from engine.pages import Order, PageRequest
from engine.reads import MODELS, Relation
from engine.records import counts, key_records, page_records
from engine.records import whole as every_column
from engine.select import Select
from engine.sql import Params, visible
from models.base import uuid7
from models.calendar_feeds import CalendarFeed
from models.catalog import Tag
from models.companies import Company
from models.events import Event
from models.external_refs import ExternalRef
from models.files import File
from models.leads import Lead, LeadStatus, LeadTag
from models.stages import StageKind
from models.timeline import TimelineEntry
from models.users import Membership, Role, User
from models.workspaces import Workspace
from schema import ids
from tests.engine.running import planned, ran
from tests.engine.scoped import plans_statements, unscoped
from tests.engine.ways import (
    SCHEMA,
    Step,
    list_steps,
    object_type,
    relation_steps,
    steps_of,
    ways,
    whole,
    with_relation,
)
from tests.factories import NOW, again, lead, lead_in, member, partner, seller, stage, team
from tests.oracle.compare import answer
from tests.oracle.documents import draw
from tests.oracle.world import ABROAD, ACTORS, HOME, NOBODY, World

pytestmark = pytest.mark.usefixtures("db")

Actors = dict[str, Actor | None]


def arguments_of(step: Step) -> dict[str, Any]:
    return dict(object_type(step.type).fields[step.field].args)


SOMEBODY = [name for name in ACTORS if name != NOBODY]
FILTERED = [
    '{ company: { name: { ne: "-" } } }',
    '{ contacts: { some: { name: { ne: "-" } } } }',
    '{ contacts: { none: { company: { leads: { some: { title: { ne: "-" } } } } } } }',
    '{ tags: { some: { or: [{ name: { ne: "-" } }, { name: { eq: "-" } }] } } }',
    '{ tags: { some: { name: { ne: "-" } }, none: { name: { eq: "-" } } } }',
    '{ or: [{ company: { contacts: { none: {} } } }, { not: { company: { name: { eq: "-" } } } }] }',
    '{ company: { leads: { some: { contacts: { some: { name: { ne: "-" } } } } } } }',
]


# By construction


@pytest.mark.parametrize("model", NOUNS, ids=lambda model: model.__name__)
async def test_without_an_actor_nothing_is_rendered_and_nothing_sent(db: str, model: type[Model]) -> None:
    nobody = cast(Actor, None)
    request = PageRequest(model, (Order("id"),), by="id")
    with plans_statements() as sent:
        for attempt in (
            page_records(request, nobody, every_column(model)),
            page_records(request, nobody, every_column(model), [uuid7()]),
            key_records(model, [uuid7()], nobody, every_column(model)),
            counts(request, nobody),
            counts(request, nobody, [uuid7()]),
        ):
            with pytest.raises(AttributeError):
                await attempt
        with pytest.raises(AttributeError):
            visible(model, nobody, Params(), "r")
        assert sent == []


def test_a_joined_row_is_not_rendered_without_an_actor() -> None:
    select = Select(Lead)
    select.column(select.join(Company, "r", "company_id"), "name")
    with pytest.raises(AttributeError):
        select.rendered(cast(Actor, None), Params())


def test_only_columns_of_nouns_can_be_selected() -> None:
    select = Select(Lead)
    for name in ("password_hash", 'id", (SELECT 1) "x', "r.*", "*", ""):
        with pytest.raises(KeyError):
            select.column("r", name)
        with pytest.raises(KeyError):
            select.join(Company, "r", name)
    with pytest.raises(KeyError):
        select.column("j7", "id")
    with pytest.raises(KeyError):
        select.column(select.join(File, "r", "company_id"), "id")
    with pytest.raises(KeyError):
        Select(File).column("r", "id")


def test_what_a_noun_has_no_scope_for_is_known_and_few() -> None:
    unlimited = {model for model in NOUNS if model not in policy.READ_SCOPES}
    # Members are seen by who sees memberships, the workspace by all in it, and the rest through rows that are seen.
    assert unlimited == {User, Workspace, Event, ExternalRef}


async def test_alternatives_within_a_relation_stand_beside_the_scope_and_not_in_its_place() -> None:
    admin, stranger = await seller(), await seller()
    own, theirs = await lead(admin), await lead(stranger)
    for who, row, name in ((admin, own, "Ours"), (stranger, theirs, "Theirs")):
        tag = await Tag.create(workspace_id=who.workspace_id, name=name, created_at=NOW, updated_at=NOW)
        await LeadTag.create(workspace_id=who.workspace_id, lead_id=row.id, tag_id=tag.id)
    for name, found in (("Theirs", []), ("Ours", [str(ids.encode("Lead", own.id))])):
        some = f'{{ or: [{{ name: {{ eq: "-" }} }}, {{ name: {{ eq: "{name}" }} }}] }}'
        document = f"{{ leads(first: 9, filter: {{ tags: {{ some: {some} }} }}) {{ nodes {{ id }} }} }}"
        told = await ran(admin, document)
        assert [one["id"] for one in told.data["leads"]["nodes"]] == found


def test_an_unscoped_table_is_noticed() -> None:
    joined = """SELECT r."title", j0."name" FROM (SELECT r.* FROM "lead" r WHERE (r.workspace_id = $1::uuid)) r
      LEFT JOIN "company" j0 ON j0.id = r."company_id" AND j0.workspace_id = $1::uuid"""
    assert unscoped(joined) == []
    assert unscoped(joined.replace(" AND j0.workspace_id = $1::uuid", "")) == ["company j0"]
    assert unscoped(joined.replace("r.workspace_id = $1::uuid", "TRUE")) == ["lead r"]
    twice = (
        'EXISTS (SELECT FROM "tag" rx WHERE rx.workspace_id = $1::uuid) AND EXISTS (SELECT FROM "tag" rx WHERE TRUE)'
    )
    assert unscoped(twice) == ["tag rx"]
    assert unscoped('SELECT FROM "user_account" r WHERE r.id = $1::uuid') == ["user_account r"]
    assert unscoped('SELECT FROM "workspace" r WHERE r.name = $1::text') == ["workspace r"]


@pytest.mark.parametrize("step", list_steps(), ids=str)
async def test_every_list_of_the_schema_tests_every_table(admin: Actor, step: Step) -> None:
    way = ways()[step.type].then(step)
    joined = [below.around(with_relation(below.to)) for below in steps_of(step.to) if isinstance(below.read, Relation)]
    with plans_statements() as sent:
        await planned(admin, way.document(f"{whole(step.to, depth=0)} {' '.join(joined)}", total=True), n=2)
    assert len(sent) >= way.levels
    assert [found for statement in sent for found in unscoped(statement)] == []


@pytest.mark.parametrize("filter", FILTERED)
async def test_every_filter_tests_every_table(actors: Actors, filter: str) -> None:
    document = f"{{ leads(filter: {filter}) {{ totalCount nodes {{ id }} }} }}"
    for name in SOMEBODY:
        with plans_statements() as sent:
            await planned(actors[name], document)
        assert len(sent) == 2
        assert [found for statement in sent for found in unscoped(statement)] == []


@pytest.mark.parametrize("step", [step for step in list_steps() if "orderBy" in arguments_of(step)], ids=str)
async def test_every_order_tests_every_table(actors: Actors, step: Step) -> None:
    order = get_named_type(arguments_of(step)["orderBy"].type)
    assert isinstance(order, GraphQLInputObjectType)
    by = get_named_type(order.fields["field"].type)
    assert isinstance(by, GraphQLEnumType)
    way = ways()[step.type].then(step)
    for name in by.values:
        document = way.document("id", total=True)
        ordered = f"{step.field}(first: $n, orderBy: [{{ field: {name}, direction: DESC }}])"
        place = document.rindex(f"{step.field}(first: $n)")
        document = document[:place] + ordered + document[place + len(f"{step.field}(first: $n)") :]
        for somebody in ("admin", "rep", "reading partner", "blind partner"):
            with plans_statements() as sent:
                await planned(actors[somebody], document, n=2)
            assert [found for statement in sent for found in unscoped(statement)] == []


@pytest.mark.parametrize(
    ("order", "missing"),
    [("COMPANY_NAME", "company:read"), ("OWNER_NAME", "user:read"), ("STAGE_POSITION", "pipeline:read")],
)
async def test_an_order_tells_nothing_of_what_is_not_there(admin: Actor, order: str, missing: str) -> None:
    key = await partner(*(API_SCOPES - {missing}), of=admin)
    document = f"{{ leads(first: 60, orderBy: [{{ field: {order} }}]) {{ nodes {{ id }} }} }}"
    told = [node["id"] for node in (await planned(key, document)).data["leads"]["nodes"]]
    assert told == sorted(told)
    whole_sight = [node["id"] for node in (await planned(admin, document)).data["leads"]["nodes"]]
    assert set(whole_sight) == set(told)
    assert whole_sight != told


async def test_documents_by_chance_test_every_table(world: World, actors: Actors) -> None:
    statements: list[str] = []
    for number in range(250):
        case = draw(world, 11, number).case
        with plans_statements() as sent:
            told = await answer(case, actors[case.actor], engine=True)
        if told.compiled:
            statements += sent
            assert [(found, case.document) for statement in sent for found in unscoped(statement)] == []
    assert len(statements) > 250


async def test_who_is_nobody_causes_no_statement(db: str) -> None:
    for field, definition in object_type("Query").fields.items():
        if any(isinstance(argument.type, GraphQLNonNull) for argument in definition.args.values()):
            continue
        found = await ran(
            None, f"{{ {field} {'' if is_leaf_type(get_named_type(definition.type)) else '{ __typename }'} }}"
        )
        assert {error.code for error in found.errors} == {"UNAUTHENTICATED"}, field
        assert found.sent == [], field


# The same rows by every way


async def seen_by(actor: Actor, model: type[Model]) -> set[UUID]:
    """Return the keys of the live rows of a noun that exist for somebody, as the domain sees it."""
    if model is Workspace:
        return {actor.workspace_id}
    if model is User:
        places = await policy.visible(actor, Membership).values_list("user_id", flat=True)
        return set(cast(list[UUID], places))
    rows = policy.visible(actor, model)
    if "deleted_at" in model._meta.fields_map:
        rows = rows.filter(deleted_at=None)
    if model is CalendarFeed:
        rows = rows.filter(revoked_at=None)
    if model is TimelineEntry:
        rows = rows.filter(is_live=True)
    if "ll.deleted_at" in NOUNS[model].live:
        rows = rows.filter(Q(lead_id=None) | Q(lead__deleted_at=None))
    if WITH_ITS_SUBJECT in NOUNS[model].live:
        rows = rows.filter(Q(company_id=None) | Q(company__deleted_at=None))
        rows = rows.filter(Q(contact_id=None) | Q(contact__deleted_at=None))
    if NOUNS[model].live == LIVE_WITH_ANY_SUBJECT:
        of_company = Q(company_id__isnull=False, company__deleted_at=None)
        of_contact = Q(contact_id__isnull=False, contact__deleted_at=None)
        rows = rows.filter(Q(lead_id__isnull=False) | of_company | of_contact)
    return set(cast(list[UUID], await rows.values_list("id", flat=True)))


def keys_of(world: World, model: type[Model]) -> list[UUID]:
    """Return the keys of all rows of a noun in both workspaces."""
    return [row["id"] for at in (HOME, ABROAD) for row in world.of(at, model)]


async def by_ids(actor: Actor, name: str, keys: list[UUID], selection: str) -> dict[UUID, Any]:
    """Return what a query for objects by their ids tells of each, None included."""
    document = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {name} {{ {selection} }} }} }}"
    found: dict[UUID, Any] = {}
    for begin in range(0, len(keys), 50):
        some = keys[begin : begin + 50]
        told = await planned(actor, document, ids=[str(ids.encode(name, key)) for key in some])
        found |= dict(zip(some, told.data["nodes"], strict=True))
    return found


@pytest.mark.parametrize("name", MODELS)
async def test_ids_show_what_exists_for_who_asks(world: World, actors: Actors, name: str) -> None:
    model, shown = MODELS[name], 0
    for somebody in SOMEBODY:
        actor = actors[somebody]
        assert actor
        expected = await seen_by(actor, model)
        found = await by_ids(actor, name, keys_of(world, model), "id")
        assert {key for key, told in found.items() if told} == expected & found.keys(), somebody
        shown += len(expected)
    assert shown, "nobody sees anything"


@pytest.mark.parametrize("name", [name for name in MODELS if any(not step.is_list for step in steps_of(name))])
async def test_relations_show_what_exists_for_who_asks(world: World, actors: Actors, name: str) -> None:
    model = MODELS[name]
    rows = {row["id"]: row for at in (HOME, ABROAD) for row in world.of(at, model)}
    relations = [step for step in steps_of(name) if not step.is_list and step.to in MODELS]
    for somebody in SOMEBODY:
        actor = actors[somebody]
        assert actor
        exist = {step.read.model: await seen_by(actor, step.read.model) for step in relations}
        found = await by_ids(actor, name, list(rows), " ".join(f"{step.field} {{ id }}" for step in relations))
        for key, told in found.items():
            for step in relations if told else ():
                other = rows[key].get(step.read.by)
                expected = str(ids.encode(step.to, other)) if other in exist[step.read.model] else None
                assert (told[step.field] or {}).get("id") == expected, (somebody, str(step), key)


@pytest.mark.parametrize("step", [step for step in list_steps() if step.to in MODELS], ids=str)
async def test_lists_and_their_counts_show_what_exists_for_who_asks(actors: Actors, step: Step) -> None:
    way = ways()[step.type].then(step)
    document = way.document("id", total=True).replace("totalCount", "totalCount pageInfo { hasNextPage }")
    for somebody in SOMEBODY:
        actor = actors[somebody]
        assert actor
        exist = {str(ids.encode(step.to, key)) for key in await seen_by(actor, MODELS[step.to])}
        found = await planned(actor, document, n={1: 100, 2: 12, 3: 3}[way.levels])
        assert {row["id"] for rows in way.lists(found.data) for row in rows} <= exist, somebody
        if step.type == "Query":
            assert found.data[step.field]["totalCount"] == len(exist), somebody
            assert len(found.data[step.field]["nodes"]) == min(len(exist), 100), somebody
        for listed in _listings(way.steps[-1].field, found.data):
            assert listed["pageInfo"]["hasNextPage"] or listed["totalCount"] == len(listed["nodes"])


def _listings(field: str, data: Any) -> Iterator[dict[str, Any]]:
    """Give the connections of this name within an answer."""
    if isinstance(data, list):
        for entry in data:
            yield from _listings(field, entry)
    elif isinstance(data, dict):
        for name, value in data.items():
            if name == field and isinstance(value, dict) and "totalCount" in value:
                yield value
            else:
                yield from _listings(field, value)


async def test_leads_are_the_same_by_every_way(world: World, actors: Actors) -> None:
    for somebody in SOMEBODY:
        actor = actors[somebody]
        assert actor
        expected = await Lead.filter(id__in=await seen_by(actor, Lead))
        told = await _ways_to_leads(actor)
        assert told["listed"] == told["counted"] == told["summed"] == len(expected), somebody
        companies = await seen_by(actor, Company)
        assert told["with company"] == sum(lead.company_id in companies for lead in expected), somebody
        assert told["without company"] == sum(lead.company_id not in companies for lead in expected), somebody
        owners = {
            lead.owner_id
            for lead in expected
            if await policy.visible(actor, Membership).filter(user_id=lead.owner_id).exists()
        }
        assert told["with a member"] == sum(lead.owner_id in owners for lead in expected), somebody
        stages = await seen_by(actor, MODELS["Stage"])
        archived = {row["id"] for at in (HOME, ABROAD) for row in world.of(at, MODELS["Stage"]) if row["archived_at"]}
        open_ = [lead for lead in expected if lead.status is LeadStatus.OPEN and lead.stage_id in stages - archived]
        assert told["on boards"] == told["in stages"] == len(open_), somebody


async def _ways_to_leads(actor: Actor) -> dict[str, int]:
    document = """{
      leads(first: 100) { totalCount nodes { id } }
      leadSummary(groupBy: []) { total { count } }
      a: leads(filter: { company: { name: { ne: "-" } } }) { totalCount }
      b: leads(filter: { not: { company: { name: { ne: "-" } } } }) { totalCount }
      c: leads(filter: { team: { id: {} } }) { totalCount }
      pipelines(first: 3) { nodes { stages {
        leadCount(filter: { status: { eq: OPEN } })
        leads(first: 1, filter: { status: { eq: OPEN } }) { totalCount }
      } } }
    }"""
    data = (await planned(actor, document)).data
    stages = [stage for pipeline in data["pipelines"]["nodes"] for stage in pipeline["stages"]]
    return {
        "listed": len(data["leads"]["nodes"]),
        "counted": data["leads"]["totalCount"],
        "summed": data["leadSummary"]["total"]["count"],
        "with company": data["a"]["totalCount"],
        "without company": data["b"]["totalCount"],
        "with a member": data["c"]["totalCount"],
        "on boards": sum(stage["leads"]["totalCount"] for stage in stages),
        "in stages": sum(stage["leadCount"] for stage in stages),
    }


async def test_companies_are_filtered_by_leads_that_exist_for_who_asks(actors: Actors) -> None:
    document = """{ a: companies(filter: { leads: { some: { title: { ne: "-" } } } }) { totalCount }
                    b: companies(filter: { leads: { none: { title: { ne: "-" } } } }) { totalCount } }"""
    told = set()
    for somebody in SOMEBODY:
        actor = actors[somebody]
        assert actor
        companies = await seen_by(actor, Company)
        leads = await Lead.filter(id__in=await seen_by(actor, Lead))
        having = {lead.company_id for lead in leads} & companies
        data = (await planned(actor, document)).data
        assert (data["a"]["totalCount"], data["b"]["totalCount"]) == (len(having), len(companies - having)), somebody
        told.add(len(having))
    assert len(told) > 3, "everybody sees the same"


# Person by person, and as one list

ORDERS = cast(GraphQLEnumType, SCHEMA.type_map["LeadOrderField"]).values
PAGE = 4
FEW_SEE = ("manager", "rep", "other rep", "lonely rep", "rep abroad")


def entries(*names: str) -> list[str]:
    """Return orders by each of these fields, both ways, and by the first two together."""
    single = [f"[{{ field: {name}, direction: {way} }}]" for name in names for way in ("ASC", "DESC")]
    return [*single, "[{ field: SCORE, direction: DESC }, { field: VALUE, direction: ASC }]"]


async def walked(actor: Actor, order: str, *, backward: bool) -> tuple[list[Any], list[str]]:
    """Walk through all leads page by page; return the pages and the statements."""
    size, cursor = ("last", "before") if backward else ("first", "after")
    document = f"""query ($at: String) {{ leads({size}: {PAGE}, {cursor}: $at, orderBy: {order}) {{
      totalCount edges {{ cursor node {{ id company {{ id }} }} }}
      pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"""
    told, sent, at = [], [], None
    while True:
        with plans_statements() as statements:
            page = (await planned(actor, document, at=at)).data["leads"]
        told.append(page)
        sent += statements
        at = page["pageInfo"]["startCursor" if backward else "endCursor"]
        if not page["pageInfo"]["hasPreviousPage" if backward else "hasNextPage"]:
            return told, sent


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("order", entries(*ORDERS))
async def test_pages_of_few_owners_are_those_of_one_list(
    actors: Actors, monkeypatch: pytest.MonkeyPatch, order: str, backward: bool
) -> None:
    for somebody in FEW_SEE:
        actor = actors[somebody]
        assert actor
        exist = {str(ids.encode("Lead", key)) for key in await seen_by(actor, Lead)}
        fast, by_owner = await walked(actor, order, backward=backward)
        with monkeypatch.context() as patch:
            patch.setattr(sql, "MOST_OWNERS", 0)
            slow, at_once = await walked(actor, order, backward=backward)
        assert fast == slow, somebody
        shown = [edge["node"]["id"] for page in fast for edge in page["edges"]]
        assert len(shown) == len(set(shown))
        assert set(shown) == exist, somebody
        owners = actor.rows.owners
        assert any("AS owner(id)" in one for one in by_owner) == bool(owners)
        assert not any("AS owner(id)" in one for one in at_once)


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("order", entries(*ORDERS))
async def test_pages_within_lists_are_those_of_one_list(
    actors: Actors, monkeypatch: pytest.MonkeyPatch, order: str, backward: bool
) -> None:
    size = "last: 2" if backward else "first: 2"
    leads = f"""leads({size}, orderBy: {order}) {{ totalCount edges {{ cursor node {{ id stage {{ id }} }} }}
      pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }}"""
    document = f"""{{ companies(first: 15) {{ nodes {{ {leads} }} }} contacts(first: 15) {{ nodes {{ {leads} }} }}
      products(first: 9) {{ nodes {{ {leads} }} }} pipelines(first: 2) {{ nodes {{ stages {{ {leads} }} }} }} }}"""
    for somebody in FEW_SEE:
        actor = actors[somebody]
        assert actor
        fast = await planned(actor, document)
        with monkeypatch.context() as patch:
            patch.setattr(sql, "MOST_OWNERS", 0)
            slow = await planned(actor, document)
        assert fast.data == slow.data, somebody
        assert any("AS owner(id)" in one for one in fast.sent) == bool(actor.rows.owners)
        assert not any("AS owner(id)" in one for one in slow.sent)


async def test_pages_after_a_cursor_within_lists_are_those_of_one_list(
    actors: Actors, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = "{ companies(first: 30) { nodes { id leads(first: 1) { pageInfo { hasNextPage endCursor } } } } }"
    document = """query ($id: ID!, $at: String) { company(id: $id) {
      a: leads(first: 2, after: $at) { edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage } }
      b: leads(last: 2, before: $at) { edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage } } } }"""
    followed = 0
    for somebody in FEW_SEE:
        actor = actors[somebody]
        for company in (await planned(actor, first)).data["companies"]["nodes"]:
            page = company["leads"]["pageInfo"]
            if page["hasNextPage"]:
                asked = {"id": company["id"], "at": page["endCursor"]}
                fast = await planned(actor, document, **asked)
                with monkeypatch.context() as patch:
                    patch.setattr(sql, "MOST_OWNERS", 0)
                    assert fast.data == (await planned(actor, document, **asked)).data
                assert fast.data["company"]["a"]["edges"]
                followed += 1
    assert followed > 3


# What has no scope of its own


async def test_what_hangs_on_a_row_is_of_its_workspace(db: str) -> None:
    here, abroad = await seller(), await seller()
    lead = await lead_in(await stage(here, StageKind.QUALIFY))
    for actor in (here, abroad):
        at: dict[str, Any] = {"workspace_id": actor.workspace_id, "subject_type": "lead", "subject_id": lead.id}
        name = "here" if actor is here else "abroad"
        await ExternalRef.create(**at, system=name, external_id=str(uuid7()))
        facts: dict[str, Any] = {"kind": "USER", "user": str(actor.user_id)}
        await Event.create(**at, name=f"lead.{name}", actor=facts, data={}, occurred_at=NOW)
    document = """query ($id: ID!) { lead(id: $id) {
      externalRefs { system } history { totalCount nodes { name actor { user { id } } } } } }"""
    key = str(ids.encode("Lead", lead.id))
    told = (await planned(here, document, id=key)).data["lead"]
    assert told["externalRefs"] == [{"system": "here"}]
    assert told["history"] == {
        "totalCount": 1,
        "nodes": [{"name": "lead.here", "actor": {"user": {"id": str(ids.encode("User", cast(UUID, here.user_id)))}}}],
    }
    assert (await planned(abroad, document, id=key)).data["lead"] is None


async def test_an_event_that_names_a_stranger_does_not_show_them(db: str) -> None:
    here, abroad = await seller(), await seller()
    lead = await lead_in(await stage(here, StageKind.QUALIFY))
    facts: dict[str, Any] = {"kind": "USER", "user": str(abroad.user_id)}
    at: dict[str, Any] = {"workspace_id": here.workspace_id, "subject_type": "lead", "subject_id": lead.id}
    await Event.create(**at, name="lead.updated", actor=facts, data={}, occurred_at=NOW)
    document = "query ($id: ID!) { lead(id: $id) { history { nodes { actor { kind user { name } } } } } }"
    told = (await planned(here, document, id=str(ids.encode("Lead", lead.id)))).data
    assert told["lead"]["history"]["nodes"] == [{"actor": {"kind": "USER", "user": None}}]


async def test_users_and_workspaces_of_others_are_not_there(db: str) -> None:
    here, abroad = await seller(), await seller()
    assert here.user_id and abroad.user_id
    wanted = [ids.encode("User", here.user_id), ids.encode("User", abroad.user_id)]
    wanted += [ids.encode("Workspace", here.workspace_id), ids.encode("Workspace", abroad.workspace_id)]
    document = """query ($ids: [ID!]!, $id: ID!) { nodes(ids: $ids) { id } user(id: $id) { name }
      users { totalCount nodes { id } } }"""
    told = (await planned(here, document, ids=[str(key) for key in wanted], id=str(wanted[1]))).data
    assert [node and node["id"] for node in told["nodes"]] == [str(wanted[0]), None, str(wanted[2]), None]
    assert told["user"] is None
    assert told["users"] == {"totalCount": 1, "nodes": [{"id": str(wanted[0])}]}


@pytest.mark.parametrize("missing", ["user:read", "company:read", "catalog:read", "pipeline:read", "contact:read"])
async def test_a_key_without_a_scope_sees_nothing_of_its_nouns_anywhere(admin: Actor, missing: str) -> None:
    key = await partner(*(API_SCOPES - {missing}), of=admin)
    hidden = {model for model, scope in policy.READ_SCOPES.items() if scope == missing}
    hidden |= {User} if missing == "user:read" else set()
    for step in [*list_steps(), *relation_steps()]:
        if step.to in MODELS and MODELS[step.to] in hidden and step.type in {"Query", "Lead", "Company", "Contact"}:
            way = ways()[step.type].then(step)
            told = (await planned(key, way.document("id"), n=3)).data
            if step.is_list:
                assert not any(way.lists(told)), str(step)
            else:
                parents = [parent for rows in ways()[step.type].lists(told) for parent in rows]
                assert all(parent[step.field] is None for parent in parents), str(step)
            whole_sight = (await planned(admin, way.document("id"), n=3)).data
            assert whole_sight != told, f"there is nothing of {step} to hide"


async def test_an_order_of_teams_is_followed_down(db: str) -> None:
    admin = await seller()
    north = await team(admin)
    coast = await team(admin, parent=north)
    manager = await member(Role.MANAGER, of=admin, team=north)
    inside, outside = await member(Role.REP, of=admin, team=coast), await member(Role.REP, of=admin)
    at = await stage(admin, StageKind.QUALIFY)
    for owner in (manager, inside, outside):
        await lead_in(at, owner_id=owner.user_id, title=f"of {owner.user_id}")
    manager = await again(manager)
    document = "{ leads(orderBy: [{ field: RANK, direction: ASC }]) { totalCount nodes { title } } }"
    told = (await planned(manager, document)).data["leads"]
    assert told == {"totalCount": 2, "nodes": [{"title": f"of {owner.user_id}"} for owner in (manager, inside)]}
