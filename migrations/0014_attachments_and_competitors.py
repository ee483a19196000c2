"""Files on leads, companies and contacts; pictures of people; competitors; what kind of need it is."""

from models.base import uuid7
from models.competitors import Threat
from models.files import UploadPurpose
from models.needs import NeedKind
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.migrations import operations as ops

# name -> (unique, table and columns, condition)
INDEXES = {
    "attachment_file": (True, "attachment (file_id)", ""),
    "attachment_created": (False, "attachment (workspace_id, created_at DESC, id DESC)", "deleted_at IS NULL"),
    "attachment_lead": (False, "attachment (lead_id, created_at DESC, id DESC)", "lead_id IS NOT NULL"),
    "attachment_company": (False, "attachment (company_id, created_at DESC, id DESC)", "company_id IS NOT NULL"),
    "attachment_contact": (False, "attachment (contact_id, created_at DESC, id DESC)", "contact_id IS NOT NULL"),
    "user_account_avatar": (False, "user_account (avatar_id)", "avatar_id IS NOT NULL"),
    "competitor_name": (True, "competitor (workspace_id, lower(name))", "archived_at IS NULL"),
    "lead_competitor_competitor": (False, "lead_competitor (competitor_id)", ""),
    "lead_lost_to": (False, "lead (lost_to_id, created_at DESC, id DESC)", "lost_to_id IS NOT NULL"),
    "need_product": (False, "need (product_id)", "product_id IS NOT NULL"),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0013_conversations")]

    operations = [
        ops.CreateModel(
            name='Attachment',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('workspace', fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('version', fields.IntField(default=1)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('lead', fields.ForeignKeyField('models.Lead', source_field='lead_id', null=True, db_constraint=True, to_field='id', related_name='attachments', on_delete=OnDelete.CASCADE)),
                ('company', fields.ForeignKeyField('models.Company', source_field='company_id', null=True, db_constraint=True, to_field='id', related_name='attachments', on_delete=OnDelete.CASCADE)),
                ('contact', fields.ForeignKeyField('models.Contact', source_field='contact_id', null=True, db_constraint=True, to_field='id', related_name='attachments', on_delete=OnDelete.CASCADE)),
                ('file', fields.ForeignKeyField('models.File', source_field='file_id', null=True, db_constraint=True, to_field='id', related_name='attachments', on_delete=OnDelete.SET_NULL)),
                ('user', fields.ForeignKeyField('models.User', source_field='user_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.RESTRICT)),
                ('name', fields.TextField(unique=False)),
                ('content_type', fields.TextField(unique=False)),
                ('size', fields.BigIntField()),
                ('deleted_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'attachment', 'app': 'models', 'pk_attr': 'id', 'table_description': 'A file on a lead, a company or a contact: one of the three.'},
            bases=['EditableRow'],
        ),
        ops.CreateModel(
            name='Competitor',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('workspace', fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('version', fields.IntField(default=1)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('name', fields.TextField(unique=False)),
                ('website', fields.TextField(null=True, unique=False)),
                ('strengths', fields.TextField(null=True, unique=False)),
                ('weaknesses', fields.TextField(null=True, unique=False)),
                ('description', fields.TextField(null=True, unique=False)),
                ('archived_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'competitor', 'app': 'models', 'pk_attr': 'id', 'table_description': 'A competitor of the workspace, with what is known of them everywhere.'},
            bases=['EditableRow'],
        ),
        ops.CreateModel(
            name='LeadCompetitor',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('workspace', fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('lead', fields.ForeignKeyField('models.Lead', source_field='lead_id', db_constraint=True, to_field='id', related_name='lead_competitors', on_delete=OnDelete.CASCADE)),
                ('competitor', fields.ForeignKeyField('models.Competitor', source_field='competitor_id', db_constraint=True, to_field='id', related_name='lead_competitors', on_delete=OnDelete.CASCADE)),
                ('threat', fields.CharEnumField(default=Threat.MEDIUM, description='LOW: LOW\nMEDIUM: MEDIUM\nHIGH: HIGH', enum_type=Threat, max_length=8)),
                ('strengths', fields.TextField(null=True, unique=False)),
                ('weaknesses', fields.TextField(null=True, unique=False)),
                ('notes', fields.TextField(null=True, unique=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'lead_competitor', 'app': 'models', 'unique_together': (('lead_id', 'competitor_id'),), 'pk_attr': 'id', 'table_description': 'A competitor in play on a lead: what they are good and bad at there.'},
            bases=['WorkspaceRow'],
        ),
        ops.AddField(
            model_name='File',
            name='purpose',
            field=fields.CharEnumField(null=True, description='IMPORT: IMPORT\nATTACHMENT: ATTACHMENT\nAVATAR: AVATAR', enum_type=UploadPurpose, max_length=16),
        ),
        ops.AddField(
            model_name='Lead',
            name='lost_to',
            field=fields.ForeignKeyField('models.Competitor', source_field='lost_to_id', null=True, db_constraint=True, to_field='id', related_name='lost_leads', on_delete=OnDelete.SET_NULL),
        ),
        ops.AlterModelOptions(
            name='Need',
            options={'table': 'need', 'app': 'models', 'pk_attr': 'id', 'table_description': 'A pain point or wish; `importance` is 1 (nice to have) to 5 (decisive).'},
        ),
        ops.AddField(
            model_name='Need',
            name='kind',
            field=fields.CharEnumField(default=NeedKind.PAIN, db_default=NeedKind.PAIN, description='PAIN: PAIN\nWISH: WISH', enum_type=NeedKind, max_length=8),
        ),
        ops.AddField(
            model_name='Need',
            name='product',
            field=fields.ForeignKeyField('models.Product', source_field='product_id', null=True, db_constraint=True, to_field='id', related_name='needs', on_delete=OnDelete.SET_NULL),
        ),
        ops.AddField(
            model_name='User',
            name='avatar',
            field=fields.ForeignKeyField('models.File', source_field='avatar_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL),
        ),
        ops.RunSQL(
            ["UPDATE file SET purpose = 'IMPORT' WHERE user_id IS NOT NULL"],
            ["SELECT 1"],
        ),
        ops.RunSQL(
            [
                "ALTER TABLE attachment ADD CONSTRAINT attachment_subject_check"
                " CHECK (num_nonnulls(lead_id, company_id, contact_id) = 1)"
            ],
            ["ALTER TABLE attachment DROP CONSTRAINT IF EXISTS attachment_subject_check"],
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX IF EXISTS {name}_idx" for name in INDEXES],
        ),
    ]
