"""fieldDefinitions: what screens are told of fields is what the schema does with them."""

from typing import Any

import pytest
from graphql import GraphQLObjectType, get_named_type

from domain import pipelines
from domain.fields import FIELDS, FieldOwner, FieldType
from domain.requirements import FILLED
from models.catalog import Tag
from models.stages import Stage, StageKind
from models.users import Role
from schema.schema import graphql_schema
from tests.factories import NOW, member, pipeline, seller, stage
from tests.schema.asking import ask, codes, gid

pytestmark = pytest.mark.usefixtures("db")
CORE = graphql_schema._schema
QUERY = """
query ($type: FieldOwner!) {
  fieldDefinitions(type: $type) {
    name label type noun filterName filterOperators orderName sortable searchable writable
    options { value label } requiredAtStages { name }
  }
}
"""
# What a type shows and nobody fills in, filters or orders as a field of it.
NO_FIELDS = {
    "LEAD": {
        *("id", "rank", "version", "scoreFactors", "externalRefs", "transitions", "moveRequests", "history"),
        *("viewerCan", "moves", "activities", "timeline", "attachments", "custom"),
        *("comments", "watchers", "viewerWatches"),
        *("handOvers", "qualification", "surveyDispatches"),
        *("handOvers", "qualification", "followUps"),
        *("proposals", "negotiations", "contracts", "invoices", "scoreHistory"),
    },
    "COMPANY": {
        "attachments",
        "comments",
        "followUps",
        "id",
        "version",
        "activities",
        "leads",
        "contacts",
        "subsidiaries",
        "externalRefs",
        "viewerCan",
        "custom",
    },
    "CONTACT": {
        "attachments",
        "surveyDispatches",
        "campaignMembers",
        "comments",
        "followUps",
        "id",
        "version",
        "activities",
        "leads",
        "externalRefs",
        "viewerCan",
        "custom",
    },
    "PRODUCT": {"id", "version", "leads", "externalRefs", "viewerCan"},
}
TYPES = {
    "String": FieldType.TEXT,
    "Int": FieldType.NUMBER,
    "Float": FieldType.NUMBER,
    "Decimal": FieldType.NUMBER,
    "Money": FieldType.MONEY,
    "Date": FieldType.DATE,
    "DateTime": FieldType.INSTANT,
    "Boolean": FieldType.BOOLEAN,
    "Email": FieldType.EMAIL,
    "PhoneNumber": FieldType.PHONE,
    "URL": FieldType.URL,
    "CountryCode": FieldType.TEXT,
    "LanguageTag": FieldType.TEXT,
    "JSON": FieldType.ADDRESS,
    "Address": FieldType.ADDRESS,
}


async def definitions(actor: Any, owner: str = "LEAD") -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in (await ask(actor, QUERY, type=owner))["fieldDefinitions"]}


@pytest.mark.parametrize("owner", FieldOwner)
def test_every_field_of_a_type_is_defined_or_is_known_to_be_none(owner: FieldOwner) -> None:
    shown = CORE.get_type(owner.model.__name__)
    assert isinstance(shown, GraphQLObjectType)
    defined = {field.name for field in FIELDS[owner]}
    assert defined - shown.fields.keys() == set()
    assert shown.fields.keys() - defined - NO_FIELDS[owner.value] == set()


@pytest.mark.parametrize("owner", FieldOwner)
def test_types_are_those_of_the_api(owner: FieldOwner) -> None:
    shown = CORE.get_type(owner.model.__name__)
    assert isinstance(shown, GraphQLObjectType)
    for field in FIELDS[owner]:
        answered = get_named_type(shown.fields[field.name].type)
        if field.refers:
            kind = FieldType.MULTI_CHOICE if field.name == "tags" else FieldType.REFERENCE
            # The people on a lead are shown in their roles.
            assert answered.name.removesuffix("Connection").removeprefix("Lead") in (field.refers.__name__, "Lead")
        else:
            kind = FieldType.CHOICE if field.choices else TYPES[answered.name]
        assert field.kind is kind, field.name


def test_every_requirement_of_stages_belongs_to_one_field() -> None:
    names = [name for field in FIELDS[FieldOwner.LEAD] for name in field.required_as]
    assert sorted(names) == sorted([*FILLED, "needs"])


async def test_filters_and_orders_are_those_of_the_lists() -> None:
    admin = await seller()
    known = await definitions(admin)
    assert known["score"]["filterOperators"] == ["eq", "ne", "in", "gt", "gte", "lt", "lte", "isNull"]
    assert (known["score"]["orderName"], known["score"]["sortable"]) == ("SCORE", True)
    assert (known["company"]["filterName"], known["company"]["filterOperators"][0]) == ("companyId", "eq")
    assert known["contacts"]["filterOperators"] == ["some", "none"]
    assert (known["closeNote"]["filterName"], known["closeNote"]["filterOperators"]) == (None, [])
    assert known["closeNote"]["sortable"] is False
    assert (await definitions(admin, "COMPANY"))["name"]["orderName"] == "NAME"
    for owner in FieldOwner:
        for field in (await definitions(admin, owner.value)).values():
            filters: Any = CORE.get_type(f"{owner.model.__name__}Filter")
            if field["filterName"]:
                tests: Any = get_named_type(filters.fields[field["filterName"]].type)
                assert field["filterOperators"] == list(tests.fields), field["name"]
            else:
                assert field["name"] not in filters.fields


async def test_every_filter_and_order_belongs_to_a_field() -> None:
    admin = await seller()
    beside = {
        "LEAD": {"id", "activities", "currency", "company", "team", "custom", "followUps", "hasNextStep", "proposals"},
        "COMPANY": {"id", "leads", "contacts", "custom"},
        "CONTACT": {"id", "leads", "custom"},
        "PRODUCT": {"id"},
    }
    for owner in FieldOwner:
        known = (await definitions(admin, owner.value)).values()
        noun = owner.model.__name__
        filters: Any = CORE.get_type(f"{noun}Filter")
        orders: Any = CORE.get_type(f"{noun}OrderField")
        others = {"and", "or", "not"} | beside[owner.value]
        assert filters.fields.keys() - {field["filterName"] for field in known} - others == set()
        assert orders.values.keys() - {field["orderName"] for field in known} - {"RANK"} == set()


async def test_what_can_be_written_and_searched() -> None:
    admin = await seller()
    known = await definitions(admin)
    assert all(known[name]["writable"] for name in ("title", "value", "company", "tags", "expectedCloseDate"))
    assert not any(known[name]["writable"] for name in ("status", "stage", "score", "createdAt", "probability"))
    assert [name for name, field in known.items() if field["searchable"]] == ["title", "description"]
    contacts = await definitions(admin, "CONTACT")
    assert [name for name, field in contacts.items() if field["searchable"]] == ["name", "jobTitle", "email"]
    for owner in ("COMPANY", "CONTACT", "PRODUCT"):
        assert (await definitions(admin, owner))["name"]["writable"], owner


async def test_choices_come_with_what_a_person_reads() -> None:
    admin = await seller()
    stamps: dict[str, Any] = {"workspace_id": admin.workspace_id, "created_at": NOW, "updated_at": NOW}
    urgent = await Tag.create(name="Urgent", **stamps)
    await Tag.create(name="Old", archived_at=NOW, **stamps)
    known = await definitions(admin)
    assert known["status"]["options"][3] == {"value": "DISQUALIFIED", "label": "Disqualified"}
    assert known["lifecycle"]["options"][1] == {"value": "MQL", "label": "Marketing qualified"}
    assert known["tags"]["options"] == [{"value": gid("Tag", urgent.id), "label": "Urgent"}]
    assert (known["owner"]["options"], known["owner"]["noun"]) == ([], "User")
    assert (await definitions(await seller()))["tags"]["options"] == []


async def test_stages_that_require_a_field_are_named() -> None:
    admin = await seller()
    proposal = await stage(admin, StageKind.PROPOSAL)
    other = await pipeline(admin, name="Partners")
    late = await Stage.filter(pipeline_id=other.id, kind=StageKind.CLOSING).first()
    assert late
    await Stage.filter(id=proposal.id).update(requirements={"fields": ["value", "primaryContact"], "min_needs": 1})
    await Stage.filter(id=late.id).update(requirements={"fields": ["value"]})
    known = await definitions(admin)
    assert [one["name"] for one in known["value"]["requiredAtStages"]] == [proposal.name, late.name]
    assert [one["name"] for one in known["contacts"]["requiredAtStages"]] == [proposal.name]
    assert [one["name"] for one in known["needs"]["requiredAtStages"]] == [proposal.name]
    assert known["owner"]["requiredAtStages"] == []
    assert (await definitions(admin, "COMPANY"))["owner"]["requiredAtStages"] == []
    await pipelines.archive(admin, other.id, now=NOW)
    assert len((await definitions(admin))["value"]["requiredAtStages"]) == 1
    assert (await definitions(await seller()))["value"]["requiredAtStages"] == []


async def test_only_members_are_told() -> None:
    assert await codes(None, QUERY, type="LEAD") == ["UNAUTHENTICATED"]
    viewer = await member(Role.VIEWER)
    assert (await definitions(viewer))["title"]["label"] == "Title"
