"""Files know where their bytes lie, imports what ended them, by code, and the file of their faults."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

# Codes and messages stood in lines of one text.
ERRORS = """
UPDATE import SET errors = (
    SELECT jsonb_agg(jsonb_build_object(
        'code', split_part(line, ': ', 1), 'message', substr(line, strpos(line, ': ') + 2), 'field', NULL
    )) FROM regexp_split_to_table(error, E'\\n') AS line
) WHERE error IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0007_team_names")]

    operations = [
        ops.AddField(model_name="File", name="object_key", field=fields.TextField(null=True, unique=False)),
        ops.AddField(model_name="Import", name="faults_file_id", field=fields.UUIDField(null=True)),
        ops.AddField(model_name="Import", name="errors", field=fields.JSONField(null=True)),
        ops.RunSQL([ERRORS], ["SELECT 1"]),
    ]
