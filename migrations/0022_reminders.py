"""Who is reminded of what, how, and on which devices."""

from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0021_deliveries")]

    initial = False

    operations = []
