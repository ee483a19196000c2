"""Every id that a mutation takes, tried with another workspace's object, a malformed id, and a missing one."""

from decimal import Decimal
from json import dumps
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLType,
    get_named_type,
    is_required_input_field,
)
from tortoise.connection import get_connection

from domain import (
    activities,
    approval_rules,
    attachments,
    campaigns,
    captures,
    catalog,
    comments,
    companies,
    competitors,
    contacts,
    criteria,
    follow_up_plans,
    follow_ups,
    holidays,
    needs,
    payment_providers,
    payments,
    products,
    proposals,
    score_models,
    teams,
)
from domain.activities import ActivityDetails, NewActivity
from domain.actors import Actor
from domain.approval_rules import RuleDetails
from domain.campaigns import CampaignDetails
from domain.captures import Capture, NewContact
from domain.companies import CompanyDetails
from domain.competitors import CompetitorDetails
from domain.contacts import ContactDetails
from domain.criteria import Draft
from domain.follow_up_details import FollowUpDetails
from domain.follow_up_plans import PlanDetails
from domain.holidays import NewHoliday
from domain.leads import LeadDetails
from domain.needs import NeedDetails
from domain.products import ProductDetails
from domain.proposal_details import ProposalDetails
from domain.score_models import ModelDetails
from domain.subjects import SubjectKey
from models.activities import ActivityKind
from models.base import uuid7
from models.bulks import Bulk, BulkKind
from models.calendar_feeds import CalendarFeed
from models.conversations import Notification
from models.deliveries import Delivery, Suppression
from models.follow_ups import FollowUpKind, PlanTrigger
from models.hand_overs import HandOver
from models.imports import Import, ImportKind
from models.invoices import PaymentNotice
from models.leads import Lead
from models.pipelines import Pipeline
from models.proposal_links import ProposalLink, ProposalQuestion
from models.proposals import ApprovalKind
from models.qualification import CriterionType
from models.reminders import Device, DevicePlatform
from models.saved_views import SavedView, Sharing, ViewNoun
from models.scoring import ScoreModelKind, ScoreTraining
from models.sessions import Invitation
from models.stages import MoveRequest, StageKind
from models.surveys import SurveyDispatch
from models.users import Role
from schema.schema import graphql_schema
from tests.closing import accepted, contract, invoice, paying
from tests.factories import NOW, custom_field, seller, stage, upload
from tests.negotiating import negotiated
from tests.schema.asking import answer, gid
from tests.surveying import published

pytestmark = pytest.mark.usefixtures("db")
CORE = graphql_schema._schema
assert CORE.mutation_type
# What an input field named so is the id of; `id` itself is of the noun that the mutation's name ends with.
NOUNS = {
    "afterLeadId": "Lead",
    "beforeLeadId": "Lead",
    "moveLeadsTo": "Stage",
    "lostToId": "Competitor",
    "uploadId": "File",
    "avatarUploadId": "File",
    "logoUploadId": "File",
    "versionId": "ScoreModelVersion",
    "ids": "Stage",
    "stageIds": "Stage",
    "tagIds": "Tag",
    "typeId": "ActivityType",
    "parentId": "Company",
    "ownerId": "User",
    "userId": "User",
    "fromUserId": "User",
    "toUserId": "User",
    "substituteId": "User",
    "transferLeadsToId": "User",
    "criterionId": "QualificationCriterion",
    "serviceUserId": "User",
    "mentionIds": "User",
    "subjectId": "Lead",
    "contactIds": "Contact",
    "leadIds": "Lead",
    "planId": "FollowUpPlan",
}
OF_MUTATION = {
    "approveMove": "MoveRequest",
    "attachFile": "Attachment",
    "rejectMove": "MoveRequest",
    "setStageRequirements": "Stage",
    "updateMember": "User",
    "updateTeam": "Team",
}
# Mutations of nouns of several words.
OF_MUTATION |= {f"{verb}FollowUp": "FollowUp" for verb in ("update", "complete", "cancel", "snooze", "reopen")}
OF_MUTATION |= {f"{verb}FollowUpPlan": "FollowUpPlan" for verb in ("update", "archive", "restore")}
OF_MUTATION |= {"issuePlannedInvoice": "Invoice"}
OF_MUTATION |= {f"{verb}ScoreModel": "ScoreModel" for verb in ("update", "publish", "archive", "train", "rollback")}
OF_MUTATION |= {"cancelScoreTraining": "ScoreTraining"}
OF_MUTATION |= {f"{verb}PaymentProvider": "PaymentProvider" for verb in ("rotate", "archive", "restore")}
OF_MUTATION |= {f"{verb}PaymentNotice": "PaymentNotice" for verb in ("assign", "dismiss")}
OF_MUTATION |= dict.fromkeys(("approveOffer", "rejectOffer"), "Offer")
OF_MUTATION |= dict.fromkeys(("setProposalLines", "requestProposalApproval"), "Proposal")
SAMPLES = {"String": "Name", "Int": 1, "Boolean": True, "Float": 0.5, "Decimal": "1", "Email": "new@example.com"}
SAMPLES |= {
    "CurrencyCode": "USD",
    "Date": "2026-01-01",
    "DateTime": "2026-01-01T00:00:00Z",
    "JSON": {},
    "URL": "https://a.example",
}
# Whoever signs in is nobody yet; tests of sessions try its workspace.
SIGNED_OUT = {"signIn"}
# Mutations whose `id` is that of what they make.
MAKING = {"addComment", "openNegotiation", "issueInvoice", "creditInvoice", "recordPayment"}


def id_fields() -> list[tuple[str, str]]:
    """Return every id argument of every mutation, as mutation and input field."""
    found = []
    for mutation, field in CORE.mutation_type.fields.items():  # type: ignore[union-attr]
        given = get_named_type(field.args["input"].type)
        assert isinstance(given, GraphQLInputObjectType)
        for name, each in given.fields.items():
            makes = name == "id" and (mutation in MAKING or mutation.startswith(("create", "capture", "log")))
            if get_named_type(each.type).name == "ID" and not makes and mutation not in SIGNED_OUT:
                found.append((mutation, name))
    return found


def noun_of(mutation: str, field: str) -> str:
    """Return what an id argument is the id of."""
    if field == "ids" and mutation.endswith("Leads"):
        return "Lead"
    if field == "parentId":
        return "Team" if mutation.endswith("Team") else "Company"
    if mutation == "markNotificationsRead":
        return "Notification"
    if field in NOUNS:
        return NOUNS[field]
    if field != "id":
        return field[0].upper() + field.removesuffix("Id")[1:]
    if mutation in OF_MUTATION:
        return OF_MUTATION[mutation]
    return mutation.lstrip("abcdefghijklmnopqrstuvwxyz")


async def objects(actor: Actor) -> dict[str, str]:
    """Make one of everything in a workspace and return the ids."""
    company = await companies.create(actor, CompanyDetails(name="Acme", domain="acme.com"), now=NOW)
    contact = await contacts.create(actor, ContactDetails(name="Ann", email="ann@acme.com"), now=NOW)
    captured = Capture(details=LeadDetails(title="Roof"), contact=NewContact(name="Bob", email="bob@acme.com"))
    lead = await captures.capture(actor, captured, now=NOW)
    need = await needs.create(actor, lead.id, NeedDetails(title="Light"), now=NOW)
    comment = await comments.add(actor, SubjectKey(Lead, lead.id), text="Steep", now=NOW)
    notification = await Notification.create(
        workspace_id=actor.workspace_id, user_id=actor.user_id, kind="COMMENT", event_id=uuid7(), created_at=NOW
    )
    feed = await CalendarFeed.create(
        workspace_id=actor.workspace_id, user_id=actor.user_id, name="Phone", created_at=NOW
    )
    product = await products.create(actor, ProductDetails(name="Panel"), now=NOW)
    source = await catalog.create_source(actor, name="Fair", now=NOW)
    reason = await catalog.create_lost_reason(actor, name="Price", now=NOW)
    tag = await catalog.create_tag(actor, name="hot", now=NOW)
    kind = await catalog.create_activity_type(actor, name="Visit", now=NOW)
    done = ActivityDetails(kind=ActivityKind.CALL)
    activity = await activities.log(actor, NewActivity(details=done, lead_id=lead.id), now=NOW)
    campaign = await campaigns.create(actor, CampaignDetails(name="Fair"), now=NOW)
    rival = await competitors.create(actor, CompetitorDetails(name="Rival"), now=NOW)
    staged = await upload(actor)
    attachment = await attachments.attach(actor, SubjectKey(Lead, lead.id), (await upload(actor)).id, now=NOW)
    team = await teams.create(actor, name="North", now=NOW)
    due = FollowUpDetails(kind=FollowUpKind.CALL, title="Call", due_on=NOW.date())
    planned = await follow_ups.create(actor, SubjectKey(Lead, lead.id), due, now=NOW)
    after_sale = PlanDetails(name="After the sale", trigger=PlanTrigger.LEAD_WON)
    plan = await follow_up_plans.create(actor, after_sale, now=NOW)
    holiday = await holidays.create(actor, NewHoliday(NOW.date(), "New"), now=NOW)
    first = await stage(actor, StageKind.QUALIFY)
    wish = await MoveRequest.create(
        workspace_id=actor.workspace_id,
        lead_id=lead.id,
        from_stage_id=lead.stage_id,
        to_stage_id=first.id,
        requested_by_id=actor.user_id,
        created_at=NOW,
    )
    invitation = await Invitation.create(
        workspace_id=actor.workspace_id,
        email="x@acme.com",
        email_normalised=f"{uuid7()}@acme.com",
        role="REP",
        expires_at=NOW,
        created_at=NOW,
    )
    started = await Import.create(
        workspace_id=actor.workspace_id, kind=ImportKind.LEADS, file_name="a.csv", fingerprint="0", created_at=NOW
    )
    rules = await score_models.create(actor, ScoreModelKind.RULES, ModelDetails(name="Ours"), now=NOW)
    scoring = await score_models.publish(actor, rules.id, now=NOW)
    training = await ScoreTraining.create(workspace_id=actor.workspace_id, model_id=rules.id, created_at=NOW)
    field = await custom_field(actor, "note")
    bulk = await Bulk.create(
        workspace_id=actor.workspace_id, kind=BulkKind.DELETE, total=1, user_id=actor.user_id, created_at=NOW
    )
    pipeline = await Pipeline.get(workspace_id=actor.workspace_id)
    facts: dict[str, Any] = {"noun": ViewNoun.LEAD, "visibility": Sharing.ALL, "owner_id": actor.user_id, "name": "Hot"}
    [criterion] = await criteria.set_all(actor, [Draft(label="Budget", type=CriterionType.YES_NO)], now=NOW)
    over = await HandOver.create(
        workspace_id=actor.workspace_id, lead_id=lead.id, status="RETURNED", to_user_id=actor.user_id, created_at=NOW
    )
    made = await contract(actor, await accepted(actor, of=lead))
    offered = await proposals.create(actor, lead.id, ProposalDetails(), now=NOW)
    of_offer: dict[str, Any] = {"workspace_id": actor.workspace_id, "lead_id": lead.id, "proposal_id": offered.id}
    linked = await ProposalLink.create(created_at=NOW, **of_offer)
    question = await ProposalQuestion.create(
        version_id=offered.current_id, name="Ada", text="Why?", asked_at=NOW, **of_offer
    )
    wanted = RuleDetails(kind=ApprovalKind.VALUE_OVER, threshold=Decimal(1), roles=[Role.MANAGER])
    rule = await approval_rules.create(actor, wanted, now=NOW)
    billed = await invoice(actor, of=lead)
    _, paid = await payments.record(actor, billed.id, paying("1"), now=NOW)
    bank = await payment_providers.create(actor, name="Bank", now=NOW)
    notice = await PaymentNotice.create(
        workspace_id=actor.workspace_id,
        provider_id=bank.id,
        provider_key="pay_1",
        problem="UNKNOWN_INVOICE",
        invoice_number="INV-1",
        amount=1,
        currency="EUR",
        body={},
        created_at=NOW,
        last_at=NOW,
    )
    _, negotiation, offer = await negotiated(lead, actor)
    survey = await published(actor)
    asked = await SurveyDispatch.create(
        workspace_id=actor.workspace_id, survey_id=survey.id, lead_id=lead.id, trigger="MANUAL", created_at=NOW
    )
    view = await SavedView.create(workspace_id=actor.workspace_id, created_at=NOW, updated_at=NOW, **facts)
    device = await Device.create(
        workspace_id=actor.workspace_id,
        user_id=actor.user_id,
        platform=DevicePlatform.FCM,
        address=str(uuid7()),
        created_at=NOW,
        updated_at=NOW,
    )
    bounced = await Suppression.create(
        workspace_id=actor.workspace_id, email_normalised="gone@example.com", reason="BOUNCED", created_at=NOW
    )
    failed = await Delivery.create(
        workspace_id=actor.workspace_id,
        channel="MAIL",
        kind="invitation",
        occasion=str(uuid7()),
        status="FAILED",
        due_at=NOW,
        created_at=NOW,
    )
    rows = {
        "Delivery": failed, "Suppression": bounced,
        "Device": device,
        "Company": company, "Contact": contact, "Lead": lead, "Need": need, "Product": product, "Source": source,
        "LostReason": reason, "Tag": tag, "Team": team, "Stage": first, "MoveRequest": wish, "Pipeline": pipeline,
        "Invitation": invitation, "Import": started, "SavedView": view,
        "ActivityType": kind, "Activity": activity, "CustomField": field,
        "Comment": comment, "Notification": notification,
        "Bulk": bulk, "CalendarFeed": feed,
        "Survey": survey, "SurveyDispatch": asked,
        "Negotiation": negotiation, "Offer": offer,
        "Contract": made, "Invoice": billed, "Payment": paid, "PaymentProvider": bank, "PaymentNotice": notice,
        "Proposal": offered, "ApprovalRule": rule, "ProposalLink": linked, "ProposalQuestion": question,
        "Campaign": campaign, "Competitor": rival, "Attachment": attachment,
        "FollowUp": planned, "FollowUpPlan": plan, "Holiday": holiday,
        "QualificationCriterion": criterion, "HandOver": over,
        "ScoreModel": rules, "ScoreModelVersion": scoring, "ScoreTraining": training,
    }  # fmt: skip
    keys = {noun: gid(noun, row.id) for noun, row in rows.items()}
    assert actor.user_id
    return keys | {
        "User": gid("User", actor.user_id),
        "Workspace": gid("Workspace", actor.workspace_id),
        "ApiKey": gid("ApiKey", uuid7()),
        "File": gid("File", staged.id),
        "LeadContact": gid("LeadContact", uuid7()),
    }


def sample(type_: GraphQLType, mutation: str, name: str, ids: dict[str, str]) -> Any:
    """Return a value that an input field takes."""
    if isinstance(type_, GraphQLNonNull):
        return sample(type_.of_type, mutation, name, ids)
    if isinstance(type_, GraphQLList):
        return [sample(type_.of_type, mutation, name, ids)]
    if isinstance(type_, GraphQLEnumType):
        return "DISQUALIFIED" if "DISQUALIFIED" in type_.values else next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        required = {key: each for key, each in type_.fields.items() if is_required_input_field(each)}
        return {key: sample(each.type, mutation, key, ids) for key, each in required.items()}
    named = get_named_type(type_).name
    return ids[noun_of(mutation, name)] if named == "ID" else SAMPLES[named]


def document(mutation: str, field: GraphQLField) -> str:
    told = "userErrors { code field message }"
    payload: Any = get_named_type(field.type)
    asked = f"{told} results {{ {told} }}" if "results" in payload.fields else told
    return f"mutation($input: {field.args['input'].type}) {{ {mutation}(input: $input) {{ {asked} }} }}"


async def attempt(actor: Actor, mutation: str, name: str, value: Any, own: dict[str, str]) -> list[str]:
    """Run a mutation with one id replaced and return the codes of what it was refused for."""
    field = CORE.mutation_type.fields[mutation]  # type: ignore[union-attr]
    given = get_named_type(field.args["input"].type)
    assert isinstance(given, GraphQLInputObjectType)
    listed = isinstance(getattr(given.fields[name].type, "of_type", given.fields[name].type), GraphQLList)
    values = sample(given, mutation, "", own)
    if {"ids", "filter"} <= given.fields.keys():
        values |= {"ids": [own["Lead"]]} | ({"ownerId": own["User"]} if "ownerId" in given.fields else {})
    values |= {name: [value] if listed else value}
    told = await answer(actor, document(mutation, field), input=values)
    top = [error["extensions"]["code"] for error in told.get("errors", [])]
    payload = (told.get("data") or {}).get(mutation) or {"userErrors": []}
    faulty = [payload, *payload.get("results", ())]
    return top + [error["code"] for part in faulty for error in part["userErrors"]]


# Whatever a mutation could have changed.
TABLES = (
    *("lead", "company", "contact", "need", "product", "source", "lost_reason", "tag", "team", "stage", "pipeline"),
    *("saved_view", "move_request", "invitation", "membership", "event"),
    *("activity", "activity_type", "comment", "notification"),
    *("campaign", "campaign_member", "competitor", "attachment", "file"),
    *("delivery", "suppression", "mail_template"),
    *("negotiation", "offer", "negotiation_comment"),
    *("proposal", "proposal_version", "proposal_line", "approval_rule", "approval", "selling_settings"),
    *("contract", "invoice", "payment", "payment_provider", "payment_notice", "evidence", "number_series"),
    *("score_model", "score_model_version", "score_training"),
    *("device", "reminder_settings", "qualification_criterion", "qualification_answer", "hand_over"),
)


async def state(actor: Actor) -> list[Any]:
    """Return every row of a workspace that a mutation could have changed."""
    found = []
    for table in TABLES:
        sql = f'SELECT * FROM "{table}" WHERE workspace_id = $1 ORDER BY id'
        found += await get_connection("default").execute_query_dict(sql, [actor.workspace_id])
    return found


Workspace = tuple[Actor, dict[str, str]]


@pytest.fixture(scope="module")
async def home(opened_database: str) -> Workspace:
    """Whoever asks, and the ids of what they have; all of it is made once, since whatever they try is refused."""
    admin = await seller()
    return admin, await objects(admin)


@pytest.fixture(scope="module")
async def abroad(opened_database: str) -> Workspace:
    """Somebody of another workspace and the ids of what they have."""
    stranger = await seller()
    return stranger, await objects(stranger)


@pytest.mark.parametrize(("mutation", "field"), id_fields(), ids=lambda value: value)
async def test_an_id_of_another_workspace_is_as_good_as_none(
    home: Workspace, abroad: Workspace, mutation: str, field: str
) -> None:
    (admin, own), (stranger, foreign) = home, abroad
    noun = noun_of(mutation, field)
    assert noun in own, f"{mutation}.{field} is the id of what?"
    before = await state(stranger)
    refused = await attempt(admin, mutation, field, foreign[noun], own)
    missing = await attempt(admin, mutation, field, gid(noun, uuid7()), own)
    malformed = await attempt(admin, mutation, field, "nonsense", own)
    of_another_noun = await attempt(admin, mutation, field, own["Tag" if noun != "Tag" else "Lead"], own)
    assert refused
    assert refused == missing
    assert malformed == of_another_noun == ["BAD_USER_INPUT"]
    assert await state(stranger) == before


def queries() -> list[tuple[str, list[str]]]:
    """Return every query that takes ids, with its arguments."""
    assert CORE.query_type
    found = []
    for name, field in CORE.query_type.fields.items():
        keys = [argument for argument, each in field.args.items() if get_named_type(each.type).name == "ID"]
        if keys:
            found.append((name, keys))
    return found


@pytest.mark.parametrize(("query", "arguments"), queries(), ids=lambda value: value if isinstance(value, str) else "")
async def test_a_query_for_another_workspaces_object_finds_nothing(
    home: Workspace, abroad: Workspace, query: str, arguments: list[str]
) -> None:
    (admin, _), (_, foreign) = home, abroad
    named = {name: query[0].upper() + query[1:] if name == "id" else name[0].upper() + name[1:-2] for name in arguments}
    keys = {name: foreign.get(noun, foreign["Lead"]) for name, noun in named.items()}
    listed = query == "nodes"
    given = ", ".join(f"{name}: {dumps([key] if listed else key)}" for name, key in keys.items())
    chosen = "{ __typename }"
    told = await answer(admin, f"{{ {query}({given}) {chosen} }}")
    assert told["data"] == {query: [None] if listed else None}
    malformed = ", ".join(f"{name}: {dumps(['nonsense'] if listed else 'nonsense')}" for name in arguments)
    told = await answer(admin, f"{{ {query}({malformed}) {chosen} }}")
    assert {error["extensions"]["code"] for error in told["errors"]} == {"BAD_USER_INPUT"}
