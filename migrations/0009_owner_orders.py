"""What few people own, in the orders that their screens ask for: by score, and by rank within a stage."""

from tortoise import migrations
from tortoise.migrations import operations as ops

INDEXES = {
    "lead_owner_score": "lead (workspace_id, owner_id, score DESC NULLS LAST, id DESC) WHERE deleted_at IS NULL",
    "lead_owner_board": "lead (workspace_id, stage_id, owner_id, rank, id)"
    " WHERE deleted_at IS NULL AND status IN ('OPEN', 'WON')",
}


class Migration(migrations.Migration):
    dependencies = [("models", "0008_file_stores")]

    operations = [
        ops.RunSQL(
            [f"CREATE INDEX {name}_idx ON {on}" for name, on in INDEXES.items()],
            [f"DROP INDEX IF EXISTS {name}_idx" for name in INDEXES],
        ),
    ]
