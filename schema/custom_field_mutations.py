"""What can be done with custom fields, in the schema: translate in, translate out."""

from typing import Annotated, ClassVar

import strawberry

from domain import custom_fields
from domain.custom_fields import CustomFieldDetails, Merge, Option
from domain.unset import UNSET
from models.custom_fields import CustomFieldOwner, CustomFieldType
from schema import ids
from schema.context import Info
from schema.custom_fields import CustomField
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, optional, shown
from schema.inputs import about, expected_version, own_id, unless_null


@strawberry.input(description="One of the choices of a custom field.")
class CustomFieldOptionInput:
    key: str = strawberry.field(
        description="At most 40 lower-case letters, digits and _; it stays when the label changes."
    )
    label: str = strawberry.field(description="What a person reads, at most 200 characters.")
    archived: bool = strawberry.field(default=False, description="Whether it is offered no more.")


@strawberry.input(description="An option that goes, and the one that stands in its values from then on.")
class MergeOptionInput:
    option: str = strawberry.field(description="The key of the option that goes.")
    into: str = strawberry.field(description="The key of the option that takes its place.")


@strawberry.input(description="What people say of a custom field.")
class CustomFieldFields(MutationInput):
    description: str | None = optional("More about it, at most 2,000 characters.")
    position: int | None = optional("Its place among the fields of its owner, from 0; last if left out.")


@strawberry.input(description="A custom field to add.")
class CreateCustomFieldInput(CustomFieldFields):
    id: strawberry.ID | None = own_id()
    owner: CustomFieldOwner = strawberry.field(description="What gets it.")
    key: str = strawberry.field(
        description="What values name it by: at most 40 lower-case letters, digits and _, beginning with a letter."
    )
    label: str = strawberry.field(description="What a person calls it, at most 200 characters.")
    type: CustomFieldType = strawberry.field(description="What it holds.")
    options: list[CustomFieldOptionInput] = strawberry.field(
        default_factory=list, description="What there is to choose from, at most 200; for choices only."
    )
    is_indexed: bool = strawberry.field(
        default=False, description="Whether an index is to make filters fast and orders possible."
    )


@strawberry.input(description="A change of a custom field; what is left out stays as it is.")
class UpdateCustomFieldInput(CustomFieldFields):
    id: strawberry.ID = strawberry.field(description="The field.")
    key: str | None = optional("What values name it by; null changes nothing.")
    label: str | None = optional("What a person calls it, at most 200 characters.")
    type: CustomFieldType | None = optional("What it holds: all its values must fit. Null changes nothing.")
    options: list[CustomFieldOptionInput] | None = optional(
        "All its options, in their order; one that stands in values is kept, archived, or merged. Null changes nothing."
    )
    merge_options: list[MergeOptionInput] = strawberry.field(
        default_factory=list, description="Options that go with this edit, and what their values become."
    )
    is_indexed: bool | None = optional("Whether an index is wanted; null changes nothing.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A custom field to hide, with its values.")
class ArchiveCustomFieldInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The field.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived custom field to show again, with its values.")
class RestoreCustomFieldInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The field.")
    key: str | None = optional(
        "What values name it by from then on, where another field has its key by now; null keeps it."
    )


@strawberry.input(description="An archived custom field to delete for good.")
class DeleteCustomFieldInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The field; archive it first.")
    expected_version: int | None = expected_version()


@strawberry.type(description="A custom field after a mutation.")
class CustomFieldPayload(Payload):
    stale_field: ClassVar[str] = "custom_field"
    custom_field: CustomField | None = strawberry.field(
        default=None, description="The field; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A deleted custom field.")
class DeleteCustomFieldPayload(CustomFieldPayload):
    deleted_custom_field_id: strawberry.ID | None = strawberry.field(
        default=None, description="The id of what is gone."
    )


def _options(given: list[CustomFieldOptionInput]) -> list[Option]:
    return [Option(one.key, one.label, one.archived) for one in given]


@strawberry.type
class CustomFieldMutations:
    @strawberry.mutation(description="Add a custom field to leads, companies or contacts.")
    @reports_user_errors
    async def create_custom_field(
        self, info: Info, input: Annotated[CreateCustomFieldInput, about("The field.")]
    ) -> CustomFieldPayload:
        details = CustomFieldDetails(
            key=input.key,
            label=input.label,
            description=given(input.description),
            type=input.type,
            options=_options(input.options),
            position=unless_null(input.position),
            is_indexed=input.is_indexed,
        )
        row = await custom_fields.create(
            info.context.actor,
            input.owner,
            details,
            id=ids.decode_new(input.id, "CustomField"),
            now=info.context.now,
        )
        return CustomFieldPayload(custom_field=shown(row))

    @strawberry.mutation(description="Change a custom field; its values stay, or follow a merged option or a new type.")
    @reports_user_errors
    async def update_custom_field(
        self, info: Info, input: Annotated[UpdateCustomFieldInput, about("The change.")]
    ) -> CustomFieldPayload:
        options = unless_null(input.options)
        details = CustomFieldDetails(
            key=unless_null(input.key),
            label=given(input.label),
            description=given(input.description),
            type=unless_null(input.type),
            options=UNSET if options is UNSET else _options(options),
            merges=[Merge(one.option, one.into) for one in input.merge_options],
            position=unless_null(input.position),
            is_indexed=unless_null(input.is_indexed),
        )
        row = await custom_fields.update(
            info.context.actor,
            ids.decode(input.id, "CustomField"),
            details,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return CustomFieldPayload(custom_field=shown(row))

    @strawberry.mutation(description="Hide a custom field and its values; it can be restored.")
    @reports_user_errors
    async def archive_custom_field(
        self, info: Info, input: Annotated[ArchiveCustomFieldInput, about("The field.")]
    ) -> CustomFieldPayload:
        row = await custom_fields.archive(
            info.context.actor,
            ids.decode(input.id, "CustomField"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return CustomFieldPayload(custom_field=shown(row))

    @strawberry.mutation(description="Show an archived custom field and its values again.")
    @reports_user_errors
    async def restore_custom_field(
        self, info: Info, input: Annotated[RestoreCustomFieldInput, about("The field.")]
    ) -> CustomFieldPayload:
        row = await custom_fields.restore(
            info.context.actor,
            ids.decode(input.id, "CustomField"),
            key=unless_null(input.key),
            now=info.context.now,
        )
        return CustomFieldPayload(custom_field=shown(row))

    @strawberry.mutation(description="Delete an archived custom field for good, with its values.")
    @reports_user_errors
    async def delete_custom_field(
        self, info: Info, input: Annotated[DeleteCustomFieldInput, about("The field.")]
    ) -> DeleteCustomFieldPayload:
        row = await custom_fields.delete(
            info.context.actor,
            ids.decode(input.id, "CustomField"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteCustomFieldPayload(deleted_custom_field_id=ids.encode("CustomField", row.id))
