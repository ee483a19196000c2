"""Documents as they are typeset: the workspace's own templates, and the PDFs that were made."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from models.base import EditableRow, WorkspaceRow
from models.contracts import Contract
from models.files import File
from models.invoices import Invoice
from models.leads import Lead
from models.proposals import ProposalVersion


class DocumentKind(StrEnum):
    PROPOSAL = "PROPOSAL"
    CONTRACT = "CONTRACT"
    INVOICE = "INVOICE"


class DocumentTemplate(EditableRow):
    """A workspace's own template (typst) for a kind of document, in one language or, where it is null, in all."""

    kind = fields.CharEnumField(DocumentKind, max_length=8)
    language: str | None = fields.TextField(null=True)
    source = fields.TextField()

    class Meta:
        table = "document_template"


class Document(WorkspaceRow):
    """The PDF of a version, a contract or an invoice: one of the three.

    `key` is the SHA-256 of all that its bytes follow from, and unique. `missing` are the characters that no font has;
    `failure` says why it could not be made.
    """

    kind = fields.CharEnumField(DocumentKind, max_length=8)
    lead_id: UUID
    lead: fields.ForeignKeyRelation[Lead] = fields.ForeignKeyField("models.Lead", related_name=False)
    version_id: UUID | None
    version: fields.ForeignKeyNullableRelation[ProposalVersion] = fields.ForeignKeyField(
        "models.ProposalVersion", related_name="documents", null=True
    )
    contract_id: UUID | None
    contract: fields.ForeignKeyNullableRelation[Contract] = fields.ForeignKeyField(
        "models.Contract", related_name="documents", null=True
    )
    invoice_id: UUID | None
    invoice: fields.ForeignKeyNullableRelation[Invoice] = fields.ForeignKeyField(
        "models.Invoice", related_name="documents", null=True
    )
    key = fields.TextField()
    file_id: UUID | None
    file: fields.ForeignKeyNullableRelation[File] = fields.ForeignKeyField(
        "models.File", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    pages: int | None = fields.IntField(null=True)
    missing: list[str] = fields.JSONField(default=list)
    failure: str | None = fields.TextField(null=True)
    created_at = fields.DatetimeField()
    rendered_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "document"
        unique_together = (("workspace_id", "key"),)
