"""Uploads in the schema."""

from datetime import datetime
from typing import Any

import strawberry

from domain import files
from models.files import UploadPurpose
from schema import ids
from schema.context import Info
from schema.errors import Given, MutationInput, Payload, reports_user_errors


@strawberry.type(description="Where the bytes of an announced file are to be sent.")
class Upload:
    url: str = strawberry.field(description="The address to PUT the bytes to; whoever has it may.")
    file_id: strawberry.ID = strawberry.field(description="The file's id, for the mutation that uses it.")
    expires_at: datetime = strawberry.field(description="Until when the upload must have begun.")


@strawberry.input(
    description="A file to be uploaded: to be imported by who may import, to be attached by who may attach, "
    "a picture of oneself, or the logo of documents by who may set how the workspace sells."
)
class CreateUploadInput(MutationInput):
    name: str = strawberry.field(description="Its name, with its suffix.")
    size: float = strawberry.field(description="Its size in bytes.")
    content_type: str | None = strawberry.field(
        default=None,
        description="Its media type, such as text/csv; its first bytes are looked at, and outweigh this.",
    )
    purpose: UploadPurpose = strawberry.field(
        default=UploadPurpose.IMPORT, description="What it is for; it serves nothing else."
    )


@strawberry.type(description="What createUpload answers.")
class CreateUploadPayload(Payload):
    upload: Upload | None = strawberry.field(default=None, description="Where to send the bytes.")


@strawberry.type
class FileMutations:
    @strawberry.mutation(description="Announce a file: PUT its bytes to the link that this answers.")
    @reports_user_errors
    async def create_upload(self, info: Info, input: Given[CreateUploadInput]) -> CreateUploadPayload:
        file: Any = await files.create_upload(
            info.context.actor,
            name=input.name,
            size=input.size,
            content_type=input.content_type,
            purpose=input.purpose,
            now=info.context.now,
        )
        shown = Upload(url=files.upload_url(file), file_id=ids.encode("File", file.id), expires_at=file.expires_at)
        return CreateUploadPayload(upload=shown)
