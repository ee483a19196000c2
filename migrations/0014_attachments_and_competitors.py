from tortoise import migrations


class Migration(migrations.Migration):
    dependencies = [("models", "0013_conversations")]

    operations = []
