from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields


class Migration(migrations.Migration):
    dependencies = [("models", "0003_sign_in_attempts")]

    initial = False

    operations = [
        ops.AddField(
            model_name="MoveRequest",
            name="decision_note",
            field=fields.TextField(null=True, unique=False),
        ),
    ]
