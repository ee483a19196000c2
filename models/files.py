"""Files, and their bytes in chunks where no other store is set, so that every process on every machine sees them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import Row, WorkspaceRow


class UploadPurpose(StrEnum):
    IMPORT = "IMPORT"
    ATTACHMENT = "ATTACHMENT"
    AVATAR = "AVATAR"
    LOGO = "LOGO"


class File(WorkspaceRow):
    """An uploaded or produced file; `completed_at` is null until every chunk is there."""

    name = fields.TextField()
    content_type = fields.TextField(default="application/octet-stream")
    size = fields.BigIntField(default=0)
    # What it may be used for, where somebody uploads it.
    purpose = fields.CharEnumField(UploadPurpose, max_length=16, null=True)
    sha256: str | None = fields.TextField(null=True)
    user_id: UUID | None = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()
    expires_at: datetime | None = fields.DatetimeField(null=True)
    completed_at: datetime | None = fields.DatetimeField(null=True)
    # Where its bytes lie in the store of FILES_URL; null: in chunks.
    object_key: str | None = fields.TextField(null=True)

    class Meta:
        table = "file"


class FileChunk(Row):
    file_id: UUID
    file: fields.ForeignKeyRelation[File] = fields.ForeignKeyField("models.File", related_name="chunks")
    number = fields.IntField()
    data = fields.BinaryField()

    class Meta:
        table = "file_chunk"
        unique_together = (("file_id", "number"),)
