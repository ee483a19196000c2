from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0015_bulk_and_absences")]

    operations = []
