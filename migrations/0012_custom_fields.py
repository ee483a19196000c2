"""Fields that a workspace adds to its leads, companies and contacts.

Their values stand in a column that is there already; indexes on values are made by the worker, and go with the table.
"""

from models.custom_fields import CustomFieldOwner, CustomFieldType, IndexState
from orjson import loads
from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from models.base import uuid7
from tortoise import fields

# name -> (unique, table and columns, condition)
INDEXES = {
    "custom_field_key": (
        True,
        "custom_field (workspace_id, owner, lower(key))",
        "archived_at IS NULL AND deleted_at IS NULL",
    ),
    "custom_field_position": (False, "custom_field (workspace_id, owner, position, id)", "deleted_at IS NULL"),
}
DROP_INDEXES_ON_VALUES = """
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN
        SELECT indexname FROM pg_indexes
        WHERE schemaname = current_schema() AND indexname ~ '^custom_[0-9a-f]{32}_[a-z_]+_idx$'
    LOOP
        EXECUTE format('DROP INDEX %I', name);
    END LOOP;
    FOR name IN
        SELECT stxname FROM pg_statistic_ext
        WHERE stxnamespace = current_schema()::regnamespace AND stxname ~ '^custom_[0-9a-f]{32}_[a-z_]+_stats$'
    LOOP
        EXECUTE format('DROP STATISTICS %I', name);
    END LOOP;
END $$
"""


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on} WHERE {condition}"


class Migration(migrations.Migration):
    dependencies = [("models", "0011_qualification")]

    operations = [
        ops.RunSQL(["SELECT 1"], [DROP_INDEXES_ON_VALUES]),
        ops.CreateModel(
            name='CustomField',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid7, unique=True, db_index=True)),
                ('workspace', fields.ForeignKeyField('models.Workspace', source_field='workspace_id', db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('version', fields.IntField(default=1)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('owner', fields.CharEnumField(description='LEAD: LEAD\nCOMPANY: COMPANY\nCONTACT: CONTACT', enum_type=CustomFieldOwner, max_length=16)),
                ('key', fields.TextField(unique=False)),
                ('label', fields.TextField(unique=False)),
                ('description', fields.TextField(null=True, unique=False)),
                ('type', fields.CharEnumField(description='TEXT: TEXT\nNUMBER: NUMBER\nMONEY: MONEY\nDATE: DATE\nCHOICE: CHOICE\nMULTI_CHOICE: MULTI_CHOICE\nYES_NO: YES_NO\nUSER: USER\nURL: URL\nEMAIL: EMAIL\nPHONE: PHONE', enum_type=CustomFieldType, max_length=16)),
                ('options', fields.JSONField(default=list, encoder=JSON_DUMPS, decoder=loads)),
                ('position', fields.IntField()),
                ('is_indexed', fields.BooleanField(default=False)),
                ('index_state', fields.CharEnumField(default=IndexState.NONE, description='NONE: NONE\nBUILDING: BUILDING\nREADY: READY\nFAILED: FAILED', enum_type=IndexState, max_length=16)),
                ('archived_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('deleted_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'custom_field', 'app': 'models', 'pk_attr': 'id', 'table_description': "Its values stand in the column `custom` of its owner's table, under its id as 32 hex digits."},
            bases=['EditableRow'],
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX IF EXISTS {name}_idx" for name in INDEXES],
        ),
    ]
