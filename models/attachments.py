"""Files that hang on leads, companies and contacts."""

from datetime import datetime
from uuid import UUID

from tortoise import fields

from models.base import EditableRow
from models.companies import Company
from models.contacts import Contact
from models.files import File
from models.leads import Lead
from models.users import User


class Attachment(EditableRow):
    """A file on a lead, a company or a contact: one of the three.

    `content_type` is what its bytes are found to be; `file_id` is null once a deleted one's bytes are forgotten.
    """

    lead_id: UUID | None
    lead: fields.ForeignKeyNullableRelation[Lead] = fields.ForeignKeyField(
        "models.Lead", related_name="attachments", null=True
    )
    company_id: UUID | None
    company: fields.ForeignKeyNullableRelation[Company] = fields.ForeignKeyField(
        "models.Company", related_name="attachments", null=True
    )
    contact_id: UUID | None
    contact: fields.ForeignKeyNullableRelation[Contact] = fields.ForeignKeyField(
        "models.Contact", related_name="attachments", null=True
    )
    file_id: UUID | None
    file: fields.ForeignKeyNullableRelation[File] = fields.ForeignKeyField(
        "models.File", related_name="attachments", null=True, on_delete=fields.SET_NULL
    )
    user_id: UUID | None
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    name = fields.TextField()
    content_type = fields.TextField()
    size = fields.BigIntField()
    deleted_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "attachment"
