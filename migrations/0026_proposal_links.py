"""How customers reach a proposal, what they saw and asked, and what they answered."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.proposal_links import EvidenceKind, Party

# name -> (unique, table and columns, condition)
INDEXES = {
    "proposal_link_proposal": (False, "proposal_link (proposal_id, created_at DESC, id DESC)", ""),
    "proposal_link_live": (True, "proposal_link (proposal_id, contact_id) NULLS NOT DISTINCT", "revoked_at IS NULL"),
    "proposal_link_lead": (False, "proposal_link (lead_id)", ""),
    "proposal_view_proposal": (False, "proposal_view (proposal_id, viewed_at DESC, id DESC)", ""),
    "proposal_view_version": (False, "proposal_view (version_id)", ""),
    "proposal_view_link": (False, "proposal_view (link_id, version_id, viewed_at)", ""),
    "proposal_view_lead": (False, "proposal_view (lead_id)", ""),
    "proposal_question_proposal": (False, "proposal_question (proposal_id, asked_at DESC, id DESC)", ""),
    "proposal_question_link": (False, "proposal_question (link_id, asked_at)", ""),
    "proposal_question_version": (False, "proposal_question (version_id)", ""),
    "proposal_question_lead": (False, "proposal_question (lead_id)", ""),
    "evidence_proposal": (False, "evidence (proposal_id, created_at, id)", ""),
    "evidence_version": (False, "evidence (version_id)", ""),
    "evidence_accepted": (True, "evidence (version_id)", "kind = 'ACCEPTED'"),
    "evidence_lead": (False, "evidence (lead_id)", ""),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0025_proposals")]

    initial = False

    operations = [
        ops.CreateModel(
            name="ProposalLink",
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
                        related_name="links",
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
                    "contact",
                    fields.ForeignKeyField(
                        "models.Contact",
                        source_field="contact_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
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
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("expires_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("revoked_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "proposal_link",
                "app": "models",
                "pk_attr": "id",
                "table_description": "A customer's link to a proposal, made of its id; one that is revoked or past `expires_at` opens nothing.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="ProposalView",
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
                        related_name="views",
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
                        related_name=False,
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
                    "link",
                    fields.ForeignKeyField(
                        "models.ProposalLink",
                        source_field="link_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("viewed_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("address", fields.TextField(unique=False)),
                ("user_agent", fields.TextField(null=True, unique=False)),
            ],
            options={
                "table": "proposal_view",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One time that a customer opened a version.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="ProposalQuestion",
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
                        related_name="questions",
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
                        related_name=False,
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
                    "link",
                    fields.ForeignKeyField(
                        "models.ProposalLink",
                        source_field="link_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("name", fields.TextField(unique=False)),
                ("text", fields.TextField(unique=False)),
                ("asked_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("answer", fields.TextField(null=True, unique=False)),
                (
                    "answered_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="answered_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("answered_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "proposal_question",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What a customer asks about a proposal, and what is answered.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="Evidence",
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
                        description="ACCEPTED: ACCEPTED\nDECLINED: DECLINED\nAGREED: AGREED\nSIGNED: SIGNED",
                        enum_type=EvidenceKind,
                        max_length=8,
                    ),
                ),
                (
                    "party",
                    fields.CharEnumField(description="SELLER: SELLER\nBUYER: BUYER", enum_type=Party, max_length=6),
                ),
                (
                    "proposal",
                    fields.ForeignKeyField(
                        "models.Proposal",
                        source_field="proposal_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="evidence",
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
                        related_name="evidence",
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
                    "link",
                    fields.ForeignKeyField(
                        "models.ProposalLink",
                        source_field="link_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                (
                    "user",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="user_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
                ("name", fields.TextField(unique=False)),
                ("address", fields.TextField(null=True, unique=False)),
                ("user_agent", fields.TextField(null=True, unique=False)),
                ("sha256", fields.TextField(unique=False)),
                ("total", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("facts", fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "evidence",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Who said what to which version, by name, time, address and hash: it is written once and never changed.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX {name}_idx" for name in INDEXES],
        ),
    ]
