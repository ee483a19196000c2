"""Work on many leads at once, and members who are away for a while."""

from orjson import loads
from tortoise import fields, migrations
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

from models.base import uuid7
from models.bulks import BulkKind, BulkStatus

INDEXES = {
    "bulk_created": "bulk (workspace_id, created_at DESC, id DESC)",
    "bulk_user": "bulk (workspace_id, user_id, created_at DESC, id DESC)",
    "bulk_row_errors": "bulk_row (bulk_id, number) WHERE errors IS NOT NULL",
    "membership_substitute": "membership (substitute_id) WHERE substitute_id IS NOT NULL",
}


class Migration(migrations.Migration):
    dependencies = [('models', '0014_attachments_and_competitors')]

    operations = [
        ops.CreateModel(
            name='Bulk',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('workspace', fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('kind', fields.CharEnumField(description='UPDATE: UPDATE\nMOVE: MOVE\nASSIGN: ASSIGN\nTAG: TAG\nUNTAG: UNTAG\nCLOSE: CLOSE\nDELETE: DELETE\nTRANSFER: TRANSFER', enum_type=BulkKind, max_length=16)),
                ('arguments', fields.JSONField(default=dict, encoder=JSON_DUMPS, decoder=loads)),
                ('status', fields.CharEnumField(default=BulkStatus.PENDING, description='PENDING: PENDING\nRUNNING: RUNNING\nCOMPLETED: COMPLETED\nFAILED: FAILED\nCANCELLED: CANCELLED', enum_type=BulkStatus, max_length=16)),
                ('total', fields.IntField()),
                ('done', fields.IntField(default=0)),
                ('failed', fields.IntField(default=0)),
                ('errors', fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
                ('user', fields.ForeignKeyField('models.User', source_field='user_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL)),
                ('key_id', fields.UUIDField(null=True)),
                ('client_mutation_id', fields.TextField(null=True, unique=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('started_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('completed_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'bulk', 'app': 'models', 'pk_attr': 'id', 'table_description': 'One thing to do with many leads, by a worker. Its rows are done up to number `done`, in their order.'},
            bases=['WorkspaceRow'],
        ),
        ops.CreateModel(
            name='BulkRow',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('workspace', fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=False, to_field='id', related_name=False, on_delete=OnDelete.NO_ACTION)),
                ('bulk', fields.ForeignKeyField('models.Bulk', source_field='bulk_id', db_constraint=True, to_field='id', related_name='rows', on_delete=OnDelete.CASCADE)),
                ('user_id', fields.UUIDField(null=True)),
                ('number', fields.IntField()),
                ('lead_id', fields.UUIDField()),
                ('errors', fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads)),
            ],
            options={'table': 'bulk_row', 'app': 'models', 'unique_together': (('bulk_id', 'number'),), 'pk_attr': 'id', 'table_description': 'One of the leads; `number` counts from 1, `user_id` is who asked, `errors` is why it was refused.'},
            bases=['LogRow'],
        ),
        ops.AddField(
            model_name='Membership',
            name='away_from',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='Membership',
            name='away_until',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='Membership',
            name='substitute',
            field=fields.ForeignKeyField('models.User', source_field='substitute_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.SET_NULL),
        ),
        ops.RunSQL(
            [f"CREATE INDEX {name}_idx ON {on}" for name, on in INDEXES.items()],
            [f"DROP INDEX IF EXISTS {name}_idx" for name in INDEXES],
        ),
    ]
