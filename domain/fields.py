"""The fields of what people work on: what they are called and what they hold, so that no screen hard-codes it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from tortoise.models import Model

from domain import policy
from domain.actors import Actor
from domain.requirements import CUSTOM, Requirements
from models.campaigns import Campaign
from models.catalog import LostReason, Source, Tag
from models.companies import Company, Relationship
from models.competitors import Competitor
from models.contacts import Contact
from models.leads import Grade, Lead, LeadStatus, Lifecycle
from models.needs import Need
from models.pipelines import Pipeline
from models.products import Product
from models.stages import Stage
from models.users import User


class FieldOwner(StrEnum):
    """What has fields."""

    LEAD = "LEAD"
    COMPANY = "COMPANY"
    CONTACT = "CONTACT"
    PRODUCT = "PRODUCT"

    @property
    def model(self) -> type[Model]:
        return {"LEAD": Lead, "COMPANY": Company, "CONTACT": Contact, "PRODUCT": Product}[self.value]


class FieldType(StrEnum):
    """What a field holds."""

    TEXT = "TEXT"
    NUMBER = "NUMBER"
    MONEY = "MONEY"
    DATE = "DATE"
    INSTANT = "INSTANT"
    CHOICE = "CHOICE"
    MULTI_CHOICE = "MULTI_CHOICE"
    BOOLEAN = "BOOLEAN"
    REFERENCE = "REFERENCE"
    EMAIL = "EMAIL"
    PHONE = "PHONE"
    URL = "URL"
    ADDRESS = "ADDRESS"


@dataclass(frozen=True, slots=True)
class Field:
    """A field as the API names it. `columns` are where it is kept, the first of them what is shown.

    `refers` is the noun of a reference, or the one whose rows are the choices; `link` names the way to a list of
    them. `required_as` are the names that stage requirements have for it.
    """

    name: str
    label: str
    kind: FieldType
    columns: tuple[str, ...] = ()
    choices: type[Enum] | None = None
    refers: type[Model] | None = None
    link: str = ""
    required_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Option:
    """A choice: what the API takes, and what a person reads."""

    value: Any
    label: str


TEXT, NUMBER, MONEY, DATE, INSTANT = (
    FieldType.TEXT,
    FieldType.NUMBER,
    FieldType.MONEY,
    FieldType.DATE,
    FieldType.INSTANT,
)


def _text(name: str, label: str, *columns: str, required: bool = False) -> Field:
    return Field(name, label, TEXT, columns, required_as=(name,) if required else ())


def _choice(name: str, label: str, column: str, choices: type[Enum]) -> Field:
    return Field(name, label, FieldType.CHOICE, (column,), choices=choices)


def _reference(name: str, label: str, refers: type[Model], *, required: bool = False) -> Field:
    return Field(
        name, label, FieldType.REFERENCE, (f"{name}_id",), refers=refers, required_as=(name,) if required else ()
    )


FIELDS: dict[FieldOwner, tuple[Field, ...]] = {
    FieldOwner.LEAD: (
        _text("title", "Title", "title"),
        _text("description", "Description", "description", required=True),
        Field("value", "Value", MONEY, ("value", "currency"), required_as=("value",)),
        _reference("pipeline", "Pipeline", Pipeline),
        _reference("stage", "Stage", Stage),
        _choice("status", "Status", "status", LeadStatus),
        _choice("lifecycle", "Lifecycle", "lifecycle", Lifecycle),
        Field("lifecycleChosenAt", "Lifecycle chosen by hand", INSTANT, ("lifecycle_chosen_at",)),
        Field("probability", "Probability", NUMBER, ("probability",)),
        Field("score", "Score", NUMBER, ("score",)),
        _choice("grade", "Grade", "grade", Grade),
        Field("engagement", "Engagement", NUMBER, ("engagement",)),
        Field("winProbability", "Chance to win, as foretold", NUMBER, ("win_probability",)),
        _reference("owner", "Owner", User, required=True),
        _reference("company", "Company", Company, required=True),
        Field(
            "contacts",
            "Contacts",
            FieldType.REFERENCE,
            refers=Contact,
            link="contacts",
            required_as=("contacts", "primaryContact"),
        ),
        _reference("product", "Product", Product, required=True),
        _reference("source", "Source", Source, required=True),
        _reference("campaign", "Campaign", Campaign, required=True),
        Field("referrer", "Recommended by", FieldType.REFERENCE, ("referrer_id",), refers=Contact),
        Field("tags", "Tags", FieldType.MULTI_CHOICE, refers=Tag, link="tags", required_as=("tags",)),
        Field("needs", "Needs", FieldType.REFERENCE, refers=Need, link="needs", required_as=("needs",)),
        Field(
            "expectedCloseDate", "Expected close", DATE, ("expected_close_date",), required_as=("expectedCloseDate",)
        ),
        Field("termEndsOn", "Term ends", DATE, ("term_ends_on",), required_as=("termEndsOn",)),
        Field("nextFollowUpAt", "Next follow-up", INSTANT, ("next_follow_up_at",), required_as=("nextFollowUpAt",)),
        Field("engagedAt", "Engaged", INSTANT, ("engaged_at",), required_as=("engagedAt",)),
        Field("stageEnteredAt", "In stage since", INSTANT, ("stage_entered_at",)),
        Field("firstActivityAt", "First activity", INSTANT, ("first_activity_at",)),
        Field("lastActivityAt", "Last activity", INSTANT, ("last_activity_at",)),
        Field("firstResponseSeconds", "First response, in seconds", NUMBER, ("first_response_seconds",)),
        Field("touches", "Touches", NUMBER, ("touches",)),
        Field("closedAt", "Closed", INSTANT, ("closed_at",)),
        Field("lostReason", "Lost reason", FieldType.REFERENCE, ("lost_reason_id",), refers=LostReason),
        Field("lostTo", "Lost to", FieldType.REFERENCE, ("lost_to_id",), refers=Competitor),
        Field("competitors", "Competitors", FieldType.REFERENCE, refers=Competitor, link="competitors"),
        _text("closeNote", "Closing note", "close_note"),
        Field("scoredAt", "Scored", INSTANT, ("scored_at",)),
        Field("createdAt", "Captured", INSTANT, ("created_at",)),
        Field("updatedAt", "Last changed", INSTANT, ("updated_at",)),
    ),
    FieldOwner.COMPANY: (
        _text("name", "Name", "name", "name_normalised"),
        _text("domain", "Domain", "domain"),
        Field("website", "Website", FieldType.URL, ("website",)),
        Field("phone", "Phone", FieldType.PHONE, ("phone", "phone_normalised")),
        _text("industry", "Industry", "industry"),
        _text("country", "Country", "country"),
        _text("location", "Location", "location"),
        Field("employees", "Employees", NUMBER, ("employees",)),
        Field("revenue", "Yearly revenue", MONEY, ("revenue", "revenue_currency")),
        Field("foundedYear", "Founded", NUMBER, ("founded_year",)),
        _text("taxNumber", "Tax number", "tax_number"),
        Field("billingAddress", "Billing address", FieldType.ADDRESS, ("billing_address",)),
        Field("shippingAddress", "Shipping address", FieldType.ADDRESS, ("shipping_address",)),
        _choice("relationship", "Relationship", "relationship", Relationship),
        _reference("parent", "Parent company", Company),
        _reference("owner", "Owner", User),
        Field("createdAt", "Known since", INSTANT, ("created_at",)),
    ),
    FieldOwner.CONTACT: (
        _text("name", "Name", "name"),
        _text("jobTitle", "Job title", "job_title"),
        Field("email", "Email", FieldType.EMAIL, ("email", "email_normalised")),
        Field("phone", "Phone", FieldType.PHONE, ("phone", "phone_normalised")),
        _text("language", "Language", "language"),
        _choice("relationship", "Relationship", "relationship", Relationship),
        Field("company", "Company", FieldType.REFERENCE, ("company_id",), refers=Company, link="company"),
        _reference("owner", "Owner", User),
        Field("createdAt", "Known since", INSTANT, ("created_at",)),
        Field("updatedAt", "Last changed", INSTANT, ("updated_at",)),
    ),
    FieldOwner.PRODUCT: (
        _text("name", "Name", "name", "name_normalised"),
        _text("sku", "Stock number", "sku"),
        _text("family", "Family", "family"),
        _text("description", "Description", "description"),
        Field("price", "Price", MONEY, ("price", "price_currency")),
        Field("cost", "Cost", MONEY, ("cost", "price_currency")),
        Field("taxRate", "Tax rate", NUMBER, ("tax_rate",)),
        _text("unit", "Unit", "unit"),
        Field("createdAt", "Known since", INSTANT, ("created_at",)),
        Field("archivedAt", "Archived", INSTANT, ("archived_at",)),
    ),
}

LABELS: dict[Enum, str] = {Lifecycle.MQL: "Marketing qualified", Lifecycle.SQL: "Sales qualified"}


def label(value: Enum) -> str:
    """Return how a person reads a choice."""
    return LABELS.get(value) or str(value.value).replace("_", " ").capitalize()


async def options(actor: Actor, field: Field) -> list[Option]:
    """Return what there is to choose from; a reference has no options, but a noun to search in."""
    if field.choices is not None:
        return [Option(value.name, label(value)) for value in field.choices]
    if field.kind is FieldType.MULTI_CHOICE and field.refers is Tag:
        tags = await policy.visible(actor, Tag).filter(archived_at=None).order_by("name", "id")
        return [Option(tag.id, tag.name) for tag in tags]
    return []


async def required_at(actor: Actor) -> dict[str, list[Stage]]:
    """Return for each field of a lead, as the API names it, the stages in use that ask for it; custom ones by id."""
    stages = policy.visible(actor, Stage).filter(archived_at=None, pipeline__archived_at=None)
    rows = await stages.order_by("pipeline__position", "pipeline_id", "position", "id")
    found: dict[str, list[Stage]] = defaultdict(list)
    for stage in rows:
        wanted = set(_asked(Requirements.of(stage)))
        for field in FIELDS[FieldOwner.LEAD]:
            if wanted.intersection(field.required_as):
                found[field.name].append(stage)
        for name in wanted:
            if name.startswith(CUSTOM):
                found[name].append(stage)
    return found


def _asked(requirements: Requirements) -> Sequence[str]:
    return (*requirements.fields, *(["needs"] if requirements.min_needs else []))
