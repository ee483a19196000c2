"""Contacts in the schema."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from domain import inputs
from domain.policy import Action
from engine.pages import Order
from models.activities import Activity as ActivityRow
from models.campaigns import CampaignMember as CampaignMemberRow
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
from schema.fields import by_id, column, noun, relation
from schema.filters import (
    DateTimeFilter,
    EnumFilter,
    IDFilter,
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
from schema.scalars import Email, LanguageTag, PhoneNumber
from schema.surveys import dispatches_by

if TYPE_CHECKING:
    from schema.activities import Activity
    from schema.attachments import Attachment
    from schema.campaigns import CampaignMember
    from schema.comments import Comment
    from schema.companies import Company, CompanyFilter
    from schema.follow_ups import FollowUp
    from schema.leads import Lead, LeadFilter
    from schema.surveys import SurveyDispatch
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)
LATEST = (Order("occurred_at", descending=True),)


@noun(ContactRow, description="A person whom we sell to.")
class Contact(Node):
    viewer_can: ObjectPermissions = viewer_can(update=Action.UPDATE_CONTACT, delete=Action.DELETE_CONTACT)
    name: str = column("The name.")
    job_title: str | None = column("What they do.")
    email: Email | None = column("The email address, as given.")
    phone: PhoneNumber | None = column("The phone number, as given.")
    language: LanguageTag | None = column("The language in which to write to them.")
    relationship: Relationship = column("What they are to us; follows from their leads.")
    version: int = column("Rises with every edit by a person.")
    created_at: datetime = column("When they were first known.")
    updated_at: datetime = column("When a person last changed it.")
    company: Annotated["Company", strawberry.lazy("schema.companies")] | None = relation(
        CompanyRow, "The company that they belong to.", by="company_id"
    )
    owner: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Who looks after them.", by="owner_id"
    )
    leads: Connection[Annotated["Lead", strawberry.lazy("schema.leads")]] = connection(
        "Lead",
        "schema.leads",
        model=LeadRow,
        through=("lead_contact", "contact_id", "lead_id"),
        default=NEWEST,
        description="The leads that they are on.",
    )
    campaign_members: Connection[Annotated["CampaignMember", strawberry.lazy("schema.campaigns")]] = connection(
        "CampaignMember",
        "schema.campaigns",
        model=CampaignMemberRow,
        by="contact_id",
        default=NEWEST,
        description="The campaigns that they were meant to take part in, the last first.",
    )
    activities: Connection[Annotated["Activity", strawberry.lazy("schema.activities")]] = connection(
        "Activity",
        "schema.activities",
        model=ActivityRow,
        by="contact_id",
        default=LATEST,
        description="What was done with them, the latest first.",
    )
    custom: list[CustomValue] = custom_values_of(CustomFieldOwner.CONTACT)
    survey_dispatches: Connection[Annotated["SurveyDispatch", strawberry.lazy("schema.surveys")]] = dispatches_by(
        "contact_id", "The surveys for them, the newest first."
    )
    comments: Connection[Annotated["Comment", strawberry.lazy("schema.comments")]] = comments_by(
        "contact_id", "What people say about them, the newest first."
    )
    attachments: Connection[Annotated["Attachment", strawberry.lazy("schema.attachments")]] = attachments("contact_id")
    follow_ups: Connection[Annotated["FollowUp", strawberry.lazy("schema.follow_ups")]] = follow_ups_by(
        "contact_id", "What is and was to be done for it, the first due first."
    )
    external_refs: list[ExternalRef] = external_refs_of("contact")


@strawberry.input(description="Which contacts.")
class ContactFilter:
    id: IDFilter | None = on("By id.", "id", noun="Contact")
    name: StringFilter | None = on("By name.", "name")
    email: StringFilter | None = on("By email address, in any case.", "email_normalised", as_kept=inputs.kept_email)
    phone: StringFilter | None = on(
        "By phone number with its country's code, however it is written.", "phone_normalised", as_kept=inputs.kept_phone
    )
    job_title: StringFilter | None = on("By what they do.", "job_title")
    relationship: EnumFilter[Relationship] | None = on("By relationship.", "relationship")
    owner: IDFilter | None = on("By owner.", "owner_id", noun="User")
    created_at: DateTimeFilter | None = on("By when they were first known.", "created_at")
    company: Annotated["CompanyFilter", strawberry.lazy("schema.companies")] | None = through(
        "By their company.", "company"
    )
    leads: ListFilter[Annotated["LeadFilter", strawberry.lazy("schema.leads")]] | None = through(
        "By the leads that they are on.", "leads"
    )
    custom: list[CustomValueFilter] | None = by_custom_fields("By custom fields: all of these tests pass.")
    and_: "list[ContactFilter] | None" = junction("and", "All of these pass.")
    or_: "list[ContactFilter] | None" = junction("or", "Any of these passes.")
    not_: "ContactFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What contacts can be ordered by.")
class ContactOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When they were first known.")
    NAME = strawberry.enum_value("name", description="The name.")
    COMPANY_NAME = strawberry.enum_value(
        "company.name_normalised", description="Their company's name; slow where there are very many contacts."
    )


@strawberry.input(description="An order of contacts.")
class ContactOrder:
    field: ContactOrderField | None = by_what()
    custom: str | None = by_custom_field()
    direction: Direction = direction()


@strawberry.type
class ContactQueries:
    contacts: Connection[Contact] = connection(
        "Contact", "schema.contacts", model=ContactRow, default=NEWEST, description="The contacts."
    )

    contact: Contact | None = by_id(ContactRow, "Contact", "A contact.")
