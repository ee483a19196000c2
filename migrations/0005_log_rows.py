"""Tables that grow with everything that happens check their workspace no more: it locked one row for every row."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields

TABLES = ("event", "external_ref", "stage_transition")
KEY = "FOREIGN KEY (workspace_id) REFERENCES workspace (id) ON DELETE CASCADE"


class Migration(migrations.Migration):
    dependencies = [('models', '0004_decision_note')]

    initial = False

    operations = [
        # Altering a field changes what Tortoise knows, not the constraint.
        ops.RunSQL(
            [f"ALTER TABLE {table} DROP CONSTRAINT {table}_workspace_id_fkey" for table in TABLES],
            [f"ALTER TABLE {table} ADD CONSTRAINT {table}_workspace_id_fkey {KEY}" for table in TABLES],
        ),
        ops.AlterField(
            model_name='Event',
            name='workspace',
            field=fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=False, to_field='id', related_name=False, on_delete=OnDelete.NO_ACTION),
        ),
        ops.AlterField(
            model_name='ExternalRef',
            name='workspace',
            field=fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=False, to_field='id', related_name=False, on_delete=OnDelete.NO_ACTION),
        ),
        ops.AlterField(
            model_name='StageTransition',
            name='workspace',
            field=fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=False, to_field='id', related_name=False, on_delete=OnDelete.NO_ACTION),
        ),
    ]
