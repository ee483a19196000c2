"""Contracts, invoices and payments."""

from decimal import Decimal

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.contracts import ContractState
from models.invoices import InvoiceKind, InvoiceState

# name -> (unique, table and columns, condition)
INDEXES = {
    "contract_number": (True, "contract (workspace_id, number)", ""),
    "contract_version": (True, "contract (proposal_version_id)", "state <> 'CANCELLED'"),
    "contract_proposal": (False, "contract (proposal_id, created_at DESC, id DESC)", ""),
    "contract_lead": (False, "contract (lead_id, created_at DESC, id DESC)", ""),
    "contract_created": (False, "contract (workspace_id, created_at DESC NULLS LAST, id DESC)", ""),
    "invoice_number": (True, "invoice (workspace_id, number)", "number IS NOT NULL"),
    "invoice_created": (False, "invoice (workspace_id, created_at DESC NULLS LAST, id DESC)", ""),
    "invoice_lead": (False, "invoice (lead_id, created_at DESC, id DESC)", ""),
    "invoice_contract": (False, "invoice (contract_id, created_at, id)", "contract_id IS NOT NULL"),
    "invoice_proposal": (False, "invoice (proposal_id)", "proposal_id IS NOT NULL"),
    "invoice_version": (False, "invoice (proposal_version_id)", "proposal_version_id IS NOT NULL"),
    "invoice_credits": (False, "invoice (credits_id)", "credits_id IS NOT NULL"),
    "invoice_due": (False, "invoice (due_at)", "due_at IS NOT NULL"),
    "payment_invoice": (False, "payment (invoice_id, created_at, id)", ""),
    "payment_lead": (False, "payment (lead_id)", ""),
    "payment_provider_key": (True, "payment (provider_id, provider_key)", "provider_key IS NOT NULL"),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0027_negotiations")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Contract",
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
                    "lead",
                    fields.ForeignKeyField(
                        "models.Lead",
                        source_field="lead_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="contracts",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "proposal",
                    fields.ForeignKeyField(
                        "models.Proposal",
                        source_field="proposal_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="contracts",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "proposal_version",
                    fields.ForeignKeyField(
                        "models.ProposalVersion",
                        source_field="proposal_version_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="contracts",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("number", fields.TextField(unique=False)),
                ("title", fields.TextField(unique=False)),
                ("language", fields.TextField(unique=False)),
                (
                    "state",
                    fields.CharEnumField(
                        default=ContractState.OPEN,
                        description="OPEN: OPEN\nSIGNED: SIGNED\nCANCELLED: CANCELLED",
                        enum_type=ContractState,
                        max_length=9,
                    ),
                ),
                ("terms", fields.TextField(null=True, unique=False)),
                ("starts_on", fields.DateField(null=True)),
                ("ends_on", fields.DateField(null=True)),
                ("currency", fields.CharField(max_length=3)),
                ("net", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("total", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("sha256", fields.TextField(unique=False)),
                ("seller_signed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("buyer_signed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("signed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("cancelled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "created_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="created_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
            ],
            options={
                "table": "contract",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A contract on one version of a proposal, as it was agreed; each side's signature is a row of `evidence`.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="Invoice",
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
                    "lead",
                    fields.ForeignKeyField(
                        "models.Lead",
                        source_field="lead_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="invoices",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "proposal",
                    fields.ForeignKeyField(
                        "models.Proposal",
                        source_field="proposal_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="invoices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "proposal_version",
                    fields.ForeignKeyField(
                        "models.ProposalVersion",
                        source_field="proposal_version_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.RESTRICT,
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
                        related_name="invoices",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "credits",
                    fields.ForeignKeyField(
                        "models.Invoice",
                        source_field="credits_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="credit_notes",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        default=InvoiceKind.INVOICE,
                        description="INVOICE: INVOICE\nCREDIT_NOTE: CREDIT_NOTE",
                        enum_type=InvoiceKind,
                        max_length=11,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="PLANNED: PLANNED\nISSUED: ISSUED\nPARTIALLY_PAID: PARTIALLY_PAID\nPAID: PAID\nCREDITED: CREDITED\nCANCELLED: CANCELLED",
                        enum_type=InvoiceState,
                        max_length=14,
                    ),
                ),
                ("number", fields.TextField(null=True, unique=False)),
                ("instalment", fields.IntField(null=True)),
                ("instalments", fields.IntField(null=True)),
                ("title", fields.TextField(unique=False)),
                ("language", fields.TextField(unique=False)),
                ("currency", fields.CharField(max_length=3)),
                ("lines", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("taxes", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("parties", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("terms", fields.TextField(null=True, unique=False)),
                ("net", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("tax", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("total", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("paid", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("credited", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("balance", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("issue_on", fields.DateField(null=True)),
                ("issued_on", fields.DateField(null=True)),
                ("due_on", fields.DateField(null=True)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("issued_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("overdue_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("paid_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("sha256", fields.TextField(null=True, unique=False)),
                (
                    "created_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="created_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
            ],
            options={
                "table": "invoice",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What is asked for, whole or as one of several instalments; a PLANNED one has no number yet.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="PaymentProvider",
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
                ("name", fields.TextField(unique=False)),
                ("secret", fields.TextField(unique=False)),
                ("archived_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "payment_provider",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Who tells us of payments by web hooks that are signed with `secret`.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="Payment",
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
                    "invoice",
                    fields.ForeignKeyField(
                        "models.Invoice",
                        source_field="invoice_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="payments",
                        on_delete=OnDelete.RESTRICT,
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
                ("amount", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("currency", fields.CharField(max_length=3)),
                ("received_on", fields.DateField()),
                ("method", fields.TextField(null=True, unique=False)),
                ("reference", fields.TextField(null=True, unique=False)),
                ("note", fields.TextField(null=True, unique=False)),
                (
                    "provider",
                    fields.ForeignKeyField(
                        "models.PaymentProvider",
                        source_field="provider_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="payments",
                        on_delete=OnDelete.RESTRICT,
                    ),
                ),
                ("provider_key", fields.TextField(null=True, unique=False)),
                (
                    "recorded_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="recorded_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "payment",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Money that came (or, where negative, went back), by hand or told by a provider, which tells each once.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX {name}_idx" for name in INDEXES],
        ),
    ]
