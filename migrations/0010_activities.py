from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0009_owner_orders")]

    operations = []
