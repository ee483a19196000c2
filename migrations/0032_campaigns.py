"""What is done to win customers: campaigns, whom they were meant for, and the leads that came of them."""

from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.campaigns import CampaignKind, CampaignMemberStatus

# name -> (unique, table and columns, condition)
INDEXES = {
    "campaign_name": (True, "campaign (workspace_id, lower(name))", "archived_at IS NULL"),
    "campaign_starts": (False, "campaign (workspace_id, starts_on DESC NULLS LAST, id DESC)", ""),
    "campaign_member_created": (False, "campaign_member (campaign_id, created_at DESC, id DESC)", ""),
    "campaign_member_contact": (False, "campaign_member (contact_id, created_at DESC, id DESC)", ""),
    "lead_campaign": (False, "lead (campaign_id, created_at DESC, id DESC)", "campaign_id IS NOT NULL"),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0031_score_models")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Campaign",
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
                (
                    "kind",
                    fields.CharEnumField(
                        default=CampaignKind.OTHER,
                        description="EMAIL: EMAIL\nEVENT: EVENT\nTRADE_SHOW: TRADE_SHOW\nWEBINAR: WEBINAR\n"
                        "ADVERTISING: ADVERTISING\nSEARCH: SEARCH\nSOCIAL: SOCIAL\nCONTENT: CONTENT\n"
                        "DIRECT_MAIL: DIRECT_MAIL\nTELEMARKETING: TELEMARKETING\nREFERRAL: REFERRAL\nPARTNER: PARTNER\n"
                        "OTHER: OTHER",
                        enum_type=CampaignKind,
                        max_length=16,
                    ),
                ),
                ("description", fields.TextField(null=True, unique=False)),
                ("starts_on", fields.DateField(null=True)),
                ("ends_on", fields.DateField(null=True)),
                ("cost", fields.DecimalField(null=True, max_digits=19, decimal_places=4)),
                ("cost_currency", fields.CharField(null=True, max_length=3)),
                ("archived_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={"table": "campaign", "app": "models", "pk_attr": "id"},
            bases=["EditableRow"],
        ),
        ops.CreateModel(
            name="CampaignMember",
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
                    "campaign",
                    fields.ForeignKeyField(
                        "models.Campaign",
                        source_field="campaign_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="members",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "contact",
                    fields.ForeignKeyField(
                        "models.Contact",
                        source_field="contact_id",
                        db_constraint=True,
                        to_field="id",
                        related_name="campaign_members",
                        on_delete=OnDelete.CASCADE,
                    ),
                ),
                (
                    "status",
                    fields.CharEnumField(
                        default=CampaignMemberStatus.INVITED,
                        description="INVITED: INVITED\nRESPONDED: RESPONDED",
                        enum_type=CampaignMemberStatus,
                        max_length=16,
                    ),
                ),
                ("responded_at", fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={
                "table": "campaign_member",
                "app": "models",
                "unique_together": (("campaign_id", "contact_id"),),
                "pk_attr": "id",
                "table_description": "A person whom a campaign was meant for, and when they first answered it.",
            },
            bases=["WorkspaceRow"],
        ),
        ops.AddField(
            model_name="Lead",
            name="campaign",
            field=fields.ForeignKeyField(
                "models.Campaign",
                source_field="campaign_id",
                null=True,
                db_constraint=True,
                to_field="id",
                related_name="leads",
                on_delete=OnDelete.SET_NULL,
            ),
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX {name}_idx" for name in INDEXES],
        ),
    ]
