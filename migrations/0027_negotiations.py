"""Rounds of offers until both sides agree or break off."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.negotiations import NegotiationState, OfferState
from models.proposal_links import Party

# name -> (unique, table and columns, condition)
INDEXES = {
    "negotiation_open": (True, "negotiation (proposal_id)", "state = 'OPEN'"),
    "negotiation_proposal": (False, "negotiation (proposal_id, created_at DESC, id DESC)", ""),
    "negotiation_version": (False, "negotiation (proposal_version_id)", ""),
    "negotiation_agreed": (False, "negotiation (agreed_version_id)", "agreed_version_id IS NOT NULL"),
    "negotiation_lead": (False, "negotiation (lead_id, created_at DESC, id DESC)", ""),
    "negotiation_created": (False, "negotiation (workspace_id, created_at DESC NULLS LAST, id DESC)", ""),
    "negotiation_state": (False, "negotiation (workspace_id, state, created_at DESC NULLS LAST, id DESC)", ""),
    "negotiation_respond": (False, "negotiation (workspace_id, respond_by, id)", ""),
    "negotiation_due": (False, "negotiation (due_at)", "due_at IS NOT NULL"),
    "offer_round": (True, "offer (negotiation_id, round)", "round IS NOT NULL"),
    "offer_held": (True, "offer (negotiation_id)", "state = 'HELD'"),
    "offer_negotiation": (False, "offer (negotiation_id, created_at, id)", ""),
    "offer_lead": (False, "offer (lead_id)", ""),
    "negotiation_comment_negotiation": (False, "negotiation_comment (negotiation_id, created_at, id)", ""),
    "negotiation_comment_lead": (False, "negotiation_comment (lead_id)", ""),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0026_proposal_links")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Negotiation",
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
                        related_name="negotiations",
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
                        related_name="negotiations",
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
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "agreed_version",
                    fields.ForeignKeyField(
                        "models.ProposalVersion",
                        source_field="agreed_version_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        default=NegotiationState.OPEN,
                        description="OPEN: OPEN\nAGREED: AGREED\nBROKEN_OFF: BROKEN_OFF",
                        enum_type=NegotiationState,
                        max_length=10,
                    ),
                ),
                ("currency", fields.CharField(max_length=3)),
                (
                    "turn",
                    fields.CharEnumField(description="SELLER: SELLER\nBUYER: BUYER", enum_type=Party, max_length=6),
                ),
                ("rounds", fields.IntField(default=0)),
                ("respond_by", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("due_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("target", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
                ("must_haves", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("concessions", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ("floor_price", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
                ("floor_margin", fields.DecimalField(null=True, max_digits=6, decimal_places=3)),
                ("most_discount", fields.DecimalField(null=True, max_digits=6, decimal_places=3)),
                ("walk_away", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
                ("reason", fields.TextField(null=True, unique=False)),
                (
                    "ended_by",
                    fields.CharEnumField(
                        null=True, description="SELLER: SELLER\nBUYER: BUYER", enum_type=Party, max_length=6
                    ),
                ),
                ("ended_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                (
                    "opened_by",
                    fields.ForeignKeyField(
                        "models.User",
                        source_field="opened_by_id",
                        null=True,
                        db_constraint=True,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.SET_NULL,
                    ),
                ),
            ],
            options={
                "table": "negotiation",
                "app": "models",
                "pk_attr": "id",
                "table_description": "Whose `turn` it is, and until when; `due_at` is when a sweep has to look at it.",
            },
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="Offer",
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
                    "negotiation",
                    fields.ForeignKeyField(
                        "models.Negotiation",
                        source_field="negotiation_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="offers",
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
                ("round", fields.IntField(null=True)),
                (
                    "party",
                    fields.CharEnumField(description="SELLER: SELLER\nBUYER: BUYER", enum_type=Party, max_length=6),
                ),
                (
                    "state",
                    fields.CharEnumField(
                        description="HELD: HELD\nREFUSED: REFUSED\nOPEN: OPEN\nREVISED: REVISED\nCOUNTERED: COUNTERED\nAGREED: AGREED\nLAPSED: LAPSED",
                        enum_type=OfferState,
                        max_length=9,
                    ),
                ),
                ("terms", fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ("currency", fields.CharField(max_length=3)),
                ("net", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("tax", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("total", fields.DecimalField(max_digits=19, decimal_places=4)),
                ("cost", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
                ("sha256", fields.TextField(unique=False)),
                ("note", fields.TextField(null=True, unique=False)),
                ("name", fields.TextField(unique=False)),
                ("address", fields.TextField(null=True, unique=False)),
                ("user_agent", fields.TextField(null=True, unique=False)),
                ("beyond", fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
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
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ("respond_by", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("decision", fields.TextField(null=True, unique=False)),
                ("decided_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "offer",
                "app": "models",
                "pk_attr": "id",
                "table_description": "One side's terms in a round: prices, discounts and quantities by line, delivery, payment and free terms.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.CreateModel(
            name="NegotiationComment",
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
                    "negotiation",
                    fields.ForeignKeyField(
                        "models.Negotiation",
                        source_field="negotiation_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="comments",
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
                    "party",
                    fields.CharEnumField(description="SELLER: SELLER\nBUYER: BUYER", enum_type=Party, max_length=6),
                ),
                ("name", fields.TextField(unique=False)),
                ("text", fields.TextField(unique=False)),
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
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "negotiation_comment",
                "app": "models",
                "pk_attr": "id",
                "table_description": "What one side says to the other between offers.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX {name}_idx" for name in INDEXES],
        ),
    ]
