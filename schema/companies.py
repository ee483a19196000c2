"""Companies in the schema."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from engine.pages import Order
from models.companies import Company as CompanyRow
from models.companies import Relationship
from models.leads import Lead as LeadRow
from models.users import User as UserRow
from schema import ids
from schema.connections import Connection, connection
from schema.context import Info
from schema.fields import column, computed, noun, relation, shown
from schema.filters import (
    EnumFilter,
    IDFilter,
    ListFilter,
    StringFilter,
    junction,
    on,
    through,
)
from schema.nodes import Node
from schema.orders import Direction, direction
from schema.scalars import JSON, URL, CountryCode, Money, PhoneNumber, money

if TYPE_CHECKING:
    from schema.leads import Lead, LeadFilter
    from schema.users import User

NEWEST = (Order("created_at", descending=True),)


@noun(CompanyRow, description="A company that buys, or may.")
class Company(Node):
    name: str = column("What it is called.")
    domain: str | None = column("Its domain, by which captured leads find it.")
    website: URL | None = column("Its web address.")
    phone: PhoneNumber | None = column("Its phone number, as given.")
    industry: str | None = column("Its industry or sector.")
    country: CountryCode | None = column("Where it sits.")
    location: str | None = column("Where it sits, in words.")
    employees: int | None = column("How many work there.")
    revenue: Money | None = computed(money, "What it takes in a year.", needs=("revenue", "revenue_currency"))
    founded_year: int | None = column("The year in which it was founded.")
    tax_number: str | None = column("Its tax number.")
    billing_address: JSON | None = column("Where invoices go: street, city, region, postalCode, country.")
    shipping_address: JSON | None = column("Where goods go: street, city, region, postalCode, country.")
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


@strawberry.input(description="Which companies.")
class CompanyFilter:
    name: StringFilter | None = on("By name.", "name")
    relationship: EnumFilter[Relationship] | None = on("By relationship.", "relationship")
    owner: IDFilter | None = on("By owner.", "owner_id", noun="User")
    leads: ListFilter[Annotated["LeadFilter", strawberry.lazy("schema.leads")]] | None = through(
        "By their leads.", "leads"
    )
    and_: list["CompanyFilter"] | None = junction("and", "All of these pass.")
    or_: list["CompanyFilter"] | None = junction("or", "Any of these passes.")
    not_: "CompanyFilter | None" = junction("not", "This does not pass.")


@strawberry.enum(description="What companies can be ordered by.")
class CompanyOrderField(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="When it was first known.")
    NAME = strawberry.enum_value("name_normalised", description="Its name.")


@strawberry.input(description="An order of companies.")
class CompanyOrder:
    field: CompanyOrderField = strawberry.field(description="By what.")
    direction: Direction = direction()


@strawberry.type
class CompanyQueries:
    companies: Connection[Company] = connection(
        "Company", "schema.companies", model=CompanyRow, default=NEWEST, description="The companies."
    )

    @strawberry.field(description="A company.")
    async def company(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id.")]
    ) -> Company | None:
        return shown(await info.context.row(CompanyRow, ids.decode(id, "Company")))
