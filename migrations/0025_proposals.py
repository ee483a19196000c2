"""What is offered, in versions, what it takes to be approved, and how a workspace sells."""

from decimal import Decimal

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.proposals import ApprovalKind, ApprovalState, ProposalState
from models.selling import NumberedKind, Rounding, WonAt

# name -> (unique, table and columns, condition)
INDEXES = {
    "selling_settings_workspace": (True, "selling_settings (workspace_id)", ""),
    "proposal_number": (True, "proposal (workspace_id, number)", ""),
    "proposal_created": (False, "proposal (workspace_id, created_at DESC NULLS LAST, id DESC)", "deleted_at IS NULL"),
    "proposal_state": (
        False,
        "proposal (workspace_id, state, created_at DESC NULLS LAST, id DESC)",
        "deleted_at IS NULL",
    ),
    "proposal_numbers": (False, "proposal (workspace_id, number, id)", "deleted_at IS NULL"),
    "proposal_total": (False, "proposal (workspace_id, total DESC NULLS LAST, id DESC)", "deleted_at IS NULL"),
    "proposal_valid": (False, "proposal (workspace_id, valid_until, id)", "deleted_at IS NULL"),
    "proposal_sent": (False, "proposal (workspace_id, sent_at DESC NULLS LAST, id DESC)", "deleted_at IS NULL"),
    "approval_rule_list": (False, "approval_rule (workspace_id, created_at, id)", ""),
    "proposal_lead": (False, "proposal (lead_id, created_at DESC, id DESC)", "deleted_at IS NULL"),
    "proposal_contact": (False, "proposal (contact_id)", "contact_id IS NOT NULL"),
    "proposal_due": (False, "proposal (due_at)", "due_at IS NOT NULL"),
    "proposal_version_number": (True, "proposal_version (proposal_id, number)", ""),
    "proposal_line_key": (True, "proposal_line (version_id, key)", ""),
    "proposal_version_draft": (True, "proposal_version (proposal_id)", "frozen_at IS NULL"),
    "proposal_version_lead": (False, "proposal_version (lead_id)", ""),
    "proposal_line_version": (False, "proposal_line (version_id, position, id)", ""),
    "proposal_line_lead": (False, "proposal_line (lead_id)", ""),
    "proposal_line_product": (False, "proposal_line (product_id)", "product_id IS NOT NULL"),
    "approval_version": (False, "approval (version_id, created_at, id)", ""),
    "approval_lead": (False, "approval (lead_id)", ""),
    "approval_pending": (False, "approval (workspace_id, created_at, id)", "state = 'PENDING'"),
}

SEARCHED = "search_words(number || ' ' || title)"
# A version that is frozen keeps all but its state; it and its lines go only with what they are of.
VERSION_KEPT = """
CREATE FUNCTION proposal_version_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF to_jsonb(NEW) - 'state' = to_jsonb(OLD) - 'state' THEN RETURN NEW; END IF;
    ELSIF NOT EXISTS (
        SELECT FROM proposal p JOIN lead l ON l.id = p.lead_id JOIN workspace w ON w.id = p.workspace_id
        WHERE p.id = OLD.proposal_id
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'proposal version % is frozen', OLD.id USING ERRCODE = 'restrict_violation';
END $$
"""
LINES_KEPT = """
CREATE FUNCTION proposal_lines_kept() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    frozen uuid;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT v.id INTO frozen FROM before b JOIN proposal_version v ON v.id = b.version_id
        LEFT JOIN after a ON a.id = b.id
        WHERE v.frozen_at IS NOT NULL AND to_jsonb(b) - 'product_id' IS DISTINCT FROM to_jsonb(a) - 'product_id'
        LIMIT 1;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT v.id INTO frozen FROM after a JOIN proposal_version v ON v.id = a.version_id
        WHERE v.frozen_at IS NOT NULL LIMIT 1;
    ELSE
        SELECT v.id INTO frozen FROM before b JOIN proposal_version v ON v.id = b.version_id
        JOIN proposal p ON p.id = v.proposal_id JOIN lead l ON l.id = p.lead_id
        JOIN workspace w ON w.id = p.workspace_id
        WHERE v.frozen_at IS NOT NULL LIMIT 1;
    END IF;
    IF frozen IS NOT NULL THEN
        RAISE EXCEPTION 'proposal version % is frozen', frozen USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$
"""
SEES = {"INSERT": "NEW TABLE AS after", "UPDATE": "OLD TABLE AS before NEW TABLE AS after", "DELETE": "OLD TABLE AS before"}
KEPT = [
    VERSION_KEPT,
    "CREATE TRIGGER proposal_version_kept BEFORE UPDATE OR DELETE ON proposal_version FOR EACH ROW "
    "WHEN (OLD.frozen_at IS NOT NULL) EXECUTE FUNCTION proposal_version_kept()",
    LINES_KEPT,
    *(
        f"CREATE TRIGGER proposal_lines_kept_{event.lower()} AFTER {event} ON proposal_line "
        f"REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION proposal_lines_kept()"
        for event, tables in SEES.items()
    ),
]
FORGOTTEN = [
    *(f"DROP TRIGGER proposal_lines_kept_{event.lower()} ON proposal_line" for event in SEES),
    "DROP FUNCTION proposal_lines_kept()",
    "DROP TRIGGER proposal_version_kept ON proposal_version",
    "DROP FUNCTION proposal_version_kept()",
]


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0024_calendar_feeds")]

    initial = False

    operations = [
        ops.CreateModel(
            name="SellingSettings",
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
                    "rounding",
                    fields.CharEnumField(
                        default=Rounding.HALF_UP,
                        description="HALF_UP: HALF_UP\nHALF_EVEN: HALF_EVEN",
                        enum_type=Rounding,
                        max_length=9,
                    ),
                ),
                ("tax_inclusive", fields.BooleanField(default=False)),
                ("tax_rate", fields.DecimalField(default=Decimal("0"), max_digits=6, decimal_places=3)),
                ("validity_days", fields.IntField(default=30)),
                ("payment_days", fields.IntField(default=14)),
                ("terms", fields.TextField(null=True, unique=False)),
                ("color", fields.TextField(null=True, unique=False)),
                (
                    "logo",
                    fields.ForeignKeyField(
                        "models.File",
                        source_field="logo_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("seller", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("most_discount", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                (
                    "won_at",
                    fields.CharEnumField(
                        default=WonAt.SIGNATURE,
                        description="ACCEPTANCE: ACCEPTANCE\nSIGNATURE: SIGNATURE\nFIRST_PAYMENT: FIRST_PAYMENT\nBY_HAND: BY_HAND",
                        enum_type=WonAt,
                        max_length=13,
                    ),
                ),
                ("follows_proposal", fields.BooleanField(default=True)),
                ("follows_negotiation", fields.BooleanField(default=True)),
                ("follows_agreement", fields.BooleanField(default=True)),
                ("value_follows", fields.BooleanField(default=True)),
                ("validity_reminder_days", fields.IntField(default=3)),
                ("payment_reminder_days", fields.IntField(default=7)),
                ("most_payment_reminders", fields.IntField(default=3)),
            ],
            options={
                "table": "selling_settings",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What holds for every new proposal and document of a workspace; one row, made when it is first changed.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="NumberSeries",
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
                        description="PROPOSAL: PROPOSAL\nCONTRACT: CONTRACT\nINVOICE: INVOICE\nCREDIT_NOTE: CREDIT_NOTE",
                        enum_type=NumberedKind,
                        max_length=11,
                    ),
                ),
                ("year", fields.IntField()),
                ("newest", fields.IntField()),
            ],
            options={
                "table": "number_series",
                "app": "models",
                "unique_together": (("workspace_id", "kind", "year"),),
                "pk_attr": "id",
                "table_description": "The last number given to a kind of document in a year.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="Proposal",
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
                        related_name="proposals",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "contact",
                    fields.ForeignKeyField(
                        "models.Contact",
                        source_field="contact_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name="proposals",
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("number", fields.TextField(unique=False)),
                ("title", fields.TextField(unique=False)),
                ("language", fields.TextField(unique=False)),
                ("currency", fields.CharField(max_length=3)),
                (
                    "state",
                    fields.CharEnumField(
                        default=ProposalState.DRAFT,
                        description="DRAFT: DRAFT\nIN_APPROVAL: IN_APPROVAL\nAPPROVED: APPROVED\nSENT: SENT\nVIEWED: VIEWED\nACCEPTED: ACCEPTED\nDECLINED: DECLINED\nEXPIRED: EXPIRED\nWITHDRAWN: WITHDRAWN\nSUPERSEDED: SUPERSEDED",
                        enum_type=ProposalState,
                        max_length=11,
                    ),
                ),
                ("net", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("total", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("valid_until", fields.DateField(null=True)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("sent_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("viewed_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
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
                ("deleted_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "proposal",
                "app": "models",
                "pk_attr": "id",
                "table_description": "An offer to a lead; `state` and the amounts are those of its newest version, `current`.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="ProposalVersion",
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
                    "proposal",
                    fields.ForeignKeyField(
                        "models.Proposal",
                        source_field="proposal_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="versions",
                        on_delete=OnDelete.CASCADE,
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
                ("number", fields.IntField()),
                (
                    "state",
                    fields.CharEnumField(
                        default=ProposalState.DRAFT,
                        description="DRAFT: DRAFT\nIN_APPROVAL: IN_APPROVAL\nAPPROVED: APPROVED\nSENT: SENT\nVIEWED: VIEWED\nACCEPTED: ACCEPTED\nDECLINED: DECLINED\nEXPIRED: EXPIRED\nWITHDRAWN: WITHDRAWN\nSUPERSEDED: SUPERSEDED",
                        enum_type=ProposalState,
                        max_length=11,
                    ),
                ),
                ("title", fields.TextField(unique=False)),
                ("language", fields.TextField(unique=False)),
                ("currency", fields.CharField(max_length=3)),
                (
                    "rounding",
                    fields.CharEnumField(
                        description="HALF_UP: HALF_UP\nHALF_EVEN: HALF_EVEN", enum_type=Rounding, max_length=9
                    ),
                ),
                ("tax_inclusive", fields.BooleanField()),
                ("valid_until", fields.DateField(null=True)),
                ("sections", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("terms", fields.TextField(null=True, unique=False)),
                ("discount_percent", fields.DecimalField(null=True, max_digits=6, decimal_places=3)),
                ("discount_amount", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
                ("subtotal", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("discount", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("net", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("taxes", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("tax", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("total", fields.DecimalField(default=Decimal("0"), max_digits=19, decimal_places=4)),
                ("cost", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
                ("parties", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("sha256", fields.TextField(null=True, unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("frozen_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "proposal_version",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What a proposal says: a draft until `frozen_at`, and never changed again but for its state.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.AddField(
            model_name="Proposal",
            name="current",
            field=fields.ForeignKeyField(
                "models.ProposalVersion",
                source_field="current_id",
                null=True,
                db_constraint=False,
                to_field="id",
                related_name=False,
                on_delete=OnDelete.NO_ACTION,
            ),
        ),
        ops.AddField(
            model_name="Proposal",
            name="sent",
            field=fields.ForeignKeyField(
                "models.ProposalVersion",
                source_field="sent_id",
                null=True,
                db_constraint=False,
                to_field="id",
                related_name=False,
                on_delete=OnDelete.NO_ACTION,
            ),
        ),
        ops.CreateModel(
            name="ProposalLine",
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
                    "version",
                    fields.ForeignKeyField(
                        "models.ProposalVersion",
                        source_field="version_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="lines",
                        on_delete=OnDelete.CASCADE,
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
                ("key", fields.UUIDField()),
                ("position", fields.IntField()),
                ("currency", fields.CharField(max_length=3)),
                (
                    "product",
                    fields.ForeignKeyField(
                        "models.Product",
                        source_field="product_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("name", fields.TextField(unique=False)),
                ("description", fields.TextField(null=True, unique=False)),
                ("unit", fields.TextField(null=True, unique=False)),
                ("quantity", fields.DecimalField(max_digits=15, decimal_places=4)),
                ("unit_price", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("discount_percent", fields.DecimalField(null=True, max_digits=6, decimal_places=3)),
                ("discount_amount", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
                ("tax_rate", fields.DecimalField(max_digits=6, decimal_places=3)),
                ("unit_cost", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
                ("list_price", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
                ("optional", fields.BooleanField(default=False)),
                ("chosen", fields.BooleanField(default=True)),
                ("amount", fields.DecimalField(max_digits=19, decimal_places=4)),
            ],
            options={
                "table": "proposal_line",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A product or something in words; `key` is the same through all versions of a proposal.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="ApprovalRule",
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
                        description="DISCOUNT_OVER: DISCOUNT_OVER\nVALUE_OVER: VALUE_OVER\nMARGIN_UNDER: MARGIN_UNDER",
                        enum_type=ApprovalKind,
                        max_length=13,
                    ),
                ),
                ("threshold", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("roles", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("archived_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "approval_rule",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What holds a proposal until a member of one of `roles` approves.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="Approval",
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
                    "version",
                    fields.ForeignKeyField(
                        "models.ProposalVersion",
                        source_field="version_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="approvals",
                        on_delete=OnDelete.CASCADE,
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
                    "rule",
                    fields.ForeignKeyField(
                        "models.ApprovalRule",
                        source_field="rule_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                (
                    "kind",
                    fields.CharEnumField(
                        description="DISCOUNT_OVER: DISCOUNT_OVER\nVALUE_OVER: VALUE_OVER\nMARGIN_UNDER: MARGIN_UNDER",
                        enum_type=ApprovalKind,
                        max_length=13,
                    ),
                ),
                ("reason", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("roles", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                (
                    "state",
                    fields.CharEnumField(
                        default=ApprovalState.PENDING,
                        description="PENDING: PENDING\nAPPROVED: APPROVED\nREJECTED: REJECTED\nOBSOLETE: OBSOLETE",
                        enum_type=ApprovalState,
                        max_length=8,
                    ),
                ),
                (
                    "requested_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="requested_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                (
                    "decided_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="decided_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("note", fields.TextField(null=True, unique=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("decided_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "approval",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What one rule asks of one version, and who decided it; `reason` says in facts what went beyond what.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.AddField("Product", "cost", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
        ops.AddField("Product", "cost_currency", fields.CharField(null=True, max_length=3)),
        ops.AddField("Product", "tax_rate", fields.DecimalField(null=True, max_digits=6, decimal_places=3)),
        ops.AddField("Product", "unit", fields.TextField(null=True, unique=False)),
        ops.RunSQL(
            [
                # An added key is given its constraint, whatever it says of it.
                *(f"ALTER TABLE proposal DROP CONSTRAINT proposal_{name}_fkey" for name in ("current_id", "sent_id")),
                *(create(name, *index) for name, index in INDEXES.items()),
                f"CREATE INDEX proposal_search_idx ON proposal USING gin (({SEARCHED}))",
                *KEPT,
            ],
            [*FORGOTTEN, "DROP INDEX proposal_search_idx", *(f"DROP INDEX {name}_idx" for name in INDEXES)],
        ),
    ]
