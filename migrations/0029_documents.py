"""Templates of documents, and the PDFs that were made."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.documents import DocumentKind
from models.files import UploadPurpose

# name -> (unique, table and columns, condition)
INDEXES = {
    "document_template_kind": (True, "document_template (workspace_id, kind, coalesce(language, ''))", ""),
    "document_version": (False, "document (version_id)", "version_id IS NOT NULL"),
    "document_contract": (False, "document (contract_id)", "contract_id IS NOT NULL"),
    "document_invoice": (False, "document (invoice_id)", "invoice_id IS NOT NULL"),
    "document_lead": (False, "document (lead_id)", ""),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0028_invoices")]

    initial = False

    operations = [
        ops.CreateModel(
            name="DocumentTemplate",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "workspace",
                    fields.ForeignKeyField(
                        "models.Workspace",
                        source_field="workspace_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("version", fields.IntField(default=1)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("updated_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "kind",
                    fields.CharEnumField(
                        description="PROPOSAL: PROPOSAL\nCONTRACT: CONTRACT\nINVOICE: INVOICE",
                        enum_type=DocumentKind,
                        max_length=8,
                    ),
                ),
                ("language", fields.TextField(null=True, unique=False)),
                ("source", fields.TextField(unique=False)),
            ],
            options={
                "table": "document_template",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A workspace's own template (typst) for a kind of document, in one language or, where it is null, in all.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="Document",
            fields=[
                ("id", fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                (
                    "workspace",
                    fields.ForeignKeyField(
                        "models.Workspace",
                        source_field="workspace_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="PROPOSAL: PROPOSAL\nCONTRACT: CONTRACT\nINVOICE: INVOICE",
                        enum_type=DocumentKind,
                        max_length=8,
                    ),
                ),
                (
                    "lead",
                    fields.ForeignKeyField(
                        "models.Lead",
                        source_field="lead_id",
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "version",
                    fields.ForeignKeyField(
                        "models.ProposalVersion",
                        source_field="version_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="documents",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "contract",
                    fields.ForeignKeyField(
                        "models.Contract",
                        source_field="contract_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="documents",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "invoice",
                    fields.ForeignKeyField(
                        "models.Invoice",
                        source_field="invoice_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="documents",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("key", fields.TextField(unique=False)),
                (
                    "file",
                    fields.ForeignKeyField(
                        "models.File",
                        source_field="file_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("pages", fields.IntField(null=True)),
                ("missing", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("failure", fields.TextField(null=True, unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("rendered_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "document",
                "app": "models",
                "unique_together": (("workspace_id", "key"),),
                "pk_attr": "id",
                "table_description": "The PDF of a version, a contract or an invoice: one of the three.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.AlterField(
            model_name="File",
            name="purpose",
            field=fields.CharEnumField(
                null=True,
                description="IMPORT: IMPORT\nATTACHMENT: ATTACHMENT\nAVATAR: AVATAR\nLOGO: LOGO",
                enum_type=UploadPurpose,
                max_length=16,
            ),
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX {name}_idx" for name in INDEXES],
        ),
    ]
