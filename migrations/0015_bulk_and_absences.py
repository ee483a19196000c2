from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0014_attachments_and_competitors")]

    operations = []
