"""What can be done with attachments, in the schema: translate in, translate out."""

from typing import Annotated, ClassVar

import strawberry

from domain import attachments
from schema import ids
from schema.attachments import Attachment
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import shown
from schema.inputs import about, expected_version, own_id
from schema.subjects import subject


@strawberry.input(description="A file to attach.")
class AttachFileInput(MutationInput):
    id: strawberry.ID | None = own_id()
    subject_id: strawberry.ID = strawberry.field(description="The lead, company or contact.")
    upload_id: strawberry.ID = strawberry.field(
        description="The `fileId` of an upload of one's own for ATTACHMENT, whose bytes have come."
    )
    name: str | None = strawberry.field(
        default=None, description="What it is called, at most 255 characters; as the upload, if left out."
    )


@strawberry.input(description="A change of an attachment.")
class UpdateAttachmentInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The attachment.")
    name: str = strawberry.field(description="What it is called from now on, at most 255 characters.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An attachment to delete.")
class DeleteAttachmentInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The attachment.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A deleted attachment to bring back.")
class RestoreAttachmentInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The attachment.")


@strawberry.type(description="An attachment after a mutation.")
class AttachmentPayload(Payload):
    stale_field: ClassVar[str] = "attachment"
    attachment: Attachment | None = strawberry.field(
        default=None, description="The attachment; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A deleted attachment.")
class DeleteAttachmentPayload(AttachmentPayload):
    deleted_attachment_id: strawberry.ID | None = strawberry.field(default=None, description="The id of what is gone.")


@strawberry.type
class AttachmentMutations:
    @strawberry.mutation(description="Attach an uploaded file to a lead, a company or a contact.")
    @reports_user_errors
    async def attach_file(self, info: Info, input: Annotated[AttachFileInput, about("The file.")]) -> AttachmentPayload:
        row = await attachments.attach(
            info.context.actor,
            subject(input.subject_id),
            ids.decode(input.upload_id, "File", field="uploadId"),
            name=input.name,
            id=ids.decode_new(input.id, "Attachment"),
            now=info.context.now,
        )
        return AttachmentPayload(attachment=shown(row))

    @strawberry.mutation(description="Rename an attachment, also for whoever saves it.")
    @reports_user_errors
    async def update_attachment(
        self, info: Info, input: Annotated[UpdateAttachmentInput, about("The change.")]
    ) -> AttachmentPayload:
        row = await attachments.rename(
            info.context.actor,
            ids.decode(input.id, "Attachment"),
            input.name,
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return AttachmentPayload(attachment=shown(row))

    @strawberry.mutation(description="Delete an attachment; it can be restored for 30 days.")
    @reports_user_errors
    async def delete_attachment(
        self, info: Info, input: Annotated[DeleteAttachmentInput, about("The attachment.")]
    ) -> DeleteAttachmentPayload:
        row = await attachments.delete(
            info.context.actor,
            ids.decode(input.id, "Attachment"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return DeleteAttachmentPayload(deleted_attachment_id=ids.encode("Attachment", row.id))

    @strawberry.mutation(description="Bring a deleted attachment back, until its bytes are deleted.")
    @reports_user_errors
    async def restore_attachment(
        self, info: Info, input: Annotated[RestoreAttachmentInput, about("The attachment.")]
    ) -> AttachmentPayload:
        row = await attachments.restore(info.context.actor, ids.decode(input.id, "Attachment"), now=info.context.now)
        return AttachmentPayload(attachment=shown(row))
