"""Words by which follow-ups are found."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0029_documents")]

    initial = False

    operations = []
