"""What can be done with contacts, in the schema: translate in, translate out."""

from typing import Annotated, ClassVar

import strawberry

from domain import contacts
from domain.contacts import ContactDetails
from schema import ids
from schema.contacts import Contact
from schema.context import Info
from schema.custom_fields import CustomValueInput, values_of
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.external_refs import ExternalRefInput, refs
from schema.fields import given, given_id, optional, shown
from schema.inputs import about, expected_version, own_id
from schema.scalars import Email, LanguageTag, PhoneNumber


@strawberry.input(description="What people say of a contact.")
class ContactFields(MutationInput):
    job_title: str | None = optional("What they do, at most 200 characters.")
    email: Email | None = optional("The email address; no two contacts share one.")
    phone: PhoneNumber | None = optional("The phone number; without + it is of their company's country.")
    language: LanguageTag | None = optional("The language in which to write to them.")
    company_id: strawberry.ID | None = optional("The company that they belong to.")
    owner_id: strawberry.ID | None = optional("Who looks after them.")
    custom: list[CustomValueInput] | None = optional("Values of custom fields; those left out stay as they are.")
    external_refs: list[ExternalRefInput] = strawberry.field(
        default_factory=list, description="What other systems call them, besides what is known; at most 50."
    )


@strawberry.input(description="A contact to create.")
class CreateContactInput(ContactFields):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="The name, at most 200 characters.")


@strawberry.input(description="A change of a contact; what is left out stays as it is, null clears.")
class UpdateContactInput(ContactFields):
    id: strawberry.ID = strawberry.field(description="The contact.")
    name: str | None = optional("The name, at most 200 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A contact to delete.")
class DeleteContactInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The contact.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A deleted contact to bring back.")
class RestoreContactInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The contact.")


@strawberry.type(description="A contact after a mutation.")
class ContactPayload(Payload):
    stale_field: ClassVar[str] = "contact"
    contact: Contact | None = strawberry.field(
        default=None, description="The contact; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A deleted contact.")
class DeleteContactPayload(ContactPayload):
    deleted_contact_id: strawberry.ID | None = strawberry.field(default=None, description="The id of who is gone.")


def _details(input: CreateContactInput | UpdateContactInput) -> ContactDetails:
    return ContactDetails(
        name=given(input.name),
        job_title=given(input.job_title),
        email=given(input.email),
        phone=given(input.phone),
        language=given(input.language),
        company_id=given_id(input.company_id, "Company", field="companyId"),
        owner_id=given_id(input.owner_id, "User", field="ownerId"),
        custom=values_of(input.custom),
    )


@strawberry.type
class ContactMutations:
    @strawberry.mutation(description="Create a contact.")
    @reports_user_errors
    async def create_contact(
        self, info: Info, input: Annotated[CreateContactInput, about("The contact.")]
    ) -> ContactPayload:
        row = await contacts.create(
            info.context.actor,
            _details(input),
            id=ids.decode_new(input.id, "Contact"),
            external_refs=refs(input.external_refs),
            now=info.context.now,
        )
        return ContactPayload(contact=shown(row))

    @strawberry.mutation(description="Change a contact.")
    @reports_user_errors
    async def update_contact(
        self, info: Info, input: Annotated[UpdateContactInput, about("The change.")]
    ) -> ContactPayload:
        row = await contacts.update(
            info.context.actor,
            ids.decode(input.id, "Contact"),
            _details(input),
            expected_version=input.expected_version,
            external_refs=refs(input.external_refs),
            now=info.context.now,
        )
        return ContactPayload(contact=shown(row))

    @strawberry.mutation(description="Delete a contact; their leads stay, and they can be restored.")
    @reports_user_errors
    async def delete_contact(
        self, info: Info, input: Annotated[DeleteContactInput, about("The contact.")]
    ) -> DeleteContactPayload:
        row = await contacts.delete(
            info.context.actor,
            ids.decode(input.id, "Contact"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteContactPayload(deleted_contact_id=ids.encode("Contact", row.id))

    @strawberry.mutation(description="Bring a deleted contact back.")
    @reports_user_errors
    async def restore_contact(
        self, info: Info, input: Annotated[RestoreContactInput, about("The contact.")]
    ) -> ContactPayload:
        row = await contacts.restore(info.context.actor, ids.decode(input.id, "Contact"), now=info.context.now)
        return ContactPayload(contact=shown(row))
