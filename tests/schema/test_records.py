"""The records beside the lead through the API: edited, refused, and shown fresh."""

from dataclasses import dataclass
from typing import Any

import pytest
from graphql import GraphQLInputObjectType, get_named_type

from domain import (
    activities,
    campaigns,
    catalog,
    comments,
    companies,
    competitors,
    contacts,
    external_refs,
    follow_up_plans,
    follow_ups,
    holidays,
    needs,
    products,
    stages,
    surveys,
)
from domain.activities import ActivityDetails, NewActivity
from domain.actors import Actor
from domain.campaigns import CampaignDetails
from domain.companies import CompanyDetails
from domain.competitors import CompetitorDetails
from domain.contacts import ContactDetails
from domain.follow_up_details import FollowUpDetails
from domain.follow_up_plans import PlanDetails
from domain.holidays import NewHoliday
from domain.needs import NeedDetails
from domain.products import ProductDetails
from domain.subjects import SubjectKey
from domain.surveys import SurveyDetails
from models.activities import ActivityKind
from models.base import Row, uuid7
from models.companies import Company
from models.contacts import Contact
from models.follow_ups import FollowUpKind, PlanTrigger
from models.leads import Lead
from models.stages import Stage, StageKind
from models.surveys import SurveyKind
from models.users import Role
from schema.context import Context
from schema.schema import graphql_schema
from tests.factories import NOW, custom_field, lead, lead_in, member, partner, pipeline, seller, stage
from tests.schema.asking import answer, ask, codes, gid

pytestmark = pytest.mark.usefixtures("db")

FAULTS = "userErrors { code message field }"
# Every mutation of these records: what it needs beside ids, where "own X" stands for an id of the actor's own X.
MUTATIONS: dict[str, dict[str, Any]] = {
    "createCompany": {"name": "Acme", "parentId": "own Company", "ownerId": "own User"},
    "updateCompany": {"id": "own Company", "parentId": "own Company", "ownerId": "own User"},
    "deleteCompany": {"id": "own Company"},
    "restoreCompany": {"id": "own Company"},
    "createContact": {"name": "Ada", "companyId": "own Company", "ownerId": "own User"},
    "updateContact": {"id": "own Contact", "companyId": "own Company", "ownerId": "own User"},
    "deleteContact": {"id": "own Contact"},
    "restoreContact": {"id": "own Contact"},
    "createProduct": {"name": "Pump"},
    "updateProduct": {"id": "own Product"},
    "archiveProduct": {"id": "own Product"},
    "restoreProduct": {"id": "own Product"},
    "createNeed": {"leadId": "own Lead", "title": "Warmth", "productId": "own Product"},
    "updateNeed": {"id": "own Need", "productId": "own Product"},
    "deleteNeed": {"id": "own Need"},
    "restoreNeed": {"id": "own Need"},
    "createCustomField": {"owner": "LEAD", "key": "note", "label": "Note", "type": "TEXT"},
    "updateCustomField": {"id": "own CustomField"},
    "archiveCustomField": {"id": "own CustomField"},
    "restoreCustomField": {"id": "own CustomField"},
    "deleteCustomField": {"id": "own CustomField"},
    "addComment": {"subjectId": "own Lead", "text": "Steep", "mentionIds": []},
    "updateComment": {"id": "own Comment", "text": "Steeper", "mentionIds": []},
    "deleteComment": {"id": "own Comment"},
    "restoreComment": {"id": "own Comment"},
    "createSource": {"name": "Fair"},
    "updateSource": {"id": "own Source"},
    "archiveSource": {"id": "own Source"},
    "restoreSource": {"id": "own Source"},
    "createLostReason": {"name": "Price"},
    "updateLostReason": {"id": "own LostReason"},
    "archiveLostReason": {"id": "own LostReason"},
    "restoreLostReason": {"id": "own LostReason"},
    "createCampaign": {"name": "Fair", "cost": {"amount": "5", "currencyCode": "EUR"}},
    "updateCampaign": {"id": "own Campaign"},
    "archiveCampaign": {"id": "own Campaign"},
    "restoreCampaign": {"id": "own Campaign"},
    "addCampaignMembers": {"campaignId": "own Campaign", "contactIds": []},
    "createCompetitor": {"name": "Rival"},
    "updateCompetitor": {"id": "own Competitor"},
    "archiveCompetitor": {"id": "own Competitor"},
    "restoreCompetitor": {"id": "own Competitor"},
    "createTag": {"name": "Hot"},
    "updateTag": {"id": "own Tag"},
    "archiveTag": {"id": "own Tag"},
    "restoreTag": {"id": "own Tag"},
    "updateActivity": {"id": "own Activity", "typeId": "own ActivityType", "userId": "own User"},
    "deleteActivity": {"id": "own Activity"},
    "restoreActivity": {"id": "own Activity"},
    "createActivityType": {"name": "Visit"},
    "updateActivityType": {"id": "own ActivityType"},
    "archiveActivityType": {"id": "own ActivityType"},
    "restoreActivityType": {"id": "own ActivityType"},
    "setExchangeRate": {"currencyCode": "USD", "rate": "0.9", "validOn": "2026-01-01"},
    "createPipeline": {"name": "Another", "template": "B2B"},
    "updatePipeline": {"id": "own Pipeline"},
    "archivePipeline": {"id": "own Pipeline"},
    "restorePipeline": {"id": "own Pipeline"},
    "createStage": {"pipelineId": "own Pipeline", "name": "Talk", "kind": "QUALIFY"},
    "updateStage": {"id": "own Stage"},
    "setStageRequirements": {"id": "own Stage", "requirements": {}},
    "reorderStages": {"pipelineId": "own Pipeline", "stageIds": []},
    "archiveStage": {"id": "own Stage", "moveLeadsTo": "own Stage"},
    "restoreStage": {"id": "own Stage"},
    "createFollowUp": {
        "subjectId": "own Lead", "ownerId": "own User", "kind": "CALL", "title": "Call", "dueOn": "2026-12-01",
    },
    "updateFollowUp": {"id": "own FollowUp", "ownerId": "own User"},
    "createFollowUpPlan": {"name": "Win", "trigger": "STAGE_ENTERED", "stageId": "own Stage", "steps": []},
    "updateFollowUpPlan": {"id": "own FollowUpPlan", "stageId": "own Stage"},
    "archiveFollowUpPlan": {"id": "own FollowUpPlan"},
    "restoreFollowUpPlan": {"id": "own FollowUpPlan"},
    "createHoliday": {"day": "2026-12-24", "name": "Christmas Eve"},
    "createHolidays": {"holidays": []},
    "updateHoliday": {"id": "own Holiday"},
    "deleteHoliday": {"id": "own Holiday"},
    "createSurvey": {"name": "Asked", "kind": "NPS", "pipelineId": "own Pipeline"},
    "updateSurvey": {"id": "own Survey", "pipelineId": "own Pipeline"},
    "archiveSurvey": {"id": "own Survey"},
    "restoreSurvey": {"id": "own Survey"},
}  # fmt: skip
# A plan is of a stage or of a pipeline, by what sets it off.
ONE_OF = {"createFollowUpPlan": {"pipelineId"}, "updateFollowUpPlan": {"pipelineId"}}
IDS = [
    (mutation, field, value.removeprefix("own "))
    for mutation, given in MUTATIONS.items()
    for field, value in given.items()
    if isinstance(value, str) and value.startswith("own ")
]


def document(mutation: str, selection: str = "") -> str:
    input_type = f"{mutation[0].upper()}{mutation[1:]}Input"
    return f"""
        mutation ($input: {input_type}!) {{
          {mutation}(input: $input) {{ {selection} {FAULTS} clientMutationId }}
        }}
    """


async def run(actor: Actor, mutation: str, selection: str = "", **given: Any) -> dict[str, Any]:
    """Run a mutation that must not fail as a whole, and return its payload."""
    payload: dict[str, Any] = (await ask(actor, document(mutation, selection), input=given))[mutation]
    return payload


async def done(actor: Actor, mutation: str, selection: str, **given: Any) -> dict[str, Any]:
    """Run a mutation that must be done, and return the object that is selected first."""
    payload = await run(actor, mutation, selection, **given)
    assert payload["userErrors"] == []
    found: dict[str, Any] = next(iter(payload.values()))
    return found


def faults(payload: dict[str, Any]) -> set[tuple[str, str | None]]:
    return {(fault["code"], ".".join(fault["field"] or []) or None) for fault in payload["userErrors"]}


async def one_of_each(actor: Actor) -> dict[str, str]:
    """Make one of every noun in the actor's workspace and return their ids."""
    row = await pipeline(actor, name="Board")
    first = (await stages.live(row.id))[0]
    wanting = await lead(actor)
    visit = await catalog.create_activity_type(actor, name="Own", now=NOW)
    done = ActivityDetails(kind=ActivityKind.CUSTOM, type_id=visit.id)
    due = FollowUpDetails(kind=FollowUpKind.CALL, title="Own", due_on=NOW.date())
    entering = PlanDetails(name="Own", trigger=PlanTrigger.STAGE_ENTERED, stage_id=first.id)
    rows: dict[str, Row] = {
        "Pipeline": row,
        "Stage": first,
        "Lead": wanting,
        "Company": await companies.create(actor, CompanyDetails(name="Own"), now=NOW),
        "Contact": await contacts.create(actor, ContactDetails(name="Own"), now=NOW),
        "Product": await products.create(actor, ProductDetails(name="Own"), now=NOW),
        "CustomField": await custom_field(actor, "own"),
        "Need": await needs.create(actor, wanting.id, NeedDetails(title="Own"), now=NOW),
        "Comment": await comments.add(actor, SubjectKey(Lead, wanting.id), text="Own", now=NOW),
        "Source": await catalog.create_source(actor, name="Own", now=NOW),
        "LostReason": await catalog.create_lost_reason(actor, name="Own", now=NOW),
        "Tag": await catalog.create_tag(actor, name="Own", now=NOW),
        "ActivityType": visit,
        "Activity": await activities.log(actor, NewActivity(details=done, lead_id=wanting.id), now=NOW),
        "Campaign": await campaigns.create(actor, CampaignDetails(name="Own"), now=NOW),
        "Competitor": await competitors.create(actor, CompetitorDetails(name="Own"), now=NOW),
        "FollowUp": await follow_ups.create(actor, SubjectKey(Lead, wanting.id), due, now=NOW),
        "FollowUpPlan": await follow_up_plans.create(actor, entering, now=NOW),
        "Holiday": await holidays.create(actor, NewHoliday(NOW.date(), "Own"), now=NOW),
        "Survey": await surveys.create(actor, SurveyKind.NPS, SurveyDetails(name="Own"), now=NOW),
    }
    assert actor.user_id
    return {noun: gid(noun, row.id) for noun, row in rows.items()} | {"User": gid("User", actor.user_id)}


def filled(given: dict[str, Any], own: dict[str, str]) -> dict[str, Any]:
    def value(of: Any) -> Any:
        return own[of.removeprefix("own ")] if isinstance(of, str) and of.startswith("own ") else of

    return {name: value(of) for name, of in given.items()}


@dataclass(frozen=True)
class House:
    """A workspace with one of each noun beside another one's, for tests of what is refused and changes nothing."""

    admin: Actor
    viewer: Actor
    own: dict[str, str]
    foreign: dict[str, str]


@pytest.fixture(scope="module")
async def house(opened_database: str) -> House:
    admin, stranger = await seller(), await seller()
    viewer = await member(Role.VIEWER, of=admin)
    return House(admin, viewer, await one_of_each(admin), await one_of_each(stranger))


class TestEveryMutation:
    def test_none_and_no_id_is_left_out_of_these_tests(self) -> None:
        core = graphql_schema._schema
        assert core.mutation_type
        for mutation, given in MUTATIONS.items():
            input_type = get_named_type(core.mutation_type.fields[mutation].args["input"].type)
            assert isinstance(input_type, GraphQLInputObjectType)
            taken = {
                name
                for name, field in input_type.fields.items()
                if get_named_type(field.type).name == "ID"
                and not (name == "id" and mutation.startswith(("create", "add")))
            }
            assert taken - ONE_OF.get(mutation, set()) <= given.keys(), mutation
        verbs = ("create", "update", "delete", "archive", "restore")
        elsewhere = (
            "Attachment",
            "Lead",
            "Leads",
            "SavedView",
            "Team",
            "Member",
            "Me",
            "ApiKey",
            "Workspace",
            "Upload",
            # Everybody's own.
            "CalendarFeed",
            "ReminderSettings",
            # With specifications of their own.
            *("ApprovalRule", "Contract", "Negotiation", "PaymentProvider", "Proposal", "ProposalLink"),
            *("ScoreModel", "SellingSettings"),
        )
        named = {name for name in core.mutation_type.fields if name.startswith(verbs) and not name.endswith(elsewhere)}
        assert named <= MUTATIONS.keys()

    @pytest.mark.parametrize(("mutation", "field", "noun"), IDS)
    async def test_another_workspaces_and_a_missing_row_are_not_found(
        self, house: House, mutation: str, field: str, noun: str
    ) -> None:
        given = filled(MUTATIONS[mutation], house.own)
        for key in (house.foreign[noun], gid(noun, uuid7())):
            payload = await run(house.admin, mutation, **{**given, field: key})
            assert faults(payload) == {("NOT_FOUND", field)}

    @pytest.mark.parametrize(("mutation", "field", "noun"), IDS)
    async def test_a_malformed_id_or_one_of_another_noun_is_bad_input(
        self, house: House, mutation: str, field: str, noun: str
    ) -> None:
        given = filled(MUTATIONS[mutation], house.own)
        for key in ("", "x", "é", "A" * 10_000, str(uuid7()), gid("Session", uuid7())):
            told = await answer(house.admin, document(mutation), input={**given, field: key})
            assert [error["extensions"]["code"] for error in told["errors"]] == ["BAD_USER_INPUT"], key

    @pytest.mark.parametrize("mutation", MUTATIONS)
    async def test_who_only_reads_is_refused(self, house: House, mutation: str) -> None:
        payload = await run(house.viewer, mutation, **filled(MUTATIONS[mutation], house.own))

        assert faults(payload) == {("FORBIDDEN", None)}

    @pytest.mark.parametrize("mutation", MUTATIONS)
    async def test_who_is_not_signed_in_is_told_so(self, mutation: str) -> None:
        own = {noun: gid(noun, uuid7()) for _, _, noun in IDS}

        assert await codes(None, document(mutation), input=filled(MUTATIONS[mutation], own)) == ["UNAUTHENTICATED"]

    @pytest.mark.parametrize(
        "mutation", [name for name in MUTATIONS if not name.startswith(("create", "add", "restore", "setExchangeRate"))]
    )
    async def test_a_stale_edit_is_refused_with_the_current_object(self, house: House, mutation: str) -> None:
        given = filled(MUTATIONS[mutation], house.own)
        noun = "Pipeline" if mutation == "reorderStages" else mutation.lstrip("abcdefghijklmnopqrstuvwxyz")
        noun = "Stage" if mutation == "setStageRequirements" else noun
        name = f"{noun[0].lower()}{noun[1:]}"

        payload = await run(house.admin, mutation, f"{name} {{ id version }}", **given, expectedVersion=99)

        assert {code for code, _ in faults(payload)} == {"STALE"}
        assert payload[name] == {"id": given.get("id") or given["pipelineId"], "version": 1}

    async def test_a_partner_edits_what_its_key_allows(self) -> None:
        admin = await seller()
        key = await partner("company:read", "company:write", of=admin)
        own = await one_of_each(admin)

        made = await graphql_schema.execute(
            document("createCompany", "company { name }"),
            {"input": {"name": "By partner"}},
            context_value=Context(identity=key, now=NOW),
        )
        refused = await graphql_schema.execute(
            document("updateContact"),
            {"input": {"id": own["Contact"], "name": "X"}},
            context_value=Context(identity=key, now=NOW),
        )

        assert made.data and made.data["createCompany"]["company"] == {"name": "By partner"}
        assert refused.data and faults(refused.data["updateContact"]) == {("NOT_FOUND", "id")}


async def test_a_company_is_created_edited_deleted_and_restored() -> None:
    actor, key = await seller(), uuid7()
    shown = """
        company {
          id name domain website phone industry country location employees foundedYear taxNumber version relationship
          revenue { amount currencyCode } billingAddress { street city postalCode country } shippingAddress { city }
          parent { name } owner { id }
          externalRefs { system externalId }
        }
    """
    parent = await done(actor, "createCompany", "company { id }", name="Parent")

    made = await done(
        actor,
        "createCompany",
        shown,
        id=str(key),
        name="Müller GmbH",
        domain="www.mueller.example",
        website="https://mueller.example",
        phone="030 1234567",
        country="DE",
        industry="Machines",
        location="Berlin",
        employees=120,
        foundedYear=1921,
        taxNumber="DE 1",
        revenue={"amount": "1500000.50", "currencyCode": "EUR"},
        billingAddress={"street": "Ring 1", "city": "Berlin", "postalCode": "10115", "country": "DE"},
        parentId=parent["id"],
        ownerId=gid("User", actor.user_id or uuid7()),
        externalRefs=[{"system": "erp", "externalId": "4711"}],
    )
    edited = await done(
        actor,
        "updateCompany",
        shown,
        id=made["id"],
        expectedVersion=1,
        name="Müller AG",
        revenue=None,
        parentId=None,
        billingAddress=None,
        externalRefs=[{"system": "crm", "externalId": "M"}],
    )

    assert made == {
        "id": gid("Company", key),
        "name": "Müller GmbH",
        "domain": "mueller.example",
        "website": "https://mueller.example",
        "phone": "030 1234567",
        "industry": "Machines",
        "country": "DE",
        "location": "Berlin",
        "employees": 120,
        "foundedYear": 1921,
        "taxNumber": "DE 1",
        "version": 1,
        "relationship": "LEAD",
        "revenue": {"amount": "1500000.5", "currencyCode": "EUR"},
        "billingAddress": {"street": "Ring 1", "city": "Berlin", "postalCode": "10115", "country": "DE"},
        "shippingAddress": None,
        "parent": {"name": "Parent"},
        "owner": {"id": gid("User", actor.user_id or uuid7())},
        "externalRefs": [{"system": "erp", "externalId": "4711"}],
    }
    changed = {
        "name": "Müller AG",
        "version": 2,
        "revenue": None,
        "billingAddress": None,
        "parent": None,
        "externalRefs": [{"system": "crm", "externalId": "M"}, {"system": "erp", "externalId": "4711"}],
    }
    assert edited == made | changed

    gone = await run(actor, "deleteCompany", "deletedCompanyId company { id }", id=made["id"])
    assert (gone["deletedCompanyId"], gone["company"]) == (made["id"], None)
    assert (await ask(actor, "query ($id: ID!) { company(id: $id) { id } }", id=made["id"]))["company"] is None
    back = await done(actor, "restoreCompany", "company { version }", id=made["id"])
    assert back == {"version": 4}


async def test_every_fault_of_an_input_is_told_with_its_path() -> None:
    actor = await seller()

    payload = await run(
        actor,
        "createCompany",
        "company { id }",
        name="x" * 201,
        domain="gmail.com",
        website="javascript:alert(1)",
        phone="call me",
        country="Germany",
        employees=-5,
        foundedYear=99999,
        revenue={"amount": "-1", "currencyCode": "EURO"},
        shippingAddress={"street": "x" * 201, "country": "ZZ"},
        externalRefs=[{"system": "erp", "externalId": "1"}, {"system": "", "externalId": "x" * 501}],
        clientMutationId="mine",
    )

    assert payload["company"] is None
    assert payload["clientMutationId"] == "mine"
    assert faults(payload) == {
        ("TOO_LONG", "name"),
        ("FREE_MAIL_DOMAIN", "domain"),
        ("MALFORMED", "website"),
        ("MALFORMED", "phone"),
        ("MALFORMED", "country"),
        ("OUT_OF_RANGE", "employees"),
        ("OUT_OF_RANGE", "foundedYear"),
        ("OUT_OF_RANGE", "revenue.amount"),
        ("MALFORMED", "revenue.currencyCode"),
        ("TOO_LONG", "shippingAddress.street"),
        ("MALFORMED", "shippingAddress.country"),
        ("REQUIRED", "externalRefs.1.system"),
        ("TOO_LONG", "externalRefs.1.externalId"),
    }
    assert not await Company.exists(workspace_id=actor.workspace_id)


@pytest.mark.parametrize(
    ("mutation", "given"),
    [
        ("createProduct", {"name": "P", "price": {"amount": "NaN", "currencyCode": "EUR"}}),
        ("createProduct", {"name": "P", "price": {"amount": "Infinity", "currencyCode": "EUR"}}),
        ("createProduct", {"name": "P", "price": {"amount": 1.5, "currencyCode": "EUR"}}),
        ("createProduct", {"name": None}),
        ("createProduct", {"name": 5}),
        ("createProduct", {"name": "P", "id": "not an id"}),
        ("createProduct", {"name": "P", "id": "00000000-0000-4000-8000-000000000000"}),
        ("setExchangeRate", {"currencyCode": "USD", "rate": "NaN", "validOn": "2026-01-01"}),
        ("setExchangeRate", {"currencyCode": "USD", "rate": "1", "validOn": "2026-02-30"}),
        ("setExchangeRate", {"currencyCode": "USD", "rate": "1", "validOn": "yesterday"}),
        ("createCompany", {"name": "C", "employees": 2**31}),
        ("createCompany", {"name": "C", "password": "x"}),
        ("createSource", {"name": "S", "kind": "MAGIC"}),
        ("createPipeline", {"template": "PIRACY"}),
        ("createTag", {"name": "T", "clientMutationId": "nul\u0000"}),
        ("createTag", {"name": "T", "clientMutationId": "x" * 256}),
    ],
)
async def test_what_is_no_value_at_all_is_bad_input(mutation: str, given: dict[str, Any]) -> None:
    assert await codes(await seller(), document(mutation), input=given) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize(
    ("mutation", "given", "expected"),
    [
        ("createProduct", {"name": "P", "price": {"amount": "1e30", "currencyCode": "EUR"}}, "OUT_OF_RANGE"),
        ("createProduct", {"name": "P", "price": {"amount": "1.00001", "currencyCode": "EUR"}}, "MALFORMED"),
        ("createProduct", {"name": "P", "price": {"amount": "1", "currencyCode": "E"}}, "MALFORMED"),
        ("createContact", {"name": "A", "email": "nobody"}, "MALFORMED"),
        ("createContact", {"name": "A", "phone": "0"}, "MALFORMED"),
        ("createContact", {"name": "A", "language": "xx-yy-zz"}, "MALFORMED"),
        ("createContact", {"name": "A\u0000"}, "MALFORMED"),
        ("createTag", {"name": "T", "color": "red"}, "MALFORMED"),
        ("createTag", {"name": "t" * 51}, "TOO_LONG"),
        ("setExchangeRate", {"currencyCode": "USD", "rate": "0", "validOn": "2026-01-01"}, "OUT_OF_RANGE"),
        ("setExchangeRate", {"currencyCode": "USD", "rate": "1", "validOn": "9999-01-01"}, "OUT_OF_RANGE"),
        ("setExchangeRate", {"currencyCode": "EUR", "rate": "1", "validOn": "2026-01-01"}, "BASE_CURRENCY_RATE"),
        ("createPipeline", {"name": "Neither"}, "TEMPLATE_OR_STAGES"),
        ("createPipeline", {"name": "Empty", "stages": []}, "STAGE_KIND_MISSING"),
    ],
)
async def test_what_a_person_can_mend_is_a_user_error(mutation: str, given: dict[str, Any], expected: str) -> None:
    payload = await run(await seller(), mutation, **given)

    assert [fault["code"] for fault in payload["userErrors"]] == [expected]


async def test_a_contact_is_created_edited_deleted_and_restored() -> None:
    actor = await seller()
    company = await done(actor, "createCompany", "company { id }", name="Acme", country="DE")
    shown = "contact { id name jobTitle email phone language version company { name } }"

    made = await done(
        actor,
        "createContact",
        shown,
        name="Ada",
        email="Ada@Example.com",
        phone="030 1234567",
        language="de",
        companyId=company["id"],
        externalRefs=[{"system": "crm", "externalId": "7"}],
    )
    edited = await done(actor, "updateContact", shown, id=made["id"], jobTitle="CTO", companyId=None)

    assert made["company"] == {"name": "Acme"}
    assert (edited["jobTitle"], edited["company"], edited["email"]) == ("CTO", None, "Ada@Example.com")
    twice = await run(actor, "createContact", name="Eve", email="ada@EXAMPLE.com")
    assert faults(twice) == {("ALREADY_EXISTS", "email")}
    gone = await run(actor, "deleteContact", "deletedContactId", id=made["id"], expectedVersion=2)
    assert gone["deletedContactId"] == made["id"]
    assert (await done(actor, "restoreContact", "contact { version }", id=made["id"])) == {"version": 4}
    found = await external_refs.find(actor, Contact, external_refs.Ref("crm", "7"))
    assert found is not None
    assert gid("Contact", found.id) == made["id"]


async def test_a_product_is_added_priced_archived_and_sold_again() -> None:
    actor = await seller()
    shown = "product { id name sku family description price { amount currencyCode } archivedAt version }"

    made = await done(
        actor, "createProduct", shown, name="Pump", sku="P-1", price={"amount": "99.90", "currencyCode": "EUR"}
    )
    edited = await done(actor, "updateProduct", shown, id=made["id"], description="Quiet", price=None)
    archived = await done(actor, "archiveProduct", shown, id=made["id"])
    sold = await done(actor, "restoreProduct", shown, id=made["id"])

    assert made["price"] == {"amount": "99.9", "currencyCode": "EUR"}
    assert (edited["price"], edited["description"], edited["sku"]) == (None, "Quiet", "P-1")
    assert archived["archivedAt"] is not None
    assert (sold["archivedAt"], sold["version"]) == (None, 4)


async def test_a_need_is_named_answered_deleted_and_restored() -> None:
    actor = await seller()
    wanting = gid("Lead", (await lead(actor)).id)
    shown = "need { id title importance answer version lead { id } }"

    made = await done(actor, "createNeed", shown, leadId=wanting, title="Warmth", importance=5)
    edited = await done(actor, "updateNeed", shown, id=made["id"], answer="Heat pump", importance=None)
    gone = await run(actor, "deleteNeed", "deletedNeedId", id=made["id"])
    back = await done(actor, "restoreNeed", shown, id=made["id"])

    assert made["lead"] == {"id": wanting}
    assert (edited["importance"], edited["answer"]) == (3, "Heat pump")
    assert gone["deletedNeedId"] == made["id"]
    assert back["version"] == 4
    assert faults(await run(actor, "updateNeed", id=made["id"], importance=9)) == {("OUT_OF_RANGE", "importance")}


@pytest.mark.parametrize("noun", ["Source", "LostReason", "Tag"])
async def test_an_entry_of_a_short_list_goes_and_comes(noun: str) -> None:
    actor = await seller()
    name = f"{noun[0].lower()}{noun[1:]}"
    shown = f"{name} {{ id name version archivedAt }}"

    made = await done(actor, f"create{noun}", shown, name="First")
    renamed = await done(actor, f"update{noun}", shown, id=made["id"], name="Second")
    archived = await done(actor, f"archive{noun}", shown, id=made["id"])
    refused = await run(actor, f"update{noun}", id=made["id"], name="Third")
    back = await done(actor, f"restore{noun}", shown, id=made["id"])

    assert (renamed["name"], renamed["version"]) == ("Second", 2)
    assert archived["archivedAt"] is not None
    assert {code for code, _ in faults(refused)} == {"CONFLICT"}
    assert (back["archivedAt"], back["version"]) == (None, 4)
    assert faults(await run(actor, f"create{noun}", name="SECOND")) == {("ALREADY_EXISTS", "name")}
    listed = await ask(actor, f"{{ {name}s {{ totalCount nodes {{ name }} }} }}")
    assert listed[f"{name}s"] == {"totalCount": 1, "nodes": [{"name": "Second"}]}


@pytest.mark.parametrize("noun", ["Source", "LostReason", "Tag", "Pipeline"])
async def test_a_short_list_leaves_out_what_is_archived_and_is_ordered(noun: str) -> None:
    actor = await member()
    name = f"{noun[0].lower()}{noun[1:]}"
    needed = {"template": "B2B"} if noun == "Pipeline" else {}
    for title in ("Cold", "Warm", "Hot"):
        made = await done(actor, f"create{noun}", f"{name} {{ id }}", name=title, **needed)
    await done(actor, f"archive{noun}", f"{name} {{ id }}", id=made["id"])

    asked = f"""query ($kept: {noun}Filter, $named: {noun}Filter, $order: [{noun}Order!]) {{
      kept: {name}s(filter: $kept, orderBy: $order) {{ totalCount nodes {{ name }} }}
      named: {name}s(filter: $named) {{ totalCount nodes {{ name }} }}
    }}"""
    listed = await ask(
        actor,
        asked,
        kept={"archivedAt": {"isNull": True}},
        named={"or": [{"id": {"eq": made["id"]}}, {"name": {"eq": "Cold"}}], "not": {"name": {"eq": "Cold"}}},
        order=[{"field": "NAME", "direction": "DESC"}],
    )

    assert listed == {
        "kept": {"totalCount": 2, "nodes": [{"name": "Warm"}, {"name": "Cold"}]},
        "named": {"totalCount": 1, "nodes": [{"name": "Hot"}]},
    }


async def test_sources_are_found_by_kind_and_the_default_pipeline_by_its_mark() -> None:
    actor = await seller()
    await pipeline(actor, name="Another")
    for title, kind in (("Fair", "TRADE_SHOW"), ("Web", "WEB_FORM")):
        await done(actor, "createSource", "source { id }", name=title, kind=kind)

    listed = await ask(
        actor,
        """{
          sources(filter: {kind: {in: [TRADE_SHOW, SOCIAL]}}) { nodes { name } }
          pipelines(filter: {isDefault: {eq: true}}) { nodes { isDefault } }
        }""",
    )

    assert listed == {"sources": {"nodes": [{"name": "Fair"}]}, "pipelines": {"nodes": [{"isDefault": True}]}}


async def test_sources_have_kinds_and_tags_colours() -> None:
    actor = await seller()

    source = await done(actor, "createSource", "source { id kind }", name="Fair", kind="TRADE_SHOW")
    same = await done(actor, "updateSource", "source { id kind }", id=source["id"], kind=None)
    tag = await done(actor, "createTag", "tag { id color }", name="Hot", color="#FF0000")
    plain = await done(actor, "updateTag", "tag { id color }", id=tag["id"], color=None)

    assert source["kind"] == same["kind"] == "TRADE_SHOW"
    assert (tag["color"], plain["color"]) == ("#ff0000", None)


async def test_exchange_rates_are_set_and_listed() -> None:
    actor = await seller()
    shown = "exchangeRate { id currencyCode rate validOn }"
    for currency, rate, day in (
        ("USD", "0.92", "2026-01-01"),
        ("usd", "0.95", "2026-02-01"),
        ("CHF", "1.05", "2026-02-01"),
        ("CHF", "1.06", "2026-02-01"),
    ):
        made = await done(actor, "setExchangeRate", shown, currencyCode=currency, rate=rate, validOn=day)

    assert made["rate"] == "1.06"
    query = """
        query ($filter: ExchangeRateFilter, $orderBy: [ExchangeRateOrder!]) {
          exchangeRates(filter: $filter, orderBy: $orderBy) { nodes { currencyCode rate validOn } }
        }
    """
    listed = await ask(actor, query)
    assert [(rate["currencyCode"], rate["validOn"]) for rate in listed["exchangeRates"]["nodes"]] == [
        ("CHF", "2026-02-01"),
        ("USD", "2026-02-01"),
        ("USD", "2026-01-01"),
    ]
    old = await ask(actor, query, filter={"currencyCode": {"eq": "USD"}, "validOn": {"lt": "2026-02-01"}})
    assert old["exchangeRates"]["nodes"] == [{"currencyCode": "USD", "rate": "0.92", "validOn": "2026-01-01"}]
    assert (await ask(await seller(), query))["exchangeRates"]["nodes"] == []


class TestPipelines:
    shown = "pipeline { id name position isDefault version archivedAt stages { id name kind probability } }"

    async def test_a_pipeline_is_made_with_stages_moved_made_default_archived_and_restored(self) -> None:
        actor = await seller()
        sales = gid("Pipeline", (await stage(actor, StageKind.QUALIFY)).pipeline_id)

        made = await done(
            actor,
            "createPipeline",
            self.shown,
            name="Grants",
            stages=[
                {"name": "Inbox", "kind": "PROSPECT", "isIntake": True, "probability": 0},
                {"name": "Talk", "kind": "QUALIFY", "probability": 0.3, "rotDays": 14},
                {"name": "Granted", "kind": "FOLLOW_UP"},
            ],
        )
        first = await done(actor, "updatePipeline", self.shown, id=made["id"], position=0, makeDefault=True)
        archived = await done(actor, "archivePipeline", self.shown, id=sales)
        back = await done(actor, "restorePipeline", self.shown, id=sales)

        assert [(s["name"], s["kind"], s["probability"]) for s in made["stages"]] == [
            ("Inbox", "PROSPECT", 0),
            ("Talk", "QUALIFY", 0.3),
            ("Granted", "FOLLOW_UP", 1),
        ]
        assert (first["position"], first["isDefault"]) == (0, True)
        assert archived["archivedAt"] is not None
        assert (back["archivedAt"], back["isDefault"], back["position"]) == (None, False, 1)
        refused = await run(actor, "archivePipeline", id=made["id"])
        assert {code for code, _ in faults(refused)} == {"PIPELINE_IS_DEFAULT"}

    async def test_a_pipeline_comes_from_a_template(self) -> None:
        made = await done(await seller(), "createPipeline", self.shown, template="SUBSCRIPTION")

        assert made["name"] == "Subscriptions"
        assert len(made["stages"]) == 8

    async def test_stages_are_added_changed_and_put_in_order(self) -> None:
        actor = await seller()
        made = await done(actor, "createPipeline", self.shown, template="CONSUMER")
        shown = "stage { id name kind probability rotDays isIntake position version pipeline { id } }"

        added = await done(actor, "createStage", shown, pipelineId=made["id"], name="Visit", kind="QUALIFY", position=1)
        edited = await done(
            actor, "updateStage", shown, id=added["id"], name="Call", probability=0.123, rotDays=3, kind=None
        )
        usual = await done(actor, "updateStage", shown, id=added["id"], probability=None, rotDays=None)
        board = await ask(actor, f"query ($id: ID!) {{ pipeline(id: $id) {{ {self.stages} }} }}", id=made["id"])
        order = [entry["id"] for entry in board["pipeline"]["stages"]]
        order[0], order[1] = order[1], order[0]
        ordered = await done(actor, "reorderStages", self.shown, pipelineId=made["id"], stageIds=order)

        assert (added["position"], added["probability"], added["pipeline"]) == (1, 0.25, {"id": made["id"]})
        assert (edited["name"], edited["probability"], edited["rotDays"], edited["kind"]) == (
            "Call",
            0.123,
            3,
            "QUALIFY",
        )
        assert (usual["probability"], usual["rotDays"]) == (0.25, None)
        assert [entry["id"] for entry in ordered["stages"]] == order
        short = await run(actor, "reorderStages", pipelineId=made["id"], stageIds=order[1:])
        assert faults(short) == {("STAGES_INCOMPLETE", "stageIds")}

    stages = "stages { id name }"

    async def test_requirements_are_set_and_shown(self) -> None:
        actor = await seller()
        key = gid("Stage", (await stage(actor, StageKind.PROPOSAL)).id)
        shown = """stage { requirements { fields minNeeds noSkipping noGoingBack rolesIn rolesOut needsApproval
                     proposalAccepted termsAgreed contractSigned invoicePaid } }"""
        wanted = {
            "fields": ["value", "owner"],
            "minNeeds": 1,
            "noSkipping": True,
            "noGoingBack": True,
            "rolesIn": ["ADMIN", "REP"],
            "rolesOut": [],
            "needsApproval": True,
            "proposalAccepted": True,
            "termsAgreed": False,
            "contractSigned": True,
            "invoicePaid": False,
        }

        kept = await done(actor, "setStageRequirements", shown, id=key, requirements=wanted)
        refused = await run(
            actor, "setStageRequirements", id=key, requirements={"fields": ["shoeSize"], "minNeeds": 51}
        )

        assert kept["requirements"] == wanted
        assert faults(refused) == {
            ("UNKNOWN_LEAD_FIELD", "requirements.fields"),
            ("OUT_OF_RANGE", "requirements.minNeeds"),
        }

    async def test_an_emptied_stage_answers_with_both_stages_fresh_counts(self) -> None:
        actor = await seller()
        qualify, proposal = await stage(actor, StageKind.QUALIFY), await stage(actor, StageKind.PROPOSAL)
        for at in (qualify, qualify, proposal):
            await lead_in(at)

        first = await run(actor, "archiveStage", id=gid("Stage", qualify.id))
        payload = await run(
            actor,
            "archiveStage",
            "stage { leadCount archivedAt } movedLeadsTo { name leadCount }",
            id=gid("Stage", qualify.id),
            moveLeadsTo=gid("Stage", proposal.id),
        )
        back = await done(actor, "restoreStage", "stage { archivedAt position }", id=gid("Stage", qualify.id))

        assert faults(first) == {("STAGE_NOT_EMPTY", "moveLeadsTo")}
        assert payload["userErrors"] == []
        assert payload["stage"]["leadCount"] == 0
        assert payload["movedLeadsTo"] == {"name": "Proposal sent", "leadCount": 3}
        assert back["archivedAt"] is None
        assert (await Stage.get(id=qualify.id)).archived_at is None


async def test_a_mutation_shows_nothing_that_an_earlier_one_of_the_same_document_has_changed() -> None:
    actor = await seller()
    parent = await done(actor, "createCompany", "company { id }", name="Before")
    child = await done(actor, "createCompany", "company { id }", name="Child", parentId=parent["id"])

    told = await ask(
        actor,
        """
        mutation ($child: ID!, $parent: ID!) {
          one: updateCompany(input: {id: $child, location: "Hull"}) { company { parent { name } } }
          two: updateCompany(input: {id: $parent, name: "After"}) { company { name } }
          three: updateCompany(input: {id: $child, location: "Leeds"}) { company { parent { name } } }
        }
        """,
        child=child["id"],
        parent=parent["id"],
    )

    assert told["one"]["company"]["parent"] == {"name": "Before"}
    assert told["three"]["company"]["parent"] == {"name": "After"}


async def test_a_record_is_created_once_under_one_key() -> None:
    actor = await seller()

    first = await run(actor, "createProduct", "product { id }", name="Pump", idempotencyKey="k1")
    again = await run(actor, "createProduct", "product { id }", name="Pump", idempotencyKey="k1")

    assert first == again
    assert first["userErrors"] == []


@pytest.mark.parametrize(
    "filter",
    [
        {"email": {"eq": " Ada@EXAMPLE.com"}},
        {"email": {"in": ["bob@example.com", "ADA@example.COM"]}},
        {"email": {"startsWith": "ADA@"}},
        {"phone": {"eq": "+49 (30) 123 45 67"}},
        {"phone": {"eq": "0049 30 1234567"}},
        {"phone": {"in": ["+49-30-1234567"]}},
        {"phone": {"startsWith": "+49 30"}},
        {"phone": {"startsWith": "0049 30 12"}},
        {"phone": {"contains": "123 45"}},
    ],
    ids=str,
)
async def test_contacts_are_filtered_by_addresses_and_numbers_however_they_are_written(filter: dict[str, Any]) -> None:
    admin = await seller()
    await run(admin, "createContact", name="Ada", email="Ada@Example.com", phone="+49 30 1234567")
    await run(admin, "createContact", name="Eve", email="eve@example.com", phone="+44 20 7946 0000")
    document = "query ($filter: ContactFilter!) { contacts(filter: $filter) { nodes { name } } }"
    assert (await ask(admin, document, filter=filter))["contacts"]["nodes"] == [{"name": "Ada"}]
    others = (await ask(admin, document, filter={"not": filter}))["contacts"]["nodes"]
    assert others == [{"name": "Eve"}]


async def test_nobody_is_told_a_fault_twice_and_everybody_of_all_of_them() -> None:
    admin = await seller()
    long = "https:// " + "x" * 2_000
    for name, given in (("createCompany", {"website": long}), ("createCompany", {"domain": long})):
        told = await run(admin, name, **{"name": "Acme", **given})
        assert [(error["code"], error["field"]) for error in told["userErrors"]] == [("TOO_LONG", list(given))]
    twice = await run(admin, "createContact", name="Ada", email="x" * 400, phone="y" * 60)
    assert [error["code"] for error in twice["userErrors"]] == ["TOO_LONG", "TOO_LONG"]
    await run(admin, "createTag", name="Hot")
    cold = await done(admin, "createTag", "tag { id }", name="Cold")
    both = {("MALFORMED", "color"), ("ALREADY_EXISTS", "name")}
    assert faults(await run(admin, "createTag", name="hot", color="red")) == both
    assert faults(await run(admin, "updateTag", id=cold["id"], name="HOT", color="red")) == both
    assert faults(await run(admin, "updateTag", id=cold["id"], name="Cold", color="red")) == {("MALFORMED", "color")}
