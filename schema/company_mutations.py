"""What can be done with companies, in the schema: translate in, translate out."""

from typing import Annotated, ClassVar

import strawberry

from domain import companies
from domain.companies import CompanyDetails
from schema import ids
from schema.companies import Company
from schema.context import Info
from schema.custom_fields import CustomValueInput, values_of
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.external_refs import ExternalRefInput, refs
from schema.fields import given, given_id, optional, shown
from schema.inputs import AddressInput, about, address_of, expected_version, money_of, own_id
from schema.scalars import URL, CountryCode, MoneyInput, PhoneNumber


@strawberry.input(description="What people say of a company.")
class CompanyFields(MutationInput):
    domain: str | None = optional("Its domain, such as example.com; no mail provider's.")
    website: URL | None = optional("Its web address.")
    phone: PhoneNumber | None = optional("Its phone number; without + it is of the company's country.")
    industry: str | None = optional("Its industry or sector, at most 200 characters.")
    country: CountryCode | None = optional("Where it sits.")
    location: str | None = optional("Where it sits, in words; at most 200 characters.")
    employees: int | None = optional("How many work there.")
    revenue: MoneyInput | None = optional("What it takes in a year.")
    founded_year: int | None = optional("The year in which it was founded.")
    tax_number: str | None = optional("Its tax number, at most 50 characters.")
    billing_address: AddressInput | None = optional("Where invoices go.")
    shipping_address: AddressInput | None = optional("Where goods go.")
    parent_id: strawberry.ID | None = optional("The company that it belongs to.")
    owner_id: strawberry.ID | None = optional("Who looks after it.")
    custom: list[CustomValueInput] | None = optional("Values of custom fields; those left out stay as they are.")
    external_refs: list[ExternalRefInput] = strawberry.field(
        default_factory=list, description="What other systems call it, besides what is known; at most 50."
    )


@strawberry.input(description="A company to create.")
class CreateCompanyInput(CompanyFields):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, at most 200 characters.")


@strawberry.input(description="A change of a company; what is left out stays as it is, null clears.")
class UpdateCompanyInput(CompanyFields):
    id: strawberry.ID = strawberry.field(description="The company.")
    name: str | None = optional("What it is called, at most 200 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A company to delete.")
class DeleteCompanyInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The company.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A deleted company to bring back.")
class RestoreCompanyInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The company.")


@strawberry.type(description="A company after a mutation.")
class CompanyPayload(Payload):
    stale_field: ClassVar[str] = "company"
    company: Company | None = strawberry.field(
        default=None, description="The company; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A deleted company.")
class DeleteCompanyPayload(CompanyPayload):
    deleted_company_id: strawberry.ID | None = strawberry.field(default=None, description="The id of what is gone.")


def _details(input: CreateCompanyInput | UpdateCompanyInput) -> CompanyDetails:
    return CompanyDetails(
        name=given(input.name),
        domain=given(input.domain),
        website=given(input.website),
        phone=given(input.phone),
        industry=given(input.industry),
        country=given(input.country),
        location=given(input.location),
        employees=given(input.employees),
        revenue=money_of(input.revenue),
        founded_year=given(input.founded_year),
        tax_number=given(input.tax_number),
        billing_address=address_of(input.billing_address),
        shipping_address=address_of(input.shipping_address),
        parent_id=given_id(input.parent_id, "Company", field="parentId"),
        owner_id=given_id(input.owner_id, "User", field="ownerId"),
        custom=values_of(input.custom),
    )


@strawberry.type
class CompanyMutations:
    @strawberry.mutation(description="Create a company.")
    @reports_user_errors
    async def create_company(
        self, info: Info, input: Annotated[CreateCompanyInput, about("The company.")]
    ) -> CompanyPayload:
        row = await companies.create(
            info.context.actor,
            _details(input),
            id=ids.decode_new(input.id, "Company"),
            external_refs=refs(input.external_refs),
            now=info.context.now,
        )
        return CompanyPayload(company=shown(row))

    @strawberry.mutation(description="Change a company.")
    @reports_user_errors
    async def update_company(
        self, info: Info, input: Annotated[UpdateCompanyInput, about("The change.")]
    ) -> CompanyPayload:
        row = await companies.update(
            info.context.actor,
            ids.decode(input.id, "Company"),
            _details(input),
            expected_version=input.expected_version,
            external_refs=refs(input.external_refs),
            now=info.context.now,
        )
        return CompanyPayload(company=shown(row))

    @strawberry.mutation(description="Delete a company; its leads and contacts stay, and it can be restored.")
    @reports_user_errors
    async def delete_company(
        self, info: Info, input: Annotated[DeleteCompanyInput, about("The company.")]
    ) -> DeleteCompanyPayload:
        row = await companies.delete(
            info.context.actor,
            ids.decode(input.id, "Company"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteCompanyPayload(deleted_company_id=ids.encode("Company", row.id))

    @strawberry.mutation(description="Bring a deleted company back.")
    @reports_user_errors
    async def restore_company(
        self, info: Info, input: Annotated[RestoreCompanyInput, about("The company.")]
    ) -> CompanyPayload:
        row = await companies.restore(info.context.actor, ids.decode(input.id, "Company"), now=info.context.now)
        return CompanyPayload(company=shown(row))
