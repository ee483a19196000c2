"""Words by which follow-ups are found, kept beside them, and an index of the newest."""

from tortoise import migrations
from tortoise.migrations import operations as ops

# The name first, with the weights that ts_rank gives them, as migration 0018 has it for what else is searched.
WORDS = (
    "setweight(search_words(coalesce(title, '')), 'A') || setweight(search_words(coalesce(note, '')), 'C')"
)


class Migration(migrations.Migration):
    dependencies = [("models", "0029_documents")]

    initial = False

    operations = [
        ops.RunSQL(
            [
                f"ALTER TABLE follow_up ADD COLUMN words tsvector GENERATED ALWAYS AS ({WORDS}) STORED",
                "CREATE INDEX follow_up_search_idx ON follow_up USING gin (words)",
                "CREATE INDEX follow_up_created_idx ON follow_up (workspace_id, created_at DESC, id DESC)",
            ],
            [
                "DROP INDEX follow_up_created_idx",
                "DROP INDEX follow_up_search_idx",
                "ALTER TABLE follow_up DROP COLUMN words",
            ],
        ),
    ]
