"""Teams beside one another have names of their own; of those that shared one, all but the oldest get a number."""

from tortoise import migrations
from tortoise.migrations import operations as ops

# The longest name has 200 characters, the number included.
NUMBER = """
DO $$
DECLARE
    twin record;
    number int;
    numbered text;
BEGIN
    FOR twin IN
        SELECT team.* FROM team WHERE deleted_at IS NULL AND EXISTS (
            SELECT 1 FROM team AS older
            WHERE older.workspace_id = team.workspace_id AND older.parent_id IS NOT DISTINCT FROM team.parent_id
              AND lower(older.name) = lower(team.name) AND older.deleted_at IS NULL
              AND (older.created_at, older.id) < (team.created_at, team.id)
        )
        ORDER BY created_at, id
    LOOP
        number := 1;
        LOOP
            number := number + 1;
            numbered := left(twin.name, 190) || ' ' || number;
            EXIT WHEN NOT EXISTS (
                SELECT 1 FROM team AS other
                WHERE other.workspace_id = twin.workspace_id AND other.parent_id IS NOT DISTINCT FROM twin.parent_id
                  AND lower(other.name) = lower(numbered) AND other.deleted_at IS NULL
            );
        END LOOP;
        UPDATE team SET name = numbered, version = version + 1 WHERE id = twin.id;
    END LOOP;
END $$
"""
INDEX = """
CREATE UNIQUE INDEX team_sibling_idx ON team (workspace_id, parent_id, lower(name)) NULLS NOT DISTINCT
WHERE deleted_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("models", "0005_log_rows")]

    operations = [ops.RunSQL([NUMBER, INDEX], ["DROP INDEX team_sibling_idx"])]
