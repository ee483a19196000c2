"""Contracts, invoices and payments."""

from decimal import Decimal

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.contracts import ContractState
from models.invoices import InvoiceKind, InvoiceState, NoticeState

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
    "invoice_due_on": (False, "invoice (workspace_id, due_on NULLS LAST, id)", ""),
    "payment_provider_name": (True, "payment_provider (workspace_id, lower(name))", "archived_at IS NULL"),
    "payment_notice_open": (False, "payment_notice (workspace_id, created_at DESC NULLS LAST, id DESC)", ""),
    "payment_reverses": (True, "payment (reverses_id)", "reverses_id IS NOT NULL"),
    "payment_invoice": (False, "payment (invoice_id, created_at, id)", ""),
    "payment_lead": (False, "payment (lead_id)", ""),
    "payment_provider_key": (True, "payment (provider_id, provider_key)", "provider_key IS NOT NULL"),
}

SEARCHED = "search_words(coalesce(number, '') || ' ' || title)"
# What must hold of every row, whoever writes it.
CHECKS = {
    "total": "net + tax = total AND total > 0",
    "number": "(number IS NULL) = (state IN ('PLANNED', 'CANCELLED'))",
    "credited": "credited BETWEEN 0 AND total",
    "balance": "balance = CASE WHEN kind = 'INVOICE' AND number IS NOT NULL THEN total - paid - credited ELSE 0 END",
}
# What may still change of an invoice that has a number, and of a payment.
STATUS = ("state", "paid", "credited", "balance", "due_at", "overdue_at", "paid_at", "created_by_id", "version")
GUARDS = [
    f"""
CREATE FUNCTION keep_issued_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF pg_trigger_depth() > 1 OR OLD.number IS NULL THEN RETURN OLD; END IF;
    ELSIF OLD.number IS NULL
          OR to_jsonb(NEW) - ARRAY{[*STATUS, "updated_at"]} = to_jsonb(OLD) - ARRAY{[*STATUS, "updated_at"]} THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'invoice % was issued and cannot change any more', OLD.number
        USING ERRCODE = 'restrict_violation';
END $$""",
    """
CREATE TRIGGER keep_issued_invoice BEFORE UPDATE OR DELETE ON invoice
FOR EACH ROW EXECUTE FUNCTION keep_issued_invoice()""",
    """
CREATE FUNCTION keep_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF pg_trigger_depth() > 1 THEN RETURN OLD; END IF;
    ELSIF to_jsonb(NEW) - 'recorded_by_id' = to_jsonb(OLD) - 'recorded_by_id' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'payment % cannot change any more: reverse it', OLD.id USING ERRCODE = 'restrict_violation';
END $$""",
    """
CREATE TRIGGER keep_payment BEFORE UPDATE OR DELETE ON payment
FOR EACH ROW EXECUTE FUNCTION keep_payment()""",
]
UNGUARD = [
    "DROP TRIGGER keep_payment ON payment",
    "DROP FUNCTION keep_payment()",
    "DROP TRIGGER keep_issued_invoice ON invoice",
    "DROP FUNCTION keep_issued_invoice()",
]


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
                (
                    "seller_signature",
                    fields.ForeignKeyField(
                        "models.Evidence",
                        source_field="seller_signature_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                (
                    "buyer_signature",
                    fields.ForeignKeyField(
                        "models.Evidence",
                        source_field="buyer_signature_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("seller_signed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("buyer_signed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("signed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("cancelled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("cancel_reason", fields.TextField(null=True, unique=False)),
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
                "table_description": "A contract on one version of a proposal, as it was agreed; it never changes, but for its signatures.",
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
                ("tax_inclusive", fields.BooleanField(default=False)),
                ("subtotal", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("discount", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("net", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("tax", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("total", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("paid", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("credited", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("balance", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("reason", fields.TextField(null=True, unique=False)),
                ("issue_on", fields.DateField(null=True)),
                ("issued_on", fields.DateField(null=True)),
                ("due_on", fields.DateField(null=True)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("issued_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("overdue_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("paid_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("cancelled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
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
                ("previous_secret", fields.TextField(null=True, unique=False)),
                ("previous_until", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("archived_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "payment_provider",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Who tells us of payments by web hooks that are signed with `secret`, or with the one before it for a while.",
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
                (
                    "reverses",
                    fields.ForeignKeyField(
                        "models.Payment",
                        source_field="reverses_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="reversals",
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
        ops.CreateModel(
            name="PaymentNotice",
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
                    "provider",
                    fields.ForeignKeyField(
                        "models.PaymentProvider",
                        source_field="provider_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="notices",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                ("provider_key", fields.TextField(unique=False)),
                (
                    "state",
                    fields.CharEnumField(
                        default=NoticeState.OPEN,
                        description="OPEN: OPEN\nSETTLED: SETTLED\nDISMISSED: DISMISSED",
                        enum_type=NoticeState,
                        max_length=9,
                    ),
                ),
                ("problem", fields.TextField(unique=False)),
                ("invoice_number", fields.TextField(unique=False)),
                ("amount", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("currency", fields.CharField(max_length=3)),
                ("body", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("attempts", fields.IntField(default=1)),
                (
                    "payment",
                    fields.ForeignKeyField(
                        "models.Payment",
                        source_field="payment_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("last_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                (
                    "settled_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="settled_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("settled_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "payment_notice",
                "app": "models",
                "unique_together": (("provider_id", "provider_key"),),
                "pk_attr": "id",
                "table_description": "A payment that a provider told of and that could not be taken, with `problem` as its code, for people to settle.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX {name}_idx" for name in INDEXES],
        ),
        ops.RunSQL(
            [
                f"ALTER TABLE invoice ADD CONSTRAINT invoice_{name}_check CHECK ({rule})"
                for name, rule in CHECKS.items()
            ],
            [f"ALTER TABLE invoice DROP CONSTRAINT invoice_{name}_check" for name in CHECKS],
        ),
        ops.RunSQL(
            f"CREATE INDEX invoice_search_idx ON invoice USING gin (({SEARCHED}))", "DROP INDEX invoice_search_idx"
        ),
        ops.RunSQL(GUARDS, UNGUARD),
    ]
