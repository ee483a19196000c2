"""Companies in the schema."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from domain.policy import Action
from engine.pages import Order
from models.activities import Activity as ActivityRow
from models.companies import Company as CompanyRow
from models.companies import Relationship
from models.contacts import Contact as ContactRow
from models.custom_fields import CustomFieldOwner
from models.leads import Lead as LeadRow
from models.users import User as UserRow
from schema.attachments import attachments
from schema.comments import comments_by
from schema.connections import Connection, connection
from schema.custom_fields import CustomValue, CustomValueFilter, custom_values_of
from schema.external_refs import ExternalRef, external_refs_of
from schema.fields import by_id, column, computed, group, noun, relation
from schema.filters import (
    DateTimeFilter,
    DecimalFilter,
    EnumFilter,
    IDFilter,
    IntFilter,
    ListFilter,
    StringFilter,
    by_custom_fields,
    junction,
    on,
    through,
)
from schema.follow_ups import follow_ups_by
from schema.nodes import Node
from schema.orders import Direction, by_custom_field, by_what, direction
from schema.permissions import ObjectPermissions, viewer_can
from schema.scalars import URL, CountryCode, Money, PhoneNumber

if TYPE_CHECKING:
    from schema.activities import Activity
    from schema.attachments import Attachment
    from schema.comments import Comment
    from schema.contacts import Contact, ContactFilter
    from schema.follow_ups import FollowUp
    from schema.leads import Lead, LeadFilter
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
LATEST = (Order("occurred_at", descending=True),)


@strawberry.type(description="A postal address.")
class Address:
    street: str | None = strawberry.field(description="Street and number.")
    city: str | None = strawberry.field(description="The city.")
    region: str | None = strawberry.field(description="State, province or region.")
    postal_code: str | None = strawberry.field(description="The postal code.")
    country: CountryCode | None = strawberry.field(description="The country.")


def address(parts: dict[str, Any] | None) -> Address | None:
    """Return an address from its JSON."""
    if parts is None:
        return None
    country = parts.get("country")
    return Address(
        street=parts.get("street"),
        city=parts.get("city"),
        region=parts.get("region"),
        postal_code=parts.get("postalCode"),
        country=CountryCode(country) if country else None,
    )


@noun(CompanyRow, description="A company that buys, or may.")
class Company(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.UPDATE_COMPANY, delete=Action.DELETE_COMPANY)
    name: str = column("What it is called.")
    domain: str | None = column("Its domain, by which captured leads find it.")
    website: URL | None = column("Its web address.")
    phone: PhoneNumber | None = column("Its phone number, as given.")
    industry: str | None = column("Its industry or sector.")
    country: CountryCode | None = column("Where it sits.")
    location: str | None = column("Where it sits, in words.")
    employees: int | None = column("How many work there.")
    revenue: Money | None = group(Money, "What it takes in a year.", amount="revenue", currency_code="revenue_currency")
    founded_year: int | None = column("The year in which it was founded.")
    tax_number: str | None = column("Its tax number.")
    billing_address: Address | None = computed(address, "Where invoices go.", needs=("billing_address",))
    shipping_address: Address | None = computed(address, "Where goods go.", needs=("shipping_address",))
    relationship: Relationship = column("What it is to us; follows from its leads.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When it was first known.")
    parent: "Company | None" = relation(CompanyRow, "The company that it belongs to.", by="parent_id")
    owner: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who looks after it.", by="owner_id"
    )
    leads: Connection[Annotated["Lead", strawberry.lazy("schema.leads")]] = connection(
        "Lead", "schema.leads", model=LeadRow, by="company_id", default=NEWEST, description="Its leads."
    )
    contacts: Connection[Annotated["Contact", strawberry.lazy("schema.contacts")]] = connection(
        "Contact", "schema.contacts", model=ContactRow, by="company_id", default=NEWEST, description="Its people."
    )
    subsidiaries: "Connection[Company]" = connection(
        "Company",
        "schema.companies",
        model=CompanyRow,
        by="parent_id",
        default=NEWEST,
        description="The companies that belong to it.",
    )
    activities: Connection[Annotated["Activity", strawberry.lazy("schema.activities")]] = connection(
        "Activity",
        "schema.activities",
        model=ActivityRow,
        by="company_id",
        default=LATEST,
        description="What was done with it, the latest first.",
    )
    custom: list[CustomValue] = custom_values_of(CustomFieldOwner.COMPANY)
    comments: Connection[Annotated["Comment", strawberry.lazy("schema.comments")]] = comments_by(
        "company_id", "What people say about it, the newest first."
    )
    attachments: Connection[Annotated["Attachment", strawberry.lazy("schema.attachments")]] = attachments("company_id")
    follow_ups: Connection[Annotated["FollowUp", strawberry.lazy("schema.follow_ups")]] = follow_ups_by(
        "company_id", "What is and was to be done for it, the first due first."
    )
    external_refs: list[ExternalRef] = external_refs_of("company")


@strawberry.input(description="Which companies.")
class CompanyFilter:
    id: IDFilter | None = on("By id.", "id", noun="Company")
    name: StringFilter | None = on("By name.", "name")
    domain: StringFilter | None = on("By domain, in lower case.", "domain")
    industry: StringFilter | None = on("By industry.", "industry")
    country: StringFilter | None = on("By country code.", "country")
    location: StringFilter | None = on("By where it sits, in words.", "location")
    employees: IntFilter | None = on("By how many work there.", "employees")
    revenue: DecimalFilter | None = on("By the amount it takes in a year, whatever its currency.", "revenue")
    founded_year: IntFilter | None = on("By the year in which it was founded.", "founded_year")
    relationship: EnumFilter[Relationship] | None = on("By relationship.", "relationship")
    owner: IDFilter | None = on("By owner.", "owner_id", noun="User")
    parent: IDFilter | None = on("By the company that it belongs to.", "parent_id", noun="Company")
    created_at: DateTimeFilter | None = on("By when it was first known.", "created_at")
    leads: ListFilter[Annotated["LeadFilter", strawberry.lazy("schema.leads")]] | None = through(
        "By its leads.", "leads"
    )
    contacts: ListFilter[Annotated["ContactFilter", strawberry.lazy("schema.contacts")]] | None = through(
        "By its people.", "contacts"
    )
    custom: list[CustomValueFilter] | None = by_custom_fields("By custom fields: all of these tests pass.")
    and_: "list[CompanyFilter] | None" = junction("and", "All of these pass.")
    or_: "list[CompanyFilter] | None" = junction("or", "Any of these passes.")
    not_: "CompanyFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What companies can be ordered by.")
class CompanyOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was first known.")
    NAME = strawberry.enum_value("name_normalised", description="Its name.")


@strawberry.input(description="An order of companies.")
class CompanyOrder:
    field: CompanyOrderField | None = by_what()
    custom: str | None = by_custom_field()
    direction: Direction = direction()


@strawberry.type
class CompanyQueries:
    companies: Connection[Company] = connection(
        "Company", "schema.companies", model=CompanyRow, default=NEWEST, description="The companies."
    )

    company: Company | None = by_id(CompanyRow, "Company", "A company.")
